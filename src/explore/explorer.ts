// Boots an image under one environment and plays scenarios on the snapshot. Everything is deterministic: budgets count
// instructions, and each budget hit is a cut.
import { assert } from '../bytes/index.ts';
import type { Tree } from '../image/index.ts';
import {
  type Cut,
  createKernel,
  type Frame,
  frameAt,
  type Kernel,
  type KernelHooks,
  type KernelOptions,
  type Listener,
  type Machine,
  type Outside,
  type RunStop,
  readFileStart,
  restartKernel,
  sendSignal,
  snapshot,
  world,
} from '../linux/index.ts';
import { PagedSpace } from '../machine/index.ts';
import { accountsOf } from './accounts.ts';
import { type Environment, knownTexts } from './environments.ts';
import { BATCH_BUDGET, knownWords, likelyWords } from './known-words.ts';
import type { Launch } from './launch.ts';
import { routesIn, targetOf } from './live-texts.ts';
import { type NamePlace, namesAt } from './names.ts';
import { type Enough, Player, type PlayOptions } from './player.ts';
import { type Cuts, LookedRecorder, StepRecorder, SymbolicRecorder } from './recorders.ts';
import { Remotes } from './remotes.ts';
import { keptPaths, LONG_BOOT, type RestartWay } from './restarts.ts';
import { answerOverHttp, knownRoutes, quotedNames, routesInSources } from './routes.ts';
import type { Action, Listening, Scenario } from './scenario.ts';
import { tableWordsOf } from './table-words.ts';
import { MAX_CONFIG_BYTES, requestTargets } from './targets.ts';
import type { ActionMark, ScenarioTrace, Step } from './trace.ts';
import { type Stopped, Trail } from './trail.ts';
import { wordsOf } from './words.ts';

export interface Budgets {
  /** Instructions of a boot, all tasks together. */
  readonly boot: number;
  /** Instructions after one action of the environment. */
  readonly action: number;
  /** Instructions of all scenarios together, under the environment that all of them are played under. */
  readonly serving: number;
  /** Virtual ns that a boot may sleep in one go before it counts as quiescent. */
  readonly bootHorizon: bigint;
}

export const DEFAULT_BUDGETS: Budgets = {
  boot: 6_000_000_000,
  action: 200_000_000,
  serving: 800_000_000,
  bootHorizon: 20_000_000_000n,
};

export interface BootResult {
  readonly steps: readonly Step[];
  readonly stop: RunStop;
  readonly listeners: readonly Listener[];
  /** Names of the syscalls that were made. */
  readonly syscalls: ReadonlySet<number>;
  readonly first: { readonly tid: number; readonly exe: string; readonly args: readonly string[] };
  /** What the service wrote to its standard output and error, bounded. */
  readonly output: string;
  /** That it took, all tasks together. */
  readonly instructions: number;
}

/** One booted image under one environment. */
export class Explorer {
  readonly environment: Environment;
  readonly launch: Launch;
  readonly cuts: Cuts;
  readonly machine: Machine;
  private readonly booted: Kernel;
  readonly boot: BootResult;
  private readonly budgets: Budgets;
  private readonly tree: Tree;
  /** What came of what the boot sent outside. */
  readonly outside: Outside;
  private readonly syscallsServing = new Set<number>();
  /** After the warming up. */
  private ready: Kernel | undefined;
  /** Instructions of all scenarios so far. */
  served = 0;

