// Which variables an expression has. Sets are interned, so that a set is a number and the union of two is computed
// once; they are found when somebody asks, since most nodes never come into a condition.
import { ARITY, OP } from './ops.ts';
import type { NodeStore } from './store.ts';

const UNIONS = 2 ** 26;

export class SupportSets {
  private readonly s: NodeStore;
  private readonly sets: Int32Array[] = [new Int32Array(0)];
  private readonly byText = new Map<string, number>([['', 0]]);
  private readonly unions = new Map<number, number>();
  private of_ = new Int32Array(1 << 12).fill(-1);

  constructor(s: NodeStore) {
    this.s = s;
  }

  /** Numbers of variables, ascending. */
  members(set: number): Int32Array {
    return this.sets[set];
  }

  /** The set of an expression's variables. */
  of(e: number): number {
    if (this.of_.length < this.s.count) {
      const larger = new Int32Array(this.s.heads.length).fill(-1);
      larger.set(this.of_);
      this.of_ = larger;
    }
    if (this.of_[e] < 0) this.compute(e);
    return this.of_[e];
  }

  private compute(root: number): void {
    const { s, of_ } = this;
    const stack = [root];
    while (stack.length > 0) {
      const e = stack[stack.length - 1];
      const op = s.opOf(e);
      const arity = ARITY[op];
      const [a, b, c] = [s.as[e], s.bs[e], s.cs[e]];
      const before = stack.length;
      if (arity > 0 && of_[a] < 0) stack.push(a);
      if (arity > 1 && of_[b] < 0) stack.push(b);
      if (arity > 2 && of_[c] < 0) stack.push(c);
      if (stack.length > before) continue;
      stack.pop();
      if (op === OP.variable) of_[e] = this.intern(Int32Array.of(a));
      else if (arity === 0) of_[e] = 0;
      else {
        let set = of_[a];
        if (arity > 1) set = this.union(set, of_[b]);
        if (arity > 2) set = this.union(set, of_[c]);
        of_[e] = set;
      }
    }
  }

  union(a: number, b: number): number {
    if (a === b || b === 0) return a;
    if (a === 0) return b;
    const key = a < b ? a * UNIONS + b : b * UNIONS + a;
    let found = this.unions.get(key);
    if (found === undefined) {
      found = this.intern(merged(this.sets[a], this.sets[b]));
      this.unions.set(key, found);
    }
    return found;
  }

  private intern(members: Int32Array): number {
    const text = members.join();
    let found = this.byText.get(text);
    if (found === undefined) {
      found = this.sets.length;
      this.sets.push(members);
      this.byText.set(text, found);
    }
    return found;
  }
}

function merged(a: Int32Array, b: Int32Array): Int32Array {
  const out = new Int32Array(a.length + b.length);
  let n = 0;
  let j = 0;
  for (let i = 0; i < a.length; i++) {
    while (j < b.length && b[j] < a[i]) out[n++] = b[j++];
    if (j < b.length && b[j] === a[i]) j++;
    out[n++] = a[i];
  }
  while (j < b.length) out[n++] = b[j++];
  return out.slice(0, n);
}
