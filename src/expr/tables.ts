// Tables of constants that expressions index: what a load at a symbolic address reads, where the table is small and
// fixed. One node instead of a chain of selects.
import { assert } from '../bytes/index.ts';
import type { Expressions } from './expressions.ts';
import type { Facts } from './facts.ts';
import { type Expression, OP } from './ops.ts';
import type { NodeStore } from './store.ts';

const WORD = 2 ** 32;

interface Prepared {
  readonly width: number;
  /** Entries that the index can reach. */
  readonly count: number;
  /** Whether the index never lies past them. */
  readonly inside: boolean;
  readonly number: number;
  /** The value of all of them, if there is one only. */
  readonly only: bigint | undefined;
  /** Whether each entry is its index. */
  readonly isIdentity: boolean;
}

export class Tables {
  private readonly s: NodeStore;
  private readonly byText = new Map<string, number>();
  private readonly byEntries = new WeakMap<readonly bigint[], Prepared[]>();
  private readonly derivations = new Map<string, readonly bigint[]>();

  constructor(s: NodeStore) {
    this.s = s;
  }

  lookup(x: Expressions, index: Expression, width: number, entries: readonly bigint[]): Expression {
    assert(width <= 64 && entries.length > 0, 'a table has entries of at most 64 bits');
    if (x.isConstant(index)) {
      const at = x.value(index);
      return x.constantBig(width, at < BigInt(entries.length) ? entries[Number(at)] : 0n);
    }
    // a zero extension of the index says nothing
    while (this.s.opOf(index) === OP.zext) index = this.s.as[index];
    const known = this.prepared(width, entries, this.s.max[index]);
    if (known.only !== undefined) return x.constantBig(width, known.only);
    if (known.isIdentity && width === x.width(index)) return index;
    return this.s.intern(OP.table, width, 0, index, known.number, 0);
  }

  /** What the entries up to an index's bound are; kept by the array, which callers must not change. */
  private prepared(width: number, entries: readonly bigint[], last: number): Prepared {
    let known = this.byEntries.get(entries);
    if (known === undefined) this.byEntries.set(entries, (known = []));
    const count = last < entries.length ? last + 1 : entries.length;
    const inside = last < count;
    for (const one of known)
      if (one.count === count && one.width === width && one.inside === inside) return one;
    const used = entries.slice(0, count);
    const made: Prepared = {
      width,
      count,
      inside,
      number: this.number(width, used, inside),
      only: inside && used.every((entry) => entry === used[0]) ? used[0] : undefined,
      isIdentity: inside && used.every((entry, i) => entry === BigInt(i)),
    };
    known.push(made);
    return made;
  }

  /** Entries of a table put through f, made once for each key. */
  derived(table: number, key: string, f: (entry: bigint) => bigint): readonly bigint[] {
    const name = `${table} ${key}`;
    let found = this.derivations.get(name);
    if (found === undefined) {
      found = this.s.tables[table].entries.map(f);
      this.derivations.set(name, found);
    }
    return found;
  }

  private number(width: number, entries: readonly bigint[], inside: boolean): number {
    const text = `${width} ${inside} ${entries.join()}`;
    let found = this.byText.get(text);
    if (found === undefined) {
      found = this.s.tables.length;
      this.byText.set(text, found);
      this.s.tables.push({ width, entries: [...entries], facts: factsOf(entries, inside) });
    }
    return found;
  }
}

/** Facts that hold for each entry, and for 0 where an index may lie outside. */
function factsOf(entries: readonly bigint[], inside: boolean): (out: Facts) => void {
  const all = inside ? entries : [...entries, 0n];
  let [ones, ever, min, max] = [all[0], 0n, all[0], all[0]];
  for (const entry of all) {
    ones &= entry;
    ever |= entry;
    if (entry < min) min = entry;
    if (entry > max) max = entry;
  }
  const words = (v: bigint): readonly [number, number] => [
    Number(v & 0xffffffffn) | 0,
    Number((v >> 32n) & 0xffffffffn) | 0,
  ];
  const [ever0, ever1] = words(ever);
  const [ones0, ones1] = words(ones);
  const exact = max < BigInt(WORD) * BigInt(2 ** 21);
  return (out) => {
    out.zeros0 = ~ever0;
    out.zeros1 = ~ever1;
    out.ones0 = ones0;
    out.ones1 = ones1;
    if (exact) {
      out.min = Number(min);
      out.max = Number(max);
    }
  };
}
