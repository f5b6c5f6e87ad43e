/** Learning curves: numbers by epoch or step as a picture, SVG made of text alone. */

import { fail } from '../base/error.ts'
import {
  escapeHtml,
  type InspectOptions,
  inspected,
  jupyterDisplay,
  type MimeBundle,
} from '../base/notebook.ts'
import { checkOptions } from '../base/options.ts'
import { writeWhole } from '../ndarray/nodeFiles.ts'
import { pictureBundle } from './picture.ts'

/** How curves are drawn. */
export interface CurvesOptions {
  readonly title?: string | undefined
  /** What the horizontal axis counts. */
  readonly xLabel?: string | undefined
  readonly width?: number | undefined
  readonly height?: number | undefined
}

/** Numbers in order, by name. */
export type Series = { readonly [name: string]: readonly number[] }

/** A picture of curves. */
export class Curves {
  /** The picture as SVG. */
  readonly svg: string
  readonly #names: readonly string[]

  constructor(svg: string, names: readonly string[]) {
    this.svg = svg
    this.#names = names
  }

  /** Writes the picture to a `.svg` file. */
  save(file: string): Promise<void> {
    return writeWhole('plotCurves', file, new TextEncoder().encode(this.svg))
  }

  toString(): string {
    return `Curves of ${this.#names.join(', ')}`
  }

  [Symbol.for('nodejs.util.inspect.custom')](depth: number, options?: InspectOptions): string {
    return inspected(depth, options?.depth, {
      text: () => this.toString(),
      brief: () => this.toString(),
      bundle: () => this[jupyterDisplay](),
    })
  }

  /** What a notebook shows: the picture. */
  [jupyterDisplay](): Promise<MimeBundle> {
    return pictureBundle(this.svg, this.toString())
  }
}

const margin = { left: 56, right: 16, top: 32, bottom: 64 }
/** Colours that remain distinct for colour-blind eyes (Okabe and Ito). */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'] as const
const ink = '#444'
const paper = '#ddd'

/**
 * Draws numbers in order as curves: losses and accuracies by epoch.
 *
 * Curves share one axis; gaps stand for numbers that are not finite.
 *
 * @throws MXNetError when there is no series, or one is no list of numbers.
 * @example
 * mx.viz.plotCurves({ loss: [2.3, 0.9, 0.6] }, { title: 'Loss' }).svg.slice(0, 4) // => '<svg'
 */
export function plotCurves(series: Series, options: CurvesOptions = {}): Curves {
  checkOptions('plotCurves', options, ['title', 'xLabel', 'width', 'height'])
  const names = Object.keys(series ?? {})
  if (names.length === 0) fail('plotCurves', 'no series given: { loss: [0.9, 0.5] } is one')
  for (const name of names) {
    const list: unknown = series[name]
    if (Array.isArray(list) && list.every((v) => typeof v === 'number')) continue
    fail('plotCurves', `${name} must be a list of numbers`)
  }
  return new Curves(draw(series, names, options), names)
}

function draw(
  series: Series,
  names: readonly string[],
  { title = '', xLabel = 'epoch', width = 560, height = 320 }: CurvesOptions,
): string {
  const finite = Object.values(series).flat().filter(Number.isFinite)
  const ticks = niceTicks(Math.min(...finite), Math.max(...finite))
  const steps = Math.max(1, ...Object.values(series).map((list) => list.length - 1))
  const right = width - margin.right
  const bottom = height - margin.bottom
  const x = (i: number): number => margin.left + (i / steps) * (right - margin.left)
  const [low, high] = [ticks[0]!, ticks.at(-1)!]
  const y = (v: number): number => bottom - ((v - low) / (high - low)) * (bottom - margin.top)
  const text = (at: readonly [number, number], anchor: string, words: string): string =>
    `<text x="${at[0]}" y="${at[1]}" text-anchor="${anchor}">${escapeHtml(words)}</text>`
  const grid = ticks.map((v) => {
    const line = `<path d="M${margin.left} ${round(y(v))}H${right}" stroke="${paper}"/>`
    return line + text([margin.left - 6, round(y(v)) + 4], 'end', String(Number(v.toPrecision(6))))
  })
  const counts = niceTicks(0, steps).filter((v) => Number.isInteger(v) && v <= steps)
  const labels = counts.map((v) => text([round(x(v)), bottom + 16], 'middle', String(v)))
  const curves = names.map((name, k) => {
    const colour = colours[k % colours.length]
    const d = path(series[name]!, x, y)
    return `<path d="${d}" fill="none" stroke="${colour}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>`
  })
  const share = (right - margin.left) / names.length
  const legend = names.map((name, k) => {
    const at = margin.left + k * share
    const mark = `<path d="M${round(at)} ${height - 16}h18" stroke="${colours[k % colours.length]}" stroke-width="3"/>`
    return mark + text([round(at) + 24, height - 12], 'start', name)
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12" fill="${ink}">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    title === '' ? '' : `<g font-size="15">${text([width / 2, 20], 'middle', title)}</g>`,
    ...grid,
    ...labels,
    text([(margin.left + right) / 2, bottom + 34], 'middle', xLabel),
    ...curves,
    ...legend,
    '</svg>',
  ].join('')
}

const round = (v: number): number => Math.round(v * 10) / 10

/** A line through the finite numbers; a lone one is a dot, by the line's round end. */
function path(list: readonly number[], x: (i: number) => number, y: (v: number) => number): string {
  let pen = 'M'
  return list
    .map((v, i) => {
      if (!Number.isFinite(v)) {
        pen = 'M'
        return ''
      }
      const point = `${round(x(i))} ${round(y(v))}`
      const move = pen === 'M' ? `M${point}h0` : `L${point}`
      pen = 'L'
      return move
    })
    .join('')
}

/** Round numbers, four to seven of them, from at most `low` to at least `high`. */
function niceTicks(low: number, high: number): number[] {
  if (!(low <= high)) return [0, 1]
  const span = high > low ? high - low : Math.max(Math.abs(high), 1)
  const power = 10 ** Math.floor(Math.log10(span / 5))
  const step = power * ([1, 2, 5, 10].find((m) => span / (m * power) <= 6) ?? 10)
  const first = Math.floor(low / step)
  const last = Math.max(first + 1, Math.ceil(high / step))
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step)
}
