// What the parts of a monitor share: tables, counters, the calendar, incidents.
import type { Op } from '../effect/index.ts';
import type { Amendment } from '../policy/index.ts';
import type { SourceTraits } from '../telemetry/index.ts';
import { Allowed } from './allowed.ts';
import type { Assignment } from './binding.ts';
import type { CompiledPolicy } from './compiled.ts';
import { type Counters, newCounters } from './counters.ts';
import { nearestFrom } from './explain.ts';
import type { Finding, Note } from './finding.ts';
import { Incidents } from './incidents.ts';
import { Order } from './order.ts';
import { Calendar, ITEM, type Item, type ItemKind } from './queue.ts';
import { Clock, Container, type Moment, type Process, Processes, type Segment, type Task } from './tables.ts';
import { View } from './view.ts';
import { effectOf, whyOrder } from './words.ts';

export interface Limits {
  /** Processes that are known, living and dead; default 200,000. */
  readonly processes?: number;
  /** Items that wait for their verdict on order; default 1,000,000. */
  readonly pending?: number;
  /** Incidents that are kept; default 10,000. */
  readonly incidents?: number;
}

export interface CoreOptions {
  readonly policies: readonly CompiledPolicy[];
  readonly assignments: readonly Assignment[];
  readonly amendments: readonly Amendment[];
  readonly limits: Limits;
  readonly failsOpen: boolean;
  readonly onFinding: (finding: Finding) => void;
  readonly onNote: (note: Note) => void;
}

/** What a snapshot has of it. */
export interface CoreState {
  readonly begin: bigint | undefined;
  readonly counters: Counters;
  readonly containers: ReadonlyMap<string, Container>;
  readonly now: Moment;
  readonly lostAt: Moment;
  readonly unsureUntil: Moment;
  readonly saidEarly: boolean;
  readonly saidHost: boolean;
}

export class Core {
  readonly clock = new Clock();
  readonly counters: Counters = newCounters();
  policies: readonly CompiledPolicy[];
  readonly assignments: readonly Assignment[];
  readonly containers = new Map<string, Container>();
  readonly processes: Processes;
  readonly incidents: Incidents;
  readonly allowed: Allowed;
  readonly note: (note: Note) => void;
  readonly order: Order;
  /** The latest time of any observation. */
  now: Moment = Number.NEGATIVE_INFINITY;
  readonly calendar = new Calendar();
  private readonly pendingLimit: number;
  private readonly views = new Map<CompiledPolicy, Map<string, View>>();
  private traits: SourceTraits | undefined;
  private traitsKey = '';
  private delay: Moment = 0;
  private saidEarly = false;
  private saidHost = false;
  private lostAt: Moment = Number.NEGATIVE_INFINITY;

  constructor({ policies, assignments, amendments, limits, failsOpen, onFinding, onNote }: CoreOptions) {
    this.policies = policies;
    this.assignments = assignments;
    this.note = onNote;
    this.processes = new Processes(limits.processes ?? 200_000);
    this.pendingLimit = limits.pending ?? 1_000_000;
    this.allowed = new Allowed(amendments, policies);
    this.incidents = new Incidents(this.counters, this.clock, {
      limit: limits.incidents ?? 10_000,
      allowed: this.allowed,
      failsOpen,
      onFinding,
    });
    this.order = new Order(
      this.counters,
      (item, from, kind) => this.outOfOrder(item, from.states, kind),
      (process) => this.processes.retire(process),
    );
  }

  get pending(): number {
    return this.calendar.length;
  }

  /** Living threads of processes of watched containers. */
  get tasks(): number {
    let count = 0;
    for (const { container, exited, tasks } of this.processes.all())
      if (container?.policy !== undefined && exited === undefined) count += tasks.size;
    return count;
  }

  get lastTraits(): SourceTraits | undefined {
    return this.traits;
  }

