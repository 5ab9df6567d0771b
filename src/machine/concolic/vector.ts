// Expressions of the IR's `vec` operations, lane by lane. What string functions and copies are made of is here; the
// other ones (dot products, multiplications of halves) lose their shadows, which is counted.
import type { BinaryName, Expression, Expressions } from '../../expr/index.ts';
import { VECTOR_OPS, type VectorOp } from '../../isa/index.ts';
import type { ShadowStep } from './stepper.ts';

/** b: a vector, or the 64-bit count of a shift. */
type VectorRule = (x: Expressions, a: Expression, b: Expression, immediate: number) => Expression;
type LaneRule = (x: Expressions, a: Expression, b: Expression, width: number) => Expression;

const TOTAL = 128;

const lane = (x: Expressions, e: Expression, i: number, width: number): Expression =>
  x.extract(e, i * width, width);

/** Lane 0 first. */
function joined(x: Expressions, parts: readonly Expression[]): Expression {
  let out = parts[parts.length - 1];
  for (let i = parts.length - 2; i >= 0; i--) out = x.concat(out, parts[i]);
  return out;
}

/** Lanes of the result, by their numbers. */
const lanes = (
  x: Expressions,
  width: number,
  f: (i: number) => Expression,
  count = TOTAL / width,
): Expression =>
  joined(
    x,
    Array.from({ length: count }, (_, i) => f(i)),
  );

const each =
  (width: number, f: LaneRule): VectorRule =>
  (x, a, b) =>
    lanes(x, width, (i) => f(x, lane(x, a, i, width), lane(x, b, i, width), width));
const eachAlone =
  (width: number, f: (x: Expressions, a: Expression, width: number) => Expression): VectorRule =>
  (x, a) =>
    lanes(x, width, (i) => f(x, lane(x, a, i, width), width));

const plain =
  (name: BinaryName): LaneRule =>
  (x, a, b) =>
    x.binary(name, a, b);
/** All ones where it holds. */
const mask =
  (f: LaneRule): LaneRule =>
  (x, a, b, width) =>
    x.sext(f(x, a, b, width), width);
const equal = mask(plain('eq'));
const greater = mask((x, a, b) => x.binary('lts', b, a));
const lesser =
  (name: 'ltu' | 'lts', least: boolean): LaneRule =>
  (x, a, b) => {
    const first = x.binary(name, a, b);
    return least ? x.select(first, a, b) : x.select(first, b, a);
  };
const addSaturated: LaneRule = (x, a, b, width) => {
  const sum = x.add(a, b);
  return x.select(x.ltu(sum, a), x.constant(width, -1, -1), sum);
};
const subSaturated: LaneRule = (x, a, b, width) => x.select(x.ltu(a, b), x.constant(width, 0), x.sub(a, b));
const average: LaneRule = (x, a, b, width) => {
  const wide = x.add(x.add(x.zext(a, width + 2), x.zext(b, width + 2)), x.constant(width + 2, 1));
  return x.extract(wide, 1, width);
};
const absolute = (x: Expressions, a: Expression, width: number): Expression =>
  x.select(x.extract(a, width - 1, 1), x.unary('neg', a), a);

/** All lanes by one count; a count that does not fit the lane shifts everything out. */
const shifted =
  (name: 'shl' | 'shr' | 'sar', width: number): VectorRule =>
  (x, a, count) => {
    const many = x.binary('leu', x.constant(64, width), count);
    const by = x.select(many, x.constant(width, width), x.trunc(count, width));
    return lanes(x, width, (i) => x.binary(name, lane(x, a, i, width), by));
  };

const interleaved =
  (width: number, high: boolean): VectorRule =>
  (x, a, b) => {
    const from = high ? TOTAL / width / 2 : 0;
    return lanes(x, width, (i) => lane(x, i % 2 === 0 ? a : b, from + (i >> 1), width));
  };

