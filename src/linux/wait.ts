// Blocking without continuations: a syscall that cannot go on returns a Block that names the queues to wait on; when
// one of them is woken (or the deadline passes) the scheduler runs the same handler again with the same arguments.
// So kernel state is plain data, and a snapshot of the whole machine is a copy of an object graph. A handler that
// must remember something across the wait (an absolute deadline, progress) keeps it in `task.restart`.
import type { Task } from './task.ts';

/** Something that must hear of a wake without being a task: an epoll set, a directory watch. */
export interface Watcher {
  /** `events`: POLL bits that may have become true. True where it passed the wake on to somebody (for `exclusive`). */
  notify(events: number): boolean;
  /** EPOLLEXCLUSIVE: of all exclusive watchers only the first that has a taker is told. */
  readonly exclusive: boolean;
}

/** Tasks that wait for something. Kept by the object waited on. */
export class WaitQueue {
  readonly waiters = new Set<Task>();
  readonly watchers = new Set<Watcher>();

  /**
   * Makes every waiter runnable; each runs its syscall again and may block again. `events`: the POLL bits that may
   * have become true (all, where it is not known); edge-triggered watchers count on it.
   */
  wake(events = 0xffffffff): void {
    for (const task of this.waiters) task.wake();
    if (this.watchers.size === 0) return;
    // As Linux queues them: the newest first, exclusive ones after all others and in their order.
    const watchers = [...this.watchers];
    for (const watcher of watchers.toReversed()) if (!watcher.exclusive) watcher.notify(events);
    for (const watcher of watchers) if (watcher.exclusive && watcher.notify(events)) break;
  }
}

/** Result of a handler that has to wait. */
export interface Block {
  readonly kind: 'block';
  readonly queues: readonly WaitQueue[];
  /** Virtual CLOCK_MONOTONIC ns at which the wait ends even if nothing woke it; undefined: never. */
  readonly deadline: bigint | undefined;
  /** Whether a signal interrupts the wait (EINTR or restart); false for uninterruptible waits. */
  readonly interruptible: boolean;
  /** What the task waits for, for people: `accept`, `read socket`, `futex 0x7f…`. */
  readonly reason: string;
  /**
   * Whether the outside world could end this wait (a client, a timer far away, a signal) rather than another task of
   * the container. When every task waits, the container is quiescent.
   */
  readonly restart: 'restart' | 'eintr' | 'restart-nohand';
}

export function block(
  queues: readonly WaitQueue[],
  reason: string,
  options: Partial<Pick<Block, 'deadline' | 'interruptible' | 'restart'>> = {},
): Block {
  return {
    kind: 'block',
    queues,
    deadline: options.deadline,
    interruptible: options.interruptible ?? true,
    reason,
    restart: options.restart ?? 'restart',
  };
}

/** What a handler answers: the value for rax (negative errno on failure), a wait, or `none` when it set the registers itself (execve, rt_sigreturn, exit). */
export type SysResult = number | bigint | Block | 'none';

export const isBlock = (result: SysResult): result is Block => typeof result === 'object';
