/** Types: operators on symbols give symbols, parameters may be left out, options are checked. */

import { type AttrScope, gluon, sym, viz } from 'mxnet-ts'
import { expectTypeOf, it } from 'vitest'

type Symbolic = InstanceType<typeof sym.Symbol>

it('types of symbols', () => {
  const x = sym.var('x', { shape: [2, 3] })
  expectTypeOf(x).toEqualTypeOf<Symbolic>()
  expectTypeOf(sym.relu(x)).toEqualTypeOf<Symbolic>()
  expectTypeOf(x.mul(2).tanh()).toEqualTypeOf<Symbolic>()
  expectTypeOf(sym.add(x, 1)).toEqualTypeOf<Symbolic>()
  expectTypeOf(sym.fullyConnected(x, { numHidden: 3, name: 'fc' })).toEqualTypeOf<Symbolic>()
  expectTypeOf(sym.fullyConnected({ data: x, numHidden: 3 })).toEqualTypeOf<Symbolic>()
  expectTypeOf(sym.fullyConnected(x, null, null, { numHidden: 3 })).toEqualTypeOf<Symbolic>()
  expectTypeOf(sym.split(x, { numOutputs: 3 })).toEqualTypeOf<Symbolic[]>()
  expectTypeOf(sym.concat(x, x, { dim: 1 })).toEqualTypeOf<Symbolic>()
  const dense = new gluon.nn.Dense(2)
  expectTypeOf(dense(x)).toEqualTypeOf<Symbolic>()
  expectTypeOf(viz.plotNetwork(dense(x)).source).toEqualTypeOf<string>()
  expectTypeOf<AttrScope['use']>().toBeFunction()
  // @ts-expect-error an activation must be one of the five
  const wrong = () => sym.activation(x, { actType: 'swish' })
  // @ts-expect-error a number is not a symbol
  const number = () => sym.relu(1)
  // @ts-expect-error an unknown option
  const option = () => sym.fullyConnected(x, { hidden: 3 })
  expectTypeOf([wrong, number, option]).not.toBeNever()
})
