/** Gradients on the tape: requests, heads, releases, and writing while recording. */

import { describe, expect, it } from 'vitest'
import { attachGrad, backward, grad, markVariables, record } from '../../src/autograd/index.ts'
import { gradIsFresh } from '../../src/autograd/tape.ts'
import { MXNetError } from '../../src/base/error.ts'
import { array, ones, zeros } from '../../src/ndarray/creation.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import { seed } from '../../src/ndarray/random.ts'
import * as nd from '../../src/ops/index.ts'
import '../cases/devices.ts'

const variable = (values: number | readonly number[]): NDArray => {
  const x = array(values as number[])
  x.attachGrad()
  return x
}
const of = (x: NDArray | null): unknown => x?.asArraySync()

describe('gradReq', () => {
  it('writes', () => {
    const x = variable([1, 2])
    expect(of(x.grad)).toEqual([0, 0])
    for (let i = 0; i < 2; i++) record(() => x.mul(x)).backward()
    expect(of(x.grad)).toEqual([2, 4])
  })

  it('adds', () => {
    const x = array([1, 2])
    x.attachGrad('add')
    for (let i = 0; i < 3; i++) record(() => x.mul(x)).backward()
    expect(of(x.grad)).toEqual([6, 12])
    x.grad!.assign(0)
    record(() => x.mul(5)).backward()
    expect(of(x.grad)).toEqual([5, 5])
  })

  it('null leaves the array out', () => {
    const [x, y] = [array([1, 2]), variable([3, 4])]
    x.attachGrad('null')
    expect(x.grad).toBeNull()
    record(() => x.mul(y)).backward()
    expect(of(y.grad)).toEqual([1, 2])
    expect(x.grad).toBeNull()
  })

  it('of another name is an error', () => {
    expect(() => attachGrad(array([1]), 'sum' as never)).toThrow(/^\[attachGrad\]/)
  })

  it('keeps the buffer a user holds', () => {
    const x = variable([1, 2])
    const held = x.grad!
    record(() => x.mul(3)).backward()
    expect(x.grad).toBe(held)
    expect(of(held)).toEqual([3, 3])
  })

  it('writes zeros where nothing flows', () => {
    const x = variable([1, 2])
    record(() => x.mul(3)).backward()
    record(() => nd.floor(x)).backward()
    expect(of(x.grad)).toEqual([0, 0])
  })

  it('shares no memory between gradients of one value', () => {
    const [x, y] = [variable([1, 2]), variable([3, 4])]
    record(() => x.add(y)).backward()
    x.grad!.assign(9)
    expect(of(y.grad)).toEqual([1, 1])
    const g = array([5, 6])
    const z = variable([1, 1])
    record(() => z.reshape([2])).backward(g)
    z.grad!.assign(0)
    expect(of(g)).toEqual([5, 6])
  })

  it('marks variables with given buffers', () => {
    const [x, g] = [array([2]), zeros([1])]
    markVariables([x], [g])
    record(() => x.mul(x)).backward()
    expect(of(g)).toEqual([4])
    expect(() => markVariables([x], [])).toThrow(/^\[markVariables\]/)
  })

  it('tells fresh gradients', () => {
    const x = variable([1])
    expect(gradIsFresh(x)).toBe(false)
    record(() => x.mul(2)).backward()
    expect(gradIsFresh(x, true)).toBe(true)
    expect(gradIsFresh(x)).toBe(false)
  })
})

