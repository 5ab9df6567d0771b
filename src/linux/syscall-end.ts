// The end of a system call: result into rax, the waiting undone, the temporary signal mask put back.
import type { Kernel } from './kernel.ts';
import { setMask } from './signals.ts';
import type { Task } from './task.ts';
import type { SysResult } from './wait.ts';

/** Takes the task out of the queues that it waits in. */
export function leaveQueues(task: Task): void {
  const { wait } = task;
  if (wait === undefined) return;
  for (const queue of wait.queues) queue.waiters.delete(task);
  task.wait = undefined;
}

/**
 * Ends the system call that the task is in. `none`: the registers are already as they should be. `interrupted`: a
 * signal handler comes next, which takes care of the temporary mask.
 */
export function endSyscall(
  kernel: Kernel,
  task: Task,
  result: number | bigint | 'none',
  interrupted: boolean,
): void {
  const { syscall } = task;
  leaveQueues(task);
  kernel.futexes.forget(task);
  task.syscall = undefined;
  task.restart = undefined;
  task.signalled = false;
  if (result !== 'none') task.registers.gpr[0] = BigInt.asUintN(64, BigInt(result));
  if (!interrupted && task.savedMask !== undefined) {
    setMask(task, task.savedMask);
    task.savedMask = undefined;
  }
  if (syscall !== undefined) trace(kernel, task, syscall, result);
}

function trace(
  kernel: Kernel,
  task: Task,
  syscall: { readonly nr: number; readonly args: readonly bigint[] },
  result: SysResult,
): void {
  const row = kernel.syscalls[syscall.nr];
  if (row !== undefined) kernel.hooks.onSyscall?.(task, row, syscall.args, result);
}
