/** The namespace `sym`: graphs as something to hold, look at, save and run. */

import { cond, foreach, whileLoop } from '../ndarray/controlFlow.ts'
import { combined } from './arithmetic.ts'
import { Executor } from './executor.ts'
import './loops.ts'
import { AttrScope, NameManager, Prefix } from './names.ts'
import { operators } from './namespace.ts'
import { Symbolic } from './symbol.ts'
import * as variables from './variable.ts'

/** The function, which for two symbols gives what stands between them, as MXNet's does. */
const between = <F extends (...args: never[]) => unknown>(method: string, fn: F): F =>
  ((...args: Parameters<F>) => {
    const [lhs, rhs] = args as readonly unknown[]
    const both = args.length === 2 && lhs instanceof Symbolic && rhs instanceof Symbolic
    return both ? combined(method, lhs, rhs) : fn(...args)
  }) as F

/** What is made from nothing, and what is other than in `nd`. */
const made = {
  Symbol: Symbolic,
  var: variables.variable,
  Variable: variables.variable,
  Group: variables.group,
  load: variables.load,
  loadJSON: variables.loadJSON,
  zeros: variables.zeros,
  ones: variables.ones,
  full: variables.full,
  arange: variables.arange,
  linspace: variables.linspace,
  eye: variables.eye,
  pow: between('power', operators.power),
  power: between('power', operators.power),
  maximum: between('maximum', operators.maximum),
  minimum: between('minimum', operators.minimum),
  hypot: between('hypot', operators.hypot),
  contrib: { ...operators.contrib, foreach, whileLoop, cond },
}

/**
 * Symbols: variables, every operator of `nd` on symbols, and files.
 *
 * An operator takes its arguments as in `nd`, or its data and options; `name` and `attr` stand among the options,
 * and parameters that are left out become variables called after the node.
 * @example
 * const fc = mx.sym.fullyConnected(mx.sym.var('data'), { numHidden: 10, name: 'fc' })
 * mx.sym.softmax(fc).listArguments() // => ['data', 'fc_weight', 'fc_bias']
 * @see MXNet `mx.sym`
 */
export const sym: Omit<typeof operators, keyof typeof made> & typeof made = {
  ...operators,
  ...made,
}

export * as model from './model.ts'

/** Symbols bound to arrays. @see MXNet `mx.executor` */
export const executor = { Executor }

/** Names of symbols. @see MXNet `mx.name` */
export const name = { NameManager, Prefix }
export { AttrScope, type Symbolic }
