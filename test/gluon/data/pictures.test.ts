/** Datasets of pictures: CIFAR's records, and folders. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode } from 'fast-png'
import { afterAll, describe, expect, it, vi } from 'vitest'
import * as mx from '../../../src/node.ts'

const { vision, DataLoader } = mx.gluon.data
const root = mkdtempSync(join(tmpdir(), 'datasets-'))
afterAll(() => rmSync(root, { recursive: true }))

/** A record: labels, then red, green and blue planes that count from `from`. */
const record = (labels: readonly number[], from: number): number[] => [
  ...labels,
  ...Array.from({ length: 3072 }, (_, i) => (from + (i % 7) + 10 * Math.floor(i / 1024)) % 256),
]
const write = (name: string, ...records: number[][]): void =>
  writeFileSync(join(root, name), Uint8Array.from(records.flat()))

describe('CIFAR', () => {
  it('reads five files of records for training and one for testing', async () => {
    for (let i = 1; i <= 5; i++) write(`data_batch_${i}.bin`, record([i], i), record([0], 100))
    mkdirSync(join(root, 'cifar-10-batches-bin'))
    write('cifar-10-batches-bin/test_batch.bin', record([9], 3))
    const train = new vision.CIFAR10({ root })
    expect(train.length).toBe(10)
    const [image, label] = train.at(4)
    expect([image.dtype, image.shape, label.dtype]).toEqual(['uint8', [32, 32, 3], 'int32'])
    expect(await label.asScalar()).toBe(3)
    expect([...(await image.at(0, 1).asTypedArray())]).toEqual([
      4,
      3 + ((1024 + 1) % 7) + 10,
      3 + ((2048 + 1) % 7) + 20,
    ])
    const test = new vision.CIFAR10({
      root,
      train: false,
      transform: (x, y) => [x.shape, y] as const,
    })
    expect(test.length).toBe(1)
    expect(test.at(0)[0]).toEqual([32, 32, 3])
    let seen = 0
    for await (const [x, y] of new DataLoader(train, { batchSize: 4 })) {
      expect(x!.shape.slice(1)).toEqual([32, 32, 3])
      seen += y!.size
    }
    expect(seen).toBe(10)
  })

  it('has kinds and groups of a hundred', async () => {
    write('train.bin', record([3, 77], 0))
    write('test.bin', record([4, 8], 0), record([5, 9], 0))
    expect(await new vision.CIFAR100({ root }).at(0)[1].asScalar()).toBe(3)
    expect(await new vision.CIFAR100({ root, fineLabel: true }).at(0)[1].asScalar()).toBe(77)
    expect(new vision.CIFAR100({ root, train: false }).length).toBe(2)
  })

  it('says what is missing or damaged', async () => {
    const none = new vision.CIFAR10({ root: join(root, 'none') })
    expect(() => none.length).toThrow('unpack cifar-10-binary.tar.gz there')
    await expect(none.prepare()).rejects.toThrow('data_batch_1.bin is not in')
    writeFileSync(join(root, 'train.bin'), Uint8Array.of(1, 2, 3))
    expect(() => new vision.CIFAR100({ root }).length).toThrow('has 3 bytes')
    expect(() => new vision.CIFAR10({ fineLabel: true } as never)).toThrow(
      'unknown option fineLabel',
    )
  })
})

describe('ImageFolderDataset', () => {
  it('takes folders for classes', async () => {
    const folder = join(root, 'vehicles')
    for (const [name, file, value] of [
      ['car', 'b.png', 7],
      ['bus', 'z.PNG', 9],
      ['car', 'a.png', 5],
    ] as const) {
      mkdirSync(join(folder, name), { recursive: true })
      const data = new Uint8Array(12).fill(value)
      writeFileSync(
        join(folder, name, file),
        encode({ width: 2, height: 2, channels: 3, depth: 8, data }),
      )
    }
    writeFileSync(join(folder, 'car', 'notes.txt'), 'none')
    writeFileSync(join(folder, 'readme.md'), 'none')
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const dataset = new vision.ImageFolderDataset(folder)
    expect(warn.mock.calls.flat().join()).toContain('notes.txt left out')
    warn.mockRestore()
    expect(dataset.synsets).toEqual(['bus', 'car'])
    expect(dataset.items.map(([path, label]) => [path.slice(folder.length + 1), label])).toEqual([
      [join('bus', 'z.PNG'), 0],
      [join('car', 'a.png'), 1],
      [join('car', 'b.png'), 1],
    ])
    expect(() => dataset.at(0)).toThrow('await dataset.prepare()')
    await dataset.prepare()
    const [image, label] = dataset.at(2)
    expect(image.shape).toEqual([2, 2, 3])
    expect([await image.at(1, 1, 2).asScalar(), await label.asScalar()]).toEqual([7, 1])
    const grey = new vision.ImageFolderDataset(folder, { flag: 0, transform: (x) => x.shape })
    await grey.prepare()
    expect(grey.at(0)).toEqual([2, 2, 1])
    const [x, y] = (await new DataLoader(dataset, { batchSize: 3 })[Symbol.asyncIterator]().next())
      .value!
    expect([x!.shape, [...(await y!.asTypedArray())]]).toEqual([
      [3, 2, 2, 3],
      [0, 1, 1],
    ])
    writeFileSync(join(folder, 'car', 'a.png'), 'no picture')
    expect(() => dataset.at(1)).toThrow('is no picture')
    expect(() => new vision.ImageFolderDataset(join(root, 'nowhere'))).toThrow('nowhere')
  })
})
