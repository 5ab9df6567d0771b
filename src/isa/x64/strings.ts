// String instructions. A repeated one is a block of its own: it leaves at once where the count is 0, else does one step
// and jumps to itself, so that faults and budgets meet it between steps, as interrupts do on the processor.
import type { Value } from '../builder.ts';
import { REG } from '../ir.ts';
import type { LiftContext, LiftFunction, LiftTable } from './context.ts';
import type { Instruction } from './instruction.ts';

const RAX = REG['rax'];
const RCX = REG['rcx'];
const RSI = REG['rsi'];
const RDI = REG['rdi'];

type Step = (cx: LiftContext, width: number) => void;

/** Address that rsi (with the instruction's segment) or rdi (without) points to. */
function pointer(cx: LiftContext, register: number): Value {
  const offset = cx.b.zext(64, cx.gpr(register, cx.insn.addressWidth));
  return register === RSI ? cx.segmented(offset) : offset;
}

/** Moves the pointers by one element in the direction of DF. */
function advance(cx: LiftContext, width: number, ...registers: readonly number[]): void {
  const { b } = cx;
  const wide = cx.insn.addressWidth;
  const step = b.select(b.getf('DF'), b.const(wide, -width / 8), b.const(wide, width / 8));
  for (const register of registers) cx.setGpr(register, b.add(cx.gpr(register, wide), step));
}

const movs: Step = (cx, width) => {
  const value = cx.b.load(width, pointer(cx, RSI));
  cx.b.store(pointer(cx, RDI), value);
  advance(cx, width, RSI, RDI);
};

const stos: Step = (cx, width) => {
  cx.b.store(pointer(cx, RDI), cx.gpr(RAX, width));
  advance(cx, width, RDI);
};

const lods: Step = (cx, width) => {
  const value = cx.b.load(width, pointer(cx, RSI));
  advance(cx, width, RSI);
  cx.setGpr(RAX, value);
};

const cmps: Step = (cx, width) => {
  const { b } = cx;
  // in this order: it decides which of two faults happens
  const y = b.load(width, pointer(cx, RDI));
  const x = b.load(width, pointer(cx, RSI));
  advance(cx, width, RSI, RDI);
  b.flags('sub', x, y);
};

const scas: Step = (cx, width) => {
  const { b } = cx;
  const y = b.load(width, pointer(cx, RDI));
  advance(cx, width, RDI);
  b.flags('sub', cx.gpr(RAX, width), y);
};

/** `compares`: the prefix also looks at ZF after each step. */
function string(step: Step, width: number, compares: boolean): LiftFunction {
  return (cx) => {
    const { b, insn } = cx;
    if (!insn.rep && !insn.repne) return step(cx, width);
    const wide = insn.addressWidth;
    b.exit(b.isZero(cx.gpr(RCX, wide)), cx.next());
    step(cx, width);
    const count = b.sub(cx.gpr(RCX, wide), b.const(wide, 1));
    cx.setGpr(RCX, count);
    let again = b.compare('ne', count, b.const(wide, 0));
    if (compares) {
      const zf = b.getf('ZF');
      again = b.and(again, insn.repne ? b.not(zf) : zf);
    }
    b.branch(again, cx.self(), cx.next());
  };
}

const WIDTHS = { b: 8, w: 16, d: 32, q: 64 } as const;
const rows: Record<string, LiftFunction> = {};
for (const [suffix, width] of Object.entries(WIDTHS)) {
  rows[`movs${suffix}`] = string(movs, width, false);
  rows[`stos${suffix}`] = string(stos, width, false);
  rows[`lods${suffix}`] = string(lods, width, false);
  rows[`cmps${suffix}`] = string(cmps, width, true);
  rows[`scas${suffix}`] = string(scas, width, true);
}
// two mnemonics mean SSE instructions as well: those two go by form
const { movsd, cmpsd, ...byMnemonic } = rows;

export const stringRows: LiftTable = { ...byMnemonic, Movsd_m32_m32: movsd, Cmpsd_m32_m32: cmpsd };

/** Whether a rep prefix makes it a loop. */
export function isString(instruction: Instruction): boolean {
  return (
    instruction.kinds[0]?.startsWith('string') === true || instruction.kinds[1]?.startsWith('string') === true
  );
}