  constructor(options: {
    tree: Tree;
    launch: Launch;
    machine: Machine;
    budgets: Budgets;
    /** What comes of what the container sends outside; default: it is answered. */
    outside?: Outside;
    /** A container that ended, which is started again; default: a new one. */
    ended?: Kernel;
  }) {
    this.launch = options.launch;
    this.environment = options.launch.environment;
    this.budgets = options.budgets;
    this.tree = options.tree;
    this.cuts = new Map();
    const recorder = new StepRecorder(this.cuts);
    for (const what of this.launch.missing)
      recorder.onCut({
        kind: 'deployment',
        what,
        consequence: 'what depends on it is not in the model',
        exe: '',
        at: undefined,
      });
    this.machine = options.machine;
    this.outside = options.outside ?? 'answers';
    const kernelOptions = this.kernelOptions(recorder);
    const { ended } = options;
    this.booted = ended === undefined ? createKernel(kernelOptions) : restartKernel(ended, kernelOptions);
    this.boot = this.start(this.booted, recorder, this.outside);
  }

  /** A boot of its own, where that comes of what the container sends outside; left, with a cut, where `enough` is seen. */
  bootWhere(outside: Outside, enough?: Enough): BootResult {
    const recorder = new StepRecorder(this.cuts);
    const kernel = createKernel(this.kernelOptions(recorder));
    const { engine } = this.machine;
    const before = engine.executed;
    let left = false;
    const boot = this.start(kernel, recorder, outside, () => {
      left ||= enough?.(recorder.steps, engine.executed - before) === true;
      return left;
    });
    kernel.release();
    if (left) this.cutBudget(`boot where others are outside (${outside})`, LEFT);
    return boot;
  }

  /** Accounts in the container that clients may have the password of. */
  get accounts(): readonly string[] {
    return accountsOf(this.booted);
  }

  private kernelOptions(hooks: KernelHooks): KernelOptions {
    const { tree, environment, machine, launch } = this;
    return {
      tree,
      environment: environment.values,
      machine,
      hooks,
      mounts: launch.mounts,
      readOnlyRoot: launch.readOnlyRoot,
    };
  }

  /** Starts the entrypoint and lets it come to rest. */
  private start(
    kernel: Kernel,
    recorder: StepRecorder,
    outside: Outside,
    enough?: () => boolean,
  ): BootResult {
    if (this.environment.values.nameserver !== '') world.setOutside(kernel, outside);
    recorder.remotes = new Remotes(this.environment, kernel);
    const task = kernel.spawnInit(this.launch.spec);
    const first = { tid: task.tid, exe: task.process.exe, args: task.process.argv.slice(1) };
    const { boot, bootHorizon } = this.budgets;
    const before = this.machine.engine.executed;
    const stop = kernel.run({ maxInstructions: boot, horizon: bootHorizon, enough });
    recorder.waits(kernel);
    return {
      steps: recorder.steps,
      stop,
      listeners: world.listeners(kernel),
      syscalls: new Set(kernel.syscallsUsed),
      first,
      output: kernel.output(),
      instructions: this.machine.engine.executed - before,
    };
  }

  /**
   * Ends a copy of the booted container this way and starts it again. Undefined where it doesn't end. The start is left,
   * with a cut, where it has looked at all that it found of `written` and `enough` has been seen.
   */
  restart(
    way: RestartWay,
    options: { readonly stopSignal: number; readonly written?: readonly string[]; readonly enough?: Enough },
  ): BootResult | undefined {
    const { stopSignal, written = [], enough } = options;
    const ended = this.ended(way, stopSignal);
    if (ended === undefined) return undefined;
    const looked = new LookedRecorder(this.cuts);
    const volumes = way === 'replaced' ? keptPaths(this.launch) : undefined;
    const kernel = restartKernel(ended, { ...this.kernelOptions(looked), volumes });
    ended.release();
    for (const path of written) if (kernel.vfs.internal(kernel, path) !== undefined) looked.left.add(path);
    const { engine } = this.machine;
    const before = engine.executed;
    let left = false;
    const boot = this.start(kernel, looked, this.outside, () => {
      left ||= looked.left.size === 0 && enough?.(looked.steps, engine.executed - before) === true;
      return left;
    });
    kernel.release();
    if (left) this.cutBudget(`start again (${way})`, LEFT);
    return boot;
  }

