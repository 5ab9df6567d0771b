// What AVX and AVX2 have and SSE has not: broadcasts, permutations across halves, masked and gathering accesses,
// shifts by a count of their own for each lane.
import type { Value } from '../builder.ts';
import {
  addressPlus,
  type HalfContext,
  half,
  halves,
  isWide,
  setVector,
  THREE,
  TWO,
  vex,
} from './avx-operand.ts';
import { type LiftContext, type LiftFunction, type LiftTable, needing } from './context.ts';
import { blend, laneMask } from './sse-extended.ts';
import { vec, zero128 } from './sse-operand.ts';

const both = (cx: LiftContext, value: Value): void => setVector(cx, value, isWide(cx) ? value : zero128(cx));

/** The lowest element of a register or memory in every lane. */
const broadcast =
  (width: 8 | 16 | 32 | 64): LiftFunction =>
  (cx) => {
    const { b } = cx;
    const element = cx.isMemory(1)
      ? b.load(width, cx.address())
      : b.trunc(width, half(cx, cx.registerNumber(1), 0));
    let value = element;
    while (b.widthOf(value) < 128) value = b.concat(value, value);
    both(cx, value);
  };
/** From a register it is AVX2's. */
const broadcastFloat =
  (width: 32 | 64): LiftFunction =>
  (cx) => {
    if (cx.isRegister(1) && !cx.features.has('avx2')) cx.b.unsupported();
    else broadcast(width)(cx);
  };
const broadcastHalf: LiftFunction = (cx) => both(cx, cx.read(1, 128));

const extractHalf: LiftFunction = (cx) => {
  const value = half(cx, cx.registerNumber(1), cx.immediate & 1);
  if (cx.isMemory(0)) cx.write(0, value);
  else setVector(cx, value);
};
const insertHalf: LiftFunction = (cx) => {
  const inserted = cx.read(2, 128);
  const [low, high] = halves(cx, 1);
  if (cx.immediate & 1) setVector(cx, low, inserted);
  else setVector(cx, inserted, high);
};

/** Each half of the result is one of the four source halves, or zeros. */
const permuteHalves: LiftFunction = (cx) => {
  const sources = [...halves(cx, 1), ...halves(cx, 2)];
  const pick = (control: number): Value => (control & 8 ? zero128(cx) : sources[control & 3]);
  setVector(cx, pick(cx.immediate & 15), pick((cx.immediate >> 4) & 15));
};

/** vpermq, vpermpd: four 64-bit lanes by an immediate. */
const permute64: LiftFunction = (cx) => {
  const { b } = cx;
  const lanes = halves(cx, 1).flatMap((value) => [b.trunc(64, value), b.extract(64, value, 64)]);
  const lane = (i: number): Value => lanes[(cx.immediate >> (2 * i)) & 3];
  setVector(cx, b.concat(lane(1), lane(0)), b.concat(lane(3), lane(2)));
};

/** vpermd, vpermps: eight 32-bit lanes of the last operand by the indices in the second. */
const permute32: LiftFunction = (cx) => {
  const [low, high] = halves(cx, 2);
  const [x, y] = halves(cx, 1).map((indices) => cx.b.call(128, 'avx.permute32', low, high, indices));
  setVector(cx, x, y);
};

/** vpermilps, vpermilpd: lanes within each half, by an immediate or by a vector. */
const permuteLanes = (width: 32 | 64): LiftFunction => {
  const byImmediate = vex(
    (cx: HalfContext) => {
      const from = cx.read(1, 128);
      const control = cx.immediate & 0xff;
      const shuffled =
        width === 32
          ? vec(cx, 'i32x4.shuffle', from, -1, control)
          : vec(cx, 'i64x2.shuffle2', from, from, control & 3);
      cx.write(0, shuffled);
    },
    { ...TWO, immediateStep: width === 64 ? 2 : 0 },
  );
  const byVector = vex((cx: HalfContext) => {
    const { b } = cx;
    cx.write(0, b.call(128, 'avx.permute_lanes', cx.read(0, 128), cx.read(1, 128), b.const(8, width)));
  }, THREE);
  return (cx) => (cx.isImmediate(2) ? byImmediate(cx) : byVector(cx));
};

