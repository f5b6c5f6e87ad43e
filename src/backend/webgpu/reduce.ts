/** Reductions as shaders: an invocation a result, a workgroup a result, or several workgroups and a second pass. */

import { type DType, dtypeInfo } from '../../base/dtype.ts'
import { sizeOf } from '../../base/shape.ts'
import type { LoopKernel, ReduceOp } from '../../prim/kernel.ts'
import { binaryText, emit, type Leaves } from './code.ts'
import { coordinates, type Domain, domainOf, gathered, guarded, indexText } from './domain.ts'
import { gridOf, type Routine, type ShaderOptions, type Source, single } from './routine.ts'
import { flavourFor, isReal, literal, Shader, type Situation, valueType } from './shader.ts'

/** Invocations of a workgroup that computes results one each. */
const loneSize = 64
/** Invocations that share one result. */
const teamSizes = [64, 128, 256] as const
export const smallestTeam = teamSizes[0]

/** Compiles a loop nest with reductions as one launch. */
export function reduceAtOnce(kernel: LoopKernel, options: ShaderOptions): Routine {
  const domain = domainOf(kernel)
  return single(domain.operands, (situation) =>
    reduceSource(kernel.reduce, domain, situation, options),
  )
}

/** Invocations that share a result: 1 where there are many results or few terms. */
function teamOf({ dims, parallel, operands, inputs }: Domain): number {
  const results = sizeOf(dims.slice(0, parallel))
  const terms = sizeOf(dims.slice(parallel))
  const rows = operands.slice(0, inputs).some((o) => o.strides[dims.length - 1] === 1)
  if (terms <= (rows ? 128 : 512) || (results >= 4096 && (terms <= 512 || !rows))) return 1
  return teamSizes.find((size) => size * 8 >= terms) ?? teamSizes[2]
}

/** The state of one accumulator: a value, and for argmax and argmin the position (-1 before the first). */
class Accumulator {
  readonly shader: Shader
  readonly op: ReduceOp
  readonly dtype: DType
  readonly slot: number

  constructor(shader: Shader, op: ReduceOp, dtype: DType, slot: number) {
    this.shader = shader
    this.op = op
    this.dtype = dtype
    this.slot = slot
  }

  get positional(): boolean {
    return this.op === 'argmax' || this.op === 'argmin'
  }

  get declaration(): string {
    const { slot, dtype, shader } = this
    const first = this.positional
      ? `${valueType(dtype, 1)}()`
      : literal(shader, neutral(this.op, dtype), dtype, 1)
    return `var a${slot} = ${first};${this.positional ? ` var p${slot} = -1i;` : ''}`
  }

  /** Takes in a value; `position` is its number among the terms, i32. */
  take(value: string, position: string): string {
    const { op, slot, dtype, shader } = this
    if (!this.positional) {
      const combine = { sum: 'add', prod: 'mul', max: 'max', min: 'min' } as const
      const next = binaryText(shader, combine[op as 'sum'], `a${slot}`, value, dtype)
      return `a${slot} = ${next};`
    }
    if (!isReal(dtype)) return this.#replace(value, position, false)
    // A NaN counts in the first place only, and is beaten by nothing there.
    const best = literal(shader, op === 'argmax' ? Infinity : -Infinity, 'float32', 1)
    const isnan = shader.use('isnan', 1)
    return `if (!${isnan}(${value}) || ${position} == 0i) {
    let key = select(${value}, ${best}, ${isnan}(${value}));
    ${this.#replace('key', position, false)}
  }`
  }

  /** Becomes another candidate where that is better; among equals the first counts when they come in no order. */
  #replace(value: string, position: string, unordered: boolean): string {
    const { slot, dtype } = this
    const number = (text: string): string => (dtype === 'bool' ? `u32(${text})` : text)
    const sign = this.op === 'argmax' ? '>' : '<'
    const better = `${number(value)} ${sign} ${number(`a${slot}`)}`
    const earlier = unordered
      ? ` || (${number(value)} == ${number(`a${slot}`)} && ${position} < p${slot})`
      : ''
    return `if (p${slot} < 0i || ${better}${earlier}) { a${slot} = ${value}; p${slot} = ${position}; }`
  }

  /** Takes in another accumulator, whose state is in these texts. */
  merge(value: string, position: string): string {
    if (!this.positional) return this.take(value, '0i')
    return `if (${position} >= 0i) { ${this.#replace(value, position, true)} }`
  }

  /** The accumulator's value in an epilogue. */
  get result(): string {
    return this.positional ? `max(p${this.slot}, 0i)` : `a${this.slot}`
  }
}

