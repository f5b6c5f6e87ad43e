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
  test('sorts nothing and scans nothing', async () => {
    const none = data('float32', [])
    const sorted = call('argsort', [0, 0, 0], [none], data('int32', []))
    await compare(sorted.kernel, sorted.blocks)
    const scanned = call('scan', [2, 0, 3, 0, 0, 0], [none], none)
    await compare(scanned.kernel, scanned.blocks)
  })
}
