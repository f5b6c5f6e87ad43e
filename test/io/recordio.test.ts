/** Files of records. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { encode as encodePng } from 'fast-png'
import { gluon, MXNetError, recordio } from 'mxnet-ts'
import { afterAll, describe, expect, it } from 'vitest'
import { decodeRecord, encodeRecord } from '../../src/io/record.ts'

const folder = mkdtempSync(join(tmpdir(), 'mxnet-records-'))
afterAll(() => rmSync(folder, { recursive: true }))
const path = (name: string): string => join(folder, name)
const magic = [0x0a, 0x23, 0xd7, 0xce]
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

/** All records of the bytes of a file. */
function records(file: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = []
  const read = (at: number, length: number) => file.subarray(at, at + length)
  for (let at = 0; ; ) {
    const one = decodeRecord(read, at, file.length, 'test')
    if (one === null) return found
    expect(one.next).toBeGreaterThan(at)
    found.push(one.record)
    at = one.next
  }
}

describe('records', () => {
  it('are marked, measured and filled up to words', () => {
    expect([...encodeRecord(bytes(1, 2, 3, 4, 5))]).toEqual([
      ...[...magic, 5, 0, 0, 0],
      ...[1, 2, 3, 4, 5, 0, 0, 0],
    ])
    expect([...encodeRecord(bytes())]).toEqual([...magic, 0, 0, 0, 0])
  })

  it('are cut where their words look like a mark', () => {
    const record = bytes(9, 9, 9, 9, ...magic, ...magic, 7)
    expect([...encodeRecord(record)]).toEqual([
      ...[...magic, 4, 0, 0, 0x20, 9, 9, 9, 9],
      ...[...magic, 0, 0, 0, 0x40],
      ...[...magic, 1, 0, 0, 0x60, 7, 0, 0, 0],
    ])
    expect(records(encodeRecord(record))).toEqual([record])
    // Not at a word: no mark to a reader.
    expect(encodeRecord(bytes(1, ...magic)).length).toBe(16)
  })

  it('come back as they were, whatever they hold', () => {
    const piece = fc.oneof(fc.constant(magic), fc.array(fc.nat(255), { maxLength: 9 }))
    const record = fc.array(piece, { maxLength: 8 }).map((list) => bytes(...list.flat()))
    fc.assert(
      fc.property(fc.array(record, { maxLength: 5 }), (list) => {
        const file = bytes(...list.flatMap((r) => [...encodeRecord(r)]))
        expect(records(file)).toEqual(list)
      }),
      { numRuns: 500 },
    )
  })

  it('that are damaged end in an error, and take no more memory than the file', () => {
    const file = bytes(...[1, 2].flatMap((n) => [...encodeRecord(bytes(n, ...magic, n))]))
    const damaged = fc.oneof(
      fc.nat(file.length).map((n) => file.subarray(0, n)),
      fc
        .array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
        .map((changes) => {
          const copy = file.slice()
          for (const [at, value] of changes) copy[at] = value
          return copy
        }),
      fc.uint8Array({ maxLength: 64 }),
    )
    let refused = 0
    fc.assert(
      fc.property(damaged, (given) => {
        try {
          const total = records(given).reduce((n, { length }) => n + length, 0)
          expect(total).toBeLessThanOrEqual(given.length)
        } catch (error) {
          expect(error).toBeInstanceOf(MXNetError)
          refused++
        }
      }),
      { numRuns: 10_000 },
    )
    expect(refused).toBeGreaterThan(1000)
    const cut = encodeRecord(bytes(1)).with(4, 200)
    expect(() => records(cut)).toThrow(/'test' at byte 0: the record has 200 bytes, the file ends/)
    expect(() => records(bytes(...new Array(12).fill(1)))).toThrow(/no record begins here/)
    expect(() => records(encodeRecord(bytes(...magic)).subarray(8))).toThrow(/do not follow/)
  })
})

