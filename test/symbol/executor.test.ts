/** Executors: symbols bound to arrays, run forward and backward. */

import * as mx from 'mxnet-ts'
import { describe, expect, it } from 'vitest'

const { nd, sym } = mx
const cpu = mx.cpu()

const net = () => {
  const fc = sym.fullyConnected(sym.var('data'), { numHidden: 2, name: 'fc' })
  return sym.activation(fc, { actType: 'tanh', name: 'act' })
}

describe('bind', () => {
  it('takes arrays in order or by name, and keeps them', async () => {
    const [x, w, b] = [
      nd.array([[1, 2]]),
      nd.array([
        [1, 0],
        [0, 1],
      ]),
      nd.array([0.5, -0.5]),
    ]
    const listed = net().bind(cpu, [x, w, b])
    const named = net().bind(cpu, { data: x, fc_weight: w, fc_bias: b })
    expect(await named.forward()[0]!.asArray()).toEqual(await listed.forward()[0]!.asArray())
    expect(listed.argDict.fc_weight).toBe(w)
    w.assign(0)
    const [out] = listed.forward()
    expect(await out!.asArray()).toEqual([
      [Math.fround(Math.tanh(0.5)), Math.fround(Math.tanh(-0.5))],
    ])
    expect(Object.keys(listed.outputDict)).toEqual(['act_output'])
  })

  it('computes gradients by how they are asked for', async () => {
    const x = nd.array([3])
    const grad = nd.array([10])
    const square = sym.var('x').square()
    const added = square.bind(cpu, { x }, { argsGrad: { x: grad }, gradReq: 'add' })
    added.forward(true)
    added.backward()
    expect(added.gradArrays[0]).toBe(grad)
    expect(await grad.asArray()).toEqual([16])
    added.forward(true)
    added.backward(nd.array([2]))
    expect(await grad.asArray()).toEqual([28])
    const none = square.bind(cpu, { x }, { gradReq: { x: 'null' } })
    none.forward(true)
    none.backward()
    expect(none.gradDict).toEqual({ x: null })
  })

  it('takes gradients of several outputs', async () => {
    const x = sym.var('x')
    const exec = sym.Group([x.mul(2), x.mul(3)]).bind(cpu, { x: nd.array([1]) })
    exec.forward(true)
    exec.backward([nd.array([10]), nd.array([100])])
    expect(await exec.gradDict.x!.asArray()).toEqual([320])
  })

  it('copies new values in, of the bound shape only', async () => {
    const exec = sym
      .var('x')
      .add(1)
      .bind(cpu, { x: nd.array([1, 2]) })
    expect(await exec.forward(false, { x: nd.array([5, 6]) })[0]!.asArray()).toEqual([6, 7])
    expect(() => exec.forward(false, { x: nd.array([1]) })).toThrow(
      'x has shape (1,), but (2,) was bound',
    )
    expect(() => exec.forward(false, { y: nd.array([1]) })).toThrow('there is no argument y')
  })

  it('refuses what does not fit', () => {
    expect(() => net().bind(cpu, [nd.ones([1, 2])])).toThrow('1 arrays are given for 3')
    expect(() => net().bind(cpu, { data: nd.ones([1, 2]) })).toThrow('fc_weight is undefined')
    expect(() => net().bind(cpu, { nothing: nd.ones([1]) })).toThrow('there is no nothing')
    const x = sym.var('x')
    expect(() => x.bind(cpu, { x: nd.ones([1]) }, { gradReq: 'all' as 'add' })).toThrow(
      "use 'write'",
    )
    expect(() =>
      x
        .square()
        .bind(cpu, { x: nd.ones([1]) })
        .backward(),
    ).toThrow('call forward(true)')
    const wrong = { argsGrad: [nd.ones([2])] }
    expect(() => x.bind(cpu, { x: nd.ones([1]) }, wrong)).toThrow('must have shape (1,)')
  })

  it('follows arrays that are trained', async () => {
    const exec = net().simpleBind(cpu, { data: [8, 3] })
    exec.argDict.data!.assign(nd.random.normal(0, 1, { shape: [8, 3] }))
    exec.argDict.fc_weight!.assign(nd.random.normal(0, 1, { shape: [2, 3] }))
    const norm = async () => Number(await exec.forward()[0]!.square().sum().asScalar())
    const before = await norm()
    for (let step = 0; step < 20; step++) {
      const [y] = exec.forward(true)
      exec.backward(y!.detach())
      for (const name of ['fc_weight', 'fc_bias'])
        exec.argDict[name]!.subAssign(exec.gradDict[name]!.mul(0.1))
    }
    expect(await norm()).toBeLessThan(before / 2)
  })
})

