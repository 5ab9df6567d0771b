// eventfd (fs/eventfd.c): a 64-bit counter.
import type { FileType, Resource } from '../effect/index.ts';
import { E } from './errno.ts';
import { OpenFile, POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import { type Block, block, WaitQueue } from './wait.ts';

const MAX = 0xfffffffffffffffen;

export class EventFile extends OpenFile {
  readonly type: FileType = '?';
  readonly queue = new WaitQueue();
  private readonly semaphore: boolean;
  count: bigint;

  constructor(flags: number, initial: number, semaphore: boolean) {
    super(flags);
    this.count = BigInt(initial);
    this.semaphore = semaphore;
  }

  resource(): Resource {
    return { kind: 'file', type: '?', path: 'anon:[eventfd]' };
  }
  poll(): number {
    return (this.count > 0n ? POLL.IN : 0) | (this.count < MAX ? POLL.OUT : 0);
  }

  read(_kernel: Kernel, _task: Task, length: number): Uint8Array | number | Block {
    if (length < 8) return -E.INVAL;
    if (this.count === 0n) return this.nonblocking ? -E.AGAIN : block([this.queue], 'read eventfd');
    const value = this.semaphore ? 1n : this.count;
    this.count -= value;
    this.queue.wake(POLL.OUT | POLL.WRNORM);
    const out = new Uint8Array(8);
    new DataView(out.buffer).setBigUint64(0, value, true);
    return out;
  }

  write(_kernel: Kernel, _task: Task, bytes: Uint8Array): number | Block {
    if (bytes.length < 8) return -E.INVAL;
    const value = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
    if (value > MAX) return -E.INVAL;
    if (this.count + value > MAX) return this.nonblocking ? -E.AGAIN : block([this.queue], 'write eventfd');
    this.count += value;
    this.queue.wake(POLL.IN);
    return 8;
  }
}
