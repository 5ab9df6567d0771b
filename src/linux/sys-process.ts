// clone, clone3, fork, vfork, execve, execveat, exit, exit_group, and the thread's bookkeeping calls.
import { decodeText } from '../bytes/index.ts';
import { type AddressSpace, MemoryFault } from '../machine/index.ts';
import { CAP, CLONE, capBit, exitedStatus, RLIMIT } from './abi-process.ts';
import { SIG } from './abi-signal.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { execve } from './loader.ts';
import { openPidfd } from './pidfd.ts';
import { type CloneRequest, cloneTask, copyDescriptors } from './process.ts';
import { exitProcess, exitTask } from './process-exit.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { block, type SysResult, WaitQueue } from './wait.ts';

/** Tasks of one container at most, so that a fork bomb ends in an error as under a pids limit. */
const TASK_LIMIT = 4096;
const NAMESPACES =
  CLONE.NEWNS + CLONE.NEWCGROUP + CLONE.NEWUTS + CLONE.NEWIPC + CLONE.NEWUSER + CLONE.NEWPID + CLONE.NEWNET;

interface Clone extends CloneRequest {
  readonly parentTid: number;
  readonly childTid: number;
  /** Where CLONE_PIDFD stores the descriptor. */
  readonly pidfd: number;
}

const has = (flags: number, flag: number): boolean => Math.floor(flags / flag) % 2 === 1;

/** Whether any bit of a set below 2^32 is in the flags. */
const hasAny = (flags: number, set: number): boolean => ((flags % 2 ** 32) & set) !== 0;

function checkFlags(task: Task, flags: number, pidfd: boolean): number {
  if (has(flags, CLONE.THREAD) && !has(flags, CLONE.SIGHAND)) return -E.INVAL;
  if (has(flags, CLONE.SIGHAND) && !has(flags, CLONE.VM)) return -E.INVAL;
  if (has(flags, CLONE.SIGHAND) && has(flags, CLONE.CLEAR_SIGHAND)) return -E.INVAL;
  if (has(flags, CLONE.FS) && (has(flags, CLONE.NEWNS) || has(flags, CLONE.NEWUSER))) return -E.INVAL;
  if (has(flags, CLONE.PARENT) && task.process.pid === 1) return -E.INVAL;
  if (pidfd && has(flags, CLONE.DETACHED)) return -E.INVAL;
  // A container has no right to make namespaces: no CAP_SYS_ADMIN, and user namespaces are filtered.
  if (hasAny(flags, NAMESPACES)) return -E.PERM;
  return 0;
}

function overLimit(kernel: Kernel, task: Task): boolean {
  if (kernel.tasks.size >= TASK_LIMIT) {
    kernel.cutHere(task, {
      kind: 'budget',
      what: `${TASK_LIMIT} tasks`,
      consequence: 'clone answered EAGAIN',
    });
    return true;
  }
  const { credentials, rlimits } = task.process;
  if (
    credentials.uid === 0 ||
    (credentials.effective & (capBit(CAP.SYS_RESOURCE) | capBit(CAP.SYS_ADMIN))) !== 0n
  )
    return false;
  let count = 0n;
  for (const other of kernel.tasks.values()) if (other.process.credentials.uid === credentials.uid) count++;
  return count >= rlimits[RLIMIT.NPROC][0];
}

/** The common path. While a vfork child lives in our memory this handler runs again until it lets go. */
function doClone(kernel: Kernel, task: Task, request: Clone): SysResult {
  if (task.restart !== undefined) return waitForVfork(kernel, Number(task.restart['child']));
  const { flags } = request;
  const what = has(flags, CLONE.THREAD) ? 'thread' : 'process';
  const answer = (result: number): number => {
    kernel.effect(task, { op: 'CLONE', resource: { kind: 'task', what }, access: '' }, result);
    return result;
  };
  const wrong = checkFlags(task, flags, has(flags, CLONE.PIDFD));
  if (wrong !== 0) return answer(wrong);
  if (overLimit(kernel, task)) return answer(-E.AGAIN);
  const child = cloneTask(kernel, task, request);
  const { space } = task.process;
  if (has(flags, CLONE.PARENT_SETTID)) tryWrite32(space, request.parentTid, child.tid);
  if (has(flags, CLONE.CHILD_SETTID)) tryWrite32(child.process.space, request.childTid, child.tid);
  if (has(flags, CLONE.CHILD_CLEARTID)) child.clearChildTid = request.childTid;
  if (has(flags, CLONE.PIDFD)) {
    const fd = openPidfd(kernel, task, child.process, 0);
    if (fd >= 0) tryWrite32(space, request.pidfd, fd);
  }
  answer(child.tid);
  if (!has(flags, CLONE.VFORK)) return child.tid;
  child.vforkQueue = new WaitQueue();
  task.restart = { child: child.tid };
  return waitForVfork(kernel, child.tid);
}

