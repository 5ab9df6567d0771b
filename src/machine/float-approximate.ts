// RCPPS and RSQRTPS. The manuals only bound the relative error (1.5 * 2^-12) and fix the special cases; each processor
// family has its own table. We give the exact value rounded to nearest to a significand of 12 bits, so a result may
// differ from a processor's by up to 3 * 2^-12. MXCSR plays no part: denormals are zeros in and out, no exceptions.
import {
  decode,
  defaultNaN,
  divide,
  encodeInfinity,
  encodeNaN,
  encodeZero,
  exact,
  F32,
  FloatContext,
  type Format,
  integerSqrt,
  isNaNKind,
  type Num,
  round,
} from './softfloat.ts';

const COARSE: Format = { ...F32, precision: 12 };

function flushing(): FloatContext {
  const context = new FloatContext();
  context.ftz = true;
  return context;
}

/** The cases without arithmetic: NaN, zero, infinity. */
function special(a: Num): bigint | undefined {
  if (isNaNKind(a)) return encodeNaN(F32, a);
  if (a.kind === 'zero') return encodeInfinity(F32, a.sign);
  return undefined;
}

/** RCPSS of one encoding. */
export function reciprocal(bits: bigint): bigint {
  const a = decode(F32, bits, true);
  return special(a) ?? divide(COARSE, exact(0, 1n, 0), a, flushing());
}

/** RSQRTSS of one encoding. */
export function reciprocalRoot(bits: bigint): bigint {
  const a = decode(F32, bits, true);
  const easy = special(a);
  if (easy !== undefined) return easy;
  if (a.sign) return defaultNaN(F32);
  if (a.kind === 'infinite') return encodeZero(F32, 0);
  // 1 / sqrt(sig * 2^exp) = sqrt(2^128 / sig) * 2^(-64 - exp/2) for even exponents
  const [sig, exp] = a.exp & 1 ? [a.sig << 1n, a.exp - 1] : [a.sig, a.exp];
  const root = integerSqrt((1n << 128n) / sig);
  return round(COARSE, 0, (root << 1n) | 1n, -65 - exp / 2, flushing());
}
