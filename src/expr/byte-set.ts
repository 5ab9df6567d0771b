// Sets of byte values: 256 bits in eight words. Immutable.

export class ByteSet {
  readonly words: Int32Array;

  constructor(words: Int32Array) {
    this.words = words;
  }

  static readonly all = new ByteSet(new Int32Array(8).fill(-1));
  static readonly none = new ByteSet(new Int32Array(8));

  /** The values below a limit. */
  static below(limit: number): ByteSet {
    return ByteSet.where((v) => v < limit);
  }

  static of(values: Iterable<number>): ByteSet {
    const words = new Int32Array(8);
    for (const v of values) words[v >> 5] |= 1 << (v & 31);
    return new ByteSet(words);
  }

  static where(holds: (value: number) => boolean): ByteSet {
    const words = new Int32Array(8);
    for (let v = 0; v < 256; v++) if (holds(v)) words[v >> 5] |= 1 << (v & 31);
    return new ByteSet(words);
  }

  has(value: number): boolean {
    return ((this.words[value >> 5] >>> (value & 31)) & 1) === 1;
  }

  get isEmpty(): boolean {
    return this.words.every((word) => word === 0);
  }

  get size(): number {
    let n = 0;
    for (const word of this.words) for (let rest = word; rest !== 0; rest &= rest - 1) n++;
    return n;
  }

  /** The least value, or -1. */
  get first(): number {
    for (let i = 0; i < 8; i++) {
      const word = this.words[i];
      if (word !== 0) return 32 * i + 31 - Math.clz32(word & -word);
    }
    return -1;
  }

  /** The values, ascending. */
  values(): number[] {
    const out: number[] = [];
    for (let v = 0; v < 256; v++) if (this.has(v)) out.push(v);
    return out;
  }

  and(other: ByteSet): ByteSet {
    return new ByteSet(this.words.map((word, i) => word & other.words[i]));
  }

  or(other: ByteSet): ByteSet {
    return new ByteSet(this.words.map((word, i) => word | other.words[i]));
  }

  without(other: ByteSet): ByteSet {
    return new ByteSet(this.words.map((word, i) => word & ~other.words[i]));
  }

  equals(other: ByteSet): boolean {
    return this.words.every((word, i) => word === other.words[i]);
  }

  contains(other: ByteSet): boolean {
    return this.words.every((word, i) => (other.words[i] & ~word) === 0);
  }
}
