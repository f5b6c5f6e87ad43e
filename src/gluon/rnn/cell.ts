/** Cells: one step of a recurrent network, and networks of them. */

import { invoke } from '../../base/callable.ts'
import { fail } from '../../base/error.ts'
import { checkOptions } from '../../base/options.ts'
import { byName } from '../../core/given.ts'
import { type Tensor, Unbound } from '../../core/tensor.ts'
import type { InitLike } from '../../initializer/initializer.ts'
import { zeros } from '../../ndarray/creation.ts'
import type { NDArray } from '../../ndarray/ndarray.ts'
import { activation, sigmoid, tanh } from '../../ops/activation.ts'
import { fullyConnected } from '../../ops/dense.ts'
import { expandDims } from '../../ops/movement.ts'
import { sequenceLast, sequenceMask, sequenceReverse } from '../../ops/sequence.ts'
import { concat, split, stack } from '../../ops/slicing.ts'
import { zeros as symbolZeros } from '../../symbol/variable.ts'
import { type BlockOptions, blockOptions, HybridBlock } from '../block.ts'
import type { ActivationName } from '../nn/basic.ts'
import type { Parameter } from '../parameter.ts'
import type { BeginStateOptions } from './layer.ts'

/** Options of cells with weights. */
export interface CellOptions extends BlockOptions {
  readonly i2hWeightInitializer?: InitLike | null
  readonly h2hWeightInitializer?: InitLike | null
  /** Zeros by default. */
  readonly i2hBiasInitializer?: InitLike
  /** Zeros by default. */
  readonly h2hBiasInitializer?: InitLike
  /** The size of the input; told by the first input when left out. */
  readonly inputSize?: number
}

/** Options of `unroll`. */
export interface UnrollOptions {
  /** States to begin with; zeros by default. */
  readonly beginState?: readonly Tensor[]
  /** The order of the axes of inputs and outputs; `NTC` by default. */
  readonly layout?: 'NTC' | 'TNC'
  /** Whether outputs come as one array; no by default where inputs are a list. */
  readonly mergeOutputs?: boolean | null
  /** `(N,)`: how many steps each sequence has; outputs beyond are 0, and states those after its last step. */
  readonly validLength?: Tensor | null
}

export const cellOptions: readonly string[] = [
  ...blockOptions,
  'i2hWeightInitializer',
  'h2hWeightInitializer',
  'i2hBiasInitializer',
  'h2hBiasInitializer',
  'inputSize',
]

export interface RecurrentCell {
  /** One step: the input and the states give the output and the next states. */
  <T extends Tensor>(inputs: T, states: readonly T[]): [T, T[]]
}

/** What cells are: a step, the shapes of its states, and the unrolling of many steps. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
export abstract class RecurrentCell extends HybridBlock {
  #steps = 0

  /** Shapes of the states for a batch. */
  abstract stateInfo(batchSize?: number): readonly { readonly shape: readonly number[] }[]

  /** States to begin with, zeros unless `func` makes others. */
  beginState(batchSize: number | BeginStateOptions = 0, options?: BeginStateOptions): NDArray[] {
    const given: BeginStateOptions = { ...byName(['batchSize'], [batchSize]), ...options }
    const { batchSize: count, func = zeros, ...rest } = given
    return this.stateInfo(count).map(({ shape }) => func(shape, rest))
  }

  /** States for the first step of a sequence: zeros, of which a symbol leaves the batch to what reads them. */
  protected firstStates(x: Tensor): readonly Tensor[] {
    if (!(x instanceof Unbound)) return this.beginState(x.shape[0]!)
    return this.stateInfo(0).map(({ shape }, i) =>
      symbolZeros(shape, { name: `${this.prefix}begin_state_${i}`, attr: { __layout__: 'NC' } }),
    )
  }

  /** Operators of a symbol are called after the step that they belong to, as in MXNet. */
  protected override symbolPrefix(): string {
    return `${this.prefix}t${this.#steps++}_`
  }

  /** Forgets what a cell remembers of earlier steps besides its states; `unroll` begins with it. */
  reset(): void {
    this.#steps = 0
    for (const child of this.children.values()) if (child instanceof RecurrentCell) child.reset()
  }

  override [invoke](args: readonly unknown[]): unknown {
    const [x, states] = args as readonly [Tensor, readonly Tensor[]]
    if (!Array.isArray(states))
      fail(this.constructor.name, 'a cell is called with an input and a list of states')
    const [output, ...next] = super[invoke]([x, ...states]) as unknown as Tensor[]
    return [output, next]
  }

  /**
   * Runs the cell over `length` steps: outputs (one array, or a list), and the last states.
   * @throws MXNetError when there are fewer steps.
   */
  unroll<T extends Tensor>(
    length: number,
    inputs: T | readonly T[],
    options: UnrollOptions = {},
  ): [T | T[], T[]] {
    const { layout = 'NTC', mergeOutputs = null, validLength = null } = options
    const { steps, axis } = stepsOf(this.constructor.name, length, inputs, layout)
    this.reset()
    let states = options.beginState ?? this.firstStates(steps[0]!)
    const outputs: Tensor[] = []
    const history: (readonly Tensor[])[] = []
    for (const x of steps) {
      const [output, next] = this(x, states)
      outputs.push(output)
      history.push(next)
      states = next
    }
    const merged = mergeOutputs ?? !Array.isArray(inputs)
    if (validLength === null)
      return [(merged ? stack(...outputs, { axis }) : outputs) as T | T[], states as T[]]
    const last = states.map((_, i) =>
      lastOf(
        history.map((h) => h[i]!),
        validLength,
      ),
    )
    return [within(outputs, validLength, axis, merged) as T | T[], last as T[]]
  }
}

