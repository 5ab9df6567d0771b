// Values of an expression for many values of its variables at once: a column of words for each node, filled by a loop
// over rows. 256 rows are one byte variable, whole: that is how a condition on a byte becomes an exact set of values.
// Operations without a loop of their own go through BigInts row by row, as do values wider than 64 bits.
import { ByteSet } from './byte-set.ts';
import type { Expressions } from './expressions.ts';
import { highMask, lowMask } from './facts.ts';
import { type Expression, OP } from './ops.ts';
import { nodesBelow } from './order.ts';
import { extended, meaning } from './semantics.ts';

/** Low and high words of a value by row; `wide` instead for values of more than 64 bits. */
export interface Column {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly wide?: readonly bigint[];
}

const NO_WORDS = new Int32Array(0);

/** The value in a row. */
export function columnValue(column: Column, row: number): bigint {
  if (column.wide !== undefined) return column.wide[row];
  return BigInt(column.low[row] >>> 0) | (BigInt(column.high[row] >>> 0) << 32n);
}

/** A column of these values. */
export function columnOf(width: number, values: readonly bigint[]): Column {
  if (width > 64) return { low: NO_WORDS, high: NO_WORDS, wide: values };
  const out = { low: new Int32Array(values.length), high: new Int32Array(values.length) };
  for (const [i, value] of values.entries()) {
    out.low[i] = Number(value & 0xffffffffn);
    out.high[i] = Number(value >> 32n);
  }
  return out;
}

interface Context {
  readonly x: Expressions;
  readonly rows: number;
  readonly columns: ReadonlyMap<number, Column>;
}

/** Columns of the roots, given those of all variables (by number) below them. */
export function evaluateRows(
  x: Expressions,
  roots: readonly Expression[],
  rows: number,
  variables: ReadonlyMap<number, Column>,
): Column[] {
  const columns = new Map<number, Column>();
  const context: Context = { x, rows, columns };
  const s = x.nodes;
  for (const e of nodesBelow(s, roots)) {
    const given = s.opOf(e) === OP.variable ? variables.get(s.as[e]) : undefined;
    columns.set(e, given ?? columnAt(context, e));
  }
  return roots.map((root) => columns.get(root)!);
}

function columnAt(c: Context, e: Expression): Column {
  const s = c.x.nodes;
  const width = s.widthOf(e);
  const op = s.opOf(e);
  const operand = s.widthOf(s.as[e]);
  if (width <= 64 && (op === OP.const || op === OP.variable || operand <= 64)) {
    const out = { low: new Int32Array(c.rows), high: new Int32Array(c.rows) };
    if (fill(c, e, op, width, out.low, out.high)) return out;
  }
  return columnOf(width, bigRows(c, e));
}

/** Fills words of the rows; false where the operation has no loop of its own. */
function fill(
  c: Context,
  e: Expression,
  op: number,
  width: number,
  low: Int32Array,
  high: Int32Array,
): boolean {
  const s = c.x.nodes;
  const [a, b] = [s.as[e], s.bs[e]];
  const { rows, columns } = c;
  if (op === OP.const) {
    low.fill(a);
    high.fill(b);
    return true;
  }
  if (op === OP.variable) return true;
  const p = columns.get(a);
  if (p === undefined) return false;
  if (op === OP.extract) return right(p, s.auxOf(e), width, low, high);
  if (op === OP.zext) {
    low.set(p.low);
    high.set(p.high);
    return true;
  }
  if (op === OP.sext) return signExtend(p, s.widthOf(a), width, low, high);
  if (op === OP.not) {
    const [m, n] = [lowMask(width), highMask(width)];
    for (let i = 0; i < rows; i++) {
      low[i] = ~p.low[i] & m;
      high[i] = ~p.high[i] & n;
    }
    return true;
  }
  if (op === OP.table) return lookUp(c, e, p, low, high);
  const q = columns.get(b);
  if (q === undefined) return false;
  if (op === OP.select) {
    const r = columns.get(s.cs[e])!;
    for (let i = 0; i < rows; i++) {
      const from = p.low[i] === 1 ? q : r;
      low[i] = from.low[i];
      high[i] = from.high[i];
    }
    return true;
  }
  if (op === OP.concat) return join(p, q, s.widthOf(b), low, high);
  if (op === OP.shr && c.x.isConstant(b) && Number(c.x.value(b)) < width)
    return right(p, Number(c.x.value(b)), width, low, high);
  if (op === OP.shl || op === OP.shr) return shiftRows(op === OP.shl, width, p, q, low, high);
  return fillBinary(op, s.widthOf(a), p, q, low, high);
}

