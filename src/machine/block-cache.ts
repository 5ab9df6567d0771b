// Lifted blocks by address and by what stands there: a block holds as long as the frames that it was decoded from are
// the ones mapped, and keep their version. One cache serves all address spaces; processes that share a library's pages
// at the same address share its blocks, and different code at one address (after exec) lives side by side.
import type { Lifter } from '../isa/index.ts';
import { type PreparedBlock, prepare } from './interpret.ts';
import { MemoryFault, PAGE_SIZE } from './memory.ts';
import type { PagedSpace } from './space.ts';

interface CachedBlock {
  readonly block: PreparedBlock;
  readonly frame: number;
  readonly version: number;
  /** Frame of the next page where an instruction reaches into it, else 0. */
  readonly frame2: number;
  readonly version2: number;
}

/** Blocks at most; then the cache starts over. */
const CAPACITY = 400_000;
/** Different codes remembered at one address. */
const WAYS = 4;
const LONGEST_INSTRUCTION = 15;
/** Bytes looked at for one block; hardly any is longer. */
const WINDOW = 512;

export class BlockCache {
  private readonly lifter: Lifter;
  private readonly limit: number | undefined;
  private readonly blocks = new Map<number, CachedBlock[]>();
  private size = 0;
  /** Blocks lifted so far. */
  lifted = 0;

  /** `limit`: instructions in a block at most. */
  constructor(lifter: Lifter, limit?: number) {
    this.lifter = lifter;
    this.limit = limit;
  }

  /** The block at an address; throws MemoryFault where code can't be fetched. */
  at(space: PagedSpace, address: number): PreparedBlock {
    const { versions } = space.pool;
    const frame = space.executable(address);
    const ways = this.blocks.get(address);
    if (ways !== undefined) {
      for (const known of ways) {
        if (known.frame !== frame || known.version !== versions[frame]) continue;
        if (
          known.frame2 === 0 ||
          (known.version2 === versions[known.frame2] && known.frame2 === space.executable(pageAfter(address)))
        )
          return known.block;
      }
    }
    return this.add(space, address, frame);
  }

  private add(space: PagedSpace, address: number, frame: number): PreparedBlock {
    const left = PAGE_SIZE - (address % PAGE_SIZE);
    space.watchCode(address);
    let frame2 = 0;
    let block = this.lifter.lift(space.codeBytes(address, Math.min(left, WINDOW)), address, this.limit);
    if (block === undefined) {
      // the first instruction reaches into the next page
      const next = pageAfter(address);
      frame2 = space.executable(next);
      space.watchCode(next);
      block = this.lifter.lift(
        space.read(address, Math.min(left, LONGEST_INSTRUCTION) + LONGEST_INSTRUCTION),
        address,
        1,
      );
      if (block === undefined) throw new MemoryFault(next, 'execute');
    }
    const { versions } = space.pool;
    const prepared = prepare(block.code);
    this.remember(address, {
      block: prepared,
      frame,
      version: versions[frame],
      frame2,
      version2: versions[frame2],
    });
    return prepared;
  }

  private remember(address: number, entry: CachedBlock): void {
    this.lifted++;
    if (++this.size > CAPACITY) {
      this.blocks.clear();
      this.size = 1;
    }
    const ways = this.blocks.get(address);
    if (ways === undefined) this.blocks.set(address, [entry]);
    else {
      ways.unshift(entry);
      if (ways.length > WAYS) {
        ways.pop();
        this.size--;
      }
    }
  }
}

function pageAfter(address: number): number {
  return address - (address % PAGE_SIZE) + PAGE_SIZE;
}
