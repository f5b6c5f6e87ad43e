/** The 16-bit floats: IEEE binary16 and bfloat16, as bits and as numbers. */

const word = new Float32Array(1)
const bits = new Int32Array(word.buffer)

/** The number that 16 bits of a float16 stand for. */
export function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 31
  const fraction = half & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}

/** The float16 nearest to a number, ties to even; beyond 65519 it is infinite. */
export function toFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const a = Math.abs(value)
  if (a >= 65520) return sign | 0x7c00
  if (a < 2 ** -14) return sign | evenRound(a * 2 ** 24)
  const exponent = Math.floor(Math.log2(a))
  // log2 may round up to the next power.
  const e = 2 ** exponent > a ? exponent - 1 : exponent
  return sign | (((e + 15) << 10) + evenRound((a / 2 ** e - 1) * 1024))
}

/** The nearest integer of a number that is not negative, ties to even. */
function evenRound(x: number): number {
  const low = Math.floor(x)
  const rest = x - low
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low
}

/** The number that 16 bits of a bfloat16 stand for. */
export function fromBfloat16(half: number): number {
  bits[0] = half << 16
  return word[0]!
}

/** The bfloat16 nearest to a number (rounded to float32 first), ties to even. */
export function toBfloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0
  word[0] = value
  const b = bits[0]!
  return ((b + 0x7fff + ((b >>> 16) & 1)) >>> 16) & 0xffff
}

/** A 16-bit float format. */
export interface HalfFormat {
  /** The number that the bits stand for. */
  readonly decode: (half: number) => number
  /** The bits nearest to a number. */
  readonly encode: (value: number) => number
}

const formats: { readonly [dtype: string]: HalfFormat } = {
  float16: { decode: fromFloat16, encode: toFloat16 },
  bfloat16: { decode: fromBfloat16, encode: toBfloat16 },
}

/** The format of a dtype that is stored in 16 bits; undefined for the others. */
export const halfFormat = (dtype: string): HalfFormat | undefined => formats[dtype]

/** The numbers that the 16-bit floats of an array stand for. */
export function decodeHalves(halves: Uint16Array, format: HalfFormat): Float32Array {
  const out = new Float32Array(halves.length)
  for (let i = 0; i < out.length; i++) out[i] = format.decode(halves[i]!)
  return out
}

/** Writes numbers as 16-bit floats. */
export function encodeHalves(values: ArrayLike<number>, format: HalfFormat, to: Uint16Array): void {
  for (let i = 0; i < to.length; i++) to[i] = format.encode(values[i]!)
}
