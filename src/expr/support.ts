// Which variables an expression has. Sets are interned, so that a set is a number and the union of two is computed
// once; they are found when somebody asks, since most nodes never come into a condition. Large sets are made for what
// was asked for alone and not for what it consists of: a hash of a long input has one more variable with every step.
import { ARITY, OP } from './ops.ts';
import type { NodeStore } from './store.ts';

const UNIONS = 2 ** 26;
/** Sets with more members are large. */
const SMALL = 24;
const UNKNOWN = -1;
const LARGE = -2;

export class SupportSets {
  private readonly s: NodeStore;
  private readonly sets: Int32Array[] = [new Int32Array(0)];
  private readonly byText = new Map<string, number>([['', 0]]);
  private readonly unions = new Map<number, number>();
  private of_ = new Int32Array(1 << 12).fill(UNKNOWN);

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
      const larger = new Int32Array(this.s.heads.length).fill(UNKNOWN);
      larger.set(this.of_);
      this.of_ = larger;
    }
    if (this.of_[e] === UNKNOWN) this.compute(e);
    if (this.of_[e] === LARGE) this.of_[e] = this.collected(e);
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
      if (arity > 0 && of_[a] === UNKNOWN) stack.push(a);
      if (arity > 1 && of_[b] === UNKNOWN) stack.push(b);
      if (arity > 2 && of_[c] === UNKNOWN) stack.push(c);
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

  /** The variables below a node whose set is large, gathered from the small sets below it. */
  private collected(root: number): number {
    const { s, of_ } = this;
    const found = new Set<number>();
    const visited = new Set<number>([root]);
    const waiting = [root];
    for (let e = waiting.pop(); e !== undefined; e = waiting.pop()) {
      if (of_[e] >= 0) {
        for (const variable of this.sets[of_[e]]) found.add(variable);
        continue;
      }
      const children = [s.as[e], s.bs[e], s.cs[e]];
      for (let i = 0; i < ARITY[s.opOf(e)]; i++) {
        if (visited.has(children[i])) continue;
        visited.add(children[i]);
        waiting.push(children[i]);
      }
    }
    return this.intern(Int32Array.from(found).sort());
  }

  /** The union as a set's number, or LARGE. */
  private union(a: number, b: number): number {
    if (a === LARGE || b === LARGE) return LARGE;
    if (a === b || b === 0) return a;
    if (a === 0) return b;
    const key = a < b ? a * UNIONS + b : b * UNIONS + a;
    let found = this.unions.get(key);
    if (found === undefined) {
      const members = merged(this.sets[a], this.sets[b]);
      found = members.length > SMALL ? LARGE : this.intern(members);
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
