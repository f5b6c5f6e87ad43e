/** The namespace `gluon.data.vision`: datasets of images. */

export { CIFAR10, type CIFAR10Options, CIFAR100, type CIFAR100Options } from './cifar.ts'
export { ImageFolderDataset, type ImageFolderOptions } from './folder.ts'
export { FashionMNIST, MNIST, type MNISTOptions } from './mnist.ts'
export { ImageRecordDataset, type ImageRecordOptions } from './record.ts'
export * as transforms from './transforms.ts'
