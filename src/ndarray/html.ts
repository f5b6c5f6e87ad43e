/** Arrays in notebooks: a table of the elements, the edges of longer axes, and a line about the array. */

import { escapeHtml, type MimeBundle } from '../base/notebook.ts'
import { formatShape } from '../base/shape.ts'
import { withFrame } from '../core/frame.ts'
import { concat } from '../ops/slicing.ts'
import type { NDArray, NestedArray } from './ndarray.ts'

/** Longer axes show this many elements at either end. */
const edge = 5
/** Significant digits of a floating-point number. */
const digits = 6

/** What of an array is shown: a matrix, and which rows and columns of the array it holds. */
interface Excerpt {
  readonly matrix: NDArray
  readonly rows: readonly number[]
  readonly columns: readonly number[]
  /** The indices before the matrix, all 0, where the array has more than two axes. */
  readonly prefix: number
}

/** The bundle of an array on a device that can wait in place. */
export function arrayBundle(x: NDArray): MimeBundle {
  const excerpt = excerptOf(x)
  return bundleOf(x, excerpt, excerpt.matrix.asArraySync())
}

/** The bundle of an array on any device. */
export async function arrayBundleAsync(x: NDArray): Promise<MimeBundle> {
  const excerpt = excerptOf(x)
  return bundleOf(x, excerpt, await excerpt.matrix.asArray())
}

function excerptOf(x: NDArray): Excerpt {
  return withFrame({ recording: false }, () => {
    const prefix = Math.max(0, x.shape.length - 2)
    const empty = x.size === 0
    const last = empty ? x : x.detach().at(...Array<number>(prefix).fill(0))
    const shape: readonly number[] = empty ? [0, 0] : [1, 1, ...last.shape].slice(-2)
    const [rows, columns] = [shownOf(shape[0]!), shownOf(shape[1]!)]
    if (empty) return { matrix: last.reshape([0, 0]), rows, columns, prefix }
    const matrix = ends(ends(last.reshape(shape), 0), 1)
    return { matrix, rows, columns, prefix }
  })
}

const shownOf = (size: number): number[] =>
  size <= 2 * edge
    ? Array.from({ length: size }, (_, i) => i)
    : Array.from({ length: 2 * edge }, (_, i) => (i < edge ? i : size - 2 * edge + i))

/** The first and last slices of an axis, or all where they are few. */
function ends(x: NDArray, axis: 0 | 1): NDArray {
  if (x.shape[axis]! <= 2 * edge) return x
  const part = (range: string): NDArray => (axis === 0 ? x.at(range) : x.at(':', range))
  return concat(part(`:${edge}`), part(`-${edge}:`), { dim: axis })
}

function bundleOf(x: NDArray, { rows, columns, prefix }: Excerpt, values: NestedArray): MimeBundle {
  const cells = values as NestedArray[][]
  const gap = (shown: readonly number[], k: number): boolean =>
    k > 0 && shown[k]! !== shown[k - 1]! + 1
  const line = (tag: string, head: string, texts: readonly string[]): string => {
    const dots = `<${tag}>…</${tag}>`
    const inner = texts.map((text, k) => `${gap(columns, k) ? dots : ''}<${tag}>${text}</${tag}>`)
    return `<tr><th>${head}</th>${inner.join('')}</tr>`
  }
  const body = rows.map((row, k) => {
    const dots = gap(rows, k) ? `<tr><th>…</th></tr>` : ''
    const head = x.shape.length > 1 ? String(row) : ''
    return dots + line('td', head, cells[k]!.map(format))
  })
  const header = x.shape.length > 0 ? line('th', '', columns.map(String)) : ''
  const about = `NDArray ${formatShape(x.shape)} ${x.dtype} @${x.context}`
  const where = prefix > 0 && x.size > 0 ? `, shown at [${Array(prefix).fill('0').join(', ')}]` : ''
  return {
    'text/html': `<table><caption>${escapeHtml(about + where)}</caption>${header}${body.join('')}</table>`,
    'text/plain': about,
  }
}

function format(value: NestedArray): string {
  if (typeof value !== 'number' || Number.isInteger(value)) return String(value)
  return String(Number(value.toPrecision(digits)))
}
