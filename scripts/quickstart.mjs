// @ts-check
// The first thing a newcomer runs: set up what is missing, train a network on MNIST, read digits with it.
import { join } from 'node:path'
import { root, runNode } from './process.mjs'
import { setupOrExit } from './setup.mjs'

await setupOrExit()
const programs = join(root, 'build', 'examples', 'mnist')
console.log()
const code = await runNode([join(programs, 'train.js'), ...process.argv.slice(2)])
if (code === 0) {
  console.log()
  process.exitCode = await runNode([join(programs, 'predict.js')])
} else {
  process.exitCode = code
}
