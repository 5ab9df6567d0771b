// Process ids, groups, sessions, priorities and scheduling parameters.
import { CAP, capBit, RLIMIT } from './abi-process.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { groupMembers, taskOf } from './process.ts';
import type { SysArgs, SyscallHandler, SyscallRow } from './syscall.ts';
import type { Process, Task } from './task.ts';
import { writeTimespec } from './time.ts';
import type { SysResult } from './wait.ts';

const simple =
  (value: (task: Task) => number): SyscallHandler =>
  (_kernel, task) =>
    value(task);

/** The process that a pid argument means: 0 is the caller. */
const target = (kernel: Kernel, task: Task, pid: number): Process | undefined =>
  pid === 0 ? task.process : kernel.processes.get(pid);

function getpgid(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  return target(kernel, task, args.int(0))?.pgid ?? -E.SRCH;
}

function getsid(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  return target(kernel, task, args.int(0))?.sid ?? -E.SRCH;
}

function setpgid(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const process = target(kernel, task, args.int(0));
  const pgid = args.int(1) === 0 ? (process?.pid ?? 0) : args.int(1);
  if (args.int(1) < 0) return -E.INVAL;
  if (process === undefined) return -E.SRCH;
  if (process !== task.process) {
    if (process.parent !== task.process) return -E.SRCH;
    if (process.sid !== task.process.sid) return -E.PERM;
    if (process.execed) return -E.ACCES;
  }
  if (process.sid === process.pid) return -E.PERM;
  if (pgid !== process.pid && !groupMembers(kernel, pgid).some((member) => member.sid === task.process.sid))
    return -E.PERM;
  process.pgid = pgid;
  return 0;
}

function setsid(kernel: Kernel, { process }: Task): SysResult {
  if (process.sid === process.pid || groupMembers(kernel, process.pid).length > 0) return -E.PERM;
  process.sid = process.pid;
  process.pgid = process.pid;
  return process.pid;
}

/** Processes that getpriority and setpriority mean: 0 process, 1 group, 2 user. */
function prioritized(kernel: Kernel, task: Task, which: number, who: number): Process[] | number {
  const all = [...kernel.processes.values()];
  switch (which) {
    case 0: {
      const owner = taskOf(kernel, task, who);
      return owner === undefined ? [] : [owner.process];
    }
    case 1:
      return all.filter((process) => process.pgid === (who === 0 ? task.process.pgid : who));
    case 2:
      return all.filter(
        (process) => process.credentials.uid === (who === 0 ? task.process.credentials.uid : who),
      );
    default:
      return -E.INVAL;
  }
}

function getpriority(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const processes = prioritized(kernel, task, args.int(0), args.int(1));
  if (typeof processes === 'number') return processes;
  return processes.length === 0 ? -E.SRCH : 20 - Math.min(...processes.map((process) => process.nice));
}

const mayNice = (task: Task): boolean => (task.process.credentials.effective & capBit(CAP.SYS_NICE)) !== 0n;

function setpriority(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const processes = prioritized(kernel, task, args.int(0), args.int(1));
  if (typeof processes === 'number') return processes;
  if (processes.length === 0) return -E.SRCH;
  const nice = Math.max(-20, Math.min(19, args.int(2)));
  // Each for itself: some may change though others may not.
  let result = 0;
  for (const process of processes) {
    if (!owns(task, process) && !mayNice(task)) result = -E.PERM;
    else if (!mayHave(task, process, nice)) result = -E.ACCES;
    else process.nice = nice;
  }
  return result;
}

/** Whether the caller is of the user of the other. */
const owns = ({ process: { credentials } }: Task, other: Process): boolean =>
  credentials.euid === other.credentials.uid || credentials.euid === other.credentials.euid;

/** Less niceness needs a right to it. */
const mayHave = (task: Task, process: Process, nice: number): boolean =>
  nice >= process.nice || mayNice(task) || BigInt(20 - nice) <= process.rlimits[RLIMIT.NICE][0];

