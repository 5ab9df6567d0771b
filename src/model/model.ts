// From image to policy: boot, serve, graph, pass by pass (docs/architecture.md).
import { literal, type Pattern } from '../effect/index.ts';
import type {
  BootResult,
  ClientInput,
  EntryStep,
  Explorer,
  ScenarioTrace,
  Step,
  Stopped,
} from '../explore/index.ts';
import type { Image } from '../image/index.ts';
import type { EffectEvent, Frame, Listener, Machine } from '../linux/index.ts';
import type { Policy, PolicyCut, Provenance } from '../policy/index.ts';
import { POLICY_FORMAT } from '../policy/index.ts';
import { type BootOptions, bootAll, hasLevels, incompleteBecause, type LaterStarts } from './boots.ts';
import { widenCounters } from './counters.ts';
import { Endpoints } from './endpoints.ts';
import { alignRuns, type EventPatterns, generalizeTexts, type Notes } from './generalize.ts';
import { GraphBuilder, type Places } from './graph.ts';
import { policyLinks } from './links.ts';
import { Orders } from './orders.ts';
import { ProgramTable } from './programs.ts';
import type { Served } from './rows.ts';
import { serveAll } from './serve.ts';
import { variantsOf } from './symbolic.ts';
import { bootRun, eventsOf, type Run } from './tasks.ts';

export interface ModelOptions extends BootOptions {
  /** Whether the environment acts on what listens; without, the policy holds the boot only. */
  readonly probes: boolean;
  /** What clients say, where somebody has it. */
  readonly inputs?: readonly ClientInput[] | undefined;
  /** Runs on symbolic inputs, a listener each; default none. */
  readonly symbolic?: number | undefined;
  /** Recorded in the policy as given. */
  readonly record: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  /** The deployment that the policy is for; absent: the image as it is. */
  readonly deployment?: Policy['deployment'];
  readonly version: string;
  /**
   * Makes one whose processor is of a higher level: the second environment's, where the image holds libraries for such
   * processors. Absent: the processor is the same everywhere.
   */
  readonly higherMachine?: (() => Machine) | undefined;
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
  const { explorers, later } = bootAll(image, options, higher);
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
  foldRuns(builder, explorers, later, serve);
  const { entries, ...graph } = builder.build();
  const stop = explorers[0].boot.stop;
  const incomplete =
    explorers.map((explorer) => incompleteBecause(explorer)).find((reason) => reason !== '') ?? '';
  const effects = [
    ...explorers.map((explorer) => explorer.boot.steps),
    ...later.flat().map(({ boot }) => boot.steps),
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
      boots: explorers.length + later.flat().length,
      scenarios: serve.tried,
      instructions: options.machine.engine.executed - executedBefore + (higher?.engine.executed ?? 0),
      effects: effects.reduce((sum, steps) => sum + steps.filter((step) => step.kind === 'effect').length, 0),
      listeners:
        stop.kind === 'exited' ? [] : explorers[0].boot.listeners.map((listener) => listenerText(listener)),
    },
    syscalls: {
      boot: syscallNames(
        [...explorers, ...later.flat()].map(({ boot }) => boot.syscalls),
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

const listenerText = ({ protocol, address, port }: Listener): string =>
  protocol === 'unix'
    ? `unix ${address}`
    : `${protocol} ${address.includes(':') ? `[${address}]` : address}:${port}`;

/** Aligns corresponding runs, then folds all of them into the graph: which orders are possible shows in all of them. */
function foldRuns(
  builder: GraphBuilder,
  explorers: readonly Explorer[],
  later: readonly LaterStarts[],
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
  const againPatterns = later.map((row) => {
    const again = row.map(
      ({ boot, environment }): Run => ({ ...runs[environment], events: eventsOf(boot.steps) }),
    );
    return alignRuns([...runs, ...again], notes);
  });
  // by stage of warming up, what went before
  const before = [boots];
  for (const traces of warmUps)
    before.push(traces.map(({ steps }, i) => [...before[before.length - 1][i], ...eventsOf(steps)]));
  const warmPatterns = warmUps.map((traces, stage) => align(traces, before[stage]));
  const rowPatterns = rows.map(({ traces, stage, settled }) => settled ?? align(traces, before[stage]));
  endpoints.settle();
  orders.settle();
  widenCounters([bootPatterns, ...againPatterns, ...warmPatterns, ...rowPatterns]);

  const firstArgs = commonArgs(explorers.map(({ boot }) => boot.first.args));
  const start = (boot: BootResult, patterns: EventPatterns): Places => {
    const places = builder.start(boot.first.tid, boot.first.exe, firstArgs);
    const context = { phase: 'boot', patterns, orders, entered: new Map() } as const;
    builder.add(boot.steps, places, context, 'executed');
    return places;
  };
  const afterBoot = explorers.map(({ boot }) => start(boot, bootPatterns));
  later.forEach((row, i) => {
    for (const { boot } of row) start(boot, againPatterns[i]);
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
