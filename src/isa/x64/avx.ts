// AVX and AVX2: the VEX forms of what SSE has, as tables of names. What only AVX has is in avx-move.ts and avx-fma.ts.
// A 256-bit floating-point operation is two of 128 bits: where an unmasked exception stops it in the low half, the
// flags of the high half's operands are not yet in MXCSR (the processor has them).
import type { Value } from '../builder.ts';
import { IR, XMM0, YMMH0 } from '../ir.ts';
import { CONVERSION, type FloatConversion } from '../vector-ops.ts';
import { fmaRows } from './avx-fma.ts';
import { avxMoveRows } from './avx-move.ts';
import {
  type HalfContext,
  half,
  halves,
  isWide,
  type Shape,
  setVector,
  storeHalves,
  THREE,
  TWO,
  vex,
} from './avx-operand.ts';
import { type LiftContext, type LiftFunction, type LiftTable, needing } from './context.ts';
import { blend, sse3, sse41, sseExtendedRows, ssse3 } from './sse-extended.ts';
import { sseFloatRows } from './sse-float.ts';
import { sseMoveRows } from './sse-move.ts';
import { source, vec, writeLow, zero128 } from './sse-operand.ts';
import { ssePackedRows } from './sse-packed.ts';

/** Functions of SSE rows whether they are behind a feature or not. */
function functionOf(name: string): LiftFunction {
  for (const table of [ssePackedRows, sseFloatRows, sseMoveRows, sse3, ssse3, sse41, sseExtendedRows]) {
    const row = table[name];
    if (row !== undefined) return typeof row === 'function' ? row : row.lift;
  }
  throw new Error(`internal error: no SSE row ${name}`);
}

/** `v` and the name, for each name, in that shape. */
const forms = (names: string, shape: Shape): Readonly<Record<string, LiftFunction>> =>
  Object.fromEntries(names.split(/\s+/).map((name) => [`v${name}`, vex(functionOf(name), shape)]));

const FLOAT_THREE = `addps addpd addss subps subpd subss mulps mulpd mulss divps divpd divss minps minpd minss maxps
  maxpd maxss addsd subsd mulsd divsd minsd maxsd andps andpd andnps andnpd orps orpd xorps xorpd unpcklps unpcklpd
  unpckhps unpckhpd addsubps addsubpd haddps haddpd hsubps hsubpd shufps dpps dppd sqrtss sqrtsd rcpss rsqrtss roundss
  roundsd cvtss2sd cvtsd2ss cvtsi2ss cvtsi2sd insertps pinsrb pinsrw pinsrd pinsrq movhlps movlhps`;
const FLOAT_TWO = `sqrtps sqrtpd rcpps rsqrtps roundps roundpd movsldup movshdup cvtps2pd cvtdq2ps cvtps2dq cvttps2dq
  cvtdq2pd cvtss2si cvtsd2si cvttss2si cvttsd2si comiss comisd ucomiss ucomisd lddqu movd movq pextrb pextrd pextrq
  extractps phminposuw`;
const INTEGER_THREE = `paddb paddw paddd paddq psubb psubw psubd psubq paddsb paddsw paddusb paddusw psubsb psubsw
  psubusb psubusw pmullw pmulhw pmulhuw pmuludq pmaddwd pavgb pavgw pminub pminsw pmaxub pmaxsw psadbw pcmpeqb pcmpeqw
  pcmpeqd pcmpeqq pcmpgtb pcmpgtw pcmpgtd pcmpgtq packsswb packuswb packssdw packusdw punpcklbw punpcklwd punpckldq
  punpcklqdq punpckhbw punpckhwd punpckhdq punpckhqdq pand pandn por pxor pshufb phaddw phaddd phaddsw phsubw phsubd
  phsubsw pmaddubsw pmulhrsw psignb psignw psignd palignr pminsb pmaxsb pminuw pmaxuw pminsd pmaxsd pminud pmaxud
  pmuldq pmulld pblendw pslldq psrldq`;
const INTEGER_TWO = `pabsb pabsw pabsd pshufd pshuflw pshufhw pmovsxbw pmovsxbd pmovsxbq pmovsxwd pmovsxwq pmovsxdq
  pmovzxbw pmovzxbd pmovzxbq pmovzxwd pmovzxwq pmovzxdq`;
