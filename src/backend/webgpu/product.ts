/** Sums of products as shaders, of matrices and of convolutions: a block of results an invocation, from tiles of both factors. */

import { sizeOf } from '../../base/shape.ts'
import { cast, constant, type Expr, rewrite, select, someNode } from '../../prim/expr.ts'
import type { LoopKernel, Operand } from '../../prim/kernel.ts'
import { emit, type Leaves, wrapped } from './code.ts'
import {
  coordinates,
  gathered,
  guarded,
  indexText,
  movedGuard,
  type Names,
  plainNames,
} from './domain.ts'
import { gridOf, type Routine, type ShaderOptions, type Source, single } from './routine.ts'
import { flavourFor, Shader, valueType } from './shader.ts'
import { inTwoPasses, piecesOf } from './split.ts'

/**
 * A loop nest that sums left·right. Its dimensions are those along which both factors or none move (batch), then those of
 * the left factor alone (rows), of the right one alone (columns), and the terms.
 */
interface Product {
  readonly dims: readonly number[]
  /** Where rows, columns and terms start among the dimensions. */
  readonly starts: readonly [rows: number, columns: number, terms: number]
  readonly operands: readonly Operand[]
  readonly inputs: number
  readonly left: Expr
  readonly right: Expr
  readonly epilogue: Expr
}

/** How many batches, rows, columns and terms there are. */
interface Extent {
  readonly b: number
  readonly m: number
  readonly n: number
  readonly k: number
}

/** The shape of a workgroup's share: invocations along columns and rows, and results each of them computes along both. */
interface Tile {
  readonly across: number
  readonly down: number
  readonly rows: number
  readonly columns: number
}

/** Terms that are held in workgroup memory at a time. */
type DeepTile = Tile & { readonly depth: number }

const tiles: readonly DeepTile[] = [
  { across: 16, down: 16, rows: 4, columns: 4, depth: 16 },
  { across: 8, down: 8, rows: 4, columns: 4, depth: 16 },
  { across: 8, down: 8, rows: 2, columns: 2, depth: 16 },
  { across: 32, down: 2, rows: 1, columns: 2, depth: 32 },
  { across: 2, down: 32, rows: 2, columns: 1, depth: 32 },
]

/** Shares of a workgroup without workgroup memory, the usual one first. */
const directTiles: readonly Tile[] = [
  { across: 4, down: 8, rows: 8, columns: 8 },
  { across: 8, down: 8, rows: 4, columns: 4 },
  { across: 4, down: 8, rows: 8, columns: 4 },
  { across: 8, down: 4, rows: 4, columns: 8 },
  { across: 2, down: 16, rows: 4, columns: 2 },
  { across: 16, down: 2, rows: 2, columns: 4 },
]

/** Workgroups that keep a GPU, or a processor that plays one, busy. */
const busy = { gpu: 32, processor: 2 } as const
/** Rows, columns or terms below which a product reuses too little, and is a plain reduction. */
const thin = 8
/** Terms that a share of a split sum has at least. */
const shareSize = 512

const groupsOf = ({ b, m, n }: Extent, { across, down, rows, columns }: Tile): number =>
  b * Math.ceil(m / (down * rows)) * Math.ceil(n / (across * columns))

const cheapest = <T extends Tile>(list: readonly T[], cost: (tile: T) => number): T =>
  list.reduce((best, tile) => (cost(tile) < cost(best) ? tile : best))

/** The tile that wastes least and still gives enough workgroups. */
function tileFor(extent: Extent): DeepTile {
  return cheapest(tiles, (tile) => {
    const [high, wide] = [tile.down * tile.rows, tile.across * tile.columns]
    const groups = groupsOf(extent, tile)
    // Loads of an element serve `high` or `wide` products; idle places and idle processors cost in proportion.
    return (groups * high * wide * (1 + 8 / high + 8 / wide)) / Math.min(groups, busy.gpu)
  })
}

/**
 * What a processor that plays a GPU does best: barriers cost it dearly, its caches are workgroup memory anyway, and a load
 * costs as much as a dozen products (measured on SwiftShader), so invocations have large shares.
 */
function directTileFor(extent: Extent): Tile {
  return cheapest(directTiles, (tile) => {
    const { across, down, rows, columns } = tile
    const groups = groupsOf(extent, tile)
    const each = across * down * (rows * columns + 12 * (rows + columns))
    return (groups * each) / Math.min(groups, busy.processor)
  })
}

