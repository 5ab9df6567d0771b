// Mutexes with priority inheritance (kernel/futex/pi.c): the word holds the owner's thread id, and an unlock hands it to
// the first waiter. Priorities themselves change nothing here: tasks are scheduled in turn.
import { E } from './errno.ts';
import { FutexWaiter, futexKey, OWNER_DIED, TID_MASK, WAITERS } from './futex.ts';
import type { Kernel } from './kernel.ts';
import type { SysArgs } from './syscall.ts';
import type { Task } from './task.ts';
import { absoluteToNow, readTimespec } from './time.ts';
import { block, type SysResult } from './wait.ts';

export function lockPi(
  kernel: Kernel,
  task: Task,
  args: SysArgs,
  options: { readonly shared: boolean; readonly clock: number; readonly tries: boolean },
): SysResult {
  const { space } = task.process;
  const address = args.pointer(0);
  let waiter = kernel.futexes.waiterOf(task);
  if (waiter === undefined) {
    const timed = args.pointer(3) !== 0 && !options.tries;
    const timeout = timed ? readTimespec(space, args.pointer(3)) : undefined;
    if (typeof timeout === 'number') return timeout;
    const key = futexKey(space, address, options.shared);
    const value = space.read32(address) >>> 0;
    const owner = value & TID_MASK;
    if (owner === task.tid) return -E.DEADLK;
    if (owner === 0) {
      space.write32(address, (task.tid | (value & OWNER_DIED)) >>> 0);
      return 0;
    }
    if (!kernel.tasks.has(owner)) return -E.SRCH;
    space.write32(address, (value | WAITERS) >>> 0);
    if (options.tries) return -E.AGAIN;
    waiter = new FutexWaiter(task, key, 0xffffffff);
    waiter.lock = address;
    kernel.futexes.add(waiter);
    task.restart = timeout === undefined ? {} : { deadline: absoluteToNow(kernel, options.clock, timeout) };
  }
  if (waiter.woken) return 0;
  const deadline = task.restart?.['deadline'] as bigint | undefined;
  if (deadline !== undefined && kernel.now >= deadline) return -E.TIMEDOUT;
  return block([waiter.queue], `lock 0x${address.toString(16)}`, { deadline, restart: 'restart' });
}

export function unlockPi(kernel: Kernel, task: Task, address: number, shared: boolean): number {
  const { space } = task.process;
  const key = futexKey(space, address, shared);
  const value = space.read32(address) >>> 0;
  if ((value & TID_MASK) !== task.tid) return -E.PERM;
  const next = kernel.futexes.waitersAt(key).find(({ lock }) => lock !== undefined);
  if (next === undefined) space.write32(address, 0);
  else handOver(kernel, next, 0);
  return 0;
}

function handOver(kernel: Kernel, waiter: FutexWaiter, bits: number): void {
  if (waiter.lock === undefined) return;
  waiter.task.process.space.write32(waiter.lock, (WAITERS | waiter.task.tid | bits) >>> 0);
  kernel.futexes.grant(waiter);
}

/** A thread ends: who waits for a lock that it holds gets it, marked. */
export function abandonLocks(kernel: Kernel, task: Task): void {
  const seen = new Set<string>();
  for (const waiter of kernel.futexes.lockWaiters()) {
    if (waiter.task === task || waiter.lock === undefined) continue;
    const { space } = waiter.task.process;
    const region = space.find(waiter.lock);
    if (region === undefined) continue;
    if (((space.read32(waiter.lock) >>> 0) & TID_MASK) === task.tid && !seen.has(String(waiter.key.offset))) {
      seen.add(String(waiter.key.offset));
      handOver(kernel, waiter, OWNER_DIED);
    }
  }
}
