// The benchmark driver: starts every system in a process of its own and lets them take turns.
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { cases } from './cases.ts'
import { Child } from './child.ts'
import { type CaseResult, type Effort, measure, type Running } from './measure.ts'
import { ratios, times } from './report.ts'
import { limit, limitThreads } from './systems/limit.ts'
import { jaxEager, jaxJit, jaxPage, tfjs, tfjsPage } from './systems/npmPeers.ts'
import { ours as oursSystems } from './systems/ours.ts'
import { pytorch, pytorchThreads } from './systems/pytorch.ts'
import { root, type System } from './systems/system.ts'

const usage = `npm run bench -- [options]
  --only <regex>     cases by name: ${cases.map(({ name }) => name).join(' ')}
  --systems <regex>  systems by name
  --quick            few short rounds: does it work?
  --rounds <n>       15 unless said
  --install          install the Debian packages of PyTorch
  --save             write bench/results/<date>-<revision>.json`

const peers = [jaxJit, jaxEager, tfjs, jaxPage, tfjsPage, pytorch, pytorchThreads]
const systems: readonly System[] = [...oursSystems, ...peers, limit, limitThreads]

const options = {
  only: { type: 'string' },
  systems: { type: 'string' },
  quick: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  install: { type: 'boolean', default: false },
  save: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

function readArgs() {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    return process.exit(2)
  }
}

function revision(): string {
  const git = (...args: string[]): string =>
    spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? ''
  const hash = git('rev-parse', '--short', 'HEAD')
  if (hash === '') return 'unknown'
  return git('status', '--porcelain') === '' ? hash : `${hash}-dirty`
}

async function start(system: System, install: boolean): Promise<Running | string> {
  const how = system.prepare({ install })
  if (typeof how === 'string') return how
  const child = new Child(how)
  try {
    const about = await child.ask('about')
    const names = (await child.ask('cases')).split(' ')
    console.log(`  ${system.name.padEnd(14)} ${about}`)
    return { name: system.name, kind: system.kind, child, cases: names }
  } catch (error) {
    child.stop()
    return (error as Error).message
  }
}

async function startAll(pattern: RegExp, install: boolean): Promise<Running[]> {
  const running: Running[] = []
  for (const system of systems.filter(({ name }) => pattern.test(name))) {
    const result = await start(system, install)
    if (typeof result === 'string') console.log(`  ${system.name.padEnd(14)} skipped: ${result}`)
    else running.push(result)
  }
  return running
}

function save(header: object, results: readonly CaseResult[]): void {
  const folder = join(root, 'bench', 'results')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${new Date().toISOString().slice(0, 10)}-${revision()}.json`)
  writeFileSync(file, `${JSON.stringify({ ...header, results }, undefined, 1)}\n`)
  console.log(`written to ${relative(root, file)}`)
}

const args = readArgs()
if (args.help) {
  console.log(usage)
  process.exit(0)
}
const rounds = Number(args.rounds ?? (args.quick ? 3 : 15))
const effort: Effort = { rounds, seconds: args.quick ? 0.005 : 0.03 }
const chosen = cases.filter(({ name }) => new RegExp(args.only ?? '').test(name))
const header = {
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  node: process.version,
  revision: revision(),
  ...effort,
}
console.log(`${header.cpu}, ${header.cores} cores; Node ${header.node}; ${header.revision}`)
console.log(`${rounds} rounds of ${effort.seconds * 1000} ms, systems taking turns`)
const running = await startAll(new RegExp(args.systems ?? ''), args.install)
const results: CaseResult[] = []
try {
  for (const which of chosen) {
    const result = await measure(which, running, effort)
    results.push(result)
    console.log(`\n${which.name}: ${which.title}`)
    if (result.measured.length > 0) console.log(times(result))
    for (const problem of result.problems) console.log(`  left out: ${problem}`)
  }
} finally {
  for (const { child } of running) child.stop()
}
console.log('\nratio: how often ours runs while the peer runs once; of limit: ours over the limit')
console.log(ratios(results))
if (args.save) save(header, results)
const ours = running.filter(({ kind }) => kind === 'ours').map(({ name }) => name)
const failed = results.some(({ problems }) =>
  problems.some((problem) => ours.some((name) => problem.includes(` on ${name}:`))),
)
// What a peer cannot do is a remark; what ours cannot do is a failure.
process.exitCode = failed || ours.length === 0 ? 1 : 0
