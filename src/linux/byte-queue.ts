// A first-in first-out buffer of bytes, for pipes and stream sockets. Chunks are never changed once they are in.
import { carryShadow } from '../machine/index.ts';

export class ByteQueue {
  private chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that are taken already. */
  private taken = 0;
  length = 0;

  /** The queue keeps `bytes`; the caller must not change them later. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.chunks.push(bytes);
    this.length += bytes.length;
  }

  /** Up to `count` bytes from the front; with `peek` they stay. */
  take(count: number, peek = false): Uint8Array {
    const out = new Uint8Array(Math.min(count, this.length));
    let filled = 0;
    let from = this.taken;
    let index = 0;
    while (filled < out.length) {
      const chunk = this.chunks[index];
      const part = chunk.subarray(from, from + out.length - filled);
      out.set(part, filled);
      carryShadow(out, filled, chunk, from);
      filled += part.length;
      from += part.length;
      if (from === chunk.length) {
        index++;
        from = 0;
      }
    }
    if (!peek) {
      this.chunks.splice(0, index);
      this.taken = from;
      this.length -= out.length;
    }
    return out;
  }

  clear(): void {
    this.chunks = [];
    this.taken = 0;
    this.length = 0;
  }
}