const byLength = { useSequenceLength: true } as const

/** What each sequence has at its last step. */
const lastOf = (steps: readonly Tensor[], validLength: Tensor): Tensor =>
  sequenceLast(stack(...steps, { axis: 0 }), validLength, byLength)

/** Outputs with zeros behind the end of each sequence, as one array or one for each step. */
export function within(
  outputs: readonly Tensor[],
  validLength: Tensor,
  axis: number,
  merged: boolean,
): Tensor | Tensor[] {
  const masked = sequenceMask(stack(...outputs, { axis }), validLength, { ...byLength, axis })
  return merged ? masked : apart(masked, axis, outputs.length)
}

/** The steps of sequences. */
function apart(x: Tensor, axis: number, count: number): Tensor[] {
  const parts = split(x, { numOutputs: count, axis, squeezeAxis: true })
  return Array.isArray(parts) ? parts : [parts as unknown as Tensor]
}

/** The inputs of each step. */
export function stepsOf(
  where: string,
  length: number,
  inputs: Tensor | readonly Tensor[],
  layout: 'NTC' | 'TNC',
): { steps: readonly Tensor[]; axis: number } {
  const axis = layout === 'NTC' ? 1 : 0
  if (Array.isArray(inputs)) {
    if (inputs.length !== length)
      fail(where, `${inputs.length} inputs are given for ${length} steps`)
    return { steps: inputs, axis }
  }
  const whole = inputs as Tensor
  if (!(whole instanceof Unbound) && whole.shape[axis] !== length)
    fail(where, `the input has ${whole.shape[axis]} steps along axis ${axis}, not ${length}`)
  return { steps: apart(whole, axis, length), axis }
}

/** A cell with weights: `rows` gates of `hiddenSize` each. */
abstract class WeightedCell extends RecurrentCell {
  readonly i2hWeight: Parameter
  readonly h2hWeight: Parameter
  readonly i2hBias: Parameter
  readonly h2hBias: Parameter
  protected readonly hiddenSize: number
  readonly #rows: number

