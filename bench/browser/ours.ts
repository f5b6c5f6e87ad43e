// mxnet-ts on a page, on gpu(0); the address says how the step is written.
import { gpu } from 'mxnet-ts'
import { type Mode, mlp } from '../mlp.ts'
import { show } from './measured.ts'

const ctx = gpu(0)
await ctx.ready()
const mode = location.search.slice(1) as Mode
show(`mxnet-ts, WebGPU, ${mode}`, { mlp: () => mlp(ctx, mode) })
