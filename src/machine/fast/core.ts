// One pool's half of the fast engine: the core module's instance, lifted and encoded blocks by address and by what
// stands there, and the operations that translated code leaves to the reference.
import { assert } from '../../bytes/index.ts';
import { IR, IR_OPS, type Lifter, WORDS } from '../../isa/index.ts';
import type { CodeStore } from '../code-store.ts';
import { GuestFault } from '../fault.ts';
import { FRAME_SIZE, type FramePool } from '../frames.ts';
import type { HelperEnvironment } from '../helpers.ts';
import { Frame, HANDLERS } from '../interpret.ts';
import { MemoryFault, PAGE_SIZE } from '../memory.ts';
import { ENTRY } from '../page-table.ts';
import type { PagedSpace } from '../space.ts';
import { operandsOf, widthOfValue } from './analysis.ts';
import { firstExit, instructionOf } from './block-code.ts';
import { BlockIndex } from './block-index.ts';
import { CASE, PLAIN_ACCESSES, type PlainAccess } from './cases.ts';
import { coreInstance, rareStatus } from './core-instance.ts';
import { CpuArea } from './cpu-area.ts';
import { DispatchTable } from './dispatch-table.ts';
import { StreamEncoder } from './encode.ts';
import { firstOf } from './fused.ts';
import { createTable, type WasmTable } from './host.ts';
import { CPU, ENTRY_DETAIL, HEADER, LINKS, type Places } from './layout.ts';
import { Library, type Unit } from './library.ts';
import { Stops } from './stops.ts';
import type { BlockRecord } from './stored-code.ts';
import { Shelf } from './stored-regions.ts';
import {
  type BlockDetail,
  type BlockFacts,
  type RegionEntry,
  StreamBlock,
  TextArena,
} from './stream-block.ts';

export type { RegionEntry, StreamBlock } from './stream-block.ts';

const LONGEST_INSTRUCTION = 15;
/** As the reference engine's blocks. */
const WINDOW = 512;
const CHUNK_FRAMES = 64;
/** Blocks at most; then all are forgotten and their places used again. */
const CAPACITY = 600_000;

const HANDLER_TABLE = IR_OPS.map((row) => HANDLERS[row[0]]);
const YIELDS = IR_OPS.map((row) => row[2] !== '');
export interface CoreEnvironment extends Omit<HelperEnvironment, 'tsc'> {
  readonly tsc: (() => bigint) | undefined;
  /** Translate everything before it first runs: for tests. */
  readonly eager: boolean;
  /** What is translated first is small, and made anew when it has run for long. */
  readonly compact: boolean;
  readonly store: CodeStore | undefined;
}

/** Where a block's code ends may depend on so many bytes after it. */
const LOOKAHEAD = LONGEST_INSTRUCTION;

/** Executions of a block until the translator hears of it, and again each time. */
const HOT = 32_768;
/** A block that was hot in an earlier run is again after so many executions. */
const SOON = 16;

export class Core extends CpuArea {
  readonly eager: boolean;
  readonly compact: boolean;
  readonly hot: number;
  readonly table: WasmTable;
  readonly exports: Readonly<Record<string, (...values: never[]) => unknown>>;
  readonly run: (fuel: number) => number;
  readonly settle: () => number;
  /** State of slow operations. */
  readonly frame: Frame;
  private readonly lifter: Lifter;
  private readonly encoder: StreamEncoder;
  private readonly texts = new TextArena();
  private readonly library: Library | undefined;
  private readonly shelves = new Map<string, Shelf>();
  private readonly store: CodeStore | undefined;
  private readonly entries: DispatchTable;
  private readonly detailOf = (block: StreamBlock): BlockDetail => this.detail(block);
  private readonly blocks = new BlockIndex();
  readonly byNumber: StreamBlock[] = [];
  private chunk = 0;
  private chunkEnd = 0;
  private freeChunks: number[] = [];
  private readonly chunks: number[] = [];
  /** codeChanges of the pool when the dispatch table was last right. */
  private changes: number;
  /** What the last slow operation threw. */
  error: unknown;
  /** Where it did: block and operation. */
  faultBlock = 0;
  faultOperation = 0;
  readonly stops: Stops;
  /** Executed instructions at the start of the block of a slow operation, for the time stamp counter. */
  readonly clock: { budget: number; bias: number; base: number; now: number };

