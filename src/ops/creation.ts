/** Operators without inputs: constants, ranges, identity matrices. */

import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkShape, type Shape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary, cast, compare, constant, index } from '../prim/expr.ts'
import { broadcastTo, castTo, filled, mapTensors } from '../prim/primitive.ts'

const shaped = { shape: attr.ints(undefined, { min: 0 }), dtype: attr.dtype('float32') }

const zerosOp = defineOp({
  name: '_zeros',
  inputs: [],
  attrs: shaped,
  body: (_xs, { shape, dtype }) => filled(checkShape('zeros', shape), 0, dtype),
})
const onesOp = defineOp({
  name: '_ones',
  inputs: [],
  attrs: shaped,
  body: (_xs, { shape, dtype }) => filled(checkShape('ones', shape), 1, dtype),
})
const fullOp = defineOp({
  name: '_full',
  inputs: [],
  attrs: { ...shaped, value: attr.scalar() },
  body: (_xs, { shape, dtype }, [value]) =>
    broadcastTo(castTo(value!, dtype), checkShape('full', shape)),
})
const arangeOp = defineOp({
  name: '_arange',
  inputs: [],
  attrs: {
    start: attr.float(),
    stop: attr.optional(attr.float()),
    step: attr.float(1),
    repeat: attr.int(1, { above: 0 }),
    dtype: attr.dtype('float32'),
  },
  body: (_xs, { start, stop, step, repeat, dtype }) => {
    if (step === 0) fail('arange', 'step is 0: it must lead from start to stop')
    const [from, to] = stop === null ? [0, start] : [start, stop]
    const count = Math.max(0, Math.ceil((to - from) / step))
    const position = binary('div', index(0), constant(repeat, 'int32'))
    const value = binary(
      'add',
      constant(from, 'float64'),
      binary('mul', cast(position, 'float64'), constant(step, 'float64')),
    )
    return mapTensors(cast(value, dtype), checkShape('arange', [count * repeat]), [])
  },
})
const linspaceOp = defineOp({
  name: '_linspace',
  inputs: [],
  attrs: {
    start: attr.float(),
    stop: attr.float(),
    num: attr.int(undefined, { min: 0 }),
    endpoint: attr.bool(true),
    dtype: attr.dtype('float32'),
  },
  body: (_xs, { start, stop, num, endpoint, dtype }) => {
    const gaps = endpoint ? num - 1 : num
    const step = gaps > 0 ? (stop - start) / gaps : 0
    const value = binary(
      'add',
      constant(start, 'float64'),
      binary('mul', cast(index(0), 'float64'), constant(step, 'float64')),
    )
    return mapTensors(cast(value, dtype), [num], [])
  },
})
const eyeOp = defineOp({
  name: '_eye',
  inputs: [],
  attrs: {
    N: attr.int(undefined, { min: 0 }),
    M: attr.int(0, { min: 0 }),
    k: attr.int(0),
    dtype: attr.dtype('float32'),
  },
  body: (_xs, { N, M, k, dtype }) => {
    const column = binary('sub', index(1), constant(k, 'int32'))
    return mapTensors(cast(compare('eq', index(0), column), dtype), [N, M === 0 ? N : M], [])
  },
})

/** `_zeros`: the operator behind `nd.zeros`. */
export const zerosOf = (shape: Shape, dtype: DType): Tensor => apply(zerosOp, [], { shape, dtype })
/** `_ones`: the operator behind `nd.ones`. */
export const onesOf = (shape: Shape, dtype: DType): Tensor => apply(onesOp, [], { shape, dtype })
/** `_full`: the operator behind `nd.full`. */
export const fullOf = (shape: Shape, value: number, dtype: DType): Tensor =>
  apply(fullOp, [], { shape, value, dtype })
/** `_arange`: the operator behind `nd.arange`. */
export const arangeOf = (attrs: {
  readonly start: number
  readonly stop: number | null
  readonly step: number
  readonly repeat: number
  readonly dtype: DType
}): Tensor => apply(arangeOp, [], attrs)
/** `_linspace`: the operator behind `nd.linspace`. */
export const linspaceOf = (attrs: {
  readonly start: number
  readonly stop: number
  readonly num: number
  readonly endpoint: boolean
  readonly dtype: DType
}): Tensor => apply(linspaceOp, [], attrs)
/** `_eye`: the operator behind `nd.eye`. */
export const eyeOf = (attrs: {
  readonly N: number
  readonly M: number
  readonly k: number
  readonly dtype: DType
}): Tensor => apply(eyeOp, [], attrs)
