// Sums, products, quotients. Constants move outwards and meet; a difference with a constant is a sum.

import { bitwise, signKnown } from './bitwise.ts';
import type { Expressions } from './expressions.ts';
import { highMask, lowMask } from './facts.ts';
import { type Expression, OP } from './ops.ts';
import { quotient, remainderOf, sumOfMultiples } from './quotient.ts';
import { shift } from './shift.ts';

const isZero = (x: Expressions, c: Expression): boolean => x.nodes.isZero(c);

function add(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  if (x.isConstant(a)) {
    if (x.isConstant(b)) return x.fold(OP.add, width, a, b);
    [a, b] = [b, a];
  }
  if (isZero(x, b)) return a;
  if (x.isConstant(b)) {
    if (s.opOf(a) === OP.add && x.isConstant(s.bs[a]))
      return add(x, s.as[a], x.fold(OP.add, width, s.bs[a], b), width);
    if (s.opOf(a) === OP.select && x.isConstant(s.bs[a]) && x.isConstant(s.cs[a]))
      return x.select(s.as[a], x.fold(OP.add, width, s.bs[a], b), x.fold(OP.add, width, s.cs[a], b));
    if (takesOnes(x, a, b, width))
      return bitwise.and(x, a, x.constantBig(width, ~x.knownBits(a).ones), width);
    if (s.opOf(a) === OP.not && isOne(x, b)) return sub(x, x.constant(width, 0), s.as[a], width);
  } else {
    if (a === b && width > 1) return shift.shl(x, a, x.constant(width, 1), width);
    for (const [p, q] of [
      [a, b],
      [b, a],
    ]) {
      if (s.opOf(p) === OP.add && x.isConstant(s.bs[p]))
        return add(x, add(x, s.as[p], q, width), s.bs[p], width);
      if (s.opOf(p) === OP.sub) {
        if (s.bs[p] === q) return s.as[p];
        if (isZero(x, s.as[p])) return sub(x, q, s.bs[p], width);
      }
    }
    const sum = sumOfMultiples(x, a, b, width);
    if (sum !== 0) return sum;
    if (a > b) [a, b] = [b, a];
  }
  if (width === 1) return bitwise.xor(x, a, b, width);
  if (disjoint(x, a, b, width)) return bitwise.or(x, a, b, width);
  return x.make(OP.add, width, 0, a, b, 0);
}

/** Whether a constant takes away just the bits that are always 1: a base that an index was joined to. */
function takesOnes(x: Expressions, a: Expression, b: Expression, width: number): boolean {
  const s = x.nodes;
  if (width > 64 || (s.ones0[a] | s.ones1[a]) === 0) return false;
  return (-s.ones0[a] | 0) === s.as[b] && BigInt.asUintN(width, x.knownBits(a).ones + x.value(b)) === 0n;
}

const isOne = (x: Expressions, c: Expression): boolean => x.nodes.smallOf(c) === 1;

/** Whether no bit can be 1 in both, and both are rows of parts (so that an or joins them). */
function disjoint(x: Expressions, a: Expression, b: Expression, width: number): boolean {
  const s = x.nodes;
  if (width > 64) return false;
  const rows = (e: Expression): boolean => {
    const op = s.opOf(e);
    return op === OP.zext || op === OP.concat || op === OP.const;
  };
  if (!rows(a) || !rows(b)) return false;
  const zeros0 = s.zeros0[a] | s.zeros0[b] | ~lowMask(width);
  return zeros0 === -1 && (s.zeros1[a] | s.zeros1[b] | ~highMask(width)) === -1;
}

function sub(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  if (a === b) return x.constant(width, 0);
  if (x.isConstant(b)) return add(x, a, x.negated(b), width);
  if (width === 1) return bitwise.xor(x, a, b, width);
  if (s.opOf(a) === OP.add) {
    if (s.as[a] === b) return s.bs[a];
    if (s.bs[a] === b) return s.as[a];
    if (x.isConstant(s.bs[a])) return add(x, sub(x, s.as[a], b, width), s.bs[a], width);
  }
  if (s.opOf(b) === OP.add) {
    const zero = x.constant(width, 0);
    if (s.as[b] === a) return sub(x, zero, s.bs[b], width);
    if (s.bs[b] === a) return sub(x, zero, s.as[b], width);
    if (x.isConstant(s.bs[b])) {
      const c = x.negated(s.bs[b]);
      return add(x, sub(x, a, s.as[b], width), c, width);
    }
  }
  if (s.opOf(b) === OP.sub) {
    if (isZero(x, a)) return sub(x, s.bs[b], s.as[b], width);
    if (isZero(x, s.as[b])) return add(x, a, s.bs[b], width);
    if (s.as[b] === a) return s.bs[b];
  }
  const rest = remainderOf(x, a, b, width);
  return rest !== 0 ? rest : x.make(OP.sub, width, 0, a, b, 0);
}

/** k where the constant is 2 ** k, else -1. */
function powerOf(x: Expressions, c: Expression): number {
  if (!x.isConstant(c)) return -1;
  const small = x.nodes.smallOf(c);
  if (small > 0) return (small & (small - 1)) === 0 ? 31 - Math.clz32(small) : -1;
  const v = x.value(c);
  return v !== 0n && (v & (v - 1n)) === 0n ? v.toString(2).length - 1 : -1;
}

