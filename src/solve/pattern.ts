// What a row of bytes can be (a path, an argument, an address): its literal bytes, the set of values at each other
// position, or, where they are few, all texts. A resource that a client's bytes come into becomes a pattern this way;
// a pattern never excludes what the path allows.

import {
  classOf,
  literal,
  type Pattern,
  type PatternClass,
  type PatternPart,
  patternOf,
  widerClass,
} from '../effect/index.ts';
import {
  ByteSet,
  columnOver,
  columnValue,
  type Expression,
  type Expressions,
  type PathCondition,
} from '../expr/index.ts';
import type { Solver } from './solver.ts';

/** Texts up to this number are told one by one. */
const FEW = 8;

export interface BytesPattern {
  /** Feasible values at each position; of a byte that depends on others, all values of the kinds that are feasible. */
  readonly positions: readonly ByteSet[];
  /** All texts, ascending, where they are at most eight. */
  readonly texts: readonly Uint8Array[] | undefined;
  /** Whether no budget ended; where one did, positions are wider than what can be. */
  readonly complete: boolean;
}

/** What these bytes can be under the path. */
export function bytesPattern(
  solver: Solver,
  path: PathCondition,
  bytes: readonly Expression[],
): BytesPattern {
  const positions: ByteSet[] = [];
  let complete = true;
  const isLong = bytes.filter((byte) => !solver.expressions.isConstant(byte)).length > MOST_ASKED;
  for (const byte of bytes) {
    const found = isLong ? unasked(solver.expressions, path, byte) : positionOf(solver, path, byte);
    positions.push(found.set);
    complete &&= found.complete;
  }
  const texts = isLong ? undefined : fewTexts(solver, path, bytes, positions);
  return { positions, texts, complete };
}

interface Position {
  readonly set: ByteSet;
  readonly complete: boolean;
}

/** Open bytes of a text up to which the solver is asked; of longer ones counts what is seen without. */
const MOST_ASKED = 48;

/** Assignments that a question about one byte may take. */
const QUESTION = 20_000;

/** Values that patterns tell apart: of a byte that depends on others it is asked which of these can occur. */
const KINDS: readonly (readonly (readonly [string, string])[])[] = [
  [['0', '9']],
  [['a', 'f']],
  [
    ['g', 'z'],
    ['A', 'Z'],
  ],
  [['/', '/']],
  [['.', '.']],
  [
    ['\0', '-'],
    [':', '@'],
    ['[', '`'],
    ['{', '\xff'],
  ],
];

/** Values that the byte can have as far as its own form and what is known of its only variable say. */
function possibleValues(x: Expressions, path: PathCondition, byte: Expression): ByteSet {
  const [first, ...others] = x.variables(byte);
  if (others.length === 0 && x.variableAt(first).width <= 8) {
    const column = columnOver(x, byte, first);
    return ByteSet.of(
      path
        .domain(first)
        .values()
        .map((v) => Number(columnValue(column, v))),
    );
  }
  const { min, max } = x.range(byte);
  return ByteSet.where((v) => v >= min && v <= max).and(x.entriesOf(byte) ?? ByteSet.all);
}

function unasked(x: Expressions, path: PathCondition, byte: Expression): Position {
  if (x.isConstant(byte)) return { set: ByteSet.of([Number(x.value(byte))]), complete: true };
  return { set: possibleValues(x, path, byte), complete: false };
}

function positionOf(solver: Solver, path: PathCondition, byte: Expression): Position {
  const x = solver.expressions;
  if (x.isConstant(byte)) return { set: ByteSet.of([Number(x.value(byte))]), complete: true };
  const possible = possibleValues(x, path, byte);
  const isAlone = x.variables(byte).length === 1 && x.variableAt(x.variables(byte)[0]).width <= 8;
  if (possible.size === 1 || (isAlone && path.related([byte]).length === 0))
    return { set: possible, complete: true };
  const found = solver.values(path, byte, possible.size <= FEW ? FEW : 1);
  let set = ByteSet.of(found.values.map(Number));
  if (found.complete) return { set, complete: true };
  let complete = true;
  for (const ranges of KINDS) {
    const kind = ByteSet.where((v) => ranges.some(([low, high]) => v >= code(low) && v <= code(high))).and(
      possible,
    );
    if (kind.isEmpty) continue;
    if (!kind.and(set).isEmpty) {
      // one of the kind can be; that others can is taken for granted
      set = set.or(kind);
      continue;
    }
    let condition = x.constant(1, 0);
    for (const [low, high] of ranges) condition = x.or(condition, isWithin(x, byte, code(low), code(high)));
    const answer = solver.check(path, condition, QUESTION);
    if (answer === 'unsat') continue;
    complete &&= answer === 'sat';
    set = set.or(kind);
  }
  return { set, complete };
}

const code = (text: string): number => text.charCodeAt(0);

function isWithin(x: Expressions, byte: Expression, low: number, high: number): Expression {
  const atMost = x.binary('leu', byte, x.constant(8, high));
  return low === 0 ? atMost : x.and(x.binary('leu', x.constant(8, low), byte), atMost);
}

