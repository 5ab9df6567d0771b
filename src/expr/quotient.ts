// Divisions by constants as compilers write them (Granlund and Montgomery, "Division by invariant integers using
// multiplication"): the high bits of a product with a rounded-up reciprocal are a quotient, and what a multiple of the
// quotient leaves is a remainder. As such they have narrow bounds, and a solver has less to do.
import type { Expressions } from './expressions.ts';
import { type Expression, OP } from './ops.ts';

/** The quotient that bits of a product from `k` on are, of the product's width (mul or mulhu); 0 where it is none. */
export function quotientOf(x: Expressions, product: Expression, k: number): Expression {
  const s = x.nodes;
  const op = s.opOf(product);
  const [a, by] = [s.as[product], s.bs[product]];
  const width = s.widthOf(product);
  if ((op !== OP.mul && op !== OP.mulhu) || width > 64 || !x.isConstant(by)) return 0;
  return quotient(x, a, x.value(by), op === OP.mul ? k : width + k, op === OP.mul);
}

/** floor(a * by / 2 ** k) as a division, if it is one for all values that a can have; `fits`: the product has to fit. */
export function quotient(x: Expressions, a: Expression, by: bigint, k: number, fits: boolean): Expression {
  const width = x.width(a);
  const max = greatest(x, a);
  if (by < 3n || k < 2 || k > 127) return 0;
  const power = 1n << BigInt(k);
  const divisor = (power + by - 1n) / by;
  const excess = by * divisor - power;
  // no divisor of a few bits, no reciprocal
  if (divisor < 3n || divisor >> BigInt(width) !== 0n || (divisor & (divisor - 1n)) === 0n) return 0;
  if (excess * max >= power || by <= divisor) return 0;
  if (fits && (max * by) >> BigInt(width) !== 0n) return 0;
  return x.binary('quotu', a, x.constantBig(width, divisor));
}

/** No value is greater: bounds are not kept beyond 53 bits, bits are. */
function greatest(x: Expressions, e: Expression): bigint {
  const { max } = x.range(e);
  const bits = BigInt.asUintN(x.width(e), ~x.knownBits(e).zeros);
  return bits < max ? bits : max;
}

interface Multiple {
  readonly base: Expression;
  readonly by: bigint;
}

/** The value as a constant multiple of another. */
function multipleOf(x: Expressions, e: Expression): Multiple {
  const s = x.nodes;
  const op = s.opOf(e);
  if ((op !== OP.mul && op !== OP.shl) || !x.isConstant(s.bs[e]) || s.widthOf(e) > 64)
    return { base: e, by: 1n };
  const inner = multipleOf(x, s.as[e]);
  const factor = x.value(s.bs[e]);
  return { base: inner.base, by: op === OP.mul ? inner.by * factor : inner.by << factor };
}

/** The sum of two multiples of one value, as another multiple; 0 where they are of different ones. */
export function sumOfMultiples(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  if (width > 64 || width === 1) return 0;
  const [p, q] = [multipleOf(x, a), multipleOf(x, b)];
  if (p.base !== q.base || (p.base === a && q.base === b)) return 0;
  return x.binary('mul', p.base, x.constantBig(width, p.by + q.by));
}

/** What a multiple of its quotient leaves of a value: a - b, b = d * (a / d); 0 where it is no remainder. */
export function remainderOf(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  if (width > 64) return 0;
  const { base, by } = multipleOf(x, b);
  if (base === b) return 0;
  const isExtended = s.opOf(base) === OP.zext;
  const inner = isExtended ? s.as[base] : base;
  if (s.opOf(inner) !== OP.quotu) return 0;
  if (isExtended && s.opOf(a) !== OP.zext) return 0;
  const whole = isExtended ? s.as[a] : a;
  const divisor = x.constantBig(s.widthOf(inner), BigInt.asUintN(width, by));
  // quotients of quotients are kept as one, so it is compared with what this one's quotient would be
  if (x.value(divisor) !== BigInt.asUintN(width, by) || s.widthOf(whole) !== s.widthOf(inner)) return 0;
  if (x.binary('quotu', whole, divisor) !== inner) return 0;
  const rest = x.binary('modu', whole, divisor);
  return isExtended ? x.zext(rest, width) : rest;
}