  /** A copy of the booted container, ended this way; undefined where it doesn't end. */
  private ended(way: RestartWay, stopSignal: number): Kernel | undefined {
    const kernel = snapshot(this.booted, new StepRecorder(this.cuts));
    if (way !== 'killed' && !kernel.exited) {
      sendSignal(kernel, 1, stopSignal);
      kernel.run({ maxInstructions: this.budgets.action, horizon: STOP_PATIENCE });
    }
    if (!kernel.exited) {
      sendSignal(kernel, 1, SIGKILL);
      kernel.run({ maxInstructions: this.budgets.action, horizon: 0n });
    }
    if (kernel.exited) return kernel;
    kernel.release();
    return undefined;
  }

  /** Ends a copy of the booted container and starts it again under the environment of another launch. */
  startAgain(way: RestartWay, stopSignal: number, launch: Launch): Explorer | undefined {
    const ended = this.ended(way, stopSignal);
    if (ended === undefined) return undefined;
    const { machine, budgets, tree, outside, environment } = this;
    // what it left may be in what is done now
    const unknown = [...launch.unknown, ...knownTexts(environment), ...this.launch.unknown];
    const explorer = new Explorer({
      tree,
      launch: { ...launch, unknown },
      machine,
      budgets,
      outside,
      ended,
    });
    ended.release();
    return explorer;
  }

  /** Gives up what it booted: nothing can be played any more. */
  release(): void {
    this.booted.release();
  }

  /** Whether the image has a file of this path. */
  inImage(path: string): boolean {
    return this.tree.lookup(path) !== undefined;
  }

  /** The boot again, up to where it stopped, with an eye on what led there. */
  trail(): readonly Stopped[] {
    const trail = new Trail();
    const kernel = createKernel(this.kernelOptions(trail));
    if (this.environment.values.nameserver !== '') world.setOutside(kernel, this.outside);
    trail.remotes = new Remotes(this.environment, kernel);
    kernel.spawnInit(this.launch.spec);
    kernel.run({ maxInstructions: this.budgets.boot, horizon: this.budgets.bootHorizon });
    const stopped = trail.stopped(kernel);
    kernel.release();
    return stopped;
  }

  /** Syscall numbers made in all scenarios played so far. */
  get servingSyscalls(): ReadonlySet<number> {
    return this.syscallsServing;
  }

  syscallName(nr: number): string {
    return this.booted.syscallName(nr);
  }

  /**
   * Plays a scenario on a copy of the booted machine (`warm`: as the warming up left it). `search`, when given, learns
   * which names were looked for.
   */
  play(scenario: Scenario, options: PlayOptions = {}): ScenarioTrace {
    const { ready } = this;
    assert(options.warm !== true || ready !== undefined, 'the service was warmed up');
    const [trace, kernel] = this.playOn(
      options.warm === true && ready ? ready : this.booted,
      scenario,
      options,
    );
    kernel.release();
    return trace;
  }

  /** Plays a scenario on the service as it is by now, and keeps what that leaves until it is known what becomes of it. */
  attempt(scenario: Scenario, options: Omit<PlayOptions, 'warm'> = {}): Attempt {
    const [trace, kernel, complete] = this.playOn(this.ready ?? this.booted, scenario, options);
    return {
      trace,
      complete,
      again: () => {
        const [again, after] = this.playOn(kernel, scenario, options);
        after.release();
        return again;
      },
      adopt: () => {
        this.ready?.release();
        this.ready = kernel;
      },
      drop: () => kernel.release(),
    };
  }

  /** Plays a scenario after which warm ones begin. */
  warmUp(scenario: Scenario, options: Omit<PlayOptions, 'warm'> = {}): ScenarioTrace {
    const { trace, adopt } = this.attempt(scenario, options);
    adopt();
    return trace;
  }

