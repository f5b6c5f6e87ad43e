/** Products of vectors, matrices and tensors, up to sums written in letters. */

import { promote } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkAxis, formatShape, sizeOf } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import * as ops from '../ops/index.ts'
import { contract, reduce } from '../prim/primitive.ts'
import { diagonal } from './creation.ts'
import { ravel, reshape } from './shape.ts'

/** Both in their common dtype. */
function alike<T extends Tensor>(a: T, b: T): [T, T] {
  const dtype = promote(a.dtype, b.dtype)
  return [ops.cast(a, { dtype }), ops.cast(b, { dtype })]
}

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

/** Letters of an operand, with those of its `...` filled in. */
function spelled(subscript: string, x: Tensor, dots: string): string {
  const [head = '', tail, more] = subscript.split('...')
  if (tail === undefined) {
    if (head.length !== x.ndim)
      fail('einsum', `'${subscript}' has ${head.length} letters for shape ${formatShape(x.shape)}`)
    return head
  }
  const rest = x.ndim - head.length - tail.length
  if (more !== undefined || rest < 0 || rest > dots.length)
    fail('einsum', `'${subscript}' does not fit shape ${formatShape(x.shape)}`)
  return head + dots.slice(dots.length - rest) + tail
}

/** An operand whose letters are all different: repeated ones are its diagonal. */
function untangled(x: Tensor, spelling: string): [Tensor, string] {
  for (const letter of spelling) {
    const [i, j] = [spelling.indexOf(letter), spelling.lastIndexOf(letter)]
    if (i === j) continue
    if (x.shape[i] !== x.shape[j])
      fail('einsum', `sizes ${x.shape[i]} and ${x.shape[j]} of ${letter} differ`)
    const rest = [...spelling].filter((_, k) => k !== i && k !== j).join('')
    return untangled(diagonal(x, 0, i, j), rest + letter)
  }
  return [x, spelling]
}

/** An operand summed over the letters that nobody else reads. */
function summed(x: Tensor, spelling: string, needed: string): [Tensor, string] {
  const axes = [...spelling].flatMap((letter, i) => (needed.includes(letter) ? [] : [i]))
  return [reduce(x, 'sum', axes), [...spelling].filter((l) => needed.includes(l)).join('')]
}

/**
 * A sum of products in Einstein's notation: `'ij,jk->ik'`; `...` stands for axes that broadcast by position.
 *
 * Without an arrow the result has the letters that occur once, in alphabetic order. Products are taken from left to right.
 * @throws MXNetError when letters and shapes do not fit.
 * @example
 * await np.einsum('ij,j->i', np.array([[1, 2], [3, 4]]), np.array([1, 1])).asArray() // => [3, 7]
 * @see MXNet `np.einsum`
 */
export function einsum<T extends Tensor>(subscripts: string, ...operands: T[]): T {
  const text = subscripts.replaceAll(' ', '')
  const [left = '', right] = text.split('->')
  const parts = left.split(',')
  if (parts.length !== operands.length || operands.length === 0)
    fail('einsum', `'${subscripts}' names ${parts.length} operands, ${operands.length} are given`)
  if (!/^[a-zA-Z.]*$/.test(left.replaceAll(',', '') + (right ?? '')))
    fail('einsum', `'${subscripts}': letters, commas, '...' and one '->' are allowed`)
  const free = [...letters].filter((l) => !text.includes(l))
  const longest = Math.max(
    0,
    ...parts.map((p, i) => (p.includes('...') ? operands[i]!.ndim - p.length + 3 : 0)),
  )
  const dots = free.slice(0, longest).join('')
  const spellings = parts.map((p, i) => spelled(p, operands[i]!, dots))
  const once = [...new Set(spellings.join(''))]
    .filter((l) => !dots.includes(l) && spellings.join('').split(l).length === 2)
    .toSorted()
  const result = right === undefined ? dots + once.join('') : right.replace('...', dots)
  for (const l of result) {
    if (!spellings.some((s) => s.includes(l)) || result.split(l).length > 2)
      fail(
        'einsum',
        `'${subscripts}': letter ${l} of the result must stand in an operand, and once in the result`,
      )
  }
  const dtype = operands.map((x) => x.dtype).reduce(promote)
  const values = operands.map((x) => ops.cast(x, { dtype }))
  const others = (i: number): string => spellings.slice(i + 1).join('') + result
  let [value, spelling] = untangled(values[0]!, spellings[0]!)
  ;[value, spelling] = summed(value, spelling, others(0))
  for (let i = 1; i < values.length; i++) {
    let [next, own] = untangled(values[i]!, spellings[i]!)
    ;[next, own] = summed(next, own, spelling + others(i))
    const kept = [...new Set(spelling + own)].filter((l) => others(i).includes(l)).join('')
    value = product(value, spelling, next, own, kept)
    spelling = kept
  }
  const order = [...result].map((l) => spelling.indexOf(l))
  return ops.transpose(value as T, order)
}

