// Decides what is translated: blocks that the interpreter ran often enough are queued, and a batch of regions becomes
// one module, since a module costs a millisecond whatever its size. A region that is left often is translated anew,
// with the code that it goes on to.
import { IR, WORDS } from '../../isa/index.ts';
import { FRAME_SIZE } from '../frames.ts';
import { PAGE_SIZE } from '../memory.ts';
import type { PagedSpace } from '../space.ts';
import { isConst } from './analysis.ts';
import type { Core, RegionEntry, StreamBlock } from './core.ts';
import { compileModule, instantiate } from './host.ts';
import { DESCRIPTOR_PAGES, DESCRIPTOR_RAN, EXITS } from './layout.ts';
import { LONG, RegionWriter } from './region.ts';
import { returnSite, successorsOf, targetsOf } from './region-flow.ts';
import {
  isBlockOf,
  patchedBody,
  type RegionBody,
  type StoredRegion,
  storedRegion,
  writeEntryTable,
} from './stored-regions.ts';
import { encodeModule, T } from './wasm-code.ts';

/** Blocks of a region, pages that they are from, and IR words, at most. */
const MAX_BLOCKS = 96;
const MAX_PAGES = 8;
const MAX_WORDS = 12_000;
/** The same of a region that is translated for the first time. */
const FIRST_BLOCKS = 24;
const FIRST_WORDS = 3_000;
/** Regions that wait for each other. */
const BATCH = 12;
/** Times a block leaves the interpreter until it waits no longer. */
const URGENT = 2;
/** A block run less often is left out of a region. */
const RARE = 128;
/** Times that a region is translated with more. */
const GROWTHS = 4;
/** Stored regions that are taken at once. */
const RESTORED = 24;
/** Frames that descriptors and tables of entries are cut from at once. */
const ROOM_FRAMES = 16;

/** What is known of a region that was translated. */
interface Known {
  readonly blocks: readonly StreamBlock[];
  /** Blocks where it was to be entered. */
  readonly seeds: readonly StreamBlock[];
  readonly descriptor: number;
  readonly growths: number;
  /** Instructions until what it was in had no fuel left. */
  spent: number;
  /** Another one has its place. */
  replaced: boolean;
}

/** A region to be. */
interface Plan {
  readonly blocks: readonly StreamBlock[];
  readonly seeds: readonly StreamBlock[];
  readonly pages: ReadonlyMap<number, number>;
  readonly growths: number;
}

/** What stands in linear memory for a region. */
interface Written {
  readonly descriptor: number;
  fillTable(view: DataView): void;
  entryAddresses(): readonly number[];
}

interface Restored extends Plan, Written, RegionBody {}

export class Translator {
  private readonly core: Core;
  private readonly queue: StreamBlock[] = [];
  private readonly known = new Map<number, Known>();
  /** Regions translated so far. */
  regions = 0;
  private room = 0;
  private roomEnd = 0;
  private readonly slow: (block: number, operation: number, fuel: number) => number;

  constructor(core: Core) {
    this.core = core;
    this.slow = (block, operation, fuel) => core.slow(core.byNumber[block], operation, fuel, core.scratch);
    core.onForget = (): void => {
      this.queue.length = 0;
      this.known.clear();
    };
  }

  /** The interpreter met a block that has become hot. */
  hot(block: StreamBlock, space: PagedSpace): void {
    if (block.region === undefined && !this.core.eager && this.restore(block, space)) return;
    if (!translatable(block)) return;
    if (block.region !== undefined) {
      // it ran as a stream since the region does not stand in some other space
      this.core.fill(block, space);
      return;
    }
    if (!this.queue.includes(block)) this.queue.push(block);
    const executions = this.core.executionsOf(block);
    if (this.queue.length < BATCH && executions < URGENT * this.core.hot && !this.core.eager) return;
    const plans: Plan[] = [];
    for (const seed of this.queue.splice(0)) {
      if (seed.region !== undefined || !this.core.holds(seed)) continue;
      // what lies inside another region is no way into it: that would take its loops apart
      if (!plans.some(({ blocks }) => blocks.includes(seed))) plans.push(this.form([seed], space, 0));
    }
    this.translate(plans, space);
  }

