// Several operations of a stream as one case of the interpreter: what costs most is to find the next case. The words of
// a sequence stay as they are but for the case number of the first operation, which becomes that of the sequence; so
// whatever goes on in its midst finds the operations one by one.
import { CASE_WORDS, caseName, NATIVE_CASES, OWN } from './cases.ts';
import { SEQUENCES } from './sequences.ts';

/** Cases of single operations. */
export const SINGLE_CASES = OWN.length + NATIVE_CASES.length;

const NUMBERS = new Map(Array.from({ length: SINGLE_CASES }, (_, i) => [caseName(i), i]));

/** Case numbers of the operations of each sequence; its own is its index + SINGLE_CASES. */
export const FUSED: readonly (readonly number[])[] = SEQUENCES.map((names) =>
  names.split(' ').map((name) => {
    const number = NUMBERS.get(name);
    if (number === undefined) throw new Error(`internal error: no case is called ${name}`);
    return number;
  }),
);

/** By state * SINGLE_CASES + case number: the next state, 0 none; state 0 is a sequence's beginning. */
const next: number[] = new Array(SINGLE_CASES).fill(0);
/** By state: the sequence that ends here, 0 none. */
const ends: number[] = [0];
for (const [index, members] of FUSED.entries()) {
  let state = 0;
  for (const member of members) {
    const at = state * SINGLE_CASES + member;
    if (next[at] === 0) {
      next[at] = ends.length;
      ends.push(0);
      for (let i = 0; i < SINGLE_CASES; i++) next.push(0);
    }
    state = next[at];
  }
  ends[state] = SINGLE_CASES + index;
}
const NEXT = Int16Array.from(next);
const ENDS = Int16Array.from(ends);

/** Fuses the operations from word `from` to word `to`, the longest sequences first. */
export function fuse(words: Int32Array | Uint32Array, from: number, to: number): void {
  let at = from;
  while (at < to) {
    let state = 0;
    let found = 0;
    let end = at + CASE_WORDS[words[at]];
    for (let p = at; p < to; ) {
      const single = words[p];
      state = NEXT[state * SINGLE_CASES + single];
      if (state === 0) break;
      p += CASE_WORDS[single];
      if (ENDS[state] !== 0) {
        found = ENDS[state];
        end = p;
      }
    }
    if (found !== 0) words[at] = found;
    at = end;
  }
}

/** The operation that a case begins with. */
export function firstOf(number: number): number {
  return number < SINGLE_CASES ? number : FUSED[number - SINGLE_CASES][0];
}

/** Words of all operations of a case. */
export function wordsOf(number: number): number {
  if (number < SINGLE_CASES) return CASE_WORDS[number];
  return FUSED[number - SINGLE_CASES].reduce((sum, member) => sum + CASE_WORDS[member], 0);
}
