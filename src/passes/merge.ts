/** Horizontal fusion: loops over one domain that do not wait for each other become one kernel. */

import { sameShape } from '../base/shape.ts'
import { acc, type Expr, renameInputs, rewrite } from '../prim/expr.ts'
import type { LoopKernel, Operand } from '../prim/kernel.ts'
import type { Step } from './fuse.ts'

const mostOutputs = 8

type LoopStep = Step & { readonly kernel: LoopKernel }

/** Maps, and reductions whose order does not matter. */
const isLoop = (step: Step): step is LoopStep =>
  step.kernel.kind === 'loop' &&
  !step.kernel.reduce.some((op) => op === 'argmax' || op === 'argmin')

/** Whether two loops range over the same domain; reductions must have something to read in common. */
function alike(a: LoopStep, b: LoopStep): boolean {
  const [x, y] = [a.kernel, b.kernel]
  if (!sameShape(x.dims, y.dims) || x.parallel !== y.parallel) return false
  if (x.outputs.length + y.outputs.length > mostOutputs) return false
  if (x.reduce.length === 0 || y.reduce.length === 0) return x.reduce.length === y.reduce.length
  const read = inputsOf(a)
  return inputsOf(b).some((buffer) => read.includes(buffer))
}

const outputsOf = (step: Step): readonly number[] => {
  const { kernel } = step
  const several = kernel.kind === 'loop' || kernel.kind === 'sequence'
  const count = several ? kernel.outputs.length : 1
  return step.buffers.slice(step.buffers.length - count)
}

const inputsOf = (step: Step): readonly number[] =>
  step.buffers.slice(0, step.buffers.length - outputsOf(step).length)

/** The same steps with loops merged where nothing between them stands in the way. */
export function mergeLoops(steps: readonly Step[]): Step[] {
  const out: Step[] = []
  for (const step of steps) {
    const at = isLoop(step) ? partner(out, step) : -1
    if (at < 0) out.push(step)
    else out[at] = merge(out[at]! as LoopStep, step as LoopStep)
  }
  return out
}

/** The earlier step that `step` can join: same domain, and everything `step` reads is ready before it. */
function partner(steps: readonly Step[], step: LoopStep): number {
  const reads = inputsOf(step)
  const writes = outputsOf(step)
  for (let i = steps.length - 1; i >= 0; i--) {
    const other = steps[i]!
    const written = outputsOf(other)
    if (reads.some((b) => written.includes(b)) || writes.some((b) => other.buffers.includes(b)))
      return -1
    if (isLoop(other) && alike(other, step)) return i
  }
  return -1
}

function merge(a: LoopStep, b: LoopStep): Step {
  const operands: Operand[] = []
  const buffers: number[] = []
  const known = new Map<string, number>()
  const place = (step: LoopStep): number[] =>
    step.kernel.inputs.map((o, i) => {
      const buffer = step.buffers[i]!
      const key = `${buffer}@${o.offset}:${o.strides.join()}`
      let at = known.get(key)
      if (at === undefined) {
        at = operands.push(o) - 1
        buffers.push(buffer)
        known.set(key, at)
      }
      return at
    })
  const [namesA, namesB] = [place(a), place(b)]
  return {
    kernel: {
      ...a.kernel,
      inputs: operands,
      outputs: [...a.kernel.outputs, ...b.kernel.outputs],
      body: [
        ...a.kernel.body.map((e) => renameInputs(e, (i) => namesA[i]!)),
        ...b.kernel.body.map((e) => renameInputs(e, (i) => namesB[i]!)),
      ],
      reduce: [...a.kernel.reduce, ...b.kernel.reduce],
      epilogue: [
        ...a.kernel.epilogue.map((e) => renameInputs(e, (i) => namesA[i]!)),
        ...b.kernel.epilogue.map((e) =>
          slotsFrom(
            renameInputs(e, (i) => namesB[i]!),
            a.kernel.reduce.length,
          ),
        ),
      ],
    },
    buffers: [...buffers, ...outputsOf(a), ...outputsOf(b)],
  }
}

/** The expression with accumulators counted from `first`. */
const slotsFrom = (root: Expr, first: number): Expr =>
  first === 0
    ? root
    : rewrite(root, (e) => (e.kind === 'acc' ? acc(e.slot + first, e.dtype) : undefined))
