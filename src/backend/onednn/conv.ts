/** Convolutions by oneDNN: what is claimed, how it is described, and epilogues while a piece of the result is near. */

import { sizeOf } from '../../base/shape.ts'
import { type Expr, operands, rewrite, someNode } from '../../prim/expr.ts'
import { epilogueInPlace, type Operand } from '../../prim/kernel.ts'
import { type ConvKernel, type ConvSide, convGiven, convShape } from '../../prim/window.ts'
import type { Code, Compiled } from '../backend.ts'
import type { NativeBridge } from './bridge.ts'

/** Convolutions of fewer products run faster without the way into native code. */
const leastWork = 4096
/** Bytes of results that stay in the second level of caches until the epilogue has seen them. */
const nearBytes = 2 ** 19
/** Tiles of Winograd's algorithm in a piece: fewer, and transforming the weights weighs too much. */
const fewTiles = 192

/** Bytes of a batch entry that are copied into another layout for Winograd's algorithm, at most. */
const mostCopied = 2 ** 27

/** What the claims need of the WebAssembly backend. */
export interface EpilogueCompiler {
  compile(kernel: ReturnType<typeof epilogueInPlace>): Compiled
}

/** Strides over (a, b, c, …axes), the axes padded to three. */
const sideStrides = ({ strides }: Operand, axes: number): number[] => [
  ...strides,
  ...new Array<number>(3 - axes).fill(0),
]

/** The description of a convolution for the bridge; see `ConvField`. */
function describe(
  kernel: ConvKernel,
  sides: Record<ConvSide, Operand>,
  bias: boolean,
  winograd: boolean,
): Float64Array<ArrayBuffer> {
  const { result, sizes } = kernel
  const { batch, groups, inner, outer, x, window, y, stride, dilate, pad } = sizes
  const axes = x.length
  const perAxis = [0, 1, 2].flatMap((d) =>
    d < axes ? [x[d]!, window[d]!, y[d]!, stride[d]!, dilate[d]!, pad[d]!] : [0, 0, 0, 0, 0, 0],
  )
  return Float64Array.from([
    ...[{ x: 0, w: 1, y: 2 }[result], axes, batch, groups, inner, outer, Number(bias)],
    Number(winograd),
    ...perAxis,
    ...(['x', 'w', 'y'] as const).flatMap((side) => sideStrides(sides[side], axes)),
  ])
}

/** The extra operand that an epilogue adds first, where it is one number a channel; -1 without one. */
function biasOf({ result, sizes, inputs, epilogue }: ConvKernel): number {
  if (result !== 'y') return -1
  const perChannel = ({ strides, dtype }: Operand): boolean =>
    dtype === 'float32' &&
    strides.every((s, d) => (d === 2 ? s === 1 || sizes.outer === 1 : d === 1 || s === 0)) &&
    (sizes.groups === 1 || strides[1] === sizes.outer)
  let found = -1
  // The sum must be read nowhere but beside the bias.
  const elsewhere = someNode(epilogue, (e) => {
    if (!operands(e).some((a) => a.kind === 'acc')) return false
    const bias =
      e.kind === 'op' && e.op === 'add' ? e.args.find((a) => a.kind === 'load') : undefined
    if (bias?.kind !== 'load' || !perChannel(inputs[bias.input]!)) return true
    if (found >= 0 && found !== bias.input) return true
    found = bias.input
    return false
  })
  return elsewhere ? -1 : found
}

/** The epilogue with the sum that includes the bias as its accumulator; null where that is all of it. */
function afterBias(epilogue: Expr, bias: number): Expr | null {
  if (bias < 0) return epilogue.kind === 'acc' ? null : epilogue
  const rest = rewrite(epilogue, (e) => {
    if (e.kind !== 'op' || e.op !== 'add') return undefined
    const sum = e.args.find((a) => a.kind === 'acc')
    return sum && e.args.some((a) => a.kind === 'load' && a.input === bias) ? sum : undefined
  })
  return rest.kind === 'acc' ? null : rest
}

/** The largest divisor of `batch` whose pieces of the result stay near. */
function nearPiece({ sizes, result }: ConvKernel): number {
  const bytes = 4 * sizeOf(convShape(sizes, result).slice(1))
  let piece = Math.max(1, Math.min(sizes.batch, Math.floor(nearBytes / bytes)))
  while (sizes.batch % piece !== 0) piece--
  return piece
}

/** Squares of 4×4 results in a batch entry. */
const tilesOf = ({ y }: ConvKernel['sizes']): number =>
  y.reduce((n, size) => n * Math.ceil(size / 4), 1)

/**
 * Whether Winograd's algorithm, F(4×4, 3×3), is faster: it multiplies a quarter as often, but transforms all arrays, and
 * the weights once a call.
 */
