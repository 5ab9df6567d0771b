// Comparisons. There are three (eq, ltu, lts), with constants on the right; the others are their negations. Both sides
// are taken apart as far as possible, so that a comparison names the bytes that it is about.

import { bitwise, signKnown } from './bitwise.ts';
import type { Expressions } from './expressions.ts';
import { highMask, lowMask } from './facts.ts';
import { type Expression, OP } from './ops.ts';

/** Concats of more parts than this stay whole in an equation of two values. */
const MOST_PARTS = 16;

function eq(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  if (a === b) return x.constant(1, 1);
  if (x.isConstant(a)) {
    if (x.isConstant(b)) return x.constant(1, 0);
    [a, b] = [b, a];
  }
  if (width === 1) return bitwise.not(x, bitwise.xor(x, a, b, 1));
  if (differ(x, a, b, width)) return x.constant(1, 0);
  if (x.isConstant(b)) {
    const simple = eqConstant(x, a, b, width);
    if (simple !== 0) return simple;
    return x.make(OP.eq, 1, 0, a, b, 0);
  }
  const simple = eqValues(x, a, b, width);
  if (simple !== 0) return simple;
  if (a > b) [a, b] = [b, a];
  return x.make(OP.eq, 1, 0, a, b, 0);
}

/** Whether known bits or bounds say that the values are never equal. */
function differ(x: Expressions, a: Expression, b: Expression, width: number): boolean {
  const s = x.nodes;
  if (width > 64) return false;
  if (s.min[a] > s.max[b] || s.min[b] > s.max[a]) return true;
  const low = (s.ones0[a] & s.zeros0[b]) | (s.zeros0[a] & s.ones0[b]);
  const high = (s.ones1[a] & s.zeros1[b]) | (s.zeros1[a] & s.ones1[b]);
  return ((low & lowMask(width)) | (high & highMask(width))) !== 0;
}

function eqConstant(x: Expressions, a: Expression, c: Expression, width: number): Expression {
  const s = x.nodes;
  const [p, q] = [s.as[a], s.bs[a]];
  const op = s.opOf(a);
  if (op === OP.variable || op === OP.extract) return 0;
  if (op === OP.zext && width <= 64) {
    const from = s.widthOf(p);
    return ((s.as[c] & ~lowMask(from)) | (s.bs[c] & ~highMask(from))) === 0
      ? eq(x, p, x.constant(from, s.as[c], s.bs[c]), from)
      : x.constant(1, 0);
  }
  const v = x.value(c);
  const big = (value: bigint): Expression => x.constantBig(width, value);
  switch (op) {
    case OP.not:
      return eq(x, p, x.fold(OP.not, width, c, 0), width);
    case OP.add:
      return x.isConstant(q) ? eq(x, p, big(v - x.value(q)), width) : 0;
    case OP.xor:
      if (x.isConstant(q)) return eq(x, p, big(v ^ x.value(q)), width);
      return v === 0n ? eq(x, p, q, width) : 0;
    case OP.sub:
      if (v === 0n) return eq(x, p, q, width);
      return x.isConstant(p) ? eq(x, q, big(x.value(p) - v), width) : 0;
    case OP.and:
      return x.isConstant(q) && (v & ~x.value(q)) !== 0n ? x.constant(1, 0) : 0;
    case OP.or:
      if (v === 0n) return bitwise.and(x, eq(x, p, c, width), eq(x, q, c, width), 1);
      return x.isConstant(q) && (x.value(q) & ~v) !== 0n ? x.constant(1, 0) : 0;
    case OP.mul:
      return x.isConstant(q) && (x.value(q) & 1n) === 1n
        ? eq(x, p, big(v * inverse(x.value(q), width)), width)
        : 0;
    case OP.rotl:
      return x.isConstant(q) ? eq(x, p, x.binary('rotr', c, q), width) : 0;
    case OP.zext: {
      const from = s.widthOf(p);
      return v >> BigInt(from) === 0n ? eq(x, p, x.constantBig(from, v), from) : x.constant(1, 0);
    }
    case OP.sext: {
      const from = s.widthOf(p);
      const same = BigInt.asUintN(width, BigInt.asIntN(from, v)) === v;
      return same ? eq(x, p, x.constantBig(from, v), from) : x.constant(1, 0);
    }
    case OP.concat: {
      const below = s.widthOf(q);
      const high = eq(x, p, x.constantBig(s.widthOf(p), v >> BigInt(below)), s.widthOf(p));
      if (s.isZero(high)) return high;
      return bitwise.and(x, high, eq(x, q, x.constantBig(below, v), below), 1);
    }
    case OP.shl:
      return eqShifted(x, a, v, width);
    case OP.ctz:
    case OP.clz:
      return eqZeros(x, a, v, width);
    case OP.select:
      return eqSelect(x, a, c, width);
    case OP.table: {
      const hits = x.derivedTable(a, `=${v}`, (entry) => (entry === v ? 1n : 0n));
      const last = s.max[p];
      // an index may lie past the end, where the entry is 0
      if (last >= hits.length && v === 0n) return 0;
      const only = hits.indexOf(1n);
      if (only < 0) return x.constant(1, 0);
      if (hits.indexOf(1n, only + 1) < 0 && fits(only, s.widthOf(p)))
        return eq(x, p, x.constant(s.widthOf(p), only), s.widthOf(p));
      return x.table(p, 1, hits);
    }
  }
  return 0;
}

