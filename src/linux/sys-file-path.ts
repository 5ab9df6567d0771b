// Changes to names: mkdir, rmdir, unlink, rename, link, symlink, mknod, truncate, chdir, chroot, umask, mounts.
import { decodeText } from '../bytes/index.ts';
import type { Op, Resource } from '../effect/index.ts';
import { AT, PATH_MAX, RENAME, S, splitDevice } from './abi-file.ts';
import { CAP } from './abi-process.ts';
import { row } from './catalogue.ts';
import { DeviceInode, writable } from './devfs.ts';
import { E } from './errno.ts';
import { IN, notifyFile } from './inotify.ts';
import type { Kernel } from './kernel.ts';
import { FifoInode } from './pipe.ts';
import { effectOn, fileOf, pathAt } from './sys-file-common.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { createEntry, linkEntry, renameEntry, rmdirEntry, unlinkEntry } from './vfs-change.ts';
import { fileSizeLimit, RegularFile, RegularInode } from './vfs-file.ts';
import { DirectoryInode, type Inode, type Place, placePath } from './vfs-inode.ts';
import { permissions } from './vfs-open.ts';
import { actorOf, capable, MAY, permission } from './vfs-permission.ts';
import { PlacedFile } from './vfs-placed.ts';
import { GeneratedFile, GeneratedInode } from './vfs-pseudo.ts';
import { SocketInode, StoredSuperblock, StoredSymlink, TreeDirectory } from './vfs-tree.ts';
import type { SysResult } from './wait.ts';

interface Named {
  readonly dirfd: number;
  readonly path: string;
  /** As effects name it. */
  readonly name: string;
}

function named(kernel: Kernel, task: Task, dirfd: number, address: number): Named | number {
  const path = pathAt(task, address);
  return typeof path === 'number' ? path : { dirfd, path, name: kernel.vfs.nameAt(task, dirfd, path) };
}

const file = (path: string, type: 'f' | 'd' = 'f', to?: string): Resource => ({
  kind: 'file',
  type,
  path,
  ...(to === undefined ? {} : { to }),
});

/** Records the effect and gives the result back. */
function done(kernel: Kernel, task: Task, op: Op, resource: Resource, result: number): number {
  kernel.effect(task, effectOn(op, resource), result);
  return result;
}

const changeOf = (kernel: Kernel, task: Task) => ({ kernel, task, actor: actorOf(task) });

/** File systems of the container's own; /proc and /sys take no new names. */
const storedIn = (directory: Inode): StoredSuperblock | undefined =>
  directory.superblock instanceof StoredSuperblock ? directory.superblock : undefined;

/** Makes something new; `make` is told where. */
function create(
  kernel: Kernel,
  task: Task,
  where: Named,
  make: (superblock: StoredSuperblock) => Inode,
  allowSlash: boolean,
): number {
  const walked = kernel.vfs.walkAt(kernel, task, { ...where, names: true });
  if (typeof walked === 'number') return walked;
  if (walked.place !== undefined) return -E.EXIST;
  if (walked.slash && !allowSlash) return -E.NOENT;
  const superblock = storedIn(walked.parent.dentry.inode);
  if (superblock === undefined) {
    if (walked.parent.mount.flags.readOnly) return -E.ROFS;
    // A name that /proc does not know is no empty place there (proc_lookup).
    return walked.parent.dentry.inode.superblock.type === 'proc' ? -E.NOENT : -E.PERM;
  }
  const dentry = createEntry(changeOf(kernel, task), walked, () => make(superblock));
  return typeof dentry === 'number' ? dentry : 0;
}

function mkdir(kernel: Kernel, task: Task, dirfd: number, address: number, mode: number): SysResult {
  const where = named(kernel, task, dirfd, address);
  if (typeof where === 'number') return where;
  const bits = permissions(task, mode) & 0o1777;
  const result = create(kernel, task, where, (superblock) => new TreeDirectory(superblock, bits), true);
  return done(kernel, task, 'MKDIR', file(where.name, 'd'), result);
}

function symlink(kernel: Kernel, task: Task, target: number, dirfd: number, address: number): SysResult {
  const text = pathAt(task, target);
  const where = named(kernel, task, dirfd, address);
  if (typeof text === 'number') return text;
  if (typeof where === 'number') return where;
  const result =
    text === ''
      ? -E.NOENT
      : create(kernel, task, where, (superblock) => new StoredSymlink(superblock, text), false);
  return done(kernel, task, 'SYMLINK', file(where.name, 'f', text), result);
}