/** SCHED_OTHER 0, FIFO 1, RR 2, BATCH 3, IDLE 5. */
const isRealtimePolicy = (policy: number): boolean => policy === 1 || policy === 2;
const RESET_ON_FORK = 0x40000000;
const IDLE = 5;

function setScheduler(task: Task, wanted: Task, policy: number, priority: number): number {
  const kind = policy & ~RESET_ON_FORK;
  if (![0, 1, 2, 3, 5].includes(kind)) return -E.INVAL;
  if (isRealtimePolicy(kind) ? priority < 1 || priority > 99 : priority !== 0) return -E.INVAL;
  if (!mayNice(task)) {
    if (isRealtimePolicy(kind) || !owns(task, wanted.process)) return -E.PERM;
    const leavesIdle = wanted.policy === IDLE && kind !== IDLE;
    if (leavesIdle && BigInt(20 - wanted.process.nice) > wanted.process.rlimits[RLIMIT.NICE][0])
      return -E.PERM;
  }
  wanted.policy = kind;
  wanted.priority = priority;
  return 0;
}

function schedSetscheduler(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const wanted = taskOf(kernel, task, args.int(0));
  if (args.pointer(2) === 0 || args.int(1) < 0 || args.int(0) < 0) return -E.INVAL;
  if (wanted === undefined) return -E.SRCH;
  return setScheduler(task, wanted, args.int(1), task.process.space.read32(args.pointer(2)) | 0);
}

function schedSetparam(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const wanted = taskOf(kernel, task, args.int(0));
  if (args.pointer(1) === 0 || args.int(0) < 0) return -E.INVAL;
  if (wanted === undefined) return -E.SRCH;
  return setScheduler(task, wanted, wanted.policy, task.process.space.read32(args.pointer(1)) | 0);
}

function schedGetparam(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const wanted = taskOf(kernel, task, args.int(0));
  if (args.pointer(1) === 0 || args.int(0) < 0) return -E.INVAL;
  if (wanted === undefined) return -E.SRCH;
  task.process.space.write32(args.pointer(1), wanted.priority);
  return 0;
}

function schedGetscheduler(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if (args.int(0) < 0) return -E.INVAL;
  return taskOf(kernel, task, args.int(0))?.policy ?? -E.SRCH;
}

const priorityBound =
  (realtime: number): SyscallHandler =>
  (_kernel, _task, args) => {
    const policy = args.int(0);
    if (isRealtimePolicy(policy)) return realtime;
    return policy === 0 || policy === 3 || policy === 5 || policy === 6 ? 0 : -E.INVAL;
  };

function schedRrGetInterval(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const wanted = taskOf(kernel, task, args.int(0));
  if (args.int(0) < 0) return -E.INVAL;
  if (wanted === undefined) return -E.SRCH;
  writeTimespec(task.process.space, args.pointer(1), wanted.policy === 2 ? 100_000_000n : 3_000_000n);
  return 0;
}

function schedGetaffinity(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const size = args.size(1);
  if (size < 8 || size % 8 !== 0) return -E.INVAL;
  const wanted = taskOf(kernel, task, args.int(0));
  if (wanted === undefined) return -E.SRCH;
  task.process.space.write64(args.pointer(2), wanted.affinity);
  return 8;
}

function schedSetaffinity(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const wanted = taskOf(kernel, task, args.int(0));
  if (wanted === undefined) return -E.SRCH;
  let mask = 0n;
  for (let i = 0; i < Math.min(8, args.size(1)); i++)
    mask |= BigInt(task.process.space.read8(args.pointer(2) + i)) << BigInt(8 * i);
  mask &= allCpus(kernel);
  if (mask === 0n) return -E.INVAL;
  wanted.affinity = mask;
  return 0;
}

/** Mask of the processors that there are (at most 64 here). */
export const allCpus = (kernel: Kernel): bigint => (1n << BigInt(Math.min(64, kernel.environment.cpus))) - 1n;

