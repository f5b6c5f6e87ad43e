/** Formulas of optimizers as bodies of operators: pointwise rules, layer norms, mixed precision, many weights in one call. */

import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape, type Shape, sameShape, sizeOf } from '../base/shape.ts'
import { attr, type Schema } from '../core/attrs.ts'
import type { Tensor } from '../core/tensor.ts'
import { binary, compare, constant, type Expr, select, unary } from '../prim/expr.ts'
import { broadcastTo, castTo, pointwise, reduce, reshapeTo } from '../prim/primitive.ts'
import { normalNoise } from './random.ts'
import * as rules from './updateRules.ts'

/** Attribute values as a formula sees them. */
export type Statics = { readonly [name: string]: unknown }

/** What is computed: results are the new weight and states, in the order of the arrays without the gradient. */
export type Body = (
  where: string,
  arrays: readonly Tensor[],
  numbers: readonly Tensor[],
  attrs: Statics,
) => Tensor[]

/** One optimizer's update: its arrays (weight, gradient, states), its attributes in MXNet's words, and its body. */
export interface Formula {
  readonly arrays: readonly string[]
  readonly attrs: Schema
  readonly body: Body
}

function checkShapes(where: string, arrays: readonly Tensor[]): void {
  const { shape } = arrays[0]!
  if (arrays.every((a) => sameShape(a.shape, shape))) return
  const shapes = arrays.map((a) => formatShape(a.shape)).join(', ')
  fail(where, `arrays of shapes ${shapes}: they must be the same`)
}

const limitsOf = (attrs: Statics): rules.Limits => ({
  clipGradient: (attrs.clipGradient ?? attrs.clipGrad ?? -1) as number,
  clipWeights: (attrs.clipWeights ?? -1) as number,
})

const inDType = (tensors: readonly Tensor[], dtype: DType): Tensor[] =>
  tensors.map((t) => castTo(t, dtype))

/** The results of a rule as tensors of the broadcast shape; `count` of them. */
function points(
  inputs: readonly Tensor[],
  count: number,
  rule: (loads: readonly Expr[]) => readonly Expr[],
  where: string,
): Tensor[] {
  return Array.from({ length: count }, (_, k) =>
    pointwise(inputs, (loads) => rule(loads)[k]!, where),
  )
}

/** A pointwise rule; everything takes part in the weight's dtype. */
const pointwiseBody =
  (rule: rules.Rule): Body =>
  (where, arrays, numbers, attrs) => {
    checkShapes(where, arrays)
    const n = arrays.length
    const inputs = inDType([...arrays, ...numbers], arrays[0]!.dtype)
    const limits = limitsOf(attrs)
    return points(inputs, n - 1, (e) => rule(e.slice(0, n), e.slice(n), limits), where)
  }

/** FTML: MXNet holds the betas in float32, which shows in float64 where 1 - β2ᵗ is small. */
const ftmlBody: Body = (where, arrays, numbers, attrs) => {
  const held = numbers.map((x, i) => (i === 3 || i === 4 ? castTo(x, 'float32') : x))
  return pointwiseBody(rules.ftml)(where, arrays, held, attrs)
}

/** AdamW: the factor of gradients is an array of one element, the last one. */
const adamwBody: Body = (where, arrays, numbers, attrs) => {
  const own = arrays.slice(0, -1)
  checkShapes(where, own)
  const factor = arrays.at(-1)!
  if (factor.size !== 1) {
    fail(where, `rescale_grad has shape ${formatShape(factor.shape)}: it must have one element`)
  }
  const inputs = inDType([...own, reshapeTo(factor, []), ...numbers], arrays[0]!.dtype)
  const limits = limitsOf(attrs)
  return points(inputs, 3, (e) => rules.adamw(e.slice(0, 5), e.slice(5), limits), where)
}

/** AdamW with a number as the factor of gradients; numbers are `lr, wd, rescaleGrad, eta, beta1, beta2, epsilon`. */
const decoupledAdamBody: Body = (where, arrays, numbers, attrs) => {
  const [lr, wd, rescale, ...others] = numbers
  return adamwBody(where, [...arrays, rescale!], [lr!, wd!, ...others], attrs)
}

const allAxes = (x: Tensor): number[] => x.shape.map((_, i) => i)

