/** Initializers of a shape of their own: orthogonal matrices, interpolation kernels, LSTM biases, packed RNN parameters. */

import { cpu } from '../base/context.ts'
import { fail } from '../base/error.ts'
import { formatShape, sizeOf } from '../base/shape.ts'
import { zeros } from '../ndarray/creation.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { normal, uniform } from '../ndarray/random.ts'
import {
  bilinearKernel,
  create,
  InitDesc,
  Initializer,
  type InitLike,
  on,
  register,
} from './initializer.ts'

/** Options of `Orthogonal`. */
export interface OrthogonalOptions {
  /** The random matrix that is made orthogonal; by default uniform. */
  readonly randType?: 'uniform' | 'normal'
}

/**
 * A random matrix with orthogonal rows or columns, times `scale` (Saxe et al., 2014).
 *
 * The array is seen as `(shape[0], rest)`: `M·Mᵀ = scale²·I`, or `Mᵀ·M` where there are more rows than columns.
 * The numbers are drawn on the CPU.
 * @throws MXNetError for an unknown `randType`.
 * @example
 * net.initialize(new init.Orthogonal())
 * @see MXNet `initializer.Orthogonal`
 */
export class Orthogonal extends Initializer {
  readonly scale: number
  readonly randType: 'uniform' | 'normal'

  // biome-ignore lint/suspicious/noApproximativeNumericConstant: the default is this number, not the root of 2
  constructor(scale = 1.414, { randType = 'uniform' }: OrthogonalOptions = {}) {
    super({ scale, randType })
    if (randType !== 'uniform' && randType !== 'normal')
      fail('Orthogonal', `randType is '${String(randType)}': use 'uniform' or 'normal'`)
    this.scale = scale
    this.randType = randType
  }

  override initWeight(_name: string, array: NDArray): void {
    const rows = array.shape[0] ?? 1
    const columns = sizeOf(array.shape.slice(1))
    const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)]
    const options = { shape: [count * length], dtype: 'float64', ctx: cpu() } as const
    const drawn = this.randType === 'uniform' ? uniform(-1, 1, options) : normal(0, 1, options)
    const basis = orthonormal(drawn.asTypedArraySync() as Float64Array, count, length)
    const at = (row: number, column: number): number =>
      rows <= columns ? basis[row * length + column]! : basis[column * length + row]!
    const values = Array.from(
      { length: array.size },
      (_, i) => this.scale * at(Math.floor(i / columns), i % columns),
    )
    array.assign(on(array, values))
  }
}

/** Makes `count` vectors of `length` numbers orthonormal (Gram and Schmidt, each twice against rounding). */
function orthonormal(vectors: Float64Array, count: number, length: number): Float64Array {
  for (let i = 0; i < count; i++) {
    const v = vectors.subarray(i * length, (i + 1) * length)
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const u = vectors.subarray(j * length, (j + 1) * length)
        const along = v.reduce((sum, x, k) => sum + x * u[k]!, 0)
        for (let k = 0; k < length; k++) v[k]! -= along * u[k]!
      }
      const norm = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0))
      for (let k = 0; k < length; k++) v[k]! /= norm
    }
  }
  return vectors
}

/**
 * The kernel with which a transposed convolution enlarges images linearly; shape `(…, …, height, width)`.
 * @throws MXNetError for a shape that has not four axes.
 * @example
 * net.initialize(new init.Bilinear())
 * @see MXNet `initializer.Bilinear`
 */
export class Bilinear extends Initializer {
  override initWeight(_name: string, array: NDArray): void {
    array.assign(bilinearKernel(array))
  }
}

/**
 * The bias of an LSTM: zeros, but `forgetBias` (1 by default) at the forget gate, the second quarter.
 * @throws MXNetError for a size that four does not divide.
 * @example
 * new rnn.LSTMCell(8, { i2hBiasInitializer: new init.LSTMBias(1) })
 * @see MXNet `initializer.LSTMBias`
 */
export class LSTMBias extends Initializer {
  readonly forgetBias: number

  constructor(forgetBias = 1) {
    super({ forgetBias })
    this.forgetBias = forgetBias
  }