  /** A region stood at the end of so many instructions: it may have a loop that is never left. */
  ran(target: number, instructions: number, space: PagedSpace): void {
    const known = this.known.get(target);
    if (known === undefined || !this.isCompact(known)) return;
    known.spent += instructions;
    if (known.spent >= LONG) this.grow(target, space);
  }

  private isCompact({ growths }: { readonly growths: number }): boolean {
    return growths === 0 && this.core.compact;
  }

  /** A region was left many times: where to is made part of it. `target`: its place in the function table. */
  grow(target: number, space: PagedSpace): void {
    const { core } = this;
    const known = this.known.get(target);
    if (known === undefined) return;
    const { view } = core.pool;
    view.setUint32(known.descriptor + DESCRIPTOR_RAN, 0, true);
    known.spent = 0;
    if (known.growths >= GROWTHS || known.replaced) return;
    const counts = new Map<StreamBlock, number>();
    for (let i = 0; i < EXITS; i++) {
      const at = known.descriptor + 8 + 8 * i;
      if (view.getUint32(at + 4, true) >= 0x8000) continue;
      const address = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
      const block = core.known(address, core.frameOf(space, address - (address % PAGE_SIZE)));
      if (block === undefined || !translatable(block)) continue;
      counts.set(block, (counts.get(block) ?? 0) + 1);
    }
    if (!known.seeds.every((block) => core.holds(block))) return;
    // what direct jumps lead to is found again; what was computed must be a way in
    const direct = new Set(
      known.blocks.flatMap((block) => [...successorsOf(block), returnSite(block) ?? block.address]),
    );
    const more = [...counts.keys()]
      .filter((block) => !known.seeds.includes(block) && !direct.has(block.address))
      .sort((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0));
    const plan = this.form([...known.seeds, ...more], space, known.growths + 1);
    const grown = plan.seeds.length > known.seeds.length || plan.blocks.length > known.blocks.length;
    if (!grown && !this.isCompact(known)) return;
    this.giveUp(known, target, plan, space);
    this.translate([plan], space);
  }

  /** What the new region has is no way into the old one: loops would go on there. */
  private giveUp(known: Known, target: number, plan: Plan, space: PagedSpace): void {
    if (!this.isCompact(known)) return;
    known.replaced = true;
    for (const block of known.blocks) {
      if (block.region?.target !== ((target << 1) | 1) || !plan.blocks.includes(block)) continue;
      block.region = undefined;
      this.core.fill(block, space);
    }
  }

  private translate(plans: readonly Plan[], space: PagedSpace): void {
    const { core } = this;
    if (plans.length === 0) return;
    const writers: RegionWriter[] = [];
    for (const { blocks, seeds, pages, growths } of plans) {
      const places = this.reserve(DESCRIPTOR_PAGES + 16 * pages.size);
      if (places === 0) return;
      const writer = new RegionWriter(
        blocks,
        core.places,
        seeds.map((seed) => blocks.indexOf(seed)),
        this.isCompact({ growths }),
        (tableBytes) => ({ descriptor: places, entryTable: this.reserve(tableBytes) }),
      );
      if (writer.entryTableAt === 0) return;
      writers.push(writer);
    }
    const functions = writers.map((writer) => writer.write());
    this.stand(plans, writers, functions, space);
    this.regions += plans.length;
    plans.forEach(({ blocks, seeds, growths }, i) => {
      core.shelf(space, seeds[0].address)?.add(
        storedRegion(blocks, {
          seeds: seeds.map((seed) => blocks.indexOf(seed)),
          entries: writers[i].entryAddresses(),
          slots: writers[i].slots,
          growths,
          function: functions[i],
        }),
      );
    });
  }

