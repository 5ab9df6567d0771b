// Pages of backings (files, shared anonymous memory), filled on first touch and shared by all mappings of the backing
// in all address spaces. The pages of a backing that is marked immutable outlive its last mapping, so that the next
// process finds a library's pages, and the code decoded from them, already there.
import { assert } from '../bytes/index.ts';
import { FRAME_SIZE, type FramePool } from './frames.ts';
import type { Backing } from './memory.ts';

interface CachedBacking {
  readonly frames: Map<number, number>;
  readonly dirty: Set<number>;
  /** Regions, of all spaces, that map it. */
  users: number;
}

export class PageCache {
  private readonly pool: FramePool;
  private readonly backings = new Map<Backing, CachedBacking>();

  constructor(pool: FramePool) {
    this.pool = pool;
  }

  /** A region that maps the backing begins or ends to exist. */
  use(backing: Backing): void {
    const cached = this.backings.get(backing);
    if (cached === undefined) this.backings.set(backing, { frames: new Map(), dirty: new Set(), users: 1 });
    else cached.users++;
  }

  unuse(backing: Backing): void {
    const cached = this.backings.get(backing);
    assert(cached !== undefined && cached.users > 0, 'an unused backing was in use');
    if (--cached.users > 0) return;
    this.writeBack(backing, cached);
    cached.dirty.clear();
    if (backing.immutable !== true) this.forget(backing, cached);
  }

  /** The frame of page `index`, filled; the cache keeps its reference. 0 where no frame is left. The page must not lie beyond the end. */
  frame(backing: Backing, index: number): number {
    const cached = this.backings.get(backing);
    assert(cached !== undefined, 'a touched backing is in use');
    const known = cached.frames.get(index);
    if (known !== undefined) return known;
    const frame = this.pool.allocate();
    if (frame === 0) return 0;
    backing.readInto(
      index * FRAME_SIZE,
      this.pool.frameBytes(frame).subarray(0, Math.min(FRAME_SIZE, backing.size - index * FRAME_SIZE)),
    );
    cached.frames.set(index, frame);
    return frame;
  }

  /** Page `index` is being written through a shared mapping. */
  markDirty(backing: Backing, index: number): void {
    this.backings.get(backing)?.dirty.add(index);
  }

  /** Hands written pages to the backing, if it takes them. They stay dirty: further stores go unnoticed. */
  sync(backing: Backing): void {
    const cached = this.backings.get(backing);
    if (cached !== undefined) this.writeBack(backing, cached);
  }

  private writeBack(backing: Backing, cached: CachedBacking): void {
    if (backing.writeFrom === undefined) return;
    for (const index of [...cached.dirty].sort((a, b) => a - b)) {
      const frame = cached.frames.get(index);
      const length = Math.min(FRAME_SIZE, backing.size - index * FRAME_SIZE);
      if (frame !== undefined && length > 0)
        backing.writeFrom(index * FRAME_SIZE, this.pool.frameBytes(frame).slice(0, length));
    }
  }

  /** The backing's content changed in a byte range: pages already there are read again. */
  changed(backing: Backing, offset: number, length: number): void {
    const cached = this.backings.get(backing);
    if (cached === undefined) return;
    for (const [index, frame] of cached.frames) {
      const start = index * FRAME_SIZE;
      if (start + FRAME_SIZE <= offset || start >= offset + length) continue;
      const bytes = this.pool.frameBytes(frame).fill(0);
      if (start < backing.size)
        backing.readInto(start, bytes.subarray(0, Math.min(FRAME_SIZE, backing.size - start)));
      this.pool.codeChanged(frame);
    }
  }

  private forget(backing: Backing, cached: CachedBacking): void {
    for (const frame of cached.frames.values()) this.pool.drop(frame);
    this.backings.delete(backing);
  }

  /**
   * Gives `copy` the pages that `original` has, each in a frame of its own, and notes in `frames` which became which.
   * False where no frame is left.
   */
  duplicate(original: Backing, copy: Backing, frames: Map<number, number>): boolean {
    const from = this.backings.get(original);
    if (from === undefined) return true;
    const to: CachedBacking = { frames: new Map(), dirty: new Set(from.dirty), users: 0 };
    this.backings.set(copy, to);
    for (const [index, frame] of from.frames) {
      const fresh = this.pool.allocate();
      if (fresh === 0) return false;
      this.pool.copy(frame, fresh);
      to.frames.set(index, fresh);
      frames.set(frame, fresh);
    }
    return true;
  }

  /** Gives back what no mapping uses. True where that freed something. */
  trim(): boolean {
    const before = this.pool.used;
    for (const [backing, cached] of this.backings) if (cached.users === 0) this.forget(backing, cached);
    return this.pool.used < before;
  }
}
