import { describe, expect, it } from 'vitest'
import type { FunctionBuilder, ValueType } from '../../../src/backend/wasm/assembler.ts'
import { ModuleBuilder } from '../../../src/backend/wasm/module.ts'
import { hasRelaxedSimd } from '../../../src/backend/wasm/relaxed.ts'
import { ATOMIC_MEMORY, MEMORY, PLAIN } from '../../../src/backend/wasm/simd.ts'

type Numeric = (...args: number[]) => number

const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true })
const bytes = new Uint8Array(memory.buffer)
const floats = new Float32Array(memory.buffer)

/** Compiles one function and returns it. */
function compile<F = Numeric>(
  params: readonly ValueType[],
  results: readonly ValueType[],
  body: (f: FunctionBuilder, m: ModuleBuilder) => void,
  imports: WebAssembly.Imports = {},
): F {
  const m = new ModuleBuilder()
  body(m.func(params, results, 'run'), m)
  const module = new WebAssembly.Module(m.assemble())
  const instance = new WebAssembly.Instance(module, { env: { memory }, ...imports })
  return instance.exports.run as F
}

const valid = (emit: (f: FunctionBuilder) => void): boolean => {
  const m = new ModuleBuilder()
  const f = m.func([], [])
  // Behind `unreachable` the stack gives any operand; the second swallows any result.
  f.unreachable()
  emit(f)
  f.unreachable()
  return WebAssembly.validate(m.assemble())
}

describe('constants', () => {
  it('encodes i32 over the whole range', () => {
    for (const x of [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -8193, 2 ** 31 - 1]) {
      expect(compile([], ['i32'], (f) => f.i32(x))()).toBe(x)
    }
    expect(compile([], ['i32'], (f) => f.i32(-(2 ** 31)))()).toBe(-(2 ** 31))
    expect(compile([], ['i32'], (f) => f.i32(0xffffffff))()).toBe(-1)
  })

  it('encodes i64 over the whole range', () => {
    for (const x of [0n, 64n, -65n, 2n ** 63n - 1n, -(2n ** 63n), 1234567890123n]) {
      expect(compile<() => bigint>([], ['i64'], (f) => f.i64(x))()).toBe(x)
    }
  })

  it('encodes floats bit by bit', () => {
    for (const x of [0, -0, 1.5, 1e-310, Infinity, -Infinity, NaN, Math.PI]) {
      expect(compile([], ['f64'], (f) => f.f64(x))()).toBe(x)
      expect(compile([], ['f32'], (f) => f.f32(x))()).toBe(Math.fround(x))
    }
  })

  it('encodes vectors lane by lane', () => {
    const lane = (i: number) =>
      compile([], ['f32'], (f) => f.f32x4([1, 2, 3, 4]).lane('f32x4.extract_lane', i))()
    expect([0, 1, 2, 3].map(lane)).toEqual([1, 2, 3, 4])
    expect(compile([], ['f64'], (f) => f.f64x2(7).lane('f64x2.extract_lane', 1))()).toBe(7)
    expect(compile([], ['i32'], (f) => f.i32x4(-9).lane('i32x4.extract_lane', 3))()).toBe(-9)
  })
})

describe('instructions', () => {
  const relaxed = hasRelaxedSimd()

  it.each(Object.keys(PLAIN) as (keyof typeof PLAIN)[])('%s is known to the engine', (name) => {
    expect(valid((f) => f.op(name))).toBe(relaxed || !name.includes('relaxed'))
  })

  it('knows every memory access, with large offsets', () => {
    for (const name of Object.keys({ ...MEMORY, ...ATOMIC_MEMORY })) {
      const access = name as keyof typeof MEMORY
      expect(
        valid((f) => f.mem(access)),
        name,
      ).toBe(true)
      expect(
        valid((f) => f.mem(access, 0xffffffff)),
        name,
      ).toBe(true)
    }
  })

  it('states alignments no larger than the access', () => {
    const aligned = (name: keyof typeof MEMORY, align: number) =>
      valid((f) => f.mem(name, 0, align))
    expect([aligned('v128.load', 4), aligned('v128.load', 5)]).toEqual([true, false])
    expect([aligned('v128.load8x8_s', 3), aligned('v128.load8x8_s', 4)]).toEqual([true, false])
    expect([aligned('i64.load16_u', 1), aligned('i64.load16_u', 2)]).toEqual([true, false])
  })

  it('shuffles lanes of 32 and 64 bits', () => {
    const run = compile<(x: number) => void>(['i32'], [], (f) => {
      f.get(0).f32x4([1, 2, 3, 4]).f32x4([5, 6, 7, 8]).shuffle32(0, 4, 3, 7)
      f.mem('v128.store')
      f.get(0).f32x4([1, 2, 3, 4]).f32x4([5, 6, 7, 8]).shuffle64(1, 2).mem('v128.store', 16)
    })
    run(64)
    expect([...floats.subarray(16, 24)]).toEqual([1, 5, 4, 8, 3, 4, 5, 6])
  })

  it('loads and stores single lanes, selects, copies and fills', () => {
    const run = compile<() => void>([], [], (f) => {
      const v = f.local('v128')
      f.i32(0).i32(0xab).i32(64).memoryFill()
      f.i32(0).f32(3).mem('f32.store', 4)
      f.i32(0).f32x4(9).memLane('v128.load32_lane', 2, 4).set(v)
      f.i32(0).get(v).mem('v128.store', 16)
      f.i32(0).get(v).memLane('v128.store32_lane', 2, 40)
      f.i32(0).f32x4(1).f32x4(2).i32(0).select('v128').mem('v128.store', 128)
      f.i32(144).i32(16).i32(16).memoryCopy()
    })
    run()
    expect([...floats.subarray(4, 8)]).toEqual([9, 9, 3, 9])
    expect(floats[10]).toBe(3)
    expect([...floats.subarray(32, 40)]).toEqual([2, 2, 2, 2, 9, 9, 3, 9])
    expect([bytes[0], bytes[63], bytes[8]]).toEqual([0xab, 0xab, 0xab])
  })
})

