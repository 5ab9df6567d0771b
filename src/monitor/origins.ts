// Where containers, processes and threads come from: which policy a container has, when its entrypoint starts, and for
// each process and thread whether a CLONE or EXEC of the policy explains it. What nothing explains is a finding.
//
// A container is outside of the policy (prelude) until the policy's root program is executed in it. A monitor that
// comes later finds processes in mid-life: these may be in any state of the automata of their program.
import type { Effect } from '../effect/index.ts';
import type { ContainerInfo, Observation, ProcessId, ProcessInfo } from '../telemetry/index.ts';
import { bind } from './binding.ts';
import type { Core } from './core.ts';
import { type Execution, Executions, execEffect } from './executions.ts';
import { nearest } from './explain.ts';
import { checkIdentity } from './identity.ts';
import type { Discovery } from './incidents.ts';
import { ITEM } from './queue.ts';
import { isRuntime, isUnnamed } from './runtime.ts';
import {
  type Container,
  type Moment,
  makeForeign,
  Process,
  type Segment,
  Task,
  watchedSince,
} from './tables.ts';

type Watched = Extract<Segment, { kind: 'watched' }>;

/** Observations that wait for one process's parent, or for one container's image. */
const heldPerProcess = 1000;
const heldPerContainer = 20_000;

/** How long a task serves, in ns, until what it makes is certainly made by a serving task. */
const settled = 1e9;

const clone = (what: 'process' | 'thread'): Effect => ({
  op: 'CLONE',
  resource: { kind: 'task', what },
  access: '',
});

interface Waiting {
  readonly process: Process;
  readonly info: ProcessInfo;
  readonly since: Moment;
}

/** What a snapshot has of it. */
export interface OriginState {
  readonly waiting: readonly Waiting[];
}

export class Origins {
  private readonly core: Core;
  private readonly replay: (observation: Observation) => void;
  private readonly executions: Executions;
  private waiting: Waiting[] = [];

  /** `replay` takes observations that were held back. */
  constructor(core: Core, replay: (observation: Observation) => void) {
    this.core = core;
    this.replay = replay;
    this.executions = new Executions(core, (process, moment, exe, args) =>
      this.midLife(process, moment, exe, args),
    );
  }

  container(info: ContainerInfo): void {
    const { core } = this;
    const container = core.container(info.id);
    container.info = info;
    if (!container.open) return;
    const binding = bind(info, core.policies, core.assignments);
    if (binding.kind === 'incomplete') return;
    container.open = false;
    const { ref } = container;
    if (binding.kind === 'none') {
      this.giveUp(container, binding.why);
      return;
    }
    container.policy = binding.policy;
    core.see(container);
    const policy = binding.policy.name;
    if (binding.kind === 'bound') core.note({ kind: 'bound', container: ref, policy, by: binding.by });
    else {
      const expected = binding.policy.policy.image.configDigest;
      core.note({ kind: 'other-image', container: ref, policy, expected, found: info.imageId });
    }
    this.release(container.backlog.splice(0));
  }

  /** For a container of which is not known yet what it is. */
  hold(container: Container, observation: Observation): void {
    if (container.backlog.length < heldPerContainer) container.backlog.push(observation);
    else this.core.counters.dropped++;
  }

  /** For a process of which is not known yet where it comes from. */
  holdFor(process: Process, observation: Observation): void {
    process.held ??= [];
    if (process.held.length < heldPerProcess) process.held.push(observation);
    else this.core.counters.dropped++;
  }

  process(info: ProcessInfo, observation: Observation): void {
    const { core } = this;
    const moment = core.clock.moment(info.time);
    let process = core.processes.get(info.id);
    // Without a creation time the pid alone tells processes apart, until it is used again.
    if (process?.exited !== undefined && info.id.created === 0n && !info.again && moment > process.exited)
      process = undefined;
    // Whoever was seen in a container stays there: a source that no longer says so may have been made not to.
    const container = info.containerId === '' ? process?.container : core.container(info.containerId);
    const fresh = process === undefined;
    if (process === undefined) {
      process = this.create(info);
      core.processes.add(process);
    }
    process.info = info;
    process.parent ??= info.parent === undefined ? undefined : core.processes.get(info.parent);
    if (process.container !== container) {
      process.container = container;
      process.segments = [];
    }
    if (container?.open) this.hold(container, observation);
    else {
      if (!fresh) this.update(process, info, moment);
      if (container?.policy !== undefined && process.segments.length === 0)
        this.decide(process, info, moment);
    }
    if (fresh) this.adopt(process);
  }

  get state(): OriginState {
    return { waiting: this.waiting };
  }

