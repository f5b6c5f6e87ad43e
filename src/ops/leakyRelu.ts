/** LeakyReLU: the family of activations that let something of negative elements through. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { frame } from '../core/frame.ts'
import { arraysThenOptions } from '../core/given.ts'
import { defineOp } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { mul, num } from '../prim/arithmetic.ts'
import { binary, cast, compare, constant, type Expr, select, unary } from '../prim/expr.ts'
import { castTo, pointwise, reshapeTo } from '../prim/primitive.ts'
import { draws, unit } from './random.ts'

const positive = (x: Expr): Expr => compare('gt', x, num(x, 0))

/** The constants that keep mean 0 and deviation 1 through layers. */
const selu = { alpha: 1.6732632423543772, lambda: 1.0507009873554805 }

const leakyReLUAttrs = {
  actType: attr.oneOf(['rrelu', 'leaky', 'prelu', 'elu', 'selu', 'gelu'], 'leaky'),
  slope: attr.float(0.25),
  lowerBound: attr.float(0.125),
  upperBound: attr.float(0.334),
}
/** Options of `leakyReLU`. */
export type LeakyReLUOptions = Given<typeof leakyReLUAttrs>

/** Slopes of negative elements, one for each channel of axis 1 or one for all. */
function slopes(x: Tensor, gamma: Tensor | undefined): Tensor {
  const where = 'LeakyReLU'
  if (gamma === undefined) return fail(where, "gamma is missing: 'prelu' needs its slopes")
  if (gamma.size === 1) return reshapeTo(gamma, [])
  const rank = x.shape.length
  const axis = rank === 1 ? 0 : 1
  if (rank === 0 || gamma.shape.length !== 1 || gamma.shape[0] !== x.shape[axis]) {
    const want = formatShape([x.shape[axis] ?? 1])
    fail(where, `gamma ${formatShape(gamma.shape)} must be ${want} or (1,)`)
  }
  return reshapeTo(
    gamma,
    x.shape.map((d, i) => (i === axis ? d : 1)),
  )
}

const leakyReLUOp = defineOp({
  name: 'LeakyReLU',
  inputs: ['data', 'gamma?'],
  attrs: leakyReLUAttrs,
  perform: ([data, gamma], attrs) => leakyReLU(data!, gamma, attrs as LeakyReLUOptions),
  body: ([x, gamma], { actType, slope, lowerBound, upperBound }) => {
    const curve = (f: (v: Expr) => Expr): Tensor => pointwise([x!], ([v]) => f(v!))
    const leaking = (a: number): Tensor => curve((v) => select(positive(v), v, mul(v, num(v, a))))
    switch (actType) {
      case 'leaky':
        return leaking(slope)
      case 'rrelu':
        return leaking((lowerBound + upperBound) / 2)
      case 'prelu':
        return pointwise([x!, slopes(x!, gamma)], ([v, a]) => select(positive(v!), v!, mul(v!, a!)))
      case 'elu':
        return curve((v) => select(positive(v), v, mul(unary('expm1', v), num(v, slope))))
      case 'selu':
        return curve((v) =>
          mul(
            select(positive(v), v, mul(unary('expm1', v), num(v, selu.alpha))),
            num(v, selu.lambda),
          ),
        )
      case 'gelu':
        return curve((v) => {
          const part = unary('erf', mul(v, num(v, Math.SQRT1_2)))
          return mul(mul(v, num(v, 0.5)), binary('add', part, num(v, 1)))
        })
      default:
        return actType satisfies never
    }
  },
  complete: ([x], { actType }) => (x && actType === 'prelu' ? [null, [x.shape[1] ?? 1]] : []),
})

/** rrelu while training: each negative element is scaled by a number of its own. */
const randomLeakyReLUOp = defineOp({
  name: '_random_leaky_relu',
  inputs: ['data'],
  attrs: { lowerBound: attr.float(0.125), upperBound: attr.float(0.334) },
  traits: { random: true },
  body: ([x], { lowerBound, upperBound }, keys) => {
    const slope = draws(x!.shape, keys, 1, [], (bits) =>
      binary(
        'add',
        constant(lowerBound, 'float32'),
        mul(unit(bits(0)), constant(upperBound - lowerBound, 'float32')),
      ),
    )
    return pointwise([x!, castTo(slope, x!.dtype)], ([v, a]) =>
      select(positive(v!), v!, mul(v!, cast(a!, v!.dtype))),
    )
  },
})

/**
 * An activation that lets something of negative elements through.
 *
 * For x > 0 `out = x` (`selu`: λ·x), else: `leaky` `slope·x`; `prelu` `gamma·x` with a slope for each channel of axis 1;
 * `elu` `slope·(eˣ - 1)`; `selu` `λ·α·(eˣ - 1)`; `rrelu` a random slope from `lowerBound` to `upperBound` for each element
 * while training and their mean otherwise. `gelu` is `x·(1 + erf(x/√2))/2` everywhere.
 * `(N, C, …), (C,) -> (N, C, …)`; float dtypes, kept.
 * @throws MXNetError when `prelu` has no gamma or one that does not fit.
 * @example
 * await nd.leakyReLU(nd.array([-2, 1]), null, { slope: 0.5 }).asArray() // => [-1, 1]
 * @see MXNet `LeakyReLU`
 */
export function leakyReLU<T extends Tensor>(
  data: T,
  ...rest:
    | [attrs?: LeakyReLUOptions | undefined]
    | [gamma: T | null | undefined, attrs?: LeakyReLUOptions | undefined]
): T {
  const [[gamma], attrs = {}] = arraysThenOptions<T, LeakyReLUOptions>(rest)
  if (attrs.actType !== 'rrelu' || !frame.training)
    return apply(leakyReLUOp, gamma ? [data, gamma] : [data], attrs)
  const { lowerBound, upperBound } = attrs
  return apply(randomLeakyReLUOp, [data], { lowerBound, upperBound })
}
