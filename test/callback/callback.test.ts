/** Callbacks: what is reported when, in MXNet's words. */

import { callback, MXNetError, metric, nd } from 'mxnet-ts'
import { expect, it } from 'vitest'

it('a speedometer reports every so many batches and starts the metric anew', async () => {
  const lines: string[] = []
  const acc = new metric.Accuracy()
  const speedometer = new callback.Speedometer(10, { frequent: 2, log: (line) => lines.push(line) })
  for (let nbatch = 0; nbatch <= 4; nbatch++) {
    acc.update(nd.array([1, 1]), nd.array([nbatch === 4 ? 0 : 1, 1]))
    await speedometer.call({ epoch: 3, nbatch, evalMetric: acc })
  }
  expect(lines).toHaveLength(2)
  expect(lines[0]).toMatch(
    /^Epoch\[3\] Batch \[0-2\]\tSpeed: \d+\.\d\d samples\/sec\taccuracy=1\.000000$/,
  )
  expect(lines[1]).toMatch(/^Epoch\[3\] Batch \[2-4\]\t.*\taccuracy=0\.750000$/)
  expect((await acc.getGlobal())[1]).toBe(0.9)
  const whole: string[] = []
  const other = new callback.Speedometer(1, {
    frequent: 1,
    autoReset: false,
    log: (line) => whole.push(line),
  })
  await other.call({ epoch: 0, nbatch: 5 })
  await other.call({ epoch: 0, nbatch: 6, evalMetric: acc })
  // A new epoch starts the clock anew.
  await other.call({ epoch: 1, nbatch: 0 })
  await other.call({ epoch: 1, nbatch: 1 })
  expect(whole).toHaveLength(2)
  expect(whole[0]).toMatch(/^Epoch\[0\] Batch \[0-6\]\t/)
  expect(whole[1]).toMatch(/^Iter\[1\] Batch \[1\]\tSpeed: /)
  expect(() => new callback.Speedometer(1, { frequent: 0 })).toThrow(MXNetError)
})

it('metrics are logged while training and after validation', async () => {
  const lines: string[] = []
  const log = (line: string): number => lines.push(line)
  const both = metric.create(['acc', new metric.Loss()])
  both.update(nd.array([1]), nd.array([1]))
  const train = callback.logTrainMetric(2, { autoReset: true, log })
  await train({ epoch: 0, nbatch: 1, evalMetric: both })
  await train({ epoch: 0, nbatch: 2, evalMetric: both })
  await new callback.LogValidationMetricsCallback({ log }).call({ epoch: 4, evalMetric: both })
  expect(lines).toEqual([
    'Iter[0] Batch[2] Train-accuracy=1.000000',
    'Iter[0] Batch[2] Train-loss=1.000000',
    'Epoch[4] Validation-accuracy=nan',
    'Epoch[4] Validation-loss=nan',
  ])
})

it('a network is exported every so many epochs', async () => {
  const saved: string[] = []
  const net = { export: (path: string, epoch = 0) => void saved.push(`${path} ${epoch}`) }
  const save = callback.doCheckpoint(net, 'model', 2)
  for (let epoch = 0; epoch < 5; epoch++) await save(epoch)
  expect(saved).toEqual(['model 2', 'model 4'])
  expect(() => callback.doCheckpoint(net, 'model', 0)).toThrow(/\[doCheckpoint\]/)
})
