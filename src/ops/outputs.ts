/** Output layers: operators that compute a prediction and define the gradient of a loss; head gradients are not read. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape, sameShape, sizeOf } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { defineOp, type Values } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { mul, num, sub } from '../prim/arithmetic.ts'
import { binary, cast, compare, type Expr, select, unary } from '../prim/expr.ts'
import { broadcastTo, castTo, iota, pointwise, reduce, reshapeTo } from '../prim/primitive.ts'
import { softmax } from './softmax.ts'

function checkFloat(where: string, data: Tensor): void {
  if (!isFloat(data.dtype)) fail(where, `data is ${data.dtype}: it must be a float type`)
}

const softmaxActivationOp = defineOp({
  name: 'SoftmaxActivation',
  inputs: ['data'],
  attrs: { mode: attr.oneOf(['instance', 'channel'], 'instance') },
  body: ([x], { mode }) => {
    checkFloat('SoftmaxActivation', x!)
    const { shape } = x!
    if (shape.length < 2)
      fail('SoftmaxActivation', `data ${formatShape(shape)} must have at least 2 axes`)
    return softmax(x!, { axis: mode === 'channel' ? 1 : -1 })
  },
})

/**
 * Softmax over the last axis (`instance`) or over the channels at each place (`channel`, axis 1).
 *
 * `(N, C, …) -> (N, C, …)`; float dtypes, kept.
 * @throws MXNetError for fewer than 2 axes.
 * @example
 * await nd.softmaxActivation(nd.array([[1, 1]])).asArray() // => [[0.5, 0.5]]
 * @see MXNet `SoftmaxActivation`
 */
export function softmaxActivation<T extends Tensor>(
  data: T,
  attrs?: { readonly mode?: 'instance' | 'channel' | undefined },
): T {
  return apply(softmaxActivationOp, [data], attrs)
}

const softmaxOutputAttrs = {
  gradScale: attr.float(1),
  ignoreLabel: attr.float(-1),
  multiOutput: attr.bool(false),
  useIgnore: attr.bool(false),
  preserveShape: attr.bool(false),
  normalization: attr.oneOf(['null', 'batch', 'valid'], 'null'),
  outGrad: attr.bool(false),
  smoothAlpha: attr.float(0, { min: 0, max: 1 }),
}
/** Options of `softmaxOutput`. */
export type SoftmaxOutputOptions = Given<typeof softmaxOutputAttrs>
type SoftmaxOutputValues = Values<typeof softmaxOutputAttrs>

/** Data as lines of classes along axis 1: (samples, classes, places). */
function lines(shape: readonly number[], attrs: SoftmaxOutputValues): [number, number, number] {
  if (attrs.multiOutput) return [shape[0]!, shape[1]!, sizeOf(shape.slice(2))]
  if (attrs.preserveShape) return [sizeOf(shape.slice(0, -1)), shape.at(-1)!, 1]
  return [shape[0]!, sizeOf(shape.slice(1)), 1]
}

/** The gradient of the cross entropy with respect to the logits, scaled. */
function crossEntropySlope(
  y: Tensor,
  label: Tensor,
  dy: Tensor,
  attrs: SoftmaxOutputValues,
): Tensor {
  const where = 'SoftmaxOutput'
  const { gradScale, ignoreLabel, multiOutput, useIgnore, normalization, smoothAlpha } = attrs
  const head = (t: Tensor): Tensor =>
    attrs.outGrad ? pointwise([t, dy], ([v, d]) => mul(v!, d!)) : t
  const scaled = (t: Tensor, by: number): Tensor =>
    by === 1 ? t : pointwise([t], ([v]) => mul(v!, num(v!, by)))
  const classes = castTo(label, y.dtype)
  if (sameShape(label.shape, y.shape))
    return head(
      scaled(
        pointwise([y, classes], ([p, t]) => sub(p!, t!)),
        gradScale,
      ),
    )
  const [samples, count, places] = lines(y.shape, attrs)
  if (label.size !== samples * places)
    fail(
      where,
      `label ${formatShape(label.shape)} must have a class for each of ${samples * places} lines of data ${formatShape(y.shape)}`,
    )
  const p = reshapeTo(y, [samples, count, places])
  const given = reshapeTo(classes, [samples, 1, places])
  const spread = broadcastTo(given, p.shape)
  const other = smoothAlpha > 0 ? smoothAlpha / (count - 1) : 0
  const slope = pointwise([p, spread, iota(p.shape, 1)], ([v, t, i]) => {
    const hit = compare('eq', cast(i!, t!.dtype), cast(cast(t!, 'int32'), t!.dtype))
    const error = sub(v!, select(hit, num(v!, 1 - smoothAlpha), num(v!, other)))
    return useIgnore ? select(compare('eq', t!, num(t!, ignoreLabel)), num(v!, 0), error) : error
  })
  const factor = gradScale / (multiOutput && normalization !== 'valid' ? places : 1)
  if (normalization !== 'valid' || !useIgnore) {
    const divisor =
      normalization === 'batch' ? samples : normalization === 'valid' ? samples * places : 1
    return head(reshapeTo(scaled(slope, factor / Math.max(1, divisor)), y.shape))
  }
  const counted = pointwise([given], ([t]) =>
    select(compare('eq', t!, num(t!, ignoreLabel)), num(t!, 0), num(t!, 1)),
  )
  const total = reduce(counted, 'sum', [0, 1, 2])
  const result = pointwise([slope, total], ([v, n]) =>
    binary('div', mul(v!, num(v!, factor)), binary('max', n!, num(n!, 1))),
  )
  return head(reshapeTo(result, y.shape))
}

