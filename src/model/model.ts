// From image to policy: boot, serve, graph, pass by pass (docs/architecture.md).
import { literal, type Pattern } from '../effect/index.ts';
import {
  askingForNames,
  type BootResult,
  type Budgets,
  chainScenario,
  connectionScenarios,
  datagramScenarios,
  type EntryStep,
  Explorer,
  knownTexts,
  type Launch,
  LONG_BOOT,
  launchScenarios,
  NameSearch,
  PAYLOADS,
  payloadScenarios,
  restartWays,
  type Scenario,
  type ScenarioTrace,
  type Step,
  type Stopped,
  signalScenarios,
  targetScenarios,
  wordScenarios,
} from '../explore/index.ts';
import type { Image } from '../image/index.ts';
import type { EffectEvent, Frame, Listener, Machine } from '../linux/index.ts';
import type { Policy, PolicyCut } from '../policy/index.ts';
import { POLICY_FORMAT } from '../policy/index.ts';
import { alignRuns, generalizeTexts, type Run } from './generalize.ts';
import { GraphBuilder, type Places } from './graph.ts';
import { policyLinks } from './links.ts';
import { Novelty } from './novelty.ts';
import { ProgramTable } from './programs.ts';

export interface ModelOptions {
  /** How the container is started, one for each boot that is compared. */
  readonly launches: readonly Launch[];
  readonly budgets: Budgets;
  /** Whether the environment acts on what listens; without, the policy holds the boot only. */
  readonly probes: boolean;
  /** Signal that stops the service, by number. */
  readonly stopSignal: number;
  /** Recorded in the policy as given. */
  readonly record: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  /** The deployment that the policy is for; absent: the image as it is. */
  readonly deployment?: Policy['deployment'];
  readonly version: string;
  /** Memory and engine of all boots: they share what is lifted and translated, nothing else. */
  readonly machine: Machine;
  readonly onProgress?: (progress: {
    readonly pass: string;
    readonly done: number;
    readonly of: number;
  }) => void;
}

export interface ModelResult {
  readonly policy: Policy;
  /** What the service wrote to its standard output and error in the first boot. */
  readonly output: string;
  /** Where an incomplete boot stopped, the first process last; empty where it is complete. */
  readonly stopped: readonly Stopped[];
}

/** Derives the policy of an image. Nothing of the image runs on the host. */
export function modelImage(image: Image, options: ModelOptions): ModelResult {
  const executedBefore = options.machine.engine.executed;
  const explorers = bootAll(image, options);
  const restarts = restartAll(explorers, options);
  const { rows: serve, tried } = options.probes ? serveAll(explorers, options) : { rows: [], tried: 0 };
  options.onProgress?.({ pass: 'graph', done: 0, of: 1 });
  const programs = new ProgramTable(image.tree);
  const builder = new GraphBuilder((path) => programs.index(path));
  foldRuns(builder, explorers, restarts, serve);
  const { entries, ...graph } = builder.build();
  const stop = explorers[0].boot.stop;
  const incomplete =
    explorers.map((explorer) => incompleteBecause(explorer)).find((reason) => reason !== '') ?? '';
  const effects = [
    ...explorers.map((explorer) => explorer.boot.steps),
    ...restarts.flatMap((row) => row.map((boot) => boot.steps)),
    ...serve.flatMap((row) => row.map((trace) => trace.steps)),
  ];
  const plain: Policy = {
    format: POLICY_FORMAT,
    version: options.version,
    image: {
      names: image.names,
      configDigest: image.configDigest,
      manifestDigest: image.manifestDigest ?? '',
      platform: [image.platform.os, image.platform.architecture, image.platform.variant]
        .filter((part) => part !== undefined && part !== '')
        .join('/'),
      entrypoint: image.config.entrypoint,
      cmd: image.config.cmd,
      user: image.config.user,
      workingDir: image.config.workingDir,
    },
    ...(options.deployment === undefined ? {} : { deployment: options.deployment }),
    options: options.record,
    complete: incomplete === '',
    incomplete,
    coverage: {
      boots: explorers.length + restarts.flat().length,
      scenarios: tried,
      instructions: options.machine.engine.executed - executedBefore,
      effects: effects.reduce((sum, steps) => sum + steps.filter((step) => step.kind === 'effect').length, 0),
      listeners:
        stop.kind === 'exited' ? [] : explorers[0].boot.listeners.map((listener) => listenerText(listener)),
    },
    syscalls: {
      boot: syscallNames(
        [...explorers.map(({ boot }) => boot), ...restarts.flat()].map((boot) => boot.syscalls),
        explorers[0],
      ),
      serve: syscallNames(
        explorers.map((explorer) => explorer.servingSyscalls),
        explorers[0],
      ),
    },
    programs: programs.list,
    ...graph,
    ...(entries.length === 0 ? {} : { entries }),
    cuts: collectCuts(explorers),
  };
  const links = policyLinks(
    plain,
    image.tree,
    explorers.map((explorer) => (path) => explorer.linkAt(path)),
  );
  const policy = Object.keys(links).length === 0 ? plain : { ...plain, links };
  const failed = explorers.find((explorer) => incompleteBecause(explorer) !== '');
  return { policy, output: explorers[0].boot.output, stopped: failed?.trail() ?? [] };
}

