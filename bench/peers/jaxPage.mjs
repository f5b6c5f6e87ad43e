// jax-js on a page, on WebGPU, the step compiled by its jit and waited for once a turn.
import { defaultDevice, init, jit } from '@jax-js/jax'
import { mlp } from './jaxMlp.mjs'
import { show } from '../../build/bench/browser/measured.js'

await init('webgpu')
defaultDevice('webgpu')
show('jax-js 0.1.25, WebGPU, jit', { mlp: () => mlp(jit, false) })
