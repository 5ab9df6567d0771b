// SSE3, SSSE3, SSE4.1 and SSE4.2: off unless the feature is switched on, since CPUID does not announce them.
import type { Value } from '../builder.ts';
import { IR } from '../ir.ts';
import type { VectorOp } from '../vector-ops.ts';
import { type LiftContext, type LiftFunction, type LiftTable, needing } from './context.ts';
import { isMmx, onlySource, source, vec, writeLow, writePacked, zero128 } from './sse-operand.ts';
import { combine, lanewise, narrowing } from './sse-packed.ts';
import { stringRows42 } from './sse-string.ts';

/** A 128-bit constant of four 32-bit words, lowest first. */
export function constant(cx: LiftContext, words: readonly number[]): Value {
  const { b } = cx;
  return b.concat(b.const64(words[2], words[3]), b.const64(words[0], words[1]));
}

/** Bits of b where the mask has ones, else of a. */
export function blend(cx: LiftContext, mask: Value, a: Value, b: Value): Value {
  return cx.b.or(cx.b.and(a, cx.b.not(mask)), cx.b.and(b, mask));
}

/** A mask of whole lanes from the low bits of an immediate. */
export function laneMask(cx: LiftContext, width: 16 | 32 | 64, selected: number): Value {
  const words = [0, 0, 0, 0];
  for (let at = 0; at < 128; at += 16) {
    if ((selected >> Math.floor(at / width)) & 1) words[at >> 5] |= 0xffff << (at & 31);
  }
  return constant(cx, words);
}

// SSE3

/** addsubps, addsubpd: even lanes are subtracted, odd ones added. */
const addsub =
  (width: 32 | 64): LiftFunction =>
  (cx) => {
    const lane = cx.b.const(8, width);
    cx.write(0, cx.b.call(128, 'sse.addsub', cx.read(0), source(cx, 1, 128), lane));
  };

/** Even or odd 32-bit lanes of a, then of b. */
const words32 = (cx: LiftContext, odd: boolean, a: Value, b: Value): Value =>
  vec(cx, 'i32x4.shuffle2', a, b, odd ? 0xdd : 0x88);

/** Even or odd 16-bit lanes of a, then of b. */
function words16(cx: LiftContext, odd: boolean, a: Value, b: Value): Value {
  const low = [0x05040100, 0x0d0c0908].map((word) => word + (odd ? 0x02020202 : 0));
  const none = [0x80808080, 0x80808080];
  const fromA = vec(cx, 'i8x16.swizzle', a, constant(cx, [...low, ...none]));
  const fromB = vec(cx, 'i8x16.swizzle', b, constant(cx, [...none, ...low]));
  return cx.b.or(fromA, fromB);
}

const horizontalFloat =
  (op: 'fadd' | 'fsub', width: 32 | 64): LiftFunction =>
  (cx) => {
    const [x, y] = [cx.read(0), source(cx, 1, 128)];
    const even = width === 32 ? words32(cx, false, x, y) : vec(cx, 'i64x2.interleave_low', x, y);
    const odd = width === 32 ? words32(cx, true, x, y) : vec(cx, 'i64x2.interleave_high', x, y);
    cx.write(0, cx.b.operation(IR[op], 128, width, even, odd));
  };

const movddup: LiftFunction = (cx) => {
  const low = cx.read(1, 64);
  cx.write(0, cx.b.concat(low, low));
};
const duplicate =
  (immediate: number): LiftFunction =>
  (cx) =>
    cx.write(0, vec(cx, 'i32x4.shuffle', source(cx, 1, 128), -1, immediate));

export const sse3: Readonly<Record<string, LiftFunction>> = {
  addsubps: addsub(32),
  addsubpd: addsub(64),
  haddps: horizontalFloat('fadd', 32),
  haddpd: horizontalFloat('fadd', 64),
  hsubps: horizontalFloat('fsub', 32),
  hsubpd: horizontalFloat('fsub', 64),
  movddup,
  movsldup: duplicate(0xa0),
  movshdup: duplicate(0xf5),
  lddqu: (cx) => cx.write(0, cx.read(1, 128)),
};