/** All texts if they are few; bytes that depend on each other make fewer than the positions say. */
function fewTexts(
  solver: Solver,
  path: PathCondition,
  bytes: readonly Expression[],
  positions: readonly ByteSet[],
): Uint8Array[] | undefined {
  const x = solver.expressions;
  const open = positions.flatMap((set, i) => (set.size > 1 ? [i] : []));
  // wider sets at a position than texts are allowed settle it
  if (open.some((i) => positions[i].size > FEW)) return undefined;
  let texts: Uint8Array[] = [Uint8Array.from(positions, (set) => Math.max(0, set.first))];
  // sixteen bytes are the widest expression; what stands in different groups is combined and then asked for
  for (let from = 0; from < open.length; from += 16) {
    const group = open.slice(from, from + 16);
    const { values, complete } = solver.values(path, x.fromBytes(group.map((i) => bytes[i])), FEW);
    if (!complete || values.length * texts.length > FEW * FEW) return undefined;
    texts = texts.flatMap((text) => values.map((value) => placed(text, group, value)));
  }
  if (open.length > 16) texts = texts.filter((text) => isFeasible(solver, path, bytes, open, text));
  return texts.length <= FEW ? texts.sort(compareBytes) : undefined;
}

function placed(text: Uint8Array, group: readonly number[], value: bigint): Uint8Array {
  const out = text.slice();
  for (const [k, i] of group.entries()) out[i] = Number((value >> BigInt(8 * k)) & 0xffn);
  return out;
}

function isFeasible(
  solver: Solver,
  path: PathCondition,
  bytes: readonly Expression[],
  open: readonly number[],
  text: Uint8Array,
): boolean {
  const x = solver.expressions;
  let condition = x.constant(1, 1);
  for (const i of open) condition = x.and(condition, x.eq(bytes[i], x.constant(8, text[i])));
  return solver.feasible(path, condition);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
}

const byteText = (value: number): string => String.fromCharCode(value);

/** The narrowest class for one or more bytes of the set. */
function classOfSet(set: ByteSet): PatternClass {
  return set
    .values()
    .reduce<PatternClass>((out, value) => widerClass(out, classOf(byteText(value))), '[0-9]+');
}

/**
 * Patterns of resources that cover the bytes: a literal one for each text where they are few, else one with literal
 * parts kept and classes for runs of open positions. `decode` makes text of literal bytes.
 */
export function resourcePatterns(bytes: BytesPattern, decode: (bytes: Uint8Array) => string): Pattern[] {
  if (bytes.texts !== undefined) return bytes.texts.map((text) => literal(decode(text)));
  const parts: PatternPart[] = [];
  const { positions } = bytes;
  for (let from = 0; from < positions.length; ) {
    const isFixed = positions[from].size === 1;
    let to = from;
    while (to < positions.length && (positions[to].size === 1) === isFixed) to++;
    const run = positions.slice(from, to);
    if (isFixed) parts.push({ kind: 'literal', text: decode(Uint8Array.from(run, (set) => set.first)) });
    else parts.push({ kind: 'class', class: run.map(classOfSet).reduce(widerClass) });
    from = to;
  }
  return [patternOf(parts)];
}

/** Whether a byte can occur at any position: `/` (0x2f) and `.` (0x2e) decide what a path can name. */
export function mayContain(bytes: BytesPattern, value: number): boolean {
  return bytes.positions.some((set) => set.has(value));
}

/** Whether `..` can stand between slashes or at an end, so that the path leads out of where it begins. */
export function mayClimb(bytes: BytesPattern): boolean {
  if (bytes.texts !== undefined)
    return bytes.texts.some((text) => /(^|\/)\.\.(\/|$)/.test(String.fromCharCode(...text)));
  const { positions } = bytes;
  const dot = (i: number): boolean => positions[i]?.has(0x2e) ?? false;
  const bound = (i: number): boolean => i < 0 || i >= positions.length || positions[i].has(0x2f);
  return positions.some((_, i) => dot(i) && dot(i + 1) && bound(i - 1) && bound(i + 2));
}

/** As `mayClimb`, of bytes that depend on each other as well: asks where the positions alone leave it open. */
export function canClimb(
  solver: Solver,
  path: PathCondition,
  bytes: readonly Expression[],
  found: BytesPattern = bytesPattern(solver, path, bytes),
): boolean {
  if (!mayClimb(found) || found.texts !== undefined) return mayClimb(found);
  const x = solver.expressions;
  if (bytes.filter((byte) => !x.isConstant(byte)).length > MOST_ASKED) return true;
  const is = (i: number, text: string): Expression =>
    i < 0 || i >= bytes.length ? x.constant(1, 1) : x.eq(bytes[i], x.constant(8, code(text)));
  return bytes.some((_, i) => {
    if (i + 1 >= bytes.length) return false;
    const parts = [is(i - 1, '/'), is(i, '.'), is(i + 1, '.'), is(i + 2, '/')];
    return solver.feasible(
      path,
      parts.reduce((a, b) => x.and(a, b)),
    );
  });
}
