// Kernels that memory or elementwise functions bound, on our library; the peers' versions are in bench/peers/.
import { gluon, nd, type Tensor } from 'mxnet-ts'
import { corners, numbers, type Served } from './data.ts'

const { HybridBlock } = gluon

/** Ten elementwise operators on one array: one read, one write, if they are fused. */
class Chain extends HybridBlock {
  override forward(x: Tensor): Tensor {
    const a = x.mul(2).add(1).maximum(0).mul(3).sub(1)
    return a.maximum(-1).add(0.5).mul(0.5).maximum(-2).add(1)
  }
}

class Softmax extends HybridBlock {
  override forward(x: Tensor): Tensor {
    return nd.softmax(x)
  }
}

/** What layer normalization computes, written out. */
class Normalize extends HybridBlock {
  override forward(x: Tensor): Tensor {
    const centred = x.sub(x.mean({ axis: -1, keepdims: true }))
    const variance = centred.mul(centred).mean({ axis: -1, keepdims: true })
    return centred.mul(nd.rsqrt(variance.add(1e-5)))
  }
}

class Sum extends HybridBlock {
  readonly #axis: number

  constructor(axis: number) {
    super()
    this.#axis = axis
  }

  override forward(x: Tensor): Tensor {
    return nd.sum(x, { axis: this.#axis })
  }
}

function over(block: gluon.HybridBlock, shape: readonly number[]): Served {
  block.hybridize()
  const size = shape.reduce((n, d) => n * d, 1)
  const x = nd.array(numbers(size, 5, -1, 1)).reshape(shape)
  return {
    check: async () => corners(await block(x).asTypedArray()),
    run: async (reps) => {
      // A peer's reference count gives each result back at once; `using` does here, where the collector would later.
      for (let i = 0; i < reps; i++) block(x)[Symbol.dispose]()
      await nd.waitAll()
    },
  }
}

const table = [4096, 1024]

/** The cases of this file, by name. */
export const kernels: Readonly<Record<string, () => Served>> = {
  chain: () => over(new Chain(), [2 ** 24]),
  softmax: () => over(new Softmax(), table),
  layerNorm: () => over(new Normalize(), table),
  sumRows: () => over(new Sum(1), table),
  sumColumns: () => over(new Sum(0), table),
}
