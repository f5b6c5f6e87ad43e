/** The eager interpreter: each call is a compiled graph of one node, cached by operator, attributes and input layouts. */

import { Cache } from '../base/cache.ts'
import { fail, MXNetError } from '../base/error.ts'
import { frame } from '../core/frame.ts'
import { Node, Sym } from '../core/graph.ts'
import { type BoundOp, type Instance, OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import { lowerInstance } from '../passes/lower.ts'
import { DeviceArray, free, share } from './array.ts'
import { Plan } from './plan.ts'
import { type Device, deviceOf } from './storage.ts'

/** Plans of one instance: the latest for dense inputs at hand, the others by device and strides. */
interface Plans {
  dense: Plan | null
  readonly others: Cache<string, Plan>
}

const planLimit = 64

/** What the tape keeps of a node: the outputs that its gradient reads. */
export interface TapeNode {
  readonly outputs: readonly (DeviceArray | null)[]
  released: boolean
}

function deviceFor(bound: BoundOp, inputs: readonly (Tensor | null)[]): Device {
  let device: Device | null = null
  for (const t of inputs) {
    if (t === null || t === undefined) continue
    const own = (t as DeviceArray).storage.device
    if (device === null) device = own
    else if (device !== own) {
      fail(
        bound.op.name,
        `inputs are on ${device.context} and ${own.context}: move one with asInContext`,
      )
    }
  }
  return device ?? deviceOf(frame.context)
}

function planFor(
  instance: Instance,
  device: Device,
  inputs: readonly (DeviceArray | null)[],
): Plan {
  let plans = instance.plans as Plans | null
  if (plans === null) {
    plans = { dense: null, others: new Cache(planLimit) }
    instance.plans = plans
  }
  let dense = true
  for (const x of inputs) if (x && !x.layout.dense) dense = false
  if (dense && plans.dense?.device === device) return plans.dense
  const strides = dense ? '' : inputs.map((x) => x?.layout.strides.join() ?? '-').join('|')
  const key = `${device.context} ${strides}`
  const plan = plans.others.get(key, () => {
    const layouts = inputs.map((x) => (x ? { ...x.layout, offset: 0 } : null))
    return new Plan(device, lowerInstance(instance), layouts)
  })
  if (dense) plans.dense = plan
  return plan
}

/** Runs one operator on arrays; while recording, hangs a node on the results. */
export function runEager(
  bound: BoundOp,
  inputs: readonly (Tensor | null)[],
  scalars: readonly number[],
  targets?: readonly (Tensor | null)[],
): readonly Tensor[] {
  const arrays = inputs as readonly (DeviceArray | null)[]
  const device = deviceFor(bound, arrays)
  const instance = bound.instance(inputs)
  const results = targets as readonly (DeviceArray | null)[] | undefined
  if (results !== undefined) checkTargets(bound, instance, results)
  frame.operator = bound.op.name
  if (!frame.counted) frame.calls++
  const { probe } = frame
  const start = probe === null ? 0 : performance.now()
  let outputs: DeviceArray[]
  try {
    outputs = planFor(instance, device, arrays).run(arrays, scalars, results)
  } catch (error) {
    throw named(error, bound.op.name, device)
  }
  if (probe !== null) probe('operator', bound.op.name, start, performance.now())
  if (frame.recording && targets === undefined) record(instance, arrays, scalars, outputs)
  return outputs
}

/** What a device refuses without knowing for whom, as an error of the operator. */
function named(error: unknown, operator: string, { context }: Device): unknown {
  const where = String(context)
  if (!(error instanceof MXNetError) || error.where !== where) return error
  const reason = error.message.slice(`[${where}] `.length)
  return new MXNetError(operator, `on ${where}: ${reason}`, { cause: error })
}

function checkTargets(
  bound: BoundOp,
  instance: Instance,
  targets: readonly (DeviceArray | null)[],
): void {
  targets.forEach((t, i) => {
    const want = instance.outs[i]
    if (t === null || want === undefined) return
    if (
      t.dtype !== want.dtype ||
      t.shape.length !== want.shape.length ||
      t.shape.some((d, k) => d !== want.shape[k])
    ) {
      const [got, need] = [`${t.dtype} (${t.shape})`, `${want.dtype} (${want.shape})`]
      fail(bound.op.name, `the result is ${need} and cannot be written into an array of ${got}`)
    }
    if (frame.recording && t.node !== null) {
      fail(
        bound.op.name,
        'writing into an array that autograd follows is not possible while recording',
      )
    }
  })
}

function record(
  instance: Instance,
  inputs: readonly (DeviceArray | null)[],
  scalars: readonly number[],
  outputs: readonly DeviceArray[],
): void {
  const needs: boolean[] = new Array(inputs.length)
  let followed = false
  for (let i = 0; i < inputs.length; i++) {
    const x = inputs[i]
    needs[i] = x !== null && x !== undefined && x.node !== null
    if (needs[i]) followed = true
  }
  if (!followed) return
  const { readsInput, readsOutput } = instance.gradient(needs)
  const kept: (Tensor | null)[] = new Array(inputs.length)
  for (let i = 0; i < inputs.length; i++) {
    const x = inputs[i]
    if (!x) kept[i] = null
    else if (readsInput[i]) kept[i] = followedShare(x, x.node, x.index)
    else kept[i] = x.node === null ? null : new Sym(x.node, x.index)
  }
  const node = new Node(instance, kept, scalars, instance.outs)
  const saved: (DeviceArray | null)[] = new Array(outputs.length)
  for (let i = 0; i < outputs.length; i++) {
    const y = outputs[i]!
    saved[i] = readsOutput[i] ? followedShare(y, node, i) : null
    y.node = node
    y.index = i
  }
  node.extra = { outputs: saved, released: false } satisfies TapeNode
  node.home = outputs[0]?.context
}

function followedShare(x: DeviceArray, node: Node | null, index: number): DeviceArray {
  const copy = share(x)
  copy.node = node
  copy.index = index
  return copy
}

/** Hangs a node on a copy of a followed array on another device: the gradient goes back the same way. */
export function recordCopy(from: DeviceArray, copy: DeviceArray): void {
  const instance = copyOp.bind(undefined).bound.instance([from])
  // The derived rule hands the gradient on; the sweep moves it to the device of `from`.
  instance.gradient([true])
  const node = new Node(instance, [new Sym(from.node!, from.index)], [], instance.outs)
  node.extra = { outputs: [null], released: false } satisfies TapeNode
  node.home = copy.context
  copy.node = node
  copy.index = 0
}

const copyOp = new OpDef({
  name: 'copy to context',
  inputs: ['data'],
  body: ([x]) => x!,
})

/** Gives back what a tape node holds. */
export function releaseTapeNode(node: Node): void {
  const extra = node.extra as TapeNode | null
  if (extra === null || extra.released) return
  extra.released = true
  for (const t of node.inputs) if (t instanceof DeviceArray) free(t)
  for (const t of extra.outputs) if (t !== null) free(t)
  node.inputs = []
  node.pull = null
}