/** struct sched_attr: size policy flags(u64) nice priority runtime deadline period util_min util_max. */
function schedGetattr(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const wanted = taskOf(kernel, task, args.int(0));
  const size = args.uint(2);
  if (args.pointer(1) === 0 || args.int(0) < 0 || size < 48 || size > 4096 || args.uint(3) !== 0)
    return -E.INVAL;
  if (wanted === undefined) return -E.SRCH;
  const bytes = new Uint8Array(Math.min(size, 56));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint32(4, wanted.policy, true);
  view.setInt32(16, isRealtimePolicy(wanted.policy) ? 0 : wanted.process.nice, true);
  view.setUint32(20, wanted.priority, true);
  task.process.space.write(args.pointer(1), bytes);
  return 0;
}

function schedSetattr(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const wanted = taskOf(kernel, task, args.int(0));
  const at = args.pointer(1);
  if (at === 0 || args.int(0) < 0 || args.uint(2) !== 0) return -E.INVAL;
  if (wanted === undefined) return -E.SRCH;
  const { space } = task.process;
  const size = space.read32(at);
  if (size !== 0 && size < 48) return -E['2BIG'];
  const policy = space.read32(at + 4);
  const result = setScheduler(task, wanted, policy, space.read32(at + 20));
  if (result === 0 && !isRealtimePolicy(policy))
    wanted.process.nice = Math.max(-20, Math.min(19, space.read32(at + 16) | 0));
  return result;
}

function schedYield(_kernel: Kernel, task: Task): SysResult {
  task.yielded = true;
  return 0;
}

function ioprioGet(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if (args.int(0) < 1 || args.int(0) > 3) return -E.INVAL;
  if (args.int(0) !== 1) return task.ioPriority;
  return taskOf(kernel, task, args.int(1))?.ioPriority ?? -E.SRCH;
}

function ioprioSet(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const value = args.int(2) & 0xffff;
  const kind = value >> 13;
  if (kind === 1 && !mayNice(task)) return -E.PERM;
  if (args.int(0) < 1 || args.int(0) > 3 || kind > 3 || (kind === 0 && (value & 0x1fff) !== 0))
    return -E.INVAL;
  const wanted = args.int(0) === 1 ? taskOf(kernel, task, args.int(1)) : task;
  if (wanted === undefined) return -E.SRCH;
  wanted.ioPriority = value;
  return 0;
}

export const idRows: readonly SyscallRow[] = [
  row(
    'getpid',
    simple((task) => task.process.pid),
  ),
  row(
    'gettid',
    simple((task) => task.tid),
  ),
  row(
    'getppid',
    simple((task) => task.process.parent?.pid ?? 0),
  ),
  row(
    'getpgrp',
    simple((task) => task.process.pgid),
  ),
  row('getpgid', getpgid),
  row('setpgid', setpgid),
  row('getsid', getsid),
  row('setsid', setsid),
  row('getpriority', getpriority),
  row('setpriority', setpriority),
  row('sched_setparam', schedSetparam, 'partial', 'recorded; scheduling is round robin'),
  row('sched_getparam', schedGetparam),
  row('sched_setscheduler', schedSetscheduler, 'partial', 'recorded; scheduling is round robin'),
  row('sched_getscheduler', schedGetscheduler),
  row('sched_get_priority_max', priorityBound(99)),
  row('sched_get_priority_min', priorityBound(1)),
  row('sched_rr_get_interval', schedRrGetInterval),
  row(
    'sched_setaffinity',
    schedSetaffinity,
    'partial',
    'recorded; there is one processor that all tasks share',
  ),
  row('sched_getaffinity', schedGetaffinity),
  row('sched_setattr', schedSetattr, 'partial', 'recorded; scheduling is round robin'),
  row('sched_getattr', schedGetattr),
  row('sched_yield', schedYield),
  row('ioprio_get', ioprioGet),
  row('ioprio_set', ioprioSet, 'partial', 'recorded'),
];
