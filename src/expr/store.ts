// Nodes in typed arrays, each made once (hash-consed): equal operations on equal children are one number. Knows
// nothing of simplification; `Expressions` decides what is made. Arrays grow by doubling; nodes are never dropped.
import { computeFacts, Facts } from './facts.ts';
import { OP } from './ops.ts';

const MAX_DEPTH = 0xffff;
/** Below this many nodes arrays grow faster. */
const FAST_GROWTH = 1 << 20;

/** A table of constants that `table` nodes index. */
export interface Table {
  readonly width: number;
  readonly entries: readonly bigint[];
  /** Known bits and bounds of all entries. */
  readonly facts: (out: Facts) => void;
}

export interface Variable {
  readonly name: string;
  readonly width: number;
  readonly expression: number;
}

function grown<T extends Int32Array | Float64Array | Uint16Array>(from: T, size: number): T {
  const to = new (from.constructor as new (size: number) => T)(size);
  to.set(from);
  return to;
}

export class NodeStore {
  heads: Int32Array;
  as: Int32Array;
  bs: Int32Array;
  cs: Int32Array;
  zeros0: Int32Array;
  zeros1: Int32Array;
  ones0: Int32Array;
  ones1: Int32Array;
  min: Float64Array;
  max: Float64Array;
  depths: Uint16Array;
  /** Nodes there are, node 0 (none) included. */
  count = 1;
  readonly tables: Table[] = [];
  readonly variablesByNumber: Variable[] = [];
  /** Pairs of a node (0: none) and its hash: what is not looked for is seen without a look at the node. */
  private slots: Int32Array;
  private hashes: Int32Array;
  private capacity: number;
  private readonly facts = new Facts();

  constructor(capacity = 1 << 14) {
    this.capacity = capacity;
    this.heads = new Int32Array(capacity);
    this.as = new Int32Array(capacity);
    this.bs = new Int32Array(capacity);
    this.cs = new Int32Array(capacity);
    this.zeros0 = new Int32Array(capacity);
    this.zeros1 = new Int32Array(capacity);
    this.ones0 = new Int32Array(capacity);
    this.ones1 = new Int32Array(capacity);
    this.min = new Float64Array(capacity);
    this.max = new Float64Array(capacity);
    this.depths = new Uint16Array(capacity);
    this.hashes = new Int32Array(capacity);
    this.slots = new Int32Array(capacity * 4);
  }

  opOf(e: number): number {
    return this.heads[e] & 0xff;
  }

  widthOf(e: number): number {
    return (this.heads[e] >>> 8) & 0xff;
  }

  auxOf(e: number): number {
    return this.heads[e] >>> 16;
  }

  /** Whether it is the constant 0. */
  isZero(e: number): boolean {
    if ((this.heads[e] & 0xff) !== OP.const) return false;
    if (this.widthOf(e) > 64) return this.isZero(this.as[e]) && this.isZero(this.bs[e]);
    return this.as[e] === 0 && this.bs[e] === 0;
  }

  /** Value of a constant below 2 ** 31, or -1. */
  smallOf(e: number): number {
    if ((this.heads[e] & 0xff) !== OP.const) return -1;
    if (this.widthOf(e) > 64) return this.isZero(this.bs[e]) ? this.smallOf(this.as[e]) : -1;
    return this.bs[e] === 0 && this.as[e] >= 0 ? this.as[e] : -1;
  }

  /** The node with these words, made if there is none yet. */
  intern(op: number, width: number, aux: number, a: number, b: number, c: number): number {
    const head = op | (width << 8) | (aux << 16);
    const mask = this.slots.length - 2;
    let h = Math.imul(head, 0x9e3779b1) ^ Math.imul(a, 0x85ebca6b) ^ Math.imul(b, 0xc2b2ae35);
    h ^= Math.imul(c, 0x27d4eb2f);
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
    h ^= h >>> 13;
    let slot = (h << 1) & mask;
    const { slots, heads, as, bs, cs } = this;
    for (;;) {
      const found = slots[slot];
      if (found === 0) break;
      if (
        slots[slot + 1] === h &&
        heads[found] === head &&
        as[found] === a &&
        bs[found] === b &&
        cs[found] === c
      )
        return found;
      slot = (slot + 2) & mask;
    }
    if (this.count === this.capacity) {
      this.grow();
      return this.intern(op, width, aux, a, b, c);
    }
    const e = this.count++;
    slots[slot] = e;
    slots[slot + 1] = h;
    this.hashes[e] = h;
    heads[e] = head;
    as[e] = a;
    bs[e] = b;
    cs[e] = c;
    this.describe(e, op, a, b, c);
    return e;
  }

  private describe(e: number, op: number, a: number, b: number, c: number): void {
    const { facts } = this;
    computeFacts(this, e, facts);
    this.zeros0[e] = facts.zeros0;
    this.zeros1[e] = facts.zeros1;
    this.ones0[e] = facts.ones0;
    this.ones1[e] = facts.ones1;
    this.min[e] = facts.min;
    this.max[e] = facts.max;
    if (op <= OP.variable) return;
    let depth = this.depths[a];
    if (op !== OP.table && this.depths[b] > depth) depth = this.depths[b];
    if (this.depths[c] > depth) depth = this.depths[c];
    this.depths[e] = depth < MAX_DEPTH ? depth + 1 : MAX_DEPTH;
  }

  private grow(): void {
    const size = (this.capacity *= this.capacity < FAST_GROWTH ? 4 : 2);
    this.heads = grown(this.heads, size);
    this.as = grown(this.as, size);
    this.bs = grown(this.bs, size);
    this.cs = grown(this.cs, size);
    this.zeros0 = grown(this.zeros0, size);
    this.zeros1 = grown(this.zeros1, size);
    this.ones0 = grown(this.ones0, size);
    this.ones1 = grown(this.ones1, size);
    this.min = grown(this.min, size);
    this.max = grown(this.max, size);
    this.depths = grown(this.depths, size);
    this.hashes = grown(this.hashes, size);
    this.rehash(size * 4);
  }

  private rehash(size: number): void {
    const { hashes } = this;
    const slots = new Int32Array(size);
    const mask = size - 2;
    for (let e = 1; e < this.count; e++) {
      let slot = (hashes[e] << 1) & mask;
      while (slots[slot] !== 0) slot = (slot + 2) & mask;
      slots[slot] = e;
      slots[slot + 1] = hashes[e];
    }
    this.slots = slots;
  }
}
