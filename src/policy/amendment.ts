// Amendments: reviewed, named exceptions to a policy, kept in a file of their own so that they outlive the policy. Who
// (image, program, automaton) may do what (an effect as a pattern), and why, by whom, since when, until when. This file
// is their shape, their schema (published as schema/amendment.schema.json) and their text; what they cover is in
// covers.ts.
import { InputError } from '../bytes/index.ts';
import { parsePattern, resourceTexts } from '../effect/index.ts';
import type { Amendment } from './policy.ts';
import { AMENDMENT_ITEM, AMENDMENT_PROPERTIES, object } from './schema.ts';
import { checkerOf } from './validate.ts';

export const AMENDMENT_FORMAT = 1;

export const AMENDMENT_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Effigy amendments: reviewed exceptions to policies',
  ...object({
    format: { const: AMENDMENT_FORMAT },
    amendments: { type: 'array', items: AMENDMENT_ITEM },
  }),
} as const;

/** Text of an amendment file: valid JSON, one amendment a paragraph. */
export function writeAmendments(amendments: readonly Amendment[]): string {
  const items = amendments.map((amendment) => {
    const fields = (Object.keys(AMENDMENT_PROPERTIES) as (keyof Amendment)[])
      .filter((name) => amendment[name] !== undefined)
      .map((name) => `      ${JSON.stringify(name)}: ${JSON.stringify(amendment[name])}`);
    return `    {\n${fields.join(',\n')}\n    }`;
  });
  const list = items.length === 0 ? '[]' : `[\n${items.join(',\n')}\n  ]`;
  return `{\n  "format": ${AMENDMENT_FORMAT},\n  "amendments": ${list}\n}\n`;
}

const check = checkerOf(AMENDMENT_SCHEMA);
const advice = 'make one with: effigy allow';

/** Checked amendments. `name` (the file's) is used in errors. */
export function readAmendments(content: string, name: string): Amendment[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch {
    // The parser's own message quotes the document.
    throw new InputError('not an amendment file: not JSON', name, advice);
  }
  const format =
    typeof parsed === 'object' && parsed !== null && 'format' in parsed ? parsed.format : undefined;
  if (typeof format === 'number' && format > AMENDMENT_FORMAT)
    throw new InputError(
      `amendment format ${format} is newer than this program's ${AMENDMENT_FORMAT}`,
      name,
      'use a newer effigy',
    );
  const wrong = check(parsed);
  if (wrong !== undefined) throw new InputError(`not an amendment file: ${wrong}`, name, advice);
  const { amendments } = parsed as { readonly amendments: Amendment[] };
  checkAmendments(amendments, name);
  return amendments;
}

/** What a schema cannot say: names are unique, patterns are patterns, times are times. */
export function checkAmendments(amendments: readonly Amendment[], where: string): void {
  const names = new Set<string>();
  for (const amendment of amendments) {
    const { name, image, program, effect, created, expires } = amendment;
    if (names.has(name)) throw new InputError(`two amendments are named ${name}`, where, 'rename one');
    names.add(name);
    for (const text of [image, program, ...resourceTexts(effect.resource)])
      if (parsePattern(text) === undefined)
        throw new InputError(
          `amendment ${name}: not a pattern: ${JSON.stringify(text)}`,
          where,
          'a backslash before each of * [ ] + \\ makes it literal',
        );
    for (const text of [created, expires])
      if (text !== undefined && Number.isNaN(Date.parse(text)))
        throw new InputError(`amendment ${name}: no such date: ${text}`, where, 'YYYY-MM-DDTHH:MM:SSZ');
  }
}
