// A small satisfiability solver: conflict-driven clause learning with two watched literals, activities, saved phases,
// restarts by the Luby sequence and deletion of learnt clauses by their number of levels. Deterministic: no clock and
// no randomness; a budget counts assignments made by propagation.
//
// A literal is 2 * variable + 1 where negated. Variable 0 is the constant true, so literal 0 is true and 1 is false.

export type SatAnswer = 'sat' | 'unsat' | 'unknown';

export const TRUE = 0;
export const FALSE = 1;

const RESTART = 64;
const DECAY = 1 / 0.95;
const RESCALE = 1e100;
/** Words before a clause's literals: length, and number of levels (0: an original clause, -1: deleted). */
const HEADER = 2;

function luby(i: number): number {
  let size = 1;
  let sequence = 0;
  while (size < i + 1) {
    sequence++;
    size = 2 * size + 1;
  }
  while (size - 1 !== i) {
    size = (size - 1) >> 1;
    sequence--;
    i %= size;
  }
  return 2 ** sequence;
}

export class Sat {
  conflicts = 0;
  propagations = 0;
  private arena = new Int32Array(1 << 14);
  private used = 0;
  private clauses = 0;
  private readonly learnts: number[] = [];
  private readonly watches: number[][] = [];
  /** By literal: 1 true, -1 false, 0 open. */
  private values = new Int8Array(256);
  private levels = new Int32Array(128);
  private reasons = new Int32Array(128);
  private phases = new Uint8Array(128);
  private seen = new Uint8Array(128);
  private activity = new Float64Array(128);
  private heap: number[] = [];
  private places = new Int32Array(128);
  private readonly trail: number[] = [];
  private readonly limits: number[] = [];
  private head = 0;
  private increment = 1;
  private failed = false;
  private count = 0;

  constructor() {
    this.variable();
    this.assign(TRUE, -1);
  }

  /** Number of clauses and literals in them; what a problem costs. */
  get size(): number {
    return this.used;
  }

  get clauseCount(): number {
    return this.clauses;
  }

  /** A new variable; its positive literal is twice the number. */
  variable(): number {
    const v = this.count++;
    if (v === this.levels.length) this.grow();
    this.watches.push([], []);
    this.reasons[v] = -1;
    this.places[v] = -1;
    this.insert(v);
    return v;
  }

  private grow(): void {
    const size = this.levels.length * 2;
    const larger = <T extends Int8Array | Int32Array | Uint8Array | Float64Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.values = larger(this.values, new Int8Array(2 * size));
    this.levels = larger(this.levels, new Int32Array(size));
    this.reasons = larger(this.reasons, new Int32Array(size));
    this.phases = larger(this.phases, new Uint8Array(size));
    this.seen = larger(this.seen, new Uint8Array(size));
    this.activity = larger(this.activity, new Float64Array(size));
    this.places = larger(this.places, new Int32Array(size));
  }

  /** Adds a clause; allowed between calls of `solve`. */
  add(literals: readonly number[]): void {
    if (this.failed) return;
    this.backTo(0);
    const kept: number[] = [];
    for (const literal of literals) {
      if (this.values[literal] === 1 || kept.includes(literal ^ 1)) return;
      if (this.values[literal] === 0 && !kept.includes(literal)) kept.push(literal);
    }
    if (kept.length === 0) this.failed = true;
    else if (kept.length === 1) this.assign(kept[0], -1);
    else {
      this.clauses++;
      this.attach(this.store(kept, 0));
    }
  }

  private store(literals: readonly number[], levels: number): number {
    if (this.used + literals.length + HEADER > this.arena.length) {
      const larger = new Int32Array(2 * this.arena.length + literals.length);
      larger.set(this.arena);
      this.arena = larger;
    }
    const at = this.used;
    this.arena[at] = literals.length;
    this.arena[at + 1] = levels;
    this.arena.set(literals, at + HEADER);
    this.used += literals.length + HEADER;
    return at;
  }

  private attach(clause: number): void {
    const { arena } = this;
    const [p, q] = [arena[clause + HEADER], arena[clause + HEADER + 1]];
    this.watches[p ^ 1].push(clause, q);
    this.watches[q ^ 1].push(clause, p);
  }

