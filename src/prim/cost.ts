/** What a kernel costs: an estimate good enough to decide where it runs and whether it is worth cutting. */

import { itemSize } from '../base/dtype.ts'
import { linearize } from './expr.ts'
import { type Block, type Kernel, kernelOperands } from './kernel.ts'
import { costly } from './scalar.ts'
import { convShape } from './window.ts'

/** How fast a backend multiplies: multiplications and additions of a matrix product in a nanosecond. */
export interface Speed {
  readonly product: number
}

const sizeOf = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1)

/** Nanoseconds an expression takes at one point, in vectors. */
function pointCost(kernel: Extract<Kernel, { kind: 'loop' }>): number {
  let cost = 0.02
  for (const { expr } of linearize(kernel.body).nodes) {
    if (expr.kind === 'op') cost += costly.has(expr.op) ? 1 : 0.05
    else if (expr.kind === 'load') cost += 0.01 * itemSize(expr.dtype)
    else if (expr.kind === 'loadAt') cost += 0.8
  }
  if (kernel.reduce.length === 0) for (const o of kernel.outputs) cost += 0.02 * itemSize(o.dtype)
  return cost
}

/** Nanoseconds a kernel takes on one thread, roughly: within a factor of three for what takes long. */
export function kernelCost(kernel: Kernel, speed: Speed): number {
  switch (kernel.kind) {
    case 'loop':
      return sizeOf(kernel.dims) * pointCost(kernel)
    case 'contract': {
      const { b, m, n, k } = kernel
      const bytes = kernelOperands(kernel).length * 0.1
      return (2 * b * m * n * k) / speed.product + b * m * n * bytes
    }
    case 'scatter':
      return sizeOf(kernel.dims) * 2
    case 'conv': {
      const { batch, groups, inner, outer, window, y } = kernel.sizes
      const products = batch * groups * inner * outer * sizeOf(window) * sizeOf(y)
      return (2 * products) / speed.product + sizeOf(convShape(kernel.sizes, kernel.result)) * 0.3
    }
    case 'pool': {
      const { lines, window, y } = kernel.sizes
      return sizeOf(lines) * sizeOf(window) * sizeOf(y) * 0.2
    }
    case 'sequence':
      return kernel.loops.reduce((sum, loop) => sum + kernelCost(loop.kernel, speed), 0)
    case 'call':
      return kernelOperands(kernel).reduce((sum, o) => sum + (o as Block).size, 0) * 20
    default:
      return kernel satisfies never
  }
}
