/** CachedOp: a function of arrays, traced once for each kind of input and run as compiled graphs. */

import { Cache } from '../base/cache.ts'
import { fail } from '../base/error.ts'
import { applyBound } from '../core/apply.ts'
import { type Aval, aval, sameAval } from '../core/aval.ts'
import { frame, withFrame } from '../core/frame.ts'
import { type Graph, placeholder, Sym } from '../core/graph.ts'
import { BoundOp, OpDef } from '../core/op.ts'
import { pullBack } from '../core/reverse.ts'
import { Tensor } from '../core/tensor.ts'
import { substitute, trace } from '../core/trace.ts'
import { free } from '../exec/array.ts'
import { blockGrad } from '../ops/cast.ts'
import { differentiate } from '../passes/differentiate.ts'
import { GraphView } from '../passes/view.ts'
import type { NDArray } from './ndarray.ts'

export type { GraphView } from '../passes/view.ts'

/** A value that a traced function reads besides its inputs, looked up anew at every call. */
export type Source = () => NDArray

/** What a function does on one kind of inputs. */
export interface Traced {
  /** Outputs: the results, then the values to store. */
  readonly graph: Graph
  /** The inputs into which the last outputs are put after every run. */
  readonly stored: readonly number[]
  /** Arrays that follow the inputs: parameters and captured arrays. */
  readonly sources: readonly Source[]
  /** Pairs of random key words that are drawn at every call. */
  readonly keys: number
  /** Whether the function gave an array of results or a single one. */
  readonly many: boolean
  readonly predict: BoundOp
  /** Operators that also keep what backward reads, by which inputs are followed. */
  readonly recording: Map<string, BoundOp>
}

/** Traced functions kept for one CachedOp. */
const limit = 32

/**
 * Answers for a function's parameters while it is traced: `place(key, source)` is the parameter's place in the graph.
 */
export type Placer = (key: object, source: Source) => Tensor

/** A function run as compiled graphs, one for each combination of shapes, dtypes, context and training mode. */
export class CachedOp {
  readonly #name: string
  readonly #body: (inputs: readonly (Tensor | null)[], place: Placer) => Tensor | readonly Tensor[]
  readonly #traced = new Cache<string, Traced>(limit)
  #evicted = 0
  #last: { readonly graph: Graph; readonly count: number } | null = null

  constructor(
    name: string,
    body: (inputs: readonly (Tensor | null)[], place: Placer) => Tensor | readonly Tensor[],
  ) {
    this.#name = name
    this.#body = body
  }

  /** Forgets all traces. */
  clear(): void {
    this.#traced.clear()
  }

