/** A backend whose work can be kept back: what comes from a device that cannot be waited for in place is waited for here. */

import type { Backend, Compiled } from '../backend/backend.ts'
import { fail, MXNetError } from '../base/error.ts'
import { Line } from '../base/line.ts'

/** A backend behind a gate. */
export interface GatedBackend extends Backend {
  /** Writes bytes that are on their way; work given later waits for them. */
  writeLater(address: number, coming: Promise<Uint8Array>): void
}

const inners = new WeakMap<Backend, Backend>()
const innerOf = (backend: Backend): Backend => inners.get(backend) ?? backend

/** The gate of one memory: while it is shut, all streams over the memory wait, since any may use what is to come. */
export class Gate {
  #error: MXNetError | null = null
  readonly #line = new Line((error) => {
    this.#error ??=
      error instanceof MXNetError
        ? error
        : new MXNetError('engine', String(error), { cause: error })
  })

  #raise(): void {
    const error = this.#error
    this.#error = null
    if (error !== null) throw error
  }

  /** Gives a promise of what `body` gives in its turn. */
  #turn<T>(body: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#line.give(() => {
        try {
          this.#raise()
          body().then(resolve, reject)
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  /** The backend behind this gate; one that is behind it already stays as it is. */
  around(inner: Backend): GatedBackend {
    if (inners.has(inner)) return inner as GatedBackend
    const line = this.#line
    // A mark taken while work waits says nothing about it.
    const known = (mark: number | undefined): number | undefined =>
      Number.isFinite(mark) ? mark : undefined
    const own: GatedBackend = {
      name: inner.name,
      get canBlock() {
        return inner.canBlock && line.open
      },
      alloc: (bytes) => inner.alloc(bytes),
      free: (address) => {
        if (line.open) inner.free(address)
        else line.give(() => inner.free(address))
      },
      write: (address, source) => {
        const bytes = line.open ? source : source.slice()
        line.give(() => inner.write(address, bytes))
      },
      writeLater: (address, coming) => {
        // Its turn may come after it has failed, which is no news for anybody else.
        coming.catch(() => {})
        line.hold(async () => {
          const bytes = await coming
          return () => inner.write(address, bytes)
        })
      },
      read: (address, bytes, after) => this.#turn(() => inner.read(address, bytes, known(after))),
      readSync: (address, bytes, after) => {
        if (!line.open) fail(inner.name, 'a copy from another device is on its way: use await')
        this.#raise()
        return inner.readSync(address, bytes, known(after))
      },
      compile: (kernel) => gatedRun(line, inner.compile(kernel)),
      sync: () => this.#turn(() => inner.sync()),
      memory: () => inner.memory(),
      get total() {
        return inner.total
      },
    }
    const { channelsLast } = inner
    const given: Partial<Backend> = {
      ...(channelsLast === undefined ? {} : { channelsLast }),
      ...(inner.mark ? { mark: () => (line.open ? inner.mark!() : Number.NaN) } : {}),
      ...(inner.waitFor
        ? {
            waitFor: (other, mark) => {
              const first = innerOf(other)
              line.give(() => inner.waitFor!(first, known(mark) ?? first.mark?.() ?? 0))
            },
          }
        : {}),
      ...(inner.ready ? { ready: () => inner.ready!() } : {}),
      ...(inner.emptyCache ? { emptyCache: () => inner.emptyCache!() } : {}),
      ...(inner.trace ? { trace: (on: boolean) => inner.trace!(on) } : {}),
      ...(inner.counters ? { counters: () => inner.counters!() } : {}),
    }
    Object.assign(own, given)
    inners.set(own, inner)
    return own
  }
}

function gatedRun(line: Line, compiled: Compiled): Compiled {
  return {
    run: (addresses, params) => {
      if (line.open) return compiled.run(addresses, params)
      const [a, p] = [addresses.slice(), params.slice()]
      line.give(() => compiled.run(a, p))
    },
  }
}
