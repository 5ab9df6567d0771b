// Random cases for every x87 encoding: opcodes D8 to DF, 64 register forms each and 8 memory forms.
import { readFileSync } from 'node:fs';
import { createDecoder, type Instruction } from '../../src/isa/index.ts';
import { type Case, DATA, DATA_WRITABLE, ENTRY } from '../native/native.ts';
import {
  extended,
  generalRegisters,
  mxcsrValue,
  operandAddress,
  type Random,
  vectorState,
  vectorValue,
  writeBits,
  x87State,
} from './float-cases.ts';

/**
 * Whether the processor is of the family that details were measured on which the manuals leave open: AMD. On others,
 * stacks are full enough for the instruction, and C1 is not compared.
 */
export const STRICT = readProcessor().includes('AuthenticAMD');

function readProcessor(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'latin1').slice(0, 2000);
  } catch {
    return '';
  }
}

export interface X87Form {
  readonly name: string;
  /** Opcode and ModRM; memory forms have [rsi]. */
  readonly code: Uint8Array;
  readonly instruction: Instruction;
}

/** Forms that a decoder knows by name; the others are illegal or reserved. */
export function x87Forms(): X87Form[] {
  const decoder = createDecoder();
  const forms: X87Form[] = [];
  const consider = (code: readonly number[]): void => {
    const bytes = Uint8Array.from(code);
    decoder.start(bytes, ENTRY);
    const instruction = decoder.next();
    if (instruction === undefined || instruction.codeName === 'INVALID') return;
    forms.push({ name: instruction.codeName, code: bytes, instruction });
  };
  consider([0x9b]);
  for (let opcode = 0xd8; opcode <= 0xdf; opcode++) {
    for (let digit = 0; digit < 8; digit++) consider([opcode, 0x06 | (digit << 3)]);
    for (let rm = 0xc0; rm <= 0xff; rm++) consider([opcode, rm]);
  }
  for (const [opcode, digit] of [
    [0xd9, 4],
    [0xd9, 6],
    [0xdd, 4],
    [0xdd, 6],
  ] as const)
    consider([0x66, opcode, 0x06 | (digit << 3)]);
  return forms;
}

/** 10 bytes of operand: a float or integer of the operand's width, or 80 bits. */
function operand(form: X87Form, random: Random): bigint {
  const { mnemonic, memoryWidth } = form.instruction;
  if (memoryWidth === 80) return mnemonic === 'fbld' ? decimal(random) : extended(random);
  if (mnemonic.startsWith('fi')) return vectorValue(random, 'int');
  return vectorValue(random, memoryWidth === 32 ? 'f32' : memoryWidth === 64 ? 'f64' : 'int');
}

function decimal(random: Random): bigint {
  let value = BigInt(random.below(2)) << 79n;
  for (let i = 0; i < random.below(19); i++) value |= BigInt(random.below(10)) << BigInt(4 * i);
  return value;
}

export function x87Case(form: X87Form, random: Random): Case {
  const fx = vectorState(random, 'int', mxcsrValue(random));
  const empties = STRICT && random.below(4) === 0;
  x87State(random, fx, { empties, pending: random.below(12) === 0 });
  const address = operandAddress(random);
  const patches: { offset: number; bytes: Uint8Array }[] = [];
  const write = (at: number, bits: bigint): void => {
    if (at - DATA + 16 > DATA_WRITABLE) return;
    const bytes = new Uint8Array(16);
    writeBits(bytes, 0, bits, 16);
    patches.push({ offset: at - DATA, bytes });
  };
  write(address, operand(form, random));
  return { code: form.code, gpr: generalRegisters(random, address), rflags: random.bits(12), fx, patches };
}