const softmaxOutputOp = defineOp({
  name: 'SoftmaxOutput',
  aliases: ['Softmax'],
  inputs: ['data', 'label'],
  attrs: softmaxOutputAttrs,
  body: ([x], attrs) => {
    checkFloat('SoftmaxOutput', x!)
    const { shape } = x!
    if (shape.length < 2)
      fail('SoftmaxOutput', `data ${formatShape(shape)} must have at least 2 axes`)
    return reshapeTo(softmax(reshapeTo(x!, lines(shape, attrs)), { axis: 1 }), shape)
  },
  grad: ({ inputs, outputs, dys, attrs }) => [
    crossEntropySlope(outputs[0]!, inputs[1]!, dys[0]!, attrs),
    null,
  ],
  complete: ([x], attrs) => {
    if (!x) return []
    const { shape } = x
    if (attrs.multiOutput) return [null, [shape[0]!, ...shape.slice(2)]]
    return [null, attrs.preserveShape ? shape.slice(0, -1) : [shape[0]!]]
  },
})

/**
 * Softmax whose gradient is that of the cross entropy against `label`, whatever gradient comes from above.
 *
 * `out = softmax(data)` over all elements of a sample, over axis 1 with `multiOutput`, over the last with `preserveShape`;
 * `(N, C), (N,) -> (N, C)`; float dtypes, kept. Its gradient is `(out - onehot(label))·gradScale`, divided by the number of
 * samples (`normalization: 'batch'`) or of labels that count (`'valid'`); labels equal to `ignoreLabel` give 0 with
 * `useIgnore`; `smoothAlpha` takes from the true class what it gives to the others; `outGrad` multiplies by the gradient
 * from above. A label of data's shape holds probabilities.
 * @throws MXNetError when the label does not fit.
 * @example
 * await nd.softmaxOutput(nd.array([[1, 1]]), nd.array([0])).asArray() // => [[0.5, 0.5]]
 * @see MXNet `SoftmaxOutput`
 */
export function softmaxOutput<T extends Tensor>(
  data: T,
  label: T,
  attrs?: SoftmaxOutputOptions,
): T {
  return apply(softmaxOutputOp, [data, label], attrs)
}

/** An output layer of regression: a curve, and the error at each element. */
function regression(name: string, curve: (x: Expr) => Expr, error: (y: Expr, t: Expr) => Expr) {
  const attrs = { gradScale: attr.float(1) }
  return defineOp({
    name,
    inputs: ['data', 'label'],
    attrs,
    body: ([x, label]) => {
      checkFloat(name, x!)
      if (label!.size !== x!.size)
        fail(
          name,
          `label ${formatShape(label!.shape)} does not fit data ${formatShape(x!.shape)}: it must have as many elements`,
        )
      return pointwise([x!], ([v]) => curve(v!))
    },
    grad: ({ inputs, outputs, attrs: { gradScale } }) => {
      const [x, label] = inputs as readonly [Tensor, Tensor]
      const each = sizeOf(label.shape.slice(1))
      const target = castTo(reshapeTo(label, x.shape), x.dtype)
      const slope = pointwise([outputs[0]!, target], ([y, t]) =>
        mul(error(y!, t!), num(y!, gradScale / Math.max(1, each))),
      )
      return [slope, null]
    },
    complete: ([x]) => (x ? [null, x.shape] : []),
  })
}

const sigmoid = (x: Expr): Expr =>
  binary('div', num(x, 1), binary('add', num(x, 1), unary('exp', unary('neg', x))))

const linearOp = regression('LinearRegressionOutput', (x) => x, sub)
const logisticOp = regression('LogisticRegressionOutput', sigmoid, sub)
const absoluteOp = regression(
  'MAERegressionOutput',
  (x) => x,
  (y, t) => unary('sign', sub(y, t)),
)

