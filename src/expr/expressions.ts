// The expression store: builders that simplify while they build, and what can be asked of an expression. Two
// expressions of one store that are the same number have the same value; different numbers may still be equal.
//
// Builders follow the IR (src/isa/ir.ts): `unary` and `binary` take the names of IR operations, so that an
// interpreter of IR binds its table by name. Normal forms: constants stand on the right; ne, leu, les are a `not` of
// eq, ltu, lts; a subtracted constant is an added one; masks and shifts by whole bytes are extracts and concats;
// concats lean to the right (the highest part first); extensions by zeros are zext. Values wider than 64 bits are split
// into halves where the operation allows it.
import { assert, InputError } from '../bytes/index.ts';
import { arithmetic } from './arithmetic.ts';
import { bitwise } from './bitwise.ts';
import { ByteSet } from './byte-set.ts';
import { comparison } from './compare.ts';
import { type DivisionName, divided, divideFault } from './division.ts';
import { type Assignment, evaluateNodes } from './evaluate.ts';
import { highMask, lowMask } from './facts.ts';
import { ARITY, type BinaryName, type Expression, OP, type UnaryName } from './ops.ts';
import { concatOf, extractOf } from './parts.ts';
import { selectOf } from './select.ts';
import { extended, isComparison, meaning } from './semantics.ts';
import { shift } from './shift.ts';
import { NodeStore } from './store.ts';
import { SupportSets } from './support.ts';
import { Tables } from './tables.ts';
import { textOf } from './text.ts';

/** Builds a value of two operands of one width. */
export type Binary = (x: Expressions, a: Expression, b: Expression, width: number) => Expression;

export class Expressions {
  /** The nodes; rules and procedures read them, nobody else makes any. */
  readonly nodes = new NodeStore();
  private readonly names = new Map<string, Expression>();
  private readonly support = new SupportSets(this.nodes);
  private readonly tables = new Tables(this.nodes);

  /** Nodes made so far; a measure of memory (about 64 bytes each). */
  get count(): number {
    return this.nodes.count;
  }

  // leaves

  /** A constant of at most 64 bits, of its words; bits beyond the width are dropped. */
  constant(width: number, low: number, high = 0): Expression {
    checkWidth(width);
    if (width <= 32) {
      const kept = width === 32 ? low | 0 : low & ((1 << width) - 1);
      return this.nodes.intern(OP.const, width, 0, kept, 0, 0);
    }
    if (width > 64) return this.constantBig(width, BigInt(low >>> 0) | (BigInt(high >>> 0) << 32n));
    const kept = width === 64 ? high | 0 : high & ((1 << (width - 32)) - 1);
    return this.nodes.intern(OP.const, width, 0, low | 0, kept, 0);
  }

  constantBig(width: number, value: bigint): Expression {
    checkWidth(width);
    if (width > 64) {
      const low = this.constantBig(64, BigInt.asUintN(64, value));
      const high = this.constantBig(width - 64, BigInt.asUintN(width, value) >> 64n);
      return this.nodes.intern(OP.const, width, 0, low, high, 0);
    }
    const v = BigInt.asUintN(width, value);
    return this.constant(width, Number(v & 0xffffffffn), Number(v >> 32n));
  }

  /** The variable of this name, made at the first call; a name has one width. */
  variable(width: number, name: string): Expression {
    checkWidth(width);
    const known = this.names.get(name);
    if (known !== undefined) {
      if (this.width(known) !== width)
        throw new InputError(`variable of ${this.width(known)} bits asked for with ${width}`, name);
      return known;
    }
    const number = this.nodes.variablesByNumber.length;
    const expression = this.nodes.intern(OP.variable, width, 0, number, 0, 0);
    this.nodes.variablesByNumber.push({ name, width, expression });
    this.names.set(name, expression);
    return expression;
  }

  /** The variable of this name, if there is one. */
  variableNamed(name: string): Expression | undefined {
    return this.names.get(name);
  }

  // what an expression is

  width(e: Expression): number {
    return this.nodes.widthOf(e);
  }

