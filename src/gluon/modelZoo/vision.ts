/** `gluon.modelZoo.vision`: networks that sort images into classes, by name. */

import type { Context } from '../../base/context.ts'
import { fail } from '../../base/error.ts'
import { AlexNet, SqueezeNet, VGG, type VGGOptions } from './classic.ts'
import { DenseNet, type DenseNetOptions } from './densenet.ts'
import { Inception3 } from './inception.ts'
import { MobileNet, MobileNetV2 } from './mobilenet.ts'
import type { Network, NetworkOptions } from './network.ts'
import {
  BasicBlockV1,
  BasicBlockV2,
  BottleneckV1,
  BottleneckV2,
  type ResNetOptions,
  ResNetV1,
  ResNetV2,
} from './resnet.ts'

export { AlexNet, SqueezeNet, VGG, type VGGOptions } from './classic.ts'
export { DenseNet, type DenseNetOptions } from './densenet.ts'
export { Inception3 } from './inception.ts'
export { MobileNet, MobileNetV2 } from './mobilenet.ts'
export { Network, type NetworkOptions } from './network.ts'
export {
  BasicBlockV1,
  BasicBlockV2,
  BottleneckV1,
  BottleneckV2,
  type ResidualBlock,
  type ResidualOptions,
  type ResNetOptions,
  ResNetV1,
  ResNetV2,
} from './resnet.ts'

/** What every function of the zoo takes besides the options of its network. */
interface FromZoo {
  /** Weights learned by others are not downloaded: false, or an error that says how to load a file. */
  readonly pretrained?: boolean
  /** The device, for weights that are loaded. */
  readonly ctx?: Context
  /** The folder of weights. */
  readonly root?: string
}
/** Options of a function of the zoo: those of its network, and MXNet's for weights. */
export type ZooOptions<O extends NetworkOptions = NetworkOptions> = FromZoo & O

/** The options of the network alone. */
function own<O extends NetworkOptions>(name: string, options: ZooOptions<O>): O {
  const { pretrained = false, ctx: _ctx, root: _root, ...rest } = options
  if (pretrained)
    fail(
      name,
      `weights are not downloaded: get MXNet's file ${name}-….params, then net.loadParameters(path)`,
    )
  return rest as unknown as O
}

type Layers = readonly number[]
const narrow = [64, 64, 128, 256, 512]
const wide = [64, 256, 512, 1024, 2048]
const depths: { readonly [layers: number]: readonly [bottleneck: boolean, layers: Layers] } = {
  18: [false, [2, 2, 2, 2]],
  34: [false, [3, 4, 6, 3]],
  50: [true, [3, 4, 6, 3]],
  101: [true, [3, 4, 23, 3]],
  152: [true, [3, 8, 36, 3]],
}

function resnet(version: 1 | 2, layers: number, options: ZooOptions<ResNetOptions>): Network {
  const [bottleneck, stages] = depths[layers]!
  const rest = own(`resnet${layers}_v${version}`, options)
  const channels = bottleneck ? wide : narrow
  return version === 1
    ? new ResNetV1(bottleneck ? BottleneckV1 : BasicBlockV1, stages, channels, rest)
    : new ResNetV2(bottleneck ? BottleneckV2 : BasicBlockV2, stages, channels, rest)
}

/** The residual network with so many layers (18, 34, 50, 101, 152), of version 1 or 2. @see MXNet `gluon.model_zoo.vision.get_resnet` */
export function getResnet(
  version: 1 | 2,
  numLayers: number,
  options: ZooOptions<ResNetOptions> = {},
): Network {
  if (version !== 1 && version !== 2)
    fail('getResnet', `version is ${String(version)}: it must be 1 or 2`)
  if (!Object.hasOwn(depths, numLayers))
    fail(
      'getResnet',
      `numLayers is ${numLayers}: it must be one of ${Object.keys(depths).join(', ')}`,
    )
  return resnet(version, numLayers, options)
}

