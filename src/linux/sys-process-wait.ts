// wait4 and waitid: children that ended, stopped or went on.
import { CONTINUED_STATUS, P, stoppedStatus, WAIT } from './abi-process.ts';
import { CLD, encodeSiginfo, SIG } from './abi-signal.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { PidFile } from './pidfd.ts';
import { reap } from './process-exit.ts';
import { writeRusage } from './rusage.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Process, Task } from './task.ts';
import { block, type SysResult } from './wait.ts';

interface Change {
  readonly child: Process;
  readonly kind: 'ended' | 'stopped' | 'continued';
}

interface Wanted {
  readonly accepts: (child: Process) => boolean;
  readonly options: number;
}

/** A child with something to report; ECHILD without any that is meant; undefined: not yet. */
function findChange(task: Task, wanted: Wanted): Change | number | undefined {
  const { options } = wanted;
  const children = [...task.process.children].filter(
    (child) => wanted.accepts(child) && isKind(child, options),
  );
  if (children.length === 0) return -E.CHILD;
  for (const child of children) {
    if (child.exitStatus !== undefined) {
      if ((options & WAIT.EXITED) !== 0) return { child, kind: 'ended' };
    } else if (child.stopReport?.kind === 'stopped' && (options & WAIT.UNTRACED) !== 0)
      return { child, kind: 'stopped' };
    else if (child.stopReport?.kind === 'continued' && (options & WAIT.CONTINUED) !== 0)
      return { child, kind: 'continued' };
  }
  return undefined;
}

/** Children that do not send SIGCHLD are waited for with __WCLONE, all with __WALL. */
function isKind(child: Process, options: number): boolean {
  if ((options & WAIT.ALL) !== 0) return true;
  return (child.exitSignal !== SIG.CHLD) === ((options & WAIT.CLONE) !== 0);
}

/** The report is taken, unless WNOWAIT leaves it for another wait. */
function consume(kernel: Kernel, change: Change, options: number): void {
  if ((options & WAIT.NOWAIT) !== 0) return;
  if (change.kind === 'ended') reap(kernel, change.child);
  else change.child.stopReport = undefined;
}

function waitStatus({ child, kind }: Change): number {
  if (kind === 'ended') return child.exitStatus ?? 0;
  return kind === 'stopped' ? stoppedStatus(child.stopReport?.signal ?? SIG.STOP) : CONTINUED_STATUS;
}

function wait4(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const pid = args.int(0);
  const options = args.int(2);
  if (
    (options & ~(WAIT.NOHANG | WAIT.UNTRACED | WAIT.CONTINUED | WAIT.NOTHREAD | WAIT.ALL | WAIT.CLONE)) !==
    0
  )
    return -E.INVAL;
  if (pid === -0x80000000) return -E.SRCH;
  const group = pid === 0 ? task.process.pgid : -pid;
  const accepts = (child: Process): boolean =>
    pid === -1 || (pid > 0 ? child.pid === pid : child.pgid === group);
  const change = findChange(task, { accepts, options: options | WAIT.EXITED });
  if (typeof change === 'number') return change;
  if (change === undefined)
    return (options & WAIT.NOHANG) !== 0
      ? 0
      : block([task.process.childQueue], pid > 0 ? `child ${pid}` : 'a child');
  const { space } = task.process;
  if (args.pointer(1) !== 0) space.write32(args.pointer(1), waitStatus(change));
  if (args.pointer(3) !== 0)
    writeRusage(space, args.pointer(3), change.child.cpuTime + change.child.childCpuTime);
  consume(kernel, change, options);
  return change.child.pid;
}

function waitid(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const options = args.int(3);
  const known =
    WAIT.NOHANG |
    WAIT.NOWAIT |
    WAIT.EXITED |
    WAIT.UNTRACED |
    WAIT.CONTINUED |
    WAIT.NOTHREAD |
    WAIT.ALL |
    WAIT.CLONE;
  if ((options & ~known) !== 0 || (options & (WAIT.EXITED | WAIT.UNTRACED | WAIT.CONTINUED)) === 0)
    return -E.INVAL;
  const accepts = acceptor(task, args.int(0), args.int(1));
  if (typeof accepts === 'number') return accepts;
  const change = findChange(task, { accepts, options });
  if (typeof change === 'number') return change;
  if (change === undefined && (options & WAIT.NOHANG) === 0)
    return block([task.process.childQueue], 'a child');
  const { space } = task.process;
  if (args.pointer(2) !== 0)
    space.write(args.pointer(2), change === undefined ? new Uint8Array(128) : report(change));
  if (change === undefined) return 0;
  if (args.pointer(4) !== 0)
    writeRusage(space, args.pointer(4), change.child.cpuTime + change.child.childCpuTime);
  consume(kernel, change, options);
  return 0;
}

function acceptor(task: Task, type: number, id: number): ((child: Process) => boolean) | number {
  switch (type) {
    case P.ALL:
      return () => true;
    case P.PID:
      return id <= 0 ? -E.INVAL : (child) => child.pid === id;
    case P.PGID: {
      if (id < 0) return -E.INVAL;
      const group = id === 0 ? task.process.pgid : id;
      return (child) => child.pgid === group;
    }
    case P.PIDFD: {
      const file = task.process.files.get(id);
      if (!(file instanceof PidFile)) return -E.BADF;
      return (child) => child === file.process;
    }
    default:
      return -E.INVAL;
  }
}

/** The siginfo of a change; uid is the child's real one. */
function report(change: Change): Uint8Array {
  const status = waitStatus(change);
  const { pid, credentials } = change.child;
  const info = (code: number, value: number): Uint8Array =>
    encodeSiginfo(SIG.CHLD, { code, pid, uid: credentials.uid, status: value });
  if (change.kind === 'stopped') return info(CLD.STOPPED, status >> 8);
  if (change.kind === 'continued') return info(CLD.CONTINUED, SIG.CONT);
  const signal = status & 0x7f;
  return signal === 0
    ? info(CLD.EXITED, status >> 8)
    : info((status & 0x80) !== 0 ? CLD.DUMPED : CLD.KILLED, signal);
}

export const waitRows: readonly SyscallRow[] = [row('wait4', wait4), row('waitid', waitid)];
