// Items that wait until nothing earlier can arrive any more, then leave in order of time. A calendar: buckets of equal
// width, an item goes to the bucket of its time at constant cost, a bucket is sorted when it is due. Very many wait, so
// they are rows of numbers (rows.ts), and a bucket is a chain through them. A flow that has a plan is one row in two
// chains: that of its start and that of its end.
import type { Letter } from '../automaton/index.ts';
import { OPS, type Protocol, type Resource } from '../effect/index.ts';
import { connection, type FlowRow } from '../telemetry/index.ts';
import { DETAILS, DOUBLES, INTEGERS, Rows } from './rows.ts';
import { Seats } from './seats.ts';
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

/** What flows of one sort wait for: letters, -1 for none. */
export interface WaitingFlow {
  readonly first: Letter;
  /** What is free meanwhile, for flows that take some time and for those that don't. */
  readonly long: Letter;
  readonly short: Letter;
  readonly shutdown: Letter;
  readonly close: Letter;
  /** For explanations; `protocol`: of a connection, in PROTOCOLS. */
  readonly op: number;
  readonly access: number;
  readonly protocol: number;
}

export const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'icmp', 'raw'];
const SHUTDOWN = OPS.indexOf('SHUTDOWN');
const CLOSE = OPS.indexOf('CLOSE');

// A row: time, until (doubles); then integers: the seat of its task, what it is, and the next row of the chain of its
// time, and of that of `until`. What it is: a flow's plan; or -1. Its details: of a flow both ends of a connection
// (addresses, ports as local << 16 | peer); else letter, between, and kind | op << 8 | access << 16 (op -1 is 255). A
// link is row << 1, | 1 for `until`; -1 ends a chain. A row that is in the first chain only has -2 in place of the
// other's next row, or -3: its `until` is to be found there, too.
const seatAt = 4;
const whatAt = 5;
const nextAt = 6;
const letterAt = 0;
const betweenAt = 1;
const kindAt = 2;
const localAt = 0;
const peerAt = 1;
const portsAt = 2;
const lastLink = -1;
const noLink = -2;
const sameChain = -3;

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
  row = 0;
  private readonly rows: Rows;
  private readonly plans: readonly WaitingFlow[];

  constructor(rows: Rows, plans: readonly WaitingFlow[]) {
    this.rows = rows;
    this.plans = plans;
  }

  get resource(): Resource | undefined {
    const { numbers, details, subjects } = this.rows;
    const what = numbers[INTEGERS * this.row + whatAt];
    if (what >= 0 && this.kind === ITEM.end) return undefined;
    const subject = subjects[this.row];
    if (subject !== undefined) return 'kind' in subject ? subject : subject.resource;
    if (what < 0) return undefined;
    const protocol = PROTOCOLS[this.plans[what].protocol];
    const at = DETAILS * this.row;
    const ports = details[at + portsAt];
    return connection(protocol, details[at + localAt], ports >>> 16, details[at + peerAt], ports & 0xffff);
  }
}

/** Places for buckets that were used lately. */
const lately = 1 << 10;

export class Calendar {
  /** Items that wait. */
  length = 0;
  private readonly rows = new Rows();
  private readonly seats = new Seats();
  private readonly plans: WaitingFlow[] = [];
  /** By index of its time: a bucket's number, and by that the first and last link of its chain. */
  private readonly buckets = new Map<number, number>();
  private chains = new Int32Array(128);
  private freeBuckets: number[] = [];
  private bucketCount = 0;
  private readonly latelyIndex = new Float64Array(lately).fill(Number.NaN);
  private readonly latelyBucket = new Int32Array(lately);
  private width = 1e6;
  /** Buckets before this one have left. */
  private first = Number.NEGATIVE_INFINITY;
  /** Where the next bucket is over; until then nothing leaves. */
  private edge = Number.NEGATIVE_INFINITY;
  private readonly leaving = new Leaving(this.rows, this.plans);
  /** The bucket that leaves: links and their times. */
  private links = new Int32Array(256);
  private times = new Float64Array(256);

