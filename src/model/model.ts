// From image to policy: boot, serve, graph, pass by pass (docs/architecture.md).
import { literal, type Pattern } from '../effect/index.ts';
import {
  type BootResult,
  type Budgets,
  type ClientInput,
  type Enough,
  type EntryStep,
  Explorer,
  knownTexts,
  type Launch,
  LONG_BOOT,
  lastingPaths,
  type RestartWay,
  restartWays,
  type ScenarioTrace,
  type Step,
  type Stopped,
  turnsOutside,
} from '../explore/index.ts';
import { type Image, walk } from '../image/index.ts';
import type { EffectEvent, Frame, Listener, Machine, Outside } from '../linux/index.ts';
import type { Policy, PolicyCut, Provenance } from '../policy/index.ts';
import { POLICY_FORMAT } from '../policy/index.ts';
import { Endpoints } from './endpoints.ts';
import { alignRuns, type EventPatterns, generalizeTexts, type Notes } from './generalize.ts';
import { GraphBuilder, type Places } from './graph.ts';
import { policyLinks } from './links.ts';
import { Novelty } from './novelty.ts';
import { Orders } from './orders.ts';
import { ProgramTable } from './programs.ts';
import { longQuiet } from './quiet.ts';
import { type Served, serveAll } from './serve.ts';
import { variantsOf } from './symbolic.ts';
import { bootRun, eventsOf, type Run } from './tasks.ts';

