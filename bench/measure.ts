// Interleaved measurement of one case: all systems take turns, so a disturbance meets all of them.
import type { Case } from './cases.ts'
import type { Child } from './child.ts'

export interface Running {
  readonly name: string
  readonly kind: 'ours' | 'peer' | 'limit'
  readonly child: Child
  readonly cases: readonly string[]
}

export interface Effort {
  readonly rounds: number
  /** How long one turn should take. */
  readonly seconds: number
}

export interface Measured {
  readonly system: string
  readonly kind: Running['kind']
  readonly reps: number
  /** Seconds a repetition, one entry a round. */
  readonly times: readonly number[]
}

export interface CaseResult {
  readonly case: Case
  readonly measured: readonly Measured[]
  readonly problems: readonly string[]
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** How many repetitions fill a turn; runs the system warm on the way. */
async function calibrate(child: Child, name: string, effort: Effort): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  let reps = 1
  for (let spent = 0; spent < 40 * effort.seconds; ) {
    const seconds = await child.run(name, reps)
    spent += Math.max(seconds, 1e-6)
    // The best so far, because the first turns are those of a cold compiler.
    best = Math.min(best, seconds / reps)
    reps = Math.max(1, Math.min(Math.round(effort.seconds / best), reps * 10))
  }
  return reps
}

const agrees = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-3 * Math.max(1, Math.abs(b))

/** Whether all systems compute the same, as far as their checks tell. */
async function compare(name: string, systems: readonly Running[]): Promise<Map<string, string>> {
  const wrong = new Map<string, string>()
  const answers = new Map<string, number[]>()
  for (const { name: system, child } of systems) {
    try {
      const answer = await child.check(name)
      if (answer.length > 0) answers.set(system, answer)
    } catch (error) {
      wrong.set(system, (error as Error).message)
    }
  }
  // The median of each number over the systems: one that is wrong does not accuse the others.
  const length = Math.max(0, ...[...answers.values()].map((answer) => answer.length))
  const common = Array.from({ length }, (_, i) =>
    median([...answers.values()].map((answer) => answer[i] ?? Number.NaN)),
  )
  for (const [system, answer] of answers) {
    if (!common.every((value, i) => agrees(answer[i] ?? Number.NaN, value))) {
      wrong.set(system, `computes ${answer.join(' ')} where the others have ${common.join(' ')}`)
    }
  }
  return wrong
}

/** Measures one case on every system that has it; who fails is left out, and why is said. */
export async function measure(
  which: Case,
  systems: readonly Running[],
  effort: Effort,
): Promise<CaseResult> {
  const able = systems.filter(({ cases }) => cases.includes(which.name))
  const wrong = await compare(which.name, able)
  const turns: { system: Running; reps: number; times: number[] }[] = []
  for (const system of able.filter(({ name }) => !wrong.has(name))) {
    try {
      const reps = await calibrate(system.child, which.name, effort)
      turns.push({ system, reps, times: [] })
    } catch (error) {
      wrong.set(system.name, (error as Error).message)
    }
  }
  for (let round = 0; round < effort.rounds; round++) {
    for (let i = 0; i < turns.length; i++) {
      // Another one begins each round, so that nobody always follows the same neighbour.
      const turn = turns[(i + round) % turns.length]!
      if (wrong.has(turn.system.name)) continue
      try {
        turn.times.push((await turn.system.child.run(which.name, turn.reps)) / turn.reps)
      } catch (error) {
        wrong.set(turn.system.name, (error as Error).message)
      }
    }
  }
  return {
    case: which,
    measured: turns
      .filter(({ system }) => !wrong.has(system.name))
      .map(({ system, reps, times }) => ({ system: system.name, kind: system.kind, reps, times })),
    problems: [...wrong].map(([system, reason]) => `${which.name} on ${system}: ${reason}`),
  }
}
