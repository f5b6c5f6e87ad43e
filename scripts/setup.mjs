// @ts-check
// From a fresh clone to a library that runs: npm packages, system packages, TypeScript, native bridge.
// Each step does only what is missing. The system packages and the bridge may fail: WebAssembly remains.
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { beginning, isMain, lastLine, report, root, run, tool, which } from './process.mjs'

/**
 * @typedef {object} Backend
 * @property {boolean} native  whether the native bridge is built
 * @property {string} reason   why not, in a few words
 */

/** A step without which nothing can run. */
export class SetupError extends Error {}

/**
 * Whether node_modules holds exactly what package-lock.json asks for (packages for other platforms apart).
 * @param {string} [folder]
 */
export function packagesCurrent(folder = root) {
  const installed = join(folder, 'node_modules', '.package-lock.json')
  if (!existsSync(installed)) return false
  /** @typedef {{ version?: string, optional?: boolean, devOptional?: boolean }} Entry */
  /** @type {(file: string) => Record<string, Entry>} */
  const read = (file) => JSON.parse(readFileSync(file, 'utf8')).packages ?? {}
  const wanted = read(join(folder, 'package-lock.json'))
  const found = read(installed)
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true
    const there = found[path]
    if (there === undefined) return entry.optional === true || entry.devOptional === true
    return there.version === entry.version && existsSync(join(folder, path))
  })
}

async function installPackages() {
  if (packagesCurrent()) return report('ok', 'npm packages', 'up to date')
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  const { code, output, seconds } = await run('npm', args, { seconds: 600 })
  if (code !== 0) {
    report('fail', 'npm packages', `npm ci ended with ${code}`, seconds)
    throw new SetupError(beginning(output))
  }
  report('ok', 'npm packages', 'installed', seconds)
}

const compilers = [process.env.CXX, 'g++', 'clang++', 'c++']
const hasCompiler = () => compilers.some((name) => name !== undefined && which(name) !== undefined)
const includeFolders = ['/usr/include', '/usr/local/include', '/opt/homebrew/include']
const hasOneDnn = () =>
  includeFolders.some(
    (folder) =>
      existsSync(join(folder, 'oneapi/dnnl/dnnl.h')) || existsSync(join(folder, 'dnnl.h')),
  )

function missingSystemPackages() {
  return [...(hasCompiler() ? [] : ['g++']), ...(hasOneDnn() ? [] : ['libdnnl-dev'])]
}

/** @param {readonly string[]} missing @returns {Promise<string | undefined>} what went wrong */
async function aptInstall(missing) {
  if (which('apt-get') === undefined) return 'no apt-get here'
  /** @type {string[]} */
  let prefix = []
  if (process.getuid?.() !== 0) {
    if (which('sudo') === undefined) return 'not root and no sudo'
    if ((await run('sudo', ['-n', 'true'], { seconds: 10 })).code !== 0)
      return 'not root and sudo asks for a password'
    prefix = ['sudo', '-n']
  }
  const apt = (/** @type {string[]} */ ...args) => {
    // `env` carries the variable through sudo, which would drop it.
    const [command = '', ...rest] = [
      ...prefix,
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      ...args,
    ]
    return run(command, rest, { seconds: 300 })
  }
  const wait = ['-o', 'DPkg::Lock::Timeout=120']
  const install = ['install', '-y', '-q', '--no-install-recommends', ...wait, ...missing]
  const policy = await run('apt-cache', ['policy', ...missing], {
    env: { LC_ALL: 'C' },
    seconds: 30,
  })
  const known = (policy.output.match(/Candidate: \S*\d/g) ?? []).length === missing.length
  let result = known ? await apt(...install) : undefined
  if (result === undefined || (result.code !== 0 && result.code !== 124)) {
    // Lists that are missing or old: fetch them, then try once more.
    const update = await apt('update', '-q', ...wait)
    if (update.code !== 0) return `apt-get update failed (${lastLine(update.output)})`
    result = await apt(...install)
  }
  return result.code === 0 ? undefined : `apt-get install failed (${lastLine(result.output)})`
}

const libraries = '/usr/lib'
const hasVulkan = () =>
  existsSync(libraries) &&
  readdirSync(libraries).some((folder) => existsSync(join(libraries, folder, 'libvulkan.so.1')))

/** What the tests of notebooks, pages and GPUs run; without it they are skipped. */
function missingTestPackages() {
  const jupyter = ['jupyter-notebook', 'jupyter-nbconvert']
  return [
    ...jupyter.filter((name) => !existsSync(join('/usr/bin', name))),
    ...(which('chromium') === undefined ? ['chromium'] : []),
    // Chromium brings a driver that plays a GPU, and Node's WebGPU finds it by Vulkan's loader.
    ...(hasVulkan() ? [] : ['libvulkan1']),
  ]
}

/** @param {string} title @param {readonly string[]} missing @param {string} found */
async function installSystemPackages(title, missing, found) {
  if (missing.length === 0) return report('ok', title, found)
  const start = performance.now()
  const problem = await aptInstall(missing)
  const seconds = (performance.now() - start) / 1000
  if (problem === undefined) report('ok', title, `installed ${missing.join(', ')}`, seconds)
  else report('skip', title, `${missing.join(', ')} missing: ${problem}`, seconds)
}

/** The compiler and oneDNN first: they matter more, and apt does one thing at a time. @param {boolean} native @param {boolean} testing */
async function installDebianPackages(native, testing) {
  const found = 'g++ and oneDNN found'
  if (native) await installSystemPackages('system packages', missingSystemPackages(), found)
  if (!testing) return
  await installSystemPackages('test packages', missingTestPackages(), 'Jupyter and Chromium found')
}

