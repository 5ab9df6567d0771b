// Contents of a regular file: an immutable file of the image below, and pages written since above it. Pages are
// replaced, never changed, so that snapshots of the kernel share them.
import type { FileNode } from '../image/index.ts';
import { SHARED, share } from './shared.ts';

const PAGE = 4096;

class Page {
  readonly [SHARED] = true;
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

export class FilePages {
  size: number;
  readonly lower: FileNode | undefined;
  /** Bytes of `lower` that still show; a truncation hides the rest for good. */
  private lowerEnd: number;
  private readonly pages = new Map<number, Page>();

  constructor(lower?: FileNode) {
    this.lower = lower === undefined ? undefined : share(lower);
    this.size = this.lowerEnd = lower?.size ?? 0;
  }

  /** Bytes that this file holds of its own. */
  get stored(): number {
    return this.pages.size * PAGE;
  }

  /** Still exactly what the image has. */
  get pristine(): boolean {
    return (
      this.lower !== undefined &&
      this.pages.size === 0 &&
      this.size === this.lower.size &&
      this.lowerEnd === this.size
    );
  }

  /** Fills `into` from `offset`; what lies beyond the end is zeros. */
  readInto(offset: number, into: Uint8Array): void {
    const end = Math.min(offset + into.length, this.size);
    let at = offset;
    while (at < end) {
      const index = Math.floor(at / PAGE);
      const page = this.pages.get(index);
      const target = at - offset;
      if (page !== undefined) {
        const stop = Math.min((index + 1) * PAGE, end);
        into.set(page.bytes.subarray(at - index * PAGE, stop - index * PAGE), target);
        at = stop;
      } else {
        const stop = Math.min(this.runEnd(index) * PAGE, end);
        this.lowerInto(at, into.subarray(target, target + stop - at));
        at = stop;
      }
    }
    if (end - offset < into.length) into.fill(0, Math.max(0, end - offset));
  }

  /** A copy of what lies in [offset, offset + length), cut at the end of the file. */
  read(offset: number, length: number): Uint8Array {
    const out = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    if (out.length > 0) this.readInto(offset, out);
    return out;
  }

  /** First page from `index` on that is in `pages` (or beyond the end). */
  private runEnd(index: number): number {
    const last = Math.ceil(this.size / PAGE);
    if (this.pages.size === 0) return last;
    let at = index;
    while (at < last && !this.pages.has(at)) at++;
    return at;
  }

  private lowerInto(offset: number, into: Uint8Array): void {
    const have = Math.max(0, Math.min(into.length, this.lowerEnd - offset));
    if (have > 0) this.lower?.readInto(offset, have === into.length ? into : into.subarray(0, have));
    into.fill(0, have);
  }

  private pageBytes(index: number): Uint8Array {
    const out = new Uint8Array(PAGE);
    const page = this.pages.get(index);
    if (page !== undefined) out.set(page.bytes);
    else this.lowerInto(index * PAGE, out);
    return out;
  }

  write(offset: number, bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const index = Math.floor((offset + at) / PAGE);
      const start = offset + at - index * PAGE;
      const length = Math.min(PAGE - start, bytes.length - at);
      const page = length === PAGE ? new Uint8Array(PAGE) : this.pageBytes(index);
      page.set(bytes.subarray(at, at + length), start);
      this.pages.set(index, new Page(page));
      at += length;
    }
    this.size = Math.max(this.size, offset + bytes.length);
  }

  truncate(size: number): void {
    if (size < this.size) {
      const keep = Math.ceil(size / PAGE);
      for (const index of [...this.pages.keys()]) if (index >= keep) this.pages.delete(index);
      this.lowerEnd = Math.min(this.lowerEnd, size);
      const tail = size % PAGE;
      const last = this.pages.get(keep - 1);
      if (tail !== 0 && last !== undefined) {
        const bytes = last.bytes.slice();
        bytes.fill(0, tail);
        this.pages.set(keep - 1, new Page(bytes));
      }
    }
    this.size = size;
  }

  /** Makes [offset, offset + length) read as zeros; the size stays. */
  punch(offset: number, length: number): void {
    const end = Math.min(offset + length, this.size);
    for (let at = offset; at < end; ) {
      const index = Math.floor(at / PAGE);
      const stop = Math.min((index + 1) * PAGE, end);
      const whole = at === index * PAGE && stop === (index + 1) * PAGE;
      if (whole && at >= this.lowerEnd) this.pages.delete(index);
      else if (this.pages.has(index) || at < this.lowerEnd) this.write(at, new Uint8Array(stop - at));
      at = stop;
    }
  }

  /** Start of the next data (or, with `hole`, of the next hole) at or after `offset`; the end counts as a hole. Undefined: none. */
  seek(offset: number, hole: boolean): number | undefined {
    if (offset >= this.size) return undefined;
    for (let at = offset; at < this.size; at = (Math.floor(at / PAGE) + 1) * PAGE) {
      const index = Math.floor(at / PAGE);
      const data = this.pages.has(index) || index * PAGE < this.lowerEnd;
      if (data !== hole) return at;
    }
    return hole ? this.size : undefined;
  }
}