/** Of long boots this many are compared, later starts as well: two tell what the environment decides. */
const LONG_BOOTS = 2;
const isLong = ({ boot }: Explorer): boolean => boot.instructions > LONG_BOOT;

/** One boot under each environment; a boot that exceeds its budget would do so again, so it is the last. */
function bootAll(image: Image, options: ModelOptions): Explorer[] {
  const { machine, budgets } = options;
  const explorers: Explorer[] = [];
  for (const launch of options.launches) {
    options.onProgress?.({ pass: 'boot', done: explorers.length, of: options.launches.length });
    const explorer = new Explorer({ tree: image.tree, launch, machine, budgets });
    explorers.push(explorer);
    if (explorer.boot.stop.kind === 'budget') break;
    if (isLong(explorer) && explorers.length >= LONG_BOOTS) break;
  }
  return explorers;
}

/** Environments under which later starts are compared; of a long boot one start, beside the first ones. */
const RESTARTED = 2;

/** Later starts: one row a way, one boot an environment. */
function restartAll(explorers: readonly Explorer[], options: ModelOptions): BootResult[][] {
  const [first] = explorers;
  if (first.boot.stop.kind === 'budget') return [];
  const count = Math.min(isLong(first) ? 1 : RESTARTED, explorers.length);
  const ways = restartWays(first.boot.steps, first.launch, first.boot.instructions);
  return ways.flatMap((way, done) => {
    options.onProgress?.({ pass: 'boot again', done, of: ways.length });
    const row = explorers
      .slice(0, count)
      .flatMap((explorer) => explorer.restart(way, options.stopSignal) ?? []);
    // one that did not end says nothing of what corresponds to what
    return row.length === count ? [row] : [];
  });
}

function incompleteBecause({ boot }: Explorer): string {
  const { stop } = boot;
  if (stop.kind === 'budget')
    return `boot did not come to rest within its instruction budget (in ${stop.waiting[0]?.exe ?? 'no task'})`;
  if (stop.kind === 'exited' && stop.status !== 0)
    return `the entrypoint ended with ${describeStatus(stop.status)}: ${lastLine(boot.output)}`;
  return '';
}

const listenerText = ({ protocol, address, port }: Listener): string =>
  protocol === 'unix'
    ? `unix ${address}`
    : `${protocol} ${address.includes(':') ? `[${address}]` : address}:${port}`;

/** A wait status in words. */
export function describeStatus(status: number): string {
  return (status & 0x7f) === 0 ? `exit status ${(status >> 8) & 0xff}` : `signal ${status & 0x7f}`;
}

const lastLine = (output: string): string => output.trimEnd().split('\n').at(-1) || '(no output)';

interface Listening {
  /** In what every boot has at the same index, which is how scenarios name it. */
  readonly index: number;
  readonly stream: boolean;
  /** The same port as an earlier one, of another address: IPv6 beside IPv4. What it serves is tried there. */
  readonly twin: boolean;
}

const isTwin = (listeners: readonly Listener[], index: number): boolean => {
  const { protocol, port } = listeners[index];
  return (
    port !== 0 &&
    listeners.slice(0, index).some((other) => other.protocol === protocol && other.port === port)
  );
};

interface Served {
  readonly rows: ScenarioTrace[][];
  /** Scenarios that were played, with those that showed nothing new. */
  readonly tried: number;
}