  /** Buckets become a thousandth of the delay, at least a millisecond. Call only while empty. */
  setDelay(delay: Moment): void {
    this.width = Math.max(1e6, delay / 1024);
    this.begin(Number.NEGATIVE_INFINITY);
  }

  /** Moment up to which everything has left. */
  get horizon(): Moment {
    return this.first * this.width;
  }

  /** Whether the time of an item has left. */
  isLate(time: Moment): boolean {
    return time < this.edge && Math.floor(time / this.width) < this.first;
  }

  /** A new item's row, without letters and subject; -1 where its time has left. */
  add(time: Moment, kind: ItemKind, task: Task, segment: Segment | undefined): number {
    const index = Math.floor(time / this.width);
    if (index < this.first) return -1;
    const { rows } = this;
    const row = rows.take();
    const { moments, numbers, details } = rows;
    moments[DOUBLES * row] = time;
    moments[DOUBLES * row + 1] = time;
    const at = INTEGERS * row;
    numbers[at + seatAt] = this.seats.take(task, segment).id;
    numbers[at + whatAt] = -1;
    numbers[at + nextAt + 1] = noLink;
    details[DETAILS * row + letterAt] = -1;
    details[DETAILS * row + betweenAt] = -1;
    details[DETAILS * row + kindAt] = kind | (255 << 8);
    rows.subjects[row] = undefined;
    this.link(index, row << 1);
    this.length++;
    return row;
  }

  setLetter(row: number, value: Letter): void {
    this.rows.details[DETAILS * row + letterAt] = value;
  }

  setBetween(row: number, value: Letter, until: Moment): void {
    this.rows.details[DETAILS * row + betweenAt] = value;
    this.rows.moments[DOUBLES * row + 1] = until;
  }

  /** For explanations. `access` as bits. */
  setEffect(row: number, op: number, access: number, resource: Resource | undefined): void {
    const at = DETAILS * row + kindAt;
    const { details, subjects } = this.rows;
    details[at] = (details[at] & 255) | (op << 8) | (access << 16);
    subjects[row] = resource;
  }

  /** How many plans it knows: their numbers, for `addFlow`, are below it. */
  get planCount(): number {
    return this.plans.length;
  }

  /** The next number is this plan's, for good. */
  plan(flow: WaitingFlow): void {
    this.plans.push(flow);
  }

  /**
   * A flow from `start` to no earlier `end`, of which is not late what is added: its beginning, and as many items (those
   * of its plan) at its end.
   */
  addFlow(
    plan: number,
    start: Moment,
    end: Moment,
    begins: boolean,
    ends: number,
    task: Task,
    segment: Segment,
    flow: FlowRow,
  ): void {
    const { rows, width } = this;
    const row = rows.take();
    const { moments, numbers } = rows;
    moments[DOUBLES * row] = start;
    moments[DOUBLES * row + 1] = end;
    const at = INTEGERS * row;
    numbers[at + seatAt] = this.seats.take(task, segment).id;
    numbers[at + whatAt] = plan;
    const { file } = flow;
    rows.subjects[row] = file;
    if (file === undefined) {
      const { details } = rows;
      details[DETAILS * row + localAt] = flow.localAddress;
      details[DETAILS * row + peerAt] = flow.peerAddress;
      details[DETAILS * row + portsAt] = (flow.localPort << 16) | flow.peerPort;
    }
    this.length += ends;
    let index = Math.floor(start / width);
    if (begins) {
      this.length++;
      // Most flows are short: their end is found with their beginning.
      const together = ends > 0 && end < (index + 1) * width;
      numbers[at + nextAt + 1] = together ? sameChain : noLink;
      this.link(index, row << 1);
      if (together || ends === 0) return;
    }
    index = Math.floor(end / width);
    this.link(index, (row << 1) | 1);
  }

