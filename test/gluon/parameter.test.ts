/** Parameters and dictionaries of them. */

import { cpu, DeferredInitializationError, gluon, init, MXNetError, nd } from 'mxnet-ts'
import { expect, test, vi } from 'vitest'

const { Constant, Parameter, ParameterDict } = gluon

test('initialized, read and written', () => {
  const p = new Parameter('w', { shape: [2] })
  expect(() => p.data()).toThrow(/w has not been initialized/)
  p.initialize({ init: new init.Constant(3) })
  expect(p.data().asArraySync()).toEqual([3, 3])
  expect(p.grad().asArraySync()).toEqual([0, 0])
  p.setData(nd.array([1, 2]))
  expect(p.data().asArraySync()).toEqual([1, 2])
  expect(() => p.setData(nd.zeros([3]))).toThrow(/w has shape \(2,\) and cannot become \(3,\)/)
  expect(p.listCtx()).toEqual([cpu()])
  expect(() => p.data(cpu(3))).toThrow(/w is not on cpu\(3\): it was initialized on cpu\(0\)/)
})

test('a shape that is not known yet is waited for', () => {
  expect(() => new Parameter('w', { shape: [2, null] }).initialize()).toThrow(/allowDeferredInit/)
  const p = new Parameter('w', { shape: [2, null], allowDeferredInit: true })
  p.initialize({ init: 'ones', ctx: [cpu(0), cpu(1)] })
  expect(() => p.data()).toThrow(DeferredInitializationError)
  expect(p.listCtx()).toEqual([cpu(0), cpu(1)])
  p.setData(
    nd.array([
      [1, 2, 3],
      [4, 5, 6],
    ]),
  )
  p.finishDeferredInit()
  expect(p.shape).toEqual([2, 3])
  expect(p.listData().map((x) => x.context)).toEqual([cpu(0), cpu(1)])
  expect(p.data(cpu(1)).asArraySync()).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ])
})

test('all contexts start with the same values', () => {
  const p = new Parameter('w', { shape: [4] })
  p.initialize({ ctx: [cpu(0), cpu(1)] })
  const [a, b] = p.listData()
  expect(a!.asArraySync()).toEqual(b!.asArraySync())
  p.data(cpu(0)).assign(1)
  p.data(cpu(1)).assign(3)
  p.resetCtx(cpu(0))
  expect(p.data().asArraySync()).toEqual([2, 2, 2, 2])
})

test('gradReq, cast and zeroGrad', () => {
  const p = new Parameter('w', { shape: [1] })
  p.initialize({ init: 'ones' })
  p.grad().assign(5)
  p.zeroGrad()
  expect(p.grad().asArraySync()).toEqual([0])
  p.gradReq = 'null'
  expect(() => p.grad()).toThrow(/w has no gradient/)
  p.gradReq = 'add'
  expect(p.grad().asArraySync()).toEqual([0])
  p.cast('float64')
  expect([p.data().dtype, p.grad().dtype, p.data().asArraySync()]).toEqual([
    'float64',
    'float64',
    [1],
  ])
  expect(new Parameter('m', { shape: [1], differentiable: false }).gradReq).toBe('null')
})

test('initializing twice only warns', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const p = new Parameter('w', { shape: [1] })
  p.initialize({ init: 'ones' })
  p.initialize({ init: 'zeros' })
  expect(warn).toHaveBeenCalledOnce()
  expect(p.data().asArraySync()).toEqual([1])
  p.initialize({ init: 'zeros', forceReinit: true })
  expect(p.data().asArraySync()).toEqual([0])
  warn.mockRestore()
})

test('an own initializer goes before the network’s', () => {
  const params = new ParameterDict('net_')
  params.get('a', { shape: [1], init: 'zeros' })
  params.get('b', { shape: [1] })
  params.getConstant('c', nd.array([7]))
  params.initialize('ones')
  expect([...params.values()].map((p) => p.data().asArraySync())).toEqual([[0], [1], [7]])
  expect(params.get('c')).toBeInstanceOf(Constant)
  expect(params.get('net_c')!.gradReq).toBe('null')
})

test('dictionaries merge what they know and refuse what differs', () => {
  const params = new ParameterDict('net_')
  const w = params.get('w', { shape: [2, 0], allowDeferredInit: true })
  expect(params.get('w', { shape: [0, 3] })).toBe(w)
  expect(w.shape).toEqual([2, 3])
  expect(() => params.get('w', { shape: [2, 4] })).toThrow(/net_w exists with shape/)
  expect(() => params.get('w', { dtype: 'float64' })).toThrow(/net_w exists with dtype float32/)
  expect(params.get('nothing')).toBeUndefined()
  expect([params.size, params.has('net_w'), [...params.keys()]]).toEqual([1, true, ['net_w']])
  params.setattr('lrMult', 0.1)
  expect(w.lrMult).toBe(0.1)
  expect(() => params.update(new Parameter('net_w'))).toThrow(MXNetError)
})
