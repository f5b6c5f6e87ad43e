/** The dtypes of 64 bits, which shaders lack: moved as pairs of words, narrowed inside an operator, refused otherwise. */

import type { DType } from '../../base/dtype.ts'
import { fail } from '../../base/error.ts'
import { type Expr, linearize, retype, rewrite } from '../../prim/expr.ts'
import { kernelOperands, type LoopKernel, type Operand } from '../../prim/kernel.ts'

const isWide = (dtype: DType): boolean => dtype === 'float64' || dtype === 'int64'

/** Fails for a dtype that shaders do not have. */
export function checkShaderType(dtype: DType): void {
  if (!isWide(dtype)) return
  const instead = dtype === 'float64' ? 'float32' : 'int32'
  fail(
    'gpu',
    `${dtype} does not exist on a GPU: cast on the CPU before it goes there, ` +
      `x.astype('${instead}').asInContext(gpu(0)), or compute on cpu()`,
  )
}

/** Fails where an operand has a dtype that shaders do not have. */
export function checkOperands(operands: readonly Operand[]): void {
  for (const { dtype } of operands) checkShaderType(dtype)
}

/** A loop nest in dtypes that shaders have. Fails where there is none. */
export function withoutWide(kernel: LoopKernel): LoopKernel {
  const operands = kernelOperands(kernel)
  if (operands.some((o) => isWide(o.dtype))) {
    if (!movesOnly(kernel)) checkOperands(operands)
    return inWords(kernel)
  }
  // float64 between float32 operands, as in nd.arange, loses its last bits and nothing else.
  const narrow = (root: Expr): Expr => retype(root, (t) => (t === 'float64' ? 'float32' : t))
  const { body, epilogue } = kernel
  if (![...body, ...epilogue].some(hasDouble)) return kernel
  return { ...kernel, body: body.map(narrow), epilogue: epilogue.map(narrow) }
}

const hasDouble = (root: Expr): boolean =>
  linearize([root]).nodes.some((n) => n.expr.dtype === 'float64')

/** Whether 64-bit elements only go from place to place. */
function movesOnly({ body, reduce, outputs }: LoopKernel): boolean {
  if (reduce.length > 0 || !outputs.every((o) => isWide(o.dtype))) return false
  if (body.some((e, j) => e.dtype !== outputs[j]!.dtype)) return false
  return linearize(body).nodes.every(({ expr }) => {
    if (!isWide(expr.dtype)) return expr.kind !== 'cast' || !isWide(expr.arg.dtype)
    if (expr.kind === 'const') return Object.is(expr.value, 0)
    return (
      expr.kind === 'load' || expr.kind === 'loadAt' || (expr.kind === 'op' && expr.op === 'where')
    )
  })
}

/** The same moves, word by word: a last dimension of two. */
function inWords(kernel: LoopKernel): LoopKernel {
  const operand = (o: Operand): Operand =>
    isWide(o.dtype)
      ? {
          ...o,
          dtype: 'int32',
          strides: [...o.strides.map((s) => s * 2), 1],
          offset: o.offset * 2,
        }
      : { ...o, strides: [...o.strides, 0] }
  const doubled = (root: Expr): Expr =>
    rewrite(root, (e) =>
      e.kind === 'loadAt' && isWide(e.dtype) ? { ...e, stride: e.stride * 2 } : undefined,
    )
  const move = (root: Expr): Expr => retype(doubled(root), (t) => (isWide(t) ? 'int32' : t))
  return {
    ...kernel,
    dims: [...kernel.dims, 2],
    parallel: kernel.parallel + 1,
    inputs: kernel.inputs.map(operand),
    outputs: kernel.outputs.map(operand),
    body: kernel.body.map(move),
  }
}
