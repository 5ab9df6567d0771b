// The concolic engine: witnesses as every engine has them, and expressions of whatever depends on symbolic inputs. What
// touches no shadow runs in the fast engine; the instruction that reads a shadow stops it, and goes on here until no
// register has had one for a while.
import { assert } from '../../bytes/index.ts';
import type { Expression, Expressions } from '../../expr/index.ts';
import type { Engine, EngineStop, Registers } from '../engine.ts';
import type { Frame, PreparedBlock } from '../interpret.ts';
import type { AddressSpace } from '../memory.ts';
import { type EngineOptions, ReferenceEngine } from '../reference.ts';
import { RegisterFile } from '../registers.ts';
import { PagedSpace } from '../space.ts';
import type { PathListener } from './path.ts';
import type { Shadows } from './shadows.ts';
import { Stepper } from './stepper.ts';
import { TaskShadow } from './task.ts';

export interface ConcolicOptions extends EngineOptions {
  /** Runs what touches no shadow. */
  readonly fast: Engine;
}

/** Instructions without a shadow in any register before the fast engine takes over, and with some that nobody uses. */
const CALM = 48;
const UNUSED = 1500;

/** The reference, with shadows, for as long as there are any at hand. */
class ConcolicSteps extends ReferenceEngine {
  readonly stepper = new Stepper();
  /** `executed` when something with a shadow was last used. */
  private lastUse = 0;
  calm = false;

  begin(task: TaskShadow): void {
    this.stepper.task = task;
    this.lastUse = this.executed;
    this.calm = false;
  }

  protected override execute(m: Frame, block: PreparedBlock): void {
    this.stepper.run(m, block);
  }

  protected override next(m: Frame): EngineStop | undefined {
    const stop = super.next(m);
    if (stop !== undefined) return stop;
    const { stepper } = this;
    if (stepper.active) {
      stepper.active = false;
      this.lastUse = this.executed;
      return undefined;
    }
    const idle = this.executed - this.lastUse;
    if (idle < CALM || (idle < UNUSED && stepper.task.any)) return undefined;
    this.calm = true;
    m.cpu.rip = m.address;
    return { kind: 'budget' };
  }
}

export class ConcolicEngine implements Engine {
  executed = 0;
  /** Instructions of these that ran beside shadows. */
  stepped = 0;
  /** Times that the fast engine was stopped by a shadow. */
  handovers = 0;
  private readonly fast: Engine;
  private readonly steps: ConcolicSteps;
  private tasks = new WeakMap<RegisterFile, TaskShadow>();

  constructor(options: ConcolicOptions) {
    this.fast = options.fast;
    this.steps = new ConcolicSteps({ ...options, tsc: options.tsc ?? (() => BigInt(this.executed)) });
  }

  /** What runs from now on makes its expressions here and tells this listener. */
  begin(expressions: Expressions, listener: PathListener): void {
    this.steps.stepper.x = expressions;
    this.steps.stepper.listener = listener;
    this.tasks = new WeakMap();
  }

  run(registers: Registers, space: AddressSpace, budget: number): EngineStop {
    assert(
      registers instanceof RegisterFile && space instanceof PagedSpace,
      'registers and memory are the machine’s own',
    );
    const { shadows } = space.pool;
    assert(shadows !== undefined, 'the machine keeps shadows');
    const task = this.taskOf(registers);
    task.resume(registers);
    const end = this.executed + budget;
    for (;;) {
      const left = end - this.executed;
      const stop = task.any
        ? this.step(task, registers, space, left)
        : this.runFast(task, registers, space, left, shadows);
      if (stop !== undefined) {
        if (stop.kind === 'syscall') task.called();
        task.leave(registers);
        return stop;
      }
    }
  }

  /** Expression of a register (by its number in REGISTERS) of a task that is not running; 0 none. */
  shadowOf(registers: Registers, register: number): Expression {
    if (!(registers instanceof RegisterFile)) return 0;
    return this.tasks.get(registers)?.shadowOf(registers, register) ?? 0;
  }

  /** Gives a register (by its number in REGISTERS, below 16) of a task that is not running an expression of its value. */
  giveShadow(registers: Registers, register: number, expression: Expression): void {
    if (registers instanceof RegisterFile) this.taskOf(registers).give(registers, register, expression);
  }

  private taskOf(registers: RegisterFile): TaskShadow {
    let task = this.tasks.get(registers);
    if (task === undefined) {
      task = new TaskShadow();
      this.tasks.set(registers, task);
    }
    return task;
  }

  /** Undefined where a shadow stopped it. */
  private runFast(
    task: TaskShadow,
    registers: RegisterFile,
    space: PagedSpace,
    budget: number,
    shadows: Shadows,
  ): EngineStop | undefined {
    const before = this.fast.executed;
    shadows.trapping = !shadows.empty;
    shadows.tripped = false;
    let stop: EngineStop;
    try {
      stop = this.fast.run(registers, space, budget);
    } finally {
      shadows.trapping = false;
    }
    this.executed += this.fast.executed - before;
    if (!shadows.tripped) return stop;
    // the instruction that would have read the shadow counts, but was not done
    shadows.tripped = false;
    this.executed--;
    this.handovers++;
    task.unpark(registers);
    return this.step(task, registers, space, budget - (this.fast.executed - before) + 1);
  }

  /** Undefined where the fast engine may go on. */
  private step(
    task: TaskShadow,
    registers: RegisterFile,
    space: PagedSpace,
    budget: number,
  ): EngineStop | undefined {
    const { steps } = this;
    const before = steps.executed;
    steps.begin(task);
    const stop = steps.run(registers, space, budget);
    const ran = steps.executed - before;
    this.executed += ran;
    this.stepped += ran;
    if (!steps.calm) return stop;
    task.park(registers);
    return undefined;
  }
}

/** An engine for memory that keeps shadows; tell it where expressions are made before it runs. */
export function createConcolicEngine(options: ConcolicOptions): ConcolicEngine {
  return new ConcolicEngine(options);
}
