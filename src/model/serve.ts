// The serving pass: which scenarios of the environment are played, in which order, and which of them are compared over
// all environments. What shows nothing new under the first environment is left to it; what services treat alike is not
// tried in every form; and a service that gets ready as it is first used is used before the rest is tried.

import {
  type Attempt,
  askingForFile,
  askingForNames,
  type ClientInput,
  chainScenario,
  connectionScenarios,
  datagramScenarios,
  type Enough,
  type Explorer,
  findSettings,
  fromWithin,
  inputScenarios,
  inTurn,
  knownTexts,
  launchScenarios,
  NameSearch,
  outsideScenarios,
  PAYLOADS,
  payloadScenarios,
  plainSeeds,
  type Scenario,
  type ScenarioTrace,
  type Step,
  type SymbolicRun,
  SymbolicSearch,
  seedOf,
  settingScenario,
  signalScenarios,
  speaksTls,
  symbolicBudgets,
  TIME_SCENARIOS,
  turnScenario,
  turnsOutside,
  withOwnText,
  wordScenarios,
} from '../explore/index.ts';
import { type Listening, listeningOf, reachedFirst } from './listening.ts';
import { Novelty } from './novelty.ts';
import { tryPaths } from './paths.ts';
import { longQuiet, VERY_QUIET } from './quiet.ts';
import { gotReady, mayReady } from './ready.ts';
import { Rows, type Served } from './rows.ts';
import {
  areAnsweredOtherwise,
  crowds,
  isDatagram,
  isSignalledFirst,
  newTexts,
  type Representative,
  signalOf,
  textsOf,
  waitsLong,
} from './scenarios.ts';
import { foundRows } from './searched.ts';
import { dialoguesOf, isTlsHello, talkOverTls, talksOf } from './talks.ts';

export interface ServeOptions {
  readonly stopSignal: number;
  /** Instructions after which no further scenario is begun, under the first environment. */
  readonly budget: number;
  /** What clients say, as far as it was given. */
  readonly inputs: readonly ClientInput[];
  /** Runs on symbolic inputs, a listener each; 0: none. */
  readonly symbolic: number;
  readonly onProgress: (pass: string, done: number, of: number) => void;
}

/** Names that are there, tried per place; and once some were, with what else leads there. */
const MAX_NAMES = 6;
const MORE_NAMES = 2;
/** Scenarios that did not make the service ready although they took long, after which no other one is expected to. */
const FAILED_STAGES = 3;
const MAX_STAGES = 8;

/** Scenarios in which the service turns to others outside, that are tried with what may come of it. */
const MAX_OUTWARD = 4;

/** Instructions of a signal's handling from which on one form of it is enough. */
const COSTLY = 50_000_000;
/** Of one signal's handling, beyond which it is a new start like others. */
const MAX_SIGNAL = 300_000_000;
/** By so many instructions the last scenario may go beyond the budget. */
const BEYOND = 100_000_000;
const NOTHING: Served = { rows: [], warmUps: [], tried: 0 };

/** Lets the environment act on what the boots left. */
export function serveAll(explorers: readonly Explorer[], options: ServeOptions): Served {
  return explorers[0].boot.stop.kind === 'quiescent' ? new Serving(explorers, options).all() : NOTHING;
}

class Serving {
  private readonly explorers: readonly Explorer[];
  private readonly first: Explorer;
  private readonly options: ServeOptions;
  private readonly novelty: Novelty;
  /** Those that are played to now: first what clients outside reach. */
  private listeners: readonly Listening[];
  private readonly rows: Rows;
  /** Pairs of steps that were seen while serving. */
  private readonly serving: Novelty;
  private failedStages = 0;
  private readonly costly = new Set<number>();
  /** Places whose names were asked for. */
  private readonly asked = new Set<string>();
  /** First forms, with what the service looked for. */
  private readonly searched: { readonly scenario: Scenario; readonly search: NameSearch }[] = [];
  /** First messages with words that the service knows. */
  private readonly spoken: Scenario[] = [];
  /** Scenarios in which the service turned to others outside. */
  private readonly outward: Scenario[] = [];
  /** What effects named before anything symbolic was tried. */
  private readonly named = new Set<string>();
  private tried = 0;
  private planned = 0;
  /** Instructions of what the budget is not for. */
  private spent = 0;
  private leftOut = 0;

