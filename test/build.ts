/** Runs once before the tests: worker threads need JavaScript, so what they run must be built from these sources. */

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Whether a file of the build is older than some source. */
function stale(): boolean {
  const built = `${root}dist/nodeThread.js`
  if (!existsSync(built)) return true
  const made = statSync(built).mtimeMs
  return readdirSync(`${root}src`, { recursive: true, withFileTypes: true }).some(
    (entry) =>
      entry.isFile() && statSync(`${entry.parentPath ?? entry.path}/${entry.name}`).mtimeMs > made,
  )
}

export default function build(): void {
  if (!stale()) return
  const setup = [`${root}scripts/setup.mjs`, '--no-system', '--no-native']
  execFileSync(process.execPath, setup, { cwd: root, stdio: 'pipe' })
}
