// Writing WebAssembly modules: just the encoding (core specification 2.0, chapter 5), no validation; what is written
// wrong is refused by the host's compiler. Bodies are appended opcode by opcode into one growing buffer.

/** Value types. */
export const T = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
export type ValueType = (typeof T)[keyof typeof T];
/** Block type of a block without result. */
export const VOID = 0x40;

export class CodeWriter {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity);
  }

  private reserve(extra: number): void {
    if (this.length + extra <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + extra));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1);
    this.bytes[this.length++] = value;
  }

  raw(bytes: Uint8Array | readonly number[]): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Unsigned LEB128 of a number below 2^32. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Unsigned LEB128 in five bytes whatever the number, so that another can take its place. */
  fixed32(value: number): void {
    for (let i = 0; i < 4; i++) this.byte(((value >>> (7 * i)) & 0x7f) | 0x80);
    this.byte(value >>> 28);
  }

  /** Signed LEB128 of a 32-bit number. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  /** Signed LEB128 of a 64-bit number given by its halves. */
  s64(low: number, high: number): void {
    let lo = low | 0;
    let hi = high | 0;
    for (;;) {
      const bits = lo & 0x7f;
      lo = (lo >>> 7) | (hi << 25);
      hi >>= 7;
      if ((lo === 0 && hi === 0 && (bits & 0x40) === 0) || (lo === -1 && hi === -1 && (bits & 0x40) !== 0)) {
        this.byte(bits);
        return;
      }
      this.byte(bits | 0x80);
    }
  }

  text(value: string): void {
    const bytes = Uint8Array.from(value, (ch) => ch.charCodeAt(0));
    this.u32(bytes.length);
    this.raw(bytes);
  }

  /** A section or body: its length, then what `write` appends. */
  sized(write: (inner: CodeWriter) => void): void {
    const inner = new CodeWriter(256);
    write(inner);
    this.u32(inner.length);
    this.raw(inner.bytes.subarray(0, inner.length));
  }

  finish(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

export type Import =
  | { readonly module: string; readonly name: string; readonly kind: 'function'; readonly type: number }
  | {
      readonly module: string;
      readonly name: string;
      readonly kind: 'memory';
      readonly initial: number;
      readonly maximum: number;
    }
  | {
      readonly module: string;
      readonly name: string;
      readonly kind: 'table';
      readonly initial: number;
      readonly maximum: number;
    }
  | {
      readonly module: string;
      readonly name: string;
      readonly kind: 'global';
      readonly type: ValueType;
      readonly mutable: boolean;
    };

/** A function to be: `body` writes its instructions without the final `end`. */
export interface FunctionSource {
  readonly type: number;
  /** Types of locals after the parameters. */
  readonly locals: readonly ValueType[];
  readonly body: Uint8Array;
  /** Export name; '' keeps it private. */
  readonly name: string;
  /** Offsets in `body` of branches that hardly ever are taken. */
  readonly unlikely?: readonly number[];
}

/** A module of these parts; function indices count imported functions first. */
export function encodeModule(parts: {
  readonly types: readonly FunctionType[];
  readonly imports: readonly Import[];
  readonly functions: readonly FunctionSource[];
}): Uint8Array {
  const out = new CodeWriter(65_536);
  out.raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  section(out, 1, parts.types.length, (w) => {
    for (const type of parts.types) {
      w.byte(0x60);
      vector(w, type.parameters);
      vector(w, type.results);
    }
  });
  section(out, 2, parts.imports.length, (w) => {
    for (const item of parts.imports) writeImport(w, item);
  });
  section(out, 3, parts.functions.length, (w) => {
    for (const source of parts.functions) w.u32(source.type);
  });
  const imported = parts.imports.filter((item) => item.kind === 'function').length;
  const exported = parts.functions
    .map((source, i) => ({ name: source.name, index: imported + i }))
    .filter(({ name }) => name !== '');
  section(out, 7, exported.length, (w) => {
    for (const { name, index } of exported) {
      w.text(name);
      w.byte(0);
      w.u32(index);
    }
  });
  writeHints(out, imported, parts.functions);
  section(out, 10, parts.functions.length, (w) => {
    for (const source of parts.functions) w.sized((body) => writeBody(body, source));
  });
  return out.finish();
}

function section(out: CodeWriter, id: number, count: number, write: (w: CodeWriter) => void): void {
  if (count === 0) return;
  out.byte(id);
  out.sized((w) => {
    w.u32(count);
    write(w);
  });
}

function vector(w: CodeWriter, values: readonly number[]): void {
  w.u32(values.length);
  w.raw(values);
}

function limits(w: CodeWriter, initial: number, maximum: number): void {
  w.byte(1);
  w.u32(initial);
  w.u32(maximum);
}

function writeImport(w: CodeWriter, item: Import): void {
  w.text(item.module);
  w.text(item.name);
  switch (item.kind) {
    case 'function':
      w.byte(0);
      w.u32(item.type);
      return;
    case 'table':
      w.raw([1, 0x70]);
      limits(w, item.initial, item.maximum);
      return;
    case 'memory':
      w.byte(2);
      limits(w, item.initial, item.maximum);
      return;
    case 'global':
      w.raw([3, item.type, item.mutable ? 1 : 0]);
  }
}

/** The section of the branch hinting proposal; hosts that don't know it pass over it. */
function writeHints(out: CodeWriter, imported: number, functions: readonly FunctionSource[]): void {
  const hinted = functions
    .map((source, i) => ({ source, index: imported + i }))
    .filter(({ source }) => (source.unlikely?.length ?? 0) > 0);
  if (hinted.length === 0) return;
  out.byte(0);
  out.sized((w) => {
    w.text('metadata.code.branch_hint');
    w.u32(hinted.length);
    for (const { source, index } of hinted) {
      const locals = new CodeWriter(64);
      writeLocals(locals, source);
      w.u32(index);
      w.u32(source.unlikely?.length ?? 0);
      for (const offset of source.unlikely ?? []) {
        w.u32(locals.length + offset);
        w.raw([1, 0]);
      }
    }
  });
}

function writeBody(w: CodeWriter, source: FunctionSource): void {
  writeLocals(w, source);
  w.raw(source.body);
  w.byte(0x0b);
}

function writeLocals(w: CodeWriter, source: FunctionSource): void {
  const runs: [ValueType, number][] = [];
  for (const type of source.locals) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] === type) last[1]++;
    else runs.push([type, 1]);
  }
  w.u32(runs.length);
  for (const [type, count] of runs) {
    w.u32(count);
    w.byte(type);
  }
}
