/** Recurrent cells: what is around them, and sequences of different lengths. */

import { describe, expect, it } from 'vitest'
import * as mx from '../../src/node.ts'

const { nd, gluon, autograd } = mx
const { rnn } = gluon
type Nested = number | Nested[]
const flat = async (x: mx.NDArray): Promise<number[]> =>
  [(await x.asArray()) as Nested].flat(9) as number[]
const near = (got: readonly number[], want: readonly number[]): void => {
  expect(got.length).toBe(want.length)
  got.forEach((g, i) => {
    expect(g).toBeCloseTo(want[i]!, 5)
  })
}
const sequences = () => nd.random.uniform(-1, 1, { shape: [2, 4, 3] })

describe('cells', () => {
  it('begin with states of a batch, by position or by name', () => {
    for (const net of [
      new rnn.LSTMCell(5),
      new rnn.LSTM(5),
      new rnn.ZoneoutCell(new rnn.GRUCell(5)),
    ]) {
      const shapes = (states: mx.NDArray[]) => states.map((s) => s.shape)
      expect(shapes(net.beginState({ batchSize: 3 }))).toEqual(shapes(net.beginState(3)))
      const [ones] = net.beginState({ batchSize: 3, func: nd.ones, dtype: 'float64' })
      expect([ones!.dtype, nd.min(ones!).asScalarSync()]).toEqual(['float64', 1])
    }
  })

  it.each([
    ['RNNCell', () => new rnn.RNNCell(5)],
    ['LSTMCell', () => new rnn.LSTMCell(5)],
    [
      'SequentialRNNCell',
      () => {
        const tower = new rnn.HybridSequentialRNNCell()
        tower.add(
          new rnn.GRUCell(4),
          new rnn.ResidualCell(new rnn.GRUCell(4)),
          new rnn.DropoutCell(0.5),
        )
        return tower
      },
    ],
    ['ResidualCell', () => new rnn.ResidualCell(new rnn.RNNCell(3))],
    ['BidirectionalCell', () => new rnn.BidirectionalCell(new rnn.RNNCell(2), new rnn.LSTMCell(2))],
  ] as const)('%s stops at the end of each sequence', async (_name, make) => {
    const cell = make()
    cell.initialize(new mx.init.Uniform(0.5))
    const x = sequences()
    const lengths = [2, 4]
    const [out, states] = cell.unroll(4, x, { validLength: nd.array(lengths) }) as [
      mx.NDArray,
      mx.NDArray[],
    ]
    for (const [n, length] of lengths.entries()) {
      const alone = x.at(`${n}:${n + 1}`, `0:${length}`)
      const [want, last] = cell.unroll(length, alone) as [mx.NDArray, mx.NDArray[]]
      near(await flat(out.at(`${n}:${n + 1}`, `0:${length}`)), await flat(want))
      for (const v of await flat(out.at(n, `${length}:`))) expect(v).toBe(0)
      for (const [i, state] of states.entries())
        near(await flat(state.at(`${n}:${n + 1}`)), await flat(last[i]!))
    }
  })

  it('adds the input of a residual cell to its output', async () => {
    const base = new rnn.GRUCell(3)
    const cell = new rnn.ResidualCell(base)
    cell.initialize()
    const [x, h] = [nd.ones([2, 3]), nd.ones([2, 3])]
    const [[y], [plain]] = [cell(x, [h]), base(x, [h])]
    near(await flat(y), await flat(plain.add(1)))
    expect([...cell.collectParams().keys()].every((n) => n.startsWith(base.prefix))).toBe(true)
    expect(cell.prefix).toBe(`${base.prefix}residual_`)
  })

  it('drops inputs between cells while training alone', async () => {
    const cell = new rnn.DropoutCell(0.5)
    const x = nd.ones([50, 4])
    expect(await flat(cell(x, [])[0])).toEqual(await flat(x))
    const kept = await flat(autograd.record(() => cell(x, [])[0]))
    expect(new Set(kept)).toEqual(new Set([0, 2]))
    expect(cell.stateInfo(3)).toEqual([])
    expect(() => new rnn.DropoutCell(1)).toThrow('from 0 up to, but not, 1')
  })

  it('keeps outputs and states of the step before in places, while training', async () => {
    const base = new rnn.RNNCell(40)
    const cell = new rnn.ZoneoutCell(base, 0.5, 0.25)
    cell.initialize()
    const x = nd.random.uniform(-1, 1, { shape: [3, 2, 40] })
    near(
      await flat(cell.unroll(2, x)[0] as mx.NDArray),
      await flat(base.unroll(2, x)[0] as mx.NDArray),
    )
    const [outputs, [state]] = autograd.record(() =>
      cell.unroll(2, x, { mergeOutputs: false }),
    ) as [mx.NDArray[], mx.NDArray[]]
    const [first, second] = await Promise.all(outputs.map(flat))
    const zeros = first!.filter((v) => v === 0).length / 120
    expect(zeros).toBeGreaterThan(0.3)
    expect(zeros).toBeLessThan(0.7)
    // Of the second step about half is the output of the first.
    const same = second!.filter((v, i) => v === first![i]).length / 120
    expect(same).toBeGreaterThan(0.3)
    expect(same).toBeLessThan(0.7)
    expect((await flat(state!)).length).toBe(120)
    const both = new rnn.BidirectionalCell(new rnn.RNNCell(2), new rnn.RNNCell(2))
    expect(() => new rnn.ZoneoutCell(both)).toThrow('BidirectionalCell')
  })

  it('computes the same when compiled', async () => {
    const net = new (
      class extends gluon.HybridBlock {
        readonly cell = new rnn.ZoneoutCell(
          new rnn.LSTMCell(4, { activation: 'relu', recurrentActivation: 'softsign' }),
        )
        override forward(x: mx.NDArray): mx.NDArray {
          return this.cell.unroll(4, x)[0] as mx.NDArray
        }
      } as unknown as new () => mx.gluon.HybridBlock
    )()
    net.initialize()
    const x = sequences()
    const want = await flat(net(x))
    net.hybridize()
    near(await flat(net(x)), want)
    near(await flat(net(x)), want)
  })
})