  /** Number of the operation, an index in OPERATIONS. */
  op(e: Expression): number {
    return this.nodes.opOf(e);
  }

  /** Child i, 0 to 2; 0 where there is none. */
  child(e: Expression, i: number): Expression {
    if (i >= ARITY[this.nodes.opOf(e)]) return 0;
    return (i === 0 ? this.nodes.as : i === 1 ? this.nodes.bs : this.nodes.cs)[e];
  }

  isConstant(e: Expression): boolean {
    return (this.nodes.heads[e] & 0xff) === OP.const;
  }

  /** Value of a constant. */
  value(e: Expression): bigint {
    const { nodes } = this;
    assert(this.isConstant(e), 'only constants have a value');
    if (nodes.widthOf(e) > 64) return this.value(nodes.as[e]) | (this.value(nodes.bs[e]) << 64n);
    return BigInt(nodes.as[e] >>> 0) | (BigInt(nodes.bs[e] >>> 0) << 32n);
  }

  /** Longest way down to a leaf, at most 65535. */
  depth(e: Expression): number {
    return this.nodes.depths[e];
  }

  /** Number of a variable expression, or -1. */
  variableNumber(e: Expression): number {
    return this.nodes.opOf(e) === OP.variable ? this.nodes.as[e] : -1;
  }

  /** Name and width of a variable by its number. */
  variableAt(number: number): {
    readonly name: string;
    readonly width: number;
    readonly expression: Expression;
  } {
    return this.nodes.variablesByNumber[number];
  }

  /** Numbers of the variables that the expression has, ascending. */
  variables(e: Expression): Int32Array {
    return this.support.members(this.support.of(e));
  }

  /** Inclusive unsigned bounds that always hold. */
  range(e: Expression): { readonly min: bigint; readonly max: bigint } {
    const { nodes } = this;
    const all = (1n << BigInt(nodes.widthOf(e))) - 1n;
    return { min: BigInt(nodes.min[e]), max: nodes.max[e] === Infinity ? all : BigInt(nodes.max[e]) };
  }

  /** Bits that are always 0, and bits that are always 1; none are known of values wider than 64 bits. */
  knownBits(e: Expression): { readonly zeros: bigint; readonly ones: bigint } {
    const { nodes } = this;
    const pair = (low: number, high: number): bigint =>
      BigInt.asUintN(nodes.widthOf(e), BigInt(low >>> 0) | (BigInt(high >>> 0) << 32n));
    return {
      zeros: pair(nodes.zeros0[e], nodes.zeros1[e]),
      ones: pair(nodes.ones0[e], nodes.ones1[e]),
    };
  }

  /** Value under an assignment of variables (by number; 0 where it has none). */
  evaluate(e: Expression, assignment: Assignment): bigint {
    return evaluateNodes(this, [e], assignment)[0];
  }

  text(e: Expression): string {
    return textOf(this, e);
  }

  // operations

  unary(name: UnaryName, a: Expression): Expression {
    return UNARY[name](this, a);
  }

  /** Both of one width; comparisons yield one bit. */
  binary(name: BinaryName, a: Expression, b: Expression): Expression {
    const width = this.nodes.widthOf(a);
    assert(width === this.nodes.widthOf(b), 'operands of one width');
    return BINARY[name](this, a, b, width);
  }

  not(a: Expression): Expression {
    return bitwise.not(this, a);
  }

  and(a: Expression, b: Expression): Expression {
    return this.binary('and', a, b);
  }

  or(a: Expression, b: Expression): Expression {
    return this.binary('or', a, b);
  }

  xor(a: Expression, b: Expression): Expression {
    return this.binary('xor', a, b);
  }

  add(a: Expression, b: Expression): Expression {
    return this.binary('add', a, b);
  }

  sub(a: Expression, b: Expression): Expression {
    return this.binary('sub', a, b);
  }

  eq(a: Expression, b: Expression): Expression {
    return this.binary('eq', a, b);
  }

