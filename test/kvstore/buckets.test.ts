/** Sums of gradients that begin while backward is still at work on earlier layers. */

import { autograd, type Context, cpu, gluon, nd } from 'mxnet-ts'
import { afterEach, describe, expect, it } from 'vitest'
import { frame } from '../../src/core/frame.ts'

const { nn, Trainer } = gluon
const two = [cpu(0), cpu(1)]
/** A weight of so many rows and columns has a bucket of its own. */
const wide = 1024

function network(ctx: readonly Context[], units = [wide, wide, 1]): gluon.nn.Sequential {
  const net = new nn.Sequential()
  for (const [i, n] of units.entries())
    net.add(new nn.Dense(n, { inUnits: units[i - 1] ?? wide, useBias: false }))
  net.initialize({ init: 'ones', ctx: [...ctx] })
  return net
}

function backward(net: gluon.nn.Sequential, ctx: Context, value: number): void {
  const x = nd.ones([2, wide], { ctx }).mul(value)
  autograd.record(() => net(x)).backward()
}

const weightsOf = (net: gluon.nn.Sequential): gluon.Parameter[] => [...net.collectParams().values()]
const first = (p: gluon.Parameter) => p.listData().map((w) => w.reshape([-1]).at(0).asScalarSync())
const grads = (p: gluon.Parameter) => p.listGrad().map((g) => g.reshape([-1]).at(0).asScalarSync())

describe('gradients of several contexts', () => {
  afterEach(() => {
    frame.probe = null
  })

  it('are added up while backward is at work on earlier layers', () => {
    const net = network(two)
    const options = { updateOnKvstore: false }
    const trainer = new Trainer(net.collectParams(), 'sgd', { learningRate: 0 }, options)
    for (const ctx of two) backward(net, ctx, 1)
    trainer.step(1)
    backward(net, cpu(0), 1)
    const ran: string[] = []
    frame.probe = (kind, name) => {
      if (kind === 'operator') ran.push(name)
    }
    backward(net, cpu(1), 1)
    const beforehand = [...ran]
    trainer.allreduceGrads()
    const isSum = (name: string): boolean => name === 'add_n'
    // Between the sums of the last and of the first layer come the gradients of the first.
    expect(beforehand.filter(isSum).length).toBe(3)
    const between = beforehand.slice(beforehand.indexOf('add_n'), beforehand.lastIndexOf('add_n'))
    expect(between.some((name) => name.includes('FullyConnected'))).toBe(true)
    // Nothing was left to be added.
    expect(ran.filter(isSum).length).toBe(3)
    for (const p of weightsOf(net)) expect(grads(p)[0]).toBe(grads(p)[1])
    expect(grads(weightsOf(net)[2]!)).toEqual([4 * wide * wide, 4 * wide * wide])
  })

  /** The last weight after a step in which something happens between backward and the update. */
  function stepped(ctx: readonly Context[], between: (net: gluon.nn.Sequential) => void): number[] {
    const net = network(ctx, [4, 1])
    const options = { updateOnKvstore: false }
    const trainer = new Trainer(net.collectParams(), 'sgd', { learningRate: 1e-4 }, options)
    const run = (): void => {
      ctx.forEach((c, i) => {
        backward(net, c, i + 1)
      })
    }
    run()
    trainer.step(1)
    run()
    between(net)
    trainer.step(1, { ignoreStaleGrad: true })
    return weightsOf(net).flatMap(first)
  }

  it('count as they are when the step is made, whoever has written to them', () => {
    const plain = stepped(two, () => {})
    const halved = stepped(two, (net) => {
      for (const p of weightsOf(net)) for (const g of p.listGrad()) g.mulAssign(0.5)
    })
    const cleared = stepped(two, (net) => {
      for (const p of weightsOf(net)) p.listGrad()[1]!.assign(0)
    })
    const only = stepped(two, (net) => backward(net, cpu(1), 0))
    const again = stepped(two, (net) => {
      for (const [i, ctx] of two.entries()) backward(net, ctx, i + 1)
    })
    expect(again).toEqual(plain)
    expect(halved).not.toEqual(plain)
    expect(cleared).toEqual(only)
    const start = stepped(two, (net) => {
      for (const p of weightsOf(net)) p.zeroGrad()
    })
    plain.forEach((w, i) => {
      expect(start[i]! - halved[i]!).toBeCloseTo((start[i]! - w) / 2, 4)
    })
  })

  it('are heard of again after the parameters have moved, and not where they are added to', () => {
    const net = network(two, [4, 1])
    const options = { updateOnKvstore: false }
    const trainer = new Trainer(net.collectParams(), 'sgd', { learningRate: 0 }, options)
    const sums = (): number => {
      let count = 0
      frame.probe = (kind, name) => {
        if (kind === 'operator' && name === 'add_n') count++
      }
      for (const ctx of two) backward(net, ctx, 1)
      frame.probe = null
      trainer.step(1)
      return count
    }
    expect(sums()).toBe(0)
    expect(sums()).toBe(2)
    net.collectParams().resetCtx(two)
    sums()
    expect(sums()).toBe(2)
    for (const p of weightsOf(net)) p.gradReq = 'add'
    sums()
    expect(sums()).toBe(0)
  })
})
