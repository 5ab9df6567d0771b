// What a regular file's bytes are made of: extents of a file on this machine, or bytes in memory. Between the extents
// of a sparse file are holes.
import type { RandomAccess } from '../host/index.ts';

export interface Content {
  readonly size: number;
  readInto(offset: number, target: Uint8Array): number;
  extents(): Iterable<readonly [offset: number, length: number]>;
}

export const emptyContent: Content = { size: 0, readInto: () => 0, extents: () => [] };

/** One run of bytes in another file. */
class Contiguous implements Content {
  readonly size: number;
  private readonly file: RandomAccess;
  private readonly start: number;

  constructor(file: RandomAccess, start: number, size: number) {
    this.file = file;
    this.start = start;
    this.size = size;
  }

  readInto(offset: number, target: Uint8Array): number {
    const length = Math.max(0, Math.min(target.length, this.size - offset));
    if (length === 0) return 0;
    return this.file.readInto(
      this.start + offset,
      length === target.length ? target : target.subarray(0, length),
    );
  }

  *extents(): Iterable<readonly [number, number]> {
    yield [0, this.size];
  }
}

export function contiguous(file: RandomAccess, start: number, size: number): Content {
  return size === 0 ? emptyContent : new Contiguous(file, start, size);
}

/**
 * A sparse file. `map` holds offset and length of each extent in turn, ascending and without overlap; the extents'
 * bytes lie one after the other from `start` in `file`.
 */
export class Sparse implements Content {
  readonly size: number;
  private readonly file: RandomAccess;
  private readonly map: Float64Array;
  /** Where each extent's bytes are in `file`. */
  private readonly at: Float64Array;

  constructor(file: RandomAccess, start: number, size: number, map: Float64Array) {
    this.file = file;
    this.size = size;
    this.map = map;
    this.at = new Float64Array(map.length / 2);
    for (let i = 0; i < this.at.length; i++) {
      this.at[i] = start;
      start += map[2 * i + 1];
    }
  }

  readInto(offset: number, target: Uint8Array): number {
    const length = Math.max(0, Math.min(target.length, this.size - offset));
    const end = offset + length;
    target.fill(0, 0, length);
    for (let i = this.firstAt(offset); i < this.at.length && this.map[2 * i] < end; i++) {
      const from = Math.max(offset, this.map[2 * i]);
      const to = Math.min(end, this.map[2 * i] + this.map[2 * i + 1]);
      if (to > from)
        this.file.readInto(this.at[i] + from - this.map[2 * i], target.subarray(from - offset, to - offset));
    }
    return length;
  }

  /** The first extent that ends after `offset`. */
  private firstAt(offset: number): number {
    let low = 0;
    let high = this.at.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.map[2 * middle] + this.map[2 * middle + 1] <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  *extents(): Iterable<readonly [number, number]> {
    for (let i = 0; i < this.at.length; i++)
      if (this.map[2 * i + 1] > 0) yield [this.map[2 * i], this.map[2 * i + 1]];
  }
}
