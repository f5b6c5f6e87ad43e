// @ts-check
// Notebooks in TypeScript: `npm run notebook` opens Jupyter on examples/notebook, `-- --execute` runs the tutorial and keeps its outputs.
import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { isMain, report, root, run } from './process.mjs'
import { packagesCurrent, setupOrExit } from './setup.mjs'

const folder = join(root, 'examples', 'notebook')
const kernel = join(folder, 'kernel')
const data = join(root, 'build', 'jupyter')
/** Debian's Jupyter stands on Debian's Python, whatever other Python comes first elsewhere. */
const programs = '/usr/bin'

/** Why notebooks cannot run here, or null. */
export const noJupyter = () =>
  existsSync(join(programs, 'jupyter-nbconvert'))
    ? null
    : 'Jupyter is not installed (npm run setup -- --testing)'

/** Jupyter's environment: its own folders, in which the TypeScript kernel is the one of this repository. */
function environment() {
  return {
    PATH: [programs, process.env.PATH ?? ''].join(delimiter),
    JUPYTER_DATA_DIR: data,
    JUPYTER_CONFIG_DIR: join(data, 'config'),
    JUPYTER_RUNTIME_DIR: join(data, 'runtime'),
  }
}

/**
 * Installs tslab and tells Jupyter where it is.
 * @throws {Error} with npm's words
 */
export async function installKernel() {
  if (!packagesCurrent(kernel)) {
    const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
    const { code, output } = await run('npm', args, { cwd: kernel, seconds: 300 })
    if (code !== 0) throw new Error(output)
  }
  // Cells import the package by its name; the kernel's compiler looks for it in node_modules alone.
  const link = join(folder, 'node_modules', 'mxnet-ts')
  mkdirSync(dirname(link), { recursive: true })
  if (!existsSync(link)) symlinkSync(root, link, 'junction')
  const place = join(data, 'kernels', 'tslab')
  mkdirSync(place, { recursive: true })
  const program = join(kernel, 'node_modules', 'tslab', 'bin', 'tslab')
  const spec = {
    argv: [process.execPath, program, 'kernel', '--config-path', '{connection_file}'],
    display_name: 'TypeScript',
    language: 'typescript',
  }
  writeFileSync(join(place, 'kernel.json'), JSON.stringify(spec, null, 2))
}

/**
 * Runs a notebook from top to bottom.
 * @param {string} file
 * @param {string} output  where it is written with its outputs
 * @param {Record<string, string>} [env]
 * @throws {Error} with Jupyter's words when a cell fails
 */
export async function executeNotebook(file, output, env = {}) {
  const beside = `${output}.part.ipynb`
  // A busy machine may take minutes to start a kernel.
  const patience = '--ExecutePreprocessor.startup_timeout=300'
  const args = ['nbconvert', '--to', 'notebook', '--execute', file, '--output', beside, patience]
  const all = { ...environment(), ...env }
  const { code, output: said } = await run('jupyter', args, { cwd: folder, env: all, seconds: 600 })
  if (code !== 0) throw new Error(said)
  writeFileSync(beside, settled(readFileSync(beside, 'utf8')))
  renameSync(beside, output)
}

/** A notebook without what differs from run to run. @param {string} text */
function settled(text) {
  const notebook = JSON.parse(text)
  for (const cell of notebook.cells) delete cell.metadata.execution
  return `${JSON.stringify(notebook, null, 1)}\n`
}

if (isMain(import.meta.url)) {
  const execute = process.argv.includes('--execute')
  await setupOrExit({ testing: true })
  const missing = noJupyter()
  if (missing !== null) {
    console.error(missing)
    process.exit(1)
  }
  await installKernel()
  const notebook = join(folder, 'mnist.ipynb')
  if (execute) {
    await executeNotebook(notebook, notebook)
    report('ok', 'notebook', 'examples/notebook/mnist.ipynb, run and saved')
  } else {
    const env = { ...process.env, ...environment() }
    const child = spawn('jupyter', ['notebook', notebook], { cwd: folder, env, stdio: 'inherit' })
    process.on('SIGINT', () => {})
    child.on('close', (code) => {
      process.exitCode = code ?? 1
    })
  }
}