describe('control', () => {
  it('counts with range, to a local or a constant', () => {
    const sum = compile(['i32'], ['i32'], (f) => {
      const [i, total] = [f.local('i32'), f.local('i32')]
      f.range(i, 0, 1, () => f.get(total).get(i).op('i32.add').set(total))
      f.get(total)
    })
    expect([sum(0), sum(-3), sum(1), sum(10)]).toEqual([0, 0, 0, 45])
    const fixed = compile([], ['i32'], (f) => {
      const [i, turns] = [f.local('i32'), f.local('i32')]
      f.range(i, { const: 10 }, 4, () => f.get(turns).i32(1).op('i32.add').set(turns))
      f.get(turns)
    })
    expect(fixed()).toBe(3)
  })

  it('branches to labels across levels', () => {
    const find = compile(['i32'], ['i32'], (f) => {
      const i = f.local('i32')
      f.block((found) => {
        f.loop((again) => {
          f.get(i).get(i).op('i32.mul').get(0).op('i32.ge_s')
          f.if(() => f.br(found))
          f.get(i).i32(1).op('i32.add').set(i).br(again)
        })
      })
      f.get(i)
    })
    expect([find(0), find(17), find(100)]).toEqual([0, 5, 10])
  })

  it('leaves values from blocks and arms', () => {
    const sign = compile(['f64'], ['i32'], (f) => {
      f.get(0).f64(0).op('f64.lt')
      f.if(
        () => f.i32(-1),
        () => f.block(() => f.i32(1), 'i32'),
        'i32',
      )
    })
    expect([sign(-2), sign(2)]).toEqual([-1, 1])
  })
})

describe('functions', () => {
  it('calls functions built later and imports declared later', () => {
    const run = compile(
      ['f64'],
      ['f64'],
      (f, m) => {
        const double = m.func(['f64'], ['f64'])
        const exp = m.import('math', 'exp', ['f64'], ['f64'])
        f.get(0).call(double).call(exp)
        double.get(0).f64(2).op('f64.mul')
      },
      { math: { exp: Math.exp } },
    )
    expect(run(1.5)).toBe(Math.exp(3))
  })

  it('holds hundreds of functions and locals', () => {
    const m = new ModuleBuilder()
    const all = Array.from({ length: 300 }, (_, i) => {
      const f = m.func(['i32'], ['i32'], `f${i}`)
      return f
    })
    for (const [i, f] of all.entries()) {
      if (i === 0) {
        const many = Array.from({ length: 200 }, () => f.local('i32'))
        f.get(0).set(many[199]!).get(many[199]!)
      } else {
        f.get(0)
          .i32(1)
          .op('i32.add')
          .call(all[i - 1]!)
      }
    }
    const module = new WebAssembly.Module(m.assemble())
    const { exports } = new WebAssembly.Instance(module, { env: { memory } })
    expect((exports.f299 as Numeric)(1)).toBe(300)
    expect(m.assemble()).toEqual(m.assemble())
  })

  it('reuses freed locals by type', () => {
    const m = new ModuleBuilder({ memory: null })
    const f = m.func(['i32'], [])
    const a = f.local('v128')
    const b = f.local('f32')
    f.free(a)
    expect(f.local('i32')).not.toBe(a)
    expect(f.local('v128')).toBe(a)
    expect([f.typeOf(0), f.typeOf(b)]).toEqual(['i32', 'f32'])
    expect(() => f.typeOf(99)).toThrow('[wasm] local 99')
    expect(WebAssembly.validate(m.assemble())).toBe(true)
  })

  it('lays pieces abreast, a statement of each in turn, with their calls and with locals of their own', () => {
    const order: number[] = []
    const run = compile(
      ['i32'],
      ['i32'],
      (f, m) => {
        const note = m.import('env', 'note', ['i32'], ['i32'])
        const sums = [0, 1, 2].map(() => f.local('i32'))
        f.abreast(3, (at) => {
          const x = f.local('i32')
          f.get(0).i32(at).op('i32.add').call(note).set(x).cut()
          f.block(() => f.get(x).i32(10).op('i32.mul').call(note).set(x).cut())
          f.cut()
          f.get(x).i32(1).op('i32.add').set(sums[at]!).free(x)
        })
        for (const s of sums) f.get(s)
        f.op('i32.add').op('i32.add')
      },
      { env: { memory, note: (x: number) => order.push(x) && x } },
    )
    expect(run(4)).toBe(153)
    expect(order).toEqual([4, 5, 6, 40, 50, 60])
  })

  it('needs no memory when told so', () => {
    const m = new ModuleBuilder({ memory: null })
    m.func([], ['i32'], 'run').i32(5)
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(m.assemble()))
    expect((exports.run as Numeric)()).toBe(5)
  })
})
