/** checkpoint: values inside a function are computed again in backward instead of being kept. */

import { fail } from '../base/error.ts'
import { frame, type KeySource, withFrame } from '../core/frame.ts'
import { Node, Sym } from '../core/graph.ts'
import { reverse } from '../core/reverse.ts'
import type { Tensor } from '../core/tensor.ts'
import { releaseTapeNode, type TapeNode } from '../exec/eager.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { attachGrad, history, isLeaf, savedOutput } from './tape.ts'

type Keys = ReturnType<KeySource>

/** A recorded run of a function on variables of its own. */
interface Run {
  readonly variables: readonly NDArray[]
  readonly outputs: readonly NDArray[]
  readonly many: boolean
}

/**
 * A function that keeps only its inputs for backward and runs once more there: memory for time.
 *
 * Results, gradients and random numbers are those of `fn`, whose parameters get their gradients as always. In a hybridized
 * block, where the compiler decides what is kept, it is `fn` itself.
 * @throws MXNetError at a second derivative through it.
 * @example
 * const x = nd.array([2])
 * x.attachGrad()
 * autograd.record(() => autograd.checkpoint((a) => a.square().square())(x)).backward()
 * await x.grad.asArray() // => [32]
 */
export function checkpoint<A extends Tensor[], R extends Tensor | readonly Tensor[]>(
  fn: (...inputs: A) => R,
): (...inputs: A) => R {
  return (...inputs) => {
    if (frame.tracing || !frame.recording || inputs.some((x) => x instanceof Sym))
      return fn(...inputs)
    return once(fn as never, inputs as unknown as NDArray[]) as unknown as R
  }
}

/** Runs `fn` recorded, on variables that stand for the inputs. */
function run(fn: (...inputs: NDArray[]) => unknown, inputs: readonly NDArray[]): Run {
  const variables = inputs.map((x) => {
    const own = x.detach()
    attachGrad(own)
    return own
  })
  const result = withFrame({ recording: true }, () => fn(...variables)) as NDArray | NDArray[]
  const many = Array.isArray(result)
  return { variables, outputs: many ? result : [result], many }
}

function once(
  fn: (...inputs: NDArray[]) => unknown,
  inputs: readonly NDArray[],
): NDArray | NDArray[] {
  const drawn: Keys[] = []
  const { keys: source, training } = frame
  const logged: KeySource = () => {
    const keys = source()
    drawn.push(keys)
    return keys
  }
  const { variables, outputs, many } = withFrame({ keys: logged }, () => run(fn, inputs))
  const nodes = history('checkpoint', outputs)
  const own = new Set(variables.map((v) => v.node!))
  const parameters = [...nodes].filter((n) => isLeaf(n) && !own.has(n))
  for (const n of nodes) if (!isLeaf(n)) releaseTapeNode(n)
  const results = outputs.map((y) => y.detach())
  const kept = inputs.map((x) => x.detach())
  const places = [
    ...inputs.map((x) => (x.node === null ? null : new Sym(x.node, x.index))),
    ...parameters.map((n) => new Sym(n, 0)),
  ]
  if (places.every((p) => p === null)) return many ? results : results[0]!
  const node = new Node(
    null,
    places,
    [],
    results.map((y) => y.aval),
  )
  node.pull = (dys) => {
    if (frame.recording)
      fail('checkpoint', 'a second derivative goes through it: call the function itself there')
    let next = 0
    const replayed: KeySource = () => drawn[next++] ?? source()
    const again = withFrame({ keys: replayed, training }, () => run(fn, kept))
    const wanted = [...again.variables.map((v) => v.node!), ...parameters]
    const grads = aside(parameters, () => {
      const sums = reverse(again.outputs, dys, new Set(wanted), savedOutput)
      return wanted.map((n) => sums.get(n)?.[0])
    })
    for (const n of history('checkpoint', again.outputs)) if (!isLeaf(n)) releaseTapeNode(n)
    return grads
  }
  node.extra = { outputs: [], released: false } satisfies TapeNode
  node.home = results[0]?.context
  results.forEach((y, i) => {
    y.node = node
    y.index = i
  })
  return many ? results : results[0]!
}

/** A sweep within a sweep: what the outer one has noted at shared leaves is put back. */
function aside<R>(leaves: readonly Node[], body: () => R): R {
  const before = leaves.map(({ sweep, relevant, sums }) => ({ sweep, relevant, sums }))
  try {
    return body()
  } finally {
    leaves.forEach((n, i) => Object.assign(n, before[i]))
  }
}
