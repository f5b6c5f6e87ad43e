/** Convolution and max pooling as primitives; their gradients are the same primitives with the arrays in other roles. */

import { isFloat } from '../base/dtype.ts'
import { apply } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import { aval } from '../core/aval.ts'
import { OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import {
  type ConvSide,
  type ConvSizes,
  convGiven,
  convShape,
  type PoolMode,
  type PoolSizes,
  poolShape,
} from './window.ts'

const json = (value: unknown): string => JSON.stringify(value)

/** `conv`: of the arrays x, w and y of a convolution the one named `result`, from the other two. */
export const convOp = new OpDef({
  name: 'conv',
  inputs: ['lhs', 'rhs'],
  attrs: { result: attr.oneOf(['x', 'w', 'y']), sizes: attr.opaque<ConvSizes>(json) },
  infer: ([a], { result, sizes }) => [aval(convShape(sizes, result), a!.dtype)],
  grad: ({ inputs, dys, attrs: { result, sizes }, needs }) => {
    if (!isFloat(inputs[0]!.dtype)) return [null, null]
    const given = convGiven(result)
    return given.map((side, i) => {
      if (!needs[i]) return null
      const have = new Map<ConvSide, Tensor>([
        [result, dys[0]!],
        [given[1 - i]!, inputs[1 - i]!],
      ])
      const [p, q] = convGiven(side)
      return conv(have.get(p)!, have.get(q)!, side, sizes)
    })
  },
})

/** `pool`: what is done at the largest element of each window; see `PoolKernel`. */
export const poolOp = new OpDef({
  name: 'pool',
  inputs: ['x', 'v?'],
  attrs: { mode: attr.oneOf(['max', 'pick', 'spread']), sizes: attr.opaque<PoolSizes>(json) },
  infer: ([x], { mode, sizes }) => [
    aval(poolShape(sizes, mode === 'spread' ? 'x' : 'y'), x!.dtype),
  ],
  grad: ({ inputs, dys, attrs: { mode, sizes } }) => {
    const [x, v] = inputs as readonly [Tensor, Tensor?]
    if (!isFloat(x.dtype)) return [null, null]
    if (mode === 'max') return [pool('spread', sizes, x, dys[0]!)]
    if (v === undefined) return [null]
    return [null, pool(mode === 'pick' ? 'spread' : 'pick', sizes, x, dys[0]!)]
  },
})

/** The array `result` of a convolution from the other two, given in the order of `convGiven`. */
export function conv(lhs: Tensor, rhs: Tensor, result: ConvSide, sizes: ConvSizes): Tensor {
  return apply(convOp, [lhs, rhs], { result, sizes })
}

/** Pooling by the largest element of each window. */
export function pool(mode: PoolMode, sizes: PoolSizes, x: Tensor, v?: Tensor): Tensor {
  return apply(poolOp, v === undefined ? [x] : [x, v], { mode, sizes })
}
