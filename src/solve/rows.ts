// Search by trying: all combinations of the values that a few byte variables have left, in columns. Exact, and faster
// than clauses as long as the combinations are few.
import type { ByteSet, Expression, Expressions } from '../expr/index.ts';
import { columnOf, columnValue, evaluateRows, nodesBelow } from '../expr/index.ts';

/** Rows of one pass. */
const CHUNK = 4096;

/** Rows times nodes that trying would take, Infinity where a variable has no domain. */
export function rowsWork(
  x: Expressions,
  roots: readonly Expression[],
  variables: readonly number[],
  domains: ReadonlyMap<number, ByteSet>,
): number {
  let rows = 1;
  for (const variable of variables) rows *= domains.get(variable)?.size ?? Infinity;
  return rows > 2 ** 20 ? Infinity : rows * nodesBelow(x.nodes, roots).length;
}

/**
 * Goes through the combinations, in ascending order of the last variable's values first, and gives those under which
 * all conditions hold to `found` with the value of `e` (0 without one), until it answers true.
 */
export function tryRows(
  x: Expressions,
  conditions: readonly Expression[],
  e: Expression,
  variables: readonly number[],
  domains: ReadonlyMap<number, ByteSet>,
  found: (value: bigint, model: () => Map<number, bigint>) => boolean,
): void {
  const lists = variables.map((variable) => domains.get(variable)!.values());
  const rows = lists.reduce((n, list) => n * list.length, 1);
  const roots = e === 0 ? [...conditions] : [...conditions, e];
  for (let from = 0; from < rows; from += CHUNK) {
    const count = Math.min(CHUNK, rows - from);
    const values: number[][] = [];
    let below = rows;
    for (const list of lists) {
      below /= list.length;
      const step = below;
      values.push(Array.from({ length: count }, (_, i) => list[Math.floor((from + i) / step) % list.length]));
    }
    const columns = new Map(
      variables.map((variable, i) => [variable, columnOf(8, values[i].map(BigInt))] as const),
    );
    const results = evaluateRows(x, roots, count, columns);
    for (let row = 0; row < count; row++) {
      let holds = true;
      for (let i = 0; i < conditions.length && holds; i++) holds = results[i].low[row] === 1;
      if (!holds) continue;
      const value = e === 0 ? 0n : columnValue(results[conditions.length], row);
      const model = (): Map<number, bigint> =>
        new Map(variables.map((variable, i) => [variable, BigInt(values[i][row])]));
      if (found(value, model)) return;
    }
  }
}
