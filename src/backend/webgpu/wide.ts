/** The dtypes of 64 bits, which shaders lack: moved as pairs of words, met at the edges by int32, refused otherwise. */

import type { DType } from '../../base/dtype.ts'
import { fail } from '../../base/error.ts'
import {
  binary,
  cast,
  compare,
  constant,
  type Expr,
  index,
  linearize,
  retype,
  rewrite,
  select,
  toDType,
  unary,
} from '../../prim/expr.ts'
import {
  kernelOperands,
  type LoopKernel,
  type Operand,
  type ScatterKernel,
} from '../../prim/kernel.ts'

const isWide = (dtype: DType): boolean => dtype === 'float64' || dtype === 'int64'
/** Dtypes whose values are int32 in shaders. */
const isShort = (dtype: DType): boolean =>
  dtype === 'int32' || dtype === 'int8' || dtype === 'uint8' || dtype === 'bool'

/** Fails for a dtype that shaders do not have. */
export function checkShaderType(dtype: DType): void {
  if (isWide(dtype)) refuse(dtype)
}

function refuse(dtype: DType): never {
  const instead = dtype === 'float64' ? 'float32' : 'int32'
  return fail(
    'gpu',
    `${dtype} does not exist on a GPU: cast on the CPU before it goes there, ` +
      `x.astype('${instead}').asInContext(gpu(0)), or compute on cpu()`,
  )
}

/** Fails where an operand has a dtype that shaders do not have. */
export function checkOperands(operands: readonly Operand[]): void {
  for (const { dtype } of operands) checkShaderType(dtype)
}

/** A loop nest in dtypes that shaders have. Fails where there is none. */
export function withoutWide(kernel: LoopKernel): LoopKernel {
  const { inputs, outputs, body, epilogue } = kernel
  if (kernelOperands(kernel).some((o) => isWide(o.dtype))) {
    if (!outputs.some((o) => isWide(o.dtype))) {
      const low = new LowWords(inputs)
      const [next, end] = [body, epilogue].map((roots) => roots.map((e) => low.rewritten(e)))
      return { ...kernel, body: next!, epilogue: end!, inputs: low.inputs() }
    }
    return inWords(kernel)
  }
  // float64 between float32 operands, as in nd.arange, loses its last bits and nothing else.
  const narrow = (root: Expr): Expr => retype(root, (t) => (t === 'float64' ? 'float32' : t))
  if (![...body, ...epilogue].some(hasDouble)) return kernel
  return { ...kernel, body: body.map(narrow), epilogue: epilogue.map(narrow) }
}

/** A scatter in dtypes that shaders have: indices may be int64. Fails where there is none. */
export function scatterWithoutWide(kernel: ScatterKernel): ScatterKernel {
  checkShaderType(kernel.output.dtype)
  if (!kernel.inputs.some((o) => isWide(o.dtype))) return kernel
  const low = new LowWords(kernel.inputs)
  return {
    ...kernel,
    at: kernel.at.map((a) => ({ ...a, index: low.rewritten(a.index) })),
    value: low.rewritten(kernel.value),
    inputs: low.inputs(),
  }
}

const hasDouble = (root: Expr): boolean =>
  linearize([root]).nodes.some((n) => n.expr.dtype === 'float64')

/** Instructions whose low word depends on the low words of their operands alone. */
const ofLowWords = new Set(['add', 'sub', 'mul', 'and', 'or', 'xor'])

/** Expressions in which int64 is only on its way to a shorter integer: they need the low words. */
class LowWords {
  readonly #given: readonly Operand[]
  /** The operands of which low words are read. */
  readonly used = new Set<number>()

  constructor(inputs: readonly Operand[]) {
    this.#given = inputs
  }

