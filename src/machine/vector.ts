// The meaning of the IR's `vec` operations (isa/vector-ops.ts), lane by lane on integers. This is the definition that
// the reference interpreter runs and that faster engines are compared with.
import type { VectorOp } from '../isa/index.ts';

/** Operands are the unsigned values of the operation; `immediate` is its word c. */
export type VectorFunction = (a: bigint, b: bigint, immediate: number) => bigint;

const MASK128 = (1n << 128n) - 1n;

/** Unsigned lanes, lane 0 first. */
export function lanes(value: bigint, width: number, total = 128): bigint[] {
  const out: bigint[] = [];
  for (let at = 0; at < total; at += width) out.push(BigInt.asUintN(width, value >> BigInt(at)));
  return out;
}

/** Lanes put together, each cut to its width. */
export function join(parts: readonly bigint[], width: number): bigint {
  let value = 0n;
  for (let i = parts.length - 1; i >= 0; i--) {
    value = (value << BigInt(width)) | BigInt.asUintN(width, parts[i]);
  }
  return value;
}

/** One 128-bit value and its lanes of every width, unsigned and signed; what is stored into a lane wraps to it. */
class Vector {
  readonly u64 = new BigUint64Array(2);
  readonly i64 = new BigInt64Array(this.u64.buffer);
  readonly u8 = new Uint8Array(this.u64.buffer);
  readonly i8 = new Int8Array(this.u64.buffer);
  readonly u16 = new Uint16Array(this.u64.buffer);
  readonly i16 = new Int16Array(this.u64.buffer);
  readonly u32 = new Uint32Array(this.u64.buffer);
  readonly i32 = new Int32Array(this.u64.buffer);

  fill(value: bigint): this {
    this.u64[0] = value;
    this.u64[1] = value >> 64n;
    return this;
  }

  get value(): bigint {
    return (this.u64[1] << 64n) | this.u64[0];
  }
}

const A = new Vector();
const B = new Vector();
const OUT = new Vector();

type View = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32';
type View64 = 'u64' | 'i64';
type LaneFunction = (x: number, y: number) => number;
type LaneFunction64 = (x: bigint, y: bigint) => bigint;

/** Lane-wise. */
const each =
  (view: View, f: LaneFunction): VectorFunction =>
  (a, b) => {
    const [left, right, out] = [A.fill(a)[view], B.fill(b)[view], OUT[view]];
    for (let i = 0; i < out.length; i++) out[i] = f(left[i], right[i]);
    return OUT.value;
  };
const each64 =
  (view: View64, f: LaneFunction64): VectorFunction =>
  (a, b) => {
    const [left, right, out] = [A.fill(a)[view], B.fill(b)[view], OUT[view]];
    for (let i = 0; i < out.length; i++) out[i] = f(left[i], right[i]);
    return OUT.value;
  };

const plus: LaneFunction = (x, y) => x + y;
const minus: LaneFunction = (x, y) => x - y;
const average: LaneFunction = (x, y) => (x + y + 1) >> 1;
const equal: LaneFunction = (x, y) => (x === y ? -1 : 0);
const greater: LaneFunction = (x, y) => (x > y ? -1 : 0);

const clamp = (low: number, value: number, high: number): number => Math.min(Math.max(low, value), high);
/** What each view can hold. */
const LIMITS = {
  i8: [-0x80, 0x7f],
  u8: [0, 0xff],
  i16: [-0x8000, 0x7fff],
  u16: [0, 0xffff],
} as const;

const saturating = (view: keyof typeof LIMITS, f: LaneFunction): VectorFunction => {
  const [low, high] = LIMITS[view];
  return each(view, (x, y) => clamp(low, f(x, y), high));
};

/** All lanes by one count; a count of the lane width or more shifts everything out. */
const shift =
  (view: View, width: number, f: LaneFunction): VectorFunction =>
  (a, count) => {
    const [from, out] = [A.fill(a)[view], OUT[view]];
    const by = count >= BigInt(width) ? width : Number(count);
    for (let i = 0; i < out.length; i++) out[i] = f(from[i], by);
    return OUT.value;
  };
/** By at most 32, unlike the operators, which take counts modulo 32. */
const left: LaneFunction = (x, by) => (by >= 32 ? 0 : x << by);
const right: LaneFunction = (x, by) => (by >= 32 ? 0 : x >>> by);
const rightSigned: LaneFunction = (x, by) => x >> Math.min(by, 31);
const shift64 =
  (f: (x: bigint, by: bigint) => bigint): VectorFunction =>
  (a, count) =>
    count >= 64n ? 0n : each64('u64', (x) => f(x, count))(a, 0n, 0);

/** Sums of adjacent products. */
const dot =
  (leftView: View, rightView: View, outView: View, sum: LaneFunction): VectorFunction =>
  (a, b) => {
    const [x, y, out] = [A.fill(a)[leftView], B.fill(b)[rightView], OUT[outView]];
    for (let i = 0; i < out.length; i++) {
      out[i] = sum(x[2 * i] * y[2 * i], x[2 * i + 1] * y[2 * i + 1]);
    }
    return OUT.value;
  };

