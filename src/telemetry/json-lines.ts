// Lines of text and lines of JSON from bytes that arrive in pieces, as the JSON sources need them: integers that a
// double cannot hold (times in nanoseconds) stay exact, as text. A line that is no JSON is the caller's to count.
import { decodeText } from '../bytes/index.ts';

export type JsonObject = { readonly [name: string]: unknown };

/** Longest line that is read; a longer one is damage. */
const maxLine = 16 << 20;

export interface LineSink {
  line(text: string): void;
  /** A line longer than 16 MiB was passed over. */
  tooLong(): void;
}

/** Cuts bytes into lines, without their ends (LF or CR LF). */
export class LineCutter {
  private readonly sink: LineSink;
  private readonly decode: (bytes: Uint8Array) => string;
  private parts: Uint8Array[] = [];
  private held = 0;
  private dropping = false;

  /** `decode`: how bytes become text; default: UTF-8, as `decodeText`. */
  constructor(sink: LineSink, decode: (bytes: Uint8Array) => string = decodeText) {
    this.sink = sink;
    this.decode = decode;
  }

  /** The bytes are not kept. */
  push(bytes: Uint8Array): void {
    let at = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, at)) {
      this.hold(bytes.subarray(at, end));
      this.finish();
      at = end + 1;
    }
    if (at < bytes.length) this.hold(bytes.slice(at));
  }

  /** The last line, where it has no end. */
  end(): void {
    if (this.held > 0 || this.dropping) this.finish();
  }

  private hold(part: Uint8Array): void {
    if (part.length === 0 || this.dropping) return;
    this.held += part.length;
    this.parts.push(part);
    if (this.held <= maxLine) return;
    this.dropping = true;
    this.parts = [];
  }

  private finish(): void {
    const { parts, held, dropping } = this;
    this.parts = [];
    this.held = 0;
    this.dropping = false;
    if (dropping) {
      this.sink.tooLong();
      return;
    }
    let line = parts.length === 1 ? parts[0] : joined(parts, held);
    if (line.length > 0 && line[line.length - 1] === 13) line = line.subarray(0, -1);
    this.sink.line(this.decode(line));
  }
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * The object on a line, or undefined. What log collectors put before it (`2026-01-01T00:00:00Z stdout F `) and the
 * brackets and commas of one array over many lines are passed over. Integers of 16 digits and more become text.
 */
export function jsonObject(line: string): JsonObject | undefined {
  const start = line.indexOf('{');
  if (start < 0) return undefined;
  if (start > 0 && !/^\s*[[,]?\s*$|^\S+ (stdout|stderr) [FP] $/.test(line.slice(0, start))) return undefined;
  let end = line.length;
  while (end > start && ends.has(line.charCodeAt(end - 1))) end -= 1;
  const text = start === 0 && end === line.length ? line : line.slice(start, end);
  try {
    const value: unknown = JSON.parse(wideAsText(text));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Blanks, a comma, a closing bracket. */
const ends: ReadonlySet<number> = new Set([9, 10, 13, 32, 44, 93]);

/** Whether a line has nothing to say: empty, or a bracket of an array over many lines. */
export const isBlank = (line: string): boolean => line.length < 16 && /^\s*[[\],]*\s*$/.test(line);

const wide = /"\s*:\s*(-?\d{16,})(?=\s*[,}\]])/g;

function wideAsText(text: string): string {
  // A quote inside of a JSON text has a backslash before it: what follows that is text.
  return text.replace(wide, (match, digits: string, at: number) =>
    text.charCodeAt(at - 1) === 92 ? match : `${match.slice(0, -digits.length)}"${digits}"`,
  );
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The object under a path of names; undefined where there is none. */
export function objectAt(value: unknown, ...path: readonly string[]): JsonObject | undefined {
  let at: unknown = value;
  for (const name of path) at = isObject(at) ? at[name] : undefined;
  return isObject(at) ? at : undefined;
}

/** A text, or a number as text; '' where there is neither. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** A number, written as one or as decimal or hexadecimal text; undefined where there is none. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || !/^(-?\d+|0x[0-9a-f]+)$/i.test(value)) return undefined;
  return Number(value);
}

/** Epoch nanoseconds: an integer, or a time as RFC 3339 writes it, with any number of decimals. */
export function timeOf(value: unknown): bigint | undefined {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 ? BigInt(value) : undefined;
  if (typeof value !== 'string') return undefined;
  if (/^\d+$/.test(value)) return BigInt(value);
  const match = /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)$/.exec(value);
  if (match === null) return undefined;
  const seconds = Date.parse(`${match[1].replace(' ', 'T')}${match[3]}`);
  if (Number.isNaN(seconds)) return undefined;
  return BigInt(seconds) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0').slice(0, 9));
}
