/** Functions with gradients of their own, and functions that are run again in backward. */

import { autograd, gluon, init, MXNetError, type NDArray, nd, random, type Tensor } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

class Sigmoid extends autograd.Function {
  override forward(x: Tensor): Tensor {
    const y = nd.sigmoid(x)
    this.saveForBackward(y)
    return y
  }

  override backward(dy: Tensor): Tensor {
    const [y] = this.savedTensors
    return nd.multiply(dy, nd.multiply(y, nd.subtract(1, y)))
  }
}

/** Two inputs and two results, with a gradient that is wrong on purpose so that it is seen. */
class Twice extends autograd.Function<NDArray> {
  override forward(a: NDArray, b: NDArray): NDArray[] {
    return [a.add(b), a.mul(b)]
  }

  override backward(da: NDArray, db: NDArray): NDArray[] {
    return [da.mul(10), db.mul(100)]
  }
}

const values = (x: NDArray | null): number[] => Array.from(x!.asTypedArraySync(), Number)

describe('autograd.Function', () => {
  it('brings its own gradient', () => {
    const x = nd.array([0, 1, -2])
    x.attachGrad()
    const y = autograd.record(() => new Sigmoid()(x))
    y.backward()
    const s = [0, 1, -2].map((v) => 1 / (1 + Math.exp(-v)))
    values(y as NDArray).forEach((v, i) => expect(v).toBeCloseTo(s[i]!, 6))
    values(x.grad).forEach((g, i) => expect(g).toBeCloseTo(s[i]! * (1 - s[i]!), 6))
    expect(() => y.backward()).toThrow(/released/)
  })

  it('has several inputs and outputs, some of which nobody follows', () => {
    const [a, b] = [nd.array([1, 2]), nd.array([3, 4])]
    a.attachGrad()
    const total = autograd.record(() => {
      const [sum, product] = new Twice()(a, b)
      return nd.add(nd.sum(sum!), nd.sum(product!).mul(2))
    })
    total.backward()
    expect(values(a.grad)).toEqual([10, 10])
    b.attachGrad()
    const [sum] = autograd.record(() => new Twice()(a.mul(2), b))
    sum!.backward()
    expect(values(a.grad)).toEqual([20, 20])
    expect(values(b.grad)).toEqual([0, 0])
  })

  it('reads and computes as it likes in eager calls', () => {
    class Host extends autograd.Function<NDArray> {
      override forward(x: NDArray): NDArray {
        return nd.array(values(x).map((v) => v ** 3))
      }

      override backward(dy: NDArray): NDArray {
        return nd.array(values(dy).map((v) => 3 * v))
      }
    }
    const x = nd.array([2])
    x.attachGrad()
    autograd.record(() => nd.sum(new Host()(x).mul(2))).backward()
    expect(values(x.grad)).toEqual([6])
  })

  it('has derivatives of higher order where backward is made of operators', () => {
    const x = nd.array([0.3])
    x.attachGrad()
    const second = autograd.record(() => {
      const [g] = autograd.grad(new Sigmoid()(x), [x], { createGraph: true })
      return g!
    })
    expect(values(second)[0]).toBeCloseTo(0.2444583, 6)
  })

  it('is part of hybridized blocks', async () => {
    class Block extends gluon.HybridBlock {
      override forward(x: Tensor): Tensor {
        return nd.multiply(new Sigmoid()(nd.multiply(x, 2)), 3)
      }
    }
    const x = nd.array([0.1, -0.4])
    x.attachGrad()
    const net = new Block()
    const run = (): number[][] => {
      const y = autograd.record(() => net(x))
      y.backward()
      return [values(y), values(x.grad)]
    }
    const eager = run()
    net.hybridize()
    run().forEach((v, k) => v.forEach((e, i) => expect(e).toBeCloseTo(eager[k]![i]!, 6)))
  })

  it('uses its own gradient, not that of its operators, when hybridized', () => {
    class Odd extends autograd.Function {
      override forward(x: Tensor): Tensor {
        return nd.square(x)
      }

      override backward(dy: Tensor): Tensor {
        return nd.multiply(dy, 7)
      }
    }
    class Block extends gluon.HybridBlock {
      override forward(x: Tensor): Tensor {
        return new Odd()(x)
      }
    }
    const net = new Block()
    net.hybridize()
    const x = nd.array([3])
    x.attachGrad()
    const y = autograd.record(() => net(x))
    y.backward()
    expect([values(y), values(x.grad)]).toEqual([[9], [7]])
  })

  it('says what is wrong', () => {
    const x = nd.array([1])
    x.attachGrad()
    const f = new Sigmoid()
    f(x)
    expect(() => f(x)).toThrow(/\[Sigmoid\] the instance has been called already/)
    class Few extends autograd.Function<NDArray> {
      override forward(a: NDArray, b: NDArray): NDArray {
        return a.add(b)
      }

      override backward(dy: NDArray): NDArray {
        return dy
      }
    }
    const y = autograd.record(() => new Few()(x, x))
    expect(() => y.backward()).toThrow(/\[Few\] backward gives 1 gradients for 2 inputs/)
    class Reading extends gluon.HybridBlock {
      override forward(t: Tensor): Tensor {
        class Read extends autograd.Function<NDArray> {
          override forward(a: NDArray): NDArray {
            return nd.array([a.asScalarSync()])
          }

          override backward(dy: NDArray): NDArray {
            return dy
          }
        }
        return new Read()(t as NDArray)
      }
    }
    const net = new Reading()
    net.hybridize()
    expect(() => net(x)).toThrow(MXNetError)
  })
})

