/** A compute shader being written: how operands lie in the heaps, the launch numbers, and the functions it calls. */

import { type DType, itemSize } from '../../base/dtype.ts'
import { toDType } from '../../prim/expr.ts'
import type { Operand } from '../../prim/kernel.ts'
import { callName, functionText } from './functions.ts'

/** Lanes that an invocation computes: one element, or four neighbours. */
export type Width = 1 | 4
/**
 * How the heaps are declared. `vec4` moves four words at once; `half` is memory of float16 alone; `atomic` is for kernels
 * whose writes share words: of other types narrower than a word, and of scatters.
 */
export type Flavour = 'plain' | 'vec4' | 'half' | 'atomic'

/** The flavour in which the operands from `results` on are written one by one. */
export function flavourFor(
  operands: readonly Operand[],
  results: number,
  { halves }: { readonly halves: boolean },
): Flavour {
  if (operands.slice(results).every((o) => itemSize(o.dtype) === 4)) return 'plain'
  return halves && operands.every((o) => o.dtype === 'float16') ? 'half' : 'atomic'
}

/** What is known of the operands of a launch beside the kernel, and so distinguishes variants of its code. */
export interface Situation {
  /** The heap that holds each operand, numbered from 0 in order of appearance. */
  readonly heaps: readonly number[]
  /** Whether each operand's first element starts a group of four. */
  readonly aligned: readonly boolean[]
}

/** One launch number: the first element of an operand, or a number given by the caller in a dtype. */
export type LaunchWord =
  | { readonly kind: 'operand'; readonly operand: number }
  | { readonly kind: 'param'; readonly slot: number; readonly dtype: DType }

/** WGSL type of values of a dtype. */
export function valueType(dtype: DType, width: Width): string {
  const plain = isReal(dtype) ? 'f32' : dtype === 'bool' ? 'bool' : 'i32'
  return width === 4 ? `vec4<${plain}>` : plain
}

/** Whether values of a dtype are f32 in shaders: narrower floats are widened when loaded. */
export const isReal = (dtype: DType): boolean =>
  dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16'

const float = new Float32Array(1)
const word = new Uint32Array(float.buffer)

/** The 32 bits that stand for a number of a dtype in the launch numbers. */
export function launchBits(value: number, dtype: DType): number {
  if (!isReal(dtype)) return toDType(value, dtype) >>> 0
  float[0] = value
  return word[0]!
}

/** A literal; what WGSL has no literal for is made of bits when the shader runs. */
export function literal(shader: Shader, value: number, dtype: DType, width: Width): string {
  const splat = (text: string): string => (width === 4 ? `${valueType(dtype, 4)}(${text})` : text)
  if (dtype === 'bool') return splat(value === 0 ? 'false' : 'true')
  if (!isReal(dtype)) return splat(value === -2147483648 ? '(-2147483647i - 1i)' : `${value}i`)
  const rounded = Math.fround(value)
  const tiny = Math.abs(rounded) < 1.1754943508222875e-38
  if (!Number.isFinite(rounded) || (tiny && !Object.is(rounded, 0)))
    return `${shader.use('bits', width)}(${launchBits(rounded, 'float32')}u)`
  return splat(`f32(${rounded})`)
}

/** Stride as text: negative ones wrap, as addresses do. */
export const offsetText = (stride: number): string => `${stride >>> 0}u`

/** A shader under construction. */
export class Shader {
  readonly operands: readonly Operand[]
  readonly situation: Situation
  readonly flavour: Flavour
  readonly words: LaunchWord[]
  readonly #functions = new Map<string, readonly [string, Width]>()
  readonly #declarations: string[] = []
  readonly #extensions = new Set<string>()
  readonly #wordOfParam = new Map<string, number>()

  constructor(operands: readonly Operand[], situation: Situation, flavour: Flavour) {
    this.operands = operands
    this.situation = situation
    this.flavour = flavour
    this.words = operands.map((_, operand) => ({ kind: 'operand', operand }))
  }

  /** The name of a function, whose text is included from now on. */
  use(name: string, width: Width): string {
    this.#functions.set(`${name}/${width}`, [name, width])
    return callName(name, width)
  }

  /** Enables an extension of WGSL. */
  enable(extension: string): void {
    this.#extensions.add(extension)
  }

  /** Adds a declaration at module level. */
  declare(text: string): void {
    this.#declarations.push(text)
  }

