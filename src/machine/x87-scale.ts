// x87 instructions that take numbers apart: fscale, fxtract, fprem, fprem1 (Intel SDM vol. 1, 8.3.5, 8.3.7).
import {
  bitLength,
  decode,
  encodeInfinity,
  encodeZero,
  exact,
  F80,
  type FloatContext,
  FX,
  invalid,
  type Num,
  noteDenormal,
  propagate,
  round,
  stopped,
} from './softfloat.ts';
import { book, present, stackFault, wait, x87Context } from './x87-core.ts';
import { INDEFINITE, SW, type X87State } from './x87-state.ts';

/** ST(0) * 2^trunc(ST(1)), always at full precision. */
export function fscale(state: X87State): void {
  wait(state);
  if (!present(state, [0, 1], () => state.setSt(0, INDEFINITE))) return;
  const context = x87Context(state);
  const result = scale(decode(F80, state.st(0)), decode(F80, state.st(1)), context);
  if (book(state, context)) state.setSt(0, result);
}

function scale(a: Num, by: Num, context: FloatContext): bigint {
  const nan = propagate(F80, a, by, context);
  if (nan !== undefined) return nan;
  if (by.kind === 'infinite' && a.kind === (by.sign ? 'infinite' : 'zero')) return invalid(F80, context);
  noteDenormal(context, a, by);
  if (stopped(context)) return 0n;
  if (a.kind === 'infinite') return encodeInfinity(F80, a.sign);
  if (a.kind === 'zero') return encodeZero(F80, a.sign);
  if (by.kind === 'infinite') return by.sign ? encodeZero(F80, a.sign) : encodeInfinity(F80, a.sign);
  if (by.kind === 'zero') return round(F80, a.sign, a.sig, a.exp, context);
  const whole = by.exp >= 0 ? by.sig << BigInt(Math.min(by.exp, 32)) : by.sig >> BigInt(-by.exp);
  const steps = whole > 65535n ? 65535 : Number(whole);
  return round(F80, a.sign, a.sig, a.exp + (by.sign ? -steps : steps), context);
}

/** ST(0) = exponent, then its significand is pushed. */
export function fxtract(state: X87State): void {
  wait(state);
  if (state.empty(0) || !state.empty(7)) {
    if (!stackFault(state, state.empty(0) ? 'underflow' : 'overflow')) return;
    state.setSt(0, INDEFINITE);
    state.push(INDEFINITE);
    return;
  }
  const context = x87Context(state);
  const [exponent, significand] = extracted(decode(F80, state.st(0)), context);
  if (!book(state, context)) return;
  state.setSt(0, exponent);
  state.push(significand);
}

function extracted(a: Num, context: FloatContext): readonly [bigint, bigint] {
  const nan = propagate(F80, a, a, context);
  if (nan !== undefined) return [nan, nan];
  if (a.kind === 'infinite') return [encodeInfinity(F80, 0), encodeInfinity(F80, a.sign)];
  if (a.kind === 'zero') {
    context.flags |= FX.ZE;
    return [encodeInfinity(F80, 1), encodeZero(F80, a.sign)];
  }
  noteDenormal(context, a);
  if (stopped(context)) return [0n, 0n];
  const length = bitLength(a.sig);
  const exponent = a.exp + length - 1;
  const number = exponent < 0 ? exact(1, BigInt(-exponent), 0) : exact(0, BigInt(exponent), 0);
  const bits = number.kind === 'zero' ? encodeZero(F80, 0) : round(F80, number.sign, number.sig, 0, context);
  return [bits, round(F80, a.sign, a.sig, 1 - length, context)];
}

/** FPREM (quotient truncated) and FPREM1 (to nearest even). */
export function remainder(state: X87State, nearest: boolean): void {
  wait(state);
  // without a quotient (NaN, invalid, stack fault) C0 and C3 stay
  state.setConditions(state.sw & (SW.C0 | SW.C3));
  if (!present(state, [0, 1], () => state.setSt(0, INDEFINITE))) return;
  const context = x87Context(state);
  const [a, b] = [decode(F80, state.st(0)), decode(F80, state.st(1))];
  const { bits, quotient } = remainderOf(a, b, nearest, context);
  if (!book(state, context)) return;
  state.setSt(0, bits);
  if (quotient === 'partial') state.setConditions(SW.C2);
  else if (quotient !== 'none') {
    state.setC1((quotient & 1n) !== 0n);
    state.setConditions((quotient & 4n ? SW.C0 : 0) | (quotient & 2n ? SW.C3 : 0));
  }
}

interface Remainder {
  readonly bits: bigint;
  readonly quotient: bigint | 'none' | 'partial';
}

function remainderOf(a: Num, b: Num, nearest: boolean, context: FloatContext): Remainder {
  const nan = propagate(F80, a, b, context);
  if (nan !== undefined) return { bits: nan, quotient: 'none' };
  if (a.kind === 'infinite' || b.kind === 'zero') return { bits: invalid(F80, context), quotient: 'none' };
  noteDenormal(context, a, b);
  if (a.kind === 'zero') return { bits: encodeZero(F80, a.sign), quotient: 0n };
  if (b.kind === 'infinite') return { bits: round(F80, a.sign, a.sig, a.exp, context), quotient: 0n };
  return reduce(a, b, nearest, context);
}

/**
 * One step of the reduction; the quotient is partial while it is incomplete. How far an incomplete step goes (32 to
 * 63 bits of exponent) is left to the processor.
 */
function reduce(a: Num, b: Num, nearest: boolean, context: FloatContext): Remainder {
  const distance = a.exp + bitLength(a.sig) - (b.exp + bitLength(b.sig));
  const skip = distance < 64 ? 0 : distance - partialStep(distance);
  const divisorExp = b.exp + skip;
  const exp = Math.min(a.exp, divisorExp);
  const dividend = a.sig << BigInt(a.exp - exp);
  const divisor = b.sig << BigInt(divisorExp - exp);
  let quotient = dividend / divisor;
  let rest = dividend - quotient * divisor;
  let sign = a.sign;
  if (nearest && skip === 0 && (rest * 2n > divisor || (rest * 2n === divisor && (quotient & 1n) === 1n))) {
    quotient++;
    rest = divisor - rest;
    sign = sign ? 0 : 1;
  }
  const bits = rest === 0n ? encodeZero(F80, a.sign) : round(F80, sign, rest, exp, context);
  return { bits, quotient: skip === 0 ? quotient : 'partial' };
}

const partialStep = (distance: number): number => (distance & 31) | 32;
