/** Gradients across devices: a copy to another context hands its gradient back. */

import { autograd, Context, nd } from 'mxnet-ts'
import { expect, it } from 'vitest'

it.each(['cpu', 'wasm'] as const)('flow back from reference to %s', async (type) => {
  const [here, there] = [new Context(type, 0), new Context('reference', 0)]
  const x = nd.array([1, 2, 3], { ctx: here })
  x.attachGrad()
  const y = autograd.record(() => {
    const moved = x.asInContext(there)
    return moved.mul(moved).sum().asInContext(here).add(x.mul(5).sum())
  })
  expect(y.context).toBe(here)
  y.backward()
  expect(x.grad!.context).toBe(here)
  expect(await x.grad!.asArray()).toEqual([7, 9, 11])
})

it('add up from several devices', async () => {
  const contexts = (['cpu', 'wasm', 'reference'] as const).map((t) => new Context(t, 0))
  const x = nd.array([2])
  x.attachGrad()
  const losses = autograd.record(() => contexts.map((ctx, i) => x.asInContext(ctx).pow(i + 1)))
  autograd.backward(losses)
  // 1 + 2x + 3x²
  expect(await x.grad!.asArray()).toEqual([17])
})
