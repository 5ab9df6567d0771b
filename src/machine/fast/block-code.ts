// Where instructions are in the IR of a block.
import { IR, WORDS } from '../../isa/index.ts';

/** Number, from 0, of the instruction that an operation belongs to. */
export function instructionOf(code: Int32Array, operation: number): number {
  let number = -1;
  for (let i = 0; i <= operation; i++) if ((code[i * WORDS] & 0xff) === IR.insn) number++;
  return number;
}

/** Address of the instruction with this number. */
export function addressOf(
  code: Int32Array,
  number: number,
): { readonly address: number; readonly length: number } {
  let seen = -1;
  for (let at = 0; at < code.length; at += WORDS) {
    if ((code[at] & 0xff) === IR.insn && ++seen === number)
      return { address: (code[at + 2] >>> 0) * 2 ** 32 + (code[at + 1] >>> 0), length: code[at + 3] };
  }
  throw new Error('internal error: no such instruction');
}

/** Number of the first instruction with an `exit`, -1 none. */
export function firstExit(code: Int32Array): number {
  for (let at = 0; at < code.length; at += WORDS)
    if ((code[at] & 0xff) === IR.exit) return instructionOf(code, at / WORDS);
  return -1;
}