const narrowed =
  (from: number, isSigned: boolean): VectorRule =>
  (x, a, b) => {
    const to = from / 2;
    const [low, high] = isSigned ? [-(2 ** (to - 1)), 2 ** (to - 1) - 1] : [0, 2 ** to - 1];
    const bound = (value: number): Expression => x.constantBig(from, BigInt(value));
    const half = TOTAL / from;
    return lanes(x, to, (i) => {
      const value = lane(x, i < half ? a : b, i % half, from);
      const atMost = x.select(x.binary('lts', bound(high), value), bound(high), value);
      return x.trunc(x.select(x.binary('lts', atMost, bound(low)), bound(low), atMost), to);
    });
  };

const bitmask =
  (width: number): VectorRule =>
  (x, a) => {
    const count = TOTAL / width;
    return x.zext(
      lanes(x, width, (i) => x.extract(a, (i + 1) * width - 1, 1), count),
      32,
    );
  };

const extended =
  (from: number, isSigned: boolean): VectorRule =>
  (x, a) =>
    lanes(x, 2 * from, (i) => {
      const part = lane(x, a, i, from);
      return isSigned ? x.sext(part, 2 * from) : x.zext(part, 2 * from);
    });

/** Two bits of the immediate a lane. */
const picked = (immediate: number, i: number): number => (immediate >> (2 * i)) & 3;
const shuffledHalf =
  (base: number): VectorRule =>
  (x, a, _b, immediate) =>
    lanes(x, 16, (i) => lane(x, a, i >= base && i < base + 4 ? base + picked(immediate, i - base) : i, 16));

const concatShifted: VectorRule = (x, a, b, immediate) => {
  const bytes = immediate & 0xff;
  const from = (i: number): Expression =>
    i < 16 ? x.byte(b, i) : i < 32 ? x.byte(a, i - 16) : x.constant(8, 0);
  return lanes(x, 8, (i) => from(i + bytes));
};

/** Of a byte of `from` at a known place; a symbolic place is looked up byte by byte. */
const swizzled: VectorRule = (x, a, b) =>
  lanes(x, 8, (i) => {
    const at = x.byte(b, i);
    let out = x.constant(8, 0);
    for (let k = 0; k < 16; k++)
      out = x.select(x.eq(x.and(at, x.constant(8, 0x8f)), x.constant(8, k)), x.byte(a, k), out);
    return out;
  });

const evenProducts =
  (isSigned: boolean): VectorRule =>
  (x, a, b) =>
    lanes(x, 64, (i) => {
      const wide = (e: Expression): Expression => {
        const part = x.extract(e, 64 * i, 32);
        return isSigned ? x.sext(part, 64) : x.zext(part, 64);
      };
      return x.binary('mul', wide(a), wide(b));
    });

