// Moving bytes between descriptors inside the kernel: sendfile, splice, tee, vmsplice, copy_file_range; and what asks
// for durability or space: fsync, fallocate, fadvise.
import { FALLOC, MAX_RW, O } from './abi-file.ts';
import { row } from './catalogue.ts';
import { readable, writable } from './devfs.ts';
import { E } from './errno.ts';
import type { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import { PipeFile } from './pipe.ts';
import { effectOn, fileOf, gather, vectorsAt } from './sys-file-common.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { RegularFile } from './vfs-file.ts';
import { actorOf } from './vfs-permission.ts';
import { PlacedFile } from './vfs-placed.ts';
import { type Block, isBlock, type SysResult } from './wait.ts';

/** What one call moves at most; callers loop anyway. */
const CHUNK = 1 << 20;

interface End {
  readonly file: OpenFile;
  /** Offset argument; undefined: the file's own. */
  readonly at: number | undefined;
}

/**
 * Reads up to `length` bytes and writes them. What the writer does not take stays unread where the source is a file or
 * a pipe; a blocking writer makes the whole call wait, and the bytes are read again when it runs again.
 */
function move(kernel: Kernel, task: Task, from: End, to: End, length: number): number | Block {
  const source = from.file;
  const seekable = source instanceof PlacedFile;
  const before = source.position;
  const room = to.file instanceof PipeFile ? roomOf(to.file) : CHUNK;
  if (room === 0) return to.file.write(kernel, task, new Uint8Array(1), undefined);
  const count = Math.min(length, CHUNK, room);
  const piped = source instanceof PipeFile && source.pipe.bytes.length > 0;
  const bytes = piped ? source.pipe.bytes.take(count, true) : source.read(kernel, task, count, from.at);
  if (!(bytes instanceof Uint8Array)) return bytes;
  if (bytes.length === 0) {
    kernel.effect(task, effectOn('READ', source.resource()), 0);
    return 0;
  }
  const written = to.file.write(kernel, task, bytes, to.at);
  const taken = typeof written === 'number' ? Math.max(0, written) : 0;
  if (seekable && from.at === undefined) source.position = before + taken;
  if (piped && taken > 0) source.read(kernel, task, taken, undefined);
  if (typeof written !== 'number') return written;
  kernel.effect(task, effectOn('READ', source.resource()), written < 0 ? written : taken);
  kernel.effect(task, effectOn('WRITE', to.file.resource()), written);
  return written;
}

/** Room of a pipe whose other end is open; 1 where it is not, so that the write meets EPIPE. */
const roomOf = ({ pipe }: PipeFile): number => (pipe.broken ? 1 : pipe.room);

/** An offset argument behind a pointer: read before, written back after. */
class OffsetArgument {
  readonly value: number | undefined;
  private readonly task: Task;
  private readonly address: number;

  constructor(task: Task, address: number) {
    this.task = task;
    this.address = address;
    this.value = address === 0 ? undefined : Number(BigInt.asIntN(64, task.process.space.read64(address)));
  }
  advance(count: number): void {
    if (this.value !== undefined) this.task.process.space.write64(this.address, BigInt(this.value + count));
  }
}

function sendfile(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [out, source] = [fileOf(task, args.int(0)), fileOf(task, args.int(1))];
  if (source === undefined || !readable(source.flags)) return -E.BADF;
  const offset = new OffsetArgument(task, args.pointer(2));
  if (offset.value !== undefined && !(source instanceof PlacedFile)) return -E.SPIPE;
  if (out === undefined || !writable(out.flags)) return -E.BADF;
  if ((offset.value ?? 0) < 0 || !(source instanceof PlacedFile)) return -E.INVAL;
  if (out instanceof RegularFile && (out.flags & O.APPEND) !== 0) return -E.INVAL;
  const result = move(
    kernel,
    task,
    { file: source, at: offset.value },
    { file: out, at: undefined },
    Math.min(args.size(3), MAX_RW),
  );
  if (typeof result === 'number' && result > 0) offset.advance(result);
  return result;
}

const SPLICE_NONBLOCK = 2;

/** Runs `action` with the descriptions in non-blocking mode where the flag asks for it. */
function nonblocking<T>(wanted: boolean, files: readonly OpenFile[], action: () => T): T {
  const before = files.map((file) => file.flags);
  if (wanted) for (const file of files) if (file instanceof PipeFile) file.flags |= O.NONBLOCK;
  const result = action();
  files.forEach((file, i) => {
    file.flags = before[i];
  });
  return result;
}

function splice(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [source, out, flags] = [fileOf(task, args.int(0)), fileOf(task, args.int(2)), args.uint(5)];
  if (args.size(4) === 0) return 0;
  if ((flags & ~15) !== 0) return -E.INVAL;
  if (source === undefined || out === undefined) return -E.BADF;
  if (
    (source instanceof PipeFile && args.pointer(1) !== 0) ||
    (out instanceof PipeFile && args.pointer(3) !== 0)
  )
    return -E.SPIPE;
  if (!readable(source.flags) || !writable(out.flags)) return -E.BADF;
  if (!(source instanceof PipeFile) && !(out instanceof PipeFile)) return -E.INVAL;
  if (source instanceof PipeFile && out instanceof PipeFile && source.pipe === out.pipe) return -E.INVAL;
  const from = new OffsetArgument(task, args.pointer(1));
  const to = new OffsetArgument(task, args.pointer(3));
  const result = nonblocking((flags & SPLICE_NONBLOCK) !== 0, [source, out], () =>
    move(
      kernel,
      task,
      { file: source, at: from.value },
      { file: out, at: to.value },
      Math.min(args.size(4), MAX_RW),
    ),
  );
  if (typeof result === 'number' && result > 0) {
    from.advance(result);
    to.advance(result);
  }
  return result;
}

/** Copies without taking: only between two pipes. */
function tee(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if ((args.uint(3) & ~15) !== 0) return -E.INVAL;
  if (args.size(2) === 0) return 0;
  const [source, out] = [fileOf(task, args.int(0)), fileOf(task, args.int(1))];
  if (source === undefined || out === undefined || !readable(source.flags) || !writable(out.flags))
    return -E.BADF;
  if (!(source instanceof PipeFile) || !(out instanceof PipeFile) || source.pipe === out.pipe)
    return -E.INVAL;
  const length = Math.min(args.size(2), CHUNK, roomOf(out));
  return nonblocking((args.uint(3) & SPLICE_NONBLOCK) !== 0, [source, out], () => {
    if (source.pipe.bytes.length === 0) {
      const empty = source.read(kernel, task, 1, undefined);
      return empty instanceof Uint8Array ? 0 : empty;
    }
    return out.write(kernel, task, source.pipe.bytes.take(Math.max(1, length), true), undefined);
  });
}

function vmsplice(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if ((args.uint(3) & ~15) !== 0) return -E.INVAL;
  const file = fileOf(task, args.int(0));
  if (!(file instanceof PipeFile)) return -E.BADF;
  const { space } = task.process;
  const vectors = vectorsAt(space, args.pointer(1), args.int(2));
  if (typeof vectors === 'number') return vectors;
  const result = nonblocking((args.uint(3) & SPLICE_NONBLOCK) !== 0, [file], () =>
    file.mayWrite ? file.write(kernel, task, gather(space, vectors), undefined) : -E.BADF,
  );
  if (!isBlock(result)) kernel.effect(task, effectOn('WRITE', file.resource()), result);
  return result;
}

function copyFileRange(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [source, out] = [fileOf(task, args.int(0)), fileOf(task, args.int(2))];
  if (source === undefined || out === undefined || !readable(source.flags) || !writable(out.flags))
    return -E.BADF;
  if (args.uint(5) !== 0) return -E.INVAL;
  if (!(source instanceof RegularFile) || !(out instanceof RegularFile))
    return source instanceof PlacedFile && source.type === 'd' ? -E.ISDIR : -E.INVAL;
  if ((out.flags & O.APPEND) !== 0) return -E.BADF;
  if (source.inode.superblock !== out.inode.superblock) return -E.XDEV;
  const from = new OffsetArgument(task, args.pointer(1));
  const to = new OffsetArgument(task, args.pointer(3));
  if ((from.value ?? 0) < 0 || (to.value ?? 0) < 0) return -E.INVAL;
  const length = Math.min(args.size(4), MAX_RW);
  const [start, target] = [from.value ?? source.position, to.value ?? out.position];
  if (source.inode === out.inode && start < target + length && target < start + length) return -E.INVAL;
  const result = move(kernel, task, { file: source, at: from.value }, { file: out, at: to.value }, length);
  if (typeof result === 'number' && result > 0) {
    from.advance(result);
    to.advance(result);
  }
  return result;
}

function fallocate(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = fileOf(task, args.int(0));
  const mode = args.int(1);
  const [offset, length] = [args.long(2), args.long(3)];
  if (file === undefined) return -E.BADF;
  if (offset < 0n || length <= 0n) return -E.INVAL;
  const known = FALLOC.KEEP_SIZE | FALLOC.PUNCH_HOLE | FALLOC.ZERO_RANGE;
  if ((mode & ~known) !== 0) return -E.OPNOTSUPP;
  if ((mode & FALLOC.PUNCH_HOLE) !== 0 && (mode & FALLOC.KEEP_SIZE) === 0) return -E.OPNOTSUPP;
  if (!writable(file.flags)) return -E.BADF;
  if (file instanceof PipeFile) return -E.SPIPE;
  if (!(file instanceof RegularFile))
    return file instanceof PlacedFile && file.type === 'd' ? -E.ISDIR : -E.NODEV;
  const [start, end] = [Number(offset), Number(offset + length)];
  const { inode } = file;
  let result = 0;
  if ((mode & (FALLOC.PUNCH_HOLE | FALLOC.ZERO_RANGE)) !== 0) {
    inode.data.punch(start, end - start);
    inode.touch(kernel);
  }
  if ((mode & FALLOC.KEEP_SIZE) === 0 && end > inode.size) {
    const room = inode.superblock.capacity - inode.superblock.used;
    result = end - inode.size > room ? -E.NOSPC : inode.truncate(kernel, end, actorOf(task));
  }
  kernel.effect(task, effectOn('ALLOCATE', file.resource()), result);
  return result;
}

/** Answers 0 on any file that could have something to write back. */
function sync(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = fileOf(task, args.int(0));
  if (file === undefined) return -E.BADF;
  return file instanceof PlacedFile ? 0 : -E.INVAL;
}

function fadvise64(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = fileOf(task, args.int(0));
  if (file === undefined) return -E.BADF;
  if (file instanceof PipeFile) return -E.SPIPE;
  const advice = args.int(3);
  return args.long(2) < 0n || advice < 0 || advice > 5 ? -E.INVAL : 0;
}

function readahead(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = fileOf(task, args.int(0));
  if (file === undefined || !readable(file.flags)) return -E.BADF;
  return file instanceof RegularFile ? 0 : -E.INVAL;
}

export const copyRows: readonly SyscallRow[] = [
  row('sendfile', sendfile),
  row('splice', splice),
  row('tee', tee),
  row('vmsplice', vmsplice, 'partial', 'writes into a pipe only'),
  row('copy_file_range', copyFileRange),
  row('fallocate', fallocate, 'partial', 'no collapse or insert of ranges'),
  row('fsync', sync),
  row('fdatasync', sync),
  row('syncfs', (_kernel, task, args) => (task.process.files.get(args.int(0)) === undefined ? -E.BADF : 0)),
  row('sync', () => 0),
  row('sync_file_range', sync),
  row('fadvise64', fadvise64),
  row('readahead', readahead),
];
