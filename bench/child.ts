// One measured process: asked one thing at a time, waiting silently while others are measured.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Start } from './systems/system.ts'

interface Asked {
  resolve(answer: string): void
  reject(error: Error): void
}

export class Child {
  readonly #process: ChildProcessWithoutNullStreams
  #asked: Asked | undefined
  #noise = ''
  #ended = false

  constructor(start: Start) {
    const env: NodeJS.ProcessEnv = { ...process.env }
    for (const [name, value] of Object.entries(start.env ?? {})) {
      if (value === undefined) delete env[name]
      else env[name] = value
    }
    this.#process = spawn(start.command, start.args, { env, stdio: 'pipe' })
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#noise = (this.#noise + text).slice(-4000)
    })
    // Writing to a process that has died is reported by its end.
    this.#process.stdin.on('error', () => {})
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      const asked = this.#asked
      if (asked === undefined) return
      if (line.startsWith('= ')) asked.resolve(line.slice(2))
      else if (line.startsWith('! ')) asked.reject(new Error(line.slice(2)))
      else return
      this.#asked = undefined
    })
    this.#process.on('error', (error) => this.#fail(error.message))
    this.#process.on('close', (code, signal) => this.#fail(`it ended with ${signal ?? code}`))
  }

  #fail(reason: string): void {
    this.#ended = true
    const cause = this.#noise.split('\n').find((line) => /Error|error/.test(line))
    this.#asked?.reject(new Error(cause === undefined ? reason : `${reason}: ${cause.trim()}`))
    this.#asked = undefined
  }

  /** The answer to one request; rejects with the system's own words. */
  ask(request: string, seconds = 120): Promise<string> {
    if (this.#ended) return Promise.reject(new Error('it has ended'))
    return new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#process.kill('SIGKILL')
        reject(new Error(`no answer to '${request}' in ${seconds} s`))
      }, seconds * 1000)
      this.#asked = {
        resolve: (answer) => {
          clearTimeout(timer)
          resolve(answer)
        },
        reject: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      }
      this.#process.stdin.write(`${request}\n`)
    })
  }

  /** Seconds that so many repetitions took. */
  async run(name: string, reps: number): Promise<number> {
    return Number(await this.ask(`run ${name} ${reps}`))
  }

  async check(name: string): Promise<number[]> {
    const answer = (await this.ask(`check ${name}`)).trim()
    return answer === '' ? [] : answer.split(' ').map(Number)
  }

  stop(): void {
    this.#process.stdin.end()
    this.#process.kill()
  }
}