  /** Runs the function on arrays. */
  call(inputs: readonly (NDArray | null)[]): Tensor | readonly Tensor[] {
    let traced = this.#trace(inputs)
    let arrays = [...inputs, ...traced.sources.map((source) => source())]
    if (!fits(traced.graph, arrays)) {
      // A parameter has changed its dtype or shape since the trace.
      this.clear()
      traced = this.#trace(inputs)
      arrays = [...inputs, ...traced.sources.map((source) => source())]
    }
    if (this.#last?.graph !== traced.graph)
      this.#last = { graph: traced.graph, count: inputs.length }
    const numbers: (number | Tensor)[] = []
    for (let i = 0; i < traced.keys; i++) numbers.push(...frame.keys())
    const results = applyBound(this.#operator(traced, arrays), arrays, numbers)
    const kept = traced.graph.outputs.length
    const count = kept - traced.stored.length
    // Of what is kept for backward only the tape is a holder.
    for (let i = kept; i < results.length; i++) free(results[i] as NDArray)
    traced.stored.forEach((input, i) => {
      frame.store(arrays[input]!, results[count + i]!)
    })
    return traced.many ? results.slice(0, count) : results[0]!
  }

  /** Shapes and dtypes of the inputs of the last call, null where one was missing; null before the first. */
  get lastInputs(): readonly (Aval | null)[] | null {
    if (this.#last === null) return null
    return this.#last.graph.inputs.slice(0, this.#last.count).map((s) => s?.aval ?? null)
  }

  /** The graph for these inputs, to look at; gradients are those of what `needs` marks and of what follows the inputs. */
  view(inputs: readonly (Aval | null)[], needs: readonly boolean[] = []): GraphView {
    const { graph } = this.#trace(inputs.map((a) => a && placeholder(a)))
    return new GraphView(
      graph,
      graph.inputs.map((_, i) => i >= inputs.length || needs[i] === true),
    )
  }

  #operator(traced: Traced, arrays: readonly (NDArray | null)[]): BoundOp {
    if (!frame.recording) return traced.predict
    const needs = arrays.map((x) => x !== null && x.node !== null)
    if (!needs.includes(true)) return traced.predict
    const key = needs.map(Number).join('')
    let op = traced.recording.get(key)
    if (op === undefined) {
      op = recordingOp(this.#name, traced.graph, needs)
      traced.recording.set(key, op)
    }
    return op
  }

  #trace(inputs: readonly (Tensor | null)[]): Traced {
    const kinds = inputs.map((x) => (x === null ? '-' : `${x.dtype}${x.shape.join()}`))
    const key = `${kinds.join('|')} ${frame.training} ${frame.context}`
    return this.#traced.get(
      key,
      () => traceFunction(this.#name, this.#body, inputs),
      () => this.#thrashes(),
    )
  }

  /** Says once that shapes change so much that compiling does not pay. */
  #thrashes(): void {
    if (++this.#evicted !== limit) return
    console.warn(
      `[${this.#name}] more than ${2 * limit} kinds of inputs so far: each new one is compiled; pad to fewer shapes, or hybridize(false)`,
    )
  }
}

function fits(graph: Graph, arrays: readonly (NDArray | null)[]): boolean {
  return arrays.every((x, i) => {
    const s = graph.inputs[i]
    return x === null ? s === null : s != null && sameAval(x.aval, s.aval)
  })
}

/** Traces a function on the kinds of some inputs. */
export function traceFunction(
  name: string,
  body: (inputs: readonly (Tensor | null)[], place: Placer) => Tensor | readonly Tensor[],
  inputs: readonly (Tensor | null)[],
): Traced {
  const places = new Map<object, Sym>()
  const sources: Source[] = []
  const extra: Sym[] = []
  const numbers: Sym[] = []
  let many = false
  const place: Placer = (key, source) => {
    let sym = places.get(key)
    if (sym === undefined) {
      // The array is read outside of the trace; a parameter without a shape yet says so here.
      sym = placeholder(withFrame({ tracing: false, recording: false }, source).aval)
      places.set(key, sym)
      sources.push(source)
      extra.push(sym)
    }
    return sym
  }
  const draw = frame.keys
  const number = (): Sym => {
    const sym = placeholder(aval([], 'float64', true))
    numbers.push(sym)
    return sym
  }
  const stores = new Map<Tensor, Tensor>()
  const change = {
    recording: false,
    store: (target: Tensor, value: Tensor) => {
      stores.set(target instanceof Sym ? target : place(target, () => target as NDArray), value)
    },
    keys: () => (frame.tracing ? ([number(), number()] as const) : draw()),
    capture: (array: Tensor) => place(array, () => array as NDArray),
  }
  let stored: number[] = []
  const graph = withFrame(change, () =>
    trace(
      inputs.map((x) => x?.aval ?? null),
      [],
      (xs) => {
        const result = body(xs, place)
        many = Array.isArray(result)
        const list = (many ? result : [result]) as readonly unknown[]
        const results = list.map((t) => {
          if (!(t instanceof Tensor))
            fail(name, `forward returned ${String(t)} while being traced: it must return arrays`)
          return 'storage' in t ? place(t, () => t as NDArray) : t
        })
        const all: readonly unknown[] = [...xs, ...extra]
        stored = [...stores.keys()].map((target) => {
          const at = all.indexOf(target)
          return at >= 0 ? at : fail(name, 'a value that is only computed cannot be stored into')
        })
        return [...results, ...[...stores.values()].map((value) => blockGrad(value))]
      },
    ),
  )
  const whole: Graph = {
    inputs: [...graph.inputs, ...extra],
    params: numbers,
    outputs: graph.outputs,
  }
  return {
    graph: whole,
    stored,
    sources,
    keys: numbers.length / 2,
    many,
    predict: graphOp(name, whole),
    recording: new Map(),
  }
}

/** A graph as an operator of its own. */
export function graphOp(name: string, graph: Graph): BoundOp {
  const op = new OpDef({
    name,
    inputs: ['...values?'],
    numbers: graph.params.length,
    body: (values, _attrs, scalars) => substitute(graph, values, scalars).outputs,
  })
  return new BoundOp(op, {}, '')
}

/** The operator that runs the forward half and whose gradient runs the backward half. */
function recordingOp(name: string, graph: Graph, needs: readonly boolean[]): BoundOp {
  const { forward, backward, targets } = differentiate(graph, needs)
  const count = graph.outputs.length
  const op = new OpDef({
    name,
    inputs: ['...values?'],
    numbers: graph.params.length,
    body: (values, _attrs, scalars) => substitute(forward, values, scalars).outputs,
    results: count,
    grad: ({ inputs, outputs, dys, scalars }) => {
      if (dys.length > count) return pullBack(substitute(forward, inputs, scalars), dys, needs)
      const grads = substitute(
        backward,
        [...inputs, ...outputs.slice(count), ...dys],
        scalars,
      ).outputs
      return inputs.map((_, i) => grads[targets.indexOf(i)] ?? null)
    },
  })
  return new BoundOp(op, {}, '')
}
