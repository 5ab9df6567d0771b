// What the monitor knows of containers, processes and tasks. Mutable state and lookups only; what it means is decided
// in origin.ts (where tasks come from), check.ts (the verdict at once) and order.ts (the verdict on order).
import type { Letter, Subset } from '../automaton/index.ts';
import type { ContainerInfo, Observation, ProcessId, ProcessInfo } from '../telemetry/index.ts';
import type { CompiledPolicy, TaskKind } from './compiled.ts';
import type { ContainerRef } from './finding.ts';
import type { Cast } from './flow-plans.ts';
import type { OpenIncident } from './incidents.ts';
import type { Seat } from './seats.ts';
import type { View } from './view.ts';

/** Nanoseconds since the monitor's first observation: exact in a double for 104 days either way. */
export type Moment = number;

export class Clock {
  private base: bigint | undefined;
  /** One 64-bit number and its halves: a difference of big integers would be an object each time. */
  private readonly whole = new BigInt64Array(1);
  private readonly halves = new Int32Array(this.whole.buffer);
  private low = 0;
  private high = 0;

  moment(time: bigint): Moment {
    const { halves, whole } = this;
    whole[0] = time;
    if (this.base === undefined) {
      this.base = time;
      [this.low, this.high] = [halves[0] >>> 0, halves[1]];
    }
    return (halves[1] - this.high) * 4_294_967_296 + ((halves[0] >>> 0) - this.low);
  }

  /** As `moment`, of halves of the time. */
  momentOf(high: number, low: number): Moment {
    if (this.base === undefined) {
      this.halves[0] = low;
      this.halves[1] = high;
      return this.moment(this.whole[0]);
    }
    return (high - this.high) * 4_294_967_296 + ((low >>> 0) - this.low);
  }

  /** What moments count from. */
  get begin(): bigint | undefined {
    return this.base;
  }

  time(moment: Moment): bigint {
    return (this.base ?? 0n) + BigInt(Number.isFinite(moment) ? Math.round(moment) : 0);
  }
}

/**
 * - prelude: the container runtime, before the entrypoint's exec: outside of the policy.
 * - watched: follows one of these automata.
 * - foreign: nothing in the policy explains it; all that it does belongs to an incident.
 */
export type Segment =
  | { readonly since: Moment; readonly kind: 'prelude' }
  | {
      readonly since: Moment;
      readonly kind: 'watched';
      readonly automata: readonly number[];
      /** What flow-plans.ts remembers of these automata. */
      cast?: Cast | undefined;
      /** Its policy is no more. */
      stale?: boolean;
    }
  | { readonly since: Moment; readonly kind: 'foreign'; readonly incident: OpenIncident };

/** A segment of which all have one shape, whoever makes it. */
export const watchedSince = (
  since: Moment,
  automata: readonly number[],
): Extract<Segment, { kind: 'watched' }> => ({ since, kind: 'watched', automata, cast: undefined });

export class Container {
  readonly id: string;
  info: ContainerInfo | undefined;
  /** Undefined: no policy is for it, or (`open`) what it is is not known yet. */
  policy: CompiledPolicy | undefined;
  view: View | undefined;
  open = true;
  records = 0;
  /** When the entrypoint was executed; -Infinity where the monitor came later; undefined before it. */
  started: Moment | undefined;
  root: Process | undefined;
  /** Whether its entrypoint was ever seen to be executed, or to end. */
  sawStart = false;
  ended = false;
  /** Records were lost up to then: processes may have begun that were never announced. */
  lossyUntil: Moment = Number.NEGATIVE_INFINITY;
  /** Of all that was executed in it from outside. */
  outside: OpenIncident | undefined;
  midLife = false;
  /** Why it has no policy. */
  whyNot = '';
  /** Observations from before it was known what the container is. */
  backlog: Observation[] = [];

  constructor(id: string) {
    this.id = id;
  }

  get running(): boolean {
    return this.started !== undefined;
  }

  get ref(): ContainerRef {
    const { name = '', image = '', imageId = '', privileged = false } = this.info ?? {};
    return { id: this.id, name, image, imageId, privileged };
  }
}

export class Process {
  readonly id: ProcessId;
  container: Container | undefined;
  parent: Process | undefined;
  exe: string;
  args: string;
  uid: number;
  gid: number;
  entry: boolean;
  /** Its last record. */
  info: ProcessInfo | undefined;
  /** What it is, since when; ascending. Empty: not decided, because its parent is not known yet. */
  segments: Segment[] = [];
  /** Live tasks by tid. */
  readonly tasks = new Map<number, Task>();
  readonly main: Task;
  /** A program that a process record told of, of which no exec was seen yet. */
  pending: { readonly time: Moment; readonly exe: string; readonly args: string } | undefined;
  /** When a process record alone told of the last exec; its own record may still come. */
  inferredAt: Moment = Number.NaN;
  held: Observation[] | undefined;
  exited: Moment | undefined;
  /** The incident that findings of this process belong to. */
  incident: OpenIncident | undefined;
  /** Clones that the policy does not have, less the children that they explain; negative: a child was seen first. */
  rogueClones = 0;
  /** Set once it has executed something that the policy does not have. */
  foreignProgram = false;

