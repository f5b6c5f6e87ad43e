/** Symbols: composition, names, listing, inference. */

import * as mx from 'mxnet-ts'
import { describe, expect, it, vi } from 'vitest'

const { sym } = mx

const mlp = () => {
  const data = sym.var('data')
  const fc1 = sym.fullyConnected(data, { numHidden: 8, name: 'fc1' })
  const act = sym.activation(fc1, { actType: 'relu', name: 'relu1' })
  return sym.fullyConnected(act, { numHidden: 3, name: 'fc2' })
}

describe('composition', () => {
  it('makes variables for parameters, in the order in which they are read', () => {
    expect(mlp().listArguments()).toEqual([
      'data',
      'fc1_weight',
      'fc1_bias',
      'fc2_weight',
      'fc2_bias',
    ])
    expect(mlp().listOutputs()).toEqual(['fc2_output'])
    expect(mlp().listAuxiliaryStates()).toEqual([])
  })

  it('leaves out the inputs that attributes exclude', () => {
    const fc = sym.fullyConnected(sym.var('x'), { numHidden: 2, noBias: true, name: 'fc' })
    expect(fc.listArguments()).toEqual(['x', 'fc_weight'])
    expect(() =>
      sym.fullyConnected(sym.var('x'), sym.var('w'), sym.var('b'), { numHidden: 2, noBias: true }),
    ).toThrow('[FullyConnected] bias is given, but with these attributes it takes data, weight')
  })

  it('takes inputs by name', () => {
    const weight = sym.var('shared')
    const fc = sym.fullyConnected({ data: sym.var('x'), weight, numHidden: 2, name: 'fc' })
    expect(fc.listArguments()).toEqual(['x', 'shared', 'fc_bias'])
    expect(() => sym.relu(sym.var('x'), { label: weight })).toThrow('there is no input label')
  })

  it('serves methods and functions of nd alike', () => {
    const x = sym.var('x')
    const a = mx.nd.relu(x.add(1).mul(x))
    expect(a).toBeInstanceOf(sym.Symbol)
    expect(a.listArguments()).toEqual(['x'])
    expect(a.inferShape({ x: [2, 3] })[1]).toEqual([[2, 3]])
    expect(sym.pow(2, x).listAttr()).toEqual({ scalar: '2' })
  })

  it('gives several outputs as an array', () => {
    const parts = sym.split(sym.var('x'), { numOutputs: 2, name: 's' })
    expect(sym.Group(parts).listOutputs()).toEqual(['s_output0', 's_output1'])
    expect(sym.Group(parts).inferShape({ x: [2, 4] })[1]).toEqual([
      [2, 2],
      [2, 2],
    ])
  })

  it('replaces variables', () => {
    const net = mlp().compose({ data: sym.var('image').div(255) })
    expect(net.listArguments()[0]).toBe('image')
    expect(mlp().compose(sym.var('first')).listArguments()[0]).toBe('first')
    expect(() => net.compose({ nothing: sym.var('x') })).toThrow('there is no variable nothing')
  })

  it('refuses arrays among symbols, and values of symbols', () => {
    expect(() => sym.var('x').add(mx.nd.ones([1]) as never)).toThrow('among symbols')
    expect(() => (sym.var('x') as never as mx.NDArray).asScalar()).toThrow('has no data')
    expect(() => sym.var('')).toThrow('needs one')
    expect(() => sym.activation(sym.var('x'), { actType: 'nothing' as 'relu' })).toThrow('actType')
    expect(() => sym.Group([])).toThrow('at least one')
    expect(() => mx.nd.relu(sym.Group([sym.var('x'), sym.var('y')]))).toThrow('group of 2')
  })
})

