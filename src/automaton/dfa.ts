// Deterministic automata as dense tables. State 0 is always dead: it accepts nothing and never leaves itself, so a run
// needs no check for a missing edge.
//
//   table[state * width + column]     column: index of the symbol in `symbols`; every other symbol leads to 0

export const DEAD = 0;

export interface Dfa {
  readonly size: number;
  readonly start: number;
  /** Entries as in Nfa, ascending. */
  readonly entries: readonly number[];
  readonly accepting: Uint8Array;
  /** Ascending; its length is the width of the table. */
  readonly symbols: Int32Array;
  readonly table: Int32Array;
}

/** Column of a symbol, -1 where no edge carries it. */
export function columnOf(dfa: Dfa, symbol: number): number {
  let low = 0;
  let high = dfa.symbols.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (dfa.symbols[middle] < symbol) low = middle + 1;
    else high = middle;
  }
  return dfa.symbols[low] === symbol ? low : -1;
}

export function stepDfa(dfa: Dfa, state: number, symbol: number): number {
  const column = columnOf(dfa, symbol);
  return column < 0 ? DEAD : dfa.table[state * dfa.symbols.length + column];
}

export function acceptsDfa(dfa: Dfa, word: readonly number[]): boolean {
  let state = dfa.start;
  for (const symbol of word) state = stepDfa(dfa, state, symbol);
  return dfa.accepting[state] === 1;
}
