/**
 * The functions that generated shaders call, as WGSL text. WGSL promises neither NaN nor much accuracy, so tests for
 * NaN look at bits, and functions are our own; bounds are in ulp of float32 on a device that rounds as IEEE asks.
 */

import { horner, specialFunctions } from './special.ts'

/**
 * A function. In `lanes` text F, U, I and B stand for f32, u32, i32 and bool or vectors of four of them, and `@` marks
 * names that exist in both widths; `scalar` text is written for one lane and called four times for four.
 */
export interface ShaderFunction {
  readonly kind: 'lanes' | 'scalar'
  readonly needs?: readonly string[]
  readonly text: string
}

const lanes = (text: string, ...needs: string[]): ShaderFunction => ({ kind: 'lanes', text, needs })
const scalar = (text: string, ...needs: string[]): ShaderFunction => ({
  kind: 'scalar',
  text,
  needs,
})

const expPoly = [
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
  5.0000001201e-1,
]
const logPoly = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1,
  -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
]
const tanhPoly = [
  -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1,
]
const erfSmall = [
  -5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1,
]
const erfLarge = [
  -1.7285347e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1, -6.34846687e-1,
  -1.28717512e-1,
]
const asinPoly = [
  4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1,
]
const atanPoly = [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1]
const sinhPoly = [2.03721912945e-4, 8.33028376239e-3, 1.66667160211e-1]

/** Splits c into n·ln 2 + r. */
const splitExp = `
  let n = floor(c * 1.44269504 + 0.5);
  var r = c - n * 0.693359375;
  r = r + n * 2.12194440e-4;
  let k = I(n);`

