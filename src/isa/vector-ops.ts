// Rows behind the `vec` and `fcvt` operations of the IR. Names and meanings follow WebAssembly SIMD where it has the
// operation, so that an engine maps them one to one; the others (marked +) are short sequences there. Lane 0 is the
// least significant. Floating point is not here: fadd … of ir.ts.

/**
 * name, operands (v 128-bit value, n 64-bit count, i immediate). Width of the result is 128; of bitmask 32.
 *
 * add sub mul neg abs min max eq gt extend: per lane, wrapping. _sat: saturating; _s, _u: lanes taken signed, unsigned.
 * shl shr: every lane by the count; a count of the lane width or more gives 0 (shr_s: the sign).
 * mulh: high half of the product. dot: sums of adjacent products. avgr: (a + b + 1) >> 1.
 * narrow: lanes of a (low half of the result) and b (high half), saturated; _u saturates signed lanes to unsigned.
 * interleave_low/high: lanes of the low/high halves in turn, a's first.
 * shuffle of i32x4: lane k is a's lane (imm >> 2k) & 3; shuffle_low/high of i16x8: likewise within one half, the other
 * half unchanged; shuffle2: low half of the result from a, high half from b, lane numbers from imm in order.
 * concat_shift: the low 128 bits of (a:b) >> 8*imm, a being the high part; imm >= 32 gives 0.
 * swizzle: byte k is a's byte b[k] & 15, or 0 where b[k] has its highest bit set.
 * bitmask: the highest bit of each lane. sad_u8: for each half, the sum of absolute differences of its 8 bytes.
 */
export const VECTOR_OPS = [
  ['i8x16.add', 'vv-'],
  ['i16x8.add', 'vv-'],
  ['i32x4.add', 'vv-'],
  ['i64x2.add', 'vv-'],
  ['i8x16.sub', 'vv-'],
  ['i16x8.sub', 'vv-'],
  ['i32x4.sub', 'vv-'],
  ['i64x2.sub', 'vv-'],
  ['i8x16.add_sat_s', 'vv-'],
  ['i8x16.add_sat_u', 'vv-'],
  ['i16x8.add_sat_s', 'vv-'],
  ['i16x8.add_sat_u', 'vv-'],
  ['i8x16.sub_sat_s', 'vv-'],
  ['i8x16.sub_sat_u', 'vv-'],
  ['i16x8.sub_sat_s', 'vv-'],
  ['i16x8.sub_sat_u', 'vv-'],
  ['i16x8.mul', 'vv-'],
  ['i32x4.mul', 'vv-'],
  ['i16x8.mulh_s', 'vv-'], // +
  ['i16x8.mulh_u', 'vv-'], // +
  ['i64x2.mul_even_u', 'vv-'], // + product of the low 32 bits of each lane
  ['i64x2.mul_even_s', 'vv-'], // +
  ['i32x4.dot_i16x8_s', 'vv-'],
  ['i8x16.avgr_u', 'vv-'],
  ['i16x8.avgr_u', 'vv-'],
  ['i8x16.min_s', 'vv-'],
  ['i8x16.min_u', 'vv-'],
  ['i16x8.min_s', 'vv-'],
  ['i16x8.min_u', 'vv-'],
  ['i32x4.min_s', 'vv-'],
  ['i32x4.min_u', 'vv-'],
  ['i8x16.max_s', 'vv-'],
  ['i8x16.max_u', 'vv-'],
  ['i16x8.max_s', 'vv-'],
  ['i16x8.max_u', 'vv-'],
  ['i32x4.max_s', 'vv-'],
  ['i32x4.max_u', 'vv-'],
  ['i64x2.sad_u8', 'vv-'], // +
  ['i8x16.eq', 'vv-'],
  ['i16x8.eq', 'vv-'],
  ['i32x4.eq', 'vv-'],
  ['i64x2.eq', 'vv-'],
  ['i8x16.gt_s', 'vv-'],
  ['i16x8.gt_s', 'vv-'],
  ['i32x4.gt_s', 'vv-'],
  ['i64x2.gt_s', 'vv-'],
  ['i16x8.shl', 'vn-'],
  ['i32x4.shl', 'vn-'],
  ['i64x2.shl', 'vn-'],
  ['i16x8.shr_u', 'vn-'],
  ['i32x4.shr_u', 'vn-'],
  ['i64x2.shr_u', 'vn-'],
  ['i16x8.shr_s', 'vn-'],
  ['i32x4.shr_s', 'vn-'],
  ['i8x16.narrow_i16x8_s', 'vv-'],
  ['i8x16.narrow_i16x8_u', 'vv-'],
  ['i16x8.narrow_i32x4_s', 'vv-'],
  ['i16x8.narrow_i32x4_u', 'vv-'],
  ['i8x16.interleave_low', 'vv-'],
  ['i16x8.interleave_low', 'vv-'],
  ['i32x4.interleave_low', 'vv-'],
  ['i64x2.interleave_low', 'vv-'],
  ['i8x16.interleave_high', 'vv-'],
  ['i16x8.interleave_high', 'vv-'],
  ['i32x4.interleave_high', 'vv-'],
  ['i64x2.interleave_high', 'vv-'],
  ['i32x4.shuffle', 'v-i'],
  ['i16x8.shuffle_low', 'v-i'],
  ['i16x8.shuffle_high', 'v-i'],
  ['i32x4.shuffle2', 'vvi'],
  ['i64x2.shuffle2', 'vvi'],
  ['i8x16.concat_shift', 'vvi'],
  ['i8x16.swizzle', 'vv-'],
  ['i8x16.bitmask', 'v--'],
  ['i32x4.bitmask', 'v--'],
  ['i64x2.bitmask', 'v--'],
  ['i8x16.abs', 'v--'],
  ['i16x8.abs', 'v--'],
  ['i32x4.abs', 'v--'],
  ['i16x8.mulr_s', 'vv-'], // + (a * b + 0x4000) >> 15, wrapping (WebAssembly's q15mulr saturates)
  ['i16x8.dot_i8x16_us', 'vv-'], // + a unsigned, b signed, sums saturated
  ['i16x8.extend_low_i8x16_s', 'v--'],
  ['i16x8.extend_low_i8x16_u', 'v--'],
  ['i32x4.extend_low_i16x8_s', 'v--'],
  ['i32x4.extend_low_i16x8_u', 'v--'],
  ['i64x2.extend_low_i32x4_s', 'v--'],
  ['i64x2.extend_low_i32x4_u', 'v--'],
] as const;
export type VectorOp = (typeof VECTOR_OPS)[number][0];
export const VECTOR = Object.fromEntries(VECTOR_OPS.map((row, i) => [row[0], i])) as {
  readonly [K in VectorOp]: number;
};

