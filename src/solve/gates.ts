// Boolean circuits as clauses: gates with their constants folded, each made once.
import { FALSE, type Sat, TRUE } from './sat.ts';

/** Literals of a value, the lowest bit first. */
export type Bits = readonly number[];

const KEY = 2 ** 26;

/** A circuit that would be larger than allowed. */
export class TooLarge extends Error {}

export class Gates {
  readonly sat: Sat;
  private readonly limit: number;
  private readonly ands = new Map<number, number>();
  private readonly xors = new Map<number, number>();

  /** limit: words of clauses, beyond which gates throw TooLarge. */
  constructor(sat: Sat, limit: number) {
    this.sat = sat;
    this.limit = limit;
  }

  private fresh(): number {
    if (this.sat.size > this.limit) throw new TooLarge();
    return 2 * this.sat.variable();
  }

  and(a: number, b: number): number {
    if (a === FALSE || b === FALSE || a === (b ^ 1)) return FALSE;
    if (a === TRUE || a === b) return b;
    if (b === TRUE) return a;
    const key = a < b ? a * KEY + b : b * KEY + a;
    let out = this.ands.get(key);
    if (out === undefined) {
      out = this.fresh();
      this.sat.add([out ^ 1, a]);
      this.sat.add([out ^ 1, b]);
      this.sat.add([out, a ^ 1, b ^ 1]);
      this.ands.set(key, out);
    }
    return out;
  }

  or(a: number, b: number): number {
    return this.and(a ^ 1, b ^ 1) ^ 1;
  }

  xor(a: number, b: number): number {
    const flip = (a & 1) ^ (b & 1);
    a &= ~1;
    b &= ~1;
    if (a === b) return FALSE ^ flip;
    if (a === TRUE) return b ^ 1 ^ flip;
    if (b === TRUE) return a ^ 1 ^ flip;
    const key = a < b ? a * KEY + b : b * KEY + a;
    let out = this.xors.get(key);
    if (out === undefined) {
      out = this.fresh();
      this.sat.add([out ^ 1, a, b]);
      this.sat.add([out ^ 1, a ^ 1, b ^ 1]);
      this.sat.add([out, a ^ 1, b]);
      this.sat.add([out, a, b ^ 1]);
      this.xors.set(key, out);
    }
    return out ^ flip;
  }

  /** c ? a : b */
  choose(c: number, a: number, b: number): number {
    if (c === TRUE || a === b) return a;
    if (c === FALSE) return b;
    if (a === (b ^ 1)) return this.xor(c, b);
    if (a <= 1) return a === TRUE ? this.or(c, b) : this.and(c ^ 1, b);
    if (b <= 1) return b === TRUE ? this.or(c ^ 1, a) : this.and(c, a);
    return this.or(this.and(c, a), this.and(c ^ 1, b));
  }

  /** Whether two of three hold. */
  majority(a: number, b: number, c: number): number {
    if (a <= 1) return a === TRUE ? this.or(b, c) : this.and(b, c);
    if (b <= 1) return b === TRUE ? this.or(a, c) : this.and(a, c);
    return this.or(this.and(a, b), this.and(c, this.or(a, b)));
  }

  any(bits: Bits): number {
    return bits.reduce((out, bit) => this.or(out, bit), FALSE);
  }

  // words

  constant(width: number, value: bigint): Bits {
    return Array.from({ length: width }, (_, i) => ((value >> BigInt(i)) & 1n ? TRUE : FALSE));
  }

  chooseWord(c: number, a: Bits, b: Bits): Bits {
    return a.map((bit, i) => this.choose(c, bit, b[i]));
  }

  not(a: Bits): Bits {
    return a.map((bit) => bit ^ 1);
  }

  add(a: Bits, b: Bits, carry = FALSE): Bits {
    const out: number[] = [];
    for (let i = 0; i < a.length; i++) {
      const half = this.xor(a[i], b[i]);
      out.push(this.xor(half, carry));
      if (i + 1 < a.length) carry = this.majority(a[i], b[i], carry);
    }
    return out;
  }

  sub(a: Bits, b: Bits): Bits {
    return this.add(a, this.not(b), TRUE);
  }

  negate(a: Bits): Bits {
    return this.sub(this.constant(a.length, 0n), a);
  }

  eq(a: Bits, b: Bits): number {
    let out = TRUE;
    for (let i = 0; i < a.length && out !== FALSE; i++) out = this.and(out, this.xor(a[i], b[i]) ^ 1);
    return out;
  }

