/** NDArray: the array that users hold. */

import type { Context } from '../base/context.ts'
import { type DType, dtypeInfo, itemSize, type TypedArray } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { decodeHalves, halfFormat } from '../base/half.ts'
import {
  type InspectOptions,
  inspected,
  jupyterDisplay,
  type MimeBundle,
} from '../base/notebook.ts'
import { formatShape, rowMajor, sameShape } from '../base/shape.ts'
import type { Aval } from '../core/aval.ts'
import { frame } from '../core/frame.ts'
import type { IndexKey } from '../core/methods.ts'
import { installMover } from '../core/reverse.ts'
import { DeviceArray, free, installArrayMaker, Layout, share } from '../exec/array.ts'
import { recordCopy } from '../exec/eager.ts'
import { lend } from '../exec/exchange.ts'
import { writeElements } from '../exec/region.ts'
import { deviceOf, type Storage } from '../exec/storage.ts'
import { add, divide, modulo, multiply, subtract } from '../ops/binary.ts'
import { arrayBundle, arrayBundleAsync } from './html.ts'
import { readRegion, writeRegion } from './indexing.ts'
import { formatArray } from './print.ts'

/** How `backward` stores a gradient: overwrite, add to what is there, or not at all. */
export type GradReq = 'write' | 'add' | 'null'

/** Nested plain arrays, as `asArray` gives them; a scalar array gives a number. */
export type NestedArray = number | bigint | boolean | NestedArray[]

/**
 * An array on a device.
 *
 * Made by the functions of `nd` (`nd.array`, `nd.zeros`, …), never with `new`. Views made by `at`
 * and `reshape` share memory until somebody writes, and read as if copied.
 *
 * @example
 * const x = nd.array([[1, 2], [3, 4]])
 * await x.mul(2).sum().asScalar() // => 20
 * @see MXNet `python/mxnet/ndarray/ndarray.py`
 */
export class NDArray extends DeviceArray {
  /** The gradient that `backward` fills, once `attachGrad` has been called. */
  grad: NDArray | null = null

  /** The device that holds the data. */
  override get context(): Context {
    return this.storage.device.context
  }

  /** The device that holds the data; short for `context`. */
  get ctx(): Context {
    return this.context
  }

  /** The array with its axes reversed. */
  get T(): NDArray {
    return this.transpose()
  }

  /** The elements in row-major order as a fresh typed array (16-bit floats as a Float32Array); the only wait. */
  async asTypedArray(): Promise<TypedArray> {
    return readable(await this.storedElements(), this.dtype)
  }

  /** The elements as they are stored: as `asTypedArray`, but 16-bit floats as their bits in a Uint16Array. */
  async storedElements(): Promise<TypedArray> {
    const dense = this.#dense()
    const { device, address, written } = dense.storage
    const bytes = await device.backend.read(
      address + dense.layout.offset * itemSize(this.dtype),
      this.size * itemSize(this.dtype),
      written,
    )
    await device.breathe()
    return typed(bytes, this.dtype)
  }

  /** As `asTypedArray`, at once; throws where the device cannot block. */
  asTypedArraySync(): TypedArray {
    const dense = this.#dense()
    const { device, address, written } = dense.storage
    const { backend } = device
    if (!backend.canBlock)
      fail('asTypedArraySync', `${this.context} cannot wait in place: use await asTypedArray()`)
    const bytes = backend.readSync(
      address + dense.layout.offset * itemSize(this.dtype),
      this.size * itemSize(this.dtype),
      written,
    )
    return readable(typed(bytes, this.dtype), this.dtype)
  }

  /** The elements as nested arrays of numbers (bigints for int64, booleans for bool). */
  async asArray(): Promise<NestedArray> {
    return nest(await this.asTypedArray(), this.shape, this.dtype)
  }

  /** As `asArray`, at once; throws where the device cannot block. */
  asArraySync(): NestedArray {
    return nest(this.asTypedArraySync(), this.shape, this.dtype)
  }

  /** The one element of an array of size 1, as a number. */
  async asScalar(): Promise<number> {
    this.#checkScalar('asScalar')
    return Number((await this.asTypedArray())[0])
  }

  /** As `asScalar`, at once; throws where the device cannot block. */
  asScalarSync(): number {
    this.#checkScalar('asScalarSync')
    return Number(this.asTypedArraySync()[0])
  }

