// Operands of SSE and MMX instructions. An MMX operand is worked on as the low half of a 128-bit value, so that both
// share the vector operations of the IR; MMX registers live in the x87 and are reached through helpers.
import type { Value } from '../builder.ts';
import { IR } from '../ir.ts';
import { VECTOR, type VectorOp } from '../vector-ops.ts';
import type { LiftContext } from './context.ts';

/** A vector operation. */
export function vec(cx: LiftContext, op: VectorOp, a: Value, b: Value = -1, immediate = -1): Value {
  const width = op.endsWith('.bitmask') ? 32 : 128;
  return cx.b.operation(IR.vec, width, VECTOR[op], a, b, immediate);
}

export const zero128 = (cx: LiftContext): Value => cx.b.zext(128, cx.b.const(64, 0));

export const isMmx = (cx: LiftContext, i: number): boolean =>
  cx.isRegister(i) && cx.insn.registers[i].class === 'mm';

/** The 64 bits of an MMX register. Reports a pending x87 exception first. */
export function readMmx(cx: LiftContext, number: number): Value {
  return cx.b.call(64, 'mmx.get', cx.b.const(8, number));
}

/** Writes an MMX register; as every MMX instruction does, this makes TOP 0 and all x87 registers valid. */
export function writeMmx(cx: LiftContext, number: number, value: Value): void {
  cx.b.call(8, 'mmx.set', cx.b.const(8, number), value);
}

/** The transition to MMX of an instruction that writes no MMX register. */
export function enterMmx(cx: LiftContext): void {
  cx.b.call(8, 'mmx.enter');
}

/** Low `width` bits of operand i, whatever it is. Memory of 128 bits must be aligned. */
export function source(cx: LiftContext, i: number, width: number): Value {
  if (isMmx(cx, i)) return cx.b.trunc(width, readMmx(cx, cx.registerNumber(i)));
  return width === 128 ? cx.readAligned(i) : cx.read(i, width);
}

/** Operand i as 128 bits: XMM, aligned 128-bit memory, or MMX and 64-bit memory with zeros above. */
export function packedSource(cx: LiftContext, i: number, mmx: boolean): Value {
  return mmx ? cx.b.zext(128, source(cx, i, 64)) : source(cx, i, 128);
}

/** The same for instructions that do not read their destination: they too report a pending x87 exception first. */
export function onlySource(cx: LiftContext, i: number, mmx: boolean): Value {
  if (mmx) checkPending(cx);
  return packedSource(cx, i, mmx);
}

/** Reports a pending x87 exception, as MMX instructions do before anything else. */
export function checkPending(cx: LiftContext): void {
  cx.b.call(8, 'x87.wait');
}

/** Writes the result of a packed operation to register operand 0. */
export function writePacked(cx: LiftContext, mmx: boolean, value: Value): void {
  if (mmx) writeMmx(cx, cx.registerNumber(0), cx.b.trunc(64, value));
  else cx.write(0, value);
}

/** Replaces the low bits of XMM operand 0. */
export function writeLow(cx: LiftContext, value: Value): void {
  cx.write(0, cx.b.insert(cx.read(0, 128), value, 0));
}
