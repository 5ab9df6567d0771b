// Shared memory segments (ipc/shm.c): each is a file of an inner tmpfs that nothing names, as in Linux, so its pages
// are shared between all who attach it and stay when nobody does.
import { IpcObject, IpcTable } from './ipc.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import { RegularInode } from './vfs-file.ts';

export class ShmSegment extends IpcObject {
  readonly size: number;
  readonly inode: RegularInode;
  atime = 0n;
  dtime = 0n;
  readonly cpid: number;
  lpid = 0;
  locked = false;
  /** IPC_RMID was asked for while it was attached. */
  doomed = false;

  constructor(kernel: Kernel, task: Task, wanted: { key: number; size: number; mode: number }) {
    super(kernel, task, wanted.key, wanted.mode);
    this.size = wanted.size;
    this.cpid = task.process.pid;
    this.inode = new RegularInode(kernel.vfs.anonymous, wanted.mode & 0o777);
    this.inode.nlink = 0;
    this.inode.data.truncate(wanted.size);
  }
}

export class ShmTable extends IpcTable<ShmSegment> {
  /** How many mappings there are of a segment, over all processes. */
  attached(kernel: Kernel, segment: ShmSegment): number {
    let count = 0;
    const seen = new Set<object>();
    for (const { space, exitStatus } of kernel.processes.values()) {
      if (exitStatus !== undefined || seen.has(space)) continue;
      seen.add(space);
      for (const region of space.regions()) if (region.backing === segment.inode) count++;
    }
    return count;
  }

  /** Removed segments go with their last mapping. Who may see them calls this first. */
  sweep(kernel: Kernel): void {
    for (const segment of this.all())
      if (segment.doomed && this.attached(kernel, segment) === 0) this.destroy(segment);
  }

  destroy(segment: ShmSegment): void {
    this.remove(segment);
    segment.inode.free();
  }
}
