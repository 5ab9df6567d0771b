// What an instruction changed in the registers, as text: `rax=0x10 xmm0=0x3ff0000000000000 [ZF PF]`.
import { FLAG_BITS, FLAGS, REGISTERS, XMM0, YMMH0 } from '../isa/index.ts';
import type { Registers } from '../machine/index.ts';

const GENERAL = REGISTERS.slice(0, 16).map((row) => row.name);
const VECTOR = REGISTERS.slice(XMM0, XMM0 + 16).map((row) => row.name);
/** Upper halves of YMM registers. */
const UPPER = REGISTERS.slice(YMMH0, YMMH0 + 16).map((row) => row.name);

/** Remembers registers, to say later what became different. */
export class RegisterMemory {
  private readonly gpr = new BigUint64Array(16);
  private readonly xmm = new BigUint64Array(32);
  private readonly ymmHigh = new BigUint64Array(32);
  private rflags = 0n;
  private fsbase = 0n;
  private mxcsr = 0;

  remember(registers: Registers): void {
    this.gpr.set(registers.gpr);
    this.xmm.set(registers.xmm);
    this.ymmHigh.set(registers.ymmHigh);
    this.rflags = registers.rflags;
    this.fsbase = registers.fsbase;
    this.mxcsr = registers.mxcsr;
  }

  /** In a fixed order; flags are the status flags that are now set. */
  changes(registers: Registers): string[] {
    const { gpr } = registers;
    const out: string[] = [];
    for (let i = 0; i < 16; i++)
      if (gpr[i] !== this.gpr[i]) out.push(`${GENERAL[i]}=0x${gpr[i].toString(16)}`);
    out.push(...vectorChanges(VECTOR, this.xmm, registers.xmm));
    out.push(...vectorChanges(UPPER, this.ymmHigh, registers.ymmHigh));
    if (registers.fsbase !== this.fsbase) out.push(`fsbase=0x${registers.fsbase.toString(16)}`);
    if (registers.mxcsr !== this.mxcsr) out.push(`mxcsr=0x${registers.mxcsr.toString(16)}`);
    if (registers.rflags !== this.rflags) out.push(flagText(registers.rflags));
    return out;
  }
}

/** Registers of 128 bits, two words each, low first. */
function vectorChanges(names: readonly string[], before: BigUint64Array, now: BigUint64Array): string[] {
  return names.flatMap((name, i) => {
    const [low, high] = [now[2 * i], now[2 * i + 1]];
    if (low === before[2 * i] && high === before[2 * i + 1]) return [];
    return [`${name}=0x${((high << 64n) | low).toString(16)}`];
  });
}

/** `[CF ZF]` */
export function flagText(rflags: bigint): string {
  const set = FLAGS.filter((name) => ((Number(rflags) >> FLAG_BITS[name]) & 1) === 1);
  return `[${set.join(' ')}]`;
}
