/** `mx.testUtils`: what tests of one's own operators and layers need. */

export {
  assertException,
  type Checked,
  type ConsistencyOptions,
  checkConsistency,
  checkNumericGradient,
  defaultContext,
  type NumericOptions,
  type Setting,
} from './check.ts'
export {
  type RandOptions,
  randNdarray,
  randShape2d,
  randShape3d,
  randShapeNd,
} from './random.ts'
export {
  type AssertOptions,
  almostEqual,
  assertAlmostEqual,
  type Comparable,
  same,
  sameArray,
  type Tolerances,
} from './values.ts'
