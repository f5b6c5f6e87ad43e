// The sheet that a digit is drawn on: white ink on black, as the digits that the network has seen.
import { side, toDigit } from '../../src/cli/digit.ts'

export interface Sheet {
  /** The digit as MNIST would have it; null on an empty sheet. */
  digit(): Float32Array | null
  clear(): void
}

/** Makes a canvas a sheet; `drawn` is called when the pen is lifted. */
export function makeSheet(
  canvas: HTMLCanvasElement,
  told: { readonly begun: () => void; readonly drawn: () => void },
): Sheet {
  const pen = canvas.getContext('2d', { willReadFrequently: true })!
  let inked = false
  let last: readonly [number, number] | null = null

  function place(event: PointerEvent): readonly [number, number] {
    const box = canvas.getBoundingClientRect()
    return [
      ((event.clientX - box.left) / box.width) * canvas.width,
      ((event.clientY - box.top) / box.height) * canvas.height,
    ]
  }

  function stroke(to: readonly [number, number]): void {
    pen.beginPath()
    pen.moveTo(...(last ?? to))
    pen.lineTo(...to)
    pen.stroke()
    last = to
    inked = true
  }

  function lift(): void {
    if (last === null) return
    last = null
    told.drawn()
  }

  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return
    canvas.setPointerCapture(event.pointerId)
    told.begun()
    last = null
    stroke(place(event))
  })
  canvas.addEventListener('pointermove', (event) => {
    if (last !== null) for (const part of coalesced(event)) stroke(place(part))
  })
  canvas.addEventListener('pointerup', lift)
  canvas.addEventListener('pointercancel', lift)

  const clear = (): void => {
    pen.fillStyle = 'black'
    pen.fillRect(0, 0, canvas.width, canvas.height)
    pen.strokeStyle = 'white'
    pen.lineWidth = canvas.width / 13
    pen.lineCap = 'round'
    pen.lineJoin = 'round'
    inked = false
  }
  clear()
  return {
    clear,
    digit: () => {
      if (!inked) return null
      const { width, height } = canvas
      const { data } = pen.getImageData(0, 0, width, height)
      const pixels = Float32Array.from({ length: width * height }, (_, i) => data[4 * i]!)
      return toDigit({ width, height, pixels })
    },
  }
}

/** All the points a fast pen went through since the last event. */
function coalesced(event: PointerEvent): PointerEvent[] {
  const parts = event.getCoalescedEvents()
  return parts.length > 0 ? parts : [event]
}

/** Draws a picture of the network's size: 0 black, 1 white. */
export function showDigit(canvas: HTMLCanvasElement, pixels: Float32Array): void {
  const image = new ImageData(side, side)
  pixels.forEach((v, i) => {
    image.data.set([255 * v, 255 * v, 255 * v, 255], 4 * i)
  })
  canvas.getContext('2d')!.putImageData(image, 0, 0)
}

/** Weights from below to above 0: blue, white, orange. */
function colour(v: number): [number, number, number] {
  const [r, g, b] = v > 0 ? [213, 94, 0] : [31, 95, 158]
  const part = Math.min(1, Math.abs(v))
  const mix = (c: number): number => 255 + part * (c - 255)
  return [mix(r), mix(g), mix(b)]
}

/** Draws rows of 784 weights as pictures, eight beside each other; the strongest weight of each has full colour. */
export function showWeights(canvas: HTMLCanvasElement, weights: Float32Array): void {
  const across = 8
  const [pixels, cell] = [side * side, side + 2]
  const units = weights.length / pixels
  canvas.width = across * cell
  canvas.height = Math.ceil(units / across) * cell
  const context = canvas.getContext('2d')!
  for (let unit = 0; unit < units; unit++) {
    const row = weights.subarray(unit * pixels, (unit + 1) * pixels)
    const most = row.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-9)
    const image = new ImageData(side, side)
    row.forEach((v, i) => {
      image.data.set([...colour(v / most), 255], 4 * i)
    })
    context.putImageData(image, (unit % across) * cell + 1, Math.floor(unit / across) * cell + 1)
  }
}
