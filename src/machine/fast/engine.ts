// The fast engine: same meaning as the reference, held against it by tests. Cold code runs in an interpreter that is
// WebAssembly itself, hot code is translated in regions. Everything is exact to the instruction: faults, budgets, code
// that changes itself.
import { assert } from '../../bytes/index.ts';
import {
  BASELINE,
  createDecoder,
  disassemble,
  type FeatureSet,
  IR,
  Lifter,
  TRAPS,
  WORDS,
} from '../../isa/index.ts';
import type { Engine, EngineStop, Registers } from '../engine.ts';
import { GuestFault } from '../fault.ts';
import type { FramePool } from '../frames.ts';
import { isCanonical } from '../interpret.ts';
import { type AddressSpace, MemoryFault } from '../memory.ts';
import { createReferenceEngine, type EngineOptions } from '../reference.ts';
import { RegisterFile } from '../registers.ts';
import { PagedSpace } from '../space.ts';
import { addressOf, instructionOf } from './block-code.ts';
import { Core } from './core.ts';
import { CPU, EXIT } from './layout.ts';
import type { StreamBlock } from './stream-block.ts';
import { Translator } from './translator.ts';

export interface FastEngineOptions extends EngineOptions {
  /** Translate everything before it first runs, cold or not: for tests; `compact`: as code that is not hot yet. */
  readonly eager?: boolean | 'compact';
  /** Instructions that the reference runs before the fast engine is made, default 0: many programs need no more. */
  readonly plainFirst?: number;
}

/** A `plainFirst` that takes about as long as making the fast engine does. */
export const SHORT_PROGRAM = 100_000;

export class FastEngine implements Engine {
  executed = 0;
  private readonly options: FastEngineOptions;
  private readonly features: FeatureSet;
  private readonly cores = new WeakMap<FramePool, Core | Engine>();
  private pool: FramePool | undefined;
  private core: Core | Engine | undefined;
  private plain: Engine | undefined;

  constructor(options: FastEngineOptions) {
    this.options = options;
    this.features = options.features ?? BASELINE;
  }

  /** The core of a pool; a reference engine where the pool has no room for one. */
  private coreOf(pool: FramePool): Core | Engine {
    if (pool === this.pool && this.core !== undefined) return this.core;
    let core = this.cores.get(pool);
    if (core === undefined) {
      core =
        Core.create(pool, new Lifter(this.features), {
          features: this.features,
          tsc: this.options.tsc,
          eager: (this.options.eager ?? false) !== false,
          compact: this.options.eager !== true,
          store: this.options.store,
        }) ?? createReferenceEngine(this.options);
      this.cores.set(pool, core);
    }
    this.pool = pool;
    this.core = core;
    return core;
  }

  /** Stores what was prepared in the machine that ran last. */
  keep(): void {
    if (this.core instanceof Core) this.core.keep();
  }

  run(registers: Registers, space: AddressSpace, budget: number): EngineStop {
    assert(
      registers instanceof RegisterFile && space instanceof PagedSpace,
      'registers and memory are the machine’s own',
    );
    const plainly = (this.options.plainFirst ?? 0) - this.executed;
    if (plainly > 0 && this.core === undefined) {
      this.plain ??= createReferenceEngine(this.options);
      const before = this.executed;
      const stop = this.runOn(this.plain, registers, space, Math.min(budget, plainly));
      const left = budget - (this.executed - before);
      return stop.kind !== 'budget' || left === 0 ? stop : this.run(registers, space, left);
    }
    const core = this.coreOf(space.pool);
    if (!(core instanceof Core)) return this.runOn(core, registers, space, budget);
    return new Run(core, registers, space, this, budget).go();
  }

  private runOn(engine: Engine, registers: Registers, space: AddressSpace, budget: number): EngineStop {
    const before = engine.executed;
    const stop = engine.run(registers, space, budget);
    this.executed += engine.executed - before;
    return stop;
  }
}

const TRANSLATORS = new WeakMap<Core, Translator>();

function translatorOf(core: Core): Translator {
  let translator = TRANSLATORS.get(core);
  if (translator === undefined) {
    translator = new Translator(core);
    TRANSLATORS.set(core, translator);
  }
  return translator;
}

/** One call of `run`. */
class Run {
  private readonly core: Core;
  private readonly registers: RegisterFile;
  private readonly space: PagedSpace;
  private readonly engine: FastEngine;
  private readonly budget: number;
  private left: number;

  constructor(core: Core, registers: RegisterFile, space: PagedSpace, engine: FastEngine, budget: number) {
    this.core = core;
    this.registers = registers;
    this.space = space;
    this.engine = engine;
    this.budget = budget;
    this.left = budget;
  }

  go(): EngineStop {
    const { core } = this;
    core.refresh();
    core.load(this.registers, this.space.table.root);
    if (core.frame.space !== this.space) core.forgetLeaves();
    core.frame.space = this.space;
    core.clock.base = this.engine.executed;
    core.clock.budget = this.budget;
    const stop = this.loop();
    core.save(this.registers);
    this.engine.executed += this.budget - this.left;
    return stop;
  }

