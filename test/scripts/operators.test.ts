/** The list of MXNet's names against what is registered, and the page that is made of the operator table. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compare, page, readList } from '../../scripts/operators.mjs'
import { root } from '../../scripts/process.mjs'
import { isFunction, operators } from '../../scripts/registry.ts'

const list = readList()
const known = new Set(operators.flat())

describe('MXNet’s names', () => {
  const { here, absent, unexplained } = compare(list, known, isFunction)
  it('are here but for under a tenth, each with its reason', () => {
    expect(unexplained).toEqual([])
    expect(absent.length).toBeLessThan(0.1 * list.names.length)
    expect(here.length + absent.length).toBe(list.names.length)
  })
  it('that are functions here are public', () => {
    for (const [name, path] of Object.entries(list.functions))
      expect(isFunction(path), name).toBe(true)
  })
})

describe('the page', () => {
  it('says of an operator what passed and nothing else', () => {
    const result = (place: string, title: string, status = 'passed') => ({
      ancestorTitles: place === '' ? ['x'] : ['x', place],
      title,
      status,
    })
    const lines = page([
      result('', 'computes its formula in float64'),
      result('', 'has the gradients that differences show, to order 2', 'failed'),
      result('on wasm(0)', 'computes its formula in float32'),
      result('on wasm(0)', 'computes in integers', 'failed'),
      result('on cpu(0)', 'keeps its values when fused'),
    ])
    expect(lines.find((line) => line.startsWith('| `x`'))).toBe(
      '| `x` | w | r |  |  |  |  | yes |  |  |  |',
    )
  })
  it('names records that there are, and nearly all of them', () => {
    const text = readFileSync(join(root, 'docs', 'operators.md'), 'utf8')
    const named = [...text.matchAll(/^\| `([^`]+)` \|/gm)].map((m) => m[1]!)
    const records = new Set(operators.map(([name]) => name!))
    expect(named.filter((name) => !records.has(name))).toEqual([])
    // Records that are newer than the page are told to run `npm run operators -- --write` sooner or later.
    expect(named.length).toBeGreaterThan(0.9 * records.size)
  })
})
