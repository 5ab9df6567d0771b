// Items that wait until nothing earlier can arrive any more, then leave in order of time. A calendar: buckets of equal
// width, an item goes to the bucket of its time at constant cost, a bucket is sorted when it is due. Very many wait, so
// they are rows of columns, not objects; rows are reused.
import type { Letter } from '../automaton/index.ts';
import type { Protocol, Resource } from '../effect/index.ts';
import { connection, type FlowRow, type StreamFile } from '../telemetry/index.ts';
import type { Moment, Segment, Task } from './tables.ts';

/** Up to `birth`: what only a task that has been born can do. */
export const ITEM = { event: 0, flow: 1, end: 2, exec: 3, clone: 4, birth: 5, exit: 6, resync: 7 } as const;
export type ItemKind = (typeof ITEM)[keyof typeof ITEM];

/** One thing for the verdict on order. Which fields count depends on the kind; see order.ts. */
export interface Item {
  readonly time: Moment;
  readonly kind: ItemKind;
  readonly task: Task;
  /** The watched segment that the immediate verdict was made in. */
  readonly segment: Segment | undefined;
  /** -1: none. */
  readonly letter: Letter;
  /** flow: what is free until `until`: its operations, all as one letter. */
  readonly between: Letter;
  readonly until: Moment;
  /** For explanations: the operation, letters of access as bits (accessMask), what it was done to. */
  readonly op: number;
  readonly access: number;
  readonly resource: Resource | undefined;
}

const protocols: readonly Protocol[] = ['tcp', 'udp', 'icmp', 'raw'];

/** The item that is leaving: the same object each time, filled from its row. */
class Leaving implements Item {
  time: Moment = 0;
  kind: ItemKind = ITEM.event;
  task!: Task;
  segment: Segment | undefined = undefined;
  letter: Letter = -1;
  between: Letter = -1;
  until: Moment = 0;
  op = -1;
  access = 0;
  subject: Resource | StreamFile | undefined = undefined;
  /** Protocol (beyond those that there are: none), then both ends. */
  readonly net = new Int32Array(5);

  get resource(): Resource | undefined {
    const { subject, net } = this;
    if (subject !== undefined) return 'kind' in subject ? subject : subject.resource;
    const protocol = protocols[net[0]];
    return protocol === undefined ? undefined : connection(protocol, net[1], net[2], net[3], net[4]);
  }
}

// A row: time, until (doubles); letter, between, kind | op << 8 | access << 16 (op -1 is 255), then a connection: its
// protocol, and both ends (integers). Beside it three references: task, segment, subject. Together, so that an item is in
// one place of memory, not in a dozen.
const doubles = 6;
const integers = 12;
const letterAt = 4;
const betweenAt = 5;
const kindAt = 6;
const netAt = 7;
const references = 3;
const fewest = 1024;

type Reference = Task | Segment | Resource | StreamFile | undefined;

export class Calendar {
  /** Items that wait. */
  length = 0;
  private readonly buckets = new Map<number, number[]>();
  private free: number[] = [];
  private rows = 0;
  private moments = new Float64Array(doubles * fewest);
  private numbers = new Int32Array(this.moments.buffer);
  private referred: Reference[] = [];
  /** The bucket of the last addition, which is often that of the next. */
  private lastIndex = Number.NaN;
  private lastBucket: number[] = [];
  private width = 1e6;
  /** Buckets before this one have left. */
  private first = Number.NEGATIVE_INFINITY;
  private readonly leaving = new Leaving();

  /** Buckets become a thousandth of the delay, at least a millisecond. Call only while empty. */
  setDelay(delay: Moment): void {
    this.width = Math.max(1e6, delay / 1024);
    this.first = Number.NEGATIVE_INFINITY;
  }

  /** Moment up to which everything has left. */
  get horizon(): Moment {
    return this.first * this.width;
  }

  /** A new item's row, without letters and subject; -1 where its time has left. */
  add(time: Moment, kind: ItemKind, task: Task, segment: Segment | undefined): number {
    const index = Math.floor(time / this.width);
    if (index < this.first) return -1;
    const row = this.free.pop() ?? this.newRow();
    const { moments, numbers, referred } = this;
    moments[doubles * row] = time;
    moments[doubles * row + 1] = time;
    const at = integers * row;
    numbers[at + letterAt] = -1;
    numbers[at + betweenAt] = -1;
    numbers[at + kindAt] = kind | (255 << 8);
    numbers[at + netAt] = protocols.length;
    referred[references * row] = task;
    referred[references * row + 1] = segment;
    referred[references * row + 2] = undefined;
    if (index !== this.lastIndex) {
      let bucket = this.buckets.get(index);
      if (bucket === undefined) this.buckets.set(index, (bucket = []));
      this.lastIndex = index;
      this.lastBucket = bucket;
    }
    this.lastBucket.push(row);
    this.length++;
    return row;
  }

