// @ts-check
// Runs the benchmarks, bench/main.ts, on an up-to-date build; arguments are passed on.
import { join } from 'node:path'
import { root, runNode } from './process.mjs'
import { setupOrExit } from './setup.mjs'

await setupOrExit()
console.log()
const program = join(root, 'build', 'bench', 'main.js')
process.exitCode = await runNode([program, ...process.argv.slice(2)])
