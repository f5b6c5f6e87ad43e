/** Operators: instances, traces, derived gradients, the reshape codes, printed graphs. */

import { describe, expect, it } from 'vitest'
import { apply, applyAll } from '../../src/core/apply.ts'
import { attr } from '../../src/core/attrs.ts'
import { aval } from '../../src/core/aval.ts'
import { placeholder, printGraph, topological } from '../../src/core/graph.ts'
import { allOps, defineOp, findOp, OpDef } from '../../src/core/op.ts'
import type { Tensor } from '../../src/core/tensor.ts'
import { trace } from '../../src/core/trace.ts'
import { ones, zeros } from '../../src/ndarray/creation.ts'
import * as nd from '../../src/ops/index.ts'
import { resolveReshape } from '../../src/ops/movement.ts'
import '../cases/devices.ts'

describe('reshape codes', () => {
  it.each([
    [
      [2, 3, 4],
      [4, 0, 2],
      [4, 3, 2],
    ],
    [
      [2, 3, 4],
      [2, 0, 0],
      [2, 3, 4],
    ],
    [
      [2, 3, 4],
      [6, 1, -1],
      [6, 1, 4],
    ],
    [
      [2, 3, 4],
      [3, -1, 8],
      [3, 1, 8],
    ],
    [[2, 3, 4], [-1], [24]],
    [[2, 3, 4], [-2], [2, 3, 4]],
    [
      [2, 3, 4],
      [2, -2],
      [2, 3, 4],
    ],
    [
      [2, 3, 4],
      [-2, 1, 1],
      [2, 3, 4, 1, 1],
    ],
    [
      [2, 3, 4],
      [-3, 4],
      [6, 4],
    ],
    [
      [2, 3, 4, 5],
      [-3, -3],
      [6, 20],
    ],
    [
      [2, 3, 4],
      [0, -3],
      [2, 12],
    ],
    [
      [2, 3, 4],
      [-3, -2],
      [6, 4],
    ],
    [
      [2, 3, 4],
      [-4, 1, 2, -2],
      [1, 2, 3, 4],
    ],
    [
      [2, 3, 4],
      [2, -4, -1, 3, -2],
      [2, 1, 3, 4],
    ],
    [
      [8, 3, 3, 3, 4, 4],
      [-4, 4, -1, 0, 0, -3, -3],
      [4, 2, 3, 3, 12, 4],
    ],
    [
      [10, 5, 4],
      [-1, 0],
      [40, 5],
    ],
    [[2, 3], [], null],
    [[], [1, 1], [1, 1]],
    [[1], [], []],
    [
      [0, 3],
      [-1, 3],
      [0, 3],
    ],
  ] as [number[], number[], number[] | null][])('of %j with %j', (from, codes, to) => {
    const last =
      from.length === 6
        ? () => resolveReshape('r', [8, 3, 3, 3, 4], [-4, 4, -1, 0, 0, -3], false)
        : null
    if (last) expect(last()).toEqual([4, 2, 3, 3, 12])
    else if (to === null) expect(() => resolveReshape('r', from, codes, false)).toThrow(/^\[r\]/)
    else expect(resolveReshape('r', from, codes, false)).toEqual(to)
  })

  it.each([
    [
      [10, 5, 4],
      [-1, 0],
      [50, 4],
    ],
    [
      [2, 3, 4],
      [-3, 0],
      [6, 4],
    ],
    [[8, 7, 3, 4], [-4, 2, 4, 0, -1], null],
    [[2, 3, 4], [0, -4, -1, 2, 0], null],
    [
      [2, 3, 8],
      [0, 0, -4, 4, 2],
      [2, 3, 4, 2],
    ],
    [
      [2, 3, 8],
      [-1, -4, 2, 4],
      [6, 2, 4],
    ],
    [[2, 3, 4], [-2, 4], null],
  ] as [number[], number[], number[] | null][])(
    'of %j with %j from the right',
    (from, codes, to) => {
      const resolve = (): number[] => resolveReshape('r', from, codes, true)
      if (to) expect(resolve()).toEqual(to)
      else {
        // Whatever comes out holds as many elements.
        try {
          expect(resolve().reduce((a, b) => a * b, 1)).toBe(from.reduce((a, b) => a * b, 1))
        } catch (e) {
          expect(String(e)).toMatch(/\[r\]/)
        }
      }
    },
  )

  it.each([
    [[2, 3], [4, 2], /8 elements, the array 6/],
    [[2, 3], [-1, -1], /only one size can be -1/],
    [[2, 3], [4, -1], /6 elements do not divide by 4/],
    [[2, 3], [0, 0, 0], /more axes than there are/],
    [[2, 3], [-3, -3], /more axes/],
    [[2, 3], [-4, -1, -1, 3], /only one of the two/],
    [[2, 3], [-4, 3, -1, 3], /2 does not split/],
    [[2, 3], [-4, 2], /-4 needs two sizes/],
    [[2, 3], [-5], /-5 is not a code/],
  ])('refuses %j with %j', (from, codes, message) => {
    expect(() => resolveReshape('r', from, codes, false)).toThrow(message)
  })
})