  /** Whether the clauses can hold; after sat, `value` tells how. */
  solve(budget: number): SatAnswer {
    if (this.failed) return 'unsat';
    this.backTo(0);
    const end = this.propagations + budget;
    for (let restarts = 0; ; restarts++) {
      const answer = this.search(RESTART * luby(restarts), end);
      if (answer !== undefined) return answer;
      this.backTo(0);
    }
  }

  /** Whether the literal is true in the assignment found. */
  value(literal: number): boolean {
    return this.values[literal] === 1;
  }

  /** Until an answer or a restart. */
  private search(conflicts: number, end: number): SatAnswer | undefined {
    for (let left = conflicts; ; ) {
      const conflict = this.propagate();
      if (conflict >= 0) {
        this.conflicts++;
        left--;
        if (this.limits.length === 0) {
          this.failed = true;
          return 'unsat';
        }
        this.learn(conflict);
        this.increment *= DECAY;
        continue;
      }
      if (this.propagations > end) return 'unknown';
      if (left <= 0) return undefined;
      if (this.learnts.length > 2000 + this.clauses / 3) this.forget();
      const next = this.choose();
      if (next < 0) return 'sat';
      this.limits.push(this.trail.length);
      this.assign(2 * next + (this.phases[next] === 1 ? 0 : 1), -1);
    }
  }

  private choose(): number {
    while (this.heap.length > 0) {
      const v = this.removeFirst();
      if (this.values[2 * v] === 0) return v;
    }
    return -1;
  }

  private assign(literal: number, reason: number): void {
    const v = literal >> 1;
    this.values[literal] = 1;
    this.values[literal ^ 1] = -1;
    this.levels[v] = this.limits.length;
    this.reasons[v] = reason;
    this.trail.push(literal);
  }

  /** The clause that fails, or -1. */
  private propagate(): number {
    const { trail, values } = this;
    while (this.head < trail.length) {
      const literal = trail[this.head++];
      this.propagations++;
      const watching = this.watches[literal];
      let kept = 0;
      for (let i = 0; i < watching.length; i += 2) {
        const clause = watching[i];
        const other = watching[i + 1];
        if (values[other] === 1) {
          watching[kept++] = clause;
          watching[kept++] = other;
          continue;
        }
        const moved = this.moveWatch(clause, literal ^ 1);
        if (moved) continue;
        const { arena } = this;
        if (arena[clause + 1] < 0) continue;
        const first = arena[clause + HEADER];
        watching[kept++] = clause;
        watching[kept++] = first;
        if (values[first] === 1) continue;
        if (values[first] === -1) {
          for (let j = i + 2; j < watching.length; j++) watching[kept++] = watching[j];
          watching.length = kept;
          this.head = trail.length;
          return clause;
        }
        this.assign(first, clause);
      }
      watching.length = kept;
    }
    return -1;
  }

  /** Watches another literal of the clause than the false one, if there is one that is not false. */
  private moveWatch(clause: number, wrong: number): boolean {
    const { arena, values } = this;
    if (arena[clause + 1] < 0) return false;
    const at = clause + HEADER;
    if (arena[at] === wrong) {
      arena[at] = arena[at + 1];
      arena[at + 1] = wrong;
    }
    const first = arena[at];
    if (values[first] === 1) return false;
    const end = at + arena[clause];
    for (let i = at + 2; i < end; i++) {
      const literal = arena[i];
      if (values[literal] === -1) continue;
      arena[at + 1] = literal;
      arena[i] = wrong;
      this.watches[literal ^ 1].push(clause, first);
      return true;
    }
    return false;
  }

  /** Learns the first clause with one literal of this level, and goes back to where it decides something. */
  private learn(conflict: number): void {
    const { trail, seen, levels, reasons } = this;
    const learnt = [0];
    const level = this.limits.length;
    let open = 0;
    let at = trail.length - 1;
    let clause = conflict;
    let literal = -1;
    do {
      const { arena } = this;
      const start = clause + HEADER;
      for (let i = start; i < start + arena[clause]; i++) {
        const other = arena[i];
        const v = other >> 1;
        if (other === literal || seen[v] === 1 || levels[v] === 0) continue;
        seen[v] = 1;
        this.bump(v);
        if (levels[v] === level) open++;
        else learnt.push(other);
      }
      while (seen[trail[at] >> 1] === 0) at--;
      literal = trail[at--];
      clause = reasons[literal >> 1];
      seen[literal >> 1] = 0;
      open--;
    } while (open > 0);
    learnt[0] = literal ^ 1;
    const all = learnt.slice(1);
    const needed = all.filter((other) => !this.implied(other));
    for (const other of all) seen[other >> 1] = 0;
    this.backjump([learnt[0], ...needed]);
  }

