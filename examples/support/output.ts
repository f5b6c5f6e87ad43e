// Where the examples write: examples/output/ of this repository.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The nearest folder above this file that is the repository. */
function repository(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'tsconfig.programs.json'))) {
    const above = dirname(folder)
    if (above === folder) return process.cwd()
    folder = above
  }
  return folder
}

/** The path of an output file; its folder exists. */
export function output(name: string): string {
  const folder = join(repository(), 'examples', 'output')
  mkdirSync(folder, { recursive: true })
  return join(folder, name)
}

/** The same, as one would type it here. */
export const where = (name: string): string => relative(process.cwd(), output(name))

export function saveText(name: string, text: string): void {
  writeFileSync(output(name), text)
}
