// Signal actions, masks, sending, waiting for signals, alternate stacks.

import { MemoryFault } from '../machine/index.ts';
import { CAP, capBit } from './abi-process.ts';
import {
  bit,
  defaultAction,
  SI,
  SIG,
  SIG_DFL,
  SIG_IGN,
  SIGINFO_SIZE,
  SIGNAL_COUNT,
  SS,
  UNBLOCKABLE,
} from './abi-signal.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { PidFile } from './pidfd.ts';
import { groupMembers, taskOf } from './process.ts';
import {
  dropPending,
  forceSignal,
  pendingSet,
  sendSignal,
  setMask,
  takeSiginfo,
  temporaryMask,
} from './signals.ts';
import { onAltStack, popFrame } from './signals-frame.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Process, Task } from './task.ts';
import { readTimespec } from './time.ts';
import { block, type SysResult } from './wait.ts';

const SET_SIZE = 8;
/** Action flags that the kernel knows; others are dropped, so that programs can ask. */
const KNOWN_FLAGS = 0xdc000807n;

/** struct: handler u64, flags u64, restorer u64, mask u64. */
function rtSigaction(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const signal = args.int(0);
  const { process } = task;
  const { space } = process;
  if (args.size(3) !== SET_SIZE || signal < 1 || signal > SIGNAL_COUNT) return -E.INVAL;
  const at = args.pointer(1);
  if (at !== 0 && (bit(signal) & UNBLOCKABLE) !== 0n) return -E.INVAL;
  const words = at === 0 ? undefined : [0, 8, 16, 24].map((offset) => space.read64(at + offset));
  const action = process.actions[signal - 1];
  if (args.pointer(2) !== 0) {
    [BigInt(action.handler), action.flags, BigInt(action.restorer), action.mask].forEach((value, i) => {
      space.write64(args.pointer(2) + 8 * i, value);
    });
  }
  if (words === undefined) return 0;
  const [handler, flags, restorer, mask] = words;
  Object.assign(action, {
    handler: Number(handler),
    flags: flags & KNOWN_FLAGS,
    restorer: Number(restorer),
    mask: mask & ~UNBLOCKABLE,
  });
  if (action.handler === SIG_IGN || (action.handler === SIG_DFL && defaultAction(signal) === 'ignore'))
    dropPending(process, signal);
  return 0;
}

function rtSigprocmask(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if (args.size(3) !== SET_SIZE) return -E.INVAL;
  const { space } = task.process;
  const old = task.blockedSignals;
  if (args.pointer(1) !== 0) {
    const set = space.read64(args.pointer(1));
    const how = args.int(0);
    if (how < 0 || how > 2) return -E.INVAL;
    setMask(task, how === 0 ? old | set : how === 1 ? old & ~set : set);
  }
  if (args.pointer(2) !== 0) space.write64(args.pointer(2), old);
  return 0;
}

function rtSigpending(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if (args.size(1) > SET_SIZE) return -E.INVAL;
  task.process.space.write64(args.pointer(0), pendingSet(task) & task.blockedSignals);
  return 0;
}

function rtSigsuspend(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if (args.size(1) !== SET_SIZE) return -E.INVAL;
  temporaryMask(task, task.process.space.read64(args.pointer(0)));
  return block([], 'a signal', { restart: 'restart-nohand' });
}

const pause = (): SysResult => block([], 'a signal', { restart: 'restart-nohand' });

function rtSigtimedwait(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space } = task.process;
  if (args.size(3) !== SET_SIZE) return -E.INVAL;
  const set = space.read64(args.pointer(0)) & ~UNBLOCKABLE;
  const timeout = args.pointer(2) === 0 ? undefined : readTimespec(space, args.pointer(2));
  if (typeof timeout === 'number') return timeout;
  const taken = takeSiginfo(task, set);
  if (taken !== undefined) {
    if (args.pointer(1) !== 0) space.write(args.pointer(1), taken.info);
    return taken.signal;
  }
  task.restart ??= timeout === undefined ? {} : { deadline: kernel.now + timeout };
  const deadline = task.restart['deadline'] as bigint | undefined;
  if (deadline !== undefined && kernel.now >= deadline) return -E.AGAIN;
  return block([task.process.signalQueue], 'a signal', { deadline, restart: 'eintr' });
}