  restore({ waiting }: OriginState): void {
    this.waiting = [...waiting];
  }

  get waits(): boolean {
    return this.waiting.length > 0;
  }

  /** Holds of which nothing more will come, at the end of input or when their time is over. */
  expire(all: boolean): void {
    const { core } = this;
    if (all) {
      for (const container of core.containers.values()) {
        if (!container.open || container.backlog.length === 0) continue;
        this.giveUp(container, 'the source does not say which image it has');
      }
    }
    if (this.waiting.length === 0) return;
    const due = this.waiting.filter(({ since }) => all || since < core.horizon);
    if (due.length === 0) return;
    this.waiting = this.waiting.filter((each) => !due.includes(each));
    for (const { process, info, since } of due) {
      if (process.segments.length === 0) {
        if (process.parent !== undefined && process.parent.segments.length > 0)
          this.decide(process, info, since);
        else this.fromOutside(process, info, since);
      }
      this.release(process.held?.splice(0) ?? []);
    }
  }

  private create(info: ProcessInfo): Process {
    const process = new Process(info.id);
    process.exe = info.exe;
    process.args = info.args;
    process.uid = info.uid;
    process.gid = info.gid;
    process.entry = info.entry;
    return process;
  }

  /** A record of a process that is known. */
  private update(process: Process, info: ProcessInfo, moment: Moment): void {
    if (info.entry) process.entry = true;
    checkIdentity(this.core, process, 'SETUID', [process.uid, info.uid], moment);
    checkIdentity(this.core, process, 'SETGID', [process.gid, info.gid], moment);
    if (info.uid >= 0) process.uid = info.uid;
    if (info.gid >= 0) process.gid = info.gid;
    const segment = process.segments.at(-1);
    if (info.exe === process.exe && (info.again || info.args === process.args)) return;
    if (info.again && segment !== undefined && this.runs(process, segment, info.exe)) return;
    if (isUnnamed(info.exe) && info.args === process.args) return;
    if (segment === undefined) {
      process.exe = info.exe;
      process.args = info.args;
    } else if (info.exe !== process.exe || !info.again) {
      process.pending = { time: moment, exe: info.exe, args: info.args };
    }
  }

  /** Whether the automata of this segment are of this program. */
  private runs(process: Process, segment: Segment, exe: string): boolean {
    if (segment.kind !== 'watched') return segment.kind === 'prelude' && isRuntime(exe, process.args);
    const automata = process.container?.policy?.automataOf(exe, '', true) ?? [];
    return segment.automata.some((a) => automata.includes(a));
  }

  /** Where a process comes from that is seen for the first time. */
  private decide(process: Process, info: ProcessInfo, moment: Moment): void {
    const { container, parent } = process;
    if (container === undefined) return;
    const born = this.bornAt(info, moment);
    if (parent !== undefined && parent.container === container) {
      const segment = parent.at(info.again ? moment : born);
      if (segment === undefined) this.wait(process, info, moment);
      else if (segment.kind === 'foreign') makeForeign(process, segment.incident, Number.NEGATIVE_INFINITY);
      else if (segment.kind === 'watched' && info.again)
        this.midLife(process, moment, process.exe, process.args);
      else if (segment.kind === 'watched') this.cloned(process, parent, segment, born);
      else if (container.started === undefined || born <= container.started) this.prelude(process);
      else this.fromOutside(process, info, moment);
    } else if (
      info.parent !== undefined &&
      parent === undefined &&
      !info.again &&
      container.running &&
      born > container.lossyUntil
    ) {
      this.wait(process, info, moment);
    } else {
      this.fromOutside(process, info, moment);
    }
  }

  private wait(process: Process, info: ProcessInfo, moment: Moment): void {
    this.waiting.push({ process, info, since: moment });
  }

  /** A process became known: those that waited for it as their parent can be decided. */
  private adopt(parent: Process): void {
    if (this.waiting.length === 0) return;
    const children = this.waiting.filter(
      ({ process, info }) => process.parent === parent || sameProcess(info.parent, parent.id),
    );
    if (children.length === 0) return;
    this.waiting = this.waiting.filter((each) => !children.includes(each));
    for (const { process, info, since } of children) {
      process.parent = parent;
      this.decide(process, info, since);
      if (process.segments.length === 0) continue;
      this.release(process.held?.splice(0) ?? []);
      this.adopt(process);
    }
  }

