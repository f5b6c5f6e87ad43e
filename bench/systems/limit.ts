// The physical limit: oneDNN in a C++ loop, compiled here for this very processor.
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { root, runToEnd, type System } from './system.ts'

const on = (name: string, threads: number): System => ({
  name,
  kind: 'limit',
  prepare: () => {
    const source = join(root, 'bench', 'limit', 'limit.cc')
    const program = join(root, 'build', 'bench', 'limit')
    if (!existsSync(program) || statSync(program).mtimeMs < statSync(source).mtimeMs) {
      mkdirSync(join(root, 'build', 'bench'), { recursive: true })
      const args = [
        '-std=c++17',
        '-O3',
        '-march=native',
        '-pthread',
        source,
        '-ldnnl',
        '-o',
        program,
      ]
      const { code, output } = runToEnd('g++', args)
      const cause = output.split('\n').find((line) => /error/.test(line)) ?? 'no g++'
      if (code !== 0) return `limit.cc does not compile: ${cause.trim()}`
    }
    return { command: program, args: [String(threads)], env: { OMP_NUM_THREADS: String(threads) } }
  },
})

export const limit: System = on('limit', 1)
export const limitThreads: System = on('limit-2', 2)
