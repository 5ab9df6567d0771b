// Generational search for inputs (as in SAGE): a run on symbolic inputs tells on which conditions its way depended;
// each of them, turned around, makes a new input, which is run in turn. Runs start from the snapshot after boot. What
// leads to program points that no run has seen comes first. Everything is counted in work, nothing in time.
//
// What it finds are plain scenarios: whoever plays them sees their effects as of any probe.
import { type Expression, Expressions, type PathCondition } from '../expr/index.ts';
import { type ConcolicEngine, createConcolicEngine, Shadows } from '../machine/index.ts';
import { Solver } from '../solve/index.ts';
import type { Explorer } from './explorer.ts';
import type { Scenario } from './scenario.ts';
import { changedInput, InputVariables, inputOf, type SymbolicInput, scenarioOf } from './symbolic-input.ts';
import { type Decision, holds, RunPath } from './symbolic-path.ts';
import { CostQueue } from './symbolic-queue.ts';
import { witness } from './symbolic-witness.ts';
import type { ScenarioTrace } from './trace.ts';

export interface SymbolicBudgets {
  /** Runs, those of the seeds included. */
  readonly plays: number;
  /** Conditions turned around. */
  readonly queries: number;
  /** Instructions of all runs together. */
  readonly instructions: number;
}

/** Budgets of a search that may make so many runs. */
export const symbolicBudgets = (plays: number): SymbolicBudgets => ({
  plays,
  queries: 10 * plays,
  instructions: 1_000_000 * plays,
});

export interface SymbolicStatistics {
  plays: number;
  queries: number;
  unsat: number;
  unknown: number;
  instructions: number;
  /** Those of them that ran beside shadows. */
  stepped: number;
  /** Nodes of expressions. */
  nodes: number;
  /** Sides of branches on inputs that were seen, by program point. */
  sides: number;
  /** Runs that did not go where they were meant to. */
  astray: number;
}

/**
 * How promising a decision is to turn around: what shows a new program point comes first, then a new call of a known
 * one; everything else by how often its place was tried, more if this round of a loop, or this layout of the input, has
 * been seen there.
 */
const COST = { point: 0, call: 1, tried: 2, round: 2, layout: 2 } as const;
/** Values of an address that are tried at one place; of a jump. */
const MAX_VALUES = 64;
const MAX_TARGETS = 64;
/** Variables of an address that is tried elsewhere: of more it is a hash, mostly. */
const MAX_ADDRESS_VARIABLES = 4;
/** A search that takes longer is given up: there are others. */
const SOLVER = { budget: 60_000, clauses: 200_000 } as const;
const DEFAULT_PLAYS = 400;
/** Expressions are forgotten beyond so many. */
const MAX_NODES = 6_000_000;

interface Candidate {
  readonly decision: Decision;
  readonly input: SymbolicInput;
}

export class SymbolicSearch {
  readonly statistics: SymbolicStatistics = {
    plays: 0,
    queries: 0,
    unsat: 0,
    unknown: 0,
    instructions: 0,
    stepped: 0,
    nodes: 0,
    sides: 0,
    astray: 0,
  };
  private readonly explorer: Explorer;
  private readonly budgets: SymbolicBudgets;
  private readonly token: string;
  private readonly engine: ConcolicEngine;
  private x = new Expressions();
  private solver = new Solver(this.x, SOLVER);
  private readonly queue = new CostQueue<Candidate>(({ decision }) => this.cost(decision));
  /** How often the other side of a branch was tried, by place and side. */
  private readonly tried = new Map<string, number>();
  /** Sides seen, by program point, by point and stack, and by round too. */
  private readonly seen = new Set<string>();
  private readonly values = new Map<string, Set<bigint>>();
  private readonly sent = new Set<string>();
  /** What was lost for want of an expression, by name. */
  readonly losses = new Map<string, number>();

  constructor(explorer: Explorer, budgets: SymbolicBudgets = symbolicBudgets(DEFAULT_PLAYS)) {
    this.explorer = explorer;
    this.budgets = budgets;
    this.token = explorer.environment.token;
    const { engine, features } = explorer.machine;
    this.engine = createConcolicEngine({ fast: engine, features });
  }

  /** Runs the seeds and what comes of them; `found` is told of every run. */
  search(seeds: readonly Scenario[], found: (scenario: Scenario, trace: ScenarioTrace) => void): void {
    const { pool } = this.explorer.machine.memory;
    pool.shadows = new Shadows();
    try {
      for (const seed of seeds) if (!this.spent) this.play(inputOf(seed, this.token), found, undefined);
      for (let next = this.queue.take(); next !== undefined && !this.spent; next = this.queue.take())
        this.turn(next, found);
    } finally {
      pool.shadows = undefined;
      this.statistics.nodes = this.x.count;
      this.statistics.sides = this.seen.size;
    }
  }

  /** Decisions that were not turned around, by program point. */
  left(): ReadonlyMap<number, number> {
    const out = new Map<number, number>();
    for (const { decision } of this.queue.items())
      if (this.cost(decision) <= COST.call) out.set(decision.at, (out.get(decision.at) ?? 0) + 1);
    return out;
  }

  private get spent(): boolean {
    const { plays, queries, instructions } = this.statistics;
    const { budgets } = this;
    return plays >= budgets.plays || queries >= budgets.queries || instructions >= budgets.instructions;
  }

  private cost(decision: Decision): number {
    if (decision.kind !== 'branch') return this.costOfValue(decision);
    const [point, call, round, layout] = sideKeys(decision, decision.value === 0n);
    if (!this.seen.has(point)) return COST.point + this.triedAt(point);
    if (!this.seen.has(call)) return COST.call + this.triedAt(call);
    return (
      COST.tried +
      this.triedAt(call) +
      (this.seen.has(round) ? COST.round : 0) +
      (this.seen.has(layout) ? COST.layout : 0)
    );
  }