const fits = (value: number, width: number): boolean => width >= 31 || value < 1 << width;

/** Inverse of an odd number modulo 2 ** width. */
function inverse(odd: bigint, width: number): bigint {
  let out = odd;
  for (let bits = 3; bits < width; bits *= 2) out = BigInt.asUintN(width, out * (2n - odd * out));
  return out;
}

/** (p << k) == v: the low bits of v are zeros, and the rest of p is the rest of v. */
function eqShifted(x: Expressions, a: Expression, v: bigint, width: number): Expression {
  const s = x.nodes;
  if (!x.isConstant(s.bs[a])) return 0;
  const k = Number(x.value(s.bs[a]));
  if ((v & ((1n << BigInt(k)) - 1n)) !== 0n) return x.constant(1, 0);
  const rest = width - k;
  return eq(x, x.extract(s.as[a], 0, rest), x.constantBig(rest, v >> BigInt(k)), rest);
}

/** So many zeros at an end: they are zeros, and the bit after them is a one. */
function eqZeros(x: Expressions, a: Expression, v: bigint, width: number): Expression {
  const s = x.nodes;
  const count = Number(v);
  if (count > width) return x.constant(1, 0);
  const some = someWithin(x, a, count);
  const none = some === 0 ? x.constant(1, 1) : bitwise.not(x, some);
  if (count === width) return none;
  const at = s.opOf(a) === OP.ctz ? count : width - 1 - count;
  return bitwise.and(x, none, x.extract(s.as[a], at, 1), 1);
}

/** Whether a one is among the `count` bits where a ctz or clz node begins to count; 0 for no bits. */
function someWithin(x: Expressions, a: Expression, count: number): Expression {
  const s = x.nodes;
  if (count === 0) return 0;
  const at = s.opOf(a) === OP.ctz ? 0 : s.widthOf(a) - count;
  const bits = x.extract(s.as[a], at, count);
  return bitwise.not(x, eq(x, bits, x.constant(count, 0), count));
}

function eqSelect(x: Expressions, a: Expression, c: Expression, width: number): Expression {
  const s = x.nodes;
  if (!x.isConstant(s.bs[a]) && !x.isConstant(s.cs[a])) return 0;
  return x.select(s.as[a], eq(x, s.bs[a], c, width), eq(x, s.cs[a], c, width));
}

