// The meaning of operations over BigInts, for constant folding, evaluation and tests. Values are unsigned, reduced to
// their width. It is the meaning that the machine's reference interpreter gives to the IR operations of the same name.
import { leadingZeros, limitedCount, population, trailingZeros } from '../bytes/index.ts';
import { OP, OPERATIONS, type Operation } from './ops.ts';

const signed = (width: number, value: bigint): bigint => BigInt.asIntN(width, value);
const bit = (holds: boolean): bigint => (holds ? 1n : 0n);

/** width: that of the first operand, which is that of the result but for comparisons. */
type Meaning = (width: number, a: bigint, b: bigint) => bigint;

const quotientSigned: Meaning = (width, a, b) => {
  if (b === 0n) return signed(width, a) < 0n ? 1n : -1n;
  return signed(width, a) / signed(width, b);
};

type Folded = Exclude<
  Operation,
  'none' | 'const' | 'variable' | 'select' | 'zext' | 'sext' | 'extract' | 'concat' | 'table'
>;

const MEANINGS: Readonly<Record<Folded, Meaning>> = {
  add: (_w, a, b) => a + b,
  sub: (_w, a, b) => a - b,
  mul: (_w, a, b) => a * b,
  mulhu: (width, a, b) => (a * b) >> BigInt(width),
  mulhs: (width, a, b) => (signed(width, a) * signed(width, b)) >> BigInt(width),
  and: (_w, a, b) => a & b,
  or: (_w, a, b) => a | b,
  xor: (_w, a, b) => a ^ b,
  not: (_w, a) => ~a,
  shl: (width, a, b) => a << limitedCount(b, width),
  shr: (width, a, b) => a >> limitedCount(b, width),
  sar: (width, a, b) => signed(width, a) >> limitedCount(b, width),
  rotl: (width, a, b) => (a << (b % BigInt(width))) | (a >> (BigInt(width) - (b % BigInt(width)))),
  clz: leadingZeros,
  ctz: trailingZeros,
  popcnt: (_w, a) => population(a),
  quotu: (_w, a, b) => (b === 0n ? -1n : a / b),
  modu: (_w, a, b) => (b === 0n ? a : a % b),
  quots: quotientSigned,
  mods: (width, a, b) => (b === 0n ? a : signed(width, a) % signed(width, b)),
  eq: (_w, a, b) => bit(a === b),
  ltu: (_w, a, b) => bit(a < b),
  lts: (width, a, b) => bit(signed(width, a) < signed(width, b)),
};

const byNumber: readonly (Meaning | undefined)[] = OPERATIONS.map(
  ([name]) => (MEANINGS as Partial<Record<Operation, Meaning>>)[name],
);

/** Value of an operation on one or two values of the width (not of select, extensions, extract, concat, table). */
export function meaning(op: number, width: number, a: bigint, b: bigint): bigint {
  const f = byNumber[op];
  if (f === undefined) throw new Error(`internal error: ${OPERATIONS[op]?.[0]} has no meaning of its own`);
  return BigInt.asUintN(isComparison(op) ? 1 : width, f(width, a, b));
}

/** Operations that yield one bit. */
export function isComparison(op: number): boolean {
  return op >= OP.eq && op <= OP.lts;
}

/** Value of an extension. */
export function extended(op: number, from: number, to: number, value: bigint): bigint {
  return op === OP.sext ? BigInt.asUintN(to, signed(from, value)) : value;
}
