// Packed integers of SSE2 and MMX (with SSE's additions to it), and the logical and shuffling instructions of floats.
import type { Value } from '../builder.ts';
import type { VectorOp } from '../vector-ops.ts';
import type { LiftContext, LiftFunction, LiftTable } from './context.ts';
import {
  enterMmx,
  isMmx,
  onlySource,
  packedSource,
  source,
  vec,
  writePacked,
  zero128,
} from './sse-operand.ts';

type Combine = (cx: LiftContext, a: Value, b: Value) => Value;

/**
 * First operand = f(first, second). `f` sees 128 bits; MMX operands come with zeros above, and their result is the low
 * half, unless `mmxForm` says it better.
 */
export const combine =
  (f: Combine, mmxForm: Combine = f): LiftFunction =>
  (cx) => {
    const mmx = isMmx(cx, 0);
    const a = packedSource(cx, 0, mmx);
    const b = packedSource(cx, 1, mmx);
    writePacked(cx, mmx, (mmx ? mmxForm : f)(cx, a, b));
  };

/** First operand = op(first, second). */
export const lanewise = (op: VectorOp): LiftFunction => combine((cx, a, b) => vec(cx, op, a, b));

/** Both sources of an MMX instruction side by side, the first one low. */
const together = (cx: LiftContext, a: Value, b: Value): Value =>
  cx.b.concat(cx.b.trunc(64, b), cx.b.trunc(64, a));

export const narrowing = (op: VectorOp): LiftFunction =>
  combine(
    (cx, a, b) => vec(cx, op, a, b),
    (cx, a, b) => {
      const both = together(cx, a, b);
      return vec(cx, op, both, both);
    },
  );

/** The high halves of MMX registers end up in the high half of the low interleaving. */
const interleavingHigh = (low: VectorOp, high: VectorOp): LiftFunction =>
  combine(
    (cx, a, b) => vec(cx, high, a, b),
    (cx, a, b) => cx.b.extract(64, vec(cx, low, a, b), 64),
  );

/** Counts are an immediate byte or the low 64 bits of the source. */
const shift =
  (op: VectorOp): LiftFunction =>
  (cx) => {
    const mmx = isMmx(cx, 0);
    const a = packedSource(cx, 0, mmx);
    const count = cx.isImmediate(1)
      ? cx.b.const(64, cx.immediate & 0xff)
      : cx.b.trunc(64, packedSource(cx, 1, mmx));
    writePacked(cx, mmx, vec(cx, op, a, count));
  };

/** pslldq, psrldq: whole bytes, zeros move in. */
const byteShift =
  (left: boolean): LiftFunction =>
  (cx) => {
    const by = Math.min(cx.immediate & 0xff, 16);
    const a = cx.read(0);
    const zero = zero128(cx);
    cx.write(
      0,
      left ? vec(cx, 'i8x16.concat_shift', a, zero, 16 - by) : vec(cx, 'i8x16.concat_shift', zero, a, by),
    );
  };

/** A shuffle of the second operand by an immediate byte. */
const shuffle =
  (op: VectorOp): LiftFunction =>
  (cx) => {
    const mmx = isMmx(cx, 0);
    writePacked(cx, mmx, vec(cx, op, onlySource(cx, 1, mmx), -1, cx.immediate & 0xff));
  };

/** A shuffle of both operands by an immediate byte. */
const shuffle2 = (op: VectorOp): LiftFunction =>
  combine((cx, a, b) => vec(cx, op, a, b, cx.immediate & 0xff));

const and: Combine = (cx, a, b) => cx.b.and(a, b);
const andNot: Combine = (cx, a, b) => cx.b.and(cx.b.not(a), b);
const or: Combine = (cx, a, b) => cx.b.or(a, b);
const xor: Combine = (cx, a, b) => cx.b.xor(a, b);

/** pmovmskb, movmskps, movmskpd: the lanes' highest bits into a general register. */
const mask =
  (op: VectorOp): LiftFunction =>
  (cx) => {
    const mmx = isMmx(cx, 1);
    const bits = vec(cx, op, packedSource(cx, 1, mmx));
    if (mmx) enterMmx(cx);
    cx.write(0, cx.b.zext(cx.widthOf(0), bits));
  };

const pextrw: LiftFunction = (cx) => {
  const mmx = isMmx(cx, 1);
  const lane = cx.immediate & (mmx ? 3 : 7);
  const value = cx.b.extract(16, source(cx, 1, mmx ? 64 : 128), 16 * lane);
  if (mmx) enterMmx(cx);
  cx.write(0, cx.b.zext(cx.widthOf(0), value));
};

