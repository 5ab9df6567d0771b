// and, or, xor, not and the extensions. Bits that are constant on one side are decided part by part, which turns the
// shift-and-or code that assembles integers from bytes back into a concat of the bytes.
import type { Expressions } from './expressions.ts';
import { highMask, lowMask } from './facts.ts';
import { type Expression, OP } from './ops.ts';
import type { NodeStore } from './store.ts';

type Name = 'and' | 'or' | 'xor';
const NUMBERS = { and: OP.and, or: OP.or, xor: OP.xor } as const;

function isOnes(s: NodeStore, c: Expression, width: number): boolean {
  return s.as[c] === lowMask(width) && s.bs[c] === highMask(width);
}

const isZero = (s: NodeStore, c: Expression): boolean => s.as[c] === 0 && s.bs[c] === 0;

function bitwiseOf(x: Expressions, name: Name, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  const op = NUMBERS[name];
  if (x.isConstant(a)) {
    if (x.isConstant(b)) return x.fold(op, width, a, b);
    [a, b] = [b, a];
  }
  if (a === b) return name === 'xor' ? x.constant(width, 0) : a;
  if (width > 64) {
    const rest = width - 64;
    const high = bitwiseOf(x, name, x.extract(a, 64, rest), x.extract(b, 64, rest), rest);
    return x.concat(high, bitwiseOf(x, name, x.extract(a, 0, 64), x.extract(b, 0, 64), 64));
  }
  if (x.isConstant(b)) {
    const simple = withConstant(x, name, a, b, width);
    if (simple !== 0) return simple;
  } else {
    const simple = withKnown(x, name, a, b, width);
    if (simple !== 0) return simple;
    if (a > b) [a, b] = [b, a];
  }
  if (byParts(s, a, b, width)) return partwise(x, name, a, b, width);
  return x.make(op, width, 0, a, b, 0);
}

function withConstant(x: Expressions, name: Name, a: Expression, c: Expression, width: number): Expression {
  const s = x.nodes;
  const op = NUMBERS[name];
  if (isZero(s, c)) return name === 'and' ? c : a;
  if (isOnes(s, c, width)) return name === 'and' ? a : name === 'or' ? c : notOf(x, a);
  const c0 = s.as[c];
  const c1 = s.bs[c];
  if (s.opOf(a) === op && x.isConstant(s.bs[a]))
    return bitwiseOf(x, name, s.as[a], x.fold(op, width, s.bs[a], c), width);
  if (name === 'and') {
    // bits that the mask drops are 0 already
    if ((s.zeros0[a] | c0 | ~lowMask(width)) === -1 && (s.zeros1[a] | c1 | ~highMask(width)) === -1) return a;
    // bits that a constant sets and the mask drops again
    const set = s.opOf(a) === OP.or && width <= 64 && x.isConstant(s.bs[a]) ? s.bs[a] : 0;
    if (set !== 0 && ((s.as[set] & c0) | (s.bs[set] & c1)) === 0)
      return bitwiseOf(x, 'and', s.as[a], c, width);
    const run = lowRun(c0, c1);
    if (run > 0) return x.zext(x.extract(a, 0, run), width);
    if (wholeBytes(c0) && wholeBytes(c1) && width % 8 === 0) return maskedBytes(x, a, c0, c1, width);
  } else if (name === 'or') {
    if ((c0 & ~s.ones0[a]) === 0 && (c1 & ~s.ones1[a]) === 0) return a;
  } else if (s.opOf(a) === OP.not) {
    return bitwiseOf(x, 'xor', s.as[a], notOf(x, c), width);
  }
  return 0;
}

/** Length of a mask that is one run of ones from bit 0, or 0. */
function lowRun(c0: number, c1: number): number {
  if (c1 === 0) return c0 !== 0 && (c0 & (c0 + 1)) === 0 ? 32 - Math.clz32(c0) : 0;
  return c0 === -1 && (c1 & (c1 + 1)) === 0 ? 64 - Math.clz32(c1) : 0;
}

/** Whether each byte of the word is 0x00 or 0xff. */
function wholeBytes(word: number): boolean {
  return Math.imul(word & 0x01010101, 0xff) === word;
}

function maskedBytes(x: Expressions, a: Expression, c0: number, c1: number, width: number): Expression {
  const kept = (i: number): boolean => (((i < 4 ? c0 : c1) >>> (8 * (i & 3))) & 1) === 1;
  let out = 0;
  for (let from = 0; from < width / 8; ) {
    let to = from + 1;
    while (to < width / 8 && kept(to) === kept(from)) to++;
    const bits = 8 * (to - from);
    const part = kept(from) ? x.extract(a, 8 * from, bits) : x.constant(bits, 0);
    out = out === 0 ? part : x.concat(part, out);
    from = to;
  }
  return out;
}

function withKnown(x: Expressions, name: Name, a: Expression, b: Expression, width: number): Expression {
  const s = x.nodes;
  if ((s.opOf(a) === OP.not && s.as[a] === b) || (s.opOf(b) === OP.not && s.as[b] === a))
    return name === 'and' ? x.constant(width, 0) : x.constant(width, -1, -1);
  const simple = beside(x, name, a, b, width);
  return simple !== 0 ? simple : beside(x, name, b, a, width);
}

