// Runs the tasks: deterministic round robin with instruction quanta, system calls, faults, signals, and the virtual
// clock. One instruction is one nanosecond; a system call costs a fixed amount. Time jumps only when every task
// waits, and only as far as the owner allows.
import { type EngineStop, MemoryFault } from '../machine/index.ts';
import { killedStatus } from './abi-process.ts';
import { E } from './errno.ts';
import type { Frame } from './events.ts';
import { raiseFault } from './fault.ts';
import type { Kernel } from './kernel.ts';
import { exitProcess } from './process-exit.ts';
import { fatalSignal, hasDeliverable } from './signals.ts';
import { deliverSignals } from './signals-deliver.ts';
import { placeOf } from './stack.ts';
import { growStack } from './stack-growth.ts';
import { SysArgs } from './syscall.ts';
import { endSyscall, leaveQueues } from './syscall-end.ts';
import type { Task } from './task.ts';
import { expireTimers, nextExpiry, posixNow } from './timers.ts';
import { type Block, isBlock, type SysResult } from './wait.ts';

/** Instructions before the next task has its turn. */
const QUANTUM = 50_000;
/** Quanta that a task without others beside it may have in one go: the engine pays for each start and end. */
const ALONE = 20;
/** What a system call counts, in instructions and nanoseconds. */
const SYSCALL_COST = 100;
/** A timer wakes its task this many ns late, as on a quiet host. */
const TIMER_SLACK = 50_000n;
/**
 * A container only repeats itself when time has jumped so often, and so far, without any effect, or with effects that
 * were all seen before; or without any effect very often, however short the jumps.
 */
const REPETITION = { idleRounds: 64, repeatedRounds: 16, time: 3_000_000_000n, idleLimit: 4096 } as const;

export interface RunOptions {
  /** Instructions over all tasks (a system call counts as 100). */
  readonly maxInstructions: number;
  /** How far virtual time may jump beyond now, in ns; default 10 s. */
  readonly horizon?: bigint;
  /** Asked after every turn of the tasks: whether the owner has seen enough, which then counts as repeating. */
  readonly enough?: (() => boolean) | undefined;
}

/** What a task waits for. */
export interface Waiting {
  readonly pid: number;
  readonly tid: number;
  readonly exe: string;
  /** Name of the system call. */
  readonly syscall: string;
  readonly reason: string;
  /** Virtual ns at which the wait ends by itself. */
  readonly deadline: bigint | undefined;
}

/**
 * quiescent: every task waits for the environment, or for a timer beyond the horizon, or the container only repeats
 * itself, or shows nothing new to its owner (`repeating`). exited: pid 1 is gone, with this wait status. budget: instructions ran out.
 */
export type RunStop =
  | { readonly kind: 'quiescent'; readonly repeating: boolean; readonly waiting: readonly Waiting[] }
  | { readonly kind: 'exited'; readonly status: number }
  | {
      readonly kind: 'budget';
      readonly exe: string;
      readonly at: Frame | undefined;
      readonly waiting: readonly Waiting[];
    };

export function run(kernel: Kernel, options: RunOptions): RunStop {
  const limit = kernel.now + (options.horizon ?? 10_000_000_000n);
  const rounds: Rounds = {
    sequence: kernel.sequence,
    novelty: kernel.novelty,
    idle: 0,
    repeated: 0,
    since: kernel.now,
  };
  let left = options.maxInstructions;
  while (left > 0) {
    const init = kernel.processes.get(1);
    if (init === undefined || init.exitStatus !== undefined)
      return { kind: 'exited', status: init?.exitStatus ?? 0 };
    expireTimers(kernel);
    const used = round(kernel, left);
    left -= used;
    if (options.enough?.() === true) return { kind: 'quiescent', repeating: true, waiting: waiting(kernel) };
    if (used > 0 || kernel.hooks.onIdle?.(kernel) === true) continue;
    const next = nextExpiry(kernel);
    if (next === undefined || next > limit)
      return { kind: 'quiescent', repeating: false, waiting: waiting(kernel) };
    if (repeats(kernel, rounds)) return { kind: 'quiescent', repeating: true, waiting: waiting(kernel) };
    if (next > kernel.now) kernel.now = next;
    kernel.now += TIMER_SLACK;
  }
  const busy = [...kernel.tasks.values()].find((task) => task.state === 'runnable');
  const place = { exe: busy?.process.exe ?? '', at: busy === undefined ? undefined : placeOf(busy) };
  kernel.cut({
    kind: 'budget',
    what: `${options.maxInstructions} instructions`,
    consequence: 'what comes after is not seen',
    ...place,
  });
  return { kind: 'budget', ...place, waiting: waiting(kernel) };
}

