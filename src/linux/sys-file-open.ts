// open, openat, openat2, creat, memfd_create, pipe and close.
import { AT, O, O_VALID, RESOLVE, SEAL } from './abi-file.ts';
import { row } from './catalogue.ts';
import { writable } from './devfs.ts';
import { E } from './errno.ts';
import type { OpenFile } from './file.ts';
import { IN, notifyFile } from './inotify.ts';
import type { Kernel } from './kernel.ts';
import { dropNotification, MqFile } from './mqueue.ts';
import { Pipe, PipeFile } from './pipe.ts';
import {
  accessLetters,
  descriptorLimit,
  effectOn,
  fileResource,
  install,
  pathAt,
  tableIsFull,
} from './sys-file-common.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Process, Task } from './task.ts';
import { RegularFile, RegularInode } from './vfs-file.ts';
import { Dentry, realTime } from './vfs-inode.ts';
import { openPath } from './vfs-open.ts';
import { PlacedFile } from './vfs-placed.ts';
import type { SysResult } from './wait.ts';

interface Opened {
  readonly dirfd: number;
  readonly address: number;
  readonly flags: number;
  readonly mode: number;
  readonly resolve?: number;
}

function openAt(kernel: Kernel, task: Task, request: Opened): SysResult {
  const path = pathAt(task, request.address);
  if (typeof path === 'number') return path;
  const { flags } = request;
  const full = tableIsFull(task, descriptorLimit(task));
  const file = full ? -E.MFILE : openPath(kernel, task, { ...request, path });
  if (typeof file !== 'number' && 'kind' in file) return file;
  const opened: OpenFile | number = file;
  const fd = typeof opened === 'number' ? opened : install(kernel, task, opened, (flags & O.CLOEXEC) !== 0);
  const name = kernel.vfs.nameAt(task, request.dirfd, path);
  const resource =
    typeof opened !== 'number' && opened instanceof PlacedFile
      ? opened.resource()
      : fileResource(undefined, name);
  kernel.effect(task, effectOn('OPEN', resource, accessLetters(flags)), fd);
  return fd;
}

/** Flags that open(2) does not know are ignored, as Linux does. */
const plainFlags = (flags: number): number => (flags & O_VALID) | O.LARGEFILE;

function open(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  return openAt(kernel, task, {
    dirfd: AT.FDCWD,
    address: args.pointer(0),
    flags: plainFlags(args.int(1)),
    mode: args.int(2),
  });
}
function openat(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  return openAt(kernel, task, {
    dirfd: args.int(0),
    address: args.pointer(1),
    flags: plainFlags(args.int(2)),
    mode: args.int(3),
  });
}
function creat(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  return openAt(kernel, task, {
    dirfd: AT.FDCWD,
    address: args.pointer(0),
    flags: O.CREAT | O.WRONLY | O.TRUNC | O.LARGEFILE,
    mode: args.int(1),
  });
}

function openat2(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space } = task.process;
  const size = args.size(3);
  if (size < 24) return -E.INVAL;
  if (size > 4096) return -E['2BIG'];
  const how = args.pointer(2);
  for (let at = 24; at < size; at++) if (space.read8(how + at) !== 0) return -E['2BIG'];
  const [flags, mode, resolve] = [space.read64(how), space.read64(how + 8), space.read64(how + 16)];
  const known = BigInt(Object.values(RESOLVE).reduce((all, bit) => all | bit, 0));
  if ((flags & ~BigInt(O_VALID)) !== 0n || (resolve & ~known) !== 0n) return -E.INVAL;
  const bits = Number(flags);
  const creates = (bits & O.CREAT) !== 0 || (bits & O.TMPFILE) === O.TMPFILE;
  if ((mode & ~0o7777n) !== 0n || (!creates && mode !== 0n)) return -E.INVAL;
  const both = BigInt(RESOLVE.BENEATH | RESOLVE.IN_ROOT);
  if ((resolve & both) === both) return -E.INVAL;
  if ((resolve & BigInt(RESOLVE.CACHED)) !== 0n) return -E.AGAIN;
  return openAt(kernel, task, {
    dirfd: args.int(0),
    address: args.pointer(1),
    flags: bits | O.LARGEFILE,
    mode: Number(mode),
    resolve: Number(resolve),
  });
}

/** One descriptor of a process goes: its POSIX locks on the file too, as close(2) has it. The effect is the caller's. */
export function closeDescriptor(kernel: Kernel, process: Process, fd: number): OpenFile | undefined {
  const file = process.files.remove(fd);
  if (file === undefined) return undefined;
  if (file instanceof PlacedFile) {
    file.inode.locks?.release(process);
    if (file instanceof MqFile) dropNotification(file, process);
    if (file.references === 1)
      notifyFile(file.place.dentry, writable(file.flags) ? IN.CLOSE_WRITE : IN.CLOSE_NOWRITE);
  }
  kernel.dropFile(file);
  return file;
}

