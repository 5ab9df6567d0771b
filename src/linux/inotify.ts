// inotify (fs/notify/inotify): watches on inodes and the queue of events. Events are raised by the file handlers for
// changes inside the container; nothing outside changes a file here.

import { encodeText } from '../bytes/index.ts';
import type { FileType, Resource } from '../effect/index.ts';
import { IOCTL, S } from './abi-file.ts';
import { E } from './errno.ts';
import { OpenFile, POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import type { Dentry, Inode } from './vfs-inode.ts';
import { type Block, block, type SysResult, WaitQueue } from './wait.ts';

export const IN = {
  ACCESS: 1,
  MODIFY: 2,
  ATTRIB: 4,
  CLOSE_WRITE: 8,
  CLOSE_NOWRITE: 0x10,
  OPEN: 0x20,
  MOVED_FROM: 0x40,
  MOVED_TO: 0x80,
  CREATE: 0x100,
  DELETE: 0x200,
  DELETE_SELF: 0x400,
  MOVE_SELF: 0x800,
  UNMOUNT: 0x2000,
  Q_OVERFLOW: 0x4000,
  IGNORED: 0x8000,
  ONLYDIR: 0x1000000,
  DONT_FOLLOW: 0x2000000,
  EXCL_UNLINK: 0x4000000,
  MASK_CREATE: 0x10000000,
  MASK_ADD: 0x20000000,
  ISDIR: 0x40000000,
  ONESHOT: 0x80000000,
} as const;
const ALL_EVENTS = 0xfff;
/** /proc/sys/fs/inotify/max_queued_events. */
const MAX_QUEUED = 16384;

export class InodeWatch {
  readonly owner: InotifyFile;
  readonly wd: number;
  readonly inode: Inode;
  mask: number;

  constructor(owner: InotifyFile, wd: number, inode: Inode, mask: number) {
    this.owner = owner;
    this.wd = wd;
    this.inode = inode;
    this.mask = mask;
  }
}

interface InotifyEvent {
  readonly wd: number;
  readonly mask: number;
  readonly cookie: number;
  readonly name: string;
}

export class InotifyFile extends OpenFile {
  readonly type: FileType = '?';
  readonly queue = new WaitQueue();
  private readonly watches = new Map<number, InodeWatch>();
  private events: InotifyEvent[] = [];
  private nextWd = 1;

  resource(): Resource {
    return { kind: 'file', type: '?', path: 'anon:[inotify]' };
  }
  poll(): number {
    return this.events.length > 0 ? POLL.IN | POLL.RDNORM : 0;
  }

  /** inotify_add_watch: the watch descriptor. */
  add(inode: Inode, mask: number): number {
    const old = [...this.watches.values()].find((watch) => watch.inode === inode);
    const wanted = mask & (ALL_EVENTS | IN.ONESHOT | IN.EXCL_UNLINK);
    if (old !== undefined) {
      if ((mask & IN.MASK_CREATE) !== 0) return -E.EXIST;
      old.mask = (mask & IN.MASK_ADD) !== 0 ? old.mask | wanted : wanted;
      return old.wd;
    }
    const watch = new InodeWatch(this, this.nextWd++, inode, wanted);
    this.watches.set(watch.wd, watch);
    inode.watches ??= new Set();
    inode.watches.add(watch);
    return watch.wd;
  }

  removeWatch(wd: number): number {
    const watch = this.watches.get(wd);
    if (watch === undefined) return -E.INVAL;
    this.forget(watch);
    this.push({ wd, mask: IN.IGNORED, cookie: 0, name: '' });
    return 0;
  }

  private forget(watch: InodeWatch): void {
    this.watches.delete(watch.wd);
    watch.inode.watches?.delete(watch);
  }

  private push(event: InotifyEvent): void {
    const last = this.events.at(-1);
    const same =
      last !== undefined &&
      last.wd === event.wd &&
      last.mask === event.mask &&
      last.cookie === event.cookie &&
      last.name === event.name;
    if (same) return;
    if (this.events.length >= MAX_QUEUED) {
      if (last?.mask !== IN.Q_OVERFLOW)
        this.events.push({ wd: -1, mask: IN.Q_OVERFLOW, cookie: 0, name: '' });
    } else {
      this.events.push(event);
    }
    this.queue.wake(POLL.IN | POLL.RDNORM);
  }

  /** One event for a watch, with what follows from one-shot watches and vanished inodes. */
  deliver(watch: InodeWatch, mask: number, cookie: number, name: string): void {
    this.push({ wd: watch.wd, mask, cookie, name });
    if ((watch.mask & IN.ONESHOT) !== 0 || (mask & IN.DELETE_SELF) !== 0) this.removeWatch(watch.wd);
  }

  read(_kernel: Kernel, _task: Task, length: number): Uint8Array | number | Block {
    if (this.events.length === 0)
      return this.nonblocking ? -E.AGAIN : block([this.queue], 'read inotify', { restart: 'restart-nohand' });
    const parts: Uint8Array[] = [];
    let size = 0;
    while (this.events.length > 0) {
      const packed = packEvent(this.events[0]);
      if (size + packed.length > length) break;
      this.events.shift();
      parts.push(packed);
      size += packed.length;
    }
    if (parts.length === 0) return -E.INVAL;
    const out = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }

  write(): number {
    return -E.BADF;
  }

  override close(): void {
    for (const watch of [...this.watches.values()]) this.forget(watch);
  }

  override ioctl(_kernel: Kernel, task: Task, request: number, argument: number): SysResult {
    if (request !== IOCTL.FIONREAD) return -E.NOTTY;
    const size = this.events.reduce((sum, event) => sum + packEvent(event).length, 0);
    task.process.space.write32(argument, size);
    return 0;
  }
}

/** struct inotify_event: wd, mask, cookie, len, then the name padded with NULs to a multiple of 16. */
function packEvent(event: InotifyEvent): Uint8Array {
  const name = encodeText(event.name);
  const padded = name.length === 0 ? 0 : (name.length + 1 + 15) & ~15;
  const out = new Uint8Array(16 + padded);
  const view = new DataView(out.buffer);
  view.setInt32(0, event.wd, true);
  view.setUint32(4, event.mask, true);
  view.setUint32(8, event.cookie, true);
  view.setUint32(12, padded, true);
  out.set(name, 16);
  return out;
}

function tell(inode: Inode, event: number, cookie: number, name: string): void {
  if (inode.watches === undefined) return;
  for (const watch of [...inode.watches]) {
    if ((watch.mask & event & ALL_EVENTS) !== 0 || (event & IN.DELETE_SELF) !== 0) {
      if ((watch.mask & event) !== 0) watch.owner.deliver(watch, event >>> 0, cookie, name);
      else watch.owner.removeWatch(watch.wd);
    }
  }
}

/** Something happened to the entry `name` of a directory. */
export function notifyEntry(directory: Inode, event: number, name: string, subject: Inode, cookie = 0): void {
  tell(directory, event | (subject.type === S.IFDIR ? IN.ISDIR : 0), cookie, name);
}

/** Something happened to a file: told to its own watches and, with its name, to those of its directory. */
export function notifyFile(dentry: Dentry, event: number): void {
  const { inode } = dentry;
  const flag = inode.type === S.IFDIR ? IN.ISDIR : 0;
  if (dentry.parent !== undefined && !dentry.gone) tell(dentry.parent.inode, event | flag, 0, dentry.name);
  tell(inode, event | flag, 0, '');
}

/** The last name of an inode is gone and nobody has it open. */
/** The number of names has changed: only who watches the file itself is told (fsnotify_link_count). */
export function notifyLinks(inode: Inode): void {
  tell(inode, IN.ATTRIB, 0, '');
}
export function notifyDeleted(inode: Inode): void {
  tell(inode, IN.DELETE_SELF, 0, '');
}
/** A file was renamed. */
export function notifyMoved(inode: Inode): void {
  tell(inode, IN.MOVE_SELF, 0, '');
}
