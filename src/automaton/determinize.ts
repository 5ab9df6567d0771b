// Subset construction (Rabin and Scott). Its result may be exponentially larger, so there is a limit, and going beyond
// it is an error that carries the limit: the caller then runs state sets (lazy.ts) instead.
// Rejected: determinizing over classes of symbols that behave alike, which pays only for byte alphabets.
import { DEAD, type Dfa } from './dfa.ts';
import { alphabet, type Nfa } from './nfa.ts';
import { close, StateSet, targets } from './state-set.ts';

/** The deterministic automaton would have more states than allowed. */
export class SizeLimitError extends Error {
  readonly limit: number;

  constructor(limit: number) {
    super(`deterministic automaton exceeds the limit of ${limit} states`);
    this.name = 'SizeLimitError';
    this.limit = limit;
  }
}

/** `limit`: most states that the result may have, the dead one included. */
export function determinize(nfa: Nfa, options: { readonly limit: number }): Dfa {
  const symbols = Int32Array.from(alphabet(nfa));
  const sets: Int32Array[] = [];
  const ids = new Map<string, number>();
  const work = new StateSet(nfa.size);
  const intern = (): number => {
    const states = work.sorted();
    const key = states.join(',');
    const known = ids.get(key);
    if (known !== undefined) return known;
    if (sets.length >= options.limit) throw new SizeLimitError(options.limit);
    ids.set(key, sets.length);
    return sets.push(states) - 1;
  };
  intern(); // the empty set is state 0
  const from = (state: number): number => {
    work.clear();
    work.add(state);
    close(nfa, work);
    return intern();
  };
  const start = from(nfa.start);
  const entries = new Set(nfa.entries.map(from));
  entries.delete(start);
  const rows: number[][] = [symbols.length === 0 ? [] : new Array<number>(symbols.length).fill(DEAD)];
  for (let id = 1; id < sets.length; id++) {
    const row: number[] = [];
    for (const symbol of symbols) {
      work.clear();
      for (const state of sets[id]) targets(nfa, state, symbol, work);
      close(nfa, work);
      row.push(intern());
    }
    rows.push(row);
  }
  return {
    size: sets.length,
    start,
    entries: [...entries].sort((a, b) => a - b),
    accepting: Uint8Array.from(sets, (states) =>
      states.some((state) => nfa.accepting[state] === 1) ? 1 : 0,
    ),
    symbols,
    table: Int32Array.from(rows.flat()),
  };
}
