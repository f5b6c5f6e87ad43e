/** The DataLoader: batches, epochs, and the same bits whether a transform runs on batches or sample by sample. */

import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  ArrayDataset,
  DataLoader,
  type Dataset,
  defaultBatchifyFn,
  SequentialSampler,
  SimpleDataset,
} from '../../../src/gluon/data/index.ts'
import { RowProgram } from '../../../src/ndarray/rows.ts'
import { NDArray, nd, random } from '../../../src/node.ts'

async function collect<B>(loader: AsyncIterable<B>): Promise<B[]> {
  const out: B[] = []
  for await (const batch of loader) out.push(batch)
  return out
}

/** Values, shapes and dtypes of whatever a batch is. */
async function bits(batch: unknown): Promise<unknown> {
  if (batch instanceof NDArray)
    return { shape: batch.shape, dtype: batch.dtype, values: await batch.asTypedArray() }
  return Promise.all((batch as unknown[]).map(bits))
}

const images = nd
  .array(Uint8Array.from({ length: 10 * 12 }, (_, i) => (i * 37) % 256))
  .reshape([10, 4, 3, 1])
const labels = nd.array(Int32Array.from({ length: 10 }, (_, i) => i % 7))
const pairs = new ArrayDataset(images, labels)

describe('DataLoader', () => {
  it('gives batches of arrays and types them', async () => {
    const loader = new DataLoader(pairs, { batchSize: 4 })
    expectTypeOf(loader).toMatchTypeOf<AsyncIterable<[NDArray, NDArray]>>()
    expect(loader.length).toBe(3)
    const batches = await collect(loader)
    expect(batches.map(([x, y]) => [x.shape, x.dtype, y.shape, y.dtype])).toEqual([
      [[4, 4, 3, 1], 'uint8', [4], 'int32'],
      [[4, 4, 3, 1], 'uint8', [4], 'int32'],
      [[2, 4, 3, 1], 'uint8', [2], 'int32'],
    ])
    expect(await collect(loader)).toHaveLength(3)
    const single = await collect(new DataLoader(new ArrayDataset(labels), { batchSize: 5 }))
    expectTypeOf(single).toEqualTypeOf<NDArray[]>()
    expect(await single[1]!.asArray()).toEqual([5, 6, 0, 1, 2])
  })

  it('batches plain values and tuples', async () => {
    const loader = new DataLoader(
      [
        [1, 2n, true],
        [3, 4n, false],
      ] as [number, bigint, boolean][],
      { batchSize: 2 },
    )
    const [[a, b, c]] = (await collect(loader)) as [[NDArray, NDArray, NDArray]]
    expect([a.dtype, b.dtype, c.dtype]).toEqual(['float32', 'int64', 'bool'])
    expect([await a.asArray(), await b.asArray(), await c.asArray()]).toEqual([
      [1, 3],
      [2n, 4n],
      [true, false],
    ])
    const typed = await collect(
      new DataLoader([Float32Array.of(1, 2), Float32Array.of(3, 4)], { batchSize: 2 }),
    )
    expect(await typed[0]!.asArray()).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect(() => defaultBatchifyFn([nd.array([1]), 2])).toThrow(
      '[defaultBatchifyFn] samples differ',
    )
    expect(() => defaultBatchifyFn(['a'])).toThrow('a sample holds a string')
  })

  it('shuffles anew every epoch, repeatably', async () => {
    const loader = new DataLoader(new ArrayDataset(nd.arange(50)), { batchSize: 8, shuffle: true })
    const epoch = async (): Promise<number[]> =>
      (await Promise.all((await collect(loader)).map((x) => x.asTypedArray()))).flatMap((x) =>
        [...x].map(Number),
      )
    random.seed(3)
    const [a, b] = [await epoch(), await epoch()]
    expect(a).not.toEqual(b)
    expect(a.toSorted((x, y) => x - y)).toEqual(b.toSorted((x, y) => x - y))
    random.seed(3)
    expect(await epoch()).toEqual(a)
  })

  it('takes samplers, batch samplers, last batches and functions', async () => {
    const data = new SimpleDataset([0, 1, 2, 3, 4])
    const list = (samples: number[]): number[] => samples
    expect(
      await collect(new DataLoader(data, { batchSize: 2, lastBatch: 'discard', batchifyFn: list })),
    ).toEqual([
      [0, 1],
      [2, 3],
    ])
    const sampler = new SequentialSampler(3, 1)
    expect(
      await collect(new DataLoader(data, { batchSize: 2, sampler, batchifyFn: list })),
    ).toEqual([[1, 2], [3]])
    const batchSampler = { length: 2, [Symbol.iterator]: () => [[4], [0, 2]][Symbol.iterator]() }
    expect(await collect(new DataLoader(data, { batchSampler, batchifyFn: list }))).toEqual([
      [4],
      [0, 2],
    ])
  })

  it('can be left early and started again', async () => {
    const loader = new DataLoader(pairs, { batchSize: 3 })
    for await (const [x] of loader) {
      expect(x.shape[0]).toBe(3)
      break
    }
    expect(await collect(loader)).toHaveLength(4)
  })

  it('says which options are wrong', async () => {
    expect(() => new DataLoader(pairs, {})).toThrow('[DataLoader] batchSize is required')
    const sampler = new SequentialSampler(1)
    expect(() => new DataLoader(pairs, { batchSize: 1, shuffle: true, sampler })).toThrow(
      'exclude each other',
    )
    expect(() => new DataLoader(pairs, { batchSize: 1.5 })).toThrow('batchSize 1.5')
    const far = new DataLoader(pairs, { batchSize: 1, sampler: new SequentialSampler(1, 10) })
    await expect(collect(far)).rejects.toThrow('[DataLoader] the sampler gives index 10')
  })
})

