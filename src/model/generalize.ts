// From the same run under several environments to resource patterns: what differs between corresponding effects is
// the environment's and becomes a class; what is the same stays literal. (Until symbolic shadows say it exactly.)
//
// Runs are aligned task by task (tasks.ts). Effects correspond along a longest common subsequence of their contexts
// (operation, shape of the resource, call stack); where their texts differ, but each text is there in every run, they came
// in another order, and equal texts correspond (orders.ts). What has no counterpart keeps its own text, save for values
// that are known to be the environment's.
import {
  classOf,
  literal,
  type Pattern,
  type PatternClass,
  type PatternPart,
  patternOf,
  resourceShape,
  resourceTexts,
  widerClass,
} from '../effect/index.ts';
import type { EffectEvent } from '../linux/index.ts';
import type { Endpoints } from './endpoints.ts';
import type { Orders, Row } from './orders.ts';
import { stackKey } from './stack.ts';
import { type Run, tasksOf } from './tasks.ts';

/** Patterns of the texts of an event's resource, in the order of `resourceTexts`. */
export type EventPatterns = Map<EffectEvent, readonly Pattern[]>;

/**
 * Narrowest pattern that matches all texts: what clients chose (`chosen[i]` in text i) is any name, the rest is of the
 * kind prefix-class-suffix, literal where texts agree. Adjacent characters of the same class are not swallowed:
 * callers choose environment values that differ everywhere.
 */
export function generalizeTexts(texts: readonly string[], chosen: readonly string[] = []): Pattern {
  const first = texts[0];
  if (texts.every((text) => text === first)) {
    // one name only was there to be chosen, so all runs chose it
    const [name = ''] = chosen;
    return chosen.every((other) => other === name) ? withoutKnown(first, [], name) : fixedText(first);
  }
  const pieces = texts.map((text, i) =>
    chosen[i] === undefined || chosen[i] === '' ? [text] : text.split(chosen[i]),
  );
  const count = pieces[0].length;
  if (count > 1 && pieces.every((list) => list.length === count)) {
    const parts = pieces[0].map((_, k) => generalizeTexts(pieces.map((list) => list[k])));
    // Names with slashes in or between them: clients can write slashes, too.
    return parts
      .join(chosen.some((name) => name.includes('/')) ? '**' : '*')
      .replaceAll('*/*', '**') as Pattern;
  }
  const shortest = Math.min(...texts.map((text) => text.length));
  let prefix = 0;
  while (prefix < shortest && texts.every((text) => text[prefix] === first[prefix])) prefix++;
  let suffix = 0;
  while (
    suffix < shortest - prefix &&
    texts.every((text) => text[text.length - 1 - suffix] === first[first.length - 1 - suffix])
  )
    suffix++;
  const middles = texts.map((text) => text.slice(prefix, text.length - suffix));
  const narrow = middles.map(middleClass).reduce(widerClass);
  const parts: PatternPart[] = [];
  if (prefix > 0) parts.push({ kind: 'literal', text: first.slice(0, prefix) });
  parts.push({ kind: 'class', class: isRandom(middles, narrow) ? '*' : narrow });
  if (suffix > 0) parts.push({ kind: 'literal', text: first.slice(first.length - suffix) });
  return patternOf(parts);
}

/** As long are names that are made at random to be unlike any other. */
const RANDOM_LENGTH = 8;

/** Such names have marks beside letters and digits where a program likes; a few of them may happen to have none. */
const isRandom = (middles: readonly string[], narrow: PatternClass): boolean =>
  narrow === '[0-9A-Za-z]+' &&
  middles.every(({ length }) => length >= RANDOM_LENGTH && length === middles[0].length);

/** Numbers of 14 and 15 digits, as addresses of programs, libraries, heaps and stacks are in decimal. */
const ADDRESS = /(?<!\d)(\d{14,15})(?!\d)/;
export const ADDRESS_DIGITS = new RegExp(ADDRESS.source, 'g');
const isAddress = (digits: string): boolean => {
  const value = Number(digits);
  return value >= 0x5500_0000_0000 && value < 0x8000_0000_0000;
};

/** A text that is the same everywhere; addresses in it are others on hosts, which lay memory out at random. */
export const fixedText = (text: string): Pattern => patternOf(fixedParts(text));