const pinsrw: LiftFunction = (cx) => {
  const mmx = isMmx(cx, 0);
  const lane = cx.immediate & (mmx ? 3 : 7);
  const into = packedSource(cx, 0, mmx);
  writePacked(cx, mmx, cx.b.insert(into, cx.read(1, 16), 16 * lane));
};

export const ssePackedRows: LiftTable = {
  paddb: lanewise('i8x16.add'),
  paddw: lanewise('i16x8.add'),
  paddd: lanewise('i32x4.add'),
  paddq: lanewise('i64x2.add'),
  psubb: lanewise('i8x16.sub'),
  psubw: lanewise('i16x8.sub'),
  psubd: lanewise('i32x4.sub'),
  psubq: lanewise('i64x2.sub'),
  paddsb: lanewise('i8x16.add_sat_s'),
  paddsw: lanewise('i16x8.add_sat_s'),
  paddusb: lanewise('i8x16.add_sat_u'),
  paddusw: lanewise('i16x8.add_sat_u'),
  psubsb: lanewise('i8x16.sub_sat_s'),
  psubsw: lanewise('i16x8.sub_sat_s'),
  psubusb: lanewise('i8x16.sub_sat_u'),
  psubusw: lanewise('i16x8.sub_sat_u'),
  pmullw: lanewise('i16x8.mul'),
  pmulhw: lanewise('i16x8.mulh_s'),
  pmulhuw: lanewise('i16x8.mulh_u'),
  pmuludq: lanewise('i64x2.mul_even_u'),
  pmaddwd: lanewise('i32x4.dot_i16x8_s'),
  pavgb: lanewise('i8x16.avgr_u'),
  pavgw: lanewise('i16x8.avgr_u'),
  pminub: lanewise('i8x16.min_u'),
  pminsw: lanewise('i16x8.min_s'),
  pmaxub: lanewise('i8x16.max_u'),
  pmaxsw: lanewise('i16x8.max_s'),
  psadbw: lanewise('i64x2.sad_u8'),
  pcmpeqb: lanewise('i8x16.eq'),
  pcmpeqw: lanewise('i16x8.eq'),
  pcmpeqd: lanewise('i32x4.eq'),
  pcmpgtb: lanewise('i8x16.gt_s'),
  pcmpgtw: lanewise('i16x8.gt_s'),
  pcmpgtd: lanewise('i32x4.gt_s'),
  psllw: shift('i16x8.shl'),
  pslld: shift('i32x4.shl'),
  psllq: shift('i64x2.shl'),
  psrlw: shift('i16x8.shr_u'),
  psrld: shift('i32x4.shr_u'),
  psrlq: shift('i64x2.shr_u'),
  psraw: shift('i16x8.shr_s'),
  psrad: shift('i32x4.shr_s'),
  pslldq: byteShift(true),
  psrldq: byteShift(false),
  packsswb: narrowing('i8x16.narrow_i16x8_s'),
  packuswb: narrowing('i8x16.narrow_i16x8_u'),
  packssdw: narrowing('i16x8.narrow_i32x4_s'),
  punpcklbw: lanewise('i8x16.interleave_low'),
  punpcklwd: lanewise('i16x8.interleave_low'),
  punpckldq: lanewise('i32x4.interleave_low'),
  punpcklqdq: lanewise('i64x2.interleave_low'),
  punpckhbw: interleavingHigh('i8x16.interleave_low', 'i8x16.interleave_high'),
  punpckhwd: interleavingHigh('i16x8.interleave_low', 'i16x8.interleave_high'),
  punpckhdq: interleavingHigh('i32x4.interleave_low', 'i32x4.interleave_high'),
  punpckhqdq: lanewise('i64x2.interleave_high'),
  unpcklps: lanewise('i32x4.interleave_low'),
  unpckhps: lanewise('i32x4.interleave_high'),
  unpcklpd: lanewise('i64x2.interleave_low'),
  unpckhpd: lanewise('i64x2.interleave_high'),
  pshufd: shuffle('i32x4.shuffle'),
  pshuflw: shuffle('i16x8.shuffle_low'),
  pshufhw: shuffle('i16x8.shuffle_high'),
  pshufw: shuffle('i16x8.shuffle_low'),
  shufps: shuffle2('i32x4.shuffle2'),
  shufpd: shuffle2('i64x2.shuffle2'),
  pand: combine(and),
  andps: combine(and),
  andpd: combine(and),
  pandn: combine(andNot),
  andnps: combine(andNot),
  andnpd: combine(andNot),
  por: combine(or),
  orps: combine(or),
  orpd: combine(or),
  pxor: combine(xor),
  xorps: combine(xor),
  xorpd: combine(xor),
  pmovmskb: mask('i8x16.bitmask'),
  movmskps: mask('i32x4.bitmask'),
  movmskpd: mask('i64x2.bitmask'),
  pextrw,
  pinsrw,
};
