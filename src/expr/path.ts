// The condition of a path: conjuncts in the order of its branches, each one linked to the ones before, so that paths
// that fork share what they have in common. What conjuncts say of one variable of at most eight bits is kept as the
// exact set of its values; the others are kept whole, and found again by the variables that they share.
import { ByteSet } from './byte-set.ts';
import { byteSetOf } from './columns.ts';
import type { Expressions } from './expressions.ts';
import { type Expression, OP } from './ops.ts';

/** Variables of a chunk of the domain table, which is copied when one of them changes. */
const CHUNK = 32;

type Domains = readonly (readonly (ByteSet | undefined)[] | undefined)[];

export class PathCondition {
  readonly expressions: Expressions;
  /** The condition before the last conjunct; undefined at the start. */
  readonly parent: PathCondition | undefined;
  /** The last conjunct; 0 at the start. */
  readonly conjunct: Expression;
  readonly length: number;
  /** Conjuncts of several variables, or of a wide one. */
  private readonly last: PathCondition | undefined;
  private readonly domains: Domains;
  /** Number of those conjuncts, this one included. */
  private readonly count: number;
  /**
   * Their places, shared along a path: those of this one's are below `count`. Undefined on a path that forked off one
   * that went on, where they are looked for one by one.
   */
  private readonly places: Map<Expression, number> | undefined;

  private constructor(
    expressions: Expressions,
    parent: PathCondition | undefined,
    conjunct: Expression,
    last: PathCondition | undefined,
    domains: Domains,
    isTold = true,
  ) {
    this.expressions = expressions;
    this.parent = parent;
    this.conjunct = conjunct;
    this.length = parent === undefined ? 0 : parent.length + 1;
    this.last = last;
    this.domains = domains;
    this.count = (parent?.count ?? 0) + (isTold ? 0 : 1);
    if (parent === undefined) this.places = new Map();
    else if (isTold) this.places = parent.places;
    else if (parent.places?.size === parent.count) this.places = parent.places.set(conjunct, parent.count);
    else this.places = undefined;
  }

  /** No condition at all. */
  static start(expressions: Expressions): PathCondition {
    return new PathCondition(expressions, undefined, 0, undefined, []);
  }

  /**
   * This and another condition of one bit. Undefined where that is seen at once to be impossible; that it is not says
   * nothing (ask a Solver).
   */
  and(condition: Expression): PathCondition | undefined {
    const x = this.expressions;
    const s = x.nodes;
    let out: PathCondition | undefined = this;
    const waiting = [condition];
    for (let e = waiting.pop(); e !== undefined && out !== undefined; e = waiting.pop()) {
      const negated = s.opOf(e) === OP.not ? s.as[e] : 0;
      if (x.isConstant(e)) out = s.as[e] === 1 ? out : undefined;
      else if (s.opOf(e) === OP.and) waiting.push(s.bs[e], s.as[e]);
      else if (negated !== 0 && s.opOf(negated) === OP.or)
        waiting.push(x.not(s.bs[negated]), x.not(s.as[negated]));
      else out = out.withConjunct(e);
    }
    return out;
  }

  private withConjunct(condition: Expression): PathCondition | undefined {
    const x = this.expressions;
    const variables = x.variables(condition);
    if (variables.length !== 1 || x.variableAt(variables[0]).width > 8) {
      if (this.has(condition)) return this;
      if (this.has(x.not(condition))) return undefined;
      return new PathCondition(x, this, condition, this.withSelf(), this.domains, false);
    }
    const variable = variables[0];
    const before = this.domain(variable);
    const domain = before.and(byteSetOf(x, condition));
    if (domain.equals(before)) return this;
    if (domain.isEmpty) return undefined;
    return new PathCondition(x, this, condition, this.withSelf(), changed(this.domains, variable, domain));
  }

  /** The nearest of this and its ancestors whose last conjunct is not told by domains. */
  private withSelf(): PathCondition | undefined {
    if (this.conjunct === 0) return undefined;
    const variables = this.expressions.variables(this.conjunct);
    const told = variables.length === 1 && this.expressions.variableAt(variables[0]).width <= 8;
    return told ? this.last : this;
  }

  /** Whether the conjunct of several variables is among these. */
  private has(condition: Expression): boolean {
    for (let at = this.withSelf(); at !== undefined; at = at.last) {
      if (at.conjunct === condition) return true;
      if (at.places !== undefined) return (at.places.get(condition) ?? Infinity) < at.count;
    }
    return false;
  }

  /** All conjuncts, oldest first. */
  conjuncts(): Expression[] {
    const out: Expression[] = [];
    for (let at: PathCondition | undefined = this; at !== undefined && at.conjunct !== 0; at = at.parent)
      out.push(at.conjunct);
    return out.reverse();
  }

  /** Values of a variable of at most eight bits that the conjuncts about it alone leave. */
  domain(variable: number): ByteSet {
    const found = this.domains[Math.floor(variable / CHUNK)]?.[variable % CHUNK];
    if (found !== undefined) return found;
    const { width } = this.expressions.variableAt(variable);
    return width >= 8 ? ByteSet.all : ByteSet.below(1 << width);
  }

  /** Conjuncts that domains do not tell, oldest first. */
  others(): Expression[] {
    const out: Expression[] = [];
    for (let at = this.withSelf(); at !== undefined; at = at.last) out.push(at.conjunct);
    return out.reverse();
  }

  /** Variables of at most eight bits whose values are restricted, ascending. */
  restricted(): number[] {
    const out: number[] = [];
    for (const [i, chunk] of this.domains.entries())
      for (const [j, domain] of chunk?.entries() ?? []) if (domain !== undefined) out.push(i * CHUNK + j);
    return out;
  }

  /** Conjuncts that domains do not tell and that share variables with the expressions, directly or through others. */
  related(roots: readonly Expression[]): Expression[] {
    const x = this.expressions;
    const touched = new Set<number>();
    for (const root of roots) for (const variable of x.variables(root)) touched.add(variable);
    const out: Expression[] = [];
    let waiting = this.others();
    for (let more = true; more; ) {
      more = false;
      const next: Expression[] = [];
      for (const conjunct of waiting) {
        const variables = x.variables(conjunct);
        if (!variables.some((variable) => touched.has(variable))) {
          next.push(conjunct);
          continue;
        }
        out.push(conjunct);
        for (const variable of variables) touched.add(variable);
        more = true;
      }
      waiting = next;
    }
    return out.sort((a, b) => a - b);
  }

  text(): string {
    return this.conjuncts()
      .map((conjunct) => this.expressions.text(conjunct))
      .join(' ∧ ');
  }
}

function changed(domains: Domains, variable: number, domain: ByteSet): Domains {
  const at = Math.floor(variable / CHUNK);
  const out = domains.slice();
  while (out.length <= at) out.push(undefined);
  const chunk: (ByteSet | undefined)[] =
    out[at]?.slice() ?? new Array<ByteSet | undefined>(CHUNK).fill(undefined);
  chunk[variable % CHUNK] = domain;
  out[at] = chunk;
  return out;
}
