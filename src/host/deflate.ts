// Raw deflate (RFC 1951) in one go; the inverse of `inflateRawSync`. zlib's default level, so output is the same for
// the same input and Node version.
import { deflateRawSync as zlibDeflateRawSync } from 'node:zlib';

export function deflateRawSync(bytes: Uint8Array): Uint8Array {
  return zlibDeflateRawSync(bytes);
}