  /** The region that begins at a hot block, where an earlier run left it; and with it others that were met by now. */
  private restore(block: StreamBlock, space: PagedSpace): boolean {
    const { core } = this;
    const shelf = core.shelf(space, block.address);
    if (shelf?.waiting.has(block.address) !== true) return false;
    const found: Restored[] = [];
    for (const [address, region] of shelf.waiting) {
      if (address !== block.address) {
        if (found.length >= RESTORED) continue;
        const frame = core.frameOf(space, address - (address % PAGE_SIZE));
        if (frame === 0 || core.known(address, frame) === undefined) continue;
      }
      shelf.waiting.delete(address);
      const restored = this.revive(region, space);
      if (restored !== undefined) found.push(restored);
    }
    this.stand(found, found, found, space);
    return block.region !== undefined;
  }

  /** A stored region, where its blocks are as they were; room is taken for it. */
  private revive(region: StoredRegion, space: PagedSpace): Restored | undefined {
    const { core } = this;
    const blocks: StreamBlock[] = [];
    const pages = new Map<number, number>();
    let offset = 0;
    for (const [i, address] of region.addresses.entries()) {
      const block = core.obtain(space, address);
      if (block === undefined || !isBlockOf(region, i, offset, block)) return undefined;
      offset += block.length;
      blocks.push(block);
      pages.set(Math.floor(address / PAGE_SIZE), block.frame);
    }
    const descriptor = this.reserve(DESCRIPTOR_PAGES + 16 * pages.size);
    const entryTable = this.reserve(16 * region.slots.length);
    // while blocks are made, all can be forgotten
    if (
      descriptor === 0 ||
      entryTable === 0 ||
      !blocks.every((block) => core.byNumber[block.number] === block)
    )
      return undefined;
    const { function: code, slots, entries, growths } = region;
    return {
      blocks,
      seeds: region.seeds.map((seed) => blocks[seed]),
      pages,
      growths,
      descriptor,
      fillTable: (view) => writeEntryTable(view, entryTable, slots, entries),
      entryAddresses: () => entries,
      ...code,
      body: patchedBody(code, { descriptor, entryTable }, blocks),
    };
  }

  /** Compiles the functions of regions, in one module, and makes their entries lead to them. */
  private stand(
    plans: readonly Plan[],
    written: readonly Written[],
    functions: readonly RegionBody[],
    space: PagedSpace,
  ): void {
    const { core } = this;
    const { pool, table } = core;
    if (plans.length === 0) return;
    const module = compileModule(
      encodeModule({
        types: [
          { parameters: [T.i32, T.i32], results: [T.i32] },
          { parameters: [T.i64, T.i64], results: [T.i64] },
          { parameters: [T.i32, T.i64, T.i64, T.i64, T.i32], results: [T.i32] },
          { parameters: [T.i32, T.i32, T.i32], results: [T.i32] },
          { parameters: [T.f64, T.f64, T.f64], results: [T.i32] },
          { parameters: [T.i64, T.i32], results: [T.i32] },
        ],
        imports: [
          { module: 'm', name: 'mulhu', kind: 'function', type: 1 },
          { module: 'm', name: 'mulhs', kind: 'function', type: 1 },
          { module: 'm', name: 'status', kind: 'function', type: 2 },
          { module: 'm', name: 'slow', kind: 'function', type: 3 },
          { module: 'm', name: 'exactSum', kind: 'function', type: 4 },
          { module: 'm', name: 'exactProduct', kind: 'function', type: 4 },
          { module: 'm', name: 'reachRead', kind: 'function', type: 5 },
          { module: 'm', name: 'reachWrite', kind: 'function', type: 5 },
          { module: 'm', name: 'memory', kind: 'memory', initial: 64, maximum: 65_536 },
        ],
        functions: functions.map((code, i) => ({ type: 0, name: `r${i}`, ...code })),
      }),
      plans.every((plan) => this.isCompact(plan)) ? 'late' : 'soon',
    );
    const { mulhu, mulhs, status, exactSum, exactProduct, reachRead, reachWrite } = core.exports;
    const instance = instantiate(module, {
      ...{ mulhu, mulhs, status, exactSum, exactProduct, reachRead, reachWrite },
      slow: this.slow,
      memory: pool.linear,
    });
    const first = table.grow(plans.length);
    // links between streams pass regions by
    core.newEpoch();
    plans.forEach((plan, i) => {
      table.set(first + i, instance.exports[`r${i}`]);
      this.install(plan, written[i], first + i, space);
    });
  }

