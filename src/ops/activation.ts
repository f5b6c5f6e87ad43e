/** Activations: relu, sigmoid, tanh and their relatives, and MXNet's Activation operator. */

import { apply } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import { defineOp, type GradContext, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, mul, num, sub } from '../prim/arithmetic.ts'
import { binary, compare, type Expr, select, unary } from '../prim/expr.ts'
import { pointwise } from '../prim/primitive.ts'

/** A function, and its derivative times dy given input and output. */
interface Curve {
  readonly value: (x: Expr) => Expr
  /** Reads only the output where it can: then the input need not be kept. */
  readonly slope: { readonly of: 'input' | 'output'; readonly f: (v: Expr, dy: Expr) => Expr }
}

const curves = {
  relu: {
    value: (x) => binary('max', x, num(x, 0)),
    // The output is 0 or above, or NaN, which goes on.
    slope: {
      of: 'output',
      f: (y, dy) => {
        const zero = num(y, 0)
        return select(compare('gt', y, zero), dy, select(compare('eq', y, zero), zero, y))
      },
    },
  },
  sigmoid: {
    value: (x) => binary('div', num(x, 1), add(num(x, 1), unary('exp', unary('neg', x)))),
    slope: { of: 'output', f: (y, dy) => mul(dy, mul(y, sub(num(y, 1), y))) },
  },
  tanh: {
    value: (x) => unary('tanh', x),
    slope: { of: 'output', f: (y, dy) => mul(dy, sub(num(y, 1), mul(y, y))) },
  },
  softrelu: {
    value: (x) =>
      add(binary('max', x, num(x, 0)), unary('log1p', unary('exp', unary('neg', unary('abs', x))))),
    slope: {
      of: 'input',
      f: (x, dy) => binary('div', dy, add(num(x, 1), unary('exp', unary('neg', x)))),
    },
  },
  softsign: {
    value: (x) => binary('div', x, add(num(x, 1), unary('abs', x))),
    slope: {
      of: 'input',
      f: (x, dy) => {
        const d = add(num(x, 1), unary('abs', x))
        return binary('div', dy, mul(d, d))
      },
    },
  },
} satisfies Record<string, Curve>

type CurveName = keyof typeof curves

const evaluate = (name: CurveName, x: Tensor): Tensor =>
  pointwise([x], ([v]) => curves[name].value(v!), name)

function slope(
  name: CurveName,
  { inputs, outputs, dys }: Pick<GradContext<never>, 'inputs' | 'outputs' | 'dys'>,
): Tensor {
  const { of, f } = (curves[name] as Curve).slope
  const at = of === 'input' ? inputs[0]! : outputs[0]!
  return pointwise([at, dys[0]!], ([v, dy]) => f(v!, dy!))
}

const define = (name: CurveName): OpDef =>
  defineOp({
    name,
    inputs: ['data'],
    body: ([x]) => evaluate(name, x!),
    grad: (context) => [slope(name, context)],
  }) as unknown as OpDef

const reluOp = define('relu')

/**
 * The positive part of each element; NaN propagates, the gradient at 0 is 0.
 *
 * `out = max(x, 0)`; shape `(A…) -> (A…)`; keeps the dtype.
 * @example
 * await nd.relu(nd.array([-1, 2])).asArray() // => [0, 2]
 * @see MXNet `relu`
 */
export function relu<T extends Tensor>(data: T): T {
  return apply(reluOp, [data])
}

const sigmoidOp = define('sigmoid')

/**
 * The logistic function of each element.
 *
 * `out = 1 / (1 + e⁻ˣ)`; shape `(A…) -> (A…)`; keeps the dtype.
 * @example
 * await nd.sigmoid(nd.array([0])).asArray() // => [0.5]
 * @see MXNet `sigmoid`
 */
export function sigmoid<T extends Tensor>(data: T): T {
  return apply(sigmoidOp, [data])
}

const tanhOp = define('tanh')

/**
 * The hyperbolic tangent of each element.
 *
 * `out = tanh x`; shape `(A…) -> (A…)`; keeps the dtype.
 * @example
 * await nd.tanh(nd.array([0])).asArray() // => [0]
 * @see MXNet `tanh`
 */
export function tanh<T extends Tensor>(data: T): T {
  return apply(tanhOp, [data])
}

const softsignOp = define('softsign')

/**
 * Each element over one plus its magnitude.
 *
 * `out = x / (1 + |x|)`; shape `(A…) -> (A…)`; keeps the dtype.
 * @example
 * await nd.softsign(nd.array([1])).asArray() // => [0.5]
 * @see MXNet `softsign`
 */
export function softsign<T extends Tensor>(data: T): T {
  return apply(softsignOp, [data])
}

const activationOp = defineOp({
  name: 'Activation',
  inputs: ['data'],
  attrs: { actType: attr.oneOf(['relu', 'sigmoid', 'tanh', 'softrelu', 'softsign']) },
  body: ([x], { actType }) => evaluate(actType, x!),
  grad: (context) => [slope(context.attrs.actType, context)],
})

/** The functions that `activation` knows. */
export type ActType = CurveName

/**
 * An activation function by name.
 *
 * `out = f(x)` with f one of relu, sigmoid, tanh, softrelu (`ln(1 + eˣ)`), softsign; shape `(A…) -> (A…)`; keeps the dtype.
 * @throws MXNetError for another name.
 * @example
 * await nd.activation(nd.array([-1, 2]), { actType: 'relu' }).asArray() // => [0, 2]
 * @see MXNet `Activation`
 */
export function activation<T extends Tensor>(data: T, attrs: { readonly actType: ActType }): T {
  return apply(activationOp, [data], attrs)
}

const hardSigmoidOp = defineOp({
  name: 'hard_sigmoid',
  inputs: ['data'],
  attrs: { alpha: attr.float(0.2), beta: attr.float(0.5) },
  body: ([x], { alpha, beta }) =>
    pointwise([x!], ([v]) => {
      const line = add(mul(v!, num(v!, alpha)), num(v!, beta))
      return binary('min', binary('max', line, num(v!, 0)), num(v!, 1))
    }),
  // 0 where the line meets its bounds, as in MXNet.
  grad: ({ outputs, dys, attrs: { alpha } }) => [
    pointwise([outputs[0]!, dys[0]!], ([y, dy]) =>
      select(
        binary('and', compare('gt', y!, num(y!, 0)), compare('lt', y!, num(y!, 1))),
        mul(dy!, num(dy!, alpha)),
        num(dy!, 0),
      ),
    ),
  ],
})

/**
 * A straight line clipped to [0, 1].
 *
 * `out = min(max(α·x + β, 0), 1)`; shape `(A…) -> (A…)`; keeps the dtype.
 * @example
 * await nd.hardSigmoid(nd.array([0])).asArray() // => [0.5]
 * @see MXNet `hard_sigmoid`
 */
export function hardSigmoid<T extends Tensor>(
  data: T,
  attrs?: { readonly alpha?: number; readonly beta?: number },
): T {
  return apply(hardSigmoidOp, [data], attrs)
}
