/** Loop nests in the form that shaders want: no dimensions of size 1, neighbours merged, the innermost contiguous. */

import { collapse } from '../../base/view.ts'
import { cast, constant, type Expr, rewrite, someNode } from '../../prim/expr.ts'
import type { Guard, LoopKernel, Operand } from '../../prim/kernel.ts'
import { offsetText, type Shader, valueType } from './shader.ts'

/** A loop nest; operands as in the kernel, with strides over the new dimensions. */
export interface Domain {
  readonly dims: readonly number[]
  /** The first dimensions are parallel, the others reductions. */
  readonly parallel: number
  readonly operands: readonly Operand[]
  readonly inputs: number
  readonly body: readonly Expr[]
  readonly epilogue: readonly Expr[]
}

/** Brings a loop nest without empty parallel dimensions into this form. */
export function domainOf(kernel: LoopKernel): Domain {
  const { dims, inputs, outputs, reduce } = kernel
  const all = [...inputs, ...outputs]
  const stored = (e: Expr, j: number): Expr => cast(e, outputs[j]!.dtype)
  const body = reduce.length > 0 ? kernel.body : kernel.body.map(stored)
  const epilogue = kernel.epilogue.map(stored)

  const special = new Set<number>()
  for (const o of all) for (const g of o.guards ?? []) special.add(g.dim)
  for (const root of [...body, ...epilogue]) {
    someNode(root, (e) => {
      if (e.kind === 'index') special.add(e.dim)
      return false
    })
  }

  const strideOf = (o: number, d: number): number =>
    o < inputs.length || d < kernel.parallel ? (all[o]!.strides[d] ?? 0) : 0
  const kept = dims.flatMap((size, d) => (size === 1 ? [] : [d]))
  const ordered = reduce.some((op) => op === 'argmax' || op === 'argmin')
  const byStride = (list: readonly number[], operands: readonly number[]): number[] => {
    const weight = (d: number): number => {
      for (const o of operands) if (strideOf(o, d) !== 0) return Math.abs(strideOf(o, d))
      return Number.MAX_VALUE
    }
    return list.toSorted((a, b) => weight(b) - weight(a) || a - b)
  }
  const [ins, outs] = [[...inputs.keys()], outputs.map((_, j) => inputs.length + j)]
  const outer = byStride(
    kept.filter((d) => d < kernel.parallel),
    [...outs, ...ins],
  )
  const within = kept.filter((d) => d >= kernel.parallel)
  const inner = ordered ? within : byStride(within, ins)

  const place = new Map<number, number>()
  const newDims: number[] = []
  let parallel = 0
  const newStrides: number[][] = all.map(() => [])
  for (const list of [outer, inner]) {
    const barriers = list.flatMap((d, i) =>
      special.has(d) || (i > 0 && special.has(list[i - 1]!)) ? [i] : [],
    )
    const merged = collapse(
      list.map((d) => dims[d]!),
      all.map((_, o) => list.map((d) => strideOf(o, d))),
      barriers,
    )
    merged.dims.forEach((size, i) => {
      for (const at of merged.axes[i]!) place.set(list[at]!, newDims.length)
      newDims.push(size)
      newStrides.forEach((strides, o) => {
        strides.push(merged.strides[o]![i]!)
      })
    })
    if (list === outer) parallel = newDims.length
  }
  const renamed = (e: Expr): Expr =>
    rewrite(e, (n) => {
      if (n.kind !== 'index') return undefined
      const dim = place.get(n.dim)
      return dim === undefined ? constant(0, 'int32') : { kind: 'index', dim, dtype: 'int32' }
    })
  return {
    dims: newDims,
    parallel,
    inputs: inputs.length,
    operands: all.map((o, i) => ({
      dtype: o.dtype,
      offset: o.offset,
      strides: newStrides[i]!,
      guards: (o.guards ?? []).flatMap((g) => movedGuard(g, dims, place)),
    })),
    body: body.map(renamed),
    epilogue: epilogue.map(renamed),
  }
}

/** The variable that holds the coordinate along a dimension. */
export type Names = (dim: number) => string
/** `c0`, `c1`, … */
export const plainNames: Names = (d) => `c${d}`

/** A guard on the new dimensions: none where it always holds, an impossible one where a dropped dimension is outside. */
export function movedGuard(
  g: Guard,
  dims: readonly number[],
  place: ReadonlyMap<number, number>,
): Guard[] {
  const size = dims[g.dim]!
  if (g.lo <= 0 && g.hi >= size) return []
  const dim = place.get(g.dim)
  if (dim !== undefined) return [{ dim, lo: g.lo, hi: g.hi }]
  return [{ dim: -1, lo: 0, hi: 0 }]
}

/** Texts that turn a linear index into the coordinates of dimensions from … to - 1. */
export function coordinates(
  lines: string[],
  linear: string,
  dims: readonly number[],
  from: number,
  to: number,
  names: Names = plainNames,
): void {
  let rest = linear
  for (let d = to - 1; d >= from; d--) {
    if (d === from) {
      lines.push(`let ${names(d)} = ${rest};`)
    } else {
      lines.push(`let ${names(d)} = ${rest} % ${dims[d]!}u;`)
      lines.push(`let r${names(d)} = ${rest} / ${dims[d]!}u;`)
      rest = `r${names(d)}`
    }
  }
}

/** The index of an operand's element at the coordinates from … to - 1, which start from `start`. */
export function indexText(
  start: string,
  strides: readonly number[],
  from: number,
  to: number,
  names: Names = plainNames,
): string {
  const terms: string[] = []
  for (let d = from; d < to; d++) {
    const s = strides[d] ?? 0
    if (s === 1) terms.push(names(d))
    else if (s !== 0) terms.push(`${names(d)} * ${offsetText(s)}`)
  }
  return [start, ...terms].join(' + ')
}

/** A value where the guards of an operand hold at the coordinates, and 0 of its dtype elsewhere. */
export function guarded(operand: Operand, value: string, names: Names = plainNames): string {
  const condition = (operand.guards ?? [])
    .map(({ dim, lo, hi }) => {
      if (dim < 0 || hi <= Math.max(lo, 0)) return 'false'
      const low = lo > 0 ? `${names(dim)} >= ${lo}u && ` : ''
      return `(${low}${names(dim)} < ${hi}u)`
    })
    .join(' && ')
  if (condition === '') return value
  return `select(${valueType(operand.dtype, 1)}(), ${value}, ${condition})`
}

/** A gathered element: an index clamped to 0 … size - 1, `stride` elements apart. */
export function gathered(
  shader: Shader,
  operand: number,
  at: string,
  index: string,
  size: number,
  stride: number,
  names: Names = plainNames,
): string {
  const clamped = `u32(clamp(${index}, 0i, ${Math.max(size - 1, 0)}i))`
  return guarded(
    shader.operands[operand]!,
    shader.fetch(operand, `${at} + ${clamped} * ${offsetText(stride)}`),
    names,
  )
}
