/** What a node of a lowered graph is: its primitive, with the attributes typed. */

import { fail } from '../base/error.ts'
import type { Shape } from '../base/shape.ts'
import { broadcast, permute, reshape, slice, type View } from '../base/view.ts'
import type { Node } from '../core/graph.ts'
import type { OpDef } from '../core/op.ts'
import { callOp, routineOf, scanOp, sortOp } from '../prim/call.ts'
import { convOp, poolOp } from '../prim/conv.ts'
import type { Expr } from '../prim/expr.ts'
import type { ReduceOp } from '../prim/kernel.ts'
import {
  concatOp,
  contractOp,
  gatherOp,
  mapOp,
  type Placing,
  reduceOp,
  scatterOp,
  type ViewOp,
  viewOp,
} from '../prim/primitive.ts'
import type { RoutineName } from '../prim/routines/index.ts'
import type { ConvSide, ConvSizes, PoolMode, PoolSizes } from '../prim/window.ts'

/** The primitives a lowered graph is made of; `input` stands for placeholders. */
export type PrimitiveKind =
  | 'input'
  | 'map'
  | 'view'
  | 'reduce'
  | 'contract'
  | 'gather'
  | 'scatter'
  | 'concat'
  | 'call'
  | 'conv'
  | 'pool'

const kinds = new Map<unknown, PrimitiveKind>([
  [mapOp, 'map'],
  [viewOp, 'view'],
  [reduceOp, 'reduce'],
  [contractOp, 'contract'],
  [gatherOp, 'gather'],
  [scatterOp, 'scatter'],
  [concatOp, 'concat'],
  [sortOp, 'call'],
  [scanOp, 'call'],
  [callOp, 'call'],
  [convOp, 'conv'],
  [poolOp, 'pool'],
] satisfies [unknown, PrimitiveKind][])

/** Which primitive a node applies. */
export function kindOf(node: Node): PrimitiveKind {
  if (node.bound === null) return 'input'
  return (
    kinds.get(node.bound.op) ??
    fail(node.bound.op.name, 'is not a primitive: the graph has not been lowered')
  )
}

type AttrsOf<O> =
  O extends OpDef<infer S>
    ? {
        readonly [K in keyof S]: S[K] extends { normalize: (v: unknown) => infer T | undefined }
          ? T
          : never
      }
    : never

/** The attributes of a node, under the name of its primitive. */
export interface Primitive {
  readonly map?: { readonly fn: Expr; readonly shape: Shape }
  readonly view?: { readonly op: ViewOp }
  readonly reduce?: { readonly op: ReduceOp; readonly axes: readonly number[] }
  readonly contract?: { readonly lhs: string; readonly rhs: string; readonly out: string }
  readonly gather?: AttrsOf<typeof gatherOp>
  readonly scatter?: AttrsOf<typeof scatterOp>
  readonly concat?: { readonly shape: Shape; readonly placings: readonly Placing[] }
  readonly call?: { readonly routine: RoutineName; readonly numbers: readonly number[] }
  readonly conv?: { readonly result: ConvSide; readonly sizes: ConvSizes }
  readonly pool?: { readonly mode: PoolMode; readonly sizes: PoolSizes }
  /** For views: how a strided view of the input becomes one of the output; null if no strides can say it. */
  readonly apply?: (view: View) => View | null
}

/** The attributes of a primitive node, typed. */
export function primitive(node: Node): Primitive {
  const kind = kindOf(node)
  const attrs = node.bound!.attrs as never
  if (kind === 'view') {
    const { op } = attrs as { op: ViewOp }
    return { view: { op }, apply: (view) => applyView(view, op) }
  }
  if (kind === 'call') {
    const { op, attrs: given } = node.bound!
    return { call: routineOf(op, given, node.outs[0]!.shape) }
  }
  return { [kind]: attrs }
}

/** A strided view seen through a view primitive. */
export function applyView(view: View, op: ViewOp): View | null {
  switch (op.kind) {
    case 'reshape':
      return reshape(view, op.shape)
    case 'permute':
      return permute(view, op.axes)
    case 'broadcast':
      return broadcast(view, op.shape)
    case 'slice':
      return slice(view, op.begin, op.step, op.size)
    default:
      return op satisfies never
  }
}
