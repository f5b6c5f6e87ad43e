/** Operators: one record each; a record with static attributes is bound, with input types it is an instance. */

import { Cache } from '../base/cache.ts'
import { fail, MXNetError } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import { type Attr, type Checked, checkAttrs, type Schema } from './attrs.ts'
import { type Aval, aval, sameAval } from './aval.ts'
import { type Graph, type Node, sources } from './graph.ts'
import { pullBack } from './reverse.ts'
import type { Tensor } from './tensor.ts'
import { substitute, trace } from './trace.ts'

type Value<A> = A extends Attr<infer T, boolean> ? T : never

/** Attribute values as a body sees them; dynamic numbers arrive as rank-0 tensors. */
export type Values<S extends Schema> = { readonly [K in keyof S]: Value<S[K]> }

/** What a gradient rule is given: inputs, outputs, gradients of the outputs, and which inputs want one. */
export interface GradContext<S extends Schema> {
  readonly inputs: readonly Tensor[]
  readonly outputs: readonly Tensor[]
  readonly dys: readonly Tensor[]
  readonly attrs: Values<S>
  readonly needs: readonly boolean[]
  /** Dynamic attributes, as rank-0 tensors, in the order of the schema. */
  readonly scalars: readonly Tensor[]
}

/** Structural properties that passes and interpreters may ask for. */
export interface Traits {
  /** The interpreter adds two random key words as dynamic numbers (they come last). */
  readonly random?: boolean
  /** The interpreter fills the static attribute `training` from the frame. */
  readonly trains?: boolean
}

/** An operator's record. */
export interface OpSpec<S extends Schema> {
  /** MXNet's wire name. */
  readonly name: string
  readonly aliases?: readonly string[]
  /** Input names; a trailing `?` marks an optional one, a leading `...` any number. */
  readonly inputs: readonly string[]
  readonly attrs?: S
  /** What it computes, in operators and primitives. Absent only for primitives. */
  readonly body?: (
    inputs: readonly Tensor[],
    attrs: Values<S>,
    scalars: readonly Tensor[],
  ) => Tensor | readonly Tensor[]
  /** Shapes and dtypes of the results; by default those of the body. */
  readonly infer?: (inputs: readonly Aval[], attrs: Values<S>) => readonly Aval[]
  /** Gradients of the inputs, in operators; null for an input without one. Default: through the body. */
  readonly grad?: (context: GradContext<S>) => readonly (Tensor | null)[]
  /** Checks that need the values of dynamic numbers; runs at every call. */
  readonly check?: (inputs: readonly Aval[], scalars: readonly number[]) => void
  /** Missing input shapes (layers' parameters) from the known ones. */
  readonly complete?: (
    known: readonly (Aval | null)[],
    attrs: Values<S>,
  ) => readonly (readonly number[] | null)[]
  /**
   * How a call from a file runs where that is more than the record: several operators, or states that are kept up to
   * date. By default the record is applied.
   */
  readonly perform?: (
    inputs: readonly (Tensor | null)[],
    attrs: { readonly [name: string]: unknown },
  ) => Tensor | readonly Tensor[]
  readonly traits?: Traits
  /** Dynamic numbers without a name, for derived operators. */
  readonly numbers?: number
  /**
   * Outputs beyond this many are only kept for the gradient rule: gradients of theirs appear in higher orders alone,
   * and then `dys` of the rule has one for each output.
   */
  readonly results?: number
}

const noScalars: readonly (number | Tensor)[] = []
/** An operator called with ever new attributes (slices of a loop) must not grow for ever. */
const boundLimit = 1024
const instanceLimit = 256

/** An operator. */
export class OpDef<S extends Schema = Schema> {
  readonly name: string
  readonly spec: OpSpec<S>
  readonly schema: Schema
  readonly minInputs: number
  readonly maxInputs: number
  readonly dynamicCount: number
  #bound = new Cache<string, BoundOp>(boundLimit)
  #plain: BoundOp | null = null

  constructor(spec: OpSpec<S>) {
    this.name = spec.name
    this.spec = spec
    this.schema = spec.attrs ?? {}
    const variadic = spec.inputs.some((n) => n.startsWith('...'))
    this.minInputs = spec.inputs.filter((n) => !n.endsWith('?') && !n.startsWith('...')).length
    this.maxInputs = variadic ? Number.POSITIVE_INFINITY : spec.inputs.length
    const named = Object.values(this.schema).filter((a) => a.dynamic).length
    this.dynamicCount = named + (spec.traits?.random ? 2 : 0) + (spec.numbers ?? 0)
  }

