// Floating-point arithmetic of IEEE 754 with the x86 rules around it (Intel SDM vol. 1, 4.8, 4.9, 8.5, 11.5), for
// single, double and the x87's extended format, on exact integers: a finite number is sig * 2^exp, every operation is
// computed exactly (or with a sticky lowest bit) and rounded once. Plain rather than fast. Conversions between formats
// and to integers are in softfloat-convert.ts; which registers and control words are involved is float.ts' and
// x87.ts' business.

export interface Format {
  /** Bits of the encoding; in 80 the integer bit is explicit. */
  readonly width: 16 | 32 | 64 | 80;
  /** Significant bits, the integer bit included. The x87's precision control lowers it without touching the rest. */
  readonly precision: number;
  /** Exponents of the leading bit of the smallest and the largest normal number. */
  readonly emin: number;
  readonly emax: number;
}
/** Half precision, for conversions only. */
export const F16: Format = { width: 16, precision: 11, emin: -14, emax: 15 };
export const F32: Format = { width: 32, precision: 24, emin: -126, emax: 127 };
export const F64: Format = { width: 64, precision: 53, emin: -1022, emax: 1023 };
export const F80: Format = { width: 80, precision: 64, emin: -16382, emax: 16383 };

/** Exception bits, as they stand in MXCSR and in the x87 status word. */
export const FX = { IE: 1, DE: 2, ZE: 4, OE: 8, UE: 16, PE: 32 } as const;
/** Rounding control, as it stands in MXCSR and in the x87 control word. */
export const RC = { nearest: 0, down: 1, up: 2, zero: 3 } as const;

/** Control going in, exceptions coming out. One per operation. */
export class FloatContext {
  /** RC. */
  rounding = 0;
  /** Masked exceptions, FX bits. */
  masks = 0x3f;
  /** Denormal operands count as zeros. */
  daz = false;
  /** Tiny results become zeros while underflow is masked. */
  ftz = false;
  /** Of two NaNs: SSE takes the first, x87 the larger. */
  nanRule: 'sse' | 'x87' = 'sse';
  /** Exceptions raised, FX bits; only grows. */
  flags = 0;
  /** The last rounding increased the magnitude (C1 of the x87). */
  roundedUp = false;
}

/**
 * A decoded operand. finite: value is sig * 2^exp, sig > 0. quiet, signaling: sig is the significand, left-justified
 * to 64 bits. unsupported: an 80-bit pattern that the 387 and later refuse (unnormal, pseudo-infinity, pseudo-NaN).
 */
export interface Num {
  readonly kind: 'zero' | 'finite' | 'infinite' | 'quiet' | 'signaling' | 'unsupported';
  readonly sign: 0 | 1;
  readonly exp: number;
  readonly sig: bigint;
  readonly denormal: boolean;
}

/** Bits behind the implied integer bit. */
const FRACTION_BITS = { 16: 10n, 32: 23n, 64: 52n } as const;

const ONE64 = 1n << 63n;
const QUIET64 = 1n << 62n;
const MASK64 = (1n << 64n) - 1n;

/** Number of bits of a non-negative integer; 0 for 0. */
export function bitLength(value: bigint): number {
  let length = 0;
  let rest = value;
  for (; rest > 0xffff_ffff_ffff_ffffn; rest >>= 64n) length += 64;
  if (rest > 0xffff_ffffn) {
    length += 32;
    rest >>= 32n;
  }
  return length + 32 - Math.clz32(Number(rest));
}

const special = (kind: Num['kind'], sign: 0 | 1, sig = 0n): Num => ({
  kind,
  sign,
  exp: 0,
  sig,
  denormal: false,
});

/** An exact integer times a power of two as an operand. */
export function exact(sign: 0 | 1, sig: bigint, exp: number): Num {
  return sig === 0n ? special('zero', sign) : { kind: 'finite', sign, exp, sig, denormal: false };
}