  constructor(explorers: readonly Explorer[], options: ServeOptions) {
    const [first] = explorers;
    this.explorers = explorers;
    this.first = first;
    this.options = options;
    const known = [...knownTexts(first.environment), ...first.launch.unknown];
    this.novelty = new Novelty(first.boot.steps, known);
    this.serving = this.novelty.unseen();
    this.rows = new Rows(explorers);
    this.listeners = listeningOf(explorers);
  }

  all(): Served {
    const { first, options, listeners } = this;
    const [outer, inner] = reachedFirst(listeners);
    this.listeners = outer;
    const survived = this.playPlain();
    // signals may start a service anew: what that takes is no client's
    this.spent = first.served;
    const representatives = this.firstForms();
    this.getReady(representatives);
    for (const scenario of crowds(this.listeners, representatives)) this.tryOut(scenario);
    this.playClientSignals();
    const given = this.tryInputs();
    for (const { scenario, search } of this.searched) this.tryNames(scenario, search);
    this.tryDialogues();
    this.tryWithin(representatives);
    this.tryRoutes();
    this.goOnAfter(survived, representatives);
    for (const { others } of representatives) for (const scenario of others) this.tryOut(scenario);
    this.tryWords();
    representatives.push(...this.tryInner(inner));
    this.listeners = listeners;
    this.tryOutside();
    this.trySymbolic([...given, ...representatives.map(({ scenario }) => scenario), ...this.spoken]);
    if (this.leftOut > 0) first.cutServing(this.leftOut, options.budget);
    return { rows: this.rows.list, warmUps: this.rows.stages, tried: this.tried };
  }

  /** What is for neighbours in the container: the service itself has others come there for what clients want of it. */
  private tryInner(inner: readonly Listening[]): Representative[] {
    this.listeners = inner;
    const streams = this.streams().flatMap(connectionScenarios);
    this.planned += streams.length;
    for (const scenario of streams) this.tryOut(scenario);
    const before = this.searched.length;
    const representatives = this.firstForms();
    for (const scenario of crowds(inner, representatives)) this.tryOut(scenario);
    for (const { scenario, search } of this.searched.slice(before)) this.tryNames(scenario, search);
    this.tryDialogues();
    for (const { others } of representatives) for (const scenario of others) this.tryOut(scenario);
    this.tryRoutes();
    this.tryWords();
    return representatives;
  }

  /** What was given to try, and the same with the clients' own text in the place of names that it has. */
  private tryInputs(): Scenario[] {
    const { first, options } = this;
    const targets = this.listeners
      .filter(({ twinOf }) => twinOf === undefined)
      .map(({ index, stream }) => ({ index, stream, port: first.boot.listeners[index].port }));
    const scenarios = options.inputs.flatMap((input) => inputScenarios(input, targets));
    this.planned += scenarios.length;
    const known = new Set(this.earlier().flatMap((steps) => textsOf(steps)));
    for (const scenario of scenarios) {
      const trace = this.tryOut(scenario);
      if (trace === undefined) continue;
      const own = withOwnText(scenario, newTexts(trace, known), `${scenario.name}, own text`);
      if (own !== undefined && own !== scenario) this.tryWithNames(own);
    }
    return scenarios;
  }

