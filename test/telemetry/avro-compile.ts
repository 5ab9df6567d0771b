// Compiles a writer's schema to a decoder of values (Avro 1.11, "Binary Encoding"): JavaScript source for exactly this
// layout, to plain objects with every field. For tests and benchmarks alone, as a second opinion: what the
// monitor reads is decoded by avro-records.ts in src/telemetry.
// The generated source consists of our own text, numbers, and names as JSON strings; nothing else of a schema gets in.
// Positions are checked against the end after each record, counts and lengths before they are used.
import { type AvroType, branchName, DecodeError, text } from '../../src/telemetry/index.ts';

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

function build<T>(code: Code, body: string): T {
  const source = `'use strict';\n${prelude}\n${code.functions.join('\n')}\n${body}`;
  return new Function('text', 'DecodeError', source)(text, DecodeError) as T;
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
  if (n < 0) { n = -n; number(); }
  if ((items -= n) < 0) fail('more items than a block can hold');
  return n;
}
`;

class Code {
  readonly functions: string[] = [];
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
}

const blocks = (item: string): string =>
  `for (let n = count(); n > 0; n = count()) { for (; n > 0; n--) { ${item} if (p > e) fail('record goes beyond its block'); } }`;
