/** The methods of tensors: one typed table, applied to the prototype once. */

import { byName } from '../core/given.ts'
import type { TensorMethods } from '../core/methods.ts'
import { Tensor } from '../core/tensor.ts'
import * as activation from './activation.ts'
import * as binary from './binary.ts'
import { cast, clip, onesLike, zerosLike } from './cast.ts'
import * as compare from './compare.ts'
import * as elementary from './elementary.ts'
import * as facts from './facts.ts'
import * as indexing from './indexing.ts'
import * as layout from './layout.ts'
import * as movement from './movement.ts'
import * as padding from './padding.ts'
import * as reduce from './reduce.ts'
import { atRegion } from './region.ts'
import * as repetition from './repetition.ts'
import * as slicing from './slicing.ts'
import * as softmax from './softmax.ts'
import * as sorting from './sorting.ts'
import * as unary from './unary.ts'

type Method<K extends keyof TensorMethods> = (
  self: Tensor,
  ...rest: Parameters<Tensor[K]>
) => ReturnType<Tensor[K]>

const methods: { [K in keyof TensorMethods]: Method<K> } = {
  add: (x, y) => binary.add(x, y),
  sub: (x, y) => binary.subtract(x, y),
  subtract: (x, y) => binary.subtract(x, y),
  mul: (x, y) => binary.multiply(x, y),
  multiply: (x, y) => binary.multiply(x, y),
  div: (x, y) => binary.divide(x, y),
  divide: (x, y) => binary.divide(x, y),
  mod: (x, y) => binary.modulo(x, y),
  modulo: (x, y) => binary.modulo(x, y),
  pow: (x, y) => binary.power(x, y),
  power: (x, y) => binary.power(x, y),
  rsub: (x, y) => binary.subtract(y, x),
  rdiv: (x, y) => binary.divide(y, x),
  rmod: (x, y) => binary.modulo(y, x),
  rpow: (x, y) => binary.power(y, x),
  neg: unary.negative,
  negative: unary.negative,
  maximum: (x, y) => binary.maximum(x, y),
  minimum: (x, y) => binary.minimum(x, y),
  equal: (x, y) => compare.equal(x, y),
  notEqual: (x, y) => compare.notEqual(x, y),
  greater: (x, y) => compare.greater(x, y),
  greaterEqual: (x, y) => compare.greaterEqual(x, y),
  lesser: (x, y) => compare.lesser(x, y),
  lesserEqual: (x, y) => compare.lesserEqual(x, y),
  logicalAnd: (x, y) => compare.logicalAnd(x, y),
  logicalOr: (x, y) => compare.logicalOr(x, y),
  logicalXor: (x, y) => compare.logicalXor(x, y),
  logicalNot: unary.logicalNot,
  abs: unary.abs,
  sign: unary.sign,
  round: unary.round,
  rint: unary.rint,
  fix: unary.fix,
  floor: unary.floor,
  ceil: unary.ceil,
  trunc: unary.trunc,
  square: unary.square,
  sqrt: unary.sqrt,
  rsqrt: unary.rsqrt,
  cbrt: unary.cbrt,
  rcbrt: unary.rcbrt,
  reciprocal: unary.reciprocal,
  degrees: unary.degrees,
  radians: unary.radians,
  exp: elementary.exp,
  expm1: elementary.expm1,
  log: elementary.log,
  log10: elementary.log10,
  log2: elementary.log2,
  log1p: elementary.log1p,
  sin: elementary.sin,
  cos: elementary.cos,
  tan: elementary.tan,
  arcsin: elementary.arcsin,
  arccos: elementary.arccos,
  arctan: elementary.arctan,
  sinh: elementary.sinh,
  cosh: elementary.cosh,
  arcsinh: elementary.arcsinh,
  arccosh: elementary.arccosh,
  arctanh: elementary.arctanh,
  tanh: activation.tanh,
  relu: activation.relu,
  sigmoid: activation.sigmoid,
  softmax: (x, attrs) => softmax.softmax(x, attrs),
  logSoftmax: softmax.logSoftmax,
  softmin: softmax.softmin,
  clip,
  sum: reduce.sum,
  nansum: reduce.nansum,
  mean: reduce.mean,
  prod: reduce.prod,
  nanprod: reduce.nanprod,
  max: reduce.max,
  min: reduce.min,
  norm: reduce.norm,
  argmax: reduce.argmax,
  argmin: reduce.argmin,
  argmaxChannel: reduce.argmaxChannel,
  at: (x, ...key) => atRegion(x, key),
  astype: (x, dtype) => cast(x, { dtype }),
  reshape: movement.reshape,
  reshapeLike: movement.reshapeLike,
  flatten: movement.flatten,
  expandDims: movement.expandDims,
  squeeze: movement.squeeze,
  transpose: movement.transpose,
  swapaxes: movement.swapaxes,
  flip: (x, axis) => repetition.flip(x, byName(['axis'], [axis])),
  tile: (x, reps) => repetition.tile(x, byName(['reps'], [reps])),
  repeat: (x, repeats, options) =>
    repetition.repeat(x, { ...byName(['repeats'], [repeats]), ...options }),
  broadcastTo: movement.broadcastTo,
  broadcastLike: (x, like) => movement.broadcastLike(x, like),
  broadcastAxes: (x, ...axes) => movement.broadcastAxis(x, byName(['axis', 'size'], axes)),
  slice: (x, ...range) => slicing.slice(x, byName(['begin', 'end', 'step'], range)),
  sliceAxis: (x, ...range) => slicing.sliceAxis(x, byName(['axis', 'begin', 'end'], range)),
  sliceLike: slicing.sliceLike,
  split: (x, numOutputs, options) =>
    slicing.split(x, { ...byName(['numOutputs'], [numOutputs]), ...options }),
  take: indexing.take,
  pick: indexing.pick,
  oneHot: indexing.oneHot,
  sort: sorting.sort,
  argsort: sorting.argsort,
  topk: sorting.topk,
  pad: padding.pad,
  diag: layout.diag,
  depthToSpace: (x, blockSize) => layout.depthToSpace(x, byName(['blockSize'], [blockSize])),
  spaceToDepth: (x, blockSize) => layout.spaceToDepth(x, byName(['blockSize'], [blockSize])),
  splitV2: layout.splitV2,
  shapeArray: facts.shapeArray,
  sizeArray: facts.sizeArray,
  zerosLike,
  onesLike,
}

for (const name of Object.keys(methods) as (keyof TensorMethods)[]) {
  const method = methods[name] as (self: Tensor, ...rest: unknown[]) => unknown
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return method(this, ...rest)
    },
    writable: true,
    configurable: true,
  })
}
