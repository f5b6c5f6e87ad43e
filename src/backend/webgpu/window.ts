/** Convolutions as sums of products, and pooling as shaders that look for the largest of each window. */

import { dtypeInfo } from '../../base/dtype.ts'
import { sizeOf } from '../../base/shape.ts'
import { add, int } from '../../prim/arithmetic.ts'
import {
  binary,
  compare,
  constant,
  type Expr,
  index,
  load,
  renameInputs,
  select,
} from '../../prim/expr.ts'
import { kernelOperands, type LoopKernel, type Operand } from '../../prim/kernel.ts'
import {
  type ConvKernel,
  type ConvSide,
  convGiven,
  type PoolKernel,
  poolOperandShape,
} from '../../prim/window.ts'
import { binaryText } from './code.ts'
import { coordinates } from './domain.ts'
import { gridOf, idle, type Routine, type ShaderOptions, type Source, single } from './routine.ts'
import { flavourFor, isReal, literal, offsetText, Shader, valueType } from './shader.ts'
import { checkOperands } from './wide.ts'

const and = (x: Expr, y: Expr): Expr => binary('and', x, y)

/** A coordinate of one of the arrays as steps along the loops: Σ factor·loop + offset, or not of that form. */
type Steps = ReadonlyMap<string, number>

/** A convolution as a loop nest: padding and the gaps of strides are conditions of its body. */
export function convAsLoop(kernel: ConvKernel): LoopKernel {
  const { dtype, result, sizes, lhs, rhs, inputs, output, epilogue } = kernel
  const { batch, groups, inner, outer, x, window, y, stride, dilate, pad } = sizes
  const axes = [...x.keys()]
  // Loops by name: n g o c, and along axis d the element of x (or of y) and of the window.
  const moving: 'x' | 'y' = result === 'x' ? 'x' : 'y'
  const extent: Record<string, number> = { n: batch, g: groups, o: outer, c: inner }
  for (const d of axes) {
    extent[`m${d}`] = moving === 'x' ? x[d]! : y[d]!
    extent[`k${d}`] = window[d]!
  }
  const kept = namesOf(result, axes)
  const names = [...kept, ...Object.keys(extent).filter((name) => !kept.includes(name))]
  const at = (name: string): Expr => index(names.indexOf(name))

  /** Strides of an array over the loops where its place moves evenly, and the offset that padding gives. */
  const place = (side: ConvSide, o: Operand): { strides: number[]; offset: number } => {
    const steps = new Map<string, number>()
    let { offset } = o
    namesOf(side, axes).forEach((name, j) => {
      const s = o.strides[j]!
      const d = Number(name.slice(1))
      if (!name.startsWith('m') || side === moving) steps.set(name, (steps.get(name) ?? 0) + s)
      else if (side === 'x') {
        // x = i·stride + k·dilate - pad
        steps.set(name, s * stride[d]!)
        steps.set(`k${d}`, (steps.get(`k${d}`) ?? 0) + s * dilate[d]!)
        offset -= s * pad[d]!
      } else if (stride[d] === 1) {
        // y = j - k·dilate + pad
        steps.set(name, s)
        steps.set(`k${d}`, (steps.get(`k${d}`) ?? 0) - s * dilate[d]!)
        offset += s * pad[d]!
      }
    })
    return { strides: stridesOf(steps, names), offset }
  }

  let inside: Expr = constant(1, 'bool')
  const both = (condition: Expr): void => {
    inside = inside.kind === 'const' ? condition : and(inside, condition)
  }
  const between = (e: Expr, size: number): void => {
    both(compare('ge', e, int(0)))
    both(compare('lt', e, int(size)))
  }
  /** Displacement of y along the axes whose stride is not 1: no even step of the loops. */
  let displaced: Expr = int(0)
  let [low, high] = [0, 0]
  const yStrides = (result === 'x' ? (convGiven(result)[0] === 'y' ? lhs : rhs) : output).strides
  for (const d of axes) {
    const [i, k] = [at(`m${d}`), binary('mul', at(`k${d}`), int(dilate[d]!))]
    const always = pad[d] === 0 && (y[d]! - 1) * stride[d]! + (window[d]! - 1) * dilate[d]! < x[d]!
    if (moving === 'y') {
      const element = add(binary('mul', i, int(stride[d]!)), add(k, int(-pad[d]!)))
      if (!always) between(element, x[d]!)
      continue
    }
    const from = add(binary('sub', i, k), int(pad[d]!))
    if (stride[d] === 1) {
      between(from, y[d]!)
      continue
    }
    const element = binary('div', from, int(stride[d]!))
    both(compare('eq', binary('mul', element, int(stride[d]!)), from))
    between(from, (y[d]! - 1) * stride[d]! + 1)
    const s = yStrides[3 + d]!
    displaced = add(displaced, binary('mul', element, int(s)))
    low += Math.min(s * (y[d]! - 1), 0)
    high += Math.max(s * (y[d]! - 1), 0)
  }
  const [first, second] = convGiven(result)
  const operand = (side: ConvSide, o: Operand): Operand => {
    const { strides, offset } = place(side, o)
    return { ...o, strides, offset: side === 'y' ? offset + low : offset }
  }
  const element = (side: ConvSide, input: number): Expr =>
    side === 'y' && high > low
      ? {
          kind: 'loadAt',
          input,
          index: add(displaced, int(-low)),
          size: high - low + 1,
          stride: 1,
          dtype,
        }
      : load(input, dtype)
  const product = binary('mul', element(first, 0), element(second, 1))
  const extra = (o: Operand): Operand => ({
    ...o,
    strides: [...o.strides, ...names.slice(kept.length).map(() => 0)],
  })
  return {
    kind: 'loop',
    dims: names.map((name) => extent[name]!),
    parallel: kept.length,
    inputs: [operand(first, lhs), operand(second, rhs), ...inputs.map(extra)],
    outputs: [output],
    body: [select(inside, product, constant(0, dtype))],
    reduce: ['sum'],
    epilogue: [renameInputs(epilogue, (i) => i + 2)],
  }
}

