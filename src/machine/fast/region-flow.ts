// Where blocks of a region go on, and what is known of the pending flags there. What is read off the intermediate
// representation only: no code is written here.
import { IR, WORDS } from '../../isa/index.ts';
import { isConst, keepsFlags } from './analysis.ts';
import type { StreamBlock } from './core.ts';

/** The address that a value is, where it is a constant in user space. */
export function constantAddress(code: Int32Array, value: number): number | undefined {
  if (!isConst(code, value) || code[value * WORDS + 2] >>> 0 >= 0x8000) return undefined;
  return (code[value * WORDS + 2] >>> 0) * 2 ** 32 + (code[value * WORDS + 1] >>> 0);
}

/** Values that a block may go on at; an `exit` only stands in its last instruction. */
export function targetsOf(code: Int32Array): number[] {
  const at = code.length - WORDS;
  const op = code[at] & 0xff;
  const values = op === IR.jump ? [code[at + 1]] : op === IR.branch ? [code[at + 2], code[at + 3]] : [];
  for (let i = 0; i < at; i += WORDS) if ((code[i] & 0xff) === IR.exit) values.push(code[i + 2]);
  return values;
}

/** Direct successors of a block, by address. */
export function successorsOf(block: StreamBlock): number[] {
  return targetsOf(block.code).flatMap((value) => constantAddress(block.code, value) ?? []);
}

/** The value is where an `exit` in the block's midst goes. */
export function leavesEarly(code: Int32Array, value: number): boolean {
  for (let at = 0; at < code.length - WORDS; at += WORDS)
    if ((code[at] & 0xff) === IR.exit && code[at + 2] === value) return true;
  return false;
}

/** Pending flags after a block, given those before. */
export function flagsAfter(code: Int32Array, before: number): number {
  let known = before;
  for (let at = 0; at < code.length; at += WORDS) {
    const op = code[at] & 0xff;
    if (op === IR.flags) known = keepsFlags(code, at) ? -1 : (code[at] >>> 16) | (code[at] & 0xff00);
    else if (op === IR.setf || op === IR.setrflags) known = -1;
  }
  return known;
}