export interface ModelOptions {
  /** How the container is started, one for each boot that is compared. */
  readonly launches: readonly Launch[];
  readonly budgets: Budgets;
  /** Whether the environment acts on what listens; without, the policy holds the boot only. */
  readonly probes: boolean;
  /** What clients say, where somebody has it. */
  readonly inputs?: readonly ClientInput[] | undefined;
  /** Runs on symbolic inputs, a listener each; default none. */
  readonly symbolic?: number | undefined;
  /** Signal that stops the service, by number. */
  readonly stopSignal: number;
  /** Recorded in the policy as given. */
  readonly record: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  /** The deployment that the policy is for; absent: the image as it is. */
  readonly deployment?: Policy['deployment'];
  readonly version: string;
  /** Memory and engine of all boots: they share what is lifted and translated, nothing else. */
  readonly machine: Machine;
  /**
   * Makes one whose processor is of a higher level: the second environment's, where the image holds libraries for such
   * processors. Absent: the processor is the same everywhere.
   */
  readonly higherMachine?: (() => Machine) | undefined;
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
  const higher = hasLevels(image) ? options.higherMachine?.() : undefined;
  const explorers = bootAll(image, options, higher);
  const restarts = [...restartAll(explorers, options), ...bootsOutside(explorers, options)];
  const serve: Served = options.probes
    ? serveAll(explorers, {
        stopSignal: options.stopSignal,
        budget: options.budgets.serving,
        inputs: options.inputs ?? [],
        symbolic: options.symbolic ?? 0,
        onProgress: (pass, done, of) => options.onProgress?.({ pass, done, of }),
      })
    : { rows: [], warmUps: [], tried: 0 };
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
    ...serve.warmUps.flat().map(({ steps }) => steps),
    ...serve.rows.flatMap(({ traces }) => traces.map((trace) => trace.steps)),
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
      scenarios: serve.tried,
      instructions: options.machine.engine.executed - executedBefore + (higher?.engine.executed ?? 0),
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

/** Whether the image has what the C library's loader takes on some processors only (`glibc-hwcaps/x86-64-v3/`). */
function hasLevels({ tree }: Image): boolean {
  for (const [path] of walk(tree)) if (path.endsWith('/glibc-hwcaps')) return true;
  return false;
}

/** Of long boots this many are compared, later starts as well: two tell what the environment decides. */
const LONG_BOOTS = 2;
const isLong = ({ boot }: Explorer): boolean => boot.instructions > LONG_BOOT;

/** One boot under each environment; a boot that exceeds its budget would do so again, so it is the last. */
function bootAll(image: Image, options: ModelOptions, higher: Machine | undefined): Explorer[] {
  const { budgets } = options;
  const explorers: Explorer[] = [];
  let outside: Outside = 'answers';
  for (const launch of options.launches) {
    options.onProgress?.({ pass: 'boot', done: explorers.length, of: options.launches.length });
    const machine = explorers.length === 1 && higher !== undefined ? higher : options.machine;
    const bootWhere = (where: Launch, how: Outside): Explorer =>
      new Explorer({ tree: image.tree, launch: where, machine, budgets, outside: how });
    let explorer = bootWhere(launch, outside);
    const first = explorers.at(0);
    if (first === undefined && failsFromOutside(explorer)) {
      const alone = bootWhere(launch, 'silent');
      if (incompleteBecause(alone) === '') [explorer, outside] = [alone, 'silent'];
    } else if (launch.environment.values.nameserver === '' && failsFromOutside(explorer, first)) {
      // there is nothing to compare with where a service ends without a network
      explorer = bootWhere(connected(launch), outside);
    }
    explorers.push(explorer);
    if (explorer.boot.stop.kind === 'budget') break;
    if (isLong(explorer) && explorers.length >= LONG_BOOTS) break;
  }
  return explorers;
}

/** The same, with a network outside. */
function connected(launch: Launch): Launch {
  const { environment } = launch;
  const { gateway } = environment.values;
  return {
    ...launch,
    environment: { ...environment, values: { ...environment.values, nameserver: gateway } },
  };
}

/** Whether a boot went wrong, maybe from what came of its turning to the outside, or the first one's. */
const failsFromOutside = (explorer: Explorer, first = explorer): boolean =>
  incompleteBecause(explorer) !== '' && turnsOutside(first.boot.steps, first.environment.values);

/** Environments under which later starts are compared; of a long boot one start, beside the first ones. */
const RESTARTED = 2;

/** Later starts that show something new: one row a way, one boot an environment. */
function restartAll(explorers: readonly Explorer[], options: ModelOptions): BootResult[][] {
  const [first] = explorers;
  if (first.boot.stop.kind === 'budget') return [];
  const count = Math.min(isLong(first) ? 1 : RESTARTED, explorers.length);
  const ways = restartWays(first.boot.steps, first.launch, first.boot.instructions);
  const novelty = new Novelty(first.boot.steps, [...knownTexts(first.environment), ...first.launch.unknown]);
  const { stopSignal } = options;
  const restart = (explorer: Explorer, way: RestartWay): BootResult | undefined =>
    explorer.restart(way, {
      stopSignal,
      written: lastingPaths(explorer.boot.steps, explorer.launch),
      ...(isLong(first) ? { enough: longQuiet(novelty.followStart()) } : {}),
    });
  return ways.flatMap((way, done) => {
    options.onProgress?.({ pass: 'boot again', done, of: ways.length });
    const again = restart(first, way);
    // one that did not end says nothing of what corresponds to what
    if (again === undefined || !novelty.isNewStart(again.steps)) return [];
    const others = explorers.slice(1, count);
    const row = [again, ...others.flatMap((explorer) => restart(explorer, way) ?? [])];
    return row.length === count ? [row] : [];
  });
}

/** What may come of what a boot asks of the outside. */
const OUTSIDE: readonly Outside[] = ['silent', 'refuses', 'unreachable', 'denies', 'answers'];

/** Boots that turn to the outside, where something else comes of that: one row each that shows something new. */
function bootsOutside(explorers: readonly Explorer[], options: ModelOptions): BootResult[][] {
  const [first] = explorers;
  if (first.boot.stop.kind === 'budget' || !turnsOutside(first.boot.steps, first.environment.values))
    return [];
  const count = Math.min(isLong(first) ? 1 : RESTARTED, explorers.length);
  const novelty = new Novelty(first.boot.steps, [...knownTexts(first.environment), ...first.launch.unknown]);
  const others = OUTSIDE.filter((how) => how !== first.outside);
  let [spent, left] = [0, others.length];
  const tried = others.flatMap((how, done) => {
    options.onProgress?.({ pass: 'boot alone', done, of: others.length });
    if (isLong(first) && spent > first.boot.instructions) return [];
    const boot = first.bootWhere(how, isLong(first) ? quietOutside(first, novelty) : undefined);
    spent += boot.instructions;
    left--;
    if (!novelty.isNewStart(boot.steps)) return [];
    return [[boot, ...explorers.slice(1, count).map((explorer) => explorer.bootWhere(how))]];
  });
  if (left > 0) first.cutBoots(left);
  return tried;
}

/** It has turned outside, and shown nothing new for long. */
function quietOutside(first: Explorer, novelty: Novelty): Enough {
  const quiet = longQuiet(novelty.followStart());
  let turned = false;
  return (steps, instructions) => {
    const enough = quiet(steps, instructions);
    turned ||= enough && turnsOutside(steps, first.environment.values);
    return enough && turned;
  };
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

/** Aligns corresponding runs, then folds all of them into the graph: which orders are possible shows in all of them. */
function foldRuns(
  builder: GraphBuilder,
  explorers: readonly Explorer[],
  restarts: readonly (readonly BootResult[])[],
  { rows, warmUps }: Served,
): void {
  const orders = new Orders();
  const endpoints = new Endpoints();
  const notes: Notes = { orders, endpoints };
  const boots = explorers.map(({ boot }) => eventsOf(boot.steps));
  const runs = explorers.map(bootRun);
  const align = (traces: readonly ScenarioTrace[], before: readonly (readonly EffectEvent[])[]) =>
    alignRuns(
      traces.map((trace, i) => ({
        ...runs[i],
        before: before[i],
        events: eventsOf(trace.steps),
        chosen: trace.chosen,
        entered: enteredIn(trace.steps),
      })),
      notes,
    );
  const bootPatterns = alignRuns(runs, notes);
  // what later starts have in common with the first ones differs as it does there
  const againPatterns = restarts.map((row) =>
    alignRuns([...runs, ...row.map((boot, i): Run => ({ ...runs[i], events: eventsOf(boot.steps) }))], notes),
  );
  // by stage of warming up, what went before
  const before = [boots];
  for (const traces of warmUps)
    before.push(traces.map(({ steps }, i) => [...before[before.length - 1][i], ...eventsOf(steps)]));
  const warmPatterns = warmUps.map((traces, stage) => align(traces, before[stage]));
  const rowPatterns = rows.map(({ traces, stage, settled }) => settled ?? align(traces, before[stage]));
  endpoints.settle();
  orders.settle();

  const firstArgs = commonArgs(explorers.map(({ boot }) => boot.first.args));
  const start = (boot: BootResult, patterns: EventPatterns): Places => {
    const places = builder.start(boot.first.tid, boot.first.exe, firstArgs);
    const context = { phase: 'boot', patterns, orders, entered: new Map() } as const;
    builder.add(boot.steps, places, context, 'executed');
    return places;
  };
  const afterBoot = explorers.map(({ boot }) => start(boot, bootPatterns));
  restarts.forEach((row, i) => {
    for (const boot of row) start(boot, againPatterns[i]);
  });
  /** Folds corresponding traces that began here; where their tasks are then. */
  const fold = (
    traces: readonly ScenarioTrace[],
    starts: readonly Places[],
    patterns: EventPatterns,
    provenance: Provenance = 'executed',
  ): Places[] => {
    const entered = entriesOf(traces);
    return traces.map((trace, i) => {
      const places = new Map(starts[i]);
      builder.add(trace.steps, places, { phase: 'serve', patterns, orders, entered }, provenance);
      return places;
    });
  };
  const after = [afterBoot];
  warmUps.forEach((traces, stage) => {
    after.push(fold(traces, after[stage], warmPatterns[stage]));
  });
  rows.forEach(({ traces, stage, explored }, i) => {
    const starts = after[stage];
    if (explored === undefined) fold(traces, starts, rowPatterns[i]);
    // the others tell what the environment decides; what clients sent is the same in all of them
    else
      for (const variant of variantsOf(rowPatterns[i], explored))
        fold(traces.slice(0, 1), starts, variant, 'explored');
  });
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
