// io_setup, io_destroy, io_submit, io_getevents, io_pgetevents, io_cancel (fs/aio.c).
import { type AioContext, createContext } from './aio.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import { EventFile } from './eventfd.ts';
import type { Kernel } from './kernel.ts';
import { temporaryMask } from './signals.ts';
import { fileOf, vectorsAt } from './sys-file-common.ts';
import { readInto, writeFrom } from './sys-file-io.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { readTimespec } from './time.ts';
import { RegularFile } from './vfs-file.ts';
import { block, isBlock, type SysResult } from './wait.ts';

/** fs.aio-max-nr */
const MAX_REQUESTS = 65536;
const OP = { PREAD: 0, PWRITE: 1, FSYNC: 2, FDSYNC: 3, POLL: 5, NOOP: 6, PREADV: 7, PWRITEV: 8 } as const;
/** struct iocb. */
const BLOCK_SIZE = 64;
const RESFD = 1;

function ioSetup(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space, aio } = task.process;
  const requests = args.uint(0);
  if (space.read64(args.pointer(1)) !== 0n || requests === 0) return -E.INVAL;
  const used = [...aio.values()].reduce((sum, context) => sum + context.requests, 0);
  if (used + requests > MAX_REQUESTS) return -E.AGAIN;
  const { environment, layout } = kernel;
  const options = { requests, processors: environment.cpus, id: aio.size, below: layout.mmapTop };
  const context = createContext(space, options);
  if (context === undefined) return -E.NOMEM;
  aio.set(context.address, context);
  space.write64(args.pointer(1), BigInt(context.address));
  return 0;
}

function ioDestroy(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { aio, space } = task.process;
  const context = aio.get(args.pointer(0));
  if (context === undefined) return -E.INVAL;
  aio.delete(context.address);
  space.unmap(context.address, context.length);
  context.queue.wake();
  return 0;
}

interface ControlBlock {
  readonly address: number;
  readonly data: bigint;
  readonly op: number;
  readonly fd: number;
  readonly buffer: number;
  readonly length: bigint;
  readonly offset: bigint;
  readonly flags: number;
  readonly eventFd: number;
}

/** data u64 | key u32 | rw_flags u32 | opcode u16 | prio i16 | fd u32 | buf u64 | nbytes u64 | offset i64 | 8 | flags u32 | resfd u32 */
function readBlock(task: Task, address: number): ControlBlock {
  const bytes = task.process.space.read(address, BLOCK_SIZE);
  const view = new DataView(bytes.buffer);
  return {
    address,
    data: view.getBigUint64(0, true),
    op: view.getUint16(16, true),
    fd: view.getUint32(20, true),
    buffer: Number(view.getBigUint64(24, true)),
    length: view.getBigUint64(32, true),
    offset: view.getBigInt64(40, true),
    flags: view.getUint32(56, true),
    eventFd: view.getUint32(60, true),
  };
}

/** Control blocks in order until one is wrong; how many were taken, or what is wrong with the first. */
function ioSubmit(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space, aio } = task.process;
  const count = args.long(1);
  if (count < 0n) return -E.INVAL;
  const context = aio.get(args.pointer(0));
  if (context === undefined) return -E.INVAL;
  const total = Math.min(Number(count), context.slots);
  for (let i = 0; i < total; i++) {
    const result = submit(kernel, task, context, Number(space.read64(args.pointer(2) + 8 * i)));
    if (result !== 0) return i > 0 ? i : result;
  }
  return total;
}

function submit(kernel: Kernel, task: Task, context: AioContext, address: number): number {
  const { space } = task.process;
  const control = readBlock(task, address);
  if (control.length >= 2n ** 63n) return -E.INVAL;
  if (context.count(space) >= context.slots - 1) return -E.AGAIN;
  if (fileOf(task, control.fd) === undefined) return -E.BADF;
  const notified = (control.flags & RESFD) !== 0 ? fileOf(task, control.eventFd) : undefined;
  if ((control.flags & RESFD) !== 0 && notified === undefined) return -E.BADF;
  if (notified !== undefined && !(notified instanceof EventFile)) return -E.INVAL;
  const result = perform(kernel, task, control);
  if (typeof result !== 'number') return refuse(kernel, task, control.op);
  if (result === -E.BADF) return result;
  space.write32(address + 8, 0);
  context.push(space, { data: control.data, object: BigInt(address), result: BigInt(result) });
  if (notified instanceof EventFile) notified.write(kernel, task, one());
  return 0;
}

