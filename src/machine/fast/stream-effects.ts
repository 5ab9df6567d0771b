// What operations of the interpreter's streams may do besides yielding a value, by opcode.
import { FLOAT_OPS, HELPERS, IR, REG, XMM0 } from '../../isa/index.ts';
import { DISPLACED, FOLDED } from './analysis.ts';

function tableOf(ops: readonly number[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const op of ops) table[op] = 1;
  return table;
}

/** 1: may leave the block. */
export const FAULTING = tableOf([
  IR.insn,
  IR.load,
  IR.store,
  IR.align,
  IR.canonical,
  IR.exit,
  IR.atomic,
  IR.divu,
  IR.remu,
  IR.divs,
  IR.rems,
  IR.call,
  DISPLACED.load,
  DISPLACED.store,
  ...FLOAT_OPS,
]);
export const FLOATS = tableOf(FLOAT_OPS);

/** 1: cases differ by the auxiliary bits. */
export const HAS_AUX = FLOATS.slice();
for (const op of [IR.insert, IR.vec, FOLDED.anyOf]) HAS_AUX[op] = 1;

/** Registers that an operation besides `set` may write: XMM and MXCSR by helpers, MXCSR by floating point. */
export function clobbers(head: number, register: number): boolean {
  const op = head & 0xff;
  if (FLOATS[op] !== 0) return register === REG['mxcsr'];
  if (op !== IR.call) return false;
  const { effect } = HELPERS[head >>> 16];
  if (effect === 'pure') return false;
  return register === REG['mxcsr'] || (register >= XMM0 && effect !== 'state');
}