function sigreturn(kernel: Kernel, task: Task): SysResult {
  try {
    popFrame(kernel, task);
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
    forceSignal(kernel, task, SIG.SEGV, { code: SI.KERNEL, address: 0 });
  }
  return 'none';
}

/** stack_t: sp u64, flags i32, pad, size u64. */
function sigaltstack(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space } = task.process;
  const sp = Number(task.registers.gpr[4]);
  const old = task.altStack;
  const active = onAltStack(task, sp);
  const at = args.pointer(0);
  const wanted =
    at === 0
      ? undefined
      : { sp: Number(space.read64(at)), flags: space.read32(at + 8), size: Number(space.read64(at + 16)) };
  if (wanted !== undefined) {
    if (active) return -E.PERM;
    const mode = wanted.flags & ~SS.AUTODISARM;
    if (mode !== SS.DISABLE && mode !== SS.ONSTACK && mode !== 0) return -E.INVAL;
    if (mode !== SS.DISABLE && wanted.size < 2048) return -E.NOMEM;
    task.altStack =
      mode === SS.DISABLE
        ? { sp: 0, flags: SS.DISABLE, size: 0 }
        : { sp: wanted.sp, flags: wanted.flags & SS.AUTODISARM, size: wanted.size };
  }
  if (args.pointer(1) !== 0) {
    const out = args.pointer(1);
    space.write64(out, BigInt(old.sp));
    space.write64(
      out + 8,
      BigInt((old.size === 0 ? SS.DISABLE : active ? SS.ONSTACK : 0) | (old.flags & SS.AUTODISARM)) &
        0xffffffffn,
    );
    space.write64(out + 16, BigInt(old.size));
  }
  return 0;
}

function maySignal(task: Task, target: Process, signal: number): boolean {
  const own = task.process.credentials;
  const { uid, suid } = target.credentials;
  if (task.process === target || (own.effective & capBit(CAP.KILL)) !== 0n) return true;
  if ([uid, suid].includes(own.euid) || [uid, suid].includes(own.uid)) return true;
  return signal === SIG.CONT && target.sid === task.process.sid;
}

function killEffect(kernel: Kernel, task: Task, signal: number, result: number): number {
  kernel.effect(
    task,
    { op: 'KILL', resource: { kind: 'task', what: `signal:${signal}` }, access: '' },
    result,
  );
  return result;
}

const validSignal = (signal: number): boolean => signal >= 0 && signal <= SIGNAL_COUNT;

function kill(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const pid = args.int(0);
  const signal = args.int(1);
  if (pid === -0x80000000) return -E.SRCH;
  const targets = killTargets(kernel, task, pid);
  if (!validSignal(signal)) return targets.length === 0 ? -E.SRCH : -E.INVAL;
  const allowed = targets.filter((process) => maySignal(task, process, signal));
  // To all: who may not be signalled is passed over (kill_something_info).
  const refused = allowed.length === 0 && pid !== -1;
  const result = targets.length === 0 ? -E.SRCH : refused ? -E.PERM : 0;
  killEffect(kernel, task, signal, result);
  const info = { code: SI.USER, pid: task.process.pid, uid: task.process.credentials.uid };
  for (const process of allowed) sendSignal(kernel, process, signal, info);
  return result;
}

function killTargets(kernel: Kernel, task: Task, pid: number): Process[] {
  if (pid > 0) {
    const process = kernel.tasks.get(pid)?.process ?? kernel.processes.get(pid);
    return process === undefined ? [] : [process];
  }
  if (pid === -1)
    return [...kernel.processes.values()].filter((process) => process.pid !== 1 && process !== task.process);
  return groupMembers(kernel, pid === 0 ? task.process.pgid : -pid);
}

