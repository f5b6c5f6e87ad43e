/** Recurrent layers that run a whole sequence: RNN, LSTM and GRU. */

import { invoke } from '../../base/callable.ts'
import { checkDType, type DType } from '../../base/dtype.ts'
import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import { withFrame } from '../../core/frame.ts'
import { byName } from '../../core/given.ts'
import { type Tensor, Unbound } from '../../core/tensor.ts'
import type { InitLike } from '../../initializer/initializer.ts'
import { zeros } from '../../ndarray/creation.ts'
import type { NDArray } from '../../ndarray/ndarray.ts'
import { zerosOf } from '../../ops/creation.ts'
import { gatesOf, type Mode } from '../../ops/recurrence.ts'
import { rnnOf, type Weights } from '../../ops/rnn.ts'
import { zeros as symbolZeros } from '../../symbol/variable.ts'
import { type BlockOptions, blockOptions, HybridBlock } from '../block.ts'
import type { Parameter } from '../parameter.ts'

/** Options that recurrent layers share. */
export interface RecurrentOptions extends BlockOptions {
  /** 1 by default. */
  readonly numLayers?: number
  /** The order of axes: time, batch, channels (`TNC`, the default) or batch first (`NTC`). */
  readonly layout?: 'TNC' | 'NTC'
  /** The rate at which outputs are dropped between layers while training; 0 by default. */
  readonly dropout?: number
  /** Whether a second set of layers reads the sequence from its end; no by default. */
  readonly bidirectional?: boolean
  readonly i2hWeightInitializer?: InitLike | null
  readonly h2hWeightInitializer?: InitLike | null
  /** Zeros by default. */
  readonly i2hBiasInitializer?: InitLike
  /** Zeros by default. */
  readonly h2hBiasInitializer?: InitLike
  /** The size of the input; told by the first input when left out. */
  readonly inputSize?: number
  readonly dtype?: DType
}

/** Options of `RNN`. */
export interface RNNLayerOptions extends RecurrentOptions {
  /** relu by default. */
  readonly activation?: 'relu' | 'tanh'
}

/** Options of `LSTM`. */
export interface LSTMOptions extends RecurrentOptions {
  /** Makes the state that steps see this small by one more matrix. */
  readonly projectionSize?: number | null
  readonly h2rWeightInitializer?: InitLike | null
  readonly stateClipMin?: number | null
  readonly stateClipMax?: number | null
  readonly stateClipNan?: boolean
}

const recurrentOptions = [
  ...blockOptions,
  'numLayers',
  'layout',
  'dropout',
  'bidirectional',
  'i2hWeightInitializer',
  'h2hWeightInitializer',
  'i2hBiasInitializer',
  'h2hBiasInitializer',
  'inputSize',
  'dtype',
]

/** Options of `beginState`: the batch, where it is not given by position, and those of the function that makes arrays. */
export interface BeginStateOptions {
  readonly batchSize?: number
  /** Makes a state of a shape; zeros by default. */
  readonly func?: (shape: readonly number[], options: object) => NDArray
  readonly [option: string]: unknown
}

interface Settings {
  readonly mode: Mode
  readonly projectionSize: number | null
  readonly clipMin: number | null
  readonly clipMax: number | null
  readonly clipNan: boolean
  readonly h2rWeightInitializer: InitLike | null
}

const plain: Omit<Settings, 'mode'> = {
  projectionSize: null,
  clipMin: null,
  clipMax: null,
  clipNan: false,
  h2rWeightInitializer: null,
}

/** A recurrent layer is called with a sequence, and with states where it should continue. */
export interface RecurrentLayer {
  /** The outputs of all steps, from states of zeros. */
  <T extends Tensor>(inputs: T): T
  /** The outputs of all steps, and the states after the last one. */
  <T extends Tensor>(inputs: T, states: T | readonly T[]): [T, T[]]
}

