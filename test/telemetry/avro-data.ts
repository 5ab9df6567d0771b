// For the tests of this room: values for any schema, the library as the other decoder, and container files of all kinds.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import avsc from 'avsc';
import { memoryAccess, type RandomAccess } from '../../src/host/index.ts';
import type { AvroType } from '../../src/telemetry/index.ts';

const long = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: (value: number) => BigInt(value),
  toJSON: (value: bigint) => String(value),
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => Number(a - b),
});

/** The library's type for a schema's text; longs are BigInt, unions are objects with the branch's name. */
export function libraryType(schema: string): avsc.Type {
  return avsc.Type.forSchema(withoutLogicalTypes(JSON.parse(schema)) as avsc.Schema, {
    wrapUnions: 'always',
    typeHook: (part) =>
      part === 'long' || (part as { type?: unknown }).type === 'long' ? (long as avsc.Type) : undefined,
  });
}

function withoutLogicalTypes(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutLogicalTypes);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema).filter(([key]) => key !== 'logicalType');
  return Object.fromEntries(
    entries.map(([key, value]) => [key, key === 'default' ? value : withoutLogicalTypes(value)]),
  );
}

/** A committed file of this directory; the tests may run from anywhere. */
export function fixture(name: string): string {
  let directory = import.meta.dirname;
  for (;;) {
    const path = join(directory, 'test/telemetry', name);
    if (existsSync(path)) return path;
    if (directory === dirname(directory)) throw new Error(`no fixture ${name}`);
    directory = dirname(directory);
  }
}

/** Every layout that SysFlow files were written in. */
export function layouts(): { readonly name: string; readonly schema: string }[] {
  const directory = fixture('schemas');
  return readdirSync(directory)
    .filter((name) => name.endsWith('.avsc'))
    .sort()
    .map((name) => ({
      name: name.replace('.avsc', ''),
      schema: readFileSync(join(directory, name), 'utf8').trim(),
    }));
}

