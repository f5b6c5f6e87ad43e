/** Batched products as shaders: a block of results an invocation, from tiles of both operands in workgroup memory. */

import { itemSize } from '../../base/dtype.ts'
import { cast } from '../../prim/expr.ts'
import {
  type ContractKernel,
  contractAsLoop,
  kernelOperands,
  type Operand,
} from '../../prim/kernel.ts'
import { emit, type Leaves, wrapped } from './code.ts'
import { gathered, guarded, guardText, indexText } from './domain.ts'
import { reduceRoutine } from './reduce.ts'
import { gridOf, idle, type Routine, type ShaderOptions, type Source, single } from './routine.ts'
import { offsetText, Shader, type Situation, valueType } from './shader.ts'
import { checkOperands } from './wide.ts'

/** The shape of a workgroup's share: invocations along n and m, and results each of them computes along m and n. */
export interface Tile {
  readonly across: number
  readonly down: number
  readonly rows: number
  readonly columns: number
  /** Terms that are held in workgroup memory at a time. */
  readonly depth: number
}

const tiles: readonly Tile[] = [
  { across: 16, down: 16, rows: 4, columns: 4, depth: 16 },
  { across: 8, down: 8, rows: 4, columns: 4, depth: 16 },
  { across: 8, down: 8, rows: 2, columns: 2, depth: 16 },
  { across: 32, down: 2, rows: 1, columns: 2, depth: 32 },
  { across: 2, down: 32, rows: 2, columns: 1, depth: 32 },
]

/** Workgroups that keep a GPU busy. */
const busy = 32

/** The tile that wastes least and still gives enough workgroups. */
export function tileFor({ b, m, n }: ContractKernel): Tile {
  let best = tiles[0]!
  let lowest = Infinity
  for (const tile of tiles) {
    const [high, wide] = [tile.down * tile.rows, tile.across * tile.columns]
    const groups = b * Math.ceil(m / high) * Math.ceil(n / wide)
    // Loads of an element serve `high` or `wide` products; idle places and idle processors cost in proportion.
    const cost = (groups * high * wide * (1 + 8 / high + 8 / wide)) / Math.min(groups, busy)
    if (cost < lowest) {
      lowest = cost
      best = tile
    }
  }
  return best
}

/** Rows, columns or terms below which a product is a plain reduction. */
const thin = 8

