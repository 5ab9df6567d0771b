// Shifts and rotates. The count is taken modulo 32, or 64 for 64-bit operands; a count of 0 changes no flag.
import type { FlagKind, Value } from '../builder.ts';
import { REG } from '../ir.ts';
import type { LiftContext, LiftFunction, LiftTable } from './context.ts';

/** The masked count as a value of the operand's width, and as a number where the encoding has it. */
function countOf(
  cx: LiftContext,
  operand: number,
  width: number,
): { readonly value: Value; readonly known: number | undefined } {
  const { b } = cx;
  const mask = width === 64 ? 63 : 31;
  if (cx.isImmediate(operand)) {
    const known = cx.immediate & mask;
    return { value: b.const(width, known), known };
  }
  const cl = b.and(cx.gpr(REG['rcx'], 8), b.const(8, mask));
  return { value: b.zext(width, cl), known: undefined };
}

function shift(kind: 'shl' | 'shr' | 'sar'): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const count = countOf(cx, 1, width);
    const old = cx.read(0, width, true);
    cx.write(
      0,
      kind === 'shl'
        ? b.shl(old, count.value)
        : kind === 'shr'
          ? b.shr(old, count.value)
          : b.sar(old, count.value),
    );
    if (count.known !== 0) b.flags(kind, old, count.value);
  };
}

const topBit = (cx: LiftContext, value: Value): Value => cx.b.extract(1, value, cx.b.widthOf(value) - 1);

/** Sets CF and OF, but leaves them where the count is 0. */
function rotateFlags(
  cx: LiftContext,
  count: { readonly value: Value; readonly known: number | undefined },
  carry: Value,
  overflow: Value,
): void {
  const { b } = cx;
  if (count.known === 0) return;
  if (count.known !== undefined) {
    b.setf('CF', carry);
    b.setf('OF', overflow);
    return;
  }
  const zero = b.isZero(count.value);
  const cf = b.select(zero, b.getf('CF'), carry);
  const of = b.select(zero, b.getf('OF'), overflow);
  b.setf('CF', cf);
  b.setf('OF', of);
}

function rotate(left: boolean): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const count = countOf(cx, 1, width);
    const old = cx.read(0, width, true);
    const result = left ? b.rotl(old, count.value) : b.rotr(old, count.value);
    cx.write(0, result);
    const top = topBit(cx, result);
    const carry = left ? b.trunc(1, result) : top;
    const overflow = b.xor(top, left ? carry : b.extract(1, result, width - 2));
    rotateFlags(cx, count, carry, overflow);
  };
}

/** Rotation of the width + 1 bits CF:operand. The shifts give 0 where a count reaches the width, which makes count 0 come out right. */
function rotateThroughCarry(left: boolean): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const masked = countOf(cx, 1, width);
    const n =
      width < 32
        ? b.divide('remu', b.const(width, 0), masked.value, b.const(width, width + 1))
        : masked.value;
    const old = cx.read(0, width, true);
    const cf = b.getf('CF');
    const carryIn = b.zext(width, cf);
    const one = b.const(width, 1);
    const rest = b.sub(b.const(width, width + 1), n);
    const back = b.sub(b.const(width, width), n);
    const before = b.sub(n, one);
    const parts = left
      ? [b.shl(old, n), b.shl(carryIn, before), b.shr(old, rest)]
      : [b.shr(old, n), b.shl(carryIn, back), b.shl(old, rest)];
    const result = b.or(b.or(parts[0], parts[1]), parts[2]);
    cx.write(0, result);
    const out = b.trunc(1, b.shr(old, left ? back : before));
    const carry = b.select(b.isZero(n), cf, out);
    const top = topBit(cx, result);
    const overflow = b.xor(top, left ? carry : b.extract(1, result, width - 2));
    rotateFlags(cx, masked, carry, overflow);
  };
}

function doubleShift(kind: 'shld' | 'shrd'): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const count = countOf(cx, 2, width);
    const filler = cx.read(1, width);
    const old = cx.read(0, width, true);
    const rest = b.sub(b.const(width, width), count.value);
    const result =
      kind === 'shld'
        ? b.or(b.shl(old, count.value), b.shr(filler, rest))
        : b.or(b.shr(old, count.value), b.shl(filler, rest));
    cx.write(0, result);
    if (count.known !== 0) b.flags(kind satisfies FlagKind, old, count.value, filler);
  };
}

export const shiftRows: LiftTable = {
  shl: shift('shl'),
  sal: shift('shl'),
  shr: shift('shr'),
  sar: shift('sar'),
  rol: rotate(true),
  ror: rotate(false),
  rcl: rotateThroughCarry(true),
  rcr: rotateThroughCarry(false),
  shld: doubleShift('shld'),
  shrd: doubleShift('shrd'),
};
