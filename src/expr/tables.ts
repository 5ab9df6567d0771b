// Tables of constants that expressions index: what a load at a symbolic address reads, where the table is small and
// fixed. One node instead of a chain of selects.
import { assert } from '../bytes/index.ts';
import type { Expressions } from './expressions.ts';
import type { Facts } from './facts.ts';
import { type Expression, OP } from './ops.ts';
import type { NodeStore } from './store.ts';

const WORD = 2 ** 32;

export class Tables {
  private readonly s: NodeStore;
  private readonly byText = new Map<string, number>();

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
    const last = this.s.max[index];
    const used = last < entries.length ? entries.slice(0, last + 1) : entries;
    const inside = last < used.length;
    if (inside && used.every((entry) => entry === used[0])) return x.constantBig(width, used[0]);
    if (inside && width === x.width(index) && used.every((entry, i) => entry === BigInt(i))) return index;
    return this.s.intern(OP.table, width, 0, index, this.number(width, used, inside), 0);
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