/** The 2-norm of an array as a scalar. */
export function norm2(x: Tensor): Tensor {
  const squares = pointwise([x], ([v]) => binary('mul', v!, v!))
  return pointwise([reduce(squares, 'sum', allAxes(x))], ([s]) => unary('sqrt', s!))
}

const literal = (e: Expr, value: number): Expr => constant(value, e.dtype)

/** The length of a LAMB step: the weight's norm within bounds over the direction's, 1 where one of them is 0. */
export function lambRatio(r1: Tensor, r2: Tensor, lower: number, upper: number): Tensor {
  return pointwise([r1, r2], ([weight, direction]) => {
    let bounded = weight!
    if (lower >= 0) bounded = binary('max', bounded, literal(bounded, lower))
    if (upper >= 0) bounded = binary('min', bounded, literal(bounded, upper))
    const usable = binary(
      'and',
      compare('ne', bounded, literal(bounded, 0)),
      compare('ne', direction!, literal(bounded, 0)),
    )
    return select(usable, binary('div', bounded, direction!), literal(bounded, 1))
  })
}

/** `1 / (1 - βᵗ)`, or 1 without correction. */
function corrections(betas: readonly Tensor[], t: Tensor, correct: boolean): Tensor[] {
  return betas.map((beta) =>
    pointwise([beta, t], ([b, steps]) => {
      const one = literal(b!, 1)
      return correct ? binary('div', one, binary('sub', one, binary('pow', b!, steps!))) : one
    }),
  )
}

/** The direction of LAMB and the new states; numbers are `wd, rescaleGrad, beta1, beta2, epsilon, t`. */
export const lambDirection: Body = (where, arrays, numbers, attrs) => {
  checkShapes(where, arrays)
  const { dtype } = arrays[0]!
  const [wd, rescale, beta1, beta2, epsilon, t] = inDType(numbers, dtype)
  const scales = corrections([beta1!, beta2!], t!, attrs.biasCorrection as boolean)
  const inputs = [...inDType(arrays, dtype), wd!, rescale!, beta1!, beta2!, epsilon!, ...scales]
  const limits = limitsOf(attrs)
  return points(inputs, 3, (e) => rules.lambDirection(e.slice(0, 4), e.slice(4), limits), where)
}

const stepBack = (w: Tensor, lr: Tensor, direction: Tensor): Tensor =>
  pointwise([w, lr, direction], ([v, rate, d]) => binary('sub', v!, binary('mul', rate!, d!)))

/** Numbers are `lr, wd, rescaleGrad, beta1, beta2, epsilon, t`. */
const lambBody: Body = (where, arrays, numbers, attrs) => {
  const [lr, ...others] = inDType(numbers, arrays[0]!.dtype)
  const [direction, mean, variance] = lambDirection(where, arrays, others, attrs)
  const [lower, upper] = [attrs.lowerBound as number, attrs.upperBound as number]
  const ratio = lambRatio(norm2(arrays[0]!), norm2(direction!), lower, upper)
  const rate = pointwise([lr!, ratio], ([a, b]) => binary('mul', a!, b!))
  return [stepBack(arrays[0]!, rate, direction!), mean!, variance!]
}

/** The rate of a layer by LARS from the norms of its weight and of its rescaled gradient. */
export function larsRate(
  [lr, weight, grad, wd]: readonly Tensor[],
  [eta, eps]: readonly Tensor[],
): Tensor {
  return pointwise([lr!, weight!, grad!, wd!, eta!, eps!], ([rate, w, g, decay, eta, eps]) => {
    const zero = literal(w!, 0)
    const usable = binary('and', compare('gt', w!, zero), compare('gt', g!, zero))
    const below = binary('add', binary('add', g!, binary('mul', decay!, w!)), eps!)
    const trust = binary('div', binary('mul', eta!, w!), below)
    return select(usable, binary('mul', rate!, trust), rate!)
  })
}