/** One product: axes of size 1 that meet larger ones are left out before and come back by broadcasting. */
function product(a: Tensor, lhs: string, b: Tensor, rhs: string, out: string): Tensor {
  const narrow = (x: Tensor, own: string, y: Tensor, other: string): [Tensor, string] => {
    const axes = [...own].flatMap((l, i) => {
      const j = other.indexOf(l)
      if (j < 0 || x.shape[i] === y.shape[j]) return []
      if (x.shape[i] !== 1 && y.shape[j] !== 1)
        fail('einsum', `sizes ${x.shape[i]} and ${y.shape[j]} of ${l} differ`)
      return x.shape[i] === 1 ? [i] : []
    })
    if (axes.length === 0) return [x, own]
    const left = [...own].filter((_, i) => !axes.includes(i)).join('')
    return [
      reshape(
        x,
        x.shape.filter((_, i) => !axes.includes(i)),
      ),
      left,
    ]
  }
  const [x, p] = narrow(a, lhs, b, rhs)
  const [y, q] = narrow(b, rhs, a, lhs)
  // A letter that is left on one side alone and is not kept must be summed there first.
  const [u, r] = summed(x, p, q + out)
  const [v, s] = summed(y, q, r + out)
  return ordered(u, r, v, s, out)
}

/** A product whose operands and result have their axes in the order of a matrix product: batch, rows, columns. */
function ordered(a: Tensor, lhs: string, b: Tensor, rhs: string, out: string): Tensor {
  const both = [...lhs].filter((l) => rhs.includes(l))
  const batch = both.filter((l) => out.includes(l)).join('')
  const inner = both.filter((l) => !out.includes(l)).join('')
  const rows = [...lhs].filter((l) => !rhs.includes(l)).join('')
  const columns = [...rhs].filter((l) => !lhs.includes(l)).join('')
  const [left, right] = [batch + rows + inner, batch + inner + columns]
  const arranged = (x: Tensor, from: string, to: string): Tensor =>
    ops.transpose(
      x,
      [...to].map((l) => from.indexOf(l)),
    )
  const made = batch + rows + columns
  const result = contract(arranged(a, lhs, left), arranged(b, rhs, right), left, right, made)
  return arranged(result, made, out)
}

/**
 * The dot product: of vectors, of matrices, or the sum over the last axis of `a` and the last but one of `b`.
 * @throws MXNetError when the sizes differ.
 * @example
 * await np.dot(np.array([1, 2]), np.array([3, 4])).asScalar() // => 11
 * @see MXNet `np.dot`
 */
export function dot<T extends Tensor>(a: T, b: T): T {
  if (a.ndim === 0 || b.ndim === 0) return ops.multiply(a, b)
  return tensordot(a, b, [[a.ndim - 1], [Math.max(0, b.ndim - 2)]])
}

/**
 * Sums of products over pairs of axes: the last n of `a` with the first n of `b`, or two lists of axes.
 * @throws MXNetError when the sizes of a pair differ.
 * @example
 * np.tensordot(np.ones([2, 3]), np.ones([3, 4]), 1).shape // => [2, 4]
 * @see MXNet `np.tensordot`
 */
