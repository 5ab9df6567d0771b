// Search by trying: all combinations of the values that a few byte variables have left, in columns. Exact, and faster
// than clauses as long as the combinations are few. Where they are many, some combinations are tried all the same: most
// conditions that many values fulfil (a text is none of these words) are fulfilled by one of them.
import type { ByteSet, Column, Expression, Expressions } from '../expr/index.ts';
import { columnOf, columnValue, evaluateRows, nodesBelow } from '../expr/index.ts';

/** Rows of the first pass, and of the largest; most questions are answered by their first rows. */
const FIRST = 64;
const LARGEST = 4096;
/** Combinations of a sample. */
const SAMPLE = 64;

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
  let chunk = FIRST;
  for (let from = 0, count = 0; from < rows; from += count) {
    count = Math.min(chunk, rows - from);
    chunk = Math.min(LARGEST, chunk * 4);
    const columns = new Map<number, Column>();
    let step = rows;
    for (const [i, list] of lists.entries()) {
      step /= list.length;
      columns.set(variables[i], combined(list, step, from, count));
    }
    const results = evaluateRows(x, roots, count, columns);
    for (let row = 0; row < count; row++) {
      let holds = true;
      for (let i = 0; i < conditions.length && holds; i++) holds = results[i].low[row] === 1;
      if (!holds) continue;
      const value = e === 0 ? 0n : columnValue(results[conditions.length], row);
      const model = (): Map<number, bigint> =>
        new Map(variables.map((variable) => [variable, columnValue(columns.get(variable)!, row)]));
      if (found(value, model)) return;
    }
  }
}

/** Rows of a variable whose value changes every `step` rows. */
function combined(list: readonly number[], step: number, from: number, count: number): Column {
  const low = new Int32Array(count);
  let at = Math.floor(from / step) % list.length;
  let left = step - (from % step);
  for (let i = 0; i < count; i++) {
    low[i] = list[at];
    if (--left > 0) continue;
    left = step;
    at = at + 1 === list.length ? 0 : at + 1;
  }
  return { low, high: new Int32Array(count) };
}

/** A few combinations of values from the domains (and of wide variables anything); a model if one of them will do. */
export function trySample(
  x: Expressions,
  conditions: readonly Expression[],
  variables: readonly number[],
  domains: ReadonlyMap<number, ByteSet>,
): Map<number, bigint> | undefined {
  let state = 0x2545f491;
  const random = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const columns = new Map<number, Column>();
  for (const variable of variables) {
    const values = domains.get(variable)?.values();
    const { width } = x.variableAt(variable);
    columns.set(
      variable,
      columnOf(
        width,
        Array.from({ length: SAMPLE }, () =>
          values !== undefined ? BigInt(values[random() % values.length]) : wideValue(width, random),
        ),
      ),
    );
  }
  const results = evaluateRows(x, conditions, SAMPLE, columns);
  for (let row = 0; row < SAMPLE; row++) {
    if (results.every((column) => column.low[row] === 1))
      return new Map(variables.map((variable) => [variable, columnValue(columns.get(variable)!, row)]));
  }
  return undefined;
}

/** A value of any number of bits, as lengths and counts are mostly small. */
function wideValue(width: number, random: () => number): bigint {
  const bits = 1 + (random() % width);
  let out = 0n;
  for (let i = 0; i < bits; i += 32) out = (out << 32n) | BigInt(random());
  return BigInt.asUintN(bits, out);
}
