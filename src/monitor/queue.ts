// Items that wait until nothing earlier can arrive any more, then leave in order of time. A calendar: buckets of equal
// width, an item goes to the bucket of its time at constant cost, a bucket is sorted when it is due. Items are reused.
import type { Letter } from '../automaton/index.ts';
import type { Resource } from '../effect/index.ts';
import type { Moment, Segment, Task } from './tables.ts';

/** Up to `birth`: what only a task that has been born can do. */
export const ITEM = { event: 0, flow: 1, end: 2, exec: 3, clone: 4, birth: 5, exit: 6, resync: 7 } as const;
export type ItemKind = (typeof ITEM)[keyof typeof ITEM];

/** One thing for the verdict on order. Which fields count depends on the kind; see order.ts. */
export interface Item {
  time: Moment;
  sequence: number;
  kind: ItemKind;
  task: Task;
  /** The watched segment that the immediate verdict was made in. */
  segment: Segment | undefined;
  /** -1: none. */
  letter: Letter;
  /** flow: operations that are free until `until`. */
  read: Letter;
  write: Letter;
  map: Letter;
  until: Moment;
  /** For explanations. */
  op: number;
  access: string;
  resource: Resource | undefined;
}

export class Calendar {
  /** Items that wait. */
  length = 0;
  private readonly buckets = new Map<number, Item[]>();
  private readonly free: Item[] = [];
  /** The bucket of the last addition, which is often that of the next. */
  private lastIndex = Number.NaN;
  private lastBucket: Item[] = [];
  private sequence = 0;
  private width = 1e6;
  /** Buckets before this one have left. */
  private first = Number.NEGATIVE_INFINITY;

  /** Buckets become a thousandth of the delay, at least a millisecond. Call only while empty. */
  setDelay(delay: Moment): void {
    this.width = Math.max(1e6, delay / 1024);
    this.first = Number.NEGATIVE_INFINITY;
  }

  /** Moment up to which everything has left. */
  get horizon(): Moment {
    return this.first * this.width;
  }

  /** A new item in its place; fields other than these are to be set by the caller. Undefined where its time has left. */
  add(time: Moment, kind: ItemKind, task: Task, segment: Segment | undefined): Item | undefined {
    const index = Math.floor(time / this.width);
    if (index < this.first) return undefined;
    const item = this.free.pop() ?? blank(task);
    item.time = time;
    item.sequence = this.sequence++;
    item.kind = kind;
    item.task = task;
    item.segment = segment;
    item.letter = item.read = item.write = item.map = -1;
    item.until = time;
    item.op = -1;
    item.access = '';
    item.resource = undefined;
    if (index !== this.lastIndex) {
      let bucket = this.buckets.get(index);
      if (bucket === undefined) this.buckets.set(index, (bucket = []));
      this.lastIndex = index;
      this.lastBucket = bucket;
    }
    this.lastBucket.push(item);
    this.length++;
    return item;
  }

  /** Lets everything in buckets before `moment` leave. */
  advance(moment: Moment, visit: (item: Item) => void): void {
    const end = Math.floor(moment / this.width);
    if (end <= this.first) return;
    if (this.length > 0) {
      if (end - this.first > this.buckets.size) {
        for (const index of [...this.buckets.keys()].sort((a, b) => a - b))
          if (index < end) this.leave(index, visit);
      } else {
        for (let index = this.first; index < end; index++) this.leave(index, visit);
      }
    }
    this.first = end;
  }

  /** The first bucket leaves, whenever it is due. The moment up to which things have now left. */
  leaveFirst(visit: (item: Item) => void): Moment {
    let first = Number.POSITIVE_INFINITY;
    for (const index of this.buckets.keys()) if (index < first) first = index;
    if (first === Number.POSITIVE_INFINITY) return this.horizon;
    this.leave(first, visit);
    this.first = first + 1;
    return this.horizon;
  }

  /** Everything leaves; afterwards any time may be added again. */
  flush(visit: (item: Item) => void): void {
    for (const index of [...this.buckets.keys()].sort((a, b) => a - b)) this.leave(index, visit);
    this.first = Number.NEGATIVE_INFINITY;
  }

  private leave(index: number, visit: (item: Item) => void): void {
    const bucket = this.buckets.get(index);
    if (bucket === undefined) return;
    this.buckets.delete(index);
    this.lastIndex = Number.NaN;
    this.length -= bucket.length;
    sortByTime(bucket);
    for (const item of bucket) {
      visit(item);
      item.segment = undefined;
      item.resource = undefined;
      if (this.free.length < 65_536) this.free.push(item);
    }
  }
}

/** Items come nearly in order: moving each to its place is cheap, until it is not. */
function sortByTime(items: Item[]): void {
  let moves = items.length * 8;
  for (let i = 1; i < items.length; i++) {
    const item = items[i];
    let at = i;
    for (; at > 0 && byTime(items[at - 1], item) > 0; at--) items[at] = items[at - 1];
    items[at] = item;
    moves -= i - at;
    if (moves < 0) {
      items.sort(byTime);
      return;
    }
  }
}

const byTime = (a: Item, b: Item): number => a.time - b.time || a.sequence - b.sequence;

const blank = (task: Task): Item => ({
  time: 0,
  sequence: 0,
  kind: ITEM.event,
  task,
  segment: undefined,
  letter: -1,
  read: -1,
  write: -1,
  map: -1,
  until: 0,
  op: -1,
  access: '',
  resource: undefined,
});
