/** Passes: what they make of known programs, and that they keep the meaning of any. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dense } from '../../src/base/view.ts'
import { aval } from '../../src/core/aval.ts'
import { type Graph, printGraph, topological } from '../../src/core/graph.ts'
import { findOp, OpDef } from '../../src/core/op.ts'
import type { Tensor } from '../../src/core/tensor.ts'
import { trace } from '../../src/core/trace.ts'
import type { DeviceArray } from '../../src/exec/array.ts'
import { Plan } from '../../src/exec/plan.ts'
import { deviceOf } from '../../src/exec/storage.ts'
import type { NDArray } from '../../src/ndarray/ndarray.ts'
import * as nd from '../../src/ops/index.ts'
import { type Fused, fuse } from '../../src/passes/fuse.ts'
import { kindOf } from '../../src/passes/kind.ts'
import { lower, lowerInstance } from '../../src/passes/lower.ts'
import { planMemory } from '../../src/passes/memory.ts'
import { mergeLoops } from '../../src/passes/merge.ts'
import { backends, reference } from '../cases/devices.ts'
import { build, generator, sizeOf } from '../cases/model.ts'
import { expectClose, put, take } from '../cases/runner.ts'
import { graphOf, programs, shapes, stepwise } from './programs.ts'

const traced = (
  sizes: readonly (readonly number[])[],
  body: (xs: Tensor[]) => Tensor | Tensor[],
): Graph =>
  lower(
    trace(
      sizes.map((s) => aval(s, 'float32')),
      [],
      (xs) => {
        const out = body(xs as Tensor[])
        return Array.isArray(out) ? out : [out]
      },
    ),
  )
const fused = (graph: Graph): Fused =>
  fuse(
    graph,
    graph.inputs.map((s) => (s === null ? null : dense(s.shape))),
  )
const kernels = (graph: Graph): string[] =>
  fused(graph).steps.map(({ kernel: k }) =>
    k.kind === 'loop' ? (k.reduce.length > 0 ? 'reduce' : 'map') : k.kind,
  )
const gradientKernels = (
  name: string,
  sizes: readonly (readonly number[])[],
  attrs?: object,
): string[] => {
  const inputs = traced(sizes, (xs) => xs).inputs as Tensor[]
  const { bound, uses } = findOp(name)!
    .bind(attrs as never)
    .bound.instance(inputs)
    .gradient(sizes.map(() => true))
  const place = {
    input: inputs,
    output: findOp(name)!
      .bind(attrs as never)
      .bound.instance(inputs).outs,
    dy: [] as unknown[],
  }
  const types = uses.map((u) =>
    u.from === 'input' ? inputs[u.index]!.aval : place.output[u.index]!,
  )
  const args = trace(types, [], (xs) => xs as Tensor[]).inputs
  return kernels(lowerInstance(bound!.instance(args)))
}

describe('lowering', () => {
  it('leaves primitives only', () => {
    const graph = traced([[2, 3]], ([x]) => nd.softmax(x!))
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "%in0 : float32 (2, 3)
      %0 = reduce(%in0) max;[1]; : float32 (2,)
      %1 = view(%0) {"kind":"reshape","shape":[2,1]}; : float32 (2, 1)
      %2 = view(%1) {"kind":"broadcast","shape":[2,3]}; : float32 (2, 3)
      %3 = map(%in0, %2) l0:0;l1:0;sub(0,1):0;exp(2):0>3;[2,3];False; : float32 (2, 3)
      %4 = reduce(%3) sum;[1]; : float32 (2,)
      %5 = view(%4) {"kind":"reshape","shape":[2,1]}; : float32 (2, 1)
      %6 = map(%5) c1:0;l0:0;div(0,1):0>2;[2,1];False; : float32 (2, 1)
      %7 = view(%6) {"kind":"broadcast","shape":[2,3]}; : float32 (2, 3)
      %8 = map(%3, %7) l0:0;l1:0;mul(0,1):0>2;[2,3];False; : float32 (2, 3)
      return %8"
    `)
    for (const node of topological(graph.outputs)) kindOf(node)
  })

  it('merges equal nodes', () => {
    const graph = traced([[2, 3]], ([x]) => nd.add(nd.softmax(x!), nd.softmax(x!)))
    const once = traced([[2, 3]], ([x]) => nd.softmax(x!))
    expect(topological(graph.outputs).length).toBe(topological(once.outputs).length + 1)
  })

  it('drops what nobody reads', () => {
    const graph = traced([[2, 3]], ([x]) => {
      nd.exp(x!)
      return nd.tanh(x!)
    })
    expect(topological(graph.outputs).filter((n) => n.bound !== null).length).toBe(1)
  })
})

describe('fusion', () => {
  const counts: [string, () => Graph, string[]][] = [
    [
      'a chain of maps',
      () => traced([[2, 3]], ([x]) => nd.exp(nd.tanh(nd.add(x!, nd.multiply(x!, 2))))),
      ['map'],
    ],
    [
      'a broadcast chain',
      () => traced([[2, 3], [3]], ([x, b]) => nd.relu(nd.add(x!, b!))),
      ['map'],
    ],
    ['views alone', () => traced([[2, 3]], ([x]) => nd.transpose(nd.expandDims(x!, 0))), []],
    ['mean', () => traced([[2, 3]], ([x]) => nd.mean(x!, { axis: 1 })), ['reduce']],
    ['mean of squares', () => traced([[2, 3]], ([x]) => nd.mean(nd.square(x!))), ['reduce']],
    ['a norm', () => traced([[2, 3]], ([x]) => nd.norm(x!)), ['reduce']],
    [
      'softmax',
      () => traced([[2, 3]], ([x]) => nd.softmax(x!)),
      ['reduce', 'map', 'reduce', 'map'],
    ],
    [
      'log-softmax',
      () => traced([[2, 3]], ([x]) => nd.logSoftmax(x!)),
      ['reduce', 'reduce', 'map'],
    ],
    [
      'a layer with bias',
      () => traced([[2, 3], [4, 3], [4]], ([x, w, b]) => nd.fullyConnected(x!, w!, b!)),
      ['contract'],
    ],
    [
      'a layer with bias and activation',
      () => traced([[2, 3], [4, 3], [4]], ([x, w, b]) => nd.relu(nd.fullyConnected(x!, w!, b!))),
      ['contract'],
    ],
    [
      'a product of transposes',
      () =>
        traced(
          [
            [3, 2],
            [4, 3],
          ],
          ([x, y]) => nd.dot(nd.transpose(x!), nd.transpose(y!)),
        ),
      ['contract'],
    ],
    [
      'cross-entropy',
      () => traced([[2, 3], [2]], ([x, l]) => nd.softmaxCrossEntropy(x!, l!)),
      ['reduce', 'reduce', 'reduce'],
    ],
    ['a gather', () => traced([[4, 3], [5]], ([x, i]) => nd.multiply(nd.take(x!, i!), 2)), ['map']],
    ['a split', () => traced([[2, 4]], ([x]) => nd.split(x!, { numOutputs: 2 }) as Tensor[]), []],
    ['two results', () => traced([[2, 3]], ([x]) => [nd.exp(x!), nd.tanh(x!)]), ['map']],
  ]
  it.each(counts)('of %s', (_name, graph, want) => expect(kernels(graph())).toEqual(want))

  it('makes one kernel of an update with many results', () => {
    const inputs = traced([[5], [5], [5], [5]], (xs) => xs).inputs as Tensor[]
    const { bound } = findOp('adam_update')!.bind({ lr: 0.1 })
    const program = lowerInstance(bound.instance(inputs))
    expect(program.outputs.length).toBe(3)
    expect(kernels(program)).toEqual(['map'])
  })

  it('makes few kernels of gradients', () => {
    expect(gradientKernels('relu', [[2, 3]])).toEqual(['map'])
    expect(gradientKernels('softmax', [[2, 3]])).toEqual(['reduce', 'map'])
    expect(
      gradientKernels('broadcast_mul', [
        [2, 3],
        [2, 3],
      ]),
    ).toEqual(['map'])
    expect(gradientKernels('sum', [[2, 3]])).toEqual([])
    expect(
      gradientKernels('FullyConnected', [[2, 3], [4, 3], [4]]).filter((k) => k === 'contract')
        .length,
    ).toBe(2)
  })

  it('leaves channels last what turns out to need memory between convolutions', () => {
    const [image, weight] = [
      [2, 8, 6, 6],
      [8, 8, 3, 3],
    ]
    const conv = (x: Tensor, w: Tensor): Tensor =>
      nd.convolution(x, w, null, { kernel: [3, 3], numFilter: 8, pad: [1, 1], noBias: true })
    const graph = traced([image, weight, weight], ([x, v, w]) =>
      nd.relu(nd.add(conv(nd.relu(x!), v!), conv(x!, w!))),
    )
    const { steps } = fuse(graph, [image, weight, weight].map(dense), true)
    const results = steps.flatMap(({ kernel }) => (kernel.kind === 'conv' ? [kernel.output] : []))
    expect(results.map((o) => o.strides[2])).toEqual([1, 1])
  })

  it('finds all that needs memory in a few rounds, however much it is', () => {
    const graph = traced([[6, 4]], ([x]) =>
      Array.from({ length: 40 }, (_, i) =>
        nd.sum(nd.reshape(nd.transpose(nd.add(x!, i)), [3, 8]), { axis: i % 2 }),
      ),
    )
    const layout = dense([6, 4])
    let rounds = 0
    const layouts = Object.defineProperty([layout], 0, {
      get: () => {
        rounds++
        return layout
      },
    })
    fuse(graph, layouts)
    expect(rounds).toBeLessThan(5)
  })

  it('reads strided inputs in place', () => {
    const graph = traced([[2, 3]], ([x]) => nd.exp(x!))
    const { steps } = fuse(graph, [{ shape: [2, 3], strides: [1, 2], offset: 0 }])
    expect(steps.length).toBe(1)
    const { kernel } = steps[0]!
    expect(kernel.kind === 'loop' && kernel.inputs[0]!.strides).toEqual([1, 2])
  })
})

const inputsFor = (dtype: 'float32' | 'float64', context: typeof reference): NDArray[] => {
  const random = generator(12)
  return shapes.map((s) =>
    put(
      build(s, () => Math.fround(2 * random() - 1)),
      dtype,
      context,
    ),
  )
}

describe('laws', () => {
  it('fusion and the memory plan keep the values of any program: each primitive alone, each value in a block of its own', () => {
    const inputs = inputsFor('float64', reference)
    fc.assert(
      fc.property(programs, ({ moves, wanted }) => {
        const graph = graphOf(moves, wanted)
        const device = deviceOf(reference)
        const plan = new Plan(
          device,
          graph,
          graph.inputs.map((s) => dense(s!.shape)),
        )
        const got = plan.run(inputs, []) as readonly DeviceArray[] as readonly NDArray[]
        const want = stepwise(graph, inputs)
        got.forEach((g, i) =>
          expectClose(take(g), take(want[i]!), 1e-10, `result ${i} of\n${printGraph(graph)}`),
        )
      }),
      { numRuns: 1500 },
    )
  })

  it.each(
    backends
      .filter((b) => b.skip === null && b.context !== reference)
      .map((b) => [String(b.context), b.context] as const),
  )('and on %s', (_name, context) => {
    const [inputs, exact] = [inputsFor('float32', context), inputsFor('float64', reference)]
    fc.assert(
      fc.property(programs, ({ moves, wanted }) => {
        const steady = moves.filter(({ op }) => op < 23)
        const graph = graphOf(steady, wanted, 'float32')
        const plan = new Plan(
          deviceOf(context),
          graph,
          graph.inputs.map((s) => dense(s!.shape)),
        )
        const got = plan.run(inputs, []) as readonly DeviceArray[] as readonly NDArray[]
        const want = stepwise(graphOf(steady, wanted), exact)
        got.forEach((g, i) =>
          expectClose(take(g), take(want[i]!), 2e-4, `result ${i} of\n${printGraph(graph)}`),
        )
      }),
      { numRuns: 300 },
    )
  })

  it('strided inputs give the values of dense ones', () => {
    const inputs = inputsFor('float64', reference)
    const strided = inputs.map((x) => nd.transpose(nd.transpose(x).copy()))
    fc.assert(
      fc.property(programs, ({ moves, wanted }) => {
        const graph = graphOf(moves, wanted)
        const run = (xs: readonly NDArray[]): NDArray[] =>
          new Plan(
            deviceOf(reference),
            graph,
            xs.map((x) => x.layout),
          ).run(xs, []) as NDArray[]
        const want = run(inputs)
        run(strided).forEach((g, i) =>
          expectClose(take(g), take(want[i]!), 1e-10, printGraph(graph)),
        )
      }),
      { numRuns: 300 },
    )
  })

  it('temporaries that are alive together do not overlap', () => {
    fc.assert(
      fc.property(programs, ({ moves, wanted }) => {
        const program = fused(graphOf(moves, wanted))
        const { offsets, bytes } = planMemory(program)
        const results = new Set(program.outputs.map((o) => o.buffer))
        const life = program.buffers.map((_, b) =>
          program.steps.flatMap((s, i) => (s.buffers.includes(b) ? [i] : [])),
        )
        program.buffers.forEach((a, i) => {
          const temporary = a.input === null && !results.has(i) && life[i]!.length > 0
          expect(offsets[i]! >= 0).toBe(temporary)
          if (!temporary) return
          expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(bytes)
          expect(offsets[i]! % 64).toBe(0)
          program.buffers.forEach((b, j) => {
            if (j <= i || offsets[j]! < 0) return
            const together = life[i]![0]! <= life[j]!.at(-1)! && life[j]![0]! <= life[i]!.at(-1)!
            const apart =
              offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!
            expect(!together || apart).toBe(true)
          })
        })
      }),
      { numRuns: 500 },
    )
  })

  it('every buffer is written before it is read', () => {
    fc.assert(
      fc.property(programs, ({ moves, wanted }) => {
        const program = fused(graphOf(moves, wanted))
        const ready = new Set(program.buffers.flatMap((b, i) => (b.input === null ? [] : [i])))
        for (const { kernel, buffers } of program.steps) {
          const outputs = kernel.kind === 'loop' ? kernel.outputs.length : 1
          const reads = buffers.slice(0, buffers.length - outputs)
          for (const b of reads) expect(ready.has(b)).toBe(true)
          for (const b of buffers.slice(buffers.length - outputs)) ready.add(b)
        }
        for (const o of program.outputs)
          expect(ready.has(o.buffer) || sizeOf(o.view.shape) === 0).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('merging again changes nothing', () => {
    fc.assert(
      fc.property(programs, ({ moves, wanted }) => {
        const { steps } = fused(graphOf(moves, wanted))
        expect(mergeLoops(steps).length).toBeLessThanOrEqual(steps.length)
      }),
      { numRuns: 100 },
    )
  })
})

it('a program of a hundred operators compiles', () => {
  const body = ([x]: readonly Tensor[]): Tensor => {
    let h = x!
    for (let i = 0; i < 50; i++) h = nd.tanh(nd.add(h, nd.multiply(h, 0.5)))
    return h
  }
  const op = new OpDef({ name: 'long', inputs: ['x'], body })
  const graph = traced([[2, 3]], (xs) => body(xs))
  expect(kernels(graph).length).toBeLessThanOrEqual(50)
  expect(op.minInputs).toBe(1)
})