/** The loops along which an array of a convolution lies, in the order of its shape. */
function namesOf(side: ConvSide, axes: readonly number[]): string[] {
  const along = (name: string): string[] => axes.map((d) => `${name}${d}`)
  if (side === 'x') return ['n', 'g', 'c', ...along('m')]
  return side === 'y' ? ['n', 'g', 'o', ...along('m')] : ['g', 'o', 'c', ...along('k')]
}

const stridesOf = (steps: Steps, names: readonly string[]): number[] =>
  names.map((name) => steps.get(name) ?? 0)

const groupSize = 64

/** Compiles pooling: an invocation an element of the result. */
export function poolRoutine(kernel: PoolKernel, options: ShaderOptions): Routine {
  const operands = kernelOperands(kernel)
  checkOperands(operands)
  if (poolOperandShape(kernel, -1).includes(0)) return idle
  return single(operands, (situation) => {
    const flavour = flavourFor(operands, operands.length - 1, options)
    return poolSource(kernel, new Shader(operands, situation, flavour))
  })
}

function poolSource(kernel: PoolKernel, shader: Shader): Source {
  const { mode, sizes, dtype } = kernel
  const { operands } = shader
  const shape = poolOperandShape(kernel, -1)
  const count = sizeOf(shape)
  const grid = gridOf(Math.ceil(count / groupSize))
  const lines: string[] = []
  coordinates(lines, 'id', shape, 0, shape.length)
  const from = sizes.lines.length
  const axes = [...sizes.x.keys()]
  const type = valueType(dtype, 1)
  const target = operands.length - 1

  /** The index of an operand's element on this line at places along the axes, texts of u32. */
  const at = (i: number, places: (d: number) => string): string => {
    const { strides } = operands[i]!
    const terms = [
      ...sizes.lines.map((_, l) => `c${l} * ${offsetText(strides[l]!)}`),
      ...axes.map((d) => `${places(d)} * ${offsetText(strides[from + d]!)}`),
    ]
    return [shader.base(i), ...terms].join(' + ')
  }
  const loops = (
    name: string,
    body: string,
    first = (_: number) => '0i',
    step = (_: number) => 1,
  ): string =>
    axes.reduceRight(
      (inner, d) =>
        `for (var ${name}${d} = ${first(d)}; ${name}${d} < ${sizes.window[d]!}i; ${name}${d} += ${step(d)}i) { ${inner} }`,
      body,
    )
  const all = (test: (d: number) => string): string => axes.map(test).join(' && ')
  const better = isReal(dtype) ? `${shader.use('lt', 1)}(best, value)` : 'value > best'
  /** Finds the place `p0`, `p1`, … of the largest element of window `i0`, `i1`, …, and the maximum itself. */
  const search = `
  var found = false;
  var best = ${type}();
  var most = ${literal(shader, isReal(dtype) ? -Infinity : dtypeInfo(dtype).min, dtype, 1)};
  ${axes.map((d) => `var p${d} = 0i;`).join(' ')}
  ${loops(
    'k',
    `
    ${axes.map((d) => `let x${d} = i${d} * ${sizes.stride[d]!}i + k${d} * ${sizes.dilate[d]!}i - ${sizes.pad[d]!}i;`).join(' ')}
    if (${all((d) => `x${d} >= 0i && x${d} < ${sizes.x[d]!}i`)}) {
      let value = ${shader.fetch(
        0,
        at(0, (d) => `u32(x${d})`),
      )};
      most = ${binaryText(shader, 'max', 'most', 'value', dtype)};
      if (!found || ${better}) { found = true; best = value; ${axes.map((d) => `p${d} = x${d};`).join(' ')} }
    }`,
  )}`
  const result = (value: string): string =>
    shader.store(
      target,
      at(target, (d) => `c${from + d}`),
      value,
    )
  if (mode === 'spread') {
    // Only every stride-th place of a window falls on this element, unless windows have gaps.
    const even = (d: number): boolean => sizes.dilate[d] === 1
    const padded = (d: number): string => `(i32(c${from + d}) + ${sizes.pad[d]!}i)`
    lines.push(`var sum = ${type}();`)
    lines.push(
      loops(
        'q',
        `
    ${axes.map((d) => `let f${d} = ${padded(d)} - q${d} * ${sizes.dilate[d]!}i; let i${d} = f${d} / ${sizes.stride[d]!}i;`).join(' ')}
    if (${all((d) => `f${d} >= 0i && i${d} * ${sizes.stride[d]!}i == f${d} && i${d} < ${sizes.y[d]!}i`)}) {
      ${search}
      if (found && ${all((d) => `p${d} == i32(c${from + d})`)}) {
        let value = ${shader.fetch(
          1,
          at(1, (d) => `u32(i${d})`),
        )};
        sum = ${binaryText(shader, 'add', 'sum', 'value', dtype)};
      }
    }`,
        (d) => (even(d) ? `${padded(d)} % ${sizes.stride[d]!}i` : '0i'),
        (d) => (even(d) ? sizes.stride[d]! : 1),
      ),
    )
    lines.push(result('sum'))
  } else {
    lines.push(...axes.map((d) => `let i${d} = i32(c${from + d});`), search)
    const picked =
      mode === 'max'
        ? 'most'
        : `select(${type}(), ${shader.fetch(
            1,
            at(1, (d) => `u32(p${d})`),
          )}, found)`
    lines.push(result(picked))
  }
  const text = shader.text(`@compute @workgroup_size(${groupSize})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let id = (group.y * ${grid[0]}u + group.x) * ${groupSize}u + local;
  if (id >= ${count}u) { return; }
  ${lines.join('\n  ')}
}`)
  return { text, words: shader.words, grid }
}
