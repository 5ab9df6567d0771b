// Questions about conditions: whether they can hold, with which values, and what values an expression can have under
// them. In this order, cheapest first:
//
// 1. the path itself: exact sets of values of single bytes, contradiction of conjuncts, known bits and bounds (expr);
// 2. only conjuncts that share variables with the question count, since a path's own condition can hold;
// 3. the same question has been answered, or an earlier model answers it;
// 4. variables with one value are replaced, which often leaves conditions on single bytes (problem.ts);
// 5. all combinations of the values of a few bytes, or a sample of many (rows.ts);
// 6. clauses (blast.ts, sat.ts), with a budget.
//
// Why an own solver for the last step and not a WebAssembly build of Z3: docs/architecture.md, "Expressions". Answers
// depend on the question alone, never on time or on earlier questions: each search starts afresh, budgets count
// assignments by propagation, and a budget that ends gives unknown, which is counted and is to be taken as sat.
import {
  type Assignment,
  type ByteSet,
  columnOf,
  columnOver,
  columnValue,
  type Expression,
  type Expressions,
  evaluateRows,
  type PathCondition,
} from '../expr/index.ts';
import { Blaster } from './blast.ts';
import { TooLarge } from './gates.ts';
import { type Part, type Problem, reduced } from './problem.ts';
import { rowsWork, tryRows, trySample } from './rows.ts';
import { Sat } from './sat.ts';

/** unknown: the budget ended first; to be taken as sat. */
export type Answer = 'sat' | 'unsat' | 'unknown';

export interface Values {
  /** Distinct values, ascending. */
  readonly values: readonly bigint[];
  /** Whether there are no others. */
  readonly complete: boolean;
}

export interface SolverOptions {
  /** Assignments by propagation that one search may make. */
  readonly budget?: number;
  /** Words of clauses that one search may have. */
  readonly clauses?: number;
  /** Rows times nodes up to which combinations are tried. */
  readonly rows?: number;
}

/** How many questions there were and what answered them. */
export interface SolverStatistics {
  queries: number;
  /** By the path alone: constants, sets of bytes, contradictions. */
  path: number;
  cached: number;
  /** By a model of an earlier question. */
  models: number;
  /** By replacing and sets. */
  reduced: number;
  rows: number;
  /** By a sample of combinations. */
  samples: number;
  searches: number;
  /** Searches whose budget ended, or that were too large to begin. */
  unknown: number;
  conflicts: number;
  /** Assignments by propagation, all searches together. */
  propagations: number;
}

interface Result {
  readonly answer: Answer;
  /** Values of the question's variables. */
  readonly model: ReadonlyMap<number, bigint> | undefined;
}

const UNSAT: Result = { answer: 'unsat', model: undefined };
const MOST_KEPT = 200_000;
/** Models that are tried on a new question. */
const MOST_MODELS = 8;

const DEFAULTS = { budget: 400_000, clauses: 1_000_000, rows: 1 << 21 } as const;

export class Solver {
  readonly expressions: Expressions;
  readonly statistics: SolverStatistics = {
    queries: 0,
    path: 0,
    cached: 0,
    models: 0,
    reduced: 0,
    rows: 0,
    samples: 0,
    searches: 0,
    unknown: 0,
    conflicts: 0,
    propagations: 0,
  };
  private readonly options: Required<SolverOptions>;
  private readonly results = new Map<string, Result>();
  private readonly models: ReadonlyMap<number, bigint>[] = [];

  constructor(expressions: Expressions, options: SolverOptions = {}) {
    this.expressions = expressions;
    this.options = { ...DEFAULTS, ...options };
  }

  /**
   * Whether a condition can hold on a path whose own condition can; without one, whether the path's can. `budget`
   * counts work, never time.
   */
  check(path: PathCondition, condition: Expression = 0, budget?: number): Answer {
    return this.solve(path, condition, budget).answer;
  }

  /** Whether it may hold: unknown counts as feasible. */
  feasible(path: PathCondition, condition: Expression = 0): boolean {
    return this.check(path, condition) !== 'unsat';
  }

  /** As `check`, for conditions that no path has. */
  checkAll(start: PathCondition, conditions: readonly Expression[], budget?: number): Answer {
    let path: PathCondition | undefined = start;
    for (const condition of conditions) path = path?.and(condition);
    return path === undefined ? 'unsat' : this.check(path, 0, budget);
  }

  /**
   * Values of variables under which path and condition hold; undefined for unsat and unknown. `base` is an assignment
   * that fulfils the path (a witness): the model differs from it only in variables that the condition is bound to.
   */
  model(path: PathCondition, condition: Expression = 0, base?: Assignment): Assignment | undefined {
    if (condition !== 0 && base === undefined) {
      const next = path.and(condition);
      return next === undefined ? undefined : this.model(next);
    }
    const { model } = this.solve(path, condition);
    if (model === undefined) return undefined;
    return { get: (variable) => model.get(variable) ?? base?.get(variable) };
  }

