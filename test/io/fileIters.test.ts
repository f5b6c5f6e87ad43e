/** Batches of what files hold. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { io, random } from 'mxnet-ts'
import { afterAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'mxnet-io-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

describe('CSVIter', () => {
  const dataCsv = file('x.csv', '1,2\n3,4\r\n5, 6\n7,8\n9,1e1\n\n')
  const labelCsv = file('y.csv', '1\n2\n3\n4\n5')
  const data = (iter: io.DataIter): unknown[] =>
    [...iter].map((batch) => batch.data[0]!.asArraySync())

  it('reads rows, and goes on with the next pass where the last batch ended', () => {
    const iter = new io.CSVIter({ dataCsv, dataShape: [2], labelCsv, batchSize: 3 })
    const first = [...iter]
    expect(first.map((batch) => batch.label![0]!.asArraySync())).toEqual([
      [1, 2, 3],
      [4, 5, 1],
    ])
    expect(first.map(({ pad }) => pad)).toEqual([0, 1])
    iter.reset()
    expect(data(iter)[0]).toEqual([
      [3, 4],
      [5, 6],
      [7, 8],
    ])
    expect(iter.provideLabel.map(String)).toEqual(['DataDesc[label,(3,),float32,NCHW]'])
  })

  it('begins each pass anew without roundBatch, with labels of 0 where there are none', () => {
    const options = { dataCsv, dataShape: [1, 2], batchSize: 2, roundBatch: false } as const
    const iter = new io.CSVIter({ ...options, dtype: 'int32' })
    for (let turn = 0; turn < 2; turn++) {
      const batches = [...iter]
      expect(batches[0]!.data[0]!.asArraySync()).toEqual([[[1, 2]], [[3, 4]]])
      expect(batches[2]!.data[0]!.asArraySync()).toEqual([[[9, 10]], [[1, 2]]])
      expect(batches[0]!.label![0]!.asArraySync()).toEqual([0, 0])
      expect(batches[0]!.data[0]!.dtype).toBe('int32')
      iter.reset()
    }
  })

  it('names file and line of what is wrong', () => {
    const open = (dataShape: number[], dataFile = dataCsv) =>
      new io.CSVIter({ dataCsv: dataFile, dataShape, batchSize: 1 })
    expect(() => open([3])).toThrow(
      /\[CSVIter\] '.*x.csv', line 1 has 2 numbers: its shape takes 3/,
    )
    expect(() => open([2], file('bad.csv', '1,2\n3,x'))).toThrow(/bad.csv', line 2 has 'x'/)
    expect(() => open([2], file('hole.csv', '1,\n'))).toThrow(/line 1 has ''/)
    expect(() => open([2], join(folder, 'none.csv'))).toThrow(/\[CSVIter\] cannot read/)
    expect(() => open([0])).toThrow(/dataShape is 0/)
  })
})

describe('MNISTIter', () => {
  const images = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2)
  const pixels = Uint8Array.from({ length: 10 }, (_, i) => i * 16)
  const image = file('images', new Uint8Array([...images, ...pixels]))
  const label = file('labels.gz', gzipSync(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 5, 5, 6, 7, 8, 9)))

  it('divides by 256 and leaves out what does not fill a batch', () => {
    const iter = new io.MNISTIter({ image, label, batchSize: 2, shuffle: false })
    const batches = [...iter]
    expect(batches.length).toBe(2)
    expect(batches[1]!.data[0]!.asArraySync()).toEqual([[[[0.25, 0.3125]]], [[[0.375, 0.4375]]]])
    expect(batches[1]!.label![0]!.asArraySync()).toEqual([7, 8])
    const flat = new io.MNISTIter({ image, label, batchSize: 2, shuffle: false, flat: true })
    expect(flat.provideData.map(String)).toEqual(['DataDesc[data,(2, 2),float32,NCHW]'])
  })

  it('cuts the file into parts and shuffles images with their labels', () => {
    const labels = [0, 1].flatMap((partIndex) => {
      const options = { image, label, batchSize: 1, shuffle: false, numParts: 2, partIndex }
      return [...new io.MNISTIter(options)].map((b) => b.label![0]!.asTypedArraySync()[0])
    })
    expect(labels).toEqual([5, 6, 7, 8, 9])
    random.seed(1)
    const seen = [...new io.MNISTIter({ image, label, batchSize: 1 })].map(({ data, label: y }) => {
      const digit = (y![0]!.asArraySync() as number[])[0]!
      expect(data[0]!.asArraySync()).toEqual([[[[(digit - 5) / 8, (digit - 5) / 8 + 1 / 16]]]])
      return digit
    })
    expect(seen).not.toEqual(labels)
    expect(seen.toSorted()).toEqual(labels)
    expect(() => new io.MNISTIter({ image, label, partIndex: 1 })).toThrow(/part 1 of 1/)
    expect(() => new io.MNISTIter({ image: label, label })).toThrow(/labels.gz/)
  })
})
