/** A traced graph to look at: as text after each pass, down to the kernels. */

import { isFloat } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { rowMajor } from '../base/shape.ts'
import { type Graph, printGraph } from '../core/graph.ts'
import { kernelKey } from '../prim/kernel.ts'
import { differentiate } from './differentiate.ts'
import { type Fused, fuse } from './fuse.ts'
import { lower } from './lower.ts'

/** The passes, in the order in which they run. */
export const passes = [
  'traced',
  'lowered',
  'forward',
  'backward',
  'fused',
  'fusedBackward',
] as const
/** A pass after which the graph can be looked at. */
export type Pass = (typeof passes)[number]

/**
 * What a hybridized block has become.
 *
 * `traced` are the operators that `forward` applied, `lowered` the same in primitives, `forward` and `backward`
 * the two halves of training (with what is kept between them), `fused` and `fusedBackward` their kernels.
 */
export class GraphView {
  readonly #graph: Graph
  readonly #needs: readonly boolean[]

  /** `needs`: which inputs gradients are asked for. */
  constructor(graph: Graph, needs: readonly boolean[]) {
    this.#graph = graph
    this.#needs = needs.map((need, i) => {
      const input = graph.inputs[i]
      return need && input != null && isFloat(input.dtype)
    })
  }

  #after(pass: Pass): Graph {
    if (pass === 'traced') return this.#graph
    if (pass === 'lowered') return lower(this.#graph)
    const { forward, backward } = differentiate(this.#graph, this.#needs)
    return pass === 'forward' || pass === 'fused' ? lower(forward) : lower(backward)
  }

  #fused(pass: Pass): Fused {
    const graph = this.#after(pass)
    const layouts = graph.inputs.map(
      (s) => s && { shape: s.shape, strides: rowMajor(s.shape), offset: 0 },
    )
    return fuse(graph, layouts)
  }

  /** The kernels of a half, one key each: equal keys are equal code. */
  kernels(half: 'fused' | 'fusedBackward' = 'fused'): string[] {
    return this.#fused(half).steps.map((step) => kernelKey(step.kernel))
  }

  /**
   * The graph after a pass as text, one node or kernel a line.
   * @throws MXNetError for an unknown pass.
   */
  text(pass: Pass): string {
    if (!passes.includes(pass))
      fail('graph', `there is no pass ${String(pass)}: use ${passes.join(', ')}`)
    if (pass !== 'fused' && pass !== 'fusedBackward') return printGraph(this.#after(pass))
    const { steps, buffers, outputs } = this.#fused(pass)
    const name = (i: number): string => {
      const { input, dtype, size } = buffers[i]!
      return `${input === null ? `b${i}` : `in${input}`}:${dtype}[${size}]`
    }
    const lines = steps.map(
      ({ kernel, buffers: used }) => `${kernel.kind} ${used.map(name).join(' ')}`,
    )
    return [...lines, `return ${outputs.map((o) => name(o.buffer)).join(' ')}`].join('\n')
  }

  /** Prints the graph after a pass, or after each of them. */
  print(pass?: Pass): void {
    console.log(pass === undefined ? this.toString() : this.text(pass))
  }

  /** The graph after each pass. */
  toString(): string {
    return passes.map((pass) => `== ${pass}\n${this.text(pass)}`).join('\n\n')
  }
}