describe('MXRecordIO', () => {
  it('writes and reads in order; the file is there when it is closed', () => {
    const file = new recordio.MXRecordIO(path('a.rec'), 'w')
    for (const n of [1, 2, 3]) file.write(new Uint8Array(n).fill(n))
    expect(existsSync(path('a.rec'))).toBe(false)
    file.close()
    file.close()
    expect(readdirSync(folder).filter((name) => name.includes('part'))).toEqual([])
    const again = new recordio.MXRecordIO(path('a.rec'), 'r')
    for (let turn = 0; turn < 2; turn++) {
      for (const n of [1, 2, 3]) expect(again.read()).toEqual(new Uint8Array(n).fill(n))
      expect(again.read()).toBe(null)
      again.reset()
    }
    expect(() => again.write(bytes(1))).toThrow(/a.rec' is being read: open it with 'w'/)
    again.close()
    expect(() => again.read()).toThrow(/is closed: call open/)
    expect(() => new recordio.MXRecordIO(path('none.rec'), 'r')).toThrow(
      /\[MXRecordIO\] cannot read/,
    )
    expect(() => new recordio.MXRecordIO(path('a.rec'), 'a' as never)).toThrow(/flag is 'a'/)
  })

  it('begins anew when it is reset while writing', () => {
    const file = new recordio.MXRecordIO(path('b.rec'), 'w')
    file.write(new Uint8Array(100))
    file.reset()
    file.write(bytes(5))
    file.close()
    expect(records(readFileSync(path('b.rec')))).toEqual([bytes(5)])
  })
})

describe('MXIndexedRecordIO', () => {
  it('finds records by key, numbers and texts', () => {
    const open = (flag: 'r' | 'w') =>
      new recordio.MXIndexedRecordIO(path('c.idx'), path('c.rec'), flag)
    const file = open('w')
    for (const n of [4, 2, 9]) file.writeIdx(n, new Uint8Array(n).fill(n))
    expect(() => file.writeIdx(4, bytes(1))).toThrow(/key 4 has a record already/)
    file.close()
    expect(readFileSync(path('c.idx'), 'utf8')).toBe('4\t0\n2\t12\n9\t24\n')
    const again = open('r')
    expect(again.keys).toEqual([4, 2, 9])
    expect(again.readIdx(9)).toEqual(new Uint8Array(9).fill(9))
    again.seek(4)
    expect(again.tell()).toBe(0)
    expect(again.read()!.length).toBe(4)
    expect(() => again.readIdx(1)).toThrow(/no key 1 in '.*c.idx'/)
    const text = new recordio.MXIndexedRecordIO(path('d.idx'), path('d.rec'), 'w', {
      keyType: 'str',
    })
    text.writeIdx('cat', bytes(1))
    text.close()
    writeFileSync(path('bad.idx'), '0\tx\n')
    const bad = () => new recordio.MXIndexedRecordIO(path('bad.idx'), path('c.rec'), 'r')
    expect(bad).toThrow(/bad.idx', line 1: a key, a tab and a place/)
    writeFileSync(path('far.idx'), '0\t4\n')
    const far = new recordio.MXIndexedRecordIO(path('far.idx'), path('c.rec'), 'r')
    expect(() => far.readIdx(0)).toThrow(/no record begins here/)
  })
})

describe('packed samples', () => {
  it('have the header that MXNet writes', () => {
    const packed = recordio.pack({ label: 1.5, id: 258, id2: 2n ** 63n }, bytes(7))
    expect([...packed]).toEqual([
      ...[0, 0, 0, 0],
      ...[0, 0, 0xc0, 0x3f],
      ...[2, 1, 0, 0, 0, 0, 0, 0],
      ...[0, 0, 0, 0, 0, 0, 0, 0x80],
      7,
    ])
    const [header, data] = recordio.unpack(packed)
    expect(header).toEqual({ flag: 0, label: 1.5, id: 258, id2: 2n ** 63n })
    expect(data).toEqual(bytes(7))
  })

  it('carry several labels', () => {
    const [header, data] = recordio.unpack(recordio.pack({ label: [1, 2, 3] }, 'hi'))
    expect(header.flag).toBe(3)
    expect(header.label).toEqual(Float32Array.of(1, 2, 3))
    expect(new TextDecoder().decode(data)).toBe('hi')
    expect(() => recordio.unpack(new Uint8Array(23))).toThrow(/a header alone has 24/)
    expect(() => recordio.unpack(new Uint8Array(30).fill(255))).toThrow(/labels, in 30 bytes/)
    expect(() => recordio.pack({ label: 1, id: 0.5 }, '')).toThrow(/0.5 is not whole/)
    expect(() => recordio.pack({ label: 1, flag: 2 }, '')).toThrow(/flag is 2 for one label/)
  })
})

describe('pictures in records', () => {
  const picture = (value: number): Uint8Array =>
    encodePng({ width: 1, height: 1, channels: 3, depth: 8, data: bytes(value, 2, 3) })
  const file = new recordio.MXIndexedRecordIO(path('p.idx'), path('p.rec'), 'w')
  ;[10, 20, 30].forEach((value, i) => {
    const label = i === 2 ? [i, 0.5] : i
    file.writeIdx(i, recordio.pack({ label, id: i }, picture(value)))
  })
  file.close()

  it('are unpacked', async () => {
    const one = new recordio.MXRecordIO(path('p.rec'), 'r').read()!
    const [header, image] = await recordio.unpackImg(one)
    expect(header.label).toBe(0)
    expect(await image.asArray()).toEqual([[[3, 2, 10]]])
    const [, rgb] = await recordio.unpackImg(one, { toRgb: true })
    expect(await rgb.asArray()).toEqual([[[10, 2, 3]]])
  })

  it('are data sets', async () => {
    const raw = new gluon.data.RecordFileDataset(path('p.rec'))
    expect(raw.length).toBe(3)
    expect(recordio.unpack(raw.at(-1))[0].label).toEqual(Float32Array.of(2, 0.5))
    const pictures = new gluon.data.vision.ImageRecordDataset(path('p.rec'))
    expect(() => pictures.at(0)).toThrow(/await dataset.prepare/)
    await pictures.prepare()
    const [image, label] = pictures.at(1)
    expect(await image.asArray()).toEqual([[[20, 2, 3]]])
    expect(await label.asScalar()).toBe(1)
    const grey = new gluon.data.vision.ImageRecordDataset(path('p.rec'), {
      flag: 0,
      transform: (x, y) => [x.astype('float32'), y] as const,
    })
    const loader = new gluon.data.DataLoader(grey.take(2), { batchSize: 2 })
    for await (const [x, y] of loader) {
      expect(x.shape).toEqual([2, 1, 1, 1])
      expect(await y.asArray()).toEqual([0, 1])
    }
    const none = () => new gluon.data.vision.ImageRecordDataset(path('none.rec'))
    expect(none).toThrow(/\[MXRecordIO\] cannot read/)
  })
})
