/** `gluon.utils`: files from the network, and whether a file is the one that was meant. */

import { fail, MXNetError } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { fileError, nodeModule, writeWhole } from '../ndarray/nodeFiles.ts'

/**
 * Whether a file has a SHA-1 hash (in hexadecimal digits).
 * @throws MXNetError when the file cannot be read.
 * @example
 * await nd.save('ones.params', nd.ones([2]))
 * await gluon.utils.checkSha1('ones.params', 'da39a3ee5e6b4b0d3255bfef95601890afd80709') // => false
 * @see MXNet `gluon.utils.check_sha1`
 */
export async function checkSha1(filename: string, sha1Hash: string): Promise<boolean> {
  const { readFile } = nodeModule('checkSha1', 'node:fs/promises')
  const { createHash } = nodeModule('checkSha1', 'node:crypto')
  const bytes = await readFile(filename).catch((e) => {
    throw fileError('checkSha1', 'read', filename, e)
  })
  return createHash('sha1').update(bytes).digest('hex') === sha1Hash.toLowerCase()
}

/** Options of `download`. */
export interface DownloadOptions {
  /** Where to: a file, or a folder that gets the file under its own name; the current folder by default. */
  readonly path?: string | null
  /** Whether a file that is there is downloaded anew; off by default. */
  readonly overwrite?: boolean
  /** The SHA-1 that the file must have; a file that is there without it is downloaded anew. */
  readonly sha1Hash?: string | null
  /** How often a download that fails is tried again, 5 by default. */
  readonly retries?: number
}

const optionNames = ['path', 'overwrite', 'sha1Hash', 'retries']

/**
 * Downloads a file unless it is there already; gives its path. It is there whole, or not at all.
 * @throws MXNetError when it cannot be had, or has another hash than the given one.
 * @see MXNet `gluon.utils.download`
 */
export async function download(url: string, options: DownloadOptions = {}): Promise<string> {
  checkOptions('download', options, optionNames)
  const { path = null, overwrite = false, sha1Hash = null, retries = 5 } = options
  if (!Number.isInteger(retries) || retries < 0)
    fail('download', `retries is ${String(retries)}: it must be an integer of at least 0`)
  const { existsSync, statSync } = nodeModule('download', 'node:fs')
  const { mkdir } = nodeModule('download', 'node:fs/promises')
  const { dirname, join } = nodeModule('download', 'node:path')
  const name = new URL(url).pathname.split('/').at(-1)
  if (!name && path === null) fail('download', `${url} names no file: give a path`)
  const folder = path !== null && existsSync(path) && statSync(path).isDirectory()
  const file = path === null ? name! : folder ? join(path, name!) : path
  if (!overwrite && existsSync(file) && (sha1Hash === null || (await checkSha1(file, sha1Hash))))
    return file
  await mkdir(dirname(file), { recursive: true })
  for (let tries = retries; ; tries--) {
    try {
      const response = await fetch(url)
      if (!response.ok) throw new Error(`status ${response.status}`)
      const bytes = new Uint8Array(await response.arrayBuffer())
      const { createHash } = nodeModule('download', 'node:crypto')
      const found = createHash('sha1').update(bytes).digest('hex')
      if (sha1Hash !== null && found !== sha1Hash.toLowerCase())
        throw new Error(`the SHA-1 is ${found} instead of ${sha1Hash}`)
      await writeWhole('download', file, bytes)
      return file
    } catch (cause) {
      if (tries > 0) continue
      throw new MXNetError('download', `${url}: ${(cause as Error).message}`, { cause })
    }
  }
}
