/** What native/build/bridge.node exports; native/README.md says more. Addresses are bytes from the attached memory's start. */

/** The most that the shared memory can grow to. */
export const maxBytes = 65536 * 65536

/** The places of the numbers in the description of a product; strides are in elements. */
export interface MatmulField {
  readonly dtype: 0
  readonly batch: 1
  readonly m: 2
  readonly n: 3
  readonly k: 4
  /** Strides along batch, m, k. */
  readonly lhs: 5
  /** Strides along batch, k, n. */
  readonly rhs: 8
  /** Strides along batch, m, n. */
  readonly out: 11
  /** 0 none, 1 one number per n (contiguous), 2 one per m (contiguous), 3 by `biasStrides`. */
  readonly bias: 14
  /** Strides along batch, m, n; read where `bias` is 3; 0 broadcasts. */
  readonly biasStrides: 15
  /** 0 none, 1 relu, 2 sigmoid, 3 tanh, 4 softrelu. */
  readonly activation: 18
  /** 1: the old `out` is added before the activation. */
  readonly accumulate: 19
  readonly length: 20
}

/** The places of the numbers in the description of a convolution; strides are in elements. */
export interface ConvField {
  /** Which array is computed from the other two: 0 x, 1 w, 2 y. */
  readonly result: 0
  /** How many axes windows slide over, 1 to 3. */
  readonly axes: 1
  readonly batch: 2
  readonly groups: 3
  /** Channels of x in a group. */
  readonly inner: 4
  /** Channels of y in a group. */
  readonly outer: 5
  /** 1: one number a channel of y is added (contiguous); for result y. */
  readonly bias: 6
  /** 1: by Winograd's algorithm, where oneDNN has it for the shape. */
  readonly winograd: 7
  /** Six numbers for each of three axes: sizes of x, window and y, stride, dilate (1 is dense), pad before. */
  readonly perAxis: 8
  /** Strides along (batch, group, channel, three axes) of x. */
  readonly x: 26
  /** Strides along (group, outer, inner, three axes) of the weights. */
  readonly w: 32
  /** Strides along (batch, group, channel, three axes) of y. */
  readonly y: 38
  readonly length: 44
}

/** The places of the numbers in the description of max pooling over two axes, channels last; strides are in elements. */
export interface PoolField {
  /** 0: the largest elements (x, y); 1: y is added where they stand, all else is zero (x, y, result). */
  readonly mode: 0
  readonly batch: 1
  readonly channels: 2
  /** Six numbers for each of two axes: sizes of x, window and y, stride, dilate (1 is dense), pad before. */
  readonly perAxis: 3
  /** Strides along (batch, two axes) of x. */
  readonly x: 15
  /** Strides along (batch, two axes) of y. */
  readonly y: 18
  /** Strides along (batch, two axes) of the result of mode 1, which has the shape of x. */
  readonly result: 21
  readonly length: 24
}

export interface NativeBridge {
  /** The bridge's own version, oneDNN's, and the instruction set oneDNN uses here, such as 'avx512_core'. */
  versions(): { bridge: 1; onednn: string; isa: string }

  /**
   * Works on this memory from now on and keeps it alive. `bytes` views it from byte 0; the address survives
   * `memory.grow`. `maxBytes` is its maximum: accesses beyond are refused, accesses between the present size and
   * `maxBytes` are the caller's fault and end the process. Forgets the pending counter.
   */
  attach(bytes: Uint8Array, maxBytes: number): void

  /**
   * Prepares `out = activation(lhs · rhs + bias [+ out])`, batch by batch, described by `MatmulField`.
   * Returns a handle, or -1 where the layout or the type is not for oneDNN; nothing is thrown then.
   * Costs 0.1 to 1 ms for a shape that is new to the process: keep the handle.
   */
  matmulCreate(spec: Float64Array): number

  /**
   * Runs a prepared product on this thread. `bias` is ignored where there is none. Inputs and output must not
   * overlap, except that the bias may be the output itself. Returns 0; throws on a bad handle, an address outside the
   * memory, or an error of oneDNN.
   */
  matmulRun(handle: number, lhs: number, rhs: number, out: number, bias: number): number

  /** Gives a handle back; its number will be used again. */
  matmulFree(handle: number): void

  /**
   * Prepares a convolution described by `ConvField`. Returns a handle, or -1 where the layout is not for oneDNN, or it has
   * only its reference implementation. Arrays that do not lie channels last are reordered at every run.
   */
  convCreate(spec: Float64Array): number

  /**
   * Runs a prepared convolution on this thread; the arrays must not overlap. With `again` 1 the run before was of this
   * handle and of the same weights: given ones are not reordered again, and wanted ones are added to.
   */
  convRun(handle: number, x: number, w: number, y: number, bias: number, again: number): number

  /** Gives a handle back; its number will be used again. */
  convFree(handle: number): void

  /** Prepares max pooling, or its gradient, described by `PoolField`. Returns a handle, or -1 for sizes that are none. */
  poolCreate(spec: Float64Array): number

  /** Runs prepared pooling on this thread; `result` is read in mode 1 only. The arrays must not overlap. */
  poolRun(handle: number, x: number, y: number, result: number): number

  /** Gives a handle back; its number will be used again. */
  poolFree(handle: number): void

  /** Softmax of dense float32 rows on this thread; `to` may be `from`. Throws as `matmulRun` does. */
  softmaxRun(from: number, to: number, rows: number, columns: number): number
  /**
   * Each row brought to mean 0 and deviation 1, where a sum times `share` is a mean; then scaled by `gamma` and shifted by
   * `beta`, one number a column, unless `gamma` is 0. Dense float32; `to` may be `from`.
   */
  normalizeRun(
    from: number,
    to: number,
    gamma: number,
    beta: number,
    rows: number,
    columns: number,
    share: number,
    epsilon: number,
  ): number

  /** A u32 (multiple of 4) in the memory that always holds how many slots `drain` would give. */
  setPendingCounter(address: number): void

  /**
   * Once `holder` is garbage, `drain` gives `slot`; until then the collector reckons with `bytes` more.
   * A slot is a small integer and must not be used again before it has been drained.
   */
  watch(holder: object, slot: number, bytes: number): void

  /** What the holder of `slot` held was given back early: the collector is told now, and not again. */
  forget(slot: number): void

  /** Moves slots of collected holders to `out` in any order and returns how many; call again when `out` was filled. */
  drain(out: Int32Array): number

  /** memmove: the ranges may overlap. */
  copy(to: number, from: number, bytes: number): void

  /** memset. */
  fill(address: number, byte: number, bytes: number): void
}
