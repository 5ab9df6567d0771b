// Compiles a writer's schema to a decoder (Avro 1.11, "Binary Encoding"): JavaScript source for exactly this layout,
// so that layouts that share a version number cost nothing and nothing is looked up per record. Two kinds:
// - `compileValue`: any value to plain objects, every field. For printing and for comparison with other decoders.
// - `compileRecords`: records of a union to method calls with the wanted fields as arguments; everything else is
//   skipped over. For the monitor.
// The generated source consists of our own text, numbers, and names as JSON strings; nothing else of a schema gets in.
// Positions are checked against the end after each record, counts and lengths before they are used.
import { decodeText } from '../bytes/index.ts';
import type { AvroType } from './avro-schema.ts';

/** Data that does not fit its schema. What was decoded before it stands. */
export class DecodeError extends Error {}

/** What a record's field is wanted as. `pair` gives two arguments, high and low 32 bits as signed integers. */
export type WantedAs =
  /** A long as BigInt. */
  | 'bigint'
  /** int or long as a number; beyond 2^53 it is rounded. */
  | 'number'
  | 'pair'
  | 'string'
  /** Position of a fixed's first byte in the block. */
  | 'position'
  /** array of strings. */
  | 'strings'
  | 'boolean'
  /** The symbol of an enum; of an int its decimal text. */
  | 'symbol';

/** Field by name, each once; `outer.inner` for fields of a record in it. Where it is missing or null: 0n, 0, '', -1, [], false. */
export type Wanted = readonly (readonly [field: string, as: WantedAs])[];

export interface RecordPlan {
  /** The handler's name for this record, undefined to skip it. `fields` are the record's field names. */
  handler(recordName: string, fields: ReadonlySet<string>): string | undefined;
  /** By handler. */
  readonly wanted: Readonly<Record<string, Wanted>>;
}

/** Whatever has the plan's handlers as methods; each is called with its wanted fields' values in order. */
export interface Handlers {
  /** Hears of records without a handler. */
  skipped(recordName: string): void;
}

export interface RecordDecoder<H extends Handlers> {
  /** Decodes one record from `start`, at most to `end`; gives the position after it. DecodeError on damage. */
  decode(bytes: Uint8Array, start: number, end: number, handlers: H): number;
}

export type ValueDecoder = (
  bytes: Uint8Array,
  start: number,
  end: number,
) => { readonly value: unknown; readonly next: number };

/** Longs are BigInt, bytes and fixed are Uint8Array, maps are Map, enums their symbol, unions {branch name: value} or null. */
export function compileValue(type: AvroType): ValueDecoder {
  const code = new Code();
  const body = code.value(type);
  return build<ValueDecoder>(
    code,
    `return (bytes, start, end) => { b = bytes; p = start; e = end; items = end - start + 65536; const value = ${body}; done(); return { value, next: p }; };`,
  );
}

/** `type` is the union, or a record whose one field is the union (as SysFlow's). */
export function compileRecords<H extends Handlers>(type: AvroType, plan: RecordPlan): RecordDecoder<H> {
  const code = new Code();
  const union = type.kind === 'record' && type.fields.length === 1 ? type.fields[0].type : type;
  const branches = union.kind === 'union' ? union.branches : [union];
  const cases = branches.map((branch, index) => `case ${index}: {\n${code.branch(branch, plan)}\nbreak; }`);
  const choose = union.kind === 'union' ? 'int()' : '0';
  const source = `return { decode(bytes, start, end, handlers) { b = bytes; p = start; e = end; items = end - start + 65536;
switch (${choose}) {
${cases.join('\n')}
default: fail('no such branch of the union');
}
done(); return p; } };`;
  return build<RecordDecoder<H>>(code, source);
}

function build<T>(code: Code, body: string): T {
  const source = `'use strict';\n${prelude}\n${code.functions.join('\n')}\n${body}`;
  return new Function('text', 'DecodeError', source)(text, DecodeError) as T;
}

