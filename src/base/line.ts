/** Work in order: done as soon as it is given, except while somebody holds the line. */

/** Something to be done in its turn. */
export type Work = () => void

/** A line of work; `failed` hears what goes wrong with work that was kept back, whose giver has gone on. */
export class Line {
  readonly #failed: (error: unknown) => void
  #open = true
  #waiting: Work[] = []

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  /** Whether work is done as soon as it is given. */
  get open(): boolean {
    return this.#open
  }

  /** Does work now, or when its turn comes. */
  give(work: Work): void {
    if (this.#open) work()
    else this.#waiting.push(work)
  }

  /** Keeps back all work given from now on until `body` is done, in its turn; what it gives is done first. */
  hold(body: () => Promise<Work>): void {
    this.give(() => {
      this.#open = false
      // What waits already was given after this.
      const later = this.#waiting
      this.#waiting = []
      const go = (first: Work): void => {
        this.#waiting = [first, ...later, ...this.#waiting]
        this.#resume()
      }
      body().then(go, (error) => go(() => this.#failed(error)))
    })
  }

  #resume(): void {
    this.#open = true
    const work = this.#waiting
    this.#waiting = []
    for (let i = 0; i < work.length; i++) {
      if (!this.#open) {
        this.#waiting = [...work.slice(i), ...this.#waiting]
        return
      }
      try {
        work[i]!()
      } catch (error) {
        this.#failed(error)
      }
    }
  }
}