/** Decodes an encoding; with `daz`, denormals are zeros of their sign. */
export function decode(format: Format, bits: bigint, daz = false): Num {
  if (format.width === 80) return decode80(bits);
  const { width, emin, emax } = format;
  const fractionBits = FRACTION_BITS[width];
  const sign = (bits >> BigInt(width - 1)) & 1n ? 1 : 0;
  const fraction = bits & ((1n << fractionBits) - 1n);
  const field = Number((bits >> fractionBits) & BigInt(2 * emax + 1));
  if (field === 2 * emax + 1) {
    if (fraction === 0n) return special('infinite', sign);
    const sig = ONE64 | (fraction << (63n - fractionBits));
    return special(sig & QUIET64 ? 'quiet' : 'signaling', sign, sig);
  }
  if (field === 0) {
    if (fraction === 0n || daz) return special('zero', sign);
    return { kind: 'finite', sign, exp: emin - Number(fractionBits), sig: fraction, denormal: true };
  }
  const sig = fraction | (1n << fractionBits);
  return { kind: 'finite', sign, exp: field - emax - Number(fractionBits), sig, denormal: false };
}

function decode80(bits: bigint): Num {
  const sig = bits & MASK64;
  const head = Number(bits >> 64n);
  const sign = head & 0x8000 ? 1 : 0;
  const field = head & 0x7fff;
  if (field === 0) {
    if (sig === 0n) return special('zero', sign);
    // with the integer bit set it is a pseudo-denormal: taken, and reported as denormal
    return { kind: 'finite', sign, exp: F80.emin - 63, sig, denormal: true };
  }
  if ((sig & ONE64) === 0n) return special('unsupported', sign);
  if (field === 0x7fff) {
    if (sig === ONE64) return special('infinite', sign);
    return special(sig & QUIET64 ? 'quiet' : 'signaling', sign, sig);
  }
  return { kind: 'finite', sign, exp: field - 16383 - 63, sig, denormal: false };
}

/** Puts sign, biased exponent and significand (integer bit included, `width` decides what becomes of it) together. */
function assemble(width: Format['width'], sign: 0 | 1, field: number, sig: bigint): bigint {
  if (width === 80) return (BigInt((sign << 15) | field) << 64n) | sig;
  const fractionBits = FRACTION_BITS[width];
  const fraction = sig & ((1n << fractionBits) - 1n);
  return (BigInt(sign) << BigInt(width - 1)) | (BigInt(field) << fractionBits) | fraction;
}

/** Significant bits of the encoding, whatever the precision asked for. */
const encodedBits = (format: Format): number =>
  format.width === 80 ? 64 : Number(FRACTION_BITS[format.width]) + 1;

export function encodeZero(format: Format, sign: 0 | 1): bigint {
  return assemble(format.width, sign, 0, 0n);
}

export function encodeInfinity(format: Format, sign: 0 | 1): bigint {
  return assemble(format.width, sign, 2 * format.emax + 1, format.width === 80 ? ONE64 : 0n);
}

/** A quiet NaN with the payload of `from` (its low bits cut off where the format is narrower). */
export function encodeNaN(format: Format, from: Num): bigint {
  const sig = (from.sig | QUIET64) >> BigInt(64 - encodedBits(format));
  return assemble(format.width, from.sign, 2 * format.emax + 1, sig);
}

/** The quiet NaN that invalid operations give: negative, no payload ("real indefinite"). */
export function defaultNaN(format: Format): bigint {
  return encodeNaN(format, special('quiet', 1, ONE64 | QUIET64));
}

export function invalid(format: Format, context: FloatContext): bigint {
  context.flags |= FX.IE;
  return defaultNaN(format);
}

/** Encodes a value that is on the format's grid: sig * 2^exp with no more than the format's bits. */
function encodeFinite(format: Format, sign: 0 | 1, sig: bigint, exp: number): bigint {
  if (sig === 0n) return encodeZero(format, sign);
  const bits = encodedBits(format);
  const top = exp + bitLength(sig) - 1;
  const lowest = Math.max(top, format.emin) - (bits - 1);
  const shift = exp - lowest;
  const aligned = shift >= 0 ? sig << BigInt(shift) : sig >> BigInt(-shift);
  return assemble(format.width, sign, top < format.emin ? 0 : top + format.emax, aligned);
}

interface Shifted {
  readonly sig: bigint;
  readonly inexact: boolean;
  readonly up: boolean;
}

