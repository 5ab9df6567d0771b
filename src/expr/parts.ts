// Extract and concat: values as rows of parts. Memory is bytes, so this is where most expressions come from; an
// extract of a concat finds its parts again, and adjacent extracts of one value become that value.
import type { Expressions } from './expressions.ts';
import { type Expression, OP } from './ops.ts';
import { quotientOf } from './quotient.ts';

export function extractOf(x: Expressions, a: Expression, at: number, width: number): Expression {
  const s = x.nodes;
  if (at === 0 && width === s.widthOf(a)) {
    // zeros that stood in the middle stand at the top now
    const zeros = s.opOf(a) === OP.concat && s.isZero(s.as[a]);
    return zeros ? x.zext(s.bs[a], width) : a;
  }
  switch (s.opOf(a)) {
    case OP.const:
      return at === 0 && width <= 32 && s.widthOf(a) <= 64
        ? x.constant(width, s.as[a])
        : x.constantBig(width, x.value(a) >> BigInt(at));
    case OP.extract:
      return extractOf(x, s.as[a], s.auxOf(a) + at, width);
    case OP.concat:
      return extractOfConcat(x, a, at, width);
    case OP.zext: {
      const from = s.widthOf(s.as[a]);
      if (at >= from) return x.constant(width, 0);
      if (at + width <= from) return extractOf(x, s.as[a], at, width);
      return x.zext(extractOf(x, s.as[a], at, from - at), width);
    }
    case OP.sext: {
      const from = s.widthOf(s.as[a]);
      if (at + width <= from) return extractOf(x, s.as[a], at, width);
      if (at < from) return x.sext(extractOf(x, s.as[a], at, from - at), width);
      return x.sext(extractOf(x, s.as[a], from - 1, 1), width);
    }
    case OP.and:
    case OP.or:
    case OP.xor: {
      const [p, q] = [s.as[a], s.bs[a]];
      if (!cheap(x, p, at, width) && !cheap(x, q, at, width)) break;
      const op = s.opOf(a);
      const [high, low] = [extractOf(x, p, at, width), extractOf(x, q, at, width)];
      return x.binary(op === OP.and ? 'and' : op === OP.or ? 'or' : 'xor', high, low);
    }
    case OP.not:
      return x.not(extractOf(x, s.as[a], at, width));
    case OP.add:
    case OP.sub:
    case OP.mul: {
      // low bits of sums and products come of low bits
      if (at > 0 && at + width === s.widthOf(a)) {
        const quotient = quotientOf(x, a, at);
        if (quotient !== 0) return extractOf(x, quotient, 0, width);
      }
      const [p, q] = [s.as[a], s.bs[a]];
      if (at !== 0 || !cheap(x, p, 0, width) || !cheap(x, q, 0, width)) break;
      const op = s.opOf(a);
      const [left, right] = [extractOf(x, p, 0, width), extractOf(x, q, 0, width)];
      return x.binary(op === OP.add ? 'add' : op === OP.sub ? 'sub' : 'mul', left, right);
    }
    case OP.select: {
      const [p, q] = [s.bs[a], s.cs[a]];
      if (!cheap(x, p, at, width) || !cheap(x, q, at, width)) break;
      return x.select(s.as[a], extractOf(x, p, at, width), extractOf(x, q, at, width));
    }
    case OP.shl:
    case OP.shr: {
      const moved = extractOfShift(x, a, at, width);
      if (moved !== 0) return moved;
      break;
    }
    case OP.table: {
      const entries = x.derivedTable(a, `[${at}+${width}`, (v) => BigInt.asUintN(width, v >> BigInt(at)));
      return x.table(s.as[a], width, entries);
    }
  }
  return s.intern(OP.extract, width, at, a, 0, 0);
}

function extractOfConcat(x: Expressions, a: Expression, at: number, width: number): Expression {
  const s = x.nodes;
  const [high, low] = [s.as[a], s.bs[a]];
  const below = s.widthOf(low);
  if (at >= below) return extractOf(x, high, at - below, width);
  if (at + width <= below) return extractOf(x, low, at, width);
  return concatOf(x, extractOf(x, high, 0, at + width - below), extractOf(x, low, at, below - at));
}

