// Bounded little-endian reader. Every read is checked; reading past the end is an InputError that says where.
import { InputError } from './error.ts';
import { decodeText } from './text.ts';

export class ByteReader {
  readonly bytes: Uint8Array;
  readonly name: string;
  position: number;
  private readonly view: DataView;

  /** `name` is used in error messages: the file and, if any, the part of it. */
  constructor(bytes: Uint8Array, name: string, position = 0) {
    this.bytes = bytes;
    this.name = name;
    this.position = position;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.bytes.length - this.position;
  }

  private take(size: number): number {
    const at = this.position;
    if (size < 0 || at < 0 || at + size > this.bytes.length) {
      throw new InputError(
        `truncated: ${size} bytes wanted, ${Math.max(0, this.bytes.length - at)} left`,
        `${this.name} at offset ${at}`,
      );
    }
    this.position = at + size;
    return at;
  }

  u8(): number {
    return this.bytes[this.take(1)];
  }
  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }
  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }
  i32(): number {
    return this.view.getInt32(this.take(4), true);
  }
  u64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }
  i64(): bigint {
    return this.view.getBigInt64(this.take(8), true);
  }

  /** A 64-bit value that must fit a JavaScript integer (offsets, sizes, user-space addresses). */
  size64(): number {
    const at = this.position;
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw new InputError(`value ${value} is too large`, `${this.name} at offset ${at}`);
    return Number(value);
  }

  slice(size: number): Uint8Array {
    const at = this.take(size);
    return this.bytes.subarray(at, at + size);
  }

  skip(size: number): void {
    this.take(size);
  }

  /** Bytes up to a NUL (which is consumed) or the end, as text. */
  cString(): string {
    let end = this.bytes.indexOf(0, this.position);
    if (end < 0) end = this.bytes.length;
    const text = decodeText(this.bytes.subarray(this.position, end));
    this.position = Math.min(end + 1, this.bytes.length);
    return text;
  }
}