function mknod(
  kernel: Kernel,
  task: Task,
  where: { readonly dirfd: number; readonly address: number; readonly mode: number; readonly device: number },
): SysResult {
  const at = named(kernel, task, where.dirfd, where.address);
  if (typeof at === 'number') return at;
  const type = where.mode & S.IFMT;
  const bits = permissions(task, where.mode);
  const result = makeNode();
  return done(kernel, task, 'MKNOD', file(at.name), result);

  function makeNode(): number {
    if (type === S.IFDIR) return -E.PERM;
    const isDevice = type === S.IFCHR || type === S.IFBLK;
    if (!isDevice && type !== 0 && type !== S.IFREG && type !== S.IFIFO && type !== S.IFSOCK) return -E.INVAL;
    if (isDevice && !capable(actorOf(task), CAP.MKNOD)) return -E.PERM;
    return create(
      kernel,
      task,
      at as Named,
      (superblock) => nodeOf(superblock, type, bits, where.device),
      false,
    );
  }
}

function nodeOf(superblock: StoredSuperblock, type: number, bits: number, device: number): Inode {
  if (type === S.IFIFO) return new FifoInode(superblock, bits);
  if (type === S.IFSOCK) return new SocketInode(superblock, S.IFSOCK | bits);
  if (type === S.IFCHR || type === S.IFBLK)
    return new DeviceInode(superblock, type | bits, splitDevice(device));
  return new RegularInode(superblock, bits);
}

function unlink(kernel: Kernel, task: Task, dirfd: number, address: number, directory: boolean): SysResult {
  const where = named(kernel, task, dirfd, address);
  if (typeof where === 'number') return where;
  const walked = kernel.vfs.walkAt(kernel, task, { ...where, names: true });
  const remove = directory ? rmdirEntry : unlinkEntry;
  const result = typeof walked === 'number' ? walked : remove(changeOf(kernel, task), walked);
  return done(kernel, task, directory ? 'RMDIR' : 'UNLINK', file(where.name, directory ? 'd' : 'f'), result);
}

function unlinkat(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const flags = args.int(2);
  if ((flags & ~AT.REMOVEDIR) !== 0) return -E.INVAL;
  return unlink(kernel, task, args.int(0), args.pointer(1), (flags & AT.REMOVEDIR) !== 0);
}

interface TwoPaths {
  readonly from: readonly [dirfd: number, address: number];
  readonly to: readonly [dirfd: number, address: number];
  readonly flags: number;
}

function twoNames(kernel: Kernel, task: Task, { from, to }: TwoPaths): readonly [Named, Named] | number {
  const source = named(kernel, task, ...from);
  const target = named(kernel, task, ...to);
  if (typeof source === 'number') return source;
  return typeof target === 'number' ? target : [source, target];
}

function rename(kernel: Kernel, task: Task, request: TwoPaths): SysResult {
  const { flags } = request;
  const names = twoNames(kernel, task, request);
  if (typeof names === 'number') return names;
  const [source, target] = names;
  const resource = file(source.name, 'f', target.name);
  const both = RENAME.NOREPLACE | RENAME.EXCHANGE;
  const wrong =
    (flags & ~(both | RENAME.WHITEOUT)) !== 0 || (flags & both) === both || (flags & RENAME.WHITEOUT) !== 0;
  if (wrong) return done(kernel, task, 'RENAME', resource, -E.INVAL);
  const from = kernel.vfs.walkAt(kernel, task, { ...source, names: true });
  if (typeof from === 'number') return done(kernel, task, 'RENAME', resource, from);
  const to = kernel.vfs.walkAt(kernel, task, { ...target, names: true });
  const result =
    typeof to === 'number'
      ? to
      : renameEntry(changeOf(kernel, task), from, to, flags, kernel.vfs.nextCookie++);
  const directory = from.place?.dentry.inode.type === S.IFDIR;
  return done(kernel, task, 'RENAME', file(source.name, directory ? 'd' : 'f', target.name), result);
}

