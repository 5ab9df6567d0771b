// Compiles a writer's schema to a decoder of records (Avro 1.11, "Binary Encoding"): JavaScript source for exactly this
// layout, which passes the wanted fields of each record of a union to a method and goes over everything else. Layouts
// that share a version number so cost nothing, nothing is looked up per record, and nothing is made that is not asked
// for: a position is a local variable, a time two integers, a text its bytes' positions until someone wants it.
// The generated source consists of our own text, numbers, and names as JSON strings; nothing else of a schema gets in.
// Positions are checked against the end after each record, counts and lengths before they are used.

import type { AvroType } from './avro-schema.ts';
import { branchName, DecodeError } from './avro-value.ts';
import { internedText } from './interned.ts';

/**
 * What a record's field is wanted as. `pair` gives two arguments, high and low 32 bits as signed integers; `slice` two,
 * the positions of a text's first byte and of the byte after its last.
 */
export type WantedAs =
  /** A long as BigInt. */
  | 'bigint'
  /** int or long as a number; beyond 2^53 it is rounded. */
  | 'number'
  | 'pair'
  | 'string'
  | 'slice'
  /** Position of a fixed's first byte in the block. */
  | 'position'
  /** array of strings. */
  | 'strings'
  | 'boolean'
  /** The symbol of an enum; of an int its decimal text. */
  | 'symbol';

/**
 * Field by name, each once; `outer.inner` for fields of a record in it. Where it is missing or null: 0n, 0, '', -1, [],
 * false; of a slice -1 and -1.
 */
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
  /** Records that the last `decode` passed on. */
  readonly decoded: number;
  /** Decodes `count` records from `start`, at most to `end`; gives the position after them. DecodeError on damage. */
  decode(bytes: Uint8Array, start: number, end: number, handlers: H, count?: number): number;
}

/** `type` is the union, or a record whose one field is the union (as SysFlow's). */
export function compileRecords<H extends Handlers>(type: AvroType, plan: RecordPlan): RecordDecoder<H> {
  const code = new Code();
  const union = type.kind === 'record' && type.fields.length === 1 ? type.fields[0].type : type;
  const branches = union.kind === 'union' ? union.branches : [union];
  const cases = branches.map((branch, index) => `case ${index}: p = ${code.branch(branch, plan)}; break;`);
  const source = `'use strict';
${prelude}
${code.functions.join('\n')}
return { decoded: 0, decode(b, start, e, handlers, count = 1) {
  const d = new DataView(b.buffer, b.byteOffset, b.length);
  let p = start, x = 0, y = 0, u = 0;
  this.decoded = 0;
  for (let n = 0; n < count; ) {
    const at = p;
    items = e - p + 65536;
    ${union.kind === 'union' ? readInt('u') : 'u = 0;'}
    switch (u) {
${cases.join('\n')}
    default: fail('no such branch of the union');
    }
    if (p === at) fail('record without bytes');
    this.decoded = ++n;
  }
  return p;
} };`;
  return new Function('text', 'DecodeError', source)(internedText, DecodeError) as RecordDecoder<H>;
}

/**
 * What generated code is made of. `b` bytes, `d` the same for words, `p` position, `e` end; what a helper leaves at is in `q`. A read beyond the
 * array gives undefined, which counts as 0 and ends every loop; then p is found beyond e.
 */