  private costOfValue(decision: Decision): number {
    const { kind, at, stack, expression } = decision;
    if (kind === 'address' && this.x.variables(expression).length > MAX_ADDRESS_VARIABLES) return Infinity;
    const known = this.values.get(layoutSite(decision))?.size ?? 0;
    const most = kind === 'jump' ? MAX_TARGETS : MAX_VALUES;
    if (known >= most) return Infinity;
    return (kind === 'jump' ? COST.point : COST.tried) + this.triedAt(`${at} ${stack}`);
  }

  private triedAt(key: string): number {
    return this.tried.get(key) ?? 0;
  }

  private noteTry(decision: Decision): void {
    const keys =
      decision.kind === 'branch'
        ? sideKeys(decision, decision.value === 0n).slice(0, 2)
        : [`${decision.at} ${decision.stack}`];
    for (const key of keys) this.tried.set(key, this.triedAt(key) + 1);
  }

  private turn({ decision, input }: Candidate, found: Found): void {
    const condition = this.otherSide(decision);
    this.noteTry(decision);
    this.statistics.queries++;
    const values = witness(this.solver, decision.before, condition, input);
    if (values === 'unsat' || values === 'unknown') {
      this.statistics[values]++;
      return;
    }
    this.play(changedInput(this.x, input, values), found, decision);
  }

  private otherSide(decision: Decision): Expression {
    const { x } = this;
    const { expression, value } = decision;
    if (decision.kind === 'branch') return holds(x, expression, 1n - value);
    const known = this.values.get(layoutSite(decision)) ?? new Set();
    const farthest = decision.kind === 'place' && known.size % 2 === 1 ? this.farthest(decision, known) : 0;
    if (farthest !== 0) return farthest;
    let out: Expression = x.constant(1, 1);
    for (const one of known) out = x.and(out, x.not(holds(x, expression, one)));
    return out;
  }

  /**
   * That the place is as far as it can be: where a text is compared with a word, the farthest first difference is behind
   * the word. 0 where no place but known ones is seen to be possible.
   */
  private farthest({ expression, before }: Decision, known: ReadonlySet<bigint>): Expression {
    const { x } = this;
    for (let place = x.range(expression).max; place >= 0n; place--) {
      if (known.has(place)) continue;
      const condition = holds(x, expression, place);
      const all = before.and(condition);
      if (all !== undefined && all !== before && all.related([condition]).length === 0) return condition;
    }
    return 0;
  }

  private play(input: SymbolicInput, found: Found, meant: Decision | undefined): void {
    const text = input.messages.map((bytes) => bytes.join()).join('|');
    const key = `${input.scenario.name} ${text}`;
    if (this.sent.has(key)) return;
    this.sent.add(key);
    if (this.x.count > MAX_NODES) this.forget();
    const { explorer, statistics } = this;
    const scenario = scenarioOf(input, `symbolic ${statistics.plays}`, this.token);
    const path = new RunPath(this.x);
    const { engine } = this;
    const [executed, stepped] = [engine.executed, engine.stepped];
    engine.begin(this.x, path);
    const variables = new InputVariables(this.x);
    const trace = explorer.play(scenario, {
      symbolic: { engine, send: (bytes) => variables.send(bytes) },
    });
    statistics.plays++;
    statistics.instructions += engine.executed - executed;
    statistics.stepped += engine.stepped - stepped;
    if (meant !== undefined && !wentThere(path, meant)) statistics.astray++;
    for (const [what, count] of path.losses) this.losses.set(what, (this.losses.get(what) ?? 0) + count);
    this.note(path, input);
    found(scenario, trace);
  }

  /** What the run saw is seen; its decisions wait to be turned around. */
  private note(path: RunPath, input: SymbolicInput): void {
    for (const decision of path.decisions) {
      if (decision.kind === 'branch')
        for (const key of sideKeys(decision, decision.value === 1n)) this.seen.add(key);
      else {
        const site = layoutSite(decision);
        const known = this.values.get(site) ?? new Set();
        this.values.set(site, known.add(decision.value));
      }
    }
    for (const decision of path.decisions) this.queue.push({ decision, input });
  }

  /** Starts over with expressions; what waits refers to the old ones. */
  private forget(): void {
    this.queue.clear();
    this.x = new Expressions();
    this.solver = new Solver(this.x, SOLVER);
  }
}

type Found = (scenario: Scenario, trace: ScenarioTrace) => void;

/** Where a value was gone on with, in an input laid out like this. */
const layoutSite = ({ at, stack, layout }: Decision): string => `${at} ${stack} ${layout}`;

/** Keys of one side of a branch: of the program point, of the call, of the round of a loop, of the input's layout. */
function sideKeys(
  { at, stack, occurrence, layout }: Decision,
  taken: boolean,
): readonly [string, string, string, string] {
  const side = taken ? '+' : '-';
  const call = `${at} ${stack}`;
  return [
    `${at}${side}`,
    `${call}${side}`,
    `${call} ${occurrence}${side}`,
    `${call} ${occurrence} ${layout}${side}`,
  ];
}

/** Whether a run took the other side of what it was meant to. */
function wentThere({ decisions }: RunPath, { at, stack, occurrence, value, before }: Decision): boolean {
  const depth = (path: PathCondition): number => path.length;
  return decisions.some(
    (one) =>
      one.at === at &&
      one.stack === stack &&
      one.occurrence === occurrence &&
      one.value !== value &&
      depth(one.before) <= depth(before) + 1,
  );
}
