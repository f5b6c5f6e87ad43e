/** Numbers recorded from MXNet 1.9.1: losses, optimizers, schedules, initializers and metrics. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { backward, record } from '../../src/autograd/index.ts'
import type { DType } from '../../src/base/dtype.ts'
import type { HybridBlock } from '../../src/gluon/block.ts'
import * as losses from '../../src/gluon/loss/index.ts'
import * as initializers from '../../src/initializer/index.ts'
import * as schedulers from '../../src/lrScheduler/index.ts'
import * as metrics from '../../src/metric/index.ts'
import { zeros } from '../../src/ndarray/creation.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import * as optimizers from '../../src/optimizer/index.ts'
import { Updater } from '../../src/optimizer/updater.ts'
import { backends } from '../cases/devices.ts'
import { put, take } from '../cases/runner.ts'
import { deliberate } from './differences.ts'

interface Recorded {
  readonly name?: string
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly data: readonly number[]
}
type Params = { readonly [name: string]: unknown }
interface Result {
  readonly name: string | readonly string[]
  readonly value: number | 'nan' | readonly number[]
  readonly global?: number | 'nan' | readonly number[]
}
interface GluonCase {
  readonly id: string
  readonly kind: string
  readonly class: string
  readonly params: Params
  readonly note?: string
  readonly lr_scheduler?: { readonly class: string; readonly params: Params }
  readonly inputs?: readonly Recorded[]
  readonly outputs?: readonly Recorded[]
  readonly head_grads?: readonly Recorded[]
  readonly grads?: readonly (Recorded | null)[]
  readonly weights?: readonly Recorded[]
  readonly steps?: readonly {
    readonly grads: readonly Recorded[]
    readonly weights: readonly Recorded[]
  }[]
  readonly num_update?: readonly number[]
  readonly values?: readonly number[]
  readonly name?: string
  readonly shape?: readonly number[]
  readonly distribution?: {
    readonly distribution: string
    readonly low: number
    readonly high: number
    readonly mean: number
    readonly sd: number
  }
  readonly gram_diagonal?: number
  readonly dumps?: string
  readonly updates?: readonly {
    readonly labels: readonly Recorded[]
    readonly preds: readonly Recorded[]
  }[]
  readonly results?: readonly Result[]
  readonly after_reset?: unknown
}

const file = fileURLToPath(new URL('./mxnet-vectors/gluon.jsonl', import.meta.url))
const cases = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as GluonCase)
  .filter((c) => !(c.id in deliberate))
const ofKind = (kind: string): (readonly [string, GluonCase])[] =>
  cases.filter((c) => c.kind === kind).map((c) => [c.id, c] as const)

const camel = (name: string): string =>
  name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase())
const options = (params: Params): { [name: string]: unknown } =>
  Object.fromEntries(Object.entries(params).map(([name, v]) => [camel(name), v]))

const tolerances: { readonly [dtype: string]: number } = { float64: 1e-6, float16: 2e-3 }

function expectNear(got: NDArray, want: Recorded, what: string): void {
  const { shape, data } = take(got)
  // Deviation 1: MXNet's (1,) for want of a scalar.
  const scalar = shape.length === 0 && want.shape.length === 1
  if (!scalar) expect(shape, `${what}: shape`).toEqual(want.shape)
  const largest = want.data.reduce((m, w) => Math.max(m, Math.abs(w)), 1e-3)
  want.data.forEach((w, i) => {
    if (!(Math.abs(data[i]! - w) <= (tolerances[want.dtype] ?? 2e-5) * largest))
      expect.fail(`${what}: element ${i} is ${data[i]}, MXNet has ${w}`)
  })
}

type Maker<T> = new (...args: unknown[]) => T
const classIn = <T>(space: object, name: string): Maker<T> => {
  const found = (space as { readonly [name: string]: Maker<T> | undefined })[name]
  if (found === undefined) throw new Error(`there is no class ${name}`)
  return found
}

type LossCall = (...inputs: (NDArray | undefined)[]) => NDArray
const byDefault = ['pred', 'label', 'sample_weight']
/** The arguments of a loss in order. */
const argumentsOf: { readonly [name: string]: readonly string[] } = {
  SigmoidBinaryCrossEntropyLoss: [...byDefault, 'pos_weight'],
  TripletLoss: ['pred', 'positive', 'negative', 'sample_weight'],
  PoissonNLLLoss: ['pred', 'target', 'sample_weight'],
  CosineEmbeddingLoss: ['input1', 'input2', 'label', 'sample_weight'],
  SDMLLoss: ['x1', 'x2'],
  CTCLoss: ['pred', 'label', 'pred_lengths', 'label_lengths', 'sample_weight'],
}

const schedulerOf = (c: { readonly class: string; readonly params: Params }) =>
  new (classIn<schedulers.LRScheduler>(schedulers, c.class))(options(c.params))

type Inner = readonly [string, Params]

/** An initializer from its class and arguments, some of which are initializers. */
function initializerOf(name: string, params: Params): initializers.Initializer {
  const inner = ([klass, own]: Inner): initializers.Initializer => initializerOf(klass, own)
  if (name === 'Mixed') {
    const list = (params.initializers as readonly Inner[]).map(inner)
    return new initializers.Mixed(params.patterns as string[], list) as never
  }
  const own = options(params)
  if (name === 'FusedRNN') own.init = inner(params.init as Inner)
  return initializers.create(name, own)
}

