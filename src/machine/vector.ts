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
    value = (value << BigInt(width)) | BigInt.asUintN(width, parts[i]!);
  }
  return value;
}

const signedLanes = (value: bigint, width: number): bigint[] =>
  lanes(value, width).map((lane) => BigInt.asIntN(width, lane));

type LaneFunction = (x: bigint, y: bigint) => bigint;

/** Lane-wise on unsigned, or signed, lanes. */
const onUnsigned =
  (width: number, f: LaneFunction): VectorFunction =>
  (a, b) => {
    const right = lanes(b, width);
    return join(
      lanes(a, width).map((x, i) => f(x, right[i]!)),
      width,
    );
  };
const onSigned =
  (width: number, f: LaneFunction): VectorFunction =>
  (a, b) => {
    const right = signedLanes(b, width);
    return join(
      signedLanes(a, width).map((x, i) => f(x, right[i]!)),
      width,
    );
  };

const clamp = (value: bigint, low: bigint, high: bigint): bigint =>
  value < low ? low : value > high ? high : value;
const clampSigned = (width: number, value: bigint): bigint =>
  clamp(value, -(1n << BigInt(width - 1)), (1n << BigInt(width - 1)) - 1n);
const clampUnsigned = (width: number, value: bigint): bigint => clamp(value, 0n, (1n << BigInt(width)) - 1n);

const plus: LaneFunction = (x, y) => x + y;
const minus: LaneFunction = (x, y) => x - y;
const times: LaneFunction = (x, y) => x * y;
const smaller: LaneFunction = (x, y) => {
  if (x < y) return x;
  return y;
};
const larger: LaneFunction = (x, y) => {
  if (x > y) return x;
  return y;
};
const average: LaneFunction = (x, y) => (x + y + 1n) >> 1n;
const equal: LaneFunction = (x, y) => (x === y ? -1n : 0n);
const greater: LaneFunction = (x, y) => (x > y ? -1n : 0n);
const magnitude: LaneFunction = (x) => (x < 0n ? -x : x);
const distance: LaneFunction = (x, y) => magnitude(x - y, 0n);
const total = (parts: readonly bigint[]): bigint => parts.reduce(plus, 0n);

const signedSaturating = (width: number, f: LaneFunction): VectorFunction =>
  onSigned(width, (x, y) => clampSigned(width, f(x, y)));
const unsignedSaturating = (width: number, f: LaneFunction): VectorFunction =>
  onUnsigned(width, (x, y) => clampUnsigned(width, f(x, y)));

const shiftLeft =
  (width: number): VectorFunction =>
  (a, count) =>
    count >= BigInt(width)
      ? 0n
      : join(
          lanes(a, width).map((x) => x << count),
          width,
        );
const shiftRight =
  (width: number, split: (value: bigint, width: number) => bigint[]): VectorFunction =>
  (a, count) => {
    const by = count >= BigInt(width) ? BigInt(width) : count;
    return join(
      split(a, width).map((x) => x >> by),
      width,
    );
  };

/** Products of lanes of half the width, the low ones of each lane. */
const multiplyEven =
  (width: number, cut: (bits: number, value: bigint) => bigint): VectorFunction =>
  (a, b) =>
    onUnsigned(width, (x, y) => cut(width / 2, x) * cut(width / 2, y))(a, b, 0);

const pairs = (parts: readonly bigint[], f: LaneFunction): bigint[] =>
  parts.filter((_, i) => i % 2 === 0).map((x, i) => f(x, parts[2 * i + 1]!));

const dot16: VectorFunction = (a, b) => {
  const right = signedLanes(b, 16);
  return join(
    pairs(
      signedLanes(a, 16).map((x, i) => x * right[i]!),
      plus,
    ),
    32,
  );
};
const dotUnsignedSigned: VectorFunction = (a, b) => {
  const right = signedLanes(b, 8);
  const products = lanes(a, 8).map((x, i) => x * right[i]!);
  return join(
    pairs(products, (x, y) => clampSigned(16, x + y)),
    16,
  );
};
const absoluteDifferences: VectorFunction = (a, b) => {
  const differences = lanes(onUnsigned(8, distance)(a, b, 0), 8);
  return join([total(differences.slice(0, 8)), total(differences.slice(8))], 64);
};