/** sig / 2^shift as an integer, rounded. */
export function roundShift(sig: bigint, shift: number, sign: 0 | 1, rounding: number): Shifted {
  if (shift <= 0) return { sig: sig << BigInt(-shift), inexact: false, up: false };
  const kept = sig >> BigInt(shift);
  const rest = sig - (kept << BigInt(shift));
  if (rest === 0n) return { sig: kept, inexact: false, up: false };
  const half = 1n << BigInt(shift - 1);
  let up = false;
  if (rounding === RC.nearest) up = rest > half || (rest === half && (kept & 1n) === 1n);
  else if (rounding === RC.down) up = sign === 1;
  else if (rounding === RC.up) up = sign === 0;
  return { sig: up ? kept + 1n : kept, inexact: true, up };
}

/**
 * Rounds sig * 2^exp (sig > 0; a sticky lowest bit is fine below the precision's rounding bit) to the format, with
 * overflow, underflow and precision exceptions. Tininess is detected after rounding. An unmasked overflow or underflow
 * gives the result with its exponent wrapped (what the x87 leaves in a register; SSE never delivers it), or, where that
 * is still out of range (only fscale gets there), infinity or zero.
 */
export function round(format: Format, sign: 0 | 1, sig: bigint, exp: number, context: FloatContext): bigint {
  const { precision, emin, emax } = format;
  const length = bitLength(sig);
  let rounded = roundShift(sig, length - precision, sign, context.rounding);
  let lsb = exp + length - precision;
  const top = lsb + bitLength(rounded.sig) - 1;
  if (top > emax) return overflow(format, sign, rounded, lsb, context);
  if (top < emin) {
    if (!(context.masks & FX.UE)) {
      context.flags |= FX.UE;
      return wrapped(format, sign, rounded, lsb, context);
    }
    if (context.ftz) {
      context.flags |= FX.UE | FX.PE;
      context.roundedUp = false;
      return encodeZero(format, sign);
    }
    lsb = emin - (precision - 1);
    rounded = roundShift(sig, lsb - exp, sign, context.rounding);
    if (rounded.inexact) context.flags |= FX.UE;
  }
  if (rounded.inexact) context.flags |= FX.PE;
  context.roundedUp = rounded.up;
  return encodeFinite(format, sign, rounded.sig, lsb);
}

function overflow(format: Format, sign: 0 | 1, rounded: Shifted, lsb: number, context: FloatContext): bigint {
  context.flags |= FX.OE;
  if (!(context.masks & FX.OE)) return wrapped(format, sign, rounded, lsb, context);
  context.flags |= FX.PE;
  const { rounding } = context;
  const toInfinity = rounding === RC.nearest || rounding === (sign ? RC.down : RC.up);
  context.roundedUp = toInfinity;
  if (toInfinity) return encodeInfinity(format, sign);
  const largest = (1n << BigInt(format.precision)) - 1n;
  return encodeFinite(format, sign, largest, format.emax - (format.precision - 1));
}

/** What unmasked overflow takes off the exponent of an extended number and unmasked underflow adds to it. */
const WRAP = 24576;

/** The register result of an unmasked overflow or underflow. */
function wrapped(format: Format, sign: 0 | 1, rounded: Shifted, lsb: number, context: FloatContext): bigint {
  if (format.width !== 80) {
    if (rounded.inexact) context.flags |= FX.PE;
    return 0n;
  }
  const large = lsb > 0;
  const top = lsb + bitLength(rounded.sig) - 1 + (large ? -WRAP : WRAP);
  if (top < format.emin || top > format.emax) {
    context.flags |= FX.PE;
    context.roundedUp = large;
    return large ? encodeInfinity(format, sign) : encodeZero(format, sign);
  }
  if (rounded.inexact) context.flags |= FX.PE;
  context.roundedUp = rounded.up;
  return encodeFinite(format, sign, rounded.sig, lsb + (large ? -WRAP : WRAP));
}

export const isNaNKind = (n: Num): boolean => n.kind === 'quiet' || n.kind === 'signaling';

/**
 * The answer where an operand is a NaN or unsupported, else undefined. A signaling NaN is an invalid operation; the
 * result is one of the operands, quiet. QNaN operands take precedence over every exception but that.
 */
