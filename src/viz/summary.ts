/** A network as MXNet's table: layers, shapes, parameters and what each layer reads. */

import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { formatShape, sizeOf } from '../base/shape.ts'
import { infer } from '../symbol/infer.ts'
import { auxVariables } from '../symbol/listing.ts'
import { nodesOf, type SymbolNode } from '../symbol/node.ts'
import { type ShapesByName, Symbolic } from '../symbol/symbol.ts'

/** Options of `printSummary`. */
export interface SummaryOptions {
  /** Shapes of inputs; without them shapes and counts are left out. */
  readonly shape?: ShapesByName | null
  /** Characters in a line; 120 by default. */
  readonly lineLength?: number
  /** Where the columns end, as parts of the line. */
  readonly positions?: readonly number[]
}

const columns = ['Layer (type)', 'Output Shape', 'Param #', 'Previous Layer']

/**
 * Prints a network as a table: each operator with its output shape (without the batch), its number of
 * parameters and the layers it reads.
 *
 * A parameter counts at the first operator that reads it, so the total is the network's.
 * @throws MXNetError when something else than a symbol is given.
 * @example
 * mx.viz.printSummary(mx.sym.fullyConnected(mx.sym.var('data'), { numHidden: 4 }), { shape: { data: [1, 3] } })
 * @see MXNet `mx.viz.print_summary`
 */
export function printSummary(symbol: Symbolic, options: SummaryOptions = {}): void {
  console.log(summaryTable(symbol, options))
}

/** The text that `printSummary` prints. */
export function summaryTable(symbol: Symbolic, options: SummaryOptions = {}): string {
  if (!(symbol instanceof Symbolic))
    fail('printSummary', `${String(symbol)} is not a symbol: give net(mx.sym.var('data'))`)
  checkOptions('printSummary', options, ['shape', 'lineLength', 'positions'])
  const { shape = null, lineLength = 120, positions = [0.44, 0.64, 0.74, 1] } = options
  const ends = positions.map((p) => (p <= 1 ? Math.floor(p * lineLength) : p))
  const row = (fields: readonly string[]): string =>
    fields.reduce((line, field, i) => (line + field).slice(0, ends[i]).padEnd(ends[i]!), '')
  const nodes = nodesOf(symbol.entries)
  const inputs = new Set(shape === null ? ['data'] : Object.keys(shape))
  const states = auxVariables(nodes)
  const found = shape === null ? null : infer(symbol.entries, shape, {})
  const isLayer = (node: SymbolNode): boolean => node.op !== null || inputs.has(node.name)
  const counted = new Set<SymbolNode>()
  const rule = '_'.repeat(lineLength)
  const lines = [rule, row(columns), '='.repeat(lineLength)]
  let total = 0
  for (const node of nodes) {
    if (!isLayer(node)) continue
    const sizes = found?.shapes.get(node)?.[0]
    const known = sizes !== undefined && sizes !== null && !sizes.includes(-1)
    let count = 0
    for (const { node: source } of node.inputs) {
      if (isLayer(source) || counted.has(source) || /_label$/.test(source.name)) continue
      counted.add(source)
      const parameter = found?.shapes.get(source)?.[0]
      if (parameter && !parameter.includes(-1) && !states.has(source)) count += sizeOf(parameter)
    }
    total += count
    const previous = [...new Set(node.inputs.map((entry) => entry.node))]
      .filter(isLayer)
      .map((source) => source.name)
    const first = [
      `${node.name}(${node.op?.name ?? 'null'})`,
      known
        ? formatShape(sizes.slice(1))
            .replace(/[()]|,(?=\))/g, '')
            .replaceAll(', ', 'x')
        : '',
      found === null ? '' : String(count),
      previous[0] ?? '',
    ]
    lines.push(row(first), ...previous.slice(1).map((name) => row(['', '', '', name])))
    lines.push(rule)
  }
  lines[lines.length - 1] = '='.repeat(lineLength)
  return [
    ...lines,
    `Total params: ${found === null ? 'not known without shapes' : total}`,
    rule,
  ].join('\n')
}
