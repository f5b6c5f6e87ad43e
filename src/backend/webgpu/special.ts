/** Functions with loops or many cases, for one lane: sines by exact reduction, remainders, powers, gamma and its kin. */

import { threefryParity, threefryRotations } from '../../base/random.ts'
import type { ShaderFunction } from './functions.ts'

/** ((c0·x + c1)·x + c2)·x … as text. */
export const horner = (x: string, coefficients: readonly number[]): string =>
  coefficients.slice(1).reduce((sum, c) => `(${sum} * ${x} + (${c}))`, `(${coefficients[0]!})`)

const sinPoly = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]
const cosPoly = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]
/** Γ(x) on [1, 2] in x - 3/2, relative error 8e-8; fitted to `base/special.ts` at Chebyshev's points. */
const gammaPoly = [
  -0.0230480302, 0.0345672965, -0.0366511829, 0.0565861277, -0.0776468292, 0.144830853,
  -0.107290894, 0.414807588, 0.0323383771, 0.886226952,
]
/** ln Γ(x) / ((x - 1)·(x - 2)) on [1, 3] in x - 2, relative error 2e-7; fitted likewise. */
const gammalnPoly = [
  0.0000733484412, -0.000158333845, 0.00014262434, -0.000320403196, 0.000933888077, -0.00214765989,
  0.00499523897, -0.0123769287, 0.0329651721, -0.100317672, 0.422784328,
]
/** erfinv(x)/x in w - 2.5 and sqrt(w) - 3, w = -ln(1 - x²). Source: M. Giles, GPU Computing Gems (2012), chapter 10. */
const erfinvNear = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503,
  -0.00417768164, 0.246640727, 1.50140941,
]
const erfinvFar = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
  0.00943887047, 1.00167406, 2.83297682,
]

/** Bits of 2/π, most significant word first, after one word of zeros: the reduction of large angles reads a window of them. */
const twoOverPi = [
  0x00000000, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041,
]

const rounds = Array.from({ length: 20 }, (_, round) => {
  const r = threefryRotations[round % 8]!
  const mix = `  x0 = x0 + x1; x1 = ((x1 << ${r}u) | (x1 >> ${32 - r}u)) ^ x0;`
  if (round % 4 !== 3) return mix
  const s = (round + 1) / 4
  return `${mix}\n  x0 = x0 + k${s % 3}; x1 = x1 + k${(s + 1) % 3} + ${s}u;`
}).join('\n')

