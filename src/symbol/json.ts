/** symbol.json: a graph as MXNet's text, character by character, and back from files of any version. */

import { fail } from '../base/error.ts'
import { checkFlow, operatorOf } from './flow.ts'
import { countedOutputs, isVariadic, outputCount } from './listing.ts'
import { type Entry, nodesOf, SymbolNode } from './node.ts'
import { type FileNode, upgrade } from './upgrade.ts'
import { parseAttrs } from './wire.ts'

/** The version of MXNet whose files these are: 1.9.1. */
const version = 10901

const quote = (text: string): string => JSON.stringify(text)

/** Short lists stand on one line, as MXNet's writer has it. */
function list(numbers: readonly number[], indent: string): string {
  if (numbers.length <= 10) return `[${numbers.join(', ')}]`
  return `[\n${numbers.map((n) => `${indent}  ${n}`).join(', \n')}\n${indent}]`
}

function attrsText(attrs: ReadonlyMap<string, string>): string {
  const lines = [...attrs]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, text]) => `${quote(key)}: ${quote(text)}`)
  return lines.length === 1 ? `{${lines[0]}}` : `{\n        ${lines.join(', \n        ')}\n      }`
}

/** Entries stand on one line up to ten, then one a line. */
function entriesText(entries: readonly (readonly number[])[], indent: string): string {
  const items = entries.map((entry) => `[${entry.join(', ')}]`)
  if (items.length <= 10) return `[${items.join(', ')}]`
  return `[\n${items.map((item) => `${indent}  ${item}`).join(', \n')}\n${indent}]`
}

/** The graph behind some outputs as MXNet writes it. */
export const formatJSON = (heads: readonly Entry[]): string =>
  graphText(heads, [`"attrs": {"mxnet_version": ["int", ${version}]}`]).join('\n')

/** The lines of a graph; what the whole file says besides comes last. */
function graphText(heads: readonly Entry[], more: readonly string[] = []): string[] {
  const nodes = nodesOf(heads)
  const ids = new Map(nodes.map((node, i) => [node, i]))
  const entry = (e: Entry): readonly number[] => [ids.get(e.node)!, e.index, e.version]
  const rows = [0]
  const texts = nodes.map((node) => {
    const outputs =
      node.op === null
        ? 1
        : countedOutputs(node.op, node.op.bind(node.values).bound.attrs, node.inputs.length)
    rows.push(rows[rows.length - 1]! + outputs)
    const parts = [`"op": ${quote(node.op?.name ?? 'null')}`, `"name": ${quote(node.name)}`]
    if (node.attrs.size > 0) parts.push(`"attrs": ${attrsText(node.attrs)}`)
    parts.push(`"inputs": ${entriesText(node.inputs.map(entry), '      ')}`)
    if (node.subgraphs.length > 0) {
      const graphs = node.subgraphs.map((graph) => indented(graphText(graph), '        '))
      parts.push(`"subgraphs": [\n${graphs.join(', \n')}\n      ]`)
    }
    return `    {\n      ${parts.join(', \n      ')}\n    }`
  })
  const variables = nodes.flatMap((node, i) => (node.op === null ? [i] : []))
  const groups = [
    `"nodes": [\n${texts.join(', \n')}\n  ]`,
    `"arg_nodes": ${list(variables, '  ')}`,
    `"node_row_ptr": ${list(rows, '  ')}`,
    `"heads": ${entriesText(heads.map(entry), '  ')}`,
    ...more,
  ]
  return ['{', ...groups.map((text, i) => `  ${text}${i < groups.length - 1 ? ', ' : ''}`), '}']
}

const indented = (lines: readonly string[], indent: string): string =>
  lines.map((text) => indent + text.replaceAll('\n', `\n${indent}`)).join('\n')

type Json = { readonly [key: string]: unknown }

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads the text of a symbol.json of any version; `where` names the file in messages. */
export function parseJSON(text: string, where: string): Entry[] {
  let file: unknown
  try {
    file = JSON.parse(text)
  } catch (e) {
    const [start] = /^[\s\S]{0,16}/.exec(text)!
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they tell that the file is no text
    if (/[\0-\x08\ufffd]/.test(start)) return fail(where, 'this is no text: give a symbol.json')
    return fail(where, `this is not JSON: ${(e as Error).message.slice(0, 100)}`)
  }
  if (!isObject(file)) return fail(where, 'this is no symbol: an object with nodes was expected')
  return readGraph(where, file, versionOf(where, file.attrs), 0)
}

/** Loops in loops are read to this depth. */
const depthLimit = 16

