/** The package as npm would publish it, installed in a project of its own: runs, has types, and builds its bridge. */

import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runtime } from 'mxnet-ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../../scripts/process.mjs'

const program = `
import { autograd, gluon, nd, type NDArray } from 'mxnet-ts'
const net = new gluon.nn.HybridSequential()
const first = new gluon.nn.Dense(8, { activation: 'relu' })
net.add(first, new gluon.nn.Dense(2))
net.initialize()
net.hybridize()
using x: NDArray = nd.ones([4, 3])
const loss = autograd.record(() => nd.square(net(x)))
loss.backward()
const weight: NDArray = first.weight.data()
console.log(loss.shape, weight.shape)
`

const native = runtime.features().isEnabled('ONEDNN')
const { MXNET_BACKEND: _, ...env } = process.env

let project: string
const run = (command: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: project,
    encoding: 'utf8',
    env,
  })
  return { code: status, out: stdout, err: stderr }
}

describe('the package', { timeout: 120_000 }, () => {
  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), 'mxnet-package-'))
    const modules = join(project, 'node_modules')
    const own = join(modules, 'mxnet-ts')
    mkdirSync(own, { recursive: true })
    const packed = spawnSync('npm', ['pack', '--ignore-scripts', '--pack-destination', project], {
      cwd: root,
      encoding: 'utf8',
    })
    expect(packed.status, packed.stderr).toBe(0)
    const archive = packed.stdout.trim().split('\n').at(-1)!
    expect(run('tar', 'xzf', archive, '-C', own, '--strip-components=1').code).toBe(0)
    const facts = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    for (const name of [...Object.keys(facts.dependencies), '@types/node', 'undici-types']) {
      const place = join(modules, name)
      mkdirSync(dirname(place), { recursive: true })
      if (existsSync(join(root, 'node_modules', name)))
        symlinkSync(join(root, 'node_modules', name), place)
    }
    writeFileSync(join(project, 'package.json'), '{ "name": "project", "type": "module" }')
    writeFileSync(join(project, 'program.ts'), program)
  }, 120_000)
  afterAll(() => rmSync(project, { recursive: true, force: true }))

  it('has types that hold in a strict project with the libraries of its target', () => {
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const options = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node']
    expect(run(process.execPath, tsc, ...options, 'program.ts')).toMatchObject({ code: 0, out: '' })
  })

  it('runs, on WebAssembly', () => {
    const { code, out, err } = run(process.execPath, 'program.js')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toBe('[ 4, 2 ] [ 8, 3 ]\n')
    expect(run(process.execPath, 'node_modules/mxnet-ts/dist/cli/main.js', 'info').out).toContain(
      'wasm (the native bridge is not built: npx mxnet-ts build)',
    )
  })

  it.skipIf(!native)('builds its bridge (skipped: the bridge is not built here either)', () => {
    const main = 'node_modules/mxnet-ts/dist/cli/main.js'
    const built = run(process.execPath, main, 'build')
    expect(built).toMatchObject({ code: 0, err: '' })
    expect(built.out).toMatch(/^native bridge built \(oneDNN [\d.]+\) in [\d.]+ s$/m)
    expect(run(process.execPath, main, 'info').out).toMatch(/backend +onednn/)
  })
})
