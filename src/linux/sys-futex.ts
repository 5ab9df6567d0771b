// futex(2): WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, the bitset forms, and locks with priority inheritance; of the
// newer calls futex_waitv. Requeueing to such a lock is refused.
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import { FutexWaiter, futexKey } from './futex.ts';
import { lockPi, unlockPi } from './futex-pi.ts';
import type { Kernel } from './kernel.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { absoluteToNow, CLOCK, readTimespec } from './time.ts';
import { block, type SysResult } from './wait.ts';

const OP = {
  WAIT: 0,
  WAKE: 1,
  FD: 2,
  REQUEUE: 3,
  CMP_REQUEUE: 4,
  WAKE_OP: 5,
  LOCK_PI: 6,
  UNLOCK_PI: 7,
  TRYLOCK_PI: 8,
  WAIT_BITSET: 9,
  WAKE_BITSET: 10,
  WAIT_REQUEUE_PI: 11,
  CMP_REQUEUE_PI: 12,
  LOCK_PI2: 13,
} as const;
const PRIVATE = 128;
const CLOCK_REALTIME = 256;
const ALL_BITS = 0xffffffff;

function futex(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const op = args.uint(1) & ~(PRIVATE | CLOCK_REALTIME);
  const realtime = (args.uint(1) & CLOCK_REALTIME) !== 0;
  const shared = (args.uint(1) & PRIVATE) === 0;
  if (realtime && op !== OP.WAIT_BITSET && op !== OP.WAIT_REQUEUE_PI && op !== OP.LOCK_PI2) return -E.NOSYS;
  if (args.pointer(0) % 4 !== 0) return -E.INVAL;
  switch (op) {
    case OP.WAIT:
      return wait(kernel, task, args, { shared, bitset: ALL_BITS, realtime: false, absolute: false });
    case OP.WAIT_BITSET:
      return wait(kernel, task, args, { shared, bitset: args.uint(5), realtime, absolute: true });
    case OP.WAKE:
      return wake(kernel, task, args, shared, ALL_BITS);
    case OP.WAKE_BITSET:
      return wake(kernel, task, args, shared, args.uint(5));
    case OP.REQUEUE:
      return requeue(kernel, task, args, shared, undefined);
    case OP.CMP_REQUEUE:
      return requeue(kernel, task, args, shared, args.uint(5));
    case OP.WAKE_OP:
      return wakeOp(kernel, task, args, shared);
    case OP.LOCK_PI:
      return lockPi(kernel, task, args, { shared, clock: CLOCK.REALTIME, tries: false });
    case OP.LOCK_PI2:
      return lockPi(kernel, task, args, {
        shared,
        clock: realtime ? CLOCK.REALTIME : CLOCK.MONOTONIC,
        tries: false,
      });
    case OP.TRYLOCK_PI:
      return lockPi(kernel, task, args, { shared, clock: CLOCK.REALTIME, tries: true });
    case OP.UNLOCK_PI:
      return unlockPi(kernel, task, args.pointer(0), shared);
    case OP.WAIT_REQUEUE_PI:
    case OP.CMP_REQUEUE_PI:
      kernel.cutHere(task, {
        kind: 'syscall-option',
        what: 'futex requeue with priority inheritance',
        consequence: 'answered ENOSYS',
      });
      return -E.NOSYS;
    default:
      return -E.NOSYS;
  }
}

interface WaitOptions {
  readonly shared: boolean;
  readonly bitset: number;
  readonly realtime: boolean;
  readonly absolute: boolean;
}

/** Runs again whenever something wakes the task: the waiter tells whether it was FUTEX_WAKE. */
function wait(kernel: Kernel, task: Task, args: SysArgs, options: WaitOptions): SysResult {
  const { space } = task.process;
  const address = args.pointer(0);
  let waiter = kernel.futexes.waiterOf(task);
  if (waiter === undefined) {
    if (options.bitset === 0) return -E.INVAL;
    const timeout = args.pointer(3) === 0 ? undefined : readTimespec(space, args.pointer(3));
    if (typeof timeout === 'number') return timeout;
    const key = futexKey(space, address, options.shared);
    if (space.read32(address) >>> 0 !== args.uint(2)) return -E.AGAIN;
    waiter = new FutexWaiter(task, key, options.bitset);
    kernel.futexes.add(waiter);
    const clock = options.realtime ? CLOCK.REALTIME : CLOCK.MONOTONIC;
    task.restart =
      timeout === undefined
        ? {}
        : { deadline: options.absolute ? absoluteToNow(kernel, clock, timeout) : kernel.now + timeout };
  }
  if (waiter.woken) return 0;
  const deadline = task.restart?.['deadline'] as bigint | undefined;
  if (deadline !== undefined && kernel.now >= deadline) return -E.TIMEDOUT;
  return block([waiter.queue], `futex 0x${address.toString(16)}`, {
    deadline,
    restart: deadline === undefined ? 'restart' : 'restart-nohand',
  });
}

/** Counts are C ints; as in Linux a wake of 0 or less still wakes one. */
const atLeastOne = (count: number): number => Math.max(1, count);

function wake(kernel: Kernel, task: Task, args: SysArgs, shared: boolean, bitset: number): SysResult {
  if (bitset === 0) return -E.INVAL;
  return kernel.futexes.wake(
    futexKey(task.process.space, args.pointer(0), shared),
    atLeastOne(args.int(2)),
    bitset,
  );
}