  /** Its parent is a watched process. */
  private cloned(process: Process, parent: Process, segment: Watched, born: Moment): void {
    const { core } = this;
    const policy = process.container?.policy;
    if (policy === undefined) return;
    const automata = segment.automata.filter((a) => policy.forks[a]);
    if (automata.length === 0) {
      this.unknownChild(process, parent, segment, born);
      return;
    }
    const own: Watched = watchedSince(Number.NEGATIVE_INFINITY, automata);
    process.segments = [own];
    // Made by tasks that had been serving for a while, where these make tasks that serve.
    const serving = [...parent.tasks.values()].every((task) => task.servedSince < born - settled);
    if (serving && automata.every((a) => policy.servingChildren[a])) process.main.servedSince = born;
    core.later(born, ITEM.birth, process.main, own);
    parent.bore(born);
    if (!this.runs(process, own, process.exe)) {
      process.pending = { time: core.now, exe: process.exe, args: process.args };
      process.exe = parent.exe;
      process.args = parent.args;
    }
  }

  /** A child of a program that makes no processes. */
  private unknownChild(process: Process, parent: Process, segment: Watched, born: Moment): void {
    const { pid } = process.id;
    parent.rogueClones--;
    const why = `${parent.exe || 'its parent'} makes no processes`;
    const discovery = this.unknown(process, pid, born, clone('process'), segment, why);
    if (this.core.incidents.allows(discovery)) {
      this.follow(process, process.main, segment, born);
      return;
    }
    const incident = this.core.incidents.of(parent, born);
    process.incident = incident;
    incident.include(parent, false);
    // Its CLONE was found already: one cause, one finding.
    if (parent.rogueClones < 0) this.core.incidents.report(discovery, false);
    makeForeign(process, incident, Number.NEGATIVE_INFINITY);
  }

  /** It has no parent in the container. */
  private fromOutside(process: Process, info: ProcessInfo, moment: Moment): void {
    const { container } = process;
    if (container?.policy === undefined) return;
    const { exe, args } = process;
    if (container.running && info.entry && container.root !== process && !info.again) {
      // There is only one pid 1: the container was started again.
      container.started = container.root = undefined;
    }
    const runtime = isRuntime(exe, args) || (isUnnamed(exe) && args === '');
    if (info.again && !runtime) this.midLife(process, moment, exe, args);
    else if (!container.running) {
      this.prelude(process);
      if (!runtime) process.pending = { time: moment, exe, args };
    } else if (info.again) this.prelude(process);
    else if (
      this.bornAt(info, moment) <= container.lossyUntil &&
      container.policy.automataOf(exe, args, false).length > 0
    )
      this.midLife(process, moment, exe, args);
    else this.injected(process, container, moment);
  }

  /** Executed in the container from outside. Who does that often (a probe, an operator) makes one incident. */
  private injected(process: Process, container: Container, moment: Moment): void {
    const { policy } = container;
    if (policy !== undefined) {
      const automata = policy.automataOf(process.exe, process.args, false);
      if (this.executions.entered(process, container, policy, moment, automata)) return;
      // What the runtime is about to execute tells whether it may.
      if (policy.entries.length > 0 && isRuntime(process.exe, process.args)) {
        this.prelude(process);
        return;
      }
    }
    process.incident = container.outside;
    const incident = this.core.incidents.report(
      this.unknown(
        process,
        process.id.pid,
        moment,
        execEffect(process.exe, process.args),
        undefined,
        'it was not made by any process of the container: it came in from outside',
      ),
    );
    if (!incident.silent) container.outside = incident;
    makeForeign(process, incident, Number.NEGATIVE_INFINITY);
  }

  /** A task that an amendment allows: it does as its maker's program does, from wherever. */
  private follow(process: Process, task: Task, { automata }: Watched, since: Moment): void {
    const { container } = process;
    if (container?.view === undefined) return;
    if (process.segments.length === 0) process.segments = [watchedSince(Number.NEGATIVE_INFINITY, automata)];
    this.core.order.begin(task, container.view.all(automata));
    task.servedSince = Math.min(task.servedSince, since);
  }

  /** A record may be made of a process some time after it was born. */
  private bornAt({ id }: ProcessInfo, moment: Moment): Moment {
    return id.created > 0n ? Math.min(this.core.clock.moment(id.created), moment) : moment;
  }

  private prelude(process: Process): void {
    process.segments = [{ since: Number.NEGATIVE_INFINITY, kind: 'prelude' }];
  }

  private unknown(
    process: Process,
    tid: number,
    time: Moment,
    effect: Effect,
    segment: Watched | undefined,
    why: string,
  ): Discovery {
    const policy = process.container?.policy;
    const what = tid === process.id.pid ? 'process' : 'thread';
    const maker = what === 'process' ? (process.parent ?? process) : process;
    return {
      kind: 'unknown-task',
      time,
      process,
      tid,
      effect,
      why: () => `nothing in the policy explains this ${what}: ${why}`,
      expected: () =>
        policy === undefined || segment === undefined
          ? []
          : nearest(policy, segment.automata, effect, maker.main.servedSince < time),
      maker,
    };
  }

