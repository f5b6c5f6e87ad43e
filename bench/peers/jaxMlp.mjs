// jax-js' training step of the MLP, on the device that is its default; `compile` is its jit or nothing;
// `waits` says whether it is waited for after each step.
import { nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax'
import { checkSteps, labels, numbers, transpose, weights } from '../../build/bench/data.js'

export function mlp(compile, waits = true) {
  const layer = (out, inputs, seed) => ({
    w: np.array(transpose(weights(out, inputs, seed), out)).reshape([inputs, out]),
    b: np.zeros([out]),
  })
  const begin = () => [layer(64, 784, 11), layer(64, 64, 12), layer(10, 64, 13)]
  const x = np.array(numbers(64 * 784, 14, 0, 1)).reshape([64, 784])
  const y = nn.oneHot(np.array(labels(64, 15), { dtype: np.int32 }), 10)
  const loss = (layers, data, target) => {
    const [one, two, three] = layers
    const h1 = nn.relu(np.matmul(data, one.w).add(one.b))
    const h2 = nn.relu(np.matmul(h1, two.w).add(two.b))
    const out = np.matmul(h2, three.w).add(three.b)
    return nn.logSoftmax(out, -1).mul(target).sum(-1).mean().neg()
  }
  const step = compile((layers, data, target) => {
    const [value, gradient] = valueAndGrad(loss)(tree.ref(layers), data, target)
    return [tree.map((p, g) => p.sub(g.mul(0.01)), layers, gradient), value]
  })
  let layers = begin()
  const once = () => {
    const [next, value] = step(layers, x.ref, y.ref)
    layers = next
    return value
  }
  return {
    check: async () => {
      tree.dispose(layers)
      layers = begin()
      const losses = []
      for (let i = 0; i < checkSteps; i++) losses.push((await once().data())[0])
      return [losses[0], losses.at(-1)]
    },
    run: async (reps) => {
      for (let i = 0; i < reps; i++) {
        const value = once()
        // Without this eager work piles up unevaluated.
        if (waits) await value.blockUntilReady()
        value.dispose()
      }
      for (const { w, b } of layers) await Promise.all([w.blockUntilReady(), b.blockUntilReady()])
    },
  }
}
