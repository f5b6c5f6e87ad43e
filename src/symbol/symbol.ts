/** Symbol: outputs of a graph of operators, which can be combined, looked at, saved, and run once inputs are given. */

import { fail } from '../base/error.ts'
import { type Aval, aval } from '../core/aval.ts'
import { reading } from '../core/graph.ts'
import { Unbound } from '../core/tensor.ts'
import { writeWhole } from '../ndarray/nodeFiles.ts'
import { atKeys } from './indexing.ts'
import { Foresight, infer, type TypesByName } from './infer.ts'
import { formatJSON } from './json.ts'
import { auxVariables, namesOf } from './listing.ts'
import { hiddenKeys, storedKey } from './names.ts'
import { type Entry, nodesOf, replaceVariables, type SymbolNode } from './node.ts'

/** Shapes by argument name; null or 0 where a size is not known. */
export type ShapesByName = { readonly [argument: string]: readonly (number | null)[] }

/** Shapes in the order of `listArguments`, `listOutputs` and `listAuxiliaryStates`; all null when some stay unknown. */
export type InferredShapes = [
  args: readonly (readonly number[])[] | null,
  outs: readonly (readonly number[])[] | null,
  aux: readonly (readonly number[])[] | null,
]

let assumed: { readonly [variable: string]: Aval } = {}
let foresight = new Foresight(assumed)

/** Runs `body` while shapes may be read as if variables had these, though files will not say so. */
export function assuming<R>(inputs: { readonly [variable: string]: Aval }, body: () => R): R {
  const before = [assumed, foresight] as const
  assumed = inputs
  foresight = new Foresight(inputs)
  try {
    return body()
  } finally {
    ;[assumed, foresight] = before
  }
}

/**
 * Outputs of a graph of operators. Every operator of `nd` takes symbols too and gives symbols.
 *
 * A symbol has no data, and no shape until the shapes of its variables tell it; reading `shape` before
 * is an error that says which are missing.
 * @example
 * const x = mx.sym.var('data')
 * const net = mx.sym.fullyConnected(x, { numHidden: 4, name: 'fc1' })
 * net.listArguments() // => ['data', 'fc1_weight', 'fc1_bias']
 * @see MXNet `mx.sym.Symbol`
 */
export class Symbolic extends Unbound implements Iterable<Symbolic> {
  /** The outputs. */
  readonly entries: readonly Entry[]
  #aval: Aval | null = null

  constructor(entries: readonly Entry[]) {
    super()
    this.entries = entries
  }

  /** The name of the node behind a symbol of one output; null for a group. */
  get name(): string | null {
    return this.entries.length === 1 ? this.entries[0]!.node.name : null
  }

  /** The number of outputs. */
  get length(): number {
    return this.entries.length
  }

  /**
   * Shape and dtype, as far as the shapes given to `var` tell them.
   * @throws MXNetError when they are not known, or for a group.
   */
  get aval(): Aval {
    this.#aval ??= this.#known()
    return this.#aval
  }

  /** The same as far as what the symbol reads tells it; null where only what reads the symbol would, and for a group. */
  get foreseen(): Aval | null {
    return this.entries.length === 1 ? foresight.of(this.entries[0]!) : null
  }

