// x87 state in memory and control instructions: fstenv, fldenv, fsave, frstor, fldcw, fnclex, fxsave, fxrstor (Intel
// SDM vol. 1, 8.1.10, 8.1.11, 10.5). Instruction and data pointers and the last opcode are stored as 0 by the x87
// forms; FXSAVE and FXRSTOR carry them along.
import { GuestFault } from './fault.ts';
import { MXCSR_MASK, type RegisterFile } from './registers.ts';
import type { PagedSpace } from './space.ts';
import { X87State } from './x87-state.ts';

/** Size of the environment image: seven words of the operand size. */
const environmentSize = (operand: number): number => (7 * operand) / 8;

function environmentImage(state: X87State, operand: number): Uint8Array {
  const image = new Uint8Array(environmentSize(operand));
  const view = new DataView(image.buffer);
  const words = [state.cw, state.sw, state.tagWord()];
  for (const [i, word] of words.entries()) {
    if (operand === 16) view.setUint16(2 * i, word, true);
    else view.setUint32(4 * i, 0xffff0000 + word, true);
  }
  if (operand === 32) view.setUint32(24, 0xffff0000, true);
  return image;
}

/** Writes all or faults. */
function writeWhole(memory: PagedSpace, address: number, image: Uint8Array): void {
  memory.checkWrite(address, image.length);
  memory.write(address, image);
}

/** FNSTENV: stores, then masks all exceptions. */
export function saveEnvironment(
  cpu: RegisterFile,
  memory: PagedSpace,
  address: number,
  operand: number,
): void {
  const state = new X87State(cpu);
  writeWhole(memory, address, environmentImage(state, operand));
  state.setControl(state.cw | 0x3f);
}

export function loadEnvironment(
  cpu: RegisterFile,
  memory: PagedSpace,
  address: number,
  operand: number,
): void {
  applyEnvironment(new X87State(cpu), memory.read(address, environmentSize(operand)), operand);
}

function applyEnvironment(state: X87State, image: Uint8Array, operand: number): void {
  const view = new DataView(image.buffer, image.byteOffset);
  const [cw, sw, tags] = [0, 1, 2].map((i) => view.getUint16((i * operand) / 8, true));
  state.setControl(cw!);
  state.setTagWord(tags!);
  state.setStatus(sw!);
}

/** FNSAVE: environment and registers in stack order, then FNINIT. */
export function save(cpu: RegisterFile, memory: PagedSpace, address: number, operand: number): void {
  const state = new X87State(cpu);
  const head = environmentSize(operand);
  const image = new Uint8Array(head + 80);
  image.set(environmentImage(state, operand));
  for (let i = 0; i < 8; i++) {
    const at = cpu.stOffset(i);
    image.set(cpu.st.subarray(at, at + 10), head + 10 * i);
  }
  writeWhole(memory, address, image);
  state.reset();
}

export function restore(cpu: RegisterFile, memory: PagedSpace, address: number, operand: number): void {
  const head = environmentSize(operand);
  const image = memory.read(address, head + 80);
  applyEnvironment(new X87State(cpu), image, operand);
  for (let i = 0; i < 8; i++) cpu.st.set(image.subarray(head + 10 * i, head + 10 * i + 10), cpu.stOffset(i));
}

/** Bytes of the FXSAVE area that are written. */
const FXSAVE_USED = 416;

function checkAligned(address: number): void {
  if (address % 16 !== 0) throw new GuestFault('general');
}

export function fxsave(cpu: RegisterFile, memory: PagedSpace, address: number): void {
  checkAligned(address);
  writeWhole(memory, address, cpu.fxsave().subarray(0, FXSAVE_USED));
}

export function fxrstor(cpu: RegisterFile, memory: PagedSpace, address: number): void {
  checkAligned(address);
  const image = memory.read(address, FXSAVE_USED);
  checkMxcsr(new DataView(image.buffer, image.byteOffset).getUint32(24, true));
  cpu.fxrstor(image);
  const state = new X87State(cpu);
  state.setControl(cpu.fcw);
}

/** Reserved bits are a general fault. */
export function checkMxcsr(value: number): void {
  if ((value & ~MXCSR_MASK) !== 0) throw new GuestFault('general');
}

export function fnclex(state: X87State): void {
  state.sw &= 0x7f00;
}
