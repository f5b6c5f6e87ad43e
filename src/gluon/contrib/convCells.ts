/** Cells whose states are maps and whose products are convolutions, over one, two or three axes. */

import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { InitLike } from '../../initializer/initializer.ts'
import { activation, sigmoid } from '../../ops/activation.ts'
import { type ConvolutionOptions, convolution } from '../../ops/convolution.ts'
import { split } from '../../ops/slicing.ts'
import type { ActivationName } from '../nn/basic.ts'
import { layouts, perAxis, type Sizes } from '../nn/conv.ts'
import type { Parameter } from '../parameter.ts'
import { type CellOptions, cellOptions, RecurrentCell } from '../rnn/cell.ts'

/** Options of convolutional cells. */
export interface ConvCellOptions extends Omit<CellOptions, 'inputSize'> {
  /** 0 by default. */
  readonly i2hPad?: Sizes
  /** 1 by default. */
  readonly i2hDilate?: Sizes
  /** 1 by default. */
  readonly h2hDilate?: Sizes
  /** The order of axes; `NCW`, `NCHW` or `NCDHW` by default. */
  readonly convLayout?: string
  /** tanh by default. */
  readonly activation?: ActivationName
}

const known = [
  ...cellOptions.filter((name) => name !== 'inputSize'),
  'i2hPad',
  'i2hDilate',
  'h2hDilate',
  'convLayout',
  'activation',
]

/** What all of them are: convolutions of input and state, `gates` maps of `channels` each. */
abstract class ConvCell extends RecurrentCell {
  readonly i2hWeight: Parameter
  readonly h2hWeight: Parameter
  readonly i2hBias: Parameter
  readonly h2hBias: Parameter
  readonly #state: readonly number[]
  readonly #states: number
  readonly #gates: number
  readonly #layout: string
  readonly #act: ActivationName
  readonly #inner: ConvolutionOptions
  readonly #own: ConvolutionOptions

  constructor(
    where: string,
    hint: string,
    axes: number,
    [gates, states]: readonly [number, number],
    [inputShape, channels, i2hKernel, h2hKernel, options = {}]: Arguments,
  ) {
    super(checkOptions(where, options, known), hint)
    if (!Array.isArray(inputShape) || inputShape.length !== axes + 1)
      fail(where, `inputShape must have ${axes + 1} sizes: one sample of one step`)
    if (!Number.isInteger(channels) || channels <= 0)
      fail(where, `hiddenChannels is ${String(channels)}: it must be an integer above 0`)
    const sizes = (name: string, given: Sizes): readonly number[] =>
      perAxis(where, name, given, axes)
    const layout = (options.convLayout ?? layouts[axes - 1]!) as (typeof layouts)[number]
    const last = layout.endsWith('C')
    const [inChannels, room] = last
      ? [inputShape.at(-1)!, inputShape.slice(0, -1)]
      : [inputShape[0]!, inputShape.slice(1)]
    const inner = sizes('i2hKernel', i2hKernel)
    const own = sizes('h2hKernel', h2hKernel)
    if (own.some((k) => k % 2 === 0))
      fail(where, `h2hKernel is ${JSON.stringify(h2hKernel)}: sizes must be odd, so that maps stay`)
    const pad = sizes('i2hPad', options.i2hPad ?? 0)
    const dilate = sizes('i2hDilate', options.i2hDilate ?? 1)
    const spread = sizes('h2hDilate', options.h2hDilate ?? 1)
    const map = room.map((d, i) => (d === 0 ? 0 : d + 2 * pad[i]! - dilate[i]! * (inner[i]! - 1)))
    if (map.some((d) => d < 0)) fail(where, 'i2hKernel does not fit into inputShape')
    const rows = gates * channels
    this.#state = last ? [...map, channels] : [channels, ...map]
    this.#states = states
    this.#gates = gates
    this.#layout = layout
    this.#act = options.activation ?? 'tanh'
    this.#inner = { kernel: inner, pad, dilate, numFilter: rows, layout }
    const around = own.map((k, i) => (spread[i]! * (k - 1)) / 2)
    this.#own = { kernel: own, pad: around, dilate: spread, numFilter: rows, layout }
    const make = (
      name: string,
      shape: readonly number[],
      init: InitLike | null | undefined,
    ): Parameter => this.params.get(name, { shape, init: init ?? null, allowDeferredInit: true })
    const weight = (count: number, kernel: readonly number[]): number[] =>
      last ? [rows, ...kernel, count] : [rows, count, ...kernel]
    const { i2hBiasInitializer = 'zeros', h2hBiasInitializer = 'zeros' } = options
    this.i2hWeight = make('i2h_weight', weight(inChannels, inner), options.i2hWeightInitializer)
    this.h2hWeight = make('h2h_weight', weight(channels, own), options.h2hWeightInitializer)
    this.i2hBias = make('i2h_bias', [rows], i2hBiasInitializer)
    this.h2hBias = make('h2h_bias', [rows], h2hBiasInitializer)
  }