  private loop(): EngineStop {
    const { core } = this;
    for (;;) {
      const before = this.left;
      const code = core.run(before);
      this.left = core.field(CPU.fuel);
      const header = core.field(CPU.block);
      let stop: EngineStop | undefined;
      switch (code) {
        case EXIT.miss:
          stop = this.miss(header);
          break;
        case EXIT.fuel:
          if ((header & 1) !== 0) translatorOf(core).ran(header >> 1, before - this.left, this.space);
          else core.rip = core.blockAt(header).address;
          if (this.left === 0) return { kind: 'budget' };
          stop = this.partly();
          break;
        case EXIT.hot:
          core.rip = core.blockAt(header).address;
          translatorOf(core).hot(core.blockAt(header), this.space);
          break;
        case EXIT.grow:
          translatorOf(core).grow(header >> 1, this.space);
          break;
        case EXIT.outside:
          core.fill(core.enter(this.space, core.rip), undefined);
          break;
        case EXIT.boundary:
          this.boundary();
          break;
        default:
          stop = this.stop(code, header);
      }
      if (core.stops.length > 0 && stop !== undefined) core.stops.clear();
      if (stop !== undefined) return stop;
    }
  }

  /** Code at rip is not known, or not where it may run. */
  private miss(header: number): EngineStop | undefined {
    const { core, space } = this;
    if (core.ripHigh >= 0x8000) return this.outside(header);
    try {
      // the root appears with the first page that is touched
      core.enter(space, core.rip);
      core.setRoot(space.table.root);
      if (this.left > 0) return undefined;
      return { kind: 'budget' };
    } catch (error) {
      return this.faultStop(error);
    }
  }

  /** A jump out of user space: the processor checks the target before it jumps. */
  private outside(header: number): EngineStop {
    const { core } = this;
    const target = core.cpu().view.getBigUint64(128, true);
    if (isCanonical(target) || header === 0 || (header & 1) !== 0)
      return { kind: 'fault', fault: 'page', address: Number(target), access: 'execute' };
    const block = core.blockAt(header);
    core.rip = addressOf(block.code, block.instructions - 1).address;
    return { kind: 'fault', fault: 'general', address: 0, access: 'execute' };
  }

  /** Fewer instructions are left than the block has: it is run with a stop where they end. */
  private partly(): EngineStop | undefined {
    const { core } = this;
    const block = core.enter(this.space, core.rip);
    // a region stops early after code changed
    if (this.left >= block.instructions) return undefined;
    core.fill(block, undefined);
    const stop = this.shortened(block);
    core.fill(block, this.space);
    return stop;
  }

  private shortened(block: StreamBlock): EngineStop | undefined {
    const { core } = this;
    const wanted = this.left;
    const bias = block.instructions - wanted;
    core.stops.put(block, wanted);
    core.clock.bias = bias;
    const code = core.run(block.instructions);
    core.clock.bias = 0;
    this.left = core.field(CPU.fuel) - bias;
    if (code === EXIT.boundary) {
      this.boundary();
      return undefined;
    }
    if (code === EXIT.fault) {
      const stop = this.stop(code, core.field(CPU.block));
      core.stops.clear();
      return stop;
    }
    if (code === EXIT.hot) {
      core.stops.clear();
      return undefined;
    }
    throw new Error(`internal error: a shortened block ended with ${code}`);
  }

  /** A stop in a stream was reached. */
  private boundary(): void {
    const { core } = this;
    const pc = core.field(CPU.pc);
    const stop = core.stops.find(pc);
    assert(stop !== undefined, 'a stop that was put there');
    core.rip = core.addressOf(stop.block, stop.mark);
    this.left += stop.block.instructions - stop.mark;
    core.stops.clear();
  }

  private stop(code: number, header: number): EngineStop {
    const { core } = this;
    if (code === EXIT.syscall) return { kind: 'syscall' };
    if (code === EXIT.fault) {
      const block = core.byNumber[core.faultBlock];
      const number = instructionOf(block.code, core.faultOperation);
      // what did not begin was not executed
      this.left += block.instructions - (number + 1);
      core.rip = addressOf(block.code, number).address;
      return this.faultStop(core.error);
    }
    assert(code === EXIT.end, 'a known exit');
    return this.ended(core.blockAt(header));
  }

  /** The block ended in a trap or an instruction without meaning here. */
  private ended(block: StreamBlock): EngineStop {
    const { core } = this;
    const { address, length } = addressOf(block.code, block.instructions - 1);
    const at = block.code.length - WORDS;
    if ((block.code[at] & 0xff) === IR.trap) {
      const kind = TRAPS[block.code[at + 1]];
      if (kind === 'pause') {
        core.rip = address + length;
        return { kind };
      }
      const after = kind === 'breakpoint' || kind === 'debug' || kind === 'overflow';
      core.rip = address + (after ? length : 0);
      return { kind: 'fault', fault: kind, address: 0, access: 'execute' };
    }
    core.rip = address;
    const bytes = this.space.read(address, length);
    const decoder = createDecoder();
    decoder.start(bytes, address);
    return {
      kind: 'unsupported',
      address,
      text: disassemble(bytes, address),
      code: decoder.next()?.codeName ?? 'INVALID',
    };
  }

  private faultStop(error: unknown): EngineStop {
    if (error instanceof MemoryFault)
      return { kind: 'fault', fault: error.fault, address: error.address, access: error.access };
    if (error instanceof GuestFault)
      return { kind: 'fault', fault: error.fault, address: 0, access: 'execute' };
    throw error;
  }
}

/** The engine that is held against the reference and runs everything else. */
export function createFastEngine(options: FastEngineOptions = {}): Engine {
  return new FastEngine(options);
}
