// One pattern, ready to be asked: a literal compares, everything else first compares its literal beginning.
import { isLiteral, matcher, type Pattern, patternParts } from '../effect/index.ts';

export interface TextTest {
  readonly pattern: Pattern;
  /** The one text that it matches; undefined where there are several. */
  readonly literal: string | undefined;
  readonly test: (text: string) => boolean;
}

export function textTest(pattern: Pattern): TextTest {
  const parts = patternParts(pattern) ?? [];
  if (isLiteral(pattern)) {
    const literal = parts.map((part) => (part.kind === 'literal' ? part.text : '')).join('');
    return { pattern, literal, test: (text) => text === literal };
  }
  if (pattern === '**') return { pattern, literal: undefined, test: () => true };
  const prefix = parts[0].kind === 'literal' ? parts[0].text : '';
  const matches = matcher(pattern);
  return { pattern, literal: undefined, test: (text) => text.startsWith(prefix) && matches(text) };
}
