// The benchmark runs: its arithmetic on invented times, and the real thing once where it is built.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { cases } from '../../bench/cases.ts'
import { numbers, transpose } from '../../bench/data.ts'
import { type Measured, measure, median, type Running } from '../../bench/measure.ts'
import { duration, ratio, ratios, times } from '../../bench/report.ts'

const measured = (system: string, kind: Measured['kind'], times: number[]): Measured => ({
  system,
  kind,
  reps: 1,
  times,
})

/** A system whose clock is invented. */
function system(name: string, kind: Running['kind'], seconds: number, answer = [1, 2]): Running {
  const child = {
    check: async () => answer,
    run: async (_: string, reps: number) => seconds * reps,
  }
  return { name, kind, cases: ['add64'], child: child as unknown as Running['child'] }
}

const add = cases.find(({ name }) => name === 'add64')!

describe('the arithmetic', () => {
  it('counts the operations of a training step', () => {
    expect(cases.find(({ name }) => name === 'mlp')!.flops! / 1e6).toBeCloseTo(14.66, 2)
  })

  it('takes ratios round by round', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
    const a = measured('a', 'peer', [2, 20, 2])
    expect(ratio(a, measured('b', 'ours', [1, 10, 1]))).toBe(2)
  })

  it('prints times in three digits', () => {
    expect([1.5, 0.0213, 213e-6, 4e-9].map(duration)).toEqual([
      '1.50 s',
      '21.3 ms',
      '213 µs',
      '4.00 ns',
    ])
  })

  it('has the same numbers as the other languages', () => {
    const found = [...numbers(3, 1, -1, 1)].map((x) => Number(x.toFixed(6)))
    expect(found).toMatchInlineSnapshot(`
      [
        0.146795,
        0.176788,
        0.408267,
      ]
    `)
    expect([...transpose(Float32Array.of(1, 2, 3, 4, 5, 6), 2)]).toEqual([1, 4, 2, 5, 3, 6])
  })
})

describe('a measurement', () => {
  it('gives each system a turn a round, and a table', async () => {
    const systems = [system('ours-wasm', 'ours', 0.002), system('other', 'peer', 0.004)]
    const effort = { rounds: 3, seconds: 0.02 }
    const result = await measure(add, [...systems, system('limit', 'limit', 0.001)], effort)
    expect(result.problems).toEqual([])
    expect(times(result)).toContain('ours-wasm  2.00 ms  2.00 ms')
    expect(ratios([result]).split('\n')[1]).toMatch(
      /^add64 +ours-wasm +other +2\.00 ms +4\.00 ms +2\.00 +2\.00 x$/,
    )
  })

  it('leaves out who computes something else', async () => {
    const systems = ['a', 'b', 'c'].map((name) => system(name, 'peer', 0.001))
    systems.push(system('wrong', 'ours', 0.001, [1, 3]))
    const { measured, problems } = await measure(add, systems, { rounds: 1, seconds: 0.002 })
    expect(measured.map(({ system }) => system)).toEqual(['a', 'b', 'c'])
    expect(problems).toEqual(['add64 on wrong: computes 1 3 where the others have 1 2'])
  })
})

const program = fileURLToPath(new URL('../../build/bench/main.js', import.meta.url))
const built = existsSync(fileURLToPath(new URL('../../build/bench/worker.js', import.meta.url)))

describe.skipIf(!built)('npm run bench (skipped until npm run build has been run)', () => {
  it('measures our library', () => {
    const args = ['--quick', '--only', 'add', '--systems', 'ours']
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect(stderr).toBe('')
    expect(stdout).toMatch(/add64 +ours-wasm +-/)
    expect(status).toBe(0)
  }, 60_000)
})
