// Semaphore sets (ipc/sem.c). A change completes the waiting operations that it lets through, in order of arrival,
// before their tasks run again; so who comes later can't take what was given to an earlier one.
import { IpcObject, IpcTable } from './ipc.ts';
import type { Kernel } from './kernel.ts';
import type { Process, Task } from './task.ts';
import { WaitQueue } from './wait.ts';

export const SEM_MAX_VALUE = 32767;
const NOWAIT = 0o4000;
const UNDO = 0o10000;

export interface SemOperation {
  readonly num: number;
  readonly op: number;
  readonly flags: number;
}

/** An operation array that can't be done yet. */
export class SemWaiter {
  readonly task: Task;
  /** The call that waits: another one means that the wait was given up. */
  readonly call: object;
  readonly operations: readonly SemOperation[];
  readonly queue = new WaitQueue();
  /** Set: completed with this result. */
  result: number | undefined = undefined;
  /** Index in `operations` of the one that did not go through. */
  blockedAt: number;

  constructor(task: Task, call: object, operations: readonly SemOperation[], blockedAt: number) {
    this.task = task;
    this.call = call;
    this.operations = operations;
    this.blockedAt = blockedAt;
  }

  get abandoned(): boolean {
    return this.task.state === 'dead' || this.task.syscall !== this.call;
  }
}

export type SemOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly errno: number }
  | { readonly kind: 'wait'; readonly at: number; readonly nowait: boolean };

export class SemSet extends IpcObject {
  readonly values: number[];
  /** Process of the last operation on each. */
  readonly pids: number[];
  otime = 0n;
  private waiters: SemWaiter[] = [];
  /** What the end of a process adds back, per semaphore. */
  private readonly undo = new Map<Process, number[]>();

  constructor(kernel: Kernel, task: Task, wanted: { key: number; count: number; mode: number }) {
    super(kernel, task, wanted.key, wanted.mode);
    this.values = new Array(wanted.count).fill(0);
    this.pids = new Array(wanted.count).fill(0);
  }

  /** All of the operations or none. */
  perform(process: Process, operations: readonly SemOperation[]): SemOutcome {
    const values = [...this.values];
    const undo = [...(this.undo.get(process) ?? new Array<number>(values.length).fill(0))];
    for (const [at, { num, op, flags }] of operations.entries()) {
      const next = values[num] + op;
      if (next < 0 || (op === 0 && values[num] !== 0))
        return { kind: 'wait', at, nowait: (flags & NOWAIT) !== 0 };
      if (next > SEM_MAX_VALUE) return { kind: 'failed', errno: 34 };
      if ((flags & UNDO) !== 0) {
        undo[num] -= op;
        if (undo[num] < -SEM_MAX_VALUE - 1 || undo[num] > SEM_MAX_VALUE) return { kind: 'failed', errno: 34 };
      }
      values[num] = next;
    }
    for (const { num } of operations) this.pids[num] = process.pid;
    values.forEach((value, i) => {
      this.values[i] = value;
    });
    if (operations.some(({ flags }) => (flags & UNDO) !== 0)) this.undo.set(process, undo);
    return { kind: 'done' };
  }

  add(waiter: SemWaiter): void {
    this.waiters.push(waiter);
  }

  private living(): SemWaiter[] {
    this.waiters = this.waiters.filter((waiter) => waiter.result === undefined && !waiter.abandoned);
    return this.waiters;
  }

  /** Values have changed: completes what can go on now. */
  settle(seconds: bigint): void {
    for (let again = true; again; ) {
      again = false;
      for (const waiter of this.living()) {
        const outcome = this.perform(waiter.task.process, waiter.operations);
        if (outcome.kind === 'wait') {
          waiter.blockedAt = outcome.at;
          continue;
        }
        complete(waiter, outcome.kind === 'done' ? 0 : -outcome.errno);
        if (outcome.kind === 'done') this.otime = seconds;
        again = outcome.kind === 'done' && waiter.operations.some(({ op }) => op !== 0);
        if (again) break;
      }
    }
  }

  /** Ends every wait with a negative errno. */
  expel(result: number): void {
    for (const waiter of this.living()) complete(waiter, result);
  }

  /** How many wait for the value to grow (or, with `zero`, to become 0). */
  waiting(num: number, zero: boolean): number {
    return this.living().filter(({ operations, blockedAt }) => {
      const blocked = operations[blockedAt];
      return blocked.num === num && (zero ? blocked.op === 0 : blocked.op < 0);
    }).length;
  }

  /** SETVAL and SETALL: what processes would undo is forgotten. */
  forgetUndo(num: number): void {
    for (const amounts of this.undo.values()) amounts[num] = 0;
  }

  /** The process has ended. */
  release(process: Process, seconds: bigint): void {
    const amounts = this.undo.get(process);
    if (amounts === undefined) return;
    this.undo.delete(process);
    let changed = false;
    amounts.forEach((amount, num) => {
      if (amount === 0) return;
      this.values[num] = Math.min(SEM_MAX_VALUE, Math.max(0, this.values[num] + amount));
      this.pids[num] = process.pid;
      changed = true;
    });
    if (!changed) return;
    this.otime = seconds;
    this.settle(seconds);
  }
}

function complete(waiter: SemWaiter, result: number): void {
  waiter.result = result;
  waiter.queue.wake();
}

export class SemTable extends IpcTable<SemSet> {
  /** Waits of tasks that are in a semop. */
  private readonly waiters = new Map<Task, SemWaiter>();

  waiterOf(task: Task): SemWaiter | undefined {
    const waiter = this.waiters.get(task);
    if (waiter === undefined || !waiter.abandoned) return waiter;
    this.waiters.delete(task);
    return undefined;
  }

  enlist(waiter: SemWaiter): void {
    this.waiters.set(waiter.task, waiter);
  }

  forget(task: Task): void {
    this.waiters.delete(task);
  }

  release(process: Process, seconds: bigint): void {
    for (const set of this.all()) set.release(process, seconds);
  }
}
