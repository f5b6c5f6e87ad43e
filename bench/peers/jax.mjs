// jax-js on WebAssembly: argument `jit` compiles the whole step, argument `eager` compiles nothing.
import { defaultDevice, init, jit, nn, numpy as np } from '@jax-js/jax'
import { corners, numbers } from '../../build/bench/data.js'
import { serve } from '../../build/bench/serve.js'
import { mlp } from './jaxMlp.mjs'

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
  mlp: () => mlp(compile),
  matmul64: () => matmul(64, 784, 64),
  matmul1024: () => matmul(1024, 1024, 1024),
  add64: add,
  chain: () => kernel([2 ** 24], chain),
  softmax: () => kernel(table, (x) => nn.softmax(x, -1)),
  layerNorm: () => kernel(table, normalize),
  sumRows: () => kernel(table, (x) => np.sum(x, 1)),
  sumColumns: () => kernel(table, (x) => np.sum(x, 0)),
})
