/** Tensor: what every operator takes and gives — an array with data, or a place in a graph. */

import type { Context } from '../base/context.ts'
import type { DType } from '../base/dtype.ts'
import { type Shape, sizeOf } from '../base/shape.ts'
import type { Aval } from './aval.ts'
import type { Node } from './graph.ts'
import type { TensorMethods } from './methods.ts'

/** A tensor: an `NDArray` holds data on a device, a `Sym` is a place in a graph. Operators take both. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: ops/methods.ts has a typed entry for each method
export abstract class Tensor {
  /** Shape and dtype. */
  abstract readonly aval: Aval
  /** The node that computed this tensor: always for a Sym, for an NDArray while autograd follows it. */
  node: Node | null = null
  /** Which output of `node` this is. */
  index = 0

  /** The device that holds the data; undefined for a place in a graph. */
  get context(): Context | undefined {
    return undefined
  }

  /** Sizes of the axes. */
  get shape(): Shape {
    return this.aval.shape
  }

  /** Element type. */
  get dtype(): DType {
    return this.aval.dtype
  }

  /** Number of axes. */
  get ndim(): number {
    return this.aval.shape.length
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.aval.shape)
  }
}

/** Methods are declared in one interface and filled in from one typed table (`ops/methods.ts`). */
export interface Tensor extends TensorMethods {}

/** A tensor without data, shape or place yet: what `mx.sym` composes. Operators on it go to the frame's composer. */
export abstract class Unbound extends Tensor {}
