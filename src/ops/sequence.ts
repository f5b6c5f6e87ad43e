/** Operators on sequences of different lengths: SequenceMask, SequenceLast, SequenceReverse. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { arraysThenOptions } from '../core/given.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { int } from '../prim/arithmetic.ts'
import { binary, compare, constant, select } from '../prim/expr.ts'
import {
  broadcastTo,
  castTo,
  gather,
  iota,
  permuteAxes,
  pointwise,
  reshapeTo,
} from '../prim/primitive.ts'

const axisAttr = attr.int(0, { min: 0, max: 1 })
const useAttr = attr.bool(false)

/** Checks data (T, N, …) or (N, T, …) and the lengths (N,) where they are used; the lengths as int32. */
function lengthsOf(
  where: string,
  x: Tensor,
  lengths: Tensor | undefined,
  use: boolean,
  axis: number,
): Tensor | null {
  if (x.shape.length < 2)
    fail(where, `data has shape ${formatShape(x.shape)}: it must have a time and a batch axis`)
  if (!use) return null
  const batch = x.shape[1 - axis]!
  if (lengths === undefined) return fail(where, 'useSequenceLength is set and no lengths are given')
  if (lengths.shape.length !== 1 || lengths.shape[0] !== batch)
    fail(where, `sequence_length has shape ${formatShape(lengths.shape)}: it must be (${batch},)`)
  return castTo(lengths, 'int32')
}

/** One number for each sequence, spread over the data. */
function spread(lengths: Tensor, x: Tensor, axis: number): Tensor {
  const shape = x.shape.map((d, i) => (i === 1 - axis ? d : 1))
  return broadcastTo(reshapeTo(lengths, shape), x.shape)
}

const maskAttrs = { useSequenceLength: useAttr, value: attr.float(0), axis: axisAttr }

const maskOp = defineOp({
  name: 'SequenceMask',
  inputs: ['data', 'sequence_length?'],
  attrs: maskAttrs,
  body: ([x, lengths], { useSequenceLength, value, axis }) => {
    const given = lengthsOf('SequenceMask', x!, lengths, useSequenceLength, axis)
    if (given === null) return pointwise([x!], ([v]) => v!)
    return pointwise([x!, iota(x!.shape, axis), spread(given, x!, axis)], ([v, t, n]) =>
      select(compare('lt', t!, n!), v!, constant(value, v!.dtype)),
    )
  },
})

/**
 * Sequences with what lies beyond their length replaced by a value; without lengths the data itself.
 *
 * `(T, N, A…), (N,) -> (T, N, A…)`, or `(N, T, A…)` with `axis: 1`; keeps the dtype.
 * @throws MXNetError when the lengths do not fit.
 * @example
 * await nd.sequenceMask(nd.ones([2, 1]), nd.array([1]), { useSequenceLength: true }).asArray() // => [[1], [0]]
 * @see MXNet `SequenceMask`
 */
export function sequenceMask<T extends Tensor>(
  data: T,
  ...rest:
    | [attrs?: Given<typeof maskAttrs> | undefined]
    | [sequenceLength: T | null | undefined, attrs?: Given<typeof maskAttrs> | undefined]
): T {
  const [arrays, attrs] = arraysThenOptions<T, Given<typeof maskAttrs>>(rest)
  return apply(maskOp, [data, ...arrays], attrs)
}

const lastAttrs = { useSequenceLength: useAttr, axis: axisAttr }

const lastOp = defineOp({
  name: 'SequenceLast',
  inputs: ['data', 'sequence_length?'],
  attrs: lastAttrs,
  body: ([x, lengths], { useSequenceLength, axis }) => {
    const given = lengthsOf('SequenceLast', x!, lengths, useSequenceLength, axis)
    const [t, n] = [x!.shape[axis]!, x!.shape[1 - axis]!]
    if (t === 0) fail('SequenceLast', 'the sequences have no steps')
    const rest = x!.shape.slice(2)
    const batchFirst = axis === 1 ? x! : permuteAxes(x!, [1, 0, ...rest.map((_, i) => i + 2)])
    // One row for each step of each sequence; the last one of a sequence is n·T + length - 1.
    const steps = reshapeTo(batchFirst, [n * t, ...rest])
    const places =
      given === null
        ? pointwise([iota([n], 0)], ([i]) => binary('add', binary('mul', i!, int(t)), int(t - 1)))
        : pointwise([iota([n], 0), given], ([i, length]) => {
            const last = binary('sub', length!, int(1))
            const inside = binary('min', binary('max', last, int(0)), int(t - 1))
            return binary('add', binary('mul', i!, int(t)), inside)
          })
    return gather(steps, places, 0)
  },
})

/**
 * The last step of each sequence; lengths below 1 give the first.
 *
 * `(T, N, A…), (N,) -> (N, A…)`, or `(N, T, A…)` with `axis: 1`; keeps the dtype.
 * @throws MXNetError when the lengths do not fit.
 * @example
 * await nd.sequenceLast(nd.array([[1], [2]])).asArray() // => [2]
 * @see MXNet `SequenceLast`
 */
export function sequenceLast<T extends Tensor>(
  data: T,
  ...rest:
    | [attrs?: Given<typeof lastAttrs> | undefined]
    | [sequenceLength: T | null | undefined, attrs?: Given<typeof lastAttrs> | undefined]
): T {
  const [arrays, attrs] = arraysThenOptions<T, Given<typeof lastAttrs>>(rest)
  return apply(lastOp, [data, ...arrays], attrs)
}

const reverseAttrs = { useSequenceLength: useAttr, axis: attr.int(0, { min: 0, max: 0 }) }

const reverseOp = defineOp({
  name: 'SequenceReverse',
  inputs: ['data', 'sequence_length?'],
  attrs: reverseAttrs,
  body: ([x, lengths], { useSequenceLength }) => {
    const given = lengthsOf('SequenceReverse', x!, lengths, useSequenceLength, 0)
    const [t, n] = x!.shape as [number, number]
    const rest = x!.shape.slice(2)
    const places = pointwise(
      [iota([t, n], 0), iota([t, n], 1), ...(given === null ? [] : [broadcastTo(given, [t, n])])],
      ([step, sequence, length]) => {
        const end = binary('sub', length ?? int(t), int(1))
        const turned = select(compare('le', step!, end), binary('sub', end, step!), step!)
        return binary('add', binary('mul', turned, int(n)), sequence!)
      },
    )
    if (t * n === 0) return pointwise([x!], ([v]) => v!)
    return gather(reshapeTo(x!, [t * n, ...rest]), places, 0)
  },
})

/**
 * Sequences with their steps turned around, each up to its length; what lies beyond stays.
 *
 * `(T, N, A…), (N,) -> (T, N, A…)`; keeps the dtype.
 * @throws MXNetError when the lengths do not fit.
 * @example
 * await nd.sequenceReverse(nd.array([[1], [2]])).asArray() // => [[2], [1]]
 * @see MXNet `SequenceReverse`
 */
export function sequenceReverse<T extends Tensor>(
  data: T,
  ...rest:
    | [attrs?: Given<typeof reverseAttrs> | undefined]
    | [sequenceLength: T | null | undefined, attrs?: Given<typeof reverseAttrs> | undefined]
): T {
  const [arrays, attrs] = arraysThenOptions<T, Given<typeof reverseAttrs>>(rest)
  return apply(reverseOp, [data, ...arrays], attrs)
}
