// x87 loads, stores and exchanges: fld, fild, fbld, fst, fist, fisttp, fbstp, fxch, fcmov, constants (Intel SDM
// vol. 1, 8.3.3, 8.3.4).
import type { X87_CONSTANTS, X87_STORES } from '../isa/index.ts';
import { decode, encodeZero, F32, F64, F80, FloatContext, type Format, FX, RC, round } from './softfloat.ts';
import { convert, fromInteger, integerIndefinite, toInteger } from './softfloat-convert.ts';
import { book, bookStopped, room, stackFault, storeStopped, wait, x87Context } from './x87-core.ts';
import { INDEFINITE, type X87State } from './x87-state.ts';

/**
 * Pushes a float of 32 or 64 bits; a signaling NaN becomes quiet, which is an invalid operation. A denormal is pushed
 * even where that exception is not masked.
 */
export function loadFloat(state: X87State, width: 32 | 64, bits: bigint): void {
  wait(state);
  if (!room(state)) return;
  const context = x87Context(state);
  const number = decode(width === 32 ? F32 : F64, bits);
  const value = convert(F80, { ...number, denormal: false }, context);
  if (!book(state, context)) return;
  state.push(value);
  if (number.denormal) {
    state.sw |= FX.DE;
    state.summarize();
  }
}

/** Pushes 80 bits as they are. */
export function loadExtended(state: X87State, bits: bigint): void {
  wait(state);
  if (!room(state)) return;
  state.setC1(false);
  state.push(bits);
}

export function loadInteger(state: X87State, value: bigint): void {
  loadExtended(state, fromInteger(F80, BigInt.asIntN(64, value), x87Context(state)));
}

/** Pushes 18 packed decimal digits; bit 79 is the sign. Digits above 9 count as what they are. */
export function loadDecimal(state: X87State, bits: bigint): void {
  let value = 0n;
  for (let digit = 17; digit >= 0; digit--) value = value * 10n + ((bits >> BigInt(4 * digit)) & 15n);
  const negative = (bits >> 79n) & 1n ? 1 : 0;
  const context = x87Context(state);
  const number = value === 0n ? encodeZero(F80, negative) : round(F80, negative, value, 0, context);
  loadExtended(state, number);
}

/** Pushes a copy of ST(i). */
export function loadRegister(state: X87State, i: number): void {
  wait(state);
  if (!state.empty(i)) loadExtended(state, state.st(i));
  else if (stackFault(state, 'underflow')) state.push(INDEFINITE);
}

interface Constant {
  /** Rounded down. */
  readonly bits: bigint;
  /** Rounding modes in which it is one unit larger. */
  readonly larger: readonly number[];
}
const NEAREST_UP: readonly number[] = [RC.nearest, RC.up];
const CONSTANTS: { readonly [K in (typeof X87_CONSTANTS)[number]]: Constant } = {
  fld1: { bits: 0x3fff_8000000000000000n, larger: [] },
  fldl2t: { bits: 0x4000_d49a784bcd1b8afen, larger: [RC.up] },
  fldl2e: { bits: 0x3fff_b8aa3b295c17f0bbn, larger: NEAREST_UP },
  fldpi: { bits: 0x4000_c90fdaa22168c234n, larger: NEAREST_UP },
  fldlg2: { bits: 0x3ffd_9a209a84fbcff798n, larger: NEAREST_UP },
  fldln2: { bits: 0x3ffe_b17217f7d1cf79abn, larger: NEAREST_UP },
  fldz: { bits: 0n, larger: [] },
};

export function loadConstant(state: X87State, name: (typeof X87_CONSTANTS)[number]): void {
  const { bits, larger } = CONSTANTS[name];
  loadExtended(state, bits + (larger.includes((state.cw >> 10) & 3) ? 1n : 0n));
}

/** What a store writes. */
export type StoreFormat = (typeof X87_STORES)[number];

const DECIMAL_INDEFINITE = 0xffffc000000000000000n;

function toDecimal(bits: bigint, context: FloatContext): bigint {
  const a = decode(F80, bits);
  const probe = new FloatContext();
  const value = BigInt.asIntN(64, toInteger(64, a, context.rounding, probe));
  const size = value < 0n ? -value : value;
  if (probe.flags & FX.IE || size > 999_999_999_999_999_999n) {
    context.flags |= FX.IE;
    return DECIMAL_INDEFINITE;
  }
  context.flags |= probe.flags;
  context.roundedUp = probe.roundedUp;
  let digits = 0n;
  for (let rest = size, at = 0n; rest > 0n; rest /= 10n, at += 4n) digits |= (rest % 10n) << at;
  return a.sign ? digits | (1n << 79n) : digits;
}

