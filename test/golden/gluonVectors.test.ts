/** Numbers recorded from MXNet 1.9.1: losses with their gradients, and five steps of each optimizer that is here. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { backward, record } from '../../src/autograd/index.ts'
import type { DType } from '../../src/base/dtype.ts'
import * as losses from '../../src/gluon/loss.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import * as optimizers from '../../src/optimizer/index.ts'
import { Updater } from '../../src/optimizer/updater.ts'
import { backends } from '../cases/devices.ts'
import { put, take } from '../cases/runner.ts'

interface Recorded {
  readonly name?: string
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly data: readonly number[]
}
interface GluonCase {
  readonly id: string
  readonly kind: string
  readonly class: string
  readonly params: { readonly [name: string]: unknown }
  readonly lr_scheduler?: unknown
  readonly inputs?: readonly Recorded[]
  readonly outputs?: readonly Recorded[]
  readonly head_grads?: readonly Recorded[]
  readonly grads?: readonly (Recorded | null)[]
  readonly weights?: readonly Recorded[]
  readonly steps?: readonly {
    readonly grads: readonly Recorded[]
    readonly weights: readonly Recorded[]
  }[]
}

const file = fileURLToPath(new URL('./mxnet-vectors/gluon.jsonl', import.meta.url))
const cases = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as GluonCase)

const options = (params: GluonCase['params']): { [name: string]: unknown } =>
  Object.fromEntries(
    Object.entries(params).map(([name, v]) => [
      name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase()),
      v,
    ]),
  )

function expectNear(got: NDArray, want: Recorded, what: string): void {
  const { shape, data } = take(got)
  expect(shape, `${what}: shape`).toEqual(want.shape)
  const largest = want.data.reduce((m, w) => Math.max(m, Math.abs(w)), 1e-3)
  want.data.forEach((w, i) => {
    if (!(Math.abs(data[i]! - w) <= 2e-5 * largest))
      expect.fail(`${what}: element ${i} is ${data[i]}, MXNet has ${w}`)
  })
}

type LossMaker = new (o: unknown) => (...inputs: (NDArray | undefined)[]) => NDArray
const lossClasses = losses as unknown as { readonly [name: string]: LossMaker | undefined }
/** The arguments of a loss in order. */
const argumentsOf = (name: string): readonly string[] =>
  name === 'SigmoidBinaryCrossEntropyLoss'
    ? ['pred', 'label', 'sample_weight', 'pos_weight']
    : ['pred', 'label', 'sample_weight']

const lossCases = cases.filter((c) => c.kind === 'loss' && lossClasses[c.class] !== undefined)
const known = ['sgd', 'adam']
const stepCases = cases.filter(
  (c) =>
    c.kind === 'optimizer' &&
    known.includes(c.class) &&
    c.lr_scheduler === undefined &&
    c.params.multi_precision !== true,
)

describe("MXNet's recorded Gluon", () => {
  for (const { context, skip } of backends) {
    const why = skip === null ? '' : ` (skipped: ${skip})`
    describe.skipIf(skip !== null)(`on ${context}${why}`, () => {
      const make = (x: Recorded): NDArray =>
        put({ shape: x.shape, data: x.data.map(Number) }, x.dtype, context)

      it.each(lossCases.map((c) => [c.id, c] as const))('%s', (_id, c) => {
        const loss = new lossClasses[c.class]!(options(c.params))
        const arrays = new Map(c.inputs!.map((x) => [x.name!, make(x)]))
        c.inputs!.forEach((x, i) => {
          if (c.grads![i]) arrays.get(x.name!)!.attachGrad()
        })
        const out = record(() => loss(...argumentsOf(c.class).map((name) => arrays.get(name))))
        expectNear(out, c.outputs![0]!, `${c.id}: loss`)
        backward(out, make(c.head_grads![0]!))
        c.inputs!.forEach((x, i) => {
          const want = c.grads![i]
          if (want) expectNear(arrays.get(x.name!)!.grad!, want, `${c.id}: gradient of ${x.name}`)
        })
      })

      it.each(stepCases.map((c) => [c.id, c] as const))('%s', (_id, c) => {
        const updater = new Updater(optimizers.create(c.class, options(c.params)))
        const weights = c.weights!.map(make)
        c.steps!.forEach((step, n) => {
          weights.forEach((w, i) => {
            updater.updateAll([i], [make(step.grads[i]!)], [w])
          })
          weights.forEach((w, i) => {
            expectNear(w, step.weights[i]!, `${c.id}: weight ${i} after step ${n}`)
          })
        })
      })
    })
  }
})
