/** `gluon.contrib.rnn`: dropout with one mask a sequence, projected and convolutional cells. */

import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { InitLike } from '../../initializer/initializer.ts'
import { sigmoid, tanh } from '../../ops/activation.ts'
import { onesLike } from '../../ops/cast.ts'
import { fullyConnected } from '../../ops/dense.ts'
import { dropout } from '../../ops/random.ts'
import { split, stack } from '../../ops/slicing.ts'
import type { Parameter } from '../parameter.ts'
import {
  BidirectionalCell,
  type CellOptions,
  cellOptions,
  RecurrentCell,
  stepsOf,
  type UnrollOptions,
} from '../rnn/cell.ts'
import { Kept } from '../rnn/kept.ts'
import { checkRate, ModifierCell } from '../rnn/modifiers.ts'

export {
  Conv1DGRUCell,
  Conv1DLSTMCell,
  Conv1DRNNCell,
  Conv2DGRUCell,
  Conv2DLSTMCell,
  Conv2DRNNCell,
  Conv3DGRUCell,
  Conv3DLSTMCell,
  Conv3DRNNCell,
  type ConvCellOptions,
} from './convCells.ts'

/**
 * A cell with dropout before, between and after its steps while training; each mask stays for the whole sequence (Gal and
 * Ghahramani, 2016).
 *
 * Of states only the first is masked. Masks are drawn by the first step and stay until `reset`, which `unroll` calls.
 * @throws MXNetError unless all rates are from 0 up to 1, and for states of a BidirectionalCell.
 * @example
 * const cell = new gluon.contrib.rnn.VariationalDropoutCell(new gluon.rnn.LSTMCell(20), 0.2, 0.3, 0.2)
 * @see MXNet `gluon.contrib.rnn.VariationalDropoutCell`
 */
export class VariationalDropoutCell extends ModifierCell {
  readonly #rates: { readonly inputs: number; readonly states: number; readonly outputs: number }
  readonly #masks = { inputs: new Kept(), states: new Kept(), outputs: new Kept() }

  constructor(baseCell: RecurrentCell, dropInputs = 0, dropStates = 0, dropOutputs = 0) {
    super(baseCell, 'vardrop')
    const where = 'VariationalDropoutCell'
    checkRate(where, 'dropInputs', dropInputs)
    checkRate(where, 'dropStates', dropStates)
    checkRate(where, 'dropOutputs', dropOutputs)
    if (dropStates > 0 && baseCell instanceof BidirectionalCell)
      fail(
        where,
        'a BidirectionalCell runs whole sequences: put VariationalDropoutCell around the cells inside',
      )
    this.#rates = { inputs: dropInputs, states: dropStates, outputs: dropOutputs }
  }

