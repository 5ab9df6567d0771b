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

/**
 * The next state by state and case number, in a hash table that stays in the processor's nearest cache: keys
 * (state << 12 | case, 0 none) and the states that they lead to. State 0 is a sequence's beginning.
 */
const SLOTS = 4096;
const keys = new Int32Array(SLOTS);
const states = new Int16Array(SLOTS);
/** By state: the sequence that ends here, 0 none. */
const ends: number[] = [0];
const slotOf = (key: number): number => {
  let slot = (Math.imul(key, 0x9e3779b1) >>> 20) & (SLOTS - 1);
  while (keys[slot] !== key && keys[slot] !== 0) slot = (slot + 1) & (SLOTS - 1);
  return slot;
};
for (const [index, members] of FUSED.entries()) {
  let state = 0;
  for (const member of members) {
    const key = (state << 12) | member;
    const slot = slotOf(key);
    if (keys[slot] === 0) {
      keys[slot] = key;
      states[slot] = ends.length;
      ends.push(0);
    }
    state = states[slot];
  }
  ends[state] = SINGLE_CASES + index;
}
if (ends.length > SLOTS / 2) throw new Error('internal error: the table of sequences is too small');
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
      state = states[slotOf((state << 12) | single)];
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
