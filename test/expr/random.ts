// Random expressions for tests: builds each operation twice, once in the store and once as a BigInt, and compares.
import { BINARY_NAMES, type BinaryName, type Expression, type Expressions } from '../../src/expr/index.ts';

/** A deterministic source of numbers. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 1;
  }

  /** At least 0, below the limit. */
  below(limit: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % limit;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }

  /** A value of so many bits, often one at an edge. */
  bits(width: number): bigint {
    const edge = this.below(8);
    if (edge === 0) return 0n;
    if (edge === 1) return (1n << BigInt(width)) - 1n;
    if (edge === 2) return 1n << BigInt(this.below(width));
    if (edge === 3) return BigInt.asUintN(width, BigInt(this.below(256)));
    let out = 0n;
    for (let i = 0; i < width; i += 32) out = (out << 32n) | BigInt(this.below(2 ** 32));
    return BigInt.asUintN(width, out);
  }
}

const signed = (width: number, value: bigint): bigint => BigInt.asIntN(width, value);
const mask = (width: number): bigint => (1n << BigInt(width)) - 1n;
const count = (width: number, b: bigint): bigint => (b < BigInt(width) ? b : BigInt(width));

/** Meanings written anew, beside those of src/expr/semantics.ts. */
export const TRUTH: Readonly<Record<BinaryName, (width: number, a: bigint, b: bigint) => bigint>> = {
  add: (_w, a, b) => a + b,
  sub: (_w, a, b) => a - b,
  mul: (_w, a, b) => a * b,
  mulhu: (w, a, b) => (a * b) >> BigInt(w),
  mulhs: (w, a, b) => (signed(w, a) * signed(w, b)) >> BigInt(w),
  and: (_w, a, b) => a & b,
  or: (_w, a, b) => a | b,
  xor: (_w, a, b) => a ^ b,
  shl: (w, a, b) => a << count(w, b),
  shr: (w, a, b) => a >> count(w, b),
  sar: (w, a, b) => signed(w, a) >> count(w, b),
  rotl: (w, a, b) => (a << (b % BigInt(w))) | (a >> (BigInt(w) - (b % BigInt(w)))),
  rotr: (w, a, b) => (a >> (b % BigInt(w))) | (a << (BigInt(w) - (b % BigInt(w)))),
  quotu: (w, a, b) => (b === 0n ? mask(w) : a / b),
  modu: (_w, a, b) => (b === 0n ? a : a % b),
  quots: (w, a, b) => (b === 0n ? (signed(w, a) < 0n ? 1n : -1n) : signed(w, a) / signed(w, b)),
  mods: (w, a, b) => (b === 0n ? a : signed(w, a) % signed(w, b)),
  eq: (_w, a, b) => (a === b ? 1n : 0n),
  ne: (_w, a, b) => (a !== b ? 1n : 0n),
  ltu: (_w, a, b) => (a < b ? 1n : 0n),
  leu: (_w, a, b) => (a <= b ? 1n : 0n),
  lts: (w, a, b) => (signed(w, a) < signed(w, b) ? 1n : 0n),
  les: (w, a, b) => (signed(w, a) <= signed(w, b) ? 1n : 0n),
};

const COMPARES = new Set<BinaryName>(['eq', 'ne', 'ltu', 'leu', 'lts', 'les']);
/** Bits of the result of a binary operation. */
export const resultWidth = (name: BinaryName, width: number): number => (COMPARES.has(name) ? 1 : width);

/** An expression and what it has to be under each of some assignments. */
export interface Pair {
  readonly e: Expression;
  readonly values: readonly bigint[];
}

export const WIDTHS = [1, 8, 16, 32, 64, 128] as const;

/** A growing set of expressions by width, whose values under some assignments are known independently. */
export class Garden {
  readonly x: Expressions;
  readonly random: Random;
  readonly assignments: readonly Map<number, bigint>[];
  readonly byWidth = new Map<number, Pair[]>();
  /** Widths that values may have. */
  readonly widths: readonly number[];

  constructor(
    x: Expressions,
    random: Random,
    variables: readonly number[],
    widths: readonly number[] = WIDTHS,
  ) {
    this.x = x;
    this.random = random;
    this.widths = widths;
    this.assignments = Array.from({ length: 6 }, () => new Map<number, bigint>());
    for (const [i, width] of variables.entries()) {
      const e = x.variable(width, `v${i}`);
      const values = this.assignments.map((assignment) => {
        const value = random.bits(width);
        assignment.set(x.variableNumber(e), value);
        return value;
      });
      this.keep(width, { e, values });
    }
  }

  keep(width: number, pair: Pair): Pair {
    const list = this.byWidth.get(width);
    if (list === undefined) this.byWidth.set(width, [pair]);
    else list.push(pair);
    return pair;
  }

