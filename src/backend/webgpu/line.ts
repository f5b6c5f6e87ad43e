/** Work for a device in order: kept back while the device starts, and while somebody holds the line. */

/** Something to be done with a device. */
export type Work<D> = (device: D) => void

/** A line of work; `failed` hears what goes wrong when work that was kept back is done. */
export class WorkLine<D> {
  readonly #failed: (device: D, error: unknown) => void
  /** Resolves when the device has started, rejects when it does not. */
  readonly started: Promise<D>
  #device: D | null = null
  #open = false
  #over = false
  #waiting: Work<D>[] = []

  constructor(start: Promise<D>, failed: (device: D, error: unknown) => void) {
    this.#failed = failed
    this.started = start
    start.then(
      (device) => {
        this.#device = device
        this.#resume()
      },
      () => {
        this.#over = true
        this.#waiting = []
      },
    )
  }

  /** The device, once it has started. */
  get device(): D | null {
    return this.#device
  }

  /** Whether work is done as soon as it is given. */
  get open(): boolean {
    return this.#open
  }

  /** Does work now, or when its turn comes; never where the device does not start. */
  give(work: Work<D>): void {
    if (this.#open) work(this.#device!)
    else if (!this.#over) this.#waiting.push(work)
  }

  /** When its turn comes, keeps back all further work until `body` is done; what it returns is done first. */
  hold(body: (device: D) => Promise<Work<D>>): void {
    this.give((device) => {
      this.#open = false
      // What is kept back already was given later.
      const later = this.#waiting
      this.#waiting = []
      const go = (first: Work<D>): void => {
        this.#waiting = [first, ...later, ...this.#waiting]
        this.#resume()
      }
      body(device).then(go, (error) => go(() => this.#failed(device, error)))
    })
  }

  #resume(): void {
    this.#open = true
    while (this.#open) {
      const work = this.#waiting.shift()
      if (work === undefined) return
      try {
        work(this.#device!)
      } catch (error) {
        this.#failed(this.#device!, error)
      }
    }
  }
}