/** Compiles a reduction that sums products worth a tile, and gives null for all others. */
export function productRoutine(kernel: LoopKernel, options: ShaderOptions): Routine | null {
  const product = productOf(kernel)
  if (product === null) return null
  const extent = extentOf(product)
  if (Math.min(extent.m, extent.n, extent.k) < thin) return null
  const tile = options.processor ? directTileFor(extent) : tileFor(extent)
  const wanted = busy[options.processor ? 'processor' : 'gpu'] / groupsOf(extent, tile)
  const pieces =
    wanted >= 2 && extent.k >= 2 * shareSize
      ? piecesOf(kernel, Math.min(Math.floor(wanted), Math.floor(extent.k / shareSize)))
      : null
  if (pieces !== null)
    return inTwoPasses(kernel, pieces, options, (part) => atOnce(productOf(part)!, options))
  return atOnce(product, options)
}

function atOnce(product: Product, options: ShaderOptions): Routine {
  const extent = extentOf(product)
  return single(product.operands, (situation) => {
    const flavour = flavourFor(product.operands, product.inputs, options)
    const shader = new Shader(product.operands, situation, flavour)
    return options.processor
      ? directSource(product, extent, shader, directTileFor(extent))
      : tiledSource(product, extent, shader, tileFor(extent))
  })
}

function extentOf({ dims, starts: [rows, columns, terms] }: Product): Extent {
  return {
    b: sizeOf(dims.slice(0, rows)),
    m: sizeOf(dims.slice(rows, columns)),
    n: sizeOf(dims.slice(columns, terms)),
    k: sizeOf(dims.slice(terms)),
  }
}

/** A loop nest as a product, where it is one. */
function productOf(kernel: LoopKernel): Product | null {
  const { dims, parallel, inputs, outputs, reduce, body, epilogue } = kernel
  const [sum] = body
  if (reduce.length !== 1 || reduce[0] !== 'sum' || outputs.length !== 1) return null
  if (sum === undefined || sum.dtype === 'bool') return null
  const factors = factorsOf(sum)
  if (factors === null) return null

  /** The dimensions along which an expression changes. */
  const moves = (root: Expr): Set<number> => {
    const along = new Set<number>()
    someNode(root, (e) => {
      if (e.kind === 'index') along.add(e.dim)
      if (e.kind !== 'load' && e.kind !== 'loadAt') return false
      inputs[e.input]!.strides.forEach((s, d) => s !== 0 && along.add(d))
      for (const { dim } of inputs[e.input]!.guards ?? []) along.add(dim)
      return false
    })
    return along
  }
  let { left, right } = factors
  let [ofLeft, ofRight] = [moves(left), moves(right)]
  const { inside } = factors
  if (inside !== null) {
    // A condition goes to the factor that moves wherever it does.
    const within = (along: ReadonlySet<number>): boolean =>
      [...moves(inside)].every((d) => d >= parallel || along.has(d))
    if (within(ofLeft)) [left, right, ofLeft, ofRight] = [right, left, ofRight, ofLeft]
    if (!within(ofRight)) return null
    right = select(inside, right, constant(0, right.dtype))
  }

  const kept = dims.flatMap((size, d) => (size === 1 ? [] : [d]))
  const results = kept.filter((d) => d < parallel)
  const rows = results.filter((d) => ofLeft.has(d) && !ofRight.has(d))
  const columns = results.filter((d) => ofRight.has(d) && !ofLeft.has(d))
  const batch = results.filter((d) => ofLeft.has(d) === ofRight.has(d))
  const order = [...batch, ...rows, ...columns, ...kept.filter((d) => d >= parallel)]
  const place = new Map(order.map((d, i) => [d, i]))
  const moved = (e: Expr): Expr =>
    rewrite(e, (n) => {
      if (n.kind !== 'index') return undefined
      const dim = place.get(n.dim)
      return dim === undefined ? constant(0, 'int32') : { ...n, dim }
    })
  return {
    dims: order.map((d) => dims[d]!),
    starts: [batch.length, batch.length + rows.length, batch.length + rows.length + columns.length],
    operands: [...inputs, ...outputs].map((o) => ({
      ...o,
      strides: order.map((d) => o.strides[d] ?? 0),
      ...(o.guards && { guards: o.guards.flatMap((g) => movedGuard(g, dims, place)) }),
    })),
    inputs: inputs.length,
    left: moved(left),
    right: moved(right),
    epilogue: moved(cast(epilogue[0]!, outputs[0]!.dtype)),
  }
}

/**
 * x·y, or x·y where a condition on places holds and 0 elsewhere, as in convolutions with padding. Conditions on values are
 * left to others: they may keep a NaN of one factor out of the sum, and here only the other one is left out.
 */