const vggLayers: { readonly [layers: number]: Layers } = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
}

function vgg(layers: number, batchNorm: boolean, options: ZooOptions<VGGOptions>): Network {
  const rest = own(`vgg${layers}${batchNorm ? '_bn' : ''}`, options)
  return new VGG(vggLayers[layers]!, [64, 128, 256, 512, 512], { ...rest, batchNorm })
}

const denseConfigs: { readonly [layers: number]: readonly [number, number, Layers] } = {
  121: [64, 32, [6, 12, 24, 16]],
  161: [96, 48, [6, 12, 36, 24]],
  169: [64, 32, [6, 12, 32, 32]],
  201: [64, 32, [6, 12, 48, 32]],
}

function densenet(layers: number, options: ZooOptions<DenseNetOptions>): Network {
  const [first, growth, blocks] = denseConfigs[layers]!
  return new DenseNet(first, growth, blocks, own(`densenet${layers}`, options))
}

/** ResNet-18 of version 1. @see MXNet `gluon.model_zoo.vision.resnet18_v1` */
export const resnet18V1 = (options: ZooOptions<ResNetOptions> = {}): Network =>
  resnet(1, 18, options)
/** ResNet-34 of version 1. @see MXNet `gluon.model_zoo.vision.resnet34_v1` */
export const resnet34V1 = (options: ZooOptions<ResNetOptions> = {}): Network =>
  resnet(1, 34, options)
/** ResNet-50 of version 1. @see MXNet `gluon.model_zoo.vision.resnet50_v1` */
export const resnet50V1 = (options: ZooOptions<ResNetOptions> = {}): Network =>
  resnet(1, 50, options)
/** ResNet-101 of version 1. @see MXNet `gluon.model_zoo.vision.resnet101_v1` */
export const resnet101V1 = (options: ZooOptions<ResNetOptions> = {}): Network =>
  resnet(1, 101, options)
/** ResNet-152 of version 1. @see MXNet `gluon.model_zoo.vision.resnet152_v1` */
export const resnet152V1 = (options: ZooOptions<ResNetOptions> = {}): Network =>
  resnet(1, 152, options)
/** ResNet-18 of version 2. @see MXNet `gluon.model_zoo.vision.resnet18_v2` */
export const resnet18V2 = (options: ZooOptions<ResNetOptions> = {}): Network =>
  resnet(2, 18, options)
/** ResNet-34 of version 2. @see MXNet `gluon.model_zoo.vision.resnet34_v2` */
export const resnet34V2 = (options: ZooOptions<ResNetOptions> = {}): Network =>
  resnet(2, 34, options)
/** ResNet-50 of version 2. @see MXNet `gluon.model_zoo.vision.resnet50_v2` */
export const resnet50V2 = (options: ZooOptions<ResNetOptions> = {}): Network =>
  resnet(2, 50, options)
/** ResNet-101 of version 2. @see MXNet `gluon.model_zoo.vision.resnet101_v2` */
export const resnet101V2 = (options: ZooOptions<ResNetOptions> = {}): Network =>
  resnet(2, 101, options)
/** ResNet-152 of version 2. @see MXNet `gluon.model_zoo.vision.resnet152_v2` */
export const resnet152V2 = (options: ZooOptions<ResNetOptions> = {}): Network =>
  resnet(2, 152, options)
/** VGG-11. @see MXNet `gluon.model_zoo.vision.vgg11` */
export const vgg11 = (options: ZooOptions<VGGOptions> = {}): Network =>
  vgg(11, options.batchNorm ?? false, options)
/** VGG-11 with batch normalization. @see MXNet `gluon.model_zoo.vision.vgg11_bn` */
export const vgg11Bn = (options: ZooOptions<VGGOptions> = {}): Network => vgg(11, true, options)
/** VGG-13. @see MXNet `gluon.model_zoo.vision.vgg13` */
export const vgg13 = (options: ZooOptions<VGGOptions> = {}): Network =>
  vgg(13, options.batchNorm ?? false, options)
