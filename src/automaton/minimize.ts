// Minimization by partition refinement (Moore): states that no word tells apart become one. Quadratic at worst, which
// is enough for automata of thousands of states; Hopcroft's needs inverse edges and three more tables.
import { DEAD, type Dfa } from './dfa.ts';

/** The smallest automaton of the same language. Unreachable states go; the dead state stays 0. */
export function minimize(dfa: Dfa): Dfa {
  const reached = reachable(dfa);
  const width = dfa.symbols.length;
  let block = new Int32Array(dfa.size);
  for (const state of reached) block[state] = dfa.accepting[state];
  let count = new Set(reached.map((state) => block[state])).size;
  for (;;) {
    const ids = new Map<string, number>();
    const next = new Int32Array(dfa.size);
    for (const state of reached) {
      let key = `${block[state]}`;
      for (let c = 0; c < width; c++) key += `,${block[dfa.table[state * width + c]]}`;
      let id = ids.get(key);
      if (id === undefined) ids.set(key, (id = ids.size));
      next[state] = id;
    }
    block = next;
    if (ids.size === count) break;
    count = ids.size;
  }
  return quotient(dfa, reached, block, count);
}

/** From start, entries and dead state, in order of discovery (the dead state first, so that its block is 0). */
function reachable(dfa: Dfa): readonly number[] {
  const order = [DEAD];
  const seen = new Set(order);
  const visit = (state: number): void => {
    if (!seen.has(state)) {
      seen.add(state);
      order.push(state);
    }
  };
  visit(dfa.start);
  for (const entry of dfa.entries) visit(entry);
  const width = dfa.symbols.length;
  for (let i = 0; i < order.length; i++)
    for (let c = 0; c < width; c++) visit(dfa.table[order[i] * width + c]);
  return order;
}

function quotient(dfa: Dfa, reached: readonly number[], block: Int32Array, count: number): Dfa {
  const width = dfa.symbols.length;
  const table = new Int32Array(count * width);
  const accepting = new Uint8Array(count);
  for (const state of reached) {
    const id = block[state];
    accepting[id] = dfa.accepting[state];
    for (let c = 0; c < width; c++) table[id * width + c] = block[dfa.table[state * width + c]];
  }
  const start = block[dfa.start];
  const entries = new Set(dfa.entries.map((entry) => block[entry]));
  entries.delete(start);
  return {
    size: count,
    start,
    entries: [...entries].sort((a, b) => a - b),
    accepting,
    symbols: dfa.symbols,
    table,
  };
}