  ltu(a: Expression, b: Expression): Expression {
    return this.binary('ltu', a, b);
  }

  /**
   * Quotient or remainder of (high:low) by a divisor, each of one width up to 64, as the IR's divu, remu, divs, rems.
   * That the processor faults (divisor 0, quotient too large) is not said here: `divideFaults` is the condition.
   */
  divide(kind: DivisionName, high: Expression, low: Expression, by: Expression): Expression {
    return divided(this, kind, high, low, by);
  }

  /** One bit: whether this division faults. */
  divideFaults(isSigned: boolean, high: Expression, low: Expression, by: Expression): Expression {
    return divideFault(this, isSigned, high, low, by);
  }

  select(condition: Expression, a: Expression, b: Expression): Expression {
    return selectOf(this, condition, a, b);
  }

  zext(a: Expression, width: number): Expression {
    return this.extend(OP.zext, a, width);
  }

  sext(a: Expression, width: number): Expression {
    return this.extend(OP.sext, a, width);
  }

  trunc(a: Expression, width: number): Expression {
    return this.extract(a, 0, width);
  }

  /** Bits [at, at + width) of a. */
  extract(a: Expression, at: number, width: number): Expression {
    assert(at >= 0 && width > 0 && at + width <= this.width(a), 'bits of the operand');
    return extractOf(this, a, at, width);
  }

  /** a with bits [at, at + width of b) replaced by b. */
  insert(a: Expression, at: number, b: Expression): Expression {
    const all = this.width(a);
    const end = at + this.width(b);
    assert(end <= all, 'an inserted part fits');
    let out = b;
    if (at > 0) out = this.concat(out, this.extract(a, 0, at));
    return end < all ? this.concat(this.extract(a, end, all - end), out) : out;
  }

  /** high:low, together at most 128 bits. */
  concat(high: Expression, low: Expression): Expression {
    checkWidth(this.width(high) + this.width(low));
    return concatOf(this, high, low);
  }

  /** The value of these bytes in memory, lowest address first, at most 16. */
  fromBytes(bytes: readonly Expression[]): Expression {
    let out = bytes[bytes.length - 1];
    for (let i = bytes.length - 2; i >= 0; i--) out = this.concat(out, bytes[i]);
    return out;
  }

  /** Byte i of a, 0 the lowest. */
  byte(a: Expression, i: number): Expression {
    return this.extract(a, 8 * i, 8);
  }

  /** Values of a table's entries, if the expression is one of eight bits; undefined for others. */
  entriesOf(e: Expression): ByteSet | undefined {
    const s = this.nodes;
    if (s.opOf(e) !== OP.table || s.widthOf(e) !== 8) return undefined;
    const values = s.tables[s.bs[e]].entries.map(Number);
    return ByteSet.of(s.max[s.as[e]] < values.length ? values : [...values, 0]);
  }

  /** Entry `index` of constants of the width (at most 64 bits); 0 past their end. The array must stay as it is. */
  table(index: Expression, width: number, entries: readonly bigint[]): Expression {
    return this.tables.lookup(this, index, width, entries);
  }

  /** The tables' own view, for procedures that read `table` nodes. */
  tableEntries(e: Expression): readonly bigint[] {
    return this.nodes.tables[this.nodes.bs[e]].entries;
  }

  /** For rules: the entries of a table node put through f; key names f. */
  derivedTable(e: Expression, key: string, f: (entry: bigint) => bigint): readonly bigint[] {
    return this.tables.derived(this.nodes.bs[e], key, f);
  }

  private extend(op: number, a: Expression, width: number): Expression {
    checkWidth(width);
    const from = this.width(a);
    assert(width >= from, 'an extension is not narrower');
    if (width === from) return a;
    if (this.isConstant(a)) return this.constantBig(width, extended(op, from, width, this.value(a)));
    return op === OP.zext ? bitwise.zext(this, a, width) : bitwise.sext(this, a, width);
  }

