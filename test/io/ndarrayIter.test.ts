/** Batches of arrays, and iterators made of others. */

import { io, type NDArray, nd, random } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

const rows = (n: number): NDArray => nd.arange(0, n)
const values = (x: NDArray): unknown => x.asArraySync()
const pass = (iter: io.DataIter): unknown[] => [...iter].map(({ data }) => values(data[0]!))

describe('NDArrayIter', () => {
  it('fills the last batch up from the beginning', () => {
    const iter = new io.NDArrayIter(rows(7), rows(7).mul(10), { batchSize: 3 })
    for (let turn = 0; turn < 2; turn++) {
      const batches = [...iter]
      expect(batches.map(({ data }) => values(data[0]!))).toEqual([
        [0, 1, 2],
        [3, 4, 5],
        [6, 0, 1],
      ])
      expect(batches.map(({ label }) => values(label![0]!))).toEqual([
        [0, 10, 20],
        [30, 40, 50],
        [60, 0, 10],
      ])
      expect(batches.map(({ pad }) => pad)).toEqual([0, 0, 2])
      // The pass is over until somebody says otherwise.
      expect(iter.next()).toBe(null)
      expect(iter.next()).toBe(null)
      iter.reset()
    }
  })

  it('leaves out what does not fill a batch', () => {
    const iter = new io.NDArrayIter(rows(7), { batchSize: 3, lastBatchHandle: 'discard' })
    const want = [
      [0, 1, 2],
      [3, 4, 5],
    ]
    expect(pass(iter)).toEqual(want)
    iter.reset()
    expect(pass(iter)).toEqual(want)
    expect(iter.provideLabel).toEqual([])
  })

  it('puts it before the next pass', () => {
    const iter = new io.NDArrayIter(rows(7), { batchSize: 3, lastBatchHandle: 'roll_over' })
    expect(pass(iter)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ])
    expect(iter.next()).toBe(null)
    iter.reset()
    const second = [...iter]
    expect(second.map(({ data }) => values(data[0]!))).toEqual([
      [6, 0, 1],
      [2, 3, 4],
    ])
    expect(second.map(({ pad }) => pad)).toEqual([1, 0])
    iter.reset()
    expect(pass(iter)[0]).toEqual([5, 6, 0])
    iter.hardReset()
    expect(pass(iter)[0]).toEqual([0, 1, 2])
    // A pass that is left before its end keeps nothing.
    iter.reset()
    iter.next()
    iter.reset()
    expect(pass(iter)[0]).toEqual([0, 1, 2])
  })

  it.each(['pad', 'discard', 'roll_over'] as const)('divides without a rest: %s', (handle) => {
    const iter = new io.NDArrayIter(rows(6), { batchSize: 3, lastBatchHandle: handle })
    for (let turn = 0; turn < 3; turn++) {
      expect(pass(iter)).toEqual([
        [0, 1, 2],
        [3, 4, 5],
      ])
      iter.reset()
    }
  })

  it('shuffles data and labels alike, each pass anew, and keeps dtypes', () => {
    random.seed(3)
    const labels = nd.arange(0, 50, 1, { dtype: 'int32' })
    const iter = new io.NDArrayIter(rows(50), labels, { batchSize: 10, shuffle: true })
    const orders = [0, 1].map(() => {
      const batches = [...iter]
      iter.reset()
      for (const { data, label } of batches) {
        expect(label![0]!.dtype).toBe('int32')
        expect(values(label![0]!)).toEqual(values(data[0]!))
      }
      return batches.flatMap(({ data }) => values(data[0]!) as number[])
    })
    expect(orders[0]).not.toEqual(orders[1])
    for (const order of orders)
      expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i))
  })

  it('takes one source, lists and names', () => {
    const two = new io.NDArrayIter([nd.ones([4, 2]), nd.zeros([4, 3], { dtype: 'int32' })], null, {
      batchSize: 2,
    })
    expect(two.provideData.map(String)).toEqual([
      'DataDesc[_0_data,(2, 2),float32,NCHW]',
      'DataDesc[_1_data,(2, 3),int32,NCHW]',
    ])
    const named = new io.NDArrayIter(
      { b: nd.ones([4]), a: [[1], [2], [3], [4]] },
      { label: new Float64Array(4), batchSize: 2, labelName: 'y', layout: 'NC' },
    )
    expect(named.provideData.map(String)).toEqual([
      'DataDesc[a,(2, 1),float32,NC]',
      'DataDesc[b,(2,),float32,NC]',
    ])
    expect(named.provideLabel.map(String)).toEqual(['DataDesc[y,(2,),float32,NC]'])
    expect(values(named.next()!.data[0]!)).toEqual([[1], [2]])
    const single = new io.NDArrayIter([nd.ones([4])], { batchSize: 2, dataName: 'x' })
    expect(single.provideData[0]!.name).toBe('x')
  })

  it('says what does not fit', () => {
    expect(() => new io.NDArrayIter(rows(4), rows(5))).toThrow(/\[NDArrayIter\] data .*as many/)
    expect(() => new io.NDArrayIter(rows(4), null, { batchSize: 5 })).toThrow(/4 samples are fewer/)
    expect(() => new io.NDArrayIter(rows(4), null, { batchSize: 0 })).toThrow(/batchSize is 0/)
    expect(() => new io.NDArrayIter(rows(4), { batch_size: 2 } as never)).toThrow(/NDArrayIter/)
    expect(() => new io.NDArrayIter([])).toThrow(/NDArrayIter/)
    const handle = { lastBatchHandle: 'keep' as never }
    expect(() => new io.NDArrayIter(rows(4), handle)).toThrow(/'keep': use pad, discard, roll_over/)
    expect(() => new io.NDArrayIter(rows(4)).getData()).toThrow(/call iterNext or next first/)
    expect(() => new io.DataBatch(nd.ones([2]) as never)).toThrow(/\[DataBatch\] data is no list/)
  })
})

