/** Loading holds one copy: the arrays, and a piece of the file; and nothing before a file has shown what it holds. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nd, runtime } from 'mxnet-ts'
import { afterAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'loading-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** As many bytes as the figure when `LOADING_BYTES=200000000`; less otherwise. */
const bytes = Number(process.env.LOADING_BYTES ?? 48e6)

/** Loads a file in a process of its own; how much more memory it ever held than before. */
function growth(file: string): number {
  const program = `
    import { readFileSync } from 'node:fs'
    const field = (name) => 1024 * Number(new RegExp(name + ':\\\\s*(\\\\d+)').exec(readFileSync('/proc/self/status', 'utf8'))[1])
    const { nd } = await import('mxnet-ts')
    await nd.zeros([1]).waitToRead()
    globalThis.gc()
    const before = field('VmRSS')
    const arrays = await nd.load(process.argv[1])
    console.log(field('VmHWM') - Math.max(before, 0), Object.keys(arrays).length)
  `
  const flags = ['--expose-gc', '--input-type=module', '-e', program, file]
  return Number(execFileSync(process.execPath, flags, { encoding: 'utf8' }).split(' ')[0])
}

describe.runIf(process.platform === 'linux')('loading', { timeout: 240_000 }, () => {
  it.each([
    ['.params', {}],
    ['.npy', {}],
    ['.npz', {}],
    ['.npz', { compress: true }],
    ['.safetensors', {}],
  ] as const)('holds the arrays and little else: %s %o', async (ending, options) => {
    const file = join(folder, `weights${ending}`)
    const rows = bytes / 4 / 1000
    const x = nd.random.normal(0, 1, { shape: [rows, 1000] })
    await nd.save(file, ending === '.npy' ? x : { x }, options)
    const held = growth(file)
    console.log(`${ending} ${JSON.stringify(options)}: file ${statSync(file).size}, held ${held}`)
    expect(held / bytes).toBeGreaterThan(0.9)
    // Pieces of the file go when the collector runs.
    expect(held - bytes).toBeLessThan(0.25 * bytes + 32e6)
    rmSync(file)
  })

  it('takes nothing for what a damaged archive states', async () => {
    const file = join(folder, 'damaged.npz')
    await nd.save(file, { x: nd.zeros([16e6], { dtype: 'uint8' }) }, { compress: true })
    const archive = new Uint8Array(readFileSync(file))
    // The checksum in the directory.
    const directory = new DataView(archive.buffer).getUint32(archive.length - 6, true)
    archive[directory + 16]! ^= 1
    const before = runtime.memory().reserved
    await expect(nd.load(archive)).rejects.toThrow('wrong checksum')
    expect(runtime.memory().reserved - before).toBeLessThan(1e6)
  })
})
