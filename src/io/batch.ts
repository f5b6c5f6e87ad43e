/** What iterators hand out, and what they say of it beforehand. */

import type { DType } from '../base/dtype.ts'
import { fail } from '../base/error.ts'
import { checkOptions } from '../base/options.ts'
import { formatShape, type Shape } from '../base/shape.ts'
import type { NDArray } from '../ndarray/ndarray.ts'

/** Options of a `DataDesc`. */
export interface DataDescOptions {
  /** 'float32' by default. */
  readonly dtype?: DType
  /** A letter an axis, 'N' for that of the batch; 'NCHW' by default. */
  readonly layout?: string
}

/**
 * Name, shape, dtype and layout of one array of a batch.
 * @example
 * String(new io.DataDesc('data', [32, 784])) // => 'DataDesc[data,(32, 784),float32,NCHW]'
 * @see MXNet `mx.io.DataDesc`
 */
export class DataDesc {
  readonly name: string
  readonly shape: Shape
  readonly dtype: DType
  readonly layout: string

  constructor(name: string, shape: Shape, options: DataDescOptions = {}) {
    const { dtype = 'float32', layout = 'NCHW' } = checkOptions('DataDesc', options, [
      'dtype',
      'layout',
    ])
    this.name = name
    this.shape = shape
    this.dtype = dtype
    this.layout = layout
  }

  /** The axis of the batch in a layout: where its 'N' is; 0 without a layout. @see MXNet `DataDesc.get_batch_axis` */
  static getBatchAxis(layout: string | null): number {
    return layout === null ? 0 : layout.indexOf('N')
  }

  /** Descriptions from pairs of name and shape, with dtypes from pairs of name and dtype. @see MXNet `DataDesc.get_list` */
  static getList(
    shapes: readonly (readonly [name: string, shape: Shape])[],
    types: readonly (readonly [name: string, dtype: DType])[] | null = null,
  ): DataDesc[] {
    const dtypes = new Map(types)
    return shapes.map(([name, shape]) => {
      const dtype = dtypes.get(name)
      return new DataDesc(name, shape, dtype === undefined ? {} : { dtype })
    })
  }

  toString(): string {
    return `DataDesc[${this.name},${formatShape(this.shape)},${this.dtype},${this.layout}]`
  }
}

/** What a batch may say besides its data. */
export interface DataBatchOptions {
  /** The labels, one array a name. */
  readonly label?: readonly NDArray[] | null
  /** How many rows at the end only fill the batch up. */
  readonly pad?: number | null
  /** The numbers of the samples. */
  readonly index?: readonly number[] | null
  /** Which of several networks the batch is for. */
  readonly bucketKey?: unknown
  readonly provideData?: readonly DataDesc[] | null
  readonly provideLabel?: readonly DataDesc[] | null
}

/**
 * A batch: arrays of data and of labels, and how many of its rows only fill it up.
 * @throws MXNetError when data or labels are no lists.
 * @example
 * new io.DataBatch([nd.zeros([2, 3])], { label: [nd.zeros([2])] }).data[0].shape // => [2, 3]
 * @see MXNet `mx.io.DataBatch`
 */
export class DataBatch {
  readonly data: readonly NDArray[]
  readonly label: readonly NDArray[] | null
  readonly pad: number | null
  readonly index: readonly number[] | null
  readonly bucketKey: unknown
  readonly provideData: readonly DataDesc[] | null
  readonly provideLabel: readonly DataDesc[] | null

  constructor(
    data: readonly NDArray[],
    label?: readonly NDArray[] | null | DataBatchOptions,
    options?: DataBatchOptions,
  ) {
    const apart = label === undefined || label === null || Array.isArray(label)
    const all: DataBatchOptions = apart
      ? { label: label as readonly NDArray[] | null, ...options }
      : (label as DataBatchOptions)
    checkOptions('DataBatch', all, [
      'label',
      'pad',
      'index',
      'bucketKey',
      'provideData',
      'provideLabel',
    ])
    for (const [what, list] of [['data', data] as const, ['label', all.label ?? []] as const])
      if (!Array.isArray(list)) fail('DataBatch', `${what} is no list: give a list of arrays`)
    this.data = data
    this.label = all.label ?? null
    this.pad = all.pad ?? null
    this.index = all.index ?? null
    this.bucketKey = all.bucketKey ?? null
    this.provideData = all.provideData ?? null
    this.provideLabel = all.provideLabel ?? null
  }

  toString(): string {
    const shapes = (list: readonly NDArray[] | null): string =>
      `[${(list ?? []).map((x) => formatShape(x.shape)).join(', ')}]`
    return `DataBatch: data shapes: ${shapes(this.data)} label shapes: ${shapes(this.label)}`
  }
}
