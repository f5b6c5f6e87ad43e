/** Cells around cells: dropout between them, states and outputs that are kept, and inputs that are added. */

import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { NDArray } from '../../ndarray/ndarray.ts'
import { onesLike, zerosLike } from '../../ops/cast.ts'
import { where } from '../../ops/indexing.ts'
import { dropout } from '../../ops/random.ts'
import { stack } from '../../ops/slicing.ts'
import { type BlockOptions, blockOptions } from '../block.ts'
import { BidirectionalCell, RecurrentCell, stepsOf, type UnrollOptions, within } from './cell.ts'
import { Kept } from './kept.ts'
import type { BeginStateOptions } from './layer.ts'

/** Options of `DropoutCell`. */
export interface DropoutCellOptions extends BlockOptions {
  /** Axes along which one mask is shared; none by default. */
  readonly axes?: readonly number[]
}

export const checkRate = (where: string, name: string, rate: number): void => {
  if (!(typeof rate === 'number' && rate >= 0 && rate < 1))
    fail(where, `${name} is ${String(rate)}: it must be a number from 0 up to, but not, 1`)
}

/**
 * A cell without states that drops parts of its input while training, to stand between other cells.
 *
 * `(N, C), [] -> (N, C)` and no states.
 * @throws MXNetError unless `rate` is from 0 up to 1.
 * @example
 * const stack = new gluon.rnn.SequentialRNNCell()
 * stack.add(new gluon.rnn.LSTMCell(20), new gluon.rnn.DropoutCell(0.3), new gluon.rnn.LSTMCell(20))
 * @see MXNet `gluon.rnn.DropoutCell`
 */
export class DropoutCell extends RecurrentCell {
  readonly #rate: number
  readonly #axes: readonly number[]

  constructor(rate: number, options: DropoutCellOptions = {}) {
    const { axes = [], ...rest } = checkOptions('DropoutCell', options, [...blockOptions, 'axes'])
    super(rest, 'dropout')
    checkRate('DropoutCell', 'rate', rate)
    this.#rate = rate
    this.#axes = axes
  }

  stateInfo(_batchSize = 0): [] {
    return []
  }

  override forward(x: Tensor): Tensor {
    const output = this.#rate > 0 ? dropout(x, { p: this.#rate, axes: this.#axes }) : x
    return [output] as unknown as Tensor
  }

  protected override describe(): string {
    return `(rate=${this.#rate}, axes=(${this.#axes.join(', ')}${this.#axes.length === 1 ? ',' : ''}))`
  }
}

/** A cell that changes what another one does; parameters and states are those of the other. */
export abstract class ModifierCell extends RecurrentCell {
  readonly baseCell: RecurrentCell

  constructor(baseCell: RecurrentCell, hint: string) {
    const name = new.target.name
    if (!(baseCell instanceof RecurrentCell))
      fail(name, `baseCell is ${String(baseCell)}: it must be a cell`)
    super({ prefix: `${baseCell.prefix}${hint}_`, params: null })
    this.baseCell = baseCell
  }

  stateInfo(batchSize = 0): readonly { readonly shape: readonly number[] }[] {
    return this.baseCell.stateInfo(batchSize)
  }

  override beginState(
    batchSize: number | BeginStateOptions = 0,
    options?: BeginStateOptions,
  ): NDArray[] {
    return this.baseCell.beginState(batchSize, options)
  }
}

/**
 * A cell whose outputs and states keep their earlier values here and there while training (Krueger et al., 2016).
 *
 * Each element of the output is that of the step before with probability `zoneoutOutputs`, each of the states with `zoneoutStates`.
 * @throws MXNetError around a BidirectionalCell, and unless both are from 0 up to 1.
 * @example
 * const cell = new gluon.rnn.ZoneoutCell(new gluon.rnn.LSTMCell(20), 0.1, 0.2)
 * @see MXNet `gluon.rnn.ZoneoutCell`
 */
export class ZoneoutCell extends ModifierCell {
  readonly #outputs: number
  readonly #states: number
  readonly #before = new Kept()

  constructor(baseCell: RecurrentCell, zoneoutOutputs = 0, zoneoutStates = 0) {
    super(baseCell, 'zoneout')
    if (baseCell instanceof BidirectionalCell)
      fail(
        'ZoneoutCell',
        'a BidirectionalCell runs whole sequences: put ZoneoutCell around the cells inside',
      )
    checkRate('ZoneoutCell', 'zoneoutOutputs', zoneoutOutputs)
    checkRate('ZoneoutCell', 'zoneoutStates', zoneoutStates)
    this.#outputs = zoneoutOutputs
    this.#states = zoneoutStates
  }

  override reset(): void {
    super.reset()
    this.#before.value = null
  }

  override forward(x: Tensor, ...states: Tensor[]): Tensor {
    const [output, next] = this.baseCell(x, states)
    /** `fresh` where nothing is dropped, else `old`. */
    const mixed = (p: number, fresh: Tensor, old: Tensor): Tensor =>
      p === 0 ? fresh : where(dropout(onesLike(fresh), { p }), fresh, old)
    const kept = mixed(this.#outputs, output, this.#before.value ?? zerosLike(output))
    this.#before.value = kept
    return [kept, ...next.map((s, i) => mixed(this.#states, s, states[i]!))] as unknown as Tensor
  }

  protected override describe(): string {
    return `(p_out=${this.#outputs}, p_state=${this.#states}, ${String(this.baseCell)})`
  }
}

/**
 * A cell whose input is added to its output.
 *
 * `h' = cell(x, h) + x`; input and output must have one shape.
 * @example
 * const cell = new gluon.rnn.ResidualCell(new gluon.rnn.GRUCell(20, { inputSize: 20 }))
 * @see MXNet `gluon.rnn.ResidualCell`
 */
export class ResidualCell extends ModifierCell {
  constructor(baseCell: RecurrentCell) {
    super(baseCell, 'residual')
  }

  override forward(x: Tensor, ...states: Tensor[]): Tensor {
    const [output, next] = this.baseCell(x, states)
    return [output.add(x), ...next] as unknown as Tensor
  }

  override unroll<T extends Tensor>(
    length: number,
    inputs: T | readonly T[],
    options: UnrollOptions = {},
  ): [T | T[], T[]] {
    const { layout = 'NTC', mergeOutputs = null, validLength = null } = options
    const { steps, axis } = stepsOf('ResidualCell', length, inputs, layout)
    const settings = { ...options, mergeOutputs: false }
    const [outputs, states] = this.baseCell.unroll(length, steps, settings)
    // Behind the end of a sequence nothing is added.
    const added =
      validLength === null ? steps : (within(steps, validLength, axis, false) as readonly Tensor[])
    const sums = (outputs as Tensor[]).map((y, t) => y.add(added[t]!))
    const merged = mergeOutputs ?? !Array.isArray(inputs)
    return [(merged ? stack(...sums, { axis }) : sums) as T | T[], states as T[]]
  }
}
