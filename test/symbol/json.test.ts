/** symbol.json: MXNet's text character by character, files of older versions, and damaged ones. */

import { existsSync, readFileSync } from 'node:fs'
import * as mx from 'mxnet-ts'
import { describe, expect, it } from 'vitest'
import { goldenPath } from '../golden/npy.ts'

const { sym } = mx
const golden = readFileSync(goldenPath('mxnet-nets/mlp/net-symbol.json'), 'utf8')

describe('files of MXNet 1.9.1', () => {
  it.each(['mlp', 'lenet_bn'])('%s: read and written again to the letter', (name) => {
    const text = readFileSync(goldenPath(`mxnet-nets/${name}/net-symbol.json`), 'utf8')
    expect(sym.loadJSON(text).toJSON()).toBe(text)
  })

  it('give shapes', () => {
    const net = sym.loadJSON(golden)
    expect(net.inferShape({ data: [4, 784] })[1]).toEqual([[4, 10]])
    expect(net.inferShape({ data: [4, 784] })[0]![1]).toEqual([64, 784])
    expect(net.getInternals().listOutputs()[4]).toBe('mlp_dense0_relu_fwd_output')
  })

  it('keep what only tunes devices, and annotations', () => {
    const tuned = golden.replace('"flatten": "True"', '"flatten": "True", "workspace": "1024"')
    const text = sym.loadJSON(tuned).toJSON()
    expect(text).toContain('"workspace": "1024"')
  })

  it('keep texts as they were written', () => {
    const spaced = golden.replace('"num_hidden": "64"', '"num_hidden": " 64L"')
    const net = sym.loadJSON(spaced)
    expect(net.inferShape({ data: [1, 784] })[1]).toEqual([[1, 10]])
    expect(net.toJSON()).toContain('" 64L"')
  })
})

const fixture = '/work/shared/golden/mxnet-fixtures/save_000800.json'
const missing = 'the folder of fixtures is not here'

describe.skipIf(!existsSync(fixture))(`a file of MXNet 0.8 (skipped where ${missing})`, () => {
  const old = existsSync(fixture) ? sym.loadJSON(readFileSync(fixture, 'utf8')) : sym.var('x')

  it('has the annotations of today', () => {
    const attrs = old.attrDict()
    expect(attrs.data).toMatchObject({ __ctx_group__: 'stage1', __lr_mult__: '0.2' })
    expect(attrs.fc1_weight).toMatchObject({ __ctx_group__: 'stage1', __lr_mult__: '1.2' })
    expect(attrs.fc1).toMatchObject({ __wd_mult__: '0.3', num_hidden: '128' })
    expect(attrs.fc2_bias).toMatchObject({ __ctx_group__: 'stage2', __lr_mult__: '0.01' })
    expect(attrs.softmax).toMatchObject({ __ctx_group__: 'stage2', grad_scale: '1' })
  })

  it('has the states that the file leaves out', () => {
    expect(old.listAuxiliaryStates()).toEqual(['batchnorm0_moving_mean', 'batchnorm0_moving_var'])
    expect(old.listArguments()).toEqual([
      'data',
      'fc1_weight',
      'fc1_bias',
      'fc2_weight',
      'fc2_bias',
      'fc3_weight',
      'fc3_bias',
      'batchnorm0_gamma',
      'batchnorm0_beta',
      'softmax_label',
    ])
    expect(old.attrDict().batchnorm0_moving_var!.__init__).toBe('["one", {}]')
  })

  it('gives shapes', () => {
    const [args, outs, aux] = old.inferShape({ data: [2, 200] })
    expect(args![1]).toEqual([128, 200])
    expect(outs).toEqual([[2, 10]])
    expect(aux).toEqual([[10], [10]])
  })
})

/** The file with one thing changed. */
const changed = (
  change: (file: { nodes: Record<string, unknown>[]; [key: string]: unknown }) => void,
) => {
  const file = JSON.parse(golden) as { nodes: Record<string, unknown>[] }
  change(file)
  return () => sym.loadJSON(JSON.stringify(file))
}

describe('damaged files', () => {
  it('that are no symbol', () => {
    expect(() => sym.loadJSON('{')).toThrow('[loadJSON] this is not JSON')
    for (const text of ['[]', '1', 'null', '{}', '{"nodes": [], "heads": 1}'])
      expect(() => sym.loadJSON(text)).toThrow('this is no symbol')
    expect(() => sym.loadJSON('{"nodes": [], "heads": []}')).toThrow('no heads')
    expect(() => sym.loadJSON(5 as never)).toThrow('number is not the text')
  })

  it('that read what is not there', () => {
    const read = (inputs: unknown) => changed((f) => Object.assign(f.nodes[3]!, { inputs }))
    expect(read([[3, 0, 0]])).toThrow('reads node 3, which does not come before it')
    expect(
      read([
        [0, 1, 0],
        [1, 0, 0],
        [2, 0, 0],
      ]),
    ).toThrow('output 1 of data is read')
    expect(read([[0, 0, 0]])).toThrow('mlp_dense0_fwd has 1 inputs: FullyConnected takes 2 to 3')
    expect(read([[-1, 0]])).toThrow('it must be [node, output, version]')
    expect(read('x')).toThrow('mlp_dense0_fwd has no list of inputs')
    expect(changed((f) => Object.assign(f, { heads: [[99, 0, 0]] }))).toThrow(
      'a head reads node 99',
    )
  })

  it('with operators or attributes that are not known', () => {
    expect(changed((f) => Object.assign(f.nodes[3]!, { op: 'Nothing' }))).toThrow(
      'operator Nothing of mlp_dense0_fwd is not known here',
    )
    expect(changed((f) => Object.assign(f.nodes[4]!, { attrs: { act_type: 'x' } }))).toThrow(
      "act_type of Activation is 'x': it must be one of",
    )
    expect(changed((f) => Object.assign(f.nodes[4]!, { attrs: { kernel: '(1,)' } }))).toThrow(
      'Activation has no attribute kernel: it has act_type',
    )
    expect(changed((f) => Object.assign(f.nodes[4]!, { attrs: { act_type: 1 } }))).toThrow(
      'attribute act_type of mlp_dense0_relu_fwd is no text',
    )
    expect(
      changed((f) =>
        Object.assign(f.nodes[4]!, {
          subgraphs: [{ nodes: f.nodes.slice(0, 1), heads: [[0, 0, 0]] }],
        }),
      ),
    ).toThrow('has graphs of its own, which only loops and branches have')
  })
})
