/** Claims on sequences of loops over rows: softmax and normalization, which the bridge does in vectors of its own. */

import { rowMajor, sameShape, sizeOf } from '../../base/shape.ts'
import {
  acc,
  binary,
  constant,
  type Expr,
  exprKey,
  load,
  someNode,
  unary,
} from '../../prim/expr.ts'
import type { LoopKernel, Operand } from '../../prim/kernel.ts'
import type { SequenceKernel } from '../../prim/sequence.ts'

/** What an operand of a stage is. */
type Role = 'data' | 'result' | 'first' | 'second' | 'gamma' | 'beta'
/** Where it lies: over all elements, one number a row, or one a column. */
const layouts: Record<Role, 'whole' | 'row' | 'column'> = {
  data: 'whole',
  result: 'whole',
  first: 'row',
  second: 'row',
  gamma: 'column',
  beta: 'column',
}

/** What one loop computes. */
interface Stage {
  readonly body: Expr
  readonly reduce: readonly string[]
  readonly epilogue: readonly Expr[]
  readonly roles: readonly Role[]
}

/** An operand of the sequence, and where its elements begin, in elements from its address. */
interface Place {
  readonly operand: number
  readonly offset: number
}

const f32 = 'float32'
const [x, y, z, g, b] = [0, 1, 2, 3, 4].map((at) => load(at, f32)) as [Expr, Expr, Expr, Expr, Expr]
const total = acc(0, f32)
const one = constant(1, f32)

/** Largest element (first), exponentials, one over their sum (second), their shares. */
const softmax: readonly Stage[] = [
  { body: x, reduce: ['max'], epilogue: [total], roles: ['data', 'first'] },
  {
    body: unary('exp', binary('sub', x, y)),
    reduce: [],
    epilogue: [],
    roles: ['data', 'first', 'result'],
  },
  {
    body: x,
    reduce: ['sum'],
    epilogue: [binary('div', one, total)],
    roles: ['result', 'second'],
  },
  { body: binary('mul', x, y), reduce: [], epilogue: [], roles: ['result', 'second', 'result'] },
]

/** How a normalization may be written. */
interface Form {
  /** By the deviation (second), where others multiply by one over it. */
  readonly divides: boolean
  /** Scaled and shifted by column. */
  readonly affine: boolean
}

/** Mean (first), deviation or one over it (second), and the elements by them. */
function normalization(
  share: number,
  epsilon: number,
  { divides, affine }: Form,
): readonly Stage[] {
  const mean = binary('mul', total, constant(share, f32))
  const away = binary('sub', x, y)
  const deviation = unary('sqrt', binary('add', mean, constant(epsilon, f32)))
  const normal = binary(divides ? 'div' : 'mul', away, z)
  return [
    { body: x, reduce: ['sum'], epilogue: [mean], roles: ['data', 'first'] },
    {
      body: binary('mul', away, away),
      reduce: ['sum'],
      epilogue: [divides ? deviation : binary('div', one, deviation)],
      roles: ['data', 'first', 'second'],
    },
    {
      body: affine ? binary('add', binary('mul', normal, g), b) : normal,
      reduce: [],
      epilogue: [],
      roles: affine
        ? ['data', 'first', 'second', 'gamma', 'beta', 'result']
        : ['data', 'first', 'second', 'result'],
    },
  ]
}

/** Whether an operand of a loop over `dims` lies as its role says. */
function lies(o: Operand, role: Role, dims: readonly number[]): boolean {
  const layout = layouts[role]
  const inner = dims.length - 1
  const strides =
    layout === 'whole'
      ? rowMajor(dims)
      : layout === 'row'
        ? [...rowMajor(dims.slice(0, inner)), 0]
        : [...dims.slice(0, inner).map(() => 0), 1]
  // What a reduction gives has no stride along the rows.
  return o.dtype === f32 && sameShape(o.strides, strides.slice(0, o.strides.length))
}

const sameExprs = (a: readonly Expr[], b: readonly Expr[]): boolean =>
  a.map(exprKey).join() === b.map(exprKey).join()

/** The operands by role where the loops of a sequence are these stages, and nobody needs the numbers by row; else null. */
function match(
  { loops, spent }: SequenceKernel,
  stages: readonly Stage[],
): Map<Role, Place> | null {
  if (loops.length !== stages.length) return null
  const { dims } = loops[0]!.kernel
  const places = new Map<Role, Place>()
  const agrees = (
    kernel: LoopKernel,
    operands: readonly number[],
    roles: readonly Role[],
  ): boolean =>
    operands.length === roles.length &&
    [...kernel.inputs, ...kernel.outputs].every((o, i) => {
      const role = roles[i]!
      const place = places.get(role) ?? { operand: operands[i]!, offset: o.offset }
      places.set(role, place)
      return place.operand === operands[i] && place.offset === o.offset && lies(o, role, dims)
    })
  const fits = stages.every(({ body, reduce, epilogue, roles }, i) => {
    const { kernel, operands } = loops[i]!
    return (
      sameShape(kernel.dims, dims) &&
      kernel.parallel === (reduce.length > 0 ? dims.length - 1 : dims.length) &&
      kernel.reduce.join() === reduce.join() &&
      sameExprs(kernel.body, [body]) &&
      sameExprs(kernel.epilogue, epilogue) &&
      agrees(kernel, operands, roles)
    )
  })
  const byRow = [...places].filter(([role]) => layouts[role] === 'row')
  return fits && byRow.every(([, place]) => spent.includes(place.operand)) ? places : null
}

/** The literals of a loop's epilogue, in the order of its nodes. */
function literals({ epilogue }: LoopKernel): number[] {
  const found: number[] = []
  for (const root of epilogue)
    someNode(root, (e) => {
      if (e.kind === 'const') found.push(e.value)
      return false
    })
  return found
}

/** A call of the bridge instead of a sequence: its arguments for the addresses of the operands. */
export interface RowsClaim {
  readonly elements: number
  readonly name: 'softmax' | 'normalize'
  readonly args: (addresses: readonly number[]) => number[]
}

/** The call that does what a sequence does, or null. */
export function matchRows(kernel: SequenceKernel): RowsClaim | null {
  const { dims } = kernel.loops[0]!.kernel
  const sizes = [sizeOf(dims.slice(0, -1)), dims.at(-1)!]
  const claim = (
    name: RowsClaim['name'],
    stages: readonly Stage[],
    roles: readonly Role[],
    numbers: readonly number[],
  ): RowsClaim | null => {
    const places = match(kernel, stages)
    if (places === null) return null
    const operands = roles.map((role) => places.get(role))
    const address = (place: Place | undefined, addresses: readonly number[]): number =>
      place === undefined ? 0 : addresses[place.operand]! + place.offset * 4
    return {
      name,
      elements: sizes[0]! * sizes[1]!,
      args: (addresses) => [...operands.map((o) => address(o, addresses)), ...sizes, ...numbers],
    }
  }
  const found = claim('softmax', softmax, ['data', 'result'], [])
  if (found !== null) return found
  // A normalization's own numbers, in the epilogue of its variance: share and epsilon come last.
  const numbers = literals(kernel.loops[1]!.kernel).slice(-2)
  const [share, epsilon] = numbers
  if (share === undefined || epsilon === undefined) return null
  for (const divides of [false, true]) {
    for (const affine of [false, true]) {
      const stages = normalization(share, epsilon, { divides, affine })
      const normal = claim('normalize', stages, ['data', 'result', 'gamma', 'beta'], numbers)
      if (normal !== null) return normal
    }
  }
  return null
}
