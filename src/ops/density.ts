/** Densities (or their logarithms) of samples under arrays of parameters: `random_pdf_*`. */

import { fail } from '../base/error.ts'
import { broadcastShapes, formatShape, sameShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr } from '../core/attrs.ts'
import { defineOp, type OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { add, mul, num, sub } from '../prim/arithmetic.ts'
import { binary, type Expr, unary } from '../prim/expr.ts'
import { broadcastTo, castTo, pointwise, reduce, reshapeTo } from '../prim/primitive.ts'
import { blockGrad } from './cast.ts'

const logAttrs = { isLog: attr.bool(false) }
type LogAttrs = typeof logAttrs

const log = (x: Expr): Expr => unary('log', x)
const lgamma = (x: Expr): Expr => unary('gammaln', x)

/** A parameter (P…) laid over samples (P…, S…). */
function laidOver(where: string, parameter: Tensor, sample: Tensor): Tensor {
  const { shape } = parameter
  if (!sameShape(shape, sample.shape.slice(0, shape.length)))
    fail(
      where,
      `the samples have shape ${formatShape(sample.shape)}, a parameter ${formatShape(shape)}: the samples of each come behind`,
    )
  const behind = sample.shape.slice(shape.length).map(() => 1)
  return broadcastTo(
    reshapeTo(castTo(parameter, sample.dtype), [...shape, ...behind]),
    sample.shape,
  )
}

/** Declares a density from its logarithm. */
function define(
  name: string,
  parameters: readonly string[],
  logDensity: (x: Expr, ...parameters: Expr[]) => Expr,
  discrete = false,
): OpDef<LogAttrs> {
  return defineOp({
    name: `_random_pdf_${name}`,
    aliases: [`random_pdf_${name}`],
    inputs: ['sample', ...parameters],
    attrs: logAttrs,
    body: ([sample, ...given], { isLog }) => {
      const laid = given.map((p) => laidOver(`random_pdf_${name}`, p, sample!))
      // Counts are no variables.
      const counts = discrete ? blockGrad(sample!) : sample!
      return pointwise([counts, ...laid], ([x, ...ps]) => {
        const value = logDensity(x!, ...ps)
        return isLog ? value : unary('exp', value)
      })
    },
  })
}

/** ln Γ(x + k) - ln Γ(x + 1) - ln Γ(k) + k·ln p + x·ln(1 - p), given ln p and ln(1 - p). */
const binomial = (x: Expr, k: Expr, logP: Expr, logQ: Expr): Expr =>
  add(
    sub(sub(lgamma(add(x, k)), lgamma(add(x, num(x, 1)))), lgamma(k)),
    add(mul(k, logP), mul(x, logQ)),
  )

const uniformOp = define('uniform', ['low', 'high'], (x, low, high) =>
  add(unary('neg', log(sub(high, low))), mul(x, num(x, 0))),
)
const normalOp = define('normal', ['mu', 'sigma'], (x, mu, sigma) => {
  const z = binary('div', sub(x, mu), sigma)
  return sub(mul(num(x, -0.5), mul(z, z)), add(log(sigma), num(x, 0.5 * Math.log(2 * Math.PI))))
})
const gammaOp = define('gamma', ['alpha', 'beta'], (x, alpha, beta) =>
  sub(
    add(mul(alpha, log(beta)), mul(sub(alpha, num(x, 1)), log(x))),
    add(mul(beta, x), lgamma(alpha)),
  ),
)
const exponentialOp = define('exponential', ['lam'], (x, lam) => sub(log(lam), mul(lam, x)))
const poissonOp = define(
  'poisson',
  ['lam'],
  (x, lam) => sub(mul(x, log(lam)), add(lam, lgamma(add(x, num(x, 1))))),
  true,
)
const negativeBinomialOp = define(
  'negative_binomial',
  ['k', 'p'],
  (x, k, p) => binomial(x, k, log(p), log(sub(num(x, 1), p))),
  true,
)
const generalizedOp = define(
  'generalized_negative_binomial',
  ['mu', 'alpha'],
  (x, mu, alpha) => {
    const scaled = mul(mu, alpha)
    const logP = unary('neg', unary('log1p', scaled))
    return binomial(x, binary('div', num(x, 1), alpha), logP, add(log(scaled), logP))
  },
  true,
)

const dirichletOp = defineOp({
  name: '_random_pdf_dirichlet',
  aliases: ['random_pdf_dirichlet'],
  inputs: ['sample', 'alpha'],
  attrs: logAttrs,
  body: ([sample, alpha], { isLog }) => {
    const where = 'random_pdf_dirichlet'
    const [k, n] = [alpha!.shape.at(-1), sample!.shape.length]
    const lead = alpha!.shape.slice(0, -1)
    if (
      k === undefined ||
      sample!.shape.at(-1) !== k ||
      !sameShape(lead, sample!.shape.slice(0, lead.length))
    )
      fail(
        where,
        `the samples have shape ${formatShape(sample!.shape)}, alpha ${formatShape(alpha!.shape)}: both end in the categories`,
      )
    const between = new Array<number>(n - 1 - lead.length).fill(1)
    const shape = [...lead, ...between, k]
    const weights = broadcastTo(
      reshapeTo(castTo(alpha!, sample!.dtype), shape),
      broadcastShapes(where, shape, sample!.shape),
    )
    const terms = pointwise([sample!, weights], ([x, a]) =>
      sub(mul(sub(a!, num(a!, 1)), log(x!)), lgamma(a!)),
    )
    const along = [n - 1]
    return pointwise([reduce(terms, 'sum', along), reduce(weights, 'sum', along)], ([t, total]) => {
      const value = add(t!, lgamma(total!))
      return isLog ? value : unary('exp', value)
    })
  },
})

/** Options of densities. */
export interface DensityOptions {
  /** The logarithm instead of the density. */
  readonly isLog?: boolean
}

/**
 * The density of samples under uniform distributions.
 *
 * `1 / (high - low)`; `(P…, S…), (P…), (P…) -> (P…, S…)`.
 * @throws MXNetError when the samples do not begin with the parameters' shape.
 * @example
 * await nd.randomPdfUniform(nd.array([[1]]), nd.array([0]), nd.array([2])).asArray() // => [[0.5]]
 * @see MXNet `random_pdf_uniform`
 */
export function randomPdfUniform<T extends Tensor>(
  sample: T,
  low: T,
  high: T,
  options?: DensityOptions,
): T {
  return apply(uniformOp, [sample, low, high], options)
}

/**
 * The density of samples under normal distributions.
 *
 * `e^(-(x - μ)²/2σ²) / σ√2π`; `(P…, S…), (P…), (P…) -> (P…, S…)`.
 * @throws MXNetError when the samples do not begin with the parameters' shape.
 * @example
 * nd.randomPdfNormal(nd.zeros([2, 3]), nd.zeros([2]), nd.ones([2])).shape // => [2, 3]
 * @see MXNet `random_pdf_normal`
 */
export function randomPdfNormal<T extends Tensor>(
  sample: T,
  mu: T,
  sigma: T,
  options?: DensityOptions,
): T {
  return apply(normalOp, [sample, mu, sigma], options)
}

/**
 * The density of samples under gamma distributions; beta is the rate.
 *
 * `β^α x^(α-1) e^(-βx) / Γ(α)`; `(P…, S…), (P…), (P…) -> (P…, S…)`.
 * @throws MXNetError when the samples do not begin with the parameters' shape.
 * @example
 * nd.randomPdfGamma(nd.ones([2, 3]), nd.ones([2]), nd.ones([2])).shape // => [2, 3]
 * @see MXNet `random_pdf_gamma`
 */
export function randomPdfGamma<T extends Tensor>(
  sample: T,
  alpha: T,
  beta: T,
  options?: DensityOptions,
): T {
  return apply(gammaOp, [sample, alpha, beta], options)
}

/**
 * The density of samples under exponential distributions; lam is the rate.
 *
 * `λ e^(-λx)`; `(P…, S…), (P…) -> (P…, S…)`.
 * @throws MXNetError when the samples do not begin with the parameters' shape.
 * @example
 * await nd.randomPdfExponential(nd.array([[0]]), nd.array([1])).asArray() // => [[1]]
 * @see MXNet `random_pdf_exponential`
 */
export function randomPdfExponential<T extends Tensor>(
  sample: T,
  lam: T,
  options?: DensityOptions,
): T {
  return apply(exponentialOp, [sample, lam], options)
}

/**
 * The probability of counts under Poisson distributions.
 *
 * `λˣ e^(-λ) / x!`; `(P…, S…), (P…) -> (P…, S…)`.
 * @throws MXNetError when the samples do not begin with the parameters' shape.
 * @example
 * nd.randomPdfPoisson(nd.zeros([2, 3]), nd.ones([2])).shape // => [2, 3]
 * @see MXNet `random_pdf_poisson`
 */
export function randomPdfPoisson<T extends Tensor>(sample: T, lam: T, options?: DensityOptions): T {
  return apply(poissonOp, [sample, lam], options)
}

/**
 * The probability of counts under negative binomial distributions of k failures with probability p.
 *
 * `Γ(x + k) / (x! Γ(k)) · pᵏ (1 - p)ˣ`; `(P…, S…), (P…), (P…) -> (P…, S…)`.
 * @throws MXNetError when the samples do not begin with the parameters' shape.
 * @example
 * nd.randomPdfNegativeBinomial(nd.zeros([2, 3]), nd.ones([2]), nd.full([2], 0.5)).shape // => [2, 3]
 * @see MXNet `random_pdf_negative_binomial`
 */
export function randomPdfNegativeBinomial<T extends Tensor>(
  sample: T,
  k: T,
  p: T,
  options?: DensityOptions,
): T {
  return apply(negativeBinomialOp, [sample, k, p], options)
}

/**
 * The probability of counts under negative binomial distributions of mean mu and dispersion alpha.
 *
 * As `randomPdfNegativeBinomial` with `k = 1/α` and `p = 1/(1 + μα)`; `(P…, S…), (P…), (P…) -> (P…, S…)`.
 * @throws MXNetError when the samples do not begin with the parameters' shape.
 * @example
 * nd.randomPdfGeneralizedNegativeBinomial(nd.zeros([2, 3]), nd.ones([2]), nd.ones([2])).shape // => [2, 3]
 * @see MXNet `random_pdf_generalized_negative_binomial`
 */
export function randomPdfGeneralizedNegativeBinomial<T extends Tensor>(
  sample: T,
  mu: T,
  alpha: T,
  options?: DensityOptions,
): T {
  return apply(generalizedOp, [sample, mu, alpha], options)
}

/**
 * The density of samples (the last axis holds the categories) under Dirichlet distributions.
 *
 * `Γ(Σα) / Π Γ(αᵢ) · Π xᵢ^(αᵢ-1)`; `(P…, S…, k), (P…, k) -> (P…, S…)`.
 * @throws MXNetError when the categories differ.
 * @example
 * nd.randomPdfDirichlet(nd.full([2, 3, 4], 0.25), nd.ones([2, 4])).shape // => [2, 3]
 * @see MXNet `random_pdf_dirichlet`
 */
export function randomPdfDirichlet<T extends Tensor>(
  sample: T,
  alpha: T,
  options?: DensityOptions,
): T {
  return apply(dirichletOp, [sample, alpha], options)
}
