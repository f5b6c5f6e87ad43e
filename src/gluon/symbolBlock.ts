/** SymbolBlock: a symbol as a layer, with its variables as parameters. */

import type { Context } from '../base/context.ts'
import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import type { Tensor } from '../core/tensor.ts'
import { hints, infer } from '../symbol/infer.ts'
import { auxVariables } from '../symbol/listing.ts'
import { type Entry, nodesOf, replaceVariables, type SymbolNode } from '../symbol/node.ts'
import { Program } from '../symbol/run.ts'
import { Symbolic } from '../symbol/symbol.ts'
import { group, load, variable } from '../symbol/variable.ts'
import { HybridBlock } from './block.ts'
import type { Parameter, ParameterOptions } from './parameter.ts'
import { ParameterDict } from './parameterDict.ts'

/** Options of `SymbolBlock`. */
export interface SymbolBlockOptions {
  /** Parameters to share: those of another block. */
  readonly params?: ParameterDict | null
}

/** Options of `SymbolBlock.imports`. */
export interface ImportOptions {
  /** Where the parameters go; `cpu()` when left out. */
  readonly ctx?: Context | readonly Context[] | null
}

/**
 * A symbol as a block: its inputs are the block's, its other variables are parameters.
 *
 * It hybridizes, trains and can be part of another network like any block; outputs of several come back as an array.
 * @throws MXNetError when an input is no variable of the symbol.
 * @example
 * const x = mx.sym.var('data')
 * const net = new gluon.SymbolBlock(mx.sym.fullyConnected(x, { numHidden: 3, name: 'fc' }).relu(), x)
 * net.initialize()
 * net(nd.ones([2, 4])).shape // => [2, 3]
 * @see MXNet `gluon.SymbolBlock`
 */
export class SymbolBlock extends HybridBlock {
  readonly #outputs: Symbolic
  readonly #program: Program
  readonly #inputs: readonly string[]
  readonly #parameters: ReadonlyMap<string, Parameter>
  readonly #single: boolean