function close(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = task.process.files.get(args.int(0));
  if (file === undefined) return -E.BADF;
  const resource = file.resource();
  closeDescriptor(kernel, task.process, args.int(0));
  kernel.effect(task, effectOn('CLOSE', resource), 0);
  return 0;
}

const CLOSE_RANGE = { UNSHARE: 2, CLOEXEC: 4 } as const;

function closeRange(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [first, last, flags] = [args.uint(0), args.uint(1), args.uint(2)];
  if (first > last || (flags & ~(CLOSE_RANGE.UNSHARE | CLOSE_RANGE.CLOEXEC)) !== 0) return -E.INVAL;
  const { process } = task;
  if ((flags & CLOSE_RANGE.UNSHARE) !== 0 && process.files.references > 1) unshareFiles(process);
  const { slots } = process.files;
  for (let fd = first; fd <= Math.min(last, slots.length - 1); fd++) {
    const slot = slots[fd];
    if (slot === undefined) continue;
    if ((flags & CLOSE_RANGE.CLOEXEC) !== 0) {
      slot.cloexec = true;
    } else {
      const resource = slot.file.resource();
      closeDescriptor(kernel, process, fd);
      kernel.effect(task, effectOn('CLOSE', resource), 0);
    }
  }
  return 0;
}

/** The process gets a descriptor table of its own (CLONE_FILES undone). */
export function unshareFiles(process: Process): void {
  const old = process.files;
  const Table = old.constructor as new () => typeof old;
  const table = new Table();
  for (const [fd, slot] of old.slots.entries())
    if (slot !== undefined) table.put(fd, slot.file, slot.cloexec);
  old.references--;
  process.files = table;
}

function pipe2(kernel: Kernel, task: Task, address: number, flags: number): SysResult {
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK | O.DIRECT)) !== 0) return -E.INVAL;
  const pipe = new Pipe(kernel.vfs.takeIno());
  const status = flags & ~O.CLOEXEC;
  const cloexec = (flags & O.CLOEXEC) !== 0;
  const reader = new PipeFile(pipe, (status & O.NONBLOCK) | O.RDONLY);
  const writer = new PipeFile(pipe, status | O.WRONLY);
  const readFd = install(kernel, task, reader, cloexec);
  const writeFd = readFd < 0 ? readFd : install(kernel, task, writer, cloexec);
  if (writeFd < 0) {
    if (readFd >= 0) closeDescriptor(kernel, task.process, readFd);
    return -E.MFILE;
  }
  task.process.space.write32(address, readFd);
  task.process.space.write32(address + 4, writeFd);
  return 0;
}

const MFD = { CLOEXEC: 1, ALLOW_SEALING: 2, HUGETLB: 4, NOEXEC_SEAL: 8, EXEC: 16 } as const;

function memfdCreate(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const name = pathAt(task, args.pointer(0));
  const flags = args.uint(1);
  if (typeof name === 'number' || name.length > 249) return -E.INVAL;
  if (
    (flags & ~0x1f & ~0xfc000000) !== 0 ||
    (flags & (MFD.EXEC | MFD.NOEXEC_SEAL)) === (MFD.EXEC | MFD.NOEXEC_SEAL)
  )
    return -E.INVAL;
  const { anonymous, root } = kernel.vfs;
  const inode = new RegularInode(anonymous, (flags & MFD.NOEXEC_SEAL) !== 0 ? 0o666 : 0o777);
  const { credentials } = task.process;
  [inode.uid, inode.gid, inode.nlink] = [credentials.fsuid, credentials.fsgid, 0];
  inode.atime = inode.mtime = inode.ctime = inode.btime = realTime(kernel);
  const sealable = (flags & (MFD.ALLOW_SEALING | MFD.NOEXEC_SEAL)) !== 0;
  inode.seals = (sealable ? 0 : SEAL.SEAL) | ((flags & MFD.NOEXEC_SEAL) !== 0 ? SEAL.EXEC : 0);
  const dentry = new Dentry(`memfd:${name}`, root.dentry, inode);
  dentry.gone = true;
  const path = `/memfd:${name}`;
  const file = new RegularFile({
    kernel,
    task,
    flags: O.RDWR | O.LARGEFILE,
    place: { mount: root.mount, dentry },
    name: path,
  });
  return install(kernel, task, file, (flags & MFD.CLOEXEC) !== 0);
}

export const openRows: readonly SyscallRow[] = [
  row('open', open),
  row('openat', openat),
  row('openat2', openat2),
  row('creat', creat),
  row('close', close),
  row('close_range', closeRange),
  row('pipe', (kernel, task, args) => pipe2(kernel, task, args.pointer(0), 0)),
  row('pipe2', (kernel, task, args) => pipe2(kernel, task, args.pointer(0), args.int(1))),
  row('memfd_create', memfdCreate),
];
