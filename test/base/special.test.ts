/** Special functions against values from mpmath with 40 digits. */

import { expect, test } from 'vitest'
import { digamma, erf, erfinv, gamma, gammaln, trigamma } from '../../src/base/special.ts'

const known = {
  erf: [
    [1e-300, 1.1283791670955126e-300],
    [0.001, 0.0011283787909692365],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [1.5, 0.9661051464753108],
    [2.4999, 0.9995928300996666],
    [2.5, 0.999593047982555],
    [3, 0.9999779095030014],
    [4, 0.9999999845827421],
    [5.9, 0.9999999999999999],
  ],
  erfinv: [
    [1e-300, 8.86226925452758e-301],
    [1e-10, 8.862269254527581e-11],
    [0.1, 0.08885599049425769],
    [0.5, 0.4769362762044699],
    [-0.9, -1.1630871536766743],
    [0.99, 1.8213863677184494],
    [0.999, 2.3267537655135246],
    [0.999999, 3.458910737275499],
    [0.999999999, 4.320005388105362],
    [0.9999999999999999, 5.8635847487551676],
    [-0.999999, -3.458910737275499],
  ],
  gamma: [
    [1e-300, 9.999999999999999e299],
    [1e-5, 99999.42279422555],
    [0.25, 3.625609908221908],
    [0.5, 1.772453850905516],
    [0.999999, 1.000000577216654],
    [1.000001, 0.9999994227853242],
    [1.5, 0.886226925452758],
    [2.5, 1.329340388179137],
    [10, 362880.0],
    [10.5, 1133278.3889487856],
    [20, 1.21645100408832e17],
    [50.5, 4.29046291235196e63],
    [100.1, 1.478454494651475e156],
    [170.5, 5.56209241456e305],
    [171.6, 1.5858969096672565e308],
    [-0.5, -3.544907701811032],
    [-1.5, 2.363271801207355],
    [-0.001, -1000.5782056293586],
    [-3.9999, 416.7294326884514],
    [-10.5, -2.640121820547716e-7],
    [-100.5, -3.3536908198076787e-159],
    [-170.3, -1.1449279983878122e-307],
  ],
  gammaln: [
    [1e-300, 690.7755278982137],
    [0.25, 1.2880225246980774],
    [0.5, 0.5723649429247001],
    [0.999999, 5.772164873855652e-7],
    [1.000001, -5.772148423874147e-7],
    [1.5, -0.12078223763524522],
    [2.00001, 4.22787559764836e-6],
    [2.5, 0.2846828704729192],
    [10, 12.801827480081469],
    [30.25, 72.104204742008],
    [100.1, 359.59427178885676],
    [1000, 5905.220423209181],
    [10000000000.0, 220258509288.81058],
    [1e300, 6.897755278982137e302],
    [-0.5, 1.2655121234846454],
    [-2.5, -0.056243716497674054],
    [-3.9999, 6.032437168735688],
    [-170.3, -706.7582817976472],
  ],
  digamma: [
    [1e-5, -100000.57719921567],
    [0.25, -4.2274535333762655],
    [0.5, -1.9635100260214235],
    [1.5, 0.03648997397857652],
    [2.5, 0.7031566406452432],
    [10, 2.251752589066721],
    [100.1, 4.601166364717534],
    [10000000000.0, 23.025850929890456],
    [1e300, 690.7755278982137],
    [1.4616321449683622, -9.241265521729427e-17],
    [-0.5, 0.03648997397857652],
    [-2.5, 1.103156640645243],
    [-3.9999, -9998.493575456188],
    [-170.3, 7.422995378126846],
  ],
  trigamma: [
    [1e-5, 10000000001.644909],
    [0.25, 17.19732915450711],
    [0.5, 4.934802200544679],
    [1.5, 0.9348022005446793],
    [2.5, 0.49035775610023485],
    [10, 0.10516633568168575],
    [100.1, 0.010040076304158763],
    [10000000000.0, 1.00000000005e-10],
    [-0.5, 8.934802200544679],
    [-2.5, 9.539246644989124],
    [-3.9999, 100000003.0681183],
    [-170.3, 15.073558918589168],
  ],
} as const
const functions = { digamma, erf, erfinv, gamma, gammaln, trigamma }

for (const [name, rows] of Object.entries(known)) {
  test(`${name} is within 1e-13`, () => {
    const f = functions[name as keyof typeof functions]
    for (const [x, y] of rows) {
      const error = Math.abs(f(x) - y)
      // gamma and trigamma are never near 0, so that only relative error counts.
      const floor = name === 'gamma' || name === 'trigamma' ? 0 : 1e-13
      expect(error, `${name}(${x}) is ${f(x)}, not ${y}`).toBeLessThanOrEqual(
        Math.max(floor, 1e-13 * Math.abs(y)),
      )
    }
  })
}

test('erf and erfinv are odd and inverse to each other', () => {
  for (let x = -3; x <= 3; x += 0.0625) {
    expect(erf(-x)).toBe(-erf(x))
    expect(erfinv(erf(x))).toBeCloseTo(x, 10)
  }
  expect([erf(Infinity), erf(-Infinity), erf(Number.NaN), erf(-0)]).toEqual([1, -1, Number.NaN, -0])
  expect([erfinv(1), erfinv(-1), erfinv(1.5), erfinv(Number.NaN), erfinv(-0)]).toEqual([
    Infinity,
    -Infinity,
    Number.NaN,
    Number.NaN,
    -0,
  ])
})

test('gamma gives factorials, and its ends', () => {
  let factorial = 1
  for (let n = 1; n < 19; n++) {
    expect(gamma(n)).toBe(factorial)
    factorial *= n
  }
  expect([gamma(0), gamma(-0), gamma(-3), gamma(172), gamma(Number.NaN)]).toEqual([
    Infinity,
    -Infinity,
    Number.NaN,
    Infinity,
    Number.NaN,
  ])
  expect([gammaln(0), gammaln(-3), gammaln(1), gammaln(2), gammaln(Infinity)]).toEqual([
    Infinity,
    Infinity,
    0,
    0,
    Infinity,
  ])
  expect([digamma(0), digamma(-3), trigamma(-3)]).toEqual([Infinity, Infinity, Number.NaN])
})

test('recurrences hold: gamma(x + 1) = x gamma(x), and their derivatives', () => {
  for (let x = -8.35; x < 40; x += 0.7) {
    expect(gamma(x + 1) / (x * gamma(x))).toBeCloseTo(1, 12)
    expect(digamma(x + 1) - digamma(x) - 1 / x).toBeCloseTo(0, 12)
    expect(trigamma(x + 1) - trigamma(x) + 1 / (x * x)).toBeCloseTo(0, 12)
  }
})
