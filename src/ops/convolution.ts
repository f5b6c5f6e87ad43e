/** Convolution and its transpose, over one to three axes. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { apply } from '../core/apply.ts'
import { attr, type Given } from '../core/attrs.ts'
import { arraysThenOptions } from '../core/given.ts'
import { defineOp, type Values } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { conv } from '../prim/conv.ts'
import { binary } from '../prim/expr.ts'
import { permuteAxes, pointwise, reshapeTo } from '../prim/primitive.ts'
import type { ConvSizes } from '../prim/window.ts'

/** One number an axis: those given, or `fallback` for each. */
export function perAxis(
  where: string,
  name: string,
  given: readonly number[],
  axes: number,
  fallback: number,
): readonly number[] {
  if (given.length === 0) return new Array<number>(axes).fill(fallback)
  if (given.length !== axes)
    fail(where, `${name} ${formatShape(given)} has ${given.length} sizes: it must have ${axes}`)
  return given
}

/** Whether a layout such as NHWC has channels last; checks that it fits the number of axes. */
export function channelsLast(where: string, layout: string | null, axes: number): boolean {
  if (layout === null) return false
  if (layout.length !== axes + 2)
    fail(where, `layout ${layout} is for ${layout.length - 2} axes: data has ${axes}`)
  return layout.endsWith('C')
}

/** Channels moved from the end to axis 1. */
export const channelsFirst = (x: Tensor): Tensor =>
  permuteAxes(
    x,
    x.shape.map((_, i) => (i === 0 ? 0 : i === 1 ? x.shape.length - 1 : i - 1)),
  )

/** Channels moved from axis 1 to the end. */
export const channelsBack = (x: Tensor): Tensor =>
  permuteAxes(
    x,
    x.shape.map((_, i) => (i === 0 ? 0 : i === x.shape.length - 1 ? 1 : i + 1)),
  )

const layouts = ['NCW', 'NCHW', 'NCDHW', 'NWC', 'NHWC', 'NDHWC'] as const

/** Attributes of a window that goes over arrays, and of its filters. */
export const filterAttrs = {
  kernel: attr.ints<undefined>(undefined, { min: 1 }),
  stride: attr.ints([], { min: 1 }),
  dilate: attr.ints([], { min: 1 }),
  pad: attr.ints([], { min: 0 }),
  numFilter: attr.int<undefined>(undefined, { min: 1 }),
  numGroup: attr.int(1, { min: 1 }),
}
const shared = {
  ...filterAttrs,
  cudnnTune: attr.optional(attr.oneOf(['off', 'limited_workspace', 'fastest'])),
  cudnnOff: attr.bool(false),
  layout: attr.optional(attr.oneOf(layouts)),
}
/** Attributes of `Convolution`. */
export const convolutionAttrs = {
  ...shared,
  workspace: attr.int(1024, { min: 0 }),
  noBias: attr.bool(false),
}
const deconvolutionAttrs = {
  ...shared,
  adj: attr.ints([], { min: 0 }),
  targetShape: attr.ints([], { min: 0 }),
  workspace: attr.int(512, { min: 0 }),
  noBias: attr.bool(true),
}

/** Options of `convolution`. */
export type ConvolutionOptions = Given<typeof convolutionAttrs>
/** Options of `deconvolution`. */
export type DeconvolutionOptions = Given<typeof deconvolutionAttrs>

type Common = Values<typeof shared>

/** Checks what both operators ask of their inputs; gives data with channels first and the window's settings. */
function prepare(where: string, data: Tensor, weight: Tensor, attrs: Common) {
  const { kernel, numFilter, numGroup } = attrs
  const axes = kernel.length
  if (axes < 1 || axes > 3)
    fail(where, `kernel ${formatShape(kernel)} has ${axes} sizes: it must have 1, 2 or 3`)
  if (data.shape.length !== axes + 2)
    fail(
      where,
      `data ${formatShape(data.shape)} has ${data.shape.length} axes: a kernel of ${axes} needs ${axes + 2}`,
    )
  if (!isFloat(data.dtype) || data.dtype !== weight.dtype)
    fail(
      where,
      `data is ${data.dtype} and weight ${weight.dtype}: both must be the same float type (use astype)`,
    )
  const last = channelsLast(where, attrs.layout, axes)
  const x = last ? channelsFirst(data) : data
  const channels = x.shape[1]!
  if (channels % numGroup !== 0 || numFilter % numGroup !== 0)
    fail(
      where,
      `${channels} channels and ${numFilter} filters must both be divisible by numGroup ${numGroup}`,
    )
  return {
    last,
    x,
    channels,
    stride: perAxis(where, 'stride', attrs.stride, axes, 1),
    dilate: perAxis(where, 'dilate', attrs.dilate, axes, 1),
    pad: perAxis(where, 'pad', attrs.pad, axes, 0),
  }
}

