/** Scatters as shaders: an invocation an update; words are changed by atomics, and the last of several writers is found first. */

import { type DType, itemSize } from '../../base/dtype.ts'
import { sizeOf } from '../../base/shape.ts'
import { cast } from '../../prim/expr.ts'
import { kernelOperands, type Operand, type ScatterKernel } from '../../prim/kernel.ts'
import { binaryText, emit, type Leaves } from './code.ts'
import { coordinates, gathered, guarded, indexText } from './domain.ts'
import { gridOf, idle, type Routine, type Source, type Stage } from './routine.ts'
import { offsetText, Shader, type Situation } from './shader.ts'
import { scatterWithoutWide } from './wide.ts'

const groupSize = 64

/** Compiles a scatter. */
export function scatterRoutine(given: ScatterKernel): Routine {
  const kernel = scatterWithoutWide(given)
  const operands = kernelOperands(kernel)
  if (kernel.dims.includes(0)) return idle
  const buffers = operands.map((_, i) => i)
  if (kernel.op !== 'set') {
    const source = (situation: Situation): Source => updateSource(kernel, operands, situation)
    return { stages: [{ operands, buffers, source }], temporaries: [] }
  }
  // Every place the output's strides reach has a word that names its last writer.
  const reach = [
    ...kernel.output.strides.map((stride, d) => ({ stride, size: kernel.dims[d]! })),
    ...kernel.at,
  ].map(({ stride, size }) => stride * Math.max(size - 1, 0))
  const low = reach.reduce((sum, r) => sum + Math.min(r, 0), 0)
  const high = reach.reduce((sum, r) => sum + Math.max(r, 0), 0)
  const owner: Operand = { dtype: 'int32', strides: kernel.output.strides, offset: -low }
  const stage = (pass: 'claim' | 'write'): Stage => ({
    operands: [...operands, owner],
    buffers: [...buffers, -1],
    source: (situation) => setSource(kernel, [...operands, owner], situation, pass),
  })
  return {
    stages: [stage('claim'), stage('write')],
    temporaries: [{ bytes: (high - low + 1) * itemSize('int32'), clear: true }],
  }
}

/** What the shaders share: coordinates, the value, and the displacement of the place it goes to. */
function begin(
  kernel: ScatterKernel,
  shader: Shader,
  lines: string[],
): { value: string; place: (operand: number) => string } {
  const { dims, output } = kernel
  const rank = dims.length
  coordinates(lines, 'id', dims, 0, rank)
  const at = (i: number): string => indexText(shader.base(i), shader.operands[i]!.strides, 0, rank)
  const leaves: Leaves = {
    load: (i) => guarded(shader.operands[i]!, shader.fetch(i, at(i))),
    loadAt: (i, index, size, stride) => gathered(shader, i, at(i), index, size, stride),
    index: (d) => `i32(c${d})`,
    acc: () => '',
  }
  const [value, ...indices] = emit(
    shader,
    lines,
    [cast(kernel.value, output.dtype), ...kernel.at.map((a) => cast(a.index, 'int32'))],
    1,
    leaves,
  )
  const by = kernel.at.map(({ size, stride }, j) => {
    const clamped = `u32(clamp(${indices[j]!}, 0i, ${Math.max(size - 1, 0)}i))`
    return `${clamped} * ${offsetText(stride)}`
  })
  lines.push(`let by = ${['0u', ...by].join(' + ')};`)
  return { value: value!, place: (operand) => `${at(operand)} + by` }
}

function around(kernel: ScatterKernel, shader: Shader, lines: readonly string[]): Source {
  const count = sizeOf(kernel.dims)
  const grid = gridOf(Math.ceil(count / groupSize))
  const text = shader.text(`@compute @workgroup_size(${groupSize})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let id = (group.y * ${grid[0]}u + group.x) * ${groupSize}u + local;
  if (id >= ${count}u) { return; }
  ${lines.join('\n  ')}
}`)
  return { text, words: shader.words, grid }
}

/** add and max: the word that holds the element is replaced until nobody came between. */
function updateSource(
  kernel: ScatterKernel,
  operands: readonly Operand[],
  situation: Situation,
): Source {
  const shader = new Shader(operands, situation, 'atomic')
  const lines: string[] = []
  const { value, place } = begin(kernel, shader, lines)
  const target = kernel.inputs.length
  const { dtype } = kernel.output
  const heap = `heap${situation.heaps[target]!}`
  lines.push(`let at = ${place(target)};`)
  if (dtype === 'int32' && kernel.op === 'add') {
    lines.push(`atomicAdd(&${heap}[at], bitcast<u32>(${value}));`)
    return around(kernel, shader, lines)
  }
  const { word, shift, mask } = laneOf(dtype)
  const next = binaryText(shader, kernel.op === 'add' ? 'add' : 'max', 'old', value, dtype)
  lines.push(`let word = ${word};`)
  lines.push(`let shift = ${shift};`)
  lines.push(`loop {
    let before = atomicLoad(&${heap}[word]);
    let old = ${shader.valueOfBits(`((before >> shift) & ${mask}u)`, dtype)};
    let bits = ${shader.bitsOfValue(`(${next})`, dtype)};
    let after = (before & ~(${mask}u << shift)) | (bits << shift);
    if (atomicCompareExchangeWeak(&${heap}[word], before, after).exchanged) { break; }
  }`)
  return around(kernel, shader, lines)
}

/** Where an element lies in its word. */
function laneOf(dtype: DType): { word: string; shift: string; mask: number } {
  switch (itemSize(dtype)) {
    case 1:
      return { word: 'at >> 2u', shift: '(at & 3u) * 8u', mask: 255 }
    case 2:
      return { word: 'at >> 1u', shift: '(at & 1u) * 16u', mask: 65535 }
    default:
      return { word: 'at', shift: '0u', mask: 4294967295 }
  }
}

/** set: in the first pass every update leaves its number where it writes, in the second the highest writes. */
function setSource(
  kernel: ScatterKernel,
  operands: readonly Operand[],
  situation: Situation,
  pass: 'claim' | 'write',
): Source {
  const shader = new Shader(operands, situation, 'atomic')
  const lines: string[] = []
  const { value, place } = begin(kernel, shader, lines)
  const target = kernel.inputs.length
  const owner = `&heap${situation.heaps[target + 1]!}[${place(target + 1)}]`
  lines.push(
    pass === 'claim'
      ? `atomicMax(${owner}, id + 1u);`
      : `if (atomicLoad(${owner}) == id + 1u) { ${shader.store(target, place(target), value)} }`,
  )
  return around(kernel, shader, lines)
}