/** Rows of corresponding traces that showed something: one row a scenario, one trace an environment. */
function serveAll(explorers: readonly Explorer[], options: ModelOptions): Served {
  const [first] = explorers;
  if (first.boot.stop.kind !== 'quiescent') return { rows: [], tried: 0 };
  // Scenarios name listeners by index: what every boot has at the same index.
  const listeners = first.boot.listeners.flatMap((listener, index): Listening[] =>
    explorers.every(({ boot }) => boot.listeners[index]?.protocol === listener.protocol)
      ? [{ ...listener, index, twin: isTwin(first.boot.listeners, index) }]
      : [],
  );
  const rows: ScenarioTrace[][] = [];
  const plain: Scenario[] = [];
  const probing: { scenario: Scenario; listener: number; payload: string; name: string }[] = [];
  for (const { index, stream, twin } of listeners) {
    if (stream) plain.push(...connectionScenarios(index));
    for (const [name, payload] of PAYLOADS) {
      const made = stream ? payloadScenarios(index, name, payload) : datagramScenarios(index, name, payload);
      for (const scenario of twin ? made.slice(0, 1) : made)
        probing.push({ scenario, listener: index, payload, name });
    }
  }
  plain.push(
    ...signalScenarios(listeners.find(({ stream }) => stream)?.index, options.stopSignal),
    ...launchScenarios(first.launch, first.boot.listeners),
  );
  const asked = first.targets();
  const single = listeners.filter(({ twin }) => !twin);
  options.onProgress?.({ pass: 'words', done: 0, of: 1 });
  // one that nobody knows is as good as all of those
  const words = single.flatMap((listener) =>
    ['{token}', ...first.knownWords(listener)].flatMap((word) => wordScenarios(listener, word)),
  );
  const targets = single
    .filter(({ stream }) => stream)
    .flatMap(({ index }) => asked.flatMap((target) => targetScenarios(index, target)));
  const total = plain.length + words.length + targets.length + 1 + probing.length;
  let tried = 0;
  const tick = (): void => {
    const done = rows.length + tried;
    options.onProgress?.({ pass: 'serve', done, of: Math.max(total, done) });
  };
  for (const scenario of plain) {
    tick();
    rows.push(explorers.map((explorer) => explorer.play(scenario)));
  }
  const novelty = new Novelty(first.boot.steps, [...knownTexts(first.environment), ...first.launch.unknown]);
  for (const row of rows) novelty.isNew(row[0]);
  /** Plays under the first environment, and under the others where that showed anything new. */
  const tryOut = (
    scenario: Scenario,
    search: NameSearch | undefined,
    nameOf: (i: number) => string | undefined,
  ) => {
    tick();
    const trace = first.play(scenario, { ...(search === undefined ? {} : { search }), name: nameOf(0) });
    if (novelty.isNew(trace))
      rows.push([
        trace,
        ...explorers.slice(1).map((explorer, i) => explorer.play(scenario, { name: nameOf(i + 1) })),
      ]);
    else tried++;
    return trace;
  };
  /** The same again, asking for what is there: each environment for another name, so that names generalize. */
  const tryNames = (search: NameSearch, scenarios: readonly Scenario[]): void => {
    for (const place of search.places()) {
      const names = first.namesAt(place, MAX_NAMES);
      for (const scenario of scenarios) {
        const named = askingForNames(scenario, place.directory);
        names.forEach((_, shift) => {
          tryOut(named, undefined, (i) => names[(shift + i) % names.length]);
        });
      }
    }
  };
  const lasting: Scenario[] = [];
  for (const scenario of words) {
    const search = new NameSearch(first.environment.token);
    if (!tryOut(scenario, search, noName).ended) lasting.push(scenario);
    tryNames(search, [scenario]);
  }
  tryOut(chainScenario(lasting), undefined, noName);
  for (const scenario of targets) {
    const search = new NameSearch(first.environment.token);
    tryOut(scenario, search, noName);
    tryNames(search, [scenario]);
  }
  for (const { scenario, listener, payload, name } of probing) {
    const search = new NameSearch(first.environment.token);
    tryOut(scenario, search, noName);
    if (payload.includes('{token}')) tryNames(search, payloadScenarios(listener, name, payload).slice(0, 1));
  }
  return { rows, tried: tried + rows.length };
}

const noName = (): undefined => undefined;

/** Names that are there, tried per place. */
const MAX_NAMES = 6;