/** Compiles a product. */
export function contractRoutine(kernel: ContractKernel, options: ShaderOptions): Routine {
  const operands = kernelOperands(kernel)
  checkOperands(operands)
  const { b, m, n, k } = kernel
  if (b === 0 || m === 0 || n === 0) return idle
  // Thin products reuse too little for tiles.
  if (Math.min(m, n) < thin || k < thin) return reduceRoutine(contractAsLoop(kernel))
  if (options.processor) {
    const guarded = [kernel.lhs, kernel.rhs].some((o) => (o.guards ?? []).length > 0)
    if (guarded) return reduceRoutine(contractAsLoop(kernel))
    return single(operands, (situation) => directSource(kernel, operands, situation))
  }
  return single(operands, (situation) =>
    contractSource(kernel, operands, situation, tileFor(kernel)),
  )
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

function contractSource(
  kernel: ContractKernel,
  operands: readonly Operand[],
  situation: Situation,
  tile: Tile,
): Source {
  const { b, m, n, k, output, dtype } = kernel
  const { across, down, rows, columns, depth } = tile
  const size = across * down
  const [high, wide] = [down * rows, across * columns]
  const shader = new Shader(operands, situation, itemSize(output.dtype) < 4 ? 'atomic' : 'plain')
  const type = valueType(dtype === 'bool' ? 'int32' : dtype, 1)
  shader.declare(`var<workgroup> left: array<${type}, ${depth * high}>;`)
  shader.declare(`var<workgroup> right: array<${type}, ${depth * wide}>;`)
  const [tall, broad] = [Math.ceil(m / high), Math.ceil(n / wide)]
  const grid = gridOf(b * tall * broad)

  /** Fills a tile; neighbouring invocations read along the dimension in which the operand is contiguous. */
  const fill = (
    name: string,
    operand: number,
    extent: number,
    start: string,
    limit: number,
    termFirst: boolean,
  ): string => {
    const o = operands[operand]!
    const [term, other] = termFirst ? [1, 2] : [2, 1]
    const near = Math.abs(o.strides[term]!) < Math.abs(o.strides[other]!) && o.strides[term] !== 0
    const split = near
      ? `let p = e % ${depth}u; let q = e / ${depth}u;`
      : `let p = e / ${extent}u; let q = e % ${extent}u;`
    const guard = guardText(o)
    return `for (var e = local; e < ${depth * extent}u; e += ${size}u) {
      ${split}
      let c0 = batch; let c${term} = k0 + p; let c${other} = ${start} + q;
      var x = ${type}();
      if (c${term} < ${k}u && c${other} < ${limit}u${guard === '' ? '' : ` && ${guard}`}) {
        x = ${shader.fetch(operand, indexText(shader.base(operand), o.strides, 0, 3))};
      }
      ${name}[p * ${extent}u + q] = x;
    }`
  }

  const declarations = range(rows).flatMap((i) =>
    range(columns).map((j) => `var s${i}_${j} = ${type}();`),
  )
  const step = [
    ...range(rows).map((i) => `let x${i} = left[p * ${high}u + ty * ${rows}u + ${i}u];`),
    ...range(columns).map((j) => `let y${j} = right[p * ${wide}u + tx + ${j * across}u];`),
    ...range(rows).flatMap((i) => range(columns).map((j) => `s${i}_${j} += x${i} * y${j};`)),
  ]
  const sums = range(rows).flatMap((i) => range(columns).map((j) => `s${i}_${j}`))
  const finish = finishText(kernel, shader, type)
  const text = shader.text(`${finish}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let id = group.y * ${grid[0]}u + group.x;
  if (id >= ${b * tall * broad}u) { return; }
  let n0 = (id % ${broad}u) * ${wide}u;
  let m0 = ((id / ${broad}u) % ${tall}u) * ${high}u;
  let batch = id / ${broad * tall}u;
  let tx = local % ${across}u;
  let ty = local / ${across}u;
  ${declarations.join('\n  ')}
  for (var k0 = 0u; k0 < ${k}u; k0 += ${depth}u) {
    ${fill('left', 0, high, 'm0', m, false)}
    ${fill('right', 1, wide, 'n0', n, true)}
    workgroupBarrier();
    for (var p = 0u; p < ${depth}u; p++) {
      ${step.join('\n      ')}
    }
    workgroupBarrier();
  }
  var sums = array<${type}, ${rows * columns}>(${sums.join(', ')});
  for (var r = 0u; r < ${rows * columns}u; r++) {
    let row = m0 + ty * ${rows}u + r / ${columns}u;
    let column = n0 + tx + (r % ${columns}u) * ${across}u;
    if (row < ${m}u && column < ${n}u) { finish(batch, row, column, sums[r]); }
  }
}`)
  return { text, words: shader.words, grid }
}

/** Shares of a workgroup without workgroup memory, the usual one first. */
const directTiles: readonly Omit<Tile, 'depth'>[] = [
  { across: 4, down: 8, rows: 8, columns: 8 },
  { across: 8, down: 8, rows: 4, columns: 4 },
  { across: 4, down: 8, rows: 8, columns: 4 },
  { across: 8, down: 4, rows: 4, columns: 8 },
  { across: 2, down: 16, rows: 4, columns: 2 },
  { across: 16, down: 2, rows: 2, columns: 4 },
]

/**
 * What a processor that plays a GPU does best: barriers cost it dearly, its caches are workgroup memory anyway, and a load
 * costs as much as a dozen products (measured on SwiftShader), so invocations have large shares.
 */
export function directTileFor({ b, m, n }: ContractKernel): Omit<Tile, 'depth'> {
  const cost = ({ across, down, rows, columns }: Omit<Tile, 'depth'>): number => {
    const groups = b * Math.ceil(m / (down * rows)) * Math.ceil(n / (across * columns))
    const each = across * down * (rows * columns + 12 * (rows + columns))
    return (groups * each) / Math.min(groups, 2)
  }
  return directTiles.reduce((best, tile) => (cost(tile) < cost(best) ? tile : best))
}

/** A product without workgroup memory: every invocation reads its rows and columns itself. */
function directSource(
  kernel: ContractKernel,
  operands: readonly Operand[],
  situation: Situation,
): Source {
  const { b, m, n, k, output, dtype } = kernel
  const { across, down, rows, columns } = directTileFor(kernel)
  const [high, wide] = [down * rows, across * columns]
  const shader = new Shader(operands, situation, itemSize(output.dtype) < 4 ? 'atomic' : 'plain')
  const type = valueType(dtype === 'bool' ? 'int32' : dtype, 1)
  const [tall, broad] = [Math.ceil(m / high), Math.ceil(n / wide)]
  const grid = gridOf(b * tall * broad)
  const [left, right] = [operands[0]!.strides, operands[1]!.strides]
  // Rows and columns beyond the edge read the last one, and are not stored.
  const places = [
    ...range(rows).map(
      (i) =>
        `let p${i} = ${shader.base(0)} + batch * ${offsetText(left[0]!)} + min(m0 + ${i}u, ${m - 1}u) * ${offsetText(left[1]!)};`,
    ),
    ...range(columns).map(
      (j) =>
        `let q${j} = ${shader.base(1)} + batch * ${offsetText(right[0]!)} + min(n0 + ${j * across}u, ${n - 1}u) * ${offsetText(right[2]!)};`,
    ),
  ]
  const sums = range(rows).flatMap((i) => range(columns).map((j) => `s${i}_${j}`))
  const step = [
    ...range(rows).map(
      (i) => `let x${i} = ${shader.fetch(0, `p${i} + k * ${offsetText(left[2]!)}`)};`,
    ),
    ...range(columns).map(
      (j) => `let y${j} = ${shader.fetch(1, `q${j} + k * ${offsetText(right[1]!)}`)};`,
    ),
    ...range(rows).flatMap((i) => range(columns).map((j) => `s${i}_${j} += x${i} * y${j};`)),
  ]
  const finish = finishText(kernel, shader, type)
  const text = shader.text(`${finish}
@compute @workgroup_size(${across * down})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let id = group.y * ${grid[0]}u + group.x;
  if (id >= ${b * tall * broad}u) { return; }
  let n0 = (id % ${broad}u) * ${wide}u + local % ${across}u;
  let m0 = ((id / ${broad}u) % ${tall}u) * ${high}u + (local / ${across}u) * ${rows}u;
  let batch = id / ${broad * tall}u;
  ${[...places, ...sums.map((s) => `var ${s} = ${type}();`)].join('\n  ')}
  for (var k = 0u; k < ${k}u; k++) {
    ${step.join('\n    ')}
  }
  var sums = array<${type}, ${rows * columns}>(${sums.join(', ')});
  for (var r = 0u; r < ${rows * columns}u; r++) {
    let row = m0 + r / ${columns}u;
    let column = n0 + (r % ${columns}u) * ${across}u;
    if (row < ${m}u && column < ${n}u) { finish(batch, row, column, sums[r]); }
  }
}`)
  return { text, words: shader.words, grid }
}

/** The function that finishes one sum and stores it. */
function finishText(kernel: ContractKernel, shader: Shader, type: string): string {
  const { output, epilogue, dtype } = kernel
  const lines: string[] = []
  const at = (i: number): string => indexText(shader.base(i), shader.operands[i]!.strides, 0, 3)
  const leaves: Leaves = {
    load: (i) => guarded(shader.operands[i + 2]!, shader.fetch(i + 2, at(i + 2))),
    loadAt: (i, index, size, stride) => gathered(shader, i + 2, at(i + 2), index, size, stride),
    index: (d) => `i32(c${d})`,
    acc: () => (dtype === 'bool' ? '(sum != 0i)' : wrapped('sum', dtype, 1)),
  }
  const [value] = emit(shader, lines, [cast(epilogue, output.dtype)], 1, leaves)
  const target = shader.operands.length - 1
  return `fn finish(c0: u32, c1: u32, c2: u32, sum: ${type}) {
  ${lines.join('\n  ')}
  ${shader.store(target, at(target), value!)}
}`
}