  constructor(
    outputs: Symbolic | readonly Symbolic[],
    inputs: Symbolic | readonly Symbolic[],
    options: SymbolBlockOptions = {},
  ) {
    checkOptions('SymbolBlock', options, ['params'])
    // Names are the variables', whatever block this one is made in.
    super({ prefix: '', params: new ParameterDict('', options.params ?? null) })
    this.#outputs = outputs instanceof Symbolic ? outputs : group(outputs)
    this.#single = this.#outputs.length === 1 && outputs instanceof Symbolic
    this.#inputs = namesOf(inputs)
    this.#program = new Program(this.#outputs.entries)
    const { variables } = this.#program
    const absent = this.#inputs.find((name) => !variables.some((v) => v.name === name))
    const names = variables.map((v) => v.name)
    if (absent !== undefined)
      fail('SymbolBlock', `there is no variable ${absent}: there are ${names.join(', ')}`)
    const states = auxVariables(nodesOf(this.#outputs.entries))
    const parameters = new Map<string, Parameter>()
    const own = variables.filter((v) => !this.#inputs.includes(v.name))
    const common = commonPrefix(own.map((v) => v.name))
    for (const node of own) {
      const options = parameterOptions(node, states.has(node))
      // A shared parameter stays as it is; only sizes may become known.
      const shared = this.params.get(node.name) !== undefined
      const parameter = this.params.get(
        node.name,
        shared ? { shape: options.shape ?? null } : options,
      )
      parameters.set(node.name, parameter)
      this.registerParameter(node.name.slice(common.length), parameter)
    }
    this.#parameters = parameters
  }

  /**
   * A network from MXNet's files: `net-symbol.json` and, if given, `net-0000.params`.
   *
   * @throws MXNetError when a file is missing or damaged, lacks parameters or has others.
   * @example
   * const layer = new gluon.nn.Dense(3, { inUnits: 4 })
   * layer.initialize()
   * const [symbolFile, paramsFile] = await layer.export('layer')
   * const net = await gluon.SymbolBlock.imports(symbolFile, 'data', paramsFile)
   * net(nd.ones([2, 4])).shape // => [2, 3]
   * @see MXNet `gluon.SymbolBlock.imports`
   */
  static async imports(
    symbolFile: string,
    inputNames: string | readonly string[],
    paramFile?: string | null,
    { ctx = null }: ImportOptions = {},
  ): Promise<SymbolBlock> {
    const symbol = await load(symbolFile)
    const names = typeof inputNames === 'string' ? [inputNames] : inputNames
    const net = new SymbolBlock(
      symbol,
      names.map((name) => variable(name)),
    )
    if (paramFile) {
      const options = { ctx, castDtype: true, dtypeSource: 'saved' } as const
      await net.collectParams().load(paramFile, options)
    }
    return net
  }

  override inferShape(...inputs: Tensor[]): void {
    const given = inputs.slice(0, this.#inputs.length)
    const shapes = Object.fromEntries(given.map((x, i) => [this.#inputs[i]!, x.shape]))
    const types = Object.fromEntries(given.map((x, i) => [this.#inputs[i]!, x.dtype]))
    for (const [name, parameter] of this.#parameters) {
      const { shape } = parameter
      if (shape !== null && !shape.includes(0)) Object.assign(shapes, { [name]: shape })
    }
    const found = infer(this.#outputs.entries, shapes, types)
    for (const node of this.#program.variables) {
      const shape = found.shapes.get(node)?.[0]
      const parameter = this.#parameters.get(node.name)
      if (parameter !== undefined && shape && !shape.includes(-1)) parameter.shape = shape
    }
  }

  override forward(...inputs: Tensor[]): Tensor {
    if (inputs.length !== this.#inputs.length) {
      const want = this.#inputs.join(', ')
      fail('SymbolBlock', `${inputs.length} inputs given: it takes ${want}`)
    }
    const results = inputs.some((x) => x instanceof Symbolic)
      ? this.#compose(inputs)
      : this.#program.run((node) => this.#value(node, inputs))
    return this.#single ? results[0]! : (results as unknown as Tensor)
  }

  #value(node: SymbolNode, inputs: readonly Tensor[]): Tensor {
    const at = this.#inputs.indexOf(node.name)
    return at >= 0 ? inputs[at]! : this.#parameters.get(node.name)!.data()
  }

  /** The symbol itself, on other inputs. */
  #compose(inputs: readonly Tensor[]): Symbolic[] {
    const image = new Map<SymbolNode, Entry>()
    for (const node of this.#program.variables) {
      const value = this.#value(node, inputs)
      if (!(value instanceof Symbolic) || value.length !== 1)
        return fail('SymbolBlock', `${node.name} is given ${String(value)}, not a symbol`)
      image.set(node, value.entries[0]!)
    }
    return replaceVariables(this.#outputs.entries, image).map((entry) => new Symbolic([entry]))
  }

  protected override describe(): string {
    return `(\n  ${this.#outputs} : ${this.#inputs.join(', ')} -> ${this.#outputs.listOutputs().join(', ')}\n)`
  }
}

function namesOf(inputs: Symbolic | readonly Symbolic[]): string[] {
  const list = inputs instanceof Symbolic ? [...inputs] : inputs
  return list.map((input) => {
    const variableOf = input instanceof Symbolic && input.length === 1 && input.entries[0]!.node
    if (!variableOf || variableOf.op !== null)
      return fail('SymbolBlock', `input ${String(input)} is not a variable: give mx.sym.var(name)`)
    return variableOf.name
  })
}

/** What a variable's annotations say of the parameter that it becomes. */
function parameterOptions(node: SymbolNode, state: boolean): ParameterOptions {
  const { shape, dtype } = hints(node)
  const number = (key: string): number => {
    const text = node.attrs.get(key)
    const value = text === undefined ? 1 : Number(text)
    return Number.isFinite(value) ? value : 1
  }
  return {
    shape: shape === null ? null : shape.map((d) => Math.max(d, 0)),
    dtype: dtype ?? 'float32',
    init: node.attrs.get('__init__') ?? null,
    lrMult: number('__lr_mult__'),
    wdMult: number('__wd_mult__'),
    gradReq: state ? 'null' : 'write',
    differentiable: !state,
    allowDeferredInit: true,
  }
}

/** The longest beginning that all names share, up to an underscore. */
function commonPrefix(names: readonly string[]): string {
  const first = names[0] ?? ''
  let length = names.length > 1 ? first.length : 0
  for (const name of names) while (!name.startsWith(first.slice(0, length))) length--
  return first.slice(0, first.slice(0, length).lastIndexOf('_') + 1)
}
