// What a concolic run tells: on which conditions over its inputs its way depended.
import type { Expression } from '../../expr/index.ts';

/**
 * branch: a conditional jump (value 0 or 1 of a condition). jump: the target of an indirect jump. place: that of the first or
 * last bit that is set in a mask, which is a place in a text. address: that of an access, which the run goes on with as it is, since what is elsewhere can't be said with an expression.
 */
export type ConstraintKind = 'branch' | 'jump' | 'place' | 'address';

/** The expression had this value, and the run's way or data depended on it. */
export interface Constraint {
  readonly kind: ConstraintKind;
  readonly expression: Expression;
  readonly value: bigint;
  /** Address of the instruction. */
  readonly at: number;
  /** Stack pointer: with `at` it tells most calls of a function apart. */
  readonly stack: number;
}

/** What an expression of a single variable of eight bits at most is, by the value of that variable. */
export interface ByVariable {
  readonly variable: Expression;
  /** Undefined where the path excludes the value of the variable. */
  readonly values: readonly (bigint | undefined)[];
}

/** Who runs symbolic inputs. */
export interface PathListener {
  onConstraint(constraint: Constraint): void;
  /** Undefined where the expression has several variables, or a wide one. */
  byVariable(expression: Expression): ByVariable | undefined;
  /** A shadow was lost: `what` has no meaning over expressions here. */
  onLoss(what: string, at: number): void;
}
