/** What commands print: tables, sizes, and colours where a person looks. */

/** Whether a stream is read by a person who has not asked for plain text. */
const coloured = (stream: NodeJS.WriteStream): boolean =>
  stream.isTTY === true && process.env.NO_COLOR === undefined && process.env.TERM !== 'dumb'

const paint = (on: number, off: number, stream: NodeJS.WriteStream) => (text: string) =>
  coloured(stream) ? `\x1b[${on}m${text}\x1b[${off}m` : text

export const bold = paint(1, 22, process.stdout)
export const dim = paint(2, 22, process.stdout)
/** For the word that begins an error. */
export const red = paint(31, 39, process.stderr)

/** Prints a value as JSON, one line. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value))
}

/** Rows as aligned columns under a header; columns in `right` are numbers. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string {
  const widths = header.map((title, i) =>
    rows.reduce((width, row) => Math.max(width, row[i]!.length), title.length),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd()
  return [bold(line(header)), ...rows.map(line)].join('\n')
}

/** A number of bytes in the largest unit that leaves one before the point. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  let [value, unit] = [bytes, 0]
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

export const formatCount = (n: number): string => n.toLocaleString('en')
