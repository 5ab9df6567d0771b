// open(2) in all its forms (fs/open.c, fs/namei.c do_open): from a path to an open file description.
import { O, O_TMPFILE_BIT, S } from './abi-file.ts';
import { E } from './errno.ts';
import type { OpenFile } from './file.ts';
import { IN, notifyFile } from './inotify.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import type { PathArgument } from './vfs.ts';
import { createEntry, own } from './vfs-change.ts';
import { RegularInode } from './vfs-file.ts';
import { Dentry, DirectoryInode, type Inode, type Place } from './vfs-inode.ts';
import { type Actor, actorOf, MAY, mayReopen, ownerOrCapable, permission } from './vfs-permission.ts';
import { PathFile } from './vfs-placed.ts';
import type { StoredSuperblock } from './vfs-tree.ts';
import type { Walked } from './vfs-walk.ts';
import type { Block } from './wait.ts';

export interface OpenRequest extends PathArgument {
  readonly flags: number;
  /** Permission bits of a file that is made; the umask is taken off here. */
  readonly mode: number;
}

/** The description (which no descriptor refers to yet), a negative errno, or a wait for the other end of a FIFO. */
export function openPath(
  kernel: Kernel,
  task: Task | undefined,
  request: OpenRequest,
): OpenFile | number | Block {
  const actor = actorOf(task);
  const { flags } = request;
  const name = kernel.vfs.nameAt(task, request.dirfd, request.path);
  if ((flags & O.PATH) !== 0) return openPathOnly(kernel, task, request, name);
  if ((flags & O_TMPFILE_BIT) !== 0) return openUnnamed(kernel, task, request, name);
  const exclusive = (flags & (O.CREAT | O.EXCL)) === (O.CREAT | O.EXCL);
  const follow = (flags & O.NOFOLLOW) === 0 && !exclusive;
  const walked = kernel.vfs.walkAt(kernel, task, { ...request, follow, creates: (flags & O.CREAT) !== 0 });
  if (typeof walked === 'number') return walked;
  let { place } = walked;
  let created = false;
  if ((flags & O.CREAT) !== 0) {
    if ((flags & O.DIRECTORY) !== 0) return -E.INVAL;
    const made = createOnOpen(kernel, task, request, walked);
    if (typeof made === 'number') return made;
    created = made.created;
    place = made.place;
  }
  if (place === undefined) return -E.NOENT;
  const error = created ? 0 : mayOpen(actor, place, flags);
  if (error !== 0) return error;
  const { inode } = place.dentry;
  // O_CREAT, O_EXCL, O_NOCTTY and O_TRUNC are of the call, not of the description.
  const kept = flags & ~(O.CREAT | O.EXCL | O.NOCTTY | O.TRUNC | O.CLOEXEC);
  const file = inode.open({ kernel, task, flags: kept, place, name, noTerminal: (flags & O.NOCTTY) !== 0 });
  if (typeof file === 'number' || 'kind' in file) return file;
  if ((flags & O.TRUNC) !== 0 && !created && inode.type === S.IFREG) {
    const result = inode.truncate(kernel, 0, actor);
    if (result !== 0) return result;
    notifyFile(place.dentry, IN.MODIFY);
  }
  notifyFile(place.dentry, IN.OPEN);
  return file;
}

/** O_CREAT: the file that is there or a new one. */
function createOnOpen(
  kernel: Kernel,
  task: Task | undefined,
  request: OpenRequest,
  walked: Walked,
): { readonly place: Place; readonly created: boolean } | number {
  const actor = actorOf(task);
  const { place, parent } = walked;
  // A link of /proc/PID/fd leads to a file without a name on the way.
  const jumped = walked.name === '' && place !== undefined && place.dentry.inode.type !== S.IFDIR;
  const dots = walked.name === '' || walked.name === '.' || walked.name === '..';
  if (!jumped && dots) return (request.flags & O.EXCL) !== 0 ? -E.EXIST : -E.ISDIR;
  if (place !== undefined) {
    if ((request.flags & O.EXCL) !== 0) return -E.EXIST;
    if (place.dentry.inode.type === S.IFDIR) return -E.ISDIR;
    if (!mayReopen(actor, parent.dentry.inode, place.dentry.inode)) return -E.ACCES;
    return { place, created: false };
  }
  const dentry = createEntry(
    { kernel, task, actor },
    walked,
    (directory) => new RegularInode(directory.superblock, permissions(task, request.mode)),
  );
  return typeof dentry === 'number' ? dentry : { place: { mount: parent.mount, dentry }, created: true };
}

