// Names that programs count: a file made as `up-1` and then as `up-2` is made as `up-3` when a third client comes, so the
// number is a class in the policy. What tells of a counter is that one program point made two names which differ in
// numbers only, each of them by one; then every name of that form has the class there.
import { literal, type Pattern, type PatternPart, patternOf, resourceTexts } from '../effect/index.ts';
import type { EffectEvent } from '../linux/index.ts';
import type { EventPatterns } from './generalize.ts';
import { stackKey } from './stack.ts';

/** Longer runs of digits are times, addresses and the like. */
const LONGEST = 15;
/** Numbers of one name that are looked at. */
const MOST_NUMBERS = 5;
const DIGITS = /\d+/g;

/** By form (digits taken out): which of its numbers are counted. */
type Forms = Map<string, Set<number>>;

/** Gives counted numbers their class in all of these patterns. */
export function widenCounters(all: readonly EventPatterns[]): void {
  const forms = countedForms(all.flatMap((patterns) => [...patterns.keys()]));
  if (forms.size === 0) return;
  for (const patterns of all)
    for (const [event, own] of patterns) {
      if (event.effect.resource.kind !== 'file') continue;
      const texts = resourceTexts(event.effect.resource);
      const wider = own.map((pattern, i) => widened(pattern, texts[i], forms));
      if (wider.some((pattern, i) => pattern !== own[i])) patterns.set(event, wider);
    }
}

/** What makes a name: of RENAME and LINK both texts are looked at. */
const makes = ({ effect, result }: EffectEvent): boolean =>
  result >= 0 &&
  effect.resource.kind === 'file' &&
  (MAKING.has(effect.op) || (effect.op === 'OPEN' && effect.access.includes('c')));

const MAKING: ReadonlySet<string> = new Set(['MKDIR', 'MKNOD', 'RENAME', 'LINK', 'SYMLINK', 'BIND']);

const formOf = (text: string): string => text.replace(DIGITS, '\0');
const numbersOf = (text: string): readonly string[] => text.match(DIGITS) ?? [];

function countedForms(events: readonly EffectEvent[]): Forms {
  // of one program point, names of one form
  const groups = new Map<string, { readonly form: string; readonly names: Map<string, readonly string[]> }>();
  for (const event of events) {
    if (!makes(event)) continue;
    for (const text of resourceTexts(event.effect.resource)) {
      const form = formOf(text);
      if (form === text) continue;
      const key = `${event.effect.op} ${event.exe} ${stackKey(event.stack)} ${form}`;
      let group = groups.get(key);
      if (group === undefined) groups.set(key, (group = { form, names: new Map() }));
      group.names.set(text, numbersOf(text));
    }
  }
  const forms: Forms = new Map();
  for (const { form, names } of groups.values()) {
    for (const numbers of names.values()) {
      if (numbers.length > MOST_NUMBERS || numbers.some(({ length }) => length > LONGEST)) continue;
      for (let places = 1; places < 1 << numbers.length; places++) {
        if (!names.has(following(form, numbers, places))) continue;
        let counted = forms.get(form);
        if (counted === undefined) forms.set(form, (counted = new Set()));
        for (const at of numbers.keys()) if (isIn(places, at)) counted.add(at);
      }
    }
  }
  return forms;
}

/** Whether the bit of a place is set. */
const isIn = (places: number, at: number): boolean => ((places >> at) & 1) === 1;

/** The name with the next numbers at these places, in as many digits where there are leading zeros. */
function following(form: string, numbers: readonly string[], places: number): string {
  let i = 0;
  return form.replaceAll('\0', () => {
    const digits = numbers[i];
    return isIn(places, i++) ? String(Number(digits) + 1).padStart(digits.length, '0') : digits;
  });
}

function widened(pattern: Pattern, text: string, forms: Forms): Pattern {
  // what the environment or clients decide of it is no counter's
  if (pattern !== literal(text)) return pattern;
  const form = formOf(text);
  const counted = form === text ? undefined : forms.get(form);
  if (counted === undefined) return pattern;
  const numbers = numbersOf(text);
  const parts = form.split('\0').flatMap((piece, i): PatternPart[] => {
    const out: PatternPart[] = piece === '' ? [] : [{ kind: 'literal', text: piece }];
    if (i >= numbers.length) return out;
    return [
      ...out,
      counted.has(i) ? { kind: 'class', class: '[0-9]+' } : { kind: 'literal', text: numbers[i] },
    ];
  });
  return patternOf(parts);
}