const prelude = `
let q = 0, hi = 0, lo = 0;
// How many items one record may still have: only items without bytes can be more than its bytes.
let items = 0;
const halves = new Int32Array(2), whole = new BigInt64Array(halves.buffer);
function fail(what) { throw new DecodeError(what); }
function past(b, p) {
  for (const end = p + 9; b[p++] >= 128; ) if (p > end) fail('integer too long');
  return p;
}
function int(b, p) {
  let c = b[p++], raw = c & 127;
  if (c >= 128) { c = b[p++]; raw |= (c & 127) << 7;
  if (c >= 128) { c = b[p++]; raw |= (c & 127) << 14;
  if (c >= 128) { c = b[p++]; raw |= (c & 127) << 21;
  if (c >= 128) { c = b[p++]; raw |= c << 28; if (c >= 16) fail('int too long'); } } } }
  q = p;
  return (raw >>> 1) ^ -(raw & 1);
}
function pair(b, p) {
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
  q = p;
}
// Times of our age have nine bytes: eight that go on, read as two words, and one that ends. In each word first two and two
// of its groups of seven bits come together, then all four.
function time(b, d, p) {
  if (p + 9 > b.length) { pair(b, p); return; }
  const first = d.getInt32(p, true), second = d.getInt32(p + 4, true), c = b[p + 8];
  if ((first & second & -2139062144) !== -2139062144 || c >= 128) { pair(b, p); return; }
  let low = (first & 8323199) | ((first & 2130738944) >>> 1), mid = (second & 8323199) | ((second & 2130738944) >>> 1);
  low = (low & 16383) | (low >>> 16 << 14);
  mid = (mid & 16383) | (mid >>> 16 << 14);
  const l = low | (mid << 28), h = (mid >>> 4) | (c << 24), sign = -(l & 1);
  lo = ((l >>> 1) | (h << 31)) ^ sign;
  hi = (h >>> 1) ^ sign;
  q = p + 9;
}
function big(b, d, p) { time(b, d, p); halves[0] = lo; halves[1] = hi; return whole[0]; }
function number(b, p) { pair(b, p); return hi * 4294967296 + (lo >>> 0); }
// Integers of three bytes and more, which pids are, without the halves.
function wide(b, p) {
  const c = b[p + 2];
  if (c < 128) {
    const raw = (b[p] & 127) | ((b[p + 1] & 127) << 7) | (c << 14);
    q = p + 3;
    return (raw >>> 1) ^ -(raw & 1);
  }
  return number(b, p);
}
function length(b, p, e) {
  const n = number(b, p);
  if (!(n >= 0 && n <= e - q)) fail('length beyond the block');
  return n;
}
function string(b, p, e) {
  const n = length(b, p, e), start = q;
  q = start + n;
  return n === 0 ? '' : text(b, start, q);
}
function count(b, p) {
  let n = number(b, p);
  if (n < 0) { n = -n; q = past(b, q); }
  if ((items -= n) < 0) fail('more items than a block can hold');
  return n;
}
function strings(b, p, e) {
  const out = [];
  for (let n = count(b, p); n > 0; n = count(b, q)) for (; n > 0; n--) out.push(string(b, q, e));
  return out;
}
`;

/** Integers of one and two bytes, which most are, without a call. */
const readInt = (variable: string, slow = 'int'): string =>
  `x = b[p++]; if (x < 128) ${variable} = (x >>> 1) ^ -(x & 1); else { y = b[p++]; if (y < 128) { x = (x & 127) | (y << 7); ${variable} = (x >>> 1) ^ -(x & 1); } else { ${variable} = ${slow}(b, p - 2); p = q; } }`;
const skipInt = 'if (b[p++] >= 128) p = past(b, p);';
/** Passes over as many bytes as an integer says. */
const skipSized =
  'x = b[p++]; if (x < 128 && (x & 1) === 0) p += x >>> 1; else { x = length(b, p - 1, e); p = q + x; }';

/** Nodes of wanted fields: a leaf, or fields of a record. */
interface WantTree {
  leaf: { readonly as: WantedAs; readonly variable: string } | undefined;
  readonly fields: Map<string, WantTree>;
}

class Code {
  readonly functions: string[] = [];
  private readonly skips = new Map<AvroType, string>();
  private names = 0;

  private name(prefix: string): string {
    this.names += 1;
    return `${prefix}${this.names}`;
  }

  /** Statement that passes over a value. */
  private skip(type: AvroType): string {
    switch (type.kind) {
      case 'null':
        return '';
      case 'boolean':
        return 'p += 1;';
      case 'int':
      case 'long':
      case 'enum':
        return skipInt;
      case 'float':
        return 'p += 4;';
      case 'double':
        return 'p += 8;';
      case 'bytes':
      case 'string':
        return skipSized;
      case 'fixed':
        return `p += ${type.size};`;
      case 'record':
        return this.skipper(type, () => type.fields.map((field) => this.skip(field.type)).join('\n'));
      case 'union':
        return this.skipper(type, () => this.choose(type.branches, (branch) => this.skip(branch)));
      case 'array':
        return this.skipper(type, () => skipBlocks(this.skip(type.items), isText(type.items)));
      case 'map':
        return this.skipper(type, () => skipBlocks(`${skipSized} ${this.skip(type.values)}`, false));
    }
  }

  /** A function for a type, made once: recursive types end in its name. */
  private skipper(type: AvroType, body: () => string): string {
    let name = this.skips.get(type);
    if (name === undefined) {
      name = this.name('skip');
      this.skips.set(type, name);
      this.functions.push(`function ${name}(b, p, e) { let x = 0, y = 0, u = 0; ${body()} return p; }`);
    }
    return `p = ${name}(b, p, e);`;
  }

  private choose(branches: readonly AvroType[], body: (branch: AvroType) => string): string {
    const cases = branches.map((branch, index) => `case ${index}: ${body(branch)} break;`);
    return `${readInt('u')} switch (u) { ${cases.join(' ')} default: fail('no such branch of the union'); }`;
  }