  /** The region stands in the function table: its entries lead to it. */
  private install(plan: Plan, writer: Written, target: number, space: PagedSpace): void {
    const { core } = this;
    const { view, versions } = core.pool;
    const { descriptor } = writer;
    writer.fillTable(view);
    view.setUint32(descriptor, plan.pages.size, true);
    const pages = [...plan.pages].map(([page, frame]) => ({ page, frame, version: versions[frame] }));
    pages.forEach(({ page, frame }, i) => {
      const at = descriptor + DESCRIPTOR_PAGES + 16 * i;
      view.setUint32(at, page % 2 ** 32, true);
      view.setUint32(at + 4, Math.floor(page / 2 ** 32), true);
      view.setUint32(at + 8, frame, true);
    });
    const byAddress = new Map(plan.blocks.map((block) => [block.address, block]));
    writer.entryAddresses().forEach((address, entry) => {
      const block = byAddress.get(address);
      if (block === undefined || (block.region !== undefined && !plan.seeds.includes(block))) return;
      const region: RegionEntry = { target: (target << 1) | 1, entry, descriptor, pages };
      block.region = region;
      core.fill(block, space);
    });
    this.known.set(target, { ...plan, descriptor, spent: 0, replaced: false });
  }

  /** Zeroed bytes in linear memory that stay; 0 where there is no room. */
  private reserve(bytes: number): number {
    const size = (bytes + 15) & ~15;
    if (this.room + size > this.roomEnd) {
      this.room = this.core.pool.reserve(ROOM_FRAMES) * FRAME_SIZE;
      if (this.room === 0) return 0;
      this.roomEnd = this.room + ROOM_FRAMES * FRAME_SIZE;
    }
    const at = this.room;
    this.room += size;
    return at;
  }

  /** The seeds and what they lead to by direct jumps, calls and returns from them, what ran most often first. */
  private form(seeds: readonly StreamBlock[], space: PagedSpace, growths: number): Plan {
    const { core } = this;
    const blocks: StreamBlock[] = [];
    const taken: StreamBlock[] = [];
    const pages = new Map<number, number>();
    const seen = new Set<number>();
    const waiting: StreamBlock[] = [];
    let words = 0;
    const [mostBlocks, mostWords] = this.isCompact({ growths })
      ? [FIRST_BLOCKS, FIRST_WORDS]
      : [MAX_BLOCKS, MAX_WORDS];
    const add = (block: StreamBlock): boolean => {
      const page = Math.floor(block.address / PAGE_SIZE);
      if (blocks.length >= mostBlocks || words + block.code.length > mostWords) return false;
      if (!pages.has(page) && pages.size >= MAX_PAGES) return false;
      if ((pages.get(page) ?? block.frame) !== block.frame) return false;
      pages.set(page, block.frame);
      words += block.code.length;
      blocks.push(block);
      const site = returnSite(block);
      for (const address of [...successorsOf(block), ...(site === undefined ? [] : [site])]) {
        if (seen.has(address)) continue;
        seen.add(address);
        const next = core.known(address, core.frameOf(space, address - (address % PAGE_SIZE)));
        if (next === undefined || !translatable(next)) continue;
        if (core.executionsOf(next) >= RARE || core.eager) waiting.push(next);
      }
      return true;
    };
    for (const seed of seeds) {
      seen.add(seed.address);
      if (blocks.includes(seed) || add(seed)) taken.push(seed);
    }
    while (waiting.length > 0) {
      let best = 0;
      for (let i = 1; i < waiting.length; i++)
        if (core.executionsOf(waiting[i]) > core.executionsOf(waiting[best])) best = i;
      const [block] = waiting.splice(best, 1);
      if (!blocks.includes(block)) add(block);
    }
    return { blocks, seeds: taken, pages, growths };
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