/** Every runnable task once; what they used, 0 where none was runnable. */
function round(kernel: Kernel, left: number): number {
  let used = 0;
  for (const task of [...kernel.tasks.values()]) {
    if (task.state !== 'runnable') continue;
    used += Math.max(1, runTask(kernel, task, left - used));
    if (used >= left || kernel.processes.get(1)?.exitStatus !== undefined) break;
  }
  return used;
}

/** Jumps of time in one run. */
interface Rounds {
  sequence: number;
  novelty: number;
  /** Since the last effect, and since the last new one. */
  idle: number;
  repeated: number;
  /** When the last new effect was seen. */
  since: bigint;
}

/** Whether time has jumped often enough without anything new. */
function repeats(kernel: Kernel, rounds: Rounds): boolean {
  if (kernel.novelty !== rounds.novelty) {
    rounds.repeated = 0;
    rounds.since = kernel.now;
  }
  if (kernel.sequence !== rounds.sequence) {
    rounds.idle = 0;
    rounds.repeated++;
  } else rounds.idle++;
  rounds.sequence = kernel.sequence;
  rounds.novelty = kernel.novelty;
  if (rounds.idle >= REPETITION.idleLimit) return true;
  const long = kernel.now - rounds.since >= REPETITION.time;
  return long && (rounds.idle >= REPETITION.idleRounds || rounds.repeated >= REPETITION.repeatedRounds);
}

export function waiting(kernel: Kernel): Waiting[] {
  const out: Waiting[] = [];
  for (const task of kernel.tasks.values()) {
    const syscall = task.syscall === undefined ? '' : (kernel.syscalls[task.syscall.nr]?.name ?? '');
    const reason = task.state === 'stopped' ? 'stopped' : (task.wait?.reason ?? 'running');
    out.push({
      pid: task.process.pid,
      tid: task.tid,
      exe: task.process.exe,
      syscall,
      reason,
      deadline: task.wait?.deadline,
    });
  }
  return out;
}

function advance(kernel: Kernel, task: Task, instructions: number): void {
  const time = BigInt(instructions);
  kernel.now += time;
  task.cpuTime += time;
  task.process.cpuTime += time;
}

/**
 * Quanta after which something other than the task may have its turn: as many as there would be one after the other, with
 * nothing to do between them. So how tasks are interleaved does not depend on it.
 */
function quantaFor(kernel: Kernel, task: Task, left: number): number {
  const most = Math.min(ALONE, Math.floor(left / QUANTUM));
  if (most < 2) return 1;
  let time = BigInt(most * QUANTUM);
  const consider = (due: bigint | undefined, now: bigint): void => {
    if (due !== undefined && due - now < time) time = due - now;
  };
  for (const other of kernel.tasks.values()) {
    if (other === task) continue;
    if (other.state === 'runnable') return 1;
    if (other.state === 'blocked') consider(other.wait?.deadline, kernel.now);
  }
  for (const process of kernel.processes.values()) {
    if (process.exitStatus !== undefined) continue;
    consider(process.timers.real.expires, kernel.now);
    for (const timer of process.posixTimers.values())
      consider(timer.expires, posixNow(kernel, process, timer));
    if (process !== task.process) continue;
    consider(process.timers.virtual.expires, process.cpuTime);
    consider(process.timers.prof.expires, process.cpuTime);
  }
  return Math.max(1, Math.ceil(Number(time) / QUANTUM));
}

