/** Automatic differentiation: what is recorded, and the reverse sweep over it. */

import { fail } from '../base/error.ts'
import { formatShape, sameShape } from '../base/shape.ts'
import { frame, withFrame } from '../core/frame.ts'
import { Node } from '../core/graph.ts'
import { reverse } from '../core/reverse.ts'
import type { Tensor } from '../core/tensor.ts'
import { free } from '../exec/array.ts'
import { releaseTapeNode, type TapeNode } from '../exec/eager.ts'
import { type GradReq, NDArray, replaceData } from '../ndarray/ndarray.ts'
import { add } from '../ops/binary.ts'
import { onesOf, zerosOf } from '../ops/creation.ts'

/** A variable: where gradients end. */
class Leaf {
  readonly grad: NDArray
  readonly gradReq: GradReq
  /** Whether backward has written `grad` since somebody last asked. */
  fresh = false
  /** Who wants to know when backward has written `grad`. */
  listener: (() => void) | null = null

  constructor(grad: NDArray, gradReq: GradReq) {
    this.grad = grad
    this.gradReq = gradReq
  }
}

/** A scope that ends when it is disposed of: `using _ = autograd.record()`. */
export interface Scope {
  [Symbol.dispose](): void
}

type Flags = { recording?: boolean; training?: boolean }
/** A body must be synchronous: flags must not leak over an await. */
type Sync<R> = R extends PromiseLike<unknown> ? never : R

function scoped<R>(where: string, flags: Flags, body: (() => Sync<R>) | undefined): R | Scope {
  if (body === undefined) {
    const before = { recording: frame.recording, training: frame.training }
    Object.assign(frame, flags)
    return { [Symbol.dispose]: () => void Object.assign(frame, before) }
  }
  return withFrame(flags, () => {
    const value = body() as R
    if (typeof (value as { then?: unknown } | null)?.then === 'function') {
      fail(
        where,
        'the body returned a promise: what is awaited inside would run outside the scope; make the body synchronous',
      )
    }
    return value
  })
}

/** Options of `record` and `pause`. */
export interface RecordOptions {
  /** Whether layers such as Dropout behave as in training (record: true, pause: false). */
  readonly trainMode?: boolean
}

/**
 * Runs a body whose operations on followed arrays are recorded for `backward`; returns the body's value.
 *
 * Without a body it returns a scope for `using`.
 * @throws MXNetError when the body returns a promise.
 * @example
 * const loss = autograd.record(() => x.mul(x).sum())
 * @see MXNet `mx.autograd.record`
 */
export function record<R>(body: () => Sync<R>, options?: RecordOptions): R
export function record(options?: RecordOptions): Scope
export function record<R>(
  body?: (() => Sync<R>) | RecordOptions,
  options?: RecordOptions,
): R | Scope {
  const [f, o] = typeof body === 'function' ? [body, options] : [undefined, body]
  return scoped('record', { recording: true, training: o?.trainMode ?? true }, f)
}

/**
 * Runs a body that is not recorded, in predict mode unless `trainMode` is set.
 *
 * @throws MXNetError when the body returns a promise.
 * @example
 * autograd.pause(() => net(x))
 * @see MXNet `mx.autograd.pause`
 */
export function pause<R>(body: () => Sync<R>, options?: RecordOptions): R
export function pause(options?: RecordOptions): Scope
export function pause<R>(
  body?: (() => Sync<R>) | RecordOptions,
  options?: RecordOptions,
): R | Scope {
  const [f, o] = typeof body === 'function' ? [body, options] : [undefined, body]
  return scoped('pause', { recording: false, training: o?.trainMode ?? false }, f)
}

/** Runs a body in training mode; recording stays as it is. @see MXNet `mx.autograd.train_mode` */
export function trainMode<R>(body: () => Sync<R>): R
export function trainMode(): Scope
export function trainMode<R>(body?: () => Sync<R>): R | Scope {
  return scoped('trainMode', { training: true }, body)
}

/** Runs a body in predict mode; recording stays as it is. @see MXNet `mx.autograd.predict_mode` */
export function predictMode<R>(body: () => Sync<R>): R
export function predictMode(): Scope
export function predictMode<R>(body?: () => Sync<R>): R | Scope {
  return scoped('predictMode', { training: false }, body)
}

/**
 * Switches recording on or off for all that follows; returns what was in force. Scopes (`record`, `pause`) are safer.
 * @see MXNet `mx.autograd.set_recording`
 */
export function setRecording(isRecord: boolean): boolean {
  const before = frame.recording
  frame.recording = isRecord
  return before
}

/**
 * Switches training mode on or off for all that follows; returns what was in force. Scopes (`trainMode`) are safer.
 * @see MXNet `mx.autograd.set_training`
 */
export function setTraining(train: boolean): boolean {
  const before = frame.training
  frame.training = train
  return before
}