/**
 * name (result.source), width of operand and result in bits. Rounding follows MXCSR, in _trunc towards zero. Integers
 * are signed; what does not fit is the most negative one and an invalid operation. Packed conversions that halve the
 * number of lanes leave zeros in the high half of the result; those that double the lane width read the low half.
 */
export const FLOAT_CONVERSIONS = [
  ['f32.i32', 32, 32],
  ['f32.i64', 64, 32],
  ['f64.i32', 32, 64],
  ['f64.i64', 64, 64],
  ['f32.f64', 64, 32],
  ['f64.f32', 32, 64],
  ['i32.f32', 32, 32],
  ['i32.f32_trunc', 32, 32],
  ['i64.f32', 32, 64],
  ['i64.f32_trunc', 32, 64],
  ['i32.f64', 64, 32],
  ['i32.f64_trunc', 64, 32],
  ['i64.f64', 64, 64],
  ['i64.f64_trunc', 64, 64],
  ['f32x4.i32x4', 128, 128],
  ['f64x2.i32x4', 128, 128],
  ['i32x4.f32x4', 128, 128],
  ['i32x4.f32x4_trunc', 128, 128],
  ['i32x4.f64x2', 128, 128],
  ['i32x4.f64x2_trunc', 128, 128],
  ['f32x4.f64x2', 128, 128],
  ['f64x2.f32x4', 128, 128],
] as const;
export type FloatConversion = (typeof FLOAT_CONVERSIONS)[number][0];
export const CONVERSION = Object.fromEntries(FLOAT_CONVERSIONS.map((row, i) => [row[0], i])) as {
  readonly [K in FloatConversion]: number;
};
