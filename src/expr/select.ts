// Choices between two values.
import { assert } from '../bytes/index.ts';
import { bitwise } from './bitwise.ts';
import type { Expressions } from './expressions.ts';
import { type Expression, OP } from './ops.ts';

export function selectOf(x: Expressions, c: Expression, a: Expression, b: Expression): Expression {
  const s = x.nodes;
  const width = s.widthOf(a);
  assert(s.widthOf(c) === 1 && width === s.widthOf(b), 'one bit chooses between values of one width');
  if (a === b) return a;
  if (x.isConstant(c)) return s.as[c] === 1 ? a : b;
  if (s.opOf(c) === OP.not) return selectOf(x, s.as[c], b, a);
  if (width === 1) return selectBit(x, c, a, b);
  // the same question below has its answer
  if (s.opOf(a) === OP.select && s.as[a] === c) return selectOf(x, c, s.bs[a], b);
  if (s.opOf(b) === OP.select && s.as[b] === c) return selectOf(x, c, a, s.cs[b]);
  if (width > 64) {
    const part = (at: number, bits: number): Expression =>
      selectOf(x, c, x.extract(a, at, bits), x.extract(b, at, bits));
    return x.concat(part(64, width - 64), part(0, 64));
  }
  if (x.isConstant(a) && x.isConstant(b)) {
    const ones = (1n << BigInt(width)) - 1n;
    const [v, w] = [x.value(a), x.value(b)];
    if (w === 0n && v === 1n) return x.zext(c, width);
    if (v === 0n && w === 1n) return x.zext(bitwise.not(x, c), width);
    if (w === 0n && v === ones) return x.sext(c, width);
    if (v === 0n && w === ones) return x.sext(bitwise.not(x, c), width);
  }
  if (s.opOf(a) === OP.zext && s.opOf(b) === OP.zext && s.widthOf(s.as[a]) === s.widthOf(s.as[b]))
    return x.zext(selectOf(x, c, s.as[a], s.as[b]), width);
  return x.make(OP.select, width, 0, c, a, b);
}

function selectBit(x: Expressions, c: Expression, a: Expression, b: Expression): Expression {
  const s = x.nodes;
  if (x.isConstant(a))
    return s.as[a] === 1 ? bitwise.or(x, c, b, 1) : bitwise.and(x, bitwise.not(x, c), b, 1);
  if (x.isConstant(b))
    return s.as[b] === 1 ? bitwise.or(x, bitwise.not(x, c), a, 1) : bitwise.and(x, c, a, 1);
  return x.make(OP.select, 1, 0, c, a, b);
}
