// Attributes: chmod, chown, utimes and extended attributes (fs/attr.c, fs/xattr.c).
import { encodeText } from '../bytes/index.ts';
import type { Op, Resource } from '../effect/index.ts';
import { AT, S } from './abi-file.ts';
import { CAP } from './abi-process.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import { IN, notifyFile } from './inotify.ts';
import type { Kernel } from './kernel.ts';
import { effectOn, fileOf, pathAt } from './sys-file-common.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { hasAcls, isAcl, removeAcl, setAcl } from './vfs-acl.ts';
import { type Inode, type Place, realTime } from './vfs-inode.ts';
import {
  actorOf,
  capable,
  inGroup,
  MAY,
  ownerOrCapable,
  permission,
  withoutPrivileges,
} from './vfs-permission.ts';
import { PlacedFile } from './vfs-placed.ts';
import type { SysResult } from './wait.ts';

/** What an attribute call is about: a file, and how effects name it. */
interface Target {
  readonly place: Place | number;
  readonly resource: Resource;
}

interface At {
  readonly dirfd: number;
  readonly address: number;
  /** AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. */
  readonly flags: number;
}

function targetAt(kernel: Kernel, task: Task, { dirfd, address, flags }: At): Target | number {
  const path = pathAt(task, address);
  if (typeof path === 'number') return path;
  const emptyPath = (flags & AT.EMPTY_PATH) !== 0;
  if (path === '' && emptyPath && dirfd !== AT.FDCWD) return targetOf(task, dirfd, true);
  const place = kernel.vfs.find(kernel, task, {
    dirfd,
    path,
    emptyPath,
    follow: (flags & AT.SYMLINK_NOFOLLOW) === 0,
  });
  return {
    place,
    resource: {
      kind: 'file',
      type: typeof place !== 'number' && place.dentry.inode.type === S.IFDIR ? 'd' : 'f',
      path: kernel.vfs.nameAt(task, dirfd, path),
    },
  };
}

function targetOf(task: Task, fd: number, pathOnly = false): Target | number {
  const file = pathOnly ? task.process.files.get(fd) : fileOf(task, fd);
  if (file === undefined) return -E.BADF;
  // Pipes, sockets and anonymous inodes: attribute changes succeed and mean nothing to anybody.
  return { place: file instanceof PlacedFile ? file.place : 0, resource: file.resource() };
}

/** Runs `change` on the inode where the mount may be written, and records the effect. */
function apply(
  kernel: Kernel,
  task: Task,
  op: Op,
  target: Target | number,
  change: (inode: Inode) => number,
): SysResult {
  if (typeof target === 'number') return target;
  const { place, resource } = target;
  let result: number;
  if (typeof place === 'number') result = place;
  else if (place.mount.flags.readOnly) result = -E.ROFS;
  else {
    const { inode } = place.dentry;
    result = change(inode);
    if (result === 0) {
      inode.ctime = realTime(kernel);
      notifyFile(place.dentry, IN.ATTRIB);
    }
  }
  kernel.effect(task, effectOn(op, resource), result);
  return result;
}

function chmod(kernel: Kernel, task: Task, target: Target | number, mode: number): SysResult {
  return apply(kernel, task, 'CHMOD', target, (inode) => {
    const actor = actorOf(task);
    if (inode.type === S.IFLNK) return -E.OPNOTSUPP;
    if (!ownerOrCapable(actor, inode)) return -E.PERM;
    const bits = inGroup(actor, inode.gid) || capable(actor, CAP.FSETID) ? mode : mode & ~S.ISGID;
    inode.mode = inode.type | (bits & 0o7777);
    return 0;
  });
}

