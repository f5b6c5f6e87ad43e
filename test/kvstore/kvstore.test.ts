/** KVStore: pushes add up, pulls copy, updaters change what is stored, gradients are compressed with what is left over. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpu, kv, MXNetError, type NDArray, nd, optimizer, random } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

const values = (x: NDArray): number[] => Array.from(x.asTypedArraySync() as ArrayLike<number>)
const ones = (id = 0): NDArray => nd.ones([2], { ctx: cpu(id) })

describe('KVStore', () => {
  it('replaces the stored value by the sum of what is pushed', () => {
    const store = kv.create('local')
    expect([store.type, store.rank, store.numWorkers]).toEqual(['local', 0, 1])
    store.init(3, nd.array([5, 5]))
    const out = nd.zeros([2])
    store.pull(3, { out })
    expect(values(out)).toEqual([5, 5])
    store.push(3, [ones(0), ones(1).mul(2), ones(2).mul(3)])
    const outs = [nd.zeros([2]), nd.zeros([2], { ctx: cpu(1) })]
    store.pull(3, { out: outs })
    expect(outs.map(values)).toEqual([
      [6, 6],
      [6, 6],
    ])
    expect(outs[1]!.context).toBe(cpu(1))
  })

  it('takes lists of keys, and texts as keys', () => {
    const store = kv.create('device')
    store.init(['a', 'b'], [ones(), ones().mul(2)])
    store.push(
      ['a', 'b'],
      [
        [ones(), ones(1)],
        [ones(), ones(1).mul(4)],
      ],
    )
    const [a, b] = [nd.zeros([2]), nd.zeros([2])]
    store.pull(['a', 'b'], { out: [a, b] })
    expect([values(a), values(b)]).toEqual([
      [2, 2],
      [5, 5],
    ])
  })

  it('pushes and pulls in place, and broadcasts', () => {
    const store = kv.create('device')
    const copies = [nd.zeros([2]), nd.zeros([2], { ctx: cpu(1) })]
    store.broadcast('w', nd.array([1, 2]), copies)
    expect(copies.map(values)).toEqual([
      [1, 2],
      [1, 2],
    ])
    store.pushpull('w', copies)
    expect(copies.map(values)).toEqual([
      [2, 4],
      [2, 4],
    ])
  })

  it('hands sums to an updater, or to an optimizer', () => {
    const store = kv.create()
    store.init(3, ones())
    store.setUpdater((key, sum, stored) => {
      expect(key).toBe(3)
      stored.addAssign(sum.mul(2))
    })
    const out = nd.zeros([2])
    store.push(3, [ones(), ones(1)])
    store.pull(3, { out })
    expect(values(out)).toEqual([5, 5])
    const trained = kv.create()
    trained.init(['w', 'b'], [ones(), ones()])
    trained.setOptimizer(new optimizer.SGD({ learningRate: 0.5, momentum: 0.5 }))
    for (let i = 0; i < 2; i++) trained.push('b', [ones(), ones(1)])
    trained.pull('b', { out })
    expect(values(out)).toEqual([1 - 1 - 1.5, 1 - 1 - 1.5])
    trained.pull('w', { out })
    expect(values(out)).toEqual([1, 1])
  })

  it('pulls rows by their numbers', () => {
    const store = kv.create()
    store.init(
      0,
      nd.array([
        [1, 1],
        [2, 2],
        [3, 3],
      ]),
    )
    const out = nd.ones([3, 2])
    store.rowSparsePull(0, { out, rowIds: nd.array([2, 0, 2], { dtype: 'int64' }) })
    expect(values(out)).toEqual([1, 1, 0, 0, 3, 3])
  })

  it('compresses gradients to two bits and keeps what is left over', () => {
    const store = kv.create('device')
    store.setGradientCompression({ type: '2bit', threshold: 0.5 })
    store.init(0, nd.zeros([4]))
    const out = nd.zeros([4])
    const push = (x: number[]): number[] => {
      store.push(0, nd.array(x))
      store.pull(0, { out })
      return values(out)
    }
    expect(push([0.3, -0.6, 0.2, 1.2])).toEqual([0, -0.5, 0, 0.5])
    // left over: 0.3, -0.1, 0.2, 0.7
    expect(push([0.3, 0, 0.2, 0])).toEqual([0.5, 0, 0, 0.5])
    expect(push([0, -0.4, 0.2, 0])).toEqual([0, -0.5, 0.5, 0])
    // The sum of all that was sent is the sum of all gradients, but for what is left over.
    expect(push([0, 0, 0, 0])).toEqual([0, 0, 0, 0])
    expect(() => kv.create('local').setGradientCompression({ type: '2bit' })).toThrow(
      /'device' store/,
    )
  })

  it('compresses for each device by itself', () => {
    const store = kv.create('device')
    store.setGradientCompression({ type: '2bit', threshold: 1 })
    store.init(0, nd.zeros([1]))
    const out = nd.zeros([1])
    for (const [push, sent] of [
      [[0.6, 0.9], 0],
      [[0.6, 0], 1],
      [[0, 0.2], 1],
    ] as const) {
      store.push(0, [nd.array([push[0]]), nd.array([push[1]], { ctx: cpu(1) })])
      store.pull(0, { out })
      expect(values(out)).toEqual([sent])
    }
  })

  it('saves the states of its optimizer', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kv-'))
    const file = join(folder, 'a.states')
    const make = (lr: number): kv.KVStore => {
      const store = kv.create()
      store.init(0, ones())
      store.setOptimizer(new optimizer.Adam({ learningRate: lr }))
      return store
    }
    const [a, b] = [make(0.1), make(0.7)]
    for (let i = 0; i < 3; i++) a.push(0, nd.array([1, -2]))
    await a.saveOptimizerStates(file, true)
    await b.loadOptimizerStates(file)
    const out = [nd.zeros([2]), nd.zeros([2])]
    a.pull(0, { out: out[0]! })
    b.push(0, nd.array([1, -2]))
    a.push(0, nd.array([1, -2]))
    const before = values(out[0]!)
    a.pull(0, { out: out[0]! })
    b.pull(0, { out: out[1]! })
    const moved = values(out[0]!).map((v, i) => v - before[i]!)
    values(out[1]!).forEach((v, i) => expect(v - 1).toBeCloseTo(moved[i]!, 5))
    rmSync(folder, { recursive: true })
  })

  it('pushes and pulls in one call: updates by an optimizer, many keys at once', () => {
    const both = [cpu(0), cpu(1)]
    const store = kv.create('device')
    const keys = ['a', 'b']
    store.init(keys, [ones(), ones().mul(2)])
    store.setOptimizer(new optimizer.SGD({ learningRate: 0.5, momentum: 0.5 }))
    const grads = keys.map(() => both.map((_, id) => ones(id)))
    const out = keys.map(() => both.map((ctx) => nd.zeros([2], { ctx })))
    store.pushpull(keys, grads, { out })
    store.pushpull(keys, grads, { out })
    // The steps are 1 and 1.5: half of the sum of two ones, and half of the first step besides.
    expect(out.map((list) => list.map(values))).toEqual([
      [
        [-1.5, -1.5],
        [-1.5, -1.5],
      ],
      [
        [-0.5, -0.5],
        [-0.5, -0.5],
      ],
    ])
    expect(grads.flat().map(values)).toEqual(grads.flat().map(() => [1, 1]))
    // Without `out` the weights come into the arrays that were pushed.
    store.pushpull('a', grads[0]!)
    expect(grads[0]!.map(values)).toEqual([
      [-3.25, -3.25],
      [-3.25, -3.25],
    ])
    store.pushpull([], [])
    // A key named twice is updated twice.
    const before = nd.zeros([2])
    store.pull('b', { out: before })
    const after = [nd.zeros([2]), nd.zeros([2])]
    store.pushpull(['b', 'b'], [nd.zeros([2]), nd.zeros([2])], { out: after })
    const moved = values(after[1]!).map((v, i) => v - values(before)[i]!)
    expect(moved).toEqual([-0.75 - 0.375, -0.75 - 0.375])
  })

  it('updates as one push for each key does, whatever the optimizer', () => {
    for (const name of ['sgd', 'adam', 'lamb', 'signum', 'ftrl', 'sgld', 'test'] as const) {
      const [one, many] = [kv.create('device'), kv.create('device')]
      const arrays = [0, 1].map((id) => nd.array([0.25, -1], { ctx: cpu(id) }))
      const results = [one, many].map((store) => {
        store.init(5, nd.array([1, 2]))
        store.setOptimizer(optimizer.create(name))
        random.seed(3)
        const out = nd.zeros([2])
        for (let step = 0; step < 3; step++) {
          if (store === many) store.pushpull([5], [arrays], { out: [out] })
          else {
            store.push(5, arrays)
            store.pull(5, { out })
          }
        }
        return values(out)
      })
      expect(results[1], name).toEqual(results[0])
    }
  })

  it('compresses on the way to an optimizer', () => {
    const store = kv.create('device')
    store.setGradientCompression({ type: '2bit', threshold: 1 })
    store.init(0, nd.zeros([2]))
    store.setOptimizer(new optimizer.SGD({ learningRate: 1 }))
    const out = [nd.zeros([2]), nd.zeros([2], { ctx: cpu(1) })]
    const step = (a: number[], b: number[]): number[] => {
      store.pushpull(0, [nd.array(a), nd.array(b, { ctx: cpu(1) })], { out })
      expect(values(out[1]!)).toEqual(values(out[0]!))
      return values(out[0]!)
    }
    expect(step([0.75, 1.5], [0.75, 0])).toEqual([0, -1])
    expect(step([0.5, 0], [0.5, 0])).toEqual([-2, -1])
    expect(step([0, 0.5], [0, 0])).toEqual([-2, -2])
  })

  it('hands stored values out: each array is its own when somebody writes', () => {
    const store = kv.create()
    store.init('w', nd.array([1, 2]))
    const [near, far, half] = [
      nd.zeros([2]),
      nd.zeros([2], { ctx: cpu(1) }),
      nd.zeros([2], { dtype: 'float16' }),
    ]
    store.pull('w', { out: [near, far, half] })
    near.addAssign(1)
    far.set(7, 0)
    expect([near, far, half].map(values)).toEqual([
      [2, 3],
      [7, 2],
      [1, 2],
    ])
    expect(half.dtype).toBe('float16')
    const again = nd.zeros([2])
    store.pull('w', { out: again })
    expect(values(again)).toEqual([1, 2])
    // What was stored is not the array it was stored from.
    const first = nd.array([5])
    store.init('v', first)
    first.assign(6)
    store.pull('v', { out: again.at('0:1') })
    const out = nd.zeros([1])
    store.pull('v', { out })
    expect(values(out)).toEqual([5])
  })

  it('says what is wrong', () => {
    const store = kv.create()
    store.init(1, ones())
    for (const f of [
      () => store.init(1, ones()),
      () => store.init('x', ones()),
      () => store.push(2, ones()),
      () => store.push(1, nd.ones([3])),
      () => store.pull(1, {}),
      () => kv.create('dist_sync'),
      () => kv.create('locl'),
      () => store.push([1, 1], [ones()]),
      () => store.pushpull(2, ones()),
      () => store.pushpull([1, 1], [ones()]),
      () => store.rowSparsePull(2, { out: ones(), rowIds: ones() }),
      () => store.rowSparsePull(1, {} as never),
    ])
      expect(f).toThrow(MXNetError)
  })
})
