// The file system's nouns: superblocks, inodes, dentries, mounts, places. Concrete inodes live in their own files
// (vfs-file, vfs-tree, devfs, pipe, procfs); this one knows none of them. Plain data, no closures (wait.ts).

import { type DirectoryEntry, S, type Stat } from './abi-file.ts';
import { E } from './errno.ts';
import type { OpenFile } from './file.ts';
import type { InodeWatch } from './inotify.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import type { InodeLocks } from './vfs-locks.ts';
import type { Actor } from './vfs-permission.ts';
import type { Block } from './wait.ts';

/** What tells the time; the kernel, or its environment while the file system is being set up. */
export type Clock = Pick<Kernel, 'environment' | 'now'>;

/** CLOCK_REALTIME, epoch ns: what file times are taken from. */
export const realTime = (clock: Clock): bigint => clock.environment.time + clock.now;

/** One mounted file system instance. */
export class Superblock {
  /** As in /proc/filesystems. */
  readonly type: string;
  /** st_dev is 0:minor, as for all file systems without a device. */
  readonly minor: number;
  /** statfs f_type. */
  readonly magic: number;
  /** Bytes that fit; ENOSPC beyond. */
  readonly capacity: number;
  used = 0;
  inodes = 0;
  private nextIno: number;

  constructor(
    type: string,
    minor: number,
    options: { readonly magic: number; readonly capacity?: number; readonly firstIno?: number },
  ) {
    this.type = type;
    this.minor = minor;
    this.magic = options.magic;
    this.capacity = options.capacity ?? 64 * 2 ** 30;
    this.nextIno = options.firstIno ?? 1;
  }

  takeIno(): number {
    this.inodes++;
    return this.nextIno++;
  }
}

/** What `Inode.open` is told. */
export interface Opening {
  readonly kernel: Kernel;
  /** Undefined: the kernel itself opens (standard streams at boot). */
  readonly task: Task | undefined;
  readonly flags: number;
  readonly place: Place;
  /** The path as opened, absolute and normalized, symlinks not resolved: what effects name. */
  readonly name: string;
  /** O_NOCTTY: a terminal does not become that of the session. */
  readonly noTerminal?: boolean;
}

export abstract class Inode {
  readonly superblock: Superblock;
  readonly ino: number;
  /** st_mode with the type. */
  mode: number;
  uid = 0;
  gid = 0;
  nlink = 1;
  /** Made by O_TMPFILE: may get its first name by linkat. */
  linkable = false;
  atime = 0n;
  mtime = 0n;
  ctime = 0n;
  btime = 0n;
  xattrs: Map<string, Uint8Array> | undefined = undefined;
  locks: InodeLocks | undefined = undefined;
  watches: Set<InodeWatch> | undefined = undefined;
  /** Open file descriptions on it that may write; execve of such a file is ETXTBSY. */
  writers = 0;
  /** Open file descriptions and mappings by execve: an unlinked inode lives on while there are any. */
  opens = 0;

  constructor(superblock: Superblock, mode: number, ino?: number) {
    this.superblock = superblock;
    this.mode = mode;
    this.ino = ino ?? superblock.takeIno();
  }

  get size(): number {
    return 0;
  }
  /** 512-byte blocks in use. */
  get blocks(): number {
    return 0;
  }
  get blksize(): number {
    // procfs's blocks are smaller than pages: the C library's buffers go by it.
    return this.superblock.type === 'proc' ? 1024 : 4096;
  }
  get rdevMajor(): number {
    return 0;
  }
  get rdevMinor(): number {
    return 0;
  }
  get type(): number {
    return this.mode & S.IFMT;
  }
  /** Access is by path only: /proc files are generated on open and have no size. */
  abstract open(opening: Opening): OpenFile | number | Block;
  /** Cut or extend to `size` bytes; a negative errno where it can't. The actor loses what a write takes away (set-user-ID). */
  truncate(_kernel: Kernel, _size: number, _actor: Actor): number {
    return -E.INVAL;
  }
  /** No name and no open description is left. */
  free(): void {}

  stat(mount: Mount): Stat {
    return {
      major: 0,
      minor: this.superblock.minor,
      ino: this.ino,
      nlink: this.nlink,
      mode: this.mode,
      uid: this.uid,
      gid: this.gid,
      rdevMajor: this.rdevMajor,
      rdevMinor: this.rdevMinor,
      size: this.size,
      blksize: this.blksize,
      blocks: this.blocks,
      atime: this.atime,
      mtime: this.mtime,
      ctime: this.ctime,
      btime: this.btime,
      mountId: mount.id,
      mountRoot: mount.root.inode === this,
    };
  }

  /** Contents changed. */
  touch(clock: Clock): void {
    this.mtime = this.ctime = realTime(clock);
  }
}

/** Context of a lookup in a directory whose entries depend on who looks (/proc). */
export interface Looker {
  readonly kernel: Kernel;
  readonly task: Task | undefined;
}

