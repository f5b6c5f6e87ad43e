/** What is in force right now: tracing, recording, training, the interpreter, the context. */

import { type Context, cpu } from '../base/context.ts'
import { fail } from '../base/error.ts'
import type { BoundOp, OpDef } from './op.ts'
import type { Tensor } from './tensor.ts'

/** Runs an operator on arrays. */
export type Interpreter = (
  bound: BoundOp,
  inputs: readonly (Tensor | null)[],
  scalars: readonly number[],
  /** Arrays to write the results into, instead of new ones (null: a new one). */
  targets?: readonly (Tensor | null)[],
) => readonly Tensor[]

/** Makes symbols of an operator's results, in place of computing. */
export type Composer = (
  op: OpDef,
  inputs: readonly (Tensor | null | undefined)[],
  attrs: { readonly [name: string]: unknown } | undefined,
) => readonly Tensor[]

/** Loops and branches on symbols: graphs of their own inside of a node. */
export interface Flow {
  foreach(
    body: (data: readonly Tensor[], states: readonly Tensor[]) => Parts,
    data: readonly Tensor[],
    states: readonly Tensor[],
  ): Parts
  whileLoop(
    cond: (vars: readonly Tensor[]) => Tensor,
    func: (vars: readonly Tensor[]) => Parts,
    vars: readonly Tensor[],
    maxIterations: number,
  ): Parts
  cond(
    pred: Tensor,
    then: () => readonly Tensor[],
    otherwise: () => readonly Tensor[],
  ): readonly Tensor[]
}

/** What a round of a loop gives: its outputs, and the states of the next one. */
export type Parts = readonly [outputs: readonly Tensor[], states: readonly Tensor[]]

/** Two 32-bit key words for one random operator; places in the graph while a function is traced. */
export type KeySource = () => readonly [number | Tensor, number | Tensor]

/** The state that operators read; scopes set it and put it back. One object for the whole program. */
export interface Frame {
  /** Operators build a graph instead of computing. */
  tracing: boolean
  /** Operators on arrays that autograd follows leave nodes on the tape. */
  recording: boolean
  /** Layers such as Dropout behave as in training. */
  training: boolean
  /** Where arrays are made when nothing else is said. */
  context: Context
  eager: Interpreter
  /** Operators make symbols, also those without inputs. */
  composing: boolean
  compose: Composer
  /** Makes nodes of loops and branches on symbols; null until symbols are there. */
  flow: Flow | null
  keys: KeySource
  /** While tracing: gives an array with data that the function refers to a place among the graph's inputs. */
  capture: ((array: Tensor) => Tensor) | null
  /** Takes calls that write into arrays instead of running them; how a fused step learns the updates. */
  intercept: ((call: WritingCall) => void) | null
  /**
   * Puts a value into an array that an operator keeps up to date, such as a running mean: at once, or, for a traced
   * function, after every run of the graph.
   */
  store: (target: Tensor, value: Tensor) => void
  probe: Probe | null
  /** The operator that runs, or ran last, on arrays. */
  operator: string
  /** Counts what asks for work on arrays: all work of one call comes from one line of the program. */
  calls: number
  /** Whether the operators that run belong to a call that has been counted: to a backward. */
  counted: boolean
  /** Names of the layers whose `forward` is running, the outermost first. */
  readonly layers: string[]
}

/** Where something happened: the layers around it and the caller's line, ` (in net0.dense1, at main.ts:3:7)`. */
export function place(layers: readonly string[], site: string): string {
  const parts = [
    ...(layers.length > 0 ? [`in ${layers.join('.')}`] : []),
    ...(site === '' ? [] : [`at ${site}`]),
  ]
  return parts.length > 0 ? ` (${parts.join(', ')})` : ''
}

/** Told what has run, and when (milliseconds of `performance.now`), while a profiler listens. */
export type Probe = (
  kind: 'layer' | 'operator' | 'kernel',
  name: string,
  start: number,
  end: number,
) => void

/** A call of an operator that writes its results into arrays. */
export interface WritingCall {
  readonly bound: BoundOp
  readonly inputs: readonly (Tensor | null)[]
  readonly scalars: readonly (number | Tensor)[]
  readonly targets: readonly Tensor[]
}

/** The frame in force. */
export const frame: Frame = {
  tracing: false,
  recording: false,
  training: false,
  context: cpu(),
  eager: () => fail('core', 'no backend is installed: import mxnet-ts, not its inner files'),
  composing: false,
  compose: () => fail('core', 'no composer of symbols is installed'),
  flow: null,
  keys: () => fail('core', 'no random stream is installed'),
  capture: null,
  intercept: null,
  store: () => {},
  probe: null,
  operator: 'engine',
  calls: 0,
  counted: false,
  layers: [],
}

/** Runs `body` with some of the frame changed, and puts it back whatever happens. */
export function withFrame<R>(change: Partial<Frame>, body: () => R): R {
  const before: Partial<Frame> = {}
  for (const key in change) Object.assign(before, { [key]: frame[key as keyof Frame] })
  Object.assign(frame, change)
  try {
    return body()
  } finally {
    Object.assign(frame, before)
  }
}
