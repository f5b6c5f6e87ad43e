/** The profiler: layers, operators and kernels, as a Chrome trace and as a table. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gluon, nd, profiler } from 'mxnet-ts'
import { afterEach, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'profiler-'))

afterEach(() => {
  profiler.stop()
  profiler.reset()
})

function work(): void {
  const net = new gluon.nn.Dense(4, { inUnits: 3, activation: 'relu' })
  net.initialize()
  profiler.start()
  net(nd.ones([2, 3]))
  profiler.stop()
  nd.ones([5]).exp()
}

it('hears what runs between start and stop, nested in time', () => {
  work()
  const spans = profiler.trace().traceEvents as {
    ph: string
    cat?: string
    name: string
    ts: number
    dur: number
  }[]
  const of = (cat: string) => spans.filter((e) => e.cat === cat)
  expect(of('operator').map((e) => e.name)).toContain('FullyConnected')
  expect(of('operator').map((e) => e.name)).not.toContain('exp')
  const kernel = of('kernel').find((e) => e.name === 'contract 1x2x4x3')!
  const layer = of('layer').find((e) => /^dense\d+$/.test(e.name))!
  expect(kernel.ts).toBeGreaterThanOrEqual(layer.ts)
  expect(kernel.ts + kernel.dur).toBeLessThanOrEqual(layer.ts + layer.dur)
})

it('prints the table', () => {
  work()
  const text = profiler.dumps({ sortBy: 'count' })
  expect(text).toMatch(/^Profile Statistics:/)
  expect(text).toMatch(/FullyConnected\s+1\s+\d+\.\d{4}/)
  expect(text).toMatch(/blocks taken/)
})

it('writes a Chrome trace and forgets', async () => {
  const filename = join(folder, 'profile.json')
  profiler.setConfig({ filename })
  work()
  await profiler.dump()
  const trace = JSON.parse(readFileSync(filename, 'utf8')) as { traceEvents: unknown[] }
  expect(trace.traceEvents.length).toBeGreaterThan(5)
  expect(profiler.dumps()).not.toContain('FullyConnected')
  rmSync(folder, { recursive: true })
})

it('refuses unknown settings and states', () => {
  expect(() => profiler.setConfig({ file: 'x' } as never)).toThrow(
    /^\[profiler\] unknown setting file/,
  )
  expect(() => profiler.setState('go' as never)).toThrow(/^\[profiler\]/)
})
