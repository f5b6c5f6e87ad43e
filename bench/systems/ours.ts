// mxnet-ts itself, twice: with the native bridge, and on WebAssembly alone.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root, type Start, type System } from './system.ts'

const start = (backend: string | undefined): Start => ({
  command: process.execPath,
  args: [join(root, 'build', 'bench', 'worker.js')],
  env: { MXNET_BACKEND: backend },
})

export const native: System = {
  name: 'ours-native',
  kind: 'ours',
  prepare: () =>
    existsSync(join(root, 'native', 'build', 'bridge.node'))
      ? start(undefined)
      : 'the native bridge is not built',
}

export const wasm: System = { name: 'ours-wasm', kind: 'ours', prepare: () => start('wasm') }