describe('simpleBind', () => {
  it('makes arrays of the shapes and dtypes that follow', () => {
    const exec = net().simpleBind(cpu, { data: [4, 3] }, { typeDict: { data: 'float64' } })
    expect(exec.argArrays.map((x) => `${x.dtype} ${x.shape}`)).toEqual([
      'float64 4,3',
      'float64 2,3',
      'float64 2',
    ])
    expect(exec.gradArrays.map((x) => x?.shape)).toEqual([[4, 3], [2, 3], [2]])
    expect(() => net().simpleBind(cpu, {})).toThrow('not all shapes follow')
    const named = net().simpleBind({ ctx: cpu, data: [4, 3], typeDict: { data: 'float64' } })
    expect(named.argArrays.map((x) => x.aval)).toEqual(exec.argArrays.map((x) => x.aval))
    const { argDict } = named
    expect(net().bind({ ctx: cpu, args: argDict, gradReq: 'null' }).gradArrays[0]).toBeNull()
    expect(() => net().simpleBind({ data: [4, 3] } as never)).toThrow('ctx is undefined')
  })

  it('takes parameters', async () => {
    const exec = net().simpleBind(cpu, { data: [1, 2] })
    exec.copyParamsFrom({ fc_weight: nd.ones([2, 2]).astype('float64') })
    expect(await exec.argDict.fc_weight!.asArray()).toEqual([
      [1, 1],
      [1, 1],
    ])
    expect(exec.argDict.fc_weight!.dtype).toBe('float32')
    expect(() => exec.copyParamsFrom({ x: nd.ones([1]) })).toThrow('there is no x')
    exec.copyParamsFrom({ x: nd.ones([1]) }, {}, { allowExtraParams: true })
  })
})

describe('reshape', () => {
  it('shares what keeps its shape', () => {
    const exec = net().simpleBind(cpu, { data: [4, 3] })
    const smaller = exec.reshape({ data: [2, 3] })
    expect(smaller.argDict.fc_weight).toBe(exec.argDict.fc_weight)
    expect(smaller.forward()[0]!.shape).toEqual([2, 2])
    expect(() => exec.reshape({ data: [8, 3] })).toThrow('set allowUpSizing')
    expect(exec.reshape({ data: [8, 3] }, { allowUpSizing: true }).forward()[0]!.shape).toEqual([
      8, 2,
    ])
    expect(() => exec.reshape({ data: [4, 2] })).toThrow('set partialShaping')
    expect(
      exec.reshape({ data: [4, 2] }, { partialShaping: true }).argDict.fc_weight!.shape,
    ).toEqual([2, 2])
  })
})

describe('monitors', () => {
  it('see every output', () => {
    const exec = net().simpleBind(cpu, { data: [1, 3] })
    const seen: string[] = []
    exec.setMonitorCallback((name, value) => seen.push(`${name} ${value.shape}`))
    exec.forward()
    expect(seen).toEqual(['fc_output 1,2', 'act_output 1,2'])
    exec.setMonitorCallback((name) => seen.push(name), true)
    exec.forward()
    expect(seen).toContain('fc_weight')
    exec.setMonitorCallback(null)
    exec.forward()
    expect(exec.debugStr()).toContain('outputs: act_output')
  })
})

describe('eval', () => {
  it('computes in predict mode', async () => {
    const x = sym.var('x')
    const dropped = sym.dropout(x, { p: 0.5 }).mul(2)
    expect(await dropped.eval({ x: nd.array([1, 2]) })[0]!.asArray()).toEqual([2, 4])
    expect(() => dropped.eval({})).toThrow('x is undefined: give an array for each of x')
    expect(await sym.ones([2]).eval({})[0]!.asArray()).toEqual([1, 1])
  })
})
