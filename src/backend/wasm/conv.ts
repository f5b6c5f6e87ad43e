/** Convolutions: windows of one padded batch entry at a time, as matrix products or, for thin groups, as loops. */

import { itemSize } from '../../base/dtype.ts'
import { rowMajor, sizeOf } from '../../base/shape.ts'
import { acc, binary, load } from '../../prim/expr.ts'
import type { LoopKernel, Operand } from '../../prim/kernel.ts'
import { type ConvKernel, type ConvSide, convGiven, convShape, reach } from '../../prim/window.ts'
import type { Compiled } from '../backend.ts'
import { type ProductHost, type Products, withEpilogue } from './contract.ts'
import { gemmScratchBytes, type Real } from './gemm.ts'
import { idle } from './launch.ts'
import { copyLoop, Padded, type Spread } from './padding.ts'

/** Elements of windows that are laid out at a time: what stays in the second level of caches. */
const columnElements = 2 ** 16
/** Products with fewer rows or columns, or over fewer products, are loops. */
const leastRows = 4
const leastDepth = 8

/** A convolution of one batch entry as seen from its source: target = Σ weight·source at i·stride + k·dilate. */
interface Entry {
  readonly source: Operand
  readonly sourceChannels: number
  readonly targetChannels: number
  readonly spreads: readonly Spread[]
  readonly stride: readonly number[]
  readonly dilate: readonly number[]
  /** Sizes of what the windows are placed over: y, or x for the transpose. */
  readonly places: readonly number[]
}

const withoutBatch = ({ strides, ...rest }: Operand): Operand => ({
  ...rest,
  strides: strides.slice(1),
})

/** The elements of y spread by the stride, so that x is a plain convolution of them with the window reversed. */
function transposed({ sizes, lhs, rhs }: ConvKernel): { entry: Entry; weight: Operand } {
  const { window, dilate, pad, stride, x, y, inner, outer } = sizes
  const far = window.map((k, d) => (k - 1) * dilate[d]!)
  const spreads = x.map((n, d) => ({
    count: y[d]!,
    size: n + far[d]!,
    begin: far[d]! - pad[d]!,
    step: stride[d]!,
  }))
  const [g, o, c, ...k] = lhs.strides as [number, number, number, ...number[]]
  const weight = {
    dtype: lhs.dtype,
    strides: [g, c, o, ...k.map((s) => -s)],
    offset: lhs.offset + k.reduce((sum, s, d) => sum + s * (window[d]! - 1), 0),
  }
  const entry = {
    source: withoutBatch(rhs),
    sourceChannels: outer,
    targetChannels: inner,
    spreads,
    stride: window.map(() => 1),
    dilate,
    places: x,
  }
  return { entry, weight }
}

function plain({ sizes, lhs }: ConvKernel): Entry {
  const size = reach(sizes)
  return {
    source: withoutBatch(lhs),
    sourceChannels: sizes.inner,
    targetChannels: sizes.outer,
    spreads: sizes.x.map((n, d) => ({ count: n, size: size[d]!, begin: sizes.pad[d]!, step: 1 })),
    stride: sizes.stride,
    dilate: sizes.dilate,
    places: sizes.y,
  }
}

/** The one stride of axes that lie as if they were one, or null. */
function oneStride(shape: readonly number[], strides: readonly number[]): number | null {
  let step: number | null = null
  let size = 1
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] === 1) continue
    step ??= strides[d]!
    if (strides[d] !== step * size) return null
    size *= shape[d]!
  }
  return step ?? 1
}

/** Compiles a convolution. */
export function compileConv(host: ProductHost, products: Products, kernel: ConvKernel): Compiled {
  const { result, sizes, dtype, lhs, rhs, output } = kernel
  const dims = convShape(sizes, result)
  if (dims.includes(0)) return idle
  const bytes = itemSize(dtype)
  const sumsInto = (strides: readonly number[]): Operand => ({ dtype, strides, offset: 0 })
  const batchStep = (side: ConvSide, o: Operand): number =>
    side === 'w' ? 0 : o.strides[0]! * bytes
  const given = convGiven(result)
  const steps = [batchStep(given[0], lhs), batchStep(given[1], rhs)]
  /** Runs `one` for each batch entry with the addresses of source, other operand and target. */
  const compute = (
    strides: readonly number[],
  ): ((a: readonly number[], target: number) => void) => {
    const one = compileEntry(host, products, kernel, sumsInto(strides))
    const targetStep = result === 'w' ? 0 : strides[0]! * bytes
    return (addresses, target) => {
      one.around((run) => {
        for (let n = 0; n < sizes.batch; n++) {
          run(
            addresses[0]! + n * steps[0]!,
            addresses[1]! + n * steps[1]!,
            target + n * targetStep,
            n > 0,
          )
        }
      })
    }
  }
  const made = new Map<string, ReturnType<typeof compute>>()
  const empty = convShape(sizes, given[0]).includes(0) || convShape(sizes, given[1]).includes(0)
  const zero = (strides: readonly number[]): ReturnType<typeof compute> => {
    const { run } = host.compile({
      kind: 'loop',
      dims,
      parallel: dims.length,
      inputs: [],
      outputs: [sumsInto(strides)],
      body: [{ kind: 'const', value: 0, dtype }],
      reduce: [],
      epilogue: [],
    })
    return (_addresses, target) => run([target], [])
  }
  const computeInto = (strides: readonly number[]): ReturnType<typeof compute> => {
    const key = strides.join()
    let known = made.get(key)
    if (known === undefined) {
      known = empty ? zero(strides) : compute(strides)
      made.set(key, known)
    }
    return known
  }
  computeInto(output.strides)
  return withEpilogue(host, { ...kernel, dims }, (addresses, target, strides) =>
    computeInto(strides)(addresses, target),
  )
}