/** Bits of a value shifted by a constant are bits of the value, where none of those that came in is among them. */
function extractOfShift(x: Expressions, a: Expression, at: number, width: number): Expression {
  const s = x.nodes;
  const count = s.bs[a];
  if (!x.isConstant(count)) return 0;
  const k = Number(x.value(count));
  const all = s.widthOf(a);
  if (s.opOf(a) === OP.shl) {
    if (at >= k) return extractOf(x, s.as[a], at - k, width);
    if (at + width <= k) return x.constant(width, 0);
    return 0;
  }
  if (at + k >= all) return x.constant(width, 0);
  if (at + k + width <= all) return extractOf(x, s.as[a], at + k, width);
  return x.zext(extractOf(x, s.as[a], at + k, all - at - k), width);
}

/** Whether bits of the value are there without an extract node of their own. */
function cheap(x: Expressions, e: Expression, at: number, width: number): boolean {
  const s = x.nodes;
  switch (s.opOf(e)) {
    case OP.const:
    case OP.extract:
    case OP.table:
      return true;
    case OP.variable:
      return false;
    case OP.zext:
      return at >= s.widthOf(s.as[e]) || (at === 0 && width >= s.widthOf(s.as[e]));
    case OP.concat: {
      const below = s.widthOf(s.bs[e]);
      if (at >= below) return cheap(x, s.as[e], at - below, width) || at + width === s.widthOf(e);
      return at === 0 && width === below ? true : at + width <= below && cheap(x, s.bs[e], at, width);
    }
    default:
      return at === 0 && width === s.widthOf(e);
  }
}

export function concatOf(x: Expressions, high: Expression, low: Expression): Expression {
  const s = x.nodes;
  const width = s.widthOf(high) + s.widthOf(low);
  if (x.isConstant(high)) {
    if (x.isConstant(low))
      return x.constantBig(width, (x.value(high) << BigInt(s.widthOf(low))) | x.value(low));
    if (s.isZero(high)) return x.zext(low, width);
  }
  // lean to the right
  const highOp = s.opOf(high);
  if (highOp === OP.concat) return concatOf(x, s.as[high], concatOf(x, s.bs[high], low));
  if (highOp === OP.zext) return x.zext(concatOf(x, s.as[high], low), width);
  const first = s.opOf(low) === OP.concat ? s.as[low] : low;
  const joined = joinedParts(x, high, first);
  if (joined !== 0) return first === low ? joined : concatOf(x, joined, s.bs[low]);
  // a zero extension in the low part is a constant part in the middle
  if (s.opOf(low) === OP.zext) {
    const inner = s.as[low];
    const zeros = x.constant(s.widthOf(low) - s.widthOf(inner), 0);
    return s.intern(OP.concat, width, 0, high, concatNode(x, zeros, inner), 0);
  }
  return s.intern(OP.concat, width, 0, high, low, 0);
}

/** Constant zeros above a value as a concat, which stands below another part only. */
function concatNode(x: Expressions, zeros: Expression, low: Expression): Expression {
  const s = x.nodes;
  const first = s.opOf(low) === OP.concat ? s.as[low] : low;
  if (x.isConstant(first)) {
    const merged = concatOf(x, zeros, first);
    if (first === low) return merged;
    return s.intern(OP.concat, s.widthOf(zeros) + s.widthOf(low), 0, merged, s.bs[low], 0);
  }
  return s.intern(OP.concat, s.widthOf(zeros) + s.widthOf(low), 0, zeros, low, 0);
}

/** Two neighbours as one part, or 0. */
function joinedParts(x: Expressions, high: Expression, low: Expression): Expression {
  const s = x.nodes;
  if (x.isConstant(high) && x.isConstant(low)) return concatOf(x, high, low);
  if (s.opOf(high) !== OP.extract) return 0;
  const from = s.as[high];
  const at = s.auxOf(high);
  const width = s.widthOf(high) + s.widthOf(low);
  if (s.opOf(low) === OP.extract && s.as[low] === from && s.auxOf(low) + s.widthOf(low) === at)
    return extractOf(x, from, s.auxOf(low), width);
  return 0;
}
