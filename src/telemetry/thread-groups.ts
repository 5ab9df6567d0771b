// Which tasks belong to which process, from a recorder that names tasks only. A child's first event may come before
// its parent's clone has returned, and with vfork long before: then a task that nobody announced is taken for the
// child of the clone that is under way. Several under way whose children would differ: its events wait until one of
// the clones returns.
import { CONSTANTS } from './linux-names.ts';
import type { ParentTask, TraceEvent } from './syscall-event.ts';

const cloneThread = CONSTANTS.get('CLONE_THREAD') as number;
/** Events that may wait for one task; more, and it is taken for the oldest clone's child. */
const maxWaiting = 10_000;

interface CloneUnderWay {
  readonly parent: ParentTask;
  /** The child, where its first event came before the clone's return. */
  child: number | undefined;
}

export class ThreadGroups {
  /** Tid to pid. */
  private readonly pids = new Map<number, number>();
  /** By the tid of the caller, in the order of entry. */
  private readonly clones = new Map<number, CloneUnderWay>();
  private readonly waiting = new Map<number, ((pid: number) => TraceEvent)[]>();
  private readonly emit: (event: TraceEvent) => void;

  constructor(emit: (event: TraceEvent) => void) {
    this.emit = emit;
  }

  /** Passes on an event of this task, now or once its process is known. */
  event(tid: number, time: bigint, make: (pid: number) => TraceEvent): void {
    const pid = this.find(tid, time);
    if (pid === undefined) this.wait(tid, make, time);
    else this.emit(make(pid));
  }

  /** The process of a task, which starts now if it is new; undefined where that is not known yet. */
  private find(tid: number, time: bigint): number | undefined {
    const pid = this.pids.get(tid);
    if (pid !== undefined) return pid;
    const clone = this.guess();
    if (clone === 'ambiguous') return undefined;
    if (clone !== undefined) clone.child = tid;
    return this.start(tid, time, clone?.parent);
  }

  /** A task enters clone, clone3, fork or vfork. */
  enter(tid: number, time: bigint, call: string, flags: number): void {
    const pid = this.find(tid, time) ?? tid;
    this.clones.set(tid, { parent: { pid, tid, call, flags }, child: undefined });
  }

  /** It returns; `returned` is what it returned, undefined on failure. Gives the child's tid back. */
  leave(tid: number, time: bigint, returned: number | undefined): number | undefined {
    const clone = this.clones.get(tid);
    this.clones.delete(tid);
    if (clone === undefined || returned === undefined || returned <= 0) return undefined;
    if (clone.child === returned) return returned;
    const others = [...this.clones.values()].filter((other) => similar(other.parent, clone.parent));
    const owner = others.find((other) => other.child === returned);
    const childless = others.find((other) => other.child === undefined);
    if (owner !== undefined) owner.child = clone.child;
    else if (clone.child === undefined || childless !== undefined) {
      // The child that was taken for this clone's is another's: of the same process and kind, so nothing was wrong.
      if (childless !== undefined) childless.child = clone.child;
      // A reused tid: its former owner is gone.
      this.pids.delete(returned);
      this.start(returned, time, clone.parent);
    } else {
      // Only one child can be meant: the result is its number in a pid namespace of its own.
      return clone.child;
    }
    return returned;
  }

  /** An exec by another thread than the leader: that thread goes on as the leader, all others are gone. */
  superseded(leader: number, tid: number): void {
    this.pids.delete(tid);
    this.pids.set(leader, leader);
  }

  /** The task is gone. */
  end(tid: number): void {
    this.pids.delete(tid);
    this.clones.delete(tid);
  }

  /** No more events: what still waits is passed on as the oldest clone's child, or as a task of its own. */
  finish(): void {
    for (const tid of [...this.waiting.keys()]) this.start(tid, 0n, this.oldest()?.parent);
  }

  private guess(): CloneUnderWay | undefined | 'ambiguous' {
    const open = [...this.clones.values()].filter((clone) => clone.child === undefined);
    const [first] = open;
    return open.every((clone) => similar(clone.parent, first.parent)) ? first : 'ambiguous';
  }

  private oldest(): CloneUnderWay | undefined {
    return [...this.clones.values()].find((clone) => clone.child === undefined);
  }

  private wait(tid: number, make: (pid: number) => TraceEvent, time: bigint): void {
    const list = this.waiting.get(tid) ?? [];
    list.push(make);
    this.waiting.set(tid, list);
    if (list.length > maxWaiting) this.start(tid, time, this.oldest()?.parent);
  }

  private start(tid: number, time: bigint, parent: ParentTask | undefined): number {
    const pid = parent !== undefined && (parent.flags & cloneThread) !== 0 ? parent.pid : tid;
    this.pids.set(tid, pid);
    this.emit({ kind: 'start', time, pid, tid, parent });
    const waiting = this.waiting.get(tid) ?? [];
    this.waiting.delete(tid);
    for (const make of waiting) this.emit(make(pid));
    return pid;
  }
}

/** Whether children of the two would have the same process and parent. */
function similar(a: ParentTask, b: ParentTask): boolean {
  return a.pid === b.pid && a.flags === b.flags && a.call === b.call;
}