/** Deterministic numbers below n (mulberry32). */
export function random(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

const texts = ['', 'a', '/etc/passwd', 'naïve – ☃', '/'.repeat(47), 'x'.repeat(48), 'é'.repeat(400)];
const longs = [
  0n,
  -1n,
  1n,
  63n,
  -64n,
  64n,
  1_700_000_000_123_456_789n,
  -(2n ** 63n),
  2n ** 63n - 1n,
  2n ** 53n + 1n,
  2n ** 31n,
  -(2n ** 31n) - 1n,
];
const ints = [0, -1, 1, 63, 64, -64, -65, 8191, 8192, 2 ** 31 - 1, -(2 ** 31), 16_777_343];

/** Any value of a type, in the library's form. */
export function anyValue(type: AvroType, next: (n: number) => number, depth = 0): unknown {
  const pick = <T>(list: readonly T[]): T => list[next(list.length)];
  const many = (): number => (depth > 4 ? 0 : pick([0, 0, 1, 2, 70]));
  switch (type.kind) {
    case 'null':
      return null;
    case 'boolean':
      return next(2) === 1;
    case 'int':
      return pick(ints);
    case 'long':
      return pick(longs);
    case 'float':
      return pick([0, 1.5, -2]);
    case 'double':
      return pick([0, 0.1, -1e300]);
    case 'bytes':
      return Buffer.from(pick(texts));
    case 'string':
      return pick(texts);
    case 'fixed':
      return Buffer.from(Array.from({ length: type.size }, () => next(256)));
    case 'enum':
      return pick(type.symbols);
    case 'array':
      return Array.from({ length: many() }, () => anyValue(type.items, next, depth + 1));
    case 'map':
      return Object.fromEntries(
        Array.from({ length: many() }, (_, i) => [`k${i}`, anyValue(type.values, next, depth + 1)]),
      );
    case 'union': {
      const branch =
        depth > 6 && type.branches.some((b) => b.kind === 'null')
          ? { kind: 'null' as const }
          : pick(type.branches);
      return branch.kind === 'null' ? null : { [nameOf(branch)]: anyValue(branch, next, depth + 1) };
    }
    default:
      return Object.fromEntries(
        type.fields.map((field) => [field.name, anyValue(field.type, next, depth + 1)]),
      );
  }
}

/** A record with zeros for what `given` leaves out; `given` may name more fields than this layout has. */
export function filled(type: AvroType, given: unknown): unknown {
  const of = given as Record<string, unknown> | undefined;
  switch (type.kind) {
    case 'record':
      return Object.fromEntries(
        type.fields.map((field) => [field.name, filled(field.type, of?.[field.name])]),
      );
    case 'union': {
      const branch =
        given === undefined || given === null ? undefined : type.branches.find((b) => b.kind !== 'null');
      return branch === undefined ? null : { [nameOf(branch)]: filled(branch, given) };
    }
    case 'long':
      return BigInt((given as bigint | number | undefined) ?? 0);
    case 'int':
      return Number(given ?? 0);
    case 'boolean':
      return given ?? false;
    case 'enum':
      return given ?? type.symbols[0];
    case 'fixed':
      return given ?? Buffer.alloc(type.size);
    case 'array':
      return given ?? [];
    case 'map':
      return given ?? {};
    default:
      return given ?? '';
  }
}

export const nameOf = (type: AvroType): string =>
  type.kind === 'record' || type.kind === 'enum' || type.kind === 'fixed' ? type.name : type.kind;

/** The library's values in the form that our decoder gives: Buffers as Uint8Array, maps as Map. */
export function ours(type: AvroType, value: unknown): unknown {
  switch (type.kind) {
    case 'bytes':
    case 'fixed':
      return new Uint8Array(value as Buffer);
    case 'array':
      return (value as unknown[]).map((item) => ours(type.items, item));
    case 'map':
      return new Map(Object.entries(value as object).map(([key, item]) => [key, ours(type.values, item)]));
    case 'union': {
      if (value === null) return null;
      const [[name, inner]] = Object.entries(value as object);
      const branch = type.branches.find((b) => nameOf(b) === name) as AvroType;
      return { [name]: ours(branch, inner) };
    }
    case 'record':
      return Object.fromEntries(
        type.fields.map((field) => [
          field.name,
          ours(field.type, (value as Record<string, unknown>)[field.name]),
        ]),
      );
    default:
      return value;
  }
}

/** Zigzag long. */
export function zigzag(value: number | bigint): Buffer {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  const out: number[] = [];
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return Buffer.from([...out, Number(rest)]);
}

export const syncMarker = Buffer.from('0123456789abcdef');

export interface Container {
  readonly schema: string;
  readonly codec?: string;
  /** Each is one block: how many records it claims, and their bytes. */
  readonly blocks: readonly { readonly count: number; readonly data: Uint8Array }[];
  /** Metadata in blocks with negative counts, which carry their size. */
  readonly negative?: boolean;
}

/** An object container file. */
export function container(what: Container): Buffer {
  const sized = (bytes: Uint8Array): Buffer => Buffer.concat([zigzag(bytes.length), bytes]);
  const entries = [
    ['avro.schema', what.schema],
    ...(what.codec === undefined ? [] : [['avro.codec', what.codec]]),
  ].map(([key, value]) => Buffer.concat([sized(Buffer.from(key)), sized(Buffer.from(value))]));
  const map = what.negative
    ? entries.map((entry) => Buffer.concat([zigzag(-1), zigzag(entry.length), entry]))
    : [zigzag(entries.length), ...entries];
  const blocks = what.blocks.map(({ count, data }) => {
    const stored = what.codec === 'deflate' ? deflateRawSync(data) : data;
    return Buffer.concat([zigzag(count), zigzag(stored.length), stored, syncMarker]);
  });
  return Buffer.concat([Buffer.from('Obj\x01'), ...map, zigzag(0), syncMarker, ...blocks]);
}

export const fileOf = (bytes: Uint8Array, name = 'test.sf'): RandomAccess => memoryAccess(name, bytes);

/** Whether our value is the library's, without building either anew. */
export function same(type: AvroType, mine: unknown, theirs: unknown): boolean {
  switch (type.kind) {
    case 'bytes':
    case 'fixed':
      return Buffer.compare(mine as Uint8Array, theirs as Buffer) === 0;
    case 'array': {
      const [a, b] = [mine as unknown[], theirs as unknown[]];
      return a.length === b.length && a.every((item, i) => same(type.items, item, b[i]));
    }
    case 'map': {
      const [a, b] = [mine as Map<string, unknown>, theirs as Record<string, unknown>];
      return (
        a.size === Object.keys(b).length && [...a].every(([key, item]) => same(type.values, item, b[key]))
      );
    }
    case 'union': {
      if (mine === null || theirs === null) return mine === theirs;
      const [[name, a]] = Object.entries(mine as object);
      const [[other, b]] = Object.entries(theirs as object);
      const branch = type.branches.find((candidate) => nameOf(candidate) === name);
      return name === other && branch !== undefined && same(branch, a, b);
    }
    case 'record': {
      const [a, b] = [mine as Record<string, unknown>, theirs as Record<string, unknown>];
      return (
        Object.keys(a).length === type.fields.length &&
        type.fields.every(({ name, type: field }) => same(field, a[name], b[name]))
      );
    }
    default:
      return mine === theirs;
  }
}
