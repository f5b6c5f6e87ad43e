/** Special functions in float64, for backends that lack them: erf, its inverse, gamma, and gamma's logarithm and derivatives. */

const rootPi = Math.sqrt(Math.PI)

/** The error function, absolute error below 1e-15 (a series of positive terms below 2.5, `erfcTail` above). */
export function erf(x: number): number {
  const a = Math.abs(x)
  if (!(a > 0)) return x
  if (a >= 2.5) return Math.sign(x) * (a > 6 ? 1 : 1 - erfcTail(a))
  let term = x
  let sum = x
  for (let n = 1; n < 100 && Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / rootPi) * Math.exp(-x * x) * sum
}

/** 1 - erf(a) for a ≥ 1.5, by its continued fraction. */
function erfcTail(a: number): number {
  let fraction = 0
  for (let n = 150; n > 0; n--) fraction = n / 2 / (a + fraction)
  return Math.exp(-a * a) / rootPi / (a + fraction)
}

/** The inverse of erf on (-1, 1); ±Infinity at ±1 and NaN outside; Winitzki's formula, three Halley steps. */
export function erfinv(y: number): number {
  const a = Math.abs(y)
  if (!(a < 1)) return a === 1 ? y * Infinity : Number.NaN
  if (y === 0) return y
  const w = Math.log((1 - a) * (1 + a))
  const c = 2 / (Math.PI * 0.147) + w / 2
  let x = Math.sqrt(Math.sqrt(c * c - w / 0.147) - c)
  for (let i = 0; i < 3; i++) {
    const excess = x < 1.5 ? erf(x) - a : 1 - a - erfcTail(x)
    const step = (excess * rootPi) / (2 * Math.exp(-x * x))
    x -= step / (1 + x * step)
  }
  return Math.sign(y) * x
}

const lanczos = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
  -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
  1.5056327351493116e-7,
] as const

function lanczosSum(x: number): number {
  let sum = lanczos[0] as number
  for (let i = 1; i < lanczos.length; i++) sum += lanczos[i]! / (x + i)
  return sum
}

/**
 * Γ(x), relative error below 1e-13; NaN at the negative integers, ±Infinity at ±0. Lanczos' approximation
 * (g = 7, n = 9) on [1, 2), carried to other places by Γ(x + 1) = x·Γ(x).
 */
export function gamma(x: number): number {
  if (x === 0) return 1 / x
  if (x > 171.7) return Infinity
  if (x < 0 && (Number.isInteger(x) || x === -Infinity)) return Number.NaN
  if (x < -190) return 0
  let z = x
  let factor = 1
  while (z >= 2) factor *= --z
  if (z >= 1) return z === 1 ? factor : factor * gammaNear(z)
  // Divided one by one, so that tiny results lose their digits only at the end.
  let divisors = 0
  while (z + divisors < 1) divisors++
  let result = gammaNear(z + divisors)
  for (let i = 0; i < divisors; i++) result /= z + i
  return result
}

/** Γ on [1, 2]. */
function gammaNear(x: number): number {
  const t = x + 6.5
  return Math.sqrt(2 * Math.PI) * t ** (x - 0.5) * Math.exp(-t) * lanczosSum(x - 1)
}

/** x less the nearest integer, exactly: sin, cos and tan of π·x need no more. */
const offInteger = (x: number): number => x - Math.round(x)

/** ln |Γ(x)|, error below 1e-13 relative or absolute; Infinity at the non-positive integers. */
export function gammaln(x: number): number {
  if (x === -Infinity || (x <= 0 && Number.isInteger(x))) return Infinity
  if (x < 0.5)
    return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * offInteger(x)))) - gammaln(1 - x)
  if (x === 1 || x === 2) return 0
  if (x === Infinity) return Infinity
  const t = x + 6.5
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(lanczosSum(x - 1))
}

/** The digamma function Γ'(x)/Γ(x), error below 1e-13 relative or absolute; Infinity at the non-positive integers. */
export function digamma(x: number): number {
  if (x <= 0 && (Number.isInteger(x) || x === -Infinity)) return Infinity
  if (x < 0) return digamma(1 - x) - Math.PI / Math.tan(Math.PI * offInteger(x))
  let sum = 0
  let z = x
  while (z < 12) sum -= 1 / z++
  const r = 1 / (z * z)
  const series =
    r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r * (1 / 132 - (r * 691) / 32760)))))
  return sum + Math.log(z) - 0.5 / z - series
}

/** The trigamma function, digamma's derivative, relative error below 1e-13; NaN at the non-positive integers. */
export function trigamma(x: number): number {
  if (x <= 0 && (Number.isInteger(x) || x === -Infinity)) return Number.NaN
  if (x < 0) return (Math.PI / Math.sin(Math.PI * offInteger(x))) ** 2 - trigamma(1 - x)
  let sum = 0
  let z = x
  while (z < 12) sum += 1 / (z * z++)
  const r = 1 / (z * z)
  const series =
    1 / 6 - r * (1 / 30 - r * (1 / 42 - r * (1 / 30 - r * (5 / 66 - (r * 691) / 2730))))
  return sum + 1 / z + r / 2 + (r / z) * series
}
