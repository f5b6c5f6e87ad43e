/** Printing: arrays as MXNet shows them, which is NumPy's text of the elements and a line about the array. */

import { type DType, isFloat, type TypedArray } from '../base/dtype.ts'
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../base/half.ts'
import { type Shape, sizeOf } from '../base/shape.ts'
import type { NDArray } from './ndarray.ts'

/** NumPy's defaults: fractional digits, elements printed in full, edge elements of longer axes, columns. */
const precision = 8
const threshold = 1000
const edgeItems = 3
const lineWidth = 75

/** Rounds a number to the precision of a dtype narrower than float64; null for that. */
type Rounding = ((v: number) => number) | null

const roundings: { readonly [dtype: string]: Rounding } = {
  float32: Math.fround,
  float16: (v) => fromFloat16(toFloat16(v)),
  bfloat16: (v) => fromBfloat16(toBfloat16(v)),
}

/** Elements to print: where an axis is abridged, only its edges are there. */
interface Excerpt {
  readonly values: TypedArray
  readonly dtype: DType
  readonly shape: Shape
  /** Which axes stand for longer ones. */
  readonly abridged: readonly boolean[]
}

/**
 * The text that MXNet prints for an array: NumPy's, then `<NDArray 2x3 @cpu(0)>`.
 *
 * Reads the elements, so it waits for them; on a device that cannot block the elements are left out.
 * Of an array with more than 1000 elements only the edges are read and shown.
 *
 * @example
 * String(nd.array([[1, 2], [3, 4]])) // => '\n[[1. 2.]\n [3. 4.]]\n<NDArray 2x2 @cpu(0)>'
 * @see MXNet `NDArray.__repr__`; NumPy `numpy/core/arrayprint.py`
 */
export function formatArray(x: NDArray): string {
  const kind = `NDArray ${x.shape.join('x')} @${x.context}`
  if (!x.storage.device.backend.canBlock) return `<${kind}, not read>`
  return `\n${formatExcerpt(readExcerpt(x))}\n<${kind}>`
}

/** NumPy's `str` of elements in row-major order. */
export function formatValues(values: TypedArray, shape: Shape, dtype: DType): string {
  const abridged = abridgedAxes(shape)
  if (!abridged.includes(true)) return formatExcerpt({ values, dtype, shape, abridged })
  const kept = shape.map((d, i) => (abridged[i] ? 2 * edgeItems : d))
  const out = new (values.constructor as new (n: number) => TypedArray)(sizeOf(kept))
  let next = 0
  const visit = (axis: number, at: number): void => {
    if (axis === shape.length) out[next++] = values[at]!
    else {
      for (let i = 0; i < kept[axis]!; i++) {
        const skipped = abridged[axis] && i >= edgeItems ? shape[axis]! - kept[axis]! : 0
        visit(axis + 1, at * shape[axis]! + i + skipped)
      }
    }
  }
  visit(0, 0)
  return formatExcerpt({ values: out, dtype, shape: kept, abridged })
}

const abridgedAxes = (shape: Shape): boolean[] =>
  shape.map((d) => sizeOf(shape) > threshold && d > 2 * edgeItems)

function readExcerpt(x: NDArray): Excerpt {
  const { dtype } = x
  const abridged = abridgedAxes(x.shape)
  if (!abridged.includes(true)) {
    return { values: x.asTypedArraySync(), dtype, shape: x.shape, abridged }
  }
  const own = x.detach()
  const shape = x.shape.map((d, i) => (abridged[i] ? 2 * edgeItems : d))
  let values: TypedArray | undefined
  const parts = (axis: number, keys: string[], begin: number[]): void => {
    if (axis < shape.length) {
      if (!abridged[axis]) return parts(axis + 1, [...keys, ':'], [...begin, 0])
      parts(axis + 1, [...keys, `:${edgeItems}`], [...begin, 0])
      return parts(axis + 1, [...keys, `-${edgeItems}:`], [...begin, edgeItems])
    }
    const part = own.at(...keys)
    const read = part.asTypedArraySync()
    values ??= new (read.constructor as new (n: number) => TypedArray)(sizeOf(shape))
    place(values, shape, begin, read, part.shape)
    part[Symbol.dispose]()
  }
  parts(0, [], [])
  own[Symbol.dispose]()
  return { values: values!, dtype, shape, abridged }
}

