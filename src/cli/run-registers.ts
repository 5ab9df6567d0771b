// What an instruction changed in the registers, as text: `rax=0x10 xmm0=0x3ff0000000000000 [ZF PF]`.
import { FLAG_BITS, FLAGS, REGISTERS, XMM0 } from '../isa/index.ts';
import type { Registers } from '../machine/index.ts';

const GENERAL = REGISTERS.slice(0, 16).map((row) => row.name);
const VECTOR = REGISTERS.slice(XMM0, XMM0 + 16).map((row) => row.name);

/** Remembers registers, to say later what became different. */
export class RegisterMemory {
  private readonly gpr = new BigUint64Array(16);
  private readonly xmm = new BigUint64Array(32);
  private rflags = 0n;
  private fsbase = 0n;
  private mxcsr = 0;

  remember(registers: Registers): void {
    this.gpr.set(registers.gpr);
    this.xmm.set(registers.xmm);
    this.rflags = registers.rflags;
    this.fsbase = registers.fsbase;
    this.mxcsr = registers.mxcsr;
  }

  /** In a fixed order; flags are the status flags that are now set. */
  changes(registers: Registers): string[] {
    const { gpr, xmm } = registers;
    const out: string[] = [];
    for (let i = 0; i < 16; i++)
      if (gpr[i] !== this.gpr[i]) out.push(`${GENERAL[i]}=0x${gpr[i].toString(16)}`);
    for (let i = 0; i < 16; i++) {
      if (xmm[2 * i] === this.xmm[2 * i] && xmm[2 * i + 1] === this.xmm[2 * i + 1]) continue;
      out.push(`${VECTOR[i]}=0x${((xmm[2 * i + 1] << 64n) | xmm[2 * i]).toString(16)}`);
    }
    if (registers.fsbase !== this.fsbase) out.push(`fsbase=0x${registers.fsbase.toString(16)}`);
    if (registers.mxcsr !== this.mxcsr) out.push(`mxcsr=0x${registers.mxcsr.toString(16)}`);
    if (registers.rflags !== this.rflags) out.push(flagText(registers.rflags));
    return out;
  }
}

/** `[CF ZF]` */
export function flagText(rflags: bigint): string {
  const set = FLAGS.filter((name) => ((Number(rflags) >> FLAG_BITS[name]) & 1) === 1);
  return `[${set.join(' ')}]`;
}
