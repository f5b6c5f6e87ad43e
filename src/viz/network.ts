/** A network's picture: MXNet's drawing of a symbol in Graphviz's language. */

import type { DType } from '../base/dtype.ts'
import { fail, MXNetError } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { infer } from '../symbol/infer.ts'
import { type Entry, nodesOf, type SymbolNode } from '../symbol/node.ts'
import { type ShapesByName, Symbolic } from '../symbol/symbol.ts'
import { parseShape } from '../symbol/wire.ts'
import { NetworkPicture } from './picture.ts'

/** Options of `plotNetwork`. */
export interface PlotOptions {
  /** The picture's name; `plot` by default. */
  readonly title?: string
  /** Shapes of inputs: the edges then say what flows along them, without the batch axis. */
  readonly shape?: ShapesByName | null
  /** Dtypes of inputs: the edges then say those too. */
  readonly dtype?: { readonly [argument: string]: DType } | null
  /** Attributes of Graphviz for all nodes, over MXNet's. */
  readonly nodeAttrs?: { readonly [attribute: string]: string | number }
  /** Whether weights, biases and running statistics are left out; yes by default. */
  readonly hideWeights?: boolean
  /** What `save` writes to a file without an ending; `svg` by default. */
  readonly saveFormat?: 'svg' | 'png' | 'dot'
}

const parameter = /_(weight|bias|beta|gamma|moving_var|moving_mean|running_var|running_mean)$/

const colors = {
  variable: '#8dd3c7',
  product: '#fb8072',
  activation: '#ffffb3',
  norm: '#bebada',
  pooling: '#80b1d3',
  rearranging: '#fdb462',
  softmax: '#b3de69',
  other: '#fccde5',
} as const

/** A tuple as MXNet's labels have it: `3x3`. */
const times = (text: string): string => (parseShape(text) ?? [text]).join('x')

/** The label and colour of an operator's node. */
function look({ name, op, attrs }: SymbolNode): readonly [label: string, color: string] {
  const of = (key: string, otherwise: string): string => attrs.get(key) ?? otherwise
  switch (op?.name) {
    case undefined:
      return [name, colors.variable]
    case 'Convolution': {
      const window = `${times(of('kernel', '[]'))}/${times(of('stride', '1'))}`
      return [`Convolution\n${window}, ${of('num_filter', '')}`, colors.product]
    }
    case 'FullyConnected':
      return [`FullyConnected\n${of('num_hidden', '')}`, colors.product]
    case 'BatchNorm':
      return [name, colors.norm]
    case 'Activation':
      return [`Activation\n${of('act_type', '')}`, colors.activation]
    case 'LeakyReLU':
      return [`LeakyReLU\n${of('act_type', 'Leaky')}`, colors.activation]
    case 'Pooling': {
      const window = `${times(of('kernel', '[]'))}/${times(of('stride', '1'))}`
      return [`Pooling\n${of('pool_type', 'max')}, ${window}`, colors.pooling]
    }
    case 'Concat':
    case 'Flatten':
    case 'Reshape':
      return [name, colors.rearranging]
    case 'Softmax':
      return [name, colors.softmax]
    default:
      return [name, colors.other]
  }
}