/** Copies a box of elements into a larger array. */
function place(
  target: TypedArray,
  shape: Shape,
  begin: readonly number[],
  source: TypedArray,
  box: Shape,
): void {
  let from = 0
  const visit = (axis: number, at: number): void => {
    if (axis === shape.length) target[at] = source[from++]!
    else {
      for (let i = 0; i < box[axis]!; i++) visit(axis + 1, at * shape[axis]! + begin[axis]! + i)
    }
  }
  visit(0, 0)
}

function formatExcerpt(x: Excerpt): string {
  const { values, dtype, shape } = x
  const round = roundings[dtype] ?? null
  if (shape.length === 0) {
    return isFloat(dtype)
      ? formatScalar(Number(values[0]), round)
      : dtype === 'bool'
        ? title(values[0] !== 0)
        : String(values[0])
  }
  if (values.length === 0) return '[]'
  return layOut(x, elementFormat(values, dtype, round))
}

const title = (value: boolean): string => (value ? 'True' : 'False')

/** How each element is written, so that all have one width. */
function elementFormat(values: TypedArray, dtype: DType, round: Rounding): (at: number) => string {
  if (dtype === 'bool') return (at) => title(values[at] !== 0).padStart(5)
  if (!isFloat(dtype)) {
    let width = 0
    for (const v of values) width = Math.max(width, String(v).length)
    return (at) => String(values[at]).padStart(width)
  }
  return floatFormat(values as Float32Array, round)
}

/** NumPy's FloatingFormat: one notation for all elements, points aligned. */
function floatFormat(values: Float32Array | Float64Array, round: Rounding): (at: number) => string {
  const finite: number[] = []
  let negativeInfinity = false
  let largest = 0
  let smallest = Number.POSITIVE_INFINITY
  for (const v of values) {
    if (v === Number.NEGATIVE_INFINITY) negativeInfinity = true
    if (!Number.isFinite(v)) continue
    finite.push(v)
    if (v === 0) continue
    largest = Math.max(largest, Math.abs(v))
    smallest = Math.min(smallest, Math.abs(v))
  }
  const ratio = round ? round(largest / smallest) : largest / smallest
  const exponential = largest > 0 && (largest >= 1e8 || smallest < 1e-4 || ratio > 1000)
  const write = exponential ? scientificParts : positionalParts
  const parts = finite.map((v) => write(v, round, precision))
  const widest = (pick: (p: Parts) => string): number =>
    parts.reduce((w, p) => Math.max(w, pick(p).length), 0)
  let left = widest((p) => p.whole)
  const fraction = widest((p) => p.fraction)
  const exponent = widest((p) => p.exponent)
  const right = exponential ? exponent + 2 + fraction : fraction
  if (finite.length < values.length) {
    left = Math.max(left, 3 - right - 1, 3 + (negativeInfinity ? 1 : 0) - right - 1)
  }
  return (at) => {
    const v = values[at]!
    if (!Number.isFinite(v)) return formatSpecial(v).padStart(left + right + 1)
    const p = exponential ? exactly(v, fraction) : positionalParts(v, round, precision)
    const whole = p.whole.padStart(left)
    if (!exponential) return `${whole}.${p.fraction.padEnd(fraction)}`
    const digits = p.fraction.padEnd(fraction, '0')
    return `${whole}.${digits}e${p.sign}${p.exponent.padStart(exponent, '0')}`
  }
}

const formatSpecial = (v: number): string => (Number.isNaN(v) ? 'nan' : v < 0 ? '-inf' : 'inf')

/** A number cut into what stands before and after the point; trailing zeros dropped. */
interface Parts {
  readonly whole: string
  readonly fraction: string
  readonly sign: string
  readonly exponent: string
}

const minus = (v: number): string => (v < 0 || Object.is(v, -0) ? '-' : '')

/** The fewest digits that name the number among those of its precision, with the exponent of the first. */
function shortest(v: number, round: Rounding): { digits: string; exponent: number } {
  const a = Math.abs(v)
  let text = a.toExponential()
  if (round) {
    for (let p = 0; p < 9; p++) {
      text = roundExponential(a, p)
      if (round(Number(text)) === a) break
    }
  }
  const [mantissa, exponent] = text.split('e') as [string, string]
  return { digits: mantissa.replace('.', ''), exponent: Number(exponent) }
}

