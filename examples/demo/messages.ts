// What the page and its worker say to each other.

export type Device = 'cpu' | 'gpu'

/** To the worker. */
export type Request =
  | { readonly type: 'train'; readonly device: Device; readonly epochs: number }
  | { readonly type: 'stop' }
  | { readonly type: 'recognise'; readonly pixels: Float32Array }

/** From the worker. */
export type Reply =
  | {
      readonly type: 'ready'
      readonly network: string
      /** The graph of the network, as SVG. */
      readonly picture: string
      readonly weights: Float32Array
      readonly cpu: string
      /** What the GPU is called, or why there is none. */
      readonly gpu: { readonly usable: boolean; readonly about: string }
    }
  | {
      readonly type: 'progress'
      readonly epoch: number
      readonly images: number
      readonly perSecond: number
      readonly loss: number
      /** The curve so far, as SVG. */
      readonly picture: string
      /** Weights of the first layer, a row of 784 for each unit. */
      readonly weights: Float32Array
    }
  | {
      readonly type: 'tested'
      readonly accuracy: number
      readonly picture: string
    }
  | { readonly type: 'stopped'; readonly seconds: number; readonly finished: boolean }
  | { readonly type: 'recognised'; readonly probabilities: readonly number[] }
  | { readonly type: 'failed'; readonly message: string }
