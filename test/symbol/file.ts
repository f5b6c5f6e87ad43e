/** Writing down symbol.json as MXNet 1.9.1 does, a line a node: what tests of imported networks read. */

/** Operator, name, attributes, and the names of what it reads (`name:1` for a second output). */
export type Line = readonly [
  op: string,
  name: string,
  attrs?: { readonly [key: string]: string },
  reads?: string,
]

/** A variable of Gluon's: what `Parameter.var` writes. */
export const parameter = (name: string, shape: string, init?: string): Line => [
  'null',
  name,
  {
    __dtype__: '0',
    ...(init === undefined ? {} : { __init__: init }),
    __lr_mult__: '1.0',
    __shape__: shape,
    __storage_type__: '0',
    __wd_mult__: '1.0',
  },
]

/** The variables of a BatchNorm. */
export const batchNorm = (prefix: string): Line[] => [
  parameter(`${prefix}gamma`, '(0,)', 'ones'),
  parameter(`${prefix}beta`, '(0,)', 'zeros'),
  parameter(`${prefix}running_mean`, '(0,)', 'zeros'),
  parameter(`${prefix}running_var`, '(0,)', 'ones'),
]

const sorted = (attrs: { readonly [key: string]: string }): { [key: string]: string } =>
  Object.fromEntries(Object.entries(attrs).sort(([a], [b]) => (a < b ? -1 : 1)))

/** The file's content: nodes as MXNet lists them, and the last one's outputs as heads. */
export function fileOf(
  lines: readonly Line[],
  heads: string = lines.at(-1)![1],
): { nodes: object[]; heads: number[][] } {
  const ids = new Map(lines.map(([, name], i) => [name, i]))
  const entry = (text: string): number[] => {
    const [, name = '', index = '0', version = '0'] = /^(.*?)(?::(\d+))?(?:\^(\d+))?$/.exec(text)!
    const id = ids.get(name)
    if (id === undefined) throw new Error(`${name} is not in the list`)
    return [id, Number(index), Number(version)]
  }
  const list = (text: string): number[][] => (text === '' ? [] : text.split(' ').map(entry))
  return {
    nodes: lines.map(([op, name, attrs = {}, reads = '']) => ({
      op,
      name,
      ...(Object.keys(attrs).length > 0 ? { attrs: sorted(attrs) } : {}),
      inputs: list(reads),
    })),
    heads: list(heads),
  }
}

/** The same as the text of a file of 1.9.1. */
export function textOf(lines: readonly Line[], heads?: string): string {
  const { nodes, heads: ends } = fileOf(lines, heads)
  const variables = lines.flatMap(([op], i) => (op === 'null' ? [i] : []))
  return JSON.stringify({
    nodes,
    arg_nodes: variables,
    node_row_ptr: [...lines.keys(), lines.length],
    heads: ends,
    attrs: { mxnet_version: ['int', 10901] },
  })
}
