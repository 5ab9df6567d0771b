// The cases of the automaton suite: an automaton in text form, words that it accepts and words that it does not. Every
// case runs through every representation. Words are symbols separated by spaces; '' is the empty word.

export interface Case {
  readonly name: string;
  readonly nfa: string;
  readonly yes: readonly string[];
  readonly no: readonly string[];
  /** States of the minimized deterministic automaton, the dead one included. */
  readonly minimal: number;
}

export const cases: readonly Case[] = [
  {
    name: 'one state, no edges',
    nfa: 'nfa\n^*  0:\n',
    yes: [''],
    no: ['0', '1 1'],
    minimal: 2,
  },
  {
    name: 'nothing at all is accepted',
    nfa: 'nfa\n^   0: 1 => 0\n',
    yes: [],
    no: ['', '1', '1 1'],
    minimal: 1,
  },
  {
    name: 'two edges with the same symbol from one state',
    nfa: 'nfa\n^   0: 1 => 1 2\n    1: 2 => 3\n    2: 3 => 3\n*   3:\n',
    yes: ['1 2', '1 3'],
    no: ['1', '1 1', '1 2 3', ''],
    minimal: 4,
  },
  {
    name: 'silent steps in a ring',
    nfa: 'nfa\n^   0: ~ => 1\n    1: ~ => 2, 1 => 1\n*   2: ~ => 0, 2 => 2\n',
    yes: ['', '1', '2', '1 2 1 2', '2 1'],
    no: ['3', '1 3'],
    minimal: 2,
  },
  {
    name: 'silent steps before and after an edge',
    nfa: 'nfa\n^   0: ~ => 1\n    1: 7 => 2\n    2: ~ => 3\n*   3:\n',
    yes: ['7'],
    no: ['', '7 7'],
    minimal: 3,
  },
  {
    name: 'third symbol from the end is 1: exponential when determinized',
    nfa: 'nfa\n^   0: 0 => 0, 1 => 0 1\n    1: 0 => 2, 1 => 2\n    2: 0 => 3, 1 => 3\n*   3:\n',
    yes: ['1 0 0', '0 1 1 1', '1 1 0 1'],
    no: ['', '1', '0 0 0', '1 0', '1 0 0 0'],
    minimal: 9,
  },
  {
    name: 'states that no word tells apart',
    nfa: 'nfa\n^   0: 1 => 1, 2 => 2\n*   1: 3 => 3\n*   2: 3 => 4\n*   3: 1 => 3\n*   4: 1 => 4\n',
    yes: ['1', '2', '1 3 1', '2 3 1 1'],
    no: ['', '3', '1 1', '1 3 3'],
    minimal: 4,
  },
  {
    name: 'every state accepts, symbols far apart',
    nfa: 'nfa\n^*  0: 0 => 1\n*   1: 2000000000 => 0\n',
    yes: ['', '0', '0 2000000000', '0 2000000000 0'],
    no: ['2000000000', '0 0', '0 1'],
    minimal: 3,
  },
  {
    name: 'entries and unreachable states',
    nfa: 'nfa\n^*  0: 1 => 0\n>*  1: 2 => 0 1\n*   2: 1 => 1\n',
    yes: ['', '1', '1 1'],
    no: ['2', '1 2'],
    minimal: 4,
  },
];
