/** Strided views: where an element of an array lies in its buffer, as index algebra without data. */

import { rowMajor, type Shape, sameShape, sizeOf } from './shape.ts'

/** A view of a buffer: element (i0, i1, …) lies at offset + Σ i·stride, all in elements. */
export interface View {
  readonly shape: Shape
  readonly strides: readonly number[]
  readonly offset: number
}

/** The row-major view of a whole buffer. */
export function dense(shape: Shape): View {
  return { shape, strides: rowMajor(shape), offset: 0 }
}

/** Whether the elements lie one after another in row-major order (the offset does not matter). */
export function isDense(view: View): boolean {
  let step = 1
  for (let i = view.shape.length - 1; i >= 0; i--) {
    const d = view.shape[i]!
    if (d !== 1 && view.strides[i] !== step) return sizeOf(view.shape) === 0
    step *= d
  }
  return true
}

/** Axis `axes[i]` of the input becomes axis i. */
export function permute(view: View, axes: readonly number[]): View {
  return {
    shape: axes.map((a) => view.shape[a]!),
    strides: axes.map((a) => view.strides[a]!),
    offset: view.offset,
  }
}

/** Stretches axes of size 1, and adds leading axes, to reach `shape`; the caller has checked that it fits. */
export function broadcast(view: View, shape: Shape): View {
  const lead = shape.length - view.shape.length
  const strides = shape.map((d, i) =>
    i < lead || (view.shape[i - lead] === 1 && d !== 1) ? 0 : view.strides[i - lead]!,
  )
  return { shape, strides, offset: view.offset }
}

/** Takes `size` elements of each axis from `begin` in steps of `step` (negative steps run backwards). */
export function slice(view: View, begin: Shape, step: readonly number[], size: Shape): View {
  const empty = size.includes(0)
  let offset = view.offset
  const strides = view.strides.map((s, i) => {
    if (!empty) offset += begin[i]! * s
    return s * step[i]!
  })
  return { shape: size, strides, offset }
}

/** The same elements, in row-major order, under another shape; null when no strides can express it. */
export function reshape(view: View, shape: Shape): View | null {
  if (sameShape(view.shape, shape)) return view
  if (isDense(view)) return { shape, strides: rowMajor(shape), offset: view.offset }
  const from: [number, number][] = []
  view.shape.forEach((d, i) => {
    if (d !== 1) from.push([d, view.strides[i]!])
  })
  const strides = new Array<number>(shape.length).fill(0)
  let i = 0
  let j = 0
  while (i < from.length) {
    let have = from[i]![0]
    let want = 1
    let iEnd = i + 1
    const jStart = j
    while (j < shape.length && (want < have || want === 1)) want *= shape[j++]!
    while (want !== have) {
      if (have < want) {
        if (iEnd >= from.length) return null
        const [d, s] = from[iEnd]!
        if (from[iEnd - 1]![1] !== s * d) return null
        have *= d
        iEnd++
      } else {
        if (j >= shape.length) return null
        want *= shape[j++]!
      }
    }
    let step = from[iEnd - 1]![1]
    for (let k = j - 1; k >= jStart; k--) {
      strides[k] = step
      step *= shape[k]!
    }
    i = iEnd
  }
  return { shape, strides, offset: view.offset }
}

/** Merges neighbouring axes wherever every one of `stridesList` allows it; used to make loop nests shallow. */
export function collapse(
  dims: readonly number[],
  stridesList: readonly (readonly number[])[],
  barriers: readonly number[] = [],
): { dims: number[]; strides: number[][]; axes: number[][] } {
  const outDims: number[] = []
  const outStrides: number[][] = stridesList.map(() => [])
  const axes: number[][] = []
  for (let d = 0; d < dims.length; d++) {
    const size = dims[d]!
    const last = outDims.length - 1
    const mergeable =
      last >= 0 &&
      !barriers.includes(d) &&
      stridesList.every((s, k) => outStrides[k]![last] === s[d]! * size)
    if (mergeable) {
      outDims[last] = outDims[last]! * size
      stridesList.forEach((s, k) => {
        outStrides[k]![last] = s[d]!
      })
      axes[last]!.push(d)
    } else {
      outDims.push(size)
      stridesList.forEach((s, k) => {
        outStrides[k]!.push(s[d]!)
      })
      axes.push([d])
    }
  }
  return { dims: outDims, strides: outStrides, axes }
}
