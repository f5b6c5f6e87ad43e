/** The operator table: one row for each registered operator. */

import { binaryRows } from './binary.ts'
import { contribRows } from './contrib.ts'
import { creationRows } from './creation.ts'
import { denseRows } from './dense.ts'
import { detectorRows } from './detectors.ts'
import { imageRows } from './image.ts'
import { indexingRows } from './indexing.ts'
import { linalgRows } from './linalg.ts'
import { movementRows } from './movement.ts'
import { multiUpdateRows } from './multiUpdate.ts'
import { networkRows } from './network.ts'
import { normalizationRows } from './normalization.ts'
import { placesRows } from './places.ts'
import { quantizedRows } from './quantized.ts'
import { recurrentRows } from './recurrent.ts'
import { reduceRows } from './reduce.ts'
import type { Row } from './row.ts'
import { sampleRows } from './samples.ts'
import { sequenceRows } from './sequence.ts'
import { singleUpdateRows } from './singleUpdate.ts'
import { sortingRows } from './sorting.ts'
import { spatialRows } from './spatial.ts'
import { unaryRows } from './unary.ts'
import { updateRows } from './update.ts'
import { windowRows } from './windows.ts'

export const rows: readonly Row[] = [
  ...unaryRows,
  ...binaryRows,
  ...movementRows,
  ...reduceRows,
  ...indexingRows,
  ...denseRows,
  ...creationRows,
  ...updateRows,
  ...sortingRows,
  ...contribRows,
  ...spatialRows,
  ...imageRows,
  ...sampleRows,
  ...sequenceRows,
  ...placesRows,
  ...linalgRows,
  ...windowRows,
  ...singleUpdateRows,
  ...multiUpdateRows,
  ...normalizationRows,
  ...networkRows,
  ...recurrentRows,
  ...quantizedRows,
  ...detectorRows,
]
