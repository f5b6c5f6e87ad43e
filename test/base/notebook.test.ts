/** What arrays, networks and metrics show in notebooks, and how it reaches the kernels. */

import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { jupyterDisplay, showBundle } from '../../src/base/notebook.ts'
import { autograd, gluon, metric, nd } from '../../src/node.ts'

const html = async (value: { [jupyterDisplay](): unknown }): Promise<string> =>
  ((await value[jupyterDisplay]()) as { 'text/html': string })['text/html']
const cells = (table: string): string[] =>
  [...table.matchAll(/<td>([^<]*)<\/td>/g)].map((match) => match[1]!)

describe('arrays', () => {
  it('show a table of their elements with shape, dtype and context', async () => {
    const table = await html(
      nd.array([
        [1, 2.5],
        [-3, 1 / 3],
      ]),
    )
    expect(table).toContain('<caption>NDArray (2, 2) float32 @cpu(0)</caption>')
    expect(cells(table)).toEqual(['1', '2.5', '-3', '0.333333'])
  })

  it('show the edges of long axes', async () => {
    const table = await html(nd.arange(20_000).reshape([100, 200]))
    expect(table.length).toBeLessThan(4000)
    expect(cells(table).slice(0, 11)).toEqual([
      '0',
      '1',
      '2',
      '3',
      '4',
      '…',
      '195',
      '196',
      '197',
      '198',
      '199',
    ])
    expect(cells(table).at(-1)).toBe('19999')
    expect(table).toContain('<tr><th>…</th></tr>')
  })

  it('show scalars, empty arrays, and the first matrix of many axes', async () => {
    expect(cells(await html(nd.array(2.5)))).toEqual(['2.5'])
    expect(cells(await html(nd.zeros([0, 3])))).toEqual([])
    expect(cells(await html(nd.array([true, false])))).toEqual(['true', 'false'])
    const deep = await html(nd.arange(24).reshape([2, 3, 4]))
    expect(deep).toContain('NDArray (2, 3, 4) float32 @cpu(0), shown at [0]')
    expect(cells(deep)).toHaveLength(12)
  })

  it('show themselves without joining the tape', async () => {
    const x = nd.ones([3])
    x.attachGrad()
    const y = autograd.record(() => {
      void x[jupyterDisplay]()
      return x.mul(2)
    })
    y.backward()
    expect(await x.grad!.asArray()).toEqual([2, 2, 2])
  })
})

describe('networks and metrics', () => {
  it('show a tree with numbers of parameters', async () => {
    const net = new gluon.nn.Sequential()
    net.add(new gluon.nn.Dense(64, { activation: 'relu', inUnits: 784 }), new gluon.nn.Dense(10))
    expect(await html(net)).toContain('(0) <code>Dense(784 -&#62; 64, Activation(relu))</code>')
    expect(await html(net)).toContain('50,240 parameters')
    expect(await html(net)).toContain('parameters of unknown shape')
  })

  it('show names and values', async () => {
    const acc = new metric.Accuracy()
    acc.update(
      nd.array([1, 0]),
      nd.array([
        [0, 1],
        [0, 1],
      ]),
    )
    expect(await html(acc)).toBe('<table><tr><th>accuracy</th><td>0.5</td></tr></table>')
  })
})

describe('kernels', () => {
  const host = globalThis as { __tslab__?: unknown; Deno?: unknown }
  afterEach(() => {
    delete host.__tslab__
    delete host.Deno
  })

  it('leave console.log alone outside of notebooks', () => {
    expect(inspect(nd.array([1, 2]))).toBe('\n[1. 2.]\n<NDArray 2 @cpu(0)>')
    expect(inspect(new metric.Accuracy())).toBe('EvalMetric: accuracy')
  })

  it('of tslab get the rich form where a cell prints its last value', async () => {
    const shown: [string, string][] = []
    const raw = (mime: string, text: string): unknown => shown.push([mime, text])
    host.__tslab__ = { require: () => ({ display: { raw } }) }
    const x = nd.array([1, 2])
    expect(inspect(x)).toBe('<NDArray 2 @cpu(0)>')
    expect(shown).toEqual([['text/html', await html(x)]])
    expect(inspect([x])).toContain('[1. 2.]')
    expect(shown).toHaveLength(1)
    await showBundle(await new metric.Accuracy()[jupyterDisplay]())
    expect(shown[1]![1]).toContain('accuracy')
    expect(await showBundle({ 'image/svg+xml': '<svg/>', 'text/html': '' })).toBe(true)
    expect(shown[2]).toEqual(['image/svg+xml', '<svg/>'])
  })

  it('of tslab get what takes time in its place, later', async () => {
    const places: string[][] = []
    const newDisplay = () => {
      const own: string[] = []
      places.push(own)
      return { raw: (mime: string, text: string) => own.push(`${mime} ${text.slice(0, 30)}`) }
    }
    host.__tslab__ = { require: () => ({ newDisplay }) }
    const acc = new metric.Accuracy()
    acc.update(nd.array([1]), nd.array([[0, 1]]))
    expect(inspect(acc)).toBe('EvalMetric: accuracy')
    expect(places).toEqual([['text/plain …']])
    await expect.poll(() => places[0], { timeout: 20_000 }).toHaveLength(2)
    expect(places[0]![1]).toBe('text/html <table><tr><th>accuracy</th><t')
    const failing = new metric.Accuracy()
    failing.get = () => Promise.reject(new Error('lost'))
    inspect(failing)
    await expect
      .poll(() => places[1], { timeout: 20_000 })
      .toEqual(['text/plain …', 'text/plain Error: lost'])
  })

  it('of Deno get the whole bundle', async () => {
    const shown: unknown[] = []
    host.Deno = { jupyter: { display: async (bundle: unknown) => shown.push(bundle) } }
    const net = new gluon.nn.Dense(2)
    await showBundle(net[jupyterDisplay]())
    expect(shown).toEqual([net[jupyterDisplay]()])
  })
})