const RULES: Readonly<Partial<Record<VectorOp, VectorRule>>> = {
  'i8x16.add': each(8, plain('add')),
  'i16x8.add': each(16, plain('add')),
  'i32x4.add': each(32, plain('add')),
  'i64x2.add': each(64, plain('add')),
  'i8x16.sub': each(8, plain('sub')),
  'i16x8.sub': each(16, plain('sub')),
  'i32x4.sub': each(32, plain('sub')),
  'i64x2.sub': each(64, plain('sub')),
  'i8x16.add_sat_u': each(8, addSaturated),
  'i16x8.add_sat_u': each(16, addSaturated),
  'i8x16.sub_sat_u': each(8, subSaturated),
  'i16x8.sub_sat_u': each(16, subSaturated),
  'i16x8.mul': each(16, plain('mul')),
  'i32x4.mul': each(32, plain('mul')),
  'i16x8.mulh_s': each(16, plain('mulhs')),
  'i16x8.mulh_u': each(16, plain('mulhu')),
  'i64x2.mul_even_u': evenProducts(false),
  'i64x2.mul_even_s': evenProducts(true),
  'i8x16.avgr_u': each(8, average),
  'i16x8.avgr_u': each(16, average),
  'i8x16.min_s': each(8, lesser('lts', true)),
  'i8x16.min_u': each(8, lesser('ltu', true)),
  'i16x8.min_s': each(16, lesser('lts', true)),
  'i16x8.min_u': each(16, lesser('ltu', true)),
  'i32x4.min_s': each(32, lesser('lts', true)),
  'i32x4.min_u': each(32, lesser('ltu', true)),
  'i8x16.max_s': each(8, lesser('lts', false)),
  'i8x16.max_u': each(8, lesser('ltu', false)),
  'i16x8.max_s': each(16, lesser('lts', false)),
  'i16x8.max_u': each(16, lesser('ltu', false)),
  'i32x4.max_s': each(32, lesser('lts', false)),
  'i32x4.max_u': each(32, lesser('ltu', false)),
  'i8x16.eq': each(8, equal),
  'i16x8.eq': each(16, equal),
  'i32x4.eq': each(32, equal),
  'i64x2.eq': each(64, equal),
  'i8x16.gt_s': each(8, greater),
  'i16x8.gt_s': each(16, greater),
  'i32x4.gt_s': each(32, greater),
  'i64x2.gt_s': each(64, greater),
  'i16x8.shl': shifted('shl', 16),
  'i32x4.shl': shifted('shl', 32),
  'i64x2.shl': shifted('shl', 64),
  'i16x8.shr_u': shifted('shr', 16),
  'i32x4.shr_u': shifted('shr', 32),
  'i64x2.shr_u': shifted('shr', 64),
  'i16x8.shr_s': shifted('sar', 16),
  'i32x4.shr_s': shifted('sar', 32),
  'i8x16.narrow_i16x8_s': narrowed(16, true),
  'i8x16.narrow_i16x8_u': narrowed(16, false),
  'i16x8.narrow_i32x4_s': narrowed(32, true),
  'i16x8.narrow_i32x4_u': narrowed(32, false),
  'i8x16.interleave_low': interleaved(8, false),
  'i16x8.interleave_low': interleaved(16, false),
  'i32x4.interleave_low': interleaved(32, false),
  'i64x2.interleave_low': interleaved(64, false),
  'i8x16.interleave_high': interleaved(8, true),
  'i16x8.interleave_high': interleaved(16, true),
  'i32x4.interleave_high': interleaved(32, true),
  'i64x2.interleave_high': interleaved(64, true),
  'i32x4.shuffle': (x, a, _b, immediate) => lanes(x, 32, (i) => lane(x, a, picked(immediate, i), 32)),
  'i16x8.shuffle_low': shuffledHalf(0),
  'i16x8.shuffle_high': shuffledHalf(4),
  'i32x4.shuffle2': (x, a, b, immediate) =>
    lanes(x, 32, (i) => lane(x, i < 2 ? a : b, picked(immediate, i), 32)),
  'i64x2.shuffle2': (x, a, b, immediate) =>
    x.concat(lane(x, b, (immediate >> 1) & 1, 64), lane(x, a, immediate & 1, 64)),
  'i8x16.concat_shift': concatShifted,
  'i8x16.swizzle': swizzled,
  'i8x16.bitmask': bitmask(8),
  'i32x4.bitmask': bitmask(32),
  'i64x2.bitmask': bitmask(64),
  'i8x16.abs': eachAlone(8, absolute),
  'i16x8.abs': eachAlone(16, absolute),
  'i32x4.abs': eachAlone(32, absolute),
  'i16x8.extend_low_i8x16_s': extended(8, true),
  'i16x8.extend_low_i8x16_u': extended(8, false),
  'i32x4.extend_low_i16x8_s': extended(16, true),
  'i32x4.extend_low_i16x8_u': extended(16, false),
  'i64x2.extend_low_i32x4_s': extended(32, true),
  'i64x2.extend_low_i32x4_u': extended(32, false),
};

const rules = VECTOR_OPS.map(([name]) => RULES[name]);
const binaryOps = VECTOR_OPS.map(([, operands]) => operands[1] !== '-');

export const vectorShadow: ShadowStep = (c, m, code, at, concrete) => {
  concrete(m, code, at);
  const op = code[at] >>> 16;
  const [a, b] = [code[at + 1], code[at + 2]];
  const two = binaryOps[op];
  if (c.shadows[a] === 0 && (!two || c.shadows[b] === 0)) {
    c.shadows[at >> 2] = 0;
    return;
  }
  const rule = rules[op];
  if (rule === undefined) {
    c.shadows[at >> 2] = 0;
    c.loses(m, VECTOR_OPS[op][0]);
    return;
  }
  c.yields(at, rule(c.x, c.operand(m, code, a), two ? c.operand(m, code, b) : 0, code[at + 3]));
};