/** Shifts by a count that each row has its own of. */
function shiftRows(
  left: boolean,
  width: number,
  p: Column,
  q: Column,
  low: Int32Array,
  high: Int32Array,
): boolean {
  const m = lowMask(width);
  const n = highMask(width);
  for (let i = 0; i < low.length; i++) {
    const count = q.high[i] === 0 ? q.low[i] >>> 0 : width;
    const l = p.low[i];
    const h = p.high[i];
    if (count >= width) low[i] = high[i] = 0;
    else if (count === 0) [low[i], high[i]] = [l, h];
    else if (left) {
      low[i] = (count >= 32 ? 0 : l << count) & m;
      high[i] = (count >= 32 ? l << (count - 32) : (h << count) | (l >>> (32 - count))) & n;
    } else {
      low[i] = count >= 32 ? h >>> (count - 32) : (l >>> count) | (h << (32 - count));
      high[i] = count >= 32 ? 0 : h >>> count;
    }
  }
  return true;
}

/** Bits from `at` on. */
function right(p: Column, at: number, width: number, low: Int32Array, high: Int32Array): boolean {
  const [m, n] = [lowMask(width), highMask(width)];
  for (let i = 0; i < low.length; i++) {
    const [l, h] = [p.low[i], p.high[i]];
    const word0 = at === 0 ? l : at >= 32 ? h >>> (at - 32) : (l >>> at) | (h << (32 - at));
    const word1 = at === 0 ? h : at >= 32 ? 0 : h >>> at;
    low[i] = word0 & m;
    high[i] = word1 & n;
  }
  return true;
}

function join(p: Column, q: Column, at: number, low: Int32Array, high: Int32Array): boolean {
  for (let i = 0; i < low.length; i++) {
    const [l, h] = [p.low[i], p.high[i]];
    if (at >= 32) {
      low[i] = q.low[i];
      high[i] = q.high[i] | (l << (at - 32));
    } else {
      low[i] = q.low[i] | (l << at);
      high[i] = (h << at) | (l >>> (32 - at));
    }
  }
  return true;
}

function signExtend(p: Column, from: number, width: number, low: Int32Array, high: Int32Array): boolean {
  const [m, n] = [lowMask(width), highMask(width)];
  for (let i = 0; i < low.length; i++) {
    const [l, h] = [p.low[i], p.high[i]];
    if (from <= 32) {
      const v = from === 32 ? l : (l << (32 - from)) >> (32 - from);
      low[i] = v & m;
      high[i] = (v >> 31) & n;
    } else {
      const shift = 64 - from;
      low[i] = l;
      high[i] = ((h << shift) >> shift) & n;
    }
  }
  return true;
}

const tableWords = new WeakMap<readonly bigint[], Column>();

function lookUp(c: Context, e: Expression, p: Column, low: Int32Array, high: Int32Array): boolean {
  const entries = c.x.tableEntries(e);
  let words = tableWords.get(entries);
  if (words === undefined) tableWords.set(entries, (words = columnOf(64, entries)));
  for (let i = 0; i < c.rows; i++) {
    const at = p.low[i] >>> 0;
    const inside = p.high[i] === 0 && at < entries.length;
    low[i] = inside ? words.low[at] : 0;
    high[i] = inside ? words.high[at] : 0;
  }
  return true;
}