describe('names', () => {
  it('come from the operator and a counter', () => {
    new mx.name.NameManager().use(() => {
      const x = sym.var('x')
      const names = [x.relu(), sym.fullyConnected(x, { numHidden: 1 }), x.relu(), x.mul(2)]
      expect(names.map((s) => s.name)).toEqual(['relu0', 'fullyconnected0', 'relu1', '_mulscalar0'])
    })
  })

  it('take a prefix, made and given', () => {
    new mx.name.Prefix('p_').use(() => {
      expect(sym.var('x').tanh().name).toBe('p_tanh0')
      const named = sym.fullyConnected(sym.var('x'), { numHidden: 1, name: 'fc' })
      expect(named.listArguments()).toEqual(['x', 'p_fc_weight', 'p_fc_bias'])
    })
  })

  it('are shown', () => {
    expect(String(mlp())).toBe('<Symbol fc2>')
    expect(String(mlp().getInternals().at(0))).toBe('<Symbol data>')
    expect(String(sym.Group([sym.var('a'), sym.var('b')]))).toBe('<Symbol group [a, b]>')
    expect(mlp().debugStr()).toContain('fc1 = FullyConnected(data, fc1_weight, fc1_bias)')
  })
})

describe('outputs', () => {
  it('of inner nodes cut a network', () => {
    const internals = mlp().getInternals()
    expect(internals.listOutputs()).toContain('relu1_output')
    expect(internals.at('fc1_output').listArguments()).toEqual(['data', 'fc1_weight', 'fc1_bias'])
    expect(() => internals.at('nothing')).toThrow('there is no output nothing')
    expect(() => internals.at(99)).toThrow('there is no output 99')
    expect([...internals].length).toBe(internals.length)
    expect(internals.at('0:2').listOutputs()).toEqual(['data', 'fc1_weight'])
    expect(internals.at('-1:').listOutputs()).toEqual(['fc2_output'])
    expect(mlp().getChildren()!.listOutputs()).toEqual(['relu1_output', 'fc2_weight', 'fc2_bias'])
    expect(sym.var('x').getChildren()).toBeNull()
  })

  it('of one are indexed like arrays', () => {
    const x = sym.var('x')
    const shape = (s: InstanceType<typeof sym.Symbol>) => s.inferShape({ x: [4, 5, 6] })[1]![0]
    expect(shape(x.at(0))).toEqual([5, 6])
    expect(shape(x.at(-1, '1:3'))).toEqual([2, 6])
    expect(shape(x.at('::2', null, '...'))).toEqual([2, 1, 5, 6])
    const known = sym.var('x', { shape: [4, 5, 6] })
    expect(known.at('...', 0).shape).toEqual([4, 5])
    expect(() => x.at('a')).toThrow('is not understood')
  })
})

describe('attributes', () => {
  it('of operators are texts in the spelling of MXNet', () => {
    const fc = mlp().getInternals().at('fc1_output')
    expect(fc.listAttr()).toEqual({ num_hidden: '8' })
    expect(fc.attr('num_hidden')).toBe('8')
    expect(fc.attr('nothing')).toBeUndefined()
    expect(sym.clip(sym.var('x'), 1e-5, 6).listAttr()).toEqual({
      a_max: '6',
      a_min: '1e-05',
    })
    expect(sym.transpose(sym.var('x'), [1, 0]).listAttr()).toEqual({ axes: '(1, 0)' })
    expect(sym.sum(sym.var('x'), { axis: 1, keepdims: true }).listAttr()).toEqual({
      axis: '1',
      keepdims: 'True',
    })
  })

  it('of variables are kept between underscores', () => {
    const v = sym.var('v', {
      shape: [3, null],
      lrMult: 2,
      wdMult: 0.5,
      dtype: 'float64',
      init: 'zeros',
    })
    expect(v.attr('lr_mult')).toBe('2.0')
    expect(v.attrDict()).toEqual({
      v: {
        __dtype__: '1',
        __init__: 'zeros',
        __lr_mult__: '2.0',
        __shape__: '(3, 0)',
        __wd_mult__: '0.5',
        lr_mult: '2.0',
        wd_mult: '0.5',
      },
    })
    expect(sym.var('w', { init: new mx.init.Normal(0.5) }).attr('__init__')).toBe(
      '["normal", {"sigma": 0.5}]',
    )
  })

  it('of a scope go to all symbols made in it, and on to made parameters', () => {
    const net = new mx.AttrScope({ ctx_group: 'dev1', mood: 'calm' }).use(() =>
      sym.fullyConnected(sym.var('x'), { numHidden: 1, name: 'fc', attr: { lr_mult: '2' } }),
    )
    expect(net.attrDict().x).toEqual({ __ctx_group__: 'dev1', ctx_group: 'dev1', mood: 'calm' })
    expect(net.attr('mood')).toBe('calm')
    expect(net.attrDict().fc_weight).toEqual({
      __ctx_group__: 'dev1',
      __lr_mult__: '2',
      ctx_group: 'dev1',
      lr_mult: '2',
    })
    expect(() => new mx.AttrScope({ x: 1 as never })).toThrow('annotations are strings')
  })
})

