// @ts-check
// native/*.cpp -> native/build/bridge.node by one call of the compiler. Exits with 2 and one line where it cannot.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const sources = join(root, 'native')
const build = join(sources, 'build')
const bridge = join(build, 'bridge.node')
const stamp = join(build, 'bridge.stamp')
const headers = headersFolder()
const start = performance.now()

/** Node's headers, in whatever folder the package lies that has them; an empty text where it is not installed. */
function headersFolder() {
  try {
    const entry = createRequire(import.meta.url).resolve('node-api-headers')
    return join(dirname(entry), 'include')
  } catch {
    return ''
  }
}

/** Runs a program to its end. @param {string} command @param {readonly string[]} args @param {string} [input] */
function run(command, args, input = '') {
  const options = { input, encoding: /** @type {const} */ ('utf8'), timeout: 300_000 }
  const { status, stdout, stderr, error } = spawnSync(command, args, options)
  return { ok: status === 0, output: `${stdout ?? ''}${stderr ?? error?.message ?? ''}` }
}

/** The oneDNN version a built bridge reports from another process; undefined where it does not load. @param {string} file */
function loads(file) {
  const program = 'process.stdout.write(require(process.argv[1]).versions().onednn)'
  const { ok, output } = run(process.execPath, ['-e', program, file])
  return ok ? output : undefined
}

/** Ends without a bridge: an old one would not be what the sources say. @param {string} reason @returns {never} */
function giveUp(reason) {
  rmSync(bridge, { force: true })
  rmSync(stamp, { force: true })
  console.log(reason)
  process.exit(2)
}

if (process.platform === 'win32') giveUp('the native bridge is not built on Windows')

// No -march: the file must run on any machine of this architecture; oneDNN chooses its kernels at run time.
const flags = ['-std=c++17', '-O3', '-fPIC', '-shared', '-fvisibility=hidden', '-fno-exceptions']
if (process.platform === 'darwin') flags.push('-undefined', 'dynamic_lookup')
const folders = ['/usr/local', '/opt/homebrew'].filter((folder) =>
  existsSync(join(folder, 'include/oneapi/dnnl/dnnl.h')),
)
const include = [headers, ...folders.map((folder) => join(folder, 'include'))]
flags.push(...include.map((folder) => `-I${folder}`))
const libraries = [...folders.map((folder) => `-L${join(folder, 'lib')}`), '-ldnnl']

const names = readdirSync(sources).filter((name) => /\.(cpp|h)$/.test(name))
const hash = createHash('sha256').update(JSON.stringify([flags, libraries, process.env.CXX ?? '']))
hash.update(`${process.platform} ${process.arch}\n`)
for (const name of names.sort()) hash.update(`${name}\n`).update(readFileSync(join(sources, name)))
const print = hash.digest('hex')

if (existsSync(bridge) && existsSync(stamp) && readFileSync(stamp, 'utf8') === print) {
  if (loads(bridge) !== undefined) {
    console.log('native bridge up to date')
    process.exit(0)
  }
}

if (!existsSync(join(headers, 'node_api.h'))) giveUp('node-api-headers is not installed (npm ci)')
const compiler = [process.env.CXX, 'g++', 'clang++', 'c++'].find(
  (name) => name !== undefined && name !== '' && run(name, ['--version']).ok,
)
if (compiler === undefined) giveUp('no C++ compiler')
const language = ['-std=c++17', '-fsyntax-only', '-x', 'c++', '-']
if (!run(compiler, language, '#include <vector>\n').ok) giveUp('no C++ compiler that works')
const probe = [...include.map((folder) => `-I${folder}`), ...language]
if (!run(compiler, probe, '#include <dnnl.h>\n').ok) giveUp('libdnnl-dev is not installed')

mkdirSync(build, { recursive: true })
// Built beside and renamed: a process that has the old file loaded keeps it.
const beside = join(build, `bridge.${process.pid}.node`)
const inputs = names.filter((name) => name.endsWith('.cpp')).map((name) => join(sources, name))
const compiled = run(compiler, [...flags, ...inputs, '-o', beside, ...libraries])
const version = compiled.ok ? loads(beside) : undefined
if (version === undefined) {
  rmSync(beside, { force: true })
  if (compiled.ok) giveUp('the native bridge was built but does not load')
  const lines = compiled.output.split('\n')
  const cause = lines.find((line) => /\berror\b/.test(line)) ?? lines[0] ?? ''
  giveUp(`the native bridge does not compile: ${cause.trim()}`)
}
renameSync(beside, bridge)
writeFileSync(stamp, print)
const seconds = ((performance.now() - start) / 1000).toFixed(1)
console.log(`native bridge built (oneDNN ${version}) in ${seconds} s`)
