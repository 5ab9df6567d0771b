// x87 arithmetic and comparisons: fadd … fdivr, fcom … fucomip, fchs, fabs, fsqrt, frndint, fxam, ftst, fscale,
// fxtract, fprem, fprem1 (Intel SDM vol. 1, 8.3.5 to 8.3.7). Transcendental functions are in x87-functions.ts.
import type { X87_ARITHMETIC, X87_OPERANDS } from '../isa/index.ts';
import {
  add,
  bitLength,
  compare,
  decode,
  divide,
  encodeInfinity,
  encodeZero,
  exact,
  F32,
  F64,
  F80,
  type FloatContext,
  type Format,
  FX,
  invalid,
  isNaNKind,
  multiply,
  type Num,
  noteDenormal,
  propagate,
  round,
  squareRoot,
  stopped,
  subtract,
} from './softfloat.ts';
import { toIntegral } from './softfloat-convert.ts';
import { book, present, stackFault, unary, wait, x87Context } from './x87-core.ts';
import { INDEFINITE, SW, type X87State } from './x87-state.ts';

/** Memory operands: floats by width, integers by width. */
export type OperandFormat = (typeof X87_OPERANDS)[number];

/** A memory operand as a number; integers are exact and raise nothing. */
export function memoryOperand(format: OperandFormat, bits: bigint): Num {
  if (format === 'f32') return decode(F32, bits);
  if (format === 'f64') return decode(F64, bits);
  const value = BigInt.asIntN(format === 'i16' ? 16 : 32, bits);
  return value < 0n ? exact(1, -value, 0) : exact(0, value, 0);
}

type Binary = (format: Format, a: Num, b: Num, context: FloatContext) => bigint;

export type Arithmetic = (typeof X87_ARITHMETIC)[number];

const BINARY: { readonly [K in Arithmetic]: Binary } = {
  fadd: add,
  fmul: multiply,
  fsub: subtract,
  fsubr: (format, a, b, context) => subtract(format, b, a, context),
  fdiv: divide,
  fdivr: (format, a, b, context) => divide(format, b, a, context),
};

/** ST(destination) = ST(destination) op ST(source), then a pop if asked for. */
export function arithmetic(
  state: X87State,
  op: Arithmetic,
  destination: number,
  source: number,
  pop: boolean,
): void {
  wait(state);
  const finish = (bits: bigint): void => {
    state.setSt(destination, bits);
    if (pop) state.pop();
  };
  if (!present(state, [destination, source], () => finish(INDEFINITE))) return;
  const context = x87Context(state);
  const [a, b] = [decode(F80, state.st(destination)), decode(F80, state.st(source))];
  const result = BINARY[op](state.resultFormat, a, b, context);
  if (book(state, context)) finish(result);
}

/** ST(0) = ST(0) op operand from memory. */
export function arithmeticMemory(state: X87State, op: Arithmetic, format: OperandFormat, bits: bigint): void {
  wait(state);
  if (!present(state, [0], () => state.setSt(0, INDEFINITE))) return;
  const context = x87Context(state);
  const result = BINARY[op](
    state.resultFormat,
    decode(F80, state.st(0)),
    memoryOperand(format, bits),
    context,
  );
  if (book(state, context)) state.setSt(0, result);
}

const UNORDERED = SW.C3 | SW.C2 | SW.C0;
const conditionsOf = (relation: -1 | 0 | 1 | undefined): number =>
  relation === undefined ? UNORDERED : relation === 0 ? SW.C3 : relation < 0 ? SW.C0 : 0;

function popMany(state: X87State, pops: number): void {
  for (let i = 0; i < pops; i++) state.pop();
}

/** FCOM and FUCOM with registers; `pops` registers go afterwards. */
export function compareRegisters(state: X87State, source: number, signaling: boolean, pops: number): void {
  wait(state);
  if (state.empty(0) || state.empty(source)) {
    const goOn = stackFault(state, 'underflow');
    state.setConditions(UNORDERED);
    if (goOn) popMany(state, pops);
    return;
  }
  compareTo(state, decode(F80, state.st(source)), signaling, pops);
}

