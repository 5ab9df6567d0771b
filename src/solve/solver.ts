// Questions about conditions: whether they can hold, with which values, and what values an expression can have under
// them.
import type { Assignment, Expression, Expressions, PathCondition } from '../expr/index.ts';

/** unknown: the budget ended first; to be taken as sat. */
export type Answer = 'sat' | 'unsat' | 'unknown';

export interface Values {
  /** Distinct values, ascending. */
  readonly values: readonly bigint[];
  /** Whether there are no others. */
  readonly complete: boolean;
}

export class Solver {
  readonly expressions: Expressions;

  constructor(expressions: Expressions) {
    this.expressions = expressions;
  }

  /** Whether the path's conjuncts, and one more, can hold together. `budget` counts work, never time. */
  check(_path: PathCondition, _condition?: Expression, _budget?: number): Answer {
    return 'unknown';
  }

  /** Whether it may hold: unknown counts as feasible. */
  feasible(path: PathCondition, condition?: Expression): boolean {
    return this.check(path, condition) !== 'unsat';
  }

  /** Values of all variables of the path and the condition under which they hold; undefined for unsat and unknown. */
  model(_path: PathCondition, _condition?: Expression): Assignment | undefined {
    return undefined;
  }

  /** What an expression can be under the path, at most `limit` values. */
  values(_path: PathCondition, _e: Expression, _limit: number): Values {
    return { values: [], complete: false };
  }
}
