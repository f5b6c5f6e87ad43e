/** Saving and loading arrays in every format: ours read back, damaged ones are refused in words. */

import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cpu, gluon, init, type NDArray, nd, runtime } from '../../src/node.ts'
import { goldenPath } from '../golden/npy.ts'

const read = (name: string): Uint8Array => readFileSync(goldenPath(name))

describe('save and load', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mxnet-ts-files-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('gives back names, shapes, dtypes and elements', async () => {
    const file = join(folder, 'dict.params')
    const data = {
      'dense0.weight': nd.array([
        [1, 2, 3],
        [4, 5, 6],
      ]),
      view: nd.arange(6).reshape([2, 3]).transpose(),
      picked: nd.arange(6).at('1:5:2'),
      number: nd.array(2.5),
      none: nd.zeros([0, 3]),
      ids: nd.array(BigInt64Array.of(-1n, 2n ** 40n)),
      mask: nd.array([true, false]),
    }
    await nd.save(file, data)
    const back = (await nd.load(file)) as Record<string, NDArray>
    expect(Object.keys(back)).toEqual(Object.keys(data))
    for (const [name, x] of Object.entries(data)) {
      expect([back[name]!.shape, back[name]!.dtype]).toEqual([x.shape, x.dtype])
      expect(await back[name]!.asTypedArray()).toEqual(await x.asTypedArray())
      expect(String(back[name]!.context)).toBe('cpu(0)')
    }
    expect(await readdir(folder)).toEqual(['dict.params'])
  })

  it('writes the bytes that MXNet 1.9.1 writes', async () => {
    const single = nd.loadFromBuffer(read('mxnet-nd/single.params')) as NDArray[]
    expect(single).toHaveLength(1)
    expect(Buffer.compare(await nd.saveToBuffer(single[0]!), read('mxnet-nd/single.params'))).toBe(
      0,
    )
    const net = nd.loadFromBuffer(read('mxnet-nets/mlp/net.params')) as Record<string, NDArray>
    expect(Buffer.compare(await nd.saveToBuffer(net), read('mxnet-nets/mlp/net.params'))).toBe(0)
  })

  it('refuses what it cannot hold, by name', async () => {
    await expect(nd.load(join(folder, 'none.params'))).rejects.toThrow(
      /^\[load\] cannot read '.*none\.params': ENOENT/,
    )
    await expect(nd.save(join(folder, 'no', 'x.params'), [nd.ones([1])])).rejects.toThrow(
      /^\[save\] cannot write/,
    )
    await expect(nd.save(join(folder, 'x'), [1] as never)).rejects.toThrow('[save] 0 is number')
    await expect(nd.save(join(folder, 'x'), null as never)).rejects.toThrow(
      '[save] nothing was given',
    )
  })

  it('leaves the old file whole when writing fails', async () => {
    const file = join(folder, 'kept')
    await mkdir(join(file, 'in the way'), { recursive: true })
    await expect(nd.save(file, [nd.ones([1])])).rejects.toThrow('[save] cannot write')
    expect((await readdir(folder)).filter((name) => name.endsWith('.part'))).toEqual([])
  })

  it.each(['params', 'npz', 'safetensors'])('takes parameters to and from .%s', async (ending) => {
    const file = join(folder, `net.${ending}`)
    const make = (): gluon.nn.Sequential => {
      const net = new gluon.nn.Sequential()
      net.add(new gluon.nn.Dense(4, { inUnits: 3 }), new gluon.nn.Dense(2, { inUnits: 4 }))
      return net
    }
    const [first, second] = [make(), make()]
    first.initialize(new init.Xavier())
    await first.saveParameters(file)
    // The format is told by content: the name may say anything.
    await rename(file, join(folder, 'weights.bin'))
    await second.loadParameters(join(folder, 'weights.bin'))
    const x = nd.random.uniform(0, 1, { shape: [5, 3] })
    expect(await second(x).asArray()).toEqual(await first(x).asArray())
    const params = first.collectParams()
    await params.save(file)
    await params.load(file)
    expect(await second(x).asArray()).toEqual(await first(x).asArray())
  })

  it('loads parameters without a second copy of them', async () => {
    const file = join(folder, 'large.safetensors')
    const make = (): gluon.nn.Dense => {
      const layer = new gluon.nn.Dense(1024, { inUnits: 1024 })
      for (const p of layer.collectParams().values()) p.gradReq = 'null'
      return layer
    }
    const first = make()
    first.initialize(new init.Uniform())
    await first.saveParameters(file)
    const layer = make()
    const before = runtime.memory().live
    await layer.loadParameters(file)
    expect(runtime.memory().live - before).toBeLessThan(1.2 * 4 * 1024 * 1024)
    const difference = layer.weight.data().sub(first.weight.data()).abs()
    expect(await difference.max().asScalar()).toBe(0)
  })

  it('keeps parameters apart from the arrays they were loaded from', async () => {
    const layer = new gluon.nn.Dense(2, { inUnits: 1 })
    const arrays = { weight: nd.ones([2, 1]), bias: nd.zeros([2]) }
    layer.collectParams().loadDict(arrays, { restorePrefix: layer.prefix })
    arrays.weight.set(5, 0)
    expect(await layer.weight.data().asArray()).toEqual([[1], [1]])
    layer.weight.data().set(7, 1)
    expect(await arrays.weight.asArray()).toEqual([[5], [1]])
  })

  it('reads column-major and big-endian arrays as any others', async () => {
    const file = goldenPath('numpy/order.npz')
    const bytes = read('numpy/order.npz')
    for (const source of [file, bytes, new Blob([new Uint8Array(bytes)])]) {
      const { fortran, big, bigInt } = (await nd.load(source)) as Record<string, NDArray>
      expect(await fortran!.asArray()).toEqual(await nd.arange(24).reshape([2, 3, 4]).asArray())
      expect(await fortran!.sum({ axis: 0 }).asArray()).toEqual(
        await nd.arange(24).reshape([2, 3, 4]).sum({ axis: 0 }).asArray(),
      )
      expect(await big!.asArray()).toEqual([1.5, -2.25, 1e300])
      expect(await bigInt!.T.asArray()).toEqual([
        [1n, 3n],
        [-(2n ** 62n), 4n],
      ])
    }
  })

  it('saves the elements as they were when it was called', async () => {
    const x = nd.zeros([4])
    const saving = nd.saveToBuffer([x])
    x.set(1, '0:2')
    expect(await (nd.loadFromBuffer(await saving) as NDArray[])[0]!.asArray()).toEqual([0, 0, 0, 0])
  })

  it('puts loaded arrays on the device that is asked for', async () => {
    const bytes = await nd.saveToBuffer([nd.ones([2])], { format: 'npy' })
    const [x] = (await nd.load(bytes, { ctx: cpu(1) })) as NDArray[]
    expect(String(x!.context)).toBe('cpu(1)')
  })

  it('says what it cannot do', async () => {
    const list = [nd.ones([1])]
    const cases: [() => Promise<unknown>, string][] = [
      [
        () => nd.save(join(folder, 'x.npy'), [...list, ...list]),
        '[save] a .npy file holds one array',
      ],
      [
        () => nd.save(join(folder, 'x.safetensors'), list),
        '[save] a .safetensors file holds arrays by name',
      ],
      [
        () => nd.save(join(folder, 'x'), list, { format: 'onnx' as never }),
        "[save] format 'onnx' is unknown",
      ],
      [
        () => nd.save(join(folder, 'x'), list, { packed: true } as never),
        '[save] unknown option packed',
      ],
      [() => nd.load(folder), `cannot read '${folder}'`],
      [() => nd.load(5 as never), '[load] give the path of a file, a Blob or a Uint8Array'],
      [() => nd.load(Uint8Array.of(1, 2, 3)), '[load] begins as no file of arrays does'],
    ]
    for (const [action, message] of cases) await expect(action()).rejects.toThrow(message)
    expect((await readdir(folder)).filter((name) => /^x|part$/.test(name))).toEqual([])
  })
})
