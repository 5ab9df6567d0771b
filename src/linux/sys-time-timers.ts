// alarm, interval timers, timer_create. They fire from timers.ts.
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { PosixTimer, Task, Timer } from './task.ts';
import {
  absoluteToNow,
  CLOCK,
  readClock,
  readTimespec,
  readTimeval,
  SECOND,
  writeTimespec,
  writeTimeval,
} from './time.ts';
import { posixNow } from './timers.ts';
import type { SysResult } from './wait.ts';

interface Interval {
  readonly timer: Timer;
  /** What its clock reads now. */
  readonly now: bigint;
}

/** ITIMER_REAL 0, ITIMER_VIRTUAL 1, ITIMER_PROF 2. */
function intervalTimer(kernel: Kernel, task: Task, which: number): Interval | undefined {
  const { timers, cpuTime } = task.process;
  if (which === 0) return { timer: timers.real, now: kernel.now };
  if (which === 1) return { timer: timers.virtual, now: cpuTime };
  return which === 2 ? { timer: timers.prof, now: cpuTime } : undefined;
}

const left = ({ timer, now }: Interval): bigint =>
  timer.expires === undefined ? 0n : timer.expires > now ? timer.expires - now : 1000n;

/** struct itimerval: interval, value. */
function writeInterval(task: Task, address: number, interval: Interval): void {
  writeTimeval(task.process.space, address, interval.timer.interval);
  writeTimeval(task.process.space, address + 16, left(interval));
}

function getitimer(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const interval = intervalTimer(kernel, task, args.int(0));
  if (interval === undefined) return -E.INVAL;
  writeInterval(task, args.pointer(1), interval);
  return 0;
}

function setitimer(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space } = task.process;
  const interval = intervalTimer(kernel, task, args.int(0));
  if (interval === undefined) return -E.INVAL;
  const at = args.pointer(1);
  const period = at === 0 ? 0n : readTimeval(space, at);
  const value = at === 0 ? 0n : readTimeval(space, at + 16);
  if (typeof period === 'number') return period;
  if (typeof value === 'number') return value;
  if (args.pointer(2) !== 0) writeInterval(task, args.pointer(2), interval);
  arm(interval, value, period);
  return 0;
}

function arm({ timer, now }: Interval, value: bigint, period: bigint): void {
  timer.expires = value === 0n ? undefined : now + value;
  timer.interval = value === 0n ? 0n : period;
}

function alarm(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const interval: Interval = { timer: task.process.timers.real, now: kernel.now };
  const old = left(interval);
  arm(interval, BigInt(args.uint(0)) * SECOND, 0n);
  // Rounded to seconds, but never to 0 while the alarm is armed.
  const seconds = (old + SECOND / 2n) / SECOND;
  return seconds === 0n && old > 0n ? 1 : seconds;
}

/** struct sigevent: value u64, signo i32, notify i32, thread id i32. */
function timerCreate(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { process } = task;
  const { space } = process;
  const clock = args.int(0);
  if (
    readClock(kernel, task, clock) === undefined ||
    clock === CLOCK.REALTIME_COARSE ||
    clock === CLOCK.MONOTONIC_COARSE
  )
    return -E.INVAL;
  if (clock === CLOCK.MONOTONIC_RAW) return -E.OPNOTSUPP;
  const at = args.pointer(1);
  const id = process.nextTimer++;
  const event =
    at === 0
      ? { value: BigInt(id), signal: 14, notify: 0, tid: 0 }
      : {
          value: space.read64(at),
          signal: space.read32(at + 8) | 0,
          notify: space.read32(at + 12) | 0,
          tid: space.read32(at + 16) | 0,
        };
  const target = event.notify === 4 ? kernel.tasks.get(event.tid) : task;
  const knownNotify = event.notify === 0 || event.notify === 1 || event.notify === 2 || event.notify === 4;
  if (
    !knownNotify ||
    (event.notify !== 1 && (event.signal < 1 || event.signal > 64)) ||
    target?.process !== process
  )
    return -E.INVAL;
  process.posixTimers.set(id, { id, clock, ...event, expires: undefined, interval: 0n, overrun: 0 });
  space.write32(args.pointer(2), id);
  return 0;
}

const timerOf = (task: Task, id: number): PosixTimer | undefined => task.process.posixTimers.get(id);

/** struct itimerspec: interval, value. */
function writePosix(kernel: Kernel, task: Task, address: number, timer: PosixTimer): void {
  const now = posixNow(kernel, task.process, timer);
  writeTimespec(task.process.space, address, timer.interval);
  writeTimespec(
    task.process.space,
    address + 16,
    timer.expires === undefined ? 0n : timer.expires > now ? timer.expires - now : 1n,
  );
}

function timerSettime(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space } = task.process;
  const timer = timerOf(task, args.int(0));
  if (timer === undefined) return -E.INVAL;
  const interval = readTimespec(space, args.pointer(2));
  const value = readTimespec(space, args.pointer(2) + 16);
  if (typeof interval === 'number') return interval;
  if (typeof value === 'number') return value;
  if (args.pointer(3) !== 0) writePosix(kernel, task, args.pointer(3), timer);
  const now = posixNow(kernel, task.process, timer);
  const absolute = (args.int(1) & 1) !== 0;
  const due = now === kernel.now ? absoluteToNow(kernel, timer.clock, value) : value;
  timer.expires = value === 0n ? undefined : absolute ? due : now + value;
  timer.interval = interval;
  timer.overrun = 0;
  return 0;
}

function timerGettime(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const timer = timerOf(task, args.int(0));
  if (timer === undefined) return -E.INVAL;
  writePosix(kernel, task, args.pointer(1), timer);
  return 0;
}

function timerGetoverrun(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  return timerOf(task, args.int(0))?.overrun ?? -E.INVAL;
}

function timerDelete(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  return task.process.posixTimers.delete(args.int(0)) ? 0 : -E.INVAL;
}

export const timerRows: readonly SyscallRow[] = [
  row('alarm', alarm),
  row('getitimer', getitimer),
  row('setitimer', setitimer),
  row('timer_create', timerCreate),
  row('timer_settime', timerSettime),
  row('timer_gettime', timerGettime),
  row('timer_getoverrun', timerGetoverrun),
  row('timer_delete', timerDelete),
];