/** SGD at the layer's own rate; numbers are `lr, wd, rescaleGrad, eta, eps` and the momentum. */
const larsBody =
  (rule: rules.Rule): Body =>
  (where, arrays, numbers, attrs) => {
    const [w, g] = arrays as [Tensor, Tensor]
    const [lr, wd, rescale, eta, eps, ...more] = inDType(numbers, w.dtype)
    const length = pointwise([norm2(castTo(g, w.dtype)), rescale!], ([n, r]) =>
      binary('mul', n!, unary('abs', r!)),
    )
    const rate = larsRate([lr!, norm2(w), length, wd!], [eta!, eps!])
    return pointwiseBody(rule)(where, arrays, [rate, wd!, rescale!, ...more], attrs)
  }

/** The multiplier of LBSGD's 'lars' strategy: `√(‖w‖²/(‖g‖² + wd·‖w‖²))` within 0.01 and 100. */
function largeBatchRate(w: Tensor, g: Tensor, lr: Tensor, wd: Tensor): Tensor {
  return pointwise([norm2(w), norm2(g), lr, wd], ([wn, gn, rate, decay]) => {
    const [w2, g2] = [binary('mul', wn!, wn!), binary('mul', gn!, gn!)]
    const below = binary('add', binary('add', g2, binary('mul', decay!, w2)), literal(w2, 1e-18))
    const trust = unary('sqrt', binary('div', w2, below))
    const held = binary('min', binary('max', trust, literal(w2, 0.01)), literal(w2, 100))
    return binary('mul', rate!, held)
  })
}

/**
 * LBSGD: gradients add up in the first state; every `batchScale` batches their mean makes an SGD step.
 * Numbers are `lr, wd, rescaleGrad`, the share of one batch, and the momentum.
 */
const lbsgdBody =
  (rule: rules.Rule): Body =>
  (where, arrays, numbers, attrs) => {
    checkShapes(where, arrays)
    const [w, g, sum, ...states] = inDType(arrays, arrays[0]!.dtype) as [Tensor, Tensor, Tensor]
    const [lr, wd, rescale, share, ...more] = inDType(numbers, w.dtype)
    const sofar = pointwise([sum, g], ([s, d]) => binary('add', s!, d!))
    if (attrs.collect === true) return [w, sofar, ...states]
    const grad = pointwise([sofar, share!], ([s, part]) => binary('mul', s!, part!))
    const rate = attrs.lars === true ? largeBatchRate(w, grad, lr!, wd!) : lr!
    const [next, ...after] = pointwiseBody(rule)(
      where,
      [w, grad, ...states],
      [rate, wd!, rescale!, ...more],
      attrs,
    )
    return [next!, pointwise([sofar], ([s]) => literal(s!, 0)), ...after]
  }

/** GroupAdaGrad: one sum of squares a row. */
const groupAdagradBody: Body = (where, arrays, numbers, attrs) => {
  const [w, g, history] = inDType(arrays, arrays[0]!.dtype) as [Tensor, Tensor, Tensor]
  if (!sameShape(w.shape, g.shape)) checkShapes(where, [w, g])
  const [lr, rescale, epsilon] = inDType(numbers, w.dtype)
  const { clipGradient } = limitsOf(attrs)
  const grad = pointwise([g, rescale!], ([d, r]) => {
    const scaled = binary('mul', d!, r!)
    if (clipGradient < 0) return scaled
    const [low, high] = [literal(scaled, -clipGradient), literal(scaled, clipGradient)]
    return binary('min', binary('max', scaled, low), high)
  })
  const perRow: Shape = w.shape.map((d, i) => (i === 0 ? d : 1))
  if (sizeOf(history.shape) !== sizeOf(perRow)) {
    fail(
      where,
      `the history has shape ${formatShape(history.shape)}: it must have one element a row`,
    )
  }
  const rowSize = sizeOf(w.shape.slice(1))
  const squares = pointwise([grad], ([v]) => binary('mul', v!, v!))
  const sums = reduce(squares, 'sum', allAxes(w).slice(1))
  const next = pointwise([reshapeTo(history, perRow), reshapeTo(sums, perRow)], ([h, s]) =>
    binary('add', h!, binary('div', s!, literal(s!, rowSize))),
  )
  const weight = pointwise(
    [w, grad, broadcastTo(next, w.shape), lr!, epsilon!],
    ([v, d, h, rate, eps]) =>
      binary(
        'sub',
        v!,
        binary('div', binary('mul', rate!, d!), unary('sqrt', binary('add', h!, eps!))),
      ),
  )
  return [weight, reshapeTo(next, history.shape)]
}

