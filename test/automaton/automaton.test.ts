// One suite of cases through every representation: state sets, lazy sets (also with a limit that makes them forget all
// the time), determinized, minimized, and each of these printed and parsed back. Then random automata against the
// plain simulation.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  accepts,
  acceptsDfa,
  DEAD,
  type Dfa,
  determinize,
  minimize,
  type Nfa,
  NfaBuilder,
  parseDfa,
  parseNfa,
  printDfa,
  printNfa,
  SizeLimitError,
  StateSet,
  Subsets,
} from '../../src/automaton/index.ts';
import { InputError } from '../../src/bytes/index.ts';
import { cases } from './cases.ts';

const word = (text: string): number[] => (text === '' ? [] : text.split(' ').map(Number));
const oneSymbol = (letter: number): Int32Array => Int32Array.of(letter);

function acceptsLazily(nfa: Nfa, symbols: readonly number[], limit: number): boolean {
  const subsets = new Subsets(nfa, oneSymbol, { limit });
  let now = subsets.of([nfa.start]);
  for (const symbol of symbols) now = subsets.step(now, symbol);
  return now.states.some((state) => nfa.accepting[state] === 1);
}

type Run = (symbols: readonly number[]) => boolean;

function representations(nfa: Nfa): ReadonlyMap<string, Run> {
  const dfa = determinize(nfa, { limit: 10_000 });
  const small = minimize(dfa);
  const on =
    (automaton: Dfa): Run =>
    (symbols) =>
      acceptsDfa(automaton, symbols);
  return new Map<string, Run>([
    ['state sets', (symbols) => accepts(nfa, symbols)],
    ['printed and parsed', (symbols) => accepts(parseNfa(printNfa(nfa)), symbols)],
    ['lazy', (symbols) => acceptsLazily(nfa, symbols, 1000)],
    ['lazy, forgetting', (symbols) => acceptsLazily(nfa, symbols, 1)],
    ['determinized', on(dfa)],
    ['determinized, printed and parsed', on(parseDfa(printDfa(dfa)))],
    ['minimized', on(small)],
    ['minimized twice', on(minimize(small))],
    ['minimized, printed and parsed', on(parseDfa(printDfa(small)))],
  ]);
}

for (const { name, nfa: text, yes, no, minimal } of cases) {
  test(`automaton: ${name}`, () => {
    const nfa = parseNfa(text);
    assert.equal(printNfa(nfa), text);
    for (const [representation, run] of representations(nfa)) {
      for (const each of yes) assert.equal(run(word(each)), true, `${representation} accepts '${each}'`);
      for (const each of no) assert.equal(run(word(each)), false, `${representation} rejects '${each}'`);
    }
    const small = minimize(determinize(nfa, { limit: 10_000 }));
    assert.equal(small.size, minimal);
    assert.equal(small.accepting[DEAD], 0);
    assert.equal(printDfa(parseDfa(printDfa(small))), printDfa(small));
  });
}

