// The dispatch table in linear memory (layout.ts): from an address to the stream or region there.
import type { FramePool } from '../frames.ts';
import { ENTRIES, ENTRY_DETAIL, ENTRY_SIZE } from './layout.ts';
import type { RegionEntry, StreamBlock } from './stream-block.ts';

/** So many entries are emptied one by one. */
const FEW = 4096;

export class DispatchTable {
  private readonly pool: FramePool;
  private readonly first: number;
  /** Entries written since the table was empty, where they are few. */
  private readonly filled = new Int32Array(FEW);
  private filledCount = 0;

  /** `first`: byte address of the table, whose bytes are 0. */
  constructor(pool: FramePool, first: number) {
    this.pool = pool;
    this.first = first;
  }

  clear(): void {
    const { first } = this;
    const { bytes, view } = this.pool;
    if (this.filledCount <= FEW) {
      for (const entry of this.filled.subarray(0, this.filledCount))
        bytes.fill(0, first + entry * ENTRY_SIZE, first + (entry + 1) * ENTRY_SIZE);
    } else bytes.fill(0, first, first + ENTRIES * ENTRY_SIZE);
    this.filledCount = 0;
    // address 0 is looked up in the first entry, where no other may seem to be it: address 1, which is looked up
    // elsewhere, stands there
    view.setUint32(first, 1, true);
    view.setUint32(first + 4, 0, true);
  }

  /** Leads to the region where there is one, else to the stream. */
  put(block: StreamBlock, region: RegionEntry | undefined): void {
    const { view } = this.pool;
    const low = (block.address % 2 ** 32) | 0;
    const hash = ((low >>> 2) ^ (low << 16) ^ Math.floor(block.address / 2 ** 20)) & (ENTRIES - 1);
    const at = this.first + hash * ENTRY_SIZE;
    if (this.filledCount < FEW) this.filled[this.filledCount] = hash;
    if (this.filledCount <= FEW) this.filledCount++;
    view.setUint32(at, low >>> 0, true);
    view.setUint32(at + 4, Math.floor(block.address / 2 ** 32), true);
    view.setUint32(at + 8, region?.target ?? block.header, true);
    view.setUint32(at + 12, 0, true);
    view.setUint32(at + ENTRY_DETAIL, block.frame, true);
    view.setUint32(at + ENTRY_DETAIL + 4, region?.descriptor ?? block.frame2, true);
    view.setUint32(at + ENTRY_DETAIL + 8, block.header, true);
    view.setUint32(at + ENTRY_DETAIL + 12, region?.entry ?? 0, true);
  }
}
