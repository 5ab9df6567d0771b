// The guest register file: one flat buffer with several views, so that engines, kernel, helpers and snapshots share it
// and a translated region finds every field at a fixed offset.
//
//   byte    0 general registers 16 x u64, in encoding order
//         128 rip u64    136 rflags u64    144 fsbase u64    152 gsbase u64
//         160 mxcsr u32
//         168 x87 control word u16   170 status word u16 (TOP in bits 11..13)   172 abridged tag word u8, bit i set:
//             physical register i holds something   174 last opcode u16
//         176 last instruction pointer u64    184 last data pointer u64
//         256 XMM 16 x u128, low half first
//         512 upper halves of YMM 16 x u128, right behind XMM as their numbers in REGISTERS are
//         768 x87 registers R0..R7 (physical, not by TOP) 8 x 16 bytes, the low 80 bits; MMX mm i is the low 64 of Ri
//         896 end
import type { Registers } from './engine.ts';

/** Offsets in bytes. */
export const LAYOUT = {
  gpr: 0,
  rip: 128,
  rflags: 136,
  fsbase: 144,
  gsbase: 152,
  mxcsr: 160,
  fcw: 168,
  fsw: 170,
  ftw: 172,
  fop: 174,
  fip: 176,
  fdp: 184,
  xmm: 256,
  ymmHigh: 512,
  st: 768,
  size: 896,
} as const;

/** Bits of MXCSR that exist; FXSAVE reports them, loading others is a general fault. */
export const MXCSR_MASK = 0xffff;
/** Bit 1 always reads 1; IF is on in user mode. */
export const RFLAGS_INITIAL = 0x202n;

const FXSAVE_SIZE = 512;

export class RegisterFile implements Registers {
  readonly buffer: ArrayBufferLike;
  /** Where the file starts in `buffer`. */
  readonly offset: number;
  readonly gpr: BigUint64Array;
  readonly xmm: BigUint64Array;
  /** Upper halves of the YMM registers, laid out as `xmm`. */
  readonly ymmHigh: BigUint64Array;
  /** Physical x87 registers, 16 bytes each. */
  readonly st: Uint8Array;
  readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly system: BigUint64Array;

  /** A fresh file, or one over `buffer` at `offset` (a multiple of 16) as it is. */
  constructor(buffer?: ArrayBufferLike, offset = 0) {
    this.buffer = buffer ?? new ArrayBuffer(LAYOUT.size);
    this.offset = offset;
    this.gpr = new BigUint64Array(this.buffer, offset + LAYOUT.gpr, 16);
    this.system = new BigUint64Array(this.buffer, offset + LAYOUT.rip, 4);
    this.xmm = new BigUint64Array(this.buffer, offset + LAYOUT.xmm, 32);
    this.ymmHigh = new BigUint64Array(this.buffer, offset + LAYOUT.ymmHigh, 32);
    this.st = new Uint8Array(this.buffer, offset + LAYOUT.st, 128);
    this.view = new DataView(this.buffer, offset, LAYOUT.size);
    this.bytes = new Uint8Array(this.buffer, offset, LAYOUT.size);
    if (buffer === undefined) this.reset();
  }

  /** The state that Linux gives a new program. */
  reset(): void {
    this.bytes.fill(0);
    this.rflags = RFLAGS_INITIAL;
    this.mxcsr = 0x1f80;
    this.fcw = 0x37f;
  }

  get rip(): number {
    return Number(this.system[0]);
  }
  set rip(value: number) {
    this.system[0] = BigInt(value);
  }
  /** All 64 bits; `rip` rounds addresses above 2^53, which no code has. */
  setRip(value: bigint): void {
    this.system[0] = value;
  }
  get rflags(): bigint {
    return this.system[1];
  }
  set rflags(value: bigint) {
    this.system[1] = value;
  }
  get fsbase(): bigint {
    return this.system[2];
  }
  set fsbase(value: bigint) {
    this.system[2] = value;
  }
  get gsbase(): bigint {
    return this.system[3];
  }
  set gsbase(value: bigint) {
    this.system[3] = value;
  }
  get mxcsr(): number {
    return this.view.getUint32(LAYOUT.mxcsr, true);
  }
  set mxcsr(value: number) {
    this.view.setUint32(LAYOUT.mxcsr, value, true);
  }
  /** x87 control word. */
  get fcw(): number {
    return this.view.getUint16(LAYOUT.fcw, true);
  }
  set fcw(value: number) {
    this.view.setUint16(LAYOUT.fcw, value, true);
  }
  /** x87 status word, TOP included. */
  get fsw(): number {
    return this.view.getUint16(LAYOUT.fsw, true);
  }
  set fsw(value: number) {
    this.view.setUint16(LAYOUT.fsw, value, true);
  }
  /** Abridged tag word: bit i set where physical register i is in use. */
  get ftw(): number {
    return this.bytes[LAYOUT.ftw];
  }
  set ftw(value: number) {
    this.bytes[LAYOUT.ftw] = value;
  }
  get fop(): number {
    return this.view.getUint16(LAYOUT.fop, true);
  }
  set fop(value: number) {
    this.view.setUint16(LAYOUT.fop, value, true);
  }
  get fip(): bigint {
    return this.view.getBigUint64(LAYOUT.fip, true);
  }
  set fip(value: bigint) {
    this.view.setBigUint64(LAYOUT.fip, value, true);
  }
  get fdp(): bigint {
    return this.view.getBigUint64(LAYOUT.fdp, true);
  }
  set fdp(value: bigint) {
    this.view.setBigUint64(LAYOUT.fdp, value, true);
  }

  clone(): RegisterFile {
    const copy = new RegisterFile();
    copy.bytes.set(this.bytes);
    return copy;
  }

  /** Byte offset in `st` of ST(i). */
  stOffset(i: number): number {
    return (((this.fsw >> 11) + i) & 7) * 16;
  }

  fxsave(): Uint8Array {
    const image = new Uint8Array(FXSAVE_SIZE);
    const view = new DataView(image.buffer);
    view.setUint16(0, this.fcw, true);
    view.setUint16(2, this.fsw, true);
    image[4] = this.ftw;
    view.setUint16(6, this.fop, true);
    view.setBigUint64(8, this.fip, true);
    view.setBigUint64(16, this.fdp, true);
    view.setUint32(24, this.mxcsr, true);
    view.setUint32(28, MXCSR_MASK, true);
    for (let i = 0; i < 8; i++) {
      const at = this.stOffset(i);
      image.set(this.st.subarray(at, at + 10), 32 + 16 * i);
    }
    image.set(this.bytes.subarray(LAYOUT.xmm, LAYOUT.xmm + 256), 160);
    return image;
  }

  fxrstor(image: Uint8Array): void {
    const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    this.fcw = view.getUint16(0, true);
    this.fsw = view.getUint16(2, true);
    this.ftw = image[4];
    this.fop = view.getUint16(6, true);
    this.fip = view.getBigUint64(8, true);
    this.fdp = view.getBigUint64(16, true);
    this.mxcsr = view.getUint32(24, true) & MXCSR_MASK;
    this.st.fill(0);
    for (let i = 0; i < 8; i++) this.st.set(image.subarray(32 + 16 * i, 42 + 16 * i), this.stOffset(i));
    this.bytes.set(image.subarray(160, 416), LAYOUT.xmm);
  }
}

/** Registers as Linux gives them to a new program: all zero but for the control words. */
export function createRegisters(): RegisterFile {
  return new RegisterFile();
}
