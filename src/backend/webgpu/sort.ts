/** Sorting as shaders: short lines by counting what comes before each element, long ones by a bitonic network. */

import type { CallKernel, Operand } from '../../prim/kernel.ts'
import { gridOf, idle, type Routine, type Source } from './routine.ts'
import { isReal, Shader, type Situation } from './shader.ts'
import { checkOperands } from './wide.ts'

/** Elements of a line up to which each is compared with all others. */
const shortLine = 64
/** Elements that a workgroup sorts in its memory, two an invocation. */
const blockSize = 512
const groupSize = 64

/** What the shaders of one sort share. Lines are padded to a power of two by what comes after everything. */
interface Network {
  readonly lines: number
  readonly n: number
  readonly padded: number
  readonly block: number
}

/**
 * Compiles `argsort`. Elements become keys whose order as u32 is theirs, and pairs (key, position) are sorted: no two are
 * equal, so that any network keeps equal elements as they stood.
 */
export function sortRoutine({ numbers, inputs, output }: CallKernel): Routine {
  const [lines, n, descending] = numbers as [number, number, number]
  const data: Operand = inputs[0]!
  checkOperands([data])
  if (lines === 0 || n === 0) return idle
  const held: Operand = { dtype: 'int32', strides: [1], offset: 0 }
  const operands = [data, output, held, held]
  const launch = (make: (shader: Shader) => Source, count = operands.length) => ({
    operands: operands.slice(0, count),
    buffers: [0, 1, -1, -2].slice(0, count),
    source: (situation: Situation): Source => {
      const shader = new Shader(operands.slice(0, count), situation, 'plain')
      shader.declare(keyText(shader, data, descending === 1))
      shader.declare(beforeText)
      return make(shader)
    },
  })
  if (n <= shortLine)
    return { stages: [launch((shader) => countSource(shader, lines, n), 2)], temporaries: [] }

  const padded = 2 ** Math.ceil(Math.log2(n))
  const block = Math.min(padded, blockSize)
  const network = { lines, n, padded, block }
  if (block === padded)
    return { stages: [launch((shader) => blockSource(shader, network, 0), 2)], temporaries: [] }
  const stages = [launch((shader) => blockSource(shader, network, 0))]
  for (let size = 2 * block; size <= padded; size *= 2) {
    stages.push(launch((shader) => stepSource(shader, network, mirrored(size))))
    for (let stride = size / 4; stride >= block; stride /= 2)
      stages.push(launch((shader) => stepSource(shader, network, apart(stride))))
    stages.push(launch((shader) => blockSource(shader, network, size)))
  }
  const bytes = 4 * lines * padded
  return { stages, temporaries: [0, 1].map(() => ({ bytes, clear: false })) }
}

/** A function from elements to keys. */
function keyText(shader: Shader, data: Operand, descending: boolean): string {
  const value = shader.fetch(0, `${shader.base(0)} + at`)
  const flip = descending ? '~' : ''
  const order = isReal(data.dtype)
    ? `let bits = bitcast<u32>(${value});
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return ${flip}0xffffffffu; }
  let key = select(bits | 0x80000000u, ~bits, size != bits && size != 0u);`
    : data.dtype === 'bool'
      ? `let key = u32(${value});`
      : `let key = u32(${value}) ^ 0x80000000u;`
  return `fn keyAt(at: u32) -> u32 {
  ${order}
  return ${flip}key;
}`
}

const beforeText = `fn before(key: u32, place: u32, otherKey: u32, otherPlace: u32) -> bool {
  return key < otherKey || (key == otherKey && place < otherPlace);
}`

const mainText = (size: number): string => `@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {`

/** An invocation an element: it goes behind all that come before it. */
function countSource(shader: Shader, lines: number, n: number): Source {
  const grid = gridOf(Math.ceil((lines * n) / groupSize))
  const text = shader.text(`${mainText(groupSize)}
  let id = (group.y * ${grid[0]}u + group.x) * ${groupSize}u + local;
  if (id >= ${lines * n}u) { return; }
  let place = id % ${n}u;
  let line = id - place;
  let key = keyAt(id);
  var rank = 0u;
  for (var other = 0u; other < ${n}u; other++) {
    rank += u32(before(keyAt(line + other), other, key, place));
  }
  ${shader.store(1, `${shader.base(1)} + line + rank`, 'bitcast<i32>(place)')}
}`)
  return { text, words: shader.words, grid }
}