interface RegressionOptions {
  readonly gradScale?: number | undefined
}

/**
 * The data itself; its gradient is that of half the squared error against `label`.
 *
 * `out = data`, gradient `(out - label)·gradScale/m` with m the labels of a sample; `(N, …), (N, …) -> (N, …)`; float dtypes.
 * @throws MXNetError when the label has another number of elements.
 * @example
 * await nd.linearRegressionOutput(nd.array([[2]]), nd.array([[1]])).asArray() // => [[2]]
 * @see MXNet `LinearRegressionOutput`
 */
export function linearRegressionOutput<T extends Tensor>(
  data: T,
  label: T,
  attrs?: RegressionOptions,
): T {
  return apply(linearOp, [data, label], attrs)
}

/**
 * The logistic function of the data; its gradient is that of the cross entropy against `label`.
 *
 * `out = 1/(1 + e⁻ˣ)`, gradient `(out - label)·gradScale/m` with m the labels of a sample; `(N, …), (N, …) -> (N, …)`.
 * @throws MXNetError when the label has another number of elements.
 * @example
 * await nd.logisticRegressionOutput(nd.array([[0]]), nd.array([[1]])).asArray() // => [[0.5]]
 * @see MXNet `LogisticRegressionOutput`
 */
export function logisticRegressionOutput<T extends Tensor>(
  data: T,
  label: T,
  attrs?: RegressionOptions,
): T {
  return apply(logisticOp, [data, label], attrs)
}

/**
 * The data itself; its gradient is that of the absolute error against `label`.
 *
 * `out = data`, gradient `sign(out - label)·gradScale/m` with m the labels of a sample; `(N, …), (N, …) -> (N, …)`.
 * @throws MXNetError when the label has another number of elements.
 * @example
 * await nd.maeRegressionOutput(nd.array([[2]]), nd.array([[1]])).asArray() // => [[2]]
 * @see MXNet `MAERegressionOutput`
 */
export function maeRegressionOutput<T extends Tensor>(
  data: T,
  label: T,
  attrs?: RegressionOptions,
): T {
  return apply(absoluteOp, [data, label], attrs)
}

const svmOutputOp = defineOp({
  name: 'SVMOutput',
  inputs: ['data', 'label'],
  attrs: {
    margin: attr.float(1),
    regularizationCoefficient: attr.float(1),
    useLinear: attr.bool(false),
  },
  body: ([x, label]) => {
    checkFloat('SVMOutput', x!)
    if (x!.shape.length !== 2 || label!.shape.length !== 1 || label!.shape[0] !== x!.shape[0])
      fail(
        'SVMOutput',
        `data ${formatShape(x!.shape)} and label ${formatShape(label!.shape)}: they must be (N, C) and (N,)`,
      )
    return pointwise([x!], ([v]) => v!)
  },
  grad: ({ inputs, attrs: { margin, regularizationCoefficient, useLinear } }) => {
    const [x, label] = inputs as readonly [Tensor, Tensor]
    const classes = broadcastTo(reshapeTo(castTo(label, 'int32'), [x.shape[0]!, 1]), x.shape)
    const slope = pointwise([x, classes, iota(x.shape, 1)], ([v, t, i]) => {
      // The true class should lie above the margin, the others below its negative.
      const side = select(compare('eq', t!, i!), num(v!, -1), num(v!, 1))
      const short = binary('add', num(v!, margin), mul(side, v!))
      const pull = useLinear ? side : mul(side, mul(num(v!, 2), short))
      const open = compare('gt', short, num(v!, 0))
      return select(open, mul(pull, num(v!, regularizationCoefficient)), num(v!, 0))
    })
    return [slope, null]
  },
  complete: ([x]) => (x ? [null, [x.shape[0]!]] : []),
})

/**
 * The data itself; its gradient is that of the hinge loss against class labels, squared unless `useLinear`.
 *
 * `out = data`; `(N, C), (N,) -> (N, C)`; float dtypes, kept.
 * @throws MXNetError when the shapes are not (N, C) and (N,).
 * @example
 * await nd.svmOutput(nd.array([[1, 2]]), nd.array([0])).asArray() // => [[1, 2]]
 * @see MXNet `SVMOutput`
 */
export function svmOutput<T extends Tensor>(
  data: T,
  label: T,
  attrs?: {
    readonly margin?: number | undefined
    readonly regularizationCoefficient?: number | undefined
    readonly useLinear?: boolean | undefined
  },
): T {
  return apply(svmOutputOp, [data, label], attrs)
}
