/** `npx.reshape`: shapes written with codes that refer to the axes of the array. */

import { fail } from '../base/error.ts'
import { formatShape, sizeOf } from '../base/shape.ts'
import type { Tensor } from '../core/tensor.ts'
import { reshape as reshapeTo } from './shape.ts'

/** The sizes that one code stands for, and how many axes of the array it uses up. */
function sizesOf(
  code: number | readonly [number, number],
  rest: readonly number[],
  bad: (why: string) => never,
): { readonly sizes: readonly number[]; readonly used: number } {
  const need = (count: number): void => {
    if (rest.length < count) bad('it names more axes than there are')
  }
  if (typeof code !== 'number') {
    need(1)
    const [a, b] = code
    const d = rest[0]!
    if (a === -1 && b === -1) bad('only one of the two sizes after -6 can be -1')
    const sizes = [a === -1 ? d / b : a, b === -1 ? d / a : b]
    if (sizes[0]! * sizes[1]! !== d || !sizes.every(Number.isInteger))
      bad(`${d} does not split into ${a} and ${b}`)
    return { sizes, used: 1 }
  }
  if (code >= -1) return { sizes: [code], used: 1 }
  if (code === -4) return { sizes: rest, used: rest.length }
  need(code === -5 ? 2 : 1)
  const [first, second] = rest as [number, number]
  if (code === -2) return { sizes: [first], used: 1 }
  if (code === -5) return { sizes: [first * second], used: 2 }
  if (code !== -3) bad(`${code} is not a code`)
  if (first !== 1) bad(`-3 leaves out axes of size 1, not of ${first}`)
  return { sizes: [], used: 1 }
}

/**
 * The elements under another shape, of which numbers below zero stand for axes of the array: -1 what is left, -2 the axis here,
 * -3 leaves out an axis of size 1, -4 all axes that follow, -5 two axes as one, -6 a, b one axis as two. With `reverse` codes
 * are read from the right.
 * @throws MXNetError when the shape does not fit.
 * @example
 * npx.reshape(np.zeros([2, 3, 8]), [-2, -2, -6, 2, -1]).shape // => [2, 3, 2, 4]
 * @see MXNet `npx.reshape`
 */
export function reshape<T extends Tensor>(
  a: T,
  newshape: number | readonly number[],
  options: { readonly reverse?: boolean } = {},
): T {
  const given = typeof newshape === 'number' ? [newshape] : newshape
  const bad = (why: string): never =>
    fail('reshape', `(${given.join(', ')}) does not fit shape ${formatShape(a.shape)}: ${why}`)
  const codes: (number | readonly [number, number])[] = []
  for (let i = 0; i < given.length; i++) {
    if (given[i] !== -6) codes.push(given[i]!)
    else if (i + 2 < given.length) codes.push([given[++i]!, given[++i]!])
    else bad('-6 needs two sizes after it')
  }
  const { reverse = false } = options
  const turned = <E>(list: readonly E[]): readonly E[] => (reverse ? list.toReversed() : list)
  const axes = turned(a.shape)
  const parts: (readonly number[])[] = []
  let at = 0
  for (const code of turned(codes)) {
    const { sizes, used } = sizesOf(code, axes.slice(at), bad)
    // What -4 copies was read from the right as well.
    parts.push(code === -4 ? turned(sizes) : sizes)
    at += used
  }
  const out = turned(parts).flat()
  const known = sizeOf(out.filter((d) => d !== -1))
  const open = out.filter((d) => d === -1).length
  if (open > 1) bad('only one size can be -1')
  if (open === 0 ? known !== a.size : known === 0 || a.size % known !== 0)
    bad(`${a.size} elements do not fill it`)
  return reshapeTo(a, out)
}