export abstract class DirectoryInode extends Inode {
  /** Contents are the environment's (a mount of which nothing is known): what is missing may be there in a deployment. */
  readonly unknown: boolean = false;
  /** The entry of that name, never `.` or `..`. `self` is the dentry by which this directory was reached. */
  abstract lookup(looker: Looker, self: Dentry, name: string): Dentry | undefined;
  /** Names and types in a stable order, without `.` and `..`. */
  abstract list(looker: Looker, self: Dentry): DirectoryEntry[];
  /** The same as programs get it: in the kernel's own order, where the file system is not stored. */
  listInOrder(looker: Looker, self: Dentry): DirectoryEntry[] {
    return this.list(looker, self);
  }
  /** Takes the dentry in; a negative errno where nothing can be created here. */
  insert(_clock: Clock, _dentry: Dentry): number {
    return -E.PERM;
  }
  remove(_clock: Clock, _dentry: Dentry): number {
    return -E.PERM;
  }
  isEmpty(looker: Looker, self: Dentry): boolean {
    return this.list(looker, self).length === 0;
  }
  override get size(): number {
    return 4096;
  }
}

export abstract class SymlinkInode extends Inode {
  abstract readlink(looker: Looker): string | number;
  /** For the magic links of /proc: where it leads without a walk over its text. */
  jump(_looker: Looker): Place | number | undefined {
    return undefined;
  }
  override open(): number {
    return -E.LOOP;
  }
}

/** A name in a directory. A directory has exactly one, so a chain of dentries is its path. */
export class Dentry {
  name: string;
  parent: Dentry | undefined;
  readonly inode: Inode;
  /** Mounts on it; which one applies depends on the mount by which it was reached. */
  mounted: Mount[] | undefined = undefined;
  /** Unlinked, or replaced by a rename. */
  gone = false;

  constructor(name: string, parent: Dentry | undefined, inode: Inode) {
    this.name = name;
    this.parent = parent;
    this.inode = inode;
  }
}

export interface MountFlags {
  readonly readOnly: boolean;
  readonly nosuid: boolean;
  readonly nodev: boolean;
  readonly noexec: boolean;
  readonly relatime: boolean;
}

export class Mount {
  readonly id: number;
  readonly parent: Mount | undefined;
  /** The dentry that it covers, in `parent`. */
  readonly point: Dentry | undefined;
  readonly root: Dentry;
  readonly superblock: Superblock;
  readonly flags: MountFlags;
  /** For /proc/mounts: device column and options of the file system. */
  readonly source: string;
  readonly options: string;
  /** For /proc/self/mountinfo: path of `root` within its file system. */
  readonly within: string;

  constructor(
    id: number,
    at: { readonly mount: Mount; readonly dentry: Dentry } | undefined,
    parts: {
      readonly root: Dentry;
      readonly superblock: Superblock;
      readonly flags: MountFlags;
      readonly source: string;
      readonly options: string;
      readonly within?: string;
    },
  ) {
    this.id = id;
    this.parent = at?.mount;
    this.point = at?.dentry;
    this.root = parts.root;
    this.superblock = parts.superblock;
    this.flags = parts.flags;
    this.source = parts.source;
    this.options = parts.options;
    this.within = parts.within ?? '/';
  }
}

/** A dentry as reached through a mount. */
export interface Place {
  readonly mount: Mount;
  readonly dentry: Dentry;
}

export const samePlace = (a: Place, b: Place): boolean => a.mount === b.mount && a.dentry === b.dentry;

/** Down through whatever is mounted on a place. */
export function crossMounts(place: Place): Place {
  let { mount, dentry } = place;
  for (;;) {
    const over: Mount | undefined = dentry.mounted?.findLast((candidate) => candidate.parent === mount);
    if (over === undefined) return mount === place.mount ? place : { mount, dentry };
    mount = over;
    dentry = over.root;
  }
}

/** The place above, through mount points; undefined at the top of the tree. */
export function parentPlace(place: Place): Place | undefined {
  let { mount, dentry } = place;
  while (dentry === mount.root) {
    if (mount.parent === undefined || mount.point === undefined) return undefined;
    dentry = mount.point;
    mount = mount.parent;
  }
  return dentry.parent === undefined ? undefined : { mount, dentry: dentry.parent };
}

/** Absolute path of a place below `root` (default: the container's root); undefined where it lies outside of it. */
export function placePath(place: Place, root?: Place): string | undefined {
  let text = '';
  let here = place;
  for (;;) {
    if (root !== undefined && samePlace(here, root)) return text === '' ? '/' : text;
    let { mount, dentry } = here;
    while (dentry === mount.root && mount.parent !== undefined && mount.point !== undefined) {
      dentry = mount.point;
      mount = mount.parent;
      if (root !== undefined && samePlace({ mount, dentry }, root)) return text === '' ? '/' : text;
    }
    if (dentry.parent === undefined) break;
    text = `/${dentry.name}${text}`;
    here = { mount, dentry: dentry.parent };
  }
  if (root !== undefined) return undefined;
  return text === '' ? '/' : text;
}

/** Whether any name on the way to it is gone. */
export function isGone(place: Place): boolean {
  for (let here: Dentry | undefined = place.dentry; here !== undefined; here = here.parent)
    if (here.gone) return true;
  return false;
}
