// Conditions taken apart into conditions of single bytes, as far as their form allows: what string functions ask of
// masks (`is the first bit that is set the third one?`) says something of each byte alone. Domains of bytes then answer
// what a solver would have to be asked.
import { type Expression, type Expressions, OP } from '../expr/index.ts';

/** Depth to which operations are looked through. */
const MAX_DEPTH = 64;

/** An equal condition that is a conjunction, or disjunction, of smaller ones where that is seen at once. */
export function unfolded(x: Expressions, condition: Expression, depth = 0): Expression {
  if (depth > MAX_DEPTH || x.width(condition) !== 1) return condition;
  const op = x.op(condition);
  const [a, b] = [x.child(condition, 0), x.child(condition, 1)];
  const again = (e: Expression): Expression => unfolded(x, e, depth + 1);
  switch (op) {
    case OP.and:
    case OP.or: {
      const [left, right] = [again(a), again(b)];
      return op === OP.and ? x.and(left, right) : x.or(left, right);
    }
    case OP.not:
      return x.not(again(a));
    case OP.extract:
      return bitOf(x, a, x.nodes.auxOf(condition));
    case OP.eq:
      return equality(x, condition, a, b, again);
    case OP.ltu:
      return order(x, condition, a, b);
    default:
      return condition;
  }
}

function equality(
  x: Expressions,
  condition: Expression,
  a: Expression,
  b: Expression,
  again: (e: Expression) => Expression,
): Expression {
  const width = x.width(a);
  if (width === 1) return condition;
  const value = x.isConstant(b) ? x.value(b) : undefined;
  if (value === undefined) return condition;
  const inner = unextended(x, a);
  if (x.op(inner) === OP.ctz) return firstBit(x, x.child(inner, 0), value);
  if (x.op(inner) === OP.clz) return lastBit(x, x.child(inner, 0), value);
  if (x.op(a) === OP.shr && x.isConstant(x.child(a, 1))) return bitsEqual(x, a, value);
  if (x.op(a) === OP.or && value === 0n) {
    const zero = x.constantBig(width, 0n);
    return x.and(again(x.eq(x.child(a, 0), zero)), again(x.eq(x.child(a, 1), zero)));
  }
  if (x.op(a) === OP.concat) {
    const [high, low] = [x.child(a, 0), x.child(a, 1)];
    const [highWidth, lowWidth] = [x.width(high), x.width(low)];
    return x.and(
      again(x.eq(high, x.constantBig(highWidth, value >> BigInt(lowWidth)))),
      again(x.eq(low, x.constantBig(lowWidth, BigInt.asUintN(lowWidth, value)))),
    );
  }
  return condition;
}

/** Comparisons of the place of the first bit that is set with a constant. */
function order(x: Expressions, condition: Expression, a: Expression, b: Expression): Expression {
  const [left, right] = [unextended(x, a), unextended(x, b)];
  // ctz(m) < k: one of the lowest k bits is set
  if (x.op(left) === OP.ctz && x.isConstant(b)) return x.not(noneBelow(x, x.child(left, 0), x.value(b)));
  // k < ctz(m): none of the lowest k + 1 bits is set
  if (x.op(right) === OP.ctz && x.isConstant(a)) return noneBelow(x, x.child(right, 0), x.value(a) + 1n);
  return condition;
}

function unextended(x: Expressions, e: Expression): Expression {
  let out = e;
  while (x.op(out) === OP.zext) out = x.child(out, 0);
  return out;
}

/** ctz(mask) = at. */
function firstBit(x: Expressions, mask: Expression, at: bigint): Expression {
  const width = BigInt(x.width(mask));
  if (at > width) return x.constant(1, 0);
  const below = noneBelow(x, mask, at);
  return at === width ? below : x.and(below, lowBit(x, mask, Number(at)));
}

/** clz(mask) = count. */
function lastBit(x: Expressions, mask: Expression, count: bigint): Expression {
  const width = x.width(mask);
  if (count > BigInt(width)) return x.constant(1, 0);
  const top = width - 1 - Number(count);
  let out = top >= 0 ? bitOf(x, mask, top) : x.constant(1, 1);
  for (let i = width - 1; i > top; i--) out = x.and(out, x.not(bitOf(x, mask, i)));
  return out;
}