function sendToThread(
  kernel: Kernel,
  task: Task,
  request: {
    readonly tgid: number | undefined;
    readonly tid: number;
    readonly signal: number;
    readonly info?: Uint8Array;
  },
): number {
  const { tgid, tid, signal } = request;
  if (tid <= 0 || (tgid !== undefined && tgid <= 0)) return -E.INVAL;
  const target = taskOf(kernel, task, tid);
  if (target === undefined || (tgid !== undefined && target.process.pid !== tgid))
    return killEffect(kernel, task, signal, -E.SRCH);
  if (!validSignal(signal)) return -E.INVAL;
  if (!maySignal(task, target.process, signal)) return killEffect(kernel, task, signal, -E.PERM);
  killEffect(kernel, task, signal, 0);
  if (target.state === 'dead') return 0;
  const info = request.info ?? { code: SI.TKILL, pid: task.process.pid, uid: task.process.credentials.uid };
  sendSignal(kernel, target.process, signal, info, { task: target });
  return 0;
}

const tkill = (kernel: Kernel, task: Task, args: SysArgs): SysResult =>
  sendToThread(kernel, task, { tgid: undefined, tid: args.int(0), signal: args.int(1) });
const tgkill = (kernel: Kernel, task: Task, args: SysArgs): SysResult =>
  sendToThread(kernel, task, { tgid: args.int(0), tid: args.int(1), signal: args.int(2) });

/** A siginfo of the caller's; only its own process may be told that the kernel or kill sent it. */
function callerInfo(task: Task, target: number, signal: number, address: number): Uint8Array | number {
  const info = task.process.space.read(address, SIGINFO_SIZE);
  const view = new DataView(info.buffer, info.byteOffset);
  const code = view.getInt32(8, true);
  if ((code >= 0 || code === SI.TKILL) && target !== task.process.pid) return -E.PERM;
  view.setInt32(0, signal, true);
  return info;
}

function rtSigqueueinfo(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [pid, signal] = [args.int(0), args.int(1)];
  const info = callerInfo(task, pid, signal, args.pointer(2));
  if (typeof info === 'number') return info;
  if (!validSignal(signal)) return -E.INVAL;
  const process = kernel.processes.get(pid);
  if (process === undefined) return killEffect(kernel, task, signal, -E.SRCH);
  if (!maySignal(task, process, signal)) return killEffect(kernel, task, signal, -E.PERM);
  killEffect(kernel, task, signal, 0);
  sendSignal(kernel, process, signal, info);
  return 0;
}

function rtTgsigqueueinfo(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const info = callerInfo(task, args.int(0), args.int(2), args.pointer(3));
  if (typeof info === 'number') return info;
  return sendToThread(kernel, task, { tgid: args.int(0), tid: args.int(1), signal: args.int(2), info });
}

function pidfdSendSignal(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = task.process.files.get(args.int(0));
  const signal = args.int(1);
  if (!(file instanceof PidFile)) return -E.BADF;
  if (args.uint(3) !== 0 || !validSignal(signal)) return -E.INVAL;
  const { process } = file;
  const info = args.pointer(2) === 0 ? undefined : callerInfo(task, process.pid, signal, args.pointer(2));
  if (typeof info === 'number') return info;
  if (kernel.processes.get(process.pid) !== process) return killEffect(kernel, task, signal, -E.SRCH);
  if (!maySignal(task, process, signal)) return killEffect(kernel, task, signal, -E.PERM);
  killEffect(kernel, task, signal, 0);
  sendSignal(
    kernel,
    process,
    signal,
    info ?? { code: SI.USER, pid: task.process.pid, uid: task.process.credentials.uid },
  );
  return 0;
}

export const signalRows: readonly SyscallRow[] = [
  row('rt_sigaction', rtSigaction),
  row('rt_sigprocmask', rtSigprocmask),
  row('rt_sigpending', rtSigpending),
  row('rt_sigsuspend', rtSigsuspend),
  row('rt_sigtimedwait', rtSigtimedwait),
  row('rt_sigreturn', sigreturn),
  row('sigaltstack', sigaltstack),
  row('pause', pause),
  row('kill', kill),
  row('tkill', tkill),
  row('tgkill', tgkill),
  row('rt_sigqueueinfo', rtSigqueueinfo),
  row('rt_tgsigqueueinfo', rtTgsigqueueinfo),
  row('pidfd_send_signal', pidfdSendSignal),
  row('restart_syscall', () => -E.INTR),
];
