/** Launching routines: programs for the situations in which they run, and the numbers of each launch. */

import { itemSize } from '../../base/dtype.ts'
import { fail } from '../../base/error.ts'
import type { GpuDevice, Program } from './device.ts'
import { placeOf, regionOf } from './memory.ts'
import type { Stage } from './routine.ts'
import { launchBits, type Situation } from './shader.ts'

/** One stage of a kernel, with a program for each situation in which it has been launched. */
export class Launcher {
  readonly #stage: Stage
  readonly #sizes: readonly number[]
  readonly #programs = new Map<string, Program>()
  #last: { readonly key: string; readonly program: Program } | null = null

  constructor(stage: Stage) {
    this.#stage = stage
    this.#sizes = stage.operands.map((o) => itemSize(o.dtype))
  }

  /** A launch on these buffers: everything is read from the arrays now, the device when it runs. */
  bind(
    addresses: readonly number[],
    temporaries: readonly number[],
    params: readonly number[],
  ): (gpu: GpuDevice) => void {
    const { operands, buffers } = this.#stage
    const heaps: number[] = []
    const first: number[] = []
    let key = ''
    for (let i = 0; i < operands.length; i++) {
      const number = buffers[i]!
      // Operands without elements have no address.
      const address = Math.max(0, number < 0 ? temporaries[-1 - number]! : addresses[number]!)
      const region = regionOf(address)
      let heap = heaps.indexOf(region)
      if (heap < 0) heap = heaps.push(region) - 1
      const element = placeOf(address) / this.#sizes[i]! + operands[i]!.offset
      first.push(element)
      key += heap + (element % 4 === 0 ? 'a' : 'u')
    }
    const given = params.slice()
    return (gpu) => {
      if (this.#last?.key !== key) {
        let program = this.#programs.get(key)
        if (program === undefined) {
          program = this.#compile(gpu, key, heaps.length)
          this.#programs.set(key, program)
        }
        this.#last = { key, program }
      }
      const { program } = this.#last
      const numbers = program.words.map((word) =>
        word.kind === 'operand'
          ? first[word.operand]! >>> 0
          : launchBits(
              given[word.slot] ?? fail(gpu.name, `launch number ${word.slot} was not given`),
              word.dtype,
            ),
      )
      gpu.launch(program, heaps, numbers)
    }
  }

  #compile(gpu: GpuDevice, key: string, heaps: number): Program {
    const marks = [...key.matchAll(/(\d+)([au])/g)]
    const situation: Situation = {
      heaps: marks.map((m) => Number(m[1])),
      aligned: marks.map((m) => m[2] === 'a'),
    }
    const { text, words, grid } = this.#stage.source(situation)
    return { pipeline: gpu.compile(text, heaps), words, grid }
  }
}
