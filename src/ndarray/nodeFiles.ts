/** Files on disk: the one place of the arrays that knows Node's modules, which are asked for when they are used. */

import { fail, MXNetError } from '../base/error.ts'
import type { Source } from '../format/parse.ts'

/** Node's modules that are used, by name. */
interface NodeModules {
  readonly 'node:fs': typeof import('node:fs')
  readonly 'node:fs/promises': typeof import('node:fs/promises')
  readonly 'node:os': typeof import('node:os')
  readonly 'node:path': typeof import('node:path')
  readonly 'node:zlib': typeof import('node:zlib')
  readonly 'node:crypto': typeof import('node:crypto')
  readonly 'node:module': typeof import('node:module')
}

/** One of Node's own modules; where there is no Node, an error that names `where` and what to do instead. */
export function nodeModule<K extends keyof NodeModules>(
  where: string,
  name: K,
  instead = 'files are read and written only in Node',
): NodeModules[K] {
  const host = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } })
    .process
  const found = host?.getBuiltinModule?.(name)
  return found === undefined ? fail(where, instead) : (found as NodeModules[K])
}

/** Whether Node's modules are here. */
export function hasNode(): boolean {
  const host = (globalThis as { process?: { getBuiltinModule?: unknown } }).process
  return typeof host?.getBuiltinModule === 'function'
}

/** An MXNetError that says which file could not be used, from the host's error. */
export function fileError(where: string, doing: string, file: string, cause: unknown): MXNetError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new MXNetError(where, `cannot ${doing} '${file}': ${reason}`, { cause })
}

const inBuffers = 'there are no files here: use saveToBuffer and loadFromBuffer'

/** Opens a file for the time of `body`, which reads it piece by piece. */
export async function withSource<R>(
  where: string,
  file: string,
  body: (source: Source) => Promise<R>,
): Promise<R> {
  const fs = nodeModule(where, 'node:fs/promises', inBuffers)
  const refuse = (cause: unknown): never => {
    throw fileError(where, 'read', file, cause)
  }
  const handle = await fs.open(file, 'r').catch(refuse)
  try {
    const { size } = await handle.stat().catch(refuse)
    const read = async (at: number, length: number): Promise<Uint8Array> => {
      const bytes = new Uint8Array(length)
      for (let done = 0; done < length; ) {
        const { bytesRead } = await handle.read(bytes, done, length - done, at + done).catch(refuse)
        if (bytesRead === 0) refuse('it has become shorter while it was read')
        done += bytesRead
      }
      return bytes
    }
    return await body({ size, read })
  } finally {
    await handle.close()
  }
}

/** The bytes of a blob (a browser's `File` is one), read piece by piece. */
export function blobSource(blob: Blob): Source {
  const read = async (at: number, length: number): Promise<Uint8Array> =>
    new Uint8Array(await blob.slice(at, at + length).arrayBuffer())
  return { size: blob.size, read }
}

/** Bytes in memory as a source. */
export function bytesSource(bytes: Uint8Array): Source {
  return { size: bytes.length, read: async (at, length) => bytes.subarray(at, at + length) }
}

/** Writes a file so that it is there whole or not at all: beside it, flushed, then renamed. */
export async function writeWhole(
  where: string,
  file: string,
  bytes: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<void> {
  const fs = nodeModule(where, 'node:fs/promises', inBuffers)
  const { randomUUID } = nodeModule(where, 'node:crypto')
  const beside = `${file}.${randomUUID()}.part`
  try {
    const handle = await fs.open(beside, 'wx')
    try {
      if (bytes instanceof Uint8Array) await handle.writeFile(bytes)
      else for await (const piece of bytes) await handle.writeFile(piece)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await fs.rename(beside, file)
  } catch (e) {
    await fs.rm(beside, { force: true }).catch(() => {})
    throw e instanceof MXNetError ? e : fileError(where, 'write', file, e)
  }
}
