/** The claim on softmax: a sequence of loops that takes the largest, the exponentials, their sum and their shares. */

import { rowMajor, sameShape, sizeOf } from '../../base/shape.ts'
import { acc, binary, constant, type Expr, exprKey, load, unary } from '../../prim/expr.ts'
import type { LoopKernel, Operand } from '../../prim/kernel.ts'
import type { SequenceKernel } from '../../prim/sequence.ts'

/** A softmax over rows: which operands it reads and writes. */
export interface SoftmaxClaim {
  readonly rows: number
  readonly columns: number
  readonly from: number
  readonly to: number
  /** Where the rows begin, in elements from the operands' addresses. */
  readonly fromOffset: number
  readonly toOffset: number
}

const f32 = 'float32'
const x = load(0, f32)
const y = load(1, f32)
const total = acc(0, f32)

/** What the loops compute, in order; operands by role. */
const stages: readonly {
  readonly body: Expr
  readonly reduce: readonly string[]
  readonly epilogue: readonly Expr[]
  readonly roles: readonly ('x' | 'top' | 'y' | 'share')[]
}[] = [
  { body: x, reduce: ['max'], epilogue: [total], roles: ['x', 'top'] },
  { body: unary('exp', binary('sub', x, y)), reduce: [], epilogue: [], roles: ['x', 'top', 'y'] },
  {
    body: x,
    reduce: ['sum'],
    epilogue: [binary('div', constant(1, f32), total)],
    roles: ['y', 'share'],
  },
  { body: binary('mul', x, y), reduce: [], epilogue: [], roles: ['y', 'share', 'y'] },
]

/** Whether an operand over all of `dims` lies row-major. */
const dense = (o: Operand, dims: readonly number[]): boolean =>
  o.dtype === f32 && sameShape(o.strides, rowMajor(dims))

/** Whether one number a row lies row-major, the same for all columns. */
const perRow = (o: Operand, rows: readonly number[], rank: number): boolean =>
  o.dtype === f32 &&
  sameShape(o.strides.slice(0, rows.length), rowMajor(rows)) &&
  o.strides.slice(rows.length, rank).every((s) => s === 0)

/** The softmax that a sequence computes, or null. */
export function matchSoftmax({ loops, spent }: SequenceKernel): SoftmaxClaim | null {
  if (loops.length !== stages.length) return null
  const { dims } = loops[0]!.kernel
  const rows = dims.slice(0, -1)
  const places = new Map<string, { operand: number; offset: number }>()
  const fits = stages.every(({ body, reduce, epilogue, roles }, i) => {
    const { kernel, operands } = loops[i]!
    const same =
      sameShape(kernel.dims, dims) &&
      kernel.body.length === 1 &&
      exprKey(kernel.body[0]!) === exprKey(body) &&
      kernel.reduce.join() === reduce.join() &&
      kernel.epilogue.map(exprKey).join() === epilogue.map(exprKey).join() &&
      kernel.parallel === (reduce.length > 0 ? rows.length : dims.length)
    return same && operands.length === roles.length && agrees(kernel, operands, roles)
  })
  function agrees(
    kernel: LoopKernel,
    operands: readonly number[],
    roles: readonly string[],
  ): boolean {
    return [...kernel.inputs, ...kernel.outputs].every((o, i) => {
      const role = roles[i]!
      const place = { operand: operands[i]!, offset: o.offset }
      const known = places.get(role) ?? place
      if (known.operand !== place.operand || known.offset !== place.offset) return false
      places.set(role, place)
      return role === 'x' || role === 'y' ? dense(o, dims) : perRow(o, rows, o.strides.length)
    })
  }
  if (!fits) return null
  const [from, to] = [places.get('x')!, places.get('y')!]
  if (!['top', 'share'].every((role) => spent.includes(places.get(role)!.operand))) return null
  return {
    rows: sizeOf(rows),
    columns: dims.at(-1)!,
    from: from.operand,
    to: to.operand,
    fromOffset: from.offset,
    toOffset: to.offset,
  }
}