  get #axis(): number {
    return this.#layout.indexOf('C')
  }

  override inferShape(x: Tensor): void {
    this.i2hWeight.shape = this.i2hWeight.shape!.map((d, i) => (i === this.#axis ? x.shape[i]! : d))
  }

  stateInfo(batchSize = 0): { readonly shape: readonly number[] }[] {
    return Array.from({ length: this.#states }, () => ({ shape: [batchSize, ...this.#state] }))
  }

  /** What input and state contribute to the gates. */
  protected sums(x: Tensor, h: Tensor): readonly [Tensor, Tensor] {
    const [w, u] = [this.i2hWeight.data() as Tensor, this.h2hWeight.data() as Tensor]
    return [
      convolution(x, w, this.i2hBias.data(), this.#inner),
      convolution(h, u, this.h2hBias.data(), this.#own),
    ]
  }

  /** The maps of each gate. */
  protected apart(x: Tensor): Tensor[] {
    return split(x, { numOutputs: this.#gates, axis: this.#axis }) as unknown as Tensor[]
  }

  protected act(x: Tensor): Tensor {
    return activation(x, { actType: this.#act })
  }

  protected override describe(): string {
    const shape = this.i2hWeight.shape!
    return `(${shape[this.#axis] || 'None'} -> ${shape[0]}, ${this.#act}, ${this.#layout})`
  }
}

/** What every convolutional cell is told. */
type Arguments = [
  inputShape: readonly number[],
  hiddenChannels: number,
  i2hKernel: Sizes,
  h2hKernel: Sizes,
  options?: ConvCellOptions,
]

abstract class ConvRNNCell extends ConvCell {
  constructor(where: string, axes: number, given: Arguments) {
    super(where, 'conv_rnn', axes, [1, 1], given)
  }

  override forward(x: Tensor, h: Tensor): Tensor {
    const [a, b] = this.sums(x, h)
    const output = this.act(a.add(b))
    return [output, output] as unknown as Tensor
  }
}

abstract class ConvLSTMCell extends ConvCell {
  constructor(where: string, axes: number, given: Arguments) {
    super(where, 'conv_lstm', axes, [4, 2], given)
  }

  override forward(x: Tensor, h: Tensor, c: Tensor): Tensor {
    const [a, b] = this.sums(x, h)
    const [i, f, g, o] = this.apart(a.add(b)) as [Tensor, Tensor, Tensor, Tensor]
    const cell = sigmoid(f)
      .mul(c)
      .add(sigmoid(i).mul(this.act(g)))
    const output = sigmoid(o).mul(this.act(cell))
    return [output, output, cell] as unknown as Tensor
  }
}

abstract class ConvGRUCell extends ConvCell {
  constructor(where: string, axes: number, given: Arguments) {
    super(where, 'conv_gru', axes, [3, 1], given)
  }

  override forward(x: Tensor, h: Tensor): Tensor {
    const [a, b] = this.sums(x, h).map((t) => this.apart(t)) as unknown as [Tensor[], Tensor[]]
    const reset = sigmoid(a[0]!.add(b[0]!))
    const update = sigmoid(a[1]!.add(b[1]!))
    const fresh = this.act(a[2]!.add(reset.mul(b[2]!)))
    const output = fresh.sub(update.mul(fresh)).add(update.mul(h))
    return [output, output] as unknown as Tensor
  }
}

/**
 * A step of Elman's network over maps of one axis.
 *
 * `h' = act(W∗x + b + U∗h + b')`; `inputShape` is that of one step of one sample, `(C, W)` unless `convLayout` says otherwise, and maps of
 * states have the size that the convolution of the input leaves.
 * @throws MXNetError for sizes that do not fit and even sizes of `h2hKernel`.
 * @example
 * const cell = new gluon.contrib.rnn.Conv1DRNNCell([2, 8], 4, 3, 3, { i2hPad: 1 })
 * cell.stateInfo(1)[0].shape // => [1, 4, 8]
 * @see MXNet `gluon.contrib.rnn.Conv1DRNNCell`
 */
export class Conv1DRNNCell extends ConvRNNCell {
  constructor(...given: Arguments) {
    super('Conv1DRNNCell', 1, given)
  }
}

/**
 * A step of Elman's network over maps of two axes.
 *
 * `h' = act(W∗x + b + U∗h + b')`; `inputShape` is that of one step of one sample, `(C, H, W)` unless `convLayout` says otherwise, and maps of
 * states have the size that the convolution of the input leaves.
 * @throws MXNetError for sizes that do not fit and even sizes of `h2hKernel`.
 * @example
 * const cell = new gluon.contrib.rnn.Conv2DRNNCell([2, 8, 8], 4, 3, 3, { i2hPad: 1 })
 * cell.stateInfo(1)[0].shape // => [1, 4, 8, 8]
 * @see MXNet `gluon.contrib.rnn.Conv2DRNNCell`
 */
export class Conv2DRNNCell extends ConvRNNCell {
  constructor(...given: Arguments) {
    super('Conv2DRNNCell', 2, given)
  }
}

/**
 * A step of Elman's network over maps of three axes.
 *
 * `h' = act(W∗x + b + U∗h + b')`; `inputShape` is that of one step of one sample, `(C, D, H, W)` unless `convLayout` says otherwise, and maps of
 * states have the size that the convolution of the input leaves.
 * @throws MXNetError for sizes that do not fit and even sizes of `h2hKernel`.
 * @example
 * const cell = new gluon.contrib.rnn.Conv3DRNNCell([2, 4, 8, 8], 4, 3, 3, { i2hPad: 1 })
 * cell.stateInfo(1)[0].shape // => [1, 4, 4, 8, 8]
 * @see MXNet `gluon.contrib.rnn.Conv3DRNNCell`
 */
export class Conv3DRNNCell extends ConvRNNCell {
  constructor(...given: Arguments) {
    super('Conv3DRNNCell', 3, given)
  }
}

/**
 * A step of a network of maps with a long short-term memory of one axis.
 *
 * `i, f, g, o = σ, σ, act, σ(W∗x + b + U∗h + b')`, `c' = f·c + i·g`, `h' = o·act(c')`; `inputShape` is that of one step of one sample, `(C, W)` unless `convLayout` says otherwise, and maps of
 * states have the size that the convolution of the input leaves.
 * @throws MXNetError for sizes that do not fit and even sizes of `h2hKernel`.
 * @example
 * const cell = new gluon.contrib.rnn.Conv1DLSTMCell([2, 8], 4, 3, 3, { i2hPad: 1 })
 * cell.stateInfo(1)[0].shape // => [1, 4, 8]
 * @see MXNet `gluon.contrib.rnn.Conv1DLSTMCell`
 */
export class Conv1DLSTMCell extends ConvLSTMCell {
  constructor(...given: Arguments) {
    super('Conv1DLSTMCell', 1, given)
  }
}

/**
 * A step of a network of maps with a long short-term memory of two axes.
 *
 * `i, f, g, o = σ, σ, act, σ(W∗x + b + U∗h + b')`, `c' = f·c + i·g`, `h' = o·act(c')`; `inputShape` is that of one step of one sample, `(C, H, W)` unless `convLayout` says otherwise, and maps of
 * states have the size that the convolution of the input leaves.
 * @throws MXNetError for sizes that do not fit and even sizes of `h2hKernel`.
 * @example
 * const cell = new gluon.contrib.rnn.Conv2DLSTMCell([2, 8, 8], 4, 3, 3, { i2hPad: 1 })
 * cell.stateInfo(1)[0].shape // => [1, 4, 8, 8]
 * @see MXNet `gluon.contrib.rnn.Conv2DLSTMCell`
 */
export class Conv2DLSTMCell extends ConvLSTMCell {
  constructor(...given: Arguments) {
    super('Conv2DLSTMCell', 2, given)
  }
}

/**
 * A step of a network of maps with a long short-term memory of three axes.
 *
 * `i, f, g, o = σ, σ, act, σ(W∗x + b + U∗h + b')`, `c' = f·c + i·g`, `h' = o·act(c')`; `inputShape` is that of one step of one sample, `(C, D, H, W)` unless `convLayout` says otherwise, and maps of
 * states have the size that the convolution of the input leaves.
 * @throws MXNetError for sizes that do not fit and even sizes of `h2hKernel`.
 * @example
 * const cell = new gluon.contrib.rnn.Conv3DLSTMCell([2, 4, 8, 8], 4, 3, 3, { i2hPad: 1 })
 * cell.stateInfo(1)[0].shape // => [1, 4, 4, 8, 8]
 * @see MXNet `gluon.contrib.rnn.Conv3DLSTMCell`
 */
export class Conv3DLSTMCell extends ConvLSTMCell {
  constructor(...given: Arguments) {
    super('Conv3DLSTMCell', 3, given)
  }
}

/**
 * A step of a gated recurrent network over maps of one axis.
 *
 * `r, z = σ(W∗x + b + U∗h + b')`, `n = act(W∗x + b + r·(U∗h + b'))`, `h' = (1 - z)·n + z·h`; `inputShape` is that of one step of one sample, `(C, W)` unless `convLayout` says otherwise, and maps of
 * states have the size that the convolution of the input leaves.
 * @throws MXNetError for sizes that do not fit and even sizes of `h2hKernel`.
 * @example
 * const cell = new gluon.contrib.rnn.Conv1DGRUCell([2, 8], 4, 3, 3, { i2hPad: 1 })
 * cell.stateInfo(1)[0].shape // => [1, 4, 8]
 * @see MXNet `gluon.contrib.rnn.Conv1DGRUCell`
 */
export class Conv1DGRUCell extends ConvGRUCell {
  constructor(...given: Arguments) {
    super('Conv1DGRUCell', 1, given)
  }
}

/**
 * A step of a gated recurrent network over maps of two axes.
 *
 * `r, z = σ(W∗x + b + U∗h + b')`, `n = act(W∗x + b + r·(U∗h + b'))`, `h' = (1 - z)·n + z·h`; `inputShape` is that of one step of one sample, `(C, H, W)` unless `convLayout` says otherwise, and maps of
 * states have the size that the convolution of the input leaves.
 * @throws MXNetError for sizes that do not fit and even sizes of `h2hKernel`.
 * @example
 * const cell = new gluon.contrib.rnn.Conv2DGRUCell([2, 8, 8], 4, 3, 3, { i2hPad: 1 })
 * cell.stateInfo(1)[0].shape // => [1, 4, 8, 8]
 * @see MXNet `gluon.contrib.rnn.Conv2DGRUCell`
 */
export class Conv2DGRUCell extends ConvGRUCell {
  constructor(...given: Arguments) {
    super('Conv2DGRUCell', 2, given)
  }
}

/**
 * A step of a gated recurrent network over maps of three axes.
 *
 * `r, z = σ(W∗x + b + U∗h + b')`, `n = act(W∗x + b + r·(U∗h + b'))`, `h' = (1 - z)·n + z·h`; `inputShape` is that of one step of one sample, `(C, D, H, W)` unless `convLayout` says otherwise, and maps of
 * states have the size that the convolution of the input leaves.
 * @throws MXNetError for sizes that do not fit and even sizes of `h2hKernel`.
 * @example
 * const cell = new gluon.contrib.rnn.Conv3DGRUCell([2, 4, 8, 8], 4, 3, 3, { i2hPad: 1 })
 * cell.stateInfo(1)[0].shape // => [1, 4, 4, 8, 8]
 * @see MXNet `gluon.contrib.rnn.Conv3DGRUCell`
 */
export class Conv3DGRUCell extends ConvGRUCell {
  constructor(...given: Arguments) {
    super('Conv3DGRUCell', 3, given)
  }
}
