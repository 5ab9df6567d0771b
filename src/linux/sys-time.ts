// Clocks and sleeping.
import { CAP, capBit } from './abi-process.ts';
import { refused, row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import {
  absoluteToNow,
  CLOCK,
  readClock,
  readTimespec,
  realtime,
  SECOND,
  writeTimespec,
  writeTimeval,
} from './time.ts';
import { block, type SysResult } from './wait.ts';

/** Sleeps until the deadline in task.restart; tells what is left when a signal ends it. */
function sleep(kernel: Kernel, task: Task, remaining: number): SysResult {
  const deadline = task.restart?.['deadline'] as bigint;
  if (kernel.now >= deadline) return 0;
  if (task.signalled && remaining !== 0) writeTimespec(task.process.space, remaining, deadline - kernel.now);
  return block([], 'time', { deadline, restart: 'restart-nohand' });
}

function nanosleep(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const time = readTimespec(task.process.space, args.pointer(0));
  if (typeof time === 'number') return time;
  task.restart ??= { deadline: kernel.now + time };
  return sleep(kernel, task, args.pointer(1));
}

const TIMER_ABSTIME = 1;

function clockNanosleep(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const clock = args.int(0);
  const absolute = (args.int(1) & TIMER_ABSTIME) !== 0;
  if (clock === CLOCK.THREAD_CPUTIME || readClock(kernel, task, clock) === undefined) return -E.INVAL;
  if (
    clock === CLOCK.MONOTONIC_RAW ||
    clock === CLOCK.REALTIME_COARSE ||
    clock === CLOCK.MONOTONIC_COARSE ||
    clock === CLOCK.PROCESS_CPUTIME ||
    clock < 0
  )
    return -E.OPNOTSUPP;
  const time = readTimespec(task.process.space, args.pointer(2));
  if (typeof time === 'number') return time;
  task.restart ??= { deadline: absolute ? absoluteToNow(kernel, clock, time) : kernel.now + time };
  return sleep(kernel, task, absolute ? 0 : args.pointer(3));
}

function clockGettime(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const time = readClock(kernel, task, args.int(0));
  if (time === undefined) return -E.INVAL;
  writeTimespec(task.process.space, args.pointer(1), time);
  return 0;
}

function clockGetres(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const clock = args.int(0);
  if (readClock(kernel, task, clock) === undefined) return -E.INVAL;
  const coarse = clock === CLOCK.REALTIME_COARSE || clock === CLOCK.MONOTONIC_COARSE;
  if (args.pointer(1) !== 0) writeTimespec(task.process.space, args.pointer(1), coarse ? 4_000_000n : 1n);
  return 0;
}

function gettimeofday(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space } = task.process;
  if (args.pointer(0) !== 0) writeTimeval(space, args.pointer(0), realtime(kernel));
  if (args.pointer(1) !== 0) space.write64(args.pointer(1), 0n);
  return 0;
}

function time(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const seconds = realtime(kernel) / SECOND;
  if (args.pointer(0) !== 0) task.process.space.write64(args.pointer(0), seconds);
  return seconds;
}

/** Setting the time needs CAP_SYS_TIME, which a container does not have. */
function setTime(kernel: Kernel, task: Task): SysResult {
  kernel.effect(task, { op: 'SETTIME', resource: { kind: 'none' }, access: '' }, -E.PERM);
  return -E.PERM;
}

/** struct timex, 208 bytes; only reading (modes 0) is allowed. The answer TIME_OK is 0. */
function adjtimex(kernel: Kernel, task: Task, address: number): SysResult {
  const { space } = task.process;
  const modes = space.read32(address);
  if (modes !== 0 && (task.process.credentials.effective & capBit(CAP.SYS_TIME)) === 0n)
    return setTime(kernel, task);
  const bytes = new Uint8Array(208);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(64, 10_000n, true); // tick
  view.setBigInt64(72, realtime(kernel) / SECOND, true);
  view.setBigInt64(80, (realtime(kernel) % SECOND) / 1000n, true);
  space.write(address, bytes);
  return 0;
}

export const timeRows: readonly SyscallRow[] = [
  row('nanosleep', nanosleep),
  row('clock_nanosleep', clockNanosleep, 'partial', 'processor-time clocks answer EOPNOTSUPP'),
  row('clock_gettime', clockGettime, 'full', 'virtual time'),
  row('clock_getres', clockGetres),
  row('gettimeofday', gettimeofday, 'full', 'virtual time'),
  row('time', time, 'full', 'virtual time'),
  row('clock_settime', setTime, 'refused', 'needs CAP_SYS_TIME'),
  row('settimeofday', setTime, 'refused', 'needs CAP_SYS_TIME'),
  row('adjtimex', (kernel, task, args) => adjtimex(kernel, task, args.pointer(0)), 'partial', 'reading only'),
  row(
    'clock_adjtime',
    (kernel, task, args) => adjtimex(kernel, task, args.pointer(1)),
    'partial',
    'reading only',
  ),
  refused('acct', E.PERM, 'needs CAP_SYS_PACCT'),
];
