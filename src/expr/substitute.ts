// Expressions with variables replaced: rebuilt from the bottom by the builders, so that they simplify.
import type { Expressions } from './expressions.ts';
import { ARITY, type BinaryName, type Expression, OP, OPERATIONS } from './ops.ts';
import { nodesBelow } from './order.ts';

/** The roots with variables (by number) replaced by expressions of their widths. */
export function substitute(
  x: Expressions,
  roots: readonly Expression[],
  replacements: ReadonlyMap<number, Expression>,
): Expression[] {
  const s = x.nodes;
  const made = new Map<Expression, Expression>();
  for (const e of nodesBelow(s, roots)) {
    const op = s.opOf(e);
    if (op === OP.variable) {
      const to = replacements.get(s.as[e]);
      if (to !== undefined) made.set(e, to);
      continue;
    }
    let changed = false;
    for (let i = 0; i < ARITY[op]; i++) changed ||= made.has(x.child(e, i));
    if (changed) made.set(e, rebuilt(x, e, made));
  }
  return roots.map((root) => made.get(root) ?? root);
}

function rebuilt(x: Expressions, e: Expression, made: ReadonlyMap<Expression, Expression>): Expression {
  const s = x.nodes;
  const child = (i: number): Expression => made.get(x.child(e, i)) ?? x.child(e, i);
  const table = s.opOf(e) === OP.table ? x.tableEntries(e) : [];
  return build(x, { op: s.opOf(e), width: s.widthOf(e), at: s.auxOf(e), table }, child);
}

/** What a node is beside its children. */
export interface Shape {
  readonly op: number;
  readonly width: number;
  /** Of an extract: its lowest bit. */
  readonly at: number;
  /** Of a table: its entries. */
  readonly table: readonly bigint[];
}

/** The builders' expression of this shape. */
export function build(x: Expressions, shape: Shape, child: (i: number) => Expression): Expression {
  const { op, width } = shape;
  switch (op) {
    case OP.not:
    case OP.clz:
    case OP.ctz:
    case OP.popcnt:
      return x.unary(OPERATIONS[op][0] as 'not', child(0));
    case OP.select:
      return x.select(child(0), child(1), child(2));
    case OP.zext:
      return x.zext(child(0), width);
    case OP.sext:
      return x.sext(child(0), width);
    case OP.extract:
      return x.extract(child(0), shape.at, width);
    case OP.concat:
      return x.concat(child(0), child(1));
    case OP.table:
      return x.table(child(0), width, shape.table);
    default:
      return x.binary(OPERATIONS[op][0] as BinaryName, child(0), child(1));
  }
}