  /** Lets everything in buckets before `moment` leave. */
  advance(moment: Moment, visit: (item: Item) => void): void {
    if (moment < this.edge) return;
    const end = Math.floor(moment / this.width);
    if (end <= this.first) return;
    if (this.length > 0) {
      if (end - this.first > this.buckets.size) {
        for (const index of this.indexes()) if (index < end) this.leave(index, visit);
      } else {
        for (let index = this.first; index < end; index++) this.leave(index, visit);
      }
    }
    this.begin(end);
  }

  /** The first bucket leaves, whenever it is due. The moment up to which things have now left. */
  leaveFirst(visit: (item: Item) => void): Moment {
    let first = Number.POSITIVE_INFINITY;
    for (const index of this.buckets.keys()) if (index < first) first = index;
    if (first === Number.POSITIVE_INFINITY) return this.horizon;
    this.leave(first, visit);
    this.begin(first + 1);
    return this.horizon;
  }

  /** Everything leaves; afterwards any time may be added again. */
  flush(visit: (item: Item) => void): void {
    for (const index of this.indexes()) this.leave(index, visit);
    this.begin(Number.NEGATIVE_INFINITY);
  }

  /** What waits, by buckets and in them in the order in which it was added. */
  each(visit: (item: Item) => void): void {
    for (const index of this.indexes()) {
      const bucket = this.buckets.get(index) as number;
      for (let link = this.chains[2 * bucket]; link !== lastLink; link = this.after(link)) {
        this.show(link, visit);
        if (this.endsHere(link)) this.show(link | 1, visit);
      }
    }
  }

  private indexes(): number[] {
    return [...this.buckets.keys()].sort((a, b) => a - b);
  }

  private begin(first: number): void {
    this.first = first;
    this.edge = (first + 1) * this.width;
  }

  private after(link: number): number {
    return this.rows.numbers[INTEGERS * (link >> 1) + nextAt + (link & 1)];
  }

  /** Puts a row at the end of a chain. */
  private link(index: number, link: number): void {
    const { numbers } = this.rows;
    numbers[INTEGERS * (link >> 1) + nextAt + (link & 1)] = lastLink;
    const place = index & (lately - 1);
    const bucket = this.latelyIndex[place] === index ? this.latelyBucket[place] : this.bucketAt(index, place);
    const { chains } = this;
    const last = chains[2 * bucket + 1];
    if (last === lastLink) chains[2 * bucket] = link;
    else numbers[INTEGERS * (last >> 1) + nextAt + (last & 1)] = link;
    chains[2 * bucket + 1] = link;
  }

  private bucketAt(index: number, place: number): number {
    let bucket = this.buckets.get(index);
    if (bucket === undefined) {
      bucket = this.freeBuckets.pop() ?? this.bucketCount++;
      this.buckets.set(index, bucket);
      if (2 * bucket >= this.chains.length) {
        const chains = new Int32Array(2 * this.chains.length);
        chains.set(this.chains);
        this.chains = chains;
      }
      this.chains[2 * bucket] = this.chains[2 * bucket + 1] = lastLink;
    }
    this.latelyIndex[place] = index;
    this.latelyBucket[place] = bucket;
    return bucket;
  }

  private leave(index: number, visit: (item: Item) => void): void {
    const bucket = this.buckets.get(index);
    if (bucket === undefined) return;
    this.buckets.delete(index);
    this.freeBuckets.push(bucket);
    const place = index & (lately - 1);
    if (this.latelyIndex[place] === index) this.latelyIndex[place] = Number.NaN;
    const count = this.collect(this.chains[2 * bucket]);
    const before = this.length;
    let shown = 0;
    for (let i = 0; i < count; i++) {
      const link = this.links[i];
      shown += this.show(link, visit);
      if ((link & 1) !== 0 || this.rows.numbers[INTEGERS * (link >> 1) + nextAt + 1] === noLink)
        this.release(link >> 1);
    }
    this.length = before - shown;
    if (this.length === 0) this.rows.reset();
  }

