/** The reference backend: kernels interpreted in float64 plain JavaScript, the oracle of every test. */

import type { Kernel } from '../../prim/kernel.ts'
import type { Backend, Compiled } from '../backend.ts'
import { compileCall } from './call.ts'
import { compileContract } from './contract.ts'
import { compileLoop } from './loop.ts'
import { Memory } from './memory.ts'
import { compileScatter } from './scatter.ts'
import { compileSequence } from './sequence.ts'
import { compileConv, compilePool } from './window.ts'

/**
 * Makes a reference backend with a memory of its own. Floats are computed in float64 and rounded when stored;
 * every access outside the block of an operand throws MXNetError.
 */
export function createReferenceBackend(): Backend {
  const memory = new Memory()
  const readSync = (address: number, bytes: number): Uint8Array =>
    memory.bytes(address, bytes).slice()
  return {
    name: 'reference',
    canBlock: true,
    alloc: (bytes) => memory.alloc(bytes),
    free: (address) => memory.free(address),
    write: (address, source) => memory.bytes(address, source.length).set(source),
    read: async (address, bytes) => readSync(address, bytes),
    readSync,
    compile: (kernel) => compile(memory, kernel),
    sync: async () => {},
    memory: () => memory.use,
  }
}

function compile(memory: Memory, kernel: Kernel): Compiled {
  switch (kernel.kind) {
    case 'loop':
      return compileLoop(memory, kernel)
    case 'contract':
      return compileContract(memory, kernel)
    case 'scatter':
      return compileScatter(memory, kernel)
    case 'call':
      return compileCall(memory, kernel)
    case 'conv':
      return compileConv(memory, kernel)
    case 'sequence':
      return compileSequence(memory, kernel)
    case 'pool':
      return compilePool(memory, kernel)
    default:
      return kernel satisfies never
  }
}
