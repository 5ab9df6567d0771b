// Advisory locks of one inode: POSIX locks (owned by a process), open-file-description locks (owned by the
// description) and flock locks. Ranges are [start, end).
import { LOCK } from './abi-file.ts';
import type { OpenFile } from './file.ts';
import type { Process } from './task.ts';
import { WaitQueue } from './wait.ts';

export type LockOwner = Process | OpenFile;

export interface RangeLock {
  readonly owner: LockOwner;
  readonly type: number;
  readonly start: number;
  /** Exclusive; Infinity: to the end of the file, however long. */
  readonly end: number;
}

export class InodeLocks {
  ranges: RangeLock[] = [];
  /** flock: shared or exclusive by description. */
  readonly whole = new Map<OpenFile, number>();
  readonly queue = new WaitQueue();

  /** The first lock of somebody else that conflicts. */
  conflict(wanted: RangeLock): RangeLock | undefined {
    return this.ranges.find(
      (lock) =>
        lock.owner !== wanted.owner &&
        lock.start < wanted.end &&
        wanted.start < lock.end &&
        (lock.type === LOCK.WRLCK || wanted.type === LOCK.WRLCK),
    );
  }

  /** Sets (or with F_UNLCK takes away) the owner's lock on the range, splitting and joining what it had. */
  set(wanted: RangeLock): void {
    const next: RangeLock[] = [];
    for (const lock of this.ranges) {
      if (lock.owner !== wanted.owner || lock.end <= wanted.start || wanted.end <= lock.start) {
        next.push(lock);
        continue;
      }
      if (lock.start < wanted.start) next.push({ ...lock, end: wanted.start });
      if (wanted.end < lock.end) next.push({ ...lock, start: wanted.end });
    }
    if (wanted.type !== LOCK.UNLCK) next.push(wanted);
    this.ranges = joined(next.sort((a, b) => a.start - b.start));
    this.queue.wake();
  }

  /** Everything that this owner holds. */
  release(owner: LockOwner): void {
    const before = this.ranges.length;
    this.ranges = this.ranges.filter((lock) => lock.owner !== owner);
    if (this.ranges.length !== before) this.queue.wake();
  }

  /** Locks of processes that have ended. Their exit closes descriptors without asking here. */
  releaseDead(): void {
    const before = this.ranges.length;
    this.ranges = this.ranges.filter(
      ({ owner }) => !('exitStatus' in owner) || owner.exitStatus === undefined,
    );
    if (this.ranges.length !== before) this.queue.wake();
  }

  /** flock: false where another description's lock is in the way. */
  lockWhole(file: OpenFile, type: number): boolean {
    for (const [other, held] of this.whole)
      if (other !== file && (held === LOCK.EX || type === LOCK.EX)) return false;
    this.whole.set(file, type);
    this.queue.wake();
    return true;
  }

  unlockWhole(file: OpenFile): void {
    if (this.whole.delete(file)) this.queue.wake();
  }
}

/** Neighbours of one owner and type become one. Input is sorted by start. */
function joined(locks: readonly RangeLock[]): RangeLock[] {
  const out: RangeLock[] = [];
  for (const lock of locks) {
    const at = out.findIndex(
      (other) => other.owner === lock.owner && other.type === lock.type && other.end === lock.start,
    );
    if (at < 0) out.push(lock);
    else out[at] = { ...out[at], end: lock.end };
  }
  return out;
}
