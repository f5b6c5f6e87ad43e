/** The WebAssembly instruction tables (mnemonics to opcodes, one run of opcodes a line) and byte encodings. */

/** A value type of WebAssembly. */
export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128'

/** The byte of a value type. */
export const TYPE_CODE: Record<ValueType, number> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
}

type Words<S extends string, Out = never> = S extends `${infer Head} ${infer Tail}`
  ? Words<Tail, Out | Head>
  : Out | S
type Run<P extends string, S extends string> = Record<`${P}.${Exclude<Words<S>, '_'>}`, number>

/** Prefix bytes sit above bit 16 of an opcode, so that one number names an instruction. */
const BULK = 0xfc << 16
const SIMD = 0xfd << 16
const ATOMIC = 0xfe << 16

/** Consecutive opcodes from `first` for the words of `names`; `_` leaves a gap. */
function run<P extends string, S extends string>(first: number, prefix: P, names: S): Run<P, S> {
  const table: Record<string, number> = {}
  let code = first
  for (const name of names.split(' ')) {
    if (name !== '_') table[`${prefix}.${name}`] = code
    code++
  }
  return table as Run<P, S>
}

/** Instructions without immediates. */
export const PLAIN = {
  ...run(0x45, 'i32', 'eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'),
  ...run(0x50, 'i64', 'eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'),
  ...run(0x5b, 'f32', 'eq ne lt gt le ge'),
  ...run(0x61, 'f64', 'eq ne lt gt le ge'),
  ...run(0x67, 'i32', 'clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor'),
  ...run(0x74, 'i32', 'shl shr_s shr_u rotl rotr'),
  ...run(0x79, 'i64', 'clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor'),
  ...run(0x86, 'i64', 'shl shr_s shr_u rotl rotr'),
  ...run(0x8b, 'f32', 'abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign'),
  ...run(0x99, 'f64', 'abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign'),
  ...run(0xa7, 'i32', 'wrap_i64 trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u'),
  ...run(0xac, 'i64', 'extend_i32_s extend_i32_u trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u'),
  ...run(0xb2, 'f32', 'convert_i32_s convert_i32_u convert_i64_s convert_i64_u demote_f64'),
  ...run(0xb7, 'f64', 'convert_i32_s convert_i32_u convert_i64_s convert_i64_u promote_f32'),
  ...run(0xbc, 'i32', 'reinterpret_f32'),
  ...run(0xbd, 'i64', 'reinterpret_f64'),
  ...run(0xbe, 'f32', 'reinterpret_i32'),
  ...run(0xbf, 'f64', 'reinterpret_i64'),
  ...run(0xc0, 'i32', 'extend8_s extend16_s'),
  ...run(0xc2, 'i64', 'extend8_s extend16_s extend32_s'),
  ...run(BULK | 0, 'i32', 'trunc_sat_f32_s trunc_sat_f32_u trunc_sat_f64_s trunc_sat_f64_u'),
  ...run(BULK | 4, 'i64', 'trunc_sat_f32_s trunc_sat_f32_u trunc_sat_f64_s trunc_sat_f64_u'),

  ...run(SIMD | 14, 'i8x16', 'swizzle splat'),
  ...run(SIMD | 16, 'i16x8', 'splat'),
  ...run(SIMD | 17, 'i32x4', 'splat'),
  ...run(SIMD | 18, 'i64x2', 'splat'),
  ...run(SIMD | 19, 'f32x4', 'splat'),
  ...run(SIMD | 20, 'f64x2', 'splat'),
  ...run(SIMD | 35, 'i8x16', 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'),
  ...run(SIMD | 45, 'i16x8', 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'),
  ...run(SIMD | 55, 'i32x4', 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'),
  ...run(SIMD | 65, 'f32x4', 'eq ne lt gt le ge'),
  ...run(SIMD | 71, 'f64x2', 'eq ne lt gt le ge'),
  ...run(SIMD | 77, 'v128', 'not and andnot or xor bitselect any_true'),
  ...run(SIMD | 94, 'f32x4', 'demote_f64x2_zero'),
  ...run(SIMD | 95, 'f64x2', 'promote_low_f32x4'),
  ...run(SIMD | 96, 'i8x16', 'abs neg popcnt all_true bitmask narrow_i16x8_s narrow_i16x8_u'),
  ...run(SIMD | 103, 'f32x4', 'ceil floor trunc nearest'),
  ...run(SIMD | 107, 'i8x16', 'shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u'),
  ...run(SIMD | 116, 'f64x2', 'ceil floor'),
  ...run(SIMD | 118, 'i8x16', 'min_s min_u max_s max_u _ avgr_u'),
  ...run(SIMD | 122, 'f64x2', 'trunc'),
  ...run(SIMD | 124, 'i16x8', 'extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u'),
  ...run(SIMD | 126, 'i32x4', 'extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u'),
  ...run(
    SIMD | 128,
    'i16x8',
    'abs neg q15mulr_sat_s all_true bitmask narrow_i32x4_s narrow_i32x4_u',
  ),
  ...run(SIMD | 135, 'i16x8', 'extend_low_i8x16_s extend_high_i8x16_s'),
  ...run(SIMD | 137, 'i16x8', 'extend_low_i8x16_u extend_high_i8x16_u'),
  ...run(SIMD | 139, 'i16x8', 'shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u'),
  ...run(SIMD | 148, 'f64x2', 'nearest'),
  ...run(SIMD | 149, 'i16x8', 'mul min_s min_u max_s max_u _ avgr_u'),
  ...run(SIMD | 156, 'i16x8', 'extmul_low_i8x16_s extmul_high_i8x16_s'),
  ...run(SIMD | 158, 'i16x8', 'extmul_low_i8x16_u extmul_high_i8x16_u'),
  ...run(
    SIMD | 160,
    'i32x4',
    'abs neg _ all_true bitmask _ _ extend_low_i16x8_s extend_high_i16x8_s',
  ),
  ...run(SIMD | 169, 'i32x4', 'extend_low_i16x8_u extend_high_i16x8_u'),
  ...run(SIMD | 171, 'i32x4', 'shl shr_s shr_u add _ _ sub _ _ _ mul min_s min_u max_s max_u'),
  ...run(SIMD | 186, 'i32x4', 'dot_i16x8_s _ extmul_low_i16x8_s extmul_high_i16x8_s'),
  ...run(SIMD | 190, 'i32x4', 'extmul_low_i16x8_u extmul_high_i16x8_u'),
  ...run(
    SIMD | 192,
    'i64x2',
    'abs neg _ all_true bitmask _ _ extend_low_i32x4_s extend_high_i32x4_s',
  ),
  ...run(SIMD | 201, 'i64x2', 'extend_low_i32x4_u extend_high_i32x4_u'),
  ...run(SIMD | 203, 'i64x2', 'shl shr_s shr_u add _ _ sub _ _ _ mul eq ne lt_s gt_s le_s ge_s'),
  ...run(SIMD | 220, 'i64x2', 'extmul_low_i32x4_s extmul_high_i32x4_s'),
  ...run(SIMD | 222, 'i64x2', 'extmul_low_i32x4_u extmul_high_i32x4_u'),
  ...run(SIMD | 224, 'f32x4', 'abs neg _ sqrt add sub mul div min max pmin pmax'),
  ...run(SIMD | 236, 'f64x2', 'abs neg _ sqrt add sub mul div min max pmin pmax'),
  ...run(SIMD | 248, 'i32x4', 'trunc_sat_f32x4_s trunc_sat_f32x4_u'),
  ...run(SIMD | 250, 'f32x4', 'convert_i32x4_s convert_i32x4_u'),
  ...run(SIMD | 252, 'i32x4', 'trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero'),
  ...run(SIMD | 254, 'f64x2', 'convert_low_i32x4_s convert_low_i32x4_u'),

  // Relaxed SIMD: only where `hasRelaxedSimd()` says so.
  ...run(SIMD | 0x100, 'i8x16', 'relaxed_swizzle'),
  ...run(SIMD | 0x101, 'i32x4', 'relaxed_trunc_f32x4_s relaxed_trunc_f32x4_u'),
  ...run(SIMD | 0x103, 'i32x4', 'relaxed_trunc_f64x2_s_zero relaxed_trunc_f64x2_u_zero'),
  ...run(SIMD | 0x105, 'f32x4', 'relaxed_madd relaxed_nmadd'),
  ...run(SIMD | 0x107, 'f64x2', 'relaxed_madd relaxed_nmadd'),
  ...run(SIMD | 0x109, 'i8x16', 'relaxed_laneselect'),
  ...run(SIMD | 0x10a, 'i16x8', 'relaxed_laneselect'),
  ...run(SIMD | 0x10b, 'i32x4', 'relaxed_laneselect'),
  ...run(SIMD | 0x10c, 'i64x2', 'relaxed_laneselect'),
  ...run(SIMD | 0x10d, 'f32x4', 'relaxed_min relaxed_max'),
  ...run(SIMD | 0x10f, 'f64x2', 'relaxed_min relaxed_max'),
  ...run(SIMD | 0x111, 'i16x8', 'relaxed_q15mulr_s relaxed_dot_i8x16_i7x16_s'),
  ...run(SIMD | 0x113, 'i32x4', 'relaxed_dot_i8x16_i7x16_add_s'),
}

/** Loads and stores: an offset and an alignment follow. */
export const MEMORY = {
  ...run(0x28, 'i32', 'load'),
  ...run(0x29, 'i64', 'load'),
  ...run(0x2a, 'f32', 'load'),
  ...run(0x2b, 'f64', 'load'),
  ...run(0x2c, 'i32', 'load8_s load8_u load16_s load16_u'),
  ...run(0x30, 'i64', 'load8_s load8_u load16_s load16_u load32_s load32_u'),
  ...run(0x36, 'i32', 'store'),
  ...run(0x37, 'i64', 'store'),
  ...run(0x38, 'f32', 'store'),
  ...run(0x39, 'f64', 'store'),
  ...run(0x3a, 'i32', 'store8 store16'),
  ...run(0x3c, 'i64', 'store8 store16 store32'),
  ...run(SIMD | 0, 'v128', 'load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u'),
  ...run(SIMD | 7, 'v128', 'load8_splat load16_splat load32_splat load64_splat store'),
  ...run(SIMD | 92, 'v128', 'load32_zero load64_zero'),
}

/** Atomic accesses: as `MEMORY`, but the alignment must be the natural one. */
export const ATOMIC_MEMORY = {
  ...run(ATOMIC | 0x00, 'memory', 'atomic.notify atomic.wait32 atomic.wait64'),
  ...run(ATOMIC | 0x10, 'i32', 'atomic.load'),
  ...run(ATOMIC | 0x11, 'i64', 'atomic.load'),
  ...run(ATOMIC | 0x17, 'i32', 'atomic.store'),
  ...run(ATOMIC | 0x18, 'i64', 'atomic.store'),
  ...run(ATOMIC | 0x1e, 'i32', 'atomic.rmw.add'),
  ...run(ATOMIC | 0x1f, 'i64', 'atomic.rmw.add'),
  ...run(ATOMIC | 0x25, 'i32', 'atomic.rmw.sub'),
  ...run(ATOMIC | 0x41, 'i32', 'atomic.rmw.xchg'),
  ...run(ATOMIC | 0x48, 'i32', 'atomic.rmw.cmpxchg'),
  ...run(ATOMIC | 0x49, 'i64', 'atomic.rmw.cmpxchg'),
}

/** Lane accesses: one byte, the lane, follows. */
export const LANE = {
  ...run(SIMD | 21, 'i8x16', 'extract_lane_s extract_lane_u replace_lane'),
  ...run(SIMD | 24, 'i16x8', 'extract_lane_s extract_lane_u replace_lane'),
  ...run(SIMD | 27, 'i32x4', 'extract_lane replace_lane'),
  ...run(SIMD | 29, 'i64x2', 'extract_lane replace_lane'),
  ...run(SIMD | 31, 'f32x4', 'extract_lane replace_lane'),
  ...run(SIMD | 33, 'f64x2', 'extract_lane replace_lane'),
}

/** Loads and stores of one lane: offset, alignment and lane follow. */
export const MEMORY_LANE = {
  ...run(SIMD | 84, 'v128', 'load8_lane load16_lane load32_lane load64_lane'),
  ...run(SIMD | 88, 'v128', 'store8_lane store16_lane store32_lane store64_lane'),
}

export type PlainOp = keyof typeof PLAIN
export type MemoryOp = keyof typeof MEMORY
export type AtomicOp = keyof typeof ATOMIC_MEMORY
export type LaneOp = keyof typeof LANE
export type MemoryLaneOp = keyof typeof MEMORY_LANE

/** The log2 of the bytes an access touches, from its mnemonic: 'v128.load32_splat' is 2. */
export function naturalAlignment(name: string): number {
  const [type, access] = name.split('.') as [string, string]
  if (name === 'memory.atomic.notify' || name === 'memory.atomic.wait32') return 2
  if (name === 'memory.atomic.wait64') return 3
  const width = /^(?:load|store)(\d+)(x?)/.exec(access)
  const bits = width ? (width[2] === 'x' ? 64 : Number(width[1])) : Number(type.slice(1))
  return Math.log2(bits / 8)
}

/** PLAIN by mnemonic. */
export const plain = new Map<string, number>(Object.entries(PLAIN))
/** Opcode and natural alignment of all memory accesses by mnemonic. */
export const memory = new Map<string, readonly [code: number, align: number]>(
  Object.entries({ ...MEMORY, ...ATOMIC_MEMORY, ...MEMORY_LANE }).map(([name, code]) => [
    name,
    [code, naturalAlignment(name)],
  ]),
)
/** LANE by mnemonic. */
export const lanes = new Map<string, number>(Object.entries(LANE))

const utf8 = new TextEncoder()

/** Appends an unsigned LEB128 number. */
export function unsigned(out: number[], value: number): void {
  let v = value
  while (v > 0x7f) {
    out.push((v & 0x7f) | 0x80)
    v = Math.floor(v / 128)
  }
  out.push(v)
}

/** Appends an i32 as signed LEB128. */
export function signed32(out: number[], value: number): void {
  let v = value | 0
  while (v < -64 || v > 63) {
    out.push((v & 0x7f) | 0x80)
    v >>= 7
  }
  out.push(v & 0x7f)
}

/** Appends an i64 as signed LEB128. */
export function signed64(out: number[], value: bigint): void {
  let v = BigInt.asIntN(64, value)
  while (v < -64n || v > 63n) {
    out.push(Number(v & 0x7fn) | 0x80)
    v >>= 7n
  }
  out.push(Number(v & 0x7fn))
}

/** Appends a name: its length and UTF-8 bytes. */
export function text(out: number[], value: string): void {
  const bytes = utf8.encode(value)
  unsigned(out, bytes.length)
  for (const b of bytes) out.push(b)
}

/** Appends an opcode of the tables, with its prefix. */
export function opcode(out: number[], code: number): void {
  if (code < 0x100) {
    out.push(code)
  } else {
    out.push(code >> 16)
    unsigned(out, code & 0xffff)
  }
}