/** Deterministic pseudo-random numbers (mulberry32). */
function generator(seed: number): (below: number) => number {
  let a = seed;
  return (below) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

test('automaton: random automata, every representation agrees with the plain simulation', () => {
  const random = generator(7);
  for (let round = 0; round < 60; round++) {
    const builder = new NfaBuilder();
    const size = 1 + random(7);
    for (let s = 0; s < size; s++) builder.addState(random(3) === 0);
    for (let e = random(16); e > 0; e--) builder.addEdge(random(size), random(3), random(size));
    for (let e = random(4); e > 0; e--) builder.addSilent(random(size), random(size));
    const nfa = builder.build(random(size));
    const runs = [...representations(nfa)];
    for (let w = 0; w < 40; w++) {
      const symbols = Array.from({ length: random(7) }, () => random(3));
      const expected = accepts(nfa, symbols);
      for (const [name, run] of runs)
        assert.equal(run(symbols), expected, `${name} on ${symbols.join(' ')}\n${printNfa(nfa)}`);
    }
  }
});

test('automaton: the limit of determinization is a named error that carries it', () => {
  const nfa = parseNfa(cases[5].nfa);
  assert.throws(
    () => determinize(nfa, { limit: 4 }),
    (error) => error instanceof SizeLimitError && error.limit === 4 && /4 states/.test(error.message),
  );
});

test('automaton: a letter of several symbols takes all of them; growing keeps what was there', () => {
  const nfa = parseNfa('nfa\n^*  0: 1 => 1, 2 => 2\n*   1: 1 => 3\n*   2: ~ => 3\n*   3:\n');
  const letters = [Int32Array.of(1, 2), Int32Array.of(1)];
  const subsets = new Subsets(nfa, (letter) => letters[letter], { limit: 100 });
  const start = subsets.of([0]);
  assert.deepEqual([...subsets.step(start, 0).states], [1, 2, 3]);
  assert.deepEqual([...subsets.step(start, 1).states], [1]);
  assert.deepEqual([...subsets.grow(start, 1).states], [0, 1]);
  assert.deepEqual([...subsets.grow(subsets.grow(start, 1), 1).states], [0, 1, 3]);
  assert.equal(subsets.step(subsets.of([3]), 0), subsets.empty);
  assert.ok(subsets.same(subsets.union(start, subsets.of([3])), subsets.of([3, 0])));
});

test('automaton: letters of any size; what is free any number of times is what growing comes to', () => {
  const random = generator(11);
  for (let round = 0; round < 200; round++) {
    const builder = new NfaBuilder();
    const size = 2 + random(9);
    for (let s = 0; s < size; s++) builder.addState();
    for (let e = random(24); e > 0; e--) builder.addEdge(random(size), random(8), random(size));
    for (let e = random(5); e > 0; e--) builder.addSilent(random(size), random(size));
    const nfa = builder.build(0);
    const letters = Array.from({ length: 4 }, () => Int32Array.from({ length: random(9) }, () => random(8)));
    const subsets = new Subsets(nfa, (letter) => letters[letter], { limit: 1 + random(30) });
    const plain = new Subsets(nfa, oneSymbol, { limit: 1_000 });
    const from = [random(size), random(size)];
    for (const [letter, symbols] of letters.entries()) {
      const step = [...symbols].map((symbol) => plain.step(plain.of(from), symbol));
      const stepped = step.reduce((a, b) => plain.union(a, b), plain.empty);
      assert.deepEqual(subsets.step(subsets.of(from), letter).states, stepped.states);
      let grown = plain.of(from);
      for (let i = 0; i <= size; i++)
        for (const symbol of symbols) grown = plain.union(grown, plain.step(grown, symbol));
      assert.deepEqual(subsets.saturate(subsets.of(from), letter).states, grown.states, printNfa(nfa));
    }
  }
});

test('automaton: sets that are held stay right when all are forgotten', () => {
  const nfa = parseNfa(cases[5].nfa);
  const subsets = new Subsets(nfa, oneSymbol, { limit: 2 });
  const start = subsets.of([0]);
  const one = subsets.step(start, 1);
  for (let i = 0; i < 8; i++) subsets.step(subsets.step(subsets.step(start, 1), i & 1), 1);
  assert.ok(subsets.forgotten > 0);
  assert.deepEqual([...subsets.step(one, 0).states], [0, 2]);
  assert.deepEqual([...one.states], [0, 1]);
});

test('automaton: sparse sets', () => {
  const set = new StateSet(5);
  assert.equal(set.add(3), true);
  assert.equal(set.add(3), false);
  set.add(1);
  assert.deepEqual([...set.sorted()], [1, 3]);
  assert.deepEqual([set.has(1), set.has(0)], [true, false]);
  set.clear();
  assert.equal(set.has(3), false);
});

const broken: readonly (readonly [name: string, text: string])[] = [
  ['another kind', 'dfa\n^*  0:\n'],
  ['no start', 'nfa\n*   0:\n'],
  ['two starts', 'nfa\n^   0:\n^   1:\n'],
  ['wrong number', 'nfa\n^   1:\n'],
  ['target that is no state', 'nfa\n^   0: 1 => 1\n'],
  ['not an edge', 'nfa\n^   0: 1 -> 0\n'],
  ['no states', 'nfa\n'],
];
for (const [name, text] of broken) {
  test(`automaton: text with ${name} is an error`, () => {
    assert.throws(() => parseNfa(text), InputError);
  });
}
