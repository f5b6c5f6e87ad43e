/** The primitives that are whole-array routines: sort, scan, and call for all others. They do not fuse. */

import type { DType } from '../base/dtype.ts'
import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { type Shape, sizeOf } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import { aval } from '../core/aval.ts'
import { OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary, compare, constant, select } from './expr.ts'
import { iota, pointwise, scatterAdd } from './primitive.ts'
import type { RoutineName } from './routines/index.ts'
import { type ScanOp, scanOps } from './routines/scan.ts'

/** `sort`: the positions along the last axis in order of their elements, int32; stable, NaN counts as the largest. */
export const sortOp = new OpDef({
  name: 'sort positions',
  inputs: ['data'],
  attrs: { descending: attr.bool(false) },
  infer: ([x]) => [aval(x!.shape, 'int32')],
  grad: () => [null],
})

/** `scan`: running sums, products or maxima along an axis; exclusive ones leave the element itself out. */
export const scanOp = new OpDef({
  name: 'scan',
  inputs: ['data'],
  attrs: {
    op: attr.oneOf(scanOps),
    axis: attr.int(),
    exclusive: attr.bool(false),
    reverse: attr.bool(false),
  },
  infer: ([x]) => [aval(x!.shape, x!.dtype)],
  grad: ({ inputs, outputs, dys, attrs: { op, axis, exclusive, reverse } }) => {
    const [x, y, dy] = [inputs[0]!, outputs[0]!, dys[0]!]
    if (!isFloat(x.dtype)) return [null]
    const back = { axis, exclusive, reverse: !reverse }
    if (op === 'sum') return [scan(dy, 'sum', back)]
    if (op === 'prod') {
      const weighted = pointwise([dy, y], ([d, v]) => binary('mul', d!, v!))
      return [pointwise([scan(weighted, 'sum', back), x], ([s, v]) => binary('div', s!, v!))]
    }
    if (exclusive) fail('scan', 'an exclusive maximum has no gradient')
    // The place that holds the maximum so far: the last one above all before it.
    const ahead = scan(x, 'max', { axis, exclusive: true, reverse })
    const last = x.shape[axis]! - 1
    const records = pointwise([x, ahead, iota(x.shape, axis)], ([v, m, i]) => {
      const at = reverse ? binary('sub', constant(last, 'int32'), i!) : i!
      return select(compare('gt', v!, m!), at, constant(0, 'int32'))
    })
    const holders = scan(records, 'max', { axis, exclusive: false, reverse })
    const places = reverse
      ? pointwise([holders], ([i]) => binary('sub', constant(last, 'int32'), i!))
      : holders
    return [scatterAdd(places, dy, x.shape, axis, true)]
  },
})

const list = (values: readonly number[]): string => values.join()

/** `call`: a routine by name on whole arrays, giving one array; gradients are those of the operators that use it. */
export const callOp = new OpDef({
  name: 'call',
  inputs: ['...data'],
  attrs: {
    routine: attr.opaque<RoutineName>(String),
    numbers: attr.opaque<readonly number[]>(list),
    shape: attr.opaque<Shape>(list),
    dtype: attr.opaque<DType>(String),
  },
  infer: (_xs, { shape, dtype }) => [aval(shape, dtype)],
})

/** The routine behind a node of `sort`, `scan` or `call`, with the sizes and settings that it takes. */
export function routineOf(
  op: OpDef,
  attrs: { readonly [name: string]: unknown },
  shape: Shape,
): { readonly routine: RoutineName; readonly numbers: readonly number[] } {
  if ((op as unknown) === sortOp) {
    const n = shape.at(-1) ?? 1
    const lines = n === 0 ? 0 : sizeOf(shape) / n
    return { routine: 'argsort', numbers: [lines, n, attrs.descending ? 1 : 0] }
  }
  if ((op as unknown) === scanOp) {
    const axis = attrs.axis as number
    const outer = sizeOf(shape.slice(0, axis))
    const inner = sizeOf(shape.slice(axis + 1))
    const settings = [
      scanOps.indexOf(attrs.op as ScanOp),
      attrs.exclusive ? 1 : 0,
      attrs.reverse ? 1 : 0,
    ]
    return { routine: 'scan', numbers: [outer, shape[axis]!, inner, ...settings] }
  }
  return attrs as never
}

/** The positions along the last axis in ascending (or descending) order of their elements, int32. */
export function sortPositions(x: Tensor, descending: boolean): Tensor {
  return apply(sortOp, [x], { descending })
}

/** Running sums, products or maxima along an axis. */
export function scan(
  x: Tensor,
  op: ScanOp,
  options: { readonly axis: number; readonly exclusive?: boolean; readonly reverse?: boolean },
): Tensor {
  return apply(scanOp, [x], { op, ...options })
}

/** The array of `shape` that a routine makes of whole arrays. */
export function callRoutine(
  routine: RoutineName,
  inputs: readonly Tensor[],
  numbers: readonly number[],
  shape: Shape,
  dtype: DType = inputs[0]!.dtype,
): Tensor {
  return apply(callOp, inputs, { routine, numbers, shape, dtype })
}
