// Documents (JSON, YAML), field by field. Every mistake is an InputError with the document and the field's path.
//
// Container engines are written in Go, whose decoder takes keys whatever their case. So do we, but a document that has
// a key in two spellings is refused: readers would disagree on what it says.
import { InputError } from './error.ts';
import { printable } from './text.ts';

const strict = new TextDecoder('utf-8', { fatal: true });

export function parseJson(bytes: Uint8Array, where: string): Fields {
  try {
    return new Fields(JSON.parse(strict.decode(bytes)), where, '');
  } catch {
    // The parser's own message quotes the document.
    throw new InputError('not a JSON document', where);
  }
}

type JsonMap = { readonly [key: string]: unknown };

function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value in a document and where it stands. Absent and null are the same. */
export class Fields {
  private readonly value: unknown;
  private readonly document: string;
  private readonly path: string;

  constructor(value: unknown, document: string, path: string) {
    this.value = value ?? undefined;
    this.document = document;
    this.path = path;
  }

  get where(): string {
    return this.path === '' ? this.document : `${this.document}, ${this.path}`;
  }

  get absent(): boolean {
    return this.value === undefined;
  }

  get isArray(): boolean {
    return Array.isArray(this.value);
  }

  private fail(wanted: string): never {
    throw new InputError(
      this.absent ? `missing, ${wanted} is wanted` : `${wanted} is wanted here`,
      this.where,
    );
  }

  /** A field of an object; absent where the object is. */
  field(name: string): Fields {
    const path = this.path === '' ? name : `${this.path}.${name}`;
    if (this.absent) return new Fields(undefined, this.document, path);
    const map = this.map();
    const spellings = Object.keys(map).filter((key) => key.toLowerCase() === name.toLowerCase());
    if (spellings.length > 1)
      throw new InputError(
        `the key stands here in two spellings (${spellings.map(printable).join(', ')})`,
        new Fields(1, this.document, path).where,
      );
    return new Fields(spellings.length === 0 ? undefined : map[spellings[0]], this.document, path);
  }

  private map(): JsonMap {
    return isMap(this.value) ? this.value : this.fail('an object');
  }

  /** Elements; none where absent. */
  items(): Fields[] {
    if (this.absent) return [];
    if (!Array.isArray(this.value)) return this.fail('an array');
    return this.value.map((item, i) => new Fields(item, this.document, `${this.path}[${i}]`));
  }

  /** Sorted keys; none where absent. */
  keys(): string[] {
    return this.absent ? [] : Object.keys(this.map()).map(clean).sort();
  }

  entries(): (readonly [string, Fields])[] {
    if (this.absent) return [];
    const map = this.map();
    return Object.keys(map)
      .sort()
      .map((key) => [
        clean(key),
        new Fields(map[key], this.document, this.path === '' ? key : `${this.path}.${printable(key)}`),
      ]);
  }

  text(): string {
    if (typeof this.value !== 'string') return this.fail('a string');
    if (this.value.includes('\0')) throw new InputError('holds a NUL character', this.where);
    return clean(this.value);
  }

  /** A string; numbers and truth values as they are written. */
  scalar(): string {
    if (typeof this.value === 'number' || typeof this.value === 'boolean') return String(this.value);
    return this.text();
  }

  get isMap(): boolean {
    return isMap(this.value);
  }

  get isText(): boolean {
    return typeof this.value === 'string';
  }

  textOr(fallback: string): string {
    return this.absent ? fallback : this.text();
  }

  number(): number {
    if (typeof this.value !== 'number' || !Number.isFinite(this.value)) return this.fail('a number');
    return this.value;
  }

  numberOr(fallback: number): number {
    return this.absent ? fallback : this.number();
  }

  flag(): boolean {
    if (this.absent) return false;
    if (typeof this.value !== 'boolean') return this.fail('true or false');
    return this.value;
  }

  /** Strings; a lone string counts as a list of one, as engines take it. */
  texts(): string[] {
    return typeof this.value === 'string' ? [this.text()] : this.items().map((item) => item.text());
  }

  textMap(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.entries().map(([key, value]) => [key, value.text()]));
  }
}

/** Lone surrogates are no text; in our strings they would mean raw bytes. */
function clean(text: string): string {
  return text.replace(/[\ud800-\udfff]/gu, '\ufffd');
}
