/** Loop nests in normal form: no loops of one turn, neighbours merged, loops in the order that runs best. */

import { type DType, itemSize } from '../../base/dtype.ts'
import { collapse } from '../../base/view.ts'
import { cast, constant, type Expr, operands, rewrite } from '../../prim/expr.ts'
import type { Operand, ReduceOp } from '../../prim/kernel.ts'
import { isHalf } from './half.ts'
import { kindOf, type Width, widthFor } from './values.ts'

/** One loop: how often it turns, and how far each operand moves in a turn, in bytes. */
export interface Level {
  readonly size: number
  readonly strides: readonly number[]
}

/** A limit of an operand on the counter of a level. */
export interface LevelGuard {
  readonly level: number
  readonly lo: number
  readonly hi: number
}

/** An operand of a nest. */
export interface NestOperand {
  readonly dtype: DType
  readonly offset: number
  readonly guards: readonly LevelGuard[]
}

/**
 * How the loops of a nest are run. map: parallel loops only, the last in vectors; rows: reduction loops
 * innermost, the last in vectors; columns: the last parallel loop in vectors, reductions inside;
 * ordered: as map, in the order of the domain, over an output that has contents (scatter).
 */
export type Form = 'map' | 'rows' | 'columns' | 'ordered'

/** A loop nest ready for code: levels from the outermost to the innermost. */
export interface Nest {
  readonly form: Form
  readonly levels: readonly Level[]
  /** The first levels are parallel, the others reductions. */
  readonly parallel: number
  /** The level run in vectors. */
  readonly vector: number
  /** Where the vector level is a piece of a longer one: the level that counts the pieces, and all elements. */
  readonly tile?: { readonly level: number; readonly total: number } | undefined
  /** Columns only: whether they are so far apart in memory that wider blocks of them pay. */
  readonly wide: boolean
  /** Columns of at most `columnChunk` points: how many vectors of them are reduced side by side; otherwise 0. */
  readonly beside: number
  readonly width: Width
  readonly operands: readonly NestOperand[]
  readonly inputs: number
  readonly body: readonly Expr[]
  readonly reduce: readonly ReduceOp[]
  readonly epilogue: readonly Expr[]
}

/** What `normalize` starts from. */
export interface NestSource {
  readonly dims: readonly number[]
  readonly parallel: number
  readonly inputs: readonly Operand[]
  readonly outputs: readonly Operand[]
  readonly body: readonly Expr[]
  readonly reduce: readonly ReduceOp[]
  readonly epilogue: readonly Expr[]
  /** Whether loops must stay in the order of the domain. */
  readonly ordered: boolean
}

/** Every node of some expressions once. */
export function nodesOf(roots: readonly Expr[]): Set<Expr> {
  const seen = new Set<Expr>()
  const visit = (e: Expr): void => {
    if (seen.has(e)) return
    seen.add(e)
    for (const o of operands(e)) visit(o)
  }
  roots.forEach(visit)
  return seen
}