/** width: the operands'. */
function fillBinary(
  op: number,
  width: number,
  p: Column,
  q: Column,
  low: Int32Array,
  high: Int32Array,
): boolean {
  const rows = low.length;
  const [pl, ph, ql, qh] = [p.low, p.high, q.low, q.high];
  const [m, n] = [lowMask(width), highMask(width)];
  switch (op) {
    case OP.and:
      for (let i = 0; i < rows; i++) {
        low[i] = pl[i] & ql[i];
        high[i] = ph[i] & qh[i];
      }
      return true;
    case OP.or:
      for (let i = 0; i < rows; i++) {
        low[i] = pl[i] | ql[i];
        high[i] = ph[i] | qh[i];
      }
      return true;
    case OP.xor:
      for (let i = 0; i < rows; i++) {
        low[i] = pl[i] ^ ql[i];
        high[i] = ph[i] ^ qh[i];
      }
      return true;
    case OP.add:
      for (let i = 0; i < rows; i++) {
        const sum = (pl[i] >>> 0) + (ql[i] >>> 0);
        low[i] = sum & m;
        high[i] = (ph[i] + qh[i] + (sum >= 2 ** 32 ? 1 : 0)) & n;
      }
      return true;
    case OP.sub:
      for (let i = 0; i < rows; i++) {
        high[i] = (ph[i] - qh[i] - (pl[i] >>> 0 < ql[i] >>> 0 ? 1 : 0)) & n;
        low[i] = (pl[i] - ql[i]) & m;
      }
      return true;
    case OP.mul:
      if (width > 32) return false;
      for (let i = 0; i < rows; i++) low[i] = Math.imul(pl[i], ql[i]) & m;
      return true;
    case OP.eq:
      for (let i = 0; i < rows; i++) low[i] = pl[i] === ql[i] && ph[i] === qh[i] ? 1 : 0;
      return true;
    case OP.ltu:
      for (let i = 0; i < rows; i++)
        low[i] = (ph[i] === qh[i] ? pl[i] >>> 0 < ql[i] >>> 0 : ph[i] >>> 0 < qh[i] >>> 0) ? 1 : 0;
      return true;
    case OP.lts: {
      // with the sign bit moved to the top of a word, words compare as signed ones
      const up = width > 32 ? 64 - width : 32 - width;
      for (let i = 0; i < rows; i++) {
        if (width <= 32) low[i] = pl[i] << up < ql[i] << up ? 1 : 0;
        else if (ph[i] === qh[i]) low[i] = pl[i] >>> 0 < ql[i] >>> 0 ? 1 : 0;
        else low[i] = ph[i] << up < qh[i] << up ? 1 : 0;
      }
      return true;
    }
  }
  return false;
}

/** Any operation, row by row. */
function bigRows(c: Context, e: Expression): bigint[] {
  const { x, columns } = c;
  const s = x.nodes;
  const op = s.opOf(e);
  const width = s.widthOf(e);
  const at = (child: number, row: number): bigint => {
    const column = columns.get(child);
    return column === undefined ? 0n : columnValue(column, row);
  };
  return Array.from({ length: c.rows }, (_, i) => {
    const [a, b] = [s.as[e], s.bs[e]];
    if (op === OP.const) return x.value(e);
    if (op === OP.variable) return 0n;
    if (op === OP.zext || op === OP.sext) return extended(op, s.widthOf(a), width, at(a, i));
    if (op === OP.extract) return BigInt.asUintN(width, at(a, i) >> BigInt(s.auxOf(e)));
    if (op === OP.concat) return (at(a, i) << BigInt(s.widthOf(b))) | at(b, i);
    if (op === OP.select) return at(a, i) === 1n ? at(b, i) : at(s.cs[e], i);
    return meaning(op, s.widthOf(a), at(a, i), at(b, i));
  });
}

/** All values of a variable of so many bits (at most eight), a row each. */
const fullColumns = Array.from({ length: 9 }, (_, width) =>
  columnOf(
    width,
    Array.from({ length: 2 ** width }, (_, v) => BigInt(v)),
  ),
);

/** The column of an expression whose only variable has at most eight bits, a row for each value of it. */
export function columnOver(x: Expressions, e: Expression, variable: number): Column {
  const { width } = x.variableAt(variable);
  return evaluateRows(x, [e], 2 ** width, new Map([[variable, fullColumns[width]]]))[0];
}

const kept = new WeakMap<Expressions, Map<Expression, ByteSet>>();

/** Values of the only variable (of at most eight bits) of a condition, for which it holds. Kept by condition. */
export function byteSetOf(x: Expressions, condition: Expression): ByteSet {
  let sets = kept.get(x);
  if (sets === undefined) kept.set(x, (sets = new Map()));
  let found = sets.get(condition);
  if (found === undefined) {
    const { low } = columnOver(x, condition, x.variables(condition)[0]);
    found = ByteSet.where((v) => v < low.length && low[v] === 1);
    sets.set(condition, found);
  }
  return found;
}