  /** Whether the rest of the learnt clause implies this literal's part in it. */
  private implied(literal: number): boolean {
    const reason = this.reasons[literal >> 1];
    if (reason < 0) return false;
    const { arena, seen, levels } = this;
    for (let i = reason + HEADER; i < reason + HEADER + arena[reason]; i++) {
      const v = arena[i] >> 1;
      if (v !== literal >> 1 && seen[v] === 0 && levels[v] > 0) return false;
    }
    return true;
  }

  private backjump(learnt: number[]): void {
    const { levels } = this;
    if (learnt.length === 1) {
      this.backTo(0);
      this.assign(learnt[0], -1);
      return;
    }
    let highest = 1;
    for (let i = 2; i < learnt.length; i++)
      if (levels[learnt[i] >> 1] > levels[learnt[highest] >> 1]) highest = i;
    [learnt[1], learnt[highest]] = [learnt[highest], learnt[1]];
    const spread = new Set(learnt.map((literal) => levels[literal >> 1])).size;
    this.backTo(levels[learnt[1] >> 1]);
    const clause = this.store(learnt, spread);
    this.learnts.push(clause);
    this.attach(clause);
    this.assign(learnt[0], clause);
  }

  /** Deletes the half of the learnt clauses that spans most levels. */
  private forget(): void {
    const { arena, learnts } = this;
    const locked = (clause: number): boolean => {
      const first = arena[clause + HEADER];
      return this.values[first] === 1 && this.reasons[first >> 1] === clause;
    };
    const sorted = [...learnts].sort((a, b) => arena[a + 1] - arena[b + 1] || b - a);
    const half = sorted.length >> 1;
    const kept: number[] = [];
    for (const [i, clause] of sorted.entries()) {
      if (i < half || arena[clause + 1] <= 2 || locked(clause)) kept.push(clause);
      else arena[clause + 1] = -1;
    }
    learnts.length = 0;
    for (const clause of kept.sort((a, b) => a - b)) learnts.push(clause);
    for (const [literal, watching] of this.watches.entries()) {
      const left: number[] = [];
      for (let i = 0; i < watching.length; i += 2)
        if (arena[watching[i] + 1] >= 0) left.push(watching[i], watching[i + 1]);
      this.watches[literal] = left;
    }
  }

  private backTo(level: number): void {
    if (this.limits.length <= level) return;
    const { trail, values } = this;
    const end = this.limits[level];
    for (let i = trail.length - 1; i >= end; i--) {
      const literal = trail[i];
      const v = literal >> 1;
      values[literal] = 0;
      values[literal ^ 1] = 0;
      this.phases[v] = (literal & 1) ^ 1;
      this.insert(v);
    }
    trail.length = end;
    this.limits.length = level;
    this.head = end;
  }

  // a heap of variables by activity; of equals the lower number comes first

  private before(v: number, w: number): boolean {
    const d = this.activity[v] - this.activity[w];
    return d > 0 || (d === 0 && v < w);
  }

  private bump(v: number): void {
    if ((this.activity[v] += this.increment) > RESCALE) {
      for (let i = 0; i < this.count; i++) this.activity[i] *= 1 / RESCALE;
      this.increment *= 1 / RESCALE;
    }
    if (this.places[v] >= 0) this.up(this.places[v]);
  }

  private insert(v: number): void {
    if (this.places[v] >= 0) return;
    this.places[v] = this.heap.length;
    this.heap.push(v);
    this.up(this.heap.length - 1);
  }

  private up(i: number): void {
    const { heap, places } = this;
    const v = heap[i];
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.before(v, heap[parent])) break;
      heap[i] = heap[parent];
      places[heap[i]] = i;
      i = parent;
    }
    heap[i] = v;
    places[v] = i;
  }

  private removeFirst(): number {
    const { heap, places } = this;
    const first = heap[0];
    const last = heap.pop()!;
    places[first] = -1;
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.before(heap[child + 1], heap[child])) child++;
      if (!this.before(heap[child], last)) break;
      heap[i] = heap[child];
      places[heap[i]] = i;
      i = child;
    }
    heap[i] = last;
    places[last] = i;
    return first;
  }
}
