/** Values on the command line: read strictly, refused in words. */

import { InvalidArgumentError } from 'commander'
import { Context, type DeviceType } from '../base/context.ts'
import type { ShapesByName } from '../symbol/symbol.ts'

/** A whole number from `least` on. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text)
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value
    throw new InvalidArgumentError(`It must be a whole number from ${least} on.`)
  }

/** A number above 0. */
export function positive(text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new InvalidArgumentError('It must be a number above 0.')
}

/** Devices: `cpu`, `gpu:0`, `cpu(0),cpu(1)`. */
export const contexts = (text: string): Context[] =>
  text.split(',').map((part) => context(part.trim()))

function context(text: string): Context {
  const [, kind, id = '0'] = /^(cpu|gpu|wasm|reference)(?:[:(](\d+)\)?)?$/.exec(text) ?? []
  if (kind === undefined) throw new InvalidArgumentError('It must be such as cpu, cpu:1 or gpu:0.')
  return new Context(kind as DeviceType, Number(id))
}

/** Stands for the name of a shape that was given without one. */
export const unnamed = ''

/** Adds `data=1,784` or `1,784` to the shapes given before. */
export function namedShape(text: string, before: ShapesByName = {}): ShapesByName {
  const [, name = unnamed, sizes] = /^(?:([^=]+)=)?\(?([\d\s,]+)\)?$/.exec(text) ?? []
  if (sizes === undefined) throw new InvalidArgumentError('It must be such as data=1,784.')
  const shape = sizes
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number)
  return { ...before, [name]: shape }
}
