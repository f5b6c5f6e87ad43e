// TensorFlow.js on a page, on WebGPU.
import * as tf from '@tensorflow/tfjs'
import '@tensorflow/tfjs-backend-webgpu'
import { mlp } from './tfjsMlp.mjs'
import { show } from '../../build/bench/browser/measured.js'

if (!(await tf.setBackend('webgpu'))) throw new Error('its WebGPU backend does not start')
await tf.ready()
show(`TensorFlow.js ${tf.version_core}, WebGPU`, { mlp: () => mlp(tf) })