/** The functions, made with the constructor of `functions.ts`. */
export function specialFunctions(
  scalar: (text: string, ...needs: string[]) => ShaderFunction,
): Record<string, ShaderFunction> {
  return {
    random: scalar(`fn random_(key0: i32, key1: i32, counter: i32) -> i32 {
  let k0 = bitcast<u32>(key0);
  let k1 = bitcast<u32>(key1);
  let k2 = k0 ^ k1 ^ ${threefryParity >>> 0}u;
  var x0 = k0;
  var x1 = bitcast<u32>(counter) + k1;
${rounds}
  return bitcast<i32>(x0 ^ x1);
}`),
    // The high 32 bits of a product, by halves.
    mulhigh: scalar(`fn mulhigh_(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu; let ah = a >> 16u;
  let bl = b & 0xffffu; let bh = b >> 16u;
  let m = ah * bl + ((al * bl) >> 16u);
  let n = al * bh + (m & 0xffffu);
  return ah * bh + (m >> 16u) + (n >> 16u);
}`),
    // Angles from 8192: x·2/π modulo 4 in fixed point, from the 96 bits of 2/π that matter (Payne and Hanek).
    // Gives the rest in ±π/4, and the quadrant.
    bigangle: scalar(
      `const twoOverPi = array<u32, 7>(${twoOverPi.map((w) => `${w}u`).join(', ')});
fn bigangle_(x: f32) -> vec2<f32> {
  let b = bitcast<u32>(x);
  let mantissa = (b & 0x7fffffu) | 0x800000u;
  // The window of 2/π starts where two bits of whole quarters are left above the point.
  let start = (b >> 23u) - 128u;
  let word = start >> 5u;
  let bit = start & 31u;
  var w: array<u32, 3>;
  for (var i = 0u; i < 3u; i++) {
    let high = twoOverPi[min(word + i, 6u)];
    let low = twoOverPi[min(word + i + 1u, 6u)];
    w[i] = select((high << bit) | (low >> (32u - bit)), high, bit == 0u);
  }
  let m = mantissa << 8u;
  let low = mulhigh_(w[2], m);
  let l1 = w[1] * m + low;
  let h1 = mulhigh_(w[1], m) + select(0u, 1u, l1 < low);
  let top = w[0] * m + h1;
  var quadrant = top >> 30u;
  var fraction = (top << 2u) | (l1 >> 30u);
  let up = (fraction >> 31u) != 0u;
  if (up) {
    quadrant = quadrant + 1u;
    fraction = ~fraction + 1u;
  }
  let r = f32(fraction) * 2.3283064365386963e-10 * 1.57079633;
  return vec2<f32>(select(r, -r, up), f32(quadrant & 3u));
}`,
      'mulhigh',
    ),
    // sin (turn 0) or cos (turn 1) of x: absolute error below 1.2e-7 for every finite x.
    sincos: scalar(
      `fn sincos_(x: f32, turn: u32) -> f32 {
  if (isnan(x) || isinf(x)) { return nan(); }
  let a = abs(x);
  var r: f32;
  var q: u32;
  if (a < 8192.0) {
    q = u32(a * 0.636619772 + 0.5);
    let n = f32(q);
    r = a - n * 1.5703125;
    r = r - n * 4.837512969970703e-4;
    r = r - n * 7.549789954891887e-8;
  } else {
    let big = bigangle_(a);
    r = big.x;
    q = u32(big.y);
  }
  q = q + turn;
  let z = r * r;
  let s = ${horner('z', sinPoly)} * z * r + r;
  let c = ${horner('z', cosPoly)} * z * z - 0.5 * z + 1.0;
  let y = select(s, c, (q & 1u) == 1u);
  let minus = ((q & 2u) != 0u) != (turn == 0u && negative(x));
  return select(y, -y, minus);
}`,
      'isnan',
      'isinf',
      'nan',
      'negative',
      'bigangle',
    ),
    sin: scalar(
      'fn sin_(x: f32) -> f32 { if (iszero(x)) { return x; } return sincos_(x, 0u); }',
      'sincos',
      'iszero',
    ),
    cos: scalar('fn cos_(x: f32) -> f32 { return sincos_(x, 1u); }', 'sincos'),
    tan: scalar(
      'fn tan_(x: f32) -> f32 { if (iszero(x)) { return x; } return sincos_(x, 0u) / sincos_(x, 1u); }',
      'sincos',
      'iszero',
    ),
    cbrt: scalar(
      `fn cbrt_(x: f32) -> f32 {
  if (iszero(x) || isnan(x) || isinf(x)) { return x; }
  let a = abs(x);
  var y = bitcast<f32>(bitcast<u32>(a) / 3u + 709921077u);
  for (var i = 0; i < 3; i++) { y = y - (y - a / (y * y)) * 0.333333333; }
  return withsign(y, x);
}`,
      'iszero',
      'isnan',
      'isinf',
      'withsign',
    ),
    // The remainder with the sign of the divisor, 0 for a zero divisor.
    wholemod: scalar(`fn wholemod_(x: i32, y: i32) -> i32 {
  if (y == 0) { return 0; }
  let r = x % y;
  return select(r, r + y, r != 0 && ((r < 0) != (y < 0)));
}`),
    // Powers that wrap; a negative exponent leaves only those of 1 and -1.
    wholepow: scalar(`fn wholepow_(x: i32, y: i32) -> i32 {
  if (y < 0) {
    if (x == 1) { return 1; }
    if (x == -1) { return select(1, -1, (y & 1) == 1); }
    return 0;
  }
  var r = 1;
  var s = x;
  var n = y;
  loop {
    if (n == 0) { break; }
    if ((n & 1) == 1) { r = r * s; }
    s = s * s;
    n = n >> 1u;
  }
  return r;
}`),
    // The remainder of |x| by |y| bit by bit, exactly, then moved to the sign of y.
    mod: scalar(
      `fn mod_(x: f32, y: f32) -> f32 {
  if (iszero(y)) { return 0.0; }
  if (isnan(x) || isnan(y) || isinf(x)) { return nan(); }
  var r = abs(x);
  let d = abs(y);
  if (!isinf(y)) {
    let q = trunc(r / d);
    if (q < 4194304.0) {
      r = fma(-q, d, r);
      if (r < 0.0) { r = r + d; }
      if (r >= d) { r = r - d; }
    } else {
      loop {
        if (r < d) { break; }
        var step = bitcast<f32>((bitcast<u32>(r) & 0x7f800000u) | (bitcast<u32>(d) & 0x7fffffu));
        if (step > r) { step = step * 0.5; }
        r = r - step;
      }
    }
  }
  if (r == 0.0) { return 0.0; }
  r = withsign(r, x);
  return select(r, r + y, negative(x) != negative(y));
}`,
      'iszero',
      'isnan',
      'isinf',
      'nan',
      'withsign',
      'negative',
    ),
    // Relative error about 1e-7·(1 + |y·log2 m|), m the mantissa of x in (0.7, 1.4]; small whole powers by products.
    pow: scalar(
      `fn pow_(x: f32, y: f32) -> f32 {
  if (iszero(y) || x == 1.0) { return 1.0; }
  if (isnan(x) || isnan(y)) { return nan(); }
  let a = abs(x);
  let whole = isinf(y) || floor(y) == y;
  let odd = whole && abs(y) < 16777216.0 && (i32(y) & 1) == 1;
  if (isinf(y)) {
    if (a == 1.0) { return nan(); }
    return select(0.0, inf(), (a > 1.0) != negative(y));
  }
  var r: f32;
  if (iszero(x) || isinf(x)) {
    r = select(0.0, inf(), iszero(x) == negative(y));
  } else {
    if (negative(x) && !whole) { return nan(); }
    if (whole && abs(y) <= 64.0) {
      r = 1.0;
      var n = u32(abs(y));
      var s = a;
      loop {
        if ((n & 1u) == 1u) { r = r * s; }
        n = n >> 1u;
        if (n == 0u) { break; }
        s = s * s;
      }
      if (negative(y)) { r = 1.0 / r; }
    } else {
      let b = bitcast<i32>(a);
      let e = (b - 0x3f3504f3) >> 23u;
      let l = log_(bitcast<f32>(b - (e << 23u))) * 1.44269504;
      let p = y * f32(e);
      let rest = fma(y, f32(e), -p);
      let t = clamp(p + y * l, -300.0, 300.0);
      let n = floor(t + 0.5);
      let f = select((p - n) + rest + y * l, 0.0, abs(t) >= 300.0);
      let k = i32(n) >> 1u;
      r = exp_(f * 0.693147181) * pow2(clamp(k, -126, 127)) * pow2(clamp(i32(n) - k, -126, 127));
    }
  }
  return select(r, -r, odd && negative(x));
}`,
      'iszero',
      'isnan',
      'isinf',
      'negative',
      'nan',
      'inf',
      'log',
      'exp',
      'pow2',
    ),
    erfinv: scalar(
      `fn erfinv_(x: f32) -> f32 {
  let a = abs(x);
  if (isnan(x) || a > 1.0) { return nan(); }
  if (a == 1.0) { return withsign(inf(), x); }
  var w = -log_((1.0 - a) * (1.0 + a));
  if (w < 5.0) { w = w - 2.5; return ${horner('w', erfinvNear)} * x; }
  w = sqrt(w) - 3.0;
  return ${horner('w', erfinvFar)} * x;
}`,
      'isnan',
      'nan',
      'withsign',
      'inf',
      'log',
    ),
    // Γ on [1, 2) carried to other places by Γ(x + 1) = x·Γ(x): a few ulp, half an ulp more a step.
    gamma: scalar(
      `fn gamma_(x: f32) -> f32 {
  if (iszero(x)) { return withsign(inf(), x); }
  if (isnan(x)) { return x; }
  if (x > 35.05) { return inf(); }
  if (x < 0.0 && (isinf(x) || floor(x) == x)) { return nan(); }
  if (x < -44.0) { return 0.0; }
  var z = x;
  var factor = 1.0;
  loop { if (z < 2.0) { break; } z = z - 1.0; factor = factor * z; }
  var up = 0.0;
  loop { if (z + up >= 1.0) { break; } up = up + 1.0; }
  let t = z + up - 1.5;
  var r = factor * ${horner('t', gammaPoly)};
  if (z + up == 1.0) { r = factor; }
  for (var i = 0.0; i < up; i = i + 1.0) { r = r / (z + i); }
  return r;
}`,
      'iszero',
      'isnan',
      'isinf',
      'withsign',
      'inf',
      'nan',
    ),
    // ln|Γ|, absolute or relative error about 4e-7; below 0 by reflection.
    gammaln: scalar(
      `fn gammalnright_(x: f32) -> f32 {
  if (x >= 8.0) {
    let r = 1.0 / x;
    let z = r * r;
    return (x - 0.5) * log_(x) - x + 0.918938533 + r * (0.0833333333 - z * (0.00277777778 - z * 0.000793650794));
  }
  var z = x;
  var p = 1.0;
  loop { if (z < 3.0) { break; } z = z - 1.0; p = p * z; }
  if (x < 1.0) { z = x + 1.0; p = x; }
  let t = z - 2.0;
  let l = (z - 1.0) * t * ${horner('t', gammalnPoly)};
  return select(l + log_(p), l - log_(p), x < 1.0);
}
fn gammaln_(x: f32) -> f32 {
  if (isnan(x)) { return x; }
  if (isinf(x) || (x <= 0.0 && floor(x) == x)) { return inf(); }
  if (x > 0.0) { return gammalnright_(x); }
  let f = x - round(x);
  return log_(3.14159265 / abs(sincos_(3.14159265 * f, 0u))) - gammalnright_(1.0 - x);
}`,
      'isnan',
      'isinf',
      'inf',
      'log',
      'sincos',
    ),
    digamma: scalar(
      `fn digamma_(x: f32) -> f32 {
  if (isnan(x)) { return x; }
  if (x <= 0.0 && (isinf(x) || floor(x) == x)) { return inf(); }
  if (isinf(x)) { return x; }
  if (x < -32.0) {
    let a = 3.14159265 * (x - round(x));
    return digammaup_(1.0 - x) - 3.14159265 * sincos_(a, 1u) / sincos_(a, 0u);
  }
  return digammaup_(x);
}
fn digammaup_(x: f32) -> f32 {
  var sum = 0.0;
  var z = x;
  loop { if (z >= 6.0) { break; } sum = sum - 1.0 / z; z = z + 1.0; }
  let r = 1.0 / (z * z);
  return sum + (log_(z) - 0.5 / z - r * (0.0833333333 - r * (0.00833333333 - r * 0.00396825397)));
}`,
      'isnan',
      'isinf',
      'inf',
      'log',
      'sincos',
    ),
    trigamma: scalar(
      `fn trigamma_(x: f32) -> f32 {
  if (isnan(x)) { return x; }
  if (x <= 0.0 && (isinf(x) || floor(x) == x)) { return nan(); }
  if (x < -32.0) {
    let s = 3.14159265 / sincos_(3.14159265 * (x - round(x)), 0u);
    return s * s - trigammaup_(1.0 - x);
  }
  return trigammaup_(x);
}
fn trigammaup_(x: f32) -> f32 {
  var sum = 0.0;
  var z = x;
  loop { if (z >= 6.0) { break; } sum = sum + 1.0 / (z * z); z = z + 1.0; }
  let r = 1.0 / (z * z);
  return sum + 1.0 / z + r * 0.5 + (r / z) * (0.166666667 - r * (0.0333333333 - r * (0.0238095238 - r * 0.0333333333)));
}`,
      'isnan',
      'isinf',
      'nan',
      'sincos',
    ),
  }
}
