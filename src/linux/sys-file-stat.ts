// stat in all its forms, access, readlink, statfs, getdents, getcwd (fs/stat.c, fs/readdir.c, fs/statfs.c).
import { encodeText } from '../bytes/index.ts';
import { AT, packDirent, packStat, packStatFs, packStatx, S, type Stat } from './abi-file.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import { PipeFile } from './pipe.ts';
import { fileOf, pathAt } from './sys-file-common.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { isGone, type Mount, type Place, placePath, SymlinkInode } from './vfs-inode.ts';
import { actorOf, MAY, permission, realActor } from './vfs-permission.ts';
import { DirectoryFile, PlacedFile } from './vfs-placed.ts';
import type { SysResult } from './wait.ts';

/** What fstat tells of any open file. */
export function statOf(kernel: Kernel, file: OpenFile): Stat {
  if (file instanceof PlacedFile) return file.inode.stat(file.place.mount);
  if (file instanceof PipeFile && file.fifo !== undefined) return file.fifo.stat(kernel.vfs.root.mount);
  const { mode, ino, minor } = file.identity();
  const now = kernel.environment.time;
  return {
    major: 0,
    minor,
    ino,
    nlink: 1,
    mode,
    uid: 0,
    gid: 0,
    rdevMajor: 0,
    rdevMinor: 0,
    size: 0,
    blksize: 4096,
    blocks: 0,
    atime: now,
    mtime: now,
    ctime: now,
    btime: now,
    mountId: 0,
    mountRoot: false,
  };
}

function statPath(
  kernel: Kernel,
  task: Task,
  request: { readonly dirfd: number; readonly address: number; readonly flags: number },
): Stat | number {
  const { dirfd, address, flags } = request;
  const emptyPath = (flags & AT.EMPTY_PATH) !== 0;
  const path = address === 0 && emptyPath ? '' : pathAt(task, address);
  if (typeof path === 'number') return path;
  if (path === '' && emptyPath && dirfd !== AT.FDCWD) {
    const file = task.process.files.get(dirfd);
    return file === undefined ? -E.BADF : statOf(kernel, file);
  }
  const place = kernel.vfs.find(kernel, task, {
    dirfd,
    path,
    emptyPath,
    follow: (flags & AT.SYMLINK_NOFOLLOW) === 0,
  });
  return typeof place === 'number' ? place : place.dentry.inode.stat(place.mount);
}

function answer(task: Task, address: number, stat: Stat | number): SysResult {
  if (typeof stat === 'number') return stat;
  task.process.space.write(address, packStat(stat));
  return 0;
}

function fstat(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = task.process.files.get(args.int(0));
  return answer(task, args.pointer(1), file === undefined ? -E.BADF : statOf(kernel, file));
}

const STAT_FLAGS = AT.SYMLINK_NOFOLLOW | AT.NO_AUTOMOUNT | AT.EMPTY_PATH;

function newfstatat(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const flags = args.int(3);
  if ((flags & ~(STAT_FLAGS | AT.STATX_SYNC_TYPE)) !== 0) return -E.INVAL;
  return answer(
    task,
    args.pointer(2),
    statPath(kernel, task, { dirfd: args.int(0), address: args.pointer(1), flags }),
  );
}

function statx(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const flags = args.int(2);
  if (
    (flags & ~(STAT_FLAGS | AT.STATX_SYNC_TYPE)) !== 0 ||
    (flags & AT.STATX_SYNC_TYPE) === AT.STATX_SYNC_TYPE
  )
    return -E.INVAL;
  if ((args.uint(3) & 0x80000000) !== 0) return -E.INVAL;
  const stat = statPath(kernel, task, { dirfd: args.int(0), address: args.pointer(1), flags });
  if (typeof stat === 'number') return stat;
  task.process.space.write(args.pointer(4), packStatx(stat));
  return 0;
}

