// What a page shows to the process that started it: its cases, and how they are run and timed there.
import type { Served } from '../data.ts'

/** Makes the cases of a page known; each is set up when it is first asked for. */
export function show(about: string, cases: Readonly<Record<string, () => Served>>): void {
  const ready = new Map<string, Served>()
  const get = (name: string): Served => {
    const served = ready.get(name) ?? cases[name]!()
    ready.set(name, served)
    return served
  }
  Object.assign(globalThis, {
    measured: {
      about,
      cases: Object.keys(cases),
      check: async (name: string): Promise<number[]> => Array.from(await get(name).check()),
      run: async (name: string, reps: number): Promise<number> => {
        const served = get(name)
        const start = performance.now()
        await served.run(reps)
        return (performance.now() - start) / 1000
      },
    },
  })
}