describe('inference', () => {
  it('completes the shapes of parameters', () => {
    expect(mlp().inferShape({ data: [2, 5] })).toEqual([
      [[2, 5], [8, 5], [8], [3, 8], [3]],
      [[2, 3]],
      [],
    ])
  })

  it('gives what it knows, and says what is missing', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    expect(mlp().inferShape()).toEqual([null, null, null])
    expect(warn.mock.calls[0]![0]).toContain('data')
    warn.mockRestore()
    const [args, outs] = mlp().inferShapePartial({ data: [2, 5] })
    expect(args![1]).toEqual([8, 5])
    expect(outs![0]).toEqual([2, 3])
    expect(mlp().inferShapePartial()[0]![0]).toBeNull()
  })

  it('goes on with sizes that are not known', () => {
    const [args, outs] = mlp().inferShapePartial({ data: [null, 5] })
    expect(args).toEqual([[0, 5], [8, 5], [8], [3, 8], [3]])
    expect(outs).toEqual([[0, 3]])
    const pooled = sym.mean(sym.var('x').transpose([1, 0, 2]), { axis: 0 })
    expect(pooled.inferShapePartial({ x: [0, 4, 6] })[1]).toEqual([[0, 6]])
    // Where a size decides, nothing is said.
    expect(
      sym
        .var('x')
        .reshape([2, 3])
        .inferShapePartial({ x: [0] })[1],
    ).toEqual([null])
  })

  it('refuses contradictions and unknown names', () => {
    expect(() => mlp().inferShape({ data: [2, 5], fc1_weight: [8, 4] })).toThrow(/fc1/)
    expect(() => mlp().inferShape({ dat: [2, 5] })).toThrow('there is no argument dat')
    const wrong = sym.dot(sym.var('a', { shape: [2, 3] }), sym.var('b', { shape: [4, 5] }))
    expect(() => wrong.inferShape()).toThrow('[dot] at dot0: lhs (2, 3)')
  })

  it('goes backward through operators that keep shapes', () => {
    const [a, b] = [sym.var('a'), sym.var('b')]
    expect(sym.elemwiseAdd(a.relu(), b).inferShape({ b: [2, 3] })[0]).toEqual([
      [2, 3],
      [2, 3],
    ])
  })

  it('tells sizes of states that are made inside', () => {
    const state = sym.fullyConnected(sym.zeros([0, 4]), { numHidden: 3, name: 'h2h' })
    const net = sym.elemwiseAdd(
      sym.fullyConnected(sym.var('x'), { numHidden: 3, name: 'i2h' }),
      state,
    )
    expect(net.inferShape({ x: [5, 2] })[1]).toEqual([[5, 3]])
  })

  it('knows dtypes, float32 where nothing is said', () => {
    expect(mlp().inferType({ data: 'float64' })).toEqual([
      ['float64', 'float64', 'float64', 'float64', 'float64'],
      ['float64'],
      [],
    ])
    expect(mlp().inferType()[1]).toEqual(['float32'])
    expect(sym.var('x', { dtype: 'int32' }).inferType()[0]).toEqual(['int32'])
  })

  it('lets shapes given to variables be read', () => {
    const x = sym.var('x', { shape: [2, 3] })
    expect(x.reshape([-1]).shape).toEqual([6])
    expect(x.dtype).toBe('float32')
    expect(() => sym.var('y').relu().shape).toThrow("mx.sym.var('y', { shape: […] })")
  })
})