describe('heads', () => {
  it('take gradients', () => {
    const x = variable([1, 2])
    record(() => x.mul(3)).backward(array([10, 100]))
    expect(of(x.grad)).toEqual([30, 300])
  })

  it('refuse gradients of another shape', () => {
    const x = variable([1, 2])
    const y = record(() => x.mul(3))
    expect(() => y.backward(ones([3]))).toThrow(/^\[backward\] .*\(3,\).*\(2,\)/)
  })

  it('add up', () => {
    const x = variable([1, 2])
    const [y, z] = record(() => [x.mul(x), x.mul(5)] as const)
    backward([y, z], [null, array([1, 2])])
    expect(of(x.grad)).toEqual([2 + 5, 4 + 10])
  })

  it('may lie behind each other', () => {
    const x = variable([3])
    const [y, z] = record(() => {
      const y = x.mul(x)
      return [y, y.mul(y)] as const
    })
    backward([y, z])
    expect(of(x.grad)).toEqual([2 * 3 + 4 * 27])
  })

  it('may be variables', () => {
    const x = variable([3])
    backward([x], [array([7])])
    expect(of(x.grad)).toEqual([7])
  })

  it('need a history', () => {
    expect(() => array([1]).backward()).toThrow(/^\[backward\] .*not part of a recorded/)
    expect(() => grad(array([1]), [array([1])])).toThrow(/^\[grad\]/)
  })

  it('meet shared subexpressions once for each use', () => {
    const x = variable([2])
    const y = record(() => {
      const s = x.mul(x)
      const t = s.add(s)
      return t.mul(s).add(x)
    })
    y.backward()
    expect(of(x.grad)).toEqual([8 * 8 + 1])
  })

  it('pass through many results of one operator', () => {
    const x = variable([1, 2, 3, 4])
    const y = record(() => {
      const [a, , c, d] = nd.split(x, { numOutputs: 4, axis: 0 }) as [
        NDArray,
        NDArray,
        NDArray,
        NDArray,
      ]
      return a.mul(c).add(d.mul(10))
    })
    y.backward()
    expect(of(x.grad)).toEqual([3, 0, 1, 10])
  })

  it('pass through a long chain', () => {
    const x = variable([1])
    const y = record(() => {
      let h = x.mul(1)
      for (let i = 0; i < 3000; i++) h = h.add(x)
      return h
    })
    y.backward()
    expect(of(x.grad)).toEqual([3001])
  })
})

describe('the recorded graph', () => {
  it('is released by backward', () => {
    const x = variable([2])
    const y = record(() => x.mul(x).mul(x))
    y.backward()
    expect(() => y.backward()).toThrow(/^\[backward\] .*retainGraph/)
  })

  it('is kept on request', () => {
    const x = variable([2])
    const y = record(() => x.mul(x).mul(x))
    y.backward(null, { retainGraph: true })
    y.backward(array([2]))
    expect(of(x.grad)).toEqual([24])
  })

  it('is released by grad too, and says so', () => {
    const x = variable([2])
    const y = record(() => x.mul(x))
    expect(of(grad(y, [x])[0]!)).toEqual([4])
    expect(() => grad(y, [x])).toThrow(/^\[grad\] .*retainGraph/)
    expect(of(x.grad)).toEqual([0])
  })

  it('refuses variables that are not behind the heads', () => {
    const [x, y] = [variable([1]), variable([2])]
    const z = record(() => x.mul(2))
    expect(() => grad(z, [y])).toThrow(/^\[grad\] variable 0/)
    expect(() => grad(z, [array([1])])).toThrow(MXNetError)
  })

  it('gives gradients of intermediates', () => {
    const x = variable([3])
    const [y, z] = record(() => {
      const y = x.mul(x)
      return [y, y.mul(y)] as const
    })
    expect(of(grad(z, [y])[0]!)).toEqual([18])
  })

  it('ends where a gradient is attached', () => {
    const x = variable([3])
    const z = record(() => {
      const y = x.mul(x)
      y.attachGrad()
      const z = y.mul(y)
      z.backward()
      expect(of(y.grad)).toEqual([18])
      return z
    })
    expect(of(z)).toEqual([81])
    expect(of(x.grad)).toEqual([0])
  })

  it('ends at detach and blockGrad', () => {
    const x = variable([3])
    record(() => x.detach().mul(x)).backward()
    expect(of(x.grad)).toEqual([3])
    record(() => nd.blockGrad(x.mul(x)).mul(x)).backward()
    expect(of(x.grad)).toEqual([9])
    expect(record(() => x.mul(2).detach()).node).toBeNull()
  })

  it('takes make_loss as a head of ones', () => {
    const x = variable([3])
    record(() => nd.makeLoss(x.mul(x)).mul(100)).backward()
    expect(of(x.grad)).toEqual([6])
  })

  it('follows views taken while recording', () => {
    const x = variable([1, 2, 3, 4, 5, 6])
    record(() =>
      x
        .reshape([2, 3])
        .at(1, '::-2')
        .mul(array([10, 20])),
    ).backward()
    expect(of(x.grad)).toEqual([0, 0, 0, 20, 0, 10])
  })

  it('adds up gathered duplicates', () => {
    const x = variable([1, 2, 3])
    record(() => nd.take(x, array([0, 2, 0, 0]))).backward()
    expect(of(x.grad)).toEqual([3, 0, 1])
  })
})

