/** Making symbols from nothing: variables, groups, constants, and files. */

import { type DType, dtypeInfo } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { formatFloat } from '../core/attrs.ts'
import { withFrame } from '../core/frame.ts'
import { type LoadSource, readFrom } from '../ndarray/files.ts'
import { arangeOf, eyeOf, fullOf, linspaceOf, onesOf, zerosOf } from '../ops/creation.ts'
import './arithmetic.ts'
import { makeVariable, type NodeOptions, withNodeOptions } from './compose.ts'
import { parseJSON } from './json.ts'
import { type Annotations, annotations } from './names.ts'
import { Symbolic } from './symbol.ts'
import { formatTuple } from './wire.ts'

/** What is known about a variable. */
export interface VariableOptions {
  readonly attr?: Annotations | undefined
  /** Sizes; null or 0 where one is not known. */
  readonly shape?: readonly (number | null)[] | null | undefined
  readonly dtype?: DType | null | undefined
  readonly lrMult?: number | null | undefined
  readonly wdMult?: number | null | undefined
  /** An initializer, or the name or text of one. */
  readonly init?: { dumps(): string } | string | null | undefined
  /** `'default'`: arrays are dense here. */
  readonly stype?: 'default' | null | undefined
}

/**
 * A variable: an input or a parameter of a graph.
 *
 * @throws MXNetError when the name is no text, or an annotation is none.
 * @example
 * mx.sym.var('data', { shape: [2, 3] }).relu().shape // => [2, 3]
 * @see MXNet `mx.sym.var`
 */
export function variable(name: string, options: VariableOptions = {}): Symbolic {
  if (typeof name !== 'string' || name === '')
    fail('var', `the name is ${String(name)}: a variable needs one`)
  checkOptions('var', options, ['attr', 'shape', 'dtype', 'lrMult', 'wdMult', 'init', 'stype'])
  const { shape, dtype, lrMult, wdMult, init, stype } = options
  const attrs = annotations('var', options.attr)
  const put = (key: string, text: string | null | undefined): void => {
    if (text !== null && text !== undefined) attrs.set(`__${key}__`, text)
  }
  put('shape', shape && formatTuple(shape.map((d) => d ?? 0)))
  put('dtype', dtype && String(dtypeInfo(dtype).code))
  put('lr_mult', lrMult === null || lrMult === undefined ? null : formatFloat(lrMult))
  put('wd_mult', wdMult === null || wdMult === undefined ? null : formatFloat(wdMult))
  put('init', typeof init === 'string' ? init : init?.dumps())
  put('storage_type', stype && '0')
  return makeVariable(name, attrs)
}

/**
 * Several symbols as one, with all their outputs.
 * @throws MXNetError when something else is given.
 * @example
 * const x = mx.sym.var('x')
 * mx.sym.Group([x.relu(), x.tanh()]).length // => 2
 * @see MXNet `mx.sym.Group`
 */
export function group(symbols: readonly Symbolic[]): Symbolic {
  if (!Array.isArray(symbols) || symbols.length === 0)
    fail('Group', 'a group is made of a list of at least one symbol')
  for (const s of symbols)
    if (!(s instanceof Symbolic)) fail('Group', `${String(s)} is not a symbol`)
  return new Symbolic(symbols.flatMap((s) => s.entries))
}

/**
 * A symbol from the text of a symbol.json, of any version of MXNet.
 * @throws MXNetError when the text is damaged, or an operator is not known.
 * @example
 * mx.sym.loadJSON(mx.sym.var('x').tanh().toJSON()).listArguments() // => ['x']
 * @see MXNet `mx.sym.load_json`
 */
export function loadJSON(text: string): Symbolic {
  if (typeof text !== 'string') fail('loadJSON', `${typeof text} is not the text of a symbol.json`)
  return new Symbolic(parseJSON(text, 'loadJSON'))
}

/**
 * The symbol in a symbol.json file, of any version of MXNet.
 * @throws MXNetError when the file is missing or damaged, or an operator is not known.
 * @example
 * await mx.sym.var('x').relu().save('relu-symbol.json')
 * const net = await mx.sym.load('relu-symbol.json')
 * net.listArguments() // => ['x']
 * @see MXNet `mx.sym.load`
 */
export async function load(file: LoadSource): Promise<Symbolic> {
  return readFrom('sym.load', file, async (where, source) => {
    const bytes = await source.read(0, source.size)
    return new Symbolic(parseJSON(new TextDecoder().decode(bytes), where))
  })
}

/** Options of a symbol that is made without inputs. */
export interface CreationOptions extends NodeOptions {
  readonly dtype?: DType
}

/** Runs an operator without inputs so that it makes a symbol. */
function created(options: CreationOptions, make: (dtype: DType) => unknown): Symbolic {
  const { name, attr, dtype = 'float32' } = options
  return withNodeOptions({ name, attr }, () =>
    withFrame({ composing: true }, () => make(dtype)),
  ) as Symbolic
}

/** Zeros of a shape; a size of 0 is told by what reads the symbol. @see MXNet `mx.sym.zeros` */
export const zeros = (shape: readonly number[], options: CreationOptions = {}): Symbolic =>
  created(options, (dtype) => zerosOf(shape, dtype))

/** Ones of a shape; a size of 0 is told by what reads the symbol. @see MXNet `mx.sym.ones` */
export const ones = (shape: readonly number[], options: CreationOptions = {}): Symbolic =>
  created(options, (dtype) => onesOf(shape, dtype))

/** One value in a shape. @see MXNet `mx.sym.full` */
export const full = (
  shape: readonly number[],
  value: number,
  options: CreationOptions = {},
): Symbolic => created(options, (dtype) => fullOf(shape, value, dtype))

/** Numbers from start to before stop. @see MXNet `mx.sym.arange` */
export const arange = (
  start: number,
  stop: number | null = null,
  step = 1,
  options: CreationOptions & { readonly repeat?: number } = {},
): Symbolic =>
  created(options, (dtype) => arangeOf({ start, stop, step, repeat: options.repeat ?? 1, dtype }))

/** Evenly spaced numbers. @see MXNet `mx.sym.linspace` */
export const linspace = (
  start: number,
  stop: number,
  num: number,
  options: CreationOptions & { readonly endpoint?: boolean } = {},
): Symbolic =>
  created(options, (dtype) =>
    linspaceOf({ start, stop, num, endpoint: options.endpoint ?? true, dtype }),
  )

/** A matrix with ones on a diagonal. @see MXNet `mx.sym.eye` */
export const eye = (N: number, M = 0, k = 0, options: CreationOptions = {}): Symbolic =>
  created(options, (dtype) => eyeOf({ N, M, k, dtype }))
