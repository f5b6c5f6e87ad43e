/** Composing loops and branches: what their functions make of variables becomes graphs inside of one node. */

import { fail } from '../base/error.ts'
import { type Flow, frame, type Parts, withFrame } from '../core/frame.ts'
import type { Tensor } from '../core/tensor.ts'
import { identity } from '../ops/cast.ts'
import { makeVariable } from './compose.ts'
import { checkFlow, operatorOf } from './flow.ts'
import { namesOf } from './listing.ts'
import { AttrScope, annotations, nextName } from './names.ts'
import { type Entry, nodesOf, replaceEntries, SymbolNode } from './node.ts'
import { Symbolic } from './symbol.ts'
import { parseAttrs } from './wire.ts'

const mark = '__subgraph_name__'
const counters = new Map<string, number>()

/** The name of a graph inside of a node: those of nested loops begin with the name of the loop around. */
function graphName(kind: string): string {
  const outer = annotations(kind).get(mark)
  const name = outer === undefined ? kind : `${outer}$${kind}`
  const n = counters.get(name) ?? 0
  counters.set(name, n + 1)
  return name + n
}

const entryOf = (where: string, x: Tensor): Entry =>
  x instanceof Symbolic && x.length === 1
    ? x.entries[0]!
    : fail(where, `${String(x)} is among symbols: it must be a symbol of one output`)

/** The name of the variable that stands for a symbol in a graph. */
const inside = ({ node, index }: Entry): string => `${node.name}-${index}`

/** A graph of its own, and what each of its variables stands for outside. */
interface Graph {
  readonly heads: readonly Entry[]
  readonly variables: readonly SymbolNode[]
  readonly outside: readonly Entry[]
}

/**
 * The graph that `body` makes of variables for `given`. What it reads from around it becomes a variable too, and
 * results that are no nodes of it are copied.
 */
function graphOf(
  kind: string,
  given: readonly Entry[],
  body: (vars: readonly Symbolic[]) => readonly Tensor[],
): Graph {
  const name = graphName(kind)
  return new AttrScope({ [mark]: name }).use(() => {
    const stands = new Map<SymbolNode, Entry>()
    const variableFor = (label: string, entry: Entry, attrs: Map<string, string>): Entry => {
      const made = makeVariable(label, attrs).entries[0]!
      stands.set(made.node, entry)
      return made
    }
    const vars = given.map(
      (entry) => new Symbolic([variableFor(inside(entry), entry, annotations(kind))]),
    )
    const results = withFrame({ composing: true }, () => body(vars))
    const within = (node: SymbolNode): boolean => node.attrs.get(mark) === name
    const taken = new Set<SymbolNode>()
    const ends = results.map((x) => {
      const entry = entryOf(kind, x)
      const plain = entry.node.op !== null && within(entry.node) && !taken.has(entry.node)
      taken.add(entry.node)
      return plain ? entry : entryOf(kind, identity(x))
    })
    const cut = new Map<SymbolNode, Entry[]>()
    const heads = replaceEntries(
      ends,
      (entry) => {
        if (within(entry.node)) return null
        const list = cut.get(entry.node) ?? []
        cut.set(entry.node, list)
        list[entry.index] ??= variableFor(namesOf(entry.node)[entry.index]!, entry, new Map())
        return list[entry.index]!
      },
      (node) => !within(node),
    )
    const variables = nodesOf(heads).filter((node) => node.op === null)
    // Variables that the body made are the same outside.
    const outside = variables.map((v) => stands.get(v) ?? { node: v, index: 0, version: 0 })
    return { heads, variables, outside }
  })
}

const listText = (numbers: readonly number[]): string => `[${numbers.join(', ')}]`