function access(
  kernel: Kernel,
  task: Task,
  request: {
    readonly dirfd: number;
    readonly address: number;
    readonly mode: number;
    readonly flags: number;
  },
): SysResult {
  const { dirfd, address, mode, flags } = request;
  if ((mode & ~7) !== 0 || (flags & ~(AT.EACCESS | AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) !== 0)
    return -E.INVAL;
  const actor = (flags & AT.EACCESS) !== 0 ? actorOf(task) : realActor(task.process.credentials);
  const path = pathAt(task, address);
  if (typeof path === 'number') return path;
  const emptyPath = (flags & AT.EMPTY_PATH) !== 0;
  const place = kernel.vfs.find(kernel, task, {
    dirfd,
    path,
    actor,
    emptyPath,
    follow: (flags & AT.SYMLINK_NOFOLLOW) === 0,
  });
  if (typeof place === 'number') return place;
  const { inode } = place.dentry;
  const { readOnly, noexec } = place.mount.flags;
  if ((mode & MAY.EXEC) !== 0 && inode.type === S.IFREG && noexec) return -E.ACCES;
  const denied = permission(actor, inode, mode);
  if (denied !== 0) return denied;
  const stored = inode.type === S.IFREG || inode.type === S.IFDIR || inode.type === S.IFLNK;
  return (mode & MAY.WRITE) !== 0 && readOnly && stored ? -E.ROFS : 0;
}

function readlink(
  kernel: Kernel,
  task: Task,
  dirfd: number,
  address: number,
  buffer: { readonly at: number; readonly size: number },
): SysResult {
  if (buffer.size <= 0) return -E.INVAL;
  const path = pathAt(task, address);
  if (typeof path === 'number') return path;
  const place = kernel.vfs.find(kernel, task, { dirfd, path, follow: false, emptyPath: dirfd !== AT.FDCWD });
  if (typeof place === 'number') return place;
  const { inode } = place.dentry;
  if (!(inode instanceof SymlinkInode)) return path === '' ? -E.NOENT : -E.INVAL;
  const text = inode.readlink({ kernel, task });
  if (typeof text === 'number') return text;
  const bytes = encodeText(text).subarray(0, buffer.size);
  task.process.space.write(buffer.at, bytes);
  return bytes.length;
}

const ST_FLAGS = [
  ['readOnly', 1],
  ['nosuid', 2],
  ['nodev', 4],
  ['noexec', 8],
  ['relatime', 4096],
] as const;
const ST_VALID = 32;

function answerStatFs(task: Task, address: number, mount: Mount): SysResult {
  const { superblock } = mount;
  const stored =
    superblock.type === 'proc' || superblock.type === 'sysfs' ? 0 : Math.floor(superblock.capacity / 4096);
  const files = stored === 0 ? 0 : 4_000_000;
  const flags = ST_FLAGS.reduce((all, [name, bit]) => (mount.flags[name] ? all | bit : all), ST_VALID);
  const stat = {
    magic: superblock.magic,
    blockSize: 4096,
    blocks: stored,
    free: stored - Math.ceil(superblock.used / 4096),
    files,
    filesFree: Math.max(0, files - superblock.inodes),
    fsid: superblock.minor,
    flags,
  };
  task.process.space.write(address, packStatFs(stat));
  return 0;
}

function statfs(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const path = pathAt(task, args.pointer(0));
  if (typeof path === 'number') return path;
  const place = kernel.vfs.find(kernel, task, { dirfd: AT.FDCWD, path });
  return typeof place === 'number' ? place : answerStatFs(task, args.pointer(1), place.mount);
}
function fstatfs(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = task.process.files.get(args.int(0));
  if (file === undefined) return -E.BADF;
  return answerStatFs(
    task,
    args.pointer(1),
    file instanceof PlacedFile ? file.place.mount : kernel.vfs.root.mount,
  );
}

function getdents(kernel: Kernel, task: Task, args: SysArgs, old: boolean): SysResult {
  const file = fileOf(task, args.int(0));
  if (file === undefined) return -E.BADF;
  if (!(file instanceof DirectoryFile)) return -E.NOTDIR;
  if (file.place.dentry.gone) return -E.NOENT;
  const limit = args.uint(2);
  let filled = 0;
  for (const [entry, next] of file.entries(kernel, task)) {
    const packed = packDirent(entry, next, old);
    if (filled + packed.length > limit) return filled === 0 ? -E.INVAL : filled;
    task.process.space.write(args.pointer(1) + filled, packed);
    filled += packed.length;
    file.position = next;
  }
  return filled;
}

function getcwd(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const place = kernel.vfs.base(kernel, task, AT.FDCWD);
  if (typeof place === 'number' || isGone(place)) return -E.NOENT;
  const text = visiblePath(kernel, task, place);
  const bytes = encodeText(`${text}\0`);
  if (bytes.length > args.size(1)) return -E.RANGE;
  task.process.space.write(args.pointer(0), bytes);
  return bytes.length;
}

/** A place's path as this task sees it: from its root, marked where it can't be reached or is gone. */
export function visiblePath(kernel: Kernel, task: Task | undefined, place: Place): string {
  const root = kernel.vfs.rootOf(kernel, task);
  const text = placePath(place, root) ?? `(unreachable)${placePath(place)}`;
  return isGone(place) ? `${text} (deleted)` : text;
}

const at = (dirfd: number, address: number, flags: number) => ({ dirfd, address, flags });

export const statRows: readonly SyscallRow[] = [
  row('stat', (kernel, task, args) =>
    answer(task, args.pointer(1), statPath(kernel, task, at(AT.FDCWD, args.pointer(0), 0))),
  ),
  row('lstat', (kernel, task, args) =>
    answer(task, args.pointer(1), statPath(kernel, task, at(AT.FDCWD, args.pointer(0), AT.SYMLINK_NOFOLLOW))),
  ),
  row('fstat', fstat),
  row('newfstatat', newfstatat),
  row('statx', statx),
  row('access', (kernel, task, args) =>
    access(kernel, task, { ...at(AT.FDCWD, args.pointer(0), 0), mode: args.int(1) }),
  ),
  row('faccessat', (kernel, task, args) =>
    access(kernel, task, { ...at(args.int(0), args.pointer(1), 0), mode: args.int(2) }),
  ),
  row('faccessat2', (kernel, task, args) =>
    access(kernel, task, { ...at(args.int(0), args.pointer(1), args.int(3)), mode: args.int(2) }),
  ),
  row('readlink', (kernel, task, args) =>
    readlink(kernel, task, AT.FDCWD, args.pointer(0), { at: args.pointer(1), size: args.int(2) }),
  ),
  row('readlinkat', (kernel, task, args) =>
    readlink(kernel, task, args.int(0), args.pointer(1), { at: args.pointer(2), size: args.int(3) }),
  ),
  row('statfs', statfs),
  row('fstatfs', fstatfs),
  row('getdents', (kernel, task, args) => getdents(kernel, task, args, true)),
  row('getdents64', (kernel, task, args) => getdents(kernel, task, args, false)),
  row('getcwd', getcwd),
];
