/** `build`: the native bridge, compiled on this machine. */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { fail } from '../base/error.ts'

const script = fileURLToPath(new URL('../../scripts/buildNative.mjs', import.meta.url))

/** Adds the command to the program. */
export function addBuild(program: Command): void {
  program
    .command('build')
    .summary('compile the native bridge to oneDNN, for speed')
    .description(
      'Compiles the bridge to oneDNN, which the CPU backend then uses by itself. Needs a C++ compiler and oneDNN: on Debian\n' +
        '`apt-get install g++ libdnnl-dev`, on macOS `brew install onednn`. Everything works without it, slower.',
    )
    .action(() => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' })
      const said = `${stdout}${stderr}`.trim()
      if (status !== 0) fail('build', said)
      console.log(said)
    })
}