/** Node decodes faster than any loop of ours, but puts U+FFFD where `decodeText` keeps the byte. */
function text(bytes: Uint8Array, start: number, end: number): string {
  if (bytes instanceof Buffer) {
    const decoded = bytes.toString('utf8', start, end);
    if (!decoded.includes('\ufffd')) return decoded;
  }
  return decodeText(bytes.subarray(start, end));
}

/**
 * What generated code is made of. `b` bytes, `p` position, `e` end. A read beyond the array gives undefined, which
 * counts as 0 and ends every loop; `done` then finds p beyond e.
 */
const prelude = `
let b, p = 0, e = 0, hi = 0, lo = 0;
const halves = new Int32Array(2), whole = new BigInt64Array(halves.buffer), float = new DataView(new ArrayBuffer(8));
function fail(what) { throw new DecodeError(what); }
function done() { if (p > e) fail('record goes beyond its block'); }
function skipInt() {
  let n = 0;
  while (b[p++] >= 128) if (++n === 10) fail('integer too long');
}
function int() {
  let c = b[p++], raw = c & 127;
  if (c >= 128) {
    c = b[p++]; raw |= (c & 127) << 7;
    if (c >= 128) {
      c = b[p++]; raw |= (c & 127) << 14;
      if (c >= 128) {
        c = b[p++]; raw |= (c & 127) << 21;
        if (c >= 128) { c = b[p++]; raw |= c << 28; if (c >= 16) fail('int too long'); }
      }
    }
  }
  return (raw >>> 1) ^ -(raw & 1);
}
function pair() {
  let c = b[p++], low = c & 127, mid = 0, high = 0;
  if (c >= 128) { c = b[p++]; low |= (c & 127) << 7;
  if (c >= 128) { c = b[p++]; low |= (c & 127) << 14;
  if (c >= 128) { c = b[p++]; low |= (c & 127) << 21;
  if (c >= 128) { c = b[p++]; mid = c & 127;
  if (c >= 128) { c = b[p++]; mid |= (c & 127) << 7;
  if (c >= 128) { c = b[p++]; mid |= (c & 127) << 14;
  if (c >= 128) { c = b[p++]; mid |= (c & 127) << 21;
  if (c >= 128) { c = b[p++]; high = c & 127;
  if (c >= 128) { c = b[p++]; high |= c << 7; if (c > 1) fail('long too long'); } } } } } } } } }
  const l = low | (mid << 28), h = (mid >>> 4) | (high << 24), sign = -(l & 1);
  lo = ((l >>> 1) | (h << 31)) ^ sign;
  hi = (h >>> 1) ^ sign;
}
function big() { pair(); halves[0] = lo; halves[1] = hi; return whole[0]; }
function number() {
  if (b[p] < 128) { const c = b[p++]; return (c >>> 1) ^ -(c & 1); }
  pair();
  return hi * 4294967296 + (lo >>> 0);
}
function length() {
  const n = number();
  if (!(n >= 0 && n <= e - p)) fail('length beyond the block');
  return n;
}
function string() {
  const n = length(), start = p;
  p += n;
  return n === 0 ? '' : text(b, start, p);
}
function bytes(n) { const start = p; p += n; done(); const out = new Uint8Array(n); out.set(b.subarray(start, p)); return out; }
// How many items one record may still have: only items without bytes can be more than its bytes.
let items = 0;
function count() {
  let n = number();
  if (n < 0) { n = -n; skipInt(); }
  if ((items -= n) < 0) fail('more items than a block can hold');
  return n;
}
function strings() { const out = []; for (let n = count(); n > 0; n = count()) { for (; n > 0; n--) out.push(string()); } return out; }
// In two steps: length() moves p itself.
function skipSized() { const n = length(); p += n; }
`;

/** Nodes of wanted fields: a leaf, or fields of a record. */
interface WantTree {
  leaf: { readonly as: WantedAs; readonly variable: string } | undefined;
  readonly fields: Map<string, WantTree>;
}

class Code {
  readonly functions: string[] = [];
  private readonly skips = new Map<AvroType, string>();
  private readonly values = new Map<AvroType, string>();
  private names = 0;

