// @ts-check
// Running other programs from a script: with a time limit, without a terminal, leaving nothing behind.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/**
 * @typedef {object} Result
 * @property {number} code     exit code; 124 after the time limit, 127 if it could not be started
 * @property {string} output   what it printed (empty when `show` was set)
 * @property {number} seconds  how long it took
 */

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set()

/** @param {import('node:child_process').ChildProcess} child @param {NodeJS.Signals} signal */
function signalGroup(child, signal) {
  if (child.pid === undefined) return
  try {
    // A detached child leads its own group, so its children are reached too.
    if (process.platform === 'win32') child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch {
    // It has ended in the meantime.
  }
}

let forwarding = false
function forwardSignals() {
  if (forwarding) return
  forwarding = true
  process.on('exit', () => {
    for (const child of running) signalGroup(child, 'SIGKILL')
  })
  process.on('SIGINT', () => process.exit(130))
  process.on('SIGTERM', () => process.exit(143))
  process.on('SIGHUP', () => process.exit(129))
}

/**
 * Runs a program to its end; never throws and never waits for input.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string>, seconds: number, show?: boolean }} options
 *   `seconds` is the time limit; `show` sends the program's output to ours instead of keeping it
 * @returns {Promise<Result>}
 */
export function run(command, args, { cwd = root, env = {}, seconds, show = false }) {
  forwardSignals()
  const start = performance.now()
  return new Promise((resolve) => {
    const windows = process.platform === 'win32'
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
      detached: !windows,
      shell: windows && command === 'npm',
    })
    running.add(child)
    let output = ''
    let late = false
    const keep = (/** @type {string} */ text) => {
      output += text
    }
    child.stdout?.setEncoding('utf8').on('data', keep)
    child.stderr?.setEncoding('utf8').on('data', keep)
    const limit = setTimeout(() => {
      late = true
      signalGroup(child, 'SIGKILL')
    }, seconds * 1000)
    const end = (/** @type {number} */ code) => {
      clearTimeout(limit)
      running.delete(child)
      if (late) output += `\nstopped after ${seconds} s`
      resolve({ code: late ? 124 : code, output, seconds: (performance.now() - start) / 1000 })
    }
    child.on('error', (error) => {
      output += error.message
      end(127)
    })
    child.on('close', (code) => end(code ?? 1))
  })
}

/**
 * Runs a program in the user's terminal, without a time limit: it is the user's own.
 * @param {readonly string[]} args  Node's arguments
 * @returns {Promise<number>} its exit code
 */
export function runNode(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { stdio: 'inherit' })
    // The terminal sends Ctrl-C to both of us; the program decides when to end.
    process.on('SIGINT', () => {})
    process.on('SIGTERM', () => child.kill('SIGTERM'))
    child.on('error', () => resolve(127))
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)))
  })
}

/**
 * Where a program is, as the shell would find it.
 * @param {string} name
 * @returns {string | undefined}
 */
export function which(name) {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, name + suffix)
    if (folder !== '' && existsSync(file)) return file
  }
  return undefined
}

/**
 * The JavaScript file behind a command of an installed package.
 * @param {string} path  inside node_modules
 */
export const tool = (path) => join(root, 'node_modules', path)

/** The last line with text on it: where programs put their verdict. @param {string} text */
export const lastLine = (text) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .at(-1) ?? ''

/** The beginning of what a failed program said: the cause comes first, help texts after. @param {string} text */
export const beginning = (text, lines = 20) => text.trim().split('\n').slice(0, lines).join('\n')

/** @param {string} url  `import.meta.url` of the asking module */
export const isMain = (url) =>
  process.argv[1] !== undefined && fileURLToPath(url) === process.argv[1]

const colour = process.stdout.isTTY && process.env.NO_COLOR === undefined
/** @param {number} code @param {string} text */
const paint = (code, text) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text)

/**
 * One line about a step that has ended.
 * @param {'ok' | 'skip' | 'fail'} state
 * @param {string} name
 * @param {string} [detail]
 * @param {number} [seconds]
 */
export function report(state, name, detail = '', seconds) {
  const mark = { ok: paint(32, '✓'), skip: paint(33, '–'), fail: paint(31, '✗') }[state]
  const time = seconds === undefined ? '' : `${seconds.toFixed(1)} s`
  console.log(`${mark} ${name.padEnd(16)} ${time.padStart(7)}  ${detail}`.trimEnd())
}
