// @ts-check
// No file grows past reading: 500 lines for a source, 600 for a test. Prints lines per folder.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { isMain, root } from './process.mjs'

/** @type {readonly { folder: string, kinds: RegExp, limit: number }[]} */
const budgets = [
  { folder: 'src', kinds: /\.ts$/, limit: 500 },
  { folder: 'native', kinds: /\.(c|cc|cpp|h|hpp)$/, limit: 500 },
  { folder: 'scripts', kinds: /\.mjs$/, limit: 500 },
  { folder: 'test', kinds: /\.ts$/, limit: 600 },
]

/** @typedef {{ file: string, lines: number, limit: number }} Size */

/**
 * The length of every file that has a limit.
 * @param {string} [folder]  the repository
 * @returns {Size[]}
 */
export function measure(folder = root) {
  return budgets.flatMap(({ folder: part, kinds, limit }) => {
    const top = join(folder, part)
    if (!existsSync(top)) return []
    return readdirSync(top, { recursive: true })
      .map((name) => String(name).split(sep).join('/'))
      .filter((name) => kinds.test(name) && !/(^|\/)(node_modules|build|dist)\//.test(name))
      .sort()
      .map((name) => {
        const text = readFileSync(join(top, name), 'utf8')
        const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
        return { file: `${part}/${name}`, lines, limit }
      })
  })
}

/** The folder a file is counted under: two levels deep. @param {string} file */
const folderOf = (file) => file.split('/').slice(0, -1).slice(0, 2).join('/')

/** @param {readonly Size[]} sizes */
function table(sizes) {
  /** @type {Map<string, Size[]>} */
  const folders = new Map()
  for (const size of sizes) {
    const folder = folderOf(size.file)
    folders.set(folder, [...(folders.get(folder) ?? []), size])
  }
  /** @param {string} name @param {...unknown} numbers */
  const row = (name, ...numbers) =>
    name.padEnd(22) + numbers.map((number) => String(number).padStart(8)).join('')
  const rows = [...folders].map(([folder, files]) => {
    const lengths = files.map((file) => file.lines)
    const total = lengths.reduce((sum, lines) => sum + lines, 0)
    return row(folder, files.length, total, Math.max(...lengths))
  })
  return [row('folder', 'files', 'lines', 'longest'), ...rows].join('\n')
}

if (isMain(import.meta.url)) {
  const sizes = measure()
  const over = sizes.filter(({ lines, limit }) => lines > limit)
  console.log(table(sizes))
  for (const { file, lines, limit } of over) {
    console.error(
      `${file}:${limit + 1}  ${lines} lines, and the limit is ${limit}: split it by idea`,
    )
  }
  console.log(`budget: ${sizes.length} files, ${over.length} over their limit`)
  process.exitCode = over.length === 0 ? 0 : 1
}