const functions: Record<string, ShaderFunction> = {
  nan: lanes('fn nan@() -> F { let b = U(0x7fc00000u); return bitcast<F>(b); }'),
  inf: lanes('fn inf@() -> F { let b = U(0x7f800000u); return bitcast<F>(b); }'),
  bits: lanes('fn bits@(b: u32) -> F { let c = U(b); return bitcast<F>(c); }'),
  isnan: lanes(
    'fn isnan@(x: F) -> B { return (bitcast<U>(x) & U(0x7fffffffu)) > U(0x7f800000u); }',
  ),
  iszero: lanes('fn iszero@(x: F) -> B { return (bitcast<U>(x) & U(0x7fffffffu)) == U(0u); }'),
  isinf: lanes(
    'fn isinf@(x: F) -> B { return (bitcast<U>(x) & U(0x7fffffffu)) == U(0x7f800000u); }',
  ),
  negative: lanes('fn negative@(x: F) -> B { return (bitcast<U>(x) >> U(31u)) != U(0u); }'),
  withsign: lanes(
    'fn withsign@(x: F, s: F) -> F { return bitcast<F>((bitcast<U>(x) & U(0x7fffffffu)) | (bitcast<U>(s) & U(0x80000000u))); }',
  ),
  // What is 0 for every finite x, and NaN for the others: compilers take x·0 and x - x for 0.
  vanish: lanes(
    'fn vanish@(x: F) -> F { return select(F(0.0), nan@(), (bitcast<U>(x) & U(0x7f800000u)) == U(0x7f800000u)); }',
    'nan',
  ),
  eq: lanes('fn eq@(x: F, y: F) -> B { return (x == y) & !(isnan@(x) | isnan@(y)); }', 'isnan'),
  lt: lanes('fn lt@(x: F, y: F) -> B { return (x < y) & !(isnan@(x) | isnan@(y)); }', 'isnan'),
  le: lanes('fn le@(x: F, y: F) -> B { return (x <= y) & !(isnan@(x) | isnan@(y)); }', 'isnan'),
  // Equal operands differ in the sign of zero at most: it is that of both (max) or of either (min).
  max: lanes(
    `fn max_@(x: F, y: F) -> F {
  let m = select(max(x, y), bitcast<F>(bitcast<U>(x) & bitcast<U>(y)), x == y);
  return select(select(m, x, isnan@(x)), y, isnan@(y));
}`,
    'isnan',
  ),
  min: lanes(
    `fn min_@(x: F, y: F) -> F {
  let m = select(min(x, y), bitcast<F>(bitcast<U>(x) | bitcast<U>(y)), x == y);
  return select(select(m, x, isnan@(x)), y, isnan@(y));
}`,
    'isnan',
  ),
  sign: lanes(
    'fn sign_@(x: F) -> F { return select(select(withsign@(F(1.0), x), x, iszero@(x)), x, isnan@(x)); }',
    'isnan',
    'iszero',
    'withsign',
  ),
  // |x - trunc x| is exact, unlike |x| + 1/2.
  round: lanes(
    `fn round_@(x: F) -> F {
  let t = trunc(x);
  return t + select(F(0.0), withsign@(F(1.0), x), abs(x - t) >= F(0.5));
}`,
    'withsign',
  ),
  sqrt: lanes(
    'fn sqrt_@(x: F) -> F { return select(sqrt(x), nan@(), lt@(x, F(0.0)) | isnan@(x)); }',
    'nan',
    'isnan',
    'lt',
  ),
  pow2: lanes('fn pow2@(k: I) -> F { return bitcast<F>((k + I(127)) << U(23u)); }'),
  // Below 2 ulp.
  exp: lanes(
    `fn exp_@(x: F) -> F {
  let c = clamp(x, F(-104.0), F(89.0));${splitExp}
  let p = ${horner('r', expPoly)} * r * r + r + 1.0;
  let h = k >> U(1u);
  return select(p * pow2@(h) * pow2@(k - h), x, isnan@(x));
}`,
    'pow2',
    'isnan',
  ),
  // Below 3 ulp: 2·(t·p + (t - 1/2)) with t = 2^(n-1), which is finite for n = 128.
  expm1: lanes(
    `fn expm1_@(x: F) -> F {
  let c = clamp(x, F(-20.0), F(89.0));${splitExp}
  let p = ${horner('r', expPoly)} * r * r + r;
  let t = pow2@(k - I(1));
  let y = 2.0 * (t * p + (t - 0.5));
  return select(select(y, p, k == I(0)), x, isnan@(x) | iszero@(x));
}`,
    'pow2',
    'isnan',
    'iszero',
  ),
  // Below 2 ulp; -Infinity at ±0, NaN below 0.
  log: lanes(
    `fn log_@(x: F) -> F {
  let tiny = x < F(1.1754943508222875e-38);
  let b = bitcast<I>(select(x, x * 8388608.0, tiny));
  let e0 = (b - I(0x3f3504f3)) >> U(23u);
  let f = bitcast<F>(b - (e0 << U(23u))) - 1.0;
  let e = F(e0 - select(I(0), I(23), tiny));
  let z = f * f;
  var y = ${horner('f', logPoly)} * f * z + e * -2.12194440e-4 - z * 0.5;
  y = f + y + e * 0.693359375;
  y = select(y, x, isinf@(x) | isnan@(x));
  y = select(y, nan@(), negative@(x) & !isnan@(x));
  return select(y, -inf@(), iszero@(x));
}`,
    'isinf',
    'isnan',
    'nan',
    'inf',
    'negative',
    'iszero',
  ),
  // Below 3 ulp: the logarithm's own series around 1, without the rounding of 1 + x.
  log1p: lanes(
    `fn log1p_@(x: F) -> F {
  let z = x * x;
  let near = x - (z * 0.5 - ${horner('x', logPoly)} * x * z);
  let y = select(log_@(x + 1.0), near, (x > F(-0.29)) & (x < F(0.41)));
  return select(y, x, iszero@(x));
}`,
    'log',
    'iszero',
  ),
  log2: lanes('fn log2_@(x: F) -> F { return log_@(x) * 1.44269504; }', 'log'),
  log10: lanes('fn log10_@(x: F) -> F { return log_@(x) * 0.43429448; }', 'log'),
  // Below 3 ulp.
  tanh: lanes(
    `fn tanh_@(x: F) -> F {
  let a = abs(x);
  let z = x * x;
  let big = withsign@(1.0 - 2.0 / (exp_@(a + a) + 1.0), x);
  let y = select(big, ${horner('z', tanhPoly)} * z * x + x, a < F(0.625));
  return select(y, x, isnan@(x));
}`,
    'exp',
    'withsign',
    'isnan',
  ),
  sinh: lanes(
    `fn sinh_@(x: F) -> F {
  let a = abs(x);
  let z = x * x;
  let e = exp_@(a * 0.5);
  let big = withsign@((0.5 * e) * e - (0.5 / e) / e, x);
  let y = select(big, ${horner('z', sinhPoly)} * z * x + x, a < F(1.0));
  return select(y, x, isnan@(x));
}`,
    'exp',
    'withsign',
    'isnan',
  ),
  cosh: lanes(
    `fn cosh_@(x: F) -> F {
  let e = exp_@(abs(x) * 0.5);
  return (0.5 * e) * e + (0.5 / e) / e;
}`,
    'exp',
  ),
  asinh: lanes(
    `fn asinh_@(x: F) -> F {
  let a = abs(x);
  let y = log1p_@(a + a * a / (1.0 + sqrt(a * a + 1.0)));
  return withsign@(select(y, log_@(a) + 0.693147181, a > F(1.0e9)), x);
}`,
    'log1p',
    'log',
    'withsign',
  ),
  acosh: lanes(
    `fn acosh_@(x: F) -> F {
  let t = x - 1.0;
  let y = log1p_@(t + sqrt(2.0 * t + t * t));
  return select(select(y, log_@(x) + 0.693147181, x > F(1.0e9)), nan@(), lt@(x, F(1.0)));
}`,
    'log1p',
    'log',
    'nan',
    'lt',
  ),
  atanh: lanes(
    `fn atanh_@(x: F) -> F {
  let a = abs(x);
  let y = 0.5 * log1p_@((a + a) / (1.0 - a));
  return select(select(withsign@(y, x), nan@(), a > F(1.0)), withsign@(inf@(), x), a == F(1.0));
}`,
    'log1p',
    'withsign',
    'nan',
    'inf',
  ),
  // Below 3 ulp, x + x·p(x²) and 1 - exp(-(|x| + |x|·p(|x|))) with N. Juffa's minimax polynomials.
  erf: lanes(
    `fn erf_@(x: F) -> F {
  let a = min(abs(x), F(5.0));
  let big = withsign@(1.0 - exp_@(${horner('a', erfLarge)} * a - a), x);
  let z = x * x;
  let y = select(big, ${horner('z', erfSmall)} * x + x, a < F(0.927734375));
  return select(y, x, isnan@(x));
}`,
    'exp',
    'withsign',
    'isnan',
  ),
  // Below 4 ulp.
  asin: lanes(
    `fn asin_@(x: F) -> F {
  let a = abs(x);
  let high = a > F(0.5);
  let z = select(a * a, 0.5 * (1.0 - a), high);
  let s = select(a, sqrt(max(z, F(0.0))), high);
  let p = ${horner('z', asinPoly)} * z * s + s;
  let y = withsign@(select(p, 1.57079633 - 2.0 * p, high), x);
  return select(y, nan@(), (a > F(1.0)) | isnan@(x));
}`,
    'withsign',
    'nan',
    'isnan',
  ),
  acos: lanes(
    `fn acos_@(x: F) -> F {
  let half = 2.0 * asin_@(sqrt(max(0.5 * (1.0 - abs(x)), F(0.0))));
  let outer = select(half, 3.14159265 - half, x < F(0.0));
  let y = select(1.57079633 - asin_@(x), outer, abs(x) > F(0.5));
  return select(y, nan@(), (abs(x) > F(1.0)) | isnan@(x));
}`,
    'asin',
    'nan',
    'isnan',
  ),
  atan: lanes(
    `fn atan_@(x: F) -> F {
  let a = abs(x);
  let far = a > F(2.41421356);
  let mid = (a > F(0.414213562)) & !far;
  let base = select(select(F(0.0), F(0.785398163), mid), F(1.57079633), far);
  let t = select(select(a, (a - 1.0) / (a + 1.0), mid), -1.0 / a, far);
  let z = t * t;
  let y = withsign@(base + (${horner('z', atanPoly)} * z * t + t), x);
  return select(y, x, isnan@(x) | iszero@(x));
}`,
    'withsign',
    'isnan',
    'iszero',
  ),
  ...specialFunctions(scalar),
}