function factorsOf(sum: Expr): { left: Expr; right: Expr; inside: Expr | null } | null {
  if (sum.kind !== 'op') return null
  if (sum.op === 'mul') return { left: sum.args[0]!, right: sum.args[1]!, inside: null }
  if (sum.op !== 'where') return null
  const [inside, product, other] = sum.args
  if (product!.kind !== 'op' || product!.op !== 'mul') return null
  if (other!.kind !== 'const' || other!.value !== 0 || inputsOf(inside!).size > 0) return null
  return { left: product!.args[0]!, right: product!.args[1]!, inside: inside! }
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

/** Leaves of an expression at coordinates with these names; `at` is the index of an operand's element there. */
const leavesAt = (shader: Shader, names: Names, at: (input: number) => string): Leaves => ({
  load: (i) => guarded(shader.operands[i]!, shader.fetch(i, at(i)), names),
  loadAt: (i, index, size, stride) => gathered(shader, i, at(i), index, size, stride, names),
  index: (d) => `i32(${names(d)})`,
  acc: () => '',
})

/** Workgroups read tiles of both factors into their memory, and multiply them there. */
function tiledSource(
  product: Product,
  { b, m, n, k }: Extent,
  shader: Shader,
  tile: DeepTile,
): Source {
  const { dims, starts, operands, left, right } = product
  const [, , terms] = starts
  const { across, down, rows, columns, depth } = tile
  const size = across * down
  const [high, wide] = [down * rows, across * columns]
  const type = valueType(left.dtype, 1)
  shader.declare(`var<workgroup> left: array<${type}, ${depth * high}>;`)
  shader.declare(`var<workgroup> right: array<${type}, ${depth * wide}>;`)
  const [tall, broad] = [Math.ceil(m / high), Math.ceil(n / wide)]
  const grid = gridOf(b * tall * broad)

  /** Fills a tile; neighbouring invocations read along the dimension in which the factor's first array is contiguous. */
  const fill = (
    name: string,
    factor: Expr,
    extent: number,
    from: number,
    to: number,
    start: string,
    limit: number,
  ): string => {
    const step = (d: number): number => Math.abs(strideOf(factor, operands, d))
    const near = step(dims.length - 1) !== 0 && step(dims.length - 1) < step(to - 1)
    const lines: string[] = []
    coordinates(lines, 'term', dims, terms, dims.length)
    coordinates(lines, 'place', dims, from, to)
    const at = (i: number): string =>
      indexText(shader.base(i), operands[i]!.strides, 0, dims.length)
    const [value] = emit(shader, lines, [factor], 1, leavesAt(shader, plainNames, at))
    const split = near
      ? `let p = e % ${depth}u; let q = e / ${depth}u;`
      : `let p = e / ${extent}u; let q = e % ${extent}u;`
    return `for (var e = local; e < ${depth * extent}u; e += ${size}u) {
      ${split}
      let term = k0 + p; let place = ${start} + q;
      var x = ${type}();
      if (term < ${k}u && place < ${limit}u) {
        ${lines.join('\n        ')}
        x = ${value};
      }
      ${name}[p * ${extent}u + q] = x;
    }`
  }

  const head: string[] = []
  coordinates(head, 'batch', dims, 0, starts[0])
  const sums = sumsOf(tile)
  const step = [
    ...range(rows).map((i) => `let x${i} = left[p * ${high}u + ty * ${rows}u + ${i}u];`),
    ...range(columns).map((j) => `let y${j} = right[p * ${wide}u + tx + ${j * across}u];`),
    ...multiplied(tile),
  ]
  const text = shader.text(`${finishText(product, shader, type)}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let id = group.y * ${grid[0]}u + group.x;
  if (id >= ${b * tall * broad}u) { return; }
  let n0 = (id % ${broad}u) * ${wide}u;
  let m0 = ((id / ${broad}u) % ${tall}u) * ${high}u;
  let batch = id / ${broad * tall}u;
  let tx = local % ${across}u;
  let ty = local / ${across}u;
  ${[...head, ...sums.map((s) => `var ${s} = ${type}();`)].join('\n  ')}
  for (var k0 = 0u; k0 < ${k}u; k0 += ${depth}u) {
    ${fill('left', left, high, starts[0], starts[1], 'm0', m)}
    ${fill('right', right, wide, starts[1], terms, 'n0', n)}
    workgroupBarrier();
    for (var p = 0u; p < ${depth}u; p++) {
      ${step.join('\n      ')}
    }
    workgroupBarrier();
  }
  ${finishAll(tile, type, `m0 + ty * ${rows}u`, 'n0 + tx', m, n)}
}`)
  return { text, words: shader.words, grid }
}

/** A product without workgroup memory: every invocation reads its rows and columns itself. */
function directSource(product: Product, { b, m, n }: Extent, shader: Shader, tile: Tile): Source {
  const { dims, starts, operands, left, right } = product
  const [firstRow, firstColumn, terms] = starts
  const { across, down, rows, columns } = tile
  const [high, wide] = [down * rows, across * columns]
  const type = valueType(left.dtype, 1)
  const [tall, broad] = [Math.ceil(m / high), Math.ceil(n / wide)]
  const grid = gridOf(b * tall * broad)
  const head: string[] = []
  coordinates(head, 'batch', dims, 0, firstRow)

  const inner: string[] = []
  /** A row's or column's element of a factor: what does not change with the terms is computed before their loop. */
  const element = (name: string, factor: Expr, from: number, to: number, place: string): void => {
    const names: Names = (d) => (d >= from && d < to ? `${name}c${d}` : `c${d}`)
    coordinates(head, place, dims, from, to, names)
    for (const i of inputsOf(factor)) {
      const { strides } = operands[i]!
      const batch = indexText(shader.base(i), strides, 0, firstRow)
      head.push(`let ${name}b${i} = ${indexText(batch, strides, from, to, names)};`)
    }
    const at = (i: number): string =>
      indexText(`${name}b${i}`, operands[i]!.strides, terms, dims.length, names)
    const [value] = emit(shader, inner, [factor], 1, leavesAt(shader, names, at), `${name}v`)
    inner.push(`let ${name} = ${value};`)
  }
  // Rows and columns beyond the edge read the last one, and are not stored.
  for (const i of range(rows))
    element(`x${i}`, left, firstRow, firstColumn, `min(m0 + ${i}u, ${m - 1}u)`)
  for (const j of range(columns))
    element(`y${j}`, right, firstColumn, terms, `min(n0 + ${j * across}u, ${n - 1}u)`)
  const loops = dims
    .slice(terms)
    .map((size, i) => `for (var c${terms + i} = 0u; c${terms + i} < ${size}u; c${terms + i}++) {`)
  const text = shader.text(`${finishText(product, shader, type)}
@compute @workgroup_size(${across * down})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let id = group.y * ${grid[0]}u + group.x;
  if (id >= ${b * tall * broad}u) { return; }
  let n0 = (id % ${broad}u) * ${wide}u + local % ${across}u;
  let m0 = ((id / ${broad}u) % ${tall}u) * ${high}u + (local / ${across}u) * ${rows}u;
  let batch = id / ${broad * tall}u;
  ${[...head, ...sumsOf(tile).map((s) => `var ${s} = ${type}();`)].join('\n  ')}
  ${loops.join(' ')}
    ${[...inner, ...multiplied(tile)].join('\n    ')}
  ${'}'.repeat(loops.length)}
  ${finishAll(tile, type, 'm0', 'n0', m, n)}
}`)
  return { text, words: shader.words, grid }
}

/** The arrays that an expression reads. */
function inputsOf(root: Expr): ReadonlySet<number> {
  const inputs = new Set<number>()
  someNode(root, (e) => {
    if (e.kind === 'load' || e.kind === 'loadAt') inputs.add(e.input)
    return false
  })
  return inputs
}

/** The stride of the first array that an expression reads. */
function strideOf(root: Expr, operands: readonly Operand[], dim: number): number {
  const [first] = inputsOf(root)
  return first === undefined ? 0 : operands[first]!.strides[dim]!
}

/** The variables that hold an invocation's sums, row by row. */
const sumsOf = ({ rows, columns }: Tile): string[] =>
  range(rows).flatMap((i) => range(columns).map((j) => `s${i}_${j}`))

const multiplied = ({ rows, columns }: Tile): string[] =>
  range(rows).flatMap((i) => range(columns).map((j) => `s${i}_${j} += x${i} * y${j};`))

/** Finishes and stores an invocation's sums, of rows in a row and columns `across` apart. */
function finishAll(
  tile: Tile,
  type: string,
  row: string,
  column: string,
  m: number,
  n: number,
): string {
  const { rows, columns, across } = tile
  const sums = sumsOf(tile)
  return `var sums = array<${type}, ${sums.length}>(${sums.join(', ')});
  for (var r = 0u; r < ${rows * columns}u; r++) {
    let row = ${row} + r / ${columns}u;
    let column = ${column} + (r % ${columns}u) * ${across}u;
    if (row < ${m}u && column < ${n}u) { finish(batch, row, column, sums[r]); }
  }`
}

/** The function that finishes one sum and stores it. */
function finishText(product: Product, shader: Shader, type: string): string {
  const {
    dims,
    starts: [rows, columns, terms],
    operands,
    epilogue,
    left,
  } = product
  const lines: string[] = []
  coordinates(lines, 'batch', dims, 0, rows)
  coordinates(lines, 'row', dims, rows, columns)
  coordinates(lines, 'column', dims, columns, terms)
  const at = (i: number): string => indexText(shader.base(i), operands[i]!.strides, 0, terms)
  const leaves = { ...leavesAt(shader, plainNames, at), acc: () => wrapped('sum', left.dtype, 1) }
  const [value] = emit(shader, lines, [epilogue], 1, leaves)
  const target = product.inputs
  return `fn finish(batch: u32, row: u32, column: u32, sum: ${type}) {
  ${lines.join('\n  ')}
  ${shader.store(target, at(target), value!)}
}`
}