  override reset(): void {
    super.reset()
    for (const mask of Object.values(this.#masks)) mask.value = null
  }

  /** Under the mask of the sequence, which is drawn for its first step. */
  #masked(what: 'inputs' | 'states' | 'outputs', x: Tensor): Tensor {
    const p = this.#rates[what]
    if (p === 0) return x
    const kept = this.#masks[what]
    kept.value ??= dropout(onesLike(x), { p })
    return x.mul(kept.value!)
  }

  override forward(x: Tensor, ...states: Tensor[]): Tensor {
    const [first, ...others] = states
    const before = first === undefined ? [] : [this.#masked('states', first), ...others]
    const [output, next] = this.baseCell(this.#masked('inputs', x), before)
    return [this.#masked('outputs', output), ...next] as unknown as Tensor
  }

  override unroll<T extends Tensor>(
    length: number,
    inputs: T | readonly T[],
    options: UnrollOptions = {},
  ): [T | T[], T[]] {
    // Without masks of states the base may run the sequence by itself, as a BidirectionalCell has to.
    if (this.#rates.states > 0) return super.unroll(length, inputs, options)
    const { layout = 'NTC', mergeOutputs = null } = options
    const { steps, axis } = stepsOf('VariationalDropoutCell', length, inputs, layout)
    this.reset()
    const [outputs, states] = this.baseCell.unroll(
      length,
      steps.map((x) => this.#masked('inputs', x)),
      { ...options, mergeOutputs: false },
    )
    const masked = (outputs as Tensor[]).map((y) => this.#masked('outputs', y))
    const merged = mergeOutputs ?? !Array.isArray(inputs)
    return [(merged ? stack(...masked, { axis }) : masked) as T | T[], states as T[]]
  }

  protected override describe(): string {
    return `(p_out = ${this.#rates.outputs}, p_state = ${this.#rates.states})`
  }
}

/** Options of `LSTMPCell`. */
export interface LSTMPCellOptions extends CellOptions {
  readonly h2rWeightInitializer?: InitLike | null
}

/**
 * A step of a network with a long short-term memory whose state is projected to fewer numbers (Sak et al., 2014).
 *
 * `i, f, g, o = σ, σ, tanh, σ(W·x + b + U·r + b')`, `c' = f·c + i·g`, `r' = P·(o·tanh(c'))`;
 * `(N, C), [r, c] -> (N, projectionSize)` and the next states, r `(N, projectionSize)`, c `(N, hiddenSize)`.
 * @throws MXNetError unless both sizes are integers above 0.
 * @example
 * const cell = new gluon.contrib.rnn.LSTMPCell(20, 8)
 * @see MXNet `gluon.contrib.rnn.LSTMPCell`
 */
export class LSTMPCell extends RecurrentCell {
  readonly i2hWeight: Parameter
  readonly h2hWeight: Parameter
  readonly h2rWeight: Parameter
  readonly i2hBias: Parameter
  readonly h2hBias: Parameter
  readonly #hidden: number
  readonly #projection: number

  constructor(hiddenSize: number, projectionSize: number, options: LSTMPCellOptions = {}) {
    super(checkOptions('LSTMPCell', options, [...cellOptions, 'h2rWeightInitializer']), 'lstmp')
    for (const [name, size] of Object.entries({ hiddenSize, projectionSize }))
      if (!Number.isInteger(size) || size <= 0)
        fail('LSTMPCell', `${name} is ${String(size)}: it must be an integer above 0`)
    this.#hidden = hiddenSize
    this.#projection = projectionSize
    const rows = 4 * hiddenSize
    const make = (
      name: string,
      shape: readonly number[],
      init: InitLike | null | undefined,
    ): Parameter => this.params.get(name, { shape, init: init ?? null, allowDeferredInit: true })
    const { i2hBiasInitializer = 'zeros', h2hBiasInitializer = 'zeros' } = options
    const inner = options.inputSize ?? 0
    this.i2hWeight = make('i2h_weight', [rows, inner], options.i2hWeightInitializer)
    this.h2hWeight = make('h2h_weight', [rows, projectionSize], options.h2hWeightInitializer)
    this.h2rWeight = make('h2r_weight', [projectionSize, hiddenSize], options.h2rWeightInitializer)
    this.i2hBias = make('i2h_bias', [rows], i2hBiasInitializer)
    this.h2hBias = make('h2h_bias', [rows], h2hBiasInitializer)
  }

  override inferShape(x: Tensor): void {
    this.i2hWeight.shape = [4 * this.#hidden, x.shape.at(-1)!]
  }

  stateInfo(batchSize = 0): { readonly shape: readonly number[] }[] {
    return [{ shape: [batchSize, this.#projection] }, { shape: [batchSize, this.#hidden] }]
  }

  override forward(x: Tensor, r: Tensor, c: Tensor): Tensor {
    const attrs = { numHidden: 4 * this.#hidden }
    const [w, u] = [this.i2hWeight.data() as Tensor, this.h2hWeight.data() as Tensor]
    const sums = fullyConnected(x, w, this.i2hBias.data(), attrs).add(
      fullyConnected(r, u, this.h2hBias.data(), attrs),
    )
    const gates = split(sums, { numOutputs: 4, axis: 1 }) as unknown as Tensor[]
    const [i, f, g, o] = gates as [Tensor, Tensor, Tensor, Tensor]
    const cell = sigmoid(f)
      .mul(c)
      .add(sigmoid(i).mul(tanh(g)))
    const hidden = sigmoid(o).mul(tanh(cell))
    const output = fullyConnected(hidden, this.h2rWeight.data() as Tensor, null, {
      numHidden: this.#projection,
      noBias: true,
    })
    return [output, output, cell] as unknown as Tensor
  }

  protected override describe(): string {
    const [rows, inner] = this.i2hWeight.shape as [number, number]
    return `(${inner || 'None'} -> ${rows} -> ${this.#projection})`
  }
}
