// Whether one pattern matches all that another matches. Both are sequences of literal characters and classes, so each is
// a small automaton: position i has matched the first i items, and `class+` may stay where it is. The sets of positions
// of the wide pattern are followed along every path of the narrow one, over one character of each kind that the two
// patterns can tell apart.
import { type Pattern, type PatternClass, patternParts } from '../effect/index.ts';

type Item =
  | { readonly kind: 'char'; readonly char: string }
  | { readonly kind: 'one' | 'many'; readonly class: PatternClass };

const members: Readonly<Record<PatternClass, RegExp>> = {
  '[0-9]+': /[0-9]/,
  '[0-9a-f]+': /[0-9a-f]/,
  '[0-9A-Za-z]+': /[0-9A-Za-z]/,
  '*': /[^/]/,
  '**': /[\s\S]/,
};

/** Sets of positions that are followed before the answer is "no, as far as we know". */
const limit = 10_000;

/** Whether every text of `narrow` is a text of `wide`; false where that would take too long to tell. */
export function includes(wide: Pattern, narrow: Pattern): boolean {
  if (wide === narrow || wide === '**') return true;
  const a = itemsOf(wide);
  const b = itemsOf(narrow);
  if (a === undefined || b === undefined) return false;
  const alphabet = alphabetOf([...a, ...b]);
  const start = { narrow: 0, wide: closure(a, [0]) };
  const seen = new Set<string>();
  const work = [start];
  for (let state = work.pop(); state !== undefined; state = work.pop()) {
    for (const position of closure(b, [state.narrow])) {
      const key = `${position} ${state.wide.join()}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (seen.size > limit) return false;
      if (position === b.length && !state.wide.includes(a.length)) return false;
      for (const char of alphabet)
        for (const next of step(b, position, char))
          work.push({
            narrow: next,
            wide: closure(
              a,
              state.wide.flatMap((each) => step(a, each, char)),
            ),
          });
    }
  }
  return true;
}

/** `[0-9]+` is one and then many; `*` is many. */
function itemsOf(pattern: Pattern): Item[] | undefined {
  return patternParts(pattern)?.flatMap((part): Item[] => {
    if (part.kind === 'literal') return [...part.text].map((char) => ({ kind: 'char', char }));
    const many: Item = { kind: 'many', class: part.class };
    return part.class.startsWith('[') ? [{ kind: 'one', class: part.class }, many] : [many];
  });
}

const accepts = (item: Item, char: string): boolean =>
  item.kind === 'char' ? item.char === char : members[item.class].test(char);

function step(items: readonly Item[], position: number, char: string): number[] {
  const item = items[position];
  if (item === undefined || !accepts(item, char)) return [];
  return [item.kind === 'many' ? position : position + 1];
}

/** What `many` may be left for without a character. Ascending, without repetitions. */
function closure(items: readonly Item[], positions: readonly number[]): number[] {
  const out = new Set(positions);
  for (const position of out) if (items[position]?.kind === 'many') out.add(position + 1);
  return [...out].sort((x, y) => x - y);
}

/** Every literal character, and one of each class that is none of them, where there is one. */
function alphabetOf(items: readonly Item[]): string[] {
  const chars = new Set(items.flatMap((item) => (item.kind === 'char' ? [item.char] : [])));
  for (const all of [
    '0123456789',
    'abcdef',
    'ghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ',
    '/',
    '\u{1}\u{2}\u{3}',
  ])
    for (const char of all)
      if (!chars.has(char)) {
        chars.add(char);
        break;
      }
  return [...chars];
}
