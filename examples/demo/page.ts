// The page: buttons, curves, and a sheet to draw a digit on. The worker does everything that takes time.
import { side, toDigit } from '../../src/cli/digit.ts'
import type { Reply, Request } from './messages.ts'

const epochs = 4

function byId<E extends HTMLElement>(id: string): E {
  const found = document.querySelector<E>(`#${id}`)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}
const status = byId<HTMLElement>('status')
const trainButton = byId<HTMLButtonElement>('train')
const progress = byId<HTMLProgressElement>('progress')
const sheet = byId<HTMLCanvasElement>('sheet')
const verdict = byId<HTMLElement>('verdict')
const bars = [...byId<HTMLElement>('bars').querySelectorAll<HTMLElement>('.bar')]

// The worker's name tells it where the page is: its own address is that of a script.
const worker = new Worker(new URL('./trainer.ts', import.meta.url), {
  type: 'module',
  name: document.baseURI,
})
const ask = (request: Request): void => worker.postMessage(request)

let training = false
const percent = (part: number): string => `${(100 * part).toFixed(1)} %`

function setTraining(now: boolean): void {
  training = now
  trainButton.textContent = now ? 'Stop' : 'Train'
  trainButton.disabled = false
}

worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => {
  switch (data.type) {
    case 'ready':
      byId('network').textContent = data.network
      byId('picture').innerHTML = data.picture
      status.textContent = `Ready. Computing on ${data.about}.`
      setTraining(false)
      break
    case 'progress': {
      progress.value = (data.epoch + data.images / 60_000) / epochs
      const speed = Math.round(data.perSecond).toLocaleString('en')
      status.textContent = `Epoch ${data.epoch}: loss ${data.loss.toFixed(3)}, ${speed} images a second`
      byId('loss').innerHTML = data.picture
      break
    }
    case 'epoch':
      byId('result').textContent = `Held-out digits recognised: ${percent(data.accuracy)}`
      byId('result').dataset.accuracy = String(data.accuracy)
      byId('accuracy').innerHTML = data.picture
      recognise()
      break
    case 'stopped':
      setTraining(false)
      break
    case 'recognised':
      showVerdict(data.probabilities)
      break
    case 'failed':
      status.textContent = data.message
      status.classList.add('error')
      setTraining(false)
      break
    default:
      data satisfies never
  }
})
worker.addEventListener('error', (event) => {
  status.textContent = `The worker failed: ${event.message}`
  status.classList.add('error')
})

trainButton.addEventListener('click', () => {
  if (training) {
    trainButton.disabled = true
    ask({ type: 'stop' })
    return
  }
  setTraining(true)
  ask({ type: 'train', epochs })
})

// The sheet: white ink on black, as the digits that the network has seen.
const pen = sheet.getContext('2d', { willReadFrequently: true })!
const clear = (): void => {
  pen.fillStyle = 'black'
  pen.fillRect(0, 0, sheet.width, sheet.height)
  pen.strokeStyle = 'white'
  pen.lineWidth = sheet.width / 13
  pen.lineCap = 'round'
  pen.lineJoin = 'round'
  inked = false
  verdict.textContent = '?'
  for (const bar of bars) bar.style.setProperty('--part', '0')
  preview(new Float32Array(side * side))
}
let inked = false
let last: readonly [number, number] | null = null

function place(event: PointerEvent): readonly [number, number] {
  const box = sheet.getBoundingClientRect()
  return [
    ((event.clientX - box.left) / box.width) * sheet.width,
    ((event.clientY - box.top) / box.height) * sheet.height,
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

sheet.addEventListener('pointerdown', (event) => {
  sheet.setPointerCapture(event.pointerId)
  last = null
  stroke(place(event))
})
sheet.addEventListener('pointermove', (event) => {
  if (event.buttons === 1) for (const part of coalesced(event)) stroke(place(part))
})
sheet.addEventListener('pointerup', () => {
  last = null
  recognise()
})
byId('clear').addEventListener('click', clear)

/** All the points a fast pen went through since the last event. */
function coalesced(event: PointerEvent): PointerEvent[] {
  const parts = event.getCoalescedEvents()
  return parts.length > 0 ? parts : [event]
}

function recognise(): void {
  if (!inked) return
  const { width, height } = sheet
  const { data } = pen.getImageData(0, 0, width, height)
  const pixels = Float32Array.from({ length: width * height }, (_, i) => data[4 * i]!)
  const digit = toDigit({ width, height, pixels })
  preview(digit)
  ask({ type: 'recognise', pixels: digit })
}

/** What the network sees. */
function preview(pixels: Float32Array): void {
  const canvas = byId<HTMLCanvasElement>('seen')
  const image = new ImageData(side, side)
  pixels.forEach((v, i) => {
    image.data.set([255 * v, 255 * v, 255 * v, 255], 4 * i)
  })
  canvas.getContext('2d')!.putImageData(image, 0, 0)
}

function showVerdict(probabilities: readonly number[]): void {
  const best = probabilities.indexOf(Math.max(...probabilities))
  verdict.textContent = String(best)
  bars.forEach((bar, i) => {
    bar.style.setProperty('--part', String(probabilities[i]))
    bar.title = percent(probabilities[i]!)
    bar.classList.toggle('best', i === best)
  })
}

clear()