const narrow =
  (from: number, saturate: (width: number, value: bigint) => bigint): VectorFunction =>
  (a, b) =>
    join(
      [...signedLanes(a, from), ...signedLanes(b, from)].map((x) => saturate(from / 2, x)),
      from / 2,
    );

const interleave =
  (width: number, high: boolean): VectorFunction =>
  (a, b) => {
    const count = 128 / width;
    const from = high ? count / 2 : 0;
    const left = lanes(a, width);
    const right = lanes(b, width);
    const out: bigint[] = [];
    for (let i = from; i < from + count / 2; i++) out.push(left[i]!, right[i]!);
    return join(out, width);
  };

const shuffle: VectorFunction = (a, _, immediate) => {
  const from = lanes(a, 32);
  return join(
    [0, 2, 4, 6].map((shift) => from[(immediate >> shift) & 3]!),
    32,
  );
};
const shuffleHalf =
  (base: number): VectorFunction =>
  (a, _, immediate) => {
    const from = lanes(a, 16);
    const out = [...from];
    for (let i = 0; i < 4; i++) out[base + i] = from[base + ((immediate >> (2 * i)) & 3)]!;
    return join(out, 16);
  };
const shuffle2x32: VectorFunction = (a, b, immediate) => {
  const pick = (value: bigint, shift: number): bigint => lanes(value, 32)[(immediate >> shift) & 3]!;
  return join([pick(a, 0), pick(a, 2), pick(b, 4), pick(b, 6)], 32);
};
const shuffle2x64: VectorFunction = (a, b, immediate) =>
  join([lanes(a, 64)[immediate & 1]!, lanes(b, 64)[(immediate >> 1) & 1]!], 64);
const concatShift: VectorFunction = (a, b, immediate) =>
  (((a << 128n) | b) >> BigInt(8 * (immediate & 0xff))) & MASK128;
const swizzle: VectorFunction = (a, b) => {
  const from = lanes(a, 8);
  return join(
    lanes(b, 8).map((index) => (index & 0x80n ? 0n : from[Number(index & 15n)]!)),
    8,
  );
};
const bitmask =
  (width: number): VectorFunction =>
  (a) =>
    join(
      lanes(a, width).map((x) => x >> BigInt(width - 1)),
      1,
    );
const extendLow =
  (width: number, split: (value: bigint, width: number) => bigint[]): VectorFunction =>
  (a) =>
    join(split(a, width / 2).slice(0, 128 / width), width);