  /** Scenarios without payloads, but for signals with clients; the signals that the service survived. */
  private playPlain(): Scenario[] {
    const { first, options } = this;
    const streams = this.streams();
    const scenarios = [
      ...TIME_SCENARIOS,
      ...streams.flatMap(connectionScenarios),
      ...launchScenarios(first.launch, first.boot.listeners),
    ];
    const signals = signalScenarios(streams[0], options.stopSignal).filter(isSignalledFirst);
    this.planned += scenarios.length + signals.length;
    for (const scenario of scenarios)
      this.playEverywhere(scenario, scenario.actions[0].do === 'connect' && !waitsLong(scenario));
    const before = first.served;
    const survived: Scenario[] = [];
    let leftOut = 0;
    for (const scenario of signals) {
      if (first.served - before > options.budget) {
        leftOut++;
        continue;
      }
      const trace = this.playSignal(scenario);
      const signal = signalOf(scenario);
      if (trace.instructions > COSTLY && signal !== undefined) this.costly.add(signal);
      else if (!trace.ended) survived.push(scenario);
    }
    if (leftOut > 0) first.cutServing(leftOut, options.budget, 'signals');
    return survived;
  }

  /** On the service as it was after boot. What only does again what was seen is left. */
  private playSignal(scenario: Scenario): ScenarioTrace {
    this.tick();
    const quiet = longQuiet(this.serving.follow());
    const enough: Enough = (steps, instructions) => instructions > MAX_SIGNAL || quiet(steps, instructions);
    const trace = this.first.play(scenario, { enough });
    this.keep(scenario, trace, 0, (explorer) => explorer.play(scenario));
    return trace;
  }

  /** Signals to a service that serves; what takes long is not tried again with clients. */
  private playClientSignals(): void {
    const { first, options } = this;
    const scenarios = signalScenarios(this.streams()[0], options.stopSignal).filter((scenario) => {
      const signal = signalOf(scenario);
      return !isSignalledFirst(scenario) && signal !== undefined && !this.costly.has(signal);
    });
    this.planned += scenarios.length;
    const before = first.served;
    for (const scenario of scenarios) this.playEverywhere(scenario, false);
    this.spent += first.served - before;
  }

  private streams(): readonly number[] {
    return this.listeners.filter(({ stream }) => stream).map(({ index }) => index);
  }

  /** On the service as it is by now, whatever the budget. What only does again what was seen is left. */
  private playEverywhere(scenario: Scenario, mayStay: boolean): void {
    this.tick();
    const attempt = this.first.attempt(scenario, { enough: longQuiet(this.serving.follow(), VERY_QUIET) });
    if (mayStay && this.stays(attempt, scenario)) return;
    attempt.drop();
    const warm = this.isWarm;
    this.keep(scenario, attempt.trace, this.rows.stages.length, (explorer) =>
      explorer.play(scenario, { warm }),
    );
  }

  /** The scenario's row: others play it where something in it may be the environment's. */
  private keep(
    scenario: Scenario,
    trace: ScenarioTrace,
    stage: number,
    play: (explorer: Explorer) => ScenarioTrace,
  ): void {
    this.tried++;
    if (this.novelty.isNew(trace)) this.noteOutward(scenario, trace);
    this.serving.isNew(trace);
    this.rows.add(trace, stage, play);
  }

  private get limit(): number {
    return this.spent + this.options.budget;
  }

  /**
   * Every payload in its first form. Those that the service treats in a way of their own are what it tells apart: a
   * listener's twin gets no others.
   */
  private firstForms(): Representative[] {
    const apart = new Map<number, (readonly [string, string])[]>();
    const representatives: Representative[] = [];
    for (const { index, stream, twinOf } of this.listeners) {
      const payloads = twinOf === undefined ? PAYLOADS : (apart.get(twinOf) ?? []);
      const treatments = new Set<string>();
      const own: (readonly [string, string])[] = [];
      apart.set(index, own);
      this.planned += payloads.length;
      for (const [name, payload] of payloads) {
        const forms = stream
          ? payloadScenarios(index, name, payload)
          : datagramScenarios(index, name, payload);
        const search = new NameSearch(this.first.environment.token);
        const trace = this.tryOut(forms[0], search);
        if (trace === undefined) continue;
        this.searched.push({ scenario: forms[0], search });
        const treatment = this.novelty.treatment(trace);
        if (treatments.has(treatment)) continue;
        treatments.add(treatment);
        own.push([name, payload]);
        if (twinOf === undefined)
          representatives.push({
            listener: index,
            payload,
            scenario: forms[0],
            trace,
            others: stream ? forms.slice(1) : [],
          });
      }
    }
    this.planned += representatives.length;
    return representatives;
  }