  /** When tasks were born that this process made: the ones seen last, and the latest. */
  readonly births: Moment[] = [];
  lastBirth: Moment = Number.NEGATIVE_INFINITY;

  /** Whether Processes has it still. */
  kept = true;

  // For order.ts: tasks that live at the moment that it has reached; where tasks start that it made since its exec.
  readonly alive = new Set<Task>();
  /** Of a process with threads: sets of states that any of them was in. */
  readonly history = new Set<Subset>();
  readonly spawned: Readonly<Record<TaskKind, Set<number>>> = { process: new Set(), thread: new Set() };

  constructor(id: ProcessId) {
    this.id = id;
    this.exe = '';
    this.args = '';
    this.uid = -1;
    this.gid = -1;
    this.entry = false;
    this.main = new Task(this, id.pid);
    this.tasks.set(id.pid, this.main);
  }

  /** A task of it is now in these states. */
  remember(set: Subset): void {
    if (this.history.size > 0 && this.history.size < 256) this.history.add(set);
  }

  bore(moment: Moment): void {
    if (this.births.length >= 64) this.births.shift();
    this.births.push(moment);
    if (moment > this.lastBirth) this.lastBirth = moment;
  }

  /** What it was at that moment: the first segment stands for all before it, too. */
  at(moment: Moment): Segment | undefined {
    const { segments } = this;
    let i = segments.length - 1;
    while (i > 0 && segments[i].since > moment) i--;
    return segments[i];
  }
}

export class Task {
  readonly process: Process;
  readonly tid: number;
  /** From then on it has done something that only happens once the environment acted. */
  servedSince: Moment = Number.POSITIVE_INFINITY;
  /** Set where this thread alone is foreign. */
  incident: OpenIncident | undefined;
  exited: Moment | undefined;
  /** Its end was told, not concluded from an exec: its flows have been written. */
  ended = false;

  /** What it goes by in the calendar. */
  seat: Seat | undefined = undefined;

  // For order.ts.
  set: Subset | undefined;
  /** Its last exact event. */
  lastStep: Moment = Number.NEGATIVE_INFINITY;
  /** Operations of flows that are open, and until when: the first `openCount` of these. */
  readonly openLetters: Letter[] = [];
  readonly openUntil: Moment[] = [];
  openCount = 0;
  /** All of `openLetters` as one, -1 where there is none for them; the first of `openUntil`. */
  open: Letter = -1;
  openFirst: Moment = Number.POSITIVE_INFINITY;
  /** Up to then something may be missing: no finding about order. */
  unsureUntil: Moment = Number.NEGATIVE_INFINITY;

  constructor(process: Process, tid: number) {
    this.process = process;
    this.tid = tid;
  }
}

/** From then on the process belongs to the incident, whatever it does. */
export function makeForeign(process: Process, incident: OpenIncident, since: Moment): void {
  process.incident = incident;
  const before = process.segments.filter((segment) => segment.since < since);
  process.segments = [...before, { since, kind: 'foreign', incident }];
  incident.include(process, true);
}

/** What a snapshot has of `Processes`. */
export interface ProcessState {
  readonly all: readonly Process[];
  readonly exited: readonly Process[];
  readonly evicted: number;
}

/** Processes by pid and creation time. Exited ones are kept a while: children may be seen late. */
export class Processes {
  size = 0;
  evicted = 0;
  private readonly byPid = new Map<number, Process[]>();
  private readonly exited: Process[] = [];
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  get(id: ProcessId): Process | undefined {
    const list = this.byPid.get(id.pid);
    if (list === undefined) return undefined;
    for (let i = list.length - 1; i >= 0; i--)
      if (list[i].id === id || list[i].id.created === id.created) return list[i];
    return undefined;
  }

  add(process: Process): void {
    const { pid } = process.id;
    const list = this.byPid.get(pid);
    if (list === undefined) this.byPid.set(pid, [process]);
    else list.push(process);
    this.size++;
    if (this.size > this.limit) this.evict();
  }

  has(process: Process): boolean {
    return process.kept && this.get(process.id) === process;
  }

  get state(): ProcessState {
    return { all: [...this.all()], exited: [...this.exited], evicted: this.evicted };
  }

  restore({ all, exited, evicted }: ProcessState): void {
    for (const process of all) this.add(process);
    this.exited.push(...exited);
    this.evicted = evicted;
  }

  /** It has exited, and everything about it has been judged. */
  retire(process: Process): void {
    this.exited.push(process);
    if (this.exited.length > Math.max(16, this.limit >> 2)) {
      const old = this.exited.splice(0, this.exited.length >> 1);
      for (const each of old) this.remove(each);
    }
  }

  *all(): Generator<Process> {
    for (const list of this.byPid.values()) yield* list;
  }

  private remove(process: Process): void {
    const list = this.byPid.get(process.id.pid);
    const at = list?.indexOf(process) ?? -1;
    if (list === undefined || at < 0) return;
    list.splice(at, 1);
    process.kept = false;
    if (list.length === 0) this.byPid.delete(process.id.pid);
    this.size--;
  }

  /** First those that have exited, then the oldest. */
  private evict(): void {
    for (const process of this.exited.splice(0)) this.remove(process);
    for (const process of this.all()) {
      if (this.size <= this.limit * 0.9) break;
      this.remove(process);
      this.evicted++;
    }
  }
}
