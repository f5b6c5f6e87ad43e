/** `inspect`: what a file holds, without loading it unless statistics are asked for. */

import type { Command } from 'commander'
import { fail } from '../base/error.ts'
import { formatShape, sizeOf } from '../base/shape.ts'
import { denseBytes, type Index } from '../format/entry.ts'
import { load, readContents, readFrom } from '../ndarray/files.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { sym } from '../symbol/index.ts'
import { nodesOf, type Entry as SymbolEntry } from '../symbol/node.ts'
import type { Symbolic } from '../symbol/symbol.ts'
import { dim, formatBytes, formatCount, printJson, table } from './terminal.ts'

interface Options {
  readonly json?: boolean
  readonly stats?: boolean
}

const titles = {
  params: 'MXNet .params',
  npy: 'NumPy .npy',
  npz: 'NumPy .npz',
  safetensors: '.safetensors',
} as const

/** Numbers about the elements of one array. */
interface Statistics {
  readonly min: number
  readonly max: number
  readonly mean: number
  /** How many are NaN or infinite. */
  readonly notFinite: number
}

/** Adds the command to the program. */
export function addInspect(program: Command): void {
  program
    .command('inspect')
    .summary('list what a file of arrays or a symbol holds')
    .description(
      'Lists the arrays of a .params, .npy, .npz or .safetensors file, or what a symbol.json is made of. Files are recognised by content; elements are read only with --stats.',
    )
    .argument('<file>', 'the file')
    .option('--stats', 'read the elements: least, greatest, mean, how many are not finite')
    .option('--json', 'print one JSON object')
    .action(inspect)
}

async function inspect(file: string, { json = false, stats = false }: Options): Promise<void> {
  if (await beginsAsJson(file)) {
    if (stats) fail(file, 'is a symbol and has no elements: leave --stats out')
    return inspectSymbol(file, await sym.load(file), json)
  }
  const index = await readContents('inspect', file)
  const numbers = stats ? await statisticsOf(file) : null
  if (json) printJson(indexAsJson(file, index, numbers))
  else printIndex(file, index, numbers)
}

const beginsAsJson = (file: string): Promise<boolean> =>
  readFrom('inspect', file, async (_, source) => {
    const head = await source.read(0, Math.min(16, source.size))
    return /^\s*\{/.test(new TextDecoder('latin1').decode(head))
  })

/** Statistics by name, or by number in a list. */
async function statisticsOf(file: string): Promise<Map<string, Statistics>> {
  const found = new Map<string, Statistics>()
  for (const [name, array] of Object.entries(await load(file)) as [string, NDArray][]) {
    let [min, max, sum, notFinite] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0]
    for (const element of await array.astype('float64').asTypedArray()) {
      const v = Number(element)
      if (!Number.isFinite(v)) {
        notFinite++
        continue
      }
      min = Math.min(min, v)
      max = Math.max(max, v)
      sum += v
    }
    found.set(name, { min, max, mean: sum / (array.size - notFinite), notFinite })
  }
  return found
}

function indexAsJson(
  file: string,
  { format, named, metadata, entries }: Index,
  numbers: ReadonlyMap<string, Statistics> | null,
): object {
  const arrays = entries.map((entry) => ({
    name: entry.name,
    dtype: entry.dtype,
    shape: entry.shape,
    bytes: denseBytes(entry),
    ...(entry.sparse && { storage: entry.sparse.kind }),
    ...numbers?.get(entry.name),
  }))
  return { file, format, named, ...(metadata && { metadata }), arrays }
}

function printIndex(
  file: string,
  { format, entries, metadata }: Index,
  numbers: ReadonlyMap<string, Statistics> | null,
): void {
  const elements = entries.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const bytes = entries.reduce((sum, entry) => sum + denseBytes(entry), 0)
  const arrays = entries.length === 1 ? '1 array' : `${formatCount(entries.length)} arrays`
  console.log(
    `${file}: ${titles[format]}, ${arrays}, ${formatCount(elements)} elements, ${formatBytes(bytes)}`,
  )
  for (const [key, text] of Object.entries(metadata ?? {})) {
    const line = text.replace(/\s+/g, ' ')
    const cut = line.length > 60 ? `${line.slice(0, 60)}… (${text.length} characters)` : line
    console.log(dim(`  ${key}: ${cut}`))
  }
  if (entries.length === 0) return
  const header = ['name', 'dtype', 'shape', 'size']
  const short = (v: number): string => String(Number(v.toPrecision(5)))
  const rows = entries.map((entry) => {
    const { min, max, mean, notFinite } = numbers?.get(entry.name) ?? {}
    const row = [
      entry.sparse ? `${entry.name} (${entry.sparse.kind})` : entry.name,
      entry.dtype,
      formatShape(entry.shape),
      formatBytes(denseBytes(entry)),
    ]
    return numbers === null
      ? row
      : [...row, ...[min, max, mean, notFinite].map((v) => short(v ?? Number.NaN))]
  })
  const more = numbers === null ? [] : ['min', 'max', 'mean', 'not finite']
  console.log(`\n${table([...header, ...more], rows, [3, 4, 5, 6, 7])}`)
}

function inspectSymbol(file: string, symbol: Symbolic, json: boolean): void {
  const counts = new Map<string, number>()
  const count = (heads: readonly SymbolEntry[]): void => {
    for (const { op, subgraphs } of nodesOf(heads)) {
      if (op !== null) counts.set(op.name, (counts.get(op.name) ?? 0) + 1)
      subgraphs.forEach(count)
    }
  }
  count(symbol.entries)
  const parts = {
    arguments: symbol.listArguments(),
    auxiliaryStates: symbol.listAuxiliaryStates(),
    outputs: symbol.listOutputs(),
  }
  if (json) {
    return printJson({ file, format: 'symbol', ...parts, operators: Object.fromEntries(counts) })
  }
  const total = [...counts.values()].reduce((sum, n) => sum + n, 0)
  console.log(`${file}: symbol, ${total === 1 ? '1 operator' : `${formatCount(total)} operators`}`)
  const rows = [...counts].sort((a, b) => b[1] - a[1]).map(([op, n]) => [op, formatCount(n)])
  console.log(`\n${table(['operator', 'count'], rows, [1])}\n`)
  for (const [title, names] of Object.entries(parts)) {
    console.log(`${title}: ${names.length === 0 ? 'none' : names.join(', ')}`)
  }
}
