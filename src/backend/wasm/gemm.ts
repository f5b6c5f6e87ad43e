/** Matrix products: blocked for the caches, tiled for the registers, with an epilogue over finished blocks. */

import type { Callable, FunctionBuilder, Local, ValueType } from './assembler.ts'
import { ModuleBuilder } from './module.ts'
import {
  bump,
  bumpBy,
  emitPack,
  i32s,
  is,
  LANES,
  type Lanes,
  plus,
  plusProduct,
  pushMin,
  type Real,
} from './pack.ts'
import { hasRelaxedSimd } from './relaxed.ts'
import { emitThin } from './thin.ts'
import { emitSweep, TILE_VECTORS, tileRows } from './tile.ts'

export type { Real } from './pack.ts'

/** Block sizes: k, n of a packed block of B, rows of a packed block of A. */
const KC = 512
const NC = 256
const MC = 48
/** Packing B of unit column stride pays from this many rows on, packing A from this many columns. */
const PACK_B_ROWS = 32
const PACK_A_COLUMNS = 128

/** Columns of a tile, and of a packed panel of B. */
const tileColumns = (lanes: Lanes) => lanes.count * TILE_VECTORS
/** Rows a packed panel of A has room for. */
const panelRows = (relaxed: boolean, lanes: Lanes) => roundUp(tileRows(relaxed), lanes.count)
/** Elements of a column of tiles, for results on their way to C. */
const tileElements = (lanes: Lanes) => MC * tileColumns(lanes)
const roundUp = (x: number, to: number) => Math.ceil(x / to) * to

/** The functions of the core that a product calls. */
export interface GemmCore {
  readonly type: Real
  /** Whether it uses fused multiply-add. */
  readonly relaxed: boolean
  /** Products too thin for tiles; gives 0 where it declines. */
  readonly thin: Callable
  /** Gathers panels of A or B. */
  readonly pack: Callable
  /** Multiplies a block of rows by a block of columns. */
  readonly sweep: Callable
  /** The whole product without epilogue; the parameters of `GEMM_PARAMS`. */
  readonly gemm: Callable
}

/**
 * The parameters of a product, all i32: `m n k`, then address and element strides of A (m × k), B (k × n) and
 * C (m × n), `scratch` (`gemmScratchBytes` bytes, aligned to 16) and `accumulate` (1 adds to C, 0 overwrites it).
 * C must not overlap A, B or itself; k = 0 gives zeros.
 */
export const GEMM_PARAMS = [
  'm',
  'n',
  'k',
  'a',
  'sam',
  'sak',
  'b',
  'sbk',
  'sbn',
  'c',
  'scm',
  'scn',
  'scratch',
  'accumulate',
] as const

/** Bytes of scratch a product needs at most. */
export function gemmScratchBytes(m: number, n: number, k: number, type: Real = 'float32'): number {
  const lanes = LANES[type]
  const kc = Math.min(k, KC)
  const aRows = (relaxed: boolean) =>
    Math.ceil(Math.min(m, MC) / tileRows(relaxed)) * panelRows(relaxed, lanes)
  const a = Math.max(aRows(false), aRows(true))
  const b = roundUp(Math.min(n, NC), tileColumns(lanes))
  return (tileElements(lanes) + (a + b) * kc) * lanes.size
}

const M = 0
const N = 1
const K = 2
const A = 3
const SAM = 4
const SAK = 5
const B = 6
const SBK = 7
const SBN = 8
const C = 9
const SCM = 10
const SCN = 11
const SCRATCH = 12
const ACCUMULATE = 13

/** Pushes the epilogue's parameters of a product. */
function pushExtras(f: FunctionBuilder, extras: readonly ValueType[]): FunctionBuilder {
  for (let i = 1; i <= extras.length; i++) f.get(ACCUMULATE + i)
  return f
}

