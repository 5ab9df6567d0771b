// State sets on demand: subset construction that builds only what a run meets and keeps what it built, within a limit.
// Sets are closed over silent edges. A step is taken on a letter: a set of symbols that one observation may be (an
// observation can match several patterns), registered once and then known by its number.
//
// When more sets are kept than the limit allows, all are forgotten and built anew as they are met; sets that callers
// hold stay valid (regex-automata's hybrid engine does the same and calls it clearing the cache).
import type { Nfa } from './nfa.ts';
import { close, StateSet, targets } from './state-set.ts';

export type Letter = number;

/** A set of states; compare by identity only through `same`. Use of a set in another `Subsets` is an error. */
export interface Subset {
  /** Ascending, closed over silent edges. Do not write. */
  readonly states: Int32Array;
  readonly stateCount: number;
  /** @internal By which it is found in tables of numbers, as long as its era lasts. */
  tableIndex: number;
  /** @internal */
  readonly moves: Map<Letter, Subset>;
  /** @internal */
  readonly grown: Map<Letter, Subset>;
  /** @internal */
  readonly saturated: Map<Letter, Subset>;
  /** @internal */
  era: number;
}

/** Entries of the table of moves that were made lately: set, what is free, letter, next set. */
const places = 1 << 13;

/** Symbols of a letter up to which each is looked for in a state's edges, rather than each edge among them. */
const FEW = 2;

export class Subsets {
  readonly nfa: Nfa;
  readonly empty: Subset;
  /** Sets that are kept now, and how often they were forgotten. */
  kept = 0;
  forgotten = 0;
  private readonly limit: number;
  private readonly symbolsOf: (letter: Letter) => Int32Array;
  private readonly byKey = new Map<string, Subset>();
  private readonly work: StateSet;
  /** By symbol: the last stamp that it was marked with. */
  private readonly marks: Int32Array;
  private stamp = 0;
  private era = 0;
  /** By their index. */
  private sets: Subset[] = [];
  private readonly lately = new Int32Array(4 * places).fill(-1);

  /** `symbolsOf` gives the symbols of a letter, always the same ones; `limit` is how many sets are kept. */
  constructor(nfa: Nfa, symbolsOf: (letter: Letter) => Int32Array, options: { readonly limit: number }) {
    this.nfa = nfa;
    this.symbolsOf = symbolsOf;
    this.limit = options.limit;
    this.work = new StateSet(nfa.size);
    this.marks = new Int32Array(nfa.symbol.reduce((most, symbol) => Math.max(most, symbol + 1), 0));
    this.empty = this.intern();
  }

  /** The closed set of these states. */
  of(states: Iterable<number>): Subset {
    this.work.clear();
    for (const state of states) this.work.add(state);
    return this.intern();
  }

  union(a: Subset, b: Subset): Subset {
    if (a === b || b.states.length === 0) return a;
    if (a.states.length === 0) return b;
    this.work.clear();
    for (const state of a.states) this.work.add(state);
    for (const state of b.states) this.work.add(state);
    return this.intern();
  }

  /** Where one of the letter's symbols leads; the empty set where none does. */
  step(from: Subset, letter: Letter): Subset {
    let to = this.movesOf(from).get(letter);
    if (to === undefined) {
      this.work.clear();
      this.move(from, letter);
      to = this.intern();
      this.movesOf(from).set(letter, to);
    }
    return to;
  }

  /** `step` of what `saturate` makes of the set; -1: without the one, or without the other. */
  after(from: Subset, free: Letter, letter: Letter): Subset {
    const { lately } = this;
    const number = from.tableIndex;
    const mixed = Math.imul(number, 0x9e3779b1) + Math.imul(free, 0x85ebca6b) + Math.imul(letter, 0xc2b2ae35);
    const at = (mixed >>> 19) << 2;
    if (
      lately[at] === number &&
      lately[at + 1] === free &&
      lately[at + 2] === letter &&
      from.era === this.era
    )
      return this.sets[lately[at + 3]];
    const grown = free < 0 ? from : this.saturate(from, free);
    const to = letter < 0 ? grown : this.step(grown, letter);
    // Sets of an earlier era have indexes that others have now.
    if (from.era === this.era && to.era === this.era) {
      lately[at] = number;
      lately[at + 1] = free;
      lately[at + 2] = letter;
      lately[at + 3] = to.tableIndex;
    }
    return to;
  }

