/** Networks of each kind that people have in MXNet's files: written down as MXNet 1.9.1 exports them, they are what our blocks export, and run as these do. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as mx from 'mxnet-ts'
import { afterAll, describe, expect, it } from 'vitest'
import { batchNorm, fileOf, type Line, parameter, textOf } from '../symbol/file.ts'

const { autograd, gluon, nd } = mx
const { nn, rnn } = gluon
type Tensor = mx.Tensor

const folder = mkdtempSync(join(tmpdir(), 'networks-'))
afterAll(() => rmSync(folder, { recursive: true }))

const norm = {
  axis: '1',
  eps: '1e-05',
  fix_gamma: 'False',
  momentum: '0.9',
  use_global_stats: 'False',
}
const conv = (filters: number, kernel: number, stride: number, pad: number, more = {}) => ({
  dilate: '(1, 1)',
  kernel: `(${kernel}, ${kernel})`,
  layout: 'NCHW',
  no_bias: 'False',
  num_filter: String(filters),
  num_group: '1',
  pad: `(${pad}, ${pad})`,
  stride: `(${stride}, ${stride})`,
  ...more,
})
const dense = (units: number, more = {}) => ({
  flatten: 'True',
  no_bias: 'False',
  num_hidden: String(units),
  ...more,
})
const relu = { act_type: 'relu' }
const globalPool = {
  global_pool: 'True',
  kernel: '(1, 1)',
  layout: 'NCHW',
  pad: '(0, 0)',
  pool_type: 'avg',
  pooling_convention: 'full',
  stride: '(1, 1)',
}
const reads = (prefix: string) =>
  `${prefix}gamma ${prefix}beta ${prefix}running_mean^2 ${prefix}running_var^2`

/** A block that adds what it is given to what its body makes of it. */
class Residual extends gluon.HybridBlock {
  readonly body = new nn.HybridSequential({ prefix: '' })
  downsample: InstanceType<typeof nn.HybridSequential> | null = null
  constructor(channels: number, downsample: boolean) {
    super()
    this.nameScope(() => {
      const three = { strides: 1, padding: 1, useBias: false }
      this.body.nameScope(() =>
        this.body.add(
          new nn.Conv2D(channels, 3, three),
          new nn.BatchNorm(),
          new nn.Activation('relu'),
          new nn.Conv2D(channels, 3, three),
          new nn.BatchNorm(),
        ),
      )
      if (!downsample) return
      this.downsample = new nn.HybridSequential({ prefix: '' })
      this.downsample.add(new nn.Conv2D(channels, 1, { useBias: false }), new nn.BatchNorm())
    })
  }
  override forward(x: Tensor): Tensor {
    const residual = this.downsample ? this.downsample(x) : x
    return nd.activation(residual.add(this.body(x)), { actType: 'relu' })
  }
}