/** The blocked product, strides in bytes; `finish` runs over each block of C once it is complete. */
function emitDrive(
  m: ModuleBuilder,
  { type, relaxed, pack, sweep }: Pick<GemmCore, 'type' | 'relaxed' | 'pack' | 'sweep'>,
  finish?: Callable,
  extras: readonly ValueType[] = [],
): Callable {
  const lanes = LANES[type]
  const { size } = lanes
  const rows = tileRows(relaxed)
  const storage = panelRows(relaxed, lanes)
  const columns = tileColumns(lanes)
  const f = m.func([...i32s(14), ...extras], [])
  const i32 = () => f.local('i32')
  const [jc, pc, ic, nc, kc, mc] = [i32(), i32(), i32(), i32(), i32(), i32()]
  const [kBlock, tail, bAt, aAt, cAt] = [i32(), i32(), i32(), i32(), i32()]
  const [packA, packB, add, bufferB, bufferA] = [i32(), i32(), i32(), i32(), i32()]
  const [aStep, sam, sak, adjacent] = [i32(), i32(), i32(), i32()]
  const push = (...locals: Local[]) => {
    for (const p of locals) f.get(p)
    return f
  }
  /** into = min(total - done, most) */
  const rest = (total: Local, done: Local, most: Local | { const: number }, into: Local) => {
    f.get(total).get(done).op('i32.sub').set(into)
    pushMin(f, into, most).set(into)
  }
  const packPanelsOfB = () => f.get(bufferB).i32(columns).i32(columns).call(pack)

  f.get(SBN).i32(size).op('i32.ne').get(M).i32(PACK_B_ROWS).op('i32.ge_s').op('i32.or').set(packB)
  f.get(N).i32(PACK_A_COLUMNS).op('i32.ge_s').set(packA)
  // Equal blocks of k rather than a short last one: ceil(k / ceil(k / KC)).
  plus(f.get(K), KC - 1)
    .i32(KC)
    .op('i32.div_u')
    .tee(kBlock)
  f.if(() => {
    plus(push(K, kBlock).op('i32.add'), -1).get(kBlock).op('i32.div_u').set(kBlock)
  })
  plus(f.get(SCRATCH), tileElements(lanes) * size).set(bufferB)

  f.range(jc, N, NC, () => {
    rest(N, jc, { const: NC }, nc)
    f.get(nc)
      .i32(columns - 1)
      .op('i32.and')
      .set(tail)
    f.get(ACCUMULATE).set(add).i32(0).set(pc)
    f.loop((nextK) => {
      rest(K, pc, kBlock, kc)
      plusProduct(plusProduct(f.get(B), pc, SBK), jc, SBN).set(bAt)
      plus(f.get(nc), columns - 1)
        .i32(-columns)
        .op('i32.and')
        .get(kc)
        .op('i32.mul')
      f.i32(size).op('i32.mul').get(bufferB).op('i32.add').set(bufferA)
      f.get(packB).if(
        () => {
          push(bAt, SBK, SBN, kc, nc)
          packPanelsOfB()
        },
        () => {
          f.get(tail).if(() => {
            push(bAt, nc, tail).op('i32.sub').get(SBN).op('i32.mul').op('i32.add')
            push(SBK, SBN, kc, tail)
            packPanelsOfB()
          })
        },
      )
      f.i32(0).set(ic)
      f.range(ic, M, MC, () => {
        rest(M, ic, { const: MC }, mc)
        plusProduct(plusProduct(f.get(A), ic, SAM), pc, SAK).set(aAt)
        plusProduct(plusProduct(f.get(C), ic, SCM), jc, SCN).set(cAt)
        f.get(packA).if(
          () => {
            push(aAt, SAK, SAM, kc, mc, bufferA).i32(rows).i32(storage).call(pack)
            f.get(bufferA).set(aAt).i32(1).set(adjacent)
            f.i32(storage * size)
              .tee(sak)
              .get(kc)
              .op('i32.mul')
              .set(aStep)
          },
          () => {
            f.get(SAM).tee(sam).i32(rows).op('i32.mul').set(aStep)
            f.get(SAK).set(sak)
            is(f, SAM, size).set(adjacent)
          },
        )
        push(mc, nc, kc, aAt, aStep, sam, sak, adjacent, bAt, SBK, packB, bufferB, SCRATCH)
        push(cAt, SCM, SCN, add).call(sweep)
        if (!finish) return
        push(pc, kc).op('i32.add').get(K).op('i32.ge_s')
        f.if(() => {
          push(cAt, SCM, SCN, mc, nc, ic, jc)
          pushExtras(f, extras).call(finish)
        })
      })
      f.i32(1).set(add)
      push(pc, kc).op('i32.add').tee(pc).get(K).op('i32.lt_s').brIf(nextK)
    })
  })
  return f
}

/** Where an epilogue stands: element (row, column) of C, at `address`. */
export interface EpilogueSite {
  readonly row: Local
  readonly column: Local
  readonly address: Local
  /** Elements on the stack as one v128 (`columns` of them, from `column` on), or 1 for a scalar. */
  readonly columns: 1 | 2 | 4
  /** The extra parameters of the product, in order. */
  readonly params: readonly Local[]
}

/** What happens to each finished element of C. */
export interface Epilogue {
  /** Types of extra parameters that the product takes after `GEMM_PARAMS`. */
  readonly params?: readonly ValueType[]
  /** Emits code run once a row of a block, for addresses that depend on it; `column` is the first of the block. */
  row?(f: FunctionBuilder, site: EpilogueSite): void
  /** Emits code that turns the value on the stack into the value to store; types are those of C. */
  apply(f: FunctionBuilder, site: EpilogueSite): void
}

