// A system under measurement: how its process is started, or why it cannot be.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository; this file runs as build/bench/systems/system.js. */
export const root: string = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')

/** A command; variables set to undefined are removed from the environment. */
export interface Start {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
}

export interface System {
  readonly name: string
  readonly kind: 'ours' | 'peer' | 'limit'
  /** A command, or a few words on what is missing. */
  prepare(options: { install: boolean }): Start | string
}

/** A script inside a page of headless Chromium, with what its address says. */
export const inPage = (script: string, ...args: readonly string[]): Start => ({
  command: process.execPath,
  args: [join(root, 'bench', 'browser', 'main.mjs'), script, ...args],
})

/** A program's end; `code` is -1 where it could not be started. */
export function runToEnd(
  command: string,
  args: readonly string[],
  cwd: string = root,
): { code: number; output: string } {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: 900_000,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  return { code: status ?? -1, output: `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}` }
}

/** The last line a program said, for a reason in one line. */
export const lastLine = (text: string): string => text.trim().split('\n').at(-1)?.trim() ?? ''