  /** The trace, what it left, and whether all of it was played. */
  private playOn(
    base: Kernel,
    scenario: Scenario,
    options: PlayOptions,
  ): [trace: ScenarioTrace, left: Kernel, complete: boolean] {
    const { symbolic } = options;
    const recorder =
      symbolic === undefined
        ? new StepRecorder(this.cuts, options.search)
        : new SymbolicRecorder(this.cuts, symbolic, options.search);
    const machine = symbolic === undefined ? this.machine : { ...this.machine, engine: symbolic.engine };
    const kernel = snapshot(base, recorder, machine);
    kernel.syscallsUsed.clear();
    recorder.remotes = new Remotes(this.environment, kernel);
    const player = new Player(kernel, this.boot.listeners, this.launch, recorder, options);
    const { engine } = this.machine;
    const before = engine.executed;
    let left = false;
    const enough = (): boolean => {
      left ||= options.enough?.(recorder.steps, engine.executed - before) === true;
      return left;
    };
    let complete = true;
    const marks: ActionMark[] = [];
    for (const action of scenario.actions) {
      if (kernel.exited) break;
      const horizon = player.act(action);
      const rest = (options.most ?? Number.MAX_SAFE_INTEGER) - (engine.executed - before);
      const most = Math.max(1, Math.min(this.mostFor(action), rest));
      const stop = kernel.run({ maxInstructions: most, horizon, enough });
      recorder.waits(kernel);
      marks.push({ steps: recorder.steps.length, instructions: engine.executed - before });
      complete = stop.kind !== 'budget' && !left;
      if (left) {
        this.cutBudget(`scenario ${scenario.name}`, LEFT);
        break;
      }
      if (stop.kind === 'budget') {
        kernel.cut({
          kind: 'budget',
          what: `scenario ${scenario.name}`,
          consequence: `stopped after ${most} instructions`,
          exe: stop.waiting[0]?.exe ?? '',
          at: undefined,
        });
        break;
      }
    }
    for (const nr of kernel.syscallsUsed) this.syscallsServing.add(nr);
    const instructions = engine.executed - before;
    this.served += instructions;
    const trace: ScenarioTrace = {
      ended: kernel.exited,
      answers: player.answers(),
      instructions,
      marks,
      name: scenario.name,
      steps: recorder.steps,
      chosen: options.name ?? this.environment.token,
    };
    return [trace, kernel, complete];
  }

  /** Instructions for what comes of an action: a signal may make the service start anew, others a part of it. */
  private mostFor({ do: what }: Action): number {
    const { instructions } = this.boot;
    const { action } = this.budgets;
    return Math.max(action, what === 'signal' ? 2 * instructions : Math.min(2 * instructions, 3 * action));
  }

  /** Scenarios were left out: their budget is used up. */
  cutServing(count: number, budget: number, of = 'scenarios'): void {
    this.cutBudget(`${budget} instructions of ${of}`, `${count} scenarios were not played`);
  }

  /** Boots were left out: one alone takes long. */
  cutBoots(count: number): void {
    this.cutBudget('boots where others are outside', `${count} of what may come of it were not tried`);
  }

  private cutBudget(what: string, consequence: string): void {
    new StepRecorder(this.cuts).onCut({ kind: 'budget', what, consequence, exe: '', at: undefined });
  }

  /** What a search on symbolic inputs left, by program points of the booted processes. */
  cutSymbolic(left: readonly SymbolicCut[]): void {
    const recorder = new StepRecorder(this.cuts);
    const running = [...this.booted.processes.values()].filter(({ exitStatus }) => exitStatus === undefined);
    for (const { kind, what, consequence, at } of left) {
      const frame =
        typeof at === 'number' ? running.flatMap((process) => frameAt(process, at) ?? []).at(0) : at;
      recorder.onCut({ kind, what, consequence, exe: frame?.module ?? '', at: frame });
    }
  }