function fixedParts(text: string): PatternPart[] {
  return text.split(ADDRESS).flatMap((piece, i): PatternPart[] => {
    if (piece === '') return [];
    return i % 2 === 1 && isAddress(piece)
      ? [{ kind: 'class', class: '[0-9]+' }]
      : [{ kind: 'literal', text: piece }];
  });
}

/** Part of an endpoint: an address or port that the environment decides has no digits to keep. */
function generalizeEndpoint(texts: readonly string[]): Pattern {
  return texts.every((text) => text === texts[0]) ? literal(texts[0]) : classPattern(texts);
}

function classPattern(texts: readonly string[]): Pattern {
  return patternOf([{ kind: 'class', class: texts.map(middleClass).reduce(widerClass) }]);
}

/** An empty middle needs a class that matches nothing at all, too. */
function middleClass(middle: string): PatternClass {
  return middle === '' ? '*' : classOf(middle);
}

/** Context of an event, equal for corresponding events of two runs. */
function contextKey(event: EffectEvent): string {
  const failed = Math.min(event.result, 0);
  return `${event.effect.op} ${event.effect.access} ${resourceShape(event.effect.resource)} ${failed} ${event.exe} ${stackKey(event.stack)}`;
}

/** What is learnt from all alignments together. */
export interface Notes {
  readonly orders: Orders;
  readonly endpoints: Endpoints;
}

/**
 * Aligns the events of several runs of the same scenario and returns a pattern for every text of every event after
 * `before` (which only tells how tasks came to be). What all runs together say of orders and endpoints is noted.
 */
export function alignRuns(runs: readonly Run[], notes?: Notes): EventPatterns {
  const patterns: EventPatterns = new Map();
  const split = tasksOf(runs);
  const keys = new Set(split.flatMap((tasks) => [...tasks.keys()]));
  for (const key of keys) {
    const columns = split.map((tasks) => tasks.get(key) ?? []);
    const rows = withMoved(columns, alignColumns(columns), runs);
    for (const row of rows) patternsOfRow(row, runs, patterns);
    notes?.orders.note(columns, rows, patterns);
    notes?.endpoints.note(rows, patterns);
  }
  return patterns;
}

/** Events of the first run that correspond to none of the others. */
export function unmatched(runs: readonly Run[]): EffectEvent[] {
  const split = tasksOf(runs);
  return [...split[0].keys()].flatMap((key) => {
    const columns = split.map((tasks) => tasks.get(key) ?? []);
    const rows = withMoved(columns, alignColumns(columns), runs);
    return rows.flatMap(([own, ...others]) =>
      own !== undefined && others.every((event) => event === undefined) ? [own] : [],
    );
  });
}

/**
 * The rows, with events of equal texts in rows of their own, where they stand in rows with others, but are in every
 * run. Addresses are left as they are: which one of several a program takes is the environment's.
 */
function withMoved(
  columns: readonly (readonly EffectEvent[])[],
  rows: readonly Row[],
  runs: readonly Run[],
): readonly Row[] {
  const count = columns.filter((column) => column.length > 0).length;
  if (count < 2) return rows;
  const loose = new Map<string, EffectEvent[][]>();
  for (const row of rows) {
    if (agrees(row, count)) continue;
    row.forEach((event, c) => {
      const { chosen } = runs[c];
      if (event === undefined || event.effect.resource.kind === 'net') return;
      const texts = resourceTexts(event.effect.resource);
      if (texts.length === 0 || (chosen !== '' && texts.some((text) => text.includes(chosen)))) return;
      const key = `${contextKey(event)} ${JSON.stringify(texts)}`;
      let lists = loose.get(key);
      if (lists === undefined) loose.set(key, (lists = runs.map(() => [])));
      lists[c].push(event);
    });
  }
  const moved: Row[] = [];
  const taken = new Set<EffectEvent>();
  for (const lists of loose.values()) {
    if (lists.filter((list) => list.length > 0).length < count) continue;
    const times = Math.min(...lists.flatMap((list) => (list.length > 0 ? [list.length] : [])));
    for (let k = 0; k < times; k++) {
      const row = lists.map((list) => list.at(k));
      moved.push(row);
      for (const event of row) if (event !== undefined) taken.add(event);
    }
  }
  if (moved.length === 0) return rows;
  const left = rows
    .map((row): Row => row.map((event) => (event !== undefined && taken.has(event) ? undefined : event)))
    .filter((row) => row.some((event) => event !== undefined));
  return [...left, ...moved];
}

