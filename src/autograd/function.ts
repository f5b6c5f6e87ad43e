/** Function: a computation with a gradient of one's own. */

import { Callable, invoke } from '../base/callable.ts'
import { fail } from '../base/error.ts'
import { formatShape, sameShape } from '../base/shape.ts'
import { applyAll } from '../core/apply.ts'
import { frame, withFrame } from '../core/frame.ts'
import { Node, Sym } from '../core/graph.ts'
import { OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import type { TapeNode } from '../exec/eager.ts'
import { NDArray } from '../ndarray/ndarray.ts'

/** What forward and backward give: one tensor or several. */
type Results<T> = T | readonly T[]

// biome-ignore lint/suspicious/noExplicitAny: the same text serves arrays and places in a graph
export interface CustomFunction<T extends Tensor = any> {
  /** Runs `forward`; an instance is called once. */
  (...inputs: T[]): T & T[]
}

/**
 * A computation that brings its own gradient: override `forward` and `backward`, and call a new instance.
 *
 * `forward` is not recorded; what `saveForBackward` was given in it comes back as `savedTensors` in `backward`, which gets
 * the gradients of the outputs and gives one gradient for each input. Eager calls may do anything with their arrays; in a
 * hybridized block both must be made of operators.
 * @throws MXNetError when an instance is called twice, or `backward` gives another number of gradients or other shapes.
 * @example
 * class Sigmoid extends autograd.Function {
 *   forward(x) { const y = nd.sigmoid(x); this.saveForBackward(y); return y }
 *   backward(dy) { const [y] = this.savedTensors; return dy.mul(y).mul(y.rsub(1)) }
 * }
 * const x = nd.array([0])
 * x.attachGrad()
 * autograd.record(() => new Sigmoid()(x)).backward()
 * await x.grad.asArray() // => [0.25]
 * @see MXNet `autograd.Function`
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
// biome-ignore lint/suspicious/noExplicitAny: the same text serves arrays and places in a graph
export abstract class CustomFunction<T extends Tensor = any> extends Callable {
  #saved: readonly T[] = []
  #called = false

  /** The results for the inputs. */
  abstract forward(...inputs: T[]): Results<T>
  /** The gradients of the inputs from those of the outputs. */
  abstract backward(...outputGrads: T[]): Results<T>

  /** Keeps tensors until `backward`. */
  saveForBackward(...tensors: T[]): void {
    this.#saved = tensors
  }

  /** What `saveForBackward` was given. */
  get savedTensors(): readonly T[] {
    return this.#saved
  }

  override [invoke](args: readonly unknown[]): unknown {
    const where = this.constructor.name
    if (this.#called)
      fail(where, 'the instance has been called already: make a new one for each call')
    this.#called = true
    const inputs = args as readonly T[]
    const symbolic = frame.tracing || inputs.some((x) => x instanceof Sym)
    const given = withFrame({ recording: false }, () => this.forward(...inputs))
    const list = listOf(given)
    const outputs = symbolic ? this.#place(inputs, list) : this.#record(inputs, list)
    return Array.isArray(given) ? outputs : outputs[0]
  }

  #pull(inputs: readonly Tensor[], dys: readonly Tensor[]): readonly Tensor[] {
    const grads = listOf(this.backward(...(dys as T[])))
    const where = this.constructor.name
    if (grads.length !== inputs.length) {
      fail(
        where,
        `backward gives ${grads.length} gradients for ${inputs.length} inputs: one each is needed`,
      )
    }
    grads.forEach((g, i) => {
      if (!sameShape(g.shape, inputs[i]!.shape)) {
        const [got, want] = [formatShape(g.shape), formatShape(inputs[i]!.shape)]
        fail(where, `the gradient of input ${i} has shape ${got}: it must be ${want}`)
      }
    })
    return grads
  }

  /** Hangs a node with this function's gradient on the results. */
  #record(inputs: readonly T[], results: readonly Tensor[]): Tensor[] {
    results.forEach((y, i) => {
      if (!(y instanceof NDArray))
        fail(this.constructor.name, `output ${i} is ${String(y)}: it must be an NDArray`)
    })
    const outputs = (results as readonly NDArray[]).map((y) => y.detach())
    if (!frame.recording || inputs.every((x) => x.node === null)) return outputs
    const places = inputs.map((x) => (x.node === null ? null : new Sym(x.node, x.index)))
    const node = new Node(
      null,
      places,
      [],
      outputs.map((y) => y.aval),
    )
    const shapes = inputs.map((x) => x.aval)
    node.pull = (dys) => this.#pull(shapes as unknown as Tensor[], dys)
    node.extra = { outputs: [], released: false } satisfies TapeNode
    node.home = outputs[0]?.context
    outputs.forEach((y, i) => {
      y.node = node
      y.index = i
    })
    return outputs
  }

  /** Puts an operator behind the results that hands them on and has this function's gradient. */
  #place(inputs: readonly T[], results: readonly Tensor[]): Tensor[] {
    const [n, m] = [inputs.length, results.length]
    const op = new OpDef({
      name: this.constructor.name,
      inputs: ['...tensors'],
      body: (all) => all.slice(n, n + m),
      grad: ({ inputs: all, dys }) => {
        this.#saved = all.slice(n + m) as T[]
        return [...this.#pull(all.slice(0, n), dys), ...all.slice(n).map(() => null)]
      },
    })
    return applyAll(op as unknown as OpDef, [...inputs, ...results, ...this.#saved])
  }
}

const listOf = <T>(x: Results<T>): readonly T[] => (Array.isArray(x) ? x : [x as T])
