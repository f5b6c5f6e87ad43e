// What the page and its worker say to each other.

/** To the worker. */
export type Request =
  | { readonly type: 'train'; readonly epochs: number }
  | { readonly type: 'stop' }
  | { readonly type: 'recognise'; readonly pixels: Float32Array }

/** From the worker. */
export type Reply =
  | {
      readonly type: 'ready'
      readonly network: string
      readonly picture: string
      readonly about: string
    }
  | {
      readonly type: 'progress'
      readonly epoch: number
      readonly images: number
      readonly perSecond: number
      readonly loss: number
      /** The curve so far, as SVG. */
      readonly picture: string
    }
  | {
      readonly type: 'epoch'
      readonly epoch: number
      readonly accuracy: number
      readonly picture: string
    }
  | { readonly type: 'stopped' }
  | { readonly type: 'recognised'; readonly probabilities: readonly number[] }
  | { readonly type: 'failed'; readonly message: string }
