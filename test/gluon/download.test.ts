/** Downloads: from a server of our own, whole or not at all. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gluon } from 'mxnet-ts'
import { afterAll, beforeAll, expect, it } from 'vitest'

const { checkSha1, download } = gluon.utils
const sha1 = 'aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d' // of "hello"
let server: Server
let base = ''
let failures = 0
let asked = 0
const folder = mkdtempSync(join(tmpdir(), 'download-'))

beforeAll(async () => {
  server = createServer((_request, response) => {
    asked++
    if (failures-- > 0) response.writeHead(503).end()
    else response.end('hello')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as { port: number }).port}`
})
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

it('a file is downloaded once, under its own name or another', async () => {
  const path = await download(`${base}/a/words.txt`, { path: folder, sha1Hash: sha1 })
  expect([path, readFileSync(path, 'utf8')]).toEqual([join(folder, 'words.txt'), 'hello'])
  expect([await checkSha1(path, sha1), await checkSha1(path, 'x')]).toEqual([true, false])
  asked = 0
  await download(`${base}/a/words.txt`, { path: folder, sha1Hash: sha1 })
  expect(asked).toBe(0)
  writeFileSync(path, 'damaged')
  await download(`${base}/a/words.txt`, { path: folder, sha1Hash: sha1 })
  expect(readFileSync(path, 'utf8')).toBe('hello')
  const deep = join(folder, 'deep', 'file.bin')
  expect(await download(`${base}/x`, { path: deep })).toBe(deep)
  await download(`${base}/x`, { path: deep, overwrite: true })
  expect(asked).toBe(3)
})

it('what fails is tried again, and then an error', async () => {
  failures = 2
  const file = join(folder, 'again')
  await download(`${base}/again`, { path: file, retries: 2 })
  expect(existsSync(file)).toBe(true)
  failures = 2
  await expect(download(`${base}/no`, { path: join(folder, 'no'), retries: 1 })).rejects.toThrow(
    /\[download\] .*status 503/,
  )
  failures = 0
  const wrong = download(`${base}/no`, { path: join(folder, 'no'), retries: 0, sha1Hash: '00' })
  await expect(wrong).rejects.toThrow(/the SHA-1 is aaf4c6.* instead of 00/)
  expect(existsSync(join(folder, 'no'))).toBe(false)
  await expect(checkSha1(join(folder, 'no'), sha1)).rejects.toThrow(/cannot read/)
})
