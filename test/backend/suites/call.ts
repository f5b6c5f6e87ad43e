/** Routines on whole arrays: sorting and scans against plain loops. */

import type { CallKernel } from '../../../src/prim/kernel.ts'
import type { RoutineName } from '../../../src/prim/routines/index.ts'
import type { Rig } from '../conformance.ts'
import { allTypes, type Data, data, smallValues, untouched } from '../kernels.ts'

/** A call with operands `offset` elements into their blocks. */
function call(
  routine: RoutineName,
  numbers: readonly number[],
  inputs: readonly Data[],
  output: Data,
  offset = 0,
): { kernel: CallKernel; blocks: readonly Data[] } {
  const block = ({ dtype, array }: Data) => ({
    dtype,
    strides: [1],
    offset,
    size: array.length - offset,
  })
  return {
    kernel: {
      kind: 'call',
      routine,
      numbers,
      inputs: inputs.map(block),
      output: block(output),
    },
    blocks: [...inputs, output],
  }
}

/** Tests of routines. */
export function callSuite({ test, compare }: Rig): void {
  for (const dtype of allTypes) {
    test(`sorts lines of ${dtype}`, async () => {
      for (const n of [1, 2, 12, 13, 57]) {
        for (const descending of [0, 1]) {
          const { kernel, blocks } = call(
            'argsort',
            [3, n, descending],
            [smallValues(dtype, 3 * n, n)],
            untouched('int32', 3 * n),
          )
          await compare(kernel, blocks)
        }
      }
    })
    test(`scans ${dtype}`, async () => {
      for (const settings of [
        [0, 0, 0],
        [0, 1, 1],
        [1, 0, 1],
        [2, 1, 0],
      ]) {
        const { kernel, blocks } = call(
          'scan',
          [2, 5, 3, ...settings],
          [smallValues(dtype, 31)],
          untouched(dtype, 31),
          1,
        )
        await compare(kernel, blocks)
      }
    })
  }
  test('sorts long lines', async () => {
    for (const [dtype, n, descending] of [
      ['float32', 300, 0],
      ['int32', 512, 1],
      ['uint8', 1100, 0],
      ['float32', 2049, 1],
    ] as const) {
      const given = smallValues(dtype, 2 * n, n)
      const { kernel, blocks } = call(
        'argsort',
        [2, n, descending],
        [given],
        untouched('int32', 2 * n),
      )
      await compare(kernel, blocks)
    }
  })
  test('sorts NaN, infinities and zeros of both signs', async () => {
    const strange = [
      0,
      Number.NaN,
      -0,
      1,
      Number.NEGATIVE_INFINITY,
      -1e-42,
      Number.POSITIVE_INFINITY,
    ]
    for (const n of [14, 91]) {
      for (const descending of [0, 1]) {
        const values = Array.from({ length: n }, (_, i) => strange[(i * i) % strange.length]!)
        const given = data('float32', values)
        const { kernel, blocks } = call(
          'argsort',
          [1, n, descending],
          [given],
          untouched('int32', n),
        )
        await compare(kernel, blocks)
      }
    }
  })
  for (const dtype of ['float32', 'int32', 'float16', 'int8'] as const) {
    test(`scans long lines of ${dtype}`, async () => {
      for (const settings of [
        [0, 0, 0],
        [0, 1, 1],
        [2, 0, 1],
      ]) {
        const size = 2 * 700 * 3
        const given = smallValues(dtype, size + 1)
        const numbers = [2, 700, 3, ...settings]
        const { kernel, blocks } = call('scan', numbers, [given], untouched(dtype, size + 1), 1)
        await compare(kernel, blocks)
      }
    })
  }
  test('sorts nothing and scans nothing', async () => {
    const none = data('float32', [])
    const sorted = call('argsort', [0, 0, 0], [none], data('int32', []))
    await compare(sorted.kernel, sorted.blocks)
    const scanned = call('scan', [2, 0, 3, 0, 0, 0], [none], none)
    await compare(scanned.kernel, scanned.blocks)
  })
}