  /** Expression: one branch of the records' union passes its record on, and gives the position after it. */
  branch(type: AvroType, plan: RecordPlan): string {
    const name = this.name('record');
    const handler =
      type.kind === 'record'
        ? plan.handler(type.name, new Set(type.fields.map((field) => field.name)))
        : undefined;
    const body =
      type.kind === 'record' && handler !== undefined
        ? this.record(type.fields, handler, plan.wanted[handler] ?? [])
        : `${this.skip(type)}\n${whole} handlers.skipped(${JSON.stringify(branchName(type))});`;
    this.functions.push(
      `function ${name}(b, d, p, e, handlers) { let x = 0, y = 0, u = 0;\n${body}\nreturn p; }`,
    );
    return `${name}(b, d, p, e, handlers)`;
  }

  private record(
    fields: readonly { readonly name: string; readonly type: AvroType }[],
    handler: string,
    wanted: Wanted,
  ): string {
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
      const names = as === 'pair' || as === 'slice' ? [`${variable}h`, variable] : [variable];
      for (const each of names) declared.push(`let ${each} = ${defaults[as]};`);
      return names;
    });
    const reads = fields.map((field) => this.read(field.type, root.fields.get(field.name)));
    return `${declared.join(' ')}\n${reads.join('\n')}\n${whole} handlers[${JSON.stringify(handler)}](${variables.join(', ')});`;
  }

  private read(type: AvroType, want: WantTree | undefined): string {
    if (want === undefined) return this.skip(type);
    if (type.kind === 'union') return this.choose(type.branches, (branch) => this.read(branch, want));
    if (want.leaf !== undefined) return this.leaf(type, want.leaf);
    if (type.kind !== 'record') return this.skip(type);
    return type.fields.map((field) => this.read(field.type, want.fields.get(field.name))).join('\n');
  }

  /** A field whose type is not what is wanted counts as missing. */
  private leaf(
    type: AvroType,
    { as, variable }: { readonly as: WantedAs; readonly variable: string },
  ): string {
    const integer = type.kind === 'int' || type.kind === 'long';
    switch (as) {
      case 'bigint':
        return integer ? `${variable} = big(b, d, p); p = q;` : this.skip(type);
      case 'number':
        return integer ? readInt(variable, type.kind === 'int' ? 'int' : 'wide') : this.skip(type);
      case 'pair':
        return integer ? `time(b, d, p); ${variable}h = hi; ${variable} = lo; p = q;` : this.skip(type);
      case 'string':
        return type.kind === 'string' ? `${variable} = string(b, p, e); p = q;` : this.skip(type);
      case 'slice':
        return type.kind === 'string' ? `${skipSlice(variable)}` : this.skip(type);
      case 'position':
        return type.kind === 'fixed' && type.size === 20 ? `${variable} = p; p += 20;` : this.skip(type);
      case 'strings':
        return type.kind === 'array' && isText(type.items)
          ? `${variable} = strings(b, p, e); p = q;`
          : this.skip(type);
      case 'boolean':
        return type.kind === 'boolean' ? `${variable} = b[p++] === 1;` : this.skip(type);
      case 'symbol':
        if (type.kind === 'enum')
          return `${readInt('u')} ${variable} = ${JSON.stringify(type.symbols)}[u] ?? '';`;
        return integer ? `${variable} = String(number(b, p)); p = q;` : this.skip(type);
    }
  }
}

const isText = (type: AvroType): boolean => type.kind === 'string';

const skipSlice = (variable: string): string =>
  `x = length(b, p, e); ${variable}h = q; ${variable} = p = q + x;`;

const defaults: Readonly<Record<WantedAs, string>> = {
  bigint: '0n',
  number: '0',
  pair: '0',
  string: "''",
  slice: '-1',
  position: '-1',
  strings: '[]',
  boolean: 'false',
  symbol: "''",
};

const whole = "if (p > e) fail('record goes beyond its block');";

/**
 * Skipping can pass over a whole block of items where its size is given. Items that are empty texts are a zero byte
 * each: environments have been seen with a thousand of them.
 */
const skipBlocks = (item: string, texts: boolean): string =>
  `for (;;) { let n = number(b, p); p = q; if (n === 0) break; if (n < 0) { ${skipSized} continue; }
if ((items -= n) < 0) fail('more items than a block can hold');
for (; n > 0; n--) { ${texts ? 'while (n > 0 && b[p] === 0) { p++; n--; } if (n === 0) break;' : ''} ${item} ${whole} } }`;