/** Langevin dynamics: half a gradient step and noise of variance `lr`; the last two numbers are random key words. */
const sgldBody: Body = (where, arrays, numbers, attrs) => {
  const { shape, dtype } = arrays[0]!
  const keys = numbers.slice(-2)
  const [drift] = pointwiseBody(rules.langevin)(where, arrays, numbers.slice(0, -2), attrs)
  return [
    pointwise(
      [drift!, normalNoise(shape, dtype, keys), castTo(numbers[0]!, dtype)],
      ([x, noise, lr]) => binary('add', x!, binary('mul', noise!, unary('sqrt', lr!))),
    ),
  ]
}

/** The same formula on float32 copies: the weight is written in its own dtype, its copy is the last array. */
export const mixed =
  (body: Body, trailing = 0): Body =>
  (where, arrays, numbers, attrs) => {
    const end = arrays.length - trailing
    const full = arrays[end - 1]!
    const [weight, grad, ...states] = arrays.slice(0, end - 1) as [Tensor, Tensor, ...Tensor[]]
    const extra = arrays.slice(end)
    const [next, ...after] = body(
      where,
      [full, castTo(grad, full.dtype), ...states, ...extra],
      numbers,
      attrs,
    )
    return [castTo(next!, weight.dtype), ...after, next!]
  }

/** Half-precision arrays take part in float32; results come back in the dtypes of the arrays. */
export const inFloat32 =
  (body: Body): Body =>
  (where, arrays, numbers, attrs) => {
    const half = (x: Tensor): boolean => x.dtype === 'float16' || x.dtype === 'bfloat16'
    if (!arrays.some(half)) return body(where, arrays, numbers, attrs)
    const full = arrays.map((x) => (half(x) ? castTo(x, 'float32') : x))
    const places = [arrays[0]!, ...arrays.slice(2)]
    return body(where, full, numbers, attrs).map((y, i) => castTo(y, places[i]!.dtype))
  }

const common = {
  lr: attr.scalar(),
  wd: attr.scalar(0),
  rescaleGrad: attr.scalar(1),
}
const clipGradient = attr.float(-1)
const decays = { beta1: attr.scalar(0.9), beta2: attr.scalar(0.999) }
const bounds = { lowerBound: attr.float(-1), upperBound: attr.float(-1) }
const rate = { momentum: attr.scalar(0) }

const formula = <S extends Schema>(
  arrays: string,
  attrs: S,
  body: Body,
): { readonly arrays: readonly string[]; readonly attrs: S; readonly body: Body } => ({
  arrays: arrays.split(' '),
  attrs,
  body: inFloat32(body),
})

