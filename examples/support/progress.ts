// A progress bar with loss and speed; where stdout is no terminal it only counts.
import { Presets, SingleBar } from 'cli-progress'

export class Progress {
  readonly #total: number
  readonly #bar: SingleBar
  #done = 0
  #began = 0
  #images = 0
  #seconds = 0

  /** @param total images an epoch */
  constructor(total: number) {
    this.#total = total
    const format = '{name} {bar} {value}/{total}  loss {loss}  {rate} images/s'
    this.#bar = new SingleBar(
      { format, stream: process.stdout, barsize: 24, hideCursor: true, clearOnComplete: true },
      Presets.shades_classic,
    )
  }

  start(name: string): void {
    this.#done = 0
    this.#began = performance.now()
    this.#bar.start(this.#total, 0, { name, loss: '-', rate: '-' })
  }

  /** @param cumulativeLoss the sum over the images so far */
  advance(images: number, cumulativeLoss: number): void {
    this.#done += images
    const seconds = (performance.now() - this.#began) / 1000
    this.#bar.update(this.#done, {
      loss: (cumulativeLoss / this.#done).toFixed(4),
      rate: Math.round(this.#done / seconds),
    })
  }

  stop(): void {
    this.#images += this.#done
    this.#seconds += (performance.now() - this.#began) / 1000
    this.#bar.stop()
  }

  /** How fast training was, without the evaluations between epochs. */
  summary(): string {
    if (this.#seconds === 0) return 'none'
    const rate = Math.round(this.#images / this.#seconds)
    return `${this.#images} images in ${this.#seconds.toFixed(1)} s, ${rate} images/s`
  }
}
