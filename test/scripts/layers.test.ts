// The checker of the import arrows, fed with small trees that are wrong in one way each.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { arrows, checkLayers, findCycle, importsOf } from '../../scripts/layers.mjs'

const trees: string[] = []
afterEach(() => {
  for (const tree of trees.splice(0)) rmSync(tree, { recursive: true })
})

/** Writes files into a new folder and checks it: `file:line rule`, one string a violation. */
function violationsOf(files: Record<string, string>): string[] {
  const tree = mkdtempSync(join(tmpdir(), 'layers-'))
  trees.push(tree)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, name)), { recursive: true })
    writeFileSync(join(tree, name), text)
  }
  return checkLayers(tree).violations.map(({ file, line, rule }) => `${file}:${line} ${rule}`)
}

describe('the table', () => {
  it('has no circle', () => {
    const graph = new Map(
      Object.entries(arrows).map(([from, to]) => [from, new Map(to.map((name) => [name, true]))]),
    )
    expect(findCycle(graph)).toBeUndefined()
  })

  it('keeps passes from operators and backends from each other', () => {
    expect(arrows.passes).not.toContain('ops')
    const backends = Object.keys(arrows).filter((name) => /^backend\/\w+$/.test(name))
    for (const backend of backends) {
      for (const other of backends) expect(arrows[backend]).not.toContain(other)
    }
  })
})

describe('importsOf', () => {
  it('sees every form, with its line', () => {
    const text = [
      "import { a } from './a.ts'",
      'import {',
      '  type B,',
      "} from './b.ts'",
      "import './c.ts'",
      "export * from './d.ts'",
      "const e = await import('./e.ts')",
      "let f: import('./f.ts').F",
    ].join('\n')
    const found = importsOf(text).map(({ to, line }) => `${to} ${line}`)
    expect(found).toEqual(['./a.ts 1', './b.ts 4', './c.ts 5', './d.ts 6', './e.ts 7', './f.ts 8'])
  })

  it('leaves comments and strings alone', () => {
    const text = [
      '/**',
      " * import { nd } from 'mxnet-ts'",
      ' */',
      "// import './a.ts'",
      'export const from = \'export x from "./b.ts"\'',
    ].join('\n')
    expect(importsOf(text)).toEqual([])
  })
})

describe('checkLayers', () => {
  it('accepts a tree that follows the plan', () => {
    const violations = violationsOf({
      'src/base/shape.ts': 'export const size = 1\n',
      'src/core/op.ts': "import { size } from '../base/shape.ts'\nexport { size }\n",
      'src/ops/unary.ts': "import { size } from '../core/op.ts'\nexport { size }\n",
      'src/backend/backend.ts': "import type { S } from '../base/shape.ts'\n",
      'src/backend/wasm/memory.ts': "import { readFile } from 'node:fs'\nimport '../backend.ts'\n",
      'src/index.ts': "export * from './ops/unary.ts'\n",
      'src/node.ts': "export * from './index.ts'\nimport './backend/wasm/memory.ts'\n",
      'src/viz/plot.ts': "export const isDense = (n: N) => n.op.name === 'FullyConnected'\n",
    })
    expect(violations).toEqual([])
  })

  it.each([
    ['src/passes/fuse.ts', "import '../ops/unary.ts'", 'passes may not import ops'],
    ['src/base/shape.ts', "import '../core/op.ts'", 'base may not import core (it may: nothing)'],
    ['src/exec/plan.ts', "import '../backend/wasm/index.ts'", 'exec may not import backend/wasm'],
    [
      'src/backend/onednn/a.ts',
      "import '../wasm/b.ts'",
      'backend/onednn may not import backend/wasm',
    ],
    ['src/ndarray/a.ts', "import '../node.ts'", 'nobody imports the composition root node.ts'],
    ['src/core/a.ts', "import 'lodash'", 'core has no dependencies'],
    ['src/gluon/a.ts', "import 'mxnet-ts'", 'src/ does not import the package it is'],
    ['src/gluon/a.ts', "import '../../test/a.ts'", 'src/ imports nothing outside itself'],
    ['src/extra/a.ts', 'export {}', 'there is no folder extra in the plan'],
    ['src/gluon/utils.ts', 'export {}', '"utils" names no idea'],
    ['test/helpers/a.ts', 'export {}', '"helpers" names no idea'],
    ['src/exec/a.ts', "if (node.op.name === 'relu') {}", 'never for its name'],
    ['src/passes/a.ts', 'switch (node.op.name) {}', 'never for its name'],
  ])('refuses %s: %s', (file, text, rule) => {
    const violations = violationsOf({ [file]: `// One sentence.\n${text}\n` })
    expect(violations).toHaveLength(1)
    expect(violations[0]).toMatch(new RegExp(`^${file}:[12] `))
    expect(violations[0]).toContain(rule)
  })

  it('names a circle once, besides the arrow that closes it', () => {
    const violations = violationsOf({
      'src/ndarray/a.ts': "import '../autograd/b.ts'\n",
      'src/autograd/b.ts': "import '../ndarray/a.ts'\n",
    })
    expect(violations.join('\n')).toContain('ndarray may not import autograd')
    expect(violations.join('\n')).toMatch(/circle: autograd -> ndarray -> autograd/)
    expect(violations).toHaveLength(2)
  })
})