/** All formulas, by the names that optimizers call them. Numbers that change while training are dynamic. */
export const formulas = {
  sgd: formula('weight grad', { ...common, clipGradient }, pointwiseBody(rules.sgd)),
  momentum: formula(
    'weight grad mom',
    { ...common, ...rate, clipGradient },
    pointwiseBody(rules.momentum),
  ),
  nag: formula('weight grad mom', { ...common, ...rate, clipGradient }, pointwiseBody(rules.nag)),
  signsgd: formula('weight grad', { ...common, clipGradient }, pointwiseBody(rules.signsgd)),
  signum: formula(
    'weight grad mom',
    { ...common, ...rate, wdLh: attr.scalar(0), clipGradient },
    pointwiseBody(rules.signum),
  ),
  adam: formula(
    'weight grad mean var',
    { ...common, ...decays, epsilon: attr.scalar(1e-8), clipGradient },
    pointwiseBody(rules.adam),
  ),
  adamw: formula(
    'weight grad mean var rescale_grad',
    {
      lr: attr.scalar(),
      wd: attr.scalar(0),
      eta: attr.scalar(),
      ...decays,
      epsilon: attr.scalar(1e-8),
      clipGradient,
    },
    adamwBody,
  ),
  decoupledAdam: formula(
    'weight grad mean var',
    { ...common, eta: attr.scalar(1), ...decays, epsilon: attr.scalar(1e-8), clipGradient },
    decoupledAdamBody,
  ),
  rmsprop: formula(
    'weight grad n',
    {
      ...common,
      gamma1: attr.scalar(0.95),
      epsilon: attr.scalar(1e-8),
      clipGradient,
      clipWeights: attr.float(-1),
    },
    pointwiseBody(rules.rmsprop),
  ),
  rmspropalex: formula(
    'weight grad n g delta',
    {
      ...common,
      gamma1: attr.scalar(0.95),
      gamma2: attr.scalar(0.9),
      epsilon: attr.scalar(1e-8),
      clipGradient,
      clipWeights: attr.float(-1),
    },
    pointwiseBody(rules.rmspropalex),
  ),
  ftrl: formula(
    'weight grad z n',
    { ...common, lamda1: attr.scalar(0.01), beta: attr.scalar(1), clipGradient },
    pointwiseBody(rules.ftrl),
  ),
  ftml: formula(
    'weight grad d v z',
    {
      ...common,
      beta1: attr.scalar(0.6),
      beta2: attr.scalar(0.999),
      epsilon: attr.scalar(1e-8),
      t: attr.scalar(),
      clipGrad: attr.float(-1),
    },
    ftmlBody,
  ),
  adagrad: formula(
    'weight grad history',
    { ...common, epsilon: attr.scalar(1e-7), clipGradient },
    pointwiseBody(rules.adagrad),
  ),
  adadelta: formula(
    'weight grad accG accDelta',
    {
      wd: attr.scalar(0),
      rescaleGrad: attr.scalar(1),
      rho: attr.scalar(0.9),
      epsilon: attr.scalar(1e-5),
      clipGradient,
    },
    pointwiseBody(rules.adadelta),
  ),
  adamax: formula(
    'weight grad mean largest',
    { ...common, ...decays, clipGradient },
    pointwiseBody(rules.adamax),
  ),
  nadam: formula(
    'weight grad mean var',
    {
      ...common,
      ...decays,
      epsilon: attr.scalar(1e-8),
      gradScale: attr.scalar(),
      meanScale: attr.scalar(),
      varScale: attr.scalar(),
      clipGradient,
    },
    pointwiseBody(rules.nadam),
  ),
  dcasgd: formula(
    'weight grad previous',
    { ...common, ...rate, lamda: attr.scalar(0.04), clipGradient },
    pointwiseBody(rules.dcasgd),
  ),
  dcasgdMomentum: formula(
    'weight grad mom previous',
    { ...common, ...rate, lamda: attr.scalar(0.04), clipGradient },
    pointwiseBody(rules.dcasgd),
  ),
  lamb: formula(
    'weight grad mean var',
    {
      ...common,
      ...decays,
      epsilon: attr.scalar(1e-6),
      t: attr.scalar(),
      biasCorrection: attr.bool(true),
      clipGradient,
      ...bounds,
    },
    lambBody,
  ),
  lars: formula(
    'weight grad',
    { ...common, eta: attr.scalar(), eps: attr.scalar(0), clipGradient },
    larsBody(rules.sgd),
  ),
  larsMomentum: formula(
    'weight grad mom',
    { ...common, eta: attr.scalar(), eps: attr.scalar(0), ...rate, clipGradient },
    larsBody(rules.momentum),
  ),
  lbsgd: formula(
    'weight grad sum',
    {
      ...common,
      share: attr.scalar(1),
      collect: attr.bool(false),
      lars: attr.bool(false),
      clipGradient,
    },
    lbsgdBody(rules.sgd),
  ),
  lbsgdMomentum: formula(
    'weight grad sum mom',
    {
      ...common,
      share: attr.scalar(1),
      ...rate,
      collect: attr.bool(false),
      lars: attr.bool(false),
      clipGradient,
    },
    lbsgdBody(rules.momentum),
  ),
  groupAdagrad: formula(
    'weight grad history',
    { lr: attr.scalar(), rescaleGrad: attr.scalar(1), epsilon: attr.scalar(1e-5), clipGradient },
    groupAdagradBody,
  ),
  sgld: formula('weight grad', { ...common, clipGradient }, sgldBody),
  test: formula('weight grad state', { rescaleGrad: attr.scalar(1) }, pointwiseBody(rules.test)),
}

/** The name of a formula. */
export type FormulaName = keyof typeof formulas
