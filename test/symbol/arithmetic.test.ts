/** What stands between symbols: MXNet's elementwise operators and names, and broadcasting where shapes are known to differ. */

import * as mx from 'mxnet-ts'
import { describe, expect, it } from 'vitest'
import type { Symbolic } from '../../src/symbol/symbol.ts'

const { gluon, nd, sym } = mx
const { NameManager } = mx.name

interface FileNode {
  readonly op: string
  readonly name: string
}
const nodesOf = (symbol: Symbolic): FileNode[] =>
  (JSON.parse(symbol.toJSON()) as { nodes: FileNode[] }).nodes.filter((n) => n.op !== 'null')
const last = (symbol: Symbolic): string[] => {
  const { op, name } = nodesOf(symbol).at(-1)!
  return [op, name]
}

describe('between symbols', () => {
  it.each([
    ['add', 'elemwise_add', '_plus0'],
    ['sub', 'elemwise_sub', '_minus0'],
    ['mul', 'elemwise_mul', '_mul0'],
    ['div', 'elemwise_div', '_div0'],
    ['mod', '_mod', '_mod0'],
    ['pow', '_power', '_power0'],
    ['maximum', '_maximum', '_maximum0'],
    ['equal', '_equal', '_equal0'],
    ['greaterEqual', '_greater_equal', '_greater_equal0'],
    ['logicalAnd', '_logical_and', '_logical_and0'],
    ['rsub', 'elemwise_sub', '_minus0'],
  ] as const)('%s is %s, called %s', (method, op, name) => {
    const [a, b] = [sym.var('a'), sym.var('b')]
    const made = new NameManager().use(() => a[method](b))
    expect(last(made)).toEqual([op, name])
    expect(made.listArguments()).toEqual(method === 'rsub' ? ['b', 'a'] : ['a', 'b'])
    expect(sym.loadJSON(made.toJSON()).toJSON()).toBe(made.toJSON())
  })

  it('a number stands in an attribute', () => {
    new NameManager().use(() => {
      const x = sym.var('x')
      expect(last(x.add(2))).toEqual(['_plus_scalar', '_plusscalar0'])
      expect(last(x.neg())).toEqual(['_mul_scalar', '_mulscalar0'])
      expect(last(x.negative())).toEqual(['negative', 'negative0'])
      expect(last(x.rsub(2))).toEqual(['_rminus_scalar', '_rminusscalar0'])
      expect(last(x.greater(2))).toEqual(['_greater_scalar', '_greater_scalar0'])
      expect(last(sym.maximum(x, 0))).toEqual(['_maximum_scalar', '_maximumscalar0'])
    })
  })

  it('functions keep what their names say', () => {
    const [a, b] = [sym.var('a'), sym.var('b')]
    expect(nodesOf(sym.broadcastAdd(a, b))[0]!.op).toBe('broadcast_add')
    expect(nodesOf(nd.add(a, b))[0]!.op).toBe('broadcast_add')
    expect(nodesOf(sym.pow(a, b))[0]!.op).toBe('_power')
    expect(nodesOf(sym.maximum(a, b))[0]!.op).toBe('_maximum')
    expect(nodesOf(sym.hypot(a, b))[0]!.op).toBe('_hypot')
    expect(nodesOf(sym.broadcastMaximum(a, b))[0]!.op).toBe('broadcast_maximum')
  })

  it('broadcasts where shapes are known and differ', () => {
    const [x, row] = [sym.var('x', { shape: [2, 3] }), sym.var('row', { shape: [1, 3] })]
    expect(nodesOf(x.mul(row))[0]!.op).toBe('broadcast_mul')
    expect(nodesOf(x.relu().mul(row.tanh())).at(-1)!.op).toBe('broadcast_mul')
    expect(nodesOf(x.mul(x.relu())).at(-1)!.op).toBe('elemwise_mul')
  })

  it('tells the shape of one from the other’s', () => {
    for (const method of ['add', 'mod', 'maximum', 'greaterEqual', 'logicalXor'] as const) {
      const made = sym.var('a')[method](sym.var('b'))
      expect(made.inferShape({ b: [2, 3] })[0]).toEqual([
        [2, 3],
        [2, 3],
      ])
    }
  })

  it('says what to use where shapes that were not known differ', () => {
    const made = sym.var('x').add(sym.var('row'))
    expect(() => made.inferShape({ x: [2, 3], row: [1, 3] })).toThrow(
      /row has shape \(2, 3\) and cannot have \(1, 3\)|use broadcast_add/,
    )
  })
})

describe('between the results of layers', () => {
  class Scaled extends gluon.HybridBlock {
    readonly body = new gluon.nn.Dense(3, { inUnits: 3, prefix: 'body_' })
    override forward(x: mx.Tensor): mx.Tensor {
      const y = this.body(x)
      return y.add(x).sub(y.mean({ axis: 1, keepdims: true }))
    }
  }

  it('export writes MXNet’s words, and broadcasts where the last run did', async () => {
    const net = new Scaled({ prefix: 'net_' })
    net.initialize()
    const x = nd.random.normal(0, 1, { shape: [2, 3] })
    net.hybridize()
    const want = await net(x).asArray()
    const symbol = net.toSymbol()
    expect(nodesOf(symbol).map((n) => [n.op, n.name])).toEqual([
      ['FullyConnected', 'body_fwd'],
      ['elemwise_add', 'net__plus0'],
      ['mean', 'net_mean0'],
      ['broadcast_sub', 'net_broadcast_sub0'],
    ])
    const again = new gluon.SymbolBlock(symbol, sym.var('data'), { params: net.collectParams() })
    expect(await again(x).asArray()).toEqual(want)
  })

  it('blocks without a prefix of their own go on with the numbers around them', () => {
    class Twice extends gluon.HybridBlock {
      readonly first = new Doubled({ prefix: '' })
      readonly second = new Doubled({ prefix: '' })
      override forward(x: mx.Tensor): mx.Tensor {
        return this.second(this.first(x))
      }
    }
    class Doubled extends gluon.HybridBlock {
      override forward(x: mx.Tensor): mx.Tensor {
        return x.add(x)
      }
    }
    const net = new Twice({ prefix: 'net_' })
    expect(nodesOf(net.toSymbol()).map(({ name }) => name)).toEqual(['net__plus0', 'net__plus1'])
  })
})
