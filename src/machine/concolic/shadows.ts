// Expressions of bytes: of the frames of guest memory, and of byte arrays on their way through the kernel. An
// expression is a number of whoever makes them (0: the byte has none); nothing here knows what it says.
//
// A frame that has shadows is hidden from the fast engine (its entries in page tables permit nothing), so that every
// access to it comes by `touch` of the address space, byte by byte exact: what is overwritten loses its shadow, and
// what is read while `trapping` stops the engine. Forks copy shadows with the frames.
import { PAGE_SIZE as FRAME_SIZE } from '../memory.ts';

/** Expressions of bytes in a row, 0 none. */
export type ByteShadow = Int32Array;

interface Page {
  readonly bytes: Int32Array;
  /** Bytes that have one. */
  count: number;
}

export class Shadows {
  private readonly pages = new Map<number, Page>();
  /** Reads of bytes with a shadow fail, and set `tripped`. */
  trapping = false;
  tripped = false;

  /** No frame has shadows. */
  get empty(): boolean {
    return this.pages.size === 0;
  }

  /** Bytes that have a shadow. */
  get count(): number {
    let sum = 0;
    for (const { count } of this.pages.values()) sum += count;
    return sum;
  }

  has(frame: number): boolean {
    return this.pages.size > 0 && this.pages.has(frame);
  }

  /** By offset in the frame; undefined where no byte of the frame has one. */
  of(frame: number): ByteShadow | undefined {
    return this.pages.get(frame)?.bytes;
  }

  /** Of `size` bytes from an address on, of which `frameOf` tells the frames that may have some (0: none does). */
  at(address: number, size: number, frameOf: (address: number) => number): ByteShadow | undefined {
    if (this.empty) return undefined;
    let out: ByteShadow | undefined;
    for (let done = 0; done < size; ) {
      const offset = (address + done) % FRAME_SIZE;
      const count = Math.min(size - done, FRAME_SIZE - offset);
      const page = this.of(frameOf(address + done));
      for (let i = 0; page !== undefined && i < count; i++) {
        if (page[offset + i] === 0) continue;
        out ??= new Int32Array(size);
        out[done + i] = page[offset + i];
      }
      done += count;
    }
    return out;
  }

  /** True where the frame had none before. */
  set(frame: number, offset: number, shadow: ByteShadow): boolean {
    const known = this.pages.get(frame);
    const page = known ?? { bytes: new Int32Array(FRAME_SIZE), count: 0 };
    for (let i = 0; i < shadow.length; i++) {
      page.count += Number(shadow[i] !== 0) - Number(page.bytes[offset + i] !== 0);
      page.bytes[offset + i] = shadow[i];
    }
    if (known !== undefined) {
      if (page.count === 0) this.pages.delete(frame);
      return false;
    }
    if (page.count === 0) return false;
    this.pages.set(frame, page);
    return true;
  }

  /** The bytes are overwritten by others without. */
  clear(frame: number, offset: number, size: number): void {
    const page = this.pages.get(frame);
    if (page === undefined) return;
    const end = Math.min(FRAME_SIZE, offset + size);
    for (let i = offset; i < end; i++) {
      if (page.bytes[i] === 0) continue;
      page.bytes[i] = 0;
      page.count--;
    }
    if (page.count === 0) this.pages.delete(frame);
  }

  /** Whether a read must stop here: the engine that runs can't do it. */
  trips(frame: number, offset: number, size: number): boolean {
    if (!this.trapping) return false;
    const bytes = this.pages.get(frame)?.bytes;
    if (bytes === undefined) return false;
    const end = Math.min(FRAME_SIZE, offset + size);
    for (let i = offset; i < end; i++) {
      if (bytes[i] !== 0) {
        this.tripped = true;
        return true;
      }
    }
    return false;
  }

  /** The frame is given back. */
  forget(frame: number): void {
    this.pages.delete(frame);
  }

  copy(from: number, to: number): void {
    const page = this.pages.get(from);
    if (page === undefined) this.pages.delete(to);
    else this.pages.set(to, { bytes: page.bytes.slice(), count: page.count });
  }

  /** Drops all; entries of page tables permit again when they are next touched. */
  reset(): void {
    this.pages.clear();
    this.trapping = false;
    this.tripped = false;
  }
}

// byte arrays of the kernel

const shadowsOfBytes = new WeakMap<Uint8Array, ByteShadow>();
/** Nothing was ever symbolic: the usual case costs a test. */
let used = false;

/** Expressions of the bytes of an array; undefined where none has one. */
export function byteShadow(bytes: Uint8Array): ByteShadow | undefined {
  return used ? shadowsOfBytes.get(bytes) : undefined;
}

export function setByteShadow(bytes: Uint8Array, shadow: ByteShadow): void {
  used = true;
  shadowsOfBytes.set(bytes, shadow);
}

/** Gives `to`, whose bytes from `at` on were copied from `from` (from `start` on), the shadows of those. */
export function carryShadow(to: Uint8Array, at: number, from: Uint8Array, start = 0): void {
  const source = byteShadow(from);
  if (source === undefined) return;
  const length = Math.min(source.length - start, to.length - at);
  const part = source.subarray(start, start + Math.max(0, length));
  if (part.every((expression) => expression === 0)) return;
  const shadow = byteShadow(to) ?? new Int32Array(to.length);
  shadow.set(part, at);
  setByteShadow(to, shadow);
}

/** As `bytes.subarray`, with shadows. */
export function shadowedPart(bytes: Uint8Array, start: number, end = bytes.length): Uint8Array {
  const part = bytes.subarray(start, end);
  carryShadow(part, 0, bytes, start);
  return part;
}
