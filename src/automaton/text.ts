// Automata as text, and back. One line a state, marks first: `^` the start, `>` an entry, `*` accepting; then edges
// sorted by symbol, silent ones first as `~`:
//
//     nfa
//     ^*  0: ~ => 1, 2 => 0 3
//     >   1: 5 => 2
//
// The dead state of a DFA is not printed edge by edge: `D   0:`. Edges that lead there are left out.
import { InputError } from '../bytes/index.ts';
import { DEAD, type Dfa } from './dfa.ts';
import { alphabet, type Nfa, NfaBuilder } from './nfa.ts';
import { StateSet, targets } from './state-set.ts';

export function printNfa(nfa: Nfa): string {
  const symbols = alphabet(nfa);
  const out = new StateSet(nfa.size);
  return print('nfa', nfa, (state) => {
    const edges: string[] = [];
    const silent = nfa.silentTo.slice(nfa.silentRow[state], nfa.silentRow[state + 1]);
    if (silent.length > 0) edges.push(`~ => ${silent.join(' ')}`);
    for (const symbol of symbols) {
      out.clear();
      if (targets(nfa, state, symbol, out)) edges.push(`${symbol} => ${out.sorted().join(' ')}`);
    }
    return edges;
  });
}

export function printDfa(dfa: Dfa): string {
  const width = dfa.symbols.length;
  return print('dfa', dfa, (state) =>
    [...dfa.symbols].flatMap((symbol, c) => {
      const to = dfa.table[state * width + c];
      return to === DEAD ? [] : [`${symbol} => ${to}`];
    }),
  );
}

function print(
  kind: 'nfa' | 'dfa',
  automaton: Pick<Nfa, 'size' | 'start' | 'entries' | 'accepting'>,
  edges: (state: number) => readonly string[],
): string {
  const entries = new Set(automaton.entries);
  const lines: string[] = [kind];
  const digits = String(automaton.size - 1).length;
  for (let state = 0; state < automaton.size; state++) {
    const dead = kind === 'dfa' && state === DEAD ? 'D' : '';
    const role = state === automaton.start ? '^' : entries.has(state) ? '>' : '';
    const marks = `${dead}${role}${automaton.accepting[state] === 1 ? '*' : ''}`;
    lines.push(`${marks.padEnd(3)} ${String(state).padStart(digits)}: ${edges(state).join(', ')}`.trimEnd());
  }
  return `${lines.join('\n')}\n`;
}

interface ParsedState {
  readonly marks: string;
  readonly silent: readonly number[];
  readonly edges: readonly (readonly [symbol: number, to: readonly number[]])[];
}

/** Inverse of `printNfa`. `name` says in errors where the text is from. */
export function parseNfa(text: string, name = 'automaton'): Nfa {
  const states = parse('nfa', text, name);
  const builder = new NfaBuilder();
  for (const { marks } of states) builder.addState(marks.includes('*'));
  states.forEach((state, from) => {
    if (state.marks.includes('>')) builder.addEntry(from);
    for (const to of state.silent) builder.addSilent(from, to);
    for (const [symbol, list] of state.edges) for (const to of list) builder.addEdge(from, symbol, to);
  });
  return builder.build(startOf(states, name));
}

/** Inverse of `printDfa`. */
export function parseDfa(text: string, name = 'automaton'): Dfa {
  const states = parse('dfa', text, name);
  const symbols = Int32Array.from(
    [...new Set(states.flatMap((state) => state.edges.map(([symbol]) => symbol)))].sort((a, b) => a - b),
  );
  const table = new Int32Array(states.length * symbols.length);
  states.forEach((state, from) => {
    for (const [symbol, to] of state.edges) {
      if (to.length !== 1 || from === DEAD)
        throw new InputError('a deterministic state has one target a symbol, the dead one none', name);
      table[from * symbols.length + symbols.indexOf(symbol)] = to[0];
    }
  });
  return {
    size: states.length,
    start: startOf(states, name),
    entries: states.flatMap((state, i) => (state.marks.includes('>') ? [i] : [])),
    accepting: Uint8Array.from(states, (state) => (state.marks.includes('*') ? 1 : 0)),
    symbols,
    table,
  };
}

function startOf(states: readonly ParsedState[], name: string): number {
  const starts = states.flatMap((state, i) => (state.marks.includes('^') ? [i] : []));
  if (starts.length !== 1)
    throw new InputError(`${starts.length} start states`, name, 'one line has the mark ^');
  return starts[0];
}

function parse(kind: 'nfa' | 'dfa', text: string, name: string): ParsedState[] {
  const [head, ...lines] = text.trimEnd().split('\n');
  if (head !== kind) throw new InputError(`not the text of a ${kind}`, `${name}, line 1`);
  const states = lines.map((line, i): ParsedState => {
    const where = `${name}, line ${i + 2}`;
    const match = /^([D^>*]*)\s+(\d+):\s*(.*)$/.exec(line);
    if (match === null || Number(match[2]) !== i)
      throw new InputError('not a state', where, 'states are numbered from 0, one a line');
    const silent: number[] = [];
    const edges: [number, number[]][] = [];
    for (const part of match[3] === '' ? [] : match[3].split(', ')) {
      const edge = /^(~|\d+) => (\d+(?: \d+)*)$/.exec(part);
      const to = edge?.[2].split(' ').map(Number) ?? [];
      if (edge === null || to.some((target) => target >= lines.length))
        throw new InputError(`not an edge: ${part}`, where, 'write SYMBOL => STATE STATE');
      if (edge[1] === '~') silent.push(...to);
      else edges.push([Number(edge[1]), to]);
    }
    return { marks: match[1], silent, edges };
  });
  if (states.length === 0) throw new InputError('no states', name);
  return states;
}