  /** Undefined where the pool has no room. */
  static create(pool: FramePool, lifter: Lifter, environment: CoreEnvironment): Core | undefined {
    const cpu = pool.allocateTable() * 4;
    const emptyLeaf = pool.allocateTable() * 4;
    const table = pool.reserve((2 * ENTRY_DETAIL) / FRAME_SIZE) * FRAME_SIZE;
    if (cpu === 0 || emptyLeaf === 0 || table === 0) return undefined;
    return new Core(pool, lifter, environment, { cpu, emptyLeaf, table });
  }

  private constructor(pool: FramePool, lifter: Lifter, environment: CoreEnvironment, places: Places) {
    super(pool, places);
    this.stops = new Stops(pool);
    this.lifter = lifter;
    this.eager = environment.eager;
    this.compact = environment.compact;
    this.hot = this.eager ? 2 : HOT;
    this.entries = new DispatchTable(pool, places.table);
    this.encoder = new StreamEncoder(places.cpu);
    const { store, features } = environment;
    this.store = store;
    if (store !== undefined)
      this.library = new Library(
        store,
        [[...features].sort().join('+'), places.cpu, places.table, places.emptyLeaf].join('.'),
      );
    this.clock = { budget: 0, bias: 0, base: 0, now: 0 };
    const tsc = environment.tsc ?? ((): bigint => BigInt(this.clock.now));
    this.frame = new Frame({ features: environment.features, tsc });
    this.table = createTable(16, 1_000_000);
    const instance = coreInstance(places, this.hot, store, {
      memory: pool.linear,
      table: this.table,
      slow: (header: number, operation: number, fuel: number): number =>
        this.slowStream(header, operation, fuel),
      rare: (kw: number, a: bigint, b: bigint, c: bigint, before: number): number =>
        rareStatus(kw, a, b, c, before),
    });
    this.exports = instance.exports as Readonly<Record<string, (...values: never[]) => unknown>>;
    this.run = this.exports['run'] as unknown as (fuel: number) => number;
    this.settle = this.exports['settle'] as unknown as () => number;
    this.changes = pool.codeChanges;
    pool.view.setUint32(places.cpu + CPU.again, CASE.dispatch, true);
    this.writeNumbers();
    this.flush();
  }

  /** Empties the dispatch table. */
  flush(): void {
    this.entries.clear();
    this.forgetCalls();
    this.newEpoch();
    this.changes = this.pool.codeChanges;
  }

  /** Makes the dispatch table right after code may have changed. */
  refresh(): void {
    if (this.pool.codeChanges !== this.changes) this.flush();
  }

  // blocks

  /** The block at an address of user space, and its entry in the dispatch table; throws MemoryFault. */
  enter(space: PagedSpace, address: number): StreamBlock {
    const block = this.find(space, address) ?? this.add(space, address);
    this.refresh();
    this.fill(block, space);
    return block;
  }

  /** Makes the dispatch table lead to the block: to its region where that stands in `space`, else to its stream. */
  fill(block: StreamBlock, space: PagedSpace | undefined): void {
    const region =
      space !== undefined && block.region !== undefined && this.stands(block.region, space)
        ? block.region
        : undefined;
    this.entries.put(block, region);
  }

  /** The region's pages are what they were, and where they were; pages not touched yet are. */
  private stands(region: RegionEntry, space: PagedSpace): boolean {
    const { versions } = this.pool;
    try {
      return region.pages.every(
        ({ page, frame, version }) =>
          versions[frame] === version && space.executable(page * PAGE_SIZE) === frame,
      );
    } catch (error) {
      if (error instanceof MemoryFault) return false;
      throw error;
    }
  }

  /** A block that is known and still right. */
  find(space: PagedSpace, address: number): StreamBlock | undefined {
    const { versions } = this.pool;
    const frame = space.executable(address);
    for (let known = this.blocks.at(address); known !== undefined; known = known.older) {
      if (known.frame !== frame || known.version !== versions[frame]) continue;
      if (
        known.frame2 === 0 ||
        (known.version2 === versions[known.frame2] && known.frame2 === space.executable(pageAfter(address)))
      )
        return known;
    }
    return undefined;
  }

  /** The frame of an executable page, 0 where there is none yet. */
  frameOf(space: PagedSpace, page: number): number {
    const entry = space.table.entry(page);
    return (entry & ENTRY.EXEC) !== 0 ? entry >>> 12 : 0;
  }