/** Mode bits of something new: the umask taken off. */
export const permissions = (task: Task | undefined, mode: number): number =>
  mode & 0o7777 & ~(task?.process.fs.umask ?? 0);

function mayOpen(actor: Actor, place: Place, flags: number): number {
  const { inode } = place.dentry;
  const access = flags & O.ACCMODE;
  const writes = access !== O.RDONLY || (flags & O.TRUNC) !== 0;
  if ((flags & O.DIRECTORY) !== 0 && inode.type !== S.IFDIR) return -E.NOTDIR;
  if (inode.type === S.IFLNK) return -E.LOOP;
  if (inode.type === S.IFDIR && writes) return -E.ISDIR;
  if ((inode.type === S.IFCHR || inode.type === S.IFBLK) && place.mount.flags.nodev) return -E.ACCES;
  const mask = (access === O.WRONLY ? 0 : MAY.READ) | (writes ? MAY.WRITE : 0);
  if (writes && place.mount.flags.readOnly && (inode.type === S.IFREG || inode.type === S.IFDIR))
    return -E.ROFS;
  const denied = permission(actor, inode, mask);
  if (denied !== 0) return denied;
  return (flags & O.NOATIME) !== 0 && !ownerOrCapable(actor, inode) ? -E.PERM : 0;
}

function openPathOnly(
  kernel: Kernel,
  task: Task | undefined,
  request: OpenRequest,
  name: string,
): OpenFile | number {
  const flags = request.flags & (O.PATH | O.DIRECTORY | O.NOFOLLOW);
  const place = kernel.vfs.find(kernel, task, { ...request, follow: (flags & O.NOFOLLOW) === 0 });
  if (typeof place === 'number') return place;
  if ((flags & O.DIRECTORY) !== 0 && place.dentry.inode.type !== S.IFDIR) return -E.NOTDIR;
  return new PathFile({ kernel, task, flags, place, name });
}

/** O_TMPFILE: a regular file without a name in the file system of a directory. */
function openUnnamed(
  kernel: Kernel,
  task: Task | undefined,
  request: OpenRequest,
  name: string,
): OpenFile | number | Block {
  const { flags } = request;
  if ((flags & O.DIRECTORY) === 0 || (flags & O.ACCMODE) === O.RDONLY) return -E.INVAL;
  const place = kernel.vfs.find(kernel, task, { ...request, follow: (flags & O.NOFOLLOW) === 0 });
  if (typeof place === 'number') return place;
  const directory = place.dentry.inode;
  if (!(directory instanceof DirectoryInode)) return -E.NOTDIR;
  if (place.mount.flags.readOnly) return -E.ROFS;
  const actor = actorOf(task);
  const denied = permission(actor, directory, MAY.WRITE | MAY.EXEC);
  if (denied !== 0) return denied;
  if (!('wrapped' in directory.superblock)) return -E.OPNOTSUPP;
  const inode: Inode = new RegularInode(
    directory.superblock as StoredSuperblock,
    permissions(task, request.mode),
  );
  own({ kernel, task, actor }, inode, directory);
  inode.nlink = 0;
  inode.linkable = (flags & O.EXCL) === 0;
  const dentry = new Dentry(`#${inode.ino}`, place.dentry, inode);
  dentry.gone = true;
  return inode.open({
    kernel,
    task,
    flags: flags & ~(O.CLOEXEC | O.EXCL | O_TMPFILE_BIT | O.DIRECTORY),
    place: { mount: place.mount, dentry },
    // It has no name: effects have the directory's, as the caller gave it.
    name,
  });
}
