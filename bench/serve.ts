// The protocol of a measured process: a request a line on stdin, an answer a line on stdout.
import { createInterface } from 'node:readline'
import type { Served } from './data.ts'

/*
 * about              = text             what answers: versions, backend
 * cases              = name name …      what this system can run
 * check <case>       = number number …  results by which systems are compared with each other
 * run <case> <reps>  = seconds          the time of that many repetitions, waited for; a case elsewhere takes it itself
 * An answer starts with '= ', a failure with '! '; every other line of output is noise.
 */

/** Answers until stdin ends; a case is set up at its first request. */
export async function serve(
  about: string,
  cases: Readonly<Record<string, () => Served | Promise<Served>>>,
): Promise<void> {
  console.log = console.error
  const ready = new Map<string, Promise<Served>>()
  const get = (name: string): Promise<Served> => {
    const make = cases[name]
    if (make === undefined) throw new Error(`no case ${name}`)
    const known = ready.get(name) ?? Promise.resolve(make())
    ready.set(name, known)
    return known
  }
  const answer = async (line: string): Promise<string> => {
    const [verb, name = '', reps] = line.split(' ')
    if (verb === 'about') return about.replace(/\s+/g, ' ')
    if (verb === 'cases') return Object.keys(cases).join(' ')
    const served = await get(name)
    if (verb === 'check') return Array.from(await served.check()).join(' ')
    const start = performance.now()
    const seconds = await served.run(Number(reps))
    return String(typeof seconds === 'number' ? seconds : (performance.now() - start) / 1000)
  }
  for await (const line of createInterface({ input: process.stdin })) {
    let text: string
    try {
      text = `= ${await answer(line)}`
    } catch (error) {
      text = `! ${(error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ')}`
    }
    process.stdout.write(`${text}\n`)
  }
}
