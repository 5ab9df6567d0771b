// Descriptors of processes (pidfd_open(2)): readable when the process is dead.
import type { FileType, Resource } from '../effect/index.ts';
import { E } from './errno.ts';
import { OpenFile, POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import { install } from './sys-file-common.ts';
import type { Process, Task } from './task.ts';
import type { WaitQueue } from './wait.ts';

export class PidFile extends OpenFile {
  readonly process: Process;
  readonly type: FileType = '?';

  constructor(process: Process, flags: number) {
    super(flags);
    this.process = process;
  }

  get queue(): WaitQueue {
    return this.process.exitQueue;
  }
  resource(): Resource {
    return { kind: 'file', type: '?', path: 'anon:[pidfd]' };
  }
  poll(): number {
    return this.process.exitStatus === undefined ? 0 : POLL.IN | POLL.RDNORM;
  }
  read(): number {
    return -E.INVAL;
  }
  write(): number {
    return -E.INVAL;
  }
}

/** A new close-on-exec descriptor for a process, or a negative errno. */
export function openPidfd(kernel: Kernel, task: Task, process: Process, flags: number): number {
  return install(kernel, task, new PidFile(process, 0o2 | (flags & 0o4000)), true);
}
