/** CTCLoss: the loss of sequences of labels whose places in time are not known. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { arraysThenOptions } from '../core/given.ts'
import { defineOp, type Values } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { callRoutine } from '../prim/call.ts'
import { binary, compare, constant, select, unary } from '../prim/expr.ts'
import { castTo, filled, iota, pointwise, reduce, reshapeTo, sliceOf } from '../prim/primitive.ts'
import { logSoftmax } from './softmax.ts'

const ctcAttrs = {
  useDataLengths: attr.bool(false),
  useLabelLengths: attr.bool(false),
  blankLabel: attr.oneOf(['first', 'last'], 'first'),
}
/** Options of `ctcLoss`. */
export type CTCLossOptions = Given<typeof ctcAttrs>

/** How many labels stand before the first one that means there are no more. */
function labelCounts(label: Tensor, padding: number): Tensor {
  const [batch, length] = label.shape as [number, number]
  if (length === 0) return filled([batch], 0, 'int32')
  const places = pointwise([label, iota(label.shape, 1)], ([v, i]) =>
    select(compare('eq', v!, constant(padding, 'int32')), i!, constant(length, 'int32')),
  )
  return reduce(places, 'min', [1])
}

/** Losses (N,), and their derivatives with respect to data. */
function lossAndSlope(
  inputs: readonly (Tensor | null | undefined)[],
  { useDataLengths, useLabelLengths, blankLabel }: Values<typeof ctcAttrs>,
): readonly [loss: Tensor, slope: () => Tensor] {
  const where = 'CTCLoss'
  const [data, label, ...lengths] = inputs as readonly [Tensor, Tensor, ...Tensor[]]
  if (!isFloat(data.dtype)) fail(where, `data is ${data.dtype}: it must be a float type`)
  if (data.shape.length !== 3 || data.shape[2] === 0)
    fail(where, `data ${formatShape(data.shape)} must be (T, N, C): time, batch, classes`)
  const [time, batch, classes] = data.shape as [number, number, number]
  if (label.shape.length !== 2 || label.shape[0] !== batch)
    fail(where, `label ${formatShape(label.shape)} must be (${batch}, L)`)
  // Lengths come in this order; what is not used may be left out.
  const given = lengths.filter((t) => t)
  const take = (name: string): Tensor => {
    const found = given.shift()
    if (!found || found.size !== batch)
      return fail(where, `${name} is needed: one number for each of ${batch} sequences`)
    return castTo(reshapeTo(found, [batch]), 'int32')
  }
  const labels = castTo(label, 'int32')
  const steps = useDataLengths ? take('data_lengths') : filled([batch], time, 'int32')
  const counts = useLabelLengths
    ? take('label_lengths')
    : labelCounts(labels, blankLabel === 'first' ? 0 : -1)
  const logs = logSoftmax(data, { axis: 2 })
  const blank = blankLabel === 'first' ? 0 : classes - 1
  const numbers = [time, batch, classes, label.shape[1]!, blank]
  const size = time * batch * classes
  const both = callRoutine('ctc', [logs, labels, steps, counts], numbers, [batch + size])
  const slope = (): Tensor => {
    const d = reshapeTo(sliceOf(both, [batch], [1], [size]), data.shape)
    // Through the softmax: d - p·Σ d.
    const total = reshapeTo(reduce(d, 'sum', [2]), [time, batch, 1])
    return pointwise([d, logs, total], ([v, l, s]) =>
      binary('sub', v!, binary('mul', unary('exp', l!), s!)),
    )
  }
  return [sliceOf(both, [0], [1], [batch]), slope]
}

const ctcLossOp = defineOp({
  name: 'CTCLoss',
  aliases: ['ctc_loss', '_contrib_CTCLoss', '_contrib_ctc_loss'],
  inputs: ['data', 'label', 'data_lengths?', 'label_lengths?'],
  attrs: ctcAttrs,
  body: (inputs, attrs) => lossAndSlope(inputs, attrs)[0],
  grad: ({ inputs, dys, attrs }) => {
    const dy = reshapeTo(dys[0]!, [1, dys[0]!.shape[0]!, 1])
    const dx = pointwise([lossAndSlope(inputs, attrs)[1](), dy], ([s, d]) => binary('mul', s!, d!))
    return [dx, ...inputs.slice(1).map(() => null)]
  },
})

/**
 * The negative log-likelihood of label sequences, summed over all ways to place them in time.
 *
 * `out[n] = -ln Σ Π_t softmax(data)[t, n, path_t]` over all paths that give the labels when repeats and blanks are dropped;
 * `(T, N, C), (N, L) -> (N,)`. The blank is class 0 and labels end at the first 0, or, with `blankLabel: 'last'`, class C - 1
 * and -1; lengths may be given instead. A sequence that cannot be placed gives 0. Float dtypes of data, kept.
 * @throws MXNetError when shapes do not fit or lengths are missing.
 * @example
 * await nd.ctcLoss(nd.zeros([1, 1, 2]), nd.array([[1]])).asArray() // => [0.6931471824645996]
 * @see MXNet `CTCLoss`
 */
export function ctcLoss<T extends Tensor>(
  data: T,
  label: T,
  ...rest:
    | [attrs?: CTCLossOptions | undefined]
    | [dataLengths: T | null | undefined, attrs?: CTCLossOptions | undefined]
    | [
        dataLengths: T | null | undefined,
        labelLengths: T | null | undefined,
        attrs?: CTCLossOptions | undefined,
      ]
): T {
  const [[dataLengths, labelLengths], attrs] = arraysThenOptions<T, CTCLossOptions>(rest)
  const useDataLengths = attrs?.useDataLengths ?? Boolean(dataLengths)
  const useLabelLengths = attrs?.useLabelLengths ?? Boolean(labelLengths)
  const inputs = [data, label, dataLengths, labelLengths]
  return apply(ctcLossOp, inputs, { ...attrs, useDataLengths, useLabelLengths })
}
