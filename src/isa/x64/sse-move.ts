// SSE, SSE2 and MMX moves. Non-temporal stores are stores.
import type { Value } from '../builder.ts';
import { REG } from '../ir.ts';
import type { LiftContext, LiftFunction, LiftTable } from './context.ts';
import {
  checkPending,
  enterMmx,
  isMmx,
  readMmx,
  source,
  vec,
  writeLow,
  writeMmx,
  zero128,
} from './sse-operand.ts';

const aligned: LiftFunction = (cx) => {
  if (cx.isMemory(0)) {
    cx.b.align(cx.address(), 16);
    cx.b.store(cx.address(), cx.read(1));
  } else cx.write(0, cx.readAligned(1));
};
const unaligned: LiftFunction = (cx) => cx.write(0, cx.read(1, 128));

/** movss, movsd: from memory the rest is cleared, from a register it stays. */
const scalar =
  (width: 32 | 64): LiftFunction =>
  (cx) => {
    if (cx.isMemory(0)) cx.write(0, cx.read(1, width));
    else if (cx.isMemory(1)) cx.write(0, cx.b.zext(128, cx.read(1, width)));
    else writeLow(cx, cx.read(1, width));
  };

/** movd, movq: between XMM or MMX, general registers and memory; what is above becomes 0. */
const word =
  (width: 32 | 64): LiftFunction =>
  (cx) => {
    const value = source(cx, 1, width);
    if (cx.isMemory(0)) {
      cx.write(0, value);
      if (isMmx(cx, 1)) enterMmx(cx);
    } else if (isMmx(cx, 0)) {
      if (!isMmx(cx, 1)) checkPending(cx);
      writeMmx(cx, cx.registerNumber(0), cx.b.zext(64, value));
    } else if (cx.insn.registers[0].class === 'xmm') cx.write(0, cx.b.zext(128, value));
    else {
      if (isMmx(cx, 1)) enterMmx(cx);
      cx.write(0, value);
    }
  };

/** movhps, movlps and the double forms: one half, the other stays. */
const half =
  (from: 0 | 64): LiftFunction =>
  (cx) => {
    if (cx.isMemory(0)) return cx.write(0, cx.b.extract(64, cx.read(1), from));
    cx.write(0, cx.b.insert(cx.read(0), cx.read(1, 64), from));
  };

const movhlps: LiftFunction = (cx) => writeLow(cx, cx.b.extract(64, cx.read(1), 64));
const movlhps: LiftFunction = (cx) => cx.write(0, cx.b.insert(cx.read(0), cx.read(1, 64), 64));

const movnti: LiftFunction = (cx) => cx.write(0, cx.read(1));
const movntq: LiftFunction = (cx) => {
  cx.write(0, readMmx(cx, cx.registerNumber(1)));
  enterMmx(cx);
};
const movq2dq: LiftFunction = (cx) => {
  const value = readMmx(cx, cx.registerNumber(1));
  enterMmx(cx);
  cx.write(0, cx.b.zext(128, value));
};
const movdq2q: LiftFunction = (cx) => {
  checkPending(cx);
  writeMmx(cx, cx.registerNumber(0), cx.read(1, 64));
};

/** Where maskmovdqu and maskmovq store: [rdi], with the instruction's segment and address width. */
function maskedAddress(cx: LiftContext): Value {
  return cx.segmented(cx.b.zext(64, cx.gpr(REG['rdi'], cx.insn.addressWidth)));
}

/**
 * Bytes whose mask has the highest bit set are stored; the others are written back as they were, so that a page
 * without write permission faults even under an empty mask (processors may do either).
 */
const maskmov =
  (width: 64 | 128): LiftFunction =>
  (cx) => {
    const { b } = cx;
    const value = source(cx, 1, width);
    const mask = b.zext(128, source(cx, 2, width));
    const address = maskedAddress(cx);
    const old = b.loadForUpdate(width, address);
    const chosen = b.trunc(width, vec(cx, 'i8x16.gt_s', zero128(cx), mask));
    b.store(address, b.or(b.and(value, chosen), b.and(old, b.not(chosen))));
    if (width === 64) enterMmx(cx);
  };

export const sseMoveRows: LiftTable = {
  movaps: aligned,
  movapd: aligned,
  movdqa: aligned,
  movntps: aligned,
  movntpd: aligned,
  movntdq: aligned,
  movups: unaligned,
  movupd: unaligned,
  movdqu: unaligned,
  movss: scalar(32),
  // the string instructions have the same mnemonic
  Movsd_xmm_xmmm64: scalar(64),
  Movsd_xmmm64_xmm: scalar(64),
  movd: word(32),
  movq: word(64),
  movhps: half(64),
  movhpd: half(64),
  movlps: half(0),
  movlpd: half(0),
  movhlps,
  movlhps,
  movnti,
  movntq,
  movq2dq,
  movdq2q,
  maskmovdqu: maskmov(128),
  maskmovq: maskmov(64),
};
