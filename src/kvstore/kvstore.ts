/** KVStore: values by key that several devices add to and read from. */

import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { formatShape, sameShape } from '../base/shape.ts'
import { withFrame } from '../core/frame.ts'
import { inOneMemory, sharesBlock, sumInPlace } from '../ndarray/exchange.ts'
import { load, save } from '../ndarray/files.ts'
import { type NDArray, replaceData } from '../ndarray/ndarray.ts'
import { add, addN, multiply, subtract } from '../ops/binary.ts'
import { cast } from '../ops/cast.ts'
import { greater, greaterEqual, lesserEqual } from '../ops/compare.ts'
import { oneHot } from '../ops/indexing.ts'
import { reshape } from '../ops/movement.ts'
import { sum } from '../ops/reduce.ts'
import type { Optimizer } from '../optimizer/optimizer.ts'
import { Updater } from '../optimizer/updater.ts'
import { GradientBuckets } from './buckets.ts'

/** A key: all keys of a store are numbers, or all are texts. */
export type Key = number | string
/** One array, or one for each device. */
export type Values = NDArray | readonly NDArray[]
/** What a push does with the sum of its values and the stored array, which it changes in place. */
export type StoreUpdater = (key: Key, sum: NDArray, stored: NDArray) => void

/** Options of pushes and pulls. */
export interface PriorityOptions {
  /** Accepted for callers that name it: work is done in the order of the calls. */
  readonly priority?: number
}
/** Where a pull writes to. */
export interface PullOptions extends PriorityOptions {
  /** Arrays that get the stored values; for a list of keys a list of them each. */
  readonly out?: Values | readonly Values[]
  /** Accepted for callers that name it: all arrays are dense. */
  readonly ignoreSparse?: boolean
}

/** How pushed gradients are compressed. */
export interface CompressionParams {
  readonly type: '2bit'
  /** Above 0; 0.5 by default. */
  readonly threshold?: number
}

const kinds = [
  'local',
  'device',
  'nccl',
  'local_update_cpu',
  'local_allreduce_cpu',
  'local_allreduce_device',
]

/**
 * Values by key, shared by the devices of a process.
 *
 * A push adds up the arrays of all devices and replaces the stored value by the sum, or hands both to the updater; a pull
 * copies the stored value to all devices; those of one memory share it until somebody writes. `local` and `device` differ
 * only in that `device` may compress. MXNet's switch `MXNET_ENABLE_GPU_P2P` has no effect: WebGPU knows no copies from one
 * device to another, and CPU contexts read each other's memory anyway.
 * @example
 * const store = kv.create('local')
 * store.init(3, nd.ones([2]))
 * store.push(3, [nd.array([1, 2]), nd.array([3, 4])])
 * const out = nd.zeros([2])
 * store.pull(3, { out })
 * await out.asArray() // => [4, 6]
 * @see MXNet `python/mxnet/kvstore/kvstore.py`
 */
export class KVStore {
  readonly type: string
  /** The number of this process: there is one. */
  readonly rank = 0
  readonly numWorkers = 1
  readonly #stored = new Map<Key, NDArray>()
  readonly #indices = new Map<Key, number>()
  readonly #residuals = new Map<string, NDArray>()
  /** Which device adds up the arrays of a key, and how many elements each adds up. */
  readonly #owners = new Map<Key, number>()
  readonly #loads: number[] = []
  #threshold: number | null = null
  #update: StoreUpdater | null = null
  #updater: Updater | null = null
  #buckets: GradientBuckets | null = null

  constructor(type = 'local') {
    if (type.startsWith('dist') || type.startsWith('p3')) {
      fail('KVStore', `'${type}' is for several machines: there are 'local' and 'device' here`)
    }
    if (!kinds.includes(type))
      fail('KVStore', `there is no kind '${type}': use ${kinds.join(', ')}`)
    this.type = type
  }

  /** What the kind of store can do: 'optimizer' (updates in the store). */
  isCapable(capability: string): boolean {
    return capability === 'optimizer'
  }