/** Every file below a folder. @param {string} folder @returns {string[]} */
function filesBelow(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
}

const programs = ['examples', 'bench']
const stampFile = join(root, 'build', '.typescript')

/** Names, sizes and times of all that the TypeScript build reads. */
function sourcePrint() {
  const files = ['src', ...programs].flatMap((folder) => filesBelow(join(root, folder)))
  const sources = files.filter((file) => file.endsWith('.ts'))
  const settings = [
    'tsconfig.json',
    'tsconfig.build.json',
    'tsconfig.programs.json',
    'package-lock.json',
  ]
  const hash = createHash('sha256')
  for (const file of [...sources, ...settings.map((name) => join(root, name))].sort()) {
    const { size, mtimeMs } = statSync(file)
    hash.update(`${relative(root, file)} ${size} ${mtimeMs}\n`)
  }
  return hash.digest('hex')
}

/** Whether a file of dist/ comes from many sources: what scripts/buildBrowser.mjs makes. @param {string} name */
const isBundle = (name) => name.startsWith('mxnet.')

/** Removes compiled files whose source is gone. @param {string} from @param {string} to */
function prune(from, to) {
  for (const file of filesBelow(to)) {
    const name = relative(to, file)
    if (isBundle(name)) continue
    const source = name.replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts')
    if (/\.(js|d\.ts)(\.map)?$/.test(file) && !existsSync(join(from, source))) rmSync(file)
  }
}

/** @param {boolean} force */
async function buildTypeScript(force) {
  const print = sourcePrint()
  const built = existsSync(stampFile) && existsSync(join(root, 'dist', 'node.js'))
  if (!force && built && readFileSync(stampFile, 'utf8') === print) {
    return report('ok', 'TypeScript', 'up to date')
  }
  rmSync(stampFile, { force: true })
  const hasPrograms = programs.some((folder) =>
    filesBelow(join(root, folder)).some((file) => file.endsWith('.ts')),
  )
  let total = 0
  for (const project of [
    'tsconfig.build.json',
    ...(hasPrograms ? ['tsconfig.programs.json'] : []),
  ]) {
    const args = [tool('typescript/bin/tsc'), '-p', project]
    const { code, output, seconds } = await run(process.execPath, args, { seconds: 300 })
    total += seconds
    if (code !== 0) {
      report('fail', 'TypeScript', `tsc -p ${project} ended with ${code}`, total)
      throw new SetupError(beginning(output))
    }
  }
  prune(join(root, 'src'), join(root, 'dist'))
  for (const folder of programs) prune(join(root, folder), join(root, 'build', folder))
  mkdirSync(join(root, 'build'), { recursive: true })
  writeFileSync(stampFile, print)
  report('ok', 'TypeScript', hasPrograms ? 'src -> dist, programs -> build' : 'src -> dist', total)
}

/** @returns {Promise<Backend>} */
async function buildNative() {
  const script = join(root, 'scripts', 'buildNative.mjs')
  if (!existsSync(script)) return { native: false, reason: 'this copy has no native sources' }
  const { code, output, seconds } = await run(process.execPath, [script], { seconds: 600 })
  const line = lastLine(output)
  report(code === 0 ? 'ok' : 'skip', 'native bridge', line, seconds)
  return { native: code === 0, reason: line === '' ? `the build ended with ${code}` : line }
}

/**
 * Brings the repository to a state in which its programs run, and says in a last line which CPU backend they will use.
 * @param {{ system?: boolean, native?: boolean, force?: boolean, testing?: boolean }} [options]
 *   `system: false` installs no Debian packages; `native: false` leaves the bridge alone; `force` compiles again;
 *   `testing` installs what the tests run besides
 * @returns {Promise<Backend>}
 * @throws {SetupError} when npm packages or TypeScript fail; its message is the tool's own output
 */
export async function setup({ system = true, native = true, force = false, testing = false } = {}) {
  const wasmOnly = process.env.MXNET_BACKEND === 'wasm'
  const wantNative = native && !wasmOnly
  // Downloads wait for the network, so the two kinds of package go side by side; then the two compilers.
  await Promise.all([
    installPackages(),
    system ? installDebianPackages(wantNative, testing) : undefined,
  ])
  const [backend] = await Promise.all([
    wantNative
      ? buildNative()
      : {
          native: false,
          reason: wasmOnly ? 'MXNET_BACKEND=wasm' : 'the native bridge was not asked for',
        },
    buildTypeScript(force),
  ])
  console.log(
    backend.native
      ? 'CPU backend: oneDNN and WebAssembly (the native bridge is built)'
      : `CPU backend: WebAssembly alone (${backend.reason})`,
  )
  return backend
}

/**
 * `setup` for a script: on failure prints why and ends the process.
 * @param {Parameters<typeof setup>[0]} [options]
 */
export async function setupOrExit(options) {
  try {
    return await setup(options)
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    console.error(error.message)
    process.exit(1)
  }
}

if (isMain(import.meta.url)) {
  const flags = new Set(process.argv.slice(2))
  const known = ['--no-system', '--no-native', '--force', '--testing']
  const unknown = [...flags].find((flag) => !known.includes(flag))
  if (unknown !== undefined) {
    console.error(`setup: unknown option ${unknown}; known: ${known.join(' ')}`)
    process.exit(2)
  }
  await setupOrExit({
    system: !flags.has('--no-system'),
    native: !flags.has('--no-native'),
    force: flags.has('--force'),
    testing: flags.has('--testing'),
  })
}
