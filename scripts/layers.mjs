// @ts-check
// The plan of the house as a check: which folder of src/ may import which, and two habits that keep it so.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, posix, relative, sep } from 'node:path'
import { isMain, root } from './process.mjs'

const language = ['base', 'core', 'prim']
const arrays = [...language, 'ops', 'passes', 'exec']
const training = ['base', 'core', 'ops', 'ndarray', 'autograd']
const libraries = ['optimizer', 'lrScheduler', 'metric', 'initializer', 'kvstore', 'io', 'image']
const everyone = [...arrays, 'format', 'ndarray', 'symbol', 'autograd', 'gluon', ...libraries]

/**
 * Folder -> the folders it may import besides itself. A backend is a folder of its own, and so is the contract
 * `backend/backend.ts`. What has no line here may not exist.
 * @type {Record<string, readonly string[]>}
 */
export const arrows = {
  base: [],
  format: ['base'],
  core: ['base'],
  prim: ['base', 'core'],
  ops: language,
  passes: language,
  'backend/backend.ts': ['base', 'prim'],
  'backend/reference': ['base', 'prim', 'backend/backend.ts'],
  'backend/wasm': ['base', 'prim', 'backend/backend.ts'],
  'backend/onednn': ['base', 'prim', 'backend/backend.ts'],
  'backend/threads': ['base', 'prim', 'backend/backend.ts'],
  'backend/webgpu': ['base', 'prim', 'backend/backend.ts'],
  exec: [...language, 'passes', 'backend/backend.ts'],
  ndarray: [...arrays, 'format'],
  autograd: [...arrays, 'ndarray'],
  // NumPy's names and rules over the same operators; a few products are written in primitives.
  numpy: [...language, 'ops', 'ndarray'],
  // An executor holds arrays and runs backward on them.
  symbol: [...arrays, 'ndarray', 'autograd'],
  ...Object.fromEntries(libraries.map((folder) => [folder, training])),
  // Records hold pictures.
  io: [...training, 'image'],
  // A store updates what it holds.
  kvstore: [...training, 'optimizer'],
  // Datasets of pictures are read by what reads pictures.
  gluon: [
    ...training,
    'symbol',
    'optimizer',
    'kvstore',
    'initializer',
    'lrScheduler',
    'io',
    'image',
  ],
  // Checks of operators and blocks compare them from outside.
  testUtils: training,
  callback: ['base', 'metric'],
  viz: everyone,
  profiler: everyone,
  runtime: [...everyone, 'backend/backend.ts'],
  // A command is a program, so it alone may stand on a composition root.
  cli: [...everyone, 'viz', 'profiler', 'runtime', 'node.ts'],
}

/** Composition roots: they import everything, and only each other import them. */
const roots = ['index.ts', 'node.ts', 'browser.ts', 'nodeThread.ts', 'browserThread.ts']
/** Where an npm package may be imported: the array core has no dependencies. */
const mayDepend = ['backend/webgpu', 'gluon', 'io', 'image', 'viz', 'profiler', 'cli']
const vagueNames = /^(utils?|helpers?|common|misc)$/i
/** Where an operator may be recognised by its name: at the wire and in pictures. */
const readsNames = ['symbol', 'viz']

/**
 * @typedef {object} Violation
 * @property {string} file  from the repository, with forward slashes
 * @property {number} line
 * @property {string} rule
 */

/** @param {string} folder @returns {string[]} */
function filesBelow(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((file) => !/[\\/](node_modules|build|dist)[\\/]/.test(relative(folder, file)))
    .sort()
}

/** The unit of the table that a file of src/ belongs to. @param {string} path  from src/ */
function unitOf(path) {
  const [first = '', second = ''] = path.split('/')
  return first === 'backend' ? `backend/${second}` : first
}

const isComment = (/** @type {string} */ line) => /^\s*(\*|\/\/|\/\*)/.test(line)

/** Static, side-effect, re-export and dynamic imports, types included. @param {string} text */
export function importsOf(text) {
  const code = text
    .split('\n')
    .map((line) => (isComment(line) ? '' : line))
    .join('\n')
  const forms = [
    /^\s*(?:import|export)\b[^'"`;=()]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /(?<!\.)\bimport\(\s*['"]([^'"]+)['"]/g,
  ]
  return forms
    .flatMap((form) => [...code.matchAll(form)])
    .map((match) => {
      const at = match.index + match[0].lastIndexOf(match[1] ?? '')
      return { to: match[1] ?? '', line: code.slice(0, at).split('\n').length }
    })
    .sort((a, b) => a.line - b.line)
}

