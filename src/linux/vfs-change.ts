// Changes to directories: create, link, unlink, rmdir, rename (fs/namei.c vfs_*). Each takes what a walk found,
// checks what Linux checks in its order, and answers 0 or a negative errno (create: the new dentry).
import { RENAME, S } from './abi-file.ts';
import { CAP } from './abi-process.ts';
import { E } from './errno.ts';
import { IN, notifyDeleted, notifyEntry, notifyLinks, notifyMoved } from './inotify.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import { Dentry, DirectoryInode, type Inode, type Place, placePath, realTime } from './vfs-inode.ts';
import { type Actor, capable, inGroup, MAY, mayDelete, mayLink, permission } from './vfs-permission.ts';
import type { Walked } from './vfs-walk.ts';

export interface Change {
  readonly kernel: Kernel;
  readonly task: Task | undefined;
  readonly actor: Actor;
  /** From outside of the container, whose mounts may be read-only for it alone. */
  readonly outside?: boolean;
}

/** 0 where a name may be added to the directory. */
function mayCreate(actor: Actor, parent: Place): number {
  if (parent.dentry.gone) return -E.NOENT;
  return permission(actor, parent.dentry.inode, MAY.WRITE | MAY.EXEC);
}

const isDot = (name: string): boolean => name === '.' || name === '..' || name === '';

/** Adds a new inode under the name that the walk found missing. `make` gets the owner set afterwards. */
export function createEntry(
  change: Change,
  walked: Walked,
  make: (directory: DirectoryInode) => Inode,
): Dentry | number {
  const { kernel, actor } = change;
  if (walked.place !== undefined) return -E.EXIST;
  const { parent } = walked;
  const directory = parent.dentry.inode;
  if (!(directory instanceof DirectoryInode)) return -E.NOTDIR;
  if (parent.mount.flags.readOnly && change.outside !== true) return -E.ROFS;
  const denied = mayCreate(actor, parent);
  if (denied !== 0) return denied;
  const inode = make(directory);
  own(change, inode, directory);
  const dentry = new Dentry(walked.name, parent.dentry, inode);
  const error = directory.insert(kernel, dentry);
  if (error !== 0) return error;
  notifyEntry(directory, IN.CREATE, dentry.name, inode);
  return dentry;
}

/** Owner, times, and what a set-group-ID directory hands down. */
export function own(change: Change, inode: Inode, directory: Inode): void {
  const { actor } = change;
  inode.uid = actor?.fsuid ?? 0;
  inode.gid = actor?.fsgid ?? 0;
  if ((directory.mode & S.ISGID) !== 0) {
    inode.gid = directory.gid;
    if (inode.type === S.IFDIR) inode.mode |= S.ISGID;
    else if (
      (inode.mode & (S.ISGID | 0o010)) === (S.ISGID | 0o010) &&
      !inGroup(actor, inode.gid) &&
      !capable(actor, CAP.FSETID)
    )
      inode.mode &= ~S.ISGID;
  }
  inode.atime = inode.mtime = inode.ctime = inode.btime = realTime(change.kernel);
}

/** A second name for the inode of `from`. */
export function linkEntry(change: Change, from: Place, walked: Walked): number {
  const { kernel, actor } = change;
  const { inode } = from.dentry;
  if (walked.place !== undefined) return -E.EXIST;
  if (walked.slash) return -E.NOENT;
  if (walked.parent.mount !== from.mount) return -E.XDEV;
  if (walked.parent.mount.flags.readOnly) return -E.ROFS;
  if (!mayLink(actor, inode)) return -E.PERM;
  const denied = mayCreate(actor, walked.parent);
  if (denied !== 0) return denied;
  const directory = walked.parent.dentry.inode as DirectoryInode;
  if (inode.superblock !== directory.superblock) return -E.XDEV;
  if (inode.type === S.IFDIR) return -E.PERM;
  if (inode.nlink === 0 && !inode.linkable) return -E.NOENT;
  const dentry = new Dentry(walked.name, walked.parent.dentry, inode);
  const error = directory.insert(kernel, dentry);
  if (error !== 0) return error;
  inode.nlink++;
  inode.linkable = false;
  inode.ctime = realTime(kernel);
  notifyLinks(inode);
  notifyEntry(directory, IN.CREATE, dentry.name, inode);
  return 0;
}

