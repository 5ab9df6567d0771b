// x87 arithmetic: fadd … fdivr, fchs, fabs, fsqrt, frndint (Intel SDM vol. 1, 8.3.5). Comparisons are in x87-compare.ts,
// fscale and remainders in x87-scale.ts, transcendental functions in x87-functions.ts.
import type { X87_ARITHMETIC, X87_OPERANDS } from '../isa/index.ts';
import {
  add,
  decode,
  divide,
  exact,
  F32,
  F64,
  F80,
  type FloatContext,
  type Format,
  multiply,
  type Num,
  squareRoot,
  subtract,
} from './softfloat.ts';
import { toIntegral } from './softfloat-convert.ts';
import { book, present, unary, wait, x87Context } from './x87-core.ts';
import { INDEFINITE, type X87State } from './x87-state.ts';

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