function residual() {
  const net = new nn.HybridSequential({ prefix: 'res_' })
  net.nameScope(() =>
    net.add(
      new nn.Conv2D(4, 3, { padding: 1 }),
      new Residual(8, true),
      new Residual(8, false),
      new nn.GlobalAvgPool2D(),
      new nn.Dense(5),
    ),
  )
  return net
}
const noBias = { no_bias: 'True' }
const block = (prefix: string, data: string, first: Line[], kept: string): Line[] => [
  ...first,
  parameter(`${prefix}conv0_weight`, '(8, 0, 3, 3)'),
  ['Convolution', `${prefix}conv0_fwd`, conv(8, 3, 1, 1, noBias), `${data} ${prefix}conv0_weight`],
  ...batchNorm(`${prefix}batchnorm0_`),
  [
    'BatchNorm',
    `${prefix}batchnorm0_fwd`,
    norm,
    `${prefix}conv0_fwd ${reads(`${prefix}batchnorm0_`)}`,
  ],
  ['Activation', `${prefix}relu0_fwd`, relu, `${prefix}batchnorm0_fwd`],
  parameter(`${prefix}conv1_weight`, '(8, 0, 3, 3)'),
  [
    'Convolution',
    `${prefix}conv1_fwd`,
    conv(8, 3, 1, 1, noBias),
    `${prefix}relu0_fwd ${prefix}conv1_weight`,
  ],
  ...batchNorm(`${prefix}batchnorm1_`),
  [
    'BatchNorm',
    `${prefix}batchnorm1_fwd`,
    norm,
    `${prefix}conv1_fwd ${reads(`${prefix}batchnorm1_`)}`,
  ],
  ['elemwise_add', `${prefix}_plus0`, {}, `${kept} ${prefix}batchnorm1_fwd`],
  ['Activation', `${prefix}activation0`, relu, `${prefix}_plus0`],
]
const one = 'res_residual0_'
const residualFile: Line[] = [
  ['null', 'data'],
  parameter('res_conv0_weight', '(4, 0, 3, 3)'),
  parameter('res_conv0_bias', '(4,)', 'zeros'),
  ['Convolution', 'res_conv0_fwd', conv(4, 3, 1, 1), 'data res_conv0_weight res_conv0_bias'],
  ...block(
    one,
    'res_conv0_fwd',
    [
      parameter(`${one}conv2_weight`, '(8, 0, 1, 1)'),
      [
        'Convolution',
        `${one}conv2_fwd`,
        conv(8, 1, 1, 0, noBias),
        `res_conv0_fwd ${one}conv2_weight`,
      ],
      ...batchNorm(`${one}batchnorm2_`),
      ['BatchNorm', `${one}batchnorm2_fwd`, norm, `${one}conv2_fwd ${reads(`${one}batchnorm2_`)}`],
    ],
    `${one}batchnorm2_fwd`,
  ),
  ...block('res_residual1_', `${one}activation0`, [], `${one}activation0`),
  ['Pooling', 'res_pool0_fwd', globalPool, 'res_residual1_activation0'],
  parameter('res_dense0_weight', '(5, 0)'),
  parameter('res_dense0_bias', '(5,)', 'zeros'),
  ['FullyConnected', 'res_dense0_fwd', dense(5), 'res_pool0_fwd res_dense0_weight res_dense0_bias'],
]

/** SqueezeNet's part: a narrow layer, then two wide ones side by side. */
class Fire extends gluon.HybridBlock {
  readonly squeeze: InstanceType<typeof nn.Conv2D>
  readonly left: InstanceType<typeof nn.Conv2D>
  readonly right: InstanceType<typeof nn.Conv2D>
  constructor() {
    super()
    const [squeeze, left, right] = this.nameScope(
      () =>
        [
          new nn.Conv2D(3, 1, { activation: 'relu' }),
          new nn.Conv2D(4, 1, { activation: 'relu' }),
          new nn.Conv2D(4, 3, { padding: 1, activation: 'relu' }),
        ] as const,
    )
    this.squeeze = squeeze
    this.left = left
    this.right = right
  }
  override forward(x: Tensor): Tensor {
    const y = this.squeeze(x)
    return nd.concat(this.left(y), this.right(y), { dim: 1 })
  }
}