/** VGG-13 with batch normalization. @see MXNet `gluon.model_zoo.vision.vgg13_bn` */
export const vgg13Bn = (options: ZooOptions<VGGOptions> = {}): Network => vgg(13, true, options)
/** VGG-16. @see MXNet `gluon.model_zoo.vision.vgg16` */
export const vgg16 = (options: ZooOptions<VGGOptions> = {}): Network =>
  vgg(16, options.batchNorm ?? false, options)
/** VGG-16 with batch normalization. @see MXNet `gluon.model_zoo.vision.vgg16_bn` */
export const vgg16Bn = (options: ZooOptions<VGGOptions> = {}): Network => vgg(16, true, options)
/** VGG-19. @see MXNet `gluon.model_zoo.vision.vgg19` */
export const vgg19 = (options: ZooOptions<VGGOptions> = {}): Network =>
  vgg(19, options.batchNorm ?? false, options)
/** VGG-19 with batch normalization. @see MXNet `gluon.model_zoo.vision.vgg19_bn` */
export const vgg19Bn = (options: ZooOptions<VGGOptions> = {}): Network => vgg(19, true, options)
/** AlexNet. @see MXNet `gluon.model_zoo.vision.alexnet` */
export const alexnet = (options: ZooOptions = {}): Network => new AlexNet(own('alexnet', options))
/** DenseNet-121. @see MXNet `gluon.model_zoo.vision.densenet121` */
export const densenet121 = (options: ZooOptions<DenseNetOptions> = {}): Network =>
  densenet(121, options)
/** DenseNet-161. @see MXNet `gluon.model_zoo.vision.densenet161` */
export const densenet161 = (options: ZooOptions<DenseNetOptions> = {}): Network =>
  densenet(161, options)
/** DenseNet-169. @see MXNet `gluon.model_zoo.vision.densenet169` */
export const densenet169 = (options: ZooOptions<DenseNetOptions> = {}): Network =>
  densenet(169, options)
/** DenseNet-201. @see MXNet `gluon.model_zoo.vision.densenet201` */
export const densenet201 = (options: ZooOptions<DenseNetOptions> = {}): Network =>
  densenet(201, options)
/** SqueezeNet 1.0. @see MXNet `gluon.model_zoo.vision.squeezenet1_0` */
export const squeezenet10 = (options: ZooOptions = {}): Network =>
  new SqueezeNet('1.0', own('squeezenet1.0', options))
/** SqueezeNet 1.1. @see MXNet `gluon.model_zoo.vision.squeezenet1_1` */
export const squeezenet11 = (options: ZooOptions = {}): Network =>
  new SqueezeNet('1.1', own('squeezenet1.1', options))
/** Inception of version 3, for images of 299 by 299. @see MXNet `gluon.model_zoo.vision.inception_v3` */
export const inceptionV3 = (options: ZooOptions = {}): Network =>
  new Inception3(own('inceptionv3', options))
/** MobileNet with 1.0 times the channels. @see MXNet `gluon.model_zoo.vision.mobilenet1_0` */
export const mobilenet10 = (options: ZooOptions = {}): Network =>
  new MobileNet(1, own('mobilenet1.0', options))
/** MobileNet with 0.75 times the channels. @see MXNet `gluon.model_zoo.vision.mobilenet0_75` */
export const mobilenet075 = (options: ZooOptions = {}): Network =>
  new MobileNet(0.75, own('mobilenet0.75', options))
/** MobileNet with 0.5 times the channels. @see MXNet `gluon.model_zoo.vision.mobilenet0_5` */
export const mobilenet05 = (options: ZooOptions = {}): Network =>
  new MobileNet(0.5, own('mobilenet0.5', options))