/** What a reduction starts with. */
export function neutral(op: ReduceOp, dtype: DType): number {
  const { min, max } = dtypeInfo(dtype)
  const real = isReal(dtype)
  switch (op) {
    case 'prod':
      return 1
    case 'max':
      return real ? -Infinity : min
    case 'min':
      return real ? Infinity : max
    case 'sum':
    case 'argmax':
    case 'argmin':
      return 0
    default:
      return op satisfies never
  }
}

function reduceSource(
  ops: readonly ReduceOp[],
  domain: Domain,
  situation: Situation,
  options: ShaderOptions,
): Source {
  const { dims, parallel, operands, inputs, body, epilogue } = domain
  const rank = dims.length
  const shader = new Shader(operands, situation, flavourFor(operands, inputs, options))
  const team = teamOf(domain)
  const results = sizeOf(dims.slice(0, parallel))
  const grid = gridOf(team > 1 ? results : Math.ceil(results / loneSize))
  const sums = ops.map((op, slot) => new Accumulator(shader, op, body[slot]!.dtype, slot))

  const head: string[] = []
  coordinates(head, 'id', dims, 0, parallel)
  const leavesUpTo = (to: number): Leaves => {
    const at = (i: number): string => indexText(shader.base(i), operands[i]!.strides, 0, to)
    return {
      load: (i) => guarded(operands[i]!, shader.fetch(i, at(i))),
      loadAt: (i, index, size, stride) => gathered(shader, i, at(i), index, size, stride),
      index: (d) => `i32(c${d})`,
      acc: (slot) => sums[slot]!.result,
    }
  }
  const inner: string[] = []
  const terms = emit(shader, inner, body, 1, leavesUpTo(rank))
  terms.forEach((value, slot) => {
    inner.push(`let t${slot} = ${value};`)
    inner.push(sums[slot]!.take(`t${slot}`, 'i32(n)'))
  })
  const tail: string[] = []
  const finished = emit(shader, tail, epilogue, 1, leavesUpTo(parallel), 'w')
  finished.forEach((value, j) => {
    const o = inputs + j
    tail.push(shader.store(o, indexText(shader.base(o), operands[o]!.strides, 0, parallel), value))
  })
  const declarations = sums.map((a) => a.declaration)
  const main =
    team > 1
      ? teamBody(shader, domain, team, results, grid[0], sums, head, inner, tail, options.subgroups)
      : loneBody(domain, results, grid[0], [...head, ...declarations], inner, tail)
  return { text: shader.text(main), words: shader.words, grid }
}

/** One invocation a result: nested loops over the terms. */
function loneBody(
  { dims, parallel }: Domain,
  results: number,
  width: number,
  head: readonly string[],
  inner: readonly string[],
  tail: readonly string[],
): string {
  const loops = dims
    .slice(parallel)
    .map(
      (size, i) =>
        `for (var c${parallel + i} = 0u; c${parallel + i} < ${size}u; c${parallel + i}++) {`,
    )
  return `@compute @workgroup_size(${loneSize})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let id = (group.y * ${width}u + group.x) * ${loneSize}u + local;
  if (id >= ${results}u) { return; }
  ${head.join('\n  ')}
  var n = 0u;
  ${loops.join(' ')}
  ${inner.join('\n  ')}
  n++;
  ${'}'.repeat(loops.length)}
  ${tail.join('\n  ')}
}`
}