/** Reads a graph of a file that an MXNet of `written` wrote; `depth` tells how many graphs are around it. */
function readGraph(where: string, graph: unknown, written: number, depth: number): Entry[] {
  if (!isObject(graph) || !Array.isArray(graph.nodes) || !Array.isArray(graph.heads))
    return fail(where, 'this is no symbol: an object with nodes and heads was expected')
  const subgraphs = new Map<number, readonly (readonly Entry[])[]>()
  const raw = graph.nodes.map((node, i) => {
    const read = readNode(where, node, i)
    const inner = (node as Json).subgraphs ?? []
    if (!Array.isArray(inner)) return fail(where, `subgraphs of ${read.name} is not a list`)
    if (inner.length > 0 && depth === depthLimit)
      fail(where, `${read.name} is inside of ${depth} graphs: at most ${depthLimit} are read`)
    subgraphs.set(
      i,
      inner.map((g) => readGraph(where, g, written, depth + 1)),
    )
    return read
  })
  const heads = graph.heads.map((head) => readEntry(where, head, raw.length, 'a head'))
  if (heads.length === 0) fail(where, 'the symbol has no heads')
  const nodes = upgrade(where, raw, written)
  const made: SymbolNode[] = []
  const entry = ([id, index, reads]: readonly [number, number, number]): Entry => {
    const node = made[id]!
    if (node.op === null ? index > 0 : index >= outputsOf(node))
      fail(where, `output ${index} of ${node.name} is read, which has no such output`)
    return { node, index, version: reads }
  }
  for (const node of nodes)
    made.push(makeNode(where, node, node.inputs.map(entry), subgraphs.get(node.id) ?? []))
  return heads.map(([id, ...rest]) => entry([nodes.findIndex((n) => n.id === id), ...rest]))
}

/** An operator of a file with more results than this is refused: nothing has so many. */
const outputLimit = 65_536

/** How many outputs may be read: those that are shown. */
const outputsOf = (node: SymbolNode): number =>
  outputCount(node.op!, node.op!.bind(node.values).bound.attrs, node.inputs.length)

function makeNode(
  where: string,
  node: FileNode,
  inputs: readonly Entry[],
  subgraphs: readonly (readonly Entry[])[],
): SymbolNode {
  const { attrs } = node
  if (node.op === 'null') {
    if (inputs.length > 0) fail(where, `the variable ${node.name} has inputs`)
    return new SymbolNode(null, node.name, attrs)
  }
  const op = operatorOf(node.op)
  if (op === undefined) return fail(where, `operator ${node.op} of ${node.name} is not known here`)
  const values = parseAttrs(where, op, attrs)
  const outputs = outputCount(op, op.bind(values).bound.attrs, inputs.length)
  if (outputs > outputLimit)
    fail(where, `${node.name} has ${outputs} outputs: at most ${outputLimit} are read`)
  if (!isVariadic(op) && (inputs.length < op.minInputs || inputs.length > op.maxInputs)) {
    const takes =
      op.minInputs === op.maxInputs ? op.minInputs : `${op.minInputs} to ${op.maxInputs}`
    fail(where, `${node.name} has ${inputs.length} inputs: ${op.name} takes ${takes}`)
  }
  const made = new SymbolNode(op, node.name, attrs, values, inputs, subgraphs)
  checkFlow(where, made)
  return made
}

function readNode(where: string, node: unknown, id: number): FileNode {
  if (!isObject(node)) return fail(where, `node ${id} is not an object`)
  const { op, name, inputs } = node
  if (typeof op !== 'string' || typeof name !== 'string')
    return fail(where, `node ${id} has no op or no name`)
  if (!Array.isArray(inputs)) return fail(where, `${name} has no list of inputs`)
  const attrs = new Map<string, string>()
  for (const key of ['param', 'attr', 'attrs']) {
    const group = node[key]
    if (group === undefined) continue
    if (!isObject(group)) return fail(where, `${key} of ${name} is not an object`)
    for (const [k, value] of Object.entries(group)) {
      if (typeof value !== 'string')
        return fail(
          where,
          `attribute ${k} of ${name} is no text: ${JSON.stringify(value)?.slice(0, 40)}`,
        )
      attrs.set(k, value)
    }
  }
  // Files are written so that a node comes after what it reads: a later one would close a circle.
  return { id, op, name, attrs, inputs: inputs.map((e) => readEntry(where, e, id, name)) }
}

function readEntry(
  where: string,
  entry: unknown,
  limit: number,
  what: string,
): readonly [number, number, number] {
  const [id, index, reads = 0] = Array.isArray(entry) ? entry : []
  const natural = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0
  if (!natural(id) || !natural(index) || !natural(reads) || (entry as unknown[]).length > 3)
    return fail(
      where,
      `${what} reads ${JSON.stringify(entry)?.slice(0, 40)}: it must be [node, output, version]`,
    )
  if (id >= limit) return fail(where, `${what} reads node ${id}, which does not come before it`)
  return [id, index, reads]
}

/** The version that wrote the file; files of before 0.9 do not say. */
function versionOf(where: string, attrs: unknown): number {
  if (attrs === undefined) return 800
  if (!isObject(attrs)) return fail(where, 'attrs of the file is not an object')
  const stated = attrs.mxnet_version
  if (stated === undefined) return 800
  if (!Array.isArray(stated) || !Number.isSafeInteger(stated[1]))
    return fail(
      where,
      `mxnet_version is ${JSON.stringify(stated)?.slice(0, 40)}: it must be ["int", 10901]`,
    )
  return stated[1] as number
}