function checkWeight(where: string, weight: Tensor, want: readonly number[]): void {
  if (weight.shape.length !== want.length || weight.shape.some((d, i) => d !== want[i]))
    fail(where, `weight ${formatShape(weight.shape)} does not fit: it must be ${formatShape(want)}`)
}

/** Adds a bias to each channel of axis 1, where there is one. */
export function addBias(
  where: string,
  y: Tensor,
  bias: Tensor | undefined,
  numFilter: number,
): Tensor {
  if (!bias) return y
  if (bias.shape.length !== 1 || bias.shape[0] !== numFilter)
    fail(where, `bias ${formatShape(bias.shape)} must be ${formatShape([numFilter])}`)
  if (bias.dtype !== y.dtype) fail(where, `bias is ${bias.dtype}: it must be ${y.dtype}`)
  const column = reshapeTo(bias, [numFilter, ...y.shape.slice(2).map(() => 1)])
  return pointwise([y, column], ([v, b]) => binary('add', v!, b!))
}

const convolutionOp = defineOp({
  name: 'Convolution',
  aliases: ['Convolution_v1'],
  inputs: ['data', 'weight', 'bias?'],
  attrs: convolutionAttrs,
  body: ([data, weight, bias], attrs) => {
    const where = 'Convolution'
    const { kernel, numFilter, numGroup, noBias } = attrs
    const { last, x, channels, stride, dilate, pad } = prepare(where, data!, weight!, attrs)
    const inner = channels / numGroup
    checkWeight(
      where,
      weight!,
      last ? [numFilter, ...kernel, inner] : [numFilter, inner, ...kernel],
    )
    const w = last ? channelsFirst(weight!) : weight!
    const y = x.shape.slice(2).map((n, d) => {
      const room = n + 2 * pad[d]! - dilate[d]! * (kernel[d]! - 1) - 1
      if (room < 0)
        fail(
          where,
          `kernel ${formatShape(kernel)} does not fit into data ${formatShape(data!.shape)} with pad ${formatShape(pad)}`,
        )
      return Math.floor(room / stride[d]!) + 1
    })
    const sizes: ConvSizes = {
      batch: x.shape[0]!,
      groups: numGroup,
      inner,
      outer: numFilter / numGroup,
      x: x.shape.slice(2),
      window: kernel,
      y,
      stride,
      dilate,
      pad,
    }
    const grouped = conv(
      reshapeTo(x, [sizes.batch, numGroup, inner, ...sizes.x]),
      reshapeTo(w, [numGroup, sizes.outer, inner, ...kernel]),
      'y',
      sizes,
    )
    const out = reshapeTo(grouped, [sizes.batch, numFilter, ...y])
    const result = addBias(where, out, noBias ? undefined : bias, numFilter)
    return last ? channelsBack(result) : result
  },
  complete: ([x], { kernel, numFilter, numGroup, layout }) => {
    if (!x) return []
    const last = layout?.endsWith('C') ?? false
    const inner = (last ? x.shape.at(-1)! : x.shape[1]!) / numGroup
    return [null, last ? [numFilter, ...kernel, inner] : [numFilter, inner, ...kernel], [numFilter]]
  },
})

/**
 * Convolution over one, two or three axes, as the length of `kernel` says.
 *
 * `out[n, o, i…] = bias[o] + Σ_{c, k…} data[n, c, i·stride + k·dilate - pad]·weight[o, c, k…]`;
 * `(N, C, A…), (O, C/G, K…), (O,) -> (N, O, B…)` with `B = floor((A + 2·pad - dilate·(K - 1) - 1)/stride) + 1`; with a
 * layout such as `'NHWC'`, data `(N, A…, C)` and weight `(O, K…, C/G)`. Float dtypes, all the same.
 * @throws MXNetError when shapes do not fit or the kernel is larger than the padded data.
 * @example
 * nd.convolution(nd.ones([1, 1, 4, 4]), nd.ones([2, 1, 3, 3]), nd.zeros([2]), { kernel: [3, 3], numFilter: 2 }).shape // => [1, 2, 2, 2]
 * @see MXNet `Convolution`
 */
