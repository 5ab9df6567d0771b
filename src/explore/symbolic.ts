// Generational search for inputs (as in SAGE): a run on symbolic inputs tells on which conditions its way depended;
// each of them, turned around, makes a new input, which is run in turn. Runs start from the snapshot after boot. What
// leads to program points that no run has seen comes first. Everything is counted in work, nothing in time.
//
// What it finds are plain scenarios: whoever plays them sees their effects as of any probe.
import { encodeText } from '../bytes/index.ts';
import { type Expression, Expressions, type PathCondition } from '../expr/index.ts';
import { type ConcolicEngine, createConcolicEngine, Shadows } from '../machine/index.ts';
import { Solver } from '../solve/index.ts';
import type { Explorer, SymbolicCut } from './explorer.ts';
import type { NameSearch } from './names.ts';
import type { Scenario } from './scenario.ts';
import { SymbolicCuts } from './symbolic-cuts.ts';
import { type ExploredPatterns, SymbolicEvents } from './symbolic-events.ts';
import {
  changedInput,
  goingOn,
  inPieces,
  inputOf,
  isFixed,
  type SymbolicInput,
  scenarioOf,
  withFile,
  withValues,
} from './symbolic-input.ts';
import { type Decision, holds, RunPath } from './symbolic-path.ts';
import { PlaceQueue } from './symbolic-queue.ts';
import { RunSources } from './symbolic-sources.ts';
import { witness } from './symbolic-witness.ts';
import type { ScenarioTrace } from './trace.ts';

export interface SymbolicBudgets {
  /** Runs, those of the seeds included. */
  readonly plays: number;
  /** Conditions turned around. */
  readonly queries: number;
  /** Instructions of all runs together. */
  readonly instructions: number;
  /** Runs without a new call or a new side of a branch after which the search ends. */
  readonly patience: number;
  /** Times that one call is turned around without a new round of its loop, after which it is left. */
  readonly tries: number;
}

/** Runs that a search goes on for at least, whatever they show. */
const LEAST_PATIENCE = 60;
const TRIES = 256;