/** `finish(c, scm, scn, rows, columns, row, column, …extras)`: the epilogue over a block. */
function emitFinish(m: ModuleBuilder, lanes: Lanes, epilogue: Epilogue): Callable {
  const { scalar, count, size, shift } = lanes
  const extras = epilogue.params ?? []
  const f = m.func([...i32s(7), ...extras], [])
  const [c, scm, scn, rows, columns, row, column] = [0, 1, 2, 3, 4, 5, 6] as const
  const i32 = () => f.local('i32')
  const [i, j, first, address, whole] = [i32(), i32(), i32(), i32(), i32()]
  const params = extras.map((_, e) => 7 + e)
  const site = { row, column, address, params }
  f.get(column).set(first)
  is(f, scn, size).if(() => f.get(columns).i32(-count).op('i32.and').set(whole))
  f.range(i, rows, 1, () => {
    f.get(c).set(address).get(first).set(column).i32(0).set(j)
    epilogue.row?.(f, { ...site, columns: 1 })
    const over = (end: Local, step: 1 | 2 | 4) =>
      f.range(j, end, step, () => {
        const access = step === 1 ? scalar : 'v128'
        f.get(address).get(address).mem(`${access}.load`, 0, shift)
        epilogue.apply(f, { ...site, columns: step })
        f.mem(`${access}.store`, 0, shift)
        if (step === 1) bump(f, address, scn)
        else bumpBy(f, address, 16)
        bumpBy(f, column, step)
      })
    over(whole, count)
    over(columns, 1)
    bump(f, c, scm)
    bumpBy(f, row, 1)
  })
  return f
}

/** Emits the shared functions into a module, exported under the names `importGemmCore` asks for. */
export function emitGemmCore(
  m: ModuleBuilder,
  type: Real,
  relaxed: boolean = hasRelaxedSimd(),
): GemmCore {
  const lanes = LANES[type]
  const core = {
    type,
    relaxed,
    thin: emitThin(m, lanes, relaxed, `thin_${type}`),
    pack: emitPack(m, lanes, `pack_${type}`),
    sweep: emitSweep(m, lanes, relaxed, `sweep_${type}`),
  }
  return { ...core, gemm: emitEntry(m, core, emitDrive(m, core), undefined, [], `gemm_${type}`) }
}

/** The entry: element strides to bytes, thin products aside, the rest to `drive`. */
function emitEntry(
  m: ModuleBuilder,
  core: Pick<GemmCore, 'type' | 'thin'>,
  drive: Callable,
  finish: Callable | undefined,
  extras: readonly ValueType[],
  name?: string,
): FunctionBuilder {
  const { shift } = LANES[core.type]
  const f = m.func([...i32s(14), ...extras], [], name)
  for (const p of [SAM, SAK, SBK, SBN, SCM, SCN]) f.get(p).i32(shift).op('i32.shl').set(p)
  for (const p of [M, N, K, A, SAM, SAK, B, SBK, SBN, C, SCM, SCN, ACCUMULATE]) f.get(p)
  f.call(core.thin).if(
    () => {
      if (!finish) return
      for (const p of [C, SCM, SCN, M, N]) f.get(p)
      f.i32(0).i32(0)
      pushExtras(f, extras).call(finish)
    },
    () => {
      for (let p = M; p <= ACCUMULATE; p++) f.get(p)
      pushExtras(f, extras).call(drive)
    },
  )
  return f
}

/** A module of nothing but the core, to be instantiated once a memory. */
export function gemmCoreModule(
  type: Real,
  relaxed: boolean = hasRelaxedSimd(),
): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder()
  emitGemmCore(m, type, relaxed)
  return m.assemble()
}

/** Imports the core into another module: pass the exports of an instance of `gemmCoreModule` as `{ [module]: … }`. */
export function importGemmCore(
  m: ModuleBuilder,
  type: Real,
  relaxed: boolean = hasRelaxedSimd(),
  module = 'gemm',
): GemmCore {
  return {
    type,
    relaxed,
    thin: m.import(module, `thin_${type}`, i32s(13), ['i32']),
    pack: m.import(module, `pack_${type}`, i32s(8), []),
    sweep: m.import(module, `sweep_${type}`, i32s(17), []),
    gemm: m.import(module, `gemm_${type}`, i32s(14), []),
  }
}

/**
 * A product with an epilogue: a function of `GEMM_PARAMS` and the epilogue's parameters, all blocks of C finished
 * while they are in the cache. Without an epilogue `core.gemm` is the product.
 */
export function emitGemm(
  m: ModuleBuilder,
  core: GemmCore,
  epilogue: Epilogue,
  exportName?: string,
): FunctionBuilder {
  const extras = epilogue.params ?? []
  const finish = emitFinish(m, LANES[core.type], epilogue)
  const drive = emitDrive(m, core, finish, extras)
  return emitEntry(m, core, drive, finish, extras, exportName)
}