const blend32 = vex(
  (cx: HalfContext) =>
    cx.write(0, blend(cx, laneMask(cx, 32, cx.immediate & 15), cx.read(0, 128), cx.read(1, 128))),
  { ...THREE, immediateStep: 4 },
);

/** vpsllvd and the like. */
const shiftEach = (kind: 'shl' | 'shr' | 'sar', width: 32 | 64): LiftFunction =>
  vex((cx: HalfContext) => {
    const { b } = cx;
    cx.write(0, b.call(128, `avx.${kind}_each`, cx.read(0, 128), cx.read(1, 128), b.const(8, width)));
  }, THREE);

/** Masked moves of 32 or 64-bit lanes: what the mask leaves out is neither read nor written, and does not fault. */
const maskedMove =
  (width: 32 | 64): LiftFunction =>
  (cx) => {
    const { b } = cx;
    const lane = b.const(8, width);
    const masks = halves(cx, 1);
    const address = (i: number): Value => addressPlus(cx, 16 * i);
    if (!cx.isMemory(0)) {
      const [low, high] = masks.map((mask, i) => b.call(128, 'avx.load_masked', address(i), mask, lane));
      setVector(cx, low, high);
      return;
    }
    const values = halves(cx, 2);
    for (const [i, mask] of masks.entries()) b.call(8, 'avx.check_masked', address(i), mask, lane);
    for (const [i, mask] of masks.entries())
      b.call(8, `avx.store_masked${width}`, address(i), mask, values[i]);
  };

/**
 * Gathers write the destination and clear the mask in the helper. Where an element faults nothing has changed (the
 * processor keeps the elements that it has).
 */
const gather =
  (index: 32 | 64, element: 32 | 64): LiftFunction =>
  (cx) => {
    const { b, insn } = cx;
    const [to, indices, mask] = [cx.registerNumber(0), insn.index.number, cx.registerNumber(2)];
    if (to === indices || to === mask || indices === mask) return b.trap('illegal');
    const wide = insn.registers[0].class === 'ymm' || insn.index.class === 'ymm';
    const count = (wide ? 256 : 128) / Math.max(index, element);
    const operands = to | (indices << 4) | (mask << 8) | (count << 12) | (Math.log2(insn.scale) << 16);
    b.call(8, `avx.gather${index}_${element}`, cx.address(), b.const(32, operands));
  };

const avx: Readonly<Record<string, LiftFunction>> = {
  vbroadcastss: broadcastFloat(32),
  vbroadcastsd: broadcastFloat(64),
  vbroadcastf128: broadcastHalf,
  vextractf128: extractHalf,
  vinsertf128: insertHalf,
  vperm2f128: permuteHalves,
  vpermilps: permuteLanes(32),
  vpermilpd: permuteLanes(64),
  vmaskmovps: maskedMove(32),
  vmaskmovpd: maskedMove(64),
};

const avx2: Readonly<Record<string, LiftFunction>> = {
  vbroadcasti128: broadcastHalf,
  vpbroadcastb: broadcast(8),
  vpbroadcastw: broadcast(16),
  vpbroadcastd: broadcast(32),
  vpbroadcastq: broadcast(64),
  vextracti128: extractHalf,
  vinserti128: insertHalf,
  vperm2i128: permuteHalves,
  vpermq: permute64,
  vpermpd: permute64,
  vpermd: permute32,
  vpermps: permute32,
  vpblendd: blend32,
  vpsllvd: shiftEach('shl', 32),
  vpsllvq: shiftEach('shl', 64),
  vpsrlvd: shiftEach('shr', 32),
  vpsrlvq: shiftEach('shr', 64),
  vpsravd: shiftEach('sar', 32),
  vpmaskmovd: maskedMove(32),
  vpmaskmovq: maskedMove(64),
  vpgatherdd: gather(32, 32),
  vpgatherdq: gather(32, 64),
  vpgatherqd: gather(64, 32),
  vpgatherqq: gather(64, 64),
  vgatherdps: gather(32, 32),
  vgatherdpd: gather(32, 64),
  vgatherqps: gather(64, 32),
  vgatherqpd: gather(64, 64),
};

export const avxMoveRows: LiftTable = { ...needing('avx', avx), ...needing('avx2', avx2) };