type RunEntry = (lhs: number, rhs: number, target: number, accumulate: boolean) => void

/** The work of one batch entry; `around` holds scratch memory while entries run. */
interface EntryCode {
  around(body: (run: RunEntry) => void): void
}

const align = (n: number): number => Math.ceil(n / 64) * 64

function compileEntry(
  host: ProductHost,
  products: Products,
  kernel: ConvKernel,
  target: Operand,
): EntryCode {
  const { result, sizes, dtype, rhs } = kernel
  const { groups, window } = sizes
  const { entry, weight } =
    result === 'x'
      ? transposed(kernel)
      : { entry: plain(kernel), weight: result === 'y' ? rhs : target }
  const { sourceChannels: c, targetChannels: o, places, stride, dilate } = entry
  const compile = (loop: LoopKernel): Compiled => host.compile(loop)
  const padded = new Padded(compile, entry.source, [groups, c], entry.spreads, 0)
  const along = (by: readonly number[]): number[] => by.map((s, d) => s * padded.strides[2 + d]!)
  const source: Operand = { dtype, strides: padded.strides, offset: padded.offset }
  // What stands beside the source: the weights, or y where the weights are wanted.
  const beside = result === 'w' ? withoutBatch(rhs) : weight
  const into = result === 'w' ? target : withoutBatch(target)
  const depth = c * sizeOf(window)
  const real = dtype === 'float32' || dtype === 'float64' ? dtype : null
  const [placesOf, windowOf] =
    result === 'w' ? [beside.strides.slice(2), into.strides.slice(2)] : [into.strides.slice(2), []]
  const placeStride = oneStride(places, placesOf)
  const flatWindow = result !== 'w' || oneStride([c, ...window], windowOf) !== null
  const asProduct =
    real !== null && o >= leastRows && depth >= leastDepth && placeStride !== null && flatWindow
  const code = asProduct
    ? productCode({ host, products, real, groups, c, o, window, places })
    : null
  const run =
    code === null
      ? loopCode()
      : code(source, [...along(stride)], [...along(dilate)], beside, into, result === 'w')
  const padBytes = align(padded.bytes)
  return {
    around(body) {
      const scratch = padBytes + run.bytes > 0 ? host.alloc(padBytes + run.bytes) : 0
      const own = scratch + padBytes
      let begun = false
      try {
        body((first, second, to, accumulate) => {
          const [from, other] = result === 'x' ? [second, first] : [first, second]
          if (!begun) run.begin?.(other, own)
          begun = true
          run.run(padded.prepare(from, scratch), other, to, own, accumulate)
        })
      } finally {
        if (scratch > 0) host.free(scratch)
      }
    },
  }

  /** Loops over everything: for groups too thin for products, and for layouts that products cannot address. */
  function loopCode(): Running {
    const [g, sc] = [source.strides[0]!, source.strides[1]!]
    const zero = places.map(() => 0)
    const [bg, bo, bc, ...bk] = beside.strides as [number, number, number, ...number[]]
    const base = { kind: 'loop', body: [binary('mul', load(0, dtype), load(1, dtype))] } as const
    if (result === 'w') {
      const rank = 3 + window.length
      const shape = [groups, o, c, ...window]
      const inputs: Operand[] = [
        { ...source, strides: [g, 0, sc, ...along(dilate), ...along(stride)] },
        { ...beside, strides: [bg, bo, 0, ...zero, bc, ...bk] },
      ]
      const kernelOf = (accumulate: boolean): Compiled =>
        host.compile({
          ...base,
          dims: [...shape, ...places],
          parallel: rank,
          inputs: accumulate
            ? [...inputs, { ...into, strides: [...into.strides, ...zero] }]
            : inputs,
          outputs: [into],
          reduce: ['sum'],
          epilogue: [accumulate ? binary('add', acc(0, dtype), load(2, dtype)) : acc(0, dtype)],
        })
      const [first, more] = [kernelOf(false), kernelOf(true)]
      return {
        bytes: 0,
        run: (from, other, to, _own, accumulate) =>
          accumulate ? more.run([from, other, to, to], []) : first.run([from, other, to], []),
      }
    }
    const once = host.compile({
      ...base,
      dims: [groups, o, ...places, c, ...window],
      parallel: 2 + places.length,
      inputs: [
        { ...source, strides: [g, 0, ...along(stride), sc, ...along(dilate)] },
        { ...beside, strides: [bg, bo, ...zero, bc, ...bk] },
      ],
      outputs: [into],
      reduce: ['sum'],
      epilogue: [acc(0, dtype)],
    })
    return { bytes: 0, run: (from, other, to) => once.run([from, other, to], []) }
  }
}

