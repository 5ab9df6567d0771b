// Futexes: waiters by key (futex(2), kernel/futex). A private key is an address in one address space; a shared one is
// a place in the object that a shared mapping maps, so that processes that map it meet. Priority inheritance is in futex-pi.ts.
import { type AddressSpace, MemoryFault } from '../machine/index.ts';
import type { Kernel } from './kernel.ts';
import type { Process, Task } from './task.ts';
import { WaitQueue } from './wait.ts';

export interface FutexKey {
  /** The address space, or what the shared mapping maps. */
  readonly object: object;
  /** Offset in the mapped object; in an address space twice the address, plus one for a shared key. */
  readonly offset: number;
}

export class FutexWaiter {
  readonly task: Task;
  readonly bitset: number;
  readonly queue = new WaitQueue();
  key: FutexKey;
  woken = false;
  /** Waits for a lock with priority inheritance, whose word is at this address of its space. */
  lock: number | undefined = undefined;

  constructor(task: Task, key: FutexKey, bitset: number) {
    this.task = task;
    this.key = key;
    this.bitset = bitset;
  }
}

/** Waiters in order of arrival, per key, and by task. */
export class FutexTable {
  private readonly lists = new Map<object, Map<number, FutexWaiter[]>>();
  private readonly byTask = new Map<Task, FutexWaiter[]>();

  waiterOf(task: Task): FutexWaiter | undefined {
    return this.byTask.get(task)?.[0];
  }

  /** All of a task: futex_waitv waits for several at once. */
  waitersOf(task: Task): readonly FutexWaiter[] {
    return this.byTask.get(task) ?? [];
  }

  /** Waiters in order of arrival. */
  waitersAt(key: FutexKey): readonly FutexWaiter[] {
    return this.lists.get(key.object)?.get(key.offset) ?? [];
  }

  /** Everybody who waits for a lock with priority inheritance. */
  lockWaiters(): FutexWaiter[] {
    return [...this.byTask.values()].flat().filter(({ lock, woken }) => lock !== undefined && !woken);
  }

  add(waiter: FutexWaiter): void {
    const known = this.byTask.get(waiter.task);
    if (known === undefined) this.byTask.set(waiter.task, [waiter]);
    else known.push(waiter);
    this.enlist(waiter);
  }

  /** Ends one wait. */
  grant(waiter: FutexWaiter): void {
    this.delist(waiter);
    waiter.woken = true;
    waiter.queue.wake();
  }

  private enlist(waiter: FutexWaiter): void {
    const { object, offset } = waiter.key;
    let lists = this.lists.get(object);
    if (lists === undefined) this.lists.set(object, (lists = new Map()));
    const list = lists.get(offset);
    if (list === undefined) lists.set(offset, [waiter]);
    else list.push(waiter);
  }

  private delist(waiter: FutexWaiter): void {
    const { object, offset } = waiter.key;
    const lists = this.lists.get(object);
    const list = lists?.get(offset);
    if (lists === undefined || list === undefined) return;
    const at = list.indexOf(waiter);
    if (at >= 0) list.splice(at, 1);
    if (list.length === 0) lists.delete(offset);
    if (lists.size === 0) this.lists.delete(object);
  }

  /** The task no longer waits (its system call ended). */
  forget(task: Task): void {
    const waiters = this.byTask.get(task);
    if (waiters === undefined) return;
    this.byTask.delete(task);
    for (const waiter of waiters) if (!waiter.woken) this.delist(waiter);
  }

  /** Wakes up to `count` waiters whose bitset meets `bitset`; how many it woke. */
  wake(key: FutexKey, count: number, bitset: number): number {
    const list = this.lists.get(key.object)?.get(key.offset) ?? [];
    const chosen = list.filter((waiter) => (waiter.bitset & bitset) !== 0).slice(0, Math.max(0, count));
    for (const waiter of chosen) this.grant(waiter);
    return chosen.length;
  }

  /** Moves up to `count` waiters to another key; how many. */
  requeue(from: FutexKey, to: FutexKey, count: number): number {
    const list = this.lists.get(from.object)?.get(from.offset) ?? [];
    const moved = list.slice(0, Math.max(0, count));
    for (const waiter of moved) {
      this.delist(waiter);
      waiter.key = to;
      this.enlist(waiter);
    }
    return moved.length;
  }
}

/**
 * The key of an address. A private one is the address itself, mapped or not. A shared one must be readable
 * (MemoryFault); in memory that is not shared it still differs from the private one, as in Linux.
 */
export function futexKey(space: AddressSpace, address: number, shared: boolean): FutexKey {
  if (!shared) return { object: space, offset: 2 * address };
  space.read32(address);
  const region = space.find(address);
  if (region?.shared === true && region.backing !== undefined) {
    return { object: region.backing, offset: region.offset + (address - region.start) };
  }
  return { object: space, offset: 2 * address + 1 };
}

/** Wakes waiters at an address as the kernel itself does: those that wait under the shared key. */
export function wakeFutexAddress(kernel: Kernel, process: Process, address: number, count: number): void {
  kernel.futexes.wake(futexKey(process.space, address, true), count, 0xffffffff);
}

/** Bits of the word of a robust or priority-inheriting mutex. */
export const TID_MASK = 0x3fffffff;
export const OWNER_DIED = 0x40000000;
export const WAITERS = 0x80000000;
const LIST_LIMIT = 2048;

/** Robust mutexes that the task holds at its end are marked, and one waiter of each is woken. Faults end the walk. */
export function exitRobustList(kernel: Kernel, task: Task): void {
  const head = task.robustList;
  if (head === 0) return;
  task.robustList = 0;
  const { space } = task.process;
  const pointer = (address: number): number => Number(space.read64(address));
  try {
    const offset = Number(BigInt.asIntN(64, space.read64(head + 8)));
    // Bit 0 of a link marks a priority-inheritance mutex.
    const link = (address: number): number => pointer(address) - (pointer(address) % 2);
    const pending = link(head + 16);
    let entry = link(head);
    for (let i = 0; i < LIST_LIMIT && entry !== head; i++) {
      const next = link(entry);
      if (entry !== pending) abandonMutex(kernel, task, entry + offset);
      entry = next;
    }
    if (pending !== 0) abandonMutex(kernel, task, pending + offset);
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
  }
}

function abandonMutex(kernel: Kernel, task: Task, address: number): void {
  const { space } = task.process;
  const value = space.read32(address) >>> 0;
  if ((value & TID_MASK) !== task.tid) return;
  space.write32(address, (((value & WAITERS) >>> 0) | OWNER_DIED) >>> 0);
  if ((value & WAITERS) !== 0) wakeFutexAddress(kernel, task.process, address, 1);
}
