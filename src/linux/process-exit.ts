// The end of threads and processes: what they leave behind, who is told, zombies and their reaping (kernel/exit.c).
import { MemoryFault } from '../machine/index.ts';
import { CLD, SIG, SIG_IGN } from './abi-signal.ts';
import { exitRobustList, wakeFutexAddress } from './futex.ts';
import { abandonLocks } from './futex-pi.ts';
import { secondsNow } from './ipc.ts';
import type { Kernel } from './kernel.ts';
import { sharesSpace } from './process.ts';
import { leaveTerminal } from './pty.ts';
import { notifyParent, sendSignal } from './signals.ts';
import { closeDescriptor } from './sys-file-open.ts';
import { leaveQueues } from './syscall-end.ts';
import type { Process, Task } from './task.ts';

/** Ends one thread; with the last one its process ends with that thread's code. `status`: a wait status. */
export function exitTask(kernel: Kernel, task: Task, status: number): void {
  const { process } = task;
  if (task.state === 'dead') return;
  // A call that a signal or another thread ends is not what made the effect.
  const name = task.syscall === undefined ? '' : kernel.syscallName(task.syscall.nr);
  if (!name.startsWith('exit')) task.syscall = undefined;
  kernel.effect(task, { op: 'EXIT', resource: { kind: 'id', value: statusText(status) }, access: '' }, 0);
  abandonLocks(kernel, task);
  releaseMemoryUse(kernel, task);
  leaveQueues(task);
  kernel.futexes.forget(task);
  task.state = 'dead';
  task.syscall = undefined;
  task.exitCode = status;
  kernel.tasks.delete(task.tid);
  process.tasks.delete(task);
  if (task.tid === process.pid) process.ended = task;
  for (const child of [...process.children]) childLosesThread(kernel, child, task);
  if (process.tasks.size === 0) endProcess(kernel, process, status);
}

/** exit_group and fatal signals: every thread ends, the process with this wait status. */
export function exitProcess(kernel: Kernel, process: Process, status: number): void {
  for (const task of [...process.tasks]) exitTask(kernel, task, status);
}

/** `0`, `1`, `signal:9`. */
function statusText(status: number): string {
  const signal = status & 0x7f;
  return signal === 0 ? `${status >> 8}` : `signal:${signal}`;
}

/** What an address space is told when a task leaves it, by exit or execve: robust futexes, the cleared tid, vfork. */
export function releaseMemoryUse(kernel: Kernel, task: Task): void {
  exitRobustList(kernel, task);
  const { space } = task.process;
  if (task.clearChildTid !== 0 && (task.process.tasks.size > 1 || sharesSpace(kernel, task.process))) {
    try {
      space.write32(task.clearChildTid, 0);
      wakeFutexAddress(kernel, task.process, task.clearChildTid, 1);
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
    }
  }
  task.clearChildTid = 0;
  task.vforkQueue?.wake();
  task.vforkQueue = undefined;
}

/** PR_SET_PDEATHSIG looks at the thread that created the child; here any thread of the parent that ends last counts. */
function childLosesThread(kernel: Kernel, child: Process, parentTask: Task): void {
  if (parentTask.process.tasks.size > 0) return;
  for (const task of child.tasks) {
    if (task.parentDeathSignal !== 0)
      sendSignal(
        kernel,
        child,
        task.parentDeathSignal,
        { code: 0, pid: parentTask.process.pid, uid: 0 },
        { task },
      );
  }
}

function endProcess(kernel: Kernel, process: Process, status: number): void {
  process.exitStatus = status;
  if (process.sid === process.pid) leaveTerminal(kernel, process.sid);
  kernel.ipc.sem.release(process, secondsNow(kernel));
  dropDescriptors(kernel, process);
  process.fs.references--;
  if (!sharesSpace(kernel, process)) process.space.release();
  process.timers.real.expires = undefined;
  process.posixTimers.clear();
  process.pending = [];
  reparentChildren(kernel, process);
  if (process.pid === 1) {
    endContainer(kernel);
    return;
  }
  hangUpOrphanedGroup(kernel, process);
  process.exitQueue.wake();
  announce(kernel, process);
}

/** With pid 1 its pid namespace ends: everything else is killed. */
function endContainer(kernel: Kernel): void {
  for (const other of [...kernel.processes.values()])
    if (other.pid !== 1 && other.exitStatus === undefined) exitProcess(kernel, other, SIG.KILL);
}

function dropDescriptors(kernel: Kernel, process: Process): void {
  const { files } = process;
  files.references--;
  if (files.references > 0) return;
  for (let fd = 0; fd < files.slots.length; fd++) closeDescriptor(kernel, process, fd);
}

/** Children go to the nearest living subreaper among the ancestors, else to pid 1. */
function reparentChildren(kernel: Kernel, process: Process): void {
  const init = kernel.processes.get(1);
  let reaper: Process | undefined = process.parent;
  while (reaper !== undefined && !(reaper.childSubreaper && reaper.exitStatus === undefined))
    reaper = reaper.parent;
  reaper ??= init;
  for (const child of process.children) {
    child.parent = reaper === child ? undefined : reaper;
    if (reaper !== undefined && reaper !== child && reaper !== process) reaper.children.add(child);
    child.exitSignal = SIG.CHLD;
    if (child.exitStatus !== undefined && child.parent !== undefined && reaper !== process)
      announce(kernel, child);
  }
  process.children.clear();
}

/** SIGCHLD and waking of the parent; a parent that ignores SIGCHLD leaves no zombie. */
function announce(kernel: Kernel, process: Process): void {
  const { parent } = process;
  const status = process.exitStatus ?? 0;
  const signal = status & 0x7f;
  const code = signal === 0 ? CLD.EXITED : (status & 0x80) !== 0 ? CLD.DUMPED : CLD.KILLED;
  const action = parent?.actions[SIG.CHLD - 1];
  const unwanted =
    parent === undefined ||
    (process.exitSignal === SIG.CHLD &&
      action !== undefined &&
      (action.handler === SIG_IGN || (action.flags & 2n) !== 0n));
  notifyParent(kernel, process, code, signal === 0 ? status >> 8 : signal);
  if (unwanted) reap(kernel, process);
}

/** Takes a zombie away. */
export function reap(kernel: Kernel, process: Process): void {
  kernel.processes.delete(process.pid);
  if (process.parent !== undefined) {
    process.parent.children.delete(process);
    process.parent.childCpuTime += process.cpuTime + process.childCpuTime;
    process.parent.childQueue.wake();
  }
}

/** A group that lost its last link to the session outside of it, with a stopped member, gets SIGHUP and SIGCONT. */
function hangUpOrphanedGroup(kernel: Kernel, leaving: Process): void {
  for (const child of kernel.processes.values()) {
    if (child.stopSignal === 0 || child.sid !== leaving.sid) continue;
    const members = [...kernel.processes.values()].filter(
      (p) => p.pgid === child.pgid && p.exitStatus === undefined,
    );
    const anchored = members.some(
      (p) => p.parent !== undefined && p.parent.pgid !== child.pgid && p.parent.sid === child.sid,
    );
    if (anchored) continue;
    for (const member of members) {
      sendSignal(kernel, member, SIG.HUP, { code: 0 });
      sendSignal(kernel, member, SIG.CONT, { code: 0 });
    }
  }
}
