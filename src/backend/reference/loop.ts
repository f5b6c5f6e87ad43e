/** Loop nests: maps and reductions, one point after the other. */

import { type DType, dtypeInfo, isFloat } from '../../base/dtype.ts'
import { toDType } from '../../prim/expr.ts'
import { kernelOperands, type LoopKernel, type ReduceOp } from '../../prim/kernel.ts'
import { integerMeaning } from '../../prim/scalar.ts'
import type { Compiled } from '../backend.ts'
import { Evaluator, Place } from './evaluate.ts'
import { bigBinary, int64Max, int64Min } from './integer64.ts'
import type { Memory } from './memory.ts'

/** Compiles a loop nest. */
export function compileLoop(memory: Memory, kernel: LoopKernel): Compiled {
  const { dims, parallel, inputs, outputs, body, reduce, epilogue } = kernel
  const place = new Place(dims, kernelOperands(kernel))
  const results = outputs.map((o) => o.dtype)
  const store = (from: Evaluator): void =>
    outputs.forEach((_, j) => {
      storeResult(place, inputs.length + j, from, j)
    })
  let visit: () => void
  if (reduce.length === 0) {
    const map = new Evaluator(place, body, results)
    visit = () => {
      map.run()
      store(map)
    }
  } else {
    const inner = new Evaluator(
      place,
      body,
      body.map((e) => e.dtype),
    )
    const finish = new Evaluator(place, epilogue, results)
    const reducers = reduce.map((op, slot) =>
      makeReducer(place, inner, op, body[slot]!.dtype, slot),
    )
    visit = () => {
      for (const reducer of reducers) reducer.clear()
      let count = 0
      place.walk(parallel, dims.length, () => {
        inner.run()
        for (const reducer of reducers) reducer.take(count)
        count++
      })
      finish.run()
      store(finish)
    }
  }
  const points = reduce.length === 0 ? dims.length : parallel
  return {
    run(addresses, params) {
      place.start(memory, addresses, params)
      place.walk(0, points, visit)
    },
  }
}

/** Writes result j of an evaluation to the element of operand `i`. */
export function storeResult(place: Place, i: number, from: Evaluator, j: number): void {
  const at = place.check(i, 0)
  const data = place.data[i]!
  if (data instanceof BigInt64Array) data[at] = from.big(j)
  else place.setNumber(i, at, from.number(j))
}

/** One accumulator of a reduction. */
interface Reducer {
  clear(): void
  /** Takes in the body's value at the point number `count`. */
  take(count: number): void
}

function makeReducer(
  place: Place,
  inner: Evaluator,
  op: ReduceOp,
  dtype: DType,
  slot: number,
): Reducer {
  if (op === 'argmax' || op === 'argmin') return makeArgReducer(place, inner, op, dtype, slot)
  const combine = ({ sum: 'add', prod: 'mul', max: 'max', min: 'min' } as const)[op]
  if (dtype === 'int64') {
    const first = { sum: 0n, prod: 1n, max: int64Min, min: int64Max }[op]
    const meaning = bigBinary[combine]
    return {
      clear: () => {
        place.bigSums[slot] = first
      },
      take: () => {
        place.bigSums[slot] = BigInt.asIntN(64, meaning(place.bigSums[slot]!, inner.big(slot)))
      },
    }
  }
  const { min, max } = dtypeInfo(dtype)
  const first = {
    sum: 0,
    prod: 1,
    max: isFloat(dtype) ? -Infinity : min,
    min: isFloat(dtype) ? Infinity : max,
  }[op]
  const meaning = isFloat(dtype) ? floatMeaning[combine] : integerMeaning[combine]
  const wrap = isFloat(dtype) ? (v: number): number => v : (v: number): number => toDType(v, dtype)
  return {
    clear: () => {
      place.sums[slot] = first
    },
    take: () => {
      place.sums[slot] = wrap(meaning(place.sums[slot]!, inner.number(slot)))
    },
  }
}

const floatMeaning = {
  add: (x: number, y: number): number => x + y,
  mul: (x: number, y: number): number => x * y,
  max: Math.max,
  min: Math.min,
} as const

/** The first position of the extreme value, by strict comparison: a NaN wins only from the first place. */
function makeArgReducer(
  place: Place,
  inner: Evaluator,
  op: 'argmax' | 'argmin',
  dtype: DType,
  slot: number,
): Reducer {
  let best: number | bigint = 0
  const better = (v: number | bigint): boolean => (op === 'argmax' ? v > best : v < best)
  return {
    clear: () => {
      place.sums[slot] = 0
    },
    take: (count) => {
      const value = dtype === 'int64' ? inner.big(slot) : inner.number(slot)
      if (count > 0 && !better(value)) return
      best = value
      place.sums[slot] = count
    },
  }
}
