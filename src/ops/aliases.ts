/** MXNet's other names of the same operators, so that programs carry over without looking names up. */

import * as binary from './binary.ts'
import { identity } from './cast.ts'
import * as compare from './compare.ts'
import { pick } from './indexing.ts'
import { broadcastAxis, swapaxes } from './movement.ts'
import * as reduce from './reduce.ts'
import { flip } from './repetition.ts'
import { split } from './slicing.ts'

/** `broadcast_add` is `add`. */
export const broadcastAdd = binary.add
/** `broadcast_plus` is `add`. */
export const broadcastPlus = binary.add
/** `broadcast_sub` is `subtract`. */
export const broadcastSub = binary.subtract
/** `broadcast_minus` is `subtract`. */
export const broadcastMinus = binary.subtract
/** `broadcast_mul` is `multiply`. */
export const broadcastMul = binary.multiply
/** `broadcast_div` is `divide`. */
export const broadcastDiv = binary.divide
/** `true_divide` is `divide`. */
export const trueDivide = binary.divide
/** `broadcast_mod` is `modulo`. */
export const broadcastMod = binary.modulo
/** `broadcast_power` is `power`. */
export const broadcastPower = binary.power
/** `broadcast_maximum` is `maximum`. */
export const broadcastMaximum = binary.maximum
/** `broadcast_minimum` is `minimum`. */
export const broadcastMinimum = binary.minimum
/** `broadcast_hypot` is `hypot`. */
export const broadcastHypot = binary.hypot
/** `broadcast_equal` is `equal`. */
export const broadcastEqual = compare.equal
/** `broadcast_not_equal` is `notEqual`. */
export const broadcastNotEqual = compare.notEqual
/** `broadcast_greater` is `greater`. */
export const broadcastGreater = compare.greater
/** `broadcast_greater_equal` is `greaterEqual`. */
export const broadcastGreaterEqual = compare.greaterEqual
/** `broadcast_lesser` is `lesser`. */
export const broadcastLesser = compare.lesser
/** `broadcast_lesser_equal` is `lesserEqual`. */
export const broadcastLesserEqual = compare.lesserEqual
/** `broadcast_logical_and` is `logicalAnd`. */
export const broadcastLogicalAnd = compare.logicalAnd
/** `broadcast_logical_or` is `logicalOr`. */
export const broadcastLogicalOr = compare.logicalOr
/** `broadcast_logical_xor` is `logicalXor`. */
export const broadcastLogicalXor = compare.logicalXor
/** `ElementWiseSum` is `add_n`. */
export const elementWiseSum = binary.addN
/** `_copy` is `identity`. */
export const copy = identity
/** `choose_element_0index` is `pick`. */
export const chooseElement0index = pick
/** `broadcast_axes` is `broadcast_axis`. */
export const broadcastAxes = broadcastAxis
/** `reverse` is `flip`. */
export const reverse = flip
/** `SwapAxis` is `swapaxes`. */
export const swapAxis = swapaxes
/** `sum_axis` is `sum`. */
export const sumAxis = reduce.sum
/** `max_axis` is `max`. */
export const maxAxis = reduce.max
/** `min_axis` is `min`. */
export const minAxis = reduce.min
/** `SliceChannel` is `split`. */
export const sliceChannel = split