/** uid or gid -1: unchanged. */
function chown(kernel: Kernel, task: Task, target: Target | number, uid: number, gid: number): SysResult {
  return apply(kernel, task, 'CHOWN', target, (inode) => {
    const actor = actorOf(task);
    const owner = actor === undefined || inode.uid === actor.fsuid;
    const mayUid = uid === NOBODY || capable(actor, CAP.CHOWN) || (owner && uid === inode.uid);
    const mayGid =
      gid === NOBODY || capable(actor, CAP.CHOWN) || (owner && (inGroup(actor, gid) || gid === inode.gid));
    if (!mayUid || !mayGid) return -E.PERM;
    // The set-user-ID bit goes in any case, and that is a change of mode.
    const drops = inode.type !== S.IFDIR && withoutPrivileges(POWERLESS, inode) !== inode.mode;
    if (drops && !ownerOrCapable(actor, inode)) return -E.PERM;
    if (uid !== NOBODY) inode.uid = uid;
    if (gid !== NOBODY) inode.gid = gid;
    if (inode.type !== S.IFDIR) {
      inode.mode = withoutPrivileges(POWERLESS, inode);
      inode.xattrs?.delete('security.capability');
    }
    return 0;
  });
}
const NOBODY = 0xffffffff;
/** A change of owner takes set-user-ID away from whoever does it. */
const POWERLESS = { fsuid: NOBODY, fsgid: NOBODY, groups: [], effective: 0n };

const CHOWN_FLAGS = AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH;

function fchownat(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const flags = args.int(4);
  if ((flags & ~CHOWN_FLAGS) !== 0) return -E.INVAL;
  return chown(
    kernel,
    task,
    targetAt(kernel, task, { dirfd: args.int(0), address: args.pointer(1), flags }),
    args.uint(2),
    args.uint(3),
  );
}
function fchmodat2(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const flags = args.int(3);
  if ((flags & ~CHOWN_FLAGS) !== 0) return -E.INVAL;
  return chmod(
    kernel,
    task,
    targetAt(kernel, task, { dirfd: args.int(0), address: args.pointer(1), flags }),
    args.int(2),
  );
}

/** New access and modification times, epoch ns; undefined: now, null: unchanged. */
type Times = readonly [bigint | undefined | null, bigint | undefined | null];

function utimes(kernel: Kernel, task: Task, target: Target | number, times: Times): SysResult {
  if (times[0] === null && times[1] === null)
    return typeof target === 'number' ? target : typeof target.place === 'number' ? target.place : 0;
  return apply(kernel, task, 'UTIME', target, (inode) => {
    const actor = actorOf(task);
    if (!ownerOrCapable(actor, inode)) {
      const bothNow = times[0] === undefined && times[1] === undefined;
      if (!bothNow) return -E.PERM;
      const denied = permission(actor, inode, MAY.WRITE);
      if (denied !== 0) return denied;
    }
    const now = realTime(kernel);
    if (times[0] !== null) inode.atime = times[0] ?? now;
    if (times[1] !== null) inode.mtime = times[1] ?? now;
    return 0;
  });
}

const UTIME_NOW = 0x3fffffffn;
const UTIME_OMIT = 0x3ffffffen;
const SECOND = 1_000_000_000n;

/** struct timespec[2] (or with `unit` 1000 timeval[2]); address 0: now. */
function timesAt(task: Task, address: number, unit: bigint): Times | number {
  if (address === 0) return [undefined, undefined];
  const out: (bigint | undefined | null)[] = [];
  for (const at of [address, address + 16]) {
    const seconds = BigInt.asIntN(64, task.process.space.read64(at));
    const part = BigInt.asIntN(64, task.process.space.read64(at + 8));
    if (unit === 1n && part === UTIME_NOW) out.push(undefined);
    else if (unit === 1n && part === UTIME_OMIT) out.push(null);
    else if (part < 0n || part * unit >= SECOND) return -E.INVAL;
    else out.push(seconds * SECOND + part * unit);
  }
  return [out[0], out[1]];
}

function utimensat(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [dirfd, address, flags] = [args.int(0), args.pointer(1), args.int(3)];
  if ((flags & ~CHOWN_FLAGS) !== 0) return -E.INVAL;
  const times = timesAt(task, args.pointer(2), 1n);
  if (typeof times === 'number') return times;
  const byDescriptor = address === 0 && dirfd !== AT.FDCWD;
  if (byDescriptor && flags !== 0) return -E.INVAL;
  return utimes(
    kernel,
    task,
    byDescriptor ? targetOf(task, dirfd) : targetAt(kernel, task, { dirfd, address, flags }),
    times,
  );
}

