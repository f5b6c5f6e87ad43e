#!/usr/bin/env node
/** The command line: `npx mxnet-ts <command>`. Exit codes: 0, 1 for what failed, 2 for what was typed wrongly. */

import { Command, CommanderError } from 'commander'
import { MXNetError } from '../base/error.ts'
import { runtime } from '../node.ts'
import { addBuild } from './build.ts'
import { addConvert } from './convert.ts'
import { addInfo } from './info.ts'
import { addInspect } from './inspect.ts'
import { addNetwork } from './network.ts'
import { addPredict } from './predict.ts'
import { red } from './terminal.ts'
import { addTrain } from './train.ts'

function makeProgram(): Command {
  const program = new Command('mxnet-ts')
    .description('MXNet/Gluon for TypeScript: train, look at and convert networks.')
    .version(runtime.features().table.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this text')
    .helpCommand('help [command]', 'print the help of a command')
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error:/, red('mxnet-ts:'))),
    })
    .showHelpAfterError('(--help says more)')
    .showSuggestionAfterError()
    .exitOverride()
  addInfo(program)
  addBuild(program)
  addTrain(program)
  addPredict(program)
  addNetwork(program)
  addInspect(program)
  addConvert(program)
  for (const command of program.commands) command.copyInheritedSettings(program)
  return program
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (e: NodeJS.ErrnoException) => {
  if (e.code !== 'EPIPE') throw e
  process.exit(0)
})

try {
  await makeProgram().parseAsync()
} catch (e) {
  if (e instanceof CommanderError) process.exitCode = e.exitCode === 0 ? 0 : 2
  else if (e instanceof MXNetError) {
    console.error(`${red('mxnet-ts:')} ${e.message}`)
    process.exitCode = 1
  } else throw e
}
