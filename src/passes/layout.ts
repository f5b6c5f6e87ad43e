/** Layout: inside a plan, arrays on the way between convolutions may lie channels last; their shapes do not change. */

import { rowMajor, type Shape } from '../base/shape.ts'
import type { View } from '../base/view.ts'
import type { Graph, Node, Sym } from '../core/graph.ts'
import { kindOf, primitive } from './kind.ts'

/** The axes of an array from the outermost to the innermost in memory. */
export type Order = readonly number[]

const isRising = (axes: readonly number[]): boolean =>
  axes.every((a, i) => i === 0 || axes[i - 1]! < a)

/** The view of a block that holds `shape` without gaps in an order of its axes. */
export function arranged(shape: Shape, order: Order): View {
  const inner = rowMajor(order.map((a) => shape[a]!))
  const strides = shape.map((_, a) => inner[order.indexOf(a)]!)
  return { shape, strides, offset: 0 }
}

/** In which order the axes of a view lie, or undefined where elements repeat or the order is row-major. */
function orderOf({ shape, strides }: View): Order | undefined {
  const axes = shape.flatMap((d, a) => (d === 1 ? [] : [a]))
  if (axes.some((a) => strides[a] === 0)) return undefined
  const sorted = axes.toSorted((a, b) => Math.abs(strides[b]!) - Math.abs(strides[a]!) || a - b)
  if (isRising(sorted)) return undefined
  return [...sorted, ...shape.flatMap((d, a) => (d === 1 ? [a] : []))]
}

/** Whether an order is batch, then all other axes, then channels. */
const isChannelsLast = (order: Order | undefined): boolean =>
  order !== undefined && order[0] === 0 && order.at(-1) === 1 && isRising(order.slice(0, -1))

/**
 * The orders of the nodes that do not lie row-major, where a device computes convolutions channels last: results of
 * convolutions do, and what is computed from such arrays element by element, or by pooling, follows them.
 */
export function chooseOrders(
  graph: Graph,
  nodes: readonly Node[],
  layouts: readonly (View | null)[],
): Map<Node, Order> {
  const orders = new Map<Node, Order>()
  const note = (node: Node, order: Order | undefined): void => {
    if (order !== undefined && !isRising(order)) orders.set(node, order)
  }
  graph.inputs.forEach((s, i) => {
    const layout = layouts[i]
    const order = s && layout ? orderOf(layout) : undefined
    if (isChannelsLast(order)) note(s!.node, order)
  })
  const first = (inputs: readonly (Sym | null)[], rank: number): Order | undefined => {
    for (const s of inputs) {
      const order = s === null ? undefined : orders.get(s.node)
      if (order?.length === rank) return order
    }
    return undefined
  }
  for (const node of nodes) {
    const inputs = node.inputs as readonly Sym[]
    const rank = node.outs[0]!.shape.length
    switch (kindOf(node)) {
      case 'conv': {
        const { result } = primitive(node).conv!
        const spatial = Array.from({ length: rank - 3 }, (_, i) => i + 3)
        if (result !== 'w') note(node, [0, ...spatial, 1, 2])
        break
      }
      case 'view': {
        const order = orders.get(inputs[0]!.node)
        if (order === undefined) break
        const seen = primitive(node).apply!(arranged(inputs[0]!.shape, order))
        note(node, seen === null ? undefined : orderOf(seen))
        break
      }
      case 'map':
      case 'concat':
        note(node, first(inputs, rank))
        break
      case 'pool':
        note(node, first(inputs.slice(0, 1), rank))
        break
      case 'reduce': {
        const { axes } = primitive(node).reduce!
        const kept = inputs[0]!.shape.flatMap((_, a) => (axes.includes(a) ? [] : [a]))
        const order = orders.get(inputs[0]!.node)?.filter((a) => kept.includes(a))
        note(
          node,
          order?.map((a) => kept.indexOf(a)),
        )
        break
      }
      case 'input':
      case 'contract':
      case 'gather':
      case 'scatter':
      case 'call':
        break
    }
  }
  return orders
}