function waitForVfork(kernel: Kernel, tid: number): SysResult {
  const queue = kernel.tasks.get(tid)?.vforkQueue;
  if (queue === undefined) return tid;
  return block([queue], `vfork child ${tid}`, { interruptible: false });
}

function tryWrite32(space: AddressSpace, address: number, value: number): void {
  try {
    space.write32(address, value);
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
  }
}

function clone(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const raw = args.uint(0);
  const flags = raw - (raw % 256);
  const pidfd = has(flags, CLONE.PIDFD);
  if (pidfd && has(flags, CLONE.PARENT_SETTID)) return -E.INVAL;
  return doClone(kernel, task, {
    flags,
    exitSignal: raw % 256,
    stack: args.pointer(1),
    parentTid: args.pointer(2),
    childTid: args.pointer(3),
    tls: args.raw[4],
    tid: 0,
    pidfd: args.pointer(2),
  });
}

const FORK = {
  stack: 0,
  tls: 0n,
  tid: 0,
  parentTid: 0,
  childTid: 0,
  pidfd: 0,
  exitSignal: SIG.CHLD,
} as const;

const fork = (kernel: Kernel, task: Task): SysResult => doClone(kernel, task, { ...FORK, flags: 0 });
const vfork = (kernel: Kernel, task: Task): SysResult =>
  doClone(kernel, task, { ...FORK, flags: CLONE.VFORK + CLONE.VM });

/** struct clone_args: flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup, u64 each. */
function clone3(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space } = task.process;
  const at = args.pointer(0);
  const size = args.size(1);
  if (size < 64) return -E.INVAL;
  if (size > 4096) return -E['2BIG'];
  const field = (i: number): bigint => (8 * i + 8 <= size ? space.read64(at + 8 * i) : 0n);
  for (let i = 11; 8 * i + 8 <= size; i++) if (field(i) !== 0n) return -E['2BIG'];
  const flags = Number(field(0));
  const stack = Number(field(5));
  const stackSize = Number(field(6));
  const exitSignal = Number(field(4));
  if (field(0) > 0x7ffffffffn || (flags % 256 !== 0 && !has(flags, CLONE.NEWTIME))) return -E.INVAL;
  if (has(flags, CLONE.NEWTIME)) return -E.PERM;
  if (has(flags, CLONE.DETACHED) || exitSignal > 64 || (stack === 0) !== (stackSize === 0)) return -E.INVAL;
  if ((has(flags, CLONE.THREAD) || has(flags, CLONE.PARENT)) && exitSignal !== 0) return -E.INVAL;
  if (has(flags, CLONE.INTO_CGROUP)) return -E.OPNOTSUPP;
  if (field(9) > 1n || (field(9) === 1n && field(8) === 0n)) return -E.INVAL;
  if (field(9) === 1n) return -E.PERM; // set_tid needs CAP_CHECKPOINT_RESTORE
  return doClone(kernel, task, {
    flags,
    exitSignal,
    stack: stack + stackSize,
    parentTid: Number(field(3)),
    childTid: Number(field(2)),
    tls: field(7),
    tid: 0,
    pidfd: Number(field(1)),
  });
}

/** Texts of a NULL-terminated array of pointers; a negative errno where there are too many or one is too long. */
export function stringsAt(space: AddressSpace, address: number): string[] | number {
  const out: string[] = [];
  if (address === 0) return out;
  let total = 0;
  for (let i = 0; ; i++) {
    const pointer = Number(space.read64(address + 8 * i));
    if (pointer === 0) return out;
    const bytes = space.readCString(pointer, 131072);
    if (bytes === undefined) return -E['2BIG'];
    total += bytes.length + 9;
    if (total > 6 << 20) return -E['2BIG'];
    out.push(decodeText(bytes));
  }
}

