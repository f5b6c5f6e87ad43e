// jax-js on a page, on WebGPU, the step compiled by its jit; the address says whether each step is waited for.
import { defaultDevice, init, jit } from '@jax-js/jax'
import { mlp } from './jaxMlp.mjs'
import { show } from '../../build/bench/browser/measured.js'

await init('webgpu')
defaultDevice('webgpu')
show('jax-js 0.1.25, WebGPU, jit', { mlp: () => mlp(jit, location.search === '?waits') })