  /** Words of the programs behind a listener that they know as words of their protocol, by playing probes. */
  knownWords(listener: Listening, options: { warm: boolean; budget: number }): readonly string[] {
    const programs = world.holders(this.booted, this.boot.listeners[listener.index]);
    const words = programs.flatMap((path) => {
      const node = this.tree.lookup(path);
      return node?.kind === 'file' ? wordsOf(node, path) : [];
    });
    // how long an interpreter takes for a word depends on what it holds already, whatever the service makes of it
    const counts = this.boot.instructions <= LONG_BOOT;
    const limit = counts ? options.budget : Math.min(options.budget, this.served + WORDS_BUDGET);
    let leftOut = 0;
    const known = knownWords(listener, words, (scenario) => {
      if (this.served > limit) {
        leftOut++;
        return undefined;
      }
      const trace = this.play(scenario, options);
      return counts ? trace : uncounted(trace);
    });
    if (leftOut > 0 && limit < options.budget)
      this.cutBudget('words of programs', `${leftOut} probes of them were not played`);
    return known;
  }

  /** Words of the tables of the programs behind a listener that they may know as commands. */
  likelyWords(listener: Listening, options: { warm: boolean; budget: number }): readonly string[] {
    const programs = world.holders(this.booted, this.boot.listeners[listener.index]);
    const words = programs.flatMap((path) => {
      const node = this.tree.lookup(path);
      return node?.kind === 'file' ? tableWordsOf(node, path) : [];
    });
    return likelyWords(listener, words, this.asking(options));
  }

  /** Plays short questions; undefined once the budget is used up. */
  asking({
    warm,
    budget,
  }: {
    warm: boolean;
    budget: number;
  }): (scenario: Scenario) => ScenarioTrace | undefined {
    const enough = (_: readonly Step[], instructions: number): boolean => instructions > BATCH_BUDGET;
    return (scenario) => (this.served > budget ? undefined : this.play(scenario, { warm, enough }));
  }

  /** Request targets in the text files that the programs which still run read while they started. */
  private targets(): readonly string[] {
    const { booted } = this;
    const running = new Set(
      [...booted.processes.values()]
        .filter(({ exitStatus }) => exitStatus === undefined)
        .map(({ exe }) => exe),
    );
    const files = filesRead(this.boot.steps, running).flatMap(
      (path) => readFileStart(booted, path, MAX_CONFIG_BYTES) ?? [],
    );
    return requestTargets(files, (path) => booted.vfs.internal(booted, path) !== undefined);
  }

  /**
   * Paths worth asking for: of those that configurations name, and that the programs behind a listener hold in memory,
   * the ones that they know as theirs; none where they speak no HTTP.
   */
  routes(listener: Listening, options: { warm: boolean; budget: number }): readonly string[] {
    const kernel = (options.warm ? this.ready : undefined) ?? this.booted;
    const play = (scenario: Scenario): ScenarioTrace | undefined =>
      this.served > options.budget ? undefined : this.play(scenario, options);
    const home = answerOverHttp(listener.index, play);
    if (home === undefined) return [];
    const spaces = new Set(
      world.servers(kernel, this.boot.listeners[listener.index]).map(({ space }) => space),
    );
    const found = [...spaces]
      .slice(0, MAX_SPACES)
      .flatMap((space) => (space instanceof PagedSpace ? routesIn(space) : []));
    // what is below a directory of the container is a file, there or not
    const isRoute = (text: string): boolean =>
      kernel.vfs.internal(kernel, `/${text.split('/')[1]}`) === undefined;
    // what stands in an application's sources is likelier a path of its own than what else is in memory
    const sources = this.sources([]);
    const written = routesInSources(sources);
    const held = new Set([
      ...written.filter(isRoute).map(targetOf),
      ...this.targets(),
      ...found.filter(isRoute).map(targetOf),
    ]);
    const { routes, leftOut } = knownRoutes(listener.index, [...held], play, home);
    if (leftOut > 0) this.cutBudget('paths of a web service', `${leftOut} were not asked for`);
    return routes;
  }

