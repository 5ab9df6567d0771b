// SIGPIPE for a write to something that nobody reads any more (send_sig(SIGPIPE, current, 0)).
import { SIG } from './abi-signal.ts';
import type { Kernel } from './kernel.ts';
import { sendSignal } from './signals.ts';
import type { Task } from './task.ts';

export function raiseSigpipe(kernel: Kernel, task: Task): void {
  const { process } = task;
  sendSignal(
    kernel,
    process,
    SIG.PIPE,
    { code: 0, pid: process.pid, uid: process.credentials.uid },
    { task },
  );
}
