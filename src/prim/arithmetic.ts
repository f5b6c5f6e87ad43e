/** Scalar arithmetic in short: what bodies of operators are written with. */

import { binary, constant, type Expr } from './expr.ts'

export const add = (x: Expr, y: Expr): Expr => binary('add', x, y)
export const sub = (x: Expr, y: Expr): Expr => binary('sub', x, y)
export const mul = (x: Expr, y: Expr): Expr => binary('mul', x, y)
export const div = (x: Expr, y: Expr): Expr => binary('div', x, y)
export const both = (p: Expr, q: Expr): Expr => binary('and', p, q)
/** A literal of the dtype of another expression. */
export const num = (like: Expr, value: number): Expr => constant(value, like.dtype)
export const int = (value: number): Expr => constant(value, 'int32')