  /** The operands as the low words that are read. */
  inputs(): Operand[] {
    return this.#given.map((o, i) => {
      // One that is not read at all may be wide.
      return this.used.has(i) ? lowWordOf(o) : { ...o, dtype: isWide(o.dtype) ? 'int32' : o.dtype }
    })
  }

  /** An expression of a dtype that shaders have. */
  rewritten(e: Expr): Expr {
    if (isWide(e.dtype)) refuse(e.dtype)
    switch (e.kind) {
      case 'cast':
        if (!isWide(e.arg.dtype)) return cast(this.rewritten(e.arg), e.dtype)
        if (!isShort(e.dtype) || e.dtype === 'bool') refuse(e.arg.dtype)
        return cast(this.word(e.arg), e.dtype)
      case 'loadAt':
        return { ...e, index: this.rewritten(e.index) }
      case 'op':
        return { ...e, args: e.args.map((arg) => this.rewritten(arg)) }
      default:
        return e
    }
  }

  /** The low word of an int64. */
  word(e: Expr): Expr {
    if (e.dtype !== 'int64') return refuse(e.dtype)
    switch (e.kind) {
      case 'load':
        this.used.add(e.input)
        return { ...e, dtype: 'int32' }
      case 'loadAt':
        this.used.add(e.input)
        return { ...e, index: this.rewritten(e.index), stride: 2 * e.stride, dtype: 'int32' }
      case 'const':
        return constant(toDType(e.value, 'int32'), 'int32')
      case 'cast':
        if (isShort(e.arg.dtype)) return cast(this.rewritten(e.arg), 'int32')
        return isWide(e.arg.dtype) ? this.word(e.arg) : refuse('int64')
      case 'op': {
        const [x, y, z] = e.args as [Expr, Expr, Expr]
        if (e.op === 'where') return select(this.rewritten(x), this.word(y), this.word(z))
        if (e.op === 'neg') return unary('neg', this.word(x))
        if (ofLowWords.has(e.op)) return binary(e.op as 'add', this.word(x), this.word(y))
        return refuse('int64')
      }
      default:
        return refuse('int64')
    }
  }
}

const lowWordOf = (o: Operand): Operand => ({
  ...o,
  dtype: 'int32',
  strides: o.strides.map((s) => 2 * s),
  offset: 2 * o.offset,
})

/** A loop nest that makes 64-bit elements, word by word: one more parallel dimension of two. Sums are computed for both. */
function inWords(kernel: LoopKernel): LoopKernel {
  const { dims, parallel, inputs, outputs, body, reduce, epilogue } = kernel
  const low = new LowWords(inputs)
  const whole = new Set<number>()
  const second = compare('eq', index(parallel), constant(1, 'int32'))
  /** The word of a 64-bit value that the new dimension says. */
  const wordOf = (e: Expr): Expr => {
    switch (e.kind) {
      case 'load':
        whole.add(e.input)
        return { ...e, dtype: 'int32' }
      case 'loadAt':
        whole.add(e.input)
        return { ...e, index: low.rewritten(e.index), stride: 2 * e.stride, dtype: 'int32' }
      case 'const': {
        if (e.dtype === 'float64' && !Object.is(e.value, 0)) return refuse('float64')
        const high = constant(Math.floor(e.value / 2 ** 32), 'int32')
        return select(second, high, constant(toDType(e.value, 'int32'), 'int32'))
      }
      case 'cast': {
        if (e.dtype !== 'int64' || !isShort(e.arg.dtype)) return refuse(e.dtype)
        const value = cast(low.rewritten(e.arg), 'int32')
        const [zero, ones] = [constant(0, 'int32'), constant(-1, 'int32')]
        return select(second, select(compare('lt', value, zero), ones, zero), value)
      }
      case 'op': {
        if (e.op !== 'where') return refuse(e.dtype)
        const [condition, x, y] = e.args as [Expr, Expr, Expr]
        return select(low.rewritten(condition), wordOf(x), wordOf(y))
      }
      default:
        return refuse(e.dtype)
    }
  }
  const place = (d: number): number => (d < parallel ? d : d + 1)
  const moved = (root: Expr): Expr =>
    rewrite(root, (e) => (e.kind === 'index' ? index(place(e.dim)) : undefined))
  const result = (e: Expr, j: number): Expr => {
    const { dtype } = outputs[j]!
    // A shorter result beside them would have two writers.
    if (!isWide(dtype)) return refuse(outputs.find((o) => isWide(o.dtype))!.dtype)
    return wordOf(cast(moved(e), dtype))
  }
  const sums = reduce.length > 0
  const [terms, results] = [
    body.map((e, j) => (sums ? low.rewritten(moved(e)) : result(e, j))),
    epilogue.map(result),
  ]
  const along = (o: Operand, i: number): Operand => {
    // The same array cannot lie in two ways.
    if (whole.has(i) && low.used.has(i)) return refuse(o.dtype)
    const wide = isWide(o.dtype)
    const { strides, ...rest } = wide ? lowWordOf(o) : o
    const step = wide && !low.used.has(i) ? 1 : 0
    const guards = o.guards?.map((g) => ({ ...g, dim: place(g.dim) }))
    return {
      ...rest,
      strides: [...strides.slice(0, parallel), step, ...strides.slice(parallel)],
      ...(guards && { guards }),
    }
  }
  return {
    ...kernel,
    dims: [...dims.slice(0, parallel), 2, ...dims.slice(parallel)],
    parallel: parallel + 1,
    inputs: inputs.map(along),
    outputs: outputs.map((o) => along(o, -1)),
    body: terms,
    epilogue: results,
  }
}