function link(kernel: Kernel, task: Task, request: TwoPaths): SysResult {
  const { flags } = request;
  const names = twoNames(kernel, task, request);
  if (typeof names === 'number') return names;
  const [source, target] = names;
  const result = makeLink();
  return done(kernel, task, 'LINK', file(source.name, 'f', target.name), result);

  function makeLink(): number {
    if ((flags & ~(AT.SYMLINK_FOLLOW | AT.EMPTY_PATH)) !== 0) return -E.INVAL;
    const emptyPath = (flags & AT.EMPTY_PATH) !== 0;
    const from = kernel.vfs.find(kernel, task, {
      ...source,
      emptyPath,
      follow: (flags & AT.SYMLINK_FOLLOW) !== 0,
    });
    if (typeof from === 'number') return from;
    const to = kernel.vfs.walkAt(kernel, task, { ...target, names: true });
    return typeof to === 'number' ? to : linkEntry(changeOf(kernel, task), from, to);
  }
}

/** Checks of truncate(2) that ftruncate has behind it. */
function truncate(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const where = named(kernel, task, AT.FDCWD, args.pointer(0));
  if (typeof where === 'number') return where;
  const size = args.long(1);
  const place = size < 0n ? -E.INVAL : kernel.vfs.find(kernel, task, where);
  const result = typeof place === 'number' ? place : truncatePlace(kernel, task, place, Number(size));
  return done(kernel, task, 'TRUNCATE', file(where.name), result);
}

function truncatePlace(kernel: Kernel, task: Task, place: Place, size: number): number {
  const { inode } = place.dentry;
  if (inode instanceof DirectoryInode) return -E.ISDIR;
  if (!(inode instanceof RegularInode || inode instanceof GeneratedInode)) return -E.INVAL;
  const denied = permission(actorOf(task), inode, MAY.WRITE);
  if (denied !== 0) return denied;
  if (place.mount.flags.readOnly) return -E.ROFS;
  if (size > fileSizeLimit(task)) return -E.FBIG;
  const result = inode.truncate(kernel, size, actorOf(task));
  if (result === 0) notifyFile(place.dentry, IN.MODIFY);
  return result;
}

function ftruncate(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const open = fileOf(task, args.int(0));
  if (open === undefined) return -E.BADF;
  const size = args.long(1);
  const result =
    size < 0n || !(open instanceof RegularFile || open instanceof GeneratedFile) || !writable(open.flags)
      ? -E.INVAL
      : Number(size) > fileSizeLimit(task)
        ? -E.FBIG
        : open.inode.truncate(kernel, Number(size), actorOf(task));
  return done(kernel, task, 'TRUNCATE', open.resource(), result);
}

function enter(kernel: Kernel, task: Task, place: Place | number, name: string): SysResult {
  const result = typeof place === 'number' ? place : mayEnter(task, place);
  if (result === 0 && typeof place !== 'number') {
    task.process.fs.cwd = placePath(place) ?? '/';
    task.process.fs.cwdPlace = place;
    task.process.fs.cwdName = name;
  }
  return done(kernel, task, 'CHDIR', file(name, 'd'), result);
}

function mayEnter(task: Task, place: Place): number {
  const { inode } = place.dentry;
  return inode instanceof DirectoryInode ? permission(actorOf(task), inode, MAY.EXEC) : -E.NOTDIR;
}

function chdir(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const where = named(kernel, task, AT.FDCWD, args.pointer(0));
  return typeof where === 'number'
    ? where
    : enter(kernel, task, kernel.vfs.find(kernel, task, where), where.name);
}
function fchdir(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const open = task.process.files.get(args.int(0));
  if (open === undefined) return -E.BADF;
  return open instanceof PlacedFile ? enter(kernel, task, open.place, open.name) : -E.NOTDIR;
}

function chroot(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const where = named(kernel, task, AT.FDCWD, args.pointer(0));
  if (typeof where === 'number') return where;
  const place = kernel.vfs.find(kernel, task, where);
  let result = typeof place === 'number' ? place : mayEnter(task, place);
  if (result === 0 && !capable(actorOf(task), CAP.SYS_CHROOT)) result = -E.PERM;
  if (result === 0 && typeof place !== 'number') task.process.fs.root = placePath(place) ?? '/';
  return done(kernel, task, 'CHROOT', file(where.name, 'd'), result);
}

function umask(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { fs } = task.process;
  const old = fs.umask;
  fs.umask = args.int(0) & 0o777;
  return old;
}