/** MobileNet with 0.25 times the channels. @see MXNet `gluon.model_zoo.vision.mobilenet0_25` */
export const mobilenet025 = (options: ZooOptions = {}): Network =>
  new MobileNet(0.25, own('mobilenet0.25', options))
/** MobileNet of version 2 with 1.0 times the channels. @see MXNet `gluon.model_zoo.vision.mobilenet_v2_1_0` */
export const mobilenetV210 = (options: ZooOptions = {}): Network =>
  new MobileNetV2(1, own('mobilenetv2_1.0', options))
/** MobileNet of version 2 with 0.75 times the channels. @see MXNet `gluon.model_zoo.vision.mobilenet_v2_0_75` */
export const mobilenetV2075 = (options: ZooOptions = {}): Network =>
  new MobileNetV2(0.75, own('mobilenetv2_0.75', options))
/** MobileNet of version 2 with 0.5 times the channels. @see MXNet `gluon.model_zoo.vision.mobilenet_v2_0_5` */
export const mobilenetV205 = (options: ZooOptions = {}): Network =>
  new MobileNetV2(0.5, own('mobilenetv2_0.5', options))
/** MobileNet of version 2 with 0.25 times the channels. @see MXNet `gluon.model_zoo.vision.mobilenet_v2_0_25` */
export const mobilenetV2025 = (options: ZooOptions = {}): Network =>
  new MobileNetV2(0.25, own('mobilenetv2_0.25', options))

const models: { readonly [name: string]: (options: never) => Network } = {
  resnet18_v1: resnet18V1,
  resnet34_v1: resnet34V1,
  resnet50_v1: resnet50V1,
  resnet101_v1: resnet101V1,
  resnet152_v1: resnet152V1,
  resnet18_v2: resnet18V2,
  resnet34_v2: resnet34V2,
  resnet50_v2: resnet50V2,
  resnet101_v2: resnet101V2,
  resnet152_v2: resnet152V2,
  vgg11: vgg11,
  vgg11_bn: vgg11Bn,
  vgg13: vgg13,
  vgg13_bn: vgg13Bn,
  vgg16: vgg16,
  vgg16_bn: vgg16Bn,
  vgg19: vgg19,
  vgg19_bn: vgg19Bn,
  alexnet: alexnet,
  densenet121: densenet121,
  densenet161: densenet161,
  densenet169: densenet169,
  densenet201: densenet201,
  'squeezenet1.0': squeezenet10,
  'squeezenet1.1': squeezenet11,
  inceptionv3: inceptionV3,
  'mobilenet1.0': mobilenet10,
  'mobilenet0.75': mobilenet075,
  'mobilenet0.5': mobilenet05,
  'mobilenet0.25': mobilenet025,
  'mobilenetv2_1.0': mobilenetV210,
  'mobilenetv2_0.75': mobilenetV2075,
  'mobilenetv2_0.5': mobilenetV205,
  'mobilenetv2_0.25': mobilenetV2025,
}

/**
 * The network of a name of MXNet's zoo, capitals or not, with weights yet to be initialized or loaded.
 *
 * `(N, 3, 224, 224) -> (N, classes)` (`inceptionv3`: 299). MXNet's files of weights fit: `net.loadParameters(path)`.
 * @throws MXNetError for another name, and for `pretrained`: nothing is downloaded.
 * @example
 * const net = gluon.modelZoo.vision.getModel('resnet18_v1', { classes: 10 })
 * net.output.weight.shape // => [10, 512]
 * @see MXNet `gluon.model_zoo.vision.get_model`
 */
export function getModel(
  name: string,
  options: ZooOptions<ResNetOptions & VGGOptions & DenseNetOptions> = {},
): Network {
  const known = String(name).toLowerCase()
  if (!Object.hasOwn(models, known))
    fail(
      'getModel',
      `there is no model ${String(name)}: use one of ${Object.keys(models).join(', ')}`,
    )
  return models[known]!(options as never)
}
