/** What forward may not do while it is traced, and what the error says: the layers, the operator and the line. */

import { gluon, nd, type Tensor } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

class Reads extends gluon.HybridBlock {
  override forward(x: Tensor): Tensor {
    const total = x.sum() as unknown as { asScalarSync(): number }
    return x.mul(total.asScalarSync())
  }
}

class Branches extends gluon.HybridBlock {
  override forward(x: Tensor): Tensor {
    const total = x.sum() as unknown as number
    return total > 0 ? x : x.neg()
  }
}

function inside(block: gluon.HybridBlock): gluon.nn.HybridSequential {
  const net = new gluon.nn.HybridSequential({ prefix: 'net_' })
  net.add(block)
  net.hybridize()
  return net
}

describe('while forward is traced', () => {
  it('reading a value is an error that says where', () => {
    const net = inside(new Reads({ prefix: 'reads_' }))
    expect(() => net(nd.ones([2]))).toThrow(
      /^\[asScalarSync\] a result of sum of shape \(\) is being traced .*\(in net\.reads, at .*tracing\.test\.ts:\d+:\d+\)$/,
    )
  })

  it('branching on a value is an error that says where', () => {
    const net = inside(new Branches({ prefix: 'branches_' }))
    expect(() => net(nd.ones([2]))).toThrow(
      /^\[forward\] a result of sum of shape \(\) .* to branch on.*\(in net\.branches, at .*tracing\.test\.ts:\d+:\d+\)$/,
    )
  })

  it('layers are forgotten when forward throws', () => {
    const net = inside(new Reads({ prefix: 'a_' }))
    expect(() => net(nd.ones([2]))).toThrow(/in net\.a/)
    expect(() => net(nd.ones([3]))).toThrow(/\(in net\.a, at/)
  })
})
