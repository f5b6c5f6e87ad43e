/** Memory stays bounded over 10⁵ operators: nobody counts references. */

import { Context, nd, runtime } from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

const steps = 100_000
const megabyte = 1024 * 1024
const limit = 512 * megabyte
const native = runtime.features().isEnabled('ONEDNN')

describe('10⁵ operators on 1 MB arrays', () => {
  const contexts = [
    ['native', new Context('cpu', 0), steps, !native],
    ['WASM alone', new Context('wasm', 0), steps / 5, false],
  ] as const
  for (const [name, ctx, count, skipped] of contexts) {
    it.skipIf(skipped)(
      `in one synchronous loop, ${name}${skipped ? ' (skipped: the native bridge is not built)' : ''}`,
      { timeout: 120_000 },
      () => {
        const before = runtime.memory().reserved
        const x = nd.ones([megabyte / 4], { ctx })
        let y = x
        let most = 0
        for (let i = 0; i < count; i++) {
          y = x.add(y)
          if (i % 1000 === 0) most = Math.max(most, runtime.memory().reserved - before)
        }
        expect(most).toBeLessThan(limit)
        expect(y.at(0).asScalarSync()).toBe(count + 1)
      },
    )
  }

  it('with an await each 100 steps, WASM alone', { timeout: 240_000 }, async () => {
    const x = nd.ones([megabyte / 4], { ctx: new Context('wasm', 0) })
    // The memory of the test before is another one, which keeps what it has.
    const before = runtime.memory().reserved
    let y = x
    let most = 0
    for (let i = 0; i < steps; i++) {
      y = x.add(y)
      if (i % 100 === 0) {
        await y.at(0).asScalar()
        most = Math.max(most, runtime.memory().reserved - before)
      }
    }
    expect(most).toBeLessThan(limit)
    expect(await y.at(0).asScalar()).toBe(steps + 1)
  })
})
