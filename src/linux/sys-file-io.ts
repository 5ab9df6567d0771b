// read and write in all their forms, and lseek (fs/read_write.c).
import { MAX_RW, S, SEEK } from './abi-file.ts';
import { row } from './catalogue.ts';
import { readable, writable } from './devfs.ts';
import { EpollFile } from './epoll.ts';
import { E } from './errno.ts';
import { EventFile } from './eventfd.ts';
import type { OpenFile } from './file.ts';
import { IN, InotifyFile, notifyFile } from './inotify.ts';
import type { Kernel } from './kernel.ts';
import { SignalFile } from './signalfd.ts';
import { Socket } from './socket.ts';
import { effectOn, fileOf, gather, scatter, totalLength, type Vector, vectorsAt } from './sys-file-common.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { TimerFile } from './timerfd.ts';
import { RegularFile } from './vfs-file.ts';
import { DirectoryFile, PlacedFile } from './vfs-placed.ts';
import type { SysResult } from './wait.ts';

/** preadv2 and pwritev2 flags that mean something without a disk. */
const RWF = { HIPRI: 1, DSYNC: 2, SYNC: 4, NOWAIT: 8, APPEND: 16, NOAPPEND: 32 } as const;

/** Files that have an offset; others answer ESPIPE to pread and lseek. */
export const isSeekable = (file: OpenFile): boolean => file instanceof PlacedFile && file.seekable;

/** Files whose offset stays 0 and may be asked for (noop_llseek). */
const STILL: ReadonlySet<unknown> = new Set([EventFile, TimerFile, SignalFile, EpollFile, InotifyFile]);

export function readInto(
  kernel: Kernel,
  task: Task,
  fd: number,
  vectors: readonly Vector[],
  at?: number,
): SysResult {
  const file = fileOf(task, fd);
  if (file === undefined || !readable(file.flags)) return -E.BADF;
  if (at !== undefined && !isSeekable(file)) return -E.SPIPE;
  const length = Math.min(totalLength(vectors), MAX_RW);
  // Reading nothing from a socket never waits, nor fails.
  const nothing = length === 0 && file instanceof Socket;
  const result = nothing ? new Uint8Array(0) : file.read(kernel, task, length, at);
  if (typeof result !== 'number' && !(result instanceof Uint8Array)) return result;
  if (typeof result !== 'number') scatter(task.process.space, vectors, result);
  const value = typeof result === 'number' ? result : result.length;
  kernel.effect(task, effectOn('READ', file.resource()), value);
  if (value > 0 && file instanceof PlacedFile) notifyFile(file.place.dentry, IN.ACCESS);
  return value;
}

export function writeFrom(
  kernel: Kernel,
  task: Task,
  fd: number,
  vectors: readonly Vector[],
  at?: number,
): SysResult {
  const file = fileOf(task, fd);
  if (file === undefined || !writable(file.flags)) return -E.BADF;
  if (at !== undefined && !isSeekable(file)) return -E.SPIPE;
  const value = file.write(kernel, task, gather(task.process.space, vectors), at);
  if (typeof value !== 'number') return value;
  kernel.effect(task, effectOn('WRITE', file.resource()), value);
  if (value > 0 && file instanceof PlacedFile) notifyFile(file.place.dentry, IN.MODIFY);
  return value;
}

const single = (args: SysArgs): Vector[] => [
  { address: args.pointer(1), length: Math.min(args.size(2), MAX_RW) },
];
/** Such a length reaches beyond user memory (access_ok). */
const tooLong = (args: SysArgs): boolean => args.long(2) < 0n;

function offsetOf(args: SysArgs, i: number): number | undefined {
  const offset = args.long(i);
  return offset < 0n ? undefined : Number(offset);
}

