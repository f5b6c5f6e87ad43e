/** The initializers themselves: constants and random distributions. */

import { fail } from '../base/error.ts'
import { formatShape } from '../base/shape.ts'
import type { NDArray } from '../ndarray/ndarray.ts'
import { normal, uniform } from '../ndarray/random.ts'
import { Initializer, register } from './initializer.ts'

/**
 * All zeros; also called `zeros`.
 * @example
 * net.initialize(new init.Zero())
 * @see MXNet `initializer.Zero`
 */
export class Zero extends Initializer {
  override initWeight(_name: string, array: NDArray): void {
    array.assign(0)
  }
}

/**
 * All ones; also called `ones`.
 * @example
 * net.initialize('ones')
 * @see MXNet `initializer.One`
 */
export class One extends Initializer {
  override initWeight(_name: string, array: NDArray): void {
    array.assign(1)
  }
}

/**
 * One value everywhere, or the values of an array that broadcasts to the parameter.
 * @example
 * net.initialize(new init.Constant(0.5))
 * @see MXNet `initializer.Constant`
 */
export class Constant extends Initializer {
  readonly value: number | NDArray

  constructor(value: number | NDArray) {
    super({ value: typeof value === 'number' ? value : '<NDArray>' })
    this.value = value
  }

  override initWeight(_name: string, array: NDArray): void {
    const { value } = this
    array.assign(typeof value === 'number' ? value : value.asInContext(array.context))
  }
}

/** Draws values where the array lives, in float32, and stores them in the array's dtype. */
function fill(array: NDArray, draw: typeof uniform | typeof normal, a: number, b: number): void {
  const dtype = array.dtype === 'float64' ? 'float64' : 'float32'
  array.assign(draw(a, b, { shape: array.shape, dtype, ctx: array.context }))
}

/**
 * Uniform on `[-scale, scale)`; the default of `initialize`, with scale 0.07.
 * @example
 * net.initialize(new init.Uniform(0.1))
 * @see MXNet `initializer.Uniform`
 */
export class Uniform extends Initializer {
  readonly scale: number

  constructor(scale = 0.07) {
    super({ scale })
    this.scale = scale
  }

  override initWeight(_name: string, array: NDArray): void {
    fill(array, uniform, -this.scale, this.scale)
  }
}

/**
 * Normal with mean 0 and standard deviation `sigma`, 0.01 by default.
 * @example
 * net.initialize(new init.Normal(0.1))
 * @see MXNet `initializer.Normal`
 */
export class Normal extends Initializer {
  readonly sigma: number

  constructor(sigma = 0.01) {
    super({ sigma })
    this.sigma = sigma
  }

  override initWeight(_name: string, array: NDArray): void {
    fill(array, normal, 0, this.sigma)
  }
}

/** Options of `Xavier`. */
export interface XavierOptions {
  /** The distribution; by default uniform. */
  readonly rndType?: 'uniform' | 'gaussian'
  /** Which fan to count: the mean of both (the default), in, or out. */
  readonly factorType?: 'avg' | 'in' | 'out'
  /** By default 3. */
  readonly magnitude?: number
}

/**
 * Keeps the scale of gradients alike in all layers (Glorot and Bengio, 2010).
 *
 * `s = √(magnitude / factor)`; uniform on `[-s, s)` or normal with deviation s. For a shape
 * `(out, in, k…)` the fan in is `in·k…`, the fan out `out·k…`, and factor their mean or one of them.
 * @throws MXNetError for a parameter with fewer than two axes.
 * @example
 * net.initialize(new init.Xavier({ rndType: 'gaussian', factorType: 'in', magnitude: 2 }))
 * @see MXNet `initializer.Xavier`
 */
export class Xavier extends Initializer {
  readonly rndType: 'uniform' | 'gaussian'
  readonly factorType: 'avg' | 'in' | 'out'
  readonly magnitude: number

  constructor(options: XavierOptions = {}) {
    const { rndType = 'uniform', factorType = 'avg', magnitude = 3 } = options
    super({ rndType, factorType, magnitude })
    if (rndType !== 'uniform' && rndType !== 'gaussian') {
      fail('Xavier', `rndType is '${String(rndType)}': use 'uniform' or 'gaussian'`)
    }
    if (factorType !== 'avg' && factorType !== 'in' && factorType !== 'out') {
      fail('Xavier', `factorType is '${String(factorType)}': use 'avg', 'in' or 'out'`)
    }
    this.rndType = rndType
    this.factorType = factorType
    this.magnitude = magnitude
  }

  override initWeight(name: string, array: NDArray): void {
    const [out, inner, ...kernel] = array.shape
    if (out === undefined || inner === undefined) {
      fail('Xavier', `${name} has shape ${formatShape(array.shape)}: it needs at least two axes`)
    }
    const size = kernel.reduce((a, b) => a * b, 1)
    const [fanIn, fanOut] = [inner * size, out * size]
    const factor = { avg: (fanIn + fanOut) / 2, in: fanIn, out: fanOut }[this.factorType]
    const scale = Math.sqrt(this.magnitude / factor)
    if (this.rndType === 'uniform') fill(array, uniform, -scale, scale)
    else fill(array, normal, 0, scale)
  }
}

/** Options of `MSRAPrelu`. */
export interface MSRAPreluOptions {
  /** Which fan to count; by default the mean of both. */
  readonly factorType?: 'avg' | 'in' | 'out'
  /** The slope of the PReLU that follows, 0.25 by default. */
  readonly slope?: number
}

/**
 * Keeps the scale of signals through rectifiers (He et al., 2015): `Xavier` with normal numbers of magnitude `2/(1 + slope²)`.
 * @throws MXNetError for a parameter with fewer than two axes.
 * @example
 * net.initialize(new init.MSRAPrelu({ slope: 0 }))
 * @see MXNet `initializer.MSRAPrelu`
 */
export class MSRAPrelu extends Xavier {
  readonly slope: number

  constructor(options: MSRAPreluOptions = {}) {
    const { factorType = 'avg', slope = 0.25 } = options
    super({ rndType: 'gaussian', factorType, magnitude: 2 / (1 + slope ** 2) })
    this.slope = slope
  }

  protected override get dumped(): { readonly [key: string]: unknown } {
    return { factorType: this.factorType, slope: this.slope }
  }
}

register(Zero, ['zeros'])
register(One, ['ones'])
register(Constant, [], ({ value }) => new Constant(value as number))
register(Uniform, [], ({ scale }) => new Uniform(scale as number | undefined))
register(Normal, ['gaussian'], ({ sigma }) => new Normal(sigma as number | undefined))
register(Xavier)
register(MSRAPrelu)