  private solve(path: PathCondition, condition: Expression, budget = this.options.budget): Result {
    const { statistics, expressions: x } = this;
    statistics.queries++;
    const next = condition === 0 ? path : path.and(condition);
    if (next === undefined) {
      statistics.path++;
      return UNSAT;
    }
    if (condition !== 0 && next === path) {
      // the path has it already
      statistics.path++;
      return { answer: 'sat', model: new Map() };
    }
    const related = condition === 0 ? next.others() : next.related([condition]);
    const variables = condition === 0 ? next.restricted() : [...x.variables(condition)];
    if (related.length === 0) {
      statistics.path++;
      return { answer: 'sat', model: this.completed(next, variables, new Map()) };
    }
    for (const conjunct of related) variables.push(...x.variables(conjunct));
    const all = [...new Set(variables)].sort((a, b) => a - b);
    const key = this.key(next, related, all, budget);
    let result = this.results.get(key);
    if (result !== undefined) statistics.cached++;
    else {
      result = this.byModels(next, related, all) ?? this.decide(next, related, all, budget);
      if (this.results.size >= MOST_KEPT) this.results.clear();
      this.results.set(key, result);
      if (result.model !== undefined) {
        this.models.unshift(result.model);
        if (this.models.length > MOST_MODELS) this.models.pop();
      }
    }
    return result;
  }

  private key(
    path: PathCondition,
    related: readonly Expression[],
    variables: readonly number[],
    budget: number,
  ): string {
    const domains = variables.map((variable) =>
      this.isByte(variable) ? `${variable}=${path.domain(variable).words.join()}` : '',
    );
    return `${budget} ${related.join()} ${domains.join(' ')}`;
  }

  private isByte(variable: number): boolean {
    return this.expressions.variableAt(variable).width <= 8;
  }

  /** A model with a value for each of the variables: that of their domains where nothing else was decided. */
  private completed(
    path: PathCondition,
    variables: readonly number[],
    model: ReadonlyMap<number, bigint>,
  ): Map<number, bigint> {
    const out = new Map<number, bigint>();
    for (const variable of variables) {
      const value = model.get(variable);
      if (value !== undefined) out.set(variable, value);
      else out.set(variable, this.isByte(variable) ? BigInt(path.domain(variable).first) : 0n);
    }
    return out;
  }

  /** Whether one of the last models fulfils the question. */
  private byModels(
    path: PathCondition,
    related: readonly Expression[],
    variables: readonly number[],
  ): Result | undefined {
    const models = this.models.filter((model) => variables.some((variable) => model.has(variable)));
    if (models.length === 0) return undefined;
    const filled = models.map((model) => this.completed(path, variables, model));
    const columns = new Map(
      variables.map((variable) => {
        const { width } = this.expressions.variableAt(variable);
        return [
          variable,
          columnOf(
            width,
            filled.map((model) => model.get(variable) ?? 0n),
          ),
        ] as const;
      }),
    );
    const results = evaluateRows(this.expressions, related, filled.length, columns);
    for (const [row, model] of filled.entries()) {
      if (!results.every((column) => column.low[row] === 1)) continue;
      const inside = ([variable, value]: [number, bigint]): boolean =>
        !this.isByte(variable) || path.domain(variable).has(Number(value));
      if (![...model].every(inside)) continue;
      this.statistics.models++;
      return { answer: 'sat', model };
    }
    return undefined;
  }

  private decide(
    path: PathCondition,
    related: readonly Expression[],
    variables: readonly number[],
    budget: number,
  ): Result {
    const problem = reduced(this.expressions, related, (variable) => path.domain(variable));
    if (problem === undefined || problem.parts.length === 0) this.statistics.reduced++;
    if (problem === undefined) return UNSAT;
    const model = new Map(problem.bound);
    let answer: Answer = 'sat';
    for (const part of problem.parts) {
      const result = this.part(problem, part, budget);
      if (result.answer === 'unsat') return UNSAT;
      if (result.answer === 'unknown') answer = 'unknown';
      for (const [variable, value] of result.model ?? []) model.set(variable, value);
    }
    if (answer === 'unknown') return { answer, model: undefined };
    for (const [variable, domain] of problem.domains)
      if (!model.has(variable)) model.set(variable, BigInt(domain.first));
    return { answer, model: this.completed(path, variables, model) };
  }

