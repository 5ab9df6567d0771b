// Resource limits and usage.
import { CAP, capBit, RLIM_INFINITY, RLIMIT, RLIMIT_COUNT, USER_HZ } from './abi-process.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { taskOf } from './process.ts';
import { residentSize, writeRusage } from './rusage.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Process, Task } from './task.ts';
import { monotonic, SECOND } from './time.ts';
import type { SysResult } from './wait.ts';

const NR_OPEN = 1048576n;

function setLimit(task: Task, process: Process, resource: number, limit: readonly [bigint, bigint]): number {
  const [soft, hard] = limit;
  const old = process.rlimits[resource];
  if (soft > hard) return -E.INVAL;
  if (resource === RLIMIT.NOFILE && hard > NR_OPEN) return -E.PERM;
  if (hard > old[1] && (task.process.credentials.effective & capBit(CAP.SYS_RESOURCE)) === 0n) return -E.PERM;
  process.rlimits[resource] = [soft, hard];
  return 0;
}

function readLimit(task: Task, address: number): readonly [bigint, bigint] {
  return [task.process.space.read64(address), task.process.space.read64(address + 8)];
}

function writeLimit(task: Task, address: number, [soft, hard]: readonly [bigint, bigint]): void {
  task.process.space.write64(address, soft);
  task.process.space.write64(address + 8, hard);
}

function getrlimit(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if (args.uint(0) >= RLIMIT_COUNT) return -E.INVAL;
  writeLimit(task, args.pointer(1), task.process.rlimits[args.uint(0)]);
  return 0;
}

function setrlimit(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if (args.uint(0) >= RLIMIT_COUNT) return -E.INVAL;
  return setLimit(task, task.process, args.uint(0), readLimit(task, args.pointer(1)));
}

function prlimit64(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const pid = args.int(0);
  const resource = args.uint(1);
  if (resource >= RLIMIT_COUNT) return -E.INVAL;
  const process = taskOf(kernel, task, pid)?.process;
  if (process === undefined) return -E.SRCH;
  const own = task.process.credentials;
  const other = process.credentials;
  const alike =
    [other.uid, other.euid, other.suid].every((id) => id === own.uid) &&
    [other.gid, other.egid, other.sgid].every((id) => id === own.gid);
  if (process !== task.process && !alike && (own.effective & capBit(CAP.SYS_RESOURCE)) === 0n) return -E.PERM;
  const old = process.rlimits[resource];
  if (args.pointer(2) !== 0) {
    const result = setLimit(task, process, resource, readLimit(task, args.pointer(2)));
    if (result !== 0) return result;
  }
  if (args.pointer(3) !== 0) writeLimit(task, args.pointer(3), old);
  return 0;
}

function getrusage(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const who = args.int(0);
  if (who < -1 || who > 1) return -E.INVAL;
  const { process } = task;
  writeRusage(
    process.space,
    args.pointer(1),
    who === 0 ? process.cpuTime : who === 1 ? task.cpuTime : process.childCpuTime,
    who === -1 ? 0 : residentSize(process.space),
  );
  return 0;
}

function times(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const ticks = (ns: bigint): bigint => ns / (SECOND / BigInt(USER_HZ));
  const { process } = task;
  if (args.pointer(0) !== 0) {
    [ticks(process.cpuTime), 0n, ticks(process.childCpuTime), 0n].forEach((value, i) => {
      process.space.write64(args.pointer(0) + 8 * i, value);
    });
  }
  return ticks(monotonic(kernel));
}

/** What a container gets when its runtime sets nothing. */
export function defaultLimits(): [bigint, bigint][] {
  const limits: [bigint, bigint][] = Array.from({ length: RLIMIT_COUNT }, () => [
    RLIM_INFINITY,
    RLIM_INFINITY,
  ]);
  limits[RLIMIT.STACK] = [8n << 20n, RLIM_INFINITY];
  limits[RLIMIT.NOFILE] = [1024n, 524288n];
  limits[RLIMIT.MEMLOCK] = [8n << 20n, 8n << 20n];
  limits[RLIMIT.SIGPENDING] = [62_000n, 62_000n];
  limits[RLIMIT.MSGQUEUE] = [819_200n, 819_200n];
  limits[RLIMIT.NICE] = [0n, 0n];
  limits[RLIMIT.RTPRIO] = [0n, 0n];
  return limits;
}

export const limitRows: readonly SyscallRow[] = [
  row('getrlimit', getrlimit),
  row('setrlimit', setrlimit),
  row('prlimit64', prlimit64),
  row('getrusage', getrusage, 'partial', 'processor time, all of it as user time, and mapped memory'),
  row('times', times, 'partial', 'all processor time counts as user time'),
];
