// One address space's page table: three levels of 4096 entries in the frame pool's linear memory.
//
//   address  46      36 35      24 23      12 11       0
//            | root     | middle   | leaf     | offset   |
//   root, middle entry: word index of the next table, 0 none
//   leaf entry:  31                12 11      3 2 1 0
//                | frame             | 0       | X W R |   0 none; a frame without R is mapped without access
//
// W is set only where a store needs nothing else: the frame is this space's own (or shared on purpose), and no decoded
// code depends on it. Everything else goes the slow way through AddressSpace.
import { FRAME_SIZE, type FramePool, TABLE_ENTRIES } from './frames.ts';

export const ENTRY = { READ: 1, WRITE: 2, EXEC: 4 } as const;
const LEAF_SPAN = TABLE_ENTRIES * FRAME_SIZE;
const MIDDLE_SPAN = LEAF_SPAN * TABLE_ENTRIES;

export class PageTable {
  private readonly pool: FramePool;
  /** Word index of the root table, 0 until something is mapped. */
  root = 0;
  private lastHigh = -1;
  private lastLeaf = 0;

  constructor(pool: FramePool) {
    this.pool = pool;
  }

  /** Word index of the leaf table for addresses whose upper part (above bit 24) is `high`; 0 none. */
  private leaf(high: number): number {
    if (high === this.lastHigh) return this.lastLeaf;
    const { words } = this.pool;
    if (this.root === 0) return 0;
    const middle = words[this.root + (high >>> 12)];
    if (middle === 0) return 0;
    const leaf = words[middle + (high & 0xfff)];
    if (leaf !== 0) {
      this.lastHigh = high;
      this.lastLeaf = leaf;
    }
    return leaf;
  }

  /** The leaf entry of an address below 2^47, 0 where there is none. */
  entry(address: number): number {
    const high = Math.floor(address / LEAF_SPAN);
    const leaf = this.leaf(high);
    return leaf === 0 ? 0 : this.pool.words[leaf + ((address - high * LEAF_SPAN) >>> 12)];
  }

  /** Writes the entry; false where the pool has no room for a table. */
  setEntry(address: number, entry: number): boolean {
    const high = Math.floor(address / LEAF_SPAN);
    let leaf = this.leaf(high);
    if (leaf === 0) {
      if (entry === 0) return true;
      leaf = this.addLeaf(high);
      if (leaf === 0) return false;
    }
    const at = leaf + ((address - high * LEAF_SPAN) >>> 12);
    this.noteChange(this.pool.words[at], entry);
    this.pool.words[at] = entry;
    return true;
  }

  private noteChange(before: number, after: number): void {
    if ((before & ENTRY.EXEC) !== 0 && ((before ^ after) & (ENTRY.EXEC | -FRAME_SIZE)) !== 0)
      this.pool.mappingChanges++;
  }

  private addLeaf(high: number): number {
    const { pool } = this;
    if (this.root === 0) this.root = pool.allocateTable();
    if (this.root === 0) return 0;
    const at = this.root + (high >>> 12);
    if (pool.words[at] === 0) {
      const table = pool.allocateTable();
      pool.words[at] = table;
    }
    const middle = pool.words[at];
    if (middle === 0) return 0;
    const leaf = pool.allocateTable();
    pool.words[middle + (high & 0xfff)] = leaf;
    return leaf;
  }

  /** Calls `visit` with every entry in the range that is not 0; the value that it returns replaces the entry. */
  update(start: number, end: number, visit: (entry: number, address: number) => number): void {
    const { pool } = this;
    if (this.root === 0) return;
    let address = start;
    while (address < end) {
      const high = Math.floor(address / LEAF_SPAN);
      const middle = pool.words[this.root + (high >>> 12)];
      if (middle === 0) {
        address = (Math.floor(address / MIDDLE_SPAN) + 1) * MIDDLE_SPAN;
        continue;
      }
      const leaf = pool.words[middle + (high & 0xfff)];
      const leafEnd = (high + 1) * LEAF_SPAN;
      if (leaf !== 0) this.updateLeaf(leaf, address, Math.min(end, leafEnd), visit);
      address = leafEnd;
    }
  }

  private updateLeaf(
    leaf: number,
    start: number,
    end: number,
    visit: (entry: number, address: number) => number,
  ): void {
    const first = leaf + ((start % LEAF_SPAN) >>> 12);
    const count = Math.ceil((end - start) / FRAME_SIZE);
    for (let i = 0; i < count; i++) {
      const entry = this.pool.words[first + i];
      if (entry === 0) continue;
      const after = visit(entry, start + i * FRAME_SIZE);
      this.noteChange(entry, after);
      this.pool.words[first + i] = after;
    }
  }

  /** Gives all tables back; entries must have been cleared. */
  release(): void {
    const { pool, root } = this;
    if (root === 0) return;
    for (let i = 0; i < TABLE_ENTRIES; i++) {
      const middle = pool.words[root + i];
      if (middle === 0) continue;
      for (let k = 0; k < TABLE_ENTRIES; k++)
        if (pool.words[middle + k] !== 0) pool.freeTable(pool.words[middle + k]);
      pool.freeTable(middle);
    }
    pool.freeTable(root);
    this.root = 0;
    this.lastHigh = -1;
  }
}
