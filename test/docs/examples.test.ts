/** Examples in docstrings that state a value (`expression // => value`) run, and give it. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as mx from 'mxnet-ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

interface Example {
  readonly file: string
  readonly line: number
  readonly code: string
  readonly value: string
}

/** The examples of one file: the lines after `@example` up to the first that states a value. */
function examplesIn(file: string): Example[] {
  const found: Example[] = []
  let lines: string[] | null = null
  readFileSync(file, 'utf8')
    .split('\n')
    .forEach((text, i) => {
      const body = /^\s*\*\s?(.*)$/.exec(text)?.[1]
      if (
        body === undefined ||
        body.startsWith('/') ||
        (body.startsWith('@') && body !== '@example')
      )
        lines = null
      else if (body === '@example') lines = []
      else if (lines !== null) {
        const [code, value] = body.split(' // => ')
        lines.push(code!)
        if (value !== undefined) {
          found.push({ file, line: i + 1, code: lines.join('\n'), value })
          lines = null
        }
      }
    })
  return found
}

const folder = new URL('../../src/', import.meta.url)
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((f) =>
  f.endsWith('.ts'),
)
const all = files.flatMap((f) => examplesIn(new URL(f, folder).pathname))

/** What an example may name: the namespaces, and the classes of `gluon.data` by themselves. */
const scope: Record<string, unknown> = { mx, ...mx, ...mx.gluon.data }
const names = Object.keys(scope)
const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (
  ...args: string[]
) => (...values: unknown[]) => Promise<unknown>

async function run(code: string): Promise<unknown> {
  const lines = code.split('\n')
  const last = lines.pop()!
  const body = `${lines.join('\n')}\nreturn (${last})`
  return new AsyncFunction(...names, body)(...Object.values(scope))
}

// Examples that write files do so in a folder of their own.
const before = process.cwd()
const place = mkdtempSync(join(tmpdir(), 'examples-'))
beforeAll(() => process.chdir(place))
afterAll(() => {
  process.chdir(before)
  rmSync(place, { recursive: true })
})

describe('docstring examples', () => {
  it('exist for most operators', () => {
    expect(all.length).toBeGreaterThan(80)
  })
  it.each(all.map((e) => [`${e.file.slice(folder.pathname.length)}:${e.line}`, e] as const))(
    '%s',
    async (_, e) => {
      const got = await run(e.code)
      const want = (await run(e.value.replace(/ (outside|while) .*$/, ''))) as unknown
      expect(got).toEqual(want)
    },
  )
})