/** The outputs of a node that runs graphs. */
function outputsOf(
  name: string,
  graphs: readonly Graph[],
  inputs: readonly Entry[],
  attrs: { readonly [key: string]: number | readonly number[] },
): Symbolic[] {
  const op = operatorOf(name)!
  const texts = annotations(name)
  const all = { ...attrs, num_args: graphs.length + inputs.length }
  for (const [key, value] of Object.entries(all))
    texts.set(key, typeof value === 'number' ? String(value) : listText(value))
  const values = parseAttrs(name, op, texts)
  const heads = graphs.map((graph) => graph.heads)
  const node = new SymbolNode(op, nextName(null, name), texts, values, inputs, heads)
  checkFlow(name, node)
  return Array.from(
    { length: attrs.num_outputs as number },
    (_, index) => new Symbolic([{ node, index, version: 0 }]),
  )
}

/** Inputs of several graphs together, and which of them each graph reads. */
function union(graphs: readonly Graph[]): {
  readonly inputs: Entry[]
  readonly places: number[][]
} {
  const inputs: Entry[] = []
  const places = graphs.map(({ outside }) =>
    outside.map((entry) => {
      const at = inputs.findIndex((e) => e.node === entry.node && e.index === entry.index)
      return at >= 0 ? at : inputs.push(entry) - 1
    }),
  )
  return { inputs, places }
}

/** Where the variables of some inputs stand in a graph; every input must be read. */
function variablesOf(where: string, graph: Graph, given: readonly Entry[]): number[] {
  return given.map((entry) => {
    const at = graph.variables.findIndex((v) => v.name === inside(entry))
    return at >= 0 ? at : fail(where, `${entry.node.name} is not read by the body: it must be`)
  })
}

const entriesOf = (where: string, xs: readonly Tensor[]): Entry[] =>
  xs.map((x) => entryOf(where, x))

const flow: Flow = {
  foreach(body, data, states) {
    const [slices, start] = [entriesOf('foreach', data), entriesOf('foreach', states)]
    let made: Parts = [[], []]
    const graph = graphOf('foreach', [...slices, ...start], (vars) => {
      made = body(vars.slice(0, slices.length), vars.slice(slices.length))
      return made.flat()
    })
    const dataLocs = variablesOf('foreach', graph, slices)
    const stateLocs = variablesOf('foreach', graph, start)
    const rest = graph.variables.flatMap((_, i) =>
      dataLocs.includes(i) || stateLocs.includes(i) ? [] : [i],
    )
    const results = outputsOf(
      '_foreach',
      [graph],
      [...slices, ...start, ...rest.map((i) => graph.outside[i]!)],
      {
        num_outputs: graph.heads.length,
        num_out_data: made[0].length,
        in_state_locs: stateLocs,
        in_data_locs: dataLocs,
        remain_locs: rest,
      },
    )
    return [results.slice(0, made[0].length), results.slice(made[0].length)]
  },

  whileLoop(cond, func, vars, maxIterations) {
    const start = entriesOf('while_loop', vars)
    let made: Parts = [[], []]
    const graphs = [
      graphOf('while_loop_cond', start, (given) => [cond(given)]),
      graphOf('while_loop_func', start, (given) => {
        made = func(given)
        return made.flat()
      }),
    ]
    const { inputs, places } = union(graphs)
    const results = outputsOf('_while_loop', graphs, inputs, {
      max_iterations: maxIterations,
      cond_input_locs: places[0]!,
      func_input_locs: places[1]!,
      func_var_locs: variablesOf('while_loop', graphs[1]!, start),
      num_out_data: made[0].length,
      num_outputs: graphs[1]!.heads.length,
    })
    return [results.slice(0, made[0].length), results.slice(made[0].length)]
  },

  cond(pred, then, otherwise) {
    const graphs = [
      graphOf('cond_pred', [], () => [pred]),
      graphOf('cond_then', [], then),
      graphOf('cond_else', [], otherwise),
    ]
    const [, yes, no] = graphs.map((graph) => graph.heads.length)
    if (yes !== no) fail('cond', `the branches give ${yes} and ${no} results`)
    const { inputs, places } = union(graphs)
    return outputsOf('_cond', graphs, inputs, {
      cond_input_locs: places[0]!,
      then_input_locs: places[1]!,
      else_input_locs: places[2]!,
      num_outputs: yes!,
    })
  },
}

frame.flow = flow