export function propagate(format: Format, a: Num, b: Num, context: FloatContext): bigint | undefined {
  if (a.kind === 'unsupported' || b.kind === 'unsupported') return invalid(format, context);
  const aNaN = isNaNKind(a);
  const bNaN = isNaNKind(b);
  if (!aNaN && !bNaN) return undefined;
  if (a.kind === 'signaling' || b.kind === 'signaling') context.flags |= FX.IE;
  if (!bNaN) return encodeNaN(format, a);
  if (!aNaN) return encodeNaN(format, b);
  if (context.nanRule === 'sse') return encodeNaN(format, a);
  if (a.kind !== b.kind) return encodeNaN(format, a.kind === 'quiet' ? a : b);
  if (a.sig !== b.sig) return encodeNaN(format, a.sig > b.sig ? a : b);
  return encodeNaN(format, a.sign === 0 ? a : b);
}

/** Notes denormal operands; called once neither NaN nor invalid operation nor division by zero took precedence. */
export function noteDenormal(context: FloatContext, ...operands: readonly Num[]): void {
  for (const n of operands) if (n.denormal) context.flags |= FX.DE;
}

/** Unmasked exceptions on the operands stop an operation before it computes. */
export const stopped = (context: FloatContext): boolean =>
  (context.flags & (FX.IE | FX.DE | FX.ZE) & ~context.masks) !== 0;

export function add(format: Format, a: Num, b: Num, context: FloatContext): bigint {
  const nan = propagate(format, a, b, context);
  if (nan !== undefined) return nan;
  if (a.kind === 'infinite' && b.kind === 'infinite' && a.sign !== b.sign) return invalid(format, context);
  noteDenormal(context, a, b);
  if (stopped(context)) return 0n;
  if (a.kind === 'infinite') return encodeInfinity(format, a.sign);
  if (b.kind === 'infinite') return encodeInfinity(format, b.sign);
  const exp = a.kind === 'zero' ? b.exp : b.kind === 'zero' ? a.exp : Math.min(a.exp, b.exp);
  const signed = (n: Num): bigint => {
    const aligned = n.kind === 'zero' ? 0n : n.sig << BigInt(n.exp - exp);
    return n.sign ? -aligned : aligned;
  };
  const sum = signed(a) + signed(b);
  if (sum === 0n) {
    // exact zeros: like signs keep theirs; else minus only when rounding down
    const sign =
      a.kind === 'zero' && b.kind === 'zero' && a.sign === b.sign
        ? a.sign
        : context.rounding === RC.down
          ? 1
          : 0;
    return encodeZero(format, sign);
  }
  return sum < 0n ? round(format, 1, -sum, exp, context) : round(format, 0, sum, exp, context);
}

const negated = (n: Num): Num => (isNaNKind(n) ? n : { ...n, sign: n.sign ? 0 : 1 });

export function subtract(format: Format, a: Num, b: Num, context: FloatContext): bigint {
  return add(format, a, negated(b), context);
}

export function multiply(format: Format, a: Num, b: Num, context: FloatContext): bigint {
  const nan = propagate(format, a, b, context);
  if (nan !== undefined) return nan;
  const sign = a.sign === b.sign ? 0 : 1;
  const infinite = a.kind === 'infinite' || b.kind === 'infinite';
  const zero = a.kind === 'zero' || b.kind === 'zero';
  if (infinite && zero) return invalid(format, context);
  noteDenormal(context, a, b);
  if (stopped(context)) return 0n;
  if (infinite) return encodeInfinity(format, sign);
  if (zero) return encodeZero(format, sign);
  return round(format, sign, a.sig * b.sig, a.exp + b.exp, context);
}

/**
 * x * y + z (or as the signs say), rounded once. Of several NaNs the first of x, y, z is the result; infinity times zero
 * is invalid unless z is a quiet NaN.
 */