/** FCOM and FICOM with memory. */
export function compareMemory(state: X87State, format: OperandFormat, bits: bigint, pops: number): void {
  wait(state);
  if (state.empty(0)) {
    const goOn = stackFault(state, 'underflow');
    state.setConditions(UNORDERED);
    if (goOn) popMany(state, pops);
    return;
  }
  compareTo(state, memoryOperand(format, bits), true, pops);
}

function compareTo(state: X87State, right: Num, signaling: boolean, pops: number): void {
  const context = x87Context(state);
  const relation = compare(decode(F80, state.st(0)), right, signaling, context);
  const deliver = book(state, context);
  state.setConditions(conditionsOf(relation));
  if (deliver) popMany(state, pops);
}

/** FCOMI and FUCOMI: the relation, for RFLAGS. C1 stays as it is (measured on AMD; Intel documents 0). */
export function compareToFlags(
  state: X87State,
  source: number,
  signaling: boolean,
  pops: number,
): -1 | 0 | 1 | undefined {
  wait(state);
  if (state.empty(0) || state.empty(source)) {
    if (stackFault(state, 'underflow')) popMany(state, pops);
    return undefined;
  }
  const context = x87Context(state);
  const relation = compare(decode(F80, state.st(0)), decode(F80, state.st(source)), signaling, context);
  const c1 = (state.sw & SW.C1) !== 0;
  if (book(state, context)) popMany(state, pops);
  state.setC1(c1);
  return relation;
}

export function ftst(state: X87State): void {
  compareMemory(state, 'i32', 0n, 0);
}

function changeSign(state: X87State, change: (bits: bigint) => bigint): void {
  wait(state);
  if (!present(state, [0], () => state.setSt(0, INDEFINITE))) return;
  state.setC1(false);
  state.setSt(0, change(state.st(0)));
}

const SIGN = 1n << 79n;
export const fchs = (state: X87State): void => changeSign(state, (bits) => bits ^ SIGN);
export const fabs = (state: X87State): void => changeSign(state, (bits) => bits & ~SIGN);

export const fsqrt = (state: X87State): void =>
  unary(state, (a, context) => squareRoot(state.resultFormat, a, context));
export const frndint = (state: X87State): void =>
  unary(state, (a, context) => toIntegral(F80, a, false, context));

/** C3, C2 and C0 name the class of ST(0), C1 its sign, an empty register's too. */
export function fxam(state: X87State): void {
  wait(state);
  const bits = state.st(0);
  state.setC1((bits & SIGN) !== 0n);
  if (state.empty(0)) return state.setConditions(SW.C3 | SW.C0);
  const n = decode(F80, bits);
  if (n.kind === 'unsupported') state.setConditions(0);
  else if (isNaNKind(n)) state.setConditions(SW.C0);
  else if (n.kind === 'infinite') state.setConditions(SW.C2 | SW.C0);
  else if (n.kind === 'zero') state.setConditions(SW.C3);
  else state.setConditions(n.denormal ? SW.C3 | SW.C2 : SW.C2);
}

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
  if (state.empty(0)) {
    if (!stackFault(state, 'underflow')) return;
    state.setSt(0, INDEFINITE);
    return state.push(INDEFINITE);
  }
  if (!state.empty(7)) {
    if (!stackFault(state, 'overflow')) return;
    state.setSt(0, INDEFINITE);
    return state.push(INDEFINITE);
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
  const kept = state.sw & (SW.C0 | SW.C3);
  if (!present(state, [0, 1], () => state.setSt(0, INDEFINITE))) return state.setConditions(kept);
  const context = x87Context(state);
  const [a, b] = [decode(F80, state.st(0)), decode(F80, state.st(1))];
  const { bits, quotient } = remainderOf(a, b, nearest, context);
  if (!book(state, context)) return state.setConditions(kept);
  state.setSt(0, bits);
  if (quotient === 'none') return state.setConditions(kept);
  if (quotient === 'partial') return state.setConditions(SW.C2);
  state.setC1((quotient & 1n) !== 0n);
  state.setConditions((quotient & 4n ? SW.C0 : 0) | (quotient & 2n ? SW.C3 : 0));
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
