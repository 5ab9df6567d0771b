// Conversions of softfloat.ts: between formats, to and from integers, to an integral value. The rules for what does
// not fit are the x86's: the "integer indefinite" and an invalid operation.
import {
  encodeInfinity,
  encodeZero,
  type FloatContext,
  type Format,
  FX,
  type Num,
  noteDenormal,
  propagate,
  round,
  roundShift,
  stopped,
} from './softfloat.ts';

/** A number in another format, rounded; NaNs keep what fits of their payload and become quiet. */
export function convert(to: Format, a: Num, context: FloatContext): bigint {
  const nan = propagate(to, a, a, context);
  if (nan !== undefined) return nan;
  noteDenormal(context, a);
  if (stopped(context)) return 0n;
  if (a.kind === 'infinite') return encodeInfinity(to, a.sign);
  if (a.kind === 'zero') return encodeZero(to, a.sign);
  return round(to, a.sign, a.sig, a.exp, context);
}

/** A signed integer (any size) as a number of the format, rounded. Zero is positive. */
export function fromInteger(to: Format, value: bigint, context: FloatContext): bigint {
  if (value === 0n) return encodeZero(to, 0);
  return value < 0n ? round(to, 1, -value, 0, context) : round(to, 0, value, 0, context);
}

/** The most negative integer: what an integer conversion gives for NaN, infinity and whatever does not fit. */
export const integerIndefinite = (bits: number): bigint => 1n << BigInt(bits - 1);

/**
 * A number as a two's complement integer of that many bits, rounded by `rounding`. Denormal operands raise nothing but
 * the precision exception.
 */
export function toInteger(bits: number, a: Num, rounding: number, context: FloatContext): bigint {
  const refuse = (): bigint => {
    context.flags |= FX.IE;
    return integerIndefinite(bits);
  };
  if (a.kind === 'zero') return 0n;
  if (a.kind !== 'finite' || a.exp > bits) return refuse();
  const rounded = roundShift(a.sig, -a.exp, a.sign, rounding);
  const value = a.sign ? -rounded.sig : rounded.sig;
  const limit = integerIndefinite(bits);
  if (value >= limit || value < -limit) return refuse();
  if (rounded.inexact) context.flags |= FX.PE;
  context.roundedUp = rounded.up;
  return BigInt.asUintN(bits, value);
}

/** The nearest integral value in the same format (frndint, roundss). `quietly` leaves the precision exception out. */
export function toIntegral(format: Format, a: Num, quietly: boolean, context: FloatContext): bigint {
  const nan = propagate(format, a, a, context);
  if (nan !== undefined) return nan;
  noteDenormal(context, a);
  if (stopped(context)) return 0n;
  if (a.kind === 'infinite') return encodeInfinity(format, a.sign);
  if (a.kind === 'zero') return encodeZero(format, a.sign);
  if (a.exp >= 0) return round(format, a.sign, a.sig, a.exp, context);
  const rounded = roundShift(a.sig, -a.exp, a.sign, context.rounding);
  const result =
    rounded.sig === 0n ? encodeZero(format, a.sign) : round(format, a.sign, rounded.sig, 0, context);
  if (rounded.inexact && !quietly) context.flags |= FX.PE;
  context.roundedUp = rounded.up;
  return result;
}