export function convolution<T extends Tensor>(
  data: T,
  weight: T,
  ...rest: [attrs: ConvolutionOptions] | [bias: T | null | undefined, attrs: ConvolutionOptions]
): T {
  const [arrays, attrs] = arraysThenOptions<T, ConvolutionOptions>(rest)
  return apply(convolutionOp, [data, weight, ...arrays], attrs)
}

const deconvolutionOp = defineOp({
  name: 'Deconvolution',
  inputs: ['data', 'weight', 'bias?'],
  attrs: deconvolutionAttrs,
  body: ([data, weight, bias], attrs) => {
    const where = 'Deconvolution'
    const { kernel, numFilter, numGroup, noBias, targetShape } = attrs
    const prepared = prepare(where, data!, weight!, attrs)
    const { last, x, channels, stride, dilate } = prepared
    const outer = channels / numGroup
    const inner = numFilter / numGroup
    checkWeight(where, weight!, last ? [channels, ...kernel, inner] : [channels, inner, ...kernel])
    const w = last ? channelsFirst(weight!) : weight!
    const y = x.shape.slice(2)
    const full = y.map((n, d) => stride[d]! * (n - 1) + dilate[d]! * (kernel[d]! - 1) + 1)
    let pad = prepared.pad
    let adj = perAxis(where, 'adj', attrs.adj, kernel.length, 0)
    if (targetShape.some((d) => d !== 0)) {
      const target = perAxis(where, 'targetShape', targetShape, kernel.length, 0)
      const extra = full.map((n, d) => n - target[d]!)
      if (extra.some((e) => e < 0))
        fail(where, `targetShape ${formatShape(target)} is larger than ${formatShape(full)}`)
      adj = extra.map((e) => e % 2)
      pad = extra.map((e) => Math.ceil(e / 2))
    }
    adj.forEach((a, d) => {
      if (a >= stride[d]!)
        fail(where, `adj ${formatShape(adj)} must be smaller than stride ${formatShape(stride)}`)
    })
    const size = full.map((n, d) => n - 2 * pad[d]! + adj[d]!)
    if (size.some((n) => n < 1))
      fail(where, `pad ${formatShape(pad)} leaves nothing of ${formatShape(full)}`)
    const sizes: ConvSizes = {
      batch: x.shape[0]!,
      groups: numGroup,
      inner,
      outer,
      x: size,
      window: kernel,
      y,
      stride,
      dilate,
      pad,
    }
    const grouped = conv(
      reshapeTo(w, [numGroup, outer, inner, ...kernel]),
      reshapeTo(x, [sizes.batch, numGroup, outer, ...y]),
      'x',
      sizes,
    )
    const out = reshapeTo(grouped, [sizes.batch, numFilter, ...size])
    const result = addBias(where, out, noBias ? undefined : bias, numFilter)
    return last ? channelsBack(result) : result
  },
  complete: ([x], { kernel, numFilter, numGroup, layout }) => {
    if (!x) return []
    const last = layout?.endsWith('C') ?? false
    const [channels, inner] = [last ? x.shape.at(-1)! : x.shape[1]!, numFilter / numGroup]
    return [null, last ? [channels, ...kernel, inner] : [channels, inner, ...kernel], [numFilter]]
  },
})

/**
 * The transpose of convolution: each element of data adds a scaled copy of the weights to the result.
 *
 * `out[n, f, i·stride + k·dilate - pad] += data[n, c, i…]·weight[c, f, k…]`, plus bias; no bias unless `noBias` is false.
 * `(N, C, A…), (C, F/G, K…), (F,) -> (N, F, B…)` with `B = stride·(A - 1) + dilate·(K - 1) + 1 - 2·pad + adj`;
 * `targetShape` chooses pad and adj. Float dtypes, all the same.
 * @throws MXNetError when shapes do not fit, or adj is not below stride.
 * @example
 * nd.deconvolution(nd.ones([1, 1, 2, 2]), nd.ones([1, 3, 2, 2]), null, { kernel: [2, 2], stride: [2, 2], numFilter: 3 }).shape // => [1, 3, 4, 4]
 * @see MXNet `Deconvolution`
 */
export function deconvolution<T extends Tensor>(
  data: T,
  weight: T,
  ...rest: [attrs: DeconvolutionOptions] | [bias: T | null | undefined, attrs: DeconvolutionOptions]
): T {
  const [arrays, attrs] = arraysThenOptions<T, DeconvolutionOptions>(rest)
  return apply(deconvolutionOp, [data, weight, ...arrays], attrs)
}
