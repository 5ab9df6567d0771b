// The x87's registers: eight 80-bit ones that form a stack, control, status and tag words; MMX registers are the
// significands of the same registers (Intel SDM vol. 1, 8.1, 9.2). Instruction and data pointers and the last opcode
// are not kept up: they are what was loaded last, 0 from the start.
import { LAYOUT, type RegisterFile } from './registers.ts';
import { defaultNaN, F80, type Format } from './softfloat.ts';

/** Status word: exceptions 0-5, SF 6, ES 7, C0 8, C1 9, C2 10, TOP 11-13, C3 14, B 15. */
export const SW = { SF: 0x40, ES: 0x80, C0: 0x100, C1: 0x200, C2: 0x400, C3: 0x4000, B: 0x8000 } as const;
export const INDEFINITE = defaultNaN(F80);
const MASK64 = (1n << 64n) - 1n;

/** A view of the x87 part of a register file. */
export class X87State {
  private readonly cpu: RegisterFile;
  /** Physical registers R0..R7: even words the significands (MM0..MM7), odd words sign (bit 15) and exponent. */
  private readonly words: BigUint64Array;

  constructor(cpu: RegisterFile) {
    this.cpu = cpu;
    this.words = new BigUint64Array(cpu.buffer, cpu.offset + LAYOUT.st, 16);
  }

  /** Control word: masks 0-5, precision 8-9, rounding 10-11. */
  get cw(): number {
    return this.cpu.fcw;
  }

  get sw(): number {
    return this.cpu.fsw;
  }

  set sw(value: number) {
    this.cpu.fsw = value;
  }

  /** Bit n: Rn is not empty (the tag word as FXSAVE has it). */
  get valid(): number {
    return this.cpu.ftw;
  }

  set valid(bits: number) {
    this.cpu.ftw = bits;
  }

  /** FNINIT: registers keep their contents, but are empty. */
  reset(): void {
    this.cpu.fcw = 0x37f;
    this.cpu.fsw = 0;
    this.cpu.ftw = 0;
    this.cpu.fop = 0;
    this.cpu.fip = 0n;
    this.cpu.fdp = 0n;
  }

  get top(): number {
    return (this.sw >> 11) & 7;
  }

  set top(value: number) {
    this.sw = (this.sw & ~0x3800) | ((value & 7) << 11);
  }

  /** Number of the physical register that ST(i) is. */
  physical(i: number): number {
    return (this.top + i) & 7;
  }

  empty(i: number): boolean {
    return ((this.valid >> this.physical(i)) & 1) === 0;
  }

  /** The 80 bits of ST(i), whatever its tag. */
  st(i: number): bigint {
    return this.raw(this.physical(i));
  }

  /** The 80 bits of Rn. */
  raw(n: number): bigint {
    return ((this.words[2 * n + 1] & 0xffffn) << 64n) | this.words[2 * n];
  }

  setRaw(n: number, bits: bigint): void {
    this.words[2 * n] = bits & MASK64;
    this.words[2 * n + 1] = bits >> 64n;
  }

  /** Fills ST(i). */
  setSt(i: number, bits: bigint): void {
    const at = this.physical(i);
    this.setRaw(at, bits);
    this.valid |= 1 << at;
  }

  free(i: number): void {
    this.valid &= ~(1 << this.physical(i));
  }

  pop(): void {
    this.free(0);
    this.top = this.top + 1;
  }

  push(bits: bigint): void {
    this.top = this.top - 1;
    this.setSt(0, bits);
  }

  /** ES and B follow from flags and masks. */
  summarize(): void {
    const pending = (this.sw & ~this.cw & 0x3f) !== 0;
    this.sw = pending ? this.sw | SW.ES | SW.B : this.sw & ~(SW.ES | SW.B);
  }

  /** Replaces C3, C2 and C0. */
  setConditions(bits: number): void {
    this.sw = (this.sw & ~(SW.C0 | SW.C2 | SW.C3)) | bits;
  }

  setC1(on: boolean): void {
    this.sw = on ? this.sw | SW.C1 : this.sw & ~SW.C1;
  }

  /** The result format of arithmetic under precision control; the reserved setting counts as full precision. */
  get resultFormat(): Format {
    const control = (this.cw >> 8) & 3;
    return control === 0 ? SINGLE : control === 2 ? DOUBLE : F80;
  }

  /** The 16-bit tag word of FNSTENV: 0 valid, 1 zero, 2 special, 3 empty, for R7..R0. */
  tagWord(): number {
    let word = 0;
    for (let at = 7; at >= 0; at--) word = (word << 2) | this.tag(at);
    return word;
  }

  private tag(at: number): number {
    if (((this.valid >> at) & 1) === 0) return 3;
    const exponent = Number(this.raw(at) >> 64n) & 0x7fff;
    const sig = this.raw(at) & MASK64;
    if (exponent === 0 && sig === 0n) return 1;
    return exponent === 0 || exponent === 0x7fff || sig >> 63n === 0n ? 2 : 0;
  }

  /** Takes over a 16-bit tag word; only empty or not is kept. */
  setTagWord(word: number): void {
    this.valid = 0;
    for (let at = 0; at < 8; at++) if (((word >> (2 * at)) & 3) !== 3) this.valid |= 1 << at;
  }

  /** Takes over control and status word as FLDCW, FLDENV and FXRSTOR do. */
  setControl(cw: number): void {
    this.cpu.fcw = (cw & 0x1f3f) | 0x40;
    this.summarize();
  }

  setStatus(sw: number): void {
    this.sw = sw & 0xffff;
    this.summarize();
  }
}

const SINGLE: Format = { ...F80, precision: 24 };
const DOUBLE: Format = { ...F80, precision: 53 };