/** What recurrent layers are: the parameters of all their layers and directions, under MXNet's names. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signatures
export abstract class RecurrentLayer extends HybridBlock {
  readonly #settings: Settings
  readonly #hidden: number
  readonly #layers: number
  readonly #directions: 1 | 2
  readonly #layout: 'TNC' | 'NTC'
  readonly #dropout: number
  #dtype: DType

  constructor(
    where: string,
    hiddenSize: number,
    options: RecurrentOptions,
    known: readonly string[],
    settings: Settings,
  ) {
    super(checkOptions(where, options, [...recurrentOptions, ...known]), where.toLowerCase())
    const { numLayers = 1, layout = 'TNC', dropout = 0, inputSize = 0 } = options
    for (const [name, size] of Object.entries({ hiddenSize, numLayers }))
      if (!Number.isInteger(size) || size <= 0)
        fail(where, `${name} is ${String(size)}: it must be an integer above 0`)
    if (layout !== 'TNC' && layout !== 'NTC')
      fail(where, `layout is '${String(layout)}': it must be 'TNC' or 'NTC'`)
    this.#settings = settings
    this.#hidden = hiddenSize
    this.#layers = numLayers
    this.#directions = options.bidirectional ? 2 : 1
    this.#layout = layout
    this.#dropout = dropout
    this.#dtype = checkDType(where, options.dtype ?? 'float32')
    const rows = gatesOf(settings.mode) * hiddenSize
    const state = settings.projectionSize ?? hiddenSize
    this.#each((name, layer) => {
      const inner = layer === 0 ? inputSize : state * this.#directions
      const make = (part: string, shape: readonly number[], init: InitLike | null): void => {
        const parameter = this.params.get(`${name}_${part}`, {
          shape,
          init,
          dtype: this.#dtype,
          allowDeferredInit: true,
        })
        Object.assign(this, { [`${name}_${part}`]: parameter })
      }
      make('i2h_weight', [rows, inner], options.i2hWeightInitializer ?? null)
      make('h2h_weight', [rows, state], options.h2hWeightInitializer ?? null)
      make('i2h_bias', [rows], options.i2hBiasInitializer ?? 'zeros')
      make('h2h_bias', [rows], options.h2hBiasInitializer ?? 'zeros')
      if (settings.projectionSize !== null)
        make('h2r_weight', [state, hiddenSize], settings.h2rWeightInitializer)
    })
  }

  /** Calls `visit` for each layer and direction, `l0`, `r0`, `l1` …. */
  #each<R>(visit: (name: string, layer: number) => R): R[] {
    return Array.from({ length: this.#layers * this.#directions }, (_, k) => {
      const layer = Math.floor(k / this.#directions)
      return visit(`${k % this.#directions === 0 ? 'l' : 'r'}${layer}`, layer)
    })
  }

  #parameter(name: string): Parameter {
    return this.regParams.get(name)!
  }

  /** Shapes of the states: `(layers · directions, batch, size)` and their axes. */
  stateInfo(batchSize = 0): { readonly shape: readonly number[]; readonly layout: string }[] {
    const rows = this.#layers * this.#directions
    const info = (size: number) => ({ shape: [rows, batchSize, size], layout: 'LNC' })
    const first = info(this.#settings.projectionSize ?? this.#hidden)
    return this.#settings.mode === 'lstm' ? [first, info(this.#hidden)] : [first]
  }

  /** States to begin with, zeros unless `func` makes others; one array, or two for LSTM. */
  beginState(batchSize: number | BeginStateOptions = 0, options?: BeginStateOptions): NDArray[] {
    const given: BeginStateOptions = { ...byName(['batchSize'], [batchSize]), ...options }
    const { batchSize: count, func = zeros, ...rest } = given
    return this.stateInfo(count).map(({ shape }) => func(shape, { dtype: this.#dtype, ...rest }))
  }

  override cast(dtype: DType): void {
    super.cast(dtype)
    this.#dtype = dtype
  }

  override inferShape(x: Tensor): void {
    const { projectionSize, mode } = this.#settings
    const rows = gatesOf(mode) * this.#hidden
    const state = projectionSize ?? this.#hidden
    this.#each((name, layer) => {
      const inner = layer === 0 ? x.shape[2]! : state * this.#directions
      this.#parameter(`${name}_i2h_weight`).shape = [rows, inner]
    })
  }

  override [invoke](args: readonly unknown[]): unknown {
    const [x, given] = args as readonly [Tensor, (Tensor | readonly Tensor[])?]
    if (given === undefined || given === null) return super[invoke]([x])
    const states = Array.isArray(given) ? given : [given]
    const [output, ...next] = super[invoke]([x, ...states]) as unknown as Tensor[]
    return [output, next]
  }

  /** The outputs; where states are given, the outputs and the states after the last step. */
  override forward(x: Tensor, ...given: Tensor[]): Tensor {
    const where = this.constructor.name
    // A symbol has no shape: the sizes of its first states are told by the operator that reads them.
    const unshaped = x instanceof Unbound
    if (!unshaped && x.shape.length !== 3)
      fail(where, `the input has ${x.shape.length} axes: it must have 3, ${this.#layout}`)
    const { mode, projectionSize, clipMin, clipMax, clipNan } = this.#settings
    const data = this.#layout === 'NTC' ? x.swapaxes(0, 1) : x
    const info = this.stateInfo(unshaped ? 0 : data.shape[1]!)
    if (given.length > 0 && given.length !== info.length)
      fail(where, `${given.length} states given: ${info.length} are needed`)
    const begin = (shape: readonly number[], i: number): Tensor =>
      unshaped
        ? symbolZeros(shape, { name: `h0_${i}`, attr: { __layout__: 'LNC' }, dtype: this.#dtype })
        : withFrame({ recording: false }, () => zerosOf(shape, data.dtype))
    const states = given.length > 0 ? given : info.map(({ shape }, i) => begin(shape, i))
    const weights = this.#each((name): Weights => {
      const of = (part: string): Tensor => this.#parameter(`${name}_${part}`).data()
      return {
        i2h: of('i2h_weight'),
        h2h: of('h2h_weight'),
        h2r: projectionSize === null ? null : of('h2r_weight'),
        i2hBias: of('i2h_bias'),
        h2hBias: of('h2h_bias'),
      }
    })
    const [output, ...next] = rnnOf(data, weights, states[0]!, states[1] ?? null, {
      mode,
      stateSize: this.#hidden,
      numLayers: this.#layers,
      bidirectional: this.#directions === 2,
      p: this.#dropout,
      projectionSize,
      lstmStateClipMin: clipMin,
      lstmStateClipMax: clipMax,
      lstmStateClipNan: clipNan,
    })
    const turned = this.#layout === 'NTC' ? output!.swapaxes(0, 1) : output!
    return given.length === 0 ? turned : ([turned, ...next] as unknown as Tensor)
  }

  /** MXNet's names in files: those of the cells that a layer is made of. */
  protected override structuralName(name: string): string {
    const match = /^([lr])(\d+)_(.*)$/.exec(name)
    if (match === null) return super.structuralName(name)
    const [, side, layer, part] = match
    const cell = this.#directions === 2 ? `${side}_cell.` : ''
    return `_unfused.${layer}.${cell}${part}`
  }

  protected override describe(): string {
    const [rows, inner] = this.#parameter('l0_i2h_weight').shape as [number, number]
    const parts = [`${inner || 'None'} -> ${rows / gatesOf(this.#settings.mode)}`, this.#layout]
    if (this.#layers !== 1) parts.push(`num_layers=${this.#layers}`)
    if (this.#dropout !== 0) parts.push(`dropout=${this.#dropout}`)
    if (this.#directions === 2) parts.push('bidirectional')
    return `(${parts.join(', ')})`
  }
}

/**
 * Elman's recurrent layers.
 *
 * `h_t = act(W·x_t + b + U·h_{t-1} + b')`; `(T, N, C) -> (T, N, D·hiddenSize)`, states `(layers·D, N, hiddenSize)`.
 * `layer(x)` begins with zeros and gives the outputs; `layer(x, states)` gives the outputs and the last states.
 * @throws MXNetError when sizes do not fit.
 * @example
 * const layer = new gluon.rnn.RNN(100, { numLayers: 3 })
 * @see MXNet `gluon.rnn.RNN`
 */
export class RNN extends RecurrentLayer {
  constructor(hiddenSize: number, options: RNNLayerOptions = {}) {
    const { activation = 'relu' } = options
    if (activation !== 'relu' && activation !== 'tanh')
      fail('RNN', `activation is '${String(activation)}': it must be 'relu' or 'tanh'`)
    super('RNN', hiddenSize, options, ['activation'], { ...plain, mode: `rnn_${activation}` })
  }
}

/**
 * Layers with a long short-term memory.
 *
 * `i, f, g, o = σ, σ, tanh, σ(W·x_t + b + U·h_{t-1} + b')`, `c_t = f·c_{t-1} + i·g`, `h_t = o·tanh(c_t)`;
 * `(T, N, C) -> (T, N, D·hiddenSize)`, states h and c `(layers·D, N, hiddenSize)`.
 * `layer(x)` begins with zeros and gives the outputs; `layer(x, [h, c])` gives the outputs and the last states.
 * @throws MXNetError when sizes do not fit.
 * @example
 * const layer = new gluon.rnn.LSTM(100, { numLayers: 2, bidirectional: true })
 * @see MXNet `gluon.rnn.LSTM`
 */
export class LSTM extends RecurrentLayer {
  constructor(hiddenSize: number, options: LSTMOptions = {}) {
    const known = [
      'projectionSize',
      'h2rWeightInitializer',
      'stateClipMin',
      'stateClipMax',
      'stateClipNan',
    ]
    super('LSTM', hiddenSize, options, known, {
      mode: 'lstm',
      projectionSize: options.projectionSize ?? null,
      clipMin: options.stateClipMin ?? null,
      clipMax: options.stateClipMax ?? null,
      clipNan: options.stateClipNan ?? false,
      h2rWeightInitializer: options.h2rWeightInitializer ?? null,
    })
  }
}

/**
 * Gated recurrent layers.
 *
 * `r, z = σ(W·x_t + b + U·h_{t-1} + b')`, `n = tanh(W·x_t + b + r·(U·h_{t-1} + b'))`, `h_t = (1 - z)·n + z·h_{t-1}`;
 * `(T, N, C) -> (T, N, D·hiddenSize)`, states `(layers·D, N, hiddenSize)`.
 * `layer(x)` begins with zeros and gives the outputs; `layer(x, states)` gives the outputs and the last states.
 * @throws MXNetError when sizes do not fit.
 * @example
 * const layer = new gluon.rnn.GRU(100, { layout: 'NTC' })
 * @see MXNet `gluon.rnn.GRU`
 */
export class GRU extends RecurrentLayer {
  constructor(hiddenSize: number, options: RecurrentOptions = {}) {
    super('GRU', hiddenSize, options, [], { ...plain, mode: 'gru' })
  }
}