/** p beside q, where p alone says something about both. */
function beside(x: Expressions, name: Name, p: Expression, q: Expression, width: number): Expression {
  const s = x.nodes;
  if (s.opOf(p) === NUMBERS[name]) {
    if (s.as[p] === q) return name === 'xor' ? s.bs[p] : p;
    if (s.bs[p] === q) return name === 'xor' ? s.as[p] : p;
    // constants move outwards, where they meet
    if (x.isConstant(s.bs[p]))
      return bitwiseOf(x, name, bitwiseOf(x, name, s.as[p], q, width), s.bs[p], width);
  }
  if (name === 'xor') return s.opOf(p) === OP.not ? notOf(x, bitwiseOf(x, 'xor', s.as[p], q, width)) : 0;
  const word0 = name === 'and' ? s.ones0[q] | s.zeros0[p] : s.zeros0[q] | s.ones0[p];
  const word1 = name === 'and' ? s.ones1[q] | s.zeros1[p] : s.zeros1[q] | s.ones1[p];
  return (word0 | ~lowMask(width)) === -1 && (word1 | ~highMask(width)) === -1 ? p : 0;
}

/** Where a value splits in two: at the end of its lowest parts; -1 for a constant (anywhere), 0 for none. */
function splitOf(s: NodeStore, e: Expression): number {
  const op = s.opOf(e);
  if (op === OP.const) return -1;
  if (op === OP.zext) return s.widthOf(s.as[e]);
  return op === OP.concat ? s.widthOf(s.bs[e]) : 0;
}

/** Whether both are rows of parts whose bounds agree, or may be made to: whole bytes, or a constant beside parts. */
function byParts(s: NodeStore, a: Expression, b: Expression, width: number): boolean {
  const p = splitOf(s, a);
  const q = splitOf(s, b);
  if (p === 0 || q === 0) return false;
  if (p === -1 || q === -1 || p === q) return true;
  return width % 8 === 0 && p % 8 === 0 && q % 8 === 0;
}

function partwise(x: Expressions, name: Name, a: Expression, b: Expression, width: number): Expression {
  const at = Math.max(splitOf(x.nodes, a), splitOf(x.nodes, b));
  const rest = width - at;
  const high = bitwiseOf(x, name, x.extract(a, at, rest), x.extract(b, at, rest), rest);
  return x.concat(high, bitwiseOf(x, name, x.extract(a, 0, at), x.extract(b, 0, at), at));
}

function notOf(x: Expressions, a: Expression): Expression {
  const s = x.nodes;
  const width = s.widthOf(a);
  switch (s.opOf(a)) {
    case OP.const:
      return x.fold(OP.not, width, a, 0);
    case OP.not:
      return s.as[a];
    case OP.concat:
      return x.concat(notOf(x, s.as[a]), notOf(x, s.bs[a]));
    case OP.sext:
      return x.sext(notOf(x, s.as[a]), width);
    case OP.zext: {
      const ones = x.constant(1, 1);
      return x.concat(x.sext(ones, width - s.widthOf(s.as[a])), notOf(x, s.as[a]));
    }
    case OP.xor:
      if (x.isConstant(s.bs[a])) return bitwiseOf(x, 'xor', s.as[a], notOf(x, s.bs[a]), width);
      break;
  }
  return x.make(OP.not, width, 0, a, 0, 0);
}

function zextOf(x: Expressions, a: Expression, width: number): Expression {
  const s = x.nodes;
  if (s.opOf(a) === OP.zext) return zextOf(x, s.as[a], width);
  if (s.opOf(a) === OP.concat && s.isZero(s.as[a])) return zextOf(x, s.bs[a], width);
  return x.make(OP.zext, width, 0, a, 0, 0);
}

function sextOf(x: Expressions, a: Expression, width: number): Expression {
  const s = x.nodes;
  const op = s.opOf(a);
  if (op === OP.sext || op === OP.zext)
    return op === OP.sext ? sextOf(x, s.as[a], width) : zextOf(x, s.as[a], width);
  const from = s.widthOf(a);
  if (signKnown(s, a, from) === 0) return zextOf(x, a, width);
  return x.make(OP.sext, width, 0, a, 0, 0);
}

/** The top bit if it is known, else -1. */
export function signKnown(s: NodeStore, a: Expression, width: number): number {
  if (width > 64) return -1;
  const at = (width - 1) & 31;
  const [zeros, ones] = width > 32 ? [s.zeros1[a], s.ones1[a]] : [s.zeros0[a], s.ones0[a]];
  return (zeros >> at) & 1 ? 0 : (ones >> at) & 1 ? 1 : -1;
}

export const bitwise = {
  and: (x: Expressions, a: Expression, b: Expression, width: number) => bitwiseOf(x, 'and', a, b, width),
  or: (x: Expressions, a: Expression, b: Expression, width: number) => bitwiseOf(x, 'or', a, b, width),
  xor: (x: Expressions, a: Expression, b: Expression, width: number) => bitwiseOf(x, 'xor', a, b, width),
  not: notOf,
  zext: zextOf,
  sext: sextOf,
} as const;