export function tensordot<T extends Tensor>(
  a: T,
  b: T,
  axes: number | readonly [number | readonly number[], number | readonly number[]] = 2,
): T {
  const list = (v: number | readonly number[]): readonly number[] =>
    typeof v === 'number' ? [v] : v
  const count = (n: number, from: number): number[] => Array.from({ length: n }, (_, i) => from + i)
  const [left, right] =
    typeof axes === 'number'
      ? [count(axes, a.ndim - axes), count(axes, 0)]
      : [
          list(axes[0]).map((i) => checkAxis('tensordot', i, a.ndim)),
          list(axes[1]).map((i) => checkAxis('tensordot', i, b.ndim)),
        ]
  if (left.length !== right.length || left.some((i) => i < 0))
    fail(
      'tensordot',
      `axes ${JSON.stringify(axes)} do not pair axes of ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    )
  left.forEach((i, k) => {
    if (a.shape[i] !== b.shape[right[k]!])
      fail(
        'tensordot',
        `sizes ${a.shape[i]} and ${b.shape[right[k]!]} of axes ${i} and ${right[k]} differ`,
      )
  })
  const [x, y] = alike(a, b)
  const lhs = [...letters.slice(0, x.ndim)]
  const rhs = [...letters.slice(x.ndim, x.ndim + y.ndim)]
  left.forEach((i, k) => {
    rhs[right[k]!] = lhs[i]!
  })
  const out = [
    ...lhs.filter((_, i) => !left.includes(i)),
    ...rhs.filter((_, i) => !right.includes(i)),
  ]
  return ordered(x, lhs.join(''), y, rhs.join(''), out.join('')) as T
}

/**
 * Matrix products of the last two axes; axes in front broadcast, vectors are rows on the left and columns on the right.
 * @throws MXNetError for scalars and sizes that differ.
 * @example
 * np.matmul(np.ones([5, 2, 3]), np.ones([3, 4])).shape // => [5, 2, 4]
 * @see MXNet `np.matmul`
 */
export function matmul<T extends Tensor>(a: T, b: T): T {
  if (a.ndim === 0 || b.ndim === 0) fail('matmul', 'a scalar is given: multiply by np.multiply')
  const [lhs, rhs] = [a.ndim === 1 ? 'k' : '...ik', b.ndim === 1 ? 'k' : '...kj']
  const inner = b.shape[Math.max(0, b.ndim - 2)]
  if (a.shape.at(-1) !== inner)
    fail(
      'matmul',
      `${formatShape(a.shape)} and ${formatShape(b.shape)}: inner sizes ${a.shape.at(-1)} and ${inner} differ`,
    )
  const rows = a.ndim === 1 ? '' : 'i'
  const columns = b.ndim === 1 ? '' : 'j'
  const dots = a.ndim > 2 || b.ndim > 2 ? '...' : ''
  const plain = (s: string, x: Tensor): string =>
    x.ndim <= 2 && dots === '' ? s.replace('...', '') : s
  return einsum(`${plain(lhs, a)},${plain(rhs, b)}->${dots}${rows}${columns}`, a, b)
}

/** The sum of products along the last axes. @see MXNet `np.inner` */
export const inner = <T extends Tensor>(a: T, b: T): T =>
  a.ndim === 0 || b.ndim === 0 ? ops.multiply(a, b) : tensordot(a, b, [[a.ndim - 1], [b.ndim - 1]])
/** All products of elements of two vectors, as a matrix. @see MXNet `np.outer` */
export const outer = <T extends Tensor>(a: T, b: T): T => tensordot(ravel(a), ravel(b), 0)
/** The dot product of all elements. @see MXNet `np.vdot` */
export const vdot = <T extends Tensor>(a: T, b: T): T => dot(ravel(a), ravel(b))
/**
 * The Kronecker product.
 * @example
 * await np.kron(np.array([1, 10]), np.array([1, 2])).asArray() // => [1, 2, 10, 20]
 * @see MXNet `np.kron`
 */
export function kron<T extends Tensor>(a: T, b: T): T {
  const rank = Math.max(a.ndim, b.ndim)
  const full = (x: T): readonly number[] => [...new Array(rank - x.ndim).fill(1), ...x.shape]
  const [p, q] = [full(a), full(b)]
  const wide = reshape(
    a,
    p.flatMap((d) => [d, 1]),
  )
  const tall = reshape(
    b,
    q.flatMap((d) => [1, d]),
  )
  return reshape(
    ops.multiply(wide, tall) as T,
    p.map((d, i) => d * q[i]!),
  )
}
/** The sum along a diagonal. @see MXNet `np.trace` */
export const trace = <T extends Tensor>(a: T, offset = 0, axis1 = 0, axis2 = 1): T =>
  ops.sum(diagonal(a, offset, axis1, axis2), { axis: -1 })
/** A polynomial with coefficients p (the highest power first) at x. @see MXNet `np.polyval` */
export function polyval<T extends Tensor>(p: T, x: T): T {
  if (p.ndim !== 1 || sizeOf(p.shape) === 0)
    fail('polyval', 'p must be a vector of at least one coefficient')
  let value = ops.multiply(x, 0) as T
  for (let i = 0; i < p.size; i++) value = ops.add(ops.multiply(value, x), p.at(i)) as T
  return value
}