const SHIFTS = 'psllw pslld psllq psrlw psrld psrlq psraw psrad';
/** The same in both encodings: no vector register is written, or what VEX adds is done by `clearing`. */
const UNCHANGED = 'ldmxcsr stmxcsr maskmovdqu pcmpestri pcmpestri64 pcmpistri';

/** cmpps and the like with the 32 predicates of VEX; the first eight are SSE's. */
const compare =
  (lane: 32 | 64, scalar: boolean) =>
  (cx: HalfContext): void => {
    const { b } = cx;
    const predicate = cx.immediate & 31;
    const [x, y] = scalar ? [cx.read(0, lane), cx.read(1, lane)] : [cx.read(0), source(cx, 1, 128)];
    const result =
      predicate < 8
        ? b.operation(IR.fcmp, scalar ? lane : 128, scalar ? 0 : lane, x, y, predicate)
        : b.call(
            scalar ? lane : 128,
            `avx.compare${lane}${scalar ? '' : `x${128 / lane}`}`,
            x,
            y,
            b.const(8, predicate),
          );
    if (scalar) writeLow(cx, result);
    else cx.write(0, result);
  };

/** Lanes by the highest bits of a fourth operand. */
const blendVariable = (op: 'i32x4.gt_s' | 'i64x2.gt_s' | 'i8x16.gt_s') => (cx: HalfContext) => {
  const [x, y, mask] = [cx.read(0, 128), cx.read(1, 128), cx.read(2, 128)];
  cx.write(0, blend(cx, vec(cx, op, zero128(cx), mask), x, y));
};

const movddup = (cx: HalfContext): void => {
  const low = cx.wide ? cx.b.trunc(64, cx.read(1, 128)) : cx.read(1, 64);
  cx.write(0, cx.b.concat(low, low));
};

/** Masks of both halves side by side into a general register. */
const moveMask =
  (op: 'i8x16.bitmask' | 'i32x4.bitmask' | 'i64x2.bitmask', bits: number): LiftFunction =>
  (cx) => {
    const { b } = cx;
    if (bits === 16 && isWide(cx, 1) && !cx.features.has('avx2')) return b.unsupported();
    const [low, high] = halves(cx, 1).map((value) => vec(cx, op, value));
    const both = high === undefined ? low : b.or(low, b.shl(high, b.const(32, bits)));
    cx.write(0, b.zext(cx.widthOf(0), both));
  };

/** Conversions that halve the number of bits: both halves' results make up one XMM register. */
const narrowing =
  (name: FloatConversion): LiftFunction =>
  (cx) => {
    const parts = halves(cx, 1).map((value) => cx.b.operation(IR.fcvt, 128, CONVERSION[name], value));
    setVector(
      cx,
      parts.length === 1 ? parts[0] : cx.b.concat(cx.b.trunc(64, parts[1]), cx.b.trunc(64, parts[0])),
    );
  };

/** ZF: no common bit under the mask; CF: the second has none outside of the first. */
const testBits =
  (laneMask?: readonly [number, number]): LiftFunction =>
  (cx) => {
    const { b } = cx;
    const [x, y] = [halves(cx, 0), halves(cx, 1)];
    const isZero = (values: readonly Value[]): Value => {
      let all = values.reduce((sum, value) => b.or(sum, value));
      if (laneMask !== undefined) {
        const mask = b.const64(laneMask[0], laneMask[1]);
        all = b.and(all, b.concat(mask, mask));
      }
      return b.isZero(b.or(b.trunc(64, all), b.extract(64, all, 64)));
    };
    const zf = b.zext(64, isZero(x.map((value, i) => b.and(value, y[i]))));
    const cf = b.zext(64, isZero(x.map((value, i) => b.and(b.not(value), y[i]))));
    b.setrflags('comis', b.or(b.shl(zf, b.const(64, 6)), cf));
  };

/** Moves between a register and a register or memory; aligned ones want memory aligned to their size. */
const move =
  (aligned: boolean): LiftFunction =>
  (cx) => {
    const memory = cx.insn.kinds.indexOf('memory');
    if (aligned && memory >= 0) cx.b.align(cx.address(), cx.insn.memoryWidth / 8);
    const [low, high] = halves(cx, 1);
    if (memory === 0) storeHalves(cx, high === undefined ? [low] : [low, high]);
    else setVector(cx, low, high);
  };

