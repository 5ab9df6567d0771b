// Holds a block to the rules at the head of ir.ts. For tests of lifters; engines trust blocks.

import { HELPERS } from './helpers.ts';
import { type Block, FLAG_KINDS, IR, IR_OPS, type IrOp, REGISTERS, WORDS } from './ir.ts';
import { printOperation } from './text.ts';

const TERMINATORS = new Set<IrOp>(['jump', 'branch', 'syscall', 'trap', 'unsupported']);
const EFFECTS = new Set<IrOp>(['set', 'flags', 'setf', 'setrflags']);
/** Operations that may fault, stores apart. */
const FAULTING = new Set<IrOp>([
  'load',
  'atomic',
  'align',
  'canonical',
  'divu',
  'remu',
  'divs',
  'rems',
  'fadd',
  'fsub',
  'fmul',
  'fdiv',
  'fsqrt',
  'fmin',
  'fmax',
  'fcmp',
  'fcomi',
  'fcvt',
]);
const BITWISE = new Set<IrOp>([
  'add',
  'sub',
  'mul',
  'mulhu',
  'mulhs',
  'and',
  'or',
  'xor',
  'shl',
  'shr',
  'sar',
  'rotl',
  'rotr',
  'eq',
  'ne',
  'ltu',
  'leu',
  'lts',
  'les',
  'divu',
  'remu',
  'divs',
  'rems',
]);

interface Operation {
  readonly op: IrOp;
  readonly width: number;
  readonly aux: number;
  readonly words: readonly number[];
  readonly index: number;
}

/** Breaches of the rules, as text; empty for a good block. */
export function validateBlock(block: Block): string[] {
  const { code } = block;
  const out: string[] = [];
  const operations = Array.from({ length: code.length / WORDS }, (_, index): Operation => {
    const at = index * WORDS;
    return {
      op: IR_OPS[code[at] & 0xff][0],
      width: (code[at] >>> 8) & 0xff,
      aux: code[at] >>> 16,
      words: [...code.subarray(at + 1, at + 4)],
      index,
    };
  });
  const complain = (operation: Operation, what: string): void => {
    out.push(`${what}: ${printOperation(code, operation.index)}`);
  };
  if (operations[0]?.op !== 'insn') out.push('a block opens with insn');
  operations.forEach((operation, i) => {
    const last = i === operations.length - 1;
    if (TERMINATORS.has(operation.op) !== last)
      complain(operation, last ? 'the last operation is a terminator' : 'a terminator is the last operation');
    checkOperands(operations, operation, (what) => complain(operation, what));
  });
  checkOrder(operations, complain);
  if (operations.filter((o) => o.op === 'insn').length !== block.instructions)
    out.push('the number of instructions is that of insn');
  return out;
}

const resultWidth = (o: Operation): number => (IR_OPS[IR[o.op]][2] === 'v1' ? 1 : o.width);

function checkOperands(all: readonly Operation[], o: Operation, complain: (what: string) => void): void {
  const [, kinds] = IR_OPS[IR[o.op]];
  const widths: number[] = [];
  for (const [i, kind] of [...kinds].entries()) {
    const word = o.words[i];
    if (kind === 'r' && REGISTERS[word] === undefined) complain('no such register');
    if (kind !== 'v' || word < 0) continue;
    const source = all[word];
    if (word >= o.index || source === undefined || IR_OPS[IR[source.op]][2] === '') {
      complain(`v${word} is no value here`);
      return;
    }
    widths.push(resultWidth(source));
  }
  if (BITWISE.has(o.op) && widths.some((width) => width !== o.width)) complain(`operands of ${widths} bits`);
  if (['load', 'store', 'atomic', 'align', 'canonical'].includes(o.op) && widths[0] !== 64)
    complain('an address has 64 bits');
  if (o.op === 'store' && widths[1] !== o.width) complain('a store is as wide as its value');
  if (o.op === 'set' && widths[0] !== REGISTERS[o.words[0]].width) complain('a register is set as a whole');
  if (o.op === 'flags' && (FLAG_KINDS[o.aux] === undefined || widths[0] !== o.width))
    complain('flags of the operand’s width');
  if (o.op === 'select' && (widths[0] !== 1 || widths[1] !== o.width || widths[2] !== o.width))
    complain('select of a bit and two equal widths');
}

/** Accesses before effects, stores after whatever can fault. */
function checkOrder(operations: readonly Operation[], complain: (o: Operation, what: string) => void): void {
  let effect = false;
  let stored = false;
  for (const o of operations) {
    if (o.op === 'insn') effect = stored = false;
    const helper = o.op === 'call' ? HELPERS[o.aux].effect : 'pure';
    const faults = FAULTING.has(o.op) || helper === 'memory';
    if (effect && (faults || o.op === 'store' || o.op === 'exit'))
      complain(o, 'after an effect of its instruction');
    if (stored && (faults || o.op === 'exit')) complain(o, 'after a store of its instruction');
    if (EFFECTS.has(o.op)) effect = true;
    if (o.op === 'store' || o.op === 'atomic') stored = true;
  }
}