  #checkScalar(where: string): void {
    if (this.size !== 1)
      fail(
        where,
        `the array has shape ${formatShape(this.shape)}: only an array of one element is a scalar`,
      )
  }

  /** Resolves when the array has been computed; rejects with the error that kept it from being so. */
  async waitToRead(): Promise<void> {
    this.storage.check('waitToRead')
    const { device, address, written } = this.storage
    await device.backend.read(address, 0, written)
    await device.breathe()
  }

  /** The same elements in row-major order without gaps. */
  #dense(): NDArray {
    this.storage.check('NDArray')
    return this.layout.dense ? this : (this.copy() as NDArray)
  }

  /** A copy on the same device. */
  copy(): this {
    return this.copyTo(this.context) as this
  }

  /** Copies to a device (a new array) or into another array of the same shape, casting to its dtype. */
  copyTo(target: Context | NDArray): NDArray {
    if (target instanceof NDArray) {
      if (!sameShape(this.shape, target.shape)) {
        fail(
          'copyTo',
          `the target has shape ${formatShape(target.shape)}, the source ${formatShape(this.shape)}: they must be the same`,
        )
      }
      target.assign(this)
      return target
    }
    if (target === this.context) return denseCopy(this)
    return transfer(this, target)
  }

  /** The array on another device; itself if it is already there. Differentiable. */
  asInContext(context: Context): this {
    if (context === this.context) return this
    const copy = this.copyTo(context) as this
    if (frame.recording && this.node !== null) recordCopy(this, copy)
    return copy
  }

  /** Short for `asInContext`. */
  asInCtx(context: Context): this {
    return this.asInContext(context)
  }

  /** A handle on the same elements that autograd does not follow. */
  detach(): NDArray {
    return share(this) as NDArray
  }

  /**
   * Elements by index, one an axis: numbers, slice strings (`'1:3'`, `'::2'`, `':'`), `'...'`, `null` for a new axis,
   * arrays of positions (which broadcast together), and bool arrays, which stand for as many axes as they have.
   *
   * @throws MXNetError for numbers out of range; positions in arrays clip.
   * @example
   * const x = nd.array([[1, 2], [3, 4], [5, 6]])
   * await x.at(nd.array([2, 0]), '::-1').asArray() // => [[6, 5], [2, 1]]
   * @see MXNet `NDArray.__getitem__`
   */
  override at(...key: IndexKey[]): this {
    return readRegion(this, key) as this
  }

  /**
   * Writes a value (number or array, broadcast and cast) to the elements that `key` names, as in `at`; value first.
   * Where arrays name an element twice, the last value stays.
   *
   * @throws MXNetError when the value does not fit, and while the array is part of a recorded computation.
   * @example
   * const x = nd.zeros([2, 2])
   * await x.set(7, nd.array([1]), 0).asArray() // => [[0, 0], [7, 0]]
   * @see MXNet `NDArray.__setitem__`
   */
  set(value: NDArray | number, ...key: IndexKey[]): this {
    writeRegion(this, value, key)
    return this
  }

  /** Overwrites all elements (MXNet's `x[:] = value`), casting to the array's dtype. */
  assign(value: NDArray | number): this {
    writeRegion(this, value, [])
    return this
  }

  /** `this += rhs`, written into this array. */
  addAssign(rhs: NDArray | number): this {
    return this.#inPlace('addAssign', add(this as NDArray, rhs))
  }

  /** `this -= rhs`, written into this array. */
  subAssign(rhs: NDArray | number): this {
    return this.#inPlace('subAssign', subtract(this as NDArray, rhs))
  }

  /** `this *= rhs`, written into this array. */
  mulAssign(rhs: NDArray | number): this {
    return this.#inPlace('mulAssign', multiply(this as NDArray, rhs))
  }

  /** `this /= rhs`, written into this array. */
  divAssign(rhs: NDArray | number): this {
    return this.#inPlace('divAssign', divide(this as NDArray, rhs))
  }

  /** `this %= rhs`, written into this array. */
  modAssign(rhs: NDArray | number): this {
    return this.#inPlace('modAssign', modulo(this as NDArray, rhs))
  }

  #inPlace(where: string, result: NDArray): this {
    if (frame.recording && this.node !== null) {
      fail(
        where,
        'the array is part of a recorded computation: writing into it while recording is not possible',
      )
    }
    if (!sameShape(result.shape, this.shape) || result.dtype !== this.dtype) {
      const [got, want] = [
        `${result.dtype} ${formatShape(result.shape)}`,
        `${this.dtype} ${formatShape(this.shape)}`,
      ]
      fail(where, `the result is ${got}, the array ${want}: an array keeps its shape and dtype`)
    }
    replaceData(this, result)
    return this
  }

  /** The text MXNet prints: the elements, then `<NDArray 2x3 @cpu(0)>`. */
  override toString(): string {
    return formatArray(this)
  }

  [Symbol.for('nodejs.util.inspect.custom')](depth: number, options?: InspectOptions): string {
    return inspected(depth, options?.depth, {
      text: () => this.toString(),
      brief: () => `<NDArray ${this.shape.join('x')} @${this.context}>`,
      bundle: () =>
        this.storage.device.backend.canBlock ? arrayBundle(this) : arrayBundleAsync(this),
    })
  }

  /** What a notebook shows: the elements as a table, with shape, dtype and context. */
  [jupyterDisplay](): Promise<MimeBundle> {
    return arrayBundleAsync(this)
  }

  /** Frees the memory now instead of when the array is collected; never required. */
  [Symbol.dispose](): void {
    free(this)
  }
}