  /** Checks attributes; the result is shared between calls with equal static attributes. */
  bind(given: { readonly [name: string]: unknown } | undefined): {
    bound: BoundOp
    scalars: readonly (number | Tensor)[]
  } {
    if (given === undefined && this.#plain !== null)
      return { bound: this.#plain, scalars: noScalars }
    const checked = checkAttrs(this.name, this.schema, given ?? {})
    const bound = this.intern(checked)
    if (given === undefined && checked.scalars.length === 0) this.#plain = bound
    return { bound, scalars: checked.scalars }
  }

  /** The operator bound to checked attributes. */
  intern(checked: Checked): BoundOp {
    return this.#bound.get(
      checked.key,
      () => new BoundOp(this as unknown as OpDef, checked.values, checked.key),
    )
  }
}

/** An operator with its static attributes. */
export class BoundOp {
  readonly op: OpDef
  readonly attrs: { readonly [name: string]: unknown }
  readonly key: string
  #instances = new Cache<string, Instance>(instanceLimit)
  #last: Instance | null = null

  constructor(op: OpDef, attrs: { readonly [name: string]: unknown }, key: string) {
    this.op = op
    this.attrs = attrs
    this.key = key
  }

  /** The operator for these inputs: shapes are inferred, and errors found, once. */
  instance(inputs: readonly (Tensor | null)[]): Instance {
    const last = this.#last
    if (last !== null && fits(last.inputs, inputs)) return last
    const avals = inputs.map((t) => t?.aval ?? null)
    const key = avals.map(avalKey).join('|')
    const found = this.#instances.get(key, () => new Instance(this, avals))
    this.#last = found
    return found
  }
}

const avalKey = (a: Aval | null): string =>
  a === null ? '-' : `${a.weak ? 'w' : ''}${a.dtype}${a.shape.join()}`

function fits(avals: readonly (Aval | null)[], inputs: readonly (Tensor | null)[]): boolean {
  if (avals.length !== inputs.length) return false
  for (let i = 0; i < avals.length; i++) {
    const t = inputs[i]
    if (avals[i] !== (t === null || t === undefined ? null : t.aval)) return false
  }
  return true
}

/** What one gradient value is made from: an input, an output or the gradient of an output. */
export interface Use {
  readonly from: 'input' | 'output' | 'dy'
  readonly index: number
}

/** How an instance is differentiated for a choice of inputs. */
export interface Gradient {
  /** The operator that computes the gradients from `uses` (and the instance's dynamic numbers). */
  readonly bound: BoundOp | null
  readonly uses: readonly Use[]
  /** `targets[j]` is the input whose gradient is result j. */
  readonly targets: readonly number[]
  /** Which inputs the gradient reads. */
  readonly readsInput: readonly boolean[]
  /** Which outputs the gradient reads. */
  readonly readsOutput: readonly boolean[]
}

/** An operator bound to attributes and input types; what has been derived from it is kept here. */
export class Instance {
  readonly bound: BoundOp
  readonly inputs: readonly (Aval | null)[]
  readonly outs: readonly Aval[]
  /** The traced body; null for a primitive. */
  readonly graph: Graph | null
  /** Filled by passes: the body in primitives only. */
  lowered: Graph | null = null
  /** Filled by the executor: compiled plans. */
  plans: unknown = null
  #gradients = new Map<string, Gradient>()
  #lastNeeds: readonly boolean[] = []
  #lastGradient: Gradient | null = null

  constructor(bound: BoundOp, inputs: readonly (Aval | null)[]) {
    this.bound = bound
    this.inputs = inputs
    const { op, attrs } = bound
    checkArity(op, inputs)
    const present = inputs.filter((a) => a !== null)
    try {
      if (op.spec.body) {
        this.graph = traceBody(bound, inputs)
        this.outs = this.graph.outputs.map((s) => s.aval)
      } else {
        this.graph = null
        this.outs = op.spec.infer!(present, attrs)
      }
    } catch (e) {
      if (e instanceof MXNetError && e.where !== op.name) {
        const inner = e.message.startsWith(`[${e.where}] `)
          ? e.message.slice(e.where.length + 3)
          : e.message
        throw new MXNetError(op.name, inner, { cause: e })
      }
      throw e
    }
  }

