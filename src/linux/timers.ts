// Timers that nobody waits for in a system call: ITIMER_REAL (alarm), ITIMER_VIRTUAL and ITIMER_PROF, timer_create.
// The scheduler asks when the next one is due and fires those that are.
import { SI, SIG } from './abi-signal.ts';
import type { Kernel } from './kernel.ts';
import { sendSignal } from './signals.ts';
import type { PosixTimer, Process, Timer } from './task.ts';

/** Wakes tasks whose wait has ended by time, and fires the timers that are due. */
export function expireTimers(kernel: Kernel): void {
  for (const task of kernel.tasks.values()) {
    if (task.state === 'blocked' && task.wait?.deadline !== undefined && task.wait.deadline <= kernel.now)
      task.wake();
  }
  for (const process of kernel.processes.values()) {
    if (process.exitStatus !== undefined) continue;
    fire(process.timers.real, kernel.now, () => sendSignal(kernel, process, SIG.ALRM, { code: SI.KERNEL }));
    fire(process.timers.virtual, process.cpuTime, () =>
      sendSignal(kernel, process, SIG.VTALRM, { code: SI.KERNEL }),
    );
    fire(process.timers.prof, process.cpuTime, () =>
      sendSignal(kernel, process, SIG.PROF, { code: SI.KERNEL }),
    );
    for (const timer of process.posixTimers.values()) {
      const missed = fire(timer, posixNow(kernel, process, timer), () => undefined);
      if (missed > 0) expirePosix(kernel, process, timer, missed);
    }
  }
}

/** Processor-time timers count the process's time, the others virtual time. */
export function posixNow(kernel: Kernel, process: Process, timer: PosixTimer): bigint {
  return timer.clock === 2 || timer.clock === 3 || timer.clock < 0 ? process.cpuTime : kernel.now;
}

/** How many times the timer expired since it was last looked at; rearms it. */
function fire(timer: Timer, now: bigint, action: () => void): number {
  if (timer.expires === undefined || timer.expires > now) return 0;
  let count = 1n;
  if (timer.interval > 0n) {
    count += (now - timer.expires) / timer.interval;
    timer.expires += count * timer.interval;
  } else {
    timer.expires = undefined;
  }
  action();
  return Number(count > 0x7fffffffn ? 0x7fffffffn : count);
}

function expirePosix(kernel: Kernel, process: Process, timer: PosixTimer, count: number): void {
  if (timer.notify === 1) return;
  const task = timer.notify === 4 ? kernel.tasks.get(timer.tid) : undefined;
  if (timer.notify === 4 && (task === undefined || task.process !== process)) return;
  const queues = [process.pending, ...[...process.tasks].map((t) => t.pending)];
  if (queues.some((queue) => queue.some((pending) => pending.timer === timer.id))) {
    timer.overrun += count;
    return;
  }
  timer.overrun = count - 1;
  const info = { code: SI.TIMER, pid: timer.id, uid: 0, value: timer.value };
  sendSignal(
    kernel,
    process,
    timer.signal,
    info,
    task === undefined ? { timer: timer.id } : { timer: timer.id, task },
  );
}

/** Virtual ns of the next thing that happens by time alone; undefined: nothing will. */
export function nextExpiry(kernel: Kernel): bigint | undefined {
  let next: bigint | undefined;
  const consider = (time: bigint | undefined): void => {
    if (time !== undefined && (next === undefined || time < next)) next = time;
  };
  for (const task of kernel.tasks.values()) if (task.state === 'blocked') consider(task.wait?.deadline);
  for (const process of kernel.processes.values()) {
    if (process.exitStatus !== undefined) continue;
    consider(process.timers.real.expires);
    for (const timer of process.posixTimers.values())
      if (posixNow(kernel, process, timer) === kernel.now) consider(timer.expires);
  }
  return next;
}
