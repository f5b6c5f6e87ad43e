/** Max pooling: reductions over windows of a padded array, batch entry by batch entry. */

import { itemSize } from '../../base/dtype.ts'
import { rowMajor, sizeOf } from '../../base/shape.ts'
import { int } from '../../prim/arithmetic.ts'
import { acc, binary, compare, constant, type Expr, load, param, select } from '../../prim/expr.ts'
import type { Kernel, Operand } from '../../prim/kernel.ts'
import { type PoolKernel, reach } from '../../prim/window.ts'
import type { Compiled } from '../backend.ts'
import { idle } from './launch.ts'
import { copyLoop, Padded } from './padding.ts'

/** What pooling needs of the device. */
export interface PoolHost {
  alloc(bytes: number): number
  free(address: number): void
  compile(kernel: Kernel): Compiled
}

const plusIndex = (a: Expr, b: Expr): Expr => binary('add', a, b)

/** Compiles pooling over one batch entry at a time. */
export function compilePool(host: PoolHost, kernel: PoolKernel): Compiled {
  const { dtype, mode, sizes, inputs, output } = kernel
  const { stride, dilate, pad, window, y } = sizes
  const lines = sizes.lines.slice(1)
  const count = sizes.lines[0] ?? 1
  const batched = sizes.lines.length > 0 ? 1 : 0
  const rank = lines.length
  const line = ({ strides, ...rest }: Operand): Operand => ({
    ...rest,
    strides: strides.slice(batched),
  })
  if (count === 0 || sizeOf(lines) === 0) return idle
  const size = reach(sizes)
  const spreads = sizes.x.map((n, d) => ({ count: n, size: size[d]!, begin: pad[d]!, step: 1 }))
  const compile = (loop: Parameters<PoolHost['compile']>[0]): Compiled => host.compile(loop)
  const x = new Padded(compile, line(inputs[0]!), lines, spreads, Number.NEGATIVE_INFINITY)
  /** Strides over lines, windows and the elements of windows. */
  const windows = (strides: readonly number[]): number[] => [
    ...strides.slice(0, rank),
    ...stride.map((s, d) => s * strides[rank + d]!),
    ...dilate.map((s, d) => s * strides[rank + d]!),
  ]
  const still = window.map(() => 0)
  const dims = [...lines, ...y, ...window]
  const parallel = rank + y.length
  const source: Operand = { dtype, strides: windows(x.strides), offset: x.offset }
  /** How far the element at a position of the window lies from its first one, in a padded array with these strides. */
  const displacement = (strides: readonly number[], position: Expr): Expr => {
    let sum = int(0)
    let rest = position
    for (let d = window.length - 1; d >= 0; d--) {
      const k = binary('mod', rest, int(window[d]!))
      sum = plusIndex(sum, binary('mul', k, int(dilate[d]! * strides[rank + d]!)))
      rest = binary('div', rest, int(window[d]!))
    }
    return sum
  }
  const extent = (strides: readonly number[]): number =>
    1 + window.reduce((sum, k, d) => sum + (k - 1) * dilate[d]! * strides[rank + d]!, 0)
  const bytes = itemSize(dtype)
  const step = (o: Operand): number => (batched ? o.strides[0]! * bytes : 0)
  const steps = [...inputs, output].map(step)
  const align = (n: number): number => Math.ceil(n / 64) * 64
  /** Runs `body` once a batch entry, with the addresses of its operands and of scratch memory. */
  const each = (
    scratchBytes: number,
    body: (addresses: readonly number[], scratch: number) => void,
  ): Compiled => ({
    run(addresses) {
      const scratch = scratchBytes > 0 ? host.alloc(scratchBytes) : 0
      try {
        const at = [...addresses]
        for (let i = 0; i < count; i++) {
          body(at, scratch)
          steps.forEach((s, k) => {
            at[k]! += s
          })
        }
      } finally {
        if (scratchBytes > 0) host.free(scratch)
      }
    },
  })
  if (mode === 'max') {
    const best = host.compile({
      kind: 'loop',
      dims,
      parallel,
      inputs: [source],
      outputs: [line(output)],
      body: [load(0, dtype)],
      reduce: ['max'],
      epilogue: [acc(0, dtype)],
    })
    return each(x.bytes, (at, scratch) => best.run([x.prepare(at[0]!, scratch), at[1]!], []))
  }
  if (mode === 'pick') {
    const v = new Padded(compile, line(inputs[1]!), lines, spreads, 0)
    const taken: Operand = {
      dtype,
      strides: [...windows(v.strides).slice(0, parallel), ...still],
      offset: v.offset,
    }
    const best = host.compile({
      kind: 'loop',
      dims,
      parallel,
      inputs: [source, taken],
      outputs: [line(output)],
      body: [load(0, dtype)],
      reduce: ['argmax'],
      epilogue: [
        {
          kind: 'loadAt',
          input: 1,
          index: displacement(v.strides, acc(0, 'int32')),
          size: extent(v.strides),
          stride: 1,
          dtype,
        },
      ],
    })
    const first = align(x.bytes)
    return each(first + v.bytes, (at, scratch) =>
      best.run([x.prepare(at[0]!, scratch), v.prepare(at[1]!, scratch + first), at[2]!], []),
    )
  }
  // Every element of the window in turn: what stands there gets v where it is the largest.
  const roomy = x.bytes === 0
  const shape = [...lines, ...size.map((n, d) => Math.max(n, sizes.x[d]! + pad[d]!))]
  const place: Operand = roomy ? line(output) : { dtype, strides: rowMajor(shape), offset: 0 }
  const positions: Operand = { dtype: 'int32', strides: rowMajor([...lines, ...y]), offset: 0 }
  const find = host.compile({
    kind: 'loop',
    dims,
    parallel,
    inputs: [source],
    outputs: [positions],
    body: [load(0, dtype)],
    reduce: ['argmax'],
    epilogue: [acc(0, 'int32')],
  })
  const all = roomy ? [...lines, ...sizes.x] : shape
  const zero = host.compile({
    kind: 'loop',
    dims: all,
    parallel: all.length,
    inputs: [],
    outputs: [place],
    body: [constant(0, dtype)],
    reduce: [],
    epilogue: [],
  })
  const target: Operand = { ...place, strides: windows(place.strides).slice(0, parallel) }
  const chosen = compare('eq', load(1, 'int32'), param(0, 'int32'))
  const add = host.compile({
    kind: 'loop',
    dims: [...lines, ...y],
    parallel,
    inputs: [target, positions, line(inputs[1]!)],
    outputs: [target],
    body: [binary('add', load(0, dtype), select(chosen, load(2, dtype), constant(0, dtype)))],
    reduce: [],
    epilogue: [],
  })
  const shifts = offsets(window, dilate, place.strides.slice(rank)).map((by) => by * bytes)
  const interior = pad.reduce((sum, p, d) => sum + p * place.strides[rank + d]!, 0)
  const copy = roomy
    ? null
    : copyLoop(
        compile,
        [...lines, ...sizes.x],
        { dtype, strides: place.strides, offset: interior },
        line(output),
      )
  const [first, second] = [align(x.bytes), align(4 * sizeOf([...lines, ...y]))]
  return each(first + second + (roomy ? 0 : sizeOf(shape) * bytes), (at, scratch) => {
    const where = scratch + first
    const sums = roomy ? at[2]! : where + second
    find.run([x.prepare(at[0]!, scratch), where], [])
    zero.run([sums], [])
    shifts.forEach((by, k) => {
      add.run([sums + by, where, at[1]!, sums + by], [k])
    })
    copy?.run([sums, at[2]!], [])
  })
}

/** How far each element of a window lies from its first one, in row-major order. */
function offsets(
  window: readonly number[],
  dilate: readonly number[],
  strides: readonly number[],
): number[] {
  let found = [0]
  window.forEach((size, d) => {
    const steps = Array.from({ length: size }, (_, k) => k * dilate[d]! * strides[d]!)
    found = found.flatMap((from) => steps.map((by) => from + by))
  })
  return found
}
