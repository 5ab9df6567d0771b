// The ordered list of an address space's regions. Regions are immutable; splitting and merging replaces them. Counts of
// backings change with that, and are handed to the owner through takeSplit and takeMerged.
import type { Backing, Region } from './memory.ts';

export class RegionList {
  private readonly sorted: Region[] = [];
  private split: Backing[] = [];
  private merged: Backing[] = [];

  clone(): RegionList {
    const copy = new RegionList();
    copy.sorted.push(...this.sorted);
    return copy;
  }

  all(): readonly Region[] {
    return this.sorted.slice();
  }

  /** Backings that one more region maps since the last call. */
  takeSplit(): readonly Backing[] {
    const taken = this.split;
    if (taken.length > 0) this.split = [];
    return taken;
  }

  /** Backings that one region less maps since the last call. */
  takeMerged(): readonly Backing[] {
    const taken = this.merged;
    if (taken.length > 0) this.merged = [];
    return taken;
  }

  /** Index of the first region that ends above the address. */
  private lowerBound(address: number): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.sorted[middle].end <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  find(address: number): Region | undefined {
    const region = this.sorted[this.lowerBound(address)];
    return region !== undefined && region.start <= address ? region : undefined;
  }

  covers(start: number, end: number): boolean {
    let at = start;
    for (let i = this.lowerBound(start); at < end; i++) {
      const region = this.sorted[i];
      if (region === undefined || region.start > at) return false;
      at = region.end;
    }
    return true;
  }

  /** Adds a region into a free range; joins it with neighbours that continue it. */
  insert(region: Region): void {
    const at = this.lowerBound(region.start);
    this.sorted.splice(at, 0, region);
    this.join(at, at + 1);
  }

  /** Joins continuing neighbours among indices from-1 .. to. */
  private join(from: number, to: number): void {
    for (let i = Math.min(to, this.sorted.length - 1); i >= Math.max(from, 1); i--) {
      const a = this.sorted[i - 1];
      const b = this.sorted[i];
      if (!continues(a, b)) continue;
      this.sorted.splice(i - 1, 2, { ...a, end: b.end });
      if (a.backing !== undefined) this.merged.push(a.backing);
    }
  }

  /** Makes sure that no region spans the address. */
  private cut(address: number): void {
    const i = this.lowerBound(address);
    const region = this.sorted[i];
    if (region === undefined || region.start >= address) return;
    this.sorted.splice(
      i,
      1,
      { ...region, end: address },
      { ...region, start: address, offset: region.offset + address - region.start },
    );
    if (region.backing !== undefined) this.split.push(region.backing);
  }

  /** Takes out what lies in the range; what is returned covers exactly that. */
  remove(start: number, end: number): Region[] {
    const first = this.lowerBound(start);
    if (first >= this.sorted.length || this.sorted[first].start >= end) return [];
    this.cut(start);
    this.cut(end);
    const from = this.lowerBound(start);
    return this.sorted.splice(from, this.countUpTo(from, end));
  }

  private countUpTo(from: number, end: number): number {
    let count = 0;
    while (from + count < this.sorted.length && this.sorted[from + count].start < end) count++;
    return count;
  }

  /** Replaces the regions of a covered range. */
  change(start: number, end: number, replace: (region: Region) => Region): void {
    this.cut(start);
    this.cut(end);
    const from = this.lowerBound(start);
    const count = this.countUpTo(from, end);
    for (let i = from; i < from + count; i++) this.sorted[i] = replace(this.sorted[i]);
    this.join(from, from + count);
  }

  /** Start of the highest free range of `length` bytes that ends at or below `below` and starts at or above `lowest`. */
  findFree(length: number, below: number, lowest: number): number | undefined {
    let top = below;
    for (let i = this.lowerBound(below - 1); ; i--) {
      const region = i < this.sorted.length ? this.sorted[i] : undefined;
      if (region !== undefined && region.start < top) {
        if (region.end < top && top - region.end >= length && top - length >= lowest) return top - length;
        top = Math.min(top, region.start);
      }
      if (i <= 0) break;
    }
    return top - length >= lowest ? top - length : undefined;
  }
}

function continues(a: Region, b: Region): boolean {
  return (
    a.end === b.start &&
    a.prot === b.prot &&
    a.shared === b.shared &&
    a.name === b.name &&
    a.backing === b.backing &&
    (a.backing === undefined || a.offset + (a.end - a.start) === b.offset)
  );
}