/** Whether operations are being recorded. */
export const isRecording = (): boolean => frame.recording
/** Whether layers behave as in training. */
export const isTraining = (): boolean => frame.training

/** Whether gradients end at a node. */
export const isLeaf = (node: Node): boolean => node.extra instanceof Leaf

/** Marks an array as a variable with a gradient buffer; earlier history of the array is dropped. */
export function attachGrad(array: NDArray, gradReq: GradReq = 'write'): void {
  if (!['write', 'add', 'null'].includes(gradReq))
    fail('attachGrad', `gradReq '${String(gradReq)}' must be 'write', 'add' or 'null'`)
  if (gradReq === 'null') {
    array.grad = null
    array.node = null
    return
  }
  const grad = withFrame({ context: array.context }, () =>
    zerosOf(array.shape, array.dtype),
  ) as NDArray
  markVariables([array], [grad], gradReq)
}

/** Gives arrays their gradient buffers. @see MXNet `mx.autograd.mark_variables` */
export function markVariables(
  variables: readonly NDArray[],
  gradients: readonly NDArray[],
  gradReqs: GradReq | readonly GradReq[] = 'write',
): void {
  if (variables.length !== gradients.length) {
    fail(
      'markVariables',
      `${variables.length} variables and ${gradients.length} gradients given: as many are needed`,
    )
  }
  variables.forEach((x, i) => {
    const node = new Node(null, [], [], [x.aval])
    node.home = x.context
    node.extra = new Leaf(gradients[i]!, typeof gradReqs === 'string' ? gradReqs : gradReqs[i]!)
    x.node = node
    x.index = 0
    x.grad = gradients[i]!
  })
}

/** Whether backward has written an array's gradient since the last call with `clear`. */
export function gradIsFresh(array: NDArray, clear = false): boolean {
  const leaf = array.node?.extra
  if (!(leaf instanceof Leaf)) return false
  const { fresh } = leaf
  if (clear) leaf.fresh = false
  return fresh
}

/**
 * Calls a function each time backward has written an array's gradient, while the gradients of earlier layers are still to
 * come. An array has one listener.
 */
export function onGradient(array: NDArray, listener: () => void): void {
  const leaf = array.node?.extra
  if (leaf instanceof Leaf) leaf.listener = listener
}

/** Options of `backward`. */
export interface BackwardOptions {
  /** Keeps the recorded graph for another backward. */
  readonly retainGraph?: boolean
  /** Whether the backward pass runs in training mode (true). */
  readonly trainMode?: boolean
}

/** One array, or a list of them, as a list. */
function listOf<T extends NDArray | null>(
  where: string,
  what: string,
  given: NDArray | readonly T[],
): readonly (NDArray | T)[] {
  if (given instanceof NDArray) return [given]
  const fits =
    Array.isArray(given) &&
    given.every((x) => x === null || x === undefined || x instanceof NDArray)
  if (!fits) fail(where, `${what} ${String(given)} must be an NDArray or a list of them`)
  return given as readonly T[]
}

function headGradients(
  where: string,
  heads: readonly NDArray[],
  given: readonly (NDArray | null | undefined)[],
): NDArray[] {
  return heads.map((h, i) => {
    if (!(h instanceof NDArray)) fail(where, `head ${i} is ${String(h)}: it must be an NDArray`)
    if (h.node === null) {
      fail(
        where,
        'the array is not part of a recorded computation: compute it from arrays with attachGrad() inside autograd.record',
      )
    }
    const g = given[i]
    if (!g)
      return withFrame({ context: h.context, recording: false }, () =>
        onesOf(h.shape, h.dtype),
      ) as NDArray
    if (!sameShape(g.shape, h.shape)) {
      fail(
        where,
        `the head gradient has shape ${formatShape(g.shape)}, the array ${formatShape(h.shape)}: they must be the same`,
      )
    }
    return g
  })
}

/** The nodes behind heads; a released one cannot be swept again. */
export function history(where: string, heads: readonly Tensor[]): Set<Node> {
  const seen = new Set<Node>()
  const stack = heads.flatMap((h) => (h.node ? [h.node] : []))
  while (stack.length > 0) {
    const node = stack.pop()!
    if (seen.has(node)) continue
    seen.add(node)
    if ((node.extra as TapeNode | null)?.released) {
      fail(
        where,
        'the recorded computation has been released by an earlier backward: pass { retainGraph: true } to that one',
      )
    }
    for (const t of node.inputs) if (t?.node) stack.push(t.node)
  }
  return seen
}

/** How the sweep reads an output that the tape has kept. */
export const savedOutput = (node: Node, index: number): Tensor =>
  (node.extra as TapeNode).outputs[index] ??
  fail('backward', 'an output that the gradient needs was not kept')