  /** It was there before the monitor. */
  midLife(process: Process, moment: Moment, exe: string, args: string): void {
    const { core } = this;
    const { container } = process;
    const policy = container?.policy;
    if (container === undefined || policy === undefined || container.view === undefined) return;
    let automata = policy.automataOf(exe, args, false);
    if (automata.length === 0) automata = policy.automataOf(exe, args, true);
    container.started ??= Number.NEGATIVE_INFINITY;
    if (process.entry) container.root = process;
    if (automata.length === 0) {
      this.executions.foreignProgram(
        { process, tid: process.id.pid, time: moment, exe, args, inferred: true },
        'it was running when the monitor came, and is no program of the policy',
        [],
      );
      return;
    }
    if (!container.midLife)
      core.note({ kind: 'mid-life', container: container.ref, pid: process.id.pid, exe });
    container.midLife = true;
    process.segments = [watchedSince(Number.NEGATIVE_INFINITY, automata)];
    core.order.begin(process.main, container.view.all(automata));
  }

  /** Something else than an exec is told of a process whose record names another program: the exec was not seen. */
  settle(process: Process): void {
    const { pending } = process;
    if (pending === undefined) return;
    process.pending = undefined;
    // Other arguments alone are no exec: a program can overwrite its own.
    if (pending.exe === process.exe && process.segments.at(-1)?.kind !== 'prelude') return;
    this.exec({ process, tid: process.id.pid, ...pending, inferred: true });
  }

  exec(execution: Execution): void {
    this.executions.exec(execution);
  }

  /** The task of a thread; undefined where the policy does not explain it (a finding says so, its process goes on). */
  thread(process: Process, tid: number, time: Moment, segment: Watched, begins: boolean): Task {
    const known = process.tasks.get(tid);
    if (known !== undefined && !(known.exited !== undefined && (begins || time > known.exited))) return known;
    const task = new Task(process, tid);
    process.tasks.set(tid, task);
    const policy = process.container?.policy;
    const automata = policy === undefined ? [] : segment.automata.filter((a) => policy.threads[a]);
    if (automata.length > 0) {
      const serving =
        process.main.servedSince < time - settled && automata.every((a) => policy?.servingChildren[a]);
      if (serving) task.servedSince = time;
      this.core.later(time, ITEM.birth, task, segment);
      process.bore(time);
      return task;
    }
    process.rogueClones--;
    const why = `${process.exe || 'its program'} makes no threads`;
    const discovery = this.unknown(process, tid, time, clone('thread'), segment, why);
    if (this.core.incidents.allows(discovery)) {
      this.follow(process, task, segment, time);
      return task;
    }
    const incident = this.core.incidents.of(process, time);
    if (process.rogueClones < 0) this.core.incidents.report(discovery, false);
    task.incident = incident;
    return task;
  }

  exit(process: Process, tid: number, time: Moment, status: number): void {
    const { core } = this;
    const { container } = process;
    const task = process.tasks.get(tid);
    const segment = process.at(time);
    if (tid === process.id.pid) {
      process.exited = time;
      if (container?.root === process) {
        container.started = container.root = undefined;
        container.ended = true;
      }
      const signal = status & 0x7f;
      if (container !== undefined && segment?.kind === 'watched' && faults.has(signal))
        core.note({ kind: 'died', container: container.ref, pid: tid, exe: process.exe, signal });
    }
    if (task === undefined) return;
    task.exited = time;
    task.ended = true;
    if (segment?.kind === 'watched') core.later(time, ITEM.exit, task, segment);
    else if (tid === process.id.pid) core.processes.retire(process);
  }

  /** No policy for this container after all. */
  private giveUp(container: Container, why: string): void {
    container.open = false;
    container.whyNot = why;
    this.core.note({ kind: 'unwatched-container', container: container.ref, why });
    for (const { kind } of container.backlog) {
      if (kind !== 'event' && kind !== 'flow') continue;
      this.core.counters.unwatched++;
      container.records++;
    }
    container.backlog = [];
  }

  private release(observations: readonly Observation[]): void {
    for (const observation of observations) this.replay(observation);
  }
}

/** SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS. */
const faults: ReadonlySet<number> = new Set([4, 5, 6, 7, 8, 11, 31]);

const sameProcess = (a: ProcessId | undefined, b: ProcessId): boolean =>
  a !== undefined && a.pid === b.pid && a.created === b.created;