type Transform = (data: NDArray, label: NDArray) => unknown

/** Transforms that run on batches. */
const batched: Record<string, Transform> = {
  scale: (data, label) => [data.astype('float32').div(255), label.astype('float32')],
  nested: (data, label) => [[label, data.astype('int32').add(1)], data],
  'one array': (data) => data.astype('float32').sqrt().sub(3),
  views: (data) => data.transpose([2, 0, 1]).reshape([-1]).astype('float32').mul(0.1),
  broadcast: (data, label) =>
    data.astype('float32').add(label.astype('float32').reshape([1, 1, 1])),
  'label to axis': (data, label) =>
    label.broadcastTo([2, 3]).add(data.sliceAxis(0, 1, 3).reshape([2, 3]).astype('int32')),
  flipped: (data) => data.flip(1).sliceAxis(0, 1, 3),
  'largest, smallest': (data) => [
    data.max(),
    data.astype('float32').min({ axis: 0 }),
    data.argmax({ axis: 1 }),
  ],
  'integer sum': (data) => data.astype('int32').sum({ axis: [0, 1] }),
  constant: (data, label) => [data, label.zerosLike(), nd.onesLike(data)],
  'several roundings': (data, label) => {
    const x = data.astype('float32').div(255).sub(0.485)
    return [
      x.div(0.229).maximum(x),
      x.transpose(),
      label.astype('float32').mul(0.1).add(0.3),
      label,
    ]
  },
  'one hot': (_data, label) => nd.oneHot(label, 7),
}

const captured = nd.ones([4, 3, 1])

/** Transforms that do not. */
const plain: Record<string, Transform> = {
  'reads a value': (data, label) => (label.asScalarSync() > 3 ? data : data.mul(0)),
  'random of JavaScript': (data) => data.astype('float32').mul(Math.random() < 2 ? 1 : 0),
  'captured array': (data) => data.astype('float32').sub(captured),
  'float sum': (data) => data.astype('float32').mul(0.1).sum(),
  'no array': (_data, label) => [label, 5],
  product: (data) =>
    nd.dot(data.astype('float32').reshape([4, 3]), data.astype('float32').reshape([3, 4])),
}

