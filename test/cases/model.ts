/** Plain arrays for formulas: a shape and float64 numbers, indexed and broadcast one element at a time. */

/** A dense array of plain numbers. */
export interface Arr {
  readonly shape: readonly number[]
  readonly data: readonly number[]
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** All multi-indices of a shape in row-major order. */
export function* points(shape: readonly number[]): Generator<number[]> {
  const total = sizeOf(shape)
  for (let flat = 0; flat < total; flat++) {
    const at: number[] = []
    let rest = flat
    for (let d = shape.length - 1; d >= 0; d--) {
      at.unshift(rest % shape[d]!)
      rest = Math.floor(rest / shape[d]!)
    }
    yield at
  }
}

/** An array from a function of the multi-index. */
export function build(shape: readonly number[], f: (at: readonly number[]) => number): Arr {
  return { shape: [...shape], data: [...points(shape)].map(f) }
}

/** The element at a multi-index; axes missing in front and axes of size 1 broadcast. */
export function get(a: Arr, at: readonly number[]): number {
  const lead = at.length - a.shape.length
  let flat = 0
  a.shape.forEach((d, i) => {
    flat = flat * d + (d === 1 ? 0 : at[i + lead]!)
  })
  const value = a.data[flat]
  if (value === undefined) throw new Error(`no element (${at}) in an array of shape (${a.shape})`)
  return value
}

export const map = (a: Arr, f: (x: number) => number): Arr => ({
  shape: a.shape,
  data: a.data.map((x) => f(x)),
})

/** The shape several arrays broadcast to; throws where they do not. */
export function broadcastShape(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length))
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((s) => s[s.length - rank + i] ?? 1).filter((d) => d !== 1)
    if (sizes.some((d) => d !== sizes[0])) throw new Error('shapes do not broadcast')
    return sizes[0] ?? 1
  })
}

export const zip = (a: Arr, b: Arr, f: (x: number, y: number) => number): Arr =>
  build(broadcastShape(a.shape, b.shape), (at) => f(get(a, at), get(b, at)))

/** Axes counted from the front; null means all of them. */
export const axesOf = (
  rank: number,
  axis: number | readonly number[] | null | undefined,
): number[] =>
  axis === null || axis === undefined
    ? Array.from({ length: rank }, (_, i) => i)
    : (typeof axis === 'number' ? [axis] : axis).map((a) => (a < 0 ? a + rank : a))

/** Replaces each line of elements along `axes` by one number. */
export function fold(
  a: Arr,
  axes: readonly number[],
  keepdims: boolean,
  f: (line: readonly number[]) => number,
): Arr {
  const lines = new Map<string, number[]>()
  const kept = a.shape.map((d, i) => (axes.includes(i) ? 1 : d))
  for (const at of points(kept)) lines.set(at.join(), [])
  for (const at of points(a.shape)) {
    lines.get(at.map((v, i) => (axes.includes(i) ? 0 : v)).join())!.push(get(a, at))
  }
  const out = build(kept, (at) => f(lines.get(at.join())!))
  return keepdims ? out : { shape: a.shape.filter((_, i) => !axes.includes(i)), data: out.data }
}

export const sum = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0)

/** Same elements, other shape. */
export const reshaped = (a: Arr, shape: readonly number[]): Arr => {
  if (sizeOf(shape) !== a.data.length) throw new Error('sizes differ')
  return { shape: [...shape], data: a.data }
}

/** The range of a Python slice on an axis. */
export function sliceRange(
  size: number,
  begin: number | null,
  end: number | null,
  step: number | null,
): number[] {
  const by = step ?? 1
  const resolve = (v: number): number => (v < 0 ? v + size : v)
  const out: number[] = []
  if (by > 0) {
    const from = begin === null ? 0 : Math.max(0, resolve(begin))
    const to = end === null ? size : Math.min(size, resolve(end))
    for (let i = from; i < to; i += by) out.push(i)
  } else {
    const from = begin === null ? size - 1 : Math.min(size - 1, resolve(begin))
    const to = end === null ? -1 : Math.max(-1, resolve(end))
    for (let i = from; i > to; i += by) out.push(i)
  }
  return out
}

/** A small generator of uniform numbers in (0, 1), the same on every machine (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296
  }
}

/** Numbers spread over (0, 1) without ties, in random order. */
export function spread(n: number, random: () => number): number[] {
  const order = Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[order[i], order[j]] = [order[j]!, order[i]!]
  }
  return order.map((k) => (k + 0.2 + 0.6 * random()) / n)
}
