// @ts-check
// Everything that must hold before a change lands, in order, stopping at the first stage that fails.
// `--static` stops before the tests run.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { report, root, run, tool } from './process.mjs'
import { setupOrExit } from './setup.mjs'

/** @typedef {{ name: string, seconds: number, detail: string }} Stage */
/** @type {Stage[]} */
const stages = []
const counts = { passed: 0, failed: 0, skipped: 0 }

/** @param {number} code */
function finish(code) {
  console.log('\nsummary')
  for (const { name, seconds, detail } of stages) {
    report(detail === 'failed' ? 'fail' : 'ok', name, detail, seconds)
  }
  if (counts.passed + counts.failed > 0) {
    console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  }
  process.exit(code)
}

/**
 * @param {string} name
 * @param {readonly string[]} args  Node's arguments
 * @param {{ seconds: number, env?: Record<string, string>, after?: () => string }} options
 *   `after` reads what the stage left and says it in a few words
 */
async function stage(name, args, { after = () => '', ...options }) {
  console.log(`\n── ${name}`)
  const { code, seconds } = await run(process.execPath, args, { ...options, show: true })
  const detail = after()
  stages.push({ name, seconds, detail: code === 0 ? detail : 'failed' })
  if (code === 0) return
  console.error(`\n${name} failed${code === 124 ? `: stopped after ${options.seconds} s` : ''}`)
  finish(code)
}

/** Runs the suite. @param {string} name @param {readonly string[]} args @param {Record<string, string>} env */
function vitest(name, args, env) {
  const file = join(root, 'build', 'reports', `${name.replace(/\W+/g, '-')}.json`)
  mkdirSync(join(root, 'build', 'reports'), { recursive: true })
  rmSync(file, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const after = () => {
    if (!existsSync(file)) return ''
    const result = JSON.parse(readFileSync(file, 'utf8'))
    const skipped = result.numPendingTests + (result.numTodoTests ?? 0)
    counts.passed += result.numPassedTests
    counts.failed += result.numFailedTests
    counts.skipped += skipped
    return `${result.numPassedTests} passed${skipped > 0 ? `, ${skipped} skipped` : ''}`
  }
  return stage(name, [tool('vitest/vitest.mjs'), 'run', ...args, ...reporters], {
    seconds: 2400,
    env,
    after,
  })
}

const start = performance.now()
const onlyStatic = process.argv.includes('--static')
const backend = await setupOrExit({ testing: !onlyStatic })
stages.push({ name: 'setup', seconds: (performance.now() - start) / 1000, detail: '' })

await stage('lint', [tool('@biomejs/biome/bin/biome'), 'ci', '--error-on-warnings'], {
  seconds: 120,
})
await stage('types', [tool('typescript/bin/tsc'), '-p', 'tsconfig.json'], { seconds: 300 })
await stage('layers', [join(root, 'scripts', 'layers.mjs')], { seconds: 60 })
await stage('budget', [join(root, 'scripts', 'budget.mjs')], { seconds: 60 })
if (!onlyStatic) {
  if (backend.native) await vitest('tests, native', [], {})
  else console.log(`\nThe tests run on WebAssembly alone: ${backend.reason}.`)
  await vitest('tests, wasm', ['--mode', 'wasm'], { MXNET_BACKEND: 'wasm' })
}
finish(0)