function squeeze() {
  const net = new nn.HybridSequential({ prefix: 'sq_' })
  net.nameScope(() =>
    net.add(
      new nn.Conv2D(6, 3, { strides: 2, activation: 'relu' }),
      new nn.MaxPool2D(3, 2, { ceilMode: true }),
      new Fire(),
      new nn.Dropout(0.5),
      new nn.Conv2D(5, 1),
      new nn.GlobalAvgPool2D(),
      new nn.Flatten(),
    ),
  )
  return net
}
const conv2 = (
  prefix: string,
  data: string,
  attrs: { readonly [key: string]: string },
  active = true,
): Line[] => [
  parameter(`${prefix}_weight`, `(${attrs.num_filter}, 0, ${attrs.kernel!.slice(1)}`),
  parameter(`${prefix}_bias`, `(${attrs.num_filter},)`, 'zeros'),
  ['Convolution', `${prefix}_fwd`, attrs, `${data} ${prefix}_weight ${prefix}_bias`],
  ...(active ? ([['Activation', `${prefix}_relu_fwd`, relu, `${prefix}_fwd`]] as const) : []),
]
const squeezeFile: Line[] = [
  ['null', 'data'],
  ...conv2('sq_conv0', 'data', conv(6, 3, 2, 0)),
  [
    'Pooling',
    'sq_pool0_fwd',
    {
      global_pool: 'False',
      kernel: '(3, 3)',
      layout: 'NCHW',
      pad: '(0, 0)',
      pool_type: 'max',
      pooling_convention: 'full',
      stride: '(2, 2)',
    },
    'sq_conv0_relu_fwd',
  ],
  ...conv2('sq_fire0_conv0', 'sq_pool0_fwd', conv(3, 1, 1, 0)),
  ...conv2('sq_fire0_conv1', 'sq_fire0_conv0_relu_fwd', conv(4, 1, 1, 0)),
  ...conv2('sq_fire0_conv2', 'sq_fire0_conv0_relu_fwd', conv(4, 3, 1, 1)),
  [
    'Concat',
    'sq_fire0_concat0',
    { dim: '1', num_args: '2' },
    'sq_fire0_conv1_relu_fwd sq_fire0_conv2_relu_fwd',
  ],
  ['Dropout', 'sq_dropout0_fwd', { axes: '()', cudnn_off: 'False', p: '0.5' }, 'sq_fire0_concat0'],
  ...conv2('sq_conv1', 'sq_dropout0_fwd', conv(5, 1, 1, 0), false),
  ['Pooling', 'sq_pool1_fwd', globalPool, 'sq_conv1_fwd'],
  ['Flatten', 'sq_flatten0_flatten0', {}, 'sq_pool1_fwd'],
]

function deconvolution() {
  const net = new nn.HybridSequential({ prefix: 'gen_' })
  net.nameScope(() =>
    net.add(
      new nn.Dense(16, { useBias: false }),
      new nn.HybridLambda((x) => x.reshape([0, 4, 2, 2])),
      new nn.Conv2DTranspose(6, 4, { strides: 2, padding: 1, useBias: false }),
      new nn.BatchNorm(),
      new nn.LeakyReLU(0.2),
      new nn.Conv2DTranspose(3, 3, { strides: 2, padding: 1, outputPadding: 1 }),
      new nn.Activation('tanh'),
    ),
  )
  return net
}
const deconvolutionFile: Line[] = [
  ['null', 'data'],
  parameter('gen_dense0_weight', '(16, 0)'),
  ['FullyConnected', 'gen_dense0_fwd', dense(16, noBias), 'data gen_dense0_weight'],
  ['Reshape', 'gen_hybridlambda0_reshape0', { shape: '(0, 4, 2, 2)' }, 'gen_dense0_fwd'],
  parameter('gen_conv0_weight', '(0, 6, 4, 4)'),
  [
    'Deconvolution',
    'gen_conv0_fwd',
    conv(6, 4, 2, 1, { adj: '(0, 0)', ...noBias }),
    'gen_hybridlambda0_reshape0 gen_conv0_weight',
  ],
  ...batchNorm('gen_batchnorm0_'),
  ['BatchNorm', 'gen_batchnorm0_fwd', norm, `gen_conv0_fwd ${reads('gen_batchnorm0_')}`],
  ['LeakyReLU', 'gen_leakyrelu0_fwd', { act_type: 'leaky', slope: '0.2' }, 'gen_batchnorm0_fwd'],
  parameter('gen_conv1_weight', '(0, 3, 3, 3)'),
  parameter('gen_conv1_bias', '(3,)', 'zeros'),
  [
    'Deconvolution',
    'gen_conv1_fwd',
    conv(3, 3, 2, 1, { adj: '(1, 1)' }),
    'gen_leakyrelu0_fwd gen_conv1_weight gen_conv1_bias',
  ],
  ['Activation', 'gen_tanh0_fwd', { act_type: 'tanh' }, 'gen_conv1_fwd'],
]

