// The way of one run, as conditions over its inputs: what was decided where, and how often before.
import type { Expression, Expressions } from '../expr/index.ts';
import { columnOver, columnValue, PathCondition } from '../expr/index.ts';
import type { ByVariable, Constraint, PathListener } from '../machine/index.ts';
import { unfolded } from './symbolic-conditions.ts';
import { isOfLengths } from './symbolic-input.ts';

/** Conditions that one run notes; what is decided after that is not turned around. */
const MAX_CONSTRAINTS = 6000;

/** Bytes between the addresses that an access may have, of those that are ends of texts. */
const NEAR = 64n;

export interface Decision extends Constraint {
  /** How often this run was here before, with the same stack. */
  readonly occurrence: number;
  /** What held before. */
  readonly before: PathCondition;
  /** Of the values that were gone on with before (places of delimiters, lengths): how the input is laid out. */
  readonly layout: number;
}

/** A value that went on without an expression. */
export interface Loss {
  readonly what: string;
  /** Address of the instruction. */
  readonly at: number;
  count: number;
}

export class RunPath implements PathListener {
  readonly decisions: Decision[] = [];
  /** What was lost where, and how often. */
  readonly losses = new Map<string, Loss>();
  /** Decisions beyond the limit. */
  dropped = 0;
  private readonly x: Expressions;
  private readonly seen = new Map<string, number>();
  private condition: PathCondition;
  private layout = 0;
  /** Of `without`, and the decisions that are in it. */
  private unpinned: PathCondition;
  private unpinnedCount = 0;

  constructor(x: Expressions) {
    this.x = x;
    this.condition = PathCondition.start(x);
    this.unpinned = this.condition;
  }

  /**
   * What held so far, without the addresses that the run went on with as they were: other inputs that go this way have
   * others. Those that can only lie near each other stay: they are ends of texts.
   */
  withoutAddresses(): PathCondition {
    for (; this.unpinnedCount < this.decisions.length; this.unpinnedCount++) {
      const { kind, expression, value } = this.decisions[this.unpinnedCount];
      if (kind === 'address' && !this.isNear(expression)) continue;
      this.unpinned = this.unpinned.and(holds(this.x, expression, value)) ?? this.unpinned;
    }
    return this.unpinned;
  }

  private isNear(expression: Expression): boolean {
    const { min, max } = this.x.range(expression);
    return max - min <= NEAR;
  }

  onConstraint(constraint: Constraint): void {
    // what stands at the end of a message is no other thing where it ends elsewhere
    if (constraint.kind !== 'branch' && isOfLengths(this.x, constraint.expression)) return;
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
    const { layout } = this;
    this.decisions.push({ ...constraint, occurrence, before: this.condition, layout });
    this.condition = after;
    if (constraint.kind !== 'branch')
      this.layout = hashed(hashed(layout, constraint.at), Number(BigInt.asUintN(48, constraint.value)));
  }

  byVariable(expression: Expression): ByVariable | undefined {
    const { x } = this;
    const variables = x.variables(expression);
    if (variables.length !== 1) return undefined;
    const [number] = variables;
    const { width, expression: variable } = x.variableAt(number);
    if (width > 8) return undefined;
    const domain = this.condition.domain(number);
    const known = restricted.get(x) ?? new Map<string, ByVariable>();
    restricted.set(x, known);
    const key = `${expression} ${domain.words.join()}`;
    let found = known.get(key);
    if (found === undefined) {
      const all = this.columnOf(expression, number, 2 ** width);
      found = { variable, values: all.map((value, v) => (domain.has(v) ? value : undefined)) };
      known.set(key, found);
    }
    return found;
  }

  /** Values of an expression by those of its only variable. */
  private columnOf(expression: Expression, variable: number, count: number): readonly bigint[] {
    const { x } = this;
    const known = columns.get(x) ?? new Map<Expression, readonly bigint[]>();
    columns.set(x, known);
    let values = known.get(expression);
    if (values === undefined) {
      const column = columnOver(x, expression, variable);
      values = Array.from({ length: count }, (_, v) => columnValue(column, v));
      known.set(expression, values);
    }
    return values;
  }

  onLoss(what: string, at: number): void {
    const key = `${at} ${what}`;
    const known = this.losses.get(key);
    if (known === undefined) this.losses.set(key, { what, at, count: 1 });
    else known.count++;
  }
}

function hashed(hash: number, value: number): number {
  return (
    Math.imul(
      hash ^ ((value % 2 ** 32) | 0) ^ Math.imul(Math.floor(value / 2 ** 32), 0x9e3779b1),
      0x85ebca6b,
    ) >>> 0
  );
}

/** By expression and domain of its variable: the same object each time, so that more can be kept by it. */
const restricted = new WeakMap<Expressions, Map<string, ByVariable>>();
const columns = new WeakMap<Expressions, Map<Expression, readonly bigint[]>>();

/** That an expression has a value, as a condition. */
export function holds(x: Expressions, expression: Expression, value: bigint): Expression {
  const width = x.width(expression);
  if (width !== 1) return unfolded(x, x.eq(expression, x.constantBig(width, value)));
  const condition = unfolded(x, expression);
  return value === 1n ? condition : x.not(condition);
}