  /** How long is waited for what may be late. */
  get waitsFor(): Moment {
    return this.delay;
  }

  get state(): CoreState {
    return {
      begin: this.clock.begin,
      counters: this.counters,
      containers: this.containers,
      now: this.now,
      lostAt: this.lostAt,
      unsureUntil: this.order.unsureUntil,
      saidEarly: this.saidEarly,
      saidHost: this.saidHost,
    };
  }

  restoreState(state: CoreState): void {
    if (state.begin !== undefined) this.clock.moment(state.begin);
    Object.assign(this.counters, state.counters);
    for (const [id, container] of state.containers) this.containers.set(id, container);
    this.now = state.now;
    this.lostAt = state.lostAt;
    this.order.unsureUntil = state.unsureUntil;
    this.saidEarly = state.saidEarly;
    this.saidHost = state.saidHost;
  }

  /** Sets of states that came from elsewhere become sets of the containers' views. */
  mapSets(tasks: Iterable<Task>): void {
    for (const process of this.processes.all()) this.mapProcess(process);
    for (const task of tasks) if (!this.processes.has(task.process)) this.mapProcess(task.process);
  }

  private mapProcess(process: Process): void {
    const subsets = process.container?.view?.subsets;
    if (subsets === undefined) return;
    const tasks = new Set([process.main, ...process.tasks.values(), ...process.alive]);
    for (const task of tasks) if (task.set !== undefined) task.set = subsets.of(task.set.states);
    const history = [...process.history].map((set) => subsets.of(set.states));
    process.history.clear();
    for (const set of history) process.history.add(set);
  }

  /** From now on observations come from such a source. */
  source(traits: SourceTraits): void {
    if (traits === this.traits) return;
    this.traits = traits;
    this.traitsKey = keyOf(traits);
    const delay = Number(traits.maxDelay);
    if (delay > this.delay) this.delay = delay;
    if (this.calendar.length === 0) this.calendar.setDelay(this.delay);
    for (const container of this.containers.values()) this.see(container);
  }

  /** Whether an OPEN without rights is one whose rights the source does not tell. */
  get anyRights(): boolean {
    return this.traits?.access === false || this.flows;
  }

  /** Whether the source tells an opening of the path alone as one to read. */
  get pathAsRead(): boolean {
    return this.traits?.pathOnly === false;
  }

  /** Whether the source folds reads and writes into flows. */
  get flows(): boolean {
    return this.traits?.flows === true;
  }

  container(id: string): Container {
    let found = this.containers.get(id);
    if (found === undefined) this.containers.set(id, (found = new Container(id)));
    return found;
  }

  /** The container's policy as the source at hand can see it. Sets of states are carried over to another view. */
  see(container: Container): void {
    const { policy } = container;
    if (policy === undefined || this.traits === undefined) return;
    let views = this.views.get(policy);
    if (views === undefined) this.views.set(policy, (views = new Map()));
    let view = views.get(this.traitsKey);
    if (view === undefined) views.set(this.traitsKey, (view = new View(policy, this.traits)));
    if (container.view === view) return;
    const first = container.view === undefined;
    container.view = view;
    if (first) return;
    for (const process of this.processes.all()) if (process.container === container) this.mapProcess(process);
  }

  /** Time has come this far; what is due is judged. */
  advance(moment: Moment): void {
    if (moment > this.now) this.now = moment;
    this.calendar.advance(this.now - this.delay, this.order.visit);
    if (this.calendar.length > this.pendingLimit) this.judgeEarly();
  }

  /** Moment before which nothing can arrive any more. */
  get horizon(): Moment {
    return this.now - this.delay;
  }

  /** An independent trace begins: what waits is judged, and time may start anew. */
  restart(moment: Moment): void {
    this.judgeAll();
    this.now = moment;
  }

  judgeAll(): void {
    this.order.unwrittenSince = this.horizon;
    this.calendar.flush(this.order.visit);
    this.order.unwrittenSince = Number.POSITIVE_INFINITY;
  }