function eqValues(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  const [op, other] = [s.opOf(a), s.opOf(b)];
  if (op === other && (op === OP.zext || op === OP.sext)) {
    const [p, q] = [s.as[a], s.as[b]];
    const to = Math.max(s.widthOf(p), s.widthOf(q));
    const widen = (e: Expression): Expression => (op === OP.zext ? x.zext(e, to) : x.sext(e, to));
    return eq(x, widen(p), widen(q), to);
  }
  if (op === OP.not && other === OP.not) return eq(x, s.as[a], s.as[b], width);
  if ((op === OP.add || op === OP.xor) && op === other && x.isConstant(s.bs[a]) && x.isConstant(s.bs[b])) {
    const c = x.fold(op === OP.add ? OP.sub : OP.xor, width, s.bs[b], s.bs[a]);
    return eq(x, s.as[a], x.binary(op === OP.add ? 'add' : 'xor', s.as[b], c), width);
  }
  // sums and exclusive ors with a common operand
  for (const [p, q] of [
    [a, b],
    [b, a],
  ]) {
    const pop = s.opOf(p);
    if (pop !== OP.add && pop !== OP.xor) continue;
    if (s.as[p] === q || s.bs[p] === q)
      return eq(x, s.as[p] === q ? s.bs[p] : s.as[p], x.constant(width, 0), width);
  }
  const at = splitOf(x, a, b);
  if (at === 0 || width > 8 * MOST_PARTS) return 0;
  const rest = width - at;
  const high = eq(x, x.extract(a, at, rest), x.extract(b, at, rest), rest);
  if (s.isZero(high)) return high;
  return bitwise.and(x, high, eq(x, x.extract(a, 0, at), x.extract(b, 0, at), at), 1);
}

/** Where both values have a bound of parts, or 0. */
function splitOf(x: Expressions, a: Expression, b: Expression): number {
  const s = x.nodes;
  const bound = (e: Expression): number =>
    s.opOf(e) === OP.zext ? s.widthOf(s.as[e]) : s.opOf(e) === OP.concat ? s.widthOf(s.bs[e]) : 0;
  const [p, q] = [bound(a), bound(b)];
  if (p === 0 || q === 0) return s.widthOf(a) > 64 ? 64 : 0;
  return p === q || (p % 8 === 0 && q % 8 === 0) ? Math.max(p, q) : 0;
}

/** Whether it chooses between two constants, so that comparing with a constant is choosing between two bits. */
function choosesConstants(x: Expressions, e: Expression): boolean {
  const s = x.nodes;
  return s.opOf(e) === OP.select && x.isConstant(s.bs[e]) && x.isConstant(s.cs[e]);
}

function ltu(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  if (a === b) return x.constant(1, 0);
  if (x.isConstant(a) && x.isConstant(b)) return x.fold(OP.ltu, width, a, b);
  if (width === 1) return bitwise.and(x, bitwise.not(x, a), b, 1);
  if (width <= 64) {
    if (s.max[a] < s.min[b]) return x.constant(1, 1);
    if (s.min[a] >= s.max[b]) return x.constant(1, 0);
  }
  if (x.isConstant(a)) {
    if (x.isOnes(a)) return x.constant(1, 0);
    return bitwise.not(x, ltu(x, b, x.fold(OP.add, width, a, x.constant(width, 1)), width));
  }
  if (x.isConstant(b)) {
    const v = s.smallOf(b);
    if (v === 0) return x.constant(1, 0);
    if (v === 1) return eq(x, a, x.constant(width, 0), width);
    if (x.isOnes(b)) return bitwise.not(x, eq(x, a, b, width));
  }
  const [op, other] = [s.opOf(a), s.opOf(b)];
  if (op === OP.zext && (other === OP.zext || x.isConstant(b))) {
    const from = s.widthOf(s.as[a]);
    const to = other === OP.zext ? Math.max(from, s.widthOf(s.as[b])) : from;
    // the constant fits, or bounds had decided
    if (to < width && (other === OP.zext || x.value(b) >> BigInt(to) === 0n))
      return ltu(x, x.zext(s.as[a], to), x.extract(b, 0, to), to);
    if (other !== OP.zext) return x.constant(1, 1);
  }
  if (width > 64) return highFirst(x, a, b, width);
  if (x.isConstant(b) && choosesConstants(x, a))
    return x.select(s.as[a], ltu(x, s.bs[a], b, width), ltu(x, s.cs[a], b, width));
  // fewer zeros than so many: a one is among the first bits; the constant is at most the width, or bounds had decided
  if ((op === OP.ctz || op === OP.clz) && s.smallOf(b) > 0) return someWithin(x, a, s.smallOf(b));
  // with the same high parts the low ones decide
  if (op === OP.concat && other === OP.concat && s.as[a] === s.as[b])
    return ltu(x, s.bs[a], s.bs[b], s.widthOf(s.bs[a]));
  if (op === OP.concat && x.isConstant(b)) return concatBelow(x, a, b, width);
  return x.make(OP.ltu, 1, 0, a, b, 0);
}