installMover((value, context) => (value as NDArray).asInContext(context))
installArrayMaker(
  (value: Aval, storage: Storage, layout: Layout) => new NDArray(value, storage, layout),
)

/** A row-major copy of an array in memory of its own. */
function denseCopy(x: NDArray): NDArray {
  const storage = x.storage.device.allocate(x.size * itemSize(x.dtype))
  const copy = new NDArray(
    x.aval,
    storage,
    new Layout({ shape: x.shape, strides: rowMajor(x.shape), offset: 0 }),
  )
  writeElements(copy, copy.layout, x)
  return copy
}

/** An array on another device. Within one memory nothing is copied until somebody writes. */
function transfer(given: NDArray, context: Context): NDArray {
  const device = deviceOf(context)
  const { dense, offset } = given.layout
  if (device.pool === given.storage.device.pool) {
    if (dense) return lend(given, device) as NDArray
    const packed = denseCopy(given)
    const lent = lend(packed, device) as NDArray
    free(packed)
    return lent
  }
  const x = dense && offset === 0 ? given : denseCopy(given)
  const bytes = x.size * itemSize(x.dtype)
  const storage = device.allocate(bytes)
  const { address, written } = x.storage
  const source = x.storage.device.backend
  if (source.canBlock)
    device.backend.write(storage.address, source.readSync(address, bytes, written))
  else device.backend.writeLater(storage.address, source.read(address, bytes, written))
  return new NDArray(x.aval, storage, x.layout)
}

/** Makes `target` hold the data of `source`, which gives it up. */
export function replaceData(target: NDArray, source: NDArray): void {
  source.storage.retain()
  target.storage.release()
  target.storage = source.storage
  target.layout = source.layout
  free(source)
}

// Places in a graph that nobody runs (a symbol) have nothing to store into.
frame.store = (target, value) => {
  if (target instanceof NDArray && value instanceof NDArray) replaceData(target, value)
}

function typed(bytes: Uint8Array, dtype: DType): TypedArray {
  const { array } = dtypeInfo(dtype)
  return new array(bytes.buffer, bytes.byteOffset, bytes.byteLength / array.BYTES_PER_ELEMENT)
}

/** Elements that are numbers: the bits of 16-bit floats become float32. */
function readable(values: TypedArray, dtype: DType): TypedArray {
  const half = halfFormat(dtype)
  return half === undefined ? values : decodeHalves(values as Uint16Array, half)
}

function nest(values: TypedArray, shape: readonly number[], dtype: DType): NestedArray {
  const element = (i: number): NestedArray => (dtype === 'bool' ? values[i] !== 0 : values[i]!)
  const build = (axis: number, start: number, size: number): NestedArray => {
    if (axis === shape.length) return element(start)
    const d = shape[axis]!
    const step = d === 0 ? 0 : size / d
    return Array.from({ length: d }, (_, i) => build(axis + 1, start + i * step, step))
  }
  return build(0, 0, values.length)
}