// SSSE3

/** Sums or differences of neighbours; both MMX operands fit into one vector. */
const horizontal = (op: VectorOp, width: 16 | 32): LiftFunction => {
  const pick = width === 16 ? words16 : words32;
  return combine(
    (cx, a, b) => vec(cx, op, pick(cx, false, a, b), pick(cx, true, a, b)),
    (cx, a, b) => {
      const both = cx.b.concat(cx.b.trunc(64, b), cx.b.trunc(64, a));
      return vec(cx, op, pick(cx, false, both, both), pick(cx, true, both, both));
    },
  );
};

const pshufb = combine(
  (cx, a, b) => vec(cx, 'i8x16.swizzle', a, b),
  (cx, a, b) => vec(cx, 'i8x16.swizzle', a, cx.b.and(b, constant(cx, [0x87878787, 0x87878787, 0, 0]))),
);

/** First operand negated, cleared or kept as the second's sign says. */
const sign = (width: 8 | 16 | 32): LiftFunction => {
  const shape = `i${width}x${128 / width}` as 'i8x16' | 'i16x8' | 'i32x4';
  return combine((cx, a, b) => {
    const zero = zero128(cx);
    const negative = vec(cx, `${shape}.gt_s`, zero, b);
    const flipped = vec(cx, `${shape}.sub`, cx.b.xor(a, negative), negative);
    return cx.b.and(flipped, cx.b.not(vec(cx, `${shape}.eq`, zero, b)));
  });
};

const absolute =
  (op: VectorOp): LiftFunction =>
  (cx) => {
    const mmx = isMmx(cx, 0);
    writePacked(cx, mmx, vec(cx, op, onlySource(cx, 1, mmx)));
  };

const palignr = combine(
  (cx, a, b) => vec(cx, 'i8x16.concat_shift', a, b, cx.immediate & 0xff),
  (cx, a, b) => {
    const both = cx.b.concat(cx.b.trunc(64, a), cx.b.trunc(64, b));
    return vec(cx, 'i8x16.concat_shift', zero128(cx), both, cx.immediate & 0xff);
  },
);

export const ssse3: Readonly<Record<string, LiftFunction>> = {
  pshufb,
  phaddw: horizontal('i16x8.add', 16),
  phaddd: horizontal('i32x4.add', 32),
  phaddsw: horizontal('i16x8.add_sat_s', 16),
  phsubw: horizontal('i16x8.sub', 16),
  phsubd: horizontal('i32x4.sub', 32),
  phsubsw: horizontal('i16x8.sub_sat_s', 16),
  pmaddubsw: lanewise('i16x8.dot_i8x16_us'),
  pmulhrsw: lanewise('i16x8.mulr_s'),
  psignb: sign(8),
  psignw: sign(16),
  psignd: sign(32),
  pabsb: absolute('i8x16.abs'),
  pabsw: absolute('i16x8.abs'),
  pabsd: absolute('i32x4.abs'),
  palignr,
};

// SSE4.1

const blendImmediate = (width: 16 | 32 | 64): LiftFunction =>
  combine((cx, a, b) => blend(cx, laneMask(cx, width, cx.immediate & 0xff), a, b));

/** Lanes chosen by the highest bits of XMM0's. */
const blendVariable = (compare: VectorOp): LiftFunction =>
  combine((cx, a, b) => blend(cx, vec(cx, compare, zero128(cx), cx.xmm(0)), a, b));

