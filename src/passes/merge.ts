/** Horizontal fusion: map kernels over one domain that do not wait for each other become one kernel. */

import { sameShape } from '../base/shape.ts'
import { renameInputs } from '../prim/expr.ts'
import type { LoopKernel, Operand } from '../prim/kernel.ts'
import type { Step } from './fuse.ts'

const mostOutputs = 8

const isMap = (step: Step): step is Step & { kernel: LoopKernel } =>
  step.kernel.kind === 'loop' && step.kernel.reduce.length === 0

const outputsOf = (step: Step): readonly number[] => {
  const count = step.kernel.kind === 'loop' ? step.kernel.outputs.length : 1
  return step.buffers.slice(step.buffers.length - count)
}

const inputsOf = (step: Step): readonly number[] =>
  step.buffers.slice(0, step.buffers.length - outputsOf(step).length)

/** The same steps with map kernels merged where nothing between them stands in the way. */
export function mergeMaps(steps: readonly Step[]): Step[] {
  const out: Step[] = []
  for (const step of steps) {
    const at = isMap(step) ? partner(out, step) : -1
    if (at < 0) out.push(step)
    else
      out[at] = merge(
        out[at]! as Step & { kernel: LoopKernel },
        step as Step & { kernel: LoopKernel },
      )
  }
  return out
}

/** The earlier step that `step` can join: same domain, and everything `step` reads is ready before it. */
function partner(steps: readonly Step[], step: Step & { kernel: LoopKernel }): number {
  const reads = inputsOf(step)
  const writes = outputsOf(step)
  for (let i = steps.length - 1; i >= 0; i--) {
    const other = steps[i]!
    const written = outputsOf(other)
    if (reads.some((b) => written.includes(b)) || writes.some((b) => other.buffers.includes(b)))
      return -1
    if (
      isMap(other) &&
      sameShape(other.kernel.dims, step.kernel.dims) &&
      other.kernel.outputs.length + step.kernel.outputs.length <= mostOutputs
    ) {
      return i
    }
  }
  return -1
}

function merge(a: Step & { kernel: LoopKernel }, b: Step & { kernel: LoopKernel }): Step {
  const operands: Operand[] = []
  const buffers: number[] = []
  const known = new Map<string, number>()
  const place = (step: Step & { kernel: LoopKernel }): number[] =>
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
    },
    buffers: [...buffers, ...outputsOf(a), ...outputsOf(b)],
  }
}