/** Stores do not report denormal operands. */
function narrowed(format: Format, bits: bigint, context: FloatContext): bigint {
  return convert(format, { ...decode(F80, bits), denormal: false }, context);
}

function formatted(format: StoreFormat, bits: bigint, context: FloatContext): bigint {
  switch (format) {
    case 'f32':
      return narrowed(F32, bits, context);
    case 'f64':
      return narrowed(F64, bits, context);
    case 'bcd':
      return toDecimal(bits, context);
    default: {
      const rounding = format.endsWith('t') ? RC.zero : context.rounding;
      return toInteger(Number.parseInt(format.slice(1), 10), decode(F80, bits), rounding, context);
    }
  }
}

function indefinite(format: StoreFormat): bigint {
  if (format === 'bcd') return DECIMAL_INDEFINITE;
  if (format === 'f32') return 0xffc00000n;
  if (format === 'f64') return 0xfff8000000000000n;
  return integerIndefinite(Number.parseInt(format.slice(1), 10));
}

/** What a store of ST(0) would write; changes nothing. */
export function storeValue(state: X87State, format: StoreFormat): bigint {
  wait(state);
  return state.empty(0) ? indefinite(format) : formatted(format, state.st(0), x87Context(state));
}

/** Whether an unmasked exception prevents that store; if so it is booked. */
export function storePrevented(state: X87State, format: StoreFormat): boolean {
  wait(state);
  const context = x87Context(state);
  if (state.empty(0)) return (context.masks & FX.IE) === 0 && !stackFault(state, 'underflow');
  formatted(format, state.st(0), context);
  if (!storeStopped(context)) return false;
  bookStopped(state, context);
  return true;
}

/** Books a store that took place, and pops if asked for. */
export function storeDone(state: X87State, format: StoreFormat, pop: boolean): void {
  if (state.empty(0)) stackFault(state, 'underflow');
  else {
    const context = x87Context(state);
    formatted(format, state.st(0), context);
    book(state, context);
  }
  if (pop) state.pop();
}

/** The 80 bits that fstp stores; changes nothing. */
export function storeExtendedValue(state: X87State): bigint {
  wait(state);
  return state.empty(0) ? INDEFINITE : state.st(0);
}

export function storeExtendedPrevented(state: X87State): boolean {
  return state.empty(0) && (state.cw & FX.IE) === 0 && !stackFault(state, 'underflow');
}

export function storeExtendedDone(state: X87State): void {
  if (state.empty(0)) stackFault(state, 'underflow');
  else state.setC1(false);
  state.pop();
}

/** ST(i) = ST(0). */
export function storeRegister(state: X87State, i: number, pop: boolean): void {
  wait(state);
  let bits = state.st(0);
  if (state.empty(0)) {
    if (!stackFault(state, 'underflow')) return;
    bits = INDEFINITE;
  } else state.setC1(false);
  state.setSt(i, bits);
  if (pop) state.pop();
}

export function exchange(state: X87State, i: number): void {
  wait(state);
  const missing = [0, i].filter((k) => state.empty(k));
  if (missing.length > 0) {
    if (!stackFault(state, 'underflow')) return;
    for (const k of missing) state.setSt(k, INDEFINITE);
  } else state.setC1(false);
  const [a, b] = [state.st(0), state.st(i)];
  state.setSt(0, b);
  state.setSt(i, a);
}

/** The undocumented fstpnce: fstp st(i) that notices no stack fault; an empty ST(0) is only popped. */
export function storeUnchecked(state: X87State, i: number): void {
  wait(state);
  state.setC1(false);
  if (!state.empty(0)) state.setSt(i, state.st(0));
  state.pop();
}

/** ST(0) = ST(i) if the condition holds; both must hold something either way, or ST(0) becomes the indefinite. */
export function moveIf(state: X87State, condition: boolean, i: number): void {
  wait(state);
  if (state.empty(0) || state.empty(i)) {
    if (stackFault(state, 'underflow')) state.setSt(0, INDEFINITE);
    return;
  }
  if (condition) state.setSt(0, state.st(i));
}
