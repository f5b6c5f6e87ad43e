/** Nodes and graphs: the one record of computation behind traced functions, symbols and the autograd tape. */

import { callSite } from '../base/callSite.ts'
import type { Context } from '../base/context.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import type { Aval } from './aval.ts'
import { frame, place } from './frame.ts'
import type { BoundOp, Instance } from './op.ts'
import { Tensor } from './tensor.ts'

let nextId = 1

/** One application of an operator, or a placeholder. Nodes are numbered in the order of their making. */
export class Node {
  readonly id = nextId++
  /** The operator with its attributes and input types; null for a placeholder. */
  readonly instance: Instance | null
  /** Where the inputs come from: places in a graph; on the tape, the values that the gradient will read. */
  inputs: readonly (Tensor | null)[]
  /** Values of the operator's dynamic attributes: numbers, or tensors inside a trace. */
  readonly scalars: readonly (number | Tensor)[]
  readonly outs: readonly Aval[]
  /** What the interpreter that made the node wants to keep with it. */
  extra: unknown = null
  /** On the tape: where the node's outputs live; gradients that arrive from elsewhere are moved there. */
  home: Context | undefined = undefined
  /** A gradient rule of the node's own, from the gradients of its outputs; null: that of the instance. */
  pull: ((dys: readonly Tensor[]) => readonly (Tensor | null | undefined)[]) | null = null
  /** Scratch of the reverse sweep: which sweep last came by, whether gradients pass here, and their sums. */
  sweep = 0
  relevant = false
  sums: (Tensor | undefined)[] | null = null

  constructor(
    instance: Instance | null,
    inputs: readonly (Tensor | null)[],
    scalars: readonly (number | Tensor)[],
    outs: readonly Aval[],
  ) {
    this.instance = instance
    this.inputs = inputs
    this.scalars = scalars
    this.outs = outs
  }

  /** The same application on other inputs of the same types; itself if they are the same. */
  moved(inputs: readonly (Tensor | null)[]): Node {
    const same = inputs.every(
      (t, i) => t?.node === this.inputs[i]?.node && t?.index === this.inputs[i]?.index,
    )
    return same ? this : new Node(this.instance, inputs, this.scalars, this.outs)
  }

  /** The operator with its static attributes; null for a placeholder. */
  get bound(): BoundOp | null {
    return this.instance === null ? null : this.instance.bound
  }
}

/** A tensor that is a place in a graph: output `index` of `node`. */
export class Sym extends Tensor {
  override node: Node
  readonly aval: Aval

  constructor(node: Node, index: number) {
    super()
    this.node = node
    this.index = index
    this.aval = node.outs[index]!
  }
}

/** Methods that need data: asked of a place in a graph, an error says so instead of "not a function". */
export const reading: readonly string[] = [
  'asTypedArray',
  'asTypedArraySync',
  'asArray',
  'asArraySync',
  'asScalar',
  'asScalarSync',
  'waitToRead',
  'set',
  'assign',
  'addAssign',
  'subAssign',
  'mulAssign',
  'divAssign',
  'modAssign',
  'attachGrad',
  'backward',
]
for (const name of reading) {
  Object.defineProperty(Sym.prototype, name, {
    value(this: Sym) {
      fail(name, `${untold(this)}: keep forward to operators${hereAndNow()}`)
    },
  })
}

function untold({ node, shape }: Sym): string {
  const made = node.bound === null ? 'an input' : `a result of ${node.bound.op.name}`
  return `${made} of shape ${formatShape(shape)} is being traced and has no data yet`
}
const hereAndNow = (): string => place(frame.layers, callSite()())

// Comparing or computing with a place in a graph as if it were a number: what comes of `if (x > 0)`.
Object.defineProperty(Sym.prototype, Symbol.toPrimitive, {
  value(this: Sym, hint: string) {
    if (hint === 'string') return `<${this.dtype} ${formatShape(this.shape)}, not computed yet>`
    const instead = 'choose with nd.where, or branch on what is known without data'
    return fail('forward', `${untold(this)} to branch on: ${instead}${hereAndNow()}`)
  },
})

/** A placeholder for a value given later. */
export function placeholder(value: Aval): Sym {
  return new Sym(new Node(null, [], [], [value]), 0)
}

/** A computation: placeholders for arrays and for numbers, and the results. */
export interface Graph {
  /** Null for an input that is missing. */
  readonly inputs: readonly (Sym | null)[]
  readonly params: readonly Sym[]
  readonly outputs: readonly Sym[]
}

/** Everything a node reads, numbers left out. */
export function* sources(node: Node): Generator<Sym> {
  for (const t of node.inputs) if (t instanceof Sym) yield t
  for (const s of node.scalars) if (s instanceof Sym) yield s
}

/** The nodes that `outputs` need, each after what it reads. */
export function topological(outputs: readonly Sym[]): Node[] {
  const seen = new Set<Node>()
  const order: Node[] = []
  const stack: { node: Node; rest: Iterator<Sym> }[] = []
  const enter = (node: Node): void => {
    if (seen.has(node)) return
    seen.add(node)
    stack.push({ node, rest: sources(node) })
  }
  for (const out of outputs) {
    enter(out.node)
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!
      const next = top.rest.next()
      if (next.done) {
        order.push(top.node)
        stack.pop()
      } else {
        enter(next.value.node)
      }
    }
  }
  return order
}

/** A graph as text, one node a line: `%3 = softmax(%1) axis=-1 : float32 (2, 3)`. */
export function printGraph(graph: Graph): string {
  const names = new Map<Node, string>()
  graph.inputs.forEach((s, i) => {
    if (s !== null) names.set(s.node, `in${i}`)
  })
  graph.params.forEach((s, i) => {
    names.set(s.node, `num${i}`)
  })
  const name = (t: Tensor | null): string => {
    if (!(t instanceof Sym)) return 'none'
    return `%${names.get(t.node) ?? '?'}${t.node.outs.length > 1 ? `.${t.index}` : ''}`
  }
  const type = (a: Aval): string => `${a.weak ? 'weak ' : ''}${a.dtype} ${formatShape(a.shape)}`
  const given = [...graph.inputs, ...graph.params].filter((s) => s !== null)
  const lines = given.map((s) => `${name(s)} : ${type(s.aval)}`)
  let count = 0
  for (const node of topological(graph.outputs)) {
    if (node.bound === null) continue
    names.set(node, String(count++))
    const args = node.inputs.map(name)
    for (const s of node.scalars) args.push(typeof s === 'number' ? String(s) : name(s))
    const outs = node.outs.map(type).join(', ')
    lines.push(
      `%${names.get(node)} = ${node.bound.op.name}(${args.join(', ')}) ${node.bound.key} : ${outs}`,
    )
  }
  lines.push(`return ${graph.outputs.map(name).join(', ')}`)
  return lines.join('\n')
}