function requeue(
  kernel: Kernel,
  task: Task,
  args: SysArgs,
  shared: boolean,
  expected: number | undefined,
): SysResult {
  const { space } = task.process;
  const [toWake, toMove] = [args.int(2), args.int(3)];
  if (toWake < 0 || toMove < 0 || args.pointer(4) % 4 !== 0) return -E.INVAL;
  const from = futexKey(space, args.pointer(0), shared);
  const to = futexKey(space, args.pointer(4), shared);
  if (expected !== undefined && space.read32(args.pointer(0)) >>> 0 !== expected) return -E.AGAIN;
  const woken = kernel.futexes.wake(from, toWake, ALL_BITS);
  const moved = kernel.futexes.requeue(from, to, toMove);
  return expected === undefined ? woken : woken + moved;
}

/** val3: op 4 bits | cmp 4 bits | oparg 12 bits signed | cmparg 12 bits signed; bit 3 of op: the argument is a shift. */
function wakeOp(kernel: Kernel, task: Task, args: SysArgs, shared: boolean): SysResult {
  const { space } = task.process;
  const code = args.uint(5);
  const operation = (code >>> 28) & 7;
  const compare = (code >>> 24) & 15;
  const signed12 = (value: number): number => (value << 20) >> 20;
  const raw = signed12((code >>> 12) & 0xfff);
  const operand = code >>> 31 === 1 ? 1 << (raw & 31) : raw;
  const against = signed12(code & 0xfff);
  const second = args.pointer(4);
  if (second % 4 !== 0) return -E.INVAL;
  const from = futexKey(space, args.pointer(0), shared);
  const to = futexKey(space, second, shared);
  const old = space.read32(second) | 0;
  const results = [operand, old + operand, old | operand, old & ~operand, old ^ operand];
  const holds = [
    old === against,
    old !== against,
    old < against,
    old <= against,
    old > against,
    old >= against,
  ][compare];
  if (operation >= results.length || holds === undefined) return -E.NOSYS;
  space.write32(second, results[operation] >>> 0);
  let woken = kernel.futexes.wake(from, atLeastOne(args.int(2)), ALL_BITS);
  if (holds) woken += kernel.futexes.wake(to, atLeastOne(args.int(3)), ALL_BITS);
  return woken;
}

const WAITV_LIMIT = 128;
/** FUTEX2_SIZE_U32 and FUTEX2_PRIVATE; other sizes and NUMA are not in Linux 6.12. */
const FUTEX2 = { U32: 2, PRIVATE: 128 } as const;

/** struct futex_waitv: val u64 | uaddr u64 | flags u32 | reserved u32. Answers the index of one that was woken. */
function futexWaitv(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if (kernel.futexes.waitersOf(task).length === 0) {
    const failed = beginWaitv(kernel, task, args);
    if (failed !== 0) return failed;
  }
  const waiters = kernel.futexes.waitersOf(task);
  const woken = waiters.findIndex((waiter) => waiter.woken);
  if (woken >= 0) return woken;
  const deadline = task.restart?.['deadline'] as bigint | undefined;
  if (deadline !== undefined && kernel.now >= deadline) return -E.TIMEDOUT;
  return block(
    waiters.map(({ queue }) => queue),
    `${waiters.length} futexes`,
    { deadline, restart: deadline === undefined ? 'restart' : 'restart-nohand' },
  );
}

function beginWaitv(kernel: Kernel, task: Task, args: SysArgs): number {
  const { space } = task.process;
  const [at, count, clock] = [args.pointer(0), args.uint(1), args.int(4)];
  if (args.uint(2) !== 0 || count === 0 || count > WAITV_LIMIT || at === 0) return -E.INVAL;
  const timed = args.pointer(3) !== 0;
  if (timed && clock !== CLOCK.REALTIME && clock !== CLOCK.MONOTONIC) return -E.INVAL;
  const timeout = timed ? readTimespec(space, args.pointer(3)) : undefined;
  if (typeof timeout === 'number') return timeout;
  const waiters: FutexWaiter[] = [];
  for (let i = 0; i < count; i++) {
    const entry = at + 24 * i;
    const address = Number(space.read64(entry + 8));
    const flags = space.read32(entry + 16) >>> 0;
    if ((flags & ~(FUTEX2.U32 | FUTEX2.PRIVATE)) !== 0 || (flags & 3) !== FUTEX2.U32) return -E.INVAL;
    if (space.read32(entry + 20) !== 0 || address % 4 !== 0) return -E.INVAL;
    const key = futexKey(space, address, (flags & FUTEX2.PRIVATE) === 0);
    if (BigInt(space.read32(address) >>> 0) !== space.read64(entry)) return -E.AGAIN;
    waiters.push(new FutexWaiter(task, key, ALL_BITS));
  }
  for (const waiter of waiters) kernel.futexes.add(waiter);
  task.restart = timeout === undefined ? {} : { deadline: absoluteToNow(kernel, clock, timeout) };
  return 0;
}

export const futexRows: readonly SyscallRow[] = [
  row(
    'futex',
    futex,
    'partial',
    'requeueing to a lock with priority inheritance answers ENOSYS and is a cut',
  ),
  row('futex_waitv', futexWaitv),
];
