/** The table that `summary` prints: layers, output shapes and numbers of parameters. */

import { fail } from '../base/error.ts'
import { formatShape, sizeOf } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import type { Block, HookHandle } from './block.ts'
import type { Parameter } from './parameter.ts'

interface Row {
  readonly name: string
  readonly shape: string
  readonly count: number
}

const sizeOfParameter = (p: Parameter): number => (p.shape === null ? 0 : sizeOf(p.shape))
const line = ({ name, shape, count }: Row): string => columns(name, shape, String(count))
const columns = (a: string, b: string, c: string): string =>
  `${a.padStart(20)}  ${b.padStart(42)} ${c.padStart(15)}`

/** Runs a block once and makes MXNet's table of what ran. */
export function printSummary(block: Block, inputs: readonly Tensor[]): string {
  const rows: Row[] = [{ name: 'Input', shape: shapes(inputs), count: 0 }]
  const handles: HookHandle[] = []
  const seen = new Set<Parameter>()
  const totals = { all: 0, trainable: 0, shared: 0 }
  const note = (b: Block, output: Tensor): void => {
    const params = [...b.regParams.values()]
    for (const p of params) {
      const size = sizeOfParameter(p)
      totals.all += size
      if (p.gradReq !== 'null') totals.trainable += size
      if (seen.has(p)) totals.shared += size
      seen.add(p)
    }
    const count = params.reduce((n, p) => n + sizeOfParameter(p), 0)
    rows.push({ name: `${b.constructor.name}-${rows.length}`, shape: shapes([output]), count })
  }
  block.apply((b) => {
    if (b.hybridized) fail('summary', `${b.name} is hybridized: call hybridize(false) first`)
    if (!b.listsOnly)
      handles.push(b.registerForwardHook((own, _inputs, output) => note(own, output)))
  })
  try {
    block(...inputs)
  } finally {
    for (const handle of handles) handle.detach()
  }
  const { all, trainable, shared } = totals
  return [
    '-'.repeat(80),
    columns('Layer (type)', 'Output Shape', 'Param #'),
    '='.repeat(80),
    ...rows.map(line),
    '='.repeat(80),
    'Parameters in forward computation graph, duplicate included',
    `   Total params: ${all}`,
    `   Trainable params: ${trainable}`,
    `   Non-trainable params: ${all - trainable}`,
    `Shared params in forward computation graph: ${shared}`,
    `Unique parameters in model: ${all - shared}`,
    '-'.repeat(80),
  ].join('\n')
}

const shapes = (tensors: readonly Tensor[]): string =>
  tensors
    .flat()
    .map((t) => formatShape(t.shape))
    .join(', ')
