/** Sums of gradients over devices that begin while backward is still at work on earlier layers. */

import { onGradient } from '../autograd/tape.ts'
import type { Context } from '../base/context.ts'
import { itemSize } from '../base/dtype.ts'
import { withFrame } from '../core/frame.ts'
import { inOneMemory, sharesBlock } from '../ndarray/exchange.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { scope } from '../ndarray/scope.ts'
import { addN } from '../ops/binary.ts'
import { reshape } from '../ops/movement.ts'
import { concat, slice } from '../ops/slicing.ts'

/** Bytes of gradients that travel together; a larger gradient travels alone. */
const bucketBytes = 4 * 2 ** 20

/** What is known of a bucket's gradients on one device. */
interface Side {
  /** Handles on the gradients as backward has written them, by key of the bucket; null: not yet. */
  readonly written: (NDArray | null)[]
  /** The same on their way to the device that adds up: one array, or one for each key where nothing has to be copied. */
  sent: readonly NDArray[] | null
  /** The sums, in the same form, on this device. */
  sums: readonly NDArray[] | null
}

/** Keys whose gradients are added up together. */
class Bucket {
  readonly keys: readonly number[]
  readonly sides: readonly Side[]
  /** The device that adds up. */
  readonly owner: number

  constructor(keys: readonly number[], devices: number, owner: number) {
    this.keys = keys
    this.owner = owner
    this.sides = Array.from({ length: devices }, () => ({
      written: keys.map(() => null),
      sent: null,
      sums: null,
    }))
  }

  /** Forgets what has been written and sent. */
  clear(): void {
    for (const side of this.sides) {
      for (const x of [...side.written, ...(side.sent ?? []), ...(side.sums ?? [])])
        x?.[Symbol.dispose]()
      side.written.fill(null)
      side.sent = null
      side.sums = null
    }
  }
}

/**
 * The gradients of some keys on several devices: as soon as backward has written those of a bucket on one device they set
 * out for the device that adds up, and are added there when those of all devices have come. Sums count only as long as
 * nobody else has written to the gradients.
 */
export class GradientBuckets {
  readonly #weights = new Map<number, readonly NDArray[]>()
  readonly #buckets: readonly Bucket[]
  readonly #places = new Map<number, readonly [Bucket, number]>()
  readonly #everywhere: boolean

  /** Sums are wanted `everywhere`, or on the first device only. */
  constructor(weights: ReadonlyMap<number, readonly NDArray[]>, everywhere: boolean) {
    this.#everywhere = everywhere
    const devices = [...weights.values()][0]?.length ?? 0
    // Backward reaches the last layers first.
    this.#buckets = packed([...weights].reverse()).map(
      (keys, i) => new Bucket(keys, devices, everywhere ? i % devices : 0),
    )
    for (const bucket of this.#buckets)
      bucket.keys.forEach((key, at) => {
        this.#places.set(key, [bucket, at])
      })
    this.listen(weights)
  }

  /** Whether these are the buckets for some weights, with sums where they are wanted. */
  serves(weights: ReadonlyMap<number, readonly NDArray[]>, everywhere: boolean): boolean {
    const same = ([key, list]: readonly [number, readonly NDArray[]]): boolean =>
      this.#weights.get(key)?.length === list.length
    if (everywhere !== this.#everywhere || weights.size !== this.#weights.size) return false
    return [...weights].every(same)
  }

  /** Begins anew: hears of the next gradients of these weights. */
  listen(weights: ReadonlyMap<number, readonly NDArray[]>): void {
    this.clear()
    // A network outlives its trainers: they are not kept for it.
    const self = new WeakRef(this)
    for (const [key, list] of weights) {
      this.#weights.set(key, list)
      list.forEach((weight, device) => {
        onGradient(weight, () => self.deref()?.hear(key, device))
      })
    }
  }

  /** The sum of a key's gradients on each device that wants it; null where it has not been made, or holds no longer. */
  sums(key: number, grads: readonly NDArray[]): readonly NDArray[] | null {
    const [bucket, at] = this.#places.get(key) ?? []
    if (bucket === undefined || grads.length !== bucket.sides.length) return null
    const holds = grads.every((grad, device) => {
      const written = bucket.sides[device]!.written[at!]
      return written != null && sharesBlock(written, grad)
    })
    const sides = this.#everywhere ? bucket.sides : [bucket.sides[bucket.owner]!]
    if (!holds || sides.some(({ sums }) => sums === null)) return null
    return sides.map((side) => this.#piece(side, at!))
  }

  /** Forgets all gradients and sums. */
  clear(): void {
    for (const bucket of this.#buckets) bucket.clear()
  }

  /** Backward has written the gradient of a key on a device. */
  hear(key: number, device: number): void {
    const [bucket, at] = this.#places.get(key)!
    // Written once more before anybody has asked for the sum: what is on its way is out of date.
    if (bucket.sides[device]!.written[at] !== null) bucket.clear()
    const side = bucket.sides[device]!
    side.written[at] = this.#weights.get(key)![device]!.grad!.detach()
    if (!side.written.includes(null))
      withFrame({ recording: false }, () => this.#send(bucket, side, side.written as NDArray[]))
  }

  #send(bucket: Bucket, side: Side, grads: readonly NDArray[]): void {
    const { sides, keys } = bucket
    const owner = this.#weights.get(keys[0]!)![bucket.owner]!
    const apart = keys.length === 1 || inOneMemory(this.#weights.get(keys[0]!)!)
    side.sent = scope(() => {
      const given = apart ? grads : [flatten(grads)]
      return given.map((x) => handle(x, owner.context))
    })
    const all = sides.map(({ sent }) => sent)
    if (all.includes(null)) return
    const sums = all[0]!.map((_, i) => addN(...all.map((sent) => sent![i]!)))
    sides.forEach((one, device) => {
      for (const x of one.sent!) x[Symbol.dispose]()
      one.sent = null
      if (device === bucket.owner) one.sums = sums
      else if (this.#everywhere) {
        const { context } = this.#weights.get(keys[0]!)![device]!
        one.sums = sums.map((x) => handle(x, context))
      }
    })
  }

  /** The sum of one key of a bucket: a handle of its own. */
  #piece({ sums, written }: Side, at: number): NDArray {
    const grads = written as readonly NDArray[]
    if (sums!.length === grads.length) return sums![at]!.detach()
    const begin = grads.slice(0, at).reduce((n, { size }) => n + size, 0)
    const { size, shape } = grads[at]!
    return scope(() => reshape(slice(sums![0]!, { begin: [begin], end: [begin + size] }), shape))
  }
}

/** A handle of its own on an array, or a copy on another device. */
const handle = (x: NDArray, context: Context): NDArray =>
  x.context === context ? x.detach() : x.asInContext(context)

/** Several arrays as one, their elements one after another. */
const flatten = (arrays: readonly NDArray[]): NDArray =>
  concat(...arrays.map((x) => reshape(x, [-1])), { dim: 0 })

/** Keys in runs of one dtype that are not too large. */
function packed(weights: readonly (readonly [number, readonly NDArray[]])[]): number[][] {
  const runs: number[][] = []
  let [room, last] = [0, '']
  for (const [key, [weight]] of weights) {
    const bytes = weight!.size * itemSize(weight!.dtype)
    if (bytes > room || weight!.dtype !== last) {
      runs.push([])
      room = bucketBytes
      last = weight!.dtype
    }
    runs.at(-1)!.push(key)
    room -= bytes
  }
  return runs
}