  constructor(
    where: string,
    hiddenSize: number,
    gates: number,
    options: CellOptions,
    known: readonly string[],
  ) {
    super(checkOptions(where, options, [...cellOptions, ...known]), hintOf(where))
    if (!Number.isInteger(hiddenSize) || hiddenSize <= 0)
      fail(where, `hiddenSize is ${String(hiddenSize)}: it must be an integer above 0`)
    this.hiddenSize = hiddenSize
    this.#rows = gates * hiddenSize
    const make = (name: string, shape: readonly number[], init: InitLike | null): Parameter =>
      this.params.get(name, { shape, init, allowDeferredInit: true })
    this.i2hWeight = make(
      'i2h_weight',
      [this.#rows, options.inputSize ?? 0],
      options.i2hWeightInitializer ?? null,
    )
    this.h2hWeight = make(
      'h2h_weight',
      [this.#rows, hiddenSize],
      options.h2hWeightInitializer ?? null,
    )
    this.i2hBias = make('i2h_bias', [this.#rows], options.i2hBiasInitializer ?? 'zeros')
    this.h2hBias = make('h2h_bias', [this.#rows], options.h2hBiasInitializer ?? 'zeros')
  }

  override inferShape(x: Tensor): void {
    this.i2hWeight.shape = [this.#rows, x.shape.at(-1)!]
  }

  /** What input and state contribute to the gates. */
  protected sums(x: Tensor, h: Tensor): readonly [Tensor, Tensor] {
    const attrs = { numHidden: this.#rows }
    return [
      fullyConnected(x, this.i2hWeight.data() as Tensor, this.i2hBias.data(), attrs),
      fullyConnected(h, this.h2hWeight.data() as Tensor, this.h2hBias.data(), attrs),
    ]
  }

  stateInfo(batchSize = 0): { readonly shape: readonly number[] }[] {
    return [{ shape: [batchSize, this.hiddenSize] }]
  }

  protected override describe(): string {
    const [rows, inner] = this.i2hWeight.shape as [number, number]
    return `(${inner || 'None'} -> ${rows})`
  }
}

/** `rnn` for RNNCell: MXNet's cells go by the kind. */
const hintOf = (where: string): string => where.replace(/Cell$/, '').toLowerCase()

/** Options of `RNNCell`. */
export interface RNNCellOptions extends CellOptions {
  /** tanh by default. */
  readonly activation?: ActivationName
}

/**
 * A step of Elman's network.
 *
 * `h' = act(W·x + b + U·h + b')`; `(N, C), [(N, hiddenSize)] -> (N, hiddenSize)` and the next states.
 * @throws MXNetError unless `hiddenSize` is an integer above 0.
 * @example
 * const cell = new gluon.rnn.RNNCell(20)
 * @see MXNet `gluon.rnn.RNNCell`
 */
export class RNNCell extends WeightedCell {
  readonly #act: ActivationName

  constructor(hiddenSize: number, options: RNNCellOptions = {}) {
    super('RNNCell', hiddenSize, 1, options, ['activation'])
    this.#act = options.activation ?? 'tanh'
  }

  override forward(x: Tensor, h: Tensor): Tensor {
    const [a, b] = this.sums(x, h)
    const output = activation(a.add(b), { actType: this.#act })
    return [output, output] as unknown as Tensor
  }
}

/** Options of `LSTMCell`. */
export interface LSTMCellOptions extends CellOptions {
  /** Of the memory's input and output; tanh by default. */
  readonly activation?: ActivationName
  /** Of the gates; sigmoid by default. */
  readonly recurrentActivation?: ActivationName
}

/**
 * A step of a network with a long short-term memory.
 *
 * `i, f, g, o = σ, σ, tanh, σ(W·x + b + U·h + b')`, `c' = f·c + i·g`, `h' = o·tanh(c')`;
 * `(N, C), [h, c] -> (N, hiddenSize)` and the next states.
 * @throws MXNetError unless `hiddenSize` is an integer above 0.
 * @example
 * const cell = new gluon.rnn.LSTMCell(20)
 * @see MXNet `gluon.rnn.LSTMCell`
 */
export class LSTMCell extends WeightedCell {
  readonly #act: ActivationName
  readonly #gate: ActivationName

  constructor(hiddenSize: number, options: LSTMCellOptions = {}) {
    super('LSTMCell', hiddenSize, 4, options, ['activation', 'recurrentActivation'])
    this.#act = options.activation ?? 'tanh'
    this.#gate = options.recurrentActivation ?? 'sigmoid'
  }

  override stateInfo(batchSize = 0): { readonly shape: readonly number[] }[] {
    const shape = [batchSize, this.hiddenSize]
    return [{ shape }, { shape }]
  }

  override forward(x: Tensor, h: Tensor, c: Tensor): Tensor {
    const [a, b] = this.sums(x, h)
    const [i, f, g, o] = split(a.add(b), { numOutputs: 4, axis: 1 }) as unknown as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ]
    const gate = (t: Tensor): Tensor => activation(t, { actType: this.#gate })
    const act = (t: Tensor): Tensor => activation(t, { actType: this.#act })
    const cell = gate(f)
      .mul(c)
      .add(gate(i).mul(act(g)))
    const output = gate(o).mul(act(cell))
    return [output, output, cell] as unknown as Tensor
  }
}

/**
 * A step of a gated recurrent network.
 *
 * `r, z = σ(W·x + b + U·h + b')`, `n = tanh(W·x + b + r·(U·h + b'))`, `h' = (1 - z)·n + z·h`;
 * `(N, C), [h] -> (N, hiddenSize)` and the next states.
 * @throws MXNetError unless `hiddenSize` is an integer above 0.
 * @example
 * const cell = new gluon.rnn.GRUCell(20)
 * @see MXNet `gluon.rnn.GRUCell`
 */
export class GRUCell extends WeightedCell {
  constructor(hiddenSize: number, options: CellOptions = {}) {
    super('GRUCell', hiddenSize, 3, options, [])
  }

  override forward(x: Tensor, h: Tensor): Tensor {
    const [a, b] = this.sums(x, h).map((t) => split(t, { numOutputs: 3, axis: 1 })) as unknown as [
      Tensor[],
      Tensor[],
    ]
    const reset = sigmoid(a[0]!.add(b[0]!))
    const update = sigmoid(a[1]!.add(b[1]!))
    const fresh = tanh(a[2]!.add(reset.mul(b[2]!)))
    const output = fresh.sub(update.mul(fresh)).add(update.mul(h))
    return [output, output] as unknown as Tensor
  }
}

/**
 * Cells on top of each other: the output of one is the input of the next.
 *
 * States are those of all cells in a row.
 * @example
 * const stack = new gluon.rnn.SequentialRNNCell()
 * stack.add(new gluon.rnn.LSTMCell(20), new gluon.rnn.GRUCell(10))
 * @see MXNet `gluon.rnn.SequentialRNNCell`
 */
export class SequentialRNNCell extends RecurrentCell {
  constructor(options: BlockOptions = {}) {
    super(checkOptions('SequentialRNNCell', options, blockOptions))
  }

  /** The number of cells. */
  override get length(): number {
    return this.#cells.length
  }

  /**
   * The cell at a position, from the end when negative.
   * @throws MXNetError when there is none.
   */
  at(index: number): RecurrentCell {
    const cells = this.#cells
    return (
      cells.at(index) ??
      fail(this.constructor.name, `there is no cell ${index}: there are ${cells.length}`)
    )
  }

  /** Appends cells. */
  add(...cells: RecurrentCell[]): void {
    for (const cell of cells) this.registerChild(cell)
  }

  get #cells(): RecurrentCell[] {
    return [...this.children.values()] as RecurrentCell[]
  }

  stateInfo(batchSize = 0): { readonly shape: readonly number[] }[] {
    return this.#cells.flatMap((cell) => cell.stateInfo(batchSize))
  }

  override forward(x: Tensor, ...states: Tensor[]): Tensor {
    let output = x
    const next: Tensor[] = []
    let at = 0
    for (const cell of this.#cells) {
      const count = cell.stateInfo().length
      const [y, own] = cell(output, states.slice(at, at + count))
      output = y
      next.push(...own)
      at += count
    }
    return [output, ...next] as unknown as Tensor
  }
}

/**
 * Two cells over a sequence, one from each end; only `unroll` can run it.
 *
 * Outputs of both stand side by side: `(N, T, C) -> (N, T, L + R)`.
 * @throws MXNetError when it is called step by step.
 * @example
 * const both = new gluon.rnn.BidirectionalCell(new gluon.rnn.LSTMCell(20), new gluon.rnn.LSTMCell(20))
 * @see MXNet `gluon.rnn.BidirectionalCell`
 */
export class BidirectionalCell extends RecurrentCell {
  readonly lCell: RecurrentCell
  readonly rCell: RecurrentCell

  constructor(lCell: RecurrentCell, rCell: RecurrentCell, options: BlockOptions = {}) {
    super(checkOptions('BidirectionalCell', options, blockOptions))
    this.lCell = lCell
    this.rCell = rCell
  }

  stateInfo(batchSize = 0): { readonly shape: readonly number[] }[] {
    return [...this.lCell.stateInfo(batchSize), ...this.rCell.stateInfo(batchSize)]
  }

  override forward(): Tensor {
    return fail('BidirectionalCell', 'it needs the whole sequence: use unroll')
  }

  override unroll<T extends Tensor>(
    length: number,
    inputs: T | readonly T[],
    options: UnrollOptions = {},
  ): [T | T[], T[]] {
    const { layout = 'NTC', mergeOutputs = null, validLength = null } = options
    const { steps, axis } = stepsOf('BidirectionalCell', length, inputs, layout)
    this.reset()
    const begin = options.beginState ?? this.firstStates(steps[0]!)
    const count = this.lCell.stateInfo().length
    // The last step comes first; with lengths that of each sequence.
    const turned = (list: readonly Tensor[]): readonly Tensor[] =>
      validLength === null
        ? list.toReversed()
        : apart(sequenceReverse(stack(...list, { axis: 0 }), validLength, byLength), 0, length)
    const run = (cell: RecurrentCell, list: readonly Tensor[], states: readonly Tensor[]) => {
      const settings = { beginState: states, layout, mergeOutputs: false, validLength }
      return cell.unroll(length, list, settings) as unknown as [Tensor[], Tensor[]]
    }
    const [left, leftStates] = run(this.lCell, steps, begin.slice(0, count))
    const [back, rightStates] = run(this.rCell, turned(steps), begin.slice(count))
    const right = turned(back)
    const outputs = left.map((y, t) => concat(y, right[t]!, { dim: 1 }))
    const merged = mergeOutputs ?? !Array.isArray(inputs)
    const joined = merged
      ? concat(...outputs.map((y) => expandDims(y, axis)), { dim: axis })
      : outputs
    return [joined as T | T[], [...leftStates, ...rightStates] as T[]]
  }
}

/**
 * `SequentialRNNCell` under the name that MXNet has for compiled ones.
 * @example
 * const stack = new gluon.rnn.HybridSequentialRNNCell()
 * stack.add(new gluon.rnn.GRUCell(20), new gluon.rnn.GRUCell(10))
 * @see MXNet `gluon.rnn.HybridSequentialRNNCell`
 */
export class HybridSequentialRNNCell extends SequentialRNNCell {}