describe('iterators of iterators', () => {
  const three = (): io.NDArrayIter => new io.NDArrayIter(rows(6), rows(6), { batchSize: 2 })

  it('ResizeIter cuts and repeats', () => {
    const inner = three()
    expect(pass(new io.ResizeIter(inner, 2))).toEqual([
      [0, 1],
      [2, 3],
    ])
    const going = new io.ResizeIter(three(), 4, { resetInternal: false })
    expect(pass(going).at(-1)).toEqual([0, 1])
    expect(going.iterNext()).toBe(false)
    going.reset()
    expect(pass(going)[0]).toEqual([2, 3])
    expect(going.provideData[0]!.shape).toEqual([2])
    expect(going.getPad()).toBe(0)
    expect(() => new io.ResizeIter(inner, -1)).toThrow(/size is -1/)
  })

  it('PrefetchingIter joins, renames, and says where the others part', () => {
    const both = new io.PrefetchingIter([three(), three()], {
      renameData: [{ data: 'left' }, { data: 'right' }],
      renameLabel: [{ softmax_label: 'a' }, {}],
    })
    expect(both.provideData.map(({ name }) => name)).toEqual(['left', 'right'])
    expect(both.provideLabel.map(({ name }) => name)).toEqual(['a', 'softmax_label'])
    for (let turn = 0; turn < 2; turn++) {
      const batches = [...both]
      expect(batches.map(({ data }) => data.map(values))).toEqual([
        [
          [0, 1],
          [0, 1],
        ],
        [
          [2, 3],
          [2, 3],
        ],
        [
          [4, 5],
          [4, 5],
        ],
      ])
      expect(both.next()).toBe(null)
      both.reset()
    }
    const uneven = [three(), new io.NDArrayIter(rows(4), { batchSize: 2 })]
    expect(() => [...new io.PrefetchingIter(uneven)]).toThrow(/different numbers of batches/)
    const filled = [three(), new io.NDArrayIter(rows(5), { batchSize: 2 })]
    expect(() => [...new io.PrefetchingIter(filled)]).toThrow(/fill up their batches/)
    expect(() => new io.PrefetchingIter([])).toThrow(/at least one/)
    expect(() => new io.PrefetchingIter([three()], { renameData: [] })).toThrow(/0 objects/)
  })

  it('DataDesc knows the axis of the batch', () => {
    expect(io.DataDesc.getBatchAxis('TNC')).toBe(1)
    expect(io.DataDesc.getBatchAxis(null)).toBe(0)
    const [desc] = io.DataDesc.getList([['x', [2, 3]]], [['x', 'int32']])
    expect(String(desc)).toBe('DataDesc[x,(2, 3),int32,NCHW]')
    const batch = new io.DataBatch([nd.ones([2, 3])], [nd.ones([2])], { pad: 1 })
    expect(String(batch)).toBe('DataBatch: data shapes: [(2, 3)] label shapes: [(2,)]')
  })
})