/** Takes a name away for good: of the inode one link less, of a directory all. */
function drop(change: Change, dentry: Dentry): void {
  const { inode } = dentry;
  const directory = inode.type === S.IFDIR;
  dentry.gone = true;
  inode.nlink = directory ? 0 : inode.nlink - 1;
  inode.ctime = realTime(change.kernel);
  if (!directory) notifyLinks(inode);
  if (inode.nlink === 0 && inode.opens === 0) {
    notifyDeleted(inode);
    inode.free();
  }
}

const isMountPoint = (dentry: Dentry): boolean => dentry.mounted !== undefined && dentry.mounted.length > 0;

export function unlinkEntry(change: Change, walked: Walked): number {
  if (isDot(walked.name)) return -E.ISDIR;
  const { place, parent, slash } = walked;
  if (place === undefined) return -E.NOENT;
  if (slash) return place.dentry.inode.type === S.IFDIR ? -E.ISDIR : -E.NOTDIR;
  if (parent.mount.flags.readOnly) return -E.ROFS;
  const { dentry } = place;
  if (place.mount !== parent.mount) return -E.BUSY;
  const denied = mayDelete(change.actor, parent.dentry.inode, dentry);
  if (denied !== 0) return denied;
  if (dentry.inode.type === S.IFDIR) return -E.ISDIR;
  const directory = parent.dentry.inode as DirectoryInode;
  const error = directory.remove(change.kernel, dentry);
  if (error !== 0) return error;
  notifyEntry(directory, IN.DELETE, dentry.name, dentry.inode);
  drop(change, dentry);
  return 0;
}

export function rmdirEntry(change: Change, walked: Walked): number {
  if (walked.name === '.') return -E.INVAL;
  if (walked.name === '..') return -E.NOTEMPTY;
  if (walked.name === '') return -E.BUSY;
  const { place, parent } = walked;
  if (place === undefined) return -E.NOENT;
  if (parent.mount.flags.readOnly) return -E.ROFS;
  if (place.mount !== parent.mount) return -E.BUSY;
  const { dentry } = place;
  const denied = mayDelete(change.actor, parent.dentry.inode, dentry);
  if (denied !== 0) return denied;
  const { inode } = dentry;
  if (!(inode instanceof DirectoryInode)) return -E.NOTDIR;
  if (!inode.isEmpty(change, dentry)) return -E.NOTEMPTY;
  const directory = parent.dentry.inode as DirectoryInode;
  const error = directory.remove(change.kernel, dentry);
  if (error !== 0) return error;
  notifyEntry(directory, IN.DELETE, dentry.name, inode);
  drop(change, dentry);
  return 0;
}

/** Whether `inner` is `outer` or lies below it. */
function isWithin(inner: Dentry, outer: Dentry): boolean {
  for (let here: Dentry | undefined = inner; here !== undefined; here = here.parent)
    if (here === outer) return true;
  return false;
}

/** rename(2), renameat2(2). `cookie` pairs the two inotify events. */
export function renameEntry(change: Change, from: Walked, to: Walked, flags: number, cookie: number): number {
  if (from.parent.mount !== to.parent.mount) return -E.XDEV;
  if (isDot(from.name)) return -E.BUSY;
  if (isDot(to.name)) return (flags & RENAME.NOREPLACE) !== 0 ? -E.EXIST : -E.BUSY;
  if (from.place === undefined) return -E.NOENT;
  if (from.place.mount !== from.parent.mount) return -E.BUSY;
  if (to.place !== undefined && to.place.mount !== to.parent.mount) return -E.BUSY;
  const source = from.place.dentry;
  const target = to.place?.dentry;
  const exchange = (flags & RENAME.EXCHANGE) !== 0;
  if ((flags & RENAME.NOREPLACE) !== 0 && target !== undefined) return -E.EXIST;
  if (exchange && target === undefined) return -E.NOENT;
  if (exchange && to.slash && target?.inode.type !== S.IFDIR) return -E.NOTDIR;
  const sourceIsDirectory = source.inode.type === S.IFDIR;
  if (!sourceIsDirectory && (from.slash || (!exchange && to.slash))) return -E.NOTDIR;
  if (isWithin(to.parent.dentry, source)) return -E.INVAL;
  if (target !== undefined && isWithin(from.parent.dentry, target)) return exchange ? -E.INVAL : -E.NOTEMPTY;
  if (from.parent.mount.flags.readOnly) return -E.ROFS;
  if (source.inode === target?.inode) return 0;
  const error = checkRename(change, from, to, { source, target, exchange });
  if (error !== 0) return error;
  const before = exchange ? undefined : placePath(from.place);
  const result =
    exchange && target !== undefined
      ? swap(change, from, to, source, target)
      : replace(change, from, to, source, target, cookie);
  if (result === 0 && sourceIsDirectory && before !== undefined)
    moveWorkingDirectories(change, before, placePath({ mount: to.parent.mount, dentry: source }) ?? before);
  return result;
}