const absoluteDifferences: VectorFunction = (a, b) => {
  const [x, y] = [A.fill(a).u8, B.fill(b).u8];
  const sums = [0, 0];
  for (let i = 0; i < 16; i++) sums[i >> 3] += Math.abs(x[i] - y[i]);
  return (BigInt(sums[1]) << 64n) | BigInt(sums[0]);
};

const narrow =
  (from: 'i16' | 'i32', to: keyof typeof LIMITS): VectorFunction =>
  (a, b) => {
    const [x, y, out] = [A.fill(a)[from], B.fill(b)[from], OUT[to]];
    const [low, high] = LIMITS[to];
    const half = out.length / 2;
    for (let i = 0; i < half; i++) {
      out[i] = clamp(low, x[i], high);
      out[half + i] = clamp(low, y[i], high);
    }
    return OUT.value;
  };

const interleave =
  (view: View, high: boolean): VectorFunction =>
  (a, b) => {
    const [x, y, out] = [A.fill(a)[view], B.fill(b)[view], OUT[view]];
    const half = out.length / 2;
    const from = high ? half : 0;
    for (let i = 0; i < half; i++) {
      out[2 * i] = x[from + i];
      out[2 * i + 1] = y[from + i];
    }
    return OUT.value;
  };

const LOW64 = (1n << 64n) - 1n;

/** Two bits a lane: lanes of `from` that go to lanes `to` … of the result. */
function pick(from: Vector, immediate: number, to: number, count: number): void {
  for (let i = to; i < to + count; i++) OUT.u32[i] = from.u32[(immediate >> (2 * i)) & 3];
}

const shuffle: VectorFunction = (a, _, immediate) => {
  pick(A.fill(a), immediate, 0, 4);
  return OUT.value;
};
const shuffleHalf =
  (base: number): VectorFunction =>
  (a, _, immediate) => {
    A.fill(a);
    OUT.fill(a);
    for (let i = 0; i < 4; i++) OUT.u16[base + i] = A.u16[base + ((immediate >> (2 * i)) & 3)];
    return OUT.value;
  };
const shuffle2x32: VectorFunction = (a, b, immediate) => {
  pick(A.fill(a), immediate, 0, 2);
  pick(B.fill(b), immediate, 2, 2);
  return OUT.value;
};
const shuffle2x64: VectorFunction = (a, b, immediate) => {
  OUT.u64[0] = A.fill(a).u64[immediate & 1];
  OUT.u64[1] = B.fill(b).u64[(immediate >> 1) & 1];
  return OUT.value;
};
const concatShift: VectorFunction = (a, b, immediate) =>
  (((a << 128n) | b) >> BigInt(8 * (immediate & 0xff))) & MASK128;
const swizzle: VectorFunction = (a, b) => {
  const [from, indices] = [A.fill(a).u8, B.fill(b).u8];
  for (let i = 0; i < 16; i++) OUT.u8[i] = indices[i] & 0x80 ? 0 : from[indices[i] & 15];
  return OUT.value;
};
const bitmask =
  (view: 'i8' | 'i32'): VectorFunction =>
  (a) => {
    const from = A.fill(a)[view];
    let mask = 0;
    for (let i = 0; i < from.length; i++) if (from[i] < 0) mask |= 1 << i;
    return BigInt(mask);
  };
const extendLow =
  (from: View, to: View): VectorFunction =>
  (a) => {
    const [x, out] = [A.fill(a)[from], OUT[to]];
    for (let i = 0; i < out.length; i++) out[i] = x[i];
    return OUT.value;
  };