/** Words read by a layer in both directions; steps beyond a sentence's length give 0. */
class Reader extends gluon.HybridBlock {
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
const readerFile: Line[] = [
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
class Attention extends gluon.HybridBlock {
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
      { axis: -1, temperature: 0.5, useLength: true },
      nd.broadcastLike(lengths.reshape([-1, 1, 1]), like),
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
const attentionFile: Line[] = [
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

const image = () => [nd.random.normal(0, 1, { shape: [3, 2, 8, 8] })]
const sentences = () => [
  nd.array([
    [3, 1, 4, 1, 5],
    [9, 2, 6, 5, 3],
  ]),
  nd.array([5, 2], { dtype: 'int32' }),
]
const networks = [
  ['residual', residual, residualFile, image],
  ['squeeze', squeeze, squeezeFile, image],
  [
    'deconvolution',
    deconvolution,
    deconvolutionFile,
    () => [nd.random.normal(0, 1, { shape: [3, 7] })],
  ],
  ['LSTM', () => new Reader(), readerFile, sentences],
  ['attention', () => new Attention(), attentionFile, sentences],
] as const

/** Largest difference, relative to the largest magnitude wanted. */
async function distance(got: mx.NDArray, want: mx.NDArray): Promise<number> {
  expect(got.shape).toEqual(want.shape)
  const [a, b] = [
    Array.from(await got.asTypedArray(), Number),
    Array.from(await want.asTypedArray(), Number),
  ]
  const scale = Math.max(1e-6, ...b.map(Math.abs))
  return Math.max(...b.map((v, i) => Math.abs(v - a[i]!))) / scale
}

describe.each(networks)('%s', (name, make, lines, data) => {
  it('is exported as MXNet exports it', () => {
    const net = make()
    net.initialize()
    net.hybridize()
    net(...data())
    const { nodes, heads } = JSON.parse(net.toSymbol().toJSON()) as ReturnType<typeof fileOf>
    const want = fileOf(lines)
    expect(nodes.map((n) => JSON.stringify(n))).toEqual(want.nodes.map((n) => JSON.stringify(n)))
    expect(heads).toEqual(want.heads)
  })

  it.each([false, true])(
    'MXNet’s file runs and trains as the blocks do (hybridized: %s)',
    async (hybrid) => {
      const net = make()
      net.initialize(new mx.init.Xavier())
      const inputs = data()
      net.hybridize()
      net(...inputs)

      const [symbolFile, paramsFile] = [
        join(folder, `${name}-symbol.json`),
        join(folder, `${name}-0000.params`),
      ]
      writeFileSync(symbolFile, textOf(lines))
      await net.export(join(folder, `${name}-own`))
      const own = await nd.load(join(folder, `${name}-own-0000.params`))
      await nd.save(paramsFile, own)
      const variables = lines.flatMap(([op, variable]) =>
        op === 'null' && /^data\d?$/.test(variable) ? [variable] : [],
      )
      const again = await gluon.SymbolBlock.imports(symbolFile, variables, paramsFile)
      if (hybrid) {
        net.hybridize()
        again.hybridize()
      }
      expect(await distance(again(...inputs), net(...inputs))).toBeLessThan(1e-5)
      const steps = async (block: typeof net | typeof again) => {
        const trainer = new gluon.Trainer(block.collectParams(), 'sgd', {
          learningRate: 0.1,
          momentum: 0.9,
          wd: 0.001,
        })
        mx.random.seed(7)
        const loss = autograd.record(() =>
          block(...inputs)
            .square()
            .sum({ axis: 0, exclude: true }),
        )
        loss.backward()
        const gradients = [...block.collectParams()].flatMap(([key, p]) =>
          p.gradReq === 'null' ? [] : [[key, p.grad().copy()] as const],
        )
        trainer.step(inputs[0]!.shape[0]!)
        return new Map([
          ...gradients,
          ...[...block.collectParams()].map(([key, p]) => [`after ${key}`, p.data()] as const),
          ['loss', loss],
        ])
      }
      const [want, got] = [await steps(net), await steps(again)]
      expect([...got.keys()].sort()).toEqual([...want.keys()].sort())
      for (const [key, value] of want) {
        // What a convolution adds before BatchNorm has no gradient but rounding.
        expect(await distance(got.get(key)!, value), key).toBeLessThan(1e-5)
      }
    },
  )
})
