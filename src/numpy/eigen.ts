/** Eigenvalues and eigenvectors of matrices that need not be symmetric. */

import { fail } from '../base/error.ts'
import { formatShape, sizeOf } from '../base/shape.ts'
import { applyAll } from '../core/apply.ts'
import { OpDef } from '../core/op.ts'
import type { Tensor } from '../core/tensor.ts'
import * as ops from '../ops/index.ts'
import * as la from '../ops/linalg.ts'
import { callRoutine } from '../prim/call.ts'
import { asFloat } from './dtypes.ts'
import { matmul } from './products.ts'
import { reshape } from './shape.ts'
import { reciprocal, turned } from './svd.ts'

const eigOp: OpDef = new OpDef({
  name: 'eig',
  inputs: ['a'],
  body: ([a]) => {
    const { shape } = a!
    const [n, batch] = [shape.at(-1)!, shape.slice(0, -2)]
    const packed = callRoutine('geev', [a!], [sizeOf(batch), n], [...batch, n + n * n])
    const vectors = ops.sliceAxis(packed, { axis: -1, begin: n, end: null })
    return [
      ops.sliceAxis(packed, { axis: -1, begin: 0, end: n }),
      reshape(vectors, [...batch, n, n]),
    ]
  },
  // dA with dV = V·(F∘(V⁻¹·dA·V)), less what would change the lengths of the columns.
  grad: ({ outputs, dys }) => {
    const [w, v] = outputs as [Tensor, Tensor]
    const [dw, dv] = dys as [Tensor, Tensor]
    const gaps = reciprocal(ops.subtract(ops.expandDims(w, -2), ops.expandDims(w, -1)))
    const along = ops.expandDims(la.extractdiag(matmul(turned(v), dv)), -2)
    const across = matmul(turned(v), ops.subtract(dv, ops.multiply(v, along)))
    const middle = ops.add(ops.multiply(gaps, across), la.makediag(dw))
    return [matmul(matmul(turned(la.inverse(v)), middle), turned(v))]
  },
})

/**
 * Eigenvalues and eigenvectors (as columns of length 1) of square matrices whose eigenvalues are real: `a·v = v·diag(w)`.
 *
 * `(B…, N, N) -> (B…, N), (B…, N, N)`; eigenvalues in no particular order, vectors up to their sign. Gradients need
 * eigenvalues that differ.
 * @throws MXNetError for shapes that are not square, and, when read at the latest, for complex eigenvalues.
 * @example
 * await np.linalg.eig(np.array([[2, 0], [0, 1]]))[0].asArray() // => [2, 1]
 * @see MXNet `np.linalg.eig`
 */
export function eig<T extends Tensor>(a: T): [w: T, v: T] {
  if (a.ndim < 2 || a.shape.at(-1) !== a.shape.at(-2))
    fail('eig', `shape ${formatShape(a.shape)}: square matrices are needed`)
  return applyAll(eigOp, [asFloat(a)]) as [T, T]
}

/** Eigenvalues of square matrices, all of which must be real; in no particular order. @see MXNet `np.linalg.eigvals` */
export const eigvals = <T extends Tensor>(a: T): T => eig(a)[0]