  /**
   * Whether the scenario made the service ready (ready.ts); then all that follows begins after it, under every
   * environment, and the attempt is used up.
   */
  private stays(
    attempt: Attempt,
    scenario: Scenario,
    name?: (environment: number) => string | undefined,
  ): boolean {
    if (this.failedStages >= FAILED_STAGES || this.rows.stages.length >= MAX_STAGES) return false;
    if (!mayReady(attempt)) return false;
    if (gotReady(attempt)) {
      this.stay(attempt, scenario, name);
      return true;
    }
    this.failedStages++;
    return false;
  }

  private stay(
    attempt: Attempt,
    scenario: Scenario,
    name?: (environment: number) => string | undefined,
  ): void {
    attempt.adopt();
    const traces = [
      attempt.trace,
      ...this.explorers.slice(1).map((explorer, i) => explorer.warmUp(scenario, { name: name?.(i + 1) })),
    ];
    this.tried++;
    this.serving.isNew(attempt.trace);
    this.rows.addStage(traces);
    // and again, to see whether it did
    this.spent += 2 * attempt.trace.instructions;
    this.novelty.goOn(attempt.trace);
  }

  /** Where one request of each kind makes the next ones much shorter, the rest begins after them. */
  private getReady(representatives: readonly Representative[]): void {
    const { first } = this;
    const lasting = representatives.filter(({ trace }) => !trace.ended);
    const cold = lasting.reduce((sum, { trace }) => sum + trace.instructions, 0);
    if (lasting.length === 0 || first.served > this.limit) return;
    const scenario = inTurn(
      'one of each kind',
      lasting.map((each) => each.scenario),
    );
    const attempt = first.attempt(scenario);
    if (gotReady(attempt, cold)) this.stay(attempt, scenario);
    else attempt.drop();
  }

  /** What clients of well-known protocols say. */
  private tryDialogues(): void {
    const { accounts } = this.first;
    const scenarios = dialoguesOf(this.listeners, accounts);
    this.planned += scenarios.length;
    for (const scenario of scenarios) {
      const trace = this.tryWithNames(scenario);
      // who answers datagrams of its own kind only may do so for clients that it knows
      if (isDatagram(scenario) && trace?.answers.length === 0) this.tryWithNames(fromWithin(scenario));
      if (!isTlsHello(scenario) || !speaksTls(trace?.answers[0] ?? '')) continue;
      const [connect] = scenario.actions;
      if ('listener' in connect) talkOverTls(connect.listener, accounts, (talk) => this.tryWithNames(talk));
    }
  }

  /** A service that was told to read its configuration anew, or to open its files again, serves again, maybe otherwise. */
  private goOnAfter(survived: readonly Scenario[], representatives: readonly Representative[]): void {
    const lasting = representatives.filter(({ trace }) => !trace.ended).map(({ scenario }) => scenario);
    this.planned += survived.length;
    for (const signal of survived)
      this.tryOut(inTurn(`${signal.name}, then one of each kind`, [signal, ...lasting]));
  }