  /** The row of an item for the verdict on order; -1 where its time has been judged already. */
  later(time: Moment, kind: ItemKind, task: Task, segment: Segment | undefined): number {
    const row = this.calendar.add(time, kind, task, segment);
    if (row < 0) this.late(task);
    return row;
  }

  /** Something of this task came too late to be judged in order. */
  late(task: Task): void {
    this.counters.late++;
    this.resync(task);
  }

  /** Nothing is known any more of where this task is; nothing about order is found for what is already waiting. */
  resync(task: Task): void {
    if (task.unsureUntil === this.now) return;
    task.unsureUntil = this.now;
    this.calendar.add(this.now, ITEM.resync, task, task.process.at(this.now));
  }

  /** Records were lost: nothing is known for sure of any task, and processes may have been missed. */
  lost(): void {
    this.order.unsureUntil = this.now;
    if (this.lostAt === this.now) return;
    this.lostAt = this.now;
    for (const container of this.containers.values()) container.lossyUntil = this.now;
    for (const process of this.processes.all())
      if (process.container?.policy !== undefined && process.exited === undefined)
        for (const task of process.tasks.values()) this.resync(task);
  }

  /** An event or flow of a process that is in no container. */
  host(): void {
    if (!this.saidHost) this.note({ kind: 'unwatched-host' });
    this.saidHost = true;
    this.counters.host++;
  }

  private judgeEarly(): void {
    if (!this.saidEarly) this.note({ kind: 'early', pending: this.calendar.length });
    this.saidEarly = true;
    const before = this.calendar.length;
    const judged = this.calendar.leaveFirst((item) => {
      if (item.time > this.order.unsureUntil) this.order.unsureUntil = item.time;
      this.order.visit(item);
    });
    this.order.unsureUntil = Math.max(this.order.unsureUntil, judged);
    this.counters.early += before - this.calendar.length;
  }

  private outOfOrder(item: Item, states: Int32Array, kind: 'out-of-order' | 'wrong-phase'): void {
    const { task, time } = item;
    const policy = task.process.container?.policy;
    if (policy === undefined) return;
    const effect = effectOf(item);
    if (effect.op === 'CLONE') this.joinSides(item);
    this.incidents.report({
      kind,
      time,
      process: task.process,
      tid: task.tid,
      effect,
      why: () => whyOrder(policy, states, kind),
      expected: () => nearestFrom(policy, states, effect),
      // The same step out of place again, whatever temporary name or client's port it had.
      key: `${kind} ${task.process.exe} ${item.kind} ${item.letter}`,
    });
  }

  /** A clone out of place, told by both its sides: parent and child have one incident, of whichever has one already. */
  private joinSides({ kind, task, time }: Item): void {
    const { process } = task;
    if (kind === ITEM.birth) {
      const { parent } = process;
      if (parent === undefined || task !== process.main) return;
      process.incident ??= parent.incident;
      parent.incident ??= this.incidents.of(process, time);
    } else if (process.incident === undefined) {
      const at = this.clock.time(time);
      for (const child of this.processes.all()) {
        if (child.parent !== process || child.incident === undefined) continue;
        const apart = at - child.id.created;
        if (apart < CLONE_SIDES && -apart < CLONE_SIDES) process.incident = child.incident;
      }
    }
  }
}

/** How far apart in time the two sides of a clone may be, in ns. */
const CLONE_SIDES = 1_000_000_000n;

/** Sources that see the same make the same views. */
function keyOf({ ops, syscalls, failures, ipv6, flows }: SourceTraits): string {
  const list = (set: ReadonlySet<Op | string> | undefined): string =>
    set === undefined ? '*' : [...set].sort().join(' ');
  return `${list(ops)} / ${list(syscalls)} / ${failures} ${ipv6} ${flows}`;
}
