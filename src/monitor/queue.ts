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
  /** flow: operations that are free until `until`. */
  readonly read: Letter;
  readonly write: Letter;
  readonly map: Letter;
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
  read: Letter = -1;
  write: Letter = -1;
  map: Letter = -1;
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

/** Numbers of one row in `letters`. */
const letter = 0;
const read = 1;
const write = 2;
const map = 3;
const perRow = 4;

export class Calendar {
  /** Items that wait. */
  length = 0;
  private readonly buckets = new Map<number, number[]>();
  private free: number[] = [];
  private rows = 0;
  private times = new Float64Array(1024);
  private untils = new Float64Array(1024);
  private letters = new Int32Array(perRow * 1024);
  /** kind | op << 8 | access << 16; op -1 is 255. */
  private kinds = new Int32Array(1024);
  private nets = new Int32Array(5 * 1024);
  private readonly tasks: (Task | undefined)[] = [];
  private readonly segments: (Segment | undefined)[] = [];
  private readonly subjects: (Resource | StreamFile | undefined)[] = [];
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
    this.times[row] = time;
    this.untils[row] = time;
    this.kinds[row] = kind | (255 << 8);
    const { letters } = this;
    letters[perRow * row] =
      letters[perRow * row + 1] =
      letters[perRow * row + 2] =
      letters[perRow * row + 3] =
        -1;
    this.nets[5 * row] = protocols.length;
    this.tasks[row] = task;
    this.segments[row] = segment;
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
    this.letters[perRow * row + letter] = value;
  }

  setBetween(row: number, reads: Letter, writes: Letter, maps: Letter, until: Moment): void {
    this.letters[perRow * row + read] = reads;
    this.letters[perRow * row + write] = writes;
    this.letters[perRow * row + map] = maps;
    this.untils[row] = until;
  }

  /** For explanations. `access` as bits. */
  setEffect(row: number, op: number, access: number, resource: Resource | undefined): void {
    this.kinds[row] = (this.kinds[row] & 255) | (op << 8) | (access << 16);
    this.subjects[row] = resource;
  }

  /** As `setEffect`, of a flow in place. */
  setFlow(row: number, op: number, access: number, flow: FlowRow): void {
    this.kinds[row] = (this.kinds[row] & 255) | (op << 8) | (access << 16);
    this.subjects[row] = flow.file;
    if (flow.file !== undefined) return;
    const { nets } = this;
    const at = 5 * row;
    nets[at] = protocols.indexOf(flow.protocol);
    nets[at + 1] = flow.localAddress;
    nets[at + 2] = flow.localPort;
    nets[at + 3] = flow.peerAddress;
    nets[at + 4] = flow.peerPort;
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
    sortByTime(bucket, this.times);
    for (const row of bucket) {
      this.fill(row);
      this.tasks[row] = undefined;
      this.segments[row] = undefined;
      this.subjects[row] = undefined;
      visit(this.leaving);
    }
    // Last first, so that rows are used again in the order in which they lie in memory.
    for (let i = bucket.length - 1; i >= 0; i--) this.free.push(bucket[i]);
    if (this.length === 0) this.compact();
  }

  private fill(row: number): void {
    const { leaving, letters, kinds, nets } = this;
    leaving.time = this.times[row];
    leaving.until = this.untils[row];
    leaving.letter = letters[perRow * row];
    leaving.read = letters[perRow * row + read];
    leaving.write = letters[perRow * row + write];
    leaving.map = letters[perRow * row + map];
    const packed = kinds[row];
    leaving.kind = (packed & 255) as ItemKind;
    leaving.op = ((packed << 16) >> 24) as number;
    leaving.access = packed >>> 16;
    leaving.task = this.tasks[row] as Task;
    leaving.segment = this.segments[row];
    leaving.subject = this.subjects[row];
    leaving.net[0] = nets[5 * row];
    if (nets[5 * row] < protocols.length) for (let i = 1; i < 5; i++) leaving.net[i] = nets[5 * row + i];
  }

  private newRow(): number {
    const row = this.rows++;
    if (row >= this.times.length) {
      const size = 2 * row;
      this.times = grown(this.times, new Float64Array(size));
      this.untils = grown(this.untils, new Float64Array(size));
      this.letters = grown(this.letters, new Int32Array(perRow * size));
      this.kinds = grown(this.kinds, new Int32Array(size));
      this.nets = grown(this.nets, new Int32Array(5 * size));
    }
    return row;
  }

  /** Nothing waits: rows begin anew, and the room of a time when very much did is given back. */
  private compact(): void {
    this.free = [];
    this.rows = 0;
    if (this.times.length <= 1 << 17) return;
    this.times = new Float64Array(1024);
    this.untils = new Float64Array(1024);
    this.letters = new Int32Array(perRow * 1024);
    this.kinds = new Int32Array(1024);
    this.nets = new Int32Array(5 * 1024);
    this.tasks.length = this.segments.length = this.subjects.length = 0;
  }
}

function grown<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Items come nearly in order: moving each to its place is cheap, until it is not. Of equal times the first stays first. */
function sortByTime(rows: number[], times: Float64Array): void {
  let moves = rows.length * 8;
  for (let i = 1; i < rows.length; i++) {
    const row = rows[i];
    const time = times[row];
    let at = i;
    for (; at > 0 && times[rows[at - 1]] > time; at--) rows[at] = rows[at - 1];
    rows[at] = row;
    moves -= i - at;
    if (moves < 0) {
      // Stable, and what is sorted so far has kept the order of equals.
      rows.sort((a, b) => times[a] - times[b]);
      return;
    }
  }
}
