// epoll (fs/eventpoll.c): a set of watched descriptions with a list of those that may be ready. Files push into the
// list when their queues are woken; epoll_wait asks each listed file again, so nothing is reported that is over.
import type { FileType, Resource } from '../effect/index.ts';
import { E } from './errno.ts';
import { OpenFile, POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import { WaitQueue, type Watcher } from './wait.ts';

export const EPOLL = {
  CTL_ADD: 1,
  CTL_DEL: 2,
  CTL_MOD: 3,
  EXCLUSIVE: 0x10000000,
  WAKEUP: 0x20000000,
  ONESHOT: 0x40000000,
  ET: 0x80000000,
} as const;
/** Bits that are behaviour, not events. */
/** What may be asked for with EPOLLEXCLUSIVE: in and out of all kinds, errors, hangups, edges (EPOLLEXCLUSIVE_OK_BITS). */
const EXCLUSIVE_BITS = 0x03c5 | 8 | 16 | EPOLL.WAKEUP | EPOLL.ET | EPOLL.EXCLUSIVE;
const PRIVATE = EPOLL.EXCLUSIVE | EPOLL.WAKEUP | EPOLL.ONESHOT | EPOLL.ET;
const MAX_NESTING = 5;

export class EpollItem implements Watcher {
  readonly epoll: EpollFile;
  readonly file: OpenFile;
  readonly fd: number;
  events: number;
  data: bigint;
  /** ONESHOT has fired: nothing until EPOLL_CTL_MOD. */
  disabled = false;

  constructor(epoll: EpollFile, file: OpenFile, fd: number, events: number, data: bigint) {
    this.epoll = epoll;
    this.file = file;
    this.fd = fd;
    this.events = events;
    this.data = data;
  }

  get exclusive(): boolean {
    return (this.events & EPOLL.EXCLUSIVE) !== 0;
  }
  get wanted(): number {
    return this.disabled ? 0 : (this.events & ~PRIVATE) | POLL.ERR | POLL.HUP;
  }

  notify(events: number): boolean {
    if (this.file.references <= 0) {
      this.epoll.forget(this);
      return false;
    }
    if ((events & this.wanted) === 0) return false;
    this.epoll.ready.add(this);
    const taken = this.epoll.queue.waiters.size > 0;
    this.epoll.queue.wake(POLL.IN | POLL.RDNORM);
    return taken;
  }
}

export class EpollFile extends OpenFile {
  readonly type: FileType = '?';
  readonly queue = new WaitQueue();
  private readonly items = new Map<OpenFile, Map<number, EpollItem>>();
  /** May be ready; in the order in which they became so. */
  readonly ready = new Set<EpollItem>();

  resource(): Resource {
    return { kind: 'file', type: '?', path: 'anon:[eventpoll]' };
  }
  read(): number {
    return -E.INVAL;
  }
  write(): number {
    return -E.INVAL;
  }

  private find(file: OpenFile, fd: number): EpollItem | undefined {
    return this.items.get(file)?.get(fd);
  }

  /** EPOLL_CTL_ADD, MOD and DEL. */
  control(
    kernel: Kernel,
    task: Task,
    operation: number,
    file: OpenFile,
    change: { readonly fd: number; readonly events: number; readonly data: bigint },
  ): number {
    const { fd, events, data } = change;
    if (file === this) return -E.INVAL;
    if ((events & EPOLL.EXCLUSIVE) !== 0 && operation === EPOLL.CTL_MOD) return -E.INVAL;
    if (file instanceof EpollFile && operation === EPOLL.CTL_ADD) {
      if ((events & EPOLL.EXCLUSIVE) !== 0) return -E.INVAL;
      if (file.reaches(this, 0)) return -E.LOOP;
    }
    if ((events & EPOLL.EXCLUSIVE) !== 0 && operation === EPOLL.CTL_ADD && (events & ~EXCLUSIVE_BITS) !== 0)
      return -E.INVAL;
    const known = this.find(file, fd);
    switch (operation) {
      case EPOLL.CTL_ADD:
        return known !== undefined
          ? -E.EXIST
          : this.add(kernel, task, new EpollItem(this, file, fd, events, data));
      case EPOLL.CTL_MOD:
        if (known === undefined) return -E.NOENT;
        if (known.exclusive || (events & EPOLL.EXCLUSIVE) !== 0) return -E.INVAL;
        known.events = events;
        known.data = data;
        known.disabled = false;
        this.check(kernel, task, known);
        return 0;
      case EPOLL.CTL_DEL:
        if (known === undefined) return -E.NOENT;
        this.forget(known);
        return 0;
      default:
        return -E.INVAL;
    }
  }

  private add(kernel: Kernel, task: Task, item: EpollItem): number {
    let byFd = this.items.get(item.file);
    if (byFd === undefined) {
      byFd = new Map();
      this.items.set(item.file, byFd);
    }
    byFd.set(item.fd, item);
    item.file.queue.watchers.add(item);
    this.check(kernel, task, item);
    return 0;
  }

  forget(item: EpollItem): void {
    item.file.queue.watchers.delete(item);
    this.ready.delete(item);
    const byFd = this.items.get(item.file);
    byFd?.delete(item.fd);
    if (byFd?.size === 0) this.items.delete(item.file);
  }

  /** Lists the item where it is ready already. */
  private check(kernel: Kernel, task: Task, item: EpollItem): void {
    if ((item.file.poll(kernel, task) & item.wanted) === 0) return;
    this.ready.add(item);
    this.queue.wake(POLL.IN | POLL.RDNORM);
  }

  /** Whether this set contains the other, directly or through sets in it, or is nested too deeply. */
  private reaches(other: EpollFile, depth: number): boolean {
    if (depth >= MAX_NESTING) return true;
    for (const file of this.items.keys()) {
      if (file === other || (file instanceof EpollFile && file.reaches(other, depth + 1))) return true;
    }
    return false;
  }

  private *all(): Generator<EpollItem> {
    for (const byFd of [...this.items.values()]) yield* [...byFd.values()];
  }

  poll(kernel: Kernel, task: Task): number {
    this.expire(kernel);
    for (const item of this.ready) {
      if (item.file.references > 0 && (item.file.poll(kernel, task) & item.wanted) !== 0)
        return POLL.IN | POLL.RDNORM;
    }
    return 0;
  }

  override pollDeadline(kernel: Kernel): bigint | undefined {
    let first: bigint | undefined;
    for (const file of this.items.keys()) {
      const deadline = file.references > 0 ? file.pollDeadline(kernel) : undefined;
      if (deadline !== undefined && (first === undefined || deadline < first)) first = deadline;
    }
    return first;
  }
  override expire(kernel: Kernel): void {
    for (const file of [...this.items.keys()]) {
      const deadline = file.references > 0 ? file.pollDeadline(kernel) : undefined;
      if (deadline !== undefined && deadline <= kernel.now) file.expire(kernel);
    }
  }

  /** Up to `limit` ready items with their events; level-triggered ones stay listed, at the end. */
  collect(kernel: Kernel, task: Task, limit: number): { readonly events: number; readonly data: bigint }[] {
    this.expire(kernel);
    const out: { events: number; data: bigint }[] = [];
    for (const item of [...this.ready]) {
      if (out.length >= limit) break;
      this.ready.delete(item);
      if (item.file.references <= 0) {
        this.forget(item);
        continue;
      }
      const events = item.file.poll(kernel, task) & item.wanted;
      if (events === 0) continue;
      out.push({ events, data: item.data });
      if ((item.events & EPOLL.ONESHOT) !== 0) item.disabled = true;
      else if ((item.events & EPOLL.ET) === 0) this.ready.add(item);
    }
    return out;
  }

  /** For /proc/PID/fdinfo. */
  describe(): readonly EpollItem[] {
    return [...this.all()];
  }

  override close(): void {
    for (const item of this.all()) this.forget(item);
  }
}
