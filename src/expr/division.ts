// Division as the processor has it: a dividend of two words by one, with a fault where the quotient does not fit.
import { assert } from '../bytes/index.ts';
import type { Expressions } from './expressions.ts';
import type { Expression } from './ops.ts';

export type DivisionName = 'divu' | 'remu' | 'divs' | 'rems';

const isZero = (x: Expressions, e: Expression): boolean => x.isConstant(e) && x.value(e) === 0n;

/** Whether the dividend is the low word, extended. */
function isExtended(x: Expressions, isSigned: boolean, high: Expression, low: Expression): boolean {
  if (!isSigned) return isZero(x, high);
  const width = x.width(low);
  return high === x.binary('sar', low, x.constant(width, width - 1));
}

export function divided(
  x: Expressions,
  kind: DivisionName,
  high: Expression,
  low: Expression,
  by: Expression,
): Expression {
  const width = x.width(low);
  const isSigned = kind === 'divs' || kind === 'rems';
  const name = kind === 'divu' ? 'quotu' : kind === 'remu' ? 'modu' : kind === 'divs' ? 'quots' : 'mods';
  if (isExtended(x, isSigned, high, low)) return x.binary(name, low, by);
  assert(2 * width <= 128, 'division of words of at most 64 bits');
  const divisor = isSigned ? x.sext(by, 2 * width) : x.zext(by, 2 * width);
  return x.trunc(x.binary(name, x.concat(high, low), divisor), width);
}

export function divideFault(
  x: Expressions,
  isSigned: boolean,
  high: Expression,
  low: Expression,
  by: Expression,
): Expression {
  const width = x.width(low);
  const byZero = x.eq(by, x.constant(width, 0));
  if (!isSigned) return isZero(x, high) ? byZero : x.not(x.ltu(high, by));
  if (isExtended(x, true, high, low)) {
    const least = x.constantBig(width, 1n << BigInt(width - 1));
    const overflow = x.and(x.eq(low, least), x.eq(by, x.constantBig(width, -1n)));
    return x.or(byZero, overflow);
  }
  const quotient = x.binary('quots', x.concat(high, low), x.sext(by, 2 * width));
  return x.or(byZero, x.binary('ne', quotient, x.sext(x.trunc(quotient, width), 2 * width)));
}