/** Whether it has an event of every run that has any, all of the same texts. */
function agrees(row: Row, count: number): boolean {
  const present = row.flatMap((event) => event ?? []);
  if (present.length < count) return false;
  const first = resourceTexts(present[0].effect.resource);
  return present.every((event) => resourceTexts(event.effect.resource).every((text, i) => text === first[i]));
}

function patternsOfRow(row: Row, runs: readonly Run[], into: EventPatterns): void {
  const present = row.flatMap((event, run) => (event === undefined ? [] : [{ event, run }]));
  const texts = present.map(({ event }) => resourceTexts(event.effect.resource));
  const isNet = present[0].event.effect.resource.kind === 'net';
  const result = texts[0].map((_, i) => {
    const column = texts.map((list) => list[i]);
    const chosen = present.map(({ run }) => runs[run].chosen);
    if (present.length > 1) return isNet ? generalizeEndpoint(column) : generalizeTexts(column, chosen);
    const { known } = runs[present[0].run];
    return isNet && known.includes(column[0])
      ? classPattern(column)
      : withoutKnown(column[0], known, chosen[0]);
  });
  for (const { event } of present) into.set(event, result);
}

/** The text with every known value of the environment replaced by a class, and what clients chose by any name. */
export function withoutKnown(text: string, known: readonly string[], chosen = ''): Pattern {
  let parts = fixedParts(text);
  for (const value of [chosen, ...known]) {
    if (value.length < 3 || !text.includes(value)) continue;
    parts = parts.flatMap((part) => {
      if (part.kind === 'class') return [part];
      const pieces = part.text.split(value);
      return pieces.flatMap((piece, i): PatternPart[] => {
        const out: PatternPart[] =
          i > 0 ? [{ kind: 'class', class: value === chosen ? chosenClass(value) : classOf(value) }] : [];
        return piece === '' ? out : [...out, { kind: 'literal', text: piece }];
      });
    });
  }
  return patternOf(parts);
}

/** What clients may write where they wrote this. */
const chosenClass = (text: string): PatternClass => (text.includes('/') ? '**' : '*');

/** Longest sequences that are aligned exactly; longer ones match greedily within a window. */
const EXACT_LIMIT = 3000;

/** Rows of corresponding events over any number of columns: each further column is aligned with the first that has events. */
function alignColumns(columns: readonly (readonly EffectEvent[])[]): (EffectEvent | undefined)[][] {
  const base = columns.findIndex((column) => column.length > 0);
  if (base < 0) return [];
  const rows: (EffectEvent | undefined)[][] = columns[base].map((event) =>
    columns.map((_, i) => (i === base ? event : undefined)),
  );
  const extra: (EffectEvent | undefined)[][] = [];
  columns.forEach((column, c) => {
    if (c === base) return;
    const matched = commonSubsequence(columns[base].map(contextKey), column.map(contextKey));
    const used = new Set<number>();
    for (const [i, j] of matched) {
      rows[i][c] = column[j];
      used.add(j);
    }
    column.forEach((event, j) => {
      if (!used.has(j)) extra.push(columns.map((_, i) => (i === c ? event : undefined)));
    });
  });
  return [...rows, ...extra];
}

/** Pairs of indices of a longest common subsequence, after common ends are taken off. */
export function commonSubsequence(a: readonly string[], b: readonly string[]): [number, number][] {
  const pairs: [number, number][] = [];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) pairs.push([start, start++]);
  let endA = a.length;
  let endB = b.length;
  const tail: [number, number][] = [];
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) tail.push([--endA, --endB]);
  const n = Math.min(endA - start, EXACT_LIMIT);
  const m = Math.min(endB - start, EXACT_LIMIT);
  if (n > 0 && m > 0) {
    const width = m + 1;
    const table = new Uint16Array((n + 1) * width);
    for (let i = n - 1; i >= 0; i--) {
      for (let j = m - 1; j >= 0; j--) {
        table[i * width + j] =
          a[start + i] === b[start + j]
            ? table[(i + 1) * width + j + 1] + 1
            : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
      }
    }
    let i = 0;
    let j = 0;
    while (i < n && j < m) {
      if (a[start + i] === b[start + j]) pairs.push([start + i++, start + j++]);
      else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) i++;
      else j++;
    }
  }
  return [...pairs, ...tail.reverse()];
}