/** vmovss, vmovsd: of two registers the first one gives the bits above. */
const moveScalar =
  (width: 32 | 64): LiftFunction =>
  (cx) => {
    const { b } = cx;
    if (cx.isMemory(0)) cx.write(0, cx.read(1, width));
    else if (cx.isMemory(1)) setVector(cx, b.zext(128, cx.read(1, width)));
    else setVector(cx, b.insert(half(cx, cx.registerNumber(1), 0), cx.read(2, width), 0));
  };

/** vmovhps and the like: with two operands they store. */
const moveHalf =
  (name: string): LiftFunction =>
  (cx) =>
    vex(functionOf(name), cx.operandCount === 2 ? TWO : THREE)(cx);

/** The mask forms of string comparisons write XMM0. */
const clearing =
  (name: string): LiftFunction =>
  (cx) => {
    functionOf(name)(cx);
    cx.b.set(YMMH0, zero128(cx));
  };

const zeroRegisters =
  (lowToo: boolean): LiftFunction =>
  (cx) => {
    const zero = zero128(cx);
    for (let i = 0; i < 16; i++) {
      if (lowToo) cx.b.set(XMM0 + i, zero);
      cx.b.set(YMMH0 + i, zero);
    }
  };

const wider = (shape: Shape, more: Partial<Shape>): Shape => ({ ...shape, ...more });
const own = (f: (cx: HalfContext) => void, shape: Shape): ((cx: LiftContext) => void) => vex(f, shape);

const avx: Readonly<Record<string, LiftFunction>> = {
  ...forms(FLOAT_THREE, THREE),
  ...forms(FLOAT_TWO, TWO),
  ...forms(INTEGER_THREE, wider(THREE, { wideIsAvx2: true })),
  ...forms(INTEGER_TWO, wider(TWO, { wideIsAvx2: true })),
  ...forms(SHIFTS, wider(THREE, { wideIsAvx2: true, shared: true })),
  ...forms('mpsadbw', wider(THREE, { wideIsAvx2: true, immediateStep: 3 })),
  ...forms('blendps', wider(THREE, { immediateStep: 4 })),
  ...forms('blendpd shufpd', wider(THREE, { immediateStep: 2 })),
  ...Object.fromEntries(UNCHANGED.split(' ').map((name) => [`v${name}`, functionOf(name)])),
  vpcmpestrm: clearing('pcmpestrm'),
  vpcmpestrm64: clearing('pcmpestrm64'),
  vpcmpistrm: clearing('pcmpistrm'),
  vcmpps: own(compare(32, false), THREE),
  vcmppd: own(compare(64, false), THREE),
  vcmpss: own(compare(32, true), THREE),
  vcmpsd: own(compare(64, true), THREE),
  vblendvps: own(blendVariable('i32x4.gt_s'), THREE),
  vblendvpd: own(blendVariable('i64x2.gt_s'), THREE),
  vpblendvb: own(blendVariable('i8x16.gt_s'), wider(THREE, { wideIsAvx2: true })),
  vmovddup: own(movddup, TWO),
  vmovmskps: moveMask('i32x4.bitmask', 4),
  vmovmskpd: moveMask('i64x2.bitmask', 2),
  vpmovmskb: moveMask('i8x16.bitmask', 16),
  vcvtpd2ps: narrowing('f32x4.f64x2'),
  vcvtpd2dq: narrowing('i32x4.f64x2'),
  vcvttpd2dq: narrowing('i32x4.f64x2_trunc'),
  vpextrw: vex(functionOf('Pextrw_r32m16_xmm_imm8'), TWO),
  vptest: testBits(),
  vtestps: testBits([0x8000_0000, 0x8000_0000]),
  vtestpd: testBits([0, 0x8000_0000]),
  vmovaps: move(true),
  vmovapd: move(true),
  vmovdqa: move(true),
  vmovntps: move(true),
  vmovntpd: move(true),
  vmovntdq: move(true),
  vmovntdqa: move(true),
  vmovups: move(false),
  vmovupd: move(false),
  vmovdqu: move(false),
  vmovss: moveScalar(32),
  vmovsd: moveScalar(64),
  vmovhps: moveHalf('movhps'),
  vmovhpd: moveHalf('movhpd'),
  vmovlps: moveHalf('movlps'),
  vmovlpd: moveHalf('movlpd'),
  vzeroupper: zeroRegisters(false),
  vzeroall: zeroRegisters(true),
};

/** By mnemonic; the EVEX forms of these names are not meant (see lift.ts). */
export const avxRows: LiftTable = { ...needing('avx', avx), ...avxMoveRows, ...fmaRows };