/** A value in Graphviz's language. */
export function quoted(value: string | number): string {
  const text = String(value)
  if (/^([A-Za-z_][A-Za-z0-9_]*|-?(\d+\.?\d*|\.\d+))$/.test(text) && !reserved.test(text))
    return text
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
const reserved = /^(node|edge|graph|digraph|subgraph|strict)$/i

const attributes = (values: { readonly [key: string]: string | number }): string =>
  Object.entries(values)
    .map(([key, value]) => `${key}=${quoted(value)}`)
    .join(' ')

/** What the edges say: the shape without the batch axis, and the dtype. */
function flow(
  symbol: Symbolic,
  { shape, dtype }: PlotOptions,
): (entry: Entry) => string | undefined {
  if (!shape && !dtype) return () => undefined
  for (const name of Object.keys({ ...shape, ...dtype })) {
    const inputs = symbol.listInputs()
    if (!inputs.includes(name))
      fail('plotNetwork', `there is no input ${name}: there are ${inputs.join(', ')}`)
  }
  const found = infer(symbol.entries, shape ?? {}, dtype ?? {})
  return ({ node, index }) => {
    const parts: string[] = []
    if (shape) {
      const sizes = found.shapes.get(node)?.[index]
      if (!sizes || sizes.includes(-1))
        fail('plotNetwork', `the shape of ${node.name} does not follow: give shapes of more inputs`)
      parts.push(sizes.slice(1).join('x'))
    }
    if (dtype) parts.push(`(${found.dtypes.get(node)?.[index] ?? 'float32'})`)
    return parts.join('')
  }
}

/**
 * Draws a network: operators as boxes, inputs as ellipses, coloured by kind; data flows upward along the arrows.
 *
 * `source` of the result is the picture in Graphviz's language, `await svg()` the drawing, and
 * `await save('net.svg')` (or `.png`, `.dot`) writes it. In a notebook the picture shows itself.
 * @throws MXNetError when something else than a symbol is given, or the shapes do not suffice.
 * @example
 * const net = mx.sym.fullyConnected(mx.sym.var('data'), { numHidden: 64, name: 'fc1' })
 * mx.viz.plotNetwork(net, { shape: { data: [1, 784] } }).source.includes('fc1 -> data') // => true
 * @see MXNet `mx.viz.plot_network`
 */
export function plotNetwork(symbol: Symbolic, options: PlotOptions = {}): NetworkPicture {
  if (!(symbol instanceof Symbolic))
    fail('plotNetwork', `${String(symbol)} is not a symbol: give net(mx.sym.var('data'))`)
  checkOptions('plotNetwork', options, [
    'title',
    'shape',
    'dtype',
    'nodeAttrs',
    'hideWeights',
    'saveFormat',
  ])
  const { title = 'plot', nodeAttrs = {}, hideWeights = true, saveFormat = 'svg' } = options
  if (!['svg', 'png', 'dot'].includes(saveFormat))
    throw new MXNetError('plotNetwork', `saveFormat is '${saveFormat}': use 'svg', 'png' or 'dot'`)
  const labelOf = flow(symbol, options)
  const ids = new Map<SymbolNode, string>()
  const taken = new Set<string>()
  const common = { fixedsize: 'false', height: 0.8034, style: 'filled', width: 1.3, ...nodeAttrs }
  const lines: string[] = []
  const edges: string[] = []
  for (const node of nodesOf(symbol.entries)) {
    if (node.op === null && hideWeights && parameter.test(node.name)) continue
    let id = node.name
    for (let n = 2; taken.has(id); n++) id = `${node.name}#${n}`
    taken.add(id)
    ids.set(node, id)
    const [label, fillcolor] = look(node)
    const shape = node.op === null ? 'oval' : 'box'
    lines.push(`\t${quoted(id)} [${attributes({ label, fillcolor, shape, ...common })}]`)
    const inputs =
      node.op?.name === '_contrib_BilinearResize2D' ? node.inputs.slice(0, 1) : node.inputs
    for (const entry of inputs) {
      const from = ids.get(entry.node)
      if (from === undefined) continue
      const label = labelOf(entry)
      const arrow = { arrowtail: 'open', dir: 'back', ...(label ? { label } : {}) }
      edges.push(`\t${quoted(id)} -> ${quoted(from)} [${attributes(arrow)}]`)
    }
  }
  const fonts = 'fontname="Helvetica,Arial,sans-serif"'
  const head = [`\tnode [${fonts} margin="0.15,0.06"]`, `\tedge [${fonts} fontsize=12]`]
  const source = [`digraph ${quoted(title)} {`, ...head, ...lines, ...edges, '}', ''].join('\n')
  return new NetworkPicture(title, source, saveFormat)
}
