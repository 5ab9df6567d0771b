// Pipes and FIFOs (fs/pipe.c). Capacity counts bytes, not the kernel's page slots.
import type { FileType, Resource } from '../effect/index.ts';
import { carryShadow } from '../machine/index.ts';
import { IOCTL, O, S } from './abi-file.ts';
import { ByteQueue } from './byte-queue.ts';
import { E } from './errno.ts';
import { OpenFile, POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import { raiseSigpipe } from './signals.ts';
import type { Task } from './task.ts';
import { Inode, type Opening, type Superblock } from './vfs-inode.ts';
import { type Block, block, type SysResult, WaitQueue } from './wait.ts';

/** Writes up to this size are all or nothing. */
export const PIPE_BUF = 4096;
const DEFAULT_CAPACITY = 65536;
/** /proc/sys/fs/pipe-max-size. */
export const PIPE_MAX = 1048576;

const PIPEFS_MINOR = 14;

/** First bytes of a container's output that are kept. */
const SINK_KEEPS = 1 << 20;

export interface Sink {
  readonly parts: Uint8Array[];
  kept: number;
  total: number;
}

export class Pipe {
  readonly ino: number;
  readonly bytes = new ByteQueue();
  capacity = DEFAULT_CAPACITY;
  readers = 0;
  writers = 0;
  /** Readers wait here, and writers: both directions, as Linux wakes with a POLL mask. */
  readonly queue = new WaitQueue();
  /** Tasks blocked in open(2) of a FIFO. */
  readonly opening = new WaitQueue();
  /**
   * Tasks whose blocked open(2) is now let go but has not run yet: no end of file before the writers, no EPIPE before
   * the readers among them have.
   */
  readonly expectedReaders = new Set<Task>();
  readonly expectedWriters = new Set<Task>();

  /** Set: the runtime reads the other end (a container's standard output), always at once. */
  readonly sink: Sink | undefined;

  constructor(ino: number, sink = false) {
    this.ino = ino;
    this.sink = sink ? { parts: [], kept: 0, total: 0 } : undefined;
    if (sink) this.readers = 1;
  }

  push(bytes: Uint8Array): void {
    const { sink } = this;
    if (sink === undefined) {
      this.bytes.push(bytes);
      return;
    }
    sink.total += bytes.length;
    const kept = bytes.subarray(0, Math.max(0, SINK_KEEPS - sink.kept));
    if (kept.length > 0) sink.parts.push(kept);
    sink.kept += kept.length;
  }

  get room(): number {
    return this.capacity - this.bytes.length;
  }
  get ended(): boolean {
    return this.writers === 0 && !someAlive(this.expectedWriters);
  }
  get broken(): boolean {
    return this.readers === 0 && !someAlive(this.expectedReaders);
  }
}

function someAlive(tasks: ReadonlySet<Task>): boolean {
  for (const task of tasks) if (task.state !== 'dead') return true;
  return false;
}

/** One end (or, for a FIFO opened O_RDWR, both). */
export class PipeFile extends OpenFile {
  readonly pipe: Pipe;
  readonly type: FileType;
  readonly mayRead: boolean;
  readonly mayWrite: boolean;
  /** Where it was opened by path (a FIFO, /proc/PID/fd/N): that path; of a FIFO the inode. */
  readonly name: string | undefined;
  readonly fifo: FifoInode | undefined;

  constructor(
    pipe: Pipe,
    flags: number,
    fifo?: { readonly name: string; readonly inode: FifoInode | undefined },
  ) {
    super(flags);
    this.pipe = pipe;
    this.type = fifo === undefined ? 'p' : 'f';
    this.name = fifo?.name;
    this.fifo = fifo?.inode;
    const access = flags & O.ACCMODE;
    this.mayRead = access !== O.WRONLY;
    this.mayWrite = access !== O.RDONLY;
    if (this.mayRead) pipe.readers++;
    if (this.mayWrite) pipe.writers++;
    if (this.fifo !== undefined) this.fifo.opens++;
  }

  get queue(): WaitQueue {
    return this.pipe.queue;
  }
  resource(): Resource {
    return { kind: 'file', type: this.type, path: this.name ?? 'pipe:' };
  }
  override identity() {
    return { mode: S.IFIFO | 0o600, ino: this.pipe.ino, minor: PIPEFS_MINOR };
  }

  poll(): number {
    const { pipe } = this;
    let events = 0;
    if (this.mayRead) {
      if (pipe.bytes.length > 0) events |= POLL.IN | POLL.RDNORM;
      if (pipe.ended) events |= POLL.HUP;
    }
    if (this.mayWrite) {
      if (pipe.room >= PIPE_BUF || pipe.bytes.length === 0) events |= POLL.OUT | POLL.WRNORM;
      if (pipe.broken) events |= POLL.ERR;
    }
    return events;
  }

  read(_kernel: Kernel, _task: Task, length: number, at: number | undefined): Uint8Array | number | Block {
    if (!this.mayRead) return -E.BADF;
    if (at !== undefined) return -E.SPIPE;
    const { pipe } = this;
    if (length === 0) return new Uint8Array(0);
    if (pipe.bytes.length > 0) {
      // Writers wait only while there is less room than an atomic write needs.
      const wasFull = pipe.room < PIPE_BUF;
      const out = pipe.bytes.take(length);
      if (wasFull) pipe.queue.wake(POLL.OUT | POLL.WRNORM);
      return out;
    }
    if (pipe.ended) return new Uint8Array(0);
    return this.nonblocking ? -E.AGAIN : block([pipe.queue], 'read pipe');
  }

  /** A blocking write that has put a part keeps the count in `task.restart.done`. */
  write(kernel: Kernel, task: Task, bytes: Uint8Array, at: number | undefined): number | Block {
    if (!this.mayWrite) return -E.BADF;
    if (at !== undefined) return -E.SPIPE;
    const { pipe } = this;
    let done = Number(task.restart?.done ?? 0);
    if (bytes.length === 0) return 0;
    if (pipe.broken) {
      if (done > 0) return done;
      raiseSigpipe(kernel, task);
      return -E.PIPE;
    }
    const rest = bytes.length - done;
    const atomic = bytes.length <= PIPE_BUF;
    if (pipe.room >= rest || (!atomic && pipe.room > 0)) {
      const part = Math.min(rest, pipe.room);
      const piece = bytes.slice(done, done + part);
      carryShadow(piece, 0, bytes, done);
      pipe.push(piece);
      if (pipe.sink !== undefined) kernel.told(pipe, piece);
      done += part;
      pipe.queue.wake(POLL.IN | POLL.RDNORM);
    }
    if (done === bytes.length) return done;
    if (this.nonblocking || (task.signalled && done > 0)) return done > 0 ? done : -E.AGAIN;
    task.restart = { ...task.restart, done };
    return block([pipe.queue], 'write pipe');
  }

  override close(_kernel: Kernel): void {
    const { pipe, fifo } = this;
    if (this.mayRead) pipe.readers--;
    if (this.mayWrite) pipe.writers--;
    if (pipe.writers === 0 && pipe.broken) pipe.bytes.clear();
    pipe.queue.wake();
    if (fifo !== undefined) fifo.opens--;
  }

  override ioctl(_kernel: Kernel, task: Task, request: number, argument: number): SysResult {
    if (request !== IOCTL.FIONREAD) return -E.NOTTY;
    task.process.space.write32(argument, this.pipe.bytes.length);
    return 0;
  }

  /** F_SETPIPE_SZ: the capacity that it got, a power of two of pages. */
  resize(size: number, privileged: boolean): number {
    if (size > 0x80000000) return -E.INVAL;
    let capacity = 4096;
    while (capacity < size) capacity *= 2;
    if (capacity > PIPE_MAX && !privileged) return -E.PERM;
    if (capacity < this.pipe.bytes.length) return -E.BUSY;
    this.pipe.capacity = capacity;
    this.pipe.queue.wake(POLL.OUT | POLL.WRNORM);
    return capacity;
  }
}

/** A named pipe. Its buffer lives while it is open. */
export class FifoInode extends Inode {
  private readonly pipe: Pipe;

  constructor(superblock: Superblock, mode: number, ino?: number) {
    super(superblock, S.IFIFO | (mode & 0o7777), ino);
    this.pipe = new Pipe(this.ino);
  }

  /** Reading waits for a writer and writing for a reader, unless O_NONBLOCK (fs/pipe.c fifo_open). */
  open(opening: Opening): OpenFile | number | Block {
    const { pipe } = this;
    const access = opening.flags & O.ACCMODE;
    const nonblocking = (opening.flags & O.NONBLOCK) !== 0;
    const { task } = opening;
    const met =
      task !== undefined && (access === O.RDONLY ? pipe.expectedReaders : pipe.expectedWriters).has(task);
    if (access === O.RDWR || met) return this.make(opening);
    if (access === O.RDONLY) {
      const writers = this.waiting(opening.task, O.WRONLY);
      for (const task of writers) pipe.expectedWriters.add(task);
      if (!pipe.ended || nonblocking) return this.make(opening);
    } else {
      const readers = this.waiting(opening.task, O.RDONLY);
      for (const task of readers) pipe.expectedReaders.add(task);
      if (!pipe.broken) return this.make(opening);
      if (nonblocking) return -E.NXIO;
    }
    if (opening.task !== undefined) opening.task.restart = { fifo: this.ino, access };
    return block([pipe.opening], `open fifo ${opening.name}`);
  }

  private make(opening: Opening): PipeFile {
    const { pipe } = this;
    const file = new PipeFile(pipe, opening.flags, { name: opening.name, inode: this });
    if (opening.task !== undefined) {
      pipe.expectedReaders.delete(opening.task);
      pipe.expectedWriters.delete(opening.task);
    }
    pipe.opening.wake();
    return file;
  }

  /** Other tasks that are blocked in open with this access mode. */
  private waiting(self: Task | undefined, access: number): Task[] {
    return [...this.pipe.opening.waiters].filter(
      (task) => task !== self && task.restart?.fifo === this.ino && task.restart.access === access,
    );
  }
}
