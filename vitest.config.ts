import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// `vitest run` uses the native bridge where it is built; `vitest run --mode wasm` does without.
export default defineConfig(({ mode }) => ({
  oxc: { target: 'es2022' },
  resolve: {
    alias: [
      {
        find: /^mxnet-ts$/,
        replacement: fileURLToPath(new URL('./src/node.ts', import.meta.url)),
      },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/build.ts'],
    setupFiles: ['test/setup.ts'],
    environment: 'node',
    env: mode === 'wasm' ? { MXNET_BACKEND: 'wasm' } : {},
    // A process a file: a native addon and a WebAssembly memory are not shared between files.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
}))
