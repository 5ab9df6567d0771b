// Deflate in its wrappings: gzip streams (RFC 1952, concatenated members) and raw deflate blocks (RFC 1951).
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  createGunzip,
  createGzip,
  inflateRaw as zlibInflateRaw,
  inflateRawSync as zlibInflateRawSync,
} from 'node:zlib';
import { InputError } from '../bytes/index.ts';
import { pieces, type RandomAccess } from './access.ts';

export interface Taps {
  /** Sees every compressed piece before it is used; the bytes are valid during the call. */
  readonly input?: ((piece: Uint8Array) => void) | undefined;
  /** Receives the decompressed bytes in order; may throw to stop. */
  readonly output: (piece: Uint8Array) => void;
}

/** node:zlib's output pieces. The default of 16 KiB costs more than half of the throughput. */
const chunkSize = 1 << 20;

/** Decompresses a gzip file with all its members. Damage is an InputError that names the file. */
export async function gunzip(file: RandomAccess, taps: Taps): Promise<void> {
  await transform(file, createGunzip({ chunkSize }), taps, 'gzip');
}

/** Through any of node:zlib's decompressors; a failure of the data is an InputError, a tap's exception passes. */
export async function transform(
  file: RandomAccess,
  through: Duplex,
  taps: Taps,
  what: string,
): Promise<void> {
  const source = function* (): Generator<Uint8Array> {
    for (const piece of pieces(file, 1 << 18)) {
      taps.input?.(piece);
      // The stream keeps what it is given, the next piece overwrites it.
      yield piece.slice();
    }
  };
  const sink = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const chunk of chunks) taps.output(chunk);
  };
  try {
    await pipeline(source, through, sink);
  } catch (error) {
    throw damaged(error, file.name, what);
  }
}

function damaged(error: unknown, name: string, what: string): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (typeof code !== 'string' || !/^(Z_|ZSTD_|ERR_BUFFER_TOO_LARGE|ERR_ZSTD)/.test(code)) return error;
  return new InputError(`damaged ${what} data: ${(error as Error).message}`, name);
}

/** Compresses in one go, with level 9 and no time stamp. */
export async function gzip(file: RandomAccess, output: (piece: Uint8Array) => void): Promise<void> {
  await transform(file, createGzip({ level: 9, chunkSize }), { output }, 'gzip');
}

/** Raw deflate to at most `limit` bytes; `name` is for the InputError. */
export function inflateRawSync(bytes: Uint8Array, limit: number, name: string): Uint8Array {
  try {
    return zlibInflateRawSync(bytes, { maxOutputLength: limit });
  } catch (error) {
    throw damaged(error, name, 'deflate');
  }
}

/** The same on zlib's threads. */
export function inflateRaw(bytes: Uint8Array, limit: number, name: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // In one piece: each further one comes back to the main thread for more.
    zlibInflateRaw(bytes, { maxOutputLength: limit, chunkSize: 1 << 17 }, (error, out) => {
      if (error) reject(damaged(error, name, 'deflate'));
      else resolve(out);
    });
  });
}