  /** The gradient with respect to the inputs marked in `needs`; `higher`: also outputs that are only kept have one. */
  gradient(needs: readonly boolean[], higher = false): Gradient {
    if (!higher && this.#lastGradient !== null && sameFlags(needs, this.#lastNeeds))
      return this.#lastGradient
    const key = needs.map((n) => (n ? '1' : '0')).join('') + (higher ? '+' : '')
    let found = this.#gradients.get(key)
    if (found === undefined) {
      found = deriveGradient(this, needs, higher)
      this.#gradients.set(key, found)
    }
    if (higher) return found
    this.#lastNeeds = needs
    this.#lastGradient = found
    return found
  }
}

function sameFlags(a: readonly boolean[], b: readonly boolean[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

function checkArity(op: OpDef, inputs: readonly (Aval | null)[]): void {
  const names = op.spec.inputs
  if (inputs.length < op.minInputs || inputs.length > op.maxInputs) {
    const takes =
      op.minInputs === op.maxInputs ? op.minInputs : `${op.minInputs} to ${op.maxInputs}`
    fail(op.name, `${inputs.length} arrays given: it takes ${takes} (${names.join(', ')})`)
  }
  inputs.forEach((a, i) => {
    // Behind the names stand more of the last one, which takes any number.
    if (a === null && !(names[i] ?? names.at(-1)!).endsWith('?'))
      fail(op.name, `input ${names[i] ?? i} is missing`)
  })
}

/** A number whose value is given at run time. */
const numberAval = (): Aval => aval([], 'float64', true)

function attrsWithScalars(bound: BoundOp, scalars: readonly Tensor[]): { [name: string]: unknown } {
  const values: { [name: string]: unknown } = { ...bound.attrs }
  let i = 0
  for (const name in bound.op.schema)
    if (bound.op.schema[name]!.dynamic) values[name] = scalars[i++]
  return values
}

function traceBody(bound: BoundOp, inputs: readonly (Aval | null)[]): Graph {
  const { op } = bound
  const params = Array.from({ length: op.dynamicCount }, numberAval)
  return trace(inputs, params, (xs, scalars) => {
    const out = op.spec.body!(xs as readonly Tensor[], attrsWithScalars(bound, scalars), scalars)
    return Array.isArray(out) ? out : [out as Tensor]
  })
}

function deriveGradient(instance: Instance, needs: readonly boolean[], higher: boolean): Gradient {
  const { bound, inputs, outs, graph } = instance
  const { op } = bound
  const params = Array.from({ length: op.dynamicCount }, numberAval)
  const n = inputs.length
  const targets: number[] = []
  const limited = op.spec.results !== undefined
  const heads = limited && !higher ? outs.slice(0, op.spec.results) : outs
  const traced = trace([...inputs, ...outs, ...heads], params, (all, scalars) => {
    const xs = all.slice(0, n) as Tensor[]
    const ys = all.slice(n, n + outs.length) as Tensor[]
    const dys = all.slice(n + outs.length) as Tensor[]
    let grads: readonly (Tensor | null)[]
    if (op.spec.grad) {
      const attrs = attrsWithScalars(bound, scalars)
      grads = op.spec.grad({ inputs: xs, outputs: ys, dys, attrs, needs, scalars })
    } else {
      if (graph === null) fail(op.name, 'this primitive has no gradient rule')
      grads = pullBack(substitute(graph, xs, scalars), dys, needs)
    }
    return grads.filter((g, i): g is Tensor => {
      if (g === null || g === undefined || !needs[i]) return false
      targets.push(i)
      if (!sameAval(aval(g.shape, g.dtype), aval(inputs[i]!.shape, inputs[i]!.dtype))) {
        const [got, want] = [formatShape(g.shape), formatShape(inputs[i]!.shape)]
        fail(
          op.name,
          `the gradient of input ${i} is ${g.dtype} ${got}, not ${inputs[i]!.dtype} ${want}`,
        )
      }
      return true
    })
  })
  const nothing = { readsInput: inputs.map(() => false), readsOutput: outs.map(() => false) }
  if (targets.length === 0) return { bound: null, uses: [], targets, ...nothing }
  const used = usedInputs(traced)
  const uses = used.map(
    (i): Use =>
      i < n
        ? { from: 'input', index: i }
        : i < n + outs.length
          ? { from: 'output', index: i - n }
          : { from: 'dy', index: i - n - outs.length },
  )
  const derived = new OpDef({
    name: `gradient of ${op.name}`,
    inputs: ['...values'],
    numbers: op.dynamicCount,
    body: (values, _attrs, scalars) => {
      const all: (Tensor | null)[] = new Array(traced.inputs.length).fill(null)
      used.forEach((at, i) => {
        all[at] = values[i]!
      })
      return substitute(traced, all, scalars).outputs
    },
  })
  const reads = (from: Use['from'], index: number): boolean =>
    uses.some((u) => u.from === from && u.index === index)
  return {
    bound: new BoundOp(derived, {}, ''),
    uses,
    targets,
    // Higher orders run the whole body again, which may read any input.
    readsInput: inputs.map((_, i) => limited || reads('input', i)),
    readsOutput: outs.map((_, i) => reads('output', i)),
  }
}

function usedInputs(graph: Graph): number[] {
  const reached = new Set<Node>()
  const stack: Node[] = graph.outputs.map((s) => s.node)
  while (stack.length > 0) {
    const node = stack.pop()!
    if (reached.has(node)) continue
    reached.add(node)
    for (const s of sources(node)) stack.push(s.node)
  }
  return graph.inputs.flatMap((s, i) => (s !== null && reached.has(s.node) ? [i] : []))
}

const registry = new Map<string, OpDef>()

/** Declares an operator under its wire name and aliases. */
export function defineOp<S extends Schema>(spec: OpSpec<S>): OpDef<S> {
  const op = new OpDef(spec)
  for (const name of [spec.name, ...(spec.aliases ?? [])]) {
    if (registry.has(name)) fail(name, 'this operator name is taken')
    registry.set(name, op as unknown as OpDef)
  }
  return op
}

/** The operator with a wire name or alias, or undefined. */
export function findOp(name: string): OpDef | undefined {
  return registry.get(name)
}

/** All registered operators, each once. */
export function allOps(): OpDef[] {
  return [...new Set(registry.values())]
}
