// System information, random bytes, registers of the thread, memory barriers, process descriptors.
import { encodeText } from '../bytes/index.ts';
import { ARCH, CAP, capBit } from './abi-process.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { openPidfd, PidFile } from './pidfd.ts';
import { install } from './sys-file-common.ts';
import type { SysArgs, SyscallHandler, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { monotonic, SECOND } from './time.ts';
import type { SysResult } from './wait.ts';

const UTS_FIELD = 65;

/** struct utsname: six fields of 65 bytes. */
function uname(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { environment } = kernel;
  const bytes = new Uint8Array(6 * UTS_FIELD);
  const fields = [
    'Linux',
    environment.hostName,
    environment.kernelRelease,
    '#1 SMP PREEMPT_DYNAMIC',
    'x86_64',
    '(none)',
  ];
  fields.forEach((text, i) => {
    bytes.set(encodeText(text).subarray(0, UTS_FIELD - 1), i * UTS_FIELD);
  });
  task.process.space.write(args.pointer(0), bytes);
  return 0;
}

/** struct sysinfo, 112 bytes. Half of the memory is said to be free. */
function sysinfo(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const bytes = new Uint8Array(112);
  const view = new DataView(bytes.buffer);
  const memory = BigInt(kernel.environment.memory);
  view.setBigUint64(0, monotonic(kernel) / SECOND, true);
  view.setBigUint64(32, memory, true);
  view.setBigUint64(40, memory / 2n, true);
  view.setBigUint64(56, memory / 32n, true);
  view.setUint16(80, Math.min(65535, kernel.tasks.size), true);
  view.setUint32(104, 1, true);
  task.process.space.write(args.pointer(0), bytes);
  return 0;
}

const GRND = 7;
const RANDOM_LIMIT = 33554431;

function getrandom(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const flags = args.uint(2);
  if ((flags & ~GRND) !== 0 || (flags & 6) === 6) return -E.INVAL;
  const length = Math.min(args.size(1), RANDOM_LIMIT);
  task.process.space.write(args.pointer(0), kernel.random(length));
  return length;
}

function archPrctl(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { registers, process } = task;
  const address = args.raw[1];
  switch (args.int(0)) {
    case ARCH.SET_FS:
      if (address >= 0x7fff_ffff_f000n) return -E.PERM;
      registers.fsbase = address;
      return 0;
    case ARCH.SET_GS:
      if (address >= 0x7fff_ffff_f000n) return -E.PERM;
      registers.gsbase = address;
      return 0;
    case ARCH.GET_FS:
      process.space.write64(args.pointer(1), registers.fsbase);
      return 0;
    case ARCH.GET_GS:
      process.space.write64(args.pointer(1), registers.gsbase);
      return 0;
    default:
      return -E.INVAL;
  }
}

const MEMBARRIER = {
  QUERY: 0,
  GLOBAL: 1,
  GLOBAL_EXPEDITED: 2,
  REGISTER_GLOBAL_EXPEDITED: 4,
  PRIVATE_EXPEDITED: 8,
  REGISTER_PRIVATE_EXPEDITED: 16,
  PRIVATE_EXPEDITED_SYNC_CORE: 32,
  REGISTER_PRIVATE_EXPEDITED_SYNC_CORE: 64,
} as const;
const MEMBARRIER_ALL = 127;

/** Tasks run one after the other, so every barrier holds already. */
function membarrier(_kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  const command = args.int(0);
  if (args.uint(1) !== 0) return -E.INVAL;
  if (command === MEMBARRIER.QUERY) return MEMBARRIER_ALL;
  if ((command & (command - 1)) !== 0 || (command & ~MEMBARRIER_ALL) !== 0) return -E.INVAL;
  if (command === MEMBARRIER.PRIVATE_EXPEDITED || command === MEMBARRIER.PRIVATE_EXPEDITED_SYNC_CORE) {
    return (process.membarrier & (command << 1)) === 0 ? -E.PERM : 0;
  }
  process.membarrier |= command;
  return 0;
}

function getcpu(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if (args.pointer(0) !== 0) task.process.space.write32(args.pointer(0), 0);
  if (args.pointer(1) !== 0) task.process.space.write32(args.pointer(1), 0);
  return 0;
}

function personality(_kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  const old = process.personality;
  if (args.uint(0) !== 0xffffffff) process.personality = args.uint(0);
  return old;
}

function pidfdOpen(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const flags = args.uint(1);
  if (args.int(0) <= 0 || (flags & ~0o4000) !== 0) return -E.INVAL;
  const process = kernel.processes.get(args.int(0));
  if (process === undefined) return kernel.tasks.has(args.int(0)) ? -E.INVAL : -E.SRCH;
  return openPidfd(kernel, task, process, flags);
}

/** Needs the rights of ptrace over the other process: the same user, or CAP_SYS_PTRACE. */
function pidfdGetfd(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const pidfd = task.process.files.get(args.int(0));
  if (args.uint(2) !== 0) return -E.INVAL;
  if (!(pidfd instanceof PidFile)) return -E.BADF;
  const { process } = pidfd;
  const own = task.process.credentials;
  if (
    process !== task.process &&
    own.euid !== process.credentials.uid &&
    (own.effective & capBit(CAP.SYS_PTRACE)) === 0n
  )
    return -E.PERM;
  if (process.exitStatus !== undefined) return -E.SRCH;
  const file = process.files.get(args.int(1));
  return file === undefined ? -E.BADF : install(kernel, task, file, true);
}

const kcmp: SyscallHandler = () => -E.PERM;

export const miscRows: readonly SyscallRow[] = [
  row('uname', uname),
  row('sysinfo', sysinfo, 'partial', 'loads are 0, half of the memory is free'),
  row('getrandom', getrandom, 'full', 'deterministic bytes of the environment'),
  row('arch_prctl', archPrctl, 'partial', 'FS and GS bases; CPUID faulting and shadow stacks are refused'),
  row('membarrier', membarrier),
  row('getcpu', getcpu, 'full', 'always processor 0'),
  row('personality', personality, 'partial', 'recorded'),
  row('pidfd_open', pidfdOpen),
  row('pidfd_getfd', pidfdGetfd),
  row('kcmp', kcmp, 'refused', 'needs CAP_SYS_PTRACE in a container'),
  row('rseq', () => -E.NOSYS, 'refused', 'as a kernel without restartable sequences; libraries do without'),
];
