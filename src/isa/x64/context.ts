// What a lift function gets: the instruction, the builder, and its operands with the rules of x86-64 (a 32-bit result
// clears the upper half, 8 and 16-bit results leave the rest, AH..DH are bits 8..15).
import { assert } from '../../bytes/index.ts';
import type { BlockBuilder, Value } from '../builder.ts';
import { REG, XMM0 } from '../ir.ts';
import type { Feature, FeatureSet } from './features.ts';
import type { Instruction } from './instruction.ts';

export type LiftFunction = (cx: LiftContext) => void;

/** A row that holds only with an instruction set extension switched on. */
export interface FeatureRow {
  readonly needs: Feature;
  readonly lift: LiftFunction;
  /** What a processor without the extension does, where that is not an illegal instruction. */
  readonly otherwise?: LiftFunction;
}

/**
 * Lift functions by mnemonic in lower case (`add`) or by the name of one encoding form (`Movsd_m32_m32`), which goes
 * first: the string instruction movsd and the SSE2 one share a mnemonic.
 */
export type LiftTable = Readonly<Record<string, LiftFunction | FeatureRow>>;

/** All functions of a table behind one feature. */
export function needing(needs: Feature, functions: Readonly<Record<string, LiftFunction>>): LiftTable {
  return Object.fromEntries(Object.entries(functions).map(([name, lift]) => [name, { needs, lift }]));
}

export class LiftContext {
  readonly b: BlockBuilder;
  readonly features: FeatureSet;
  insn!: Instruction;
  private effective = -1;

  constructor(builder: BlockBuilder, features: FeatureSet) {
    this.b = builder;
    this.features = features;
  }

  /** Makes `instruction` the current one. */
  begin(instruction: Instruction): void {
    this.insn = instruction;
    this.effective = -1;
  }

  get operandCount(): number {
    return this.insn.kinds.length;
  }

  isMemory(i: number): boolean {
    return this.insn.kinds[i] === 'memory';
  }

  isRegister(i: number): boolean {
    return this.insn.kinds[i] === 'register';
  }

  isImmediate(i: number): boolean {
    return this.insn.kinds[i] === 'immediate';
  }

  /** Bits of operand i: of the register, or of the memory operand as the decoder's table has it; 0 for an immediate. */
  widthOf(i: number): number {
    const kind = this.insn.kinds[i];
    return kind === 'register'
      ? this.insn.registers[i].width
      : kind === 'immediate'
        ? 0
        : this.insn.memoryWidth;
  }

  /** Number of register operand i within its class: 0..15 for general and XMM, 0..7 for MMX and ST. */
  registerNumber(i: number): number {
    return this.insn.registers[i].number;
  }

  /** The first immediate as a number (signed 32-bit view; `enter`'s and shifts' are small). */
  get immediate(): number {
    return this.insn.immediateLow;
  }

  /** The first immediate as a value, sign-extended as the encoding says, wrapped to the width. */
  immediateValue(width: number): Value {
    if (width === 64) return this.b.const64(this.insn.immediateLow, this.insn.immediateHigh);
    return this.b.const(width, this.insn.immediateLow);
  }

  /** Address of the next instruction. */
  get nextIp(): number {
    return this.insn.address + this.insn.length;
  }

  next(): Value {
    return this.b.const(64, this.nextIp);
  }

  self(): Value {
    return this.b.const(64, this.insn.address);
  }

  // general registers

  /** The low `width` bits of general register `number`. */
  gpr(number: number, width: number): Value {
    return this.b.trunc(width, this.b.get(number));
  }

  /** Writes general register `number` by the rule of the value's width. */
  setGpr(number: number, value: Value): void {
    const b = this.b;
    const width = b.widthOf(value);
    if (width === 64) b.set(number, value);
    else if (width === 32) b.set(number, b.zext(64, value));
    else b.set(number, b.insert(b.get(number), value, 0));
  }

  // XMM registers

  xmm(number: number): Value {
    return this.b.get(XMM0 + number);
  }