  /** Names between quotes in the sources of an application that were read in the boot or in these steps. */
  quotedNames(steps: readonly Step[]): readonly string[] {
    return quotedNames(this.sources(steps));
  }

  /** Starts of files that were read in the boot or in these steps, those of an application before those of libraries. */
  private sources(steps: readonly Step[]): readonly Uint8Array[] {
    const { booted } = this;
    const paths = [...new Set([...filesRead(steps), ...filesRead(this.boot.steps)])];
    // an application has few files beside each other, a library many
    const beside = new Map<string, string[]>();
    for (const path of paths) {
      const directory = path.slice(0, path.lastIndexOf('/'));
      beside.set(directory, [...(beside.get(directory) ?? []), path]);
    }
    const sources = [...beside.values()].sort((a, b) => a.length - b.length).flat();
    return sources
      .slice(0, MAX_SOURCES)
      .flatMap((path) => readFileStart(booted, path, MAX_CONFIG_BYTES) ?? []);
  }

  /** Text of the symbolic link that is at this path after boot; undefined where there is none, or it depends on who looks. */
  linkAt(path: string): string | undefined {
    const { booted } = this;
    const place = booted.vfs.find(booted, undefined, { dirfd: atCwd, path, follow: false });
    if (typeof place === 'number') return undefined;
    const { inode } = place.dentry;
    if (!isLink(inode)) return undefined;
    const text = inode.readlink({ kernel: booted, task: undefined });
    return typeof text === 'string' ? text : undefined;
  }

  /** Names in the image that a service which looks there could be asked for. */
  namesAt(place: NamePlace, limit: number): readonly string[] {
    return namesAt(this.tree, place, limit);
  }
}

/** Where a search on symbolic inputs stops short (symbolic-cuts.ts). */
export interface SymbolicCut extends Pick<Cut, 'kind' | 'what' | 'consequence'> {
  /** An address in the booted processes, or a frame. */
  readonly at: number | Frame | undefined;
}

const LEFT = 'left where nothing new had come for long';

/** A scenario that was played, and what it left: one of `adopt` and `drop` is to be called in the end. */
export interface Attempt {
  readonly trace: ScenarioTrace;
  /** All of it was played, within its budgets. */
  readonly complete: boolean;
  /** The same once more, on what it left. */
  again(): ScenarioTrace;
  /** Warm scenarios begin after it from now on. */
  adopt(): void;
  drop(): void;
}

/** Paths of regular files that were opened for reading, by these programs (all where not given). */
function filesRead(steps: readonly Step[], programs?: ReadonlySet<string>): readonly string[] {
  const paths = steps.flatMap((step) => {
    if (step.kind !== 'effect' || programs?.has(step.event.exe) === false) return [];
    const { op, access, resource } = step.event.effect;
    return op === 'OPEN' && access === 'r' && resource.kind === 'file' && step.event.result >= 0
      ? [resource.path]
      : [];
  });
  return [...new Set(paths)];
}

/** Source files whose names are taken. */
const MAX_SOURCES = 96;
/** Processes behind one listener whose memory is looked at. */
const MAX_SPACES = 3;

/** Instructions for words of an interpreter: those of its services stand elsewhere. */
const WORDS_BUDGET = 150_000_000;

const uncounted = (trace: ScenarioTrace): ScenarioTrace => ({
  ...trace,
  instructions: 0,
  marks: trace.marks.map(({ steps }) => ({ steps, instructions: 0 })),
});

const SIGKILL = 9;
/** Virtual ns that a container has to stop before it is killed. */
const STOP_PATIENCE = 10_000_000_000n;

/** AT_FDCWD: of no task, the root. */
const atCwd = -100;

/** What the kernel's symbolic links have and no other inode has. */
interface Link {
  readlink(looker: { readonly kernel: Kernel; readonly task: undefined }): string | number;
}

const isLink = (inode: object): inode is Link => 'readlink' in inode;
