/** Types: operators keep the carrier, options are checked, scopes refuse promises. */

import { autograd, type gluon, type NDArray, nd } from 'mxnet-ts'
import { expectTypeOf, it } from 'vitest'

it('types of the array language', () => {
  const x = nd.ones([2, 3])
  expectTypeOf(x).toEqualTypeOf<NDArray>()
  expectTypeOf(nd.relu(x)).toEqualTypeOf<NDArray>()
  expectTypeOf(nd.add(x, 1)).toEqualTypeOf<NDArray>()
  expectTypeOf(x.add(x).sum({ axis: 1 })).toEqualTypeOf<NDArray>()
  expectTypeOf(nd.split(x, { numOutputs: 3 })).toEqualTypeOf<NDArray[]>()
  expectTypeOf(x.asScalar).returns.toEqualTypeOf<Promise<number>>()
  expectTypeOf(autograd.record(() => x.mul(2))).toEqualTypeOf<NDArray>()
  const dense = (layer: gluon.nn.Dense) => layer(x)
  expectTypeOf(dense).returns.toEqualTypeOf<NDArray>()
  // @ts-expect-error an activation must be one of the five
  const wrong = () => nd.activation(x, { actType: 'swish' })
  // @ts-expect-error a string is not an array
  const text = () => nd.add(x, 'a')
  // @ts-expect-error an unknown option
  const option = () => nd.sum(x, { axes: 1 })
  expectTypeOf([wrong, text, option]).not.toBeNever()
})