  setXmm(number: number, value: Value): void {
    this.b.set(XMM0 + number, value);
  }

  // memory

  /** Linear address of the memory operand, segment base included. `rspAdjust` is added where rsp is the base (pop). */
  address(rspAdjust = 0): Value {
    if (this.effective >= 0) return this.effective;
    const value = this.segmented(this.offset(rspAdjust));
    this.effective = value;
    return value;
  }

  /** The memory operand's offset within its segment (what lea yields), 64 bits. */
  offset(rspAdjust = 0): Value {
    const { b, insn } = this;
    const wide = insn.addressWidth === 64;
    if (insn.base.class === 'ip') return b.const64(insn.displacementLow, wide ? insn.displacementHigh : 0);
    const width = insn.addressWidth;
    let sum = -1;
    const plus = (value: Value): void => {
      sum = sum < 0 ? value : b.add(sum, value);
    };
    if (insn.base.class === 'gpr') {
      plus(this.gpr(insn.base.number, width));
      if (rspAdjust !== 0 && insn.base.number === REG['rsp']) plus(b.const(width, rspAdjust));
    }
    if (insn.index.class === 'gpr') {
      const index = this.gpr(insn.index.number, width);
      plus(insn.scale === 1 ? index : b.shl(index, b.const(width, Math.log2(insn.scale))));
    }
    const low = insn.displacementLow;
    const high = insn.displacementHigh;
    if (sum < 0 || low !== 0 || high !== 0) plus(wide ? b.const64(low, high) : b.const(32, low));
    return b.zext(64, sum);
  }

  /** Adds the base of the instruction's segment. */
  segmented(offset: Value): Value {
    const { segment } = this.insn;
    return segment === 'none'
      ? offset
      : this.b.add(this.b.get(REG[segment === 'fs' ? 'fsbase' : 'gsbase']), offset);
  }

  // operands

  /**
   * Value of operand i, `width` bits (default: its own). A wider register gives its low bits; an immediate is as its
   * encoding extends it. `forUpdate`: the same instruction stores to it, so that a fault is a write's.
   */
  read(i: number, width = this.widthOf(i), forUpdate = false): Value {
    const { b, insn } = this;
    switch (insn.kinds[i]) {
      case 'register': {
        const register = insn.registers[i];
        if (register.class === 'gpr') return this.gpr(register.number, width);
        if (register.class === 'gpr8h') return b.extract(8, b.get(register.number), 8);
        assert(register.class === 'xmm', `operand ${i} of ${insn.codeName} is a ${register.class} register`);
        return b.trunc(width, this.xmm(register.number));
      }
      case 'memory':
        return forUpdate ? b.loadForUpdate(width, this.address()) : b.load(width, this.address());
      case 'immediate':
        return this.immediateValue(width);
      default:
        throw new Error(`internal error: operand ${i} of ${insn.codeName} is not readable`);
    }
  }

  /** Writes operand i. XMM registers take 128 bits; use `xmm`, `setXmm` and `b.insert` for less. */
  write(i: number, value: Value): void {
    const { b, insn } = this;
    if (insn.kinds[i] === 'memory') {
      b.store(this.address(), value);
      return;
    }
    assert(insn.kinds[i] === 'register', `operand ${i} of ${insn.codeName} is not writable`);
    const register = insn.registers[i];
    if (register.class === 'gpr') this.setGpr(register.number, value);
    else if (register.class === 'gpr8h') b.set(register.number, b.insert(b.get(register.number), value, 8));
    else {
      assert(register.class === 'xmm', `operand ${i} of ${insn.codeName} is a ${register.class} register`);
      this.setXmm(register.number, value);
    }
  }

  /** Loads operand i (register or memory) of `width` bits; memory must be aligned to it (SSE without `u`). */
  readAligned(i: number, width = 128): Value {
    if (this.isMemory(i)) this.b.align(this.address(), width / 8);
    return this.read(i, width);
  }
}
