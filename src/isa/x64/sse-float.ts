// Floating-point arithmetic, comparisons and conversions of SSE and SSE2, and their control register.
import type { Value } from '../builder.ts';
import { IR, REG } from '../ir.ts';
import { CONVERSION, type FloatConversion } from '../vector-ops.ts';
import type { LiftContext, LiftFunction, LiftTable } from './context.ts';
import { checkPending, enterMmx, isMmx, source, writeLow, writeMmx } from './sse-operand.ts';

type ArithmeticOp = 'fadd' | 'fsub' | 'fmul' | 'fdiv' | 'fmin' | 'fmax';
type LaneWidth = 32 | 64;

const packed =
  (op: ArithmeticOp, lane: LaneWidth): LiftFunction =>
  (cx) =>
    cx.write(0, cx.b.operation(IR[op], 128, lane, cx.read(0), source(cx, 1, 128)));

const scalar =
  (op: ArithmeticOp, width: LaneWidth): LiftFunction =>
  (cx) =>
    writeLow(cx, cx.b.operation(IR[op], width, 0, cx.read(0, width), cx.read(1, width)));

const packedRoot =
  (lane: LaneWidth): LiftFunction =>
  (cx) =>
    cx.write(0, cx.b.operation(IR.fsqrt, 128, lane, source(cx, 1, 128)));
const scalarRoot =
  (width: LaneWidth): LiftFunction =>
  (cx) =>
    writeLow(cx, cx.b.operation(IR.fsqrt, width, 0, cx.read(1, width)));

const packedCompare =
  (lane: LaneWidth): LiftFunction =>
  (cx) =>
    cx.write(0, cx.b.operation(IR.fcmp, 128, lane, cx.read(0), source(cx, 1, 128), cx.immediate & 7));
const scalarCompare =
  (width: LaneWidth): LiftFunction =>
  (cx) =>
    writeLow(cx, cx.b.operation(IR.fcmp, width, 0, cx.read(0, width), cx.read(1, width), cx.immediate & 7));

const compareFlags =
  (width: LaneWidth, signaling: 0 | 1): LiftFunction =>
  (cx) =>
    cx.b.setrflags('comis', cx.b.operation(IR.fcomi, width, signaling, cx.read(0, width), cx.read(1, width)));

/** rcpps and the like: a helper a lane. */
const approximate =
  (helper: string, count: 1 | 4): LiftFunction =>
  (cx) => {
    const { b } = cx;
    const from = count === 4 ? source(cx, 1, 128) : cx.read(1, 32);
    if (count === 1) return writeLow(cx, b.call(32, helper, from));
    let result = from;
    for (let at = 0; at < 128; at += 32)
      result = b.insert(result, b.call(32, helper, b.extract(32, from, at)), at);
    cx.write(0, result);
  };

const convert = (cx: LiftContext, name: FloatConversion, width: number, a: Value): Value =>
  cx.b.operation(IR.fcvt, width, CONVERSION[name], a);

/** cvtsi2ss, cvtsi2sd */
const fromInteger =
  (to: 'f32' | 'f64'): LiftFunction =>
  (cx) => {
    const name = cx.widthOf(1) === 64 ? (`${to}.i64` as const) : (`${to}.i32` as const);
    writeLow(cx, convert(cx, name, to === 'f32' ? 32 : 64, cx.read(1)));
  };

/** cvtss2si and the like, to 32 or 64 bits. */
const toInteger =
  (from: 'f32' | 'f64', suffix: '' | '_trunc'): LiftFunction =>
  (cx) => {
    const width = cx.widthOf(0);
    const name = width === 64 ? (`i64.${from}${suffix}` as const) : (`i32.${from}${suffix}` as const);
    cx.write(0, convert(cx, name, width, cx.read(1, from === 'f32' ? 32 : 64)));
  };

const cvtss2sd: LiftFunction = (cx) => writeLow(cx, convert(cx, 'f64.f32', 64, cx.read(1, 32)));
const cvtsd2ss: LiftFunction = (cx) => writeLow(cx, convert(cx, 'f32.f64', 32, cx.read(1, 64)));

/** A packed conversion that reads `width` bits of its source. */
const packedConversion =
  (name: FloatConversion, width: 64 | 128): LiftFunction =>
  (cx) =>
    cx.write(0, convert(cx, name, 128, cx.b.zext(128, source(cx, 1, width))));

/**
 * cvtps2pi and the like: two results into an MMX register. The transition to MMX comes before the conversion: it stays
 * when that faults.
 */
