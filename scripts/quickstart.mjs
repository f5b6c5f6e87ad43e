// @ts-check
// The first thing a newcomer runs: set up whatever is missing, then train a network on MNIST.
import { join } from 'node:path'
import { root, runNode } from './process.mjs'
import { setupOrExit } from './setup.mjs'

await setupOrExit()
console.log()
const program = join(root, 'build', 'examples', 'mnist', 'train.js')
process.exitCode = await runNode([program, ...process.argv.slice(2)])
