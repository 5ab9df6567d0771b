// Avro schemas (Avro 1.11 specification, "Schema Declaration"): text to a tree of types with every name resolved, and
// an encoder for writing. The library checks the text; decoding is avro-records.ts. Logical types, documentation,
// aliases and sort orders are ignored: they do not change how bytes are laid out.
import avsc from 'avsc';
import { InputError } from '../bytes/index.ts';

export interface AvroField {
  readonly name: string;
  readonly type: AvroType;
}

/** Names are full names (`sysflow.flow.FileFlow`). Recursive types are the same object again. */
export type AvroType =
  | { readonly kind: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string' }
  | { readonly kind: 'record'; readonly name: string; readonly fields: readonly AvroField[] }
  | { readonly kind: 'enum'; readonly name: string; readonly symbols: readonly string[] }
  | { readonly kind: 'fixed'; readonly name: string; readonly size: number }
  | { readonly kind: 'array'; readonly items: AvroType }
  | { readonly kind: 'map'; readonly values: AvroType }
  | { readonly kind: 'union'; readonly branches: readonly AvroType[] };

/** The parts of the library's type objects that we read; its own declarations leave most of them out. */
interface LibraryType {
  readonly typeName: string;
  readonly name?: string;
  readonly fields?: readonly { readonly name: string; readonly type: LibraryType }[];
  readonly symbols?: readonly string[];
  readonly size?: number;
  readonly itemsType?: LibraryType;
  readonly valuesType?: LibraryType;
  readonly types?: readonly LibraryType[];
}

/** avsc's own long loses what is above 2^53. Values are bigint here. */
const bigLong = avsc.types.LongType.__with({
  fromBuffer: (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: (value: number | string) => BigInt(value),
  toJSON: (value: bigint) => String(value),
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

/**
 * Unions are objects with the branch's name as their one key: what branch a value has is never guessed. A fresh object
 * each time: the library keeps its registry of names in it.
 */
const options = () => ({
  wrapUnions: 'always' as const,
  typeHook: (schema: unknown) =>
    schema === 'long' || (schema as { type?: unknown } | null)?.type === 'long' ? bigLong : undefined,
});

/** Parses a schema; `where` is for the InputError of a text that is none. */
export function parseSchema(text: string, where: string): AvroType {
  try {
    const type = avsc.Type.forSchema(JSON.parse(text), { wrapUnions: 'always' }) as unknown as LibraryType;
    return convert(type, new Map());
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(
      `not a valid Avro schema: ${error instanceof Error ? error.message : String(error)}`,
      where,
    );
  }
}

/** Bytes of one value after the other; values have the shapes of `options` above. */
export type Encoder = (value: unknown) => Uint8Array;

/** An encoder for a schema of our own; a value that does not fit the schema is a bug of the caller's. */
export function schemaEncoder(text: string): Encoder {
  const type = avsc.Type.forSchema(JSON.parse(text), options());
  return (value) => type.toBuffer(value);
}

function convert(type: LibraryType, seen: Map<LibraryType, AvroType>): AvroType {
  const known = seen.get(type);
  if (known !== undefined) return known;
  const kind = type.typeName;
  switch (kind) {
    case 'null':
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'bytes':
    case 'string':
      return { kind };
    case 'record':
    case 'error': {
      const fields: AvroField[] = [];
      const record = { kind: 'record', name: type.name ?? '', fields } as const;
      // Known before its fields are converted: they may name it.
      seen.set(type, record);
      for (const field of type.fields ?? [])
        fields.push({ name: field.name, type: convert(field.type, seen) });
      return record;
    }
    case 'enum':
      return { kind, name: type.name ?? '', symbols: type.symbols ?? [] };
    case 'fixed':
      return { kind, name: type.name ?? '', size: type.size ?? 0 };
    case 'array':
      return { kind, items: convert(part(type.itemsType), seen) };
    case 'map':
      return { kind, values: convert(part(type.valuesType), seen) };
    default:
      if (type.types === undefined) throw new InputError(`unknown type ${kind}`, 'Avro schema');
      return { kind: 'union', branches: type.types.map((branch) => convert(branch, seen)) };
  }
}

function part(type: LibraryType | undefined): LibraryType {
  if (type === undefined) throw new InputError('a type lacks its part', 'Avro schema');
  return type;
}