/** dpps, dppd: products of the lanes that the high half of the immediate names, summed into those of the low half. */
const dotProduct =
  (width: 32 | 64): LiftFunction =>
  (cx) => {
    const { b } = cx;
    const taken = laneMask(cx, width, (cx.immediate >> 4) & 15);
    const [x, y] = [b.and(cx.read(0), taken), b.and(source(cx, 1, 128), taken)];
    const products = b.operation(IR.fmul, 128, width, x, y);
    const zero = zero128(cx);
    let sum: Value;
    if (width === 64) {
      const high = vec(cx, 'i64x2.interleave_high', products, zero);
      sum = b.operation(IR.fadd, 128, 64, b.zext(128, b.trunc(64, products)), high);
      sum = vec(cx, 'i64x2.shuffle2', sum, sum, 0);
    } else {
      const pairs = b.operation(
        IR.fadd,
        128,
        32,
        words32(cx, false, products, zero),
        words32(cx, true, products, zero),
      );
      sum = b.operation(IR.fadd, 128, 32, words32(cx, false, pairs, zero), words32(cx, true, pairs, zero));
      sum = vec(cx, 'i32x4.shuffle', sum, -1, 0);
    }
    cx.write(0, b.and(sum, laneMask(cx, width, cx.immediate & 15)));
  };

const roundLane = (cx: LiftContext, width: 32 | 64, value: Value): Value =>
  cx.b.call(width, width === 32 ? 'sse.round32' : 'sse.round64', value, cx.b.const(8, cx.immediate & 0xff));
const roundScalar =
  (width: 32 | 64): LiftFunction =>
  (cx) =>
    writeLow(cx, roundLane(cx, width, cx.read(1, width)));
const roundPacked =
  (helper: string): LiftFunction =>
  (cx) =>
    cx.write(0, cx.b.call(128, helper, source(cx, 1, 128), cx.b.const(8, cx.immediate & 0xff)));

const insertps: LiftFunction = (cx) => {
  const { b } = cx;
  const immediate = cx.immediate & 0xff;
  const lane = cx.isMemory(1) ? cx.read(1, 32) : b.extract(32, cx.read(1), 32 * (immediate >> 6));
  const inserted = b.insert(cx.read(0), lane, 32 * ((immediate >> 4) & 3));
  cx.write(0, b.and(inserted, b.not(laneMask(cx, 32, immediate & 15))));
};

/** pextrb, pextrd, pextrq, extractps: one lane to a general register, zero-extended, or to memory. */
const extractLane =
  (width: 8 | 32 | 64): LiftFunction =>
  (cx) => {
    const lane = cx.b.extract(width, cx.read(1, 128), width * (cx.immediate & (128 / width - 1)));
    cx.write(0, cx.isMemory(0) ? lane : cx.b.zext(Math.max(cx.widthOf(0), width), lane));
  };
/** The SSE4.1 form of pextrw, whose destination may be memory. */
const pextrwToMemory: LiftFunction = (cx) => {
  const lane = cx.b.extract(16, cx.read(1, 128), 16 * (cx.immediate & 7));
  cx.write(0, cx.isMemory(0) ? lane : cx.b.zext(cx.widthOf(0), lane));
};
const insertLane =
  (width: 8 | 32 | 64): LiftFunction =>
  (cx) => {
    const at = width * (cx.immediate & (128 / width - 1));
    cx.write(0, cx.b.insert(cx.read(0), cx.read(1, width), at));
  };

/** pmovsx, pmovzx: as many low lanes of the source as fill the result, widened in steps. */
const widen =
  (from: number, ...ops: readonly VectorOp[]): LiftFunction =>
  (cx) => {
    let value = cx.b.zext(128, cx.read(1, from));
    for (const op of ops) value = vec(cx, op, value);
    cx.write(0, value);
  };

/** ZF: no bit in common; CF: the second operand has no bit outside of the first. */
const ptest: LiftFunction = (cx) => {
  const { b } = cx;
  const [x, y] = [cx.read(0), source(cx, 1, 128)];
  const isZero = (value: Value): Value => b.isZero(b.or(b.trunc(64, value), b.extract(64, value, 64)));
  const zf = b.zext(64, isZero(b.and(x, y)));
  const cf = b.zext(64, isZero(b.and(b.not(x), y)));
  b.setrflags('comis', b.or(b.shl(zf, b.const(64, 6)), cf));
};