export function fusedMultiplyAdd(
  format: Format,
  [x, y, z]: readonly [Num, Num, Num],
  negateProduct: boolean,
  negateAddend: boolean,
  context: FloatContext,
): bigint {
  const infinite = x.kind === 'infinite' || y.kind === 'infinite';
  const zero = x.kind === 'zero' || y.kind === 'zero';
  const nan = [x, y, z].find(isNaNKind);
  if (nan !== undefined) {
    if ([x, y, z].some((n) => n.kind === 'signaling')) context.flags |= FX.IE;
    return encodeNaN(format, nan);
  }
  if (infinite && zero) return invalid(format, context);
  const flip = (sign: 0 | 1, yes: boolean): 0 | 1 => (yes ? (sign ? 0 : 1) : sign);
  const sign = flip(x.sign === y.sign ? 0 : 1, negateProduct);
  const addend: Num = { ...z, sign: flip(z.sign, negateAddend) };
  if (infinite && z.kind === 'infinite' && addend.sign !== sign) return invalid(format, context);
  noteDenormal(context, x, y, z);
  if (stopped(context)) return 0n;
  const product: Num = infinite
    ? special('infinite', sign)
    : zero
      ? special('zero', sign)
      : exact(sign, x.sig * y.sig, x.exp + y.exp);
  // denormal operands are noted already
  return add(format, product, { ...addend, denormal: false }, context);
}

export function divide(format: Format, a: Num, b: Num, context: FloatContext): bigint {
  const nan = propagate(format, a, b, context);
  if (nan !== undefined) return nan;
  const sign = a.sign === b.sign ? 0 : 1;
  if (a.kind === b.kind && (a.kind === 'infinite' || a.kind === 'zero')) return invalid(format, context);
  if (b.kind === 'zero' && a.kind === 'finite') {
    context.flags |= FX.ZE;
    return encodeInfinity(format, sign);
  }
  noteDenormal(context, a, b);
  if (stopped(context)) return 0n;
  if (a.kind === 'infinite') return encodeInfinity(format, sign);
  if (a.kind === 'zero' || b.kind === 'infinite') return encodeZero(format, sign);
  // enough quotient bits for the rounding bit, the rest of the remainder as sticky bit
  const extra = Math.max(0, format.precision + 3 - (bitLength(a.sig) - bitLength(b.sig)));
  const dividend = a.sig << BigInt(extra);
  const quotient = dividend / b.sig;
  const sticky = quotient * b.sig === dividend ? 0n : 1n;
  return round(format, sign, (quotient << 1n) | sticky, a.exp - b.exp - extra - 1, context);
}

/** Largest integer whose square is not above n. */
export function integerSqrt(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((bitLength(n) + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

export function squareRoot(format: Format, a: Num, context: FloatContext): bigint {
  const nan = propagate(format, a, a, context);
  if (nan !== undefined) return nan;
  if (a.kind === 'zero') return encodeZero(format, a.sign);
  if (a.sign) return invalid(format, context);
  noteDenormal(context, a);
  if (stopped(context)) return 0n;
  if (a.kind === 'infinite') return encodeInfinity(format, 0);
  let extra = Math.max(0, 2 * (format.precision + 3) - bitLength(a.sig));
  if ((a.exp - extra) & 1) extra++;
  const radicand = a.sig << BigInt(extra);
  const root = integerSqrt(radicand);
  const sticky = root * root === radicand ? 0n : 1n;
  return round(format, 0, (root << 1n) | sticky, (a.exp - extra) / 2 - 1, context);
}

/** -1, 0, 1 as a < b, a = b, a > b. Neither may be a NaN. */
export function order(a: Num, b: Num): -1 | 0 | 1 {
  const rank = (n: Num): number =>
    n.kind === 'zero' ? 0 : (n.kind === 'infinite' ? 2 : 1) * (n.sign ? -1 : 1);
  const difference = rank(a) - rank(b);
  if (difference !== 0) return difference < 0 ? -1 : 1;
  if (a.kind !== 'finite') return 0;
  const exp = Math.min(a.exp, b.exp);
  const x = a.sig << BigInt(a.exp - exp);
  const y = b.sig << BigInt(b.exp - exp);
  if (x === y) return 0;
  return x < y === (a.sign === 0) ? -1 : 1;
}

/** Like order, or undefined when unordered. A NaN is an invalid operation if it signals or the comparison does. */
export function compare(a: Num, b: Num, signaling: boolean, context: FloatContext): -1 | 0 | 1 | undefined {
  if (a.kind === 'unsupported' || b.kind === 'unsupported') {
    context.flags |= FX.IE;
    return undefined;
  }
  if (isNaNKind(a) || isNaNKind(b)) {
    if (signaling || a.kind === 'signaling' || b.kind === 'signaling') context.flags |= FX.IE;
    return undefined;
  }
  noteDenormal(context, a, b);
  return order(a, b);
}
