// Decides what is translated: blocks that the interpreter ran often enough are queued, and a batch of regions becomes
// one module, since a module costs a millisecond whatever its size.
import { IR, WORDS } from '../../isa/index.ts';
import { PAGE_SIZE } from '../memory.ts';
import type { PagedSpace } from '../space.ts';
import { isConst } from './analysis.ts';
import type { Core, StreamBlock } from './core.ts';
import { compileModule, instantiate } from './host.ts';
import { translateRegion } from './region.ts';
import { successorsOf, targetsOf } from './region-flow.ts';
import { encodeModule, T } from './wasm-code.ts';

/** Blocks of a region, and IR words, at most. */
const MAX_BLOCKS = 64;
const MAX_WORDS = 12_000;
/** Regions that wait for each other. */
const BATCH = 12;
/** Times a block leaves the interpreter until it waits no longer. */
const URGENT = 4;
/** A block run less often is left out of a region. */
const RARE = 128;

export class Translator {
  private readonly core: Core;
  private readonly queue: StreamBlock[] = [];
  /** Regions translated so far. */
  regions = 0;
  private readonly slow: (block: number, operation: number, fuel: number) => number;

  constructor(core: Core) {
    this.core = core;
    this.slow = (block, operation, fuel) => core.slow(core.byNumber[block], operation, fuel, core.scratch);
    core.onForget = (): void => {
      this.queue.length = 0;
    };
  }

  /** The interpreter met a block that has become hot. */
  hot(block: StreamBlock, space: PagedSpace): void {
    if (block.region !== undefined || !translatable(block)) return;
    if (!this.queue.includes(block)) this.queue.push(block);
    const executions = this.core.executionsOf(block);
    if (this.queue.length >= BATCH || executions >= URGENT * this.core.hot || this.core.eager)
      this.translate(space);
  }

  private translate(space: PagedSpace): void {
    const { core } = this;
    const batch = this.queue.splice(0).filter((block) => block.region === undefined && core.holds(block));
    if (batch.length === 0) return;
    const regions = batch.map((block) => this.form(block, space));
    const functions = regions.map(({ blocks }, i) => translateRegion(blocks, core.places, `r${i}`, 0));
    const module = compileModule(
      encodeModule({
        types: [
          { parameters: [T.i32], results: [T.i32] },
          { parameters: [T.i64], results: [T.i32] },
          { parameters: [T.i64, T.i64], results: [T.i64] },
          { parameters: [T.i32, T.i64, T.i64, T.i64, T.i32], results: [T.i32] },
          { parameters: [T.i32, T.i32, T.i32], results: [T.i32] },
        ],
        imports: [
          { module: 'm', name: 'walk', kind: 'function', type: 1 },
          { module: 'm', name: 'mulhu', kind: 'function', type: 2 },
          { module: 'm', name: 'mulhs', kind: 'function', type: 2 },
          { module: 'm', name: 'status', kind: 'function', type: 3 },
          { module: 'm', name: 'slow', kind: 'function', type: 4 },
          { module: 'm', name: 'memory', kind: 'memory', initial: 64, maximum: 65_536 },
        ],
        functions,
      }),
    );
    const { walk, mulhu, mulhs, status } = core.exports;
    const instance = instantiate(module, {
      walk,
      mulhu,
      mulhs,
      status,
      slow: this.slow,
      memory: core.pool.linear,
    });
    const first = core.table.grow(batch.length);
    batch.forEach((block, i) => {
      core.table.set(first + i, instance.exports[`r${i}`]);
      block.region = {
        target: ((first + i) << 1) | 1,
        frame2: regions[i].frame2,
        version2: core.pool.versions[regions[i].frame2],
      };
      core.fill(block, space);
    });
    this.regions += batch.length;
  }

  /** The entry and what it leads to by direct jumps, in its page and the next. */
  private form(
    entry: StreamBlock,
    space: PagedSpace,
  ): { readonly blocks: readonly StreamBlock[]; readonly frame2: number } {
    const { core } = this;
    const page = Math.floor(entry.address / PAGE_SIZE);
    const next = core.frameOf(space, (page + 1) * PAGE_SIZE);
    const blocks = [entry];
    let words = entry.code.length;
    let frame2 = 0;
    const seen = new Set([entry.address]);
    for (let i = 0; i < blocks.length; i++) {
      for (const address of successorsOf(blocks[i])) {
        if (seen.has(address) || blocks.length >= MAX_BLOCKS) continue;
        seen.add(address);
        const place = Math.floor(address / PAGE_SIZE) - page;
        const frame = place === 0 ? entry.frame : place === 1 ? next : 0;
        const block = frame === 0 ? undefined : core.known(address, frame);
        if (block === undefined || !translatable(block) || (core.executionsOf(block) < RARE && !core.eager))
          continue;
        if (words + block.code.length > MAX_WORDS) continue;
        if (place === 1) frame2 = next;
        words += block.code.length;
        blocks.push(block);
      }
    }
    return { blocks, frame2 };
  }
}

function translatable(block: StreamBlock): boolean {
  const op = block.code[block.code.length - WORDS] & 0xff;
  if (block.frame2 !== 0 || op === IR.trap || op === IR.unsupported) return false;
  // a jump out of user space faults in ways that the interpreter knows
  return (
    successorsOf(block).length === targetsOf(block.code).filter((value) => isConst(block.code, value)).length
  );
}