/** `toExponential` with ties to the even digit. */
function roundExponential(a: number, digitsAfter: number): string {
  const [long, power] = a.toExponential(digitsAfter + 40).split('e') as [string, string]
  const rounded = a.toExponential(digitsAfter)
  const kept = roundText(long, '', 40)
  return kept === '' ? rounded : `${kept}e${power}`
}

/** Rounds `extra` digits of an exact text away, ties to the even digit; `rounded` has them rounded up. */
function roundText(text: string, rounded: string, extra: number): string {
  if (!text.endsWith(`5${'0'.repeat(extra - 1)}`)) return rounded
  const cut = text.slice(0, text.length - extra)
  return Number(cut.replace('.', '').at(-1)) % 2 === 0 ? cut : rounded
}

function positionalParts(v: number, round: Rounding, digitsAfter: number): Parts {
  const a = Math.abs(v)
  const { digits, exponent } = shortest(v, round)
  let text: string
  if (digits.length - 1 - exponent > digitsAfter) {
    text = roundText(a.toFixed(digitsAfter + 40), a.toFixed(digitsAfter), 40)
  } else {
    const padded = exponent < 0 ? '0'.repeat(-exponent) + digits : digits.padEnd(exponent + 1, '0')
    const point = Math.max(exponent, 0) + 1
    text = `${padded.slice(0, point)}.${padded.slice(point)}`
  }
  const [whole, fraction] = text.split('.') as [string, string]
  return { whole: minus(v) + whole, fraction: fraction.replace(/0+$/, ''), sign: '', exponent: '' }
}

function scientificParts(v: number, round: Rounding, digitsAfter: number): Parts {
  const { digits, exponent } = shortest(v, round)
  if (digits.length - 1 > digitsAfter) return exactly(v, digitsAfter)
  return scientific(v, digits, exponent)
}

/** The number to `digitsAfter` digits of its true value, shortest or not. */
function exactly(v: number, digitsAfter: number): Parts {
  const [mantissa, power] = roundExponential(Math.abs(v), digitsAfter).split('e') as [
    string,
    string,
  ]
  return scientific(v, mantissa.replace('.', ''), Number(power))
}

const scientific = (v: number, digits: string, exponent: number): Parts => ({
  whole: minus(v) + digits[0],
  fraction: digits.slice(1).replace(/0+$/, ''),
  sign: exponent < 0 ? '-' : '+',
  exponent: String(Math.abs(exponent)).padStart(2, '0'),
})

/** A number by itself: `3.0`, `1e-05`. */
function formatScalar(v: number, round: Rounding): string {
  if (!Number.isFinite(v)) return formatSpecial(v)
  const a = Math.abs(v)
  if (a !== 0 && (a < 1e-4 || a >= 1e16)) {
    const p = scientificParts(v, round, 30)
    return `${p.whole}${p.fraction && `.${p.fraction}`}e${p.sign}${p.exponent}`
  }
  const p = positionalParts(v, round, 40)
  return `${p.whole}.${p.fraction || '0'}`
}

/** Brackets and lines, as NumPy's `_formatArray` sets them. */
function layOut({ shape, abridged }: Excerpt, format: (at: number) => string): string {
  const recurse = (axis: number, at: number, indent: string, width: number): string => {
    if (axis === shape.length) return format(at)
    const size = shape[axis]!
    const child = (i: number): string => recurse(axis + 1, at * size + i, `${indent} `, width - 1)
    const words = Array.from({ length: size }, (_, i) => () => child(i))
    if (abridged[axis]) words.splice(edgeItems, 0, () => '...')
    if (axis < shape.length - 1) {
      const separator = '\n'.repeat(shape.length - axis - 1) + indent
      return `[${words.map((word) => word()).join(separator)}]`
    }
    let text = ''
    let line = indent
    for (const word of words) {
      const next = word()
      if (line.length + next.length > width - 1 && line.length > indent.length) {
        text += `${line.trimEnd()}\n`
        line = indent
      }
      line += `${next} `
    }
    return `[${(text + line.slice(0, -1)).slice(indent.length)}]`
  }
  return recurse(0, 0, ' ', lineWidth)
}