describe('autograd.checkpoint', () => {
  const build = (): gluon.nn.Sequential => {
    random.seed(4)
    const net = new gluon.nn.Sequential()
    net.add(new gluon.nn.Dense(8, { activation: 'tanh', inUnits: 3 }))
    net.add(new gluon.nn.Dropout(0.5))
    net.add(new gluon.nn.Dense(2, { inUnits: 8 }))
    net.initialize(new init.Xavier())
    return net
  }

  it('gives the gradients of inputs and parameters, and the same random numbers', () => {
    const run = (wrap: boolean): number[][] => {
      const net = build()
      const x = nd.array([
        [1, 2, 3],
        [0.5, 0, -1],
      ])
      x.attachGrad()
      random.seed(9)
      const part = wrap ? autograd.checkpoint((t: NDArray) => net(t)) : (t: NDArray) => net(t)
      const weight = [...net.collectParams().values()][0]!
      const loss = autograd.record(() =>
        nd.add(nd.sum(nd.square(part(x.mul(2)))), nd.sum(nd.square(weight.data()))),
      )
      loss.backward()
      const params = [...net.collectParams().values()]
      return [values(loss), values(x.grad), ...params.map((p) => values(p.grad()))]
    }
    const [plain, again] = [run(false), run(true)]
    again.forEach((v, k) => v.forEach((e, i) => expect(e).toBeCloseTo(plain[k]![i]!, 5)))
    expect(plain[2]!.some((g) => g !== 0)).toBe(true)
  })

  it('is used many times with the same parameters', () => {
    const w = nd.array([1.5])
    w.attachGrad()
    const f = autograd.checkpoint((x: NDArray) => x.mul(w).square())
    autograd.record(() => f(f(nd.array([2])))).backward()
    // y = w²(w²·4)² = 16 w⁶, dy/dw = 96 w⁵
    expect(values(w.grad)[0]).toBeCloseTo(96 * 1.5 ** 5, 2)
  })

  it('is the function itself where nothing is recorded', () => {
    const f = autograd.checkpoint((x: NDArray, y: NDArray) => [x.add(y), x.mul(y)])
    const [a, b] = f(nd.array([2]), nd.array([3]))
    expect([values(a!), values(b!)]).toEqual([[5], [6]])
    expect(a!.node).toBeNull()
  })

  it('refuses second derivatives', () => {
    const x = nd.array([1])
    x.attachGrad()
    const y = autograd.record(() => autograd.checkpoint((a: NDArray) => a.square())(x))
    expect(() => autograd.grad(y, [x], { createGraph: true })).toThrow(/\[checkpoint\]/)
  })
})

it('switches and marks by hand', () => {
  expect(autograd.setRecording(true)).toBe(false)
  expect(autograd.setTraining(true)).toBe(false)
  const [x, g] = [nd.array([3]), nd.zeros([1])]
  autograd.markVariables([x], [g], 'add')
  const y = x.square()
  expect([autograd.setRecording(false), autograd.setTraining(false)]).toEqual([true, true])
  y.backward(null, { retainGraph: true })
  y.backward()
  expect(values(g)).toEqual([12])
})