  /**
   * Stores the first value of a key, or of each of a list of keys.
   * @throws MXNetError when a key is there already, or numbers and texts are mixed.
   */
  init(key: Key | readonly Key[], value: NDArray | readonly NDArray[]): void {
    for (const [k, values] of entries('init', key, value as Values | readonly Values[])) {
      if (this.#stored.has(k))
        fail('KVStore', `key ${k} has been initialized: init is called once a key`)
      const other = this.#stored.keys().next().value
      if (other !== undefined && typeof other !== typeof k)
        fail('KVStore', `key ${k} is a ${typeof k}, key ${other} is not: all must be of one kind`)
      this.#indices.set(k, this.#indices.size)
      this.#stored.set(k, values[0]!.detach())
    }
  }

  #of(where: string, key: Key): NDArray {
    return (
      this.#stored.get(key) ??
      fail('KVStore', `${where} of key ${key}, which is not there: call init for it first`)
    )
  }

  /**
   * Adds up the arrays of a key; the sum replaces the stored value, or goes to the updater with it.
   * @throws MXNetError for keys that are not there and shapes that differ.
   */
  push(
    key: Key | readonly Key[],
    value: Values | readonly Values[],
    _options: PriorityOptions = {},
  ): void {
    withFrame({ recording: false }, () => {
      for (const [k, values] of entries('push', key, value)) {
        const stored = this.#of('push', k)
        const total = this.#reduce(k, values, stored)
        if (this.#update !== null) this.#update(k, total, stored)
        else {
          copyTo(total, [stored])
          total[Symbol.dispose]()
        }
      }
    })
  }

  /**
   * Copies the stored value of a key into arrays.
   * @throws MXNetError for keys that are not there, or without `out`.
   */
  pull(key: Key | readonly Key[], options: PullOptions): void {
    const { out } = checkOptions('KVStore.pull', options, ['out', 'priority', 'ignoreSparse'])
    if (out === undefined) fail('KVStore', 'pull needs the arrays to write to: { out: … }')
    withFrame({ recording: false }, () => {
      for (const [k, targets] of entries('pull', key, out)) copyTo(this.#of('pull', k), targets)
    })
  }

  /** A push and a pull; without `out` the pushed arrays are overwritten. */
  pushpull(
    key: Key | readonly Key[],
    value: Values | readonly Values[],
    options: PullOptions = {},
  ): void {
    const { out = value } = options
    if (out === value && !Array.isArray(key) && this.#exchange(key as Key, listOf(value as Values)))
      return
    const once = !Array.isArray(key) || new Set(key).size === key.length
    if (this.#updater !== null && once) {
      this.#train(this.#updater, entries('push', key, value), entries('pull', key, out))
      return
    }
    this.push(key, value)
    this.pull(key, { out })
  }

  /** Updates the stored values of keys by the gradients of all devices, in as few calls as the optimizer can. */
  #train(updater: Updater, pushed: readonly Entry[], pulled: readonly Entry[]): void {
    withFrame({ recording: false }, () => {
      const stored = pushed.map(([k]) => this.#of('pushpull', k))
      const sent = pushed.map(
        ([k, values], i) => this.#summed(k, values) ?? this.#sent(k, values, stored[i]!),
      )
      const indices = pushed.map(([k]) => this.#indexOf(k))
      // Who gets the new value need not keep the old one: an update writes over a block that nobody else holds.
      pulled.forEach(([, targets], i) => {
        const old = (x: NDArray): boolean =>
          sharesBlock(x, stored[i]!) && !pushed[i]![1].includes(x)
        for (const target of targets.filter(old)) target[Symbol.dispose]()
      })
      try {
        updater.updateAll(indices, sent, stored)
      } finally {
        pushed.forEach(([, values], i) => {
          giveBack(sent[i]!, values)
        })
        pulled.forEach(([, targets], i) => {
          copyTo(stored[i]!, targets)
        })
      }
    })
  }

  /**
   * Begins anew to listen for gradients of weights, by key: as soon as backward has written those of a bucket of some
   * megabytes on all devices, they are added up, while it is still at work on earlier layers. The next `pushpull` of the
   * gradients takes the sums, unless somebody else has written to the gradients since.
   *
   * Nothing begins early where gradients are compressed, or where one memory's devices leave their sum to the update that
   * reads it.
   */
  watch(weights: ReadonlyMap<number, readonly NDArray[]>): void {
    const everywhere = this.#update === null
    const [first] = weights.values()
    const several = first !== undefined && first.length > 1
    const gain = several && (everywhere || (this.#updater !== null && !inOneMemory(first)))
    if (!gain || this.#threshold !== null) {
      this.#buckets?.clear()
      this.#buckets = null
    } else if (this.#buckets?.serves(weights, everywhere)) this.#buckets.listen(weights)
    else {
      this.#buckets?.clear()
      this.#buckets = new GradientBuckets(weights, everywhere)
    }
  }

  /** The sums of a key's gradients that have been made already. */
  #summed(key: Key, grads: readonly NDArray[]): readonly NDArray[] | null {
    return typeof key === 'number' ? (this.#buckets?.sums(key, grads) ?? null) : null
  }

  #indexOf(key: Key): number {
    return typeof key === 'number' ? key : this.#indices.get(key)!
  }

  /** Makes an array the stored value of a key, where it is not the one that was pulled: somebody has written to it since. */
  adopt(key: Key, value: NDArray): void {
    if (!sharesBlock(this.#of('adopt', key), value)) this.#replace(key, value)
  }

  /** Stores an array in the place of another, whose block is then free for others. */
  #replace(key: Key, value: NDArray): void {
    this.#stored.get(key)![Symbol.dispose]()
    this.#stored.set(key, value.detach())
  }

  /**
   * A push and a pull into the same arrays, where nothing but the sum is wanted: it may have been made while backward ran;
   * devices of one memory add up where the first of the arrays lie, taking turns by size. False where neither applies.
   */
  #exchange(key: Key, values: readonly NDArray[]): boolean {
    const stored = this.#stored.get(key)
    const plain = this.#update === null && this.#threshold === null && values.length > 1
    const sums = plain && stored !== undefined ? this.#summed(key, values) : null
    if (sums !== null) {
      values.forEach((value, i) => {
        replaceData(value, sums[i]!)
      })
      this.#replace(key, values[0]!)
      return true
    }
    if (stored === undefined || !plain || !inOneMemory(values)) return false
    const same = ({ shape, dtype }: NDArray): boolean =>
      sameShape(shape, stored.shape) && dtype === stored.dtype
    if (!values.every(same)) return false
    let owner = this.#owners.get(key)
    if (owner === undefined) {
      const loads = values.map((_, i) => this.#loads[i] ?? 0)
      owner = loads.indexOf(Math.min(...loads))
      this.#loads[owner] = loads[owner]! + stored.size
      this.#owners.set(key, owner)
    }
    if (owner >= values.length) return false
    sumInPlace(values, owner)
    this.#replace(key, values[owner]!)
    return true
  }

  /** `init` and a pull into `out`. */
  broadcast(
    key: Key | readonly Key[],
    value: NDArray | readonly NDArray[],
    out: Values | readonly Values[],
  ): void {
    this.init(key, value)
    this.pull(key, { out })
  }

  /**
   * Copies the stored rows with the given numbers into arrays of the stored shape; all other rows become 0.
   * @throws MXNetError for keys that are not there, or without `out` or `rowIds`.
   */
  rowSparsePull(
    key: Key,
    options: PriorityOptions & { readonly out: Values; readonly rowIds: Values },
  ): void {
    const { out, rowIds } = options
    if (!out || !rowIds) fail('KVStore', 'rowSparsePull needs { out, rowIds }')
    const stored = this.#of('rowSparsePull', key)
    const ids = listOf(rowIds)
    withFrame({ recording: false }, () => {
      listOf(out).forEach((target, i) => {
        const rows = (ids[i] ?? ids[0]!).asInContext(stored.context)
        const count = stored.shape[0]!
        const marks = sum(oneHot(reshape(rows, [-1]), count), { axis: 0 })
        const mask = cast(greater(marks, 0), { dtype: stored.dtype })
        const shape = stored.shape.map((d, axis) => (axis === 0 ? d : 1))
        copyTo(multiply(stored, reshape(mask, shape)), [target])
      })
    })
  }

  /**
   * Sends gradients as +threshold, 0 or -threshold; what is left over is added to the device's next push.
   * @throws MXNetError for stores that are not for devices, other types, and thresholds that are not above 0.
   */
  setGradientCompression(params: CompressionParams): void {
    const { type, threshold = 0.5 } = checkOptions('KVStore', params, ['type', 'threshold'])
    if (!this.type.includes('device'))
      fail('KVStore', `a '${this.type}' store does not compress gradients: create a 'device' store`)
    if (type !== '2bit') fail('KVStore', `compression '${String(type)}': there is '2bit'`)
    if (!(threshold > 0)) fail('KVStore', `threshold is ${String(threshold)}: it must be above 0`)
    this.#threshold = threshold
  }

  /** Updates stored weights by an optimizer: pushed sums are their gradients. */
  setOptimizer(optimizer: Optimizer): void {
    const updater = new Updater(optimizer)
    this.#updater = updater
    this.#update = (key, total, stored) => updater.update(this.#indexOf(key), total, stored)
  }

  /** Lets a function of the key, the pushed sum and the stored array change the latter. */
  setUpdater(updater: StoreUpdater): void {
    this.#updater = null
    this.#update = updater
  }

  /** The updater that `setOptimizer` made. */
  get updater(): Updater | null {
    return this.#updater
  }

  /**
   * Writes the optimizer's states to a file, with its numbers if `dumpOptimizer` is on.
   * @throws MXNetError without an optimizer.
   */
  async saveOptimizerStates(fname: string, dumpOptimizer = false): Promise<void> {
    const updater =
      this.#updater ?? fail('KVStore', 'there is no optimizer: call setOptimizer first')
    await save(fname, updater.getStates(dumpOptimizer), { format: 'params' })
  }

  /**
   * Reads what `saveOptimizerStates` wrote.
   * @throws MXNetError without an optimizer.
   */
  async loadOptimizerStates(fname: string): Promise<void> {
    const updater =
      this.#updater ?? fail('KVStore', 'there is no optimizer: call setOptimizer first')
    updater.setStates(await load(fname))
  }

  #reduce(key: Key, values: readonly NDArray[], stored: NDArray): NDArray {
    const sent = this.#sent(key, values, stored)
    const total = sent.length === 1 ? sent[0]!.detach() : addN(...sent)
    giveBack(sent, values)
    return total
  }

  /** What devices send for a key: compressed, if so wished, and on the device of the stored value. */
  #sent(key: Key, values: readonly NDArray[], stored: NDArray): readonly NDArray[] {
    return values.map((value, i) => {
      if (!sameShape(value.shape, stored.shape)) {
        const shapes = `${formatShape(value.shape)}, the stored value ${formatShape(stored.shape)}`
        fail('KVStore', `an array pushed to key ${key} has shape ${shapes}`)
      }
      const whole = this.#threshold === null
      const sent = whole ? value : this.#compress(`${key} ${i}`, value, this.#threshold!)
      return sent.asInContext(stored.context)
    })
  }

  /** The gradient and what was left over, as -threshold, 0 or +threshold. */
  #compress(place: string, value: NDArray, threshold: number): NDArray {
    const before = this.#residuals.get(place)
    const full = before === undefined ? value : add(before, value)
    const signs = subtract(greaterEqual(full, threshold), lesserEqual(full, -threshold))
    const sent = multiply(cast(signs, { dtype: value.dtype }), threshold)
    this.#residuals.set(place, subtract(full, sent))
    return sent
  }
}

const listOf = (values: Values): readonly NDArray[] =>
  Array.isArray(values) ? values : [values as NDArray]

/** The stored value in each target: shared until somebody writes where the memory is one, cast where dtypes differ. */
function copyTo(value: NDArray, targets: readonly NDArray[]): void {
  for (const target of targets) {
    const here = value.asInContext(target.context)
    if (here.dtype !== target.dtype || !sameShape(here.shape, target.shape)) target.assign(here)
    else replaceData(target, here === value ? value.detach() : here)
  }
}

/** Frees what was made of values on their way. */
function giveBack(sent: readonly NDArray[], values: readonly NDArray[]): void {
  for (const x of sent) if (!values.includes(x)) x[Symbol.dispose]()
}

type Entry = readonly [Key, readonly NDArray[]]

/** Keys with the arrays of each. */
function entries(
  where: string,
  key: Key | readonly Key[],
  value: Values | readonly Values[],
): Entry[] {
  if (typeof key === 'number' || typeof key === 'string') return [[key, listOf(value as Values)]]
  if (key.length === 0) return []
  const lists = value as readonly Values[]
  const each = Array.isArray(lists) ? lists.length / key.length : 0
  if (!Number.isInteger(each) || each < 1)
    fail('KVStore', `${where}: ${key.length} keys need as many values, or lists of values`)
  // A flat list holds the arrays of each key one after another.
  return key.map((k, i) => [k, lists.slice(i * each, (i + 1) * each).flatMap((v) => listOf(v))])
}

/**
 * A store of a kind: 'local' (the default) or 'device'.
 * @throws MXNetError for kinds that are not here.
 * @example
 * kv.create('device').type // => 'device'
 * @see MXNet `kv.create`
 */
export function create(name = 'local'): KVStore {
  return new KVStore(name)
}
