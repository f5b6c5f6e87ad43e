/** Methods of arrays that are operators: the same as the functions. */

import { expect, it } from 'vitest'
import { nd } from '../../src/node.ts'

it('methods do what the functions do', () => {
  const x = nd.array([
    [3, 1, 2],
    [6, 5, 4],
  ])
  expect(x.sort().asArraySync()).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ])
  expect(x.argsort({ axis: 0, isAscend: false }).asArraySync()).toEqual([
    [1, 1, 1],
    [0, 0, 0],
  ])
  expect(x.topk({ k: 2, retTyp: 'value' }).asArraySync()).toEqual([
    [3, 2],
    [6, 5],
  ])
  expect(x.diag({ k: 1 }).asArraySync()).toEqual([1, 4])
  expect(x.pad({ mode: 'constant', padWidth: [0, 1, 0, 0] }).shape).toEqual([3, 3])
  expect(x.splitV2([1]).map((p) => p.shape)).toEqual([
    [1, 3],
    [1, 3],
  ])
  expect(x.shapeArray().asArraySync()).toEqual([2n, 3n])
  expect(x.sizeArray().asArraySync()).toEqual([6n])
  const image = nd.arange(8).reshape([1, 4, 1, 2])
  expect(image.depthToSpace(2).spaceToDepth(2).asArraySync()).toEqual(image.asArraySync())
})
