// Signals: sending, queues, masks. What a queued signal does to a task is in signals-deliver.ts. Follows
// signal(7) and kernel/signal.c's rules; job control without terminals.
import {
  bit,
  CLD,
  defaultAction,
  encodeSiginfo,
  SIG,
  SIG_DFL,
  SIG_IGN,
  SIGINFO_SIZE,
  SIGRTMIN,
  type SignalInfo,
  STOP_SIGNALS,
  UNBLOCKABLE,
} from './abi-signal.ts';
import type { Kernel } from './kernel.ts';
import type { PendingSignal, Process, SignalAction, Task } from './task.ts';

/** Fresh table of actions: everything default. */
export function defaultActions(): SignalAction[] {
  return Array.from({ length: 64 }, () => ({ handler: SIG_DFL, flags: 0n, restorer: 0, mask: 0n }));
}

/** Whether the signal would do nothing to this process if it were delivered now. */
function ignored(process: Process, signal: number): boolean {
  const { handler } = process.actions[signal - 1];
  if (handler === SIG_IGN) return true;
  return handler === SIG_DFL && defaultAction(signal) === 'ignore';
}

/** pid 1 has no default actions for signals from inside its pid namespace; from outside only KILL and STOP work. */
export function shielded(process: Process, signal: number, outside: boolean): boolean {
  if (process.pid !== 1 || process.actions[signal - 1].handler !== SIG_DFL) return false;
  return !(outside && (signal === SIG.KILL || signal === SIG.STOP));
}

export interface SendOptions {
  /** To this thread only. */
  readonly task?: Task;
  /** From the host (a runtime's stop), not from a process of the container. */
  readonly outside?: boolean;
  readonly timer?: number;
}

/** Queues a signal for a process (or one of its threads) and wakes who is to take it. 0 sends nothing. */
export function sendSignal(
  kernel: Kernel,
  process: Process,
  signal: number,
  info: SignalInfo | Uint8Array,
  options: SendOptions = {},
): void {
  if (signal === 0 || process.exitStatus !== undefined || process.tasks.size === 0) return;
  prepareStopAndContinue(kernel, process, signal);
  const { task } = options;
  const blocked =
    task === undefined
      ? [...process.tasks].every((t) => (t.blockedSignals & bit(signal)) !== 0n)
      : (task.blockedSignals & bit(signal)) !== 0n;
  const outside = options.outside === true;
  if (!blocked && (ignored(process, signal) || shielded(process, signal, outside))) return;
  const queue = task === undefined ? process.pending : task.pending;
  if (signal < SIGRTMIN && queue.some((pending) => pending.signal === signal)) return;
  const bytes = info instanceof Uint8Array ? info : encodeSiginfo(signal, info);
  queue.push({
    signal,
    info: bytes,
    forced: outside && (signal === SIG.KILL || signal === SIG.STOP),
    timer: options.timer,
  });
  process.signalQueue.wake();
  wakeTaker(process, signal, task);
}

/** SIGCONT undoes pending stops and resumes; a stop signal undoes a pending SIGCONT. */
function prepareStopAndContinue(kernel: Kernel, process: Process, signal: number): void {
  if (signal === SIG.CONT) {
    for (const stop of STOP_SIGNALS) dropPending(process, stop);
    if (process.stopSignal !== 0) continueProcess(kernel, process);
  } else if (signal === SIG.KILL && process.stopSignal !== 0) {
    resumeTasks(process);
  } else if (STOP_SIGNALS.includes(signal)) {
    dropPending(process, SIG.CONT);
  }
}

/** Takes every queued instance of a signal away. */
export function dropPending(process: Process, signal: number): void {
  process.pending = process.pending.filter((pending) => pending.signal !== signal);
  for (const task of process.tasks)
    task.pending = task.pending.filter((pending) => pending.signal !== signal);
}

function resumeTasks(process: Process): void {
  process.stopSignal = 0;
  for (const task of process.tasks) if (task.state === 'stopped') task.state = 'runnable';
}

function continueProcess(kernel: Kernel, process: Process): void {
  const signal = process.stopSignal;
  resumeTasks(process);
  process.stopReport = { kind: 'continued', signal };
  notifyParent(kernel, process, CLD.CONTINUED, SIG.CONT);
}

/** Stops every thread of the process (SIGSTOP and the like). */
export function stopProcess(kernel: Kernel, process: Process, signal: number): void {
  process.stopSignal = signal;
  process.stopReport = { kind: 'stopped', signal };
  for (const task of process.tasks)
    if (task.state === 'runnable' || task.state === 'blocked') task.state = 'stopped';
  notifyParent(kernel, process, CLD.STOPPED, signal);
}

/** SIGCHLD for a change of state; `status` is the exit code or the signal. */
export function notifyParent(kernel: Kernel, process: Process, code: number, status: number): void {
  const { parent } = process;
  if (parent === undefined) return;
  const stopping = code === CLD.STOPPED || code === CLD.CONTINUED;
  const quiet = stopping && (parent.actions[SIG.CHLD - 1].flags & 1n) !== 0n;
  if (!quiet) {
    const signal = stopping ? SIG.CHLD : process.exitSignal;
    if (signal !== 0)
      sendSignal(kernel, parent, signal, { code, pid: process.pid, uid: process.credentials.uid, status });
  }
  parent.childQueue.wake();
}