/** Why an import breaks the table, or undefined. @param {string} from @param {string} to  path or package */
function broken(from, to) {
  const unit = unitOf(from)
  if (!to.startsWith('.')) {
    if (to === 'mxnet-ts') return 'src/ does not import the package it is'
    if (to.startsWith('node:') || mayDepend.includes(unit) || roots.includes(unit)) return undefined
    return `${unit} has no dependencies, and imports the package ${to}`
  }
  const target = posix.normalize(posix.join(posix.dirname(from), to))
  if (target.startsWith('..')) return `src/ imports nothing outside itself, and ${to} is`
  const other = unitOf(target)
  if (other === unit || roots.includes(unit)) return undefined
  if (arrows[unit] === undefined) return undefined
  if (arrows[unit].includes(other)) return undefined
  if (roots.includes(other)) return `nobody imports the composition root ${other}`
  if (arrows[other] === undefined) return `there is no folder ${other} in the plan`
  const allowed = arrows[unit].length === 0 ? 'nothing' : arrows[unit].join(', ')
  return `${unit} may not import ${other} (it may: ${allowed})`
}

/**
 * The first circle among folders, or undefined.
 * @param {ReadonlyMap<string, ReadonlyMap<string, unknown>>} graph  folder -> folders it imports
 * @returns {string[] | undefined}  the folders in order, the first again at the end
 */
export function findCycle(graph) {
  /** @type {string[]} */
  const path = []
  const done = new Set()
  /** @param {string} node @returns {string[] | undefined} */
  const visit = (node) => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node]
    if (done.has(node)) return undefined
    path.push(node)
    for (const next of graph.get(node)?.keys() ?? []) {
      const cycle = visit(next)
      if (cycle !== undefined) return cycle
    }
    path.pop()
    done.add(node)
    return undefined
  }
  for (const node of graph.keys()) {
    const cycle = visit(node)
    if (cycle !== undefined) return cycle
  }
  return undefined
}

const nameTest =
  /\bop(?:Def)?\??\.name\s*[!=]==?\s*['"`]|\bswitch\s*\(\s*[\w.?]*\bop(?:Def)?\??\.name\s*\)/

/**
 * Checks a tree that has a folder src/.
 * @param {string} [folder]  the repository
 * @returns {{ files: number, imports: number, violations: Violation[] }}
 */
export function checkLayers(folder = root) {
  /** @type {Violation[]} */
  const violations = []
  /** @type {Map<string, Map<string, { file: string, line: number }>>} */
  const graph = new Map()
  const src = join(folder, 'src')
  const sources = filesBelow(src).filter((file) => file.endsWith('.ts'))
  let imports = 0
  for (const path of sources) {
    const from = relative(src, path).split(sep).join('/')
    const file = `src/${from}`
    const unit = unitOf(from)
    if (arrows[unit] === undefined && !roots.includes(unit)) {
      violations.push({ file, line: 1, rule: `there is no folder ${unit} in the plan` })
    }
    const text = readFileSync(path, 'utf8')
    for (const { to, line } of importsOf(text)) {
      imports++
      const rule = broken(from, to)
      if (rule !== undefined) violations.push({ file, line, rule })
      if (!to.startsWith('.') || roots.includes(unit)) continue
      const other = unitOf(posix.normalize(posix.join(posix.dirname(from), to)))
      if (other === unit) continue
      const targets = graph.get(unit) ?? new Map()
      graph.set(unit, targets)
      if (!targets.has(other)) targets.set(other, { file, line })
    }
    if (readsNames.includes(unit)) continue
    for (const [index, line] of text.split('\n').entries()) {
      if (isComment(line) || !nameTest.test(line)) continue
      const rule =
        'an operator is asked for its properties, never for its name (outside symbol/ and viz/)'
      violations.push({ file, line: index + 1, rule })
    }
  }
  const cycle = findCycle(graph)
  if (cycle !== undefined) {
    const [first = '', second = ''] = cycle
    const where = graph.get(first)?.get(second) ?? { file: 'src', line: 1 }
    violations.push({
      ...where,
      rule: `folders import each other in a circle: ${cycle.join(' -> ')}`,
    })
  }
  for (const part of ['src', 'native', 'test', 'bench', 'examples', 'scripts']) {
    for (const path of filesBelow(join(folder, part))) {
      const file = relative(folder, path).split(sep).join('/')
      const names = [...dirname(file).split('/'), basename(file).replace(/\..*$/, '')]
      const vague = names.find((name) => vagueNames.test(name))
      if (vague === undefined) continue
      violations.push({
        file,
        line: 1,
        rule: `"${vague}" names no idea: call it after what it holds`,
      })
    }
  }
  return { files: sources.length, imports, violations }
}

if (isMain(import.meta.url)) {
  const { files, imports, violations } = checkLayers()
  for (const { file, line, rule } of violations) console.error(`${file}:${line}  ${rule}`)
  console.log(`layers: ${files} files, ${imports} imports, ${violations.length} violations`)
  process.exitCode = violations.length === 0 ? 0 : 1
}
