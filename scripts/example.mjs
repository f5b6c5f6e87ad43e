// @ts-check
// Runs an example by its path below examples/: `npm run example -- mnist/train [arguments]`.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root, runNode } from './process.mjs'
import { setupOrExit } from './setup.mjs'

const [name, ...args] = process.argv.slice(2)
const folder = join(root, 'examples')
if (name === undefined || !existsSync(join(folder, `${name}.ts`))) {
  const files = existsSync(folder) ? readdirSync(folder, { recursive: true }).map(String) : []
  const names = files.filter((file) => file.endsWith('.ts')).map((file) => file.slice(0, -3))
  console.error(`example: ${name === undefined ? 'no name given' : `no ${name}.ts`}; there are`)
  for (const known of names.sort()) console.error(`  npm run example -- ${known}`)
  process.exit(2)
}
await setupOrExit()
process.exitCode = await runNode([join(root, 'build', 'examples', `${name}.js`), ...args])