describe('writing', () => {
  it('into a followed array while recording is an error', () => {
    const x = variable([1, 2])
    record(() => {
      const y = x.mul(2)
      for (const write of [
        () => y.addAssign(1),
        () => y.mulAssign(2),
        () => y.set(0, 0),
        () => y.assign(0),
        () => x.set(5, 0),
        () => nd.zerosLike(y).copyTo(y),
      ]) {
        expect(write).toThrow(/^\[\w+\] .*record/)
      }
      const free = array([1])
      free.addAssign(1)
      expect(of(free)).toEqual([2])
    })
    expect(of(x)).toEqual([1, 2])
  })

  it('to a saved input afterwards does not change gradients', () => {
    const [x, y] = [variable([1, 2]), variable([3, 4])]
    const z = record(() => x.mul(y))
    x.assign(100)
    y.set(-1, 0)
    z.backward()
    expect([of(x.grad), of(y.grad)]).toEqual([
      [3, 4],
      [1, 2],
    ])
    expect([of(x), of(y)]).toEqual([
      [100, 100],
      [-1, 4],
    ])
  })

  it('to a saved output afterwards does not change gradients', () => {
    const x = variable([0, 1])
    const y = record(() => nd.exp(x))
    const z = record(() => y.mul(1))
    y.detach().assign(0)
    y.mulAssign(0)
    z.backward()
    expect((of(x.grad) as number[])[1]).toBeCloseTo(Math.E, 5)
  })

  it('through a detached handle does not change the array', () => {
    const x = variable([1, 2])
    x.detach().assign(5)
    expect(of(x)).toEqual([1, 2])
  })

  it('in place keeps a variable a variable', () => {
    const x = variable([1, 2])
    record(() => x.mul(x)).backward()
    x.subAssign(x.grad!)
    record(() => x.mul(x)).backward()
    expect(of(x.grad)).toEqual([-2, -4])
  })
})

describe('dropout', () => {
  it('uses one mask forwards and backwards', () => {
    seed(3)
    const x = variable(Array.from({ length: 200 }, (_, i) => i + 1))
    const y = record(() => nd.dropout(x, { p: 0.4 }))
    y.backward()
    const [out, slope] = [y.asTypedArraySync(), x.grad!.asTypedArraySync()]
    let dropped = 0
    out.forEach((v, i) => {
      expect(Number(slope[i])).toBeCloseTo(Number(v) / (i + 1), 5)
      if (Number(v) === 0) dropped++
    })
    expect(dropped).toBeGreaterThan(40)
    expect(dropped).toBeLessThan(120)
  })

  it('does nothing in predict mode', () => {
    const x = variable([1, 2, 3])
    expect(of(nd.dropout(x))).toEqual([1, 2, 3])
    expect(of(record(() => nd.dropout(x), { trainMode: false }))).toEqual([1, 2, 3])
  })
})
