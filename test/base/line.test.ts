/** Lines of work: order while somebody holds them. */

import { expect, it } from 'vitest'
import { Line } from '../../src/base/line.ts'

/** A promise to be settled by hand. */
function settled<T>() {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

it('does work at once while it is open', () => {
  const line = new Line(() => {})
  const done: number[] = []
  line.give(() => done.push(1))
  expect(done).toEqual([1])
  expect(() =>
    line.give(() => {
      throw new Error('at once')
    }),
  ).toThrow('at once')
})

it('keeps work back in order, holds within holds included', async () => {
  const line = new Line(() => {})
  const done: string[] = []
  const say = (word: string) => () => {
    done.push(word)
  }
  const [a, b] = [settled<void>(), settled<void>()]
  line.hold(async () => {
    await a.promise
    return say('a')
  })
  line.give(say('after a'))
  line.hold(async () => {
    await b.promise
    return say('b')
  })
  line.give(say('after b'))
  expect(line.open).toBe(false)
  b.resolve()
  await turn()
  expect(done).toEqual([])
  a.resolve()
  await turn()
  expect(done).toEqual(['a', 'after a', 'b', 'after b'])
  expect(line.open).toBe(true)
})

it('tells of errors and goes on', async () => {
  const errors: string[] = []
  const line = new Line((e) => errors.push((e as Error).message))
  const done: number[] = []
  line.hold(() => Promise.reject(new Error('never came')))
  line.give(() => {
    throw new Error('later')
  })
  line.give(() => done.push(1))
  await turn()
  expect(errors).toEqual(['never came', 'later'])
  expect(done).toEqual([1])
})