/** Containers lack CAP_SYS_ADMIN; with it the mount is still not made, and that is a cut. */
function refuseMount(
  kernel: Kernel,
  task: Task,
  op: 'MOUNT' | 'UMOUNT',
  address: number,
  what: string,
): SysResult {
  const bytes = address === 0 ? undefined : task.process.space.readCString(address, PATH_MAX);
  const name = bytes === undefined ? '' : kernel.vfs.nameAt(task, AT.FDCWD, decodeText(bytes));
  if (capable(actorOf(task), CAP.SYS_ADMIN)) {
    kernel.cutHere(task, {
      kind: 'syscall-option',
      what: `${what} ${name} with CAP_SYS_ADMIN`,
      consequence: 'answers EPERM',
    });
  }
  return done(kernel, task, op, file(name, 'd'), -E.PERM);
}

const CWD = AT.FDCWD;

export const pathRows: readonly SyscallRow[] = [
  row('mkdir', (kernel, task, args) => mkdir(kernel, task, CWD, args.pointer(0), args.int(1))),
  row('mkdirat', (kernel, task, args) => mkdir(kernel, task, args.int(0), args.pointer(1), args.int(2))),
  row('rmdir', (kernel, task, args) => unlink(kernel, task, CWD, args.pointer(0), true)),
  row('unlink', (kernel, task, args) => unlink(kernel, task, CWD, args.pointer(0), false)),
  row('unlinkat', unlinkat),
  row('symlink', (kernel, task, args) => symlink(kernel, task, args.pointer(0), CWD, args.pointer(1))),
  row('symlinkat', (kernel, task, args) =>
    symlink(kernel, task, args.pointer(0), args.int(1), args.pointer(2)),
  ),
  row('link', (kernel, task, args) =>
    link(kernel, task, { from: [CWD, args.pointer(0)], to: [CWD, args.pointer(1)], flags: 0 }),
  ),
  row('linkat', (kernel, task, args) =>
    link(kernel, task, {
      from: [args.int(0), args.pointer(1)],
      to: [args.int(2), args.pointer(3)],
      flags: args.int(4),
    }),
  ),
  row('rename', (kernel, task, args) =>
    rename(kernel, task, { from: [CWD, args.pointer(0)], to: [CWD, args.pointer(1)], flags: 0 }),
  ),
  row('renameat', (kernel, task, args) =>
    rename(kernel, task, {
      from: [args.int(0), args.pointer(1)],
      to: [args.int(2), args.pointer(3)],
      flags: 0,
    }),
  ),
  row('renameat2', (kernel, task, args) =>
    rename(kernel, task, {
      from: [args.int(0), args.pointer(1)],
      to: [args.int(2), args.pointer(3)],
      flags: args.uint(4),
    }),
  ),
  row('mknod', (kernel, task, args) =>
    mknod(kernel, task, { dirfd: CWD, address: args.pointer(0), mode: args.int(1), device: args.uint(2) }),
  ),
  row('mknodat', (kernel, task, args) =>
    mknod(kernel, task, {
      dirfd: args.int(0),
      address: args.pointer(1),
      mode: args.int(2),
      device: args.uint(3),
    }),
  ),
  row('truncate', truncate),
  row('ftruncate', ftruncate),
  row('chdir', chdir),
  row('fchdir', fchdir),
  row('chroot', chroot),
  row('umask', umask),
  row(
    'mount',
    (kernel, task, args) => refuseMount(kernel, task, 'MOUNT', args.pointer(1), 'mount'),
    'refused',
    'EPERM; with CAP_SYS_ADMIN also a cut',
  ),
  row(
    'umount2',
    (kernel, task, args) => refuseMount(kernel, task, 'UMOUNT', args.pointer(0), 'umount'),
    'refused',
    'EPERM; with CAP_SYS_ADMIN also a cut',
  ),
  row(
    'pivot_root',
    (kernel, task, args) => refuseMount(kernel, task, 'MOUNT', args.pointer(0), 'pivot_root'),
    'refused',
    'EPERM; with CAP_SYS_ADMIN also a cut',
  ),
  row(
    'move_mount',
    (kernel, task, args) => refuseMount(kernel, task, 'MOUNT', args.pointer(3), 'move_mount'),
    'refused',
    'EPERM; with CAP_SYS_ADMIN also a cut',
  ),
];