  /** Something of this width: made before, a constant, or a piece of something else. */
  any(width: number): Pair {
    const { random, x } = this;
    const list = this.byWidth.get(width) ?? [];
    if (list.length > 0 && random.below(4) > 0) {
      // recent ones more often
      const from = random.below(2) === 0 ? Math.max(0, list.length - 6) : 0;
      return list[from + random.below(list.length - from)];
    }
    if (list.length > 0 || random.below(3) === 0) {
      const v = random.bits(width);
      return { e: x.constantBig(width, v), values: this.assignments.map(() => v) };
    }
    return this.resized(width);
  }

  /** Some value brought to the width. */
  resized(width: number): Pair {
    const { random, x } = this;
    const others = [...this.byWidth.keys()].filter((w) => this.byWidth.get(w)!.length > 0);
    const from = random.pick(others);
    const { e, values } = random.pick(this.byWidth.get(from)!);
    if (from < width) {
      const isSigned = random.below(2) === 0;
      const to = (v: bigint): bigint => BigInt.asUintN(width, isSigned ? signed(from, v) : v);
      return { e: isSigned ? x.sext(e, width) : x.zext(e, width), values: values.map(to) };
    }
    const at =
      random.below(3) === 0
        ? random.below(from - width + 1)
        : 8 * random.below(Math.floor((from - width) / 8) + 1);
    return {
      e: x.extract(e, at, width),
      values: values.map((v) => BigInt.asUintN(width, v >> BigInt(at))),
    };
  }

  /** One more expression; `what` says how it was made. */
  grow(): Pair & { readonly what: string; readonly width: number } {
    const { random } = this;
    const width = random.pick(this.widths);
    const made = this.step(width);
    this.keep(made.width, made);
    return made;
  }

  private step(width: number): Pair & { readonly what: string; readonly width: number } {
    const { random, x } = this;
    const kind = random.below(20);
    if (kind < 2) return { ...this.resized(width), what: 'resize', width };
    if (kind < 4) return this.joined(width);
    if (kind === 4) {
      const [c, a, b] = [this.any(1), this.any(width), this.any(width)];
      const values = c.values.map((v, i) => (v === 1n ? a.values[i] : b.values[i]));
      return { e: x.select(c.e, a.e, b.e), values, what: 'select', width };
    }
    if (kind === 5) return this.oneOperand(width);
    if (kind === 6 && width <= 64) return this.looked(width);
    const name = random.pick(BINARY_NAMES);
    // a rotation by a variable count is of the IR's widths
    const [a, b] = [this.any(width), this.any(width)];
    const to = resultWidth(name, width);
    const values = a.values.map((v, i) => BigInt.asUintN(to, TRUTH[name](width, v, b.values[i])));
    return { e: x.binary(name, a.e, b.e), values, what: `${name}${width}`, width: to };
  }

  private joined(width: number): Pair & { readonly what: string; readonly width: number } {
    const { random, x } = this;
    if (width === 1) return { ...this.resized(1), what: 'resize', width };
    const low = random.below(4) === 0 ? 1 + random.below(width - 1) : Math.floor(width / 2);
    const [a, b] = [this.any(width - low), this.any(low)];
    const values = a.values.map((v, i) => (v << BigInt(low)) | b.values[i]);
    return { e: x.concat(a.e, b.e), values, what: `concat${width - low}+${low}`, width };
  }

  private oneOperand(width: number): Pair & { readonly what: string; readonly width: number } {
    const { random, x } = this;
    const a = this.any(width);
    const name = random.pick([
      'not',
      'neg',
      'clz',
      'ctz',
      'popcnt',
      ...(width % 8 === 0 ? ['bswap'] : []),
    ] as const);
    const f = (v: bigint): bigint => {
      const text = v.toString(2).padStart(width, '0');
      if (name === 'not') return ~v;
      if (name === 'neg') return -v;
      if (name === 'clz') return BigInt(width - v.toString(2).length + (v === 0n ? 1 : 0));
      if (name === 'ctz') return BigInt(v === 0n ? width : width - 1 - text.lastIndexOf('1'));
      if (name === 'popcnt') return BigInt(text.split('1').length - 1);
      const bytes = v
        .toString(16)
        .padStart(width / 4, '0')
        .match(/../g)!;
      return BigInt(`0x${bytes.reverse().join('')}`);
    };
    const values = a.values.map((v) => BigInt.asUintN(width, f(v)));
    return { e: x.unary(name as 'not', a.e), values, what: `${name}${width}`, width };
  }

  private looked(width: number): Pair & { readonly what: string; readonly width: number } {
    const { random, x } = this;
    const index = this.any(random.pick([8, 16, 32]));
    const entries = Array.from({ length: 1 + random.below(20) }, () => random.bits(width));
    const values = index.values.map((v) => (v < BigInt(entries.length) ? entries[Number(v)] : 0n));
    return { e: x.table(index.e, width, entries), values, what: `table${width}`, width };
  }
}
