/** Running sums, products and maxima as shaders: an invocation a line, or a workgroup whose invocations share it. */

import type { CallKernel, Operand } from '../../prim/kernel.ts'
import { scanOps } from '../../prim/routines/scan.ts'
import { binaryText } from './code.ts'
import { neutral } from './reduce.ts'
import { gridOf, idle, type Routine, type ShaderOptions, type Source, single } from './routine.ts'
import { flavourFor, literal, Shader, valueType } from './shader.ts'
import { checkOperands } from './wide.ts'

const groupSize = 64
/** Invocations that share a line. */
const team = 256
/** Elements of a line up to which nobody shares it, and lines from which on there are enough of them. */
const shortLine = 64
const manyLines = 4096

/** Compiles `scan`. */
export function scanRoutine(
  { numbers, inputs, output }: CallKernel,
  options: ShaderOptions,
): Routine {
  const [before, n, after] = numbers as [number, number, number]
  const operands: Operand[] = [inputs[0]!, output]
  checkOperands(operands)
  if (before * n * after === 0) return idle
  const shared = n > shortLine && before * after < manyLines
  return single(operands, (situation) =>
    source(numbers, new Shader(operands, situation, flavourFor(operands, 1, options)), shared),
  )
}

function source(numbers: readonly number[], shader: Shader, shared: boolean): Source {
  const [before, n, after, code, exclusive, reverse] = numbers as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const { dtype } = shader.operands[0]!
  const lines = before * after
  const name = { sum: 'add', prod: 'mul', max: 'max' } as const
  const op = scanOps[code]!
  const combined = (x: string, y: string): string => binaryText(shader, name[op], x, y, dtype)
  const first = literal(shader, neutral(op, dtype), dtype, 1)
  const at = (o: number): string =>
    `${shader.base(o)} + start + ${reverse === 1 ? `(${n - 1}u - i)` : 'i'} * ${after}u`
  /** Goes along elements `from` … `to` of the line, storing what has been reached so far. */
  const along = (from: string, to: string): string => `for (var i = ${from}; i < ${to}; i++) {
    let value = ${shader.fetch(0, at(0))};
    let next = ${combined('sofar', 'value')};
    ${shader.store(1, at(1), exclusive === 1 ? 'sofar' : 'next')}
    sofar = next;
  }`
  const start = `let start = line / ${after}u * ${n * after}u + line % ${after}u;`
  const grid = gridOf(shared ? lines : Math.ceil(lines / groupSize))
  const size = shared ? team : groupSize
  const share = Math.ceil(n / team)
  if (shared) shader.declare(`var<workgroup> totals: array<${valueType(dtype, 1)}, ${team}>;`)
  const body = shared
    ? `let line = group.y * ${grid[0]}u + group.x;
  if (line >= ${lines}u) { return; }
  ${start}
  let low = min(local * ${share}u, ${n}u);
  let high = min(low + ${share}u, ${n}u);
  var total = ${first};
  for (var i = low; i < high; i++) {
    let value = ${shader.fetch(0, at(0))};
    total = ${combined('total', 'value')};
  }
  totals[local] = total;
  for (var reach = 1u; reach < ${team}u; reach *= 2u) {
    workgroupBarrier();
    var value = total;
    if (local >= reach) {
      let other = totals[local - reach];
      value = ${combined('other', 'total')};
    }
    workgroupBarrier();
    total = value;
    totals[local] = total;
  }
  workgroupBarrier();
  var sofar = ${first};
  if (local > 0u) { sofar = totals[local - 1u]; }
  ${along('low', 'high')}`
    : `let line = (group.y * ${grid[0]}u + group.x) * ${groupSize}u + local;
  if (line >= ${lines}u) { return; }
  ${start}
  var sofar = ${first};
  ${along('0u', `${n}u`)}`
  const text = shader.text(`@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  ${body}
}`)
  return { text, words: shader.words, grid }
}