  #known(): Aval {
    if (this.entries.length !== 1)
      fail('symbol', 'a group has no shape: take one output with at(i)')
    const names = this.listInputs()
    const given = Object.entries(assumed).filter(([name]) => names.includes(name))
    const found = infer(
      this.entries,
      Object.fromEntries(given.map(([name, a]) => [name, a.shape])),
      Object.fromEntries(given.map(([name, a]) => [name, a.dtype])),
    )
    const shape = found.shapes.get(this.entries[0]!.node)?.[this.entries[0]!.index] ?? null
    if (shape === null || shape.includes(-1)) {
      fail(
        'symbol',
        `the shape of ${this.name} is not known: give shapes to its variables, mx.sym.var('${names[0] ?? 'data'}', { shape: […] })`,
      )
    }
    return aval(
      shape,
      found.dtypes.get(this.entries[0]!.node)?.[this.entries[0]!.index] ?? 'float32',
    )
  }

  [Symbol.iterator](): Iterator<Symbolic> {
    return this.entries.map((entry) => new Symbolic([entry]))[Symbol.iterator]()
  }

  /**
   * An output of a symbol with several, by number or name, or a slice of them; of a single output, what `at` of an
   * array gives.
   * @throws MXNetError when there is no such output.
   * @example
   * mx.sym.var('x').relu().getInternals().at('x').name // => 'x'
   * @see MXNet `Symbol.__getitem__`
   */
  override at(...key: unknown[]): this {
    const [first] = key
    const names = this.listOutputs()
    if (key.length === 1 && typeof first === 'string' && names.includes(first)) {
      if (names.indexOf(first) !== names.lastIndexOf(first))
        fail('symbol', `several outputs are called ${first}: take one by its number`)
      return new Symbolic([this.entries[names.indexOf(first)]!]) as this
    }
    if (this.entries.length === 1) return atKeys(this, key) as this
    const slice = typeof first === 'string' ? /^(-?\d+)?:(-?\d+)?$/.exec(first) : null
    if (key.length === 1 && slice !== null) {
      const [from, to] = slice.slice(1).map((t) => (t === undefined ? undefined : Number(t)))
      return new Symbolic(this.entries.slice(from, to)) as this
    }
    if (key.length !== 1 || typeof first !== 'number') {
      const shown = names.length > 12 ? [...names.slice(0, 12), '…'] : names
      fail('symbol', `there is no output ${String(first)}: there are ${shown.join(', ')}`)
    }
    const entry = this.entries.at(first)
    if (entry === undefined)
      fail('symbol', `there is no output ${first}: there are ${this.entries.length}`)
    return new Symbolic([entry]) as this
  }

  /** All outputs of all nodes, to cut a network: `net.getInternals().at('fc1_output')`. @see MXNet `Symbol.get_internals` */
  getInternals(): Symbolic {
    return new Symbolic(
      nodesOf(this.entries).flatMap((node) =>
        namesOf(node).map((_, index) => ({ node, index, version: 0 })),
      ),
    )
  }

  /** What the nodes behind the outputs read, or null for variables. @see MXNet `Symbol.get_children` */
  getChildren(): Symbolic | null {
    const nodes = new Set(this.entries.map((entry) => entry.node))
    const read = [...nodes].flatMap((node) => node.inputs)
    return read.length === 0 ? null : new Symbolic(read)
  }

  #variables(): { readonly args: SymbolNode[]; readonly aux: SymbolNode[] } {
    const nodes = nodesOf(this.entries)
    const states = auxVariables(nodes)
    const variables = nodes.filter((node) => node.op === null)
    return {
      args: variables.filter((node) => !states.has(node)),
      aux: variables.filter((node) => states.has(node)),
    }
  }

  /** Names of the variables that are given from outside, in the order in which they are read. @see MXNet `Symbol.list_arguments` */
  listArguments(): string[] {
    return this.#variables().args.map((node) => node.name)
  }

  /** Names of the states that operators keep up to date, such as running means. @see MXNet `Symbol.list_auxiliary_states` */
  listAuxiliaryStates(): string[] {
    return this.#variables().aux.map((node) => node.name)
  }

  /** The variables that operators keep up to date. */
  auxiliaryNodes(): readonly SymbolNode[] {
    return this.#variables().aux
  }

  /** Names of all variables. @see MXNet `Symbol.list_inputs` */
  listInputs(): string[] {
    return nodesOf(this.entries).flatMap((node) => (node.op === null ? [node.name] : []))
  }

  /** Names of the outputs: `fc1_output`, of a variable its own name. @see MXNet `Symbol.list_outputs` */
  listOutputs(): string[] {
    return this.entries.map(({ node, index }) => namesOf(node)[index]!)
  }

  /**
   * An annotation or attribute of the node, as text; undefined when there is none.
   * @see MXNet `Symbol.attr`
   */
  attr(key: string): string | undefined {
    const { attrs } = this.#only()
    return attrs.get(key) ?? attrs.get(storedKey(key))
  }

  /** All annotations and attributes of the node, as text. @see MXNet `Symbol.list_attr` */
  listAttr(): { [key: string]: string } {
    return shown(this.#only().attrs)
  }

  /** The annotations and attributes of every node that has some, by name. @see MXNet `Symbol.attr_dict` */
  attrDict(): { [node: string]: { [key: string]: string } } {
    return Object.fromEntries(
      nodesOf(this.entries).flatMap((node) =>
        node.attrs.size === 0 ? [] : [[node.name, shown(node.attrs)]],
      ),
    )
  }

  #only(): SymbolNode {
    return this.entries.length === 1
      ? this.entries[0]!.node
      : fail('symbol', 'a group has no attributes: take one output with at(i)')
  }

  /**
   * The same graph with variables replaced: `net.compose({ data: other })`, or in the order of `listArguments`.
   * @throws MXNetError for a name that no variable has.
   * @example
   * const f = mx.sym.var('x').relu()
   * f.compose({ x: mx.sym.var('y').tanh() }).listArguments() // => ['y']
   * @see MXNet `Symbol.__call__`
   */
  compose(...given: readonly (Symbolic | { readonly [variable: string]: Symbolic })[]): Symbolic {
    const { args } = this.#variables()
    const image = new Map<SymbolNode, Entry>()
    const put = (node: SymbolNode | undefined, name: string, value: unknown): void => {
      if (node === undefined)
        fail(
          'compose',
          `there is no variable ${name}: there are ${args.map((n) => n.name).join(', ')}`,
        )
      if (!(value instanceof Symbolic) || value.length !== 1)
        fail('compose', `${name} is given ${String(value)}: it must be a symbol of one output`)
      image.set(node, value.entries[0]!)
    }
    given.forEach((value, i) => {
      if (value instanceof Symbolic) return put(args[i], String(i), value)
      for (const [name, symbol] of Object.entries(value))
        put(
          args.find((node) => node.name === name),
          name,
          symbol,
        )
    })
    return new Symbolic(replaceVariables(this.entries, image))
  }

  /**
   * Shapes of arguments, outputs and auxiliary states from those of some arguments.
   *
   * Sizes of layers' parameters follow from the data's. All null, with a warning, when some stay unknown.
   * @throws MXNetError when shapes contradict each other, or for an unknown name.
   * @example
   * const net = mx.sym.fullyConnected(mx.sym.var('data'), { numHidden: 4, name: 'fc' })
   * net.inferShape({ data: [2, 3] })[0] // => [[2, 3], [4, 3], [4]]
   * @see MXNet `Symbol.infer_shape`
   */
  inferShape(shapes: ShapesByName = {}): InferredShapes {
    const found = this.inferShapePartial(shapes)
    const { args } = this.#variables()
    const open = args.filter((_, i) => found[0]![i] === null || found[0]![i]!.includes(0))
    const complete = found.every((list) => list.every((s) => s !== null && !s.includes(0)))
    if (complete) return found as unknown as InferredShapes
    const missing = open.map((node) => node.name).join(', ')
    console.warn(`[inferShape] not all shapes follow: give those of ${missing || 'more arguments'}`)
    return [null, null, null]
  }

  /** As `inferShape`, with what is known: null for an unknown shape, 0 for an unknown size. @see MXNet `Symbol.infer_shape_partial` */
  inferShapePartial(shapes: ShapesByName = {}): (readonly number[] | null)[][] {
    const { args, aux } = this.#variables()
    const found = infer(this.entries, this.#checked(shapes), {})
    const of = (node: SymbolNode, index = 0): readonly number[] | null =>
      found.shapes.get(node)?.[index]?.map((d) => (d < 0 ? 0 : d)) ?? null
    return [
      args.map((node) => of(node)),
      this.entries.map(({ node, index }) => of(node, index)),
      aux.map((node) => of(node)),
    ]
  }

  /**
   * Dtypes of arguments, outputs and auxiliary states from those of some arguments; float32 where nothing is said.
   * @see MXNet `Symbol.infer_type`
   */
  inferType(types: TypesByName = {}): string[][] {
    const { args, aux } = this.#variables()
    this.#checked(types)
    const found = infer(this.entries, {}, types)
    const of = (node: SymbolNode, index = 0): string => found.dtypes.get(node)?.[index] ?? 'float32'
    return [
      args.map((node) => of(node)),
      this.entries.map(({ node, index }) => of(node, index)),
      aux.map((node) => of(node)),
    ]
  }

  #checked<V extends { readonly [name: string]: unknown }>(given: V): V {
    const names = this.listInputs()
    for (const name of Object.keys(given)) {
      if (!names.includes(name))
        fail('symbol', `there is no argument ${name}: there are ${names.join(', ')}`)
    }
    return given
  }

  /**
   * The graph as MXNet's symbol.json.
   * @example
   * mx.sym.loadJSON(mx.sym.var('x').relu().toJSON()).listArguments() // => ['x']
   * @see MXNet `Symbol.tojson`
   */
  toJSON(): string {
    return formatJSON(this.entries)
  }

  /**
   * Writes `toJSON()` to a file, whole or not at all.
   * @throws MXNetError when the file cannot be written.
   * @example
   * await mx.sym.var('x').relu().save('net-symbol.json')
   * (await mx.sym.load('net-symbol.json')).listArguments() // => ['x']
   * @see MXNet `Symbol.save`
   */
  async save(file: string): Promise<void> {
    await writeWhole('save', file, new TextEncoder().encode(this.toJSON()))
  }

  /** `<Symbol fc1>`, for a group `<Symbol group [a, b]>`. */
  override toString(): string {
    const names = this.entries.map((entry) => entry.node.name)
    return names.length === 1 ? `<Symbol ${names[0]}>` : `<Symbol group [${names.join(', ')}]>`
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }

  /** The graph as text, one node a line. @see MXNet `Symbol.debug_str` */
  debugStr(): string {
    const lines = nodesOf(this.entries).map((node) => {
      if (node.op === null) return `Variable: ${node.name}`
      const inputs = node.inputs.map((e) => `${e.node.name}${e.index > 0 ? `(${e.index})` : ''}`)
      const attrs = [...node.attrs].map(([key, text]) => ` ${key}=${text}`).join('')
      return `${node.name} = ${node.op.name}(${inputs.join(', ')})${attrs}`
    })
    return [...lines, `outputs: ${this.listOutputs().join(', ')}`].join('\n')
  }
}

/** Attributes as MXNet shows them: the hidden ones under both names. */
function shown(attrs: ReadonlyMap<string, string>): { [key: string]: string } {
  const all: { [key: string]: string } = Object.fromEntries(attrs)
  for (const key of hiddenKeys) {
    const hidden = attrs.get(`__${key}__`)
    if (hidden !== undefined) all[key] = hidden
  }
  return all
}

// What needs data: asked of a symbol, an error says so instead of "not a function".
for (const name of [...reading, 'detach', 'copy', 'asInContext']) {
  Object.defineProperty(Symbolic.prototype, name, {
    value(this: Symbolic) {
      fail(name, `${this} is a symbol and has no data: bind it, or give eval its arguments`)
    },
  })
}