interface Pair {
  readonly source: Dentry;
  readonly target: Dentry | undefined;
  readonly exchange: boolean;
}

function checkRename(change: Change, from: Walked, to: Walked, { source, target, exchange }: Pair): number {
  const { actor } = change;
  const fromDirectory = from.parent.dentry.inode;
  const toDirectory = to.parent.dentry.inode;
  const leave = mayDelete(actor, fromDirectory, source);
  if (leave !== 0) return leave;
  const enter = target === undefined ? mayCreate(actor, to.parent) : mayDelete(actor, toDirectory, target);
  if (enter !== 0) return enter;
  const sourceIsDirectory = source.inode instanceof DirectoryInode;
  if (target !== undefined && !exchange) {
    const targetIsDirectory = target.inode instanceof DirectoryInode;
    if (sourceIsDirectory && !targetIsDirectory) return -E.NOTDIR;
    if (!sourceIsDirectory && targetIsDirectory) return -E.ISDIR;
  }
  if (fromDirectory !== toDirectory) {
    if (sourceIsDirectory && permission(actor, source.inode, MAY.WRITE) !== 0) return -E.ACCES;
    if (
      exchange &&
      target?.inode instanceof DirectoryInode &&
      permission(actor, target.inode, MAY.WRITE) !== 0
    )
      return -E.ACCES;
  }
  if (isMountPoint(source) || (target !== undefined && isMountPoint(target))) return -E.BUSY;
  const occupied =
    target !== undefined &&
    !exchange &&
    target.inode instanceof DirectoryInode &&
    !target.inode.isEmpty(change, target);
  return occupied && target.inode !== source.inode ? -E.NOTEMPTY : 0;
}

function replace(
  change: Change,
  from: Walked,
  to: Walked,
  source: Dentry,
  target: Dentry | undefined,
  cookie: number,
): number {
  const { kernel } = change;
  const fromDirectory = from.parent.dentry.inode as DirectoryInode;
  const toDirectory = to.parent.dentry.inode as DirectoryInode;
  if (target !== undefined) {
    const error = toDirectory.remove(kernel, target);
    if (error !== 0) return error;
  }
  const error = fromDirectory.remove(kernel, source);
  if (error !== 0) return error;
  const oldName = source.name;
  source.name = to.name;
  source.parent = to.parent.dentry;
  toDirectory.insert(kernel, source);
  source.inode.ctime = realTime(kernel);
  if (target !== undefined) drop(change, target);
  notifyEntry(fromDirectory, IN.MOVED_FROM, oldName, source.inode, cookie);
  notifyEntry(toDirectory, IN.MOVED_TO, source.name, source.inode, cookie);
  notifyMoved(source.inode);
  return 0;
}

function swap(change: Change, from: Walked, to: Walked, source: Dentry, target: Dentry): number {
  const { kernel } = change;
  const fromDirectory = from.parent.dentry.inode as DirectoryInode;
  const toDirectory = to.parent.dentry.inode as DirectoryInode;
  const error = fromDirectory.remove(kernel, source) || toDirectory.remove(kernel, target);
  if (error !== 0) return error;
  [source.name, target.name] = [to.name, from.name];
  [source.parent, target.parent] = [to.parent.dentry, from.parent.dentry];
  toDirectory.insert(kernel, source);
  fromDirectory.insert(kernel, target);
  return 0;
}

/** Working directories and roots are kept as paths (task.ts), so they move along with a renamed directory. */
function moveWorkingDirectories(change: Change, before: string, after: string): void {
  const moved = (path: string): string =>
    path === before || path.startsWith(`${before}/`) ? after + path.slice(before.length) : path;
  for (const process of change.kernel.processes.values()) {
    process.fs.cwd = moved(process.fs.cwd);
    process.fs.root = moved(process.fs.root);
  }
}