describe('operators', () => {
  const double = new OpDef({ name: 'double', inputs: ['x'], body: ([x]) => nd.add(x!, x!) })

  it('share instances between calls of one type', () => {
    const { bound } = double.bind(undefined)
    const [a, b] = [ones([2]), zeros([2])]
    expect(bound.instance([a])).toBe(bound.instance([b]))
    expect(bound.instance([ones([3])])).not.toBe(bound.instance([a]))
    expect(bound.instance([ones([2], { dtype: 'int32' })])).not.toBe(bound.instance([a]))
  })

  it('infer from their body', () => {
    const { bound } = findOp('softmax')!.bind({ dtype: 'float64' })
    const { outs } = bound.instance([placeholder(aval([2, 3], 'float32'))])
    expect(outs).toEqual([aval([2, 3], 'float64')])
  })

  it('cannot take a name twice', () => {
    expect(() => defineOp({ name: 'softmax', inputs: [], body: () => [] })).toThrow(
      /^\[softmax\] .*taken/,
    )
    expect(allOps().length).toBe(new Set(allOps().map((o) => o.name)).size)
  })

  it('are found by alias', () => {
    expect(findOp('_Plus')).toBe(findOp('elemwise_add'))
    expect(findOp('nonsense')).toBeUndefined()
  })

  it('report errors of inner operators in their own name', () => {
    const outer = new OpDef({ name: 'outer', inputs: ['x', 'y'], body: ([x, y]) => nd.dot(x!, y!) })
    expect(() => applyAll(outer, [ones([2, 3]), ones([2, 3])])).toThrow(/^\[outer\] lhs \(2, 3\)/)
  })

  it('check a gradient rule', () => {
    const wrong = new OpDef({
      name: 'wrong',
      inputs: ['x'],
      body: ([x]) => nd.multiply(x!, 2),
      grad: ({ dys }) => [nd.sum(dys[0]!)],
    })
    const { bound } = wrong.bind(undefined)
    expect(() => bound.instance([ones([2])]).gradient([true])).toThrow(
      /^\[wrong\] the gradient of input 0 is float32 \(\), not float32 \(2,\)/,
    )
  })

  it('read only what their gradient needs', () => {
    const uses = (name: string, inputs: Tensor[], attrs?: object): string[] =>
      findOp(name)!
        .bind(attrs as never)
        .bound.instance(inputs)
        .gradient(inputs.map(() => true))
        .uses.map((u) => `${u.from}${u.index}`)
    const x = ones([2, 3])
    expect(uses('relu', [x])).toEqual(['output0', 'dy0'])
    expect(uses('broadcast_add', [x, x])).toEqual(['dy0'])
    expect(uses('broadcast_mul', [x, x]).sort()).toEqual(['dy0', 'input0', 'input1'])
    expect(uses('softmax', [x])).toEqual(['output0', 'dy0'])
    expect(uses('floor', [x])).toEqual([])
    expect(uses('_mul_scalar', [x], { scalar: 3 })).toEqual(['dy0'])
  })

  it('keep numbers that change out of their identity', () => {
    const op = new OpDef({
      name: 'scaled',
      inputs: ['x'],
      attrs: { by: attr.scalar() },
      body: ([x], _a, [by]) => nd.multiply(x!, by!),
    })
    expect(op.bind({ by: 1 }).bound).toBe(op.bind({ by: 2 }).bound)
    const y = apply(op, [ones([2])], { by: 2.5 })
    expect(y.asArraySync()).toEqual([2.5, 2.5])
  })

  it('do not mix arrays and symbols', () => {
    const held = ones([2])
    expect(() => trace([aval([2], 'float32')], [], ([x]) => [nd.add(x!, held as Tensor)])).toThrow(
      /^\[broadcast_add\] an array with data/,
    )
    expect(() => trace([], [], () => [held])).toThrow(/^\[trace\]/)
  })
})

describe('graphs', () => {
  it('print one node a line', () => {
    const graph = trace([aval([2, 3], 'float32'), aval([3], 'float32')], [], ([x, b]) => [
      nd.relu(nd.add(nd.multiply(x!, 2), b!)),
    ])
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "%in0 : float32 (2, 3)
      %in1 : float32 (3,)
      %0 = _mul_scalar(%in0, 2)  : float32 (2, 3)
      %1 = broadcast_add(%0, %in1)  : float32 (2, 3)
      %2 = relu(%1)  : float32 (2, 3)
      return %2"
    `)
  })

  it('put nodes after what they read', () => {
    const graph = trace([aval([2], 'float32')], [], ([x]) => {
      const y = nd.exp(x!)
      return [nd.add(y, nd.multiply(y, y)), y]
    })
    const order = topological(graph.outputs)
    for (const node of order) {
      for (const t of node.inputs) expect(order.indexOf(t!.node!)).toBeLessThan(order.indexOf(node))
    }
    expect(order.length).toBe(4)
  })
})