/** Every row of VECTOR_OPS by name. */
export const vectorOps: { readonly [K in VectorOp]: VectorFunction } = {
  'i8x16.add': onUnsigned(8, plus),
  'i16x8.add': onUnsigned(16, plus),
  'i32x4.add': onUnsigned(32, plus),
  'i64x2.add': onUnsigned(64, plus),
  'i8x16.sub': onUnsigned(8, minus),
  'i16x8.sub': onUnsigned(16, minus),
  'i32x4.sub': onUnsigned(32, minus),
  'i64x2.sub': onUnsigned(64, minus),
  'i8x16.add_sat_s': signedSaturating(8, plus),
  'i8x16.add_sat_u': unsignedSaturating(8, plus),
  'i16x8.add_sat_s': signedSaturating(16, plus),
  'i16x8.add_sat_u': unsignedSaturating(16, plus),
  'i8x16.sub_sat_s': signedSaturating(8, minus),
  'i8x16.sub_sat_u': unsignedSaturating(8, minus),
  'i16x8.sub_sat_s': signedSaturating(16, minus),
  'i16x8.sub_sat_u': unsignedSaturating(16, minus),
  'i16x8.mul': onUnsigned(16, times),
  'i32x4.mul': onUnsigned(32, times),
  'i16x8.mulh_s': onSigned(16, (x, y) => (x * y) >> 16n),
  'i16x8.mulh_u': onUnsigned(16, (x, y) => (x * y) >> 16n),
  'i64x2.mul_even_u': multiplyEven(64, BigInt.asUintN),
  'i64x2.mul_even_s': multiplyEven(64, BigInt.asIntN),
  'i32x4.dot_i16x8_s': dot16,
  'i8x16.avgr_u': onUnsigned(8, average),
  'i16x8.avgr_u': onUnsigned(16, average),
  'i8x16.min_s': onSigned(8, smaller),
  'i8x16.min_u': onUnsigned(8, smaller),
  'i16x8.min_s': onSigned(16, smaller),
  'i16x8.min_u': onUnsigned(16, smaller),
  'i32x4.min_s': onSigned(32, smaller),
  'i32x4.min_u': onUnsigned(32, smaller),
  'i8x16.max_s': onSigned(8, larger),
  'i8x16.max_u': onUnsigned(8, larger),
  'i16x8.max_s': onSigned(16, larger),
  'i16x8.max_u': onUnsigned(16, larger),
  'i32x4.max_s': onSigned(32, larger),
  'i32x4.max_u': onUnsigned(32, larger),
  'i64x2.sad_u8': absoluteDifferences,
  'i8x16.eq': onUnsigned(8, equal),
  'i16x8.eq': onUnsigned(16, equal),
  'i32x4.eq': onUnsigned(32, equal),
  'i64x2.eq': onUnsigned(64, equal),
  'i8x16.gt_s': onSigned(8, greater),
  'i16x8.gt_s': onSigned(16, greater),
  'i32x4.gt_s': onSigned(32, greater),
  'i64x2.gt_s': onSigned(64, greater),
  'i16x8.shl': shiftLeft(16),
  'i32x4.shl': shiftLeft(32),
  'i64x2.shl': shiftLeft(64),
  'i16x8.shr_u': shiftRight(16, lanes),
  'i32x4.shr_u': shiftRight(32, lanes),
  'i64x2.shr_u': shiftRight(64, lanes),
  'i16x8.shr_s': shiftRight(16, signedLanes),
  'i32x4.shr_s': shiftRight(32, signedLanes),
  'i8x16.narrow_i16x8_s': narrow(16, clampSigned),
  'i8x16.narrow_i16x8_u': narrow(16, clampUnsigned),
  'i16x8.narrow_i32x4_s': narrow(32, clampSigned),
  'i16x8.narrow_i32x4_u': narrow(32, clampUnsigned),
  'i8x16.interleave_low': interleave(8, false),
  'i16x8.interleave_low': interleave(16, false),
  'i32x4.interleave_low': interleave(32, false),
  'i64x2.interleave_low': interleave(64, false),
  'i8x16.interleave_high': interleave(8, true),
  'i16x8.interleave_high': interleave(16, true),
  'i32x4.interleave_high': interleave(32, true),
  'i64x2.interleave_high': interleave(64, true),
  'i32x4.shuffle': shuffle,
  'i16x8.shuffle_low': shuffleHalf(0),
  'i16x8.shuffle_high': shuffleHalf(4),
  'i32x4.shuffle2': shuffle2x32,
  'i64x2.shuffle2': shuffle2x64,
  'i8x16.concat_shift': concatShift,
  'i8x16.swizzle': swizzle,
  'i8x16.bitmask': bitmask(8),
  'i32x4.bitmask': bitmask(32),
  'i64x2.bitmask': bitmask(64),
  'i8x16.abs': onSigned(8, magnitude),
  'i16x8.abs': onSigned(16, magnitude),
  'i32x4.abs': onSigned(32, magnitude),
  'i16x8.mulr_s': onSigned(16, (x, y) => (x * y + 0x4000n) >> 15n),
  'i16x8.dot_i8x16_us': dotUnsignedSigned,
  'i16x8.extend_low_i8x16_s': extendLow(16, signedLanes),
  'i16x8.extend_low_i8x16_u': extendLow(16, lanes),
  'i32x4.extend_low_i16x8_s': extendLow(32, signedLanes),
  'i32x4.extend_low_i16x8_u': extendLow(32, lanes),
  'i64x2.extend_low_i32x4_s': extendLow(64, signedLanes),
  'i64x2.extend_low_i32x4_u': extendLow(64, lanes),
};