function mul(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  if (x.isConstant(a)) {
    if (x.isConstant(b)) return x.fold(OP.mul, width, a, b);
    [a, b] = [b, a];
  }
  if (x.isConstant(b)) {
    if (isZero(x, b)) return b;
    const k = powerOf(x, b);
    if (k === 0) return a;
    if (k > 0) return shift.shl(x, a, x.constantBig(width, BigInt(k)), width);
    if (x.value(b) === (1n << BigInt(width)) - 1n) return sub(x, x.constant(width, 0), a, width);
    if (s.opOf(a) === OP.mul && x.isConstant(s.bs[a]))
      return mul(x, s.as[a], x.fold(OP.mul, width, s.bs[a], b), width);
  } else if (a > b) [a, b] = [b, a];
  if (width === 1) return bitwise.and(x, a, b, width);
  return x.make(OP.mul, width, 0, a, b, 0);
}

function mulhu(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  if (x.isConstant(a)) {
    if (x.isConstant(b)) return x.fold(OP.mulhu, width, a, b);
    [a, b] = [b, a];
  }
  if (s.max[a] * s.max[b] < Math.min(2 ** width, 2 ** 53)) return x.constant(width, 0);
  const k = powerOf(x, b);
  if (k === 0) return x.constant(width, 0);
  if (k > 0) return shift.shr(x, a, x.constantBig(width, BigInt(width - k)), width);
  const whole = x.isConstant(b) && width <= 64 ? quotient(x, a, x.value(b), width, false) : 0;
  if (whole !== 0) return whole;
  if (!x.isConstant(b) && a > b) [a, b] = [b, a];
  return x.make(OP.mulhu, width, 0, a, b, 0);
}

function mulhs(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  if (x.isConstant(a)) {
    if (x.isConstant(b)) return x.fold(OP.mulhs, width, a, b);
    [a, b] = [b, a];
  }
  if (isZero(x, b)) return b;
  if (signKnown(x.nodes, a, width) === 0 && signKnown(x.nodes, b, width) === 0) return mulhu(x, a, b, width);
  if (!x.isConstant(b) && a > b) [a, b] = [b, a];
  return x.make(OP.mulhs, width, 0, a, b, 0);
}

function quotu(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  if (x.isConstant(a) && x.isConstant(b)) return x.fold(OP.quotu, width, a, b);
  const k = powerOf(x, b);
  if (k === 0) return a;
  if (k > 0) return shift.shr(x, a, x.constantBig(width, BigInt(k)), width);
  if (s.max[a] < s.min[b]) return x.constant(width, 0);
  if (s.opOf(a) === OP.quotu && x.isConstant(b) && x.isConstant(s.bs[a])) {
    const both = x.value(s.bs[a]) * x.value(b);
    if (both > 0n && both >> BigInt(Math.min(width, 64)) === 0n)
      return quotu(x, s.as[a], x.constantBig(width, both), width);
  }
  const narrow = narrowed(x, OP.quotu, a, b, width);
  return narrow !== 0 ? narrow : x.make(OP.quotu, width, 0, a, b, 0);
}

function modu(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  if (x.isConstant(a) && x.isConstant(b)) return x.fold(OP.modu, width, a, b);
  const k = powerOf(x, b);
  if (k >= 0) return k === 0 ? x.constant(width, 0) : x.zext(x.extract(a, 0, k), width);
  if (s.max[a] < s.min[b]) return a;
  const narrow = narrowed(x, OP.modu, a, b, width);
  return narrow !== 0 ? narrow : x.make(OP.modu, width, 0, a, b, 0);
}

/** An unsigned division of zero extensions is one of the narrower values, but for a divisor of 0. */
function narrowed(x: Expressions, op: number, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  if (s.opOf(a) !== OP.zext || s.min[b] === 0) return 0;
  const from = s.widthOf(s.as[a]);
  if (from > 52 || s.max[b] >= 2 ** from) return 0;
  const inner = x.binary(op === OP.quotu ? 'quotu' : 'modu', s.as[a], x.extract(b, 0, from));
  return x.zext(inner, width);
}

function quots(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  if (x.isConstant(a) && x.isConstant(b)) return x.fold(OP.quots, width, a, b);
  if (powerOf(x, b) === 0 && width > 1) return a;
  if (positive(x, a, b, width)) return quotu(x, a, b, width);
  return x.make(OP.quots, width, 0, a, b, 0);
}

function mods(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  if (x.isConstant(a) && x.isConstant(b)) return x.fold(OP.mods, width, a, b);
  if (positive(x, a, b, width)) return modu(x, a, b, width);
  return x.make(OP.mods, width, 0, a, b, 0);
}

/** Both non-negative for certain, where signed and unsigned quotient agree, by 0 too. */
function positive(x: Expressions, a: Expression, b: Expression, width: number): boolean {
  return signKnown(x.nodes, a, width) === 0 && signKnown(x.nodes, b, width) === 0;
}

export const arithmetic = { add, sub, mul, mulhu, mulhs, quotu, modu, quots, mods } as const;
