/** Networks on sentences, as blocks and as the files that MXNet 1.9.1 exports. */

import * as mx from 'mxnet-ts'
import { type Line, parameter } from '../../symbol/file.ts'
import { dense } from './attributes.ts'

const { gluon, nd } = mx
const { nn, rnn } = gluon
type Tensor = mx.Tensor

/** Words read by a layer in both directions; steps beyond a sentence's length give 0. */
export class Reader extends gluon.HybridBlock {
  readonly embedding: InstanceType<typeof nn.Embedding>
  readonly lstm: InstanceType<typeof rnn.LSTM>
  readonly head: InstanceType<typeof nn.Dense>
  constructor() {
    super({ prefix: 'read_' })
    const [embedding, lstm, head] = this.nameScope(
      () =>
        [
          new nn.Embedding(12, 5),
          new rnn.LSTM(4, { numLayers: 2, bidirectional: true, layout: 'NTC', dropout: 0.2 }),
          new nn.Dense(3, { flatten: false }),
        ] as const,
    )
    this.embedding = embedding
    this.lstm = lstm
    this.head = head
  }
  override forward(words: Tensor, lengths: Tensor): Tensor {
    const steps = this.lstm(this.embedding(words))
    const kept = nd.sequenceMask(steps, lengths, { useSequenceLength: true, axis: 1 })
    return this.head(kept)
  }
}
const cells = ['l0', 'r0', 'l1', 'r1']
const gates = (kind: 'weight' | 'bias') =>
  cells.flatMap((cell) => ['i2h', 'h2h'].map((gate) => `${cell}_${gate}_${kind}`))
const packed = [...gates('weight'), ...gates('bias')]
const shapeOf = (name: string): string => {
  if (name.endsWith('bias')) return '(16,)'
  if (name.includes('h2h')) return '(16, 4)'
  return name[1] === '0' ? '(16, 0)' : '(16, 8)'
}
const lstm = 'read_lstm0_'
export const readerFile: Line[] = [
  ['null', 'data0'],
  parameter('read_embedding0_weight', '(12, 5)'),
  [
    'Embedding',
    'read_embedding0_fwd',
    { dtype: 'float32', input_dim: '12', output_dim: '5', sparse_grad: 'False' },
    'data0 read_embedding0_weight',
  ],
  ['SwapAxis', `${lstm}swapaxes0`, { dim1: '0', dim2: '1' }, 'read_embedding0_fwd'],
  ...packed.flatMap((name, i): Line[] => [
    parameter(lstm + name, shapeOf(name), name.endsWith('bias') ? 'zeros' : undefined),
    ['Reshape', `${lstm}reshape${i}`, { shape: '-1' }, lstm + name],
  ]),
  [
    '_rnn_param_concat',
    `${lstm}_rnn_param_concat0`,
    { dim: '0', num_args: '16' },
    packed.map((_, i) => `${lstm}reshape${i}`).join(' '),
  ],
  ['_zeros', `${lstm}h0_0`, { __layout__: 'LNC', dtype: 'float32', shape: '(4, 0, 4)' }],
  ['_zeros', `${lstm}h0_1`, { __layout__: 'LNC', dtype: 'float32', shape: '(4, 0, 4)' }],
  [
    'RNN',
    `${lstm}rnn0`,
    {
      bidirectional: 'True',
      lstm_state_clip_max: 'None',
      lstm_state_clip_min: 'None',
      lstm_state_clip_nan: 'False',
      mode: 'lstm',
      num_layers: '2',
      p: '0.2',
      projection_size: 'None',
      state_outputs: 'True',
      state_size: '4',
      use_sequence_length: 'False',
    },
    `${lstm}swapaxes0 ${lstm}_rnn_param_concat0 ${lstm}h0_0 ${lstm}h0_1`,
  ],
  ['SwapAxis', `${lstm}swapaxes1`, { dim1: '0', dim2: '1' }, `${lstm}rnn0`],
  ['null', 'data1'],
  [
    'SequenceMask',
    'read_sequencemask0',
    { axis: '1', use_sequence_length: 'True' },
    `${lstm}swapaxes1 data1`,
  ],
  parameter('read_dense0_weight', '(3, 0)'),
  parameter('read_dense0_bias', '(3,)', 'zeros'),
  [
    'FullyConnected',
    'read_dense0_fwd',
    dense(3, { flatten: 'False' }),
    'read_sequencemask0 read_dense0_weight read_dense0_bias',
  ],
]

