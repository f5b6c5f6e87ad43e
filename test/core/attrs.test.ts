/** Attributes: normal forms, MXNet's text and back, and what is refused. */

import { describe, expect, it } from 'vitest'
import { MXNetError } from '../../src/base/error.ts'
import { type Attr, attr, checkAttrs } from '../../src/core/attrs.ts'

// biome-ignore lint/suspicious/noExplicitAny: attributes of any type are listed together
type Any = Attr<any>

const kinds: readonly (readonly [
  string,
  Any,
  readonly (readonly [unknown, string])[],
  readonly unknown[],
  readonly string[],
])[] = [
  [
    'int',
    attr.int(),
    [
      [3, '3'],
      [-1, '-1'],
      [0, '0'],
    ],
    [1.5, '3', null, Number.NaN, Infinity, true],
    ['', '1.5', 'x', 'None'],
  ],
  ['int above 0', attr.int(undefined, { above: 0 }), [[3, '3']], [0, -1], ['0']],
  [
    'int from 1 to 2',
    attr.int(undefined, { min: 1, max: 2 }),
    [
      [1, '1'],
      [2, '2'],
    ],
    [0, 3],
    ['3'],
  ],
  [
    'float',
    attr.float(),
    [
      [0.5, '0.5'],
      [1e-8, '1e-08'],
      [Infinity, 'inf'],
    ],
    ['0.5', null, []],
    ['', 'x'],
  ],
  [
    'bool',
    attr.bool(),
    [
      [true, 'True'],
      [false, 'False'],
    ],
    [1, 'True', null],
    ['yes', ''],
  ],
  [
    'oneOf',
    attr.oneOf(['clip', 'wrap']),
    [
      ['clip', 'clip'],
      ['wrap', 'wrap'],
    ],
    ['raise', 0, null],
    ['Clip'],
  ],
  [
    'ints',
    attr.ints(),
    [
      [[2, 3], '(2, 3)'],
      [[4], '(4,)'],
      [[], '()'],
      [[-1, 0], '(-1, 0)'],
    ],
    [[1.5], ['1'], '1', null],
    ['(1.5,)', 'x'],
  ],
  [
    'intsOrNull',
    attr.intsOrNull(),
    [
      [[0, null], '(0, None)'],
      [[null], '(None,)'],
      [[], '()'],
    ],
    [[0.5], 'x'],
    ['(x,)'],
  ],
  [
    'floats',
    attr.floats(undefined, { max: 3 }),
    [
      [[0.5, -2], '(0.5, -2)'],
      [[3], '(3,)'],
    ],
    ['x', [4], [null]],
    ['(x,)', '(4,)'],
  ],
  [
    'dtype',
    attr.dtype(),
    [
      ['float32', 'float32'],
      ['int64', 'int64'],
      ['bfloat16', 'bfloat16'],
    ],
    ['float', 'int16', 3, null],
    ['double'],
  ],
  [
    'optional',
    attr.optional(attr.int()),
    [
      [null, 'None'],
      [2, '2'],
    ],
    ['x', 0.5],
    ['none'],
  ],
]

describe.each(kinds)('%s', (_name, a, pairs, wrong, unreadable) => {
  it('writes MXNet text and reads it back', () => {
    for (const [value, text] of pairs) {
      expect(a.normalize(value)).toEqual(value)
      expect(a.format(value)).toBe(text)
      expect(a.parse(text)).toEqual(value)
    }
  })

  it('refuses other values and other text', () => {
    for (const value of wrong) expect(a.normalize(value), String(value)).toBeUndefined()
    for (const text of unreadable) expect(a.parse(text), text).toBeUndefined()
    expect(a.wants.length).toBeGreaterThan(5)
  })
})

describe('normal forms', () => {
  it('lists from single numbers', () => {
    expect(attr.ints().normalize(3)).toEqual([3])
    expect(attr.intsOrNull().normalize(null)).toEqual([null])
  })

  it('reads what MXNet writes', () => {
    const { ints, float, bool } = attr
    expect(ints().parse('[2, 3]')).toEqual([2, 3])
    expect(ints().parse('(2L, 3L)')).toEqual([2, 3])
    expect(ints().parse('2')).toEqual([2])
    expect(float().parse('1e-05')).toBe(1e-5)
    expect(['1', 'true', 'True', '0', 'false'].map(bool().parse)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ])
  })
})

describe('checkAttrs', () => {
  const schema = {
    axis: attr.int(-1),
    shape: attr.ints(),
    scale: attr.scalar(2),
    mode: attr.optional(attr.oneOf(['a', 'b'])),
  }

  it('fills defaults and takes numbers that change apart', () => {
    const checked = checkAttrs('op', schema, { shape: 3, scale: 5 })
    expect(checked.values).toEqual({ axis: -1, shape: [3], mode: null })
    expect(checked.scalars).toEqual([5])
  })

  it('has one key for equal static attributes, another for others', () => {
    const key = (given: object): string => checkAttrs('op', schema, { ...given }).key
    expect(key({ shape: [2] })).toBe(key({ shape: 2, axis: -1, scale: 9, mode: undefined }))
    expect(key({ shape: [2] })).not.toBe(key({ shape: [2, 1] }))
    expect(key({ shape: [2] })).not.toBe(key({ shape: [2], mode: 'a' }))
  })

  it.each([
    [{}, '[op] attribute shape is required: give integers such as [2, 3]'],
    [{ shape: 'x' }, "[op] attribute shape is 'x': it must be integers such as [2, 3]"],
    [{ shape: [1], axis: 0.5 }, '[op] attribute axis is 0.5: it must be an integer'],
    [{ shape: [1], scale: 'a' }, "[op] attribute scale is 'a': it must be a number"],
    [{ shape: [1], mode: 'c' }, "[op] attribute mode is 'c': it must be one of 'a', 'b', or null"],
    [{ shape: [1], axes: 1 }, '[op] unknown attribute axes: use axis, shape, scale, mode'],
  ])('refuses %j', (given, message) => {
    const check = (): unknown => checkAttrs('op', schema, given)
    expect(check).toThrow(MXNetError)
    expect(check).toThrow(message)
  })

  it('does not take names from the prototype', () => {
    expect(() => checkAttrs('op', {}, { toString: 1 })).toThrow(
      /unknown attribute toString: there are none/,
    )
  })
})