  /** A block at the address in this frame, if one was lifted and stands, and reaches into no other page. */
  known(address: number, frame: number): StreamBlock | undefined {
    for (let block = this.blocks.at(address); block !== undefined; block = block.older)
      if (block.frame === frame && block.frame2 === 0 && this.holds(block)) return block;
    return undefined;
  }

  holds(block: StreamBlock): boolean {
    return block.version === this.pool.versions[block.frame];
  }

  /** How often the interpreter ran it. */
  executionsOf(block: StreamBlock): number {
    return this.pool.view.getInt32(block.header + 4, true);
  }

  /** Byte address of the scratch slots of regions. */
  get scratch(): number {
    return this.places.cpu + CPU.scratch;
  }

  private add(space: PagedSpace, address: number): StreamBlock {
    const frame = space.executable(address);
    space.watchCode(address);
    const unit = this.library?.at(space, address);
    const stored = unit === undefined ? undefined : this.restore(space, address, frame, unit);
    if (stored !== undefined) return stored;
    const block = this.make(space, address, frame);
    unit?.added.push(block.number);
    return block;
  }

  /** Lifts and encodes. */
  private make(space: PagedSpace, address: number, frame: number): StreamBlock {
    const left = PAGE_SIZE - (address % PAGE_SIZE);
    const { lifter, encoder } = this;
    let frame2 = 0;
    let bytes = space.codeBytes(address, Math.min(left, WINDOW));
    let block = lifter.peek(bytes, address);
    if (block === undefined) {
      // the first instruction reaches into the next page
      const next = pageAfter(address);
      frame2 = space.executable(next);
      space.watchCode(next);
      bytes = space.read(address, Math.min(left, LONGEST_INSTRUCTION) + LONGEST_INSTRUCTION);
      block = lifter.peek(bytes, address, 1);
      if (block === undefined) throw new MemoryFault(next, 'execute');
    }
    // a block that may leave early does so in its last instruction only: then all of it has run
    const leaving = firstExit(block.code) + 1;
    let limit = block.instructions;
    if (leaving > 0 && leaving < limit) {
      block = lifter.peek(bytes, address, leaving) ?? block;
      limit = leaving;
    }
    const compared = Math.min(bytes.length, block.length + LOOKAHEAD);
    const textAt = this.texts.take(compared);
    const text = this.texts.bytes;
    text.set(bytes.subarray(0, compared), textAt);
    let base = this.place(block.code.length);
    while (!encoder.encode(block.code, { words: this.pool.words, at: base / 4, base })) {
      limit >>= 1;
      const shorter =
        limit === 0 ? undefined : lifter.peek(text.subarray(textAt, textAt + compared), address, limit);
      assert(shorter !== undefined, 'one instruction fits the interpreter’s slots');
      block = shorter;
      base = this.place(block.code.length);
    }
    const { versions } = this.pool;
    return this.remember(
      {
        number: this.byNumber.length,
        address,
        length: block.length,
        instructions: block.instructions,
        base,
        header: base + encoder.constants,
        words: encoder.length,
        frame,
        version: versions[frame],
        frame2,
        version2: versions[frame2],
        text,
        textAt,
        compared,
      },
      0,
    );
  }

  /** Takes the block from the store, where it was made from the bytes that stand here. */
  private restore(space: PagedSpace, address: number, frame: number, unit: Unit): StreamBlock | undefined {
    const { stored } = unit;
    const record = stored?.find(address - unit.base) ?? -1;
    if (stored === undefined || record < 0) return undefined;
    const { pool } = this;
    const left = PAGE_SIZE - (address % PAGE_SIZE);
    const compared = stored.compared(record);
    const at = frame * FRAME_SIZE + (address % PAGE_SIZE);
    if (!stored.matches(record, pool.bytes, at, 0, Math.min(left, compared))) return undefined;
    let frame2 = 0;
    if (compared > left) {
      const next = pageAfter(address);
      frame2 = space.executable(next);
      space.watchCode(next);
      if (!stored.matches(record, this.pool.bytes, frame2 * FRAME_SIZE, left, compared)) return undefined;
    }
    const words = stored.streamWords(record);
    const base = this.room(4 * words + 16);
    if (!stored.restore(record, this.pool.words, base / 4, base)) return undefined;
    const { versions } = this.pool;
    const number = this.byNumber.length;
    unit.taken.set(record, number);
    return this.remember(
      {
        number,
        address,
        length: stored.length(record),
        instructions: stored.instructions(record),
        base,
        header: base + 4 * stored.constants(record),
        words,
        frame,
        version: versions[frame],
        frame2,
        version2: versions[frame2],
        text: stored.text,
        textAt: stored.textAt(record),
        compared,
      },
      this.warmth(unit, address, stored.executions(record)),
    );
  }