function utimesByPath(
  kernel: Kernel,
  task: Task,
  dirfd: number,
  address: number,
  times: Times | number,
): SysResult {
  return typeof times === 'number'
    ? times
    : utimes(kernel, task, targetAt(kernel, task, { dirfd, address, flags: 0 }), times);
}

function utime(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const at = args.pointer(1);
  const { space } = task.process;
  const second = (address: number): bigint => BigInt.asIntN(64, space.read64(address)) * SECOND;
  return utimesByPath(
    kernel,
    task,
    AT.FDCWD,
    args.pointer(0),
    at === 0 ? [undefined, undefined] : [second(at), second(at + 8)],
  );
}

// Extended attributes

const XATTR_NAME_MAX = 255;
const XATTR_SIZE_MAX = 65536;

function attributeName(task: Task, address: number): string | number {
  const name = pathAt(task, address);
  if (typeof name === 'number') return -E.RANGE;
  return name === '' || name.length > XATTR_NAME_MAX ? -E.RANGE : name;
}

/** 0 where the namespace may be read or written. */
function mayUseAttribute(task: Task, inode: Inode, name: string, write: boolean): number {
  const actor = actorOf(task);
  const space = name.slice(0, name.indexOf('.') + 1);
  switch (space) {
    case 'user.':
      if (inode.type !== S.IFREG && inode.type !== S.IFDIR) return write ? -E.PERM : -E.NODATA;
      return permission(actor, inode, write ? MAY.WRITE : MAY.READ);
    case 'trusted.':
      return capable(actor, CAP.SYS_ADMIN) ? 0 : write ? -E.PERM : -E.NODATA;
    case 'security.': {
      const needed = name === 'security.capability' ? CAP.SETFCAP : CAP.SYS_ADMIN;
      return write && !capable(actor, needed) ? -E.PERM : 0;
    }
    case 'system.':
      return isAcl(name) && hasAcls(inode) ? 0 : -E.OPNOTSUPP;
    default:
      return -E.OPNOTSUPP;
  }
}

function setxattr(kernel: Kernel, task: Task, target: Target | number, args: SysArgs): SysResult {
  const name = attributeName(task, args.pointer(1));
  const [address, size, flags] = [args.pointer(2), args.size(3), args.int(4)];
  if ((flags & ~3) !== 0) return -E.INVAL;
  if (typeof name === 'number') return name;
  if (size > XATTR_SIZE_MAX) return -E['2BIG'];
  const value = size === 0 ? new Uint8Array(0) : task.process.space.read(address, size);
  return apply(kernel, task, 'SETXATTR', target, (inode) => {
    const denied = mayUseAttribute(task, inode, name, true);
    if (denied !== 0) return denied;
    if (/^(user|trusted|security)\.$/.test(name)) return -E.INVAL;
    if (isAcl(name)) return keptAcl(kernel, task, setAcl(actorOf(task), inode, name, value));
    const known = inode.xattrs?.has(name) === true;
    if ((flags & 1) !== 0 && known) return -E.EXIST;
    if ((flags & 2) !== 0 && !known) return -E.NODATA;
    inode.xattrs ??= new Map();
    inode.xattrs.set(name, value);
    return 0;
  });
}

function keptAcl(kernel: Kernel, task: Task, result: number | 'kept'): number {
  if (result !== 'kept') return result;
  kernel.cutHere(task, {
    kind: 'syscall-option',
    what: 'access control list of named users or groups, or for new files',
    consequence: 'kept; the mode decides',
  });
  return 0;
}

function removexattr(kernel: Kernel, task: Task, target: Target | number, args: SysArgs): SysResult {
  const name = attributeName(task, args.pointer(1));
  if (typeof name === 'number') return name;
  return apply(kernel, task, 'SETXATTR', target, (inode) => {
    const denied = mayUseAttribute(task, inode, name, true);
    if (denied !== 0) return denied;
    if (isAcl(name)) return keptAcl(kernel, task, removeAcl(actorOf(task), inode, name));
    return inode.xattrs?.delete(name) === true ? 0 : -E.NODATA;
  });
}

