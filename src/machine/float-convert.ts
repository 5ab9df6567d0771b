// The meaning of the IR's `fcvt`: conversions of SSE and SSE2 between integers and floats (rows FLOAT_CONVERSIONS).
import { FLOAT_CONVERSIONS, type FloatConversion } from '../isa/index.ts';
import { type FloatControl, settle } from './float.ts';
import { decode, F32, F64, type FloatContext, type Format, RC } from './softfloat.ts';
import { convert, fromInteger, toInteger } from './softfloat-convert.ts';
import { join, lanes } from './vector.ts';

type LaneConversion = (a: bigint, context: FloatContext) => bigint;

const integerToFloat =
  (bits: number, to: Format): LaneConversion =>
  (a, context) =>
    fromInteger(to, BigInt.asIntN(bits, a), context);
const floatToInteger =
  (from: Format, bits: number): LaneConversion =>
  (a, context) =>
    toInteger(bits, decode(from, a, context.daz), context.rounding, context);
const floatToIntegerTruncating =
  (from: Format, bits: number): LaneConversion =>
  (a, context) =>
    toInteger(bits, decode(from, a, context.daz), RC.zero, context);
const floatToFloat =
  (from: Format, to: Format): LaneConversion =>
  (a, context) =>
    convert(to, decode(from, a, context.daz), context);

interface Row {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly lane: LaneConversion;
}
const row = (from: number, to: number, count: number, lane: LaneConversion): Row => ({
  from,
  to,
  count,
  lane,
});

const CONVERSIONS: { readonly [K in FloatConversion]: Row } = {
  'f32.i32': row(32, 32, 1, integerToFloat(32, F32)),
  'f32.i64': row(64, 32, 1, integerToFloat(64, F32)),
  'f64.i32': row(32, 64, 1, integerToFloat(32, F64)),
  'f64.i64': row(64, 64, 1, integerToFloat(64, F64)),
  'f32.f64': row(64, 32, 1, floatToFloat(F64, F32)),
  'f64.f32': row(32, 64, 1, floatToFloat(F32, F64)),
  'i32.f32': row(32, 32, 1, floatToInteger(F32, 32)),
  'i32.f32_trunc': row(32, 32, 1, floatToIntegerTruncating(F32, 32)),
  'i64.f32': row(32, 64, 1, floatToInteger(F32, 64)),
  'i64.f32_trunc': row(32, 64, 1, floatToIntegerTruncating(F32, 64)),
  'i32.f64': row(64, 32, 1, floatToInteger(F64, 32)),
  'i32.f64_trunc': row(64, 32, 1, floatToIntegerTruncating(F64, 32)),
  'i64.f64': row(64, 64, 1, floatToInteger(F64, 64)),
  'i64.f64_trunc': row(64, 64, 1, floatToIntegerTruncating(F64, 64)),
  'f32x4.i32x4': row(32, 32, 4, integerToFloat(32, F32)),
  'f64x2.i32x4': row(32, 64, 2, integerToFloat(32, F64)),
  'i32x4.f32x4': row(32, 32, 4, floatToInteger(F32, 32)),
  'i32x4.f32x4_trunc': row(32, 32, 4, floatToIntegerTruncating(F32, 32)),
  'i32x4.f64x2': row(64, 32, 2, floatToInteger(F64, 32)),
  'i32x4.f64x2_trunc': row(64, 32, 2, floatToIntegerTruncating(F64, 32)),
  'f32x4.f64x2': row(64, 32, 2, floatToFloat(F64, F32)),
  'f64x2.f32x4': row(32, 64, 2, floatToFloat(F32, F64)),
};
const BY_INDEX = FLOAT_CONVERSIONS.map(([name]) => CONVERSIONS[name]);

/** `index` is the operation's aux: a row of FLOAT_CONVERSIONS. The result is unsigned. */
export function floatConversion(control: FloatControl, index: number, a: bigint): bigint {
  const { from, to, count, lane } = BY_INDEX[index];
  const source = lanes(a, from, from * count);
  return join(
    settle(control, count, (i, context) => lane(source[i], context)),
    to,
  );
}