  /** For rules: the node, or its value where its facts leave one only. */
  make(op: number, width: number, aux: number, a: number, b: number, c: number): Expression {
    const s = this.nodes;
    const e = s.intern(op, width, aux, a, b, c);
    if ((s.zeros0[e] | s.ones0[e]) === -1 && (s.zeros1[e] | s.ones1[e]) === -1 && width <= 64)
      return this.constant(width, s.ones0[e], s.ones1[e]);
    return e;
  }

  /** For rules: an operation on constants. */
  fold(op: number, width: number, a: Expression, b: Expression): Expression {
    if (width <= 32) {
      const p = this.nodes.as[a];
      const q = this.nodes.as[b];
      if (op === OP.add) return this.constant(width, p + q);
      if (op === OP.sub) return this.constant(width, p - q);
      if (op === OP.and) return this.constant(width, p & q);
      if (op === OP.or) return this.constant(width, p | q);
      if (op === OP.xor) return this.constant(width, p ^ q);
    }
    const value = meaning(op, width, this.value(a), b === 0 ? 0n : this.value(b));
    return this.constantBig(isComparison(op) ? 1 : width, value);
  }

  /** For rules: the negative of a constant. */
  negated(c: Expression): Expression {
    const width = this.width(c);
    return width <= 32 ? this.constant(width, -this.nodes.as[c]) : this.constantBig(width, -this.value(c));
  }

  /** For rules: whether a constant has all bits set. */
  isOnes(c: Expression): boolean {
    const s = this.nodes;
    const width = s.widthOf(c);
    if (width > 64) return this.isOnes(s.as[c]) && this.isOnes(s.bs[c]);
    return s.as[c] === lowMask(width) && s.bs[c] === highMask(width);
  }
}

function checkWidth(width: number): void {
  if (!(width >= 1 && width <= 128)) throw new Error(`internal error: expressions of ${width} bits`);
}

const counts =
  (op: number) =>
  (x: Expressions, a: Expression): Expression => {
    const width = x.width(a);
    if (x.isConstant(a)) return x.fold(op, width, a, 0);
    return x.make(op, width, 0, op === OP.ctz ? lowestOnes(x, a, width) : a, 0, 0);
  };

/**
 * A value with the same lowest one. That of m - (2 ** k - 1), m of k bits, is the lowest zero of m (all of m gives 0):
 * so string functions look for the first difference in a mask of equal bytes.
 */
function lowestOnes(x: Expressions, a: Expression, width: number): Expression {
  const s = x.nodes;
  if (s.opOf(a) !== OP.add || s.opOf(s.as[a]) !== OP.zext || !x.isConstant(s.bs[a])) return a;
  const mask = s.as[s.as[a]];
  const all = (1n << BigInt(s.widthOf(mask))) - 1n;
  return BigInt.asUintN(width, x.value(s.bs[a]) + all) === 0n ? x.zext(x.not(mask), width) : a;
}

function bswap(x: Expressions, a: Expression): Expression {
  const bytes = Array.from({ length: x.width(a) / 8 }, (_, i) => x.byte(a, i));
  return x.fromBytes(bytes.reverse());
}

const UNARY: Readonly<Record<UnaryName, (x: Expressions, a: Expression) => Expression>> = {
  not: bitwise.not,
  neg: (x, a) => arithmetic.sub(x, x.constant(x.width(a), 0), a, x.width(a)),
  clz: counts(OP.clz),
  ctz: counts(OP.ctz),
  popcnt: counts(OP.popcnt),
  bswap,
};

/** Who makes many of one kind keeps its builder. */
export const BINARY: Readonly<Record<BinaryName, Binary>> = {
  ...arithmetic,
  and: bitwise.and,
  or: bitwise.or,
  xor: bitwise.xor,
  ...shift,
  ...comparison,
  ne: (x, a, b, width) => bitwise.not(x, comparison.eq(x, a, b, width)),
  leu: (x, a, b, width) => bitwise.not(x, comparison.ltu(x, b, a, width)),
  les: (x, a, b, width) => bitwise.not(x, comparison.lts(x, b, a, width)),
};
