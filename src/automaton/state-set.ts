// A set of states with constant-time insert, membership and clear (Briggs and Torczon's sparse set): working memory of
// everything that runs a nondeterministic automaton.
import type { Nfa } from './nfa.ts';

export class StateSet {
  private readonly dense: Int32Array;
  private readonly sparse: Int32Array;
  /** Number of members. */
  length = 0;

  /** For states 0 .. capacity-1. */
  constructor(capacity: number) {
    this.dense = new Int32Array(capacity);
    this.sparse = new Int32Array(capacity);
  }

  has(state: number): boolean {
    const at = this.sparse[state];
    return at < this.length && this.dense[at] === state;
  }

  /** Whether it was new. */
  add(state: number): boolean {
    if (this.has(state)) return false;
    this.dense[this.length] = state;
    this.sparse[state] = this.length++;
    return true;
  }

  /** Members by order of insertion; i < length. */
  at(i: number): number {
    return this.dense[i];
  }

  clear(): void {
    this.length = 0;
  }

  /** A copy, ascending. */
  sorted(): Int32Array {
    return this.dense.slice(0, this.length).sort();
  }
}

/** Adds all that silent edges reach. */
export function close(nfa: Nfa, set: StateSet): void {
  for (let i = 0; i < set.length; i++) {
    const state = set.at(i);
    for (let e = nfa.silentRow[state]; e < nfa.silentRow[state + 1]; e++) set.add(nfa.silentTo[e]);
  }
}

/** Adds to `out` the targets of this state's edges with the symbol; whether there were any. */
export function targets(nfa: Nfa, state: number, symbol: number, out: StateSet): boolean {
  let low = nfa.row[state];
  const end = nfa.row[state + 1];
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (nfa.symbol[middle] < symbol) low = middle + 1;
    else high = middle;
  }
  const first = low;
  for (; low < end && nfa.symbol[low] === symbol; low++) out.add(nfa.to[low]);
  return low > first;
}

/** Whether the automaton accepts the word: the plain simulation that every other representation is compared with. */
export function accepts(nfa: Nfa, word: readonly number[]): boolean {
  let now = new StateSet(nfa.size);
  let next = new StateSet(nfa.size);
  now.add(nfa.start);
  close(nfa, now);
  for (const symbol of word) {
    next.clear();
    for (let i = 0; i < now.length; i++) targets(nfa, now.at(i), symbol, next);
    close(nfa, next);
    [now, next] = [next, now];
  }
  return now.sorted().some((state) => nfa.accepting[state] === 1);
}
