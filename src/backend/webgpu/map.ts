/** Maps as shaders: an invocation an element, or four neighbours where the results lie in a row. */

import { itemSize } from '../../base/dtype.ts'
import { sizeOf } from '../../base/shape.ts'
import { kernelOperands, type LoopKernel } from '../../prim/kernel.ts'
import { emit, type Leaves } from './code.ts'
import { coordinates, type Domain, domainOf, gathered, guarded, indexText } from './domain.ts'
import { gridOf, idle, type Routine, type ShaderOptions, type Source, single } from './routine.ts'
import { flavourFor, offsetText, Shader, type Situation, valueType } from './shader.ts'
import { withoutWide } from './wide.ts'

/** Invocations of a workgroup of a map. */
const groupSize = 64

/** Compiles a loop nest without reductions. */
export function mapRoutine(given: LoopKernel, options: ShaderOptions): Routine {
  const kernel = withoutWide(given)
  const operands = kernelOperands(kernel)
  if (kernel.dims.includes(0)) return idle
  const domain = domainOf(kernel)
  return single(operands, (situation) => mapSource(domain, situation, options))
}

function mapSource(domain: Domain, situation: Situation, options: ShaderOptions): Source {
  const narrow = domain.operands.slice(domain.inputs).some((o) => itemSize(o.dtype) < 4)
  // Narrow results share words: four of them are stored as one.
  const wide = (narrow || !options.processor) && fitsFour(domain, situation)
  const wideFlavour = narrow ? 'plain' : 'vec4'
  const flavour = wide ? wideFlavour : flavourFor(domain.operands, domain.inputs, options)
  const shader = new Shader(domain.operands, situation, flavour)
  const lines: string[] = []
  const { dims } = domain
  const last = dims.length - 1
  const turns = wide ? dims.with(last, dims[last]! / 4) : dims
  const count = sizeOf(turns)
  const grid = gridOf(Math.ceil(count / groupSize))
  coordinates(lines, 'id', turns, 0, turns.length)
  // In vectors the last coordinate is that of the first lane.
  const body = wide ? fourLanes(shader, domain, lines) : oneLane(shader, domain, lines)
  const text = shader.text(`@compute @workgroup_size(${groupSize})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let id = (group.y * ${grid[0]}u + group.x) * ${groupSize}u + local;
  if (id >= ${count}u) { return; }
  ${[...lines, ...body].join('\n  ')}
}`)
  return { text, words: shader.words, grid }
}

/** Whether all results lie in aligned rows of four. */
function fitsFour({ dims, operands, inputs }: Domain, { aligned }: Situation): boolean {
  const last = dims.length - 1
  if (last < 0 || dims[last]! % 4 !== 0) return false
  return operands
    .slice(inputs)
    .every(
      ({ strides }, j) =>
        strides[last] === 1 &&
        strides.every((s, d) => d === last || s % 4 === 0) &&
        aligned[inputs + j]!,
    )
}

function oneLane(shader: Shader, domain: Domain, lines: string[]): string[] {
  const { dims, operands, inputs, body } = domain
  const at = (i: number): string => indexText(shader.base(i), operands[i]!.strides, 0, dims.length)
  const leaves: Leaves = {
    load: (i) => guarded(operands[i]!, shader.fetch(i, at(i))),
    loadAt: (i, index, size, stride) => gathered(shader, i, at(i), index, size, stride),
    index: (d) => `i32(c${d})`,
    acc: () => '',
  }
  const results = emit(shader, lines, body, 1, leaves)
  return results.map((value, j) => shader.store(inputs + j, at(inputs + j), value))
}

function fourLanes(shader: Shader, domain: Domain, lines: string[]): string[] {
  const { dims, operands, inputs, body } = domain
  const last = dims.length - 1
  const lane = (k: number): string => `(c${last} * 4u + ${k}u)`
  const at = (i: number): string => {
    const strides = operands[i]!.strides.with(last, operands[i]!.strides[last]! * 4)
    return indexText(shader.base(i), strides, 0, dims.length)
  }
  // Groups of four stay whole where the other strides are multiples of four as well.
  const whole = (i: number): boolean =>
    shader.situation.aligned[i]! && operands[i]!.strides.every((s, d) => d === last || s % 4 === 0)
  /** Four elements under guards: lane by lane where the last dimension is guarded. */
  const guardedFour = (i: number, value: string): string => {
    const operand = operands[i]!
    const outer = { ...operand, guards: operand.guards!.filter((g) => g.dim !== last) }
    const inner = operand.guards!.filter((g) => g.dim === last)
    const zero = `${valueType(operand.dtype, 4)}()`
    let text = value
    for (const g of inner) {
      const inside = [0, 1, 2, 3].map(
        (k) => `(i32${lane(k)} >= ${g.lo}i && i32${lane(k)} < ${g.hi}i)`,
      )
      text = `select(${zero}, ${text}, vec4<bool>(${inside.join(', ')}))`
    }
    const outside = guarded({ ...outer, dtype: 'bool' }, 'true')
    return outer.guards.length === 0 ? text : `select(${zero}, ${text}, vec4<bool>(${outside}))`
  }
  const leaves: Leaves = {
    load: (i) => {
      return guardedFour(i, shader.fetch4(i, at(i), operands[i]!.strides[last]!, whole(i)))
    },
    loadAt: (i, index, size, stride) => {
      const { dtype } = operands[i]!
      const step = operands[i]!.strides[last]!
      const parts = ['x', 'y', 'z', 'w'].map((l, k) => {
        const clamped = `u32(clamp(${index}.${l}, 0i, ${Math.max(size - 1, 0)}i))`
        return shader.fetch(
          i,
          `${at(i)} + ${offsetText(step * k)} + ${clamped} * ${offsetText(stride)}`,
        )
      })
      return guardedFour(i, `${valueType(dtype, 4)}(${parts.join(', ')})`)
    },
    index: (d) =>
      d === last
        ? `vec4<i32>(${[0, 1, 2, 3].map((k) => `i32${lane(k)}`).join(', ')})`
        : `vec4<i32>(i32(c${d}))`,
    acc: () => '',
  }
  const results = emit(shader, lines, body, 4, leaves)
  return results.map((value, j) => shader.store4(inputs + j, at(inputs + j), value))
}