/** The name by which generated code calls a function: `max` is WGSL's own, `max_` is ours. */
export function callName(name: string, width: 1 | 4): string {
  const plain = helpers.has(name) ? name : `${name}_`
  return width === 4 ? `${plain}4` : plain
}

/** Functions whose names do not collide with WGSL's. */
const helpers = new Set([
  'nan',
  'inf',
  'bits',
  'isnan',
  'iszero',
  'isinf',
  'negative',
  'withsign',
  'vanish',
  'eq',
  'lt',
  'le',
  'pow2',
])

const tokens: Record<1 | 4, Record<string, string>> = {
  1: { F: 'f32', U: 'u32', I: 'i32', B: 'bool', '@': '' },
  4: { F: 'vec4<f32>', U: 'vec4<u32>', I: 'vec4<i32>', B: 'vec4<bool>', '@': '4' },
}

/** The text of all functions that `wanted` (name and width) need, each once, in order of definition. */
export function functionText(wanted: Iterable<readonly [name: string, width: 1 | 4]>): string {
  const done = new Set<string>()
  const parts: string[] = []
  const visit = (name: string, width: 1 | 4): void => {
    const id = `${name}/${width}`
    if (done.has(id)) return
    done.add(id)
    const { kind, needs = [], text } = functions[name]!
    if (kind === 'scalar' && width === 4) {
      visit(name, 1)
      parts.push(fourTimes(name, text))
      return
    }
    for (const n of needs) visit(n, width)
    parts.push(text.replace(/\b[FUIB]\b|@/g, (token) => tokens[width][token]!))
  }
  for (const [name, width] of wanted) visit(name, width)
  return parts.join('\n')
}

/** A function of one lane applied to each of four. */
function fourTimes(name: string, text: string): string {
  const header = new RegExp(`fn ${callName(name, 1)}\\(([^)]*)\\) -> (\\w+)`).exec(text)!
  const parameters = header[1]!.split(',').map((p) => p.trim().split(': ') as [string, string])
  const list = parameters.map(([p, type]) => `${p}: vec4<${type}>`).join(', ')
  const one = (lane: string): string =>
    `${callName(name, 1)}(${parameters.map(([p]) => `${p}.${lane}`).join(', ')})`
  const result = `vec4<${header[2]}>`
  return `fn ${callName(name, 4)}(${list}) -> ${result} { return ${result}(${['x', 'y', 'z', 'w'].map(one).join(', ')}); }`
}