const perSample = (samples: unknown[]): unknown => defaultBatchifyFn(samples)

async function bothWays(
  transform: Transform,
  from: Dataset<[NDArray, NDArray]> = pairs,
): Promise<[unknown, unknown]> {
  const data = from.transform(transform)
  const fast = await collect(new DataLoader(data, { batchSize: 4 }))
  const slow = await collect(new DataLoader(data, { batchSize: 4, batchifyFn: perSample }))
  return [await bits(fast), await bits(slow)]
}

describe('transforms on batches', () => {
  it.each(Object.entries(batched))(
    '%s: runs on batches with the bits of sample by sample',
    async (_, transform) => {
      expect(RowProgram.of([images, labels], transform as never)).not.toBeNull()
      const [fast, slow] = await bothWays(transform)
      expect(fast).toEqual(slow)
    },
  )

  it.each(Object.entries(plain))('%s: runs sample by sample', async (_, transform) => {
    expect(RowProgram.of([images, labels], transform as never)).toBeNull()
    const [fast, slow] = await bothWays(transform)
    expect(fast).toEqual(slow)
  })

  it('is one operator where nothing is rounded twice', () => {
    const scale = (data: NDArray, label: NDArray) => [
      data.astype('float32').div(255),
      label.astype('float32'),
    ]
    expect(RowProgram.of([images, labels], scale)!.length).toBe(1)
    expect(RowProgram.of([images, labels], null)!.length).toBe(1)
    expect(RowProgram.of([images], (data) => data.astype('float32').div(255).sub(1))!.length).toBe(
      2,
    )
  })

  it('rounds casts as sample by sample does', async () => {
    const large = nd
      .array(Int32Array.from({ length: 40 }, (_, i) => 2 ** 24 + 1 + 7919 * i))
      .reshape([10, 4])
    const fine = nd.array(Float64Array.from({ length: 10 }, (_, i) => Math.PI * (i + 1)))
    const from = new ArrayDataset(large, fine)
    const transform: Transform = (a, b) => [
      a.astype('float32').div(3),
      b.astype('float32').div(7),
      b.div(7),
    ]
    const [fast, slow] = await bothWays(transform, from)
    expect(fast).toEqual(slow)
  })

  it('draws anew for every sample', async () => {
    const noisy = pairs.transform((data) =>
      data.astype('float32').add(nd.random.uniform(0, 1, { shape: [1] })),
    )
    const [batch] = await collect(new DataLoader(noisy, { batchSize: 10 }))
    const noise = batch!.sub(images.astype('float32')).reshape([10, 12])
    const rows = (await noise.asArray()) as number[][]
    expect(new Set(rows.map((r) => r[0]!.toFixed(3))).size).toBeGreaterThan(5)
  })

  it('notices a function that changes its mind', async () => {
    let calls = 0
    const fickle = pairs.transform((_data, label) => (calls++ < 18 ? label : label.add(100)))
    const values = (await collect(new DataLoader(fickle, { batchSize: 2 }))).flatMap((y) => [
      ...y.asTypedArraySync(),
    ])
    expect(values.slice(-2)).toEqual([101, 102])
  })

  it('composes transforms with picked samples', async () => {
    const chain = pairs
      .filter((_) => true)
      .shard(2, 1)
      .transformFirst((data) => data.astype('float32'))
      .take(4)
      .transform((data, label) => [data.mul(label.astype('float32')), label])
    expect(chain.columns()).not.toBeNull()
    const fast = await collect(new DataLoader(chain, { batchSize: 3 }))
    const slow = await collect(new DataLoader(chain, { batchSize: 3, batchifyFn: perSample }))
    expect(await bits(fast)).toEqual(await bits(slow))
  })
})
