// Zstandard (RFC 8878): node:zlib's decoder where this Node has one, else fzstd's. Frames are walked by their block
// headers first: node:zlib's stream ends silently after one frame, and fzstd allocates whatever window a frame asks
// for, so a window above 128 MiB (the reference decoder's default limit) is refused. fzstd does not compare the
// checksums of frames; whoever needs certainty has a digest of the content.
import { createRequire } from 'node:module';
import type { Duplex } from 'node:stream';
import { Decompress } from 'fzstd';
import { InputError } from '../bytes/index.ts';
import { pieces, type RandomAccess, sliceAccess, Window } from './access.ts';
import { type Taps, transform } from './inflate.ts';

interface Native {
  readonly createZstdDecompress?: (options: { chunkSize: number }) => Duplex;
  readonly zstdDecompressSync?: (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
}
const native = createRequire(import.meta.url)('node:zlib') as Native;

const maxWindow = 128 * 1024 * 1024;

/** Frames up to this size are decoded in one call where that gives no more than `smallOutput`; a stream costs more than they do. */
const smallFrame = 1 << 16;
const smallOutput = 1 << 24;

/** Decompresses a zstd file with all its frames, skippable ones included. Damage is an InputError that names the file. */
export async function unzstd(file: RandomAccess, taps: Taps, useNative = true): Promise<void> {
  const create = native.createZstdDecompress;
  const decoder = useNative && create !== undefined ? nativeDecoder(create) : scriptDecoder(file.name);
  for (const { start, end, skippable } of frames(file)) {
    const frame = sliceAccess(file, file.name, start, end - start);
    if (skippable) for (const piece of pieces(frame)) taps.input?.(piece);
    else await decoder.frame(frame, taps);
  }
  decoder.end();
}

interface Decoder {
  frame(frame: RandomAccess, taps: Taps): Promise<void>;
  end(): void;
}

function nativeDecoder(create: NonNullable<Native['createZstdDecompress']>): Decoder {
  return {
    async frame(frame, taps) {
      const whole = frame.size <= smallFrame ? frame.read(0, frame.size) : undefined;
      const out = whole === undefined ? undefined : atOnce(whole);
      if (whole === undefined || out === undefined) {
        await transform(frame, create({ chunkSize: 1 << 20 }), taps, 'zstd');
      } else {
        taps.input?.(whole);
        if (out.length > 0) taps.output(out);
      }
    },
    end() {},
  };
}

/** Undefined where the frame is damaged or gives much; the stream then says which. */
function atOnce(frame: Uint8Array): Uint8Array | undefined {
  try {
    return native.zstdDecompressSync?.(frame, { maxOutputLength: smallOutput });
  } catch {
    return undefined;
  }
}

function scriptDecoder(name: string): Decoder {
  let taps: Taps | undefined;
  let stopped: { readonly error: unknown } | undefined;
  const decoder = new Decompress((piece) => {
    try {
      if (piece.length > 0) taps?.output(piece);
    } catch (error) {
      stopped = { error };
      throw error;
    }
  });
  const push = (piece: Uint8Array, last: boolean): void => {
    try {
      // The decoder keeps references to what it has not used yet.
      decoder.push(piece.slice(), last);
    } catch (error) {
      if (stopped !== undefined) throw stopped.error;
      throw new InputError(
        `damaged zstd data: ${error instanceof Error ? error.message : String(error)}`,
        name,
      );
    }
  };
  return {
    async frame(frame, frameTaps) {
      taps = frameTaps;
      for (const piece of pieces(frame, 1 << 16)) {
        taps.input?.(piece);
        push(piece, false);
      }
    },
    end: () => push(new Uint8Array(0), true),
  };
}

interface Frame {
  readonly start: number;
  readonly end: number;
  readonly skippable: boolean;
}

/**
 * Walks frames and blocks without decoding them. Frame: magic, descriptor, window, dictionary, content size; then
 * blocks, each of three bytes (last:1, type:2, size:21) and its data; then the checksum that the descriptor announces.
 */
function* frames(file: RandomAccess): Generator<Frame> {
  const walker = new FrameWalker(file);
  for (let start = 0; start < file.size; ) {
    const magic = walker.number(start, 4);
    const skippable = magic >= 0x184d2a50 && magic <= 0x184d2a5f;
    if (!skippable && magic !== 0xfd2fb528) walker.fail('no frame here', start);
    const end = skippable ? start + 8 + walker.number(start + 4, 4) : walker.frameEnd(start);
    if (end > file.size) walker.fail('truncated', file.size);
    yield { start, end, skippable };
    start = end;
  }
}

class FrameWalker {
  private readonly window: Window;

  constructor(file: RandomAccess) {
    this.window = new Window(file);
  }

  fail(what: string, at: number): never {
    throw new InputError(`damaged zstd data: ${what}`, `${this.window.file.name} at offset ${at}`);
  }

  /** Little-endian. */
  number(offset: number, length: number): number {
    const bytes = this.window.at(offset, length);
    if (bytes.length < length) this.fail('truncated', offset);
    return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
  }

  frameEnd(start: number): number {
    const descriptor = this.number(start + 4, 1);
    const single = (descriptor >> 5) & 1;
    const sizeFlag = descriptor >> 6;
    const sizeBytes = sizeFlag === 0 ? single : 1 << sizeFlag;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3];
    const dictionaryAt = start + 6 - single;
    if (dictionaryBytes > 0 && this.number(dictionaryAt, dictionaryBytes) !== 0)
      this.fail('the frame needs a dictionary', start);
    const sizeAt = dictionaryAt + dictionaryBytes;
    // A frame of a single segment has its content as window; sizes of two bytes count from 256.
    const wanted =
      single === 1 ? this.number(sizeAt, sizeBytes) + (sizeFlag === 1 ? 256 : 0) : this.stated(start + 5);
    if (wanted > maxWindow)
      this.fail(`the frame wants a window of ${wanted} bytes, more than ${maxWindow}`, start);
    return this.blocksEnd(sizeAt + sizeBytes) + (descriptor & 4);
  }

  /** Window descriptor: exponent in the upper five bits, eighths in the lower three. */
  private stated(at: number): number {
    const byte = this.number(at, 1);
    const base = 2 ** (10 + (byte >> 3));
    return base + (base / 8) * (byte & 7);
  }

  private blocksEnd(at: number): number {
    for (;;) {
      const header = this.number(at, 3);
      const type = (header >> 1) & 3;
      if (type === 3) this.fail('invalid block type', at);
      at += 3 + (type === 1 ? 1 : header >> 3);
      if ((header & 1) === 1) return at;
    }
  }
}