function suitsWinograd({ result, sizes }: ConvKernel): boolean {
  const { batch, groups, inner, outer, window, stride, dilate } = sizes
  if (groups > 1 || window.length !== 2 || window.some((n) => n !== 3)) return false
  if ([...stride, ...dilate].some((n) => n !== 1)) return false
  const copies = (['x', 'y'] as const).map((side) => sizeOf(convShape(sizes, side)) / batch)
  if (4 * (copies[0]! + copies[1]!) > mostCopied) return false
  return Math.min(inner, outer) >= 32 && batch * tilesOf(sizes) >= (result === 'w' ? 32 : 64)
}

/** The smallest divisor of `batch` with tiles enough to be worth a transformation of the weights. */
function tiledPiece({ sizes }: ConvKernel): number {
  let piece = Math.min(sizes.batch, Math.ceil(fewTiles / tilesOf(sizes)))
  while (sizes.batch % piece !== 0) piece++
  return piece
}

/** Claims a convolution, or gives null where WebAssembly should run it. */
export function claimConv(
  kernel: ConvKernel,
  wasm: EpilogueCompiler,
  bridge: NativeBridge,
  handles: FinalizationRegistry<number>,
): Compiled | null {
  const { dtype, result, sizes, lhs, rhs, inputs, output, epilogue } = kernel
  if ([dtype, lhs.dtype, rhs.dtype, output.dtype].some((d) => d !== 'float32')) return null
  const { batch, groups, inner, outer, window, y } = sizes
  const work = [...y, ...window].reduce((a, b) => a * b, batch * groups * inner * outer)
  if (work < leastWork) return null
  const bias = biasOf(kernel)
  const rest = afterBias(epilogue, bias)
  const moves = rest !== null && someNode(rest, (e) => e.kind === 'index' || e.kind === 'loadAt')
  const winograd = suitsWinograd(kernel)
  let piece = batch
  if (winograd && !moves) piece = tiledPiece(kernel)
  else if (result !== 'w' && rest !== null && !moves) piece = nearPiece(kernel)
  const count = batch / piece
  const [first, second] = convGiven(result)
  const sides = { [result]: output, [first]: lhs, [second]: rhs } as Record<ConvSide, Operand>
  const part = { ...kernel, sizes: { ...sizes, batch: piece } }
  const spec = describe(part, sides, bias >= 0, winograd)
  const handle = bridge.convCreate(spec)
  if (handle < 0) return null
  const code: Code = { kind: 'native', name: 'conv', bytes: new Uint8Array(spec.buffer) }
  const after = rest === null ? null : wasm.compile(epilogueInPlace({ ...part, epilogue: rest }))
  const last = inputs.length + 2
  const places: Record<ConvSide, number> = { x: 0, w: 0, y: 0 }
  places[first] = 0
  places[second] = 1
  places[result] = last
  const offsets = { x: 4 * sides.x.offset, w: 4 * sides.w.offset, y: 4 * sides.y.offset }
  /** How far a side moves from one piece to the next. */
  const step = (side: ConvSide): number => (side === 'w' ? 0 : 4 * piece * sides[side].strides[0]!)
  const steps = { x: step('x'), w: 0, y: step('y') }
  const extraSteps = inputs.map((o) => (result === 'w' ? 0 : 4 * piece * o.strides[0]!))
  const biasOffset = bias < 0 ? 0 : 4 * inputs[bias]!.offset
  /** The numbers of the bridge's call for a piece. */
  const call = (addresses: readonly number[], i: number) => {
    const at = (side: ConvSide): number =>
      addresses[places[side]]! + offsets[side] + i * steps[side]
    const extra = bias < 0 ? 0 : addresses[bias + 2]! + biasOffset
    return [at('x'), at('w'), at('y'), extra, i > 0 ? 1 : 0] as const
  }
  /** The addresses of the epilogue of a piece. */
  const rests = (addresses: readonly number[], i: number): number[] => {
    const out = addresses[last]! + i * steps[result]
    return [out, ...inputs.map((_, k) => addresses[k + 2]! + i * extraSteps[k]!), out]
  }
  /** Whether the epilogue follows piece `i`: weights are complete after the last one. */
  const ends = (i: number): boolean => result !== 'w' || i === count - 1
  const compiled: Compiled = {
    run(addresses, params) {
      for (let i = 0; i < count; i++) {
        bridge.convRun(handle, ...call(addresses, i))
        if (ends(i)) after?.run(rests(addresses, i), params)
      }
    },
    send(sink, addresses, params) {
      for (let i = 0; i < count; i++) {
        sink.call(code, call(addresses, i))
        if (ends(i)) after?.send?.(sink, rests(addresses, i), params)
      }
    },
  }
  handles.register(compiled, handle)
  return compiled
}