/** Puts bytes into a buffer whose size 0 asks for the length only. */
function fill(task: Task, bytes: Uint8Array, address: number, size: number): number {
  if (size === 0) return bytes.length;
  if (bytes.length > size) return -E.RANGE;
  task.process.space.write(address, bytes);
  return bytes.length;
}

function inodeOf(target: Target | number): Inode | number {
  if (typeof target === 'number') return target;
  const { place } = target;
  return typeof place === 'number' ? (place === 0 ? -E.OPNOTSUPP : place) : place.dentry.inode;
}

function getxattr(task: Task, target: Target | number, args: SysArgs): SysResult {
  const name = attributeName(task, args.pointer(1));
  if (typeof name === 'number') return name;
  const inode = inodeOf(target);
  if (typeof inode === 'number') return inode;
  const denied = mayUseAttribute(task, inode, name, false);
  if (denied !== 0) return denied;
  const value = inode.xattrs?.get(name);
  return value === undefined ? -E.NODATA : fill(task, value, args.pointer(2), args.size(3));
}

function listxattr(task: Task, target: Target | number, args: SysArgs): SysResult {
  const inode = inodeOf(target);
  if (typeof inode === 'number') return inode;
  const hidden = !capable(actorOf(task), CAP.SYS_ADMIN);
  const names = [...(inode.xattrs?.keys() ?? [])].filter((name) => !(hidden && name.startsWith('trusted.')));
  return fill(task, encodeText(names.map((name) => `${name}\0`).join('')), args.pointer(1), args.size(2));
}

const CWD = AT.FDCWD;
const byPath = (kernel: Kernel, task: Task, args: SysArgs): Target | number =>
  targetAt(kernel, task, { dirfd: CWD, address: args.pointer(0), flags: 0 });
const byLink = (kernel: Kernel, task: Task, args: SysArgs): Target | number =>
  targetAt(kernel, task, { dirfd: CWD, address: args.pointer(0), flags: AT.SYMLINK_NOFOLLOW });
const byFd = (_kernel: Kernel, task: Task, args: SysArgs): Target | number => targetOf(task, args.int(0));
const WAYS = [
  ['', byPath],
  ['l', byLink],
  ['f', byFd],
] as const;

export const attributeRows: readonly SyscallRow[] = [
  row('chmod', (kernel, task, args) => chmod(kernel, task, byPath(kernel, task, args), args.int(1))),
  row('fchmod', (kernel, task, args) => chmod(kernel, task, byFd(kernel, task, args), args.int(1))),
  row('fchmodat', (kernel, task, args) =>
    chmod(
      kernel,
      task,
      targetAt(kernel, task, { dirfd: args.int(0), address: args.pointer(1), flags: 0 }),
      args.int(2),
    ),
  ),
  row('fchmodat2', fchmodat2),
  row('chown', (kernel, task, args) =>
    chown(kernel, task, byPath(kernel, task, args), args.uint(1), args.uint(2)),
  ),
  row('lchown', (kernel, task, args) =>
    chown(kernel, task, byLink(kernel, task, args), args.uint(1), args.uint(2)),
  ),
  row('fchown', (kernel, task, args) =>
    chown(kernel, task, byFd(kernel, task, args), args.uint(1), args.uint(2)),
  ),
  row('fchownat', fchownat),
  row('utime', utime),
  row('utimes', (kernel, task, args) =>
    utimesByPath(kernel, task, CWD, args.pointer(0), timesAt(task, args.pointer(1), 1000n)),
  ),
  row('futimesat', (kernel, task, args) =>
    utimesByPath(kernel, task, args.int(0), args.pointer(1), timesAt(task, args.pointer(2), 1000n)),
  ),
  row('utimensat', utimensat),
  ...WAYS.flatMap(([prefix, find]) => [
    row(`${prefix}setxattr`, (kernel, task, args) => setxattr(kernel, task, find(kernel, task, args), args)),
    row(`${prefix}getxattr`, (kernel, task, args) => getxattr(task, find(kernel, task, args), args)),
    row(`${prefix}listxattr`, (kernel, task, args) => listxattr(task, find(kernel, task, args), args)),
    row(`${prefix}removexattr`, (kernel, task, args) =>
      removexattr(kernel, task, find(kernel, task, args), args),
    ),
  ]),
];
