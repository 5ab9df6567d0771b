// The way of one run, as conditions over its inputs: what was decided where, and how often before.
import type { Expression, Expressions } from '../expr/index.ts';
import { PathCondition } from '../expr/index.ts';
import type { Constraint, PathListener } from '../machine/index.ts';

/** Conditions that one run notes; what is decided after that is not turned around. */
const MAX_CONSTRAINTS = 6000;

export interface Decision extends Constraint {
  /** How often this run was here before, with the same stack. */
  readonly occurrence: number;
  /** What held before. */
  readonly before: PathCondition;
}

export class RunPath implements PathListener {
  readonly decisions: Decision[] = [];
  /** By what was lost: how often. */
  readonly losses = new Map<string, number>();
  /** Decisions beyond the limit. */
  dropped = 0;
  private readonly x: Expressions;
  private readonly seen = new Map<string, number>();
  private condition: PathCondition;

  constructor(x: Expressions) {
    this.x = x;
    this.condition = PathCondition.start(x);
  }

  onConstraint(constraint: Constraint): void {
    if (this.decisions.length >= MAX_CONSTRAINTS) {
      this.dropped++;
      return;
    }
    const after = this.condition.and(holds(this.x, constraint.expression, constraint.value));
    // what follows from what was decided before decides nothing
    if (after === this.condition || after === undefined) return;
    const site = `${constraint.at} ${constraint.stack}`;
    const occurrence = this.seen.get(site) ?? 0;
    this.seen.set(site, occurrence + 1);
    this.decisions.push({ ...constraint, occurrence, before: this.condition });
    this.condition = after;
  }

  onLoss(what: string): void {
    this.losses.set(what, (this.losses.get(what) ?? 0) + 1);
  }
}

/** That an expression has a value, as a condition. */
export function holds(x: Expressions, expression: Expression, value: bigint): Expression {
  if (x.width(expression) === 1) return value === 1n ? expression : x.not(expression);
  return x.eq(expression, x.constantBig(x.width(expression), value));
}
