// What sources that tell of single events have in common: who is who. Each event names its process in full (pid,
// program, user, container); the book makes of that one process record for each new process or change, and the two
// sides of a clone and an exec as exact.ts and SysFlow have them.
//
// A source either tells every exec (`EXEC` is in what it sees) or only some. Where it tells only some, nothing follows
// from a change of program: a process is then what runs one program, and each is one that was there before the monitor
// came. So only what such a process does, or that its program is none of the policy's, can be found.
import type { Effect, Op } from '../effect/index.ts';
import type { ContainerInfo, Observation, ProcessId } from './observation.ts';

/** What an event says of its process at that time; undefined or '' where it does not say. */
export interface ProcessFacts {
  readonly pid: number;
  /** Epoch ns. */
  readonly time: bigint;
  /** Tells this process from others with its pid, where the source has such a thing. */
  readonly key?: string | undefined;
  /** Epoch ns of its birth. */
  readonly created?: bigint | undefined;
  readonly exe?: string | undefined;
  /** Undefined: not known. */
  readonly args?: string | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly user?: string | undefined;
  readonly cwd?: string | undefined;
  readonly tty?: boolean | undefined;
  /** '' on the host. */
  readonly containerId: string;
  /** First process of its container. */
  readonly entry?: boolean | undefined;
  readonly parent?: Known | undefined;
}

/** A process of the book. Mutable: later events say more. */
export interface Known {
  readonly id: ProcessId;
  readonly key: string | undefined;
  readonly parent: Known | undefined;
  readonly containerId: string;
  exe: string;
  args: string;
  uid: number;
  gid: number;
  user: string;
  cwd: string;
  tty: boolean;
  entry: boolean;
  ended: boolean;
  /** Nothing was heard of it but its birth. */
  forked: boolean;
  /** An exec of it was seen. */
  executed: boolean;
}

/** Exited processes that a later event may still name. */
const rememberEnded = 4096;

export class ProcessBook {
  private readonly emit: (observation: Observation) => void;
  private readonly exporter: string;
  private readonly execs: boolean;
  private readonly byPid = new Map<number, Known>();
  private readonly containers = new Map<string, ContainerInfo>();
  private ended: Known[] = [];
  private begun = false;

  /** `sees`: operations that the source reports whenever they happen. */
  constructor(exporter: string, sees: ReadonlySet<Op>, emit: (observation: Observation) => void) {
    this.exporter = exporter;
    this.execs = sees.has('EXEC');
    this.emit = emit;
  }

  /** The process with this pid now, or the last one that had it. */
  get(pid: number): Known | undefined {
    return this.byPid.get(pid);
  }

  /** Told of once, and again when something about it changes. */
  container(info: ContainerInfo): void {
    if (info.id === '') return;
    const before = this.containers.get(info.id);
    if (before !== undefined && same(before, info)) return;
    // A later event that knows less takes nothing back.
    if (before !== undefined && info.image === '' && info.imageId === '') return;
    this.begin();
    this.containers.set(info.id, info);
    this.emit({ kind: 'container', container: info });
  }

  /** The process of an event that is no clone and no exec. */
  at(facts: ProcessFacts): Known {
    const known = this.known(facts);
    if (known === undefined) return this.create(facts, facts.parent, true);
    const { exe } = facts;
    const told = exe !== undefined && exe !== '';
    if (told && exe !== known.exe && (!this.execs || known.exe === ''))
      return this.create({ ...facts, created: undefined }, successor(known), true);
    // It may have executed something since it was made, and no one says what.
    if (!told && known.forked && !this.execs)
      return this.create({ ...facts, created: undefined }, undefined, true);
    known.forked = false;
    const before = `${known.exe}\0${known.uid}\0${known.gid}`;
    learn(known, facts);
    if (before !== `${known.exe}\0${known.uid}\0${known.gid}`) this.tell(known, facts.time, false);
    return known;
  }

  /**
   * An exec that succeeded: `facts` say what runs now. With arguments that are not known it cannot be held against a
   * policy's, so it is as if it had not been seen.
   */
  exec(facts: ProcessFacts, tid: number): Known {
    const { time, exe = '', args: told } = facts;
    let known = this.known(facts);
    if (told === undefined || (!this.execs && facts.entry !== true)) {
      const same = known !== undefined && known.exe === exe && known.args === (facts.args ?? known.args);
      return known !== undefined && same
        ? known
        : this.create({ ...facts, created: undefined }, successor(known) ?? facts.parent, true);
    }
    if (known === undefined) {
      const { parent } = facts;
      const within = parent !== undefined && parent.containerId === facts.containerId;
      // Who executes in a container from outside is its runtime.
      const [before, args] = within ? [parent.exe, parent.args] : [parent?.exe ?? 'runc', 'init'];
      known = this.create(
        { ...facts, exe: within ? before : runtime(before), args, uid: within ? parent.uid : facts.uid },
        parent,
        false,
      );
    }
    learn(known, facts);
    known.exe = exe;
    known.args = told;
    known.executed = true;
    this.tell(known, time, false);
    const args = known.args === '' ? [] : known.args.split(' ');
    this.event(
      known,
      tid,
      time,
      { op: 'EXEC', resource: { kind: 'program', path: exe, args }, access: '' },
      0,
    );
    return known;
  }

