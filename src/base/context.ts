/** Contexts: which device an array lives on, as a value. */

import { fail } from './error.ts'

/** Kinds of devices. `wasm` and `reference` name one CPU backend exactly, for tests and comparisons. */
export type DeviceType = 'cpu' | 'gpu' | 'cpu_pinned' | 'cpu_shared' | 'wasm' | 'reference'

const kinds: readonly DeviceType[] = ['cpu', 'gpu', 'cpu_pinned', 'cpu_shared', 'wasm', 'reference']
const interned = new Map<string, Context>()

/**
 * A device as a value; equal contexts are one object, so `===` compares them.
 *
 * @example
 * new Context('cpu', 0) === cpu() // => true
 * @see MXNet `python/mxnet/context.py`
 */
export class Context {
  readonly deviceType: DeviceType
  readonly deviceId: number

  constructor(deviceType: DeviceType | Context, deviceId = 0) {
    const kind = deviceType instanceof Context ? deviceType.deviceType : deviceType
    const id = deviceType instanceof Context ? deviceType.deviceId : deviceId
    if (!kinds.includes(kind))
      fail('Context', `device type ${String(kind)} is unknown: use one of ${kinds.join(', ')}`)
    if (!Number.isInteger(id) || id < 0)
      fail('Context', `device id ${String(id)} must be a non-negative integer`)
    this.deviceType = kind
    this.deviceId = id
    const key = `${kind}(${id})`
    const known = interned.get(key)
    // biome-ignore lint/correctness/noConstructorReturn: interning makes equal contexts identical
    if (known) return known
    interned.set(key, this)
  }

  /** `cpu(0)`, as MXNet prints it. */
  toString(): string {
    return `${this.deviceType}(${this.deviceId})`
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/** The CPU context with this id. */
export const cpu = (deviceId = 0): Context => new Context('cpu', deviceId)
/** The GPU context with this id; whether the device exists shows at its first use. */
export const gpu = (deviceId = 0): Context => new Context('gpu', deviceId)