function read(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  return tooLong(args) ? -E.FAULT : readInto(kernel, task, args.int(0), single(args));
}
function write(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  return tooLong(args) ? -E.FAULT : writeFrom(kernel, task, args.int(0), single(args));
}
function pread64(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const at = offsetOf(args, 3);
  if (tooLong(args)) return -E.FAULT;
  return at === undefined ? -E.INVAL : readInto(kernel, task, args.int(0), single(args), at);
}
function pwrite64(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const at = offsetOf(args, 3);
  if (tooLong(args)) return -E.FAULT;
  return at === undefined ? -E.INVAL : writeFrom(kernel, task, args.int(0), single(args), at);
}

type Transfer = typeof readInto;

function vectored(kernel: Kernel, task: Task, args: SysArgs, transfer: Transfer): SysResult {
  const vectors = vectorsAt(task.process.space, args.pointer(1), args.int(2));
  return typeof vectors === 'number' ? vectors : transfer(kernel, task, args.int(0), vectors);
}

/** `current`: whether offset -1 means the file's own (the version 2 calls). */
function positioned(
  kernel: Kernel,
  task: Task,
  args: SysArgs,
  transfer: Transfer,
  current: boolean,
): SysResult {
  const offset = args.long(3);
  const useCurrent = current && offset === -1n;
  if (offset < 0n && !useCurrent) return -E.INVAL;
  const flags = current ? args.int(5) : 0;
  if ((flags & ~0x3f) !== 0) return -E.OPNOTSUPP;
  const vectors = vectorsAt(task.process.space, args.pointer(1), args.int(2));
  if (typeof vectors === 'number') return vectors;
  const file = fileOf(task, args.int(0));
  const append = (flags & RWF.APPEND) !== 0 && file instanceof RegularFile;
  const at = append ? file.inode.size : useCurrent ? undefined : Number(offset);
  return transfer(kernel, task, args.int(0), vectors, at);
}

function lseek(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = fileOf(task, args.int(0));
  if (file === undefined) return -E.BADF;
  if (STILL.has(file.constructor)) return 0;
  if (!isSeekable(file)) return -E.SPIPE;
  // Character devices stay at 0 (null_lseek).
  if (file instanceof PlacedFile && file.inode.type === S.IFCHR) {
    file.position = 0;
    return 0;
  }
  const offset = Number(args.long(1));
  const size = file instanceof PlacedFile ? file.inode.size : 0;
  const whence = args.int(2);
  const target = seekTarget(file, offset, whence, size);
  if (target < 0) return target;
  if (target > Number.MAX_SAFE_INTEGER) return -E.INVAL;
  file.position = target;
  return target;
}

function seekTarget(file: OpenFile, offset: number, whence: number, size: number): number {
  const regular = file instanceof RegularFile;
  switch (whence) {
    case SEEK.SET:
      return offset < 0 ? -E.INVAL : offset;
    case SEEK.CUR:
      return file.position + offset < 0 ? -E.INVAL : file.position + offset;
    case SEEK.END:
      if (file instanceof DirectoryFile) return -E.INVAL;
      return size + offset < 0 ? -E.INVAL : size + offset;
    case SEEK.DATA:
    case SEEK.HOLE:
      if (!regular) return -E.INVAL;
      if (offset < 0) return -E.NXIO;
      return file.inode.data.seek(offset, whence === SEEK.HOLE) ?? -E.NXIO;
    default:
      return -E.INVAL;
  }
}

export const ioRows: readonly SyscallRow[] = [
  row('read', read),
  row('write', write),
  row('pread64', pread64),
  row('pwrite64', pwrite64),
  row('readv', (kernel, task, args) => vectored(kernel, task, args, readInto)),
  row('writev', (kernel, task, args) => vectored(kernel, task, args, writeFrom)),
  row('preadv', (kernel, task, args) => positioned(kernel, task, args, readInto, false)),
  row('pwritev', (kernel, task, args) => positioned(kernel, task, args, writeFrom, false)),
  row(
    'preadv2',
    (kernel, task, args) => positioned(kernel, task, args, readInto, true),
    'partial',
    'of the flags only RWF_APPEND matters',
  ),
  row(
    'pwritev2',
    (kernel, task, args) => positioned(kernel, task, args, writeFrom, true),
    'partial',
    'of the flags only RWF_APPEND matters',
  ),
  row('lseek', lseek),
];