/** A layer of a transformer: words and places, attention of two heads over a sentence's length, layer norm around. */
export class Attention extends gluon.HybridBlock {
  readonly words: InstanceType<typeof nn.Embedding>
  readonly places: InstanceType<typeof nn.Embedding>
  readonly query: InstanceType<typeof nn.Dense>
  readonly key: InstanceType<typeof nn.Dense>
  readonly value: InstanceType<typeof nn.Dense>
  readonly norm: InstanceType<typeof nn.LayerNorm>
  readonly packed: InstanceType<typeof nn.Dense>
  readonly scale: mx.gluon.Parameter
  constructor() {
    super({ prefix: 'att_' })
    const made = this.nameScope(() => ({
      words: new nn.Embedding(12, 8),
      places: new nn.Embedding(9, 8),
      query: new nn.Dense(8, { flatten: false, useBias: false }),
      key: new nn.Dense(8, { flatten: false, useBias: false }),
      value: new nn.Dense(8, { flatten: false, useBias: false }),
      norm: new nn.LayerNorm(),
      packed: new nn.Dense(24, { flatten: false, inUnits: 8 }),
    }))
    this.words = made.words
    this.places = made.places
    this.query = made.query
    this.key = made.key
    this.value = made.value
    this.norm = made.norm
    this.packed = made.packed
    this.scale = this.params.get('scale', { shape: [1, 1, 8], init: 'ones' })
  }
  override forward(words: Tensor, lengths: Tensor): Tensor {
    const at = nd.contrib.arangeLike(words, { axis: 1 })
    const x = nd.broadcastAdd(this.words(words), nd.expandDims(this.places(at), 0))
    const heads = (y: Tensor): Tensor =>
      y.reshape([0, 0, 2, -1]).transpose([0, 2, 1, 3]).reshape([-1, 0, 0], { reverse: true })
    const scores = nd.batchDot(nd.contrib.divSqrtDim(heads(this.query(x))), heads(this.key(x)), {
      transposeB: true,
    })
    const like = nd.sliceAxis(x, { axis: 2, begin: 0, end: 2 }).transpose([0, 2, 1])
    const weights = nd.softmax(
      scores.reshape([-1, 2, 0, 0], { reverse: true }),
      nd.broadcastLike(lengths.reshape([-1, 1, 1]), like),
      { axis: -1, temperature: 0.5, useLength: true },
    )
    const read = nd.batchDot(weights.reshape([-1, 0, 0], { reverse: true }), heads(this.value(x)))
    const merged = read
      .reshape([-1, 2, 0, 0], { reverse: true })
      .transpose([0, 2, 1, 3])
      .reshape([0, 0, -1])
    const y = this.norm(merged.add(x))
    const qkv = this.packed(y.swapaxes(0, 1))
    const second = nd.softmax(nd.contrib.interleavedMatmulSelfattQk(qkv, { heads: 2 }))
    const out = nd.contrib.interleavedMatmulSelfattValatt(qkv, second, { heads: 2 })
    return nd.broadcastMul(nd.sliceLike(out, x, { axes: [2] }), this.scale.data() as Tensor)
  }
}
const unbiased = dense(8, { flatten: 'False', no_bias: 'True' })
const embedding = (size: string) => ({
  dtype: 'float32',
  input_dim: size,
  output_dim: '8',
  sparse_grad: 'False',
})
/** A sentence's vectors cut into heads: `(N, T, 8) -> (N·2, T, 4)`. */
const headsOf = (layer: string, i: number): Line[] => [
  parameter(`att_${layer}_weight`, '(8, 0)'),
  ['FullyConnected', `att_${layer}_fwd`, unbiased, `att_broadcast_add0 att_${layer}_weight`],
  ['Reshape', `att_reshape${2 * i}`, { shape: '(0, 0, 2, -1)' }, `att_${layer}_fwd`],
  ['transpose', `att_transpose${i}`, { axes: '(0, 2, 1, 3)' }, `att_reshape${2 * i}`],
  [
    'Reshape',
    `att_reshape${2 * i + 1}`,
    { reverse: 'True', shape: '(-1, 0, 0)' },
    `att_transpose${i}`,
  ],
]
export const attentionFile: Line[] = [
  ['null', 'data0'],
  parameter('att_embedding0_weight', '(12, 8)'),
  ['Embedding', 'att_embedding0_fwd', embedding('12'), 'data0 att_embedding0_weight'],
  ['_contrib_arange_like', 'att_arange_like0', { axis: '1' }, 'data0'],
  parameter('att_embedding1_weight', '(9, 8)'),
  ['Embedding', 'att_embedding1_fwd', embedding('9'), 'att_arange_like0 att_embedding1_weight'],
  ['expand_dims', 'att_expand_dims0', { axis: '0' }, 'att_embedding1_fwd'],
  ['broadcast_add', 'att_broadcast_add0', {}, 'att_embedding0_fwd att_expand_dims0'],
  ...headsOf('dense0', 0),
  ['_contrib_div_sqrt_dim', 'att_div_sqrt_dim0', {}, 'att_reshape1'],
  ...headsOf('dense1', 1),
  ['batch_dot', 'att_batch_dot0', { transpose_b: 'True' }, 'att_div_sqrt_dim0 att_reshape3'],
  ['Reshape', 'att_reshape4', { reverse: 'True', shape: '(-1, 2, 0, 0)' }, 'att_batch_dot0'],
  ['null', 'data1'],
  ['Reshape', 'att_reshape5', { shape: '(-1, 1, 1)' }, 'data1'],
  ['slice_axis', 'att_slice_axis0', { axis: '2', begin: '0', end: '2' }, 'att_broadcast_add0'],
  ['transpose', 'att_transpose2', { axes: '(0, 2, 1)' }, 'att_slice_axis0'],
  ['broadcast_like', 'att_broadcast_like0', {}, 'att_reshape5 att_transpose2'],
  [
    'softmax',
    'att_softmax0',
    { axis: '-1', temperature: '0.5', use_length: 'True' },
    'att_reshape4 att_broadcast_like0',
  ],
  ['Reshape', 'att_reshape6', { reverse: 'True', shape: '(-1, 0, 0)' }, 'att_softmax0'],
  parameter('att_dense2_weight', '(8, 0)'),
  ['FullyConnected', 'att_dense2_fwd', unbiased, 'att_broadcast_add0 att_dense2_weight'],
  ['Reshape', 'att_reshape7', { shape: '(0, 0, 2, -1)' }, 'att_dense2_fwd'],
  ['transpose', 'att_transpose3', { axes: '(0, 2, 1, 3)' }, 'att_reshape7'],
  ['Reshape', 'att_reshape8', { reverse: 'True', shape: '(-1, 0, 0)' }, 'att_transpose3'],
  ['batch_dot', 'att_batch_dot1', {}, 'att_reshape6 att_reshape8'],
  ['Reshape', 'att_reshape9', { reverse: 'True', shape: '(-1, 2, 0, 0)' }, 'att_batch_dot1'],
  ['transpose', 'att_transpose4', { axes: '(0, 2, 1, 3)' }, 'att_reshape9'],
  ['Reshape', 'att_reshape10', { shape: '(0, 0, -1)' }, 'att_transpose4'],
  ['elemwise_add', 'att__plus0', {}, 'att_reshape10 att_broadcast_add0'],
  parameter('att_layernorm0_gamma', '(0,)', 'ones'),
  parameter('att_layernorm0_beta', '(0,)', 'zeros'),
  [
    'LayerNorm',
    'att_layernorm0_layernorm0',
    { axis: '-1', eps: '1e-05' },
    'att__plus0 att_layernorm0_gamma att_layernorm0_beta',
  ],
  ['SwapAxis', 'att_swapaxes0', { dim1: '0', dim2: '1' }, 'att_layernorm0_layernorm0'],
  parameter('att_dense3_weight', '(24, 8)'),
  parameter('att_dense3_bias', '(24,)', 'zeros'),
  [
    'FullyConnected',
    'att_dense3_fwd',
    dense(24, { flatten: 'False' }),
    'att_swapaxes0 att_dense3_weight att_dense3_bias',
  ],
  [
    '_contrib_interleaved_matmul_selfatt_qk',
    'att_interleaved_matmul_selfatt_qk0',
    { heads: '2' },
    'att_dense3_fwd',
  ],
  ['softmax', 'att_softmax1', {}, 'att_interleaved_matmul_selfatt_qk0'],
  [
    '_contrib_interleaved_matmul_selfatt_valatt',
    'att_interleaved_matmul_selfatt_valatt0',
    { heads: '2' },
    'att_dense3_fwd att_softmax1',
  ],
  [
    'slice_like',
    'att_slice_like0',
    { axes: '(2,)' },
    'att_interleaved_matmul_selfatt_valatt0 att_broadcast_add0',
  ],
  parameter('att_scale', '(1, 1, 8)', 'ones'),
  ['broadcast_mul', 'att_broadcast_mul0', {}, 'att_slice_like0 att_scale'],
]
