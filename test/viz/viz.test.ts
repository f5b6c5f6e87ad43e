/** Pictures and tables of networks. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as mx from 'mxnet-ts'
import { afterAll, describe, expect, it } from 'vitest'
import { goldenPath } from '../golden/npy.ts'

const { sym, viz } = mx
const folder = mkdtempSync(join(tmpdir(), 'viz-'))
afterAll(() => rmSync(folder, { recursive: true }))

const load = (name: string) =>
  sym.loadJSON(readFileSync(goldenPath(`mxnet-nets/${name}/net-symbol.json`), 'utf8'))
const mlp = load('mlp')

describe('plotNetwork', () => {
  it('draws what MXNet draws', () => {
    const { source } = viz.plotNetwork(mlp, { title: 'mlp', shape: { data: [1, 784] } })
    expect(source).toMatchInlineSnapshot(`
      "digraph mlp {
      	node [fontname="Helvetica,Arial,sans-serif" margin="0.15,0.06"]
      	edge [fontname="Helvetica,Arial,sans-serif" fontsize=12]
      	data [label=data fillcolor="#8dd3c7" shape=oval fixedsize=false height=0.8034 style=filled width=1.3]
      	mlp_dense0_fwd [label="FullyConnected\\n64" fillcolor="#fb8072" shape=box fixedsize=false height=0.8034 style=filled width=1.3]
      	mlp_dense0_relu_fwd [label="Activation\\nrelu" fillcolor="#ffffb3" shape=box fixedsize=false height=0.8034 style=filled width=1.3]
      	mlp_dense1_fwd [label="FullyConnected\\n64" fillcolor="#fb8072" shape=box fixedsize=false height=0.8034 style=filled width=1.3]
      	mlp_dense1_relu_fwd [label="Activation\\nrelu" fillcolor="#ffffb3" shape=box fixedsize=false height=0.8034 style=filled width=1.3]
      	mlp_dense2_fwd [label="FullyConnected\\n10" fillcolor="#fb8072" shape=box fixedsize=false height=0.8034 style=filled width=1.3]
      	mlp_dense0_fwd -> data [arrowtail=open dir=back label=784]
      	mlp_dense0_relu_fwd -> mlp_dense0_fwd [arrowtail=open dir=back label=64]
      	mlp_dense1_fwd -> mlp_dense0_relu_fwd [arrowtail=open dir=back label=64]
      	mlp_dense1_relu_fwd -> mlp_dense1_fwd [arrowtail=open dir=back label=64]
      	mlp_dense2_fwd -> mlp_dense1_relu_fwd [arrowtail=open dir=back label=64]
      }
      "
    `)
  })

  it('labels layers with windows by their attributes', () => {
    const { source } = viz.plotNetwork(load('lenet_bn'), { shape: { data: [2, 1, 28, 28] } })
    expect(source).toContain('label="Convolution\\n5x5/1x1, 6" fillcolor="#fb8072"')
    expect(source).toContain('label="Pooling\\nmax, 2x2/2x2" fillcolor="#80b1d3"')
    expect(source).toContain('label=lenet_batchnorm0_fwd fillcolor="#bebada"')
    expect(source).toContain('label=lenet_flatten0_flatten0 fillcolor="#fdb462"')
    expect(source).toContain('lenet_conv0_fwd -> data [arrowtail=open dir=back label="1x28x28"]')
    expect(source).toContain('label="6x14x14"')
  })

  it('shows weights when asked to, dtypes too, and takes other attributes', () => {
    expect(viz.plotNetwork(mlp).source).not.toContain('weight')
    const { source } = viz.plotNetwork(mlp, {
      hideWeights: false,
      dtype: { data: 'float32' },
      nodeAttrs: { shape: 'circle', fixedsize: 'true' },
    })
    expect(source).toContain('mlp_dense0_fwd -> mlp_dense0_weight')
    expect(source).toContain('label="(float32)"')
    expect(source).toContain('shape=circle fixedsize=true')
  })

  it('keeps nodes of one name apart', () => {
    const x = sym.var('x')
    const twice = sym.fullyConnected(sym.fullyConnected(x, { numHidden: 1, name: 'a' }), {
      numHidden: 2,
      name: 'a',
    })
    expect(viz.plotNetwork(twice).source).toContain('"a#2" -> a [')
  })

  it('writes any name', async () => {
    const odd = sym.fullyConnected(sym.var('in "x" \\ <b>'), { numHidden: 1, name: 'graph' })
    const svg = await viz.plotNetwork(odd).svg()
    expect(svg).toContain('in &quot;x&quot; \\ &lt;b&gt;')
  })

  it('refuses what it cannot draw', () => {
    expect(() => viz.plotNetwork(mx.nd.ones([1]) as never)).toThrow('is not a symbol')
    expect(() => viz.plotNetwork(mlp, { shape: { x: [1] } })).toThrow('there is no input x')
    expect(() => viz.plotNetwork(mlp, { shape: {} })).toThrow('does not follow')
    expect(() => viz.plotNetwork(mlp, { saveFormat: 'pdf' as 'svg' })).toThrow("use 'svg'")
  })

  it('becomes SVG and PNG, in files and notebooks', async () => {
    const picture = viz.plotNetwork(mlp, { shape: { data: [1, 784] } })
    const svg = await picture.svg()
    expect(svg).toContain('<svg')
    expect(svg.match(/class="node"/g)).toHaveLength(6)
    expect(svg.match(/class="edge"/g)).toHaveLength(5)
    for (const [file, start] of [
      ['net.svg', '<?xml'],
      ['net.dot', 'digraph'],
      ['net.png', '\x89PNG'],
    ] as const) {
      const place = await picture.save(join(folder, file))
      expect(readFileSync(place, 'latin1').startsWith(start)).toBe(true)
    }
    expect(await picture.save(join(folder, 'bare'))).toBe(join(folder, 'bare.svg'))
    await expect(picture.save(join(folder, 'net.bmp'))).rejects.toThrow('not written as .bmp')
    const shown = picture as unknown as Record<symbol, () => Promise<Record<string, string>>>
    const element = svg.slice(svg.indexOf('<svg'))
    expect((await shown[Symbol.for('Jupyter.display')]!())['image/svg+xml']).toBe(element)
  })

  it('draws 200 nodes within a second or so, each wide enough for its name', async () => {
    let y = sym.var('data')
    for (let i = 0; i < 100; i++) {
      const name = `resnetv10_stage${i}_unit1_dense${i}_fwd`
      const dense = sym.fullyConnected(y, { numHidden: 8, name })
      y = i > 0 ? sym.elemwiseAdd(dense, y, { name: `resnetv10_stage${i}_unit1_plus${i}` }) : dense
    }
    const svg = await viz.plotNetwork(y, { shape: { data: [1, 8] } }).svg()
    expect(svg.match(/class="node"/g)).toHaveLength(200)
  })
})

describe('printSummary', () => {
  it("is MXNet's table", () => {
    expect(
      viz.summaryTable(mlp, { shape: { data: [1, 784] }, lineLength: 90 }),
    ).toMatchInlineSnapshot(`
      "__________________________________________________________________________________________
      Layer (type)                           Output Shape      Param #  Previous Layer          
      ==========================================================================================
      data(null)                             784               0                                
      __________________________________________________________________________________________
      mlp_dense0_fwd(FullyConnected)         64                50240    data                    
      __________________________________________________________________________________________
      mlp_dense0_relu_fwd(Activation)        64                0        mlp_dense0_fwd          
      __________________________________________________________________________________________
      mlp_dense1_fwd(FullyConnected)         64                4160     mlp_dense0_relu_fwd     
      __________________________________________________________________________________________
      mlp_dense1_relu_fwd(Activation)        64                0        mlp_dense1_fwd          
      __________________________________________________________________________________________
      mlp_dense2_fwd(FullyConnected)         10                650      mlp_dense1_relu_fwd     
      ==========================================================================================
      Total params: 55050
      __________________________________________________________________________________________"
    `)
  })

  it('counts shared parameters once, and not states', () => {
    const table = viz.summaryTable(load('lenet_bn'), { shape: { data: [2, 1, 28, 28] } })
    expect(table).toContain(
      'lenet_batchnorm0_fwd(BatchNorm)                     6x28x28                 12',
    )
    expect(table).toContain(`Total params: ${156 + 12 + 1812 + 24 + 9632 + 330}`)
  })

  it('works without shapes', () => {
    expect(viz.summaryTable(mlp)).toContain('mlp_dense0_fwd(FullyConnected)')
    expect(viz.summaryTable(mlp)).toContain('Total params: not known without shapes')
    expect(() => viz.printSummary(1 as never)).toThrow('is not a symbol')
  })
})