  setLetter(row: number, value: Letter): void {
    this.numbers[integers * row + letterAt] = value;
  }

  setBetween(row: number, value: Letter, until: Moment): void {
    this.numbers[integers * row + betweenAt] = value;
    this.moments[doubles * row + 1] = until;
  }

  /** For explanations. `access` as bits. */
  setEffect(row: number, op: number, access: number, resource: Resource | undefined): void {
    const at = integers * row + kindAt;
    this.numbers[at] = (this.numbers[at] & 255) | (op << 8) | (access << 16);
    this.referred[references * row + 2] = resource;
  }

  /** As `setEffect`, of a flow in place. */
  setFlow(row: number, op: number, access: number, flow: FlowRow): void {
    const { numbers } = this;
    let at = integers * row + kindAt;
    numbers[at] = (numbers[at] & 255) | (op << 8) | (access << 16);
    this.referred[references * row + 2] = flow.file;
    if (flow.file !== undefined) return;
    at = integers * row + netAt;
    numbers[at] = protocols.indexOf(flow.protocol);
    numbers[at + 1] = flow.localAddress;
    numbers[at + 2] = flow.localPort;
    numbers[at + 3] = flow.peerAddress;
    numbers[at + 4] = flow.peerPort;
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

  /** What waits, in the order in which it was added. */
  each(visit: (item: Item) => void): void {
    for (const index of [...this.buckets.keys()].sort((a, b) => a - b))
      for (const row of this.buckets.get(index) ?? []) {
        this.fill(row);
        visit(this.leaving);
      }
  }

  private leave(index: number, visit: (item: Item) => void): void {
    const bucket = this.buckets.get(index);
    if (bucket === undefined) return;
    this.buckets.delete(index);
    this.lastIndex = Number.NaN;
    this.length -= bucket.length;
    const { referred } = this;
    sortByTime(bucket, this.moments);
    for (const row of bucket) {
      this.fill(row);
      referred[references * row + 1] = undefined;
      referred[references * row + 2] = undefined;
      visit(this.leaving);
    }
    // Last first, so that rows are used again in the order in which they lie in memory.
    for (let i = bucket.length - 1; i >= 0; i--) this.free.push(bucket[i]);
    if (this.length === 0) this.compact();
  }

  private fill(row: number): void {
    const { leaving, moments, numbers, referred } = this;
    leaving.time = moments[doubles * row];
    leaving.until = moments[doubles * row + 1];
    const at = integers * row;
    leaving.letter = numbers[at + letterAt];
    leaving.between = numbers[at + betweenAt];
    const packed = numbers[at + kindAt];
    leaving.kind = (packed & 255) as ItemKind;
    leaving.op = (packed << 16) >> 24;
    leaving.access = packed >>> 16;
    leaving.task = referred[references * row] as Task;
    leaving.segment = referred[references * row + 1] as Segment | undefined;
    leaving.subject = referred[references * row + 2] as Resource | StreamFile | undefined;
    const { net } = leaving;
    net[0] = numbers[at + netAt];
    if (net[0] < protocols.length) for (let i = 1; i < 5; i++) net[i] = numbers[at + netAt + i];
  }

  private newRow(): number {
    const row = this.rows++;
    if (doubles * row >= this.moments.length) {
      const moments = new Float64Array(2 * this.moments.length);
      moments.set(this.moments);
      this.moments = moments;
      this.numbers = new Int32Array(moments.buffer);
    }
    return row;
  }

  /** Nothing waits: rows begin anew, and the room of a time when very much did is given back. */
  private compact(): void {
    this.free = [];
    this.rows = 0;
    this.referred = [];
    if (this.moments.length <= 1 << 20) return;
    this.moments = new Float64Array(doubles * fewest);
    this.numbers = new Int32Array(this.moments.buffer);
  }
}

/** Items come nearly in order: moving each to its place is cheap, until it is not. Of equal times the first stays first. */
function sortByTime(rows: number[], moments: Float64Array): void {
  let moves = rows.length * 8;
  for (let i = 1; i < rows.length; i++) {
    const row = rows[i];
    const time = moments[doubles * row];
    let at = i;
    for (; at > 0 && moments[doubles * rows[at - 1]] > time; at--) rows[at] = rows[at - 1];
    rows[at] = row;
    moves -= i - at;
    if (moves < 0) {
      // Stable, and what is sorted so far has kept the order of equals.
      rows.sort((a, b) => moments[doubles * a] - moments[doubles * b]);
      return;
    }
  }
}
