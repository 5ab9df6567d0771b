// Values of expressions under an assignment, over BigInts: plain, without recursion, so that depth does not matter.
// `columns.ts` is the fast way for many values at once.
import type { Expressions } from './expressions.ts';
import { type Expression, OP } from './ops.ts';
import { nodesBelow } from './order.ts';
import { extended, meaning } from './semantics.ts';

/** Values of variables by number; a Map will do. A variable without a value is 0. */
export interface Assignment {
  get(variable: number): bigint | undefined;
}

/** Values of the roots. */
export function evaluateNodes(
  x: Expressions,
  roots: readonly Expression[],
  assignment: Assignment,
): bigint[] {
  const values = new Map<number, bigint>();
  for (const e of nodesBelow(x.nodes, roots)) values.set(e, nodeValue(x, e, values, assignment));
  return roots.map((root) => values.get(root) ?? 0n);
}

function nodeValue(
  x: Expressions,
  e: Expression,
  values: ReadonlyMap<number, bigint>,
  assignment: Assignment,
): bigint {
  const s = x.nodes;
  const op = s.opOf(e);
  const width = s.widthOf(e);
  const child = (i: number): bigint => values.get(i) ?? 0n;
  switch (op) {
    case OP.const:
      return x.value(e);
    case OP.variable:
      return BigInt.asUintN(width, assignment.get(s.as[e]) ?? 0n);
    case OP.select:
      return child(s.as[e]) === 1n ? child(s.bs[e]) : child(s.cs[e]);
    case OP.zext:
    case OP.sext:
      return extended(op, s.widthOf(s.as[e]), width, child(s.as[e]));
    case OP.extract:
      return BigInt.asUintN(width, child(s.as[e]) >> BigInt(s.auxOf(e)));
    case OP.concat:
      return (child(s.as[e]) << BigInt(s.widthOf(s.bs[e]))) | child(s.bs[e]);
    case OP.table: {
      const index = child(s.as[e]);
      const { entries } = s.tables[s.bs[e]];
      return index < BigInt(entries.length) ? entries[Number(index)] : 0n;
    }
    default:
      return meaning(op, s.widthOf(s.as[e]), child(s.as[e]), child(s.bs[e]));
  }
}