const toMmx =
  (name: FloatConversion, width: 64 | 128): LiftFunction =>
  (cx) => {
    checkPending(cx);
    const from = cx.b.zext(128, source(cx, 1, width));
    enterMmx(cx);
    const result = convert(cx, name, 128, from);
    writeMmx(cx, cx.registerNumber(0), cx.b.trunc(64, result));
  };

const cvtpi2ps: LiftFunction = (cx) => {
  const from = cx.b.zext(128, source(cx, 1, 64));
  if (isMmx(cx, 1)) enterMmx(cx);
  const result = convert(cx, 'f32x4.i32x4', 128, from);
  writeLow(cx, cx.b.trunc(64, result));
};
const cvtpi2pd: LiftFunction = (cx) => {
  const from = cx.b.zext(128, source(cx, 1, 64));
  if (isMmx(cx, 1)) enterMmx(cx);
  const result = convert(cx, 'f64x2.i32x4', 128, from);
  cx.write(0, result);
};

const ldmxcsr: LiftFunction = (cx) => {
  const value = cx.read(0, 32);
  cx.b.call(8, 'sse.check_mxcsr', value);
  cx.b.set(REG['mxcsr'], value);
};
const stmxcsr: LiftFunction = (cx) => cx.write(0, cx.b.get(REG['mxcsr']));

export const sseFloatRows: LiftTable = {
  addps: packed('fadd', 32),
  addpd: packed('fadd', 64),
  addss: scalar('fadd', 32),
  addsd: scalar('fadd', 64),
  subps: packed('fsub', 32),
  subpd: packed('fsub', 64),
  subss: scalar('fsub', 32),
  subsd: scalar('fsub', 64),
  mulps: packed('fmul', 32),
  mulpd: packed('fmul', 64),
  mulss: scalar('fmul', 32),
  mulsd: scalar('fmul', 64),
  divps: packed('fdiv', 32),
  divpd: packed('fdiv', 64),
  divss: scalar('fdiv', 32),
  divsd: scalar('fdiv', 64),
  minps: packed('fmin', 32),
  minpd: packed('fmin', 64),
  minss: scalar('fmin', 32),
  minsd: scalar('fmin', 64),
  maxps: packed('fmax', 32),
  maxpd: packed('fmax', 64),
  maxss: scalar('fmax', 32),
  maxsd: scalar('fmax', 64),
  sqrtps: packedRoot(32),
  sqrtpd: packedRoot(64),
  sqrtss: scalarRoot(32),
  sqrtsd: scalarRoot(64),
  rcpps: approximate('sse.rcp', 4),
  rcpss: approximate('sse.rcp', 1),
  rsqrtps: approximate('sse.rsqrt', 4),
  rsqrtss: approximate('sse.rsqrt', 1),
  cmpps: packedCompare(32),
  cmppd: packedCompare(64),
  cmpss: scalarCompare(32),
  // the string instruction has the same mnemonic
  Cmpsd_xmm_xmmm64_imm8: scalarCompare(64),
  comiss: compareFlags(32, 1),
  comisd: compareFlags(64, 1),
  ucomiss: compareFlags(32, 0),
  ucomisd: compareFlags(64, 0),
  cvtsi2ss: fromInteger('f32'),
  cvtsi2sd: fromInteger('f64'),
  cvtss2si: toInteger('f32', ''),
  cvtsd2si: toInteger('f64', ''),
  cvttss2si: toInteger('f32', '_trunc'),
  cvttsd2si: toInteger('f64', '_trunc'),
  cvtss2sd,
  cvtsd2ss,
  cvtdq2ps: packedConversion('f32x4.i32x4', 128),
  cvtps2dq: packedConversion('i32x4.f32x4', 128),
  cvttps2dq: packedConversion('i32x4.f32x4_trunc', 128),
  cvtdq2pd: packedConversion('f64x2.i32x4', 64),
  cvtpd2dq: packedConversion('i32x4.f64x2', 128),
  cvttpd2dq: packedConversion('i32x4.f64x2_trunc', 128),
  cvtps2pd: packedConversion('f64x2.f32x4', 64),
  cvtpd2ps: packedConversion('f32x4.f64x2', 128),
  cvtps2pi: toMmx('i32x4.f32x4', 64),
  cvttps2pi: toMmx('i32x4.f32x4_trunc', 64),
  cvtpd2pi: toMmx('i32x4.f64x2', 128),
  cvttpd2pi: toMmx('i32x4.f64x2_trunc', 128),
  cvtpi2ps,
  cvtpi2pd,
  ldmxcsr,
  stmxcsr,
};
