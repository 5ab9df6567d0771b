// Texts of a deployment, of which parts may be the cluster's or the operator's: their values are not in the manifest.

/** What is known about a value that the manifest doesn't hold. */
export type UnknownShape = 'text' | 'number' | 'name' | 'address';

/** A value that the manifest refers to but doesn't hold. Equal sources have equal values. */
export interface Unknown {
  /** Where it comes from, for people: `secret db, key password`. */
  readonly source: string;
  readonly shape: UnknownShape;
}

/** A text with unknown parts, in order. */
export type Text = readonly (string | Unknown)[];

export const known = (text: string): Text => (text === '' ? [] : [text]);

export const unknown = (source: string, shape: UnknownShape = 'text'): Text => [{ source, shape }];

/** The text with values in place of the unknown parts. */
export function resolve(text: Text, value: (unknown: Unknown) => string): string {
  return text.map((part) => (typeof part === 'string' ? part : value(part))).join('');
}

export const unknownsOf = (text: Text): readonly Unknown[] =>
  text.filter((part): part is Unknown => typeof part !== 'string');

/** Parts joined; neighbouring plain texts become one. */
export function join(parts: readonly Text[]): Text {
  const out: (string | Unknown)[] = [];
  for (const part of parts.flat()) {
    const last = out.at(-1);
    if (typeof part === 'string' && typeof last === 'string') out[out.length - 1] = last + part;
    else out.push(part);
  }
  return out;
}
