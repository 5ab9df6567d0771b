// Generational search for inputs (as in SAGE): a run on symbolic inputs tells on which conditions its way depended;
// each of them, turned around, makes a new input, which is run in turn. Runs start from the snapshot after boot. What
// leads to program points that no run has seen comes first. Everything is counted in work, nothing in time.
//
// What it finds are plain scenarios: whoever plays them sees their effects as of any probe.
import { type Expression, Expressions, type PathCondition } from '../expr/index.ts';
import { createConcolicEngine, Shadows } from '../machine/index.ts';
import { Solver } from '../solve/index.ts';
import type { Explorer } from './explorer.ts';
import type { Scenario } from './scenario.ts';
import { changedInput, InputVariables, inputOf, type SymbolicInput, scenarioOf } from './symbolic-input.ts';
import { type Decision, holds, RunPath } from './symbolic-path.ts';
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

export const SYMBOLIC_BUDGETS: SymbolicBudgets = {
  plays: 400,
  queries: 4000,
  instructions: 400_000_000,
};

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

/** How promising a decision is to turn around: by what its other side would be new in. */
const LEVELS = { point: 0, call: 1, value: 2, round: 3, layout: 4 } as const;
const LEVEL_COUNT = 5;
/** Rounds of a loop that are told apart. */
const MAX_ROUND = 40;
/** Values of an address or count that are tried at one place; of a jump. */
const MAX_VALUES = 24;
const MAX_TARGETS = 64;
/** Expressions are forgotten beyond so many. */
const MAX_NODES = 6_000_000;

interface Candidate {
  readonly decision: Decision;
  readonly input: SymbolicInput;
  level: number;
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
  private x = new Expressions();
  private solver = new Solver(this.x);
  private readonly queues: Candidate[][] = Array.from({ length: LEVEL_COUNT }, () => []);
  /** Sides seen, by program point, by point and stack, and by round too. */
  private readonly seen = new Set<string>();
  private readonly values = new Map<string, Set<bigint>>();
  private readonly sent = new Set<string>();
  /** What was lost for want of an expression, by name. */
  readonly losses = new Map<string, number>();

  constructor(explorer: Explorer, budgets: SymbolicBudgets = SYMBOLIC_BUDGETS) {
    this.explorer = explorer;
    this.budgets = budgets;
    this.token = explorer.environment.token;
  }

  /** Runs the seeds and what comes of them; `found` is told of every run. */
  search(seeds: readonly Scenario[], found: (scenario: Scenario, trace: ScenarioTrace) => void): void {
    const { pool } = this.explorer.machine.memory;
    pool.shadows = new Shadows();
    try {
      for (const seed of seeds) if (!this.spent) this.play(inputOf(seed, this.token), found, undefined);
      for (let next = this.take(); next !== undefined && !this.spent; next = this.take())
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
    for (const { decision } of this.queues.flat())
      if (this.level(decision) <= LEVELS.call) out.set(decision.at, (out.get(decision.at) ?? 0) + 1);
    return out;
  }

  private get spent(): boolean {
    const { plays, queries, instructions } = this.statistics;
    const { budgets } = this;
    return plays >= budgets.plays || queries >= budgets.queries || instructions >= budgets.instructions;
  }

  /** The most promising candidate; what is less so by now waits for its turn. */
  private take(): Candidate | undefined {
    const { value } = LEVELS;
    // what is new for certain comes first; of what may lead to something, each kind has its turn
    const turn = this.statistics.queries;
    for (let i = 0; i < LEVEL_COUNT; i++) {
      const level = i < value ? i : value + ((i + turn) % (LEVEL_COUNT - value));
      const queue = this.queues[level];
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const now = this.level(next.decision);
        if (now === level) return next;
        if (now < LEVEL_COUNT) this.queues[now].push(next);
      }
    }
    return undefined;
  }

  /** How new the other side of a decision would be; LEVEL_COUNT: not at all. */
  private level(decision: Decision): number {
    if (decision.kind !== 'branch') return this.valueLevel(decision);
    const [point, call, round, layout] = sideKeys(decision, decision.value === 0n);
    if (!this.seen.has(point)) return LEVELS.point;
    if (!this.seen.has(call)) return LEVELS.call;
    if (decision.occurrence >= MAX_ROUND) return LEVEL_COUNT;
    if (!this.seen.has(round)) return LEVELS.round;
    return this.seen.has(layout) ? LEVEL_COUNT : LEVELS.layout;
  }

  private valueLevel({ kind, at, stack }: Decision): number {
    const known = this.values.get(`${at} ${stack}`)?.size ?? 0;
    if (kind === 'jump') return known < MAX_TARGETS ? LEVELS.point : LEVEL_COUNT;
    return known <= MAX_VALUES ? LEVELS.value : LEVEL_COUNT;
  }

  private turn({ decision, input }: Candidate, found: Found): void {
    const condition = this.otherSide(decision);
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
    const known = this.values.get(`${decision.at} ${decision.stack}`) ?? [];
    let out: Expression = x.constant(1, 1);
    for (const one of known) out = x.and(out, x.not(holds(x, expression, one)));
    return out;
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
    const engine = createConcolicEngine({
      fast: explorer.machine.engine,
      features: explorer.machine.features,
      expressions: this.x,
      listener: path,
    });
    const variables = new InputVariables(this.x);
    const trace = explorer.play(scenario, {
      symbolic: { engine, send: (bytes) => variables.send(bytes) },
    });
    statistics.plays++;
    statistics.instructions += engine.executed;
    statistics.stepped += engine.stepped;
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
        const site = `${decision.at} ${decision.stack}`;
        const known = this.values.get(site) ?? new Set();
        this.values.set(site, known.add(decision.value));
      }
    }
    for (const decision of path.decisions) {
      const level = this.level(decision);
      if (level < LEVEL_COUNT) this.queues[level].push({ decision, input, level });
    }
  }

  /** Starts over with expressions; what waits refers to the old ones. */
  private forget(): void {
    for (const queue of this.queues) queue.length = 0;
    this.x = new Expressions();
    this.solver = new Solver(this.x);
  }
}

type Found = (scenario: Scenario, trace: ScenarioTrace) => void;

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
