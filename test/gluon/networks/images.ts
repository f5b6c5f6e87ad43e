/** Networks on pictures, as blocks and as the files that MXNet 1.9.1 exports. */

import * as mx from 'mxnet-ts'
import { batchNorm, type Line, parameter } from '../../symbol/file.ts'
import { conv, dense, globalPool, noBias, norm, reads, relu } from './attributes.ts'

const { gluon, nd } = mx
const { nn } = gluon
type Tensor = mx.Tensor

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

export function residual() {
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
export const residualFile: Line[] = [
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

export function squeeze() {
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
export const squeezeFile: Line[] = [
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

export function deconvolution() {
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
export const deconvolutionFile: Line[] = [
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