/**
 * Computes the gradients of heads with respect to all variables behind them, into their `grad`.
 *
 * Head gradients are ones unless given. The graph is released afterwards unless `retainGraph` is set.
 * @throws MXNetError when a head is not recorded, or its graph has been released.
 * @example
 * autograd.backward([loss])
 * @see MXNet `mx.autograd.backward`
 */
export function backward(
  heads: NDArray | readonly NDArray[],
  headGrads?: NDArray | readonly (NDArray | null)[] | null,
  options: BackwardOptions = {},
): void {
  const list = listOf('backward', 'heads', heads)
  const given = listOf('backward', 'headGrads', headGrads ?? [])
  const grads = headGradients('backward', list, given)
  const nodes = history('backward', list)
  const leaves = [...nodes].filter((n) => n.extra instanceof Leaf)
  frame.calls++
  withFrame({ recording: false, training: options.trainMode ?? true, counted: true }, () => {
    const write = (node: Node, sums?: readonly (Tensor | undefined)[]): void =>
      store(node.extra as Leaf, sums?.[0] as NDArray | undefined, grads)
    // Whoever listens hears of a gradient at once; all others are written when the sweep is through.
    const early = leaves.some((node) => (node.extra as Leaf).listener !== null)
    const spent = (t: Tensor): void => free(t as NDArray)
    const sums = reverse(
      list,
      grads,
      new Set(leaves),
      savedOutput,
      spent,
      early ? write : undefined,
    )
    for (const node of leaves) if (!early || !sums.has(node)) write(node, sums.get(node))
    grads.forEach((g, i) => {
      if (given[i] !== g) free(g)
    })
  })
  if (!options.retainGraph)
    for (const node of nodes) if (!(node.extra instanceof Leaf)) releaseTapeNode(node)
}

function store(leaf: Leaf, value: NDArray | undefined, heads: readonly NDArray[]): void {
  const { grad, gradReq } = leaf
  leaf.fresh = true
  if (value === undefined) {
    if (gradReq === 'write') grad.assign(0)
  } else if (gradReq === 'add') {
    replaceData(grad, add(grad, value))
  } else if (heads.includes(value) || value.storage.shares > 1 || !value.layout.dense) {
    grad.assign(value)
  } else {
    replaceData(grad, value)
  }
  leaf.listener?.()
}

/** Options of `grad`. */
export interface GradOptions {
  readonly headGrads?: NDArray | readonly (NDArray | null)[] | null
  /** Keeps the recorded graph; as `createGraph` by default. */
  readonly retainGraph?: boolean
  /** Records the gradient computation itself, for higher orders. */
  readonly createGraph?: boolean
  readonly trainMode?: boolean
}

/**
 * The gradients of heads with respect to variables, as new arrays; `grad` fields stay as they are.
 *
 * @throws MXNetError when a head is not recorded, or a variable has no gradient attached or is not behind the heads.
 * @example
 * const [g] = autograd.grad(y, [x], { createGraph: true })
 * @see MXNet `mx.autograd.grad`
 */
export function grad(
  heads: NDArray | readonly NDArray[],
  variables: NDArray | readonly NDArray[],
  options: GradOptions = {},
): NDArray[] {
  const list = listOf('grad', 'heads', heads)
  const wanted = listOf('grad', 'variables', variables)
  const { headGrads, createGraph = false, retainGraph = createGraph } = options
  const grads = headGradients('grad', list, listOf('grad', 'headGrads', headGrads ?? []))
  const nodes = history('grad', list)
  wanted.forEach((x, i) => {
    if (x.node === null || !nodes.has(x.node)) {
      fail(
        'grad',
        `variable ${i} is not behind the heads: call attachGrad() on it before recording`,
      )
    }
  })
  const results = withFrame({ recording: createGraph, training: options.trainMode ?? true }, () => {
    const sums = reverse(list, grads, new Set(wanted.map((x) => x.node!)), savedOutput)
    return wanted.map((x) => {
      const g = sums.get(x.node!)?.[x.index] as NDArray | undefined
      return g ?? (withFrame({ context: x.context }, () => zerosOf(x.shape, x.dtype)) as NDArray)
    })
  })
  if (!retainGraph)
    for (const node of nodes) if (!(node.extra instanceof Leaf)) releaseTapeNode(node)
  return results
}

declare module '../ndarray/ndarray.ts' {
  interface NDArray {
    /** Gives the array a gradient, which `backward` writes ('write'), adds to ('add') or leaves alone ('null'). */
    attachGrad(gradReq?: GradReq): void
    /** Computes the gradients of this array with respect to all variables behind it. */
    backward(headGrad?: NDArray | null, options?: BackwardOptions): void
  }
}

NDArray.prototype.attachGrad = function (gradReq) {
  attachGrad(this, gradReq)
}
NDArray.prototype.backward = function (headGrad, options) {
  backward(this, headGrad, options)
}
