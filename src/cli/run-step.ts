// An engine that goes instruction by instruction over another one and tells of each: for traces. Slow by its nature,
// and of the same meaning as the engine below.
import type { AddressSpace, Engine, EngineStop, Registers } from '../machine/index.ts';

/** What a stepping engine tells. */
export interface StepListener {
  /** The instruction at `registers.rip` is about to run. */
  before(registers: Registers, space: AddressSpace): void;
  /** It ran, or stopped as `stop` says. */
  after(registers: Registers, space: AddressSpace, stop: EngineStop): void;
}

export class SteppingEngine implements Engine {
  private readonly engine: Engine;
  private readonly listener: StepListener;

  constructor(engine: Engine, listener: StepListener) {
    this.engine = engine;
    this.listener = listener;
  }

  get executed(): number {
    return this.engine.executed;
  }
  set executed(value: number) {
    this.engine.executed = value;
  }

  run(registers: Registers, space: AddressSpace, budget: number): EngineStop {
    for (let left = budget; left > 0; left--) {
      this.listener.before(registers, space);
      const stop = this.engine.run(registers, space, 1);
      this.listener.after(registers, space, stop);
      if (stop.kind !== 'budget') return stop;
    }
    return { kind: 'budget' };
  }
}