const mpsadbw: LiftFunction = (cx) => {
  const immediate = cx.b.const(8, cx.immediate & 0xff);
  cx.write(0, cx.b.call(128, 'sse.mpsadbw', cx.read(0), source(cx, 1, 128), immediate));
};
const phminposuw: LiftFunction = (cx) => cx.write(0, cx.b.call(128, 'sse.phminposuw', source(cx, 1, 128)));

export const sse41: Readonly<Record<string, LiftFunction>> = {
  blendps: blendImmediate(32),
  blendpd: blendImmediate(64),
  pblendw: blendImmediate(16),
  blendvps: blendVariable('i32x4.gt_s'),
  blendvpd: blendVariable('i64x2.gt_s'),
  pblendvb: blendVariable('i8x16.gt_s'),
  dpps: dotProduct(32),
  dppd: dotProduct(64),
  roundss: roundScalar(32),
  roundsd: roundScalar(64),
  roundps: roundPacked('sse.round32x4'),
  roundpd: roundPacked('sse.round64x2'),
  insertps,
  extractps: extractLane(32),
  pextrb: extractLane(8),
  pextrd: extractLane(32),
  pextrq: extractLane(64),
  Pextrw_r32m16_xmm_imm8: pextrwToMemory,
  Pextrw_r64m16_xmm_imm8: pextrwToMemory,
  pinsrb: insertLane(8),
  pinsrd: insertLane(32),
  pinsrq: insertLane(64),
  pminsb: lanewise('i8x16.min_s'),
  pmaxsb: lanewise('i8x16.max_s'),
  pminuw: lanewise('i16x8.min_u'),
  pmaxuw: lanewise('i16x8.max_u'),
  pminsd: lanewise('i32x4.min_s'),
  pmaxsd: lanewise('i32x4.max_s'),
  pminud: lanewise('i32x4.min_u'),
  pmaxud: lanewise('i32x4.max_u'),
  pmuldq: lanewise('i64x2.mul_even_s'),
  pmulld: lanewise('i32x4.mul'),
  packusdw: narrowing('i16x8.narrow_i32x4_u'),
  pcmpeqq: lanewise('i64x2.eq'),
  pmovsxbw: widen(64, 'i16x8.extend_low_i8x16_s'),
  pmovsxbd: widen(32, 'i16x8.extend_low_i8x16_s', 'i32x4.extend_low_i16x8_s'),
  pmovsxbq: widen(16, 'i16x8.extend_low_i8x16_s', 'i32x4.extend_low_i16x8_s', 'i64x2.extend_low_i32x4_s'),
  pmovsxwd: widen(64, 'i32x4.extend_low_i16x8_s'),
  pmovsxwq: widen(32, 'i32x4.extend_low_i16x8_s', 'i64x2.extend_low_i32x4_s'),
  pmovsxdq: widen(64, 'i64x2.extend_low_i32x4_s'),
  pmovzxbw: widen(64, 'i16x8.extend_low_i8x16_u'),
  pmovzxbd: widen(32, 'i16x8.extend_low_i8x16_u', 'i32x4.extend_low_i16x8_u'),
  pmovzxbq: widen(16, 'i16x8.extend_low_i8x16_u', 'i32x4.extend_low_i16x8_u', 'i64x2.extend_low_i32x4_u'),
  pmovzxwd: widen(64, 'i32x4.extend_low_i16x8_u'),
  pmovzxwq: widen(32, 'i32x4.extend_low_i16x8_u', 'i64x2.extend_low_i32x4_u'),
  pmovzxdq: widen(64, 'i64x2.extend_low_i32x4_u'),
  ptest,
  mpsadbw,
  phminposuw,
  movntdqa: (cx) => cx.write(0, cx.readAligned(1)),
};

/** Rows of the four extensions. */
export const sseExtendedRows: LiftTable = {
  ...needing('sse3', sse3),
  ...needing('ssse3', ssse3),
  ...needing('sse4.1', sse41),
  ...needing('sse4.2', { pcmpgtq: lanewise('i64x2.gt_s'), ...stringRows42 }),
};