interface ExecArgs {
  readonly dirfd: number;
  readonly path: number;
  readonly argv: number;
  readonly envp: number;
  readonly flags: number;
}

function exec(kernel: Kernel, task: Task, at: ExecArgs): SysResult {
  const { space } = task.process;
  const path = space.readCString(at.path, 4096);
  if (path === undefined) return -E.NAMETOOLONG;
  const argv = stringsAt(space, at.argv);
  if (typeof argv === 'number') return argv;
  const envp = stringsAt(space, at.envp);
  if (typeof envp === 'number') return envp;
  const emptyPath = (at.flags & 0x1000) !== 0;
  return execve(kernel, task, {
    dirfd: at.dirfd,
    path: decodeText(path),
    argv,
    envp,
    emptyPath,
    noFollow: (at.flags & 0x100) !== 0,
  });
}

const execveCall = (kernel: Kernel, task: Task, args: SysArgs): SysResult =>
  exec(kernel, task, {
    dirfd: -100,
    path: args.pointer(0),
    argv: args.pointer(1),
    envp: args.pointer(2),
    flags: 0,
  });

function execveat(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const flags = args.int(4);
  if ((flags & ~0x1100) !== 0) return -E.INVAL;
  return exec(kernel, task, {
    dirfd: args.int(0),
    path: args.pointer(1),
    argv: args.pointer(2),
    envp: args.pointer(3),
    flags,
  });
}

function exit(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  exitTask(kernel, task, exitedStatus(args.int(0)));
  return 'none';
}

function exitGroup(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  exitProcess(kernel, task.process, exitedStatus(args.int(0)));
  return 'none';
}

function setTidAddress(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  task.clearChildTid = args.pointer(0);
  return task.tid;
}

function setRobustList(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if (args.size(1) !== 24) return -E.INVAL;
  task.robustList = args.pointer(0);
  return 0;
}

function getRobustList(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const wanted = args.int(0) === 0 ? task : kernel.tasks.get(args.int(0));
  if (wanted === undefined) return -E.SRCH;
  task.process.space.write64(args.pointer(2), 24n);
  task.process.space.write64(args.pointer(1), BigInt(wanted.robustList));
  return 0;
}

const UNSHARABLE = CLONE.FS | CLONE.FILES | CLONE.SYSVSEM | CLONE.SIGHAND | CLONE.VM | CLONE.THREAD;

/** Descriptors and directories become the caller's own; namespaces are refused. */
function unshare(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const flags = args.uint(0);
  const { process } = task;
  const known = (flags & ~(UNSHARABLE | NAMESPACES | CLONE.NEWTIME)) === 0;
  const shared = process.tasks.size > 1 && hasAny(flags, CLONE.THREAD | CLONE.SIGHAND | CLONE.VM);
  const result = !known || shared ? -E.INVAL : hasAny(flags, NAMESPACES | CLONE.NEWTIME) ? -E.PERM : 0;
  kernel.effect(
    task,
    { op: 'UNSHARE', resource: { kind: 'id', value: `0x${flags.toString(16)}` }, access: '' },
    result,
  );
  if (result !== 0) return result;
  if (hasAny(flags, CLONE.FILES) && process.files.references > 1) {
    process.files.references--;
    process.files = copyDescriptors(process.files);
  }
  if (hasAny(flags, CLONE.FS) && process.fs.references > 1) {
    process.fs.references--;
    process.fs = { ...process.fs, references: 1 };
  }
  return 0;
}

export const processRows: readonly SyscallRow[] = [
  row('clone', clone, 'partial', 'namespaces are refused with EPERM as in a container'),
  row('clone3', clone3, 'partial', 'namespaces, set_tid and cgroups are refused'),
  row('fork', fork),
  row('vfork', vfork),
  row('execve', execveCall, 'partial', 'ELF for x86-64 and #! only'),
  row('execveat', execveat, 'partial', 'as execve'),
  row('unshare', unshare, 'partial', 'namespaces are refused with EPERM as in a container'),
  row('exit', exit),
  row('exit_group', exitGroup),
  row('set_tid_address', setTidAddress),
  row('set_robust_list', setRobustList),
  row('get_robust_list', getRobustList),
];
