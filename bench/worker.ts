// Our library behind the protocol of serve.ts; MXNET_BACKEND decides what it runs on, the argument how a step is written.
import { cpu, engine, type NDArray, nd, runtime } from 'mxnet-ts'
import { wide } from './contexts.ts'
import { corners, numbers, type Served } from './data.ts'
import { kernels } from './kernels.ts'
import { type Mode, mlp } from './mlp.ts'
import { large, networks } from './networks.ts'
import { serve } from './serve.ts'

const ctx = cpu()
const mode = process.argv[2] ?? 'eager'

function matmul(m: number, k: number, n: number): Served {
  const a = nd.array(numbers(m * k, 1, -1, 1), { ctx }).reshape([m, k])
  const b = nd.array(numbers(k * n, 2, -1, 1), { ctx }).reshape([k, n])
  return {
    check: async () => corners(await nd.dot(a, b).asTypedArray()),
    run: async (reps) => {
      for (let i = 0; i < reps; i++) nd.dot(a, b)
      await nd.waitAll()
    },
  }
}

function add(): Served {
  const step = nd.array(numbers(64, 3, 0, 1), { ctx })
  const chain = (reps: number): NDArray => {
    let x = nd.array(numbers(64, 4, 0, 1), { ctx })
    for (let i = 0; i < reps; i++) x = x.add(step)
    return x
  }
  return {
    check: async () => corners(await chain(10).asTypedArray()),
    run: async (reps) => {
      chain(reps)
      await nd.waitAll()
    },
  }
}

// Only the step differs between the modes; on several threads only what is large enough for them is of interest.
const others = {
  matmul64: () => matmul(64, 784, 64),
  matmul64x64: () => matmul(64, 64, 64),
  matmul1024: () => matmul(1024, 1024, 1024),
  add64: add,
  ...kernels,
}
const { matmul1024 } = others
const step = (how: Mode) => ({ mlp: () => mlp(ctx, how) })
const onContexts = (count: number) => {
  const contexts = Array.from({ length: count }, (_, i) => cpu(i))
  return { wide: () => wide(contexts, 256), wide1024: () => wide(contexts, 1024) }
}
const byMode: { readonly [mode: string]: Parameters<typeof serve>[1] } = {
  eager: { ...step('eager'), ...others, ...networks },
  hybrid: { ...step('hybrid'), ...onContexts(1) },
  fused: step('fused'),
  contexts: onContexts(2),
  threads: { matmul1024, ...kernels, ...large },
}
const about = `${runtime.describe()}, ${engine.numThreads()} thread(s)`
await serve(about, byMode[mode] ?? {})
