/** Damaged symbol.json: a clear error or a correct load each time, in bounded time. */

import { readFileSync } from 'node:fs'
import * as mx from 'mxnet-ts'
import { describe, expect, it } from 'vitest'
import { goldenPath } from '../golden/npy.ts'

const { sym } = mx
const golden = readFileSync(goldenPath('mxnet-nets/mlp/net-symbol.json'), 'utf8')

/** A small generator of repeatable numbers (mulberry32). */
function generator(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** All places of a tree, as the holder and the key. */
function places(root: Json): { holder: { [key: string]: Json }; key: string }[] {
  const found: { holder: { [key: string]: Json }; key: string }[] = []
  const visit = (value: Json): void => {
    if (typeof value !== 'object' || value === null) return
    const holder = value as { [key: string]: Json }
    for (const key of Object.keys(holder)) {
      found.push({ holder, key })
      visit(holder[key]!)
    }
  }
  visit(root)
  return found
}

const strange: readonly Json[] = [
  null,
  -1,
  0,
  1,
  3,
  11,
  1e9,
  2 ** 53,
  0.5,
  true,
  '',
  'null',
  'FullyConnected',
  'SliceChannel',
  '_zeros',
  '(1000000000, 1000000000)',
  '(0, 0)',
  '-1',
  'constructor',
  '__proto__',
  '64'.repeat(50),
  [],
  [[]],
  [[0, 0]],
  [[11, 0, 0]],
  [[1, 2, 3, 4]],
  {},
  { toString: 'x' },
]

/** Seconds of processor time that a body takes: other work on the machine does not count. */
function seconds(body: () => void): number {
  const before = process.cpuUsage()
  body()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

/** Loads, and does with what was loaded all that does not need arrays. */
function use(text: string): 'loaded' | 'refused' {
  try {
    const symbol = sym.loadJSON(text)
    expect(sym.loadJSON(symbol.toJSON()).toJSON()).toBe(symbol.toJSON())
    symbol.listArguments()
    symbol.attrDict()
    symbol.inferShapePartial(symbol.listArguments().includes('data') ? { data: [1, 784] } : {})
    return 'loaded'
  } catch (e) {
    if (!(e instanceof mx.MXNetError)) throw e
    expect(e.message.length).toBeLessThan(2000)
    return 'refused'
  }
}

/** Damages one to three values of a file. */
function mutate(file: Json, random: (below: number) => number): void {
  const all = places(file)
  for (let n = 0; n <= random(3); n++) {
    const { holder, key } = all[random(all.length)]!
    const kind = random(4)
    if (kind === 0 && !Array.isArray(holder)) delete holder[key]
    else if (kind === 1) holder[key] = structuredClone(all[random(all.length)]!.holder)
    else if (kind === 2) holder[String(random(20))] = strange[random(strange.length)]!
    else holder[key] = strange[random(strange.length)]!
  }
}

describe('10,000 mutations', () => {
  it('of values are loaded or refused', () => {
    const random = generator(1)
    const counts = { loaded: 0, refused: 0 }
    for (let round = 0; round < 7000; round++) {
      const file = JSON.parse(golden) as Json
      mutate(file, random)
      counts[use(JSON.stringify(file))]++
    }
    expect(counts.loaded).toBeGreaterThan(100)
    expect(counts.refused).toBeGreaterThan(1000)
  }, 240_000)

  it('of loops inside of loops are loaded or refused', () => {
    const random = generator(3)
    const [data, start] = [sym.var('data'), sym.var('start')]
    const { foreach, whileLoop, cond } = sym.contrib
    const [rows] = foreach(
      (row: typeof data, s: typeof data) => {
        const [, [last]] = whileLoop(
          (v: typeof data) => v.lesser(s),
          (v: typeof data) => [v, v.add(row)] as const,
          [row],
          { maxIterations: 3 },
        )
        return [
          cond(
            s,
            () => last!.relu(),
            () => s.tanh(),
          ),
          s.add(1),
        ] as const
      },
      data,
      start,
    )
    const text = (rows as typeof data).toJSON()
    const counts = { loaded: 0, refused: 0 }
    for (let round = 0; round < 1500; round++) {
      const file = JSON.parse(text) as Json
      mutate(file, random)
      counts[use(JSON.stringify(file))]++
    }
    expect(counts.loaded).toBeGreaterThan(20)
    expect(counts.refused).toBeGreaterThan(200)
  }, 240_000)

  it('of characters are loaded or refused', () => {
    const random = generator(2)
    for (let round = 0; round < 3000; round++) {
      const at = random(golden.length)
      const length = random(12)
      const piece = golden.slice(random(golden.length)).slice(0, random(12))
      use(golden.slice(0, at) + piece + golden.slice(at + length))
    }
  }, 240_000)
})

describe('hostile files', () => {
  const node = (op: string, attrs: object, inputs: unknown[] = []) => ({
    op,
    name: 'n',
    attrs,
    inputs,
  })
  const file = (...nodes: object[]) =>
    JSON.stringify({ nodes, arg_nodes: [], heads: [[nodes.length - 1, 0, 0]] })

  it('with huge numbers of outputs or sizes are refused, not built', () => {
    const data = node('null', {})
    const split = (count: string) =>
      file(data, node('SliceChannel', { num_outputs: count }, [[0, 0, 0]]))
    expect(() => sym.loadJSON(split('4000000000'))).toThrow(mx.MXNetError)
    const zeros = sym.loadJSON(file(node('_zeros', { shape: '(1000000000, 1000000000)' })))
    expect(() => zeros.eval({})).toThrow()
  })

  it('with long chains are read in time', () => {
    const nodes: object[] = [node('null', {})]
    for (let i = 0; i < 50_000; i++) nodes.push(node('relu', {}, [[i, 0, 0]]))
    const took = seconds(() => {
      const symbol = sym.loadJSON(file(...nodes))
      expect(symbol.inferShape({ n: [2] })[1]).toEqual([[2]])
      expect(symbol.toJSON().length).toBeGreaterThan(1_000_000)
    })
    expect(took).toBeLessThan(20)
  }, 240_000)

  it('with nodes that read each other many times are read in time', () => {
    const nodes: object[] = [node('null', {})]
    for (let i = 0; i < 200; i++)
      nodes.push(
        node('elemwise_add', {}, [
          [i, 0, 0],
          [i, 0, 0],
        ]),
      )
    expect(sym.loadJSON(file(...nodes)).inferShape({ n: [2] })[1]).toEqual([[2]])
  })
})