function one(): Uint8Array {
  const bytes = new Uint8Array(8);
  bytes[0] = 1;
  return bytes;
}

/** The result of the operation; undefined where it would have to wait or is not known. */
function perform(kernel: Kernel, task: Task, control: ControlBlock): number | undefined {
  const { op, fd } = control;
  const file = fileOf(task, fd);
  switch (op) {
    case OP.PREAD:
    case OP.PWRITE:
    case OP.PREADV:
    case OP.PWRITEV: {
      if (!(file instanceof RegularFile)) return undefined;
      if (control.offset < 0n) return -E.INVAL;
      const vectors =
        op === OP.PREAD || op === OP.PWRITE
          ? [{ address: control.buffer, length: Number(control.length) }]
          : vectorsAt(task.process.space, control.buffer, Number(control.length));
      if (typeof vectors === 'number') return vectors;
      const transfer = op === OP.PREAD || op === OP.PREADV ? readInto : writeFrom;
      const result = transfer(kernel, task, fd, vectors, Number(control.offset));
      return isBlock(result) || result === 'none' ? undefined : Number(result);
    }
    case OP.FSYNC:
    case OP.FDSYNC:
      return file instanceof RegularFile ? 0 : -E.INVAL;
    default:
      return undefined;
  }
}

function refuse(kernel: Kernel, task: Task, op: number): number {
  const known = Object.entries(OP).find(([, value]) => value === op);
  if (known !== undefined && op !== OP.NOOP)
    kernel.cutHere(task, {
      kind: 'syscall-option',
      what: `io_submit ${known[0]} on what is no regular file`,
      consequence: 'answered EINVAL',
    });
  return -E.INVAL;
}

function ioGetevents(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space, aio } = task.process;
  const [least, most] = [args.long(1), args.long(2)];
  const context = aio.get(args.pointer(0));
  const timeout = args.pointer(4) === 0 ? undefined : readTimespec(space, args.pointer(4));
  if (typeof timeout === 'number') return timeout;
  if (context === undefined) return -E.INVAL;
  if (least < 0n || least > most || most < 0n) return -E.INVAL;
  const limit = Number(most < 65536n ? most : 65536n);
  let taken = Number(task.restart?.['taken'] ?? 0);
  for (; taken < limit; taken++) {
    const event = context.shift(space);
    if (event === undefined) break;
    space.write(args.pointer(3) + 32 * taken, event);
  }
  task.restart ??= timeout === undefined ? {} : { deadline: kernel.now + timeout };
  task.restart['taken'] = taken;
  const deadline = task.restart['deadline'] as bigint | undefined;
  const expired = deadline !== undefined && kernel.now >= deadline;
  if (BigInt(taken) >= least || expired || (task.signalled && taken > 0)) return taken;
  return block([context.queue], 'asynchronous operations', { deadline, restart: 'eintr' });
}

/** The last argument: pointer to {sigset pointer, size}. */
function ioPgetevents(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space } = task.process;
  const at = args.pointer(5);
  const mask = at === 0 ? 0 : Number(space.read64(at));
  if (mask !== 0) {
    if (space.read64(at + 8) !== 8n) return -E.INVAL;
    temporaryMask(task, space.read64(mask));
  }
  return ioGetevents(kernel, task, args);
}

/** Nothing is in flight that could be cancelled. */
function ioCancel(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  task.process.space.read32(args.pointer(1) + 8);
  return -E.INVAL;
}

export const aioRows: readonly SyscallRow[] = [
  row('io_setup', ioSetup),
  row('io_destroy', ioDestroy),
  row('io_submit', ioSubmit, 'partial', 'regular files, done at once; others answer EINVAL and are a cut'),
  row('io_getevents', ioGetevents),
  row('io_pgetevents', ioPgetevents),
  row('io_cancel', ioCancel, 'full', 'EINVAL: nothing is in flight'),
];