/** Brings a loop nest without empty loops into normal form. */
export function normalize(source: NestSource): Nest {
  const { dims, inputs, outputs, ordered } = source
  const all = [...inputs, ...outputs]
  const rank = dims.length
  // Storing rounds to 16-bit floats, so what is stored as one is given in float32.
  const stored = (e: Expr, j: number): Expr => {
    const { dtype } = outputs[j]!
    if (!isHalf(dtype)) return cast(e, dtype)
    return kindOf(e.dtype) === 'f32' ? e : cast(e, 'float32')
  }
  const reducing = source.reduce.length > 0
  let body = reducing
    ? source.body
    : source.body.map((e, j) => (j < outputs.length ? stored(e, j) : e))
  let epilogue = source.epilogue.map(stored)

  // Guards that never or always hold.
  const guards = all.map((o) => o.guards?.filter((g) => g.lo > 0 || g.hi < dims[g.dim]!) ?? [])
  const dead = guards.map((list) =>
    list.some((g) => g.hi <= Math.max(g.lo, 0) || g.lo >= dims[g.dim]!),
  )
  if (dead.includes(true)) {
    const zero = (e: Expr): Expr | undefined =>
      (e.kind === 'load' || e.kind === 'loadAt') && dead[e.input] ? constant(0, e.dtype) : undefined
    body = body.map((e) => rewrite(e, zero))
    epilogue = epilogue.map((e) => rewrite(e, zero))
    dead.forEach((d, i) => {
      if (d) guards[i] = []
    })
  }

  const nodes = nodesOf([...body, ...epilogue])
  const indexed = new Array<boolean>(rank).fill(false)
  let anyIndex = false
  const dtypes = new Set<DType>(outputs.map((o) => o.dtype))
  for (const e of nodes) {
    dtypes.add(e.dtype)
    if (e.kind !== 'index') continue
    anyIndex = true
    indexed[e.dim] = true
  }
  const width = widthFor(dtypes)

  const kept: number[] = []
  for (let d = 0; d < rank; d++) if (dims[d] !== 1) kept.push(d)
  const strideOf = (o: number, d: number): number =>
    o < inputs.length || d < source.parallel ? (all[o]!.strides[d] ?? 0) : 0
  const flexible = !ordered && !source.reduce.some((r) => r === 'argmax' || r === 'argmin')
  const order = (list: number[], by: readonly number[], may: boolean): number[] => {
    if (!may || list.length < 2) return list
    const weight = (d: number) => {
      for (const o of by) if (strideOf(o, d) !== 0) return Math.abs(strideOf(o, d))
      return Number.MAX_VALUE
    }
    return list
      .map((d) => ({ d, w: weight(d) }))
      .sort((a, b) => b.w - a.w || a.d - b.d)
      .map((x) => x.d)
  }
  const outputFirst = [...outputs.map((_, i) => inputs.length + i), ...inputs.keys()]
  const outer = order(
    kept.filter((d) => d < source.parallel),
    outputFirst,
    !ordered,
  )
  const inner = order(
    kept.filter((d) => d >= source.parallel),
    [...inputs.keys()],
    flexible,
  )

  const merged = [outer, inner].map((list) => {
    const barriers: number[] = []
    list.forEach((d, i) => {
      const guarded = guards.some((gs) => gs.some((g) => g.dim === d))
      if (indexed[d] || guarded || (i > 0 && indexed[list[i - 1]!])) barriers.push(i)
    })
    const c = collapse(
      list.map((d) => dims[d]!),
      all.map((_, o) => list.map((d) => strideOf(o, d))),
      barriers,
    )
    return c.dims.map((size, i) => ({
      size,
      strides: all.map((o, k) => c.strides[k]![i]! * itemSize(o.dtype)),
      dims: c.axes[i]!.map((at) => list[at]!),
      reduce: list === inner,
      divisible: !c.axes[i]!.some(
        (at) => indexed[list[at]!] || guards.some((gs) => gs.some((g) => g.dim === list[at])),
      ),
    }))
  })
  const loops = merged[0]!.concat(merged[1]!)
  if (loops.length === 0 || (reducing && !loops.some((l) => l.reduce))) {
    loops.push({ size: 1, strides: all.map(() => 0), dims: [], reduce: reducing, divisible: false })
  }
  const { form, sequence, tile } = arrange(
    loops,
    all.map((o) => itemSize(o.dtype)),
    inputs.length,
    width,
    ordered,
    flexible,
  )
  const levelOf = new Array<number>(rank).fill(-1)
  sequence.forEach((l, at) => {
    for (const d of l.dims) levelOf[d] = at
  })
  if (anyIndex) {
    const rename = (e: Expr): Expr | undefined =>
      e.kind !== 'index'
        ? undefined
        : levelOf[e.dim]! < 0
          ? constant(0, 'int32')
          : { kind: 'index', dim: levelOf[e.dim]!, dtype: 'int32' }
    body = body.map((e) => rewrite(e, rename))
    epilogue = epilogue.map((e) => rewrite(e, rename))
  }
  const parallel = sequence.filter((l) => !l.reduce).length
  const turns = sequence.reduce((n, l) => (l.reduce ? n * l.size : n), 1)
  const reach = (o: number): number =>
    sequence.reduce((far, l) => far + (l.reduce ? Math.abs(l.strides[o]!) * l.size : 0), 0)
  return {
    form,
    levels: sequence.map(({ size, strides }) => ({ size, strides })),
    parallel,
    vector: form === 'columns' ? parallel - 1 : sequence.length - 1,
    tile,
    beside: form === 'columns' && turns <= columnChunk ? beside(sequence[parallel - 1]!, width) : 0,
    wide: form === 'columns' && inputs.some((_, o) => reach(o) > wideBytes),
    width,
    inputs: inputs.length,
    operands: all.map((o, i) => ({
      dtype: o.dtype,
      offset: o.offset * itemSize(o.dtype),
      guards: guards[i]!.map((g) => {
        const level = levelOf[g.dim]!
        // The guarded dimension is the outermost of those merged into its level.
        const scale = sequence[level]!.size / dims[g.dim]!
        const lo = Math.max(g.lo, 0) * scale
        return { level, lo, hi: Math.min(g.hi, dims[g.dim]!) * scale }
      }),
    })),
    body,
    reduce: source.reduce,
    epilogue,
  }
}

