// TensorFlow.js on WebAssembly (XNNPACK, one thread in Node).
import { createRequire } from 'node:module'
import { corners, numbers } from '../../build/bench/data.js'
import { serve } from '../../build/bench/serve.js'
import { mlp } from './tfjsMlp.mjs'

const require = createRequire(import.meta.url)
const tf = require('@tensorflow/tfjs')
require('@tensorflow/tfjs-backend-wasm')
await tf.setBackend('wasm')
await tf.ready()

function matmul(m, k, n) {
  const a = tf.tensor2d(numbers(m * k, 1, -1, 1), [m, k])
  const b = tf.tensor2d(numbers(k * n, 2, -1, 1), [k, n])
  return {
    check: () => tf.tidy(() => corners(tf.matMul(a, b).dataSync())),
    run: (reps) => {
      for (let i = 0; i < reps; i++) tf.matMul(a, b).dispose()
    },
  }
}

function add() {
  const step = tf.tensor1d(numbers(64, 3, 0, 1))
  const chain = (reps) => {
    let x = tf.tensor1d(numbers(64, 4, 0, 1))
    for (let i = 0; i < reps; i++) {
      const next = tf.add(x, step)
      x.dispose()
      x = next
    }
    return x
  }
  return {
    check: () => tf.tidy(() => corners(chain(10).dataSync())),
    run: (reps) => chain(reps).dispose(),
  }
}

function kernel(shape, body) {
  const x = tf.tensor(numbers(shape.reduce((n, d) => n * d, 1), 5, -1, 1), shape)
  return {
    check: () => tf.tidy(() => corners(body(x).dataSync())),
    run: (reps) => {
      for (let i = 0; i < reps; i++) tf.tidy(() => body(x)).dispose()
    },
  }
}

function chain(x) {
  const a = tf.maximum(x.mul(2).add(1), 0).mul(3).sub(1)
  return tf.maximum(tf.maximum(a, -1).add(0.5).mul(0.5), -2).add(1)
}

function normalize(x) {
  const centred = x.sub(tf.mean(x, -1, true))
  return centred.mul(tf.rsqrt(tf.mean(centred.square(), -1, true).add(1e-5)))
}

const table = [4096, 1024]

await serve(`TensorFlow.js ${tf.version_core}, wasm`, {
  mlp: () => mlp(tf),
  matmul64: () => matmul(64, 784, 64),
  matmul1024: () => matmul(1024, 1024, 1024),
  add64: add,
  chain: () => kernel([2 ** 24], chain),
  softmax: () => kernel(table, (x) => tf.softmax(x, -1)),
  layerNorm: () => kernel(table, normalize),
  sumRows: () => kernel(table, (x) => tf.sum(x, 1)),
  sumColumns: () => kernel(table, (x) => tf.sum(x, 0)),
})