  /** Clients within the container. Where they are answered otherwise than others, they say all that these say. */
  private tryWithin(representatives: readonly Representative[]): void {
    const lasting = representatives.filter(({ trace }) => !trace.ended);
    if (lasting.length === 0) return;
    const scenarios = lasting.map(({ scenario }) => scenario);
    const near = this.tryOut(fromWithin(inTurn('one of each kind', scenarios)));
    const afar = lasting.flatMap(({ trace }) => trace.answers);
    if (near === undefined || !areAnsweredOtherwise(afar, near.answers)) return;
    const talks = talksOf(this.listeners, this.first.accounts);
    this.planned += talks.length;
    for (const talk of talks) this.tryWithNames(fromWithin(talk));
  }

  /** What clients of web services send to the paths that these know. */
  private tryRoutes(): void {
    const { first } = this;
    const single = this.listeners.filter(({ stream, twinOf }) => stream && twinOf === undefined);
    for (const listener of single) {
      const routes = first.routes(listener, { warm: this.isWarm, budget: this.limit });
      this.planned += 2 * routes.length;
      const lasting = tryPaths(listener.index, routes, {
        first,
        novelty: this.novelty,
        play: (scenario) => this.tryWithNames(scenario),
      });
      if (lasting.length === 0) continue;
      const chain = chainScenario(lasting);
      this.tryOut(chain);
      this.tryOut(fromWithin(chain));
    }
  }

  private tryWords(): void {
    const { first } = this;
    this.options.onProgress('words', 0, 1);
    const single = this.listeners.filter(({ twinOf }) => twinOf === undefined);
    // one that nobody knows is as good as all of those
    const scenarios = single.flatMap((listener) =>
      ['{token}', ...first.knownWords(listener, { warm: this.isWarm, budget: this.limit })].flatMap((word) =>
        wordScenarios(listener, word),
      ),
    );
    this.planned += scenarios.length + 1;
    const lasting = scenarios.filter((scenario) => this.tryWithNames(scenario)?.ended === false);
    this.spoken.push(...lasting);
    this.tryOut(chainScenario(lasting));
    for (const listener of single) if (listener.stream) this.trySettings(listener);
  }

  /** Switches that clients can turn; those that set something off are turned back and over again. */
  private trySettings(listener: Listening): void {
    const { first, isWarm: warm } = this;
    const options = { warm, budget: this.limit };
    const settings = findSettings(listener, first.likelyWords(listener, options), first.asking(options));
    this.planned += settings.length;
    for (const setting of settings) {
      const before = this.rows.list.length;
      const turn = turnScenario(listener, setting);
      this.tryOut(turn);
      if (this.rows.list.length === before) continue;
      this.tryOut(settingScenario(listener, setting));
      this.tryOut(inTurn(`${setting.name} turned, then all words`, [turn, chainScenario(this.spoken)]));
    }
  }

  /** Those that the service turns to do not answer, refuse, can't be reached. */
  private tryOutside(): void {
    const { first } = this;
    const scenarios = this.outward.slice(0, MAX_OUTWARD);
    if (this.turnsOutside(first.boot.steps)) scenarios.unshift({ name: 'after the start', actions: [] });
    for (const forms of scenarios.map(outsideScenarios)) {
      this.planned += forms.length;
      for (const form of forms) {
        const trace = this.tryOut(form);
        // who tries again and again does so in each of them
        if (trace !== undefined && trace.instructions > COSTLY) break;
      }
    }
  }

  /**
   * What takes long is tried with what may come of its requests only where nothing shorter turned outside, and where it
   * is no new start after a signal: the boot was tried with all of that.
   */
  private noteOutward(scenario: Scenario, { steps, instructions }: ScenarioTrace): void {
    if (!this.turnsOutside(steps)) return;
    const known =
      this.outward.length > 0 ||
      (signalOf(scenario) !== undefined && this.turnsOutside(this.first.boot.steps));
    if (instructions <= COSTLY || !known) this.outward.push(scenario);
  }

  private turnsOutside(steps: readonly Step[]): boolean {
    return turnsOutside(steps, this.first.launch.environment.values);
  }

