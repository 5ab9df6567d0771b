// x87 transcendental instructions: f2xm1, fyl2x, fyl2xp1, fptan, fpatan, fsin, fcos, fsincos (Intel SDM vol. 1,
// 8.3.10, 8.5.5). Results are correctly rounded; processors promise one unit of the last place, and differ there.
// Angles are reduced by the 66-bit approximation of pi that the processors have used since the 387.

import * as fixed from './float-series.ts';
import {
  bitLength,
  decode,
  encodeInfinity,
  encodeZero,
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
import { book, present, stackFault, unary, wait, x87Context } from './x87-core.ts';
import { INDEFINITE, SW, type X87State } from './x87-state.ts';

/** Precision beyond the size of the argument. */
const GUARD = 200;

/** Exponent of the leading bit. */
const magnitude = (n: Num): number => n.exp + bitLength(n.sig) - 1;

/** A number in fixed point, rounded down; exact when the scale covers its lowest bit. */
function toFixed(n: Num, scale: number): bigint {
  const shift = scale + n.exp;
  const value = shift >= 0 ? n.sig << BigInt(shift) : n.sig >> BigInt(-shift);
  return n.sign ? -value : value;
}

/** Rounds a fixed-point value that is not exact. */
function rounded(value: bigint, scale: number, context: FloatContext): bigint {
  const sign = value < 0n ? 1 : 0;
  return round(F80, sign, ((sign ? -value : value) << 1n) | 1n, -scale - 1, context);
}

/** A scale at which a number of this magnitude keeps GUARD bits. */
const scaleFor = (n: Num): number => GUARD + Math.max(0, -magnitude(n));

export const f2xm1 = (state: X87State): void =>
  unary(state, (a, context) => {
    const nan = propagate(F80, a, a, context);
    if (nan !== undefined) return nan;
    noteDenormal(context, a);
    if (stopped(context)) return 0n;
    if (a.kind === 'zero') return encodeZero(F80, a.sign);
    if (a.kind === 'infinite') return a.sign ? MINUS_ONE : encodeInfinity(F80, 0);
    context.flags |= FX.PE; // as the processor has it, exact or not
    if (magnitude(a) === 0 && a.sig === 1n << BigInt(-a.exp)) return a.sign ? MINUS_HALF : PLUS_ONE;
    // outside of [-1, 1] the result is undefined: the operand
    if (magnitude(a) >= 0) return round(F80, a.sign, a.sig, a.exp, context);
    const scale = scaleFor(a);
    const x = (toFixed(a, scale) * fixed.LN2) >> fixed.CONSTANT_SCALE;
    return rounded(fixed.expm1(x, BigInt(scale)), scale, context);
  });

const PLUS_ONE = 0x3fff_8000000000000000n;
const MINUS_ONE = 0xbfff_8000000000000000n;
const MINUS_HALF = 0xbffe_8000000000000000n;

/** ST(1) = f(ST(1), ST(0)), then a pop. */
function binary(state: X87State, f: (y: Num, x: Num, context: FloatContext) => bigint): void {
  wait(state);
  const finish = (bits: bigint): void => {
    state.setSt(1, bits);
    state.pop();
  };
  if (!present(state, [0, 1], () => finish(INDEFINITE))) return;
  const context = x87Context(state);
  const [y, x] = [decode(F80, state.st(1)), decode(F80, state.st(0))];
  const result = propagate(F80, y, x, context) ?? f(y, x, context);
  if (book(state, context)) finish(result);
}

/** y times a logarithm that is infinite or zero or one: signs as for a product. */
function productSign(y: Num, negative: boolean): 0 | 1 {
  return (y.sign === 1) !== negative ? 1 : 0;
}

export const fyl2x = (state: X87State): void =>
  binary(state, (y, x, context) => {
    if (x.sign === 1 && x.kind !== 'zero') return invalid(F80, context);
    if (x.kind === 'infinite') {
      if (y.kind === 'zero') return invalid(F80, context);
      noteDenormal(context, y);
      return encodeInfinity(F80, y.sign);
    }
    if (x.kind === 'zero') {
      if (y.kind === 'zero') return invalid(F80, context);
      if (y.kind === 'infinite') return encodeInfinity(F80, productSign(y, true));
      context.flags |= FX.ZE;
      return encodeInfinity(F80, productSign(y, true));
    }
    const top = magnitude(x);
    const one = top === 0 && x.sig === 1n << BigInt(-x.exp);
    if (one && y.kind === 'infinite') return invalid(F80, context);
    noteDenormal(context, x, y);
    if (stopped(context)) return 0n;
    if (y.kind === 'infinite') return encodeInfinity(F80, productSign(y, top < 0));
    if (y.kind === 'zero' || one) return encodeZero(F80, productSign(y, top < 0));
    if (x.sig === 1n << BigInt(bitLength(x.sig) - 1)) {
      context.flags |= FX.PE; // as the processor has it, though exact
      return round(F80, productSign(y, top < 0), y.sig * BigInt(Math.abs(top)), y.exp, context);
    }
    const scale = BigInt(GUARD + 64);
    let exponent = top;
    let fraction = toFixed({ ...x, exp: x.exp - top }, Number(scale)) - (1n << scale);
    // around 1 the logarithm is small: the mantissa goes to [0.75, 1.5)
    if (fraction >= 1n << (scale - 1n)) {
      exponent++;
      fraction = (fraction - (1n << scale)) >> 1n;
    }
    const log = (BigInt(exponent) << scale) + logTwo(fixed.log1p(fraction, scale));
    return multiplied(y, log, Number(scale), context);
  });

/** A natural logarithm as one to the base of two. */
const logTwo = (log: bigint): bigint => (log << fixed.CONSTANT_SCALE) / fixed.LN2;

/** y * value / 2^scale, inexact. */
function multiplied(y: Num, value: bigint, scale: number, context: FloatContext): bigint {
  const sign = productSign(y, value < 0n);
  const sig = y.sig * (value < 0n ? -value : value);
  return round(F80, sign, (sig << 1n) | 1n, y.exp - scale - 1, context);
}

export const fyl2xp1 = (state: X87State): void =>
  binary(state, (y, x, context) => {
    if (x.kind === 'zero' && y.kind === 'infinite') return invalid(F80, context);
    if (x.kind === 'infinite' && (x.sign === 1 || y.kind === 'zero')) return invalid(F80, context);
    noteDenormal(context, x, y);
    if (stopped(context)) return 0n;
    const negative = x.sign === 1;
    if (x.kind === 'infinite' || y.kind === 'infinite') return encodeInfinity(F80, productSign(y, negative));
    if (x.kind === 'zero' || y.kind === 'zero') return encodeZero(F80, productSign(y, negative));
    // beyond what the manual defines, 1 + x is still a number down to -1/2 and up to 1
    const scale = scaleFor(x) + 64;
    const value = toFixed(x, scale);
    const one = 1n << BigInt(scale);
    if (value > one || value * 2n < -one) return round(F80, x.sign, x.sig, x.exp, context);
    const log = logTwo(fixed.log1p(value, BigInt(scale)));
    return multiplied(y, log, scale, context);
  });

/** A multiple of pi/4 with the sign of y. */
function piQuarters(count: number, sign: 0 | 1, context: FloatContext): bigint {
  const value = (fixed.PI * BigInt(count)) >> 2n;
  return rounded(sign ? -value : value, Number(fixed.CONSTANT_SCALE), context);
}

export const fpatan = (state: X87State): void =>
  binary(state, (y, x, context) => {
    noteDenormal(context, x, y);
    if (stopped(context)) return 0n;
    if (y.kind === 'infinite') {
      return piQuarters(x.kind !== 'infinite' ? 2 : x.sign ? 3 : 1, y.sign, context);
    }
    if (y.kind === 'zero' || x.kind === 'infinite') {
      return x.sign ? piQuarters(4, y.sign, context) : encodeZero(F80, y.sign);
    }
    if (x.kind === 'zero') return piQuarters(2, y.sign, context);
    return arctangent(y, x, context);
  });

/** atan2 of finite numbers that are not 0. */
function arctangent(y: Num, x: Num, context: FloatContext): bigint {
  const exp = Math.min(x.exp, y.exp);
  const [height, width] = [y.sig << BigInt(y.exp - exp), x.sig << BigInt(x.exp - exp)];
  if (height <= width && !x.sign) {
    // the angle may be as small as the quotient
    const scale = GUARD + magnitude(x) - magnitude(y);
    const angle = fixed.atan((height << BigInt(scale)) / width, BigInt(scale));
    return rounded(y.sign ? -angle : angle, scale, context);
  }
  const scale = fixed.CONSTANT_SCALE;
  const [small, large] = height <= width ? [height, width] : [width, height];
  let angle = fixed.atan((small << scale) / large, scale);
  if (height > width) angle = (fixed.PI >> 1n) - angle;
  if (x.sign) angle = fixed.PI - angle;
  return rounded(y.sign ? -angle : angle, Number(scale), context);
}

/** pi to 66 bits, times 2^64. */
const PI66 = 0x3243f6a8885a308d3n;

interface Angle {
  /** Quadrant 0..3. */
  readonly quadrant: number;
  readonly sin: bigint;
  readonly cos: bigint;
  readonly scale: number;
}

/** An angle brought into [-pi/4, pi/4] and its quadrant; sine and cosine of what remains. */
function reduced(a: Num): Angle {
  const scale = Math.max(scaleFor(a), GUARD + 66 - Math.min(0, a.exp));
  const halfPi = PI66 << BigInt(scale - 65);
  const x = toFixed(a, scale);
  let turns = (2n * x + halfPi) / (2n * halfPi);
  if (2n * x + halfPi < 0n) turns -= 1n;
  const { sin, cos } = fixed.sinCos(x - turns * halfPi, BigInt(scale));
  return { quadrant: Number(((turns % 4n) + 4n) % 4n), sin, cos, scale };
}

function sine(angle: Angle, quarter: number, context: FloatContext): bigint {
  const quadrant = (angle.quadrant + quarter) & 3;
  const value = quadrant & 1 ? angle.cos : angle.sin;
  return rounded(quadrant & 2 ? -value : value, angle.scale, context);
}

/** Arguments of 2^63 and beyond are not reduced: C2 says so and the register stays. */
const tooLarge = (a: Num): boolean => a.kind === 'finite' && magnitude(a) >= 63;

function refuse(state: X87State): void {
  state.setC1(false);
  state.setConditions((state.sw & (SW.C0 | SW.C3)) | SW.C2);
}

/** sin (quarter 0) or cos (1) of zero: exact. */
const ofZero = (a: Num, quarter: number): bigint => (quarter === 0 ? encodeZero(F80, a.sign) : PLUS_ONE);

function trigonometric(state: X87State, compute: (a: Num, context: FloatContext) => bigint): void {
  wait(state);
  if (!state.empty(0) && tooLarge(decode(F80, state.st(0)))) {
    refuse(state);
    return;
  }
  state.setConditions(state.sw & (SW.C0 | SW.C3));
  unary(state, (a, context) => {
    const nan = propagate(F80, a, a, context);
    if (nan !== undefined) return nan;
    if (a.kind === 'infinite') return invalid(F80, context);
    noteDenormal(context, a);
    return stopped(context) ? 0n : compute(a, context);
  });
}

export const fsin = (state: X87State): void =>
  trigonometric(state, (a, context) => (a.kind === 'zero' ? ofZero(a, 0) : sine(reduced(a), 0, context)));
export const fcos = (state: X87State): void =>
  trigonometric(state, (a, context) => (a.kind === 'zero' ? ofZero(a, 1) : sine(reduced(a), 1, context)));

function tangent(a: Num, context: FloatContext): bigint {
  if (a.kind === 'zero') return encodeZero(F80, a.sign);
  const { quadrant, sin, cos, scale } = reduced(a);
  const [top, bottom] = quadrant & 1 ? [-cos, sin] : [sin, cos];
  const sign = top < 0n === bottom < 0n ? 0 : 1;
  const size = (value: bigint): bigint => (value < 0n ? -value : value);
  const wide = 2 * scale;
  const quotient = (size(top) << BigInt(wide)) / size(bottom);
  return round(F80, sign, (quotient << 1n) | 1n, -wide - 1, context);
}

/** fsincos and fptan: ST(0) becomes one result, the other is pushed. */
function trigonometricPair(
  state: X87State,
  compute: (a: Num, context: FloatContext) => readonly [bigint, bigint],
): void {
  wait(state);
  const both = (first: bigint, second: bigint): void => {
    state.setSt(0, first);
    state.push(second);
  };
  if (state.empty(0) || !state.empty(7)) {
    const kind = state.empty(0) ? 'underflow' : 'overflow';
    state.setConditions(state.sw & (SW.C0 | SW.C3));
    if (stackFault(state, kind)) both(INDEFINITE, INDEFINITE);
    return;
  }
  const a = decode(F80, state.st(0));
  if (tooLarge(a)) {
    refuse(state);
    return;
  }
  state.setConditions(state.sw & (SW.C0 | SW.C3));
  const context = x87Context(state);
  const [first, second] = pairOf(a, context, compute);
  if (book(state, context)) both(first, second);
}

function pairOf(
  a: Num,
  context: FloatContext,
  compute: (a: Num, context: FloatContext) => readonly [bigint, bigint],
): readonly [bigint, bigint] {
  const nan = propagate(F80, a, a, context);
  if (nan !== undefined) return [nan, nan];
  if (a.kind === 'infinite') {
    const indefinite = invalid(F80, context);
    return [indefinite, indefinite];
  }
  noteDenormal(context, a);
  return stopped(context) ? [0n, 0n] : compute(a, context);
}

export const fsincos = (state: X87State): void =>
  trigonometricPair(state, (a, context) => {
    if (a.kind === 'zero') return [ofZero(a, 0), ofZero(a, 1)];
    const angle = reduced(a);
    return [sine(angle, 0, context), sine(angle, 1, context)];
  });
export const fptan = (state: X87State): void =>
  trigonometricPair(state, (a, context) => [tangent(a, context), PLUS_ONE]);