/** Wide values: the high halves decide, or are equal. */
function highFirst(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const rest = width - 64;
  const [p, q] = [x.extract(a, 64, rest), x.extract(b, 64, rest)];
  const lower = ltu(x, x.extract(a, 0, 64), x.extract(b, 0, 64), 64);
  return bitwise.or(x, ltu(x, p, q, rest), bitwise.and(x, eq(x, p, q, rest), lower, 1), 1);
}

/** high:low < c. Where the low part of c is 0, the high part alone decides. */
function concatBelow(x: Expressions, a: Expression, c: Expression, width: number): Expression {
  const s = x.nodes;
  const below = s.widthOf(s.bs[a]);
  if (BigInt.asUintN(below, x.value(c)) !== 0n) return x.make(OP.ltu, 1, 0, a, c, 0);
  const rest = width - below;
  return ltu(x, s.as[a], x.constantBig(rest, x.value(c) >> BigInt(below)), rest);
}

function lts(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  if (a === b) return x.constant(1, 0);
  if (x.isConstant(a) && x.isConstant(b)) return x.fold(OP.lts, width, a, b);
  if (width === 1) return bitwise.and(x, a, bitwise.not(x, b), 1);
  if (width > 64) return wideSigned(x, a, b, width);
  const [p, q] = [signKnown(s, a, width), signKnown(s, b, width)];
  if (p >= 0 && q >= 0) return p === q ? ltu(x, a, b, width) : x.constant(1, p);
  if (x.isConstant(a)) {
    const most = (1n << BigInt(width - 1)) - 1n;
    if (x.value(a) === most) return x.constant(1, 0);
    return bitwise.not(x, lts(x, b, x.constantBig(width, x.value(a) + 1n), width));
  }
  if (x.isConstant(b)) {
    if (x.value(b) === 0n) return x.extract(a, width - 1, 1);
    if (x.value(b) === 1n << BigInt(width - 1)) return x.constant(1, 0);
    if (choosesConstants(x, a))
      return x.select(s.as[a], lts(x, s.bs[a], b, width), lts(x, s.cs[a], b, width));
  }
  if (s.opOf(a) === OP.sext) {
    const from = s.widthOf(s.as[a]);
    if (s.opOf(b) === OP.sext && s.widthOf(s.as[b]) === from) return lts(x, s.as[a], s.as[b], from);
    if (x.isConstant(b)) {
      const v = BigInt.asIntN(width, x.value(b));
      if (BigInt.asIntN(from, v) === v) return lts(x, s.as[a], x.constantBig(from, v), from);
      return x.constant(1, v > 0n ? 1 : 0);
    }
  }
  return x.make(OP.lts, 1, 0, a, b, 0);
}

/** Wide values: the high part is signed, the low one is not. */
function wideSigned(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const rest = width - 64;
  const [p, q] = [x.extract(a, 64, rest), x.extract(b, 64, rest)];
  const lower = ltu(x, x.extract(a, 0, 64), x.extract(b, 0, 64), 64);
  return bitwise.or(x, lts(x, p, q, rest), bitwise.and(x, eq(x, p, q, rest), lower, 1), 1);
}

export const comparison = { eq, ltu, lts } as const;