  /** Searches for messages that lead where none of these did, and plays what it finds like any other. */
  private trySymbolic(known: readonly Scenario[]): void {
    const { first, options } = this;
    if (options.symbolic === 0) return;
    const seeds = known.flatMap((scenario) => seedOf(scenario) ?? []);
    for (const { index, stream, twinOf } of this.listeners) {
      if (twinOf !== undefined || first.served > this.limit) continue;
      const of = seeds.filter(({ actions }) =>
        actions.some((action) => 'listener' in action && action.listener === index),
      );
      const own = [...plainSeeds(index, stream), ...of];
      options.onProgress('symbolic', 0, options.symbolic);
      for (const steps of this.earlier()) for (const text of textsOf(steps)) this.named.add(text);
      const found: SymbolicRun[] = [];
      const search = new SymbolicSearch(first, symbolicBudgets(options.symbolic));
      search.search(own, (run) => {
        options.onProgress('symbolic', search.statistics.plays, options.symbolic);
        this.tried++;
        if (this.novelty.isNew(run.trace, run.patterns)) found.push(run);
      });
      const { explorers, novelty, named } = this;
      const searcher = {
        explorers,
        novelty,
        named,
        mayTry: () => this.mayTry(),
        tryNames: (scenario: Scenario, names: NameSearch) => this.tryNames(scenario, names),
      };
      this.rows.list.push(...foundRows(search, found, searcher));
      first.cutSymbolic(search.cuts());
    }
  }

  /** Steps of the boot and of what was played so far, under the first environment. */
  private earlier(): readonly (readonly Step[])[] {
    return [this.first.boot.steps, ...this.rows.list.map(({ traces }) => traces[0].steps)];
  }

  /** Whether one more run may be tried. */
  private mayTry(): boolean {
    const may = this.first.served <= this.limit;
    if (may) this.tried++;
    else this.leftOut++;
    return may;
  }

  private get isWarm(): boolean {
    return this.rows.stages.length > 0;
  }

  private tick(): void {
    this.options.onProgress('serve', this.tried, Math.max(this.planned, this.tried));
  }

  /** Plays under the first environment, and under the others where that showed anything new; undefined: not any more. */
  private tryOut(
    scenario: Scenario,
    search?: NameSearch,
    nameOf: (environment: number) => string | undefined = () => undefined,
  ): ScenarioTrace | undefined {
    const { first, isWarm: warm } = this;
    if (first.served > this.limit) {
      this.leftOut++;
      return undefined;
    }
    this.tick();
    const most = this.limit - first.served + BEYOND;
    const attempt = first.attempt(scenario, { search, name: nameOf(0), most });
    const { trace } = attempt;
    if (this.stays(attempt, scenario, nameOf)) {
      this.noteOutward(scenario, trace);
      return trace;
    }
    attempt.drop();
    this.tried++;
    if (this.novelty.isNew(trace)) {
      this.noteOutward(scenario, trace);
      this.serving.isNew(trace);
      this.rows.add(trace, this.rows.stages.length, (explorer, i) =>
        explorer.play(scenario, { name: nameOf(i), warm, most }),
      );
    }
    return trace;
  }

  /** And the same again, asking for what is there: each environment for another name, so that names generalize. */
  private tryWithNames(scenario: Scenario): ScenarioTrace | undefined {
    const search = new NameSearch(this.first.environment.token);
    const trace = this.tryOut(scenario, search);
    this.tryNames(scenario, search);
    return trace;
  }

  private tryNames(scenario: Scenario, search: NameSearch): void {
    for (const place of search.places()) {
      const key = JSON.stringify(place);
      const names = this.first.namesAt(place, this.asked.has(key) ? MORE_NAMES : MAX_NAMES);
      if (names.length === 0 && !this.asked.has(key)) this.tryOut(askingForFile(scenario, place));
      this.asked.add(key);
      const named = askingForNames(scenario, place.directory);
      names.forEach((_, shift) => {
        this.tryOut(named, undefined, (i) => names[(shift + i) % names.length]);
      });
    }
  }
}
