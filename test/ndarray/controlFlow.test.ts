/** Loops and branches: on arrays step by step, with gradients, and unrolled in hybridized blocks. */

import { describe, expect, it } from 'vitest'
import { autograd, gluon, MXNetError, type NDArray, nd, type Tensor } from '../../src/node.ts'

const { foreach, whileLoop, cond } = nd.contrib
const isList = (x: unknown): x is NDArray[] => Array.isArray(x)

describe('foreach', () => {
  it('stacks outputs and hands states on, in the form in which they are given', () => {
    const data = nd.array([
      [1, 2],
      [3, 4],
      [5, 6],
    ])
    const [outs, states] = foreach(
      (x: NDArray, s: readonly NDArray[]) => [[x.add(s[0]!), x.mul(2)], [x.add(s[0]!)]] as const,
      data,
      [nd.zeros([2])] as readonly NDArray[],
    )
    expect(isList(outs)).toBe(true)
    expect((outs as NDArray[]).map((o) => o.asArraySync())).toEqual([
      [
        [1, 2],
        [4, 6],
        [9, 12],
      ],
      [
        [2, 4],
        [6, 8],
        [10, 12],
      ],
    ])
    expect(states[0]!.asArraySync()).toEqual([9, 12])
  })
  it('has gradients', () => {
    const x = nd.array([1, 2, 3])
    x.attachGrad()
    autograd
      .record(() => foreach((v: NDArray, s: NDArray) => [v, s.mul(v)] as const, x, nd.array(1))[1])
      .backward()
    expect(x.grad!.asArraySync()).toEqual([6, 3, 2])
  })
  it('refuses data without slices', () => {
    const run = () =>
      foreach((v: NDArray, s: NDArray) => [v, s] as const, nd.zeros([0]), nd.array(0))
    expect(run).toThrow(MXNetError)
  })
})

const halve = (x: Tensor): readonly [Tensor, Tensor] => [x, x.mul(0.5)]
const above = (x: Tensor): Tensor => x.greater(1)

describe('whileLoop', () => {
  it('fills outputs up and stops when the condition fails', () => {
    const [[outs], [last]] = whileLoop<Tensor>(above, halve, nd.array(5), { maxIterations: 5 })
    expect((outs as NDArray).asArraySync()).toEqual([5, 2.5, 1.25, 0, 0])
    expect((last as NDArray).asScalarSync()).toBe(0.625)
  })
  it('gives no outputs when the condition fails at once', () => {
    const [outs, [last]] = whileLoop<Tensor>(above, halve, nd.array(0.5), { maxIterations: 3 })
    expect(outs).toEqual([])
    expect((last as NDArray).asScalarSync()).toBe(0.5)
    const endless = () => whileLoop<Tensor>(above, halve, nd.array(0.5), { maxIterations: 0 })
    expect(endless).toThrow('[while_loop] maxIterations is 0')
  })
})

class Branches extends gluon.HybridBlock {
  override forward(x: Tensor): Tensor {
    const [[outs], [last]] = whileLoop<Tensor>(above, halve, x, { maxIterations: 4 })
    const chosen = cond<Tensor, Tensor>(
      x.greater(3),
      () => last!.mul(10),
      () => last!.add(10),
    )
    const [sums] = foreach<Tensor, Tensor, Tensor>((v, s) => [v.add(s), v.add(s)], outs!, chosen)
    return sums as Tensor
  }
}

describe('in a hybridized block', () => {
  it.each([5, 2, 0.9])('does what it does without, from %d', (start) => {
    const compute = (hybrid: boolean): unknown[] => {
      const net = new Branches()
      net.initialize()
      if (hybrid) net.hybridize()
      const x = nd.array(start === 0.9 ? 1.5 : start)
      x.attachGrad()
      const y = autograd.record(() => net(x) as NDArray)
      y.backward()
      return [y.asArraySync(), x.grad!.asScalarSync()]
    }
    expect(compute(true)).toEqual(compute(false))
  })
})
