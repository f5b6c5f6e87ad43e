/** The loss of label sequences that are not aligned with their predictions: connectionist temporal classification. */

import { fail } from '../../base/error.ts'
import type { Tensor } from '../../core/tensor.ts'
import { ctcLoss } from '../../ops/ctc.ts'
import { swapaxes } from '../../ops/movement.ts'
import { Loss, type LossOptions } from './loss.ts'

/** Options of `CTCLoss`. */
export interface CTCOptions extends Omit<LossOptions, 'batchAxis'> {
  /** The order of the predictions' axes: N samples, T times, C classes; 'NTC' by default. */
  readonly layout?: 'NTC' | 'TNC'
  /** The order of the labels' axes; 'NT' by default. */
  readonly labelLayout?: 'NT' | 'TN'
}

export interface CTCLoss {
  /** The loss of each sample; lengths say how much of each prediction and label counts. */
  <T extends Tensor>(
    pred: T,
    label: T,
    predLengths?: T | null,
    labelLengths?: T | null,
    sampleWeight?: T | null,
  ): T
}

/**
 * Connectionist temporal classification (Graves et al., 2006): the negative log-likelihood of a label sequence over all its
 * alignments; `(N, T, C), (N, L) -> (N,)`.
 *
 * Predictions are not yet a softmax; the last class is the blank, and labels are filled up with -1 unless lengths are given.
 * @throws MXNetError for unknown layouts.
 * @example
 * const ctc = new gluon.loss.CTCLoss()
 * ctc(nd.zeros([2, 20, 4]), nd.array([[1, 0, -1], [2, 1, 1]])).shape // => [2]
 * @see MXNet `gluon.loss.CTCLoss`
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface holds only the call signature
export class CTCLoss extends Loss {
  readonly #layout: 'NTC' | 'TNC'
  readonly #labelLayout: 'NT' | 'TN'

  constructor(options: CTCOptions = {}) {
    const { layout = 'NTC', labelLayout = 'NT', ...others } = options
    if (layout !== 'NTC' && layout !== 'TNC')
      fail('CTCLoss', `layout is '${String(layout)}': use 'NTC' or 'TNC'`)
    if (labelLayout !== 'NT' && labelLayout !== 'TN')
      fail('CTCLoss', `labelLayout is '${String(labelLayout)}': use 'NT' or 'TN'`)
    super({ ...others, batchAxis: labelLayout.indexOf('N') })
    this.#layout = layout
    this.#labelLayout = labelLayout
  }

  override forward(
    pred: Tensor,
    label: Tensor,
    predLengths?: Tensor | null,
    labelLengths?: Tensor | null,
    sampleWeight?: Tensor | null,
  ): Tensor {
    const data = this.#layout === 'NTC' ? swapaxes(pred, 0, 1) : pred
    const labels = this.#labelLayout === 'TN' ? swapaxes(label, 0, 1) : label
    const loss = ctcLoss(data, labels, predLengths, labelLengths, { blankLabel: 'last' })
    return this.weighed(loss, sampleWeight)
  }
}
