// TensorFlow.js' training step of the MLP, on its current backend.
import { checkSteps, labels, numbers, transpose, weights } from '../../build/bench/data.js'

export function mlp(tf) {
  const variable = (out, inputs, seed) =>
    tf.variable(tf.tensor2d(transpose(weights(out, inputs, seed), out), [inputs, out]))
  const first = [variable(64, 784, 11), variable(64, 64, 12), variable(10, 64, 13)]
  const ws = first.map((w) => tf.variable(w))
  const bs = [64, 64, 10].map((n) => tf.variable(tf.zeros([n])))
  const x = tf.tensor2d(numbers(64 * 784, 14, 0, 1), [64, 784])
  const y = tf.cast(tf.oneHot(tf.tensor1d(labels(64, 15), 'int32'), 10), 'float32')
  const optimizer = tf.train.sgd(0.01)
  const once = () =>
    optimizer.minimize(() => {
      const h1 = tf.relu(tf.add(tf.matMul(x, ws[0]), bs[0]))
      const h2 = tf.relu(tf.add(tf.matMul(h1, ws[1]), bs[1]))
      const out = tf.add(tf.matMul(h2, ws[2]), bs[2])
      return tf.losses.softmaxCrossEntropy(y, out)
    }, true, [...ws, ...bs])
  return {
    check: async () => {
      ws.forEach((w, i) => {
        w.assign(first[i])
      })
      bs.forEach((b, i) => {
        b.assign(tf.zeros([[64, 64, 10][i]]))
      })
      const losses = []
      for (let i = 0; i < checkSteps; i++) losses.push((await once().data())[0])
      return [losses[0], losses.at(-1)]
    },
    run: async (reps) => {
      for (let i = 0; i < reps; i++) once().dispose()
      // A GPU may still be at it.
      await bs[2].data()
    },
  }
}