/** The places `a` and `b` of pair number `pair` in a merge: the halves of `size` elements, the second one backwards. */
const mirrored = (size: number): string => `let part = pair / ${size / 2}u * ${size}u;
  let a = part + pair % ${size / 2}u;
  let b = part + ${size - 1}u - pair % ${size / 2}u;`

/** Pairs of places a distance apart. */
const apart = (
  stride: number,
): string => `let a = pair / ${stride}u * ${2 * stride}u + pair % ${stride}u;
  let b = a + ${stride}u;`

/** One step of the network in memory: an invocation a pair. */
function stepSource(shader: Shader, { lines, padded }: Network, places: string): Source {
  const pairs = (lines * padded) / 2
  const grid = gridOf(Math.ceil(pairs / groupSize))
  const text = shader.text(`${mainText(groupSize)}
  let pair = (group.y * ${grid[0]}u + group.x) * ${groupSize}u + local;
  if (pair >= ${pairs}u) { return; }
  ${places}
  let keyA = ${get(shader, 2, 'a')}; let placeA = ${get(shader, 3, 'a')};
  let keyB = ${get(shader, 2, 'b')}; let placeB = ${get(shader, 3, 'b')};
  if (before(keyB, placeB, keyA, placeA)) {
    ${put(shader, 2, 'a', 'keyB')} ${put(shader, 3, 'a', 'placeB')}
    ${put(shader, 2, 'b', 'keyA')} ${put(shader, 3, 'b', 'placeA')}
  }
}`)
  return { text, words: shader.words, grid }
}

/**
 * Blocks in workgroup memory: from the data up to sorted blocks (`size` 0), or the last steps of the merge of `size`
 * elements. What is a whole line then goes to the output.
 */
function blockSource(shader: Shader, { lines, n, padded, block }: Network, size: number): Source {
  const blocks = (lines * padded) / block
  const grid = gridOf(blocks)
  const last = Math.max(size, block) === padded
  shader.declare(`var<workgroup> keys: array<u32, ${block}>;`)
  shader.declare(`var<workgroup> places: array<u32, ${block}>;`)
  shader.declare(`fn exchange(a: u32, b: u32) {
  let key = keys[a]; let place = places[a];
  if (before(keys[b], places[b], key, place)) {
    keys[a] = keys[b]; places[a] = places[b];
    keys[b] = key; places[b] = place;
  }
}`)
  /** What an invocation does for both of its elements: `at` in the block, `whole` in memory. */
  const both = (
    body: string,
  ): string => `for (var at = local; at < ${block}u; at += ${block / 2}u) {
    let whole = id * ${block}u + at;
    ${body}
  }`
  const ofLine = `let line = whole / ${padded}u; let place = whole % ${padded}u;`
  const load =
    size === 0
      ? `${ofLine}
    keys[at] = 0xffffffffu; places[at] = place;
    if (place < ${n}u) { keys[at] = keyAt(line * ${n}u + place); }`
      : `keys[at] = ${get(shader, 2, 'whole')}; places[at] = ${get(shader, 3, 'whole')};`
  const save = last
    ? `${ofLine}
    if (place < ${n}u) { ${put(shader, 1, `line * ${n}u + place`, 'places[at]')} }`
    : `${put(shader, 2, 'whole', 'keys[at]')} ${put(shader, 3, 'whole', 'places[at]')}`
  const strides = (from: string): string => `for (var stride = ${from}; stride > 0u; stride /= 2u) {
    let a = local / stride * 2u * stride + local % stride;
    exchange(a, a + stride);
    workgroupBarrier();
  }`
  const work =
    size === 0
      ? `for (var part = 2u; part <= ${block}u; part *= 2u) {
    let first = local / (part / 2u) * part;
    let off = local % (part / 2u);
    exchange(first + off, first + part - 1u - off);
    workgroupBarrier();
    ${strides('part / 4u')}
  }`
      : strides(`${block / 2}u`)
  const text = shader.text(`${mainText(block / 2)}
  let id = group.y * ${grid[0]}u + group.x;
  if (id >= ${blocks}u) { return; }
  ${both(load)}
  workgroupBarrier();
  ${work}
  ${both(save)}
}`)
  return { text, words: shader.words, grid }
}

const get = (shader: Shader, operand: number, at: string): string =>
  `bitcast<u32>(${shader.fetch(operand, `${shader.base(operand)} + ${at}`)})`

const put = (shader: Shader, operand: number, at: string, value: string): string =>
  shader.store(operand, `${shader.base(operand)} + ${at}`, `bitcast<i32>(${value})`)