/** A workgroup a result: each invocation takes every team-th term, then the halves are merged in workgroup memory. */
function teamBody(
  shader: Shader,
  { dims, parallel }: Domain,
  team: number,
  results: number,
  width: number,
  sums: readonly Accumulator[],
  head: readonly string[],
  inner: readonly string[],
  tail: readonly string[],
  subgroups: boolean,
): string {
  const terms = sizeOf(dims.slice(parallel))
  const where: string[] = []
  coordinates(where, 'n', dims, parallel, dims.length)
  const shared = sums.map((a) => new Shared(shader, a, team))
  const merged = subgroups ? subgroupText(shader, shared) : treeText(shared, team)
  const lanes = subgroups
    ? ', @builtin(subgroup_size) width: u32, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) count: u32, @builtin(subgroup_invocation_id) lane: u32'
    : ''
  return `@compute @workgroup_size(${team})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32${lanes}) {
  let id = group.y * ${width}u + group.x;
  if (id >= ${results}u) { return; }
  ${head.join('\n  ')}
  ${sums.map((a) => a.declaration).join('\n  ')}
  for (var n = local; n < ${terms}u; n += ${team}u) {
    ${[...where, ...inner].join('\n    ')}
  }
  ${merged}
  if (local == 0u) {
    ${tail.join('\n    ')}
  }
}`
}

/** An accumulator's state in workgroup memory, a place an invocation. */
class Shared {
  readonly sum: Accumulator

  constructor(shader: Shader, sum: Accumulator, team: number) {
    this.sum = sum
    shader.declare(`var<workgroup> share${sum.slot}: array<${this.#type}, ${team}>;`)
    if (sum.positional) shader.declare(`var<workgroup> place${sum.slot}: array<i32, ${team}>;`)
  }

  /** Neither workgroup memory nor exchanges know bool. */
  get #bool(): boolean {
    return this.sum.dtype === 'bool'
  }

  get #type(): string {
    return this.#bool ? 'u32' : valueType(this.sum.dtype, 1)
  }

  save(at: string): string {
    const { slot, positional } = this.sum
    const value = this.#bool ? `u32(a${slot})` : `a${slot}`
    return `share${slot}[${at}] = ${value};${positional ? ` place${slot}[${at}] = p${slot};` : ''}`
  }

  load(at: string): string {
    const { slot, positional } = this.sum
    const value = `share${slot}[${at}]${this.#bool ? ' != 0u' : ''}`
    return `a${slot} = ${value};${positional ? ` p${slot} = place${slot}[${at}];` : ''}`
  }

  merge(at: string): string {
    const { slot } = this.sum
    const value = `share${slot}[${at}]${this.#bool ? ' != 0u' : ''}`
    return `{ let o${slot} = ${value}; ${this.sum.merge(`o${slot}`, `place${slot}[${at}]`)} }`
  }

  /** Takes in what the invocation `across` lanes away has. */
  exchange(across: string): string {
    const { slot, positional } = this.sum
    const value = this.#bool
      ? `subgroupShuffleXor(u32(a${slot}), ${across}) != 0u`
      : `subgroupShuffleXor(a${slot}, ${across})`
    const place = positional ? `let q${slot} = subgroupShuffleXor(p${slot}, ${across});` : ''
    return `{ let o${slot} = ${value}; ${place} ${this.sum.merge(`o${slot}`, `q${slot}`)} }`
  }
}

/** Merges the halves of a team until its first invocation has all. */
function treeText(shared: readonly Shared[], team: number): string {
  const save = shared.map((s) => s.save('local'))
  return `${save.join('\n  ')}
  for (var half = ${team / 2}u; half > 0u; half = half >> 1u) {
    workgroupBarrier();
    if (local < half) {
      ${[...shared.map((s) => s.merge('local + half')), ...save].join('\n      ')}
    }
  }`
}

/** Merges lanes within subgroups, and what their first lanes then have in the first invocation. */
function subgroupText(shader: Shader, shared: readonly Shared[]): string {
  shader.enable('subgroups')
  return `for (var across = width / 2u; across > 0u; across = across >> 1u) {
    ${shared.map((s) => s.exchange('across')).join('\n    ')}
  }
  if (lane == 0u) { ${shared.map((s) => s.save('subgroup')).join(' ')} }
  workgroupBarrier();
  if (local == 0u) {
    ${shared.map((s) => s.load('0u')).join('\n    ')}
    for (var other = 1u; other < count; other++) {
      ${shared.map((s) => s.merge('other')).join('\n      ')}
    }
  }`
}