  /** How often a block that ran so often in an earlier run counts as run: where a region begins it soon is hot again. */
  private warmth(unit: Unit, address: number, executions: number): number {
    const begins = this.shelfOf(unit)?.waiting.has(address) === true;
    return begins ? this.hot - SOON : Math.min(executions, this.hot >> 1);
  }

  private detail(block: StreamBlock): BlockDetail {
    const { text, textAt, compared, address, instructions, base } = block;
    const lifted = this.lifter.lift(text.subarray(textAt, textAt + compared), address, instructions);
    assert(lifted !== undefined, 'the bytes of a block are those of its code');
    const { code } = lifted;
    const { encoder } = this;
    const words = new Uint32Array(code.length * 3 + 64);
    assert(
      encoder.encode(code.slice(), { words, at: 0, base }) && encoder.length === block.words,
      'a block is encoded as before',
    );
    return {
      code,
      homes: encoder.homes.slice(0, code.length / WORDS),
      marks: encoder.marks.slice(0, instructions),
    };
  }

  private remember(facts: BlockFacts, executions: number): StreamBlock {
    const { words } = this.pool;
    const at = facts.header / 4;
    words[at] = facts.instructions;
    words[at + 1] = this.eager ? 1 : executions;
    words[at + 2] = facts.number;
    words.fill(0, at + LINKS / 4, at + HEADER / 4);
    this.chunk = facts.base + facts.words * 4;
    const block = new StreamBlock(facts, this.detailOf);
    this.byNumber.push(block);
    this.blocks.put(block);
    return block;
  }

  /** The block at an address, made if need be; undefined where no code can be. */
  obtain(space: PagedSpace, address: number): StreamBlock | undefined {
    try {
      return this.find(space, address) ?? this.add(space, address);
    } catch (error) {
      if (error instanceof MemoryFault) return undefined;
      throw error;
    }
  }

  /** Stored regions of the file that is mapped at an address. */
  shelf(space: PagedSpace, address: number): Shelf | undefined {
    const unit = this.library?.at(space, address);
    return unit === undefined ? undefined : this.shelfOf(unit);
  }

  private shelfOf(unit: Unit): Shelf | undefined {
    if (this.store === undefined) return undefined;
    let shelf = this.shelves.get(unit.name);
    if (shelf === undefined) {
      shelf = new Shelf(this.store, unit.name);
      this.shelves.set(unit.name, shelf);
    }
    return shelf;
  }

  /** Stores what this run made. */
  keep(): void {
    const { library } = this;
    if (library === undefined) return;
    for (const shelf of this.shelves.values()) shelf.save();
    this.stops.clear();
    const { words } = this.pool;
    library.save({
      executions: (number) => this.executionsOf(this.byNumber[number]),
      record: (number, unit): BlockRecord => {
        const block = this.byNumber[number];
        const constants = (block.header - block.base) / 4;
        return {
          position: block.address - unit.base,
          length: block.length,
          instructions: block.instructions,
          text: block.text,
          textAt: block.textAt,
          compared: block.compared,
          words,
          streamAt: block.base / 4,
          streamWords: block.words,
          base: block.base,
          constants,
          executions: this.executionsOf(block),
        };
      },
    });
  }

  /** Room for the stream of a block of so many IR words, at the end of what is used so far. */
  private place(irWords: number): number {
    // an operation of four words has at most six in a stream, and constants beside
    return this.room(irWords * 4 * 3 + 256);
  }

  private room(need: number): number {
    if (this.chunk + need > this.chunkEnd || this.byNumber.length >= CAPACITY) this.nextChunk(need);
    return this.chunk;
  }

  private nextChunk(need: number): void {
    const frames = Math.max(CHUNK_FRAMES, Math.ceil(need / FRAME_SIZE));
    let first = frames === CHUNK_FRAMES ? (this.freeChunks.pop() ?? 0) : 0;
    if (first === 0 && this.byNumber.length < CAPACITY) first = this.pool.reserve(frames) * FRAME_SIZE;
    if (first === 0) {
      this.forget();
      first = this.freeChunks.pop() ?? 0;
    }
    if (first === 0) throw new MemoryFault(0, 'execute', 'memory');
    if (frames === CHUNK_FRAMES) this.chunks.push(first);
    this.chunk = first;
    this.chunkEnd = first + frames * FRAME_SIZE;
  }

