/** What is recorded and in which mode: flags, nesting, and the scopes that set them. */

import { beforeEach, describe, expect, it } from 'vitest'
import {
  isRecording,
  isTraining,
  pause,
  predictMode,
  record,
  trainMode,
} from '../../src/autograd/index.ts'
import { MXNetError } from '../../src/base/error.ts'
import { frame } from '../../src/core/frame.ts'
import { array } from '../../src/ndarray/creation.ts'
import '../cases/devices.ts'

const flags = (): [boolean, boolean] => [isRecording(), isTraining()]

describe('scopes', () => {
  beforeEach(() => Object.assign(frame, { recording: false, training: false }))

  it('start outside everything', () => expect(flags()).toEqual([false, false]))

  it('record and train unless told otherwise', () => {
    expect(record(flags)).toEqual([true, true])
    expect(record(flags, { trainMode: false })).toEqual([true, false])
    expect(pause(flags)).toEqual([false, false])
    expect(pause(flags, { trainMode: true })).toEqual([false, true])
    expect(flags()).toEqual([false, false])
  })

  it('nest and put back what they found', () => {
    record(() => {
      expect(predictMode(flags)).toEqual([true, false])
      pause(() => {
        expect(flags()).toEqual([false, false])
        expect(trainMode(flags)).toEqual([false, true])
        expect(record(flags)).toEqual([true, true])
        expect(flags()).toEqual([false, false])
      })
      expect(flags()).toEqual([true, true])
    })
    expect(flags()).toEqual([false, false])
  })

  it('give back the value of their body', () => {
    expect(record(() => 3)).toBe(3)
    expect(pause(() => 'x')).toBe('x')
  })

  it('end when the body throws', () => {
    expect(() =>
      record(() => {
        throw new Error('inside')
      }),
    ).toThrow('inside')
    expect(flags()).toEqual([false, false])
  })

  it('end when disposed of', () => {
    const outer = record()
    expect(flags()).toEqual([true, true])
    const inner = predictMode()
    expect(flags()).toEqual([true, false])
    inner[Symbol.dispose]()
    expect(flags()).toEqual([true, true])
    outer[Symbol.dispose]()
    expect(flags()).toEqual([false, false])
  })

  it('end with the block under using', () => {
    {
      using _scope = record()
      expect(flags()).toEqual([true, true])
    }
    expect(flags()).toEqual([false, false])
  })

  it('take options without a body', () => {
    const scope = record({ trainMode: false })
    expect(flags()).toEqual([true, false])
    scope[Symbol.dispose]()
  })

  it('refuse an asynchronous body', () => {
    const body = (async () => 1) as never
    for (const scope of [record, pause, trainMode, predictMode]) {
      expect(() => scope(body)).toThrow(MXNetError)
    }
    expect(() => record(body)).toThrow(/^\[record\] .*promise/)
    expect(flags()).toEqual([false, false])
  })

  it('leave no history outside record', () => {
    const x = array([1, 2])
    x.attachGrad()
    expect(x.mul(2).node).toBeNull()
    expect(record(() => pause(() => x.mul(2))).node).toBeNull()
    expect(record(() => x.mul(2)).node).not.toBeNull()
    expect(record(() => array([1]).mul(2)).node).toBeNull()
  })
})
