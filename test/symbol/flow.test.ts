/** Loops and branches in symbols: MXNet's files with graphs inside of nodes load, run and come back as they stood. */

import * as mx from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

const { autograd, gluon, nd, sym } = mx
type Symbol = ReturnType<typeof sym.var>
const { foreach, whileLoop, cond } = sym.contrib

/** The tutorial of MXNet's: a running sum, scaled by something from around the loop. */
const running = (): Symbol => {
  const [data, state, scale] = [sym.var('data'), sym.var('state'), sym.var('scale')]
  const [out, last] = foreach(
    (x: Symbol, s: Symbol) => [s.add(x.mul(scale)), s.add(x)] as const,
    data,
    state,
  )
  return sym.Group([out as Symbol, last])
}

const text = `{
  "nodes": [
    {
      "op": "null", 
      "name": "data", 
      "inputs": []
    }, 
    {
      "op": "null", 
      "name": "state", 
      "inputs": []
    }, 
    {
      "op": "null", 
      "name": "scale", 
      "inputs": []
    }, 
    {
      "op": "_foreach", 
      "name": "_foreach0", 
      "attrs": {
        "in_data_locs": "[1]", 
        "in_state_locs": "[0]", 
        "num_args": "4", 
        "num_out_data": "1", 
        "num_outputs": "2", 
        "remain_locs": "[2]"
      }, 
      "inputs": [[0, 0, 0], [1, 0, 0], [2, 0, 0]], 
      "subgraphs": [
        {
          "nodes": [
            {
              "op": "null", 
              "name": "state-0", 
              "attrs": {"__subgraph_name__": "foreach0"}, 
              "inputs": []
            }, 
            {
              "op": "null", 
              "name": "data-0", 
              "attrs": {"__subgraph_name__": "foreach0"}, 
              "inputs": []
            }, 
            {
              "op": "null", 
              "name": "scale", 
              "inputs": []
            }, 
            {
              "op": "elemwise_mul", 
              "name": "_mul0", 
              "attrs": {"__subgraph_name__": "foreach0"}, 
              "inputs": [[1, 0, 0], [2, 0, 0]]
            }, 
            {
              "op": "elemwise_add", 
              "name": "_plus0", 
              "attrs": {"__subgraph_name__": "foreach0"}, 
              "inputs": [[0, 0, 0], [3, 0, 0]]
            }, 
            {
              "op": "elemwise_add", 
              "name": "_plus1", 
              "attrs": {"__subgraph_name__": "foreach0"}, 
              "inputs": [[0, 0, 0], [1, 0, 0]]
            }
          ], 
          "arg_nodes": [0, 1, 2], 
          "node_row_ptr": [0, 1, 2, 3, 4, 5, 6], 
          "heads": [[4, 0, 0], [5, 0, 0]]
        }
      ]
    }
  ], 
  "arg_nodes": [0, 1, 2], 
  "node_row_ptr": [0, 1, 2, 3, 5], 
  "heads": [[3, 0, 0], [3, 1, 0]], 
  "attrs": {"mxnet_version": ["int", 10901]}
}`

const values = {
  data: nd.array([
    [1, 2],
    [3, 4],
    [5, 6],
  ]),
  state: nd.array([10, 20]),
  scale: nd.array([1, 0.5]),
}
const wanted = [
  [
    [11, 21],
    [14, 24],
    [19, 29],
  ],
  [19, 32],
]