  override initWeight(name: string, array: NDArray): void {
    const hidden = (array.shape[0] ?? 0) / 4
    if (array.ndim !== 1 || !Number.isInteger(hidden)) {
      fail(
        'LSTMBias',
        `${name} has shape ${formatShape(array.shape)}: one axis of four gates is needed`,
      )
    }
    const gate = (i: number): number => Math.floor(i / hidden)
    const values = Array.from({ length: array.size }, (_, i) =>
      gate(i) === 1 ? this.forgetBias : 0,
    )
    array.assign(on(array, values))
  }
}

/** Gates of the modes of a fused RNN, in the order in which they lie in its parameters. */
const gates = {
  rnn_relu: [''],
  rnn_tanh: [''],
  lstm: ['_i', '_f', '_c', '_o'],
  gru: ['_r', '_z', '_o'],
} as const

/** How the packed parameters of a fused RNN are made up. */
export interface FusedRNNOptions {
  /** Fills the matrices of each gate; null leaves them to the initializer of the whole network. */
  readonly init: InitLike | null
  readonly numHidden: number
  readonly numLayers: number
  readonly mode: keyof typeof gates
  /** By default false. */
  readonly bidirectional?: boolean
  /** The forget gate's biases of an LSTM, 1 by default. */
  readonly forgetBias?: number
}

/**
 * The packed parameters of a fused RNN, filled gate by gate as the parameters of single cells would be.
 *
 * All matrices come first (for each layer and direction: input to hidden, hidden to hidden), then all biases.
 * @throws MXNetError for an unknown mode, or a size that no input size fits.
 * @example
 * new init.FusedRNN({ init: new init.Xavier(), numHidden: 8, numLayers: 2, mode: 'lstm' })
 * @see MXNet `initializer.FusedRNN`
 */
export class FusedRNN extends Initializer {
  readonly #options: FusedRNNOptions
  readonly #init: Initializer | null

  constructor(options: FusedRNNOptions) {
    const { init, numHidden, numLayers, mode, bidirectional = false, forgetBias = 1 } = options
    const inner = init === null ? null : create(init)
    super({ init: inner, numHidden, numLayers, mode, bidirectional, forgetBias })
    if (!Object.hasOwn(gates, mode)) {
      fail('FusedRNN', `mode is '${String(mode)}': use one of ${Object.keys(gates).join(', ')}`)
    }
    this.#options = options
    this.#init = inner
  }

  override initWeight(name: string, array: NDArray): void {
    const { numHidden: hidden, numLayers, mode, bidirectional, forgetBias = 1 } = this.#options
    const directions = bidirectional ? ['l', 'r'] : ['l']
    const names: readonly string[] = gates[mode]
    const d = directions.length
    const input =
      array.size / d / hidden / names.length -
      (numLayers - 1) * (hidden + d * hidden + 2) -
      hidden -
      2
    if (!Number.isInteger(input) || input < 1) {
      fail(
        'FusedRNN',
        `${name} has ${array.size} elements: no input size fits ${numLayers} layers of ${hidden}`,
      )
    }
    let at = 0
    const fill = (part: string, shape: readonly number[]): void => {
      const piece = zeros(shape, { dtype: array.dtype, ctx: array.context })
      if (mode === 'lstm' && part.endsWith('_f_bias')) piece.assign(forgetBias)
      else if (this.#init !== null) this.#init(new InitDesc(part), piece)
      else fail('FusedRNN', 'init is null: give the initializer of the matrices')
      array.set(piece.reshape([-1]), `${at}:${at + piece.size}`)
      at += piece.size
    }
    const each = (what: (prefix: string, layer: number) => void): void => {
      for (let layer = 0; layer < numLayers; layer++)
        for (const direction of directions) what(`${direction}${layer}_`, layer)
    }
    each((prefix, layer) => {
      const width = layer === 0 ? input : d * hidden
      for (const gate of names) fill(`${prefix}i2h${gate}_weight`, [hidden, width])
      for (const gate of names) fill(`${prefix}h2h${gate}_weight`, [hidden, hidden])
    })
    each((prefix) => {
      for (const gate of names) fill(`${prefix}i2h${gate}_bias`, [hidden])
      for (const gate of names) fill(`${prefix}h2h${gate}_bias`, [hidden])
    })
  }
}

register(
  Orthogonal,
  [],
  ({ scale, ...options }) => new Orthogonal(scale as number | undefined, options),
)
register(Bilinear)
register(LSTMBias, [], ({ forgetBias }) => new LSTMBias(forgetBias as number | undefined))
register(FusedRNN)