  /** The launch number `at`. */
  #word(at: number): string {
    return `launch[${at >> 2}].${'xyzw'[at & 3]!}`
  }

  /** Index of the first element of an operand. */
  base(operand: number): string {
    return this.#word(operand)
  }

  /** A number given at launch, converted to a dtype by the host. */
  param(slot: number, dtype: DType, width: Width): string {
    const key = `${slot} ${dtype}`
    let at = this.#wordOfParam.get(key)
    if (at === undefined) {
      at = this.words.push({ kind: 'param', slot, dtype }) - 1
      this.#wordOfParam.set(key, at)
    }
    const bits = this.#word(at)
    const value = isReal(dtype)
      ? `bitcast<f32>(${bits})`
      : dtype === 'bool'
        ? `(${bits} != 0u)`
        : `bitcast<i32>(${bits})`
    return width === 4 ? `${valueType(dtype, 4)}(${value})` : value
  }

  #heap(operand: number): string {
    return `heap${this.situation.heaps[operand]!}`
  }

  /** The word at an index of an operand's heap. */
  #read(operand: number, index: string): string {
    const heap = this.#heap(operand)
    if (this.flavour === 'plain') return `${heap}[${index}]`
    if (this.flavour === 'atomic') return `atomicLoad(&${heap}[${index}])`
    return `${heap}[(${index}) >> 2u][(${index}) & 3u]`
  }

  /** The element of an operand at an index. */
  fetch(operand: number, index: string): string {
    const { dtype } = this.operands[operand]!
    if (this.flavour === 'half') return `f32(${this.#heap(operand)}[${index}])`
    switch (itemSize(dtype)) {
      case 1:
        return this.valueOfBits(
          `((${this.#read(operand, `(${index}) >> 2u`)} >> (((${index}) & 3u) * 8u)) & 255u)`,
          dtype,
        )
      case 2:
        return this.valueOfBits(
          `((${this.#read(operand, `(${index}) >> 1u`)} >> (((${index}) & 1u) * 16u)) & 65535u)`,
          dtype,
        )
      default:
        return this.valueOfBits(this.#read(operand, index), dtype)
    }
  }

  /** The value of a dtype that bits in the low end of a word stand for. */
  valueOfBits(bits: string, dtype: DType): string {
    switch (dtype) {
      case 'bool':
        return `(${bits} != 0u)`
      case 'uint8':
        return `i32(${bits})`
      case 'int8':
        return `(i32(${bits} << 24u) >> 24u)`
      case 'float16':
        return `unpack2x16float(${bits}).x`
      case 'bfloat16':
        return `bitcast<f32>(${bits} << 16u)`
      default:
        return isReal(dtype) ? `bitcast<f32>(${bits})` : `bitcast<i32>(${bits})`
    }
  }

  /** Four elements of an operand, the first at an index, `stride` apart; `whole` where they are an aligned row. */
  fetch4(operand: number, index: string, stride: number, whole: boolean): string {
    const { dtype } = this.operands[operand]!
    const type = valueType(dtype, 4)
    if (stride === 0) return `${type}(${this.fetch(operand, index)})`
    const size = itemSize(dtype)
    const together = stride === 1 && whole && size !== 2
    if (together && size === 4 && this.flavour === 'vec4') {
      const bits = `${this.#heap(operand)}[(${index}) >> 2u]`
      return `bitcast<${type}>(${bits})`
    }
    if (together && size === 1) {
      this.declare(bytesText)
      const bytes = `bytes(${this.#read(operand, `(${index}) >> 2u`)})`
      if (dtype === 'bool') return `(${bytes} != vec4<u32>(0u))`
      return dtype === 'int8'
        ? `((vec4<i32>(${bytes}) << vec4<u32>(24u)) >> vec4<u32>(24u))`
        : `vec4<i32>(${bytes})`
    }
    const parts = [0, 1, 2, 3].map((k) =>
      this.fetch(operand, `${index} + ${offsetText(stride * k)}`),
    )
    return `${type}(${parts.join(', ')})`
  }

  /** A value of a dtype as the bits that are stored, in the low end of a word. */
  bitsOfValue(value: string, dtype: DType): string {
    switch (dtype) {
      case 'bool':
        return `u32(${value})`
      case 'uint8':
      case 'int8':
        return `(u32(${value}) & 255u)`
      case 'float16':
        this.declare(toHalfText)
        return `tohalf(${value})`
      case 'bfloat16':
        this.declare(toBrainText)
        return `tobrain(${value})`
      default:
        return `bitcast<u32>(${value})`
    }
  }

  /** The statement that stores one element. Types narrower than a word need the flavour `atomic`. */
  store(operand: number, index: string, value: string): string {
    const { dtype } = this.operands[operand]!
    const heap = this.#heap(operand)
    const bits = this.bitsOfValue(value, dtype)
    const size = itemSize(dtype)
    if (size === 4) {
      return this.flavour === 'atomic'
        ? `atomicStore(&${heap}[${index}], ${bits});`
        : `${heap}[${index}] = ${bits};`
    }
    // Conversion by the device may round either way.
    if (this.flavour === 'half') return `${heap}[${index}] = bitcast<vec2<f16>>(${bits}).x;`
    const [shift, mask, lane] = size === 1 ? [2, 255, 8] : [1, 65535, 16]
    // Each lane of a word has one writer, so clearing and setting it are two steps that nobody disturbs.
    const at = `(${index}) >> ${shift}u`
    const by = `(((${index}) & ${4 / size - 1}u) * ${lane}u)`
    return `atomicAnd(&${heap}[${at}], ~(${mask}u << ${by})); atomicOr(&${heap}[${at}], ${bits} << ${by});`
  }

  /** The statement that stores four neighbours, the first of them aligned. */
  store4(operand: number, index: string, value: string): string {
    const { dtype } = this.operands[operand]!
    const heap = this.#heap(operand)
    switch (itemSize(dtype)) {
      case 4: {
        const bits = `bitcast<vec4<u32>>(${value})`
        if (this.flavour === 'vec4') return `${heap}[(${index}) >> 2u] = ${bits};`
        const each = ['x', 'y', 'z', 'w'].map(
          (lane, k) => `${heap}[${index} + ${k}u] = word.${lane};`,
        )
        return `{ let word = ${bits}; ${each.join(' ')} }`
      }
      case 2: {
        const pair = (a: string, b: string): string =>
          `${this.bitsOfValue(`half.${a}`, dtype)} | (${this.bitsOfValue(`half.${b}`, dtype)} << 16u)`
        return `{ let half = ${value}; ${heap}[(${index}) >> 1u] = ${pair('x', 'y')}; ${heap}[((${index}) >> 1u) + 1u] = ${pair('z', 'w')}; }`
      }
      default: {
        const bytes = ['x', 'y', 'z', 'w'].map((lane, k) => `(byte.${lane} << ${k * 8}u)`)
        return `{ let byte = vec4<u32>(${value}) & vec4<u32>(255u); ${heap}[(${index}) >> 2u] = ${bytes.join(' | ')}; }`
      }
    }
  }

  /** The whole shader around the text of `main` and of the functions beside it. */
  text(body: string): string {
    const { heaps } = this.situation
    const types = { plain: 'u32', vec4: 'vec4<u32>', half: 'f16', atomic: 'atomic<u32>' }
    const type = types[this.flavour]
    const count = heaps.length === 0 ? 0 : Math.max(...heaps) + 1
    const declared = Array.from(
      { length: count },
      (_, h) => `@group(0) @binding(${h}) var<storage, read_write> heap${h}: array<${type}>;`,
    )
    const slots = Math.ceil(launchBytes(this.words.length) / 16)
    return [
      ...(this.flavour === 'half' ? ['enable f16;'] : []),
      ...[...this.#extensions].map((name) => `enable ${name};`),
      ...declared,
      `@group(1) @binding(0) var<uniform> launch: array<vec4<u32>, ${slots}>;`,
      ...new Set(this.#declarations),
      functionText(this.#functions.values()),
      body,
    ].join('\n')
  }
}

/** Bytes of the launch numbers: whole units of the alignment that offsets of uniform bindings need. */
export const launchBytes = (words: number): number => Math.max(1, Math.ceil(words / 64)) * 256

const bytesText =
  'fn bytes(w: u32) -> vec4<u32> { return (vec4<u32>(w) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u); }'

/** float16 by rounding to nearest, ties to even. */
const toHalfText = `fn tohalf(x: f32) -> u32 {
  let b = bitcast<u32>(x);
  let a = b & 0x7fffffffu;
  let s = (b >> 16u) & 0x8000u;
  if (a > 0x7f800000u) { return 0x7e00u; }
  if (a >= 0x477ff000u) { return s | 0x7c00u; }
  if (a < 0x38800000u) { return s | (bitcast<u32>(bitcast<f32>(a) + 0.5) - 0x3f000000u); }
  return s | ((a - 0x37fff001u + ((a >> 13u) & 1u)) >> 13u);
}`

/** bfloat16 by rounding to nearest, ties to even. */
const toBrainText = `fn tobrain(x: f32) -> u32 {
  let b = bitcast<u32>(x);
  if ((b & 0x7fffffffu) > 0x7f800000u) { return 0x7fc0u; }
  return (b + 0x7fffu + ((b >> 16u) & 1u)) >> 16u;
}`