  private release(row: number): void {
    const { rows, seats } = this;
    seats.release(seats.at(rows.numbers[INTEGERS * row + seatAt]));
    rows.release(row);
  }

  private endsHere(link: number): boolean {
    return (link & 1) === 0 && this.rows.numbers[INTEGERS * (link >> 1) + nextAt + 1] === sameChain;
  }

  /** The links of a chain, in order of time; how many. */
  private collect(first: number): number {
    const { moments } = this.rows;
    let count = 0;
    let last = Number.NEGATIVE_INFINITY;
    let sorted = true;
    for (let link = first; link !== lastLink; link = this.after(link)) {
      if (count + 2 > this.links.length) this.growBucket();
      const { links, times } = this;
      const time = moments[DOUBLES * (link >> 1) + (link & 1)];
      links[count] = link;
      times[count++] = time;
      sorted &&= time >= last;
      last = time;
      if (!this.endsHere(link)) continue;
      last = moments[DOUBLES * (link >> 1) + 1];
      links[count] = link | 1;
      times[count++] = last;
    }
    if (!sorted) sortByTime(this.links, this.times, count);
    return count;
  }

  private growBucket(): void {
    const links = new Int32Array(2 * this.links.length);
    links.set(this.links);
    this.links = links;
    const times = new Float64Array(2 * this.times.length);
    times.set(this.times);
    this.times = times;
  }

  /** Visits what a link stands for; how many items that is. */
  private show(link: number, visit: (item: Item) => void): number {
    const { leaving } = this;
    const { moments, numbers } = this.rows;
    const row = link >> 1;
    const at = INTEGERS * row;
    const { task, segment } = this.seats.at(numbers[at + seatAt]);
    leaving.row = row;
    leaving.task = task;
    leaving.segment = segment;
    leaving.time = moments[DOUBLES * row + (link & 1)];
    const until = moments[DOUBLES * row + 1];
    leaving.until = until;
    const what = numbers[at + whatAt];
    if (what < 0) {
      const { details } = this.rows;
      leaving.letter = details[DETAILS * row + letterAt];
      leaving.between = details[DETAILS * row + betweenAt];
      const packed = details[DETAILS * row + kindAt];
      leaving.kind = (packed & 255) as ItemKind;
      leaving.op = (packed << 16) >> 24;
      leaving.access = packed >>> 16;
      visit(leaving);
      return 1;
    }
    const { first, long, short, shutdown, close, op, access } = this.plans[what];
    if ((link & 1) === 0) {
      leaving.kind = ITEM.flow;
      leaving.letter = first;
      leaving.between = until > leaving.time ? long : short;
      leaving.op = op;
      leaving.access = access;
      visit(leaving);
      return 1;
    }
    leaving.kind = ITEM.end;
    leaving.between = -1;
    leaving.access = 0;
    if (shutdown >= 0) {
      leaving.letter = shutdown;
      leaving.op = SHUTDOWN;
      visit(leaving);
    }
    if (close >= 0) {
      leaving.letter = close;
      leaving.op = CLOSE;
      visit(leaving);
    }
    return (shutdown >= 0 ? 1 : 0) + (close >= 0 ? 1 : 0);
  }
}

/** Items come nearly in order: moving each to its place is cheap, until it is not. Of equal times the first stays first. */
function sortByTime(links: Int32Array, times: Float64Array, count: number): void {
  let moves = count * 8;
  for (let i = 1; i < count; i++) {
    const time = times[i];
    if (times[i - 1] <= time) continue;
    const link = links[i];
    let at = i;
    for (; at > 0 && times[at - 1] > time; at--) {
      links[at] = links[at - 1];
      times[at] = times[at - 1];
    }
    links[at] = link;
    times[at] = time;
    moves -= i - at;
    if (moves < 0) {
      // Stable, and what is sorted so far has kept the order of equals.
      const order = Array.from({ length: count }, (_, n) => n).sort((a, b) => times[a] - times[b]);
      links.set(order.map((n) => links[n]));
      return;
    }
  }
}