  private part(problem: Problem, part: Part, budget: number): Result {
    const { statistics, expressions: x } = this;
    if (rowsWork(x, part.conjuncts, part.variables, problem.domains) <= this.options.rows) {
      statistics.rows++;
      let model: Map<number, bigint> | undefined;
      tryRows(x, part.conjuncts, 0, part.variables, problem.domains, (_value, at) => {
        model = at();
        return true;
      });
      return model === undefined ? UNSAT : { answer: 'sat', model };
    }
    const sample = trySample(x, part.conjuncts, part.variables, problem.domains);
    if (sample !== undefined) {
      statistics.samples++;
      return { answer: 'sat', model: sample };
    }
    return this.search([part], problem, (sat, blaster) => {
      const answer = sat.solve(budget);
      if (answer !== 'sat') return { answer, model: undefined };
      const model = new Map<number, bigint>();
      for (const variable of part.variables)
        model.set(variable, blaster.value(x.variableAt(variable).expression));
      return { answer, model };
    });
  }

  /** Clauses of the parts, given to `use`; unknown where they would be too many. */
  private search(
    parts: readonly Part[],
    problem: Problem,
    use: (sat: Sat, blaster: Blaster) => Result,
  ): Result {
    const { statistics } = this;
    statistics.searches++;
    const sat = new Sat();
    let result: Result = { answer: 'unknown', model: undefined };
    try {
      const blaster = new Blaster(this.expressions, sat, this.options.clauses);
      blaster.shorten(parts.flatMap((part) => part.conjuncts));
      for (const part of parts) {
        for (const variable of part.variables) {
          const domain = problem.domains.get(variable);
          if (domain !== undefined) blaster.restrict(variable, domain);
        }
        for (const conjunct of part.conjuncts) blaster.require(conjunct);
      }
      result = use(sat, blaster);
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error;
    }
    statistics.conflicts += sat.conflicts;
    statistics.propagations += sat.propagations;
    if (result.answer === 'unknown') statistics.unknown++;
    return result;
  }

  /** What an expression can be under the path, at most `limit` values. */
  values(path: PathCondition, e: Expression, limit: number): Values {
    const { expressions: x, statistics } = this;
    statistics.queries++;
    if (x.isConstant(e)) {
      statistics.path++;
      return { values: [x.value(e)], complete: true };
    }
    const related = path.related([e]);
    const variables = x.variables(e);
    if (related.length === 0 && variables.length === 1 && this.isByte(variables[0])) {
      statistics.path++;
      const column = columnOver(x, e, variables[0]);
      const found = new Set(
        path
          .domain(variables[0])
          .values()
          .map((v) => columnValue(column, v)),
      );
      return sorted(found, limit);
    }
    const found = new Set<bigint>();
    const complete = this.collect(path, related, e, limit + 1, found);
    const out = sorted(found, limit);
    return { values: out.values, complete: complete && out.complete };
  }

  /** Up to `limit` values; whether these are all (an unknown answer is a no). */
  private collect(
    path: PathCondition,
    related: readonly Expression[],
    e: Expression,
    limit: number,
    found: Set<bigint>,
  ): boolean {
    const { expressions: x, options } = this;
    // a condition that always holds, so that the expression's own variables take part in replacing
    const problem = reduced(x, related, (variable) => path.domain(variable));
    if (problem === undefined) return true;
    const own = [...x.variables(e)];
    const domains = new Map<number, ByteSet>(problem.domains);
    for (const variable of own)
      if (this.isByte(variable) && !domains.has(variable)) domains.set(variable, path.domain(variable));
    const parts = problem.parts.filter((part) => part.variables.some((variable) => own.includes(variable)));
    const conjuncts = parts.flatMap((part) => part.conjuncts);
    const bound = [...problem.bound].map(([variable, value]) => {
      const { expression, width } = x.variableAt(variable);
      return x.eq(expression, x.constantBig(width, value));
    });
    const all = [...new Set([...own, ...parts.flatMap((part) => part.variables)])].sort((a, b) => a - b);
    const whole: Part = { conjuncts: [...conjuncts, ...bound], variables: all };
    if (rowsWork(x, [...whole.conjuncts, e], all, domains) <= options.rows) {
      this.statistics.rows++;
      tryRows(x, whole.conjuncts, e, all, domains, (value) => found.add(value).size >= limit);
      return found.size < limit;
    }
    const result = this.search([whole], { ...problem, domains }, (sat, blaster) =>
      enumerate(sat, blaster, e, limit, found, options.budget),
    );
    return result.answer === 'unsat';
  }
}

function sorted(found: ReadonlySet<bigint>, limit: number): Values {
  const values = [...found].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return { values: values.slice(0, limit), complete: values.length <= limit };
}

/** Value after value, each excluded for the rest; unsat at the end of them. */
function enumerate(
  sat: Sat,
  blaster: Blaster,
  e: Expression,
  limit: number,
  found: Set<bigint>,
  budget: number,
): Result {
  const bits = blaster.of(e);
  const end = sat.propagations + budget;
  while (found.size < limit) {
    const answer = sat.solve(end - sat.propagations);
    if (answer !== 'sat') return { answer, model: undefined };
    found.add(blaster.value(e));
    sat.add(bits.map((bit) => (sat.value(bit) ? bit ^ 1 : bit)));
  }
  return { answer: 'sat', model: undefined };
}
