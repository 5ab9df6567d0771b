// Open files that a path leads to: what they share, and the two that need no more: directories and O_PATH.
import type { FileType, Resource } from '../effect/index.ts';
import { type DirectoryEntry, S } from './abi-file.ts';
import { E } from './errno.ts';
import { OpenFile, POLL } from './file.ts';
import { notifyDeleted } from './inotify.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import { type DirectoryInode, type Inode, type Opening, type Place, parentPlace } from './vfs-inode.ts';
import { WaitQueue } from './wait.ts';

/** As libsinsp has it: what is opened by path is a directory or a file, devices and FIFOs included. */
export const fileTypeOf = (mode: number): FileType => ((mode & S.IFMT) === S.IFDIR ? 'd' : 'f');

export abstract class PlacedFile extends OpenFile {
  readonly place: Place;
  /** As opened: absolute, normalized, symlinks not resolved. */
  readonly name: string;
  readonly queue = new WaitQueue();
  private readonly writer: boolean;

  constructor(opening: Opening) {
    super(opening.flags);
    this.place = opening.place;
    this.name = opening.name;
    this.writer = (opening.flags & 0o3) !== 0 && (opening.flags & 0o10000000) === 0;
    this.inode.opens++;
    if (this.writer) this.inode.writers++;
  }

  /** epoll takes it: it can have nothing to read. */
  get pollable(): boolean {
    return false;
  }

  /** Has an offset. */
  get seekable(): boolean {
    return true;
  }

  get inode(): Inode {
    return this.place.dentry.inode;
  }
  get type(): FileType {
    return fileTypeOf(this.inode.mode);
  }
  resource(): Resource {
    return { kind: 'file', type: this.type, path: this.name };
  }
  poll(_kernel: Kernel, _task: Task): number {
    return POLL.IN | POLL.OUT | POLL.RDNORM | POLL.WRNORM;
  }
  override close(_kernel: Kernel): void {
    const { inode } = this;
    inode.locks?.unlockWhole(this);
    inode.locks?.release(this);
    inode.locks?.releaseDead();
    inode.opens--;
    if (this.writer) inode.writers--;
    if (inode.opens === 0 && inode.nlink === 0) {
      notifyDeleted(inode);
      inode.free();
    }
  }
}

/** A directory opened for reading. The names are taken at the first getdents, so that unlinking while reading skips none. */
export class DirectoryFile extends PlacedFile {
  private listing: readonly DirectoryEntry[] | undefined = undefined;

  read(): number {
    return -E.ISDIR;
  }
  write(): number {
    return -E.BADF;
  }

  /** Entries from `position` on, with their positions; `.` and `..` first. Names that are gone meanwhile are left out. */
  *entries(kernel: Kernel, task: Task): Generator<readonly [entry: DirectoryEntry, next: number]> {
    const { dentry } = this.place;
    const directory = dentry.inode as DirectoryInode;
    const looker = { kernel, task };
    if (this.listing === undefined || this.position === 0) {
      const above = (parentPlace(this.place)?.dentry ?? dentry).inode;
      this.listing = [
        { name: '.', ino: directory.ino, mode: directory.mode },
        { name: '..', ino: above.ino, mode: above.mode },
        ...(dentry.gone ? [] : directory.listInOrder(looker, dentry)),
      ];
    }
    for (let i = this.position; i < this.listing.length; i++) {
      const entry = this.listing[i];
      if (i >= 2 && directory.lookup(looker, dentry, entry.name) === undefined) continue;
      yield [entry, i + 1];
    }
  }
}

/** O_PATH: a place, nothing more. */
export class PathFile extends PlacedFile {
  read(): number {
    return -E.BADF;
  }
  write(): number {
    return -E.BADF;
  }
  override poll(): number {
    return POLL.NVAL;
  }
}

/** Opens a directory inode; what every directory's `open` does. */
export function openDirectory(opening: Opening): DirectoryFile | number {
  if ((opening.flags & 0o3) !== 0) return -E.ISDIR;
  return new DirectoryFile(opening);
}