  /** A new process, of which its parent's clone was seen: both sides. */
  fork(parent: Known, tid: number, child: ProcessFacts): Known {
    const { time } = child;
    const clone = (what: string): Effect => ({ op: 'CLONE', resource: { kind: 'task', what }, access: '' });
    this.event(parent, tid, time, clone('process'), child.pid);
    const { exe, args, uid, gid, user, cwd, tty } = parent;
    const own = this.create({ exe, args, uid, gid, user, cwd, tty, ...defined(child) }, parent, false);
    this.event(own, child.pid, time, clone('process'), 0);
    own.forked = true;
    return own;
  }

  /** A new thread: both sides. */
  thread(process: Known, tid: number, child: number, time: bigint): void {
    const effect: Effect = { op: 'CLONE', resource: { kind: 'task', what: 'thread' }, access: '' };
    this.event(process, tid, time, effect, child);
    this.event(process, child, time, effect, 0);
  }

  event(process: Known, tid: number, time: bigint, effect: Effect, ret: number): void {
    this.emit({ kind: 'event', time, task: { process: process.id, tid }, effect, ret, args: [] });
  }

  /** `status`: wait status. The process ends with its main thread. */
  exit(process: Known, tid: number, time: bigint, status: number): void {
    const signal = status & 127;
    const value = signal === 0 ? String(status >> 8) : `signal:${signal}`;
    this.event(process, tid, time, { op: 'EXIT', resource: { kind: 'id', value }, access: '' }, status);
    if (tid !== process.id.pid || process.ended) return;
    process.ended = true;
    this.ended.push(process);
    if (this.ended.length < 2 * rememberEnded) return;
    for (const old of this.ended.splice(0, rememberEnded))
      if (this.byPid.get(old.id.pid) === old) this.byPid.delete(old.id.pid);
  }

  gap(reason: string, records: number): void {
    this.begin();
    this.emit({ kind: 'gap', reason, records });
  }

  private known({ pid, key, containerId }: ProcessFacts): Known | undefined {
    const known = this.byPid.get(pid);
    if (known === undefined || known.containerId !== containerId) return undefined;
    if (key !== undefined && known.key !== undefined) return known.key === key ? known : undefined;
    return known.ended ? undefined : known;
  }

  private create(facts: ProcessFacts, parent: Known | undefined, again: boolean): Known {
    const { pid, time, created, containerId, key } = facts;
    const known: Known = {
      id: { pid, created: created ?? time },
      key,
      // A program without a name is no one's child: nothing is known of it.
      parent: again && (facts.exe ?? '') === '' ? undefined : parent,
      containerId,
      exe: '',
      args: '',
      uid: -1,
      gid: -1,
      user: '',
      cwd: '',
      tty: false,
      entry: false,
      ended: false,
      forked: false,
      executed: false,
    };
    learn(known, facts);
    this.byPid.set(pid, known);
    this.tell(known, time, again);
    return known;
  }

  private tell(process: Known, time: bigint, again: boolean): void {
    this.begin();
    const { id, parent, exe, args, uid, gid, user, tty, containerId, entry, cwd } = process;
    this.emit({
      kind: 'process',
      process: {
        id,
        parent: parent?.id,
        time,
        exe,
        args,
        uid,
        gid,
        user,
        group: '',
        tty,
        containerId,
        entry,
        cwd,
        again,
      },
    });
  }

  private begin(): void {
    if (this.begun) return;
    this.begun = true;
    this.emit({ kind: 'stream', exporter: this.exporter, version: 0 });
  }
}

const same = (a: ContainerInfo, b: ContainerInfo): boolean =>
  a.name === b.name && a.image === b.image && a.imageId === b.imageId && a.privileged === b.privileged;

function learn(known: Known, facts: ProcessFacts): void {
  if (facts.exe !== undefined && facts.exe !== '') known.exe = facts.exe;
  if (facts.uid !== undefined) known.uid = facts.uid;
  if (facts.gid !== undefined) known.gid = facts.gid;
  if (facts.user !== undefined) known.user = facts.user;
  if (facts.cwd !== undefined) known.cwd = facts.cwd;
  if (facts.tty !== undefined) known.tty = facts.tty;
  if (facts.entry !== undefined) known.entry = facts.entry;
  // Arguments of an unknown program would make it a program of that name.
  if (facts.args !== undefined && known.exe !== '') known.args = facts.args;
}

/** Whom a process goes on from that runs another program now; a runtime, or what has no name yet, is no one. */
const successor = (known: Known | undefined): Known | undefined =>
  known === undefined || known.exe === '' || isRuntime(known.exe) ? undefined : known;

const defined = (facts: ProcessFacts): ProcessFacts =>
  Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined),
  ) as unknown as ProcessFacts;

/** The name by which the monitor knows a runtime, whatever the source calls the process that it is. */
const runtime = (exe: string): string => (isRuntime(exe) ? exe : 'runc');
const isRuntime = (exe: string): boolean =>
  /(^|\/)(docker-)?(runc|crun|youki|conmon|containerd-shim[a-z0-9-]*)$|^\/proc\/self\/|^memfd:|^\/memfd:/.test(
    exe,
  );
