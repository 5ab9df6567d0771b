// Values of an expression for many values of its variables at once: a column of words for each node, filled by a loop
// over rows. 256 rows are one byte variable, whole: that is how a condition on a byte becomes an exact set of values.
import { ByteSet } from './byte-set.ts';
import type { Expressions } from './expressions.ts';
import type { Expression } from './ops.ts';

const kept = new WeakMap<Expressions, Map<Expression, ByteSet>>();

/** Values of the only variable (of at most eight bits) of a condition, for which it holds. Kept by condition. */
export function byteSetOf(x: Expressions, condition: Expression): ByteSet {
  let sets = kept.get(x);
  if (sets === undefined) kept.set(x, (sets = new Map()));
  let found = sets.get(condition);
  if (found === undefined) {
    const [variable] = x.variables(condition);
    const limit = 2 ** x.variableAt(variable).width;
    found = ByteSet.where((v) => v < limit && x.evaluate(condition, new Map([[variable, BigInt(v)]])) === 1n);
    sets.set(condition, found);
  }
  return found;
}