describe("MXNet's recorded Gluon", () => {
  for (const { context, skip } of backends) {
    const why = skip === null ? '' : ` (skipped: ${skip})`
    describe.skipIf(skip !== null)(`on ${context}${why}`, () => {
      const make = (x: Recorded): NDArray =>
        put({ shape: x.shape, data: x.data.map(Number) }, x.dtype, context)

      const modes = [false, true].flatMap((compiled) =>
        ofKind('loss').map(
          ([id, c]) => [compiled ? `${id}, hybridized` : id, c, compiled] as const,
        ),
      )
      it.each(modes)('%s', (_id, c, compiled) => {
        const loss = new (classIn<LossCall & HybridBlock>(losses, c.class))(options(c.params))
        if (compiled) loss.hybridize()
        const arrays = new Map(c.inputs!.map((x) => [x.name!, make(x)]))
        c.inputs!.forEach((x, i) => {
          if (c.grads?.[i]) arrays.get(x.name!)!.attachGrad()
        })
        const names = argumentsOf[c.class] ?? byDefault
        const out = record(() => loss(...names.map((name) => arrays.get(name))))
        expectNear(out, c.outputs![0]!, `${c.id}: loss`)
        if (!c.head_grads) return
        const head = make(c.head_grads[0]!)
        backward(out, out.ndim === 0 ? head.reshape([]) : head)
        c.inputs!.forEach((x, i) => {
          const want = c.grads![i]
          if (want) expectNear(arrays.get(x.name!)!.grad!, want, `${c.id}: gradient of ${x.name}`)
        })
      })

      it.each(ofKind('optimizer'))('%s', (_id, c) => {
        const lrScheduler = c.lr_scheduler ? schedulerOf(c.lr_scheduler) : null
        const updater = new Updater(
          optimizers.create(c.class, { ...options(c.params), lrScheduler }),
        )
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

      it.each(ofKind('initializer'))('%s', (_id, c) => {
        const array = zeros(c.shape!, { ctx: context }).sub(9)
        const plain = c.note?.includes('plain string') ?? false
        const desc = plain ? c.name! : new initializers.InitDesc(c.name!)
        initializerOf(c.class, c.params)(desc, array)
        if (c.outputs) expectNear(array, c.outputs[0]!, c.id)
        const { data } = take(array)
        if (c.distribution?.distribution === 'uniform') {
          const { low, high } = c.distribution
          for (const v of data) expect(v >= low - 1e-6 && v < high + 1e-6, `${v}`).toBe(true)
        } else if (c.distribution) {
          const { sd } = c.distribution
          const square = data.reduce((s, v) => s + v * v, 0) / data.length
          expect(Math.sqrt(square)).toBeGreaterThan(sd / 3)
          expect(Math.sqrt(square)).toBeLessThan(sd * 2)
        }
        if (c.gram_diagonal !== undefined) expectOrthogonal(data, c.shape!, c.gram_diagonal)
      })

      it.each(ofKind('metric'))('%s', async (_id, c) => {
        const metric = metricOf(c)
        const check = async (want: Result): Promise<void> => {
          const [name, value] = await metric.get()
          expect(name).toEqual(want.name)
          expectValue(value, want.value)
          if (want.global !== undefined) expectValue((await metric.getGlobal())[1], want.global)
        }
        for (const [i, { labels, preds }] of c.updates!.entries()) {
          metric.update(labels.map(make), preds.map(make))
          await check(c.results![i]!)
        }
        metric.reset()
        if (c.after_reset === undefined) return
        const after = [(await metric.get())[1]].flat()
        for (const value of after) expectValue(value, c.after_reset as Result['value'])
      })
    })
  }

  it.each(ofKind('lr_scheduler'))('%s', (_id, c) => {
    const schedule = schedulerOf(c)
    c.num_update!.forEach((n, i) => {
      expect(schedule(n), `${c.id}: update ${n}`).toBeCloseTo(c.values![i]!, 10)
    })
  })

  it.each(ofKind('initializer_dumps'))('%s', (_id, c) => {
    expect(initializerOf(c.class, c.params).dumps()).toBe(c.dumps)
  })
})

function metricOf(c: GluonCase): metrics.AnyMetric {
  if (c.class !== 'CompositeEvalMetric') return metrics.create(c.class, options(c.params))
  const inner = (c.params.metrics as readonly Inner[]).map(([name, own]) =>
    metrics.create(name, options(own)),
  )
  return metrics.create(inner)
}

function expectValue(got: unknown, want: Result['value']): void {
  const [g, w] = [got, want].map((v) => (Array.isArray(v) ? v : [v])) as [unknown[], unknown[]]
  expect(g.length).toBe(w.length)
  w.forEach((x, i) => {
    if (x === 'nan') expect(g[i]).toBeNaN()
    else expect(g[i] as number).toBeCloseTo(x as number, 5)
  })
}

function expectOrthogonal(
  data: readonly number[],
  shape: readonly number[],
  diagonal: number,
): void {
  const [rows, columns] = [shape[0]!, data.length / shape[0]!]
  const wide = rows <= columns
  const [n, length] = wide ? [rows, columns] : [columns, rows]
  const at = (i: number, k: number): number => data[wide ? i * columns + k : k * columns + i]!
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let dot = 0
      for (let k = 0; k < length; k++) dot += at(i, k) * at(j, k)
      expect(dot).toBeCloseTo(i === j ? diagonal : 0, 4)
    }
  }
}