/** e = value, bit by bit. */
function bitsEqual(x: Expressions, e: Expression, value: bigint): Expression {
  let out = x.constant(1, 1);
  for (let i = 0; i < x.width(e); i++) {
    const bit = bitOf(x, e, i);
    out = x.and(out, ((value >> BigInt(i)) & 1n) === 1n ? bit : x.not(bit));
  }
  return out;
}

/** None of the lowest `count` bits is set. */
function noneBelow(x: Expressions, mask: Expression, count: bigint): Expression {
  let out = x.constant(1, 1);
  for (let i = 0; i < Math.min(Number(count), x.width(mask)); i++)
    out = x.and(out, x.not(lowBit(x, mask, i)));
  return out;
}

/**
 * Bit `at` of a mask of which only the lowest bit that is set matters. That of m - 0xffff, m of 16 bits, is the lowest
 * that is not set in m: so string functions look for the first difference.
 */
function lowBit(x: Expressions, mask: Expression, at: number): Expression {
  let sum = mask;
  while (x.op(sum) === OP.zext) sum = x.child(sum, 0);
  if (at >= x.width(sum)) return x.constant(1, 0);
  const [first, second] = [x.child(sum, 0), x.child(sum, 1)];
  if (x.op(sum) === OP.add && x.isConstant(second) && x.op(first) === OP.zext) {
    const bits = x.child(first, 0);
    const all = (1n << BigInt(x.width(bits))) - 1n;
    if (BigInt.asUintN(x.width(sum), x.value(second) + all) === 0n)
      return at < x.width(bits) ? x.not(bitOf(x, bits, at)) : x.constant(1, 0);
  }
  return bitOf(x, sum, at);
}

/** One bit of a value, looked for as deep as it can be followed. */
export function bitOf(x: Expressions, e: Expression, at: number, depth = 0): Expression {
  if (depth < MAX_DEPTH) {
    const a = x.child(e, 0);
    const follow = (child: Expression, bit: number): Expression => bitOf(x, child, bit, depth + 1);
    switch (x.op(e)) {
      case OP.and:
        return x.and(follow(a, at), follow(x.child(e, 1), at));
      case OP.or:
        return x.or(follow(a, at), follow(x.child(e, 1), at));
      case OP.xor:
        return x.xor(follow(a, at), follow(x.child(e, 1), at));
      case OP.not:
        return x.not(follow(a, at));
      case OP.shr:
      case OP.shl: {
        const count = x.child(e, 1);
        if (!x.isConstant(count)) break;
        const from = x.op(e) === OP.shr ? at + Number(x.value(count)) : at - Number(x.value(count));
        return from >= 0 && from < x.width(a) ? follow(a, from) : x.constant(1, 0);
      }
      case OP.zext:
        return at < x.width(a) ? follow(a, at) : x.constant(1, 0);
      case OP.sext:
        return follow(a, Math.min(at, x.width(a) - 1));
      case OP.extract:
        return follow(a, at + x.nodes.auxOf(e));
      case OP.concat: {
        const low = x.child(e, 1);
        return at < x.width(low) ? follow(low, at) : follow(a, at - x.width(low));
      }
    }
  }
  return x.width(e) === 1 ? e : x.extract(e, at, 1);
}

/** The conditions of which one has to hold; one where it is no disjunction. At most `limit`. */
export function alternatives(x: Expressions, condition: Expression, limit: number): readonly Expression[] {
  const out: Expression[] = [];
  const waiting: { e: Expression; negated: boolean }[] = [{ e: condition, negated: false }];
  for (let next = waiting.pop(); next !== undefined && out.length < limit; next = waiting.pop()) {
    const { e, negated } = next;
    const op = x.op(e);
    if (op === OP.not) waiting.push({ e: x.child(e, 0), negated: !negated });
    else if (op === (negated ? OP.and : OP.or) && x.width(e) === 1)
      waiting.push({ e: x.child(e, 1), negated }, { e: x.child(e, 0), negated });
    else out.push(negated ? x.not(e) : e);
  }
  return out;
}
