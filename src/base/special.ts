/** Special functions in float64: erf, its inverse, gamma, log-gamma and digamma, for backends that lack them. */

/** The error function, absolute error below 1e-15 (series below 2.5, continued fraction above). */
export function erf(x: number): number {
  const a = Math.abs(x)
  if (Number.isNaN(x)) return Number.NaN
  if (a > 6) return Math.sign(x)
  if (a < 2.5) {
    let term = x
    let sum = x
    for (let n = 1; n < 80; n++) {
      term *= (-x * x) / n
      const next = term / (2 * n + 1)
      sum += next
      if (Math.abs(next) < 1e-17 * Math.abs(sum)) break
    }
    return (2 / Math.sqrt(Math.PI)) * sum
  }
  let fraction = 0
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction)
  const tail = Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction)
  return Math.sign(x) * (1 - tail)
}

/** The inverse of erf on (-1, 1); ±Infinity at ±1 and NaN outside; rational start, two Halley steps. */
export function erfinv(y: number): number {
  if (y <= -1 || y >= 1) return y === 1 ? Infinity : y === -1 ? -Infinity : Number.NaN
  if (y === 0) return y
  const w = Math.log1p(-y * y)
  const c = 2 / (Math.PI * 0.147) + w / 2
  let x = Math.sign(y) * Math.sqrt(Math.sqrt(c * c - w / 0.147) - c)
  for (let i = 0; i < 3; i++) {
    const slope = (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x)
    if (slope === 0) break
    const step = (erf(x) - y) / slope
    x -= step / (1 + x * step)
  }
  return x
}

const lanczos = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const

function lanczosSum(x: number): number {
  let sum = lanczos[0] as number
  for (let i = 1; i < lanczos.length; i++) sum += lanczos[i]! / (x + i)
  return sum
}

/** Γ(x); NaN at the non-positive integers except Infinity at 0. Lanczos' approximation (g = 7, n = 9). */
export function gamma(x: number): number {
  if (x === 0) return 1 / x
  if (Number.isInteger(x)) {
    if (x < 0) return Number.NaN
    if (x < 19) {
      let product = 1
      for (let i = 2; i < x; i++) product *= i
      return product
    }
  }
  if (x < 0.5) return Math.PI / (Math.sin(Math.PI * x) * gamma(1 - x))
  if (x > 171.7) return Infinity
  const t = x + 6.5
  return Math.sqrt(2 * Math.PI) * t ** ((x - 0.5) / 2) * Math.exp(-t) * t ** ((x - 0.5) / 2) * lanczosSum(x - 1)
}

/** ln |Γ(x)|; Infinity at the non-positive integers. */
export function gammaln(x: number): number {
  if (x <= 0 && Number.isInteger(x)) return Infinity
  if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) - gammaln(1 - x)
  if (x === 1 || x === 2) return 0
  const t = x + 6.5
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(lanczosSum(x - 1))
}

/** The digamma function Γ'(x)/Γ(x); NaN at the non-positive integers. */
export function digamma(x: number): number {
  if (x <= 0 && Number.isInteger(x)) return Number.NaN
  if (x < 0) return digamma(1 - x) - Math.PI / Math.tan(Math.PI * x)
  let sum = 0
  let z = x
  while (z < 12) sum -= 1 / z++
  const r = 1 / (z * z)
  const series =
    r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r * (1 / 132 - (r * 691) / 32760)))))
  return sum + Math.log(z) - 0.5 / z - series
}

/** The trigamma function, the derivative of digamma. */
export function trigamma(x: number): number {
  if (x <= 0 && Number.isInteger(x)) return Number.NaN
  if (x < 0) return (Math.PI / Math.sin(Math.PI * x)) ** 2 - trigamma(1 - x)
  let sum = 0
  let z = x
  while (z < 12) sum += 1 / (z * z++)
  const r = 1 / (z * z)
  return sum + 1 / z + r / 2 + (r / z) * (1 / 6 - r * (1 / 30 - r * (1 / 42 - r * (1 / 30 - r * (5 / 66)))))
}
