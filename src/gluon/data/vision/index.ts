/** The namespace `gluon.data.vision`: datasets of images. */

export { FashionMNIST, MNIST, type MNISTOptions } from './mnist.ts'
export * as transforms from './transforms.ts'