  /** Starts over with no blocks. */
  private forget(): void {
    this.blocks.clear();
    this.byNumber.length = 0;
    this.library?.forget();
    this.freeChunks = this.chunks.splice(0);
    this.flush();
    this.onForget();
  }
  onForget: () => void = () => {};

  blockAt(header: number): StreamBlock {
    return this.byNumber[this.pool.view.getInt32(header + 8, true)];
  }

  // slow operations

  private slowStream(header: number, operation: number, fuel: number): number {
    const block = this.blockAt(header);
    const pc = this.field(CPU.pc);
    const access = PLAIN_ACCESSES[firstOf(this.pool.view.getInt32(pc, true))];
    return access === undefined
      ? this.slow(block, operation, fuel, undefined)
      : this.slowAccess(block, operation, pc, access);
  }

  /** A load or store that needs a page first, mostly: the stream at `pc` says all that is needed. */
  private slowAccess(block: StreamBlock, operation: number, pc: number, access: PlainAccess): number {
    const { frame, pool } = this;
    const { store, displaced, width, code } = access;
    const before = pool.codeChanges;
    const { view } = pool;
    const to = view.getInt32(pc + 4, true);
    const address = store ? to : view.getInt32(pc + 8, true);
    const number = displaced ? view.getInt16(pc + (store ? 8 : 12), true) : 0;
    try {
      this.cpu();
      frame.values[0] = BigInt.asUintN(64, this.read(address, 64) + BigInt(number));
      if (store) frame.values[1] = this.read(view.getInt32(pc + (displaced ? 12 : 8), true), width);
      HANDLER_TABLE[code[2 * WORDS] & 0xff](frame, code, 2 * WORDS);
      this.closeWindows();
      if (!store) this.write(to, width, frame.values[2]);
    } catch (error) {
      return this.failed(error, block, operation);
    }
    if (pool.codeChanges === before) return 0;
    this.refresh();
    this.stopAfter(block, operation);
    return 2;
  }

  private failed(error: unknown, block: StreamBlock, operation: number): number {
    if (!(error instanceof MemoryFault || error instanceof GuestFault)) throw error;
    this.error = error;
    this.faultBlock = block.number;
    this.faultOperation = operation;
    return 1;
  }

  /**
   * Runs an operation by its reference handler: operands and result at their homes, or, from a region, in the scratch
   * slots. 0 done, 1 it faulted, 2 done and code changed.
   */
  slow(block: StreamBlock, operation: number, fuel: number, scratch: number | undefined): number {
    const { frame, clock, pool } = this;
    const { code } = block;
    const at = operation * WORDS;
    const before = pool.codeChanges;
    try {
      // helpers hold on to the register file while they touch memory: it must not move meanwhile
      if ((code[at] & 0xff) === IR.call) pool.ensure(64);
      this.cpu();
      clock.now = clock.base + clock.budget - (fuel - clock.bias + block.instructions);
      const operands = operandsOf(code, at);
      for (let k = 0; k < 3; k++) {
        if ((operands & (1 << k)) === 0) continue;
        const value = code[at + 1 + k];
        frame.values[value] = this.read(
          scratch === undefined ? block.homes[value] : scratch + 16 * k,
          widthOfValue(code, value),
        );
      }
      HANDLER_TABLE[code[at] & 0xff](frame, code, at);
      this.closeWindows();
      const home = scratch === undefined ? block.homes[operation] : scratch + 48;
      if (home !== 0 && YIELDS[code[at] & 0xff])
        this.write(home, widthOfValue(code, operation), frame.values[operation]);
    } catch (error) {
      return this.failed(error, block, operation);
    }
    if (pool.codeChanges === before) return 0;
    this.refresh();
    if (scratch === undefined) this.stopAfter(block, operation);
    return 2;
  }

  /** Code changed in the middle of a block: what follows this instruction may no longer stand. */
  private stopAfter(block: StreamBlock, operation: number): void {
    const mark = instructionOf(block.code, operation) + 1;
    if (mark < block.instructions) this.stops.put(block, mark);
  }

  /** Address of the block's instruction `mark`. */
  addressOf(block: StreamBlock, mark: number): number {
    return block.address + (block.marks[mark] >>> 16);
  }
}

function pageAfter(address: number): number {
  return address - (address % PAGE_SIZE) + PAGE_SIZE;
}
