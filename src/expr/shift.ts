// Shifts and rotations. By whole bytes they are rows of parts; otherwise by constants they are combined.

import { bitwise, signKnown } from './bitwise.ts';
import type { Expressions } from './expressions.ts';
import { type Expression, OP } from './ops.ts';
import { quotientOf } from './quotient.ts';

/** A constant count, limited to the width; -1 where it is none. */
function countOf(x: Expressions, b: Expression, width: number): number {
  if (!x.isConstant(b)) return x.nodes.min[b] >= width ? width : -1;
  const value = x.nodes.smallOf(b);
  return value >= 0 && value < width ? value : width;
}

/** Whether a shift by k should be told by parts. */
function byParts(x: Expressions, a: Expression, k: number, width: number): boolean {
  return width > 64 || k === width - 1 || (k % 8 === 0 && width % 8 === 0) || x.nodes.opOf(a) === OP.const;
}

function shl(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  const k = countOf(x, b, width);
  if (k === 0) return a;
  if (k === width || s.isZero(a)) return x.constant(width, 0);
  if (k < 0)
    return x.isConstant(a) && x.isConstant(b) ? x.fold(OP.shl, width, a, b) : variableShift(x, OP.shl, a, b);
  if (byParts(x, a, k, width)) return x.concat(x.extract(a, 0, width - k), x.constant(k, 0));
  if (s.opOf(a) === OP.shl && x.isConstant(s.bs[a]))
    return shl(x, s.as[a], x.constant(width, k + s.smallOf(s.bs[a])), width);
  if (s.opOf(a) === OP.shr && x.isConstant(s.bs[a]) && s.smallOf(s.bs[a]) === k) {
    const mask = ((1n << BigInt(width - k)) - 1n) << BigInt(k);
    return bitwise.and(x, s.as[a], x.constantBig(width, mask), width);
  }
  return x.make(OP.shl, width, 0, a, x.constant(width, k), 0);
}

function shr(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  const k = countOf(x, b, width);
  if (k === 0) return a;
  if (k === width || s.isZero(a)) return x.constant(width, 0);
  if (k < 0)
    return x.isConstant(a) && x.isConstant(b) ? x.fold(OP.shr, width, a, b) : variableShift(x, OP.shr, a, b);
  const quotient = quotientOf(x, a, k);
  if (quotient !== 0) return quotient;
  if (byParts(x, a, k, width)) return x.zext(x.extract(a, k, width - k), width);
  const op = s.opOf(a);
  if (op === OP.zext) {
    const inner = s.as[a];
    const from = s.widthOf(inner);
    if (k >= from) return x.constant(width, 0);
    if (fits(from, k)) return x.zext(shr(x, inner, x.constant(from, k), from), width);
  }
  if (op === OP.shr && x.isConstant(s.bs[a]))
    return shr(x, s.as[a], x.constant(width, k + s.smallOf(s.bs[a])), width);
  if (op === OP.shl && x.isConstant(s.bs[a]) && s.smallOf(s.bs[a]) === k)
    return x.zext(x.extract(s.as[a], 0, width - k), width);
  return x.make(OP.shr, width, 0, a, x.constant(width, k), 0);
}

/** Whether a value of so many bits can hold the count. */
const fits = (width: number, k: number): boolean => width >= 31 || k < 1 << width;

function sar(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  if (signKnown(s, a, width) === 0) return shr(x, a, b, width);
  let k = countOf(x, b, width);
  if (k === 0) return a;
  if (x.isConstant(a) && x.isConstant(b)) return x.fold(OP.sar, width, a, b);
  if (k < 0) return variableShift(x, OP.sar, a, b);
  if (k === width) k = width - 1;
  if (k === 0) return a;
  if (byParts(x, a, k, width)) return x.sext(x.extract(a, k, width - k), width);
  if (s.opOf(a) === OP.sext && k < s.widthOf(s.as[a]) && fits(s.widthOf(s.as[a]), k)) {
    const from = s.widthOf(s.as[a]);
    return x.sext(sar(x, s.as[a], x.constant(from, k), from), width);
  }
  if (s.opOf(a) === OP.sar && x.isConstant(s.bs[a])) {
    const sum = k + s.smallOf(s.bs[a]);
    return sar(x, s.as[a], x.constant(width, Math.min(sum, width - 1)), width);
  }
  return x.make(OP.sar, width, 0, a, x.constant(width, k), 0);
}

function variableShift(x: Expressions, op: number, a: Expression, b: Expression): Expression {
  return x.make(op, x.width(a), 0, a, b, 0);
}

function rotl(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  if (!x.isConstant(b)) return x.make(OP.rotl, width, 0, a, b, 0);
  let k = Number(x.value(b) % BigInt(width));
  if (s.opOf(a) === OP.rotl && x.isConstant(s.bs[a])) {
    k = (k + Number(x.value(s.bs[a]) % BigInt(width))) % width;
    a = s.as[a];
  }
  if (k === 0) return a;
  if (byParts(x, a, k, width)) return x.concat(x.extract(a, 0, width - k), x.extract(a, width - k, k));
  return x.make(OP.rotl, width, 0, a, x.constant(width, k), 0);
}

function rotr(x: Expressions, a: Expression, b: Expression, width: number): Expression {
  if (x.isConstant(b)) {
    const k = Number(x.value(b) % BigInt(width));
    return rotl(x, a, x.constant(width, (width - k) % width), width);
  }
  // the count's negative is the same modulo a width that is a power of two, as IR's are
  return rotl(x, a, x.binary('sub', x.constant(width, 0), b), width);
}

export const shift = { shl, shr, sar, rotl, rotr } as const;