interface Loop {
  readonly size: number
  readonly strides: readonly number[]
  readonly dims: readonly number[]
  readonly reduce: boolean
  /** Whether nobody asks for the counter, so that the loop may run in pieces. */
  readonly divisible: boolean
}

/** Points after which the float32 sums of a column are added to a second sum. */
export const columnChunk = 256

/** Whole rows of memory are read one after the other where they are short enough, and two cache lines of each where not. */
function beside({ size }: Loop, width: Width): number {
  const vectors = Math.floor(size / width)
  return vectors <= 16 ? Math.max(1, vectors) : 8
}

/** Reach of a column from which on blocks are wide: what the second level of caches may not hold. */
const wideBytes = 2 ** 20

/** Elements of a piece of the vector level, where an input is read across it: a cache line of float32. */
const tileSize = 16

/**
 * Cuts the vector loop of a map into pieces, and runs the loop along which an input is contiguous inside them,
 * so that the cache lines read across the vector loop serve several turns (as in a transposition).
 */
function tiled(
  sequence: readonly Loop[],
  bytes: readonly number[],
  inputs: number,
): { sequence: Loop[]; tile: { level: number; total: number } } | undefined {
  const vector = sequence[sequence.length - 1]!
  if (!vector.divisible || vector.size < 2 * tileSize) return undefined
  const along = sequence.findIndex(
    (l) =>
      l !== vector &&
      l.size >= 4 &&
      l.strides.some((s, o) => o < inputs && s === bytes[o] && Math.abs(vector.strides[o]!) > 64),
  )
  if (along < 0) return undefined
  const count = Math.ceil(vector.size / tileSize)
  const pieces = { ...vector, size: count, strides: vector.strides.map((s) => s * tileSize) }
  const rest = sequence.filter((l, i) => i !== along && l !== vector)
  const piece = { ...vector, size: tileSize }
  return {
    sequence: [...rest, pieces, sequence[along]!, piece],
    tile: { level: rest.length, total: vector.size },
  }
}

/** Chooses the form and the order of the loops by a rough count of the cycles an element takes. */
function arrange(
  loops: readonly Loop[],
  bytes: readonly number[],
  inputs: number,
  width: Width,
  ordered: boolean,
  flexible: boolean,
): { form: Form; sequence: Loop[]; tile?: { level: number; total: number } } {
  const parallel = loops.filter((l) => !l.reduce)
  const reductions = loops.filter((l) => l.reduce)
  if (ordered) return { form: 'ordered', sequence: [...parallel] }
  // Cycles a vector takes along `loop`: contiguous and broadcast operands cost little, others lane by lane.
  const cost = (loop: Loop): number => {
    let cycles = 1
    loop.strides.forEach((s, o) => {
      if (s !== 0 && s !== bytes[o])
        cycles += width * (o < inputs ? 1.5 : 2) + (Math.abs(s) > 64 ? 2 : 0)
      else if (s !== 0) cycles += 1
    })
    return cycles
  }
  const vectors = (n: number) => Math.ceil(n / width)
  const last = (list: readonly Loop[], chosen: Loop) => [
    ...list.filter((l) => l !== chosen),
    chosen,
  ]
  const best = (list: readonly Loop[], price: (l: Loop) => number): [Loop | undefined, number] => {
    let choice: Loop | undefined
    let lowest = Infinity
    for (let i = list.length - 1; i >= 0; i--) {
      const p = price(list[i]!)
      if (p < lowest) {
        lowest = p
        choice = list[i]
      }
    }
    return [choice, lowest]
  }
  if (reductions.length === 0) {
    const [chosen] = best(parallel, (l) => (vectors(l.size) * cost(l) + 10) / l.size)
    const sequence = last(parallel, chosen!)
    return { form: 'map', sequence, ...tiled(sequence, bytes, inputs) }
  }
  const total = reductions.reduce((n, l) => n * l.size, 1)
  const [row, rowPrice] = best(flexible ? reductions : reductions.slice(-1), (l) => {
    return (vectors(l.size) * cost(l) + 8) / l.size + 30 / total
  })
  const [column, columnPrice] = best(parallel, (l) => {
    return (vectors(l.size) * (cost(l) + 2 + 15 / total)) / l.size
  })
  if (column && columnPrice < rowPrice) {
    return { form: 'columns', sequence: [...last(parallel, column), ...reductions] }
  }
  return { form: 'rows', sequence: [...parallel, ...last(reductions, row!)] }
}