describe('foreach', () => {
  it('is written as MXNet writes it', () => {
    expect(new mx.name.NameManager().use(running).toJSON()).toBe(text)
  })

  it('is read, runs, and is written as it stood', async () => {
    const net = sym.loadJSON(text)
    expect(net.toJSON()).toBe(text)
    expect(net.listArguments()).toEqual(['data', 'state', 'scale'])
    expect(net.inferShape({ data: [3, 2], state: [2] })).toEqual([
      [[3, 2], [2], [2]],
      [[3, 2], [2]],
      [],
    ])
    const results = net.eval(values)
    expect(await Promise.all(results.map((y) => y.asArray()))).toEqual(wanted)
  })

  it('has gradients, hybridized too', async () => {
    for (const hybrid of [false, true]) {
      const data = nd.array([1, 2, 3])
      data.attachGrad()
      const [x, s] = [sym.var('x'), sym.var('s')]
      const [, product] = foreach((v: Symbol, p: Symbol) => [v, p.mul(v)] as const, x, s)
      const net = new gluon.SymbolBlock(product, [x, s])
      net.hybridize(hybrid)
      autograd.record(() => net(data, nd.array(1))).backward()
      expect(await data.grad!.asArray()).toEqual([6, 3, 2])
    }
  })

  it('runs layers, of which the shapes are told from outside', async () => {
    class Walk extends gluon.HybridBlock {
      readonly step = new gluon.nn.Dense(3, { prefix: 'step_', activation: 'tanh' })
      override forward(x: mx.Tensor, h: mx.Tensor): mx.Tensor {
        const [out] = nd.contrib.foreach(
          (v: mx.Tensor, s: mx.Tensor) => {
            const y = this.step(v.add(s))
            return [y, y] as const
          },
          x,
          h,
        )
        return out as mx.Tensor
      }
    }
    const net = new Walk({ prefix: 'walk_' })
    net.initialize()
    const [x, h] = [nd.random.normal(0, 1, { shape: [4, 2, 3] }), nd.zeros([2, 3])]
    net.hybridize()
    const want = await net(x, h).asArray()
    const symbol = net.toSymbol()
    expect(symbol.listArguments()).toEqual(['data0', 'data1', 'step_weight', 'step_bias'])
    const again = new gluon.SymbolBlock(sym.loadJSON(symbol.toJSON()), [
      sym.var('data0'),
      sym.var('data1'),
    ])
    again.initialize()
    again(x, h)
    for (const [name, parameter] of net.collectParams())
      again.collectParams().get(name)!.setData(parameter.data())
    expect(await again(x, h).asArray()).toEqual(want)
  })

  it('stands inside of loops', async () => {
    const [data, start] = [sym.var('data'), sym.var('start')]
    const [rows] = foreach(
      (row: Symbol, s: Symbol) => {
        const [, sum] = foreach((v: Symbol, t: Symbol) => [t, t.add(v.mul(s))] as const, row, s)
        return [sum, s.add(1)] as const
      },
      data,
      start,
    )
    const net = sym.loadJSON((rows as Symbol).toJSON())
    expect(net.toJSON()).toContain('"__subgraph_name__": "foreach')
    const [y] = net.eval({
      data: nd.array([
        [1, 2],
        [3, 4],
      ]),
      start: nd.array(1),
    })
    // 1 + 1·(1 + 2), and with s = 2: 2 + 2·(3 + 4).
    expect(await y!.asArray()).toEqual([4, 16])
  })

  it('refuses a body that does not read what it is given', () => {
    const [data, state] = [sym.var('data'), sym.var('state')]
    expect(() => foreach((x: Symbol) => [x.relu(), x.tanh()] as const, data, state)).toThrow(
      'state is not read by the body',
    )
  })
})

