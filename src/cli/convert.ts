/** `convert`: arrays from one format of files to another, with the symbol that belongs to them. */

import { readFile } from 'node:fs/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { fail } from '../base/error.ts'
import { formatOfName } from '../format/write.ts'
import { type Loaded, load, readContents, save } from '../ndarray/files.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { fileError, writeWhole } from '../ndarray/nodeFiles.ts'
import { sym } from '../symbol/index.ts'

interface Options {
  readonly symbol?: string
  readonly strip?: boolean
  readonly compress?: boolean
  readonly metadata?: { readonly [key: string]: string }
}

type Named = { readonly [name: string]: NDArray }

/** A misspelt ending is not taken for MXNet's format, as `nd.save` would. */
const endings = /\.(params|npy|npz|safetensors)$/
/** Where a .safetensors file keeps the symbol that its arrays belong to. */
const symbolKey = 'mxnet_symbol'
/** How MXNet marks parameters and running statistics in files of whole models. */
const mark = /^(arg|aux):/

function keyValue(text: string, before: Options['metadata'] = {}): Options['metadata'] {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
  if (key === undefined || value === undefined) {
    throw new InvalidArgumentError('It must be such as format=pt.')
  }
  return { ...before, [key]: value }
}

/** Adds the command to the program. */
export function addConvert(program: Command): void {
  program
    .command('convert')
    .summary('convert between .params, .npz, .npy and .safetensors')
    .description(
      'Writes the arrays of a file in the format that the ending of the other asks for. A .safetensors file can carry the symbol too: give it with --symbol, and it is written beside the .params file when converted back.',
    )
    .argument('<from>', 'a .params, .npy, .npz or .safetensors file, recognised by content')
    .argument('<to>', 'the file to write; .params, .npy, .npz or .safetensors by its ending')
    .option('--symbol <file>', 'the symbol.json that the arrays belong to')
    .option('--strip', "leave MXNet's arg: and aux: out of the names")
    .option('--compress', 'pack a .npz archive')
    .option('--metadata <key=value>', 'text for a .safetensors file; may be repeated', keyValue)
    .action(convert)
}

async function convert(from: string, to: string, options: Options): Promise<void> {
  if (!endings.test(to))
    fail(to, 'is of no known format: let it end in .params, .npy, .npz or .safetensors')
  const format = formatOfName(to)
  const { metadata: carried = {} } = await readContents('convert', from)
  const { [symbolKey]: inside, ...texts } = carried
  const symbol = options.symbol === undefined ? inside : await readText(options.symbol)
  let arrays = await load(from)
  if (options.strip) arrays = renamed(from, arrays, (name) => name.replace(mark, ''))
  if (format === 'safetensors') {
    const metadata = { ...texts, ...options.metadata, ...(symbol && { [symbolKey]: symbol }) }
    const any = Object.keys(metadata).length > 0
    await save(to, arrays, any ? { metadata } : {})
  } else {
    if (options.metadata) fail(to, 'has no place for --metadata: only .safetensors files have')
    if (options.symbol !== undefined && format !== 'params') {
      fail(to, 'has no place for --symbol: only .safetensors and .params files have')
    }
    if (symbol !== undefined && format === 'params') {
      const states = new Set(sym.loadJSON(symbol).listAuxiliaryStates())
      const marked = (name: string): string => `${states.has(name) ? 'aux' : 'arg'}:${name}`
      if (!options.strip) {
        arrays = renamed(from, arrays, (name) => marked(name.replace(mark, '')))
      }
      const beside = `${to.replace(/(-\d{4})?\.params$/, '')}-symbol.json`
      await writeWhole('convert', beside, new TextEncoder().encode(symbol))
      console.log(`wrote ${beside}`)
    }
    await save(to, arrays, format === 'npz' ? { compress: options.compress } : {})
  }
  console.log(`wrote ${to} (${Object.keys(arrays).length} arrays)`)
}

async function readText(file: string): Promise<string> {
  try {
    const text = await readFile(file, 'utf8')
    sym.loadJSON(text)
    return text
  } catch (e) {
    throw fileError('convert', 'read', file, e)
  }
}

/** Arrays under other names, which must differ from each other. */
function renamed(file: string, arrays: Loaded, name: (old: string) => string): Loaded {
  if (Array.isArray(arrays)) return arrays
  const pairs = Object.entries(arrays as Named).map(([old, array]) => [name(old), array] as const)
  const names = new Set(pairs.map(([renamed]) => renamed))
  if (names.size < pairs.length) {
    fail(file, 'has arrays whose names differ in arg: and aux: alone: convert without --strip')
  }
  return Object.fromEntries(pairs)
}