/** Aligns corresponding runs and folds all of them into the graph. */
function foldRuns(
  builder: GraphBuilder,
  explorers: readonly Explorer[],
  restarts: readonly (readonly BootResult[])[],
  serve: readonly (readonly ScenarioTrace[])[],
): void {
  const boots = explorers.map(({ boot }) => eventsOf(boot.steps));
  const runs = explorers.map(
    (explorer, i): Run => ({
      before: [],
      events: boots[i],
      known: [...knownTexts(explorer.environment), ...explorer.launch.unknown],
      chosen: '',
      entered: new Map(),
    }),
  );
  const bootPatterns = alignRuns(runs);
  const firstArgs = commonArgs(explorers.map(({ boot }) => boot.first.args));
  const afterBoot = explorers.map(({ boot }): Places => {
    const places = builder.start(boot.first.tid, boot.first.exe, firstArgs);
    builder.add(
      boot.steps,
      places,
      { phase: 'boot', patterns: bootPatterns, entered: new Map() },
      'executed',
    );
    return places;
  });
  for (const row of restarts) {
    // what it has in common with the first starts differs as it does there
    const again = row.map((boot, i): Run => ({ ...runs[i], events: eventsOf(boot.steps) }));
    const patterns = alignRuns([...runs, ...again]);
    for (const boot of row) {
      const places = builder.start(boot.first.tid, boot.first.exe, firstArgs);
      builder.add(boot.steps, places, { phase: 'boot', patterns, entered: new Map() }, 'executed');
    }
  }
  for (const row of serve) {
    const patterns = alignRuns(
      row.map((trace, i) => ({
        ...runs[i],
        before: boots[i],
        events: eventsOf(trace.steps),
        chosen: trace.chosen,
        entered: enteredIn(trace.steps),
      })),
    );
    const entered = entriesOf(row);
    row.forEach((trace, i) => {
      builder.add(trace.steps, new Map(afterBoot[i]), { phase: 'serve', patterns, entered }, 'executed');
    });
  }
}

/** Patterns of arguments that each environment has its own of; as they are where their number differs. */
function commonArgs(lists: readonly (readonly string[])[]): readonly Pattern[] {
  const [first] = lists;
  if (lists.some((list) => list.length !== first.length)) return first.map(literal);
  return first.map((_, i) => generalizeTexts(lists.map((list) => list[i])));
}

const entrySteps = (steps: readonly Step[]): EntryStep[] =>
  steps.flatMap((step) => (step.kind === 'entry' ? [step] : []));

/** Names of the tasks that came in from outside, the same in corresponding runs. */
const enteredIn = (steps: readonly Step[]): ReadonlyMap<number, string> =>
  new Map(entrySteps(steps).map(({ tid, entry }, i) => [tid, `entry ${entry} #${i}`]));

/** Arguments of the launch's commands over all environments, by entry. */
function entriesOf(row: readonly ScenarioTrace[]): ReadonlyMap<number, readonly Pattern[]> {
  const lists = new Map<number, (readonly string[])[]>();
  for (const { entry, args } of row.flatMap((trace) => entrySteps(trace.steps)))
    lists.set(entry, [...(lists.get(entry) ?? []), args]);
  return new Map([...lists].map(([entry, args]) => [entry, commonArgs(args)]));
}

const eventsOf = (steps: readonly Step[]): EffectEvent[] =>
  steps.flatMap((step) => (step.kind === 'effect' ? [step.event] : []));

function syscallNames(sets: readonly ReadonlySet<number>[], explorer: Explorer): readonly string[] {
  return [...new Set(sets.flatMap((set) => [...set]).map((nr) => explorer.syscallName(nr)))].sort();
}

function collectCuts(explorers: readonly Explorer[]): PolicyCut[] {
  const joined = new Map<string, PolicyCut>();
  for (const explorer of explorers) {
    for (const { cut, count } of explorer.cuts.values()) {
      const item = {
        kind: cut.kind,
        what: cut.what,
        consequence: cut.consequence,
        program: cut.exe,
        at: cut.at === undefined ? '' : frameText(cut.at),
      };
      const key = JSON.stringify(item);
      joined.set(key, { ...item, count: (joined.get(key)?.count ?? 0) + count });
    }
  }
  return [...joined.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, cut]) => cut);
}

const frameText = (frame: Frame): string =>
  `${frame.module}+0x${frame.offset.toString(16)}${frame.symbol === undefined ? '' : ` (${frame.symbol})`}`;
