// @ts-check
// Which of MXNet's operators are here (`npm run operators`), and what the operator table has shown of each of them
// (`npm run operators -- --write` runs it and writes docs/operators.md).
import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runnerImport } from 'vite'
import { isMain, root, run } from './process.mjs'

/**
 * @typedef {object} List
 * @property {readonly string[]} names  of MXNet 1.9.1's dense and sparse operators, as its documentation groups them
 * @property {Readonly<Record<string, string>>} functions  names that are functions here: where they stand
 * @property {Readonly<Record<string, string>>} absent  names that are not here, and why
 */

/** @returns {List} */
export const readList = () =>
  JSON.parse(readFileSync(join(root, 'scripts', 'operators.json'), 'utf8'))

/** The operators that are registered: wire name and aliases, and the public namespaces. */
export async function registry() {
  const { module } = await runnerImport(join(root, 'scripts', 'registry.ts'), {
    root,
    configFile: false,
    logLevel: 'warn',
    oxc: { target: 'es2022' },
  })
  return /** @type {typeof import('./registry.ts')} */ (module)
}

/**
 * Which names are here, which are not, and which of those have no reason.
 * @param {List} list
 * @param {ReadonlySet<string>} known  wire names and aliases
 * @param {(path: string) => boolean} isFunction
 */
export function compare(list, known, isFunction) {
  const here = list.names.filter((name) => {
    const path = list.functions[name]
    return known.has(name) || known.has(`_${name}`) || (path !== undefined && isFunction(path))
  })
  const absent = list.names.filter((name) => !here.includes(name))
  return { here, absent, unexplained: absent.filter((name) => list.absent[name] === undefined) }
}

/** @typedef {{ ancestorTitles: string[], title: string, status: string }} Result */

const backends = ['reference', 'wasm', 'cpu']
const dtypes = ['float32', 'float64', '16-bit floats', 'integers']

/** The lines of the page from the results of the table's tests. @param {readonly Result[]} results */
export function page(results) {
  /** @type {Map<string, Set<string>>} */
  const passed = new Map()
  for (const { ancestorTitles, title, status } of results) {
    const [op, place = ''] = ancestorTitles
    if (op === undefined || op.startsWith('the operator table')) continue
    const seen = passed.get(op) ?? new Set()
    passed.set(op, seen)
    if (status === 'passed') seen.add(`${place.replace(/^on (\w+).*$/, '$1')}: ${title}`)
  }
  const mark = (/** @type {boolean} */ yes) => (yes ? 'yes' : '')
  const rows = [...passed]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([op, seen]) => {
      const has = (/** @type {string} */ text) => [...seen].some((s) => s.includes(text))
      const kinds = dtypes.map((dtype) =>
        backends
          .filter((b) =>
            [...seen].some(
              (s) =>
                s.endsWith(`in ${dtype}`) &&
                (s.startsWith(`${b}: `) || (b === 'reference' && s.startsWith(': '))),
            ),
          )
          .map((b) => ({ reference: 'r', wasm: 'w', cpu: 'n' })[b])
          .join(''),
      )
      const drawn = backends.filter((b) => seen.has(`${b}: draws what it should`)).map((b) => b[0])
      const order =
        /to order (\d)/.exec([...seen].find((s) => s.includes('to order')) ?? '')?.[1] ?? ''
      const cells = [
        ...kinds,
        drawn.map((b) => (b === 'c' ? 'n' : b)).join(''),
        order,
        mark(has('keeps its values when fused')),
        mark(has('reads strided inputs')),
        mark(has('meets empty and scalar inputs')),
        mark(has('survives special values')),
      ]
      return `| \`${op}\` | ${cells.join(' | ')} |`
    })
  return [
    '# Operators',
    '',
    'Made by `npm run operators -- --write` from the tests of the operator table that passed; nothing is claimed by hand.',
    '',
    'r: the reference backend, w: WebAssembly, n: native (oneDNN and WebAssembly). Properties: what an operator promises, checked in place of',
    'a formula (distributions, factorisations). Order: that to which derivatives agree with differences. Fused: the same values as part of',
    'a larger graph. Edges: empty and scalar inputs. Specials: NaN, infinities, subnormals, extreme numbers, positions far outside.',
    '',
    `| operator | ${['float32', 'float64', '16-bit floats', 'integers', 'properties', 'order', 'fused', 'strided', 'edges', 'specials'].join(' | ')} |`,
    `|${' --- |'.repeat(11)}`,
    ...rows,
    '',
  ]
}

if (isMain(import.meta.url)) {
  const list = readList()
  const { operators, isFunction } = await registry()
  const known = new Set(operators.flat())
  const { here, absent, unexplained } = compare(list, known, isFunction)
  console.log(`${here.length} of ${list.names.length} names are here; ${operators.length} records.`)
  console.log(`Absent (${((100 * absent.length) / list.names.length).toFixed(1)} %):`)
  for (const name of absent)
    console.log(`  ${name.padEnd(42)} ${list.absent[name] ?? 'no reason given'}`)
  process.exitCode = unexplained.length === 0 ? 0 : 1
  if (process.argv.includes('--write')) {
    const file = join(tmpdir(), `operators-${process.pid}.json`)
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
    const args = [
      vitest,
      'run',
      'test/ops/table.test.ts',
      '--reporter=json',
      `--outputFile=${file}`,
    ]
    const { code, output } = await run(process.execPath, args, { seconds: 1800 })
    if (code !== 0)
      console.log(`${output.slice(-2000)}\nsome tests failed: what they would show is left out`)
    const { testResults } = JSON.parse(readFileSync(file, 'utf8'))
    const results = testResults.flatMap(
      (/** @type {{ assertionResults: Result[] }} */ t) => t.assertionResults,
    )
    const notes = [
      '## Absent',
      '',
      `${here.length} of ${list.names.length} names that MXNet 1.9.1 documents are here. The others:`,
      '',
      ...absent.map((name) => `- \`${name}\`: ${list.absent[name] ?? 'no reason given'}`),
      '',
    ]
    writeFileSync(join(root, 'docs', 'operators.md'), [...page(results), ...notes].join('\n'))
    console.log('docs/operators.md written')
  }
}
