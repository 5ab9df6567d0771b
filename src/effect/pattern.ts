// Resource patterns: the set of texts that one part of a resource may be. A pattern is itself text, so that it reads
// well in a policy file and compares as a key:
//   a literal character stands for itself; \ escapes any of \ * [ ] +
//   *            any number of characters except '/'
//   **           any number of any characters
//   [0-9]+ [0-9a-f]+ [0-9A-Za-z]+   one or more of that class
// Patterns are anchored at both ends, always.

declare const patternBrand: unique symbol;
/** Text of a pattern; see the header of this file for the grammar. */
export type Pattern = string & { readonly [patternBrand]: true };

/** Named character classes, narrowest first. */
export const CLASSES = ['[0-9]+', '[0-9a-f]+', '[0-9A-Za-z]+', '*', '**'] as const;
export type PatternClass = (typeof CLASSES)[number];
export type PatternPart =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'class'; readonly class: PatternClass };

const regexOf: Readonly<Record<PatternClass, string>> = {
  '[0-9]+': '[0-9]+',
  '[0-9a-f]+': '[0-9a-f]+',
  '[0-9A-Za-z]+': '[0-9A-Za-z]+',
  '*': '[^/]*',
  '**': '[\\s\\S]*',
};

export const ANY = '**' as Pattern;

/** The pattern that matches this text only. */
export function literal(text: string): Pattern {
  return text.replace(/[\\*[\]+]/g, '\\$&') as Pattern;
}

/** Whether the pattern matches one text only. */
export function isLiteral(pattern: Pattern): boolean {
  return patternParts(pattern)?.every((part) => part.kind === 'literal') ?? false;
}

/** Parts of a pattern in order; undefined where the text is no pattern. */
export function patternParts(text: string): readonly PatternPart[] | undefined {
  const parts: PatternPart[] = [];
  let run = '';
  const flush = (): void => {
    if (run !== '') parts.push({ kind: 'literal', text: run });
    run = '';
  };
  let i = 0;
  while (i < text.length) {
    const ch = text[i];
    if (ch === '\\') {
      if (i + 1 >= text.length) return undefined;
      run += text[i + 1];
      i += 2;
    } else if (ch === '*' || ch === '[') {
      const found = ['**', '*', '[0-9]+', '[0-9a-f]+', '[0-9A-Za-z]+'].find((name) =>
        text.startsWith(name, i),
      );
      if (found === undefined) return undefined;
      flush();
      parts.push({ kind: 'class', class: found as PatternClass });
      i += found.length;
    } else if (ch === ']' || ch === '+') {
      return undefined;
    } else {
      run += ch;
      i += 1;
    }
  }
  flush();
  return parts;
}

/** Text of the parts; inverse of `patternParts`. */
export function patternOf(parts: readonly PatternPart[]): Pattern {
  return parts.map((part) => (part.kind === 'literal' ? literal(part.text) : part.class)).join('') as Pattern;
}

/** A checked pattern; undefined where the text is not one. */
export function parsePattern(text: string): Pattern | undefined {
  return patternParts(text) === undefined ? undefined : (text as Pattern);
}

export type Matcher = (text: string) => boolean;
const matchers = new Map<Pattern, Matcher>();

/** A compiled matcher for the whole of a text; matchers are kept. */
export function matcher(pattern: Pattern): Matcher {
  let found = matchers.get(pattern);
  if (found === undefined) {
    found = compile(pattern);
    if (matchers.size > 65_536) matchers.clear();
    matchers.set(pattern, found);
  }
  return found;
}

function compile(pattern: Pattern): Matcher {
  const parts = patternParts(pattern);
  if (parts === undefined) throw new Error(`internal error: not a pattern: ${pattern}`);
  if (parts.every((part) => part.kind === 'literal')) {
    const only = parts.map((part) => (part.kind === 'literal' ? part.text : '')).join('');
    return (text) => text === only;
  }
  const source = parts.map((part) =>
    part.kind === 'literal' ? part.text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&') : regexOf[part.class],
  );
  const regex = new RegExp(`^${source.join('')}$`);
  return (text) => regex.test(text);
}

/** The narrowest class that covers the text (which may be empty). */
export function classOf(text: string): PatternClass {
  if (/^[0-9]+$/.test(text)) return '[0-9]+';
  if (/^[0-9a-f]+$/.test(text)) return '[0-9a-f]+';
  if (/^[0-9A-Za-z]+$/.test(text)) return '[0-9A-Za-z]+';
  return text.includes('/') ? '**' : '*';
}

/** The wider of two classes. */
export function widerClass(a: PatternClass, b: PatternClass): PatternClass {
  return CLASSES[Math.max(CLASSES.indexOf(a), CLASSES.indexOf(b))];
}