/** Every row of VECTOR_OPS by name. */
export const vectorOps: { readonly [K in VectorOp]: VectorFunction } = {
  'i8x16.add': each('u8', plus),
  'i16x8.add': each('u16', plus),
  'i32x4.add': each('u32', plus),
  'i64x2.add': each64('u64', (x, y) => x + y),
  'i8x16.sub': each('u8', minus),
  'i16x8.sub': each('u16', minus),
  'i32x4.sub': each('u32', minus),
  'i64x2.sub': each64('u64', (x, y) => x - y),
  'i8x16.add_sat_s': saturating('i8', plus),
  'i8x16.add_sat_u': saturating('u8', plus),
  'i16x8.add_sat_s': saturating('i16', plus),
  'i16x8.add_sat_u': saturating('u16', plus),
  'i8x16.sub_sat_s': saturating('i8', minus),
  'i8x16.sub_sat_u': saturating('u8', minus),
  'i16x8.sub_sat_s': saturating('i16', minus),
  'i16x8.sub_sat_u': saturating('u16', minus),
  'i16x8.mul': each('i16', Math.imul),
  'i32x4.mul': each('i32', Math.imul),
  'i16x8.mulh_s': each('i16', (x, y) => (x * y) >> 16),
  'i16x8.mulh_u': each('u16', (x, y) => (x * y) >>> 16),
  'i64x2.mul_even_u': each64('u64', (x, y) => BigInt.asUintN(32, x) * BigInt.asUintN(32, y)),
  'i64x2.mul_even_s': each64('i64', (x, y) => BigInt.asIntN(32, x) * BigInt.asIntN(32, y)),
  'i32x4.dot_i16x8_s': dot('i16', 'i16', 'i32', plus),
  'i8x16.avgr_u': each('u8', average),
  'i16x8.avgr_u': each('u16', average),
  'i8x16.min_s': each('i8', Math.min),
  'i8x16.min_u': each('u8', Math.min),
  'i16x8.min_s': each('i16', Math.min),
  'i16x8.min_u': each('u16', Math.min),
  'i32x4.min_s': each('i32', Math.min),
  'i32x4.min_u': each('u32', Math.min),
  'i8x16.max_s': each('i8', Math.max),
  'i8x16.max_u': each('u8', Math.max),
  'i16x8.max_s': each('i16', Math.max),
  'i16x8.max_u': each('u16', Math.max),
  'i32x4.max_s': each('i32', Math.max),
  'i32x4.max_u': each('u32', Math.max),
  'i64x2.sad_u8': absoluteDifferences,
  'i8x16.eq': each('u8', equal),
  'i16x8.eq': each('u16', equal),
  'i32x4.eq': each('u32', equal),
  'i64x2.eq': each64('u64', (x, y) => (x === y ? -1n : 0n)),
  'i8x16.gt_s': each('i8', greater),
  'i16x8.gt_s': each('i16', greater),
  'i32x4.gt_s': each('i32', greater),
  'i64x2.gt_s': each64('i64', (x, y) => (x > y ? -1n : 0n)),
  'i16x8.shl': shift('u16', 16, left),
  'i32x4.shl': shift('u32', 32, left),
  'i64x2.shl': shift64((x, by) => x << by),
  'i16x8.shr_u': shift('u16', 16, right),
  'i32x4.shr_u': shift('u32', 32, right),
  'i64x2.shr_u': shift64((x, by) => x >> by),
  'i16x8.shr_s': shift('i16', 16, rightSigned),
  'i32x4.shr_s': shift('i32', 32, rightSigned),
  'i8x16.narrow_i16x8_s': narrow('i16', 'i8'),
  'i8x16.narrow_i16x8_u': narrow('i16', 'u8'),
  'i16x8.narrow_i32x4_s': narrow('i32', 'i16'),
  'i16x8.narrow_i32x4_u': narrow('i32', 'u16'),
  'i8x16.interleave_low': interleave('u8', false),
  'i16x8.interleave_low': interleave('u16', false),
  'i32x4.interleave_low': interleave('u32', false),
  'i64x2.interleave_low': (a, b) => ((b & LOW64) << 64n) | (a & LOW64),
  'i8x16.interleave_high': interleave('u8', true),
  'i16x8.interleave_high': interleave('u16', true),
  'i32x4.interleave_high': interleave('u32', true),
  'i64x2.interleave_high': (a, b) => ((b >> 64n) << 64n) | (a >> 64n),
  'i32x4.shuffle': shuffle,
  'i16x8.shuffle_low': shuffleHalf(0),
  'i16x8.shuffle_high': shuffleHalf(4),
  'i32x4.shuffle2': shuffle2x32,
  'i64x2.shuffle2': shuffle2x64,
  'i8x16.concat_shift': concatShift,
  'i8x16.swizzle': swizzle,
  'i8x16.bitmask': bitmask('i8'),
  'i32x4.bitmask': bitmask('i32'),
  'i64x2.bitmask': (a) => ((a >> 126n) & 2n) | ((a >> 63n) & 1n),
  'i8x16.abs': each('i8', Math.abs),
  'i16x8.abs': each('i16', Math.abs),
  'i32x4.abs': each('i32', Math.abs),
  'i16x8.mulr_s': each('i16', (x, y) => (x * y + 0x4000) >> 15),
  'i16x8.dot_i8x16_us': dot('u8', 'i8', 'i16', (x, y) => clamp(-0x8000, x + y, 0x7fff)),
  'i16x8.extend_low_i8x16_s': extendLow('i8', 'i16'),
  'i16x8.extend_low_i8x16_u': extendLow('u8', 'u16'),
  'i32x4.extend_low_i16x8_s': extendLow('i16', 'i32'),
  'i32x4.extend_low_i16x8_u': extendLow('u16', 'u32'),
  'i64x2.extend_low_i32x4_s': (a) =>
    (BigInt.asUintN(64, BigInt.asIntN(32, a >> 32n)) << 64n) | BigInt.asUintN(64, BigInt.asIntN(32, a)),
  'i64x2.extend_low_i32x4_u': (a) =>
    (BigInt.asUintN(64, BigInt.asUintN(32, a >> 32n)) << 64n) | BigInt.asUintN(64, BigInt.asUintN(32, a)),
};
