// Blocks by address: a hash table in typed arrays, since a Map of numbers beyond 31 bits has an object for each. Codes
// that stood at one address one after the other follow each other, the last one first.
import type { StreamBlock } from './stream-block.ts';

/** Different codes remembered at one address. */
const WAYS = 4;
const FIRST_SLOTS = 1 << 16;

export class BlockIndex {
  /** Addresses + 1, 0 empty; and the blocks there. */
  private keys = new Float64Array(FIRST_SLOTS);
  private blocks: (StreamBlock | undefined)[] = new Array(FIRST_SLOTS).fill(undefined);
  private used = 0;

  /** The block that was put at the address last; the ones before it follow by `older`. */
  at(address: number): StreamBlock | undefined {
    return this.blocks[this.slot(address + 1)];
  }

  put(block: StreamBlock): void {
    const slot = this.slot(block.address + 1);
    block.older = this.blocks[slot];
    this.blocks[slot] = block;
    if (block.older !== undefined) {
      let last = block;
      for (let i = 1; i < WAYS && last.older !== undefined; i++) last = last.older;
      last.older = undefined;
      return;
    }
    this.keys[slot] = block.address + 1;
    if (2 * ++this.used > this.keys.length) this.grow();
  }

  clear(): void {
    this.keys = new Float64Array(FIRST_SLOTS);
    this.blocks = new Array(FIRST_SLOTS).fill(undefined);
    this.used = 0;
  }

  private slot(key: number): number {
    const { keys } = this;
    const mask = keys.length - 1;
    let slot = (Math.imul(key | 0, 0x9e3779b1) >>> 8) & mask;
    while (keys[slot] !== key && keys[slot] !== 0) slot = (slot + 1) & mask;
    return slot;
  }

  private grow(): void {
    const { keys, blocks } = this;
    this.keys = new Float64Array(2 * keys.length);
    this.blocks = new Array(2 * keys.length).fill(undefined);
    for (const [i, key] of keys.entries()) {
      if (key === 0) continue;
      const slot = this.slot(key);
      this.keys[slot] = key;
      this.blocks[slot] = blocks[i];
    }
  }
}
