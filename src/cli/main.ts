#!/usr/bin/env node
/** The command line: `npx mxnet-ts info`. */

import { runtime } from '../node.ts'

const usage = `usage: mxnet-ts <command>

commands:
  info    what runs here: backend, oneDNN, SIMD, host
  help    this text`

const [command = 'help', ...rest] = process.argv.slice(2)
if (command === 'info' && rest.length === 0) console.log(String(runtime.features()))
else if (['help', '--help', '-h'].includes(command)) console.log(usage)
else {
  console.error(`mxnet-ts: unknown command '${[command, ...rest].join(' ')}'\n${usage}`)
  process.exitCode = 2
}
