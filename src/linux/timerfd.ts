// timerfd (fs/timerfd.c). Expirations are counted when somebody looks, from the virtual clock.
import type { FileType, Resource } from '../effect/index.ts';
import { E } from './errno.ts';
import { OpenFile, POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import { type Block, block, WaitQueue } from './wait.ts';

export class TimerFile extends OpenFile {
  readonly type: FileType = '?';
  readonly queue = new WaitQueue();
  readonly clock: number;
  /** Virtual CLOCK_MONOTONIC ns of the next expiration; undefined: disarmed. */
  private next: bigint | undefined = undefined;
  private interval = 0n;
  private ticks = 0n;

  constructor(flags: number, clock: number) {
    super(flags);
    this.clock = clock;
  }

  resource(): Resource {
    return { kind: 'file', type: '?', path: 'anon:[timerfd]' };
  }

  /** `first` is absolute virtual CLOCK_MONOTONIC; undefined disarms. */
  arm(kernel: Kernel, first: bigint | undefined, interval: bigint): void {
    this.next = first;
    this.interval = interval;
    this.ticks = 0n;
    this.expire(kernel);
    this.queue.wake(0);
  }

  /** Time left and interval, in ns; 0 while disarmed. */
  remaining(kernel: Kernel): { readonly left: bigint; readonly interval: bigint } {
    this.expire(kernel);
    const left = this.next === undefined ? 0n : this.next - kernel.now;
    return { left: left > 0n ? left : 0n, interval: this.interval };
  }

  override pollDeadline(): bigint | undefined {
    return this.next;
  }

  override expire(kernel: Kernel): void {
    if (this.next === undefined || kernel.now < this.next) return;
    if (this.interval === 0n) {
      this.ticks += 1n;
      this.next = undefined;
    } else {
      const passed = (kernel.now - this.next) / this.interval + 1n;
      this.ticks += passed;
      this.next += passed * this.interval;
    }
    this.queue.wake(POLL.IN);
  }

  poll(kernel: Kernel): number {
    this.expire(kernel);
    return this.ticks > 0n ? POLL.IN : 0;
  }

  read(kernel: Kernel, _task: Task, length: number): Uint8Array | number | Block {
    if (length < 8) return -E.INVAL;
    this.expire(kernel);
    if (this.ticks === 0n) {
      if (this.nonblocking) return -E.AGAIN;
      return block([this.queue], 'read timerfd', this.next === undefined ? {} : { deadline: this.next });
    }
    const out = new Uint8Array(8);
    new DataView(out.buffer).setBigUint64(0, this.ticks, true);
    this.ticks = 0n;
    return out;
  }
  write(): number {
    return -E.INVAL;
  }
}