describe('whileLoop', () => {
  const halves = (): Symbol => {
    const [x, limit] = [sym.var('x'), sym.var('limit')]
    const [[outs], [last]] = whileLoop(
      (v: Symbol) => v.greater(limit),
      (v: Symbol) => [v.mul(1), v.mul(0.5)] as const,
      [x],
      { maxIterations: 5 },
    )
    return sym.Group([outs!, last!])
  }

  it('is read, runs and is written as it stood', async () => {
    const made = halves()
    const net = sym.loadJSON(made.toJSON())
    expect(net.toJSON()).toBe(made.toJSON())
    const { nodes } = JSON.parse(made.toJSON()) as { nodes: { op: string; attrs: object }[] }
    expect(nodes.at(-1)!.attrs).toEqual({
      cond_input_locs: '[0, 1]',
      func_input_locs: '[0]',
      func_var_locs: '[0]',
      max_iterations: '5',
      num_args: '4',
      num_out_data: '1',
      num_outputs: '2',
    })
    const [outs, last] = net.eval({ x: nd.array(5), limit: nd.array(1) })
    expect(await outs!.asArray()).toEqual([5, 2.5, 1.25, 0, 0])
    expect(await last!.asScalar()).toBe(0.625)
    expect(net.inferShape({ x: [1], limit: [1] })[1]).toEqual([[5, 1], [1]])
  })

  it('gives zeros when it ends at once', async () => {
    const [outs, last] = halves().eval({ x: nd.array(1), limit: nd.array(1) })
    expect(await outs!.asArray()).toEqual([0, 0, 0, 0, 0])
    expect(await last!.asScalar()).toBe(1)
  })
})

describe('cond', () => {
  const larger = (): Symbol => {
    const [a, b] = [sym.var('a'), sym.var('b')]
    return cond(
      a.sum().greater(b.sum()),
      () => a.mul(2),
      () => b.add(a),
    )
  }

  it.each([false, true])(
    'takes the branch that the predicate tells (hybridized: %s)',
    async (hybrid) => {
      const made = larger()
      const loaded = sym.loadJSON(made.toJSON())
      expect(loaded.toJSON()).toBe(made.toJSON())
      expect(made.inferShape({ a: [2] })[1]).toEqual([[2]])
      const net = new gluon.SymbolBlock(loaded, [sym.var('a'), sym.var('b')])
      net.hybridize(hybrid)
      expect(await net(nd.array([1, 2]), nd.array([0, 1])).asArray()).toEqual([2, 4])
      expect(await net(nd.array([1, 2]), nd.array([3, 1])).asArray()).toEqual([4, 3])
    },
  )

  it('needs branches of as many results', () => {
    const x = sym.var('x')
    expect(() =>
      cond(
        x,
        () => [x.relu(), x.tanh()],
        () => [x.relu()],
      ),
    ).toThrow('the branches give 2 and 1 results')
  })
})

describe('damaged loops', () => {
  const changed =
    (change: (node: { attrs: { [key: string]: string }; subgraphs: unknown[] }) => void) => () => {
      const file = JSON.parse(text) as { nodes: never[] }
      change(file.nodes[3]!)
      return sym.loadJSON(JSON.stringify(file))
    }
  it.each([
    ['no graph', (n) => (n.subgraphs = []), 'has 0 graphs of its own: it must have 1'],
    ['places beyond the inputs', (n) => (n.attrs.remain_locs = '[7]'), 'gives graph 0 inputs'],
    ['a state too many', (n) => (n.attrs.num_out_data = '0'), 'hands on 2 states of 1'],
    [
      'results that the graph lacks',
      (n) => (n.attrs.num_outputs = '3'),
      'has 2 results of graph 0: 3 are needed',
    ],
    ['places without end', (n) => (n.attrs.remain_locs = '[4000000000]'), 'it must be integers'],
    ['a graph that is none', (n) => (n.subgraphs = [1]), 'this is no symbol'],
  ] as readonly [string, Parameters<typeof changed>[0], string][])('%s', (_, change, message) => {
    expect(changed(change)).toThrow(message)
  })

  it('graphs in graphs end somewhere', () => {
    let inner: unknown = { nodes: [{ op: 'null', name: 'x', inputs: [] }], heads: [[0, 0, 0]] }
    for (let i = 0; i < 30; i++) {
      const node = { op: '_cond', name: `c${i}`, inputs: [], subgraphs: [inner] }
      inner = { nodes: [node], heads: [[0, 0, 0]] }
    }
    expect(() => sym.loadJSON(JSON.stringify(inner))).toThrow('at most 16 are read')
  })
})
