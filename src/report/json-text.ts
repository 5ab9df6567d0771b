// JSON as other programs take it: whole numbers of any size, no half characters, no text without end.

export type Json =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | readonly Json[]
  | { readonly [name: string]: Json };

/** Longest text that a finding carries, in UTF-16 units; what is longer ends in an ellipsis. */
export const LONGEST_TEXT = 32_768;

/** One line. Big integers are bare numbers; members that are undefined are left out. */
export function jsonText(value: Json): string {
  if (typeof value === 'string') return JSON.stringify(wellFormed(value));
  if (typeof value === 'bigint') return String(value);
  if (value === undefined || value === null) return 'null';
  if (typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(jsonText).join(',')}]`;
  const members = Object.keys(value).filter((name) => value[name] !== undefined);
  return `{${members.map((name) => `${JSON.stringify(wellFormed(name))}:${jsonText(value[name])}`).join(',')}}`;
}

const isList = (value: readonly Json[] | { readonly [name: string]: Json }): value is readonly Json[] =>
  Array.isArray(value);

/** Bytes that are no text, which our strings hold as lone surrogates, become \xHH: many readers refuse the latter. */
export function wellFormed(text: string, longest = LONGEST_TEXT): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return cut.replace(/[\ud800-\udfff]/gu, (ch) => {
    const code = ch.charCodeAt(0);
    return code >= 0xdc80 && code <= 0xdcff ? `\\x${(code - 0xdc00).toString(16)}` : '\ufffd';
  });
}
