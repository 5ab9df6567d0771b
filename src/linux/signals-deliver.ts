// What a pending signal does to a task on its way back to user mode: default actions, handlers, and what becomes of
// the system call that it interrupted (signal(7), "Interruption of system calls").

import { MemoryFault } from '../machine/index.ts';
import { killedStatus } from './abi-process.ts';
import { bit, defaultAction, SA, SIG, SIG_DFL, SIG_IGN, SYNCHRONOUS } from './abi-signal.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { isOrphaned } from './process.ts';
import { exitProcess } from './process-exit.ts';
import { forceSignal, setMask, shielded, stopProcess, takeSignal } from './signals.ts';
import { pushFrame } from './signals-frame.ts';
import { endSyscall } from './syscall-end.ts';
import type { PendingSignal, SignalAction, Task } from './task.ts';

/** handler: one was entered; acted: the process stopped or ended; none: nothing that user code sees happened. */
export type Delivery = 'handler' | 'acted' | 'none';

/**
 * Takes and acts on pending signals until the task can no longer run or none is left that the masks let through: of
 * several handlers the last one entered runs first. A system call that the task was in is ended (EINTR) or rewound
 * when a handler is entered, and left alone otherwise.
 */
export function deliverSignals(kernel: Kernel, task: Task): Delivery {
  let entered = false;
  for (;;) {
    const allowed = ~task.blockedSignals;
    const pending = takeSignal(task, allowed & SYNCHRONOUS) ?? takeSignal(task, allowed);
    if (pending === undefined) return entered ? 'handler' : 'none';
    noteOverrun(task, pending);
    const action = task.process.actions[pending.signal - 1];
    if (action.handler === SIG_IGN) continue;
    if (action.handler !== SIG_DFL) {
      interruptSyscall(kernel, task, action);
      if (enter(kernel, task, action, pending)) entered = true;
      continue;
    }
    if (actByDefault(kernel, task, pending)) return 'acted';
  }
}

/** True where the task does not go on. */
function actByDefault(kernel: Kernel, task: Task, pending: PendingSignal): boolean {
  const { signal } = pending;
  const { process } = task;
  if (!pending.forced && shielded(process, signal, false)) return false;
  switch (defaultAction(signal)) {
    case 'ignore':
    case 'continue':
      return false;
    case 'stop':
      // Stops of a terminal; SIGSTOP is for everybody.
      if (signal !== SIG.STOP && isOrphaned(kernel, process.pgid)) return false;
      stopProcess(kernel, process, signal);
      return true;
    case 'core':
      exitProcess(
        kernel,
        process,
        killedStatus(signal, process.rlimits[4][0] > 0n && process.dumpable === 1),
      );
      return true;
    case 'terminate':
      exitProcess(kernel, process, killedStatus(signal, false));
      return true;
  }
}

function interruptSyscall(kernel: Kernel, task: Task, action: SignalAction): void {
  const { wait, syscall } = task;
  if (syscall === undefined || wait === undefined) return;
  if (wait.restart !== 'restart' || (action.flags & SA.RESTART) === 0n) {
    endSyscall(kernel, task, -E.INTR, true);
    return;
  }
  task.registers.rip -= 2;
  endSyscall(kernel, task, 'none', true);
}

/** False where the stack cannot take the frame; SIGSEGV is pending then. */
function enter(kernel: Kernel, task: Task, action: SignalAction, pending: PendingSignal): boolean {
  const mask = task.savedMask ?? task.blockedSignals;
  const view = new DataView(pending.info.buffer, pending.info.byteOffset);
  const address = pending.forced ? Number(view.getBigUint64(16, true)) : 0;
  const fault = pending.forced
    ? {
        trap: trapNumber(pending.signal),
        address: pending.signal === SIG.SEGV || pending.signal === SIG.BUS ? address : 0,
      }
    : undefined;
  try {
    pushFrame(task, action, pending, mask, fault);
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
    // A fault while entering the handler of SIGSEGV itself is final.
    if (pending.signal === SIG.SEGV) task.process.actions[SIG.SEGV - 1].handler = SIG_DFL;
    forceSignal(kernel, task, SIG.SEGV, { code: 0x80, address: 0 });
    return false;
  }
  task.savedMask = undefined;
  const added = (action.flags & SA.NODEFER) !== 0n ? action.mask : action.mask | bit(pending.signal);
  setMask(task, task.blockedSignals | added);
  if ((action.flags & SA.RESETHAND) !== 0n) action.handler = SIG_DFL;
  return true;
}

const trapNumber = (signal: number): number =>
  signal === SIG.SEGV || signal === SIG.BUS
    ? 14
    : signal === SIG.ILL
      ? 6
      : signal === SIG.TRAP
        ? 3
        : signal === SIG.FPE
          ? 0
          : 0;

/** A POSIX timer's signal carries how many expirations it stands for. */
function noteOverrun(task: Task, pending: PendingSignal): void {
  if (pending.timer === undefined) return;
  const timer = task.process.posixTimers.get(pending.timer);
  if (timer === undefined) return;
  new DataView(pending.info.buffer, pending.info.byteOffset).setInt32(20, timer.overrun, true);
  timer.overrun = 0;
}
