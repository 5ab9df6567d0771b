// Bytes that arrive from front to back, read by offset while they arrive: what a reader has done with is forgotten.
import { InputError } from '../bytes/index.ts';
import type { RandomAccess } from '../host/index.ts';

export class GrowingBytes implements RandomAccess {
  readonly name: string;
  private bytes = new Uint8Array(1 << 16);
  /** Offset of the first byte that is kept. */
  private start = 0;
  private filled = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Bytes that have arrived in all. */
  get size(): number {
    return this.start + this.filled;
  }

  append(piece: Uint8Array): void {
    const needed = this.filled + piece.length;
    if (needed > this.bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
      larger.set(this.bytes.subarray(0, this.filled));
      this.bytes = larger;
    }
    this.bytes.set(piece, this.filled);
    this.filled = needed;
  }

  /** Bytes before this offset are not asked for any more. */
  forget(before: number): void {
    const count = Math.min(this.filled, before - this.start);
    if (count <= 0) return;
    this.bytes.copyWithin(0, count, this.filled);
    this.start += count;
    this.filled -= count;
  }

  read(offset: number, length: number): Uint8Array {
    return this.part(offset, length).slice();
  }

  readInto(offset: number, target: Uint8Array): number {
    const part = this.part(offset, target.length);
    target.set(part);
    return part.length;
  }

  close(): void {}

  private part(offset: number, length: number): Uint8Array {
    const from = offset - this.start;
    if (from < 0) throw new InputError('these bytes are gone already', `${this.name} at offset ${offset}`);
    return this.bytes.subarray(Math.min(from, this.filled), Math.min(from + length, this.filled));
  }
}