  /** The set and all that one of the letter's symbols, taken once, adds to it. */
  grow(from: Subset, letter: Letter): Subset {
    this.movesOf(from);
    let to = from.grown.get(letter);
    if (to === undefined) {
      this.work.clear();
      for (const state of from.states) this.work.add(state);
      this.move(from, letter);
      to = this.intern();
      this.movesOf(from);
      from.grown.set(letter, to);
    }
    return to;
  }

  /** The set and all that the letter's symbols, taken any number of times, add to it. */
  saturate(from: Subset, letter: Letter): Subset {
    this.movesOf(from);
    let to = from.saturated.get(letter);
    if (to === undefined) {
      const { work } = this;
      work.clear();
      for (const state of from.states) work.add(state);
      this.mark(letter);
      // What is added takes its turn in the same loop.
      for (let i = 0; i < work.length; i++) this.takeMarked(work.at(i), true);
      to = this.intern();
      this.movesOf(from);
      from.saturated.set(letter, to);
    }
    return to;
  }

  same(a: Subset, b: Subset): boolean {
    if (a === b) return true;
    return a.states.length === b.states.length && a.states.every((state, i) => state === b.states[i]);
  }

  private move(from: Subset, letter: Letter): void {
    const symbols = this.symbolsOf(letter);
    if (symbols.length <= FEW) {
      for (const state of from.states)
        for (let i = 0; i < symbols.length; i++) targets(this.nfa, state, symbols[i], this.work);
      return;
    }
    this.mark(letter);
    for (const state of from.states) this.takeMarked(state, false);
  }

  /** The letter's symbols are the marked ones. */
  private mark(letter: Letter): void {
    const symbols = this.symbolsOf(letter);
    this.stamp++;
    for (let i = 0; i < symbols.length; i++) this.marks[symbols[i]] = this.stamp;
  }

  /** Adds where a state's edges with marked symbols lead, and its silent ones where these count. */
  private takeMarked(state: number, silent: boolean): void {
    const { nfa, marks, stamp, work } = this;
    for (let e = nfa.row[state]; e < nfa.row[state + 1]; e++)
      if (marks[nfa.symbol[e]] === stamp) work.add(nfa.to[e]);
    if (!silent) return;
    for (let e = nfa.silentRow[state]; e < nfa.silentRow[state + 1]; e++) work.add(nfa.silentTo[e]);
  }

  /** Tables of a set from before the last forgetting hold on to forgotten sets: they go first. */
  private movesOf(set: Subset): Map<Letter, Subset> {
    if (set.era !== this.era) {
      set.moves.clear();
      set.grown.clear();
      set.saturated.clear();
      set.era = this.era;
      set.tableIndex = this.sets.push(set) - 1;
    }
    return set.moves;
  }

  private intern(): Subset {
    close(this.nfa, this.work);
    const states = this.work.sorted();
    const key = states.join(',');
    let found = this.byKey.get(key);
    if (found === undefined) {
      if (this.kept >= this.limit) this.forget();
      const maps = { moves: new Map(), grown: new Map(), saturated: new Map() };
      const tableIndex = this.sets.length;
      found = { states, stateCount: states.length, tableIndex, ...maps, era: this.era };
      this.sets.push(found);
      this.byKey.set(key, found);
      this.kept++;
    }
    return found;
  }

  private forget(): void {
    this.byKey.clear();
    this.sets = [];
    this.lately.fill(-1);
    this.kept = 0;
    this.forgotten++;
    this.era++;
    if (this.empty !== undefined) this.byKey.set('', this.empty);
  }
}
