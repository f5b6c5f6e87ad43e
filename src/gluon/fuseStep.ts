/** fuseStep: a whole training step — forward, backward, update — as one compiled graph. */

import { Cache } from '../base/cache.ts'
import { DeferredInitializationError, fail } from '../base/error.ts'
import { applyBound } from '../core/apply.ts'
import { aval } from '../core/aval.ts'
import { frame, type WritingCall, withFrame } from '../core/frame.ts'
import { type Graph, placeholder, type Sym } from '../core/graph.ts'
import type { BoundOp } from '../core/op.ts'
import { pullBack } from '../core/reverse.ts'
import type { Tensor } from '../core/tensor.ts'
import { trace } from '../core/trace.ts'
import { graphOp, type Traced, traceFunction } from '../ndarray/cachedOp.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { onesLike } from '../ops/cast.ts'
import type { HybridBlock } from './block.ts'
import { withParameterSource } from './parameter.ts'
import type { Trainer } from './trainer.ts'

/** A fused step: computes the loss of a batch, updates the parameters, and gives the loss of each sample. */
export type FusedStep = (data: NDArray, label: NDArray, batchSize?: number) => NDArray

/** One compiled step and the arrays it reads besides the batch. */
interface Compiled {
  readonly op: BoundOp
  readonly traced: Traced
  /** Optimizer states, in the order of their places after the traced function's own inputs. */
  readonly states: readonly NDArray[]
}

/** Steps kept for different shapes of batches. */
const limit = 16

/**
 * Joins a network, its loss and its trainer into one function that runs a whole training step as one compiled graph.
 *
 * The results are those of `record`, `backward` and `trainer.step(batchSize)`; gradients stay inside the graph, so
 * `grad` fields are not written. The batch size is the first size of the data unless it is given.
 * @throws MXNetError for an optimizer that does not update by operators, several contexts, or `gradReq` 'add'.
 * @example
 * const step = gluon.fuseStep(net, loss, trainer)
 * for await (const [data, label] of loader) total += await step(data, label).sum().asScalar()
 */
export function fuseStep(net: HybridBlock, loss: HybridBlock, trainer: Trainer): FusedStep {
  const compiled = new Cache<string, Compiled>(limit)
  let ready = false
  return (data, label, batchSize = data.shape[0]) => {
    if (batchSize === undefined) fail('fuseStep', 'data is a scalar: give the batch size')
    return withFrame({ context: data.context, recording: false, training: true }, () => {
      if (!ready) finishShapes(net, data)
      ready = true
      const calls = trainer.plannedUpdates(batchSize)
      const kinds = [data, label].map((x) => `${x.dtype}${x.shape.join()}`)
      const key = `${kinds.join('|')} ${data.context} ${calls.map(describe).join(' ')}`
      const step = compiled.get(key, () => compile(net, loss, [data, label], calls))
      return run(step, [data, label], calls)
    })
  }
}

/** Runs the network once where a parameter still waits for the first input to tell its shape. */
function finishShapes(net: HybridBlock, data: NDArray): void {
  try {
    for (const parameter of net.collectParams().values()) parameter.data()
  } catch (e) {
    if (!(e instanceof DeferredInitializationError)) throw e
    withFrame({ training: false }, () => net(data))
  }
}

/** What of the updates is part of the graph: operators and arrays, not their numbers. */
const describe = ({ bound, inputs }: WritingCall): string =>
  `${bound.op.name}${bound.key}(${inputs.map((t) => `${t?.dtype}${t?.shape.join()}`).join(';')})`

function run(
  { op, traced, states }: Compiled,
  batch: readonly NDArray[],
  calls: readonly WritingCall[],
): NDArray {
  const arrays = [...batch, ...traced.sources.map((source) => source()), ...states]
  const numbers: (number | Tensor)[] = []
  for (let i = 0; i < traced.keys; i++) numbers.push(...frame.keys())
  for (const call of calls) numbers.push(...call.scalars)
  const kept = traced.stored.map((input) => arrays[input]!)
  const targets = [null, ...calls.flatMap((call) => call.targets), ...kept]
  return applyBound(op, arrays, numbers, targets)[0] as NDArray
}

function compile(
  net: HybridBlock,
  loss: HybridBlock,
  batch: readonly NDArray[],
  calls: readonly WritingCall[],
): Compiled {
  if (calls.length === 0)
    fail(
      'fuseStep',
      'the optimizer updates nothing by operators: use one of mx.optimizer, or override updateAll with update operators',
    )
  const traced = traceFunction(
    'fuseStep',
    ([x, y], place) =>
      withParameterSource(
        (parameter) => place(parameter, () => parameter.data()),
        () => loss(net(x!), y!),
      ),
    batch,
  )
  const { graph } = traced
  const places = new Map<Tensor, Sym>()
  traced.sources.forEach((source, i) => places.set(source(), graph.inputs[batch.length + i]!))
  const weights = new Map<Tensor, NDArray>()
  for (const { targets } of calls) {
    for (const t of targets as readonly NDArray[]) if (t.grad) weights.set(t.grad, t)
  }
  const states: NDArray[] = []
  const statePlaces: Sym[] = []
  const numbers: Sym[] = []
  const traceUpdates = (): Tensor[] => {
    const wanted = new Set([...weights.values()].map((w) => places.get(w)))
    const loss = { ...graph, outputs: graph.outputs.slice(0, 1) }
    const ones = loss.outputs.map((s) => onesLike(s))
    const grads = pullBack(
      loss,
      ones,
      graph.inputs.map((s) => s !== null && wanted.has(s)),
    )
    const placeOf = (t: Tensor | null): Tensor | null => {
      if (t === null) return null
      const weight = weights.get(t)
      if (weight !== undefined) return gradientOf(weight, graph, places, grads)
      let sym = places.get(t)
      if (sym === undefined) {
        sym = placeholder(t.aval)
        places.set(t, sym)
        states.push(t as NDArray)
        statePlaces.push(sym)
      }
      return sym
    }
    return calls.flatMap(({ bound, inputs, scalars }) => {
      const nums = scalars.map(() => placeholder(aval([], 'float64', true)))
      numbers.push(...nums)
      return applyBound(bound, inputs.map(placeOf), nums)
    })
  }
  const updated = trace([], [], traceUpdates).outputs
  const whole: Graph = {
    inputs: [...graph.inputs, ...statePlaces],
    params: [...graph.params, ...numbers],
    outputs: [graph.outputs[0]!, ...updated, ...graph.outputs.slice(1)],
  }
  return { op: graphOp('fuseStep', whole), traced, states }
}

function gradientOf(
  weight: NDArray,
  graph: Graph,
  places: ReadonlyMap<Tensor, Sym>,
  grads: readonly (Tensor | null)[],
): Tensor {
  const place = places.get(weight)
  const grad = place === undefined ? null : grads[graph.inputs.indexOf(place)]
  return (
    grad ??
    fail(
      'fuseStep',
      'a parameter of the trainer does not take part in the loss: train only those that do',
    )
  )
}
