// What decoders of Avro data share (Avro 1.11, "Binary Encoding"): their error, texts of bytes, names of a union's
// branches. What decodes is made in avro-records.ts.
import { decodeText } from '../bytes/index.ts';
import type { AvroType } from './avro-schema.ts';

/** Data that does not fit its schema. What was decoded before it stands. */
export class DecodeError extends Error {}

/** Node decodes faster than any loop of ours, but puts U+FFFD where `decodeText` keeps the byte. */
export function text(bytes: Uint8Array, start: number, end: number): string {
  if (bytes instanceof Buffer) {
    const decoded = bytes.toString('utf8', start, end);
    if (!decoded.includes('\ufffd')) return decoded;
  }
  return decodeText(bytes.subarray(start, end));
}

/** As Avro's JSON encoding names a union's branch. */
export function branchName(type: AvroType): string {
  return type.kind === 'record' || type.kind === 'enum' || type.kind === 'fixed' ? type.name : type.kind;
}