/** Code for one batch entry: `begin` once for all entries, `run` for each; both may use scratch memory at `own`. */
interface Running {
  readonly bytes: number
  begin?(other: number, own: number): void
  run(from: number, other: number, to: number, own: number, accumulate: boolean): void
}

interface Product {
  readonly host: ProductHost
  readonly products: Products
  readonly real: Real
  readonly groups: number
  /** Channels of the source and of the target in a group. */
  readonly c: number
  readonly o: number
  readonly window: readonly number[]
  readonly places: readonly number[]
}

/** Windows laid out as the columns of a matrix, a few rows of places at a time, times the weights (or y). */
function productCode({ host, products, real, groups, c, o, window, places }: Product) {
  return (
    source: Operand,
    perPlace: readonly number[],
    perWindow: readonly number[],
    beside: Operand,
    into: Operand,
    weights: boolean,
  ): Running => {
    const gemm = products.product(real)
    const bytes = itemSize(real)
    const depth = c * sizeOf(window)
    const rowPlaces = sizeOf(places.slice(1))
    const rows = Math.max(1, Math.min(places[0]!, Math.floor(columnElements / (depth * rowPlaces))))
    const compile = (loop: LoopKernel): Compiled => host.compile(loop)
    const lay = (count: number): Compiled => {
      const dims = [c, ...window, count, ...places.slice(1)]
      return copyLoop(
        compile,
        dims,
        { ...source, strides: [source.strides[1]!, ...perWindow, ...perPlace] },
        { dtype: real, strides: rowMajor(dims), offset: 0 },
      )
    }
    const pieces: { first: number; count: number; columns: number; lay: Compiled }[] = []
    const whole = lay(rows)
    for (let first = 0; first < places[0]!; first += rows) {
      const count = Math.min(rows, places[0]! - first)
      pieces.push({
        first,
        count,
        columns: count * rowPlaces,
        lay: count === rows ? whole : lay(count),
      })
    }
    const most = rows * rowPlaces
    const scratchBytes = weights
      ? gemmScratchBytes(o, depth, most, real)
      : gemmScratchBytes(o, most, depth, real)
    const columnBytes = align(depth * most * bytes)
    // Weights that are not one matrix (reversed windows) are copied into one.
    const flat = weights ? 1 : oneStride([c, ...window], beside.strides.slice(2))
    const copyWeights =
      flat === null
        ? copyLoop(compile, [groups, o, c, ...window], beside, {
            dtype: real,
            strides: rowMajor([groups, o, c, ...window]),
            offset: 0,
          })
        : null
    const other: Operand = copyWeights
      ? { dtype: real, strides: rowMajor([groups, o, c, ...window]), offset: 0 }
      : beside
    const [og, oo] = [other.strides[0]!, other.strides[1]!]
    const [ig, io] = [into.strides[0]!, into.strides[1]!]
    const perDepth = flat ?? 1
    const placeOf = (strides: readonly number[]): number => oneStride(places, strides.slice(2))!
    return {
      bytes: columnBytes + (copyWeights ? groups * o * depth * bytes : 0),
      begin: (from, own) => copyWeights?.run([from, own + columnBytes], []),
      run(from, besideAt, to, own, accumulate) {
        const scratch = host.scratch(scratchBytes)
        const a = copyWeights ? own + columnBytes : besideAt + other.offset * bytes
        for (let g = 0; g < groups; g++) {
          const groupAt = from + g * source.strides[0]! * bytes
          pieces.forEach(({ first, columns, lay: layOut }, i) => {
            layOut.run([groupAt + first * perPlace[0]! * bytes, own], [])
            if (weights) {
              const step = placeOf(beside.strides)
              const y = a + (g * og + first * rowPlaces * step) * bytes
              const w = to + (into.offset + g * ig) * bytes
              const wStep = oneStride([c, ...window], into.strides.slice(2))!
              const more = accumulate || i > 0 ? 1 : 0
              gemm(
                o,
                depth,
                columns,
                y | 0,
                oo,
                step,
                own | 0,
                1,
                columns,
                w | 0,
                io,
                wStep,
                scratch | 0,
                more,
              )
            } else {
              const step = placeOf(into.strides)
              const y = to + (into.offset + g * ig + first * rowPlaces * step) * bytes
              const w = a + g * og * bytes
              gemm(
                o,
                columns,
                depth,
                w | 0,
                oo,
                perDepth,
                own | 0,
                columns,
                1,
                y | 0,
                io,
                step,
                scratch | 0,
                0,
              )
            }
          })
        }
      },
    }
  }
}
