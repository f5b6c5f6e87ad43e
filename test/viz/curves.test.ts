/** Learning curves: every number is where it belongs, whatever the numbers are. */

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jupyterDisplay } from '../../src/base/notebook.ts'
import { plotCurves } from '../../src/viz/curves.ts'

/** The points of each curve, in the picture's coordinates. */
const curves = (svg: string): [number, number][][] =>
  [...svg.matchAll(/d="(M[^"]*)" fill="none"/g)].map(([, d]) =>
    [...d!.matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]),
  )

describe('plotCurves', () => {
  it('draws larger numbers higher, on one scale', () => {
    const [loss, accuracy] = curves(plotCurves({ loss: [2, 1, 0.5], accuracy: [0.5, 1, 2] }).svg)
    expect(loss!.map(([, y]) => y)).toEqual(accuracy!.map(([, y]) => y).reverse())
    expect(loss![0]![1]).toBeLessThan(loss![2]![1])
    expect(loss!.map(([x]) => x)).toEqual(accuracy!.map(([x]) => x))
  })

  it('keeps any finite numbers inside of the frame', () => {
    const numbers = fc.array(fc.double({ noNaN: false, min: -1e30, max: 1e30 }), { minLength: 1 })
    fc.assert(
      fc.property(numbers, (list) => {
        const { svg } = plotCurves({ list }, { width: 400, height: 300 })
        expect(svg).not.toContain('NaN')
        const points = curves(svg).flat()
        expect(points).toHaveLength(list.filter(Number.isFinite).length)
        for (const [x, y] of points) {
          expect(x >= 56 && x <= 384 && y >= 31.9 && y <= 236.1).toBe(true)
        }
      }),
    )
  })

  it('names its curves, saves itself and shows itself', async () => {
    const picture = plotCurves({ 'a<b': [1, 2] }, { title: 'Two & two', xLabel: 'step' })
    expect(picture.svg).toContain('>a&#60;b</text>')
    expect(picture.svg).toContain('>Two &#38; two</text>')
    expect((await picture[jupyterDisplay]())['image/svg+xml']).toBe(picture.svg)
    const folder = await mkdtemp(join(tmpdir(), 'curves-'))
    await picture.save(join(folder, 'c.svg'))
    expect(await readFile(join(folder, 'c.svg'), 'utf8')).toBe(picture.svg)
    await rm(folder, { recursive: true })
  })

  it('says what is wrong', () => {
    expect(() => plotCurves({})).toThrow('[plotCurves] no series given')
    expect(() => plotCurves({ a: 'x' as never })).toThrow(
      '[plotCurves] a must be a list of numbers',
    )
  })
})