/** Runs a task until its quantum (one of several, where it is alone) is used up or it can't go on; returns what it used. */
function runTask(kernel: Kernel, task: Task, left: number): number {
  const { engine } = kernel.machine;
  let quantum = Math.min(QUANTUM, left);
  let used = 0;
  task.yielded = false;
  while (used < quantum && task.state === 'runnable' && !task.yielded) {
    if (task.syscall !== undefined) {
      used += SYSCALL_COST;
      advance(kernel, task, SYSCALL_COST);
      resume(kernel, task);
      continue;
    }
    if (task.pending.length + task.process.pending.length > 0 && deliverSignals(kernel, task) === 'acted')
      continue;
    const before = engine.executed;
    const budget = used === 0 ? quantum + (quantaFor(kernel, task, left) - 1) * QUANTUM : quantum - used;
    const stop = engine.run(task.registers, task.process.space, budget);
    const ran = engine.executed - before;
    // the quantum that it stopped in
    while (quantum < used + ran) quantum += QUANTUM;
    advance(kernel, task, ran);
    const free = stop.kind === 'budget' || stop.kind === 'pause';
    used += ran + (free ? 0 : SYSCALL_COST);
    act(kernel, task, stop);
  }
  return used;
}

function act(kernel: Kernel, task: Task, stop: EngineStop): void {
  switch (stop.kind) {
    case 'budget':
      return;
    case 'pause':
      // who spins waits for another thread
      task.yielded = true;
      return;
    case 'syscall':
      advance(kernel, task, SYSCALL_COST);
      enterSyscall(kernel, task);
      return;
    default:
      raiseFault(kernel, task, stop);
  }
}

/** Arguments in rdi rsi rdx r10 r8 r9; rcx and r11 are lost, as on the processor. */
function enterSyscall(kernel: Kernel, task: Task): void {
  const { gpr } = task.registers;
  const nr = Number(BigInt.asIntN(32, gpr[0]));
  gpr[1] = BigInt(task.registers.rip);
  gpr[11] = task.registers.rflags;
  task.syscall = { nr, args: [gpr[7], gpr[6], gpr[2], gpr[10], gpr[8], gpr[9]] };
  kernel.syscallsUsed.add(nr);
  const row = kernel.syscalls[nr];
  if (row !== undefined) kernel.hooks.onSyscallEntry?.(task, row, task.syscall.args);
  perform(kernel, task);
}

/** The task was woken in the middle of a system call: the same handler runs again. */
function resume(kernel: Kernel, task: Task): void {
  const interruptible = task.wait?.interruptible ?? true;
  leaveQueues(task);
  task.signalled = interruptible && hasDeliverable(task);
  perform(kernel, task);
}

function perform(kernel: Kernel, task: Task): void {
  const result = call(kernel, task);
  if (task.state === 'dead') return;
  if (!isBlock(result)) {
    endSyscall(kernel, task, result, false);
    return;
  }
  const interrupted = hasDeliverable(task);
  const fatal = interrupted && !result.interruptible ? fatalSignal(task) : undefined;
  if (fatal !== undefined) exitProcess(kernel, task.process, killedStatus(fatal, false));
  else if (interrupted && result.interruptible) interrupt(kernel, task, result);
  else wait(task, result);
}

function call(kernel: Kernel, task: Task): SysResult {
  const { syscall } = task;
  if (syscall === undefined) return -E.NOSYS;
  const row = kernel.syscalls[syscall.nr];
  if (row === undefined || row.level === 'missing') {
    const what = row?.name ?? `syscall ${syscall.nr}`;
    kernel.cutHere(task, { kind: 'syscall', what, consequence: 'answered ENOSYS' });
    return -E.NOSYS;
  }
  try {
    return row.handler(kernel, task, new SysArgs(syscall.args));
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
    if (error.fault === 'memory') {
      kernel.cutHere(task, {
        kind: 'budget',
        what: 'guest memory',
        consequence: `${row.name} answered ENOMEM`,
      });
      return -E.NOMEM;
    }
    return growStack(task, error.address) ? call(kernel, task) : -E.FAULT;
  }
}

/** A signal came while the call would wait: the handler may hand over what it has, then the signal is acted on. */
function interrupt(kernel: Kernel, task: Task, blocked: Block): void {
  if (!task.signalled) {
    task.signalled = true;
    perform(kernel, task);
    return;
  }
  task.wait = blocked;
  const delivery = deliverSignals(kernel, task);
  task.signalled = false;
  if (delivery === 'handler' || task.syscall === undefined) return;
  if (delivery === 'none') wait(task, blocked);
  else if (task.state === 'stopped' && blocked.restart === 'eintr') endSyscall(kernel, task, -E.INTR, false);
}

function wait(task: Task, blocked: Block): void {
  task.wait = blocked;
  task.signalled = false;
  task.state = 'blocked';
  for (const queue of blocked.queues) queue.waiters.add(task);
}
