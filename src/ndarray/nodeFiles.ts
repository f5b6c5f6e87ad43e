/** Files on disk: the one place of the arrays that knows Node's modules, which are asked for when they are used. */

import { fail, MXNetError } from '../base/error.ts'

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

/** The bytes of a file. */
export async function readWhole(where: string, file: string): Promise<Uint8Array> {
  const fs = nodeModule(where, 'node:fs/promises', inBuffers)
  try {
    return await fs.readFile(file)
  } catch (e) {
    throw fileError(where, 'read', file, e)
  }
}

/** Writes a file so that it is there whole or not at all: beside it, flushed, then renamed. */
export async function writeWhole(where: string, file: string, bytes: Uint8Array): Promise<void> {
  const fs = nodeModule(where, 'node:fs/promises', inBuffers)
  const { randomUUID } = nodeModule(where, 'node:crypto')
  const beside = `${file}.${randomUUID()}.part`
  try {
    const handle = await fs.open(beside, 'wx')
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await fs.rename(beside, file)
  } catch (e) {
    await fs.rm(beside, { force: true }).catch(() => {})
    throw fileError(where, 'write', file, e)
  }
}