  private name(prefix: string): string {
    this.names += 1;
    return `${prefix}${this.names}`;
  }

  /** A function for a type, made once: recursive types end in its name. */
  private once(known: Map<AvroType, string>, prefix: string, type: AvroType, body: () => string): string {
    let name = known.get(type);
    if (name === undefined) {
      name = this.name(prefix);
      known.set(type, name);
      this.functions.push(`function ${name}() { ${body()} }`);
    }
    return `${name}()`;
  }

  /** Statement that passes over a value. */
  skip(type: AvroType): string {
    switch (type.kind) {
      case 'null':
        return '';
      case 'boolean':
        return 'p += 1;';
      case 'int':
      case 'long':
      case 'enum':
        return 'skipInt();';
      case 'float':
        return 'p += 4;';
      case 'double':
        return 'p += 8;';
      case 'bytes':
      case 'string':
        return 'skipSized();';
      case 'fixed':
        return `p += ${type.size};`;
      case 'record':
        return `${this.once(this.skips, 'skip', type, () => type.fields.map((field) => this.skip(field.type)).join(' '))};`;
      case 'union':
        return `${this.once(this.skips, 'skip', type, () => this.choose(type.branches, (branch) => this.skip(branch)))};`;
      case 'array':
        return `${this.once(this.skips, 'skip', type, () => skipBlocks(this.skip(type.items)))};`;
      case 'map':
        return `${this.once(this.skips, 'skip', type, () => skipBlocks(`skipSized(); ${this.skip(type.values)}`))};`;
    }
  }

  private choose(branches: readonly AvroType[], body: (branch: AvroType) => string): string {
    const cases = branches.map((branch, index) => `case ${index}: ${body(branch)} break;`);
    return `switch (int()) { ${cases.join(' ')} default: fail('no such branch of the union'); }`;
  }

  /** Expression of a value. */
  value(type: AvroType): string {
    switch (type.kind) {
      case 'null':
        return 'null';
      case 'boolean':
        return '(b[p++] === 1)';
      case 'int':
        return 'int()';
      case 'long':
        return 'big()';
      case 'float':
        return this.once(
          this.values,
          'value',
          type,
          () => 'for (let i = 0; i < 4; i++) float.setUint8(i, b[p++]); return float.getFloat32(0, true);',
        );
      case 'double':
        return this.once(
          this.values,
          'value',
          type,
          () => 'for (let i = 0; i < 8; i++) float.setUint8(i, b[p++]); return float.getFloat64(0, true);',
        );
      case 'bytes':
        return 'bytes(length())';
      case 'string':
        return 'string()';
      case 'fixed':
        return `bytes(${type.size})`;
      case 'enum':
        return this.once(
          this.values,
          'value',
          type,
          () =>
            `const symbol = ${JSON.stringify(type.symbols)}[int()]; if (symbol === undefined) fail('no such symbol of the enum'); return symbol;`,
        );
      case 'record':
        return this.once(
          this.values,
          'value',
          type,
          () =>
            `return { ${type.fields.map((field) => `[${JSON.stringify(field.name)}]: ${this.value(field.type)}`).join(', ')} };`,
        );
      case 'union':
        return this.once(
          this.values,
          'value',
          type,
          () =>
            `${this.choose(type.branches, (branch) => (branch.kind === 'null' ? 'return null;' : `return { [${JSON.stringify(branchName(branch))}]: ${this.value(branch)} };`))}`,
        );
      case 'array':
        return this.once(
          this.values,
          'value',
          type,
          () => `const out = []; ${blocks(`out.push(${this.value(type.items)});`)} return out;`,
        );
      case 'map':
        return this.once(
          this.values,
          'value',
          type,
          () =>
            `const out = new Map(); ${blocks(`out.set(string(), ${this.value(type.values)});`)} return out;`,
        );
    }
  }

