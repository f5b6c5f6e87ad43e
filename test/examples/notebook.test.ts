/** The tutorial's notebook runs from top to bottom under a real Jupyter, and shows what it should. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { executeNotebook, installKernel, noJupyter } from '../../scripts/notebook.mjs'
import { root } from '../../scripts/process.mjs'
import { compile } from '../cli/run.ts'

interface Output {
  readonly output_type: string
  readonly name?: string
  readonly text?: string[] | string
  readonly data?: { readonly [mime: string]: string[] | string }
}
interface Notebook {
  readonly cells: { readonly cell_type: string; readonly outputs?: Output[] }[]
}

const file = join(root, 'examples', 'notebook', 'mnist.ipynb')
const read = (path: string): Notebook => JSON.parse(readFileSync(path, 'utf8')) as Notebook
const joined = (text: string[] | string = ''): string => [text].flat().join('')

/** All that a notebook shows, by type: `text/html`, `image/svg+xml`, and the streams `stdout` and `stderr`. */
function shownIn(notebook: Notebook): Map<string, string[]> {
  const shown = new Map<string, string[]>()
  const add = (type: string, text: string): unknown =>
    shown.set(type, [...(shown.get(type) ?? []), text])
  for (const { outputs = [] } of notebook.cells) {
    for (const { name, text, data = {} } of outputs) {
      if (name !== undefined) add(name, joined(text))
      for (const [mime, part] of Object.entries(data)) add(mime, joined(part))
    }
  }
  return shown
}

/** How many pixels of each colour a PNG in base64 has. */
function coloursOf(text: string): Map<string, number> {
  const { data, channels, width, height } = decode(Buffer.from(text, 'base64'))
  const counts = new Map<string, number>()
  for (let i = 0; i < width * height; i++) {
    const colour = data.subarray(i * channels, i * channels + 3).join(',')
    counts.set(colour, (counts.get(colour) ?? 0) + 1)
  }
  return counts
}

/** What the notebook promises, whoever ran it. */
function expectTutorial(notebook: Notebook): void {
  const shown = shownIn(notebook)
  expect(shown.get('stderr') ?? []).toEqual([])
  const tables = shown.get('text/html')!
  expect(tables[0]).toContain('<caption>NDArray (4, 6) float32 @cpu(0)</caption>')
  expect(tables.some((text) => text.includes('55,050 parameters'))).toBe(true)
  expect(tables.some((text) => text.includes('<th>accuracy</th>'))).toBe(true)
  const [network, curves] = shown.get('image/png')!.map((text) => coloursOf(text))
  // The fill of fully connected layers, of activations and of the data in MXNet's pictures.
  for (const fill of ['251,128,114', '255,255,179', '141,211,199']) {
    expect(network!.get(fill), fill).toBeGreaterThan(500)
  }
  expect(curves!.get('0,114,178'), 'the first curve').toBeGreaterThan(100)
  const accuracies = [
    ...shown
      .get('stdout')!
      .join('')
      .matchAll(/Test_acc ([\d.]+)/g),
  ]
  expect(Number(accuracies.at(-1)![1])).toBeGreaterThan(0.9)
}

describe('examples/notebook/mnist.ipynb', () => {
  it('is kept with its outputs', () => {
    expectTutorial(read(file))
  })

  const reason = noJupyter()
  describe.skipIf(reason !== null)(`under Jupyter${reason ? ` (skipped: ${reason})` : ''}`, () => {
    let folder: string
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'mxnet-notebook-'))
      await compile()
      await installKernel()
    }, 400_000)
    afterAll(() => rmSync(folder, { recursive: true }))

    it('runs from top to bottom', { timeout: 600_000 }, async () => {
      const output = join(folder, 'out.ipynb')
      await executeNotebook(file, output, { MXNET_NOTEBOOK_EPOCHS: '2' })
      expectTutorial(read(output))
    })
  })
})
