/** A small network and its data for tests on several devices. */

import { type Context, gluon, type NDArray, nd } from 'mxnet-ts'

/** Numbers from -1 to 1, always the same. */
export function numbers(count: number, seed: number): Float32Array {
  let state = seed * 2654435761
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2147483648 - 1
  })
}

/** A network of two layers with given weights on some contexts. */
export function makeNet(ctx: readonly Context[], hybridize = false): gluon.nn.HybridSequential {
  const net = new gluon.nn.HybridSequential()
  net.add(new gluon.nn.Dense(16, { activation: 'relu', inUnits: 8 }))
  net.add(new gluon.nn.Dense(4, { inUnits: 16 }))
  net.initialize(undefined, { ctx: [...ctx] })
  let seed = 1
  for (const p of net.collectParams().values()) {
    const shape = p.shape as number[]
    const size = shape.reduce((a, b) => a * b, 1)
    p.setData(nd.array(numbers(size, seed++)).mul(0.3).reshape(shape))
  }
  if (hybridize) net.hybridize()
  return net
}

/** Step `step`'s batch on the CPU: data and labels. */
export function batch(step: number, size: number): [NDArray, NDArray] {
  const x = nd.array(numbers(size * 8, 100 + step)).reshape([size, 8])
  const y = nd.array(numbers(size, 5000 + step).map((v) => Math.floor((v + 1) * 2)))
  return [x, y]
}
