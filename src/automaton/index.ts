// automaton: NFA, state sets, determinization, minimization and their text, over any alphabet of numbers. Floor 1.
export { determinize, SizeLimitError } from './determinize.ts';
export { acceptsDfa, columnOf, DEAD, type Dfa, stepDfa } from './dfa.ts';
export { type Letter, type Subset, Subsets } from './lazy.ts';
export { minimize } from './minimize.ts';
export { alphabet, type Nfa, NfaBuilder } from './nfa.ts';
export { accepts, close, StateSet, targets } from './state-set.ts';
export { parseDfa, parseNfa, printDfa, printNfa } from './text.ts';
