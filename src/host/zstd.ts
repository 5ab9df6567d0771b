// Zstandard (RFC 8878): node:zlib's decoder where this Node has one, else fzstd's. fzstd allocates whatever window a
// frame asks for, so frames are walked first and a window above 128 MiB (the reference decoder's default limit) is
// refused. It does not compare the checksums of frames; whoever needs certainty has a digest of the content.
import { createRequire } from 'node:module';
import type { Duplex } from 'node:stream';
import { Decompress } from 'fzstd';
import { InputError } from '../bytes/index.ts';
import { pieces, type RandomAccess, Window } from './access.ts';
import { type Taps, transform } from './inflate.ts';

type Native = { readonly createZstdDecompress?: (options: { chunkSize: number }) => Duplex };
const native = createRequire(import.meta.url)('node:zlib') as Native;

const maxWindow = 128 * 1024 * 1024;

/** Decompresses a zstd file with all its frames, skippable ones included. Damage is an InputError that names the file. */
export async function unzstd(file: RandomAccess, taps: Taps, useNative = true): Promise<void> {
  const create = native.createZstdDecompress;
  if (useNative && create !== undefined) {
    await transform(file, create({ chunkSize: 1 << 20 }), taps, 'zstd');
  } else {
    checkFrames(file);
    inJavaScript(file, taps);
  }
}

function inJavaScript(file: RandomAccess, taps: Taps): void {
  let stopped: { readonly error: unknown } | undefined;
  const decoder = new Decompress((piece) => {
    try {
      if (piece.length > 0) taps.output(piece);
    } catch (error) {
      stopped = { error };
      throw error;
    }
  });
  try {
    for (const piece of pieces(file, 1 << 16)) {
      taps.input?.(piece);
      // The decoder keeps references to what it has not used yet.
      decoder.push(piece.slice());
    }
    decoder.push(new Uint8Array(0), true);
  } catch (error) {
    if (stopped !== undefined) throw stopped.error;
    if (error instanceof InputError) throw error;
    throw new InputError(
      `damaged zstd data: ${error instanceof Error ? error.message : String(error)}`,
      file.name,
    );
  }
}

/**
 * Walks frames and blocks without decoding them. Frame: magic, descriptor, window, dictionary, content size; then
 * blocks, each of three bytes (last:1, type:2, size:21) and its data; then the checksum that the descriptor announces.
 */
function checkFrames(file: RandomAccess): void {
  const fail = (what: string, at: number): never => {
    throw new InputError(`damaged zstd data: ${what}`, `${file.name} at offset ${at}`);
  };
  const window = new Window(file);
  let at = 0;
  const u = (offset: number, length: number): number => {
    const bytes = window.at(offset, length);
    if (bytes.length < length) fail('truncated', offset);
    return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
  };
  while (at < file.size) {
    const magic = u(at, 4);
    if (magic >= 0x184d2a50 && magic <= 0x184d2a5f) {
      at += 8 + u(at + 4, 4);
      continue;
    }
    if (magic !== 0xfd2fb528) fail('no frame here', at);
    const descriptor = u(at + 4, 1);
    const single = (descriptor >> 5) & 1;
    const sizeFlag = descriptor >> 6;
    const sizeBytes = sizeFlag === 0 ? single : 1 << sizeFlag;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3];
    if (dictionaryBytes > 0 && u(at + 6 - single, dictionaryBytes) !== 0)
      fail('the frame needs a dictionary', at);
    const windowByte = single === 1 ? 0 : u(at + 5, 1);
    const base = 2 ** (10 + (windowByte >> 3));
    const sizeAt = at + 6 - single + dictionaryBytes;
    const wanted =
      single === 1 ? u(sizeAt, sizeBytes) + (sizeFlag === 1 ? 256 : 0) : base + (base / 8) * (windowByte & 7);
    if (wanted > maxWindow) fail(`the frame wants a window of ${wanted} bytes, more than ${maxWindow}`, at);
    at = blocks(sizeAt + sizeBytes, u, fail) + (descriptor & 4);
  }
  if (at > file.size) fail('truncated', file.size);
}

function blocks(
  at: number,
  u: (offset: number, length: number) => number,
  fail: (what: string, at: number) => never,
): number {
  for (;;) {
    const header = u(at, 3);
    const type = (header >> 1) & 3;
    if (type === 3) fail('invalid block type', at);
    at += 3 + (type === 1 ? 1 : header >> 3);
    if ((header & 1) === 1) return at;
  }
}
