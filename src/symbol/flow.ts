/** Loops and branches in symbols: operators that run graphs of their own, as MXNet's files have them. */

import { fail } from '../base/error.ts'
import { attr, type Schema } from '../core/attrs.ts'
import { findOp, OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { cond, foreach, whileLoop } from '../ndarray/controlFlow.ts'
import { zerosLike } from '../ops/cast.ts'
import { stack } from '../ops/slicing.ts'
import { nodesOf, type SymbolNode } from './node.ts'

/** Which of its inputs a graph reads, in the order of its variables. */
const locs = attr.ints([], { min: 0, max: 65_535 })
const count = attr.int<undefined>(undefined, { min: 0 })

const records: readonly { name: string; graphs: number; attrs: Schema }[] = [
  {
    name: '_foreach',
    graphs: 1,
    attrs: {
      numOutputs: count,
      numOutData: count,
      inStateLocs: locs,
      inDataLocs: locs,
      remainLocs: locs,
    },
  },
  {
    name: '_while_loop',
    graphs: 2,
    attrs: {
      numOutputs: count,
      numOutData: count,
      maxIterations: attr.int<undefined>(undefined, { min: 1 }),
      condInputLocs: locs,
      funcInputLocs: locs,
      funcVarLocs: locs,
    },
  },
  {
    name: '_cond',
    graphs: 3,
    attrs: { numOutputs: count, condInputLocs: locs, thenInputLocs: locs, elseInputLocs: locs },
  },
]

/** They compute nothing by themselves, so they are no operators of `nd`. */
const flow = new Map(
  records.map(({ name, graphs, attrs }) => [
    name,
    { graphs, op: new OpDef({ name, inputs: ['...data'], attrs }) as unknown as OpDef },
  ]),
)

/** The operator of a file with this name or alias, or undefined. */
export const operatorOf = (name: string): OpDef | undefined => findOp(name) ?? flow.get(name)?.op

/** What a loop or branch says of itself. */
interface Values {
  readonly numOutputs: number
  readonly numOutData: number
  readonly maxIterations: number
  readonly [locs: `${string}Locs`]: readonly number[]
}

/** The attributes of a loop or branch, defaults filled in. */
export const flowValues = (node: SymbolNode): Values =>
  node.op!.bind(node.values).bound.attrs as unknown as Values

/** For each graph of a node, the input of the node that each of the graph's variables takes. */
export function placesOf(node: SymbolNode): readonly (readonly number[])[] {
  const values = flowValues(node)
  switch (node.op!.name) {
    case '_foreach': {
      // Inputs are slices, states and the rest; each says which variable it is.
      const places: number[] = []
      const order = [...values.inDataLocs!, ...values.inStateLocs!, ...values.remainLocs!]
      order.forEach((variable, input) => {
        places[variable] = input
      })
      return [Array.from(places, (p) => p ?? -1)]
    }
    case '_while_loop':
      return [values.condInputLocs!, values.funcInputLocs!]
    default:
      return [values.condInputLocs!, values.thenInputLocs!, values.elseInputLocs!]
  }
}

/** The inputs of a loop that each round replaces. */
export function stateInputs(node: SymbolNode): readonly number[] {
  const values = flowValues(node)
  if (node.op!.name === '_foreach') {
    const first = values.inDataLocs!.length
    return values.inStateLocs!.map((_, i) => first + i)
  }
  return (values.funcVarLocs ?? []).map((at) => values.funcInputLocs![at] ?? -1)
}

/** Refuses a node whose graphs do not fit its attributes. */
export function checkFlow(where: string, node: SymbolNode): void {
  const { op, name, subgraphs, inputs } = node
  const record = flow.get(op!.name)
  if (record?.op !== op) {
    if (subgraphs.length > 0)
      fail(where, `${name} (${op!.name}) has graphs of its own, which only loops and branches have`)
    return
  }
  const bad = (what: string): never => fail(where, `${name} (${op.name}) ${what}`)
  if (subgraphs.length !== record.graphs)
    bad(`has ${subgraphs.length} graphs of its own: it must have ${record.graphs}`)
  const { numOutputs, numOutData = 0 } = flowValues(node)
  const places = placesOf(node)
  const states = stateInputs(node)
  subgraphs.forEach((heads, i) => {
    const variables = nodesOf(heads).filter((n) => n.op === null).length
    const fits = places[i]!.length === variables
    if (!fits || places[i]!.some((p) => p < 0 || p >= inputs.length))
      bad(
        `gives graph ${i} inputs ${places[i]!.join(', ')} of ${inputs.length}: it reads ${variables}`,
      )
    const wanted = i === 0 && op.name !== '_foreach' ? 1 : numOutputs
    if (heads.length !== wanted)
      bad(`has ${heads.length} results of graph ${i}: ${wanted} are needed`)
  })
  if (op.name === '_cond') return
  if (numOutputs - numOutData !== states.length || states.some((s) => s < 0 || s >= inputs.length))
    bad(`hands on ${numOutputs - numOutData} states of ${states.length}`)
}

/** Runs a graph of a node on values of the node's inputs. */
type Run = (graph: number, inputs: readonly Tensor[]) => readonly Tensor[]

/** The results of a loop or branch. */
export function runFlow(node: SymbolNode, inputs: readonly Tensor[], run: Run): readonly Tensor[] {
  const { numOutData, maxIterations, inDataLocs } = flowValues(node)
  const states = stateInputs(node)
  const replaced = (at: readonly number[], values: readonly Tensor[]): Tensor[] => {
    const all = [...inputs]
    at.forEach((input, i) => {
      all[input] = values[i]!
    })
    return all
  }
  const parts = (results: readonly Tensor[]): [readonly Tensor[], readonly Tensor[]] => [
    results.slice(0, numOutData),
    results.slice(numOutData),
  ]
  const start = states.map((i) => inputs[i]!)
  switch (node.op!.name) {
    case '_foreach': {
      const slices = inDataLocs!.map((_, i) => i)
      const body = (xs: readonly Tensor[], vars: readonly Tensor[]) =>
        parts(run(0, replaced([...slices, ...states], [...xs, ...vars])))
      const [outs, last] = foreach<Tensor, readonly Tensor[], readonly Tensor[]>(
        body,
        slices.map((i) => inputs[i]!),
        start,
      )
      return [...(outs as readonly Tensor[]), ...last]
    }
    case '_while_loop': {
      const func = (...vars: Tensor[]) => parts(run(1, replaced(states, vars)))
      const [outs, last] = whileLoop(
        (...vars: Tensor[]) => run(0, replaced(states, vars))[0]!,
        func,
        start,
        { maxIterations },
      )
      // A loop that ends at once has results of the shapes that it would have had.
      const none = (): Tensor[] =>
        func(...start)[0].map((y) =>
          stack(...Array.from({ length: maxIterations }, () => zerosLike(y))),
        )
      return [...(outs.length < numOutData ? none() : outs), ...last]
    }
    default:
      return cond<Tensor, readonly Tensor[]>(
        run(0, inputs)[0]!,
        () => run(1, inputs),
        () => run(2, inputs),
      )
  }
}