/** Budgets of a search that may make so many runs. */
export const symbolicBudgets = (plays: number): SymbolicBudgets => ({
  plays,
  queries: 10 * plays,
  instructions: 1_000_000 * plays,
  patience: Math.max(LEAST_PATIENCE, plays >> 2),
  tries: TRIES,
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

/** Connections that are gone on with, of one search; messages that each of them may have. */
const MAX_OPENINGS = 8;
const MAX_MESSAGES = 3;
/** Messages of other scenarios that are tried as next ones; files that come to be there. */
const MAX_NEXT = 12;
const MAX_FILES = 8;
/** Inputs that are played in pieces, and with other values of the launch; such values at a time. */
const MAX_VARIED = 6;
const MAX_UNKNOWN = 4;
/** Share of the runs before the first connection is gone on with, and for each one. */
const FIRST_SHARE = 0.4;
const OPENING_SHARE = 0.15;
/** In a file of which nobody knows the content. */
const CONTENT = new TextEncoder().encode('0123456789 abcdefghijklmnop\n');

/** A run whose message was answered: another one may follow it. */
interface Opening {
  readonly input: SymbolicInput;
  /** Sides of branches that it was the first to show. */
  readonly news: number;
}

interface Candidate {
  readonly decision: Decision;
  readonly input: SymbolicInput;
  /** Of the other side of a branch; of a value, the place alone. */
  readonly keys: Keys;
  /** Of an address that is a hash, mostly. */
  readonly hopeless: boolean;
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
  private stopped = false;
  private readonly explorer: Explorer;
  private readonly budgets: SymbolicBudgets;
  private readonly token: string;
  private readonly engine: ConcolicEngine;
  private x = new Expressions();
  private solver = new Solver(this.x, SOLVER);
  private readonly queue = new PlaceQueue<Candidate>({
    base: (candidate) => this.base(candidate),
    extra: (candidate) => this.extra(candidate),
  });
  private readonly numbers = new KeyNumbers();
  /** By number of a key: how often it was tried, and whether it was seen. */
  private readonly tried: number[] = [];
  private readonly seen: boolean[] = [];
  /** Values gone on with, by number of the place in this layout. */
  private readonly values = new Map<number, Set<bigint>>();
  private readonly sent = new Set<string>();
  private readonly cutPlaces = new SymbolicCuts();
  /** Branches that were open when expressions were forgotten. */
  private readonly forgotten = new Set<number>();
  /** By number of a call: no value but those known can be there. */
  private readonly settled: boolean[] = [];
  /** By number of a call: times that it was turned around since it showed a new round. */
  private readonly fruitless: number[] = [];
  /** Runs when something new was last seen. */
  private lastNews = 0;
  private openings: Opening[] = [];
  /** Answers that connections were gone on after. */
  private readonly answered = new Set<string>();
  private openingsTaken = 0;
  private filesPlaced = 0;
  /** Inputs with another environment, and in another form, that are to be played. */
  private readonly changed: SymbolicInput[] = [];
  private readonly pieces: SymbolicInput[] = [];
  /** Inputs that were played in other forms. */
  private varied = 0;
  private valued = 0;
  private readonly wanted = new Set<string>();
  /** First messages of the seeds. */
  private next: readonly Uint8Array[] = [];
  private readonly unknown: readonly string[];

  constructor(explorer: Explorer, budgets: SymbolicBudgets = symbolicBudgets(DEFAULT_PLAYS)) {
    this.explorer = explorer;
    this.budgets = budgets;
    this.token = explorer.environment.token;
    this.unknown = explorer.launch.mounts.flatMap(({ target, content }) =>
      content.kind === 'unknown' ? [target] : [],
    );
    const { engine, features } = explorer.machine;
    this.engine = createConcolicEngine({ fast: engine, features });
  }

  /** Runs the seeds and what comes of them; `found` is told of every run. */
  search(seeds: readonly Scenario[], found: Found): void {
    this.withShadows(() => {
      const inputs = seeds.map((seed) => inputOf(seed, this.token));
      this.next = inputs.flatMap(({ messages }) => messages.slice(0, 1)).slice(0, MAX_NEXT);
      for (const input of inputs) if (!this.spent) this.play(input, found, undefined);
      while (!this.spent && this.step(found));
    });
  }

  /** One more thing is tried; whether there was any. */
  private step(found: Found): boolean {
    const changed = this.changed.shift();
    if (changed !== undefined) {
      this.play(changed, found, undefined);
      return true;
    }
    const { plays } = this.budgets;
    const share = plays * (FIRST_SHARE + this.openingsTaken * OPENING_SHARE);
    const isPromising = this.statistics.plays < share;
    const mayOpen = this.openings.length > 0 && this.openingsTaken < MAX_OPENINGS;
    const candidate = this.queue.take(isPromising || !mayOpen ? COST.tried : 0);
    const piece = candidate === undefined ? this.pieces.shift() : undefined;
    if (piece !== undefined) this.play(piece, found, undefined);
    else if (candidate === undefined && mayOpen) this.open(found);
    else {
      const next = candidate ?? this.queue.take();
      if (next === undefined) return false;
      this.turn(next, found);
    }
    return true;
  }

  /** Goes on with the connection that showed most. */
  private open(found: Found): void {
    const best = this.openings.reduce((a, b) => (b.news > a.news ? b : a));
    this.openings = this.openings.filter((one) => one !== best);
    this.openingsTaken++;
    this.lastNews = this.statistics.plays;
    for (const message of this.next) {
      const input = goingOn(best.input, message);
      if (input !== undefined && !this.spent) this.play(input, found, undefined);
    }
  }

  /** One more run, as it is given, whatever the budgets say. */
  replay(scenario: Scenario, search?: NameSearch): SymbolicRun {
    return this.withShadows(() => {
      const { run, path } = this.run(inputOf(scenario, this.token), scenario.name, search);
      this.cutPlaces.lost(path.losses.values());
      return run;
    });
  }

  private withShadows<T>(use: () => T): T {
    const { pool } = this.explorer.machine.memory;
    pool.shadows = new Shadows();
    try {
      return use();
    } finally {
      pool.shadows = undefined;
      this.statistics.nodes = this.x.count;
      this.statistics.sides = this.numbers.points;
    }
  }

  /** What was lost for want of an expression, by name. */
  get losses(): ReadonlyMap<string, number> {
    return this.cutPlaces.lossCounts();
  }

  /** Where the search stopped short. */
  cuts(): readonly SymbolicCut[] {
    const branches = new Set([...this.forgotten, ...this.waiting()]);
    return this.cutPlaces.all(branches, (call) => this.settled[call] === true);
  }

  /** Addresses of branches that wait, of which the other side was neither seen nor tried. */
  private *waiting(): Iterable<number> {
    for (const { decision, keys } of this.queue.items())
      if (decision.kind === 'branch' && this.seen[keys.call] !== true && this.triedAt(keys.call) === 0)
        yield decision.at;
  }

  /** Ends the search after the run at hand: who listens has found what it looks for. */
  stop(): void {
    this.stopped = true;
  }

  private get spent(): boolean {
    const { plays, queries, instructions } = this.statistics;
    const { budgets } = this;
    return (
      this.stopped ||
      plays >= budgets.plays ||
      queries >= budgets.queries ||
      instructions >= budgets.instructions ||
      plays - this.lastNews >= budgets.patience
    );
  }

  private base(candidate: Candidate): number {
    const { decision, keys } = candidate;
    if (decision.kind !== 'branch') return this.baseOfValue(candidate);
    if (this.seen[keys.point] !== true) return COST.point + this.triedAt(keys.point);
    if (this.seen[keys.call] !== true) return COST.call + this.triedAt(keys.call);
    return COST.tried + this.triedAt(keys.call);
  }

  private baseOfValue({ decision: { kind }, keys, hopeless }: Candidate): number {
    if (hopeless) return Infinity;
    return (kind === 'jump' ? COST.point : COST.tried) + this.triedAt(keys.call);
  }

  private extra({ decision: { kind }, keys }: Candidate): number {
    if ((this.fruitless[keys.call] ?? 0) >= this.budgets.tries) return Infinity;
    if (kind !== 'branch') {
      const most = kind === 'jump' ? MAX_TARGETS : MAX_VALUES;
      return (this.values.get(keys.layout)?.size ?? 0) >= most ? Infinity : 0;
    }
    return (this.seen[keys.round] ? COST.round : 0) + (this.seen[keys.layout] ? COST.layout : 0);
  }

  private triedAt(key: number): number {
    return this.tried[key] ?? 0;
  }

  private turn(candidate: Candidate, found: Found): void {
    const { decision, input, keys } = candidate;
    const condition = this.otherSide(candidate);
    for (const key of new Set([keys.point, keys.call])) this.tried[key] = this.triedAt(key) + 1;
    this.fruitless[keys.call] = (this.fruitless[keys.call] ?? 0) + 1;
    this.statistics.queries++;
    const values = witness(this.solver, decision.before, condition, input);
    if (values === 'unsat' || values === 'unknown') {
      this.statistics[values]++;
      if (values === 'unsat' && decision.kind !== 'branch') this.settled[keys.call] = true;
      return;
    }
    const changed = changedInput(this.x, input, values);
    if (changed !== undefined) this.play(changed, found, decision);
  }

  private otherSide({ decision, keys }: Candidate): Expression {
    const { x } = this;
    const { expression, value } = decision;
    if (decision.kind === 'branch') return holds(x, expression, 1n - value);
    const known = this.values.get(keys.layout) ?? new Set();
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
    const text = [input.known, ...input.messages.map((bytes) => bytes.join())].join('|');
    const key = `${input.scenario.name} ${text}`;
    if (this.sent.has(key)) return;
    this.sent.add(key);
    if (this.x.count > MAX_NODES) this.forget();
    const { run, path, sources } = this.run(input, `symbolic ${this.statistics.plays}`);
    if (meant !== undefined && !wentThere(path, meant)) this.statistics.astray++;
    this.cutPlaces.lost(path.losses.values());
    this.cutPlaces.beyond(path.dropped);
    const news = this.note(path, { ...input, given: sources.given });
    if (news > 0) this.lastNews = this.statistics.plays;
    this.look(input, run.trace, news, sources.wanted);
    found(run);
  }

  /** What else may come of a run: a next message where it was answered, files that it looked for in vain. */
  private look(
    input: SymbolicInput,
    { answers, ended }: ScenarioTrace,
    news: number,
    wanted: ReadonlySet<string>,
  ): void {
    for (const path of wanted) {
      if (this.wanted.has(path) || this.filesPlaced >= MAX_FILES) continue;
      this.wanted.add(path);
      this.filesPlaced++;
      this.changed.push(withFile(input, path, CONTENT));
    }
    if (news > 0) this.vary(input);
    const [answer = ''] = answers;
    const sends = input.scenario.actions.filter((action) => action.do === 'send').length;
    if (answer === '' || ended || sends === 0 || sends >= MAX_MESSAGES) return;
    const key = `${sends} ${answer.replaceAll(/[0-9]+/g, '0')}`;
    if (this.answered.has(key)) return;
    this.answered.add(key);
    this.openings.push({ input, news });
  }

  /** The same with other unknown values, and in pieces: for a few that showed something. */
  private vary(input: SymbolicInput): void {
    const { actions } = input.scenario;
    const isChanged = actions.some(({ do: what }) => what === 'value' || what === 'reset');
    if (isChanged) return;
    const values = this.explorer.launch.unknown.slice(0, MAX_UNKNOWN).map((text) => encodeText(text));
    if (values.length > 0 && this.valued++ < MAX_VARIED) this.changed.push(withValues(input, values));
    const pieces = this.varied < MAX_VARIED ? inPieces(input) : undefined;
    if (pieces === undefined) return;
    this.varied++;
    this.pieces.push(pieces);
  }

  private run(
    input: SymbolicInput,
    name: string,
    search?: NameSearch,
  ): { readonly run: SymbolicRun; readonly path: RunPath; readonly sources: RunSources } {
    const { explorer, statistics, engine, solver } = this;
    const scenario = scenarioOf(input, name, this.token);
    const path = new RunPath(this.x);
    const [executed, stepped] = [engine.executed, engine.stepped];
    engine.begin(this.x, path);
    const sources = new RunSources({ x: this.x, engine, input, unknown: this.unknown });
    const events = new SymbolicEvents(engine, () => ({ solver, path: path.withoutAddresses() }));
    const trace = explorer.play(scenario, {
      search,
      symbolic: {
        engine,
        send: (bytes) => sources.send(bytes),
        answer: (nth, bytes) => sources.answer(nth, bytes),
        onPlaced: (path, bytes) => sources.onPlaced(path, bytes),
        onPath: (path) => sources.onPath(path),
        onCall: (task, row, args) => events.onCall(task, row, args),
        onResult: (task, row, args, result) => sources.onResult(task, row, args, result),
        onEffect: (event) => events.onEffect(event),
      },
    });
    statistics.plays++;
    statistics.instructions += engine.executed - executed;
    statistics.stepped += engine.stepped - stepped;
    for (const event of events.climbing) this.cutPlaces.climbs(event);
    return { run: { scenario, trace, patterns: events.patterns }, path, sources };
  }

  /**
   * What the run saw is seen; its decisions wait to be turned around, as far as inputs decide on them. Returns how many
   * sides of branches were new.
   */
  private note(path: RunPath, input: SymbolicInput): number {
    const { numbers, x } = this;
    let news = 0;
    const isOpen = ({ kind, expression, at }: Decision): boolean => {
      for (const variable of x.variables(expression)) if (!isFixed(x, input, variable)) return true;
      if (kind === 'branch') this.cutPlaces.environment(at);
      return false;
    };
    const candidates = path.decisions.filter(isOpen).map((decision): Candidate => {
      const { kind, value, expression } = decision;
      if (kind === 'branch') {
        const side = numbers.of(decision, value === 1n ? '+' : '-');
        if (this.seen[side.call] !== true) news++;
        if (this.seen[side.round] !== true) this.isFruitful(decision);
        for (const key of Object.values(side)) this.seen[key] = true;
        return { decision, input, keys: numbers.of(decision, value === 1n ? '-' : '+'), hopeless: false };
      }
      const keys = numbers.of(decision, '');
      this.cutPlaces.pins(kind, decision.at, keys.call);
      this.values.set(keys.layout, (this.values.get(keys.layout) ?? new Set()).add(value));
      const hopeless = kind === 'address' && x.variables(expression).length > MAX_ADDRESS_VARIABLES;
      return { decision, input, keys, hopeless };
    });
    for (const candidate of candidates) this.queue.push(candidate.keys.call, candidate);
    return news;
  }

  /** A new round of a loop: both sides of its branch may be turned around again. */
  private isFruitful(decision: Decision): void {
    for (const side of ['+', '-'] as const) this.fruitless[this.numbers.of(decision, side).call] = 0;
  }

  /** Starts over with expressions; what waits refers to the old ones. */
  private forget(): void {
    for (const at of this.waiting()) this.forgotten.add(at);
    this.queue.clear();
    this.x = new Expressions();
    this.solver = new Solver(this.x, SOLVER);
  }
}

/** A run, and what the resources of its effects can be where clients' bytes came into them. */
export interface SymbolicRun {
  readonly scenario: Scenario;
  readonly trace: ScenarioTrace;
  readonly patterns: ExploredPatterns;
}

type Found = (run: SymbolicRun) => void;

/** Numbers of the keys of one side of a branch: of the program point, the call, the round of a loop, the layout of the input. */
interface Keys {
  readonly point: number;
  readonly call: number;
  readonly round: number;
  readonly layout: number;
}

class KeyNumbers {
  private readonly known = new Map<string, number>();
  /** Program points and sides among them. */
  points = 0;

  /** `side`: + taken, - not; '' of a value, for which the layout's key is that of the place in it. */
  of({ at, stack, occurrence, layout }: Decision, side: '+' | '-' | ''): Keys {
    const call = `${at} ${stack}`;
    const before = this.known.size;
    const point = this.number(`${at}${side}`);
    this.points += this.known.size - before;
    return {
      point,
      call: this.number(`${call}${side}`),
      round: this.number(`${call} ${occurrence}${side}`),
      layout: this.number(side === '' ? `${call} ${layout} at` : `${call} ${occurrence} ${layout}${side}`),
    };
  }

  private number(key: string): number {
    const known = this.known.get(key);
    if (known !== undefined) return known;
    this.known.set(key, this.known.size);
    return this.known.size - 1;
  }
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
