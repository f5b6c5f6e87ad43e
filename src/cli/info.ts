/** `info`: what runs here. */

import type { Command } from 'commander'
import { runtime } from '../node.ts'
import { printJson } from './terminal.ts'

/** Adds the command to the program. */
export function addInfo(program: Command): void {
  program
    .command('info')
    .summary('what runs here: backend, oneDNN, SIMD, host')
    .description(
      'Prints the version, which backend computes and why, and what this machine offers.',
    )
    .option('--json', 'print one JSON object')
    .action(({ json }: { readonly json?: boolean }) => {
      const features = runtime.features()
      if (json) printJson(features.table)
      else console.log(String(features))
    })
}