/** Wakes a thread that can take the signal: the given one, the leader if it does not block it, else the first. */
function wakeTaker(process: Process, signal: number, task: Task | undefined): void {
  const takers =
    task === undefined ? [...process.tasks].filter((t) => (t.blockedSignals & bit(signal)) === 0n) : [task];
  const taker = takers.find((t) => t.tid === process.pid) ?? takers[0];
  if (taker === undefined || (taker.blockedSignals & bit(signal)) !== 0n) return;
  const fatal = signal === SIG.KILL || (process.actions[signal - 1].handler === SIG_DFL && isFatal(signal));
  for (const t of fatal ? process.tasks : [taker])
    if (t.state === 'blocked' && (fatal || t.wait?.interruptible === true)) t.wake();
}

export function isFatal(signal: number): boolean {
  const action = defaultAction(signal);
  return action === 'terminate' || action === 'core';
}

/** Signals that are queued for the task or its process. */
export function pendingSet(task: Task): bigint {
  let set = 0n;
  for (const { signal } of task.pending) set |= bit(signal);
  for (const { signal } of task.process.pending) set |= bit(signal);
  return set;
}

/** Whether a signal waits that the task's mask lets through and that would do something. */
export function hasDeliverable(task: Task): boolean {
  const wanted = (pending: PendingSignal): boolean =>
    (task.blockedSignals & bit(pending.signal)) === 0n && !ignored(task.process, pending.signal);
  return task.pending.some(wanted) || task.process.pending.some(wanted);
}

/** A pending signal that ends the process whatever its tasks wait for. */
export function fatalSignal(task: Task): number | undefined {
  const fatal = ({ signal, forced }: PendingSignal): boolean =>
    (task.blockedSignals & bit(signal)) === 0n &&
    task.process.actions[signal - 1].handler === SIG_DFL &&
    isFatal(signal) &&
    (forced || !shielded(task.process, signal, false));
  return (task.pending.find(fatal) ?? task.process.pending.find(fatal))?.signal;
}

/** Takes the next signal of `set` out of the queues: the thread's first, lowest number first. */
export function takeSignal(task: Task, set: bigint): PendingSignal | undefined {
  return takeFrom(task.pending, set) ?? takeFrom(task.process.pending, set);
}

function takeFrom(queue: PendingSignal[], set: bigint): PendingSignal | undefined {
  let best = -1;
  for (let i = 0; i < queue.length; i++) {
    if ((set & bit(queue[i].signal)) !== 0n && (best < 0 || queue[i].signal < queue[best].signal)) best = i;
  }
  return best < 0 ? undefined : queue.splice(best, 1)[0];
}

/** Sets the mask of a task; KILL and STOP stay unblocked. */
export function setMask(task: Task, mask: bigint): void {
  task.blockedSignals = BigInt.asUintN(64, mask) & ~UNBLOCKABLE;
}

/**
 * The mask for the time of one system call (ppoll, pselect, epoll_pwait, sigsuspend). May be called on every run of
 * the handler; the old mask comes back when the call ends, or is what a signal handler returns to.
 */
export function temporaryMask(task: Task, mask: bigint): void {
  if (task.savedMask !== undefined) return;
  task.savedMask = task.blockedSignals;
  setMask(task, mask);
}

/** SIGPIPE for a write to something that nobody reads any more. */
export function raiseSigpipe(kernel: Kernel, task: Task): void {
  sendSignal(
    kernel,
    task.process,
    SIG.PIPE,
    { code: 0, pid: task.process.pid, uid: task.process.credentials.uid },
    { task },
  );
}

/**
 * A signal that the task cannot refuse (a fault): where it is blocked or ignored, its action becomes the default
 * one, which ends the process.
 */
export function forceSignal(kernel: Kernel, task: Task, signal: number, info: SignalInfo): void {
  const action = task.process.actions[signal - 1];
  if ((task.blockedSignals & bit(signal)) !== 0n || action.handler === SIG_IGN) {
    action.handler = SIG_DFL;
    task.blockedSignals &= ~bit(signal);
  }
  task.pending.push({ signal, info: encodeSiginfo(signal, info), forced: true, timer: undefined });
  task.process.signalQueue.wake();
  if (kernel.tasks.get(task.tid) === task) task.wake();
}

/** For signalfd and sigtimedwait: the info of a queued signal of `set`, taken out of the queue. */
export function takeSiginfo(
  task: Task,
  set: bigint,
): { readonly signal: number; readonly info: Uint8Array } | undefined {
  const taken = takeSignal(task, set);
  return taken === undefined
    ? undefined
    : {
        signal: taken.signal,
        info: taken.info.length === SIGINFO_SIZE ? taken.info : new Uint8Array(SIGINFO_SIZE),
      };
}