  /** One branch of the records' union: reads what its handler wants, skips the rest, calls it. */
  branch(type: AvroType, plan: RecordPlan): string {
    if (type.kind !== 'record')
      return `${this.skip(type)} handlers.skipped(${JSON.stringify(branchName(type))});`;
    const handler = plan.handler(type.name, new Set(type.fields.map((field) => field.name)));
    if (handler === undefined) return `${this.skip(type)} handlers.skipped(${JSON.stringify(type.name)});`;
    const wanted = plan.wanted[handler] ?? [];
    const root: WantTree = { leaf: undefined, fields: new Map() };
    const declared: string[] = [];
    const variables = wanted.flatMap(([path, as]) => {
      const variable = this.name('v');
      let node = root;
      for (const part of path.split('.')) {
        const next = node.fields.get(part) ?? { leaf: undefined, fields: new Map() };
        node.fields.set(part, next);
        node = next;
      }
      node.leaf = { as, variable };
      const names = as === 'pair' ? [`${variable}h`, variable] : [variable];
      for (const name of names) declared.push(`${name} = ${defaults[as]}`);
      return names;
    });
    const reads = type.fields.map((field) => this.read(field.type, root.fields.get(field.name)));
    return `let ${declared.join(', ')};\n${reads.join('\n')}\ndone(); handlers[${JSON.stringify(handler)}](${variables.join(', ')});`;
  }

  private read(type: AvroType, want: WantTree | undefined): string {
    if (want === undefined) return this.skip(type);
    if (type.kind === 'union') return this.choose(type.branches, (branch) => this.read(branch, want));
    if (want.leaf !== undefined) return this.leaf(type, want.leaf);
    if (type.kind !== 'record') return this.skip(type);
    return type.fields.map((field) => this.read(field.type, want.fields.get(field.name))).join(' ');
  }

  /** A field whose type is not what is wanted counts as missing. */
  private leaf(
    type: AvroType,
    { as, variable }: { readonly as: WantedAs; readonly variable: string },
  ): string {
    const integer = type.kind === 'int' || type.kind === 'long';
    switch (as) {
      case 'bigint':
        return integer ? `${variable} = big();` : this.skip(type);
      case 'number':
        return type.kind === 'int'
          ? `${variable} = int();`
          : integer
            ? `${variable} = number();`
            : this.skip(type);
      case 'pair':
        return integer ? `pair(); ${variable}h = hi; ${variable} = lo;` : this.skip(type);
      case 'string':
        return type.kind === 'string' ? `${variable} = string();` : this.skip(type);
      case 'position':
        return type.kind === 'fixed' && type.size === 20 ? `${variable} = p; p += 20;` : this.skip(type);
      case 'strings':
        return type.kind === 'array' && type.items.kind === 'string'
          ? `${variable} = strings();`
          : this.skip(type);
      case 'boolean':
        return type.kind === 'boolean' ? `${variable} = b[p++] === 1;` : this.skip(type);
      case 'symbol':
        if (type.kind === 'enum') return `${variable} = ${JSON.stringify(type.symbols)}[int()] ?? '';`;
        return integer ? `${variable} = String(number());` : this.skip(type);
    }
  }
}

const defaults: Readonly<Record<WantedAs, string>> = {
  bigint: '0n',
  number: '0',
  pair: '0',
  string: "''",
  position: '-1',
  strings: '[]',
  boolean: 'false',
  symbol: "''",
};

const blocks = (item: string): string =>
  `for (let n = count(); n > 0; n = count()) { for (; n > 0; n--) { ${item} if (p > e) fail('record goes beyond its block'); } }`;
/** Skipping can pass over a whole block of items where its size is given. */
const skipBlocks = (item: string): string =>
  `for (let n = number(); n !== 0; n = number()) { if (n < 0) { skipSized(); continue; } if ((items -= n) < 0) fail('more items than a block can hold'); for (; n > 0; n--) { ${item} if (p > e) fail('record goes beyond its block'); } }`;

/** As Avro's JSON encoding names a union's branch. */
function branchName(type: AvroType): string {
  return type.kind === 'record' || type.kind === 'enum' || type.kind === 'fixed' ? type.name : type.kind;
}
