// The reference engine: lifts block by block and interprets IR. Plain and slow; the others are held against it.
import { assert } from '../bytes/index.ts';
import { BASELINE, createDecoder, disassemble, type FeatureSet, Lifter, TRAPS } from '../isa/index.ts';
import { BlockCache } from './block-cache.ts';
import type { CodeStore } from './code-store.ts';
import type { Engine, EngineStop, Registers } from './engine.ts';
import { type Fault, GuestFault } from './fault.ts';
import { Frame, interpret, isCanonical, type PreparedBlock } from './interpret.ts';
import { type AddressSpace, MemoryFault } from './memory.ts';
import { RegisterFile } from './registers.ts';
import { ADDRESS_LIMIT, PagedSpace } from './space.ts';

export interface EngineOptions {
  /** Instruction set extensions beyond the baseline. */
  readonly features?: FeatureSet | undefined;
  /** The time stamp counter; by default it counts instructions. */
  readonly tsc?: () => bigint;
  /** Instructions in a lifted block at most; 1 suits an engine that is run instruction by instruction. */
  readonly blockInstructions?: number;
  /** Where prepared code is kept from one process to the next (Engine.keep); the reference prepares none. */
  readonly store?: CodeStore | undefined;
}

/** Other engines that go block by block (the concolic one) change how a block is run, and when to stop. */
export class ReferenceEngine implements Engine {
  executed = 0;
  private readonly blocks: BlockCache;
  private readonly frame: Frame;
  private readonly features: FeatureSet;

  constructor(options: EngineOptions) {
    this.features = options.features ?? BASELINE;
    this.blocks = new BlockCache(new Lifter(this.features), options.blockInstructions);
    this.frame = new Frame({ features: this.features, tsc: options.tsc ?? (() => BigInt(this.executed)) });
  }

  run(registers: Registers, space: AddressSpace, budget: number): EngineStop {
    assert(
      registers instanceof RegisterFile && space instanceof PagedSpace,
      'registers and memory are the machine’s own',
    );
    const m = this.frame;
    m.cpu = registers;
    m.space = space;
    m.remaining = budget;
    m.address = registers.rip;
    m.length = 0;
    const stop = this.loop(m);
    m.settle();
    return stop;
  }

  private loop(m: Frame): EngineStop {
    const before = this.executed + m.remaining;
    try {
      for (;;) {
        m.codeChanges = m.space.pool.codeChanges;
        const block = this.blocks.at(m.space, m.address);
        this.execute(m, block);
        this.executed = before - m.remaining;
        const stop = this.next(m);
        if (stop !== undefined) return stop;
      }
    } catch (error) {
      this.executed = before - m.remaining;
      return this.fault(m, error);
    }
  }

  /** Runs a block until it is left. */
  protected execute(m: Frame, block: PreparedBlock): void {
    interpret(m, block);
  }

  /** Goes on at the next block, or says why not. */
  protected next(m: Frame): EngineStop | undefined {
    switch (m.leave) {
      case 'jump':
        // the processor checks the target before it jumps
        if (!isCanonical(m.next)) return this.stopAt(m, 'general');
        if (m.next >= ADDRESS_LIMIT) return kernelTarget(m);
        m.cpu.rip = m.address = Number(m.next);
        m.length = 0;
        return undefined;
      case 'again':
        return undefined;
      case 'budget':
        m.cpu.rip = m.address;
        return { kind: 'budget' };
      case 'syscall':
        m.cpu.rip = Number(m.next);
        return { kind: 'syscall' };
      case 'trap':
        return this.trap(m);
      default:
        m.cpu.rip = m.address;
        return this.unsupported(m);
    }
  }

  private trap(m: Frame): EngineStop {
    const kind = TRAPS[m.trap];
    if (kind === 'pause') {
      m.cpu.rip = m.address + m.length;
      return { kind };
    }
    const after = kind === 'breakpoint' || kind === 'debug' || kind === 'overflow';
    m.cpu.rip = m.address + (after ? m.length : 0);
    return { kind: 'fault', fault: kind, address: 0, access: 'execute' };
  }

  private stopAt(m: Frame, fault: Fault): EngineStop {
    m.cpu.rip = m.address;
    return { kind: 'fault', fault, address: 0, access: 'execute' };
  }

  private fault(m: Frame, error: unknown): EngineStop {
    if (error instanceof MemoryFault) {
      m.cpu.rip = m.address;
      return { kind: 'fault', fault: error.fault, address: error.address, access: error.access };
    }
    if (error instanceof GuestFault) return this.stopAt(m, error.fault);
    throw error;
  }

  private unsupported(m: Frame): EngineStop {
    const bytes = m.space.read(m.address, m.length);
    const decoder = createDecoder();
    decoder.start(bytes, m.address);
    return {
      kind: 'unsupported',
      address: m.address,
      text: disassemble(bytes, m.address),
      code: decoder.next()?.codeName ?? 'INVALID',
    };
  }
}

/** A jump into the kernel's half, whose addresses numbers don't hold exactly. */
function kernelTarget(m: Frame): EngineStop {
  m.cpu.setRip(m.next);
  return { kind: 'fault', fault: 'page', address: Number(m.next), access: 'execute' };
}

/** The plain engine that defines what every other must do. */
export function createReferenceEngine(options: EngineOptions = {}): Engine {
  return new ReferenceEngine(options);
}
