// Shadows of one task's registers and flags. They belong to a register file; what the kernel does to registers
// between two runs (results, signals) is noticed by the values.
import { REGISTERS, XMM0, YMMH0 } from '../../isa/index.ts';
import type { RegisterFile } from '../registers.ts';
import { FlagShadow } from './flags.ts';

const RAX = 0;
const RCX = 1;
const R11 = 11;

export class TaskShadow {
  /** Expression of each register of REGISTERS, 0 none. */
  readonly registers = new Int32Array(REGISTERS.length);
  readonly flags = new FlagShadow();
  /** Registers that have one. */
  count = 0;
  /** Values that the registers with a shadow had when the task was left. */
  private readonly left = new Map<number, bigint>();
  /** Shadows that nobody looked at for long: the fast engine runs with the registers as they are. */
  private readonly parked = new Map<number, { readonly expression: number; readonly value: bigint }>();

  set(register: number, expression: number): void {
    const { registers } = this;
    this.count += Number(expression !== 0) - Number(registers[register] !== 0);
    registers[register] = expression;
  }

  get any(): boolean {
    return this.count > 0 || this.flags.any;
  }

  /** What the register's value is, of a task that was left; what is parked counts where the value is still there. */
  shadowOf(cpu: RegisterFile, register: number): number {
    if (this.registers[register] !== 0) return this.registers[register];
    const parked = this.parked.get(register);
    return parked !== undefined && registerValue(cpu, register) === parked.value ? parked.expression : 0;
  }

  /** A system call was made: its result and what the processor does to RCX and R11 are no input's. */
  called(): void {
    for (const register of [RAX, RCX, R11]) this.set(register, 0);
    this.flags.clear();
  }

  /** What a helper did to vector registers is not known. */
  dropVectors(): void {
    for (let r = XMM0; r < REGISTERS.length; r++) this.set(r, 0);
  }

  /** The task stops running here. */
  leave(cpu: RegisterFile): void {
    this.left.clear();
    if (this.count === 0) return;
    this.registers.forEach((expression, r) => {
      if (expression !== 0) this.left.set(r, registerValue(cpu, r));
    });
  }

  /** Somebody else put the value there, and says what it is: of a task that was left. */
  give(cpu: RegisterFile, register: number, expression: number): void {
    this.set(register, expression);
    this.left.set(register, registerValue(cpu, register));
  }

  /** The task runs again: registers that have other values now have lost their shadows. */
  resume(cpu: RegisterFile): void {
    for (const [r, value] of this.left) if (registerValue(cpu, r) !== value) this.set(r, 0);
    this.left.clear();
  }

  /** Lets go of what nobody uses, until the task is looked at again. */
  park(cpu: RegisterFile): void {
    this.registers.forEach((expression, r) => {
      if (expression === 0) return;
      this.parked.set(r, { expression, value: registerValue(cpu, r) });
      this.set(r, 0);
    });
    this.flags.clear();
  }

  /** Registers that still hold what they held get their shadows back. */
  unpark(cpu: RegisterFile): void {
    if (this.parked.size === 0) return;
    for (const [r, { expression, value }] of this.parked)
      if (this.registers[r] === 0 && registerValue(cpu, r) === value) this.set(r, expression);
    this.parked.clear();
  }
}

function registerValue(cpu: RegisterFile, register: number): bigint {
  if (register < 16) return cpu.gpr[register];
  if (register >= YMMH0) return pair(cpu.ymmHigh, register - YMMH0);
  if (register >= XMM0) return pair(cpu.xmm, register - XMM0);
  return 0n;
}

const pair = (halves: BigUint64Array, i: number): bigint => halves[2 * i] | (halves[2 * i + 1] << 64n);
