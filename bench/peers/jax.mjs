// jax-js on WebAssembly: argument `jit` compiles the whole step, argument `eager` compiles nothing.
import { defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax'
import { checkSteps, corners, labels, numbers, serve, transpose, weights } from '../../build/bench/serve.js'

await init('wasm')
defaultDevice('wasm')
const compile = process.argv[2] === 'jit' ? jit : (f) => f

function matmul(m, k, n) {
  const a = np.array(numbers(m * k, 1, -1, 1)).reshape([m, k])
  const b = np.array(numbers(k * n, 2, -1, 1)).reshape([k, n])
  const product = compile((x, y) => np.matmul(x, y))
  return {
    check: async () => corners(await product(a.ref, b.ref).data()),
    run: async (reps) => {
      for (let i = 0; i < reps; i++) {
        const c = product(a.ref, b.ref)
        await c.blockUntilReady()
        c.dispose()
      }
    },
  }
}

function add() {
  const step = np.array(numbers(64, 3, 0, 1))
  const plus = compile((x, y) => x.add(y))
  const chain = async (reps) => {
    let x = np.array(numbers(64, 4, 0, 1))
    for (let i = 0; i < reps; i++) {
      x = plus(x, step.ref)
      // Its better side: waiting at the end alone takes 1.6 (eager) to 3 (jit) times as long.
      await x.blockUntilReady()
    }
    return x
  }
  return {
    check: async () => corners(await (await chain(10)).data()),
    run: async (reps) => {
      const x = await chain(reps)
      x.dispose()
    },
  }
}

function mlp() {
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
        await value.blockUntilReady()
        value.dispose()
      }
      for (const { w, b } of layers) await Promise.all([w.blockUntilReady(), b.blockUntilReady()])
    },
  }
}

/** Ours take a whole turn at once; jax-js is waited for each time, its better side. */
function kernel(shape, body) {
  const x = np.array(numbers(shape.reduce((n, d) => n * d, 1), 5, -1, 1)).reshape(shape)
  const compiled = compile(body)
  return {
    check: async () => corners(await compiled(x.ref).data()),
    run: async (reps) => {
      for (let i = 0; i < reps; i++) {
        const y = compiled(x.ref)
        await y.blockUntilReady()
        y.dispose()
      }
    },
  }
}

function chain(x) {
  const a = np.maximum(x.mul(2).add(1), 0).mul(3).sub(1)
  return np.maximum(np.maximum(a, -1).add(0.5).mul(0.5), -2).add(1)
}

function normalize(x) {
  const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }))
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true })
  return centred.div(np.sqrt(variance.add(1e-5)))
}

const table = [4096, 1024]

await serve('jax-js 0.1.25, wasm, ' + process.argv[2], {
  mlp,
  matmul64: () => matmul(64, 784, 64),
  matmul1024: () => matmul(1024, 1024, 1024),
  add64: add,
  chain: () => kernel([2 ** 24], chain),
  softmax: () => kernel(table, (x) => nn.softmax(x, -1)),
  layerNorm: () => kernel(table, normalize),
  sumRows: () => kernel(table, (x) => np.sum(x, 1)),
  sumColumns: () => kernel(table, (x) => np.sum(x, 0)),
})