  ltu(a: Bits, b: Bits): number {
    // no carry out of a + not b + 1
    let carry = TRUE;
    for (let i = 0; i < a.length; i++) carry = this.majority(a[i], b[i] ^ 1, carry);
    return carry ^ 1;
  }

  lts(a: Bits, b: Bits): number {
    const flip = (bits: Bits): Bits => bits.map((bit, i) => (i === bits.length - 1 ? bit ^ 1 : bit));
    return this.ltu(flip(a), flip(b));
  }

  mul(a: Bits, b: Bits): Bits {
    const width = a.length;
    const known = (bits: Bits): number => bits.filter((bit) => bit === FALSE).length;
    if (known(a) > known(b)) [a, b] = [b, a];
    let out = this.constant(width, 0n);
    for (let i = 0; i < width; i++) {
      if (b[i] === FALSE) continue;
      const row = a.map((_, j) => (j < i ? FALSE : this.and(a[j - i], b[i])));
      out = this.add(out, row);
    }
    return out;
  }

  /** Quotient and remainder, bit by bit from the top; by 0 they are all ones and a. */
  divide(a: Bits, b: Bits): { readonly quotient: Bits; readonly rest: Bits } {
    const width = a.length;
    const divisor = [...b, FALSE];
    const quotient = new Array<number>(width).fill(FALSE);
    let rest: Bits = this.constant(width + 1, 0n);
    for (let i = width - 1; i >= 0; i--) {
      const next = [a[i], ...rest.slice(0, width)];
      const fits = this.ltu(next, divisor) ^ 1;
      quotient[i] = fits;
      rest = this.chooseWord(fits, this.sub(next, divisor), next);
    }
    return { quotient, rest: rest.slice(0, width) };
  }

  /** Shifts by a variable count: stage by stage, with `fill` coming in; up: towards the higher bits. */
  shift(a: Bits, count: Bits, up: boolean, fill: number): Bits {
    const width = a.length;
    let out = a;
    let stage = 0;
    for (; 2 ** stage < width && stage < count.length; stage++) {
      const by = 2 ** stage;
      const from = out;
      out = from.map((bit, i) => {
        const at = up ? i - by : i + by;
        return this.choose(count[stage], at >= 0 && at < width ? from[at] : fill, bit);
      });
    }
    const beyond = this.any(count.slice(stage));
    return out.map((bit) => this.choose(beyond, fill, bit));
  }

  /** Rotates left; the width is a power of two. */
  rotate(a: Bits, count: Bits): Bits {
    const width = a.length;
    let out = a;
    for (let stage = 0; 2 ** stage < width; stage++) {
      const from = out;
      out = from.map((bit, i) => this.choose(count[stage], from[(i - 2 ** stage + width) % width], bit));
    }
    return out;
  }

  /** Number of ones, as a word of the width. */
  population(a: Bits): Bits {
    const bits = 32 - Math.clz32(a.length);
    let sums: Bits[] = a.map((bit) => [bit, ...new Array<number>(bits - 1).fill(FALSE)]);
    while (sums.length > 1) {
      const next: Bits[] = [];
      for (let i = 0; i < sums.length; i += 2)
        next.push(i + 1 < sums.length ? this.add(sums[i], sums[i + 1]) : sums[i]);
      sums = next;
    }
    return this.resized(sums[0], a.length);
  }

  /** Zeros before the first one, going through the bits in this order; all of them where there is none. */
  zerosBefore(order: Bits): Bits {
    const width = order.length;
    let out = this.constant(width, BigInt(width));
    for (let i = width - 1; i >= 0; i--)
      out = this.chooseWord(order[i], this.constant(width, BigInt(i)), out);
    return out;
  }

  resized(a: Bits, width: number): Bits {
    return Array.from({ length: width }, (_, i) => a[i] ?? FALSE);
  }

  /** A function of the bits, given its value for each of their 2 ** n values (true is '1'). */
  lookUp(bits: Bits, truth: string, known = new Map<string, number>()): number {
    if (!truth.includes('1')) return FALSE;
    if (!truth.includes('0')) return TRUE;
    let out = known.get(truth);
    if (out === undefined) {
      const half = truth.length / 2;
      const rest = bits.slice(0, -1);
      const high = this.lookUp(rest, truth.slice(half), known);
      out = this.choose(bits[bits.length - 1], high, this.lookUp(rest, truth.slice(0, half), known));
      known.set(truth, out);
    }
    return out;
  }
}
