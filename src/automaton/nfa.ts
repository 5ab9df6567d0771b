// Nondeterministic automata over numbers. Symbols are whatever the caller interned (effects, bytes, names); an edge
// without a symbol is silent and costs nothing. Edges are kept as compressed rows:
//
//   row[s] .. row[s+1]      edges of state s in `symbol` and `to`, sorted by symbol, then target
//   silentRow, silentTo     the same for silent edges
//
// Several states may be starts: the first is where a run starts (printed `^`), the others are entries (`>`): places
// where somebody may come in later, for instance the child states of a fork. Not here: what symbols mean.
import { assert } from '../bytes/index.ts';

export interface Nfa {
  /** Number of states; states are 0 .. size-1. */
  readonly size: number;
  /** State in which a run starts. */
  readonly start: number;
  /** Other states in which a run may come in, ascending. */
  readonly entries: readonly number[];
  /** 1 where a word may end. */
  readonly accepting: Uint8Array;
  readonly row: Uint32Array;
  readonly symbol: Int32Array;
  readonly to: Int32Array;
  readonly silentRow: Uint32Array;
  readonly silentTo: Int32Array;
}

/** Collects states and edges; `build` sorts them and drops duplicates. */
export class NfaBuilder {
  private readonly accepting: boolean[] = [];
  private readonly edges: (readonly [from: number, symbol: number, to: number])[] = [];
  private readonly silent: (readonly [from: number, to: number])[] = [];
  private readonly entries = new Set<number>();

  addState(accepting = true): number {
    return this.accepting.push(accepting) - 1;
  }

  /** Symbols are integers from 0 on. */
  addEdge(from: number, symbol: number, to: number): void {
    assert(symbol >= 0, 'symbols are not negative');
    this.edges.push([from, symbol, to]);
  }

  addSilent(from: number, to: number): void {
    if (from !== to) this.silent.push([from, to]);
  }

  addEntry(state: number): void {
    this.entries.add(state);
  }

  build(start: number): Nfa {
    const size = this.accepting.length;
    assert(start >= 0 && start < size, 'the start is a state');
    const edges = this.edges.toSorted((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
    const labelled = edges.filter((edge, i) => i === 0 || edge.some((part, k) => part !== edges[i - 1][k]));
    const moves = this.silent.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
    const silent = moves.filter((edge, i) => i === 0 || edge.some((part, k) => part !== moves[i - 1][k]));
    return {
      size,
      start,
      entries: [...this.entries].filter((state) => state !== start).sort((a, b) => a - b),
      accepting: Uint8Array.from(this.accepting, Number),
      row: rows(
        labelled.map((edge) => edge[0]),
        size,
      ),
      symbol: Int32Array.from(labelled, (edge) => edge[1]),
      to: Int32Array.from(labelled, (edge) => edge[2]),
      silentRow: rows(
        silent.map((edge) => edge[0]),
        size,
      ),
      silentTo: Int32Array.from(silent, (edge) => edge[1]),
    };
  }
}

/** Where each state's edges begin, from the sorted list of the states they leave. */
function rows(from: readonly number[], size: number): Uint32Array {
  const row = new Uint32Array(size + 1);
  for (const state of from) {
    assert(state >= 0 && state < size, 'an edge leaves a state');
    row[state + 1]++;
  }
  for (let s = 0; s < size; s++) row[s + 1] += row[s];
  return row;
}

/** Every symbol that some edge carries, ascending. */
export function alphabet(nfa: Nfa): readonly number[] {
  return [...new Set(nfa.symbol)].sort((a, b) => a - b);
}
