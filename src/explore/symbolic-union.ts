// Patterns of one place in the program, over all runs: each run says what its own path allows. What others cover is left
// out; where many are left they are one pattern, with what all begin and end with and the widest of their classes.
import {
  classOf,
  matcher,
  type Pattern,
  type PatternClass,
  type PatternPart,
  patternOf,
  patternParts,
  widerClass,
} from '../effect/index.ts';

/** Patterns of a place that stay apart. */
const MOST = 8;
/** Texts by which one pattern is seen to cover another. */
const MAX_SAMPLES = 256;

export class PatternUnion {
  private patterns: Pattern[] = [];
  /** Set once there were too many. */
  private joined: Pattern | undefined;

  add(pattern: Pattern): void {
    if (this.joined !== undefined) {
      if (!coversPattern(this.joined, pattern)) this.joined = joinedPattern([this.joined, pattern]);
      return;
    }
    if (this.patterns.some((one) => coversPattern(one, pattern))) return;
    this.patterns = [...this.patterns.filter((one) => !coversPattern(pattern, one)), pattern];
    if (this.patterns.length > MOST) this.joined = joinedPattern(this.patterns);
  }

  /** Those of the union that cover the pattern, which was added: one, mostly. */
  of(pattern: Pattern): Pattern {
    if (this.joined !== undefined) return this.joined;
    return this.patterns.find((one) => coversPattern(one, pattern)) ?? pattern;
  }
}

/** One pattern that covers all of them: what all begin and end with, and the widest class of what is between. */
export function joinedPattern(patterns: readonly Pattern[]): Pattern {
  const lists = patterns.map((pattern) => unitsOf(pattern));
  const [first] = lists;
  const shortest = Math.min(...lists.map((list) => list.length));
  let prefix = 0;
  while (prefix < shortest && isText(first[prefix]) && lists.every((list) => list[prefix] === first[prefix]))
    prefix++;
  let suffix = 0;
  while (
    suffix < shortest - prefix &&
    isText(first[first.length - 1 - suffix]) &&
    lists.every((list) => list[list.length - 1 - suffix] === first[first.length - 1 - suffix])
  )
    suffix++;
  const middles = lists.map((list) => list.slice(prefix, list.length - suffix));
  const text = (units: readonly string[]): PatternPart[] =>
    units.length === 0 ? [] : [{ kind: 'literal', text: units.join('') }];
  const middle = middles.map(classOfUnits).reduce(widerClass);
  return patternOf([
    ...text(first.slice(0, prefix)),
    { kind: 'class', class: middle },
    ...text(first.slice(first.length - suffix)),
  ]);
}

/** Characters of literal parts, and classes as a whole (no character is that long). */
function unitsOf(pattern: Pattern): string[] {
  return (patternParts(pattern) ?? []).flatMap((part) =>
    part.kind === 'literal' ? [...part.text].map((ch) => ch) : [`class ${part.class}`],
  );
}

const isText = (unit: string): boolean => !unit.startsWith('class ');

function classOfUnits(units: readonly string[]): PatternClass {
  // classes but these two match at least one character
  if (units.length === 0) return '*';
  return units
    .map((unit) => (isText(unit) ? classOf(unit) : (unit.slice('class '.length) as PatternClass)))
    .reduce(widerClass);
}

/**
 * Whether every text of `inner` is one of `outer`. Sure where it answers yes: of each class a text is tried that only
 * the class itself or a wider one has, in several lengths; where these are too many the answer is no.
 */
export function coversPattern(outer: Pattern, inner: Pattern): boolean {
  if (outer === inner) return true;
  const samples = samplesOf(inner, (patternParts(outer)?.length ?? 0) + outer.length);
  const matches = matcher(outer);
  return samples?.every((sample) => matches(sample)) ?? false;
}

/** Characters of a class that no narrower one has, and that hardly any literal has. */
const RARE: Readonly<Record<PatternClass, readonly string[]>> = {
  '[0-9]+': ['7', '3'],
  '[0-9a-f]+': ['d', '8'],
  '[0-9A-Za-z]+': ['Q', 'z'],
  '*': ['\u{e000}', '~'],
  '**': ['\u{e001}', '/'],
};

function samplesOf(pattern: Pattern, length: number): string[] | undefined {
  let out = [''];
  for (const part of patternParts(pattern) ?? []) {
    const texts = part.kind === 'literal' ? [part.text] : textsOfClass(part.class, length);
    if (out.length * texts.length > MAX_SAMPLES) return undefined;
    out = out.flatMap((start) => texts.map((text) => start + text));
  }
  return out;
}

function textsOfClass(name: PatternClass, length: number): string[] {
  const [a, b] = RARE[name];
  const long = Array.from({ length: length + 2 }, (_, i) => (i % 2 === 0 ? a : b)).join('');
  return name === '*' || name === '**' ? ['', a, b, long, b + long] : [a, b, long];
}
