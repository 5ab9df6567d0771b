// Moves, conversions of width, stack and exchange.
import type { Value } from '../builder.ts';
import { REG } from '../ir.ts';
import type { LiftContext, LiftFunction, LiftTable } from './context.ts';

const RAX = REG['rax'];
const RSP = REG['rsp'];
const RBP = REG['rbp'];

/** Selectors of Linux user mode, for the one thing that programs do with segment registers: look. */
const SELECTORS = [0, 0x33, 0x2b, 0, 0, 0]; // es cs ss ds fs gs

const mov: LiftFunction = (cx) => {
  const { insn } = cx;
  if (insn.registers[0].class === 'other' || insn.registers[1].class === 'other') return cx.b.trap('general'); // control and debug registers
  if (insn.registers[0].class === 'segment') return cx.b.unsupported();
  if (cx.isRegister(1) && insn.registers[1].class === 'segment') return movFromSegment(cx);
  const width = cx.widthOf(0);
  cx.write(0, cx.read(1, width));
};

function movFromSegment(cx: LiftContext): void {
  const width = cx.isMemory(0) ? 16 : cx.widthOf(0);
  cx.write(0, cx.b.const(width, SELECTORS[cx.registerNumber(1)]));
}

function extend(signed: boolean): LiftFunction {
  return (cx) => {
    const value = cx.read(1);
    const width = cx.widthOf(0);
    cx.write(0, signed ? cx.b.sext(width, value) : cx.b.zext(width, value));
  };
}

/** movsxd with a 32-bit or 16-bit destination is a plain move. */
const movsxd: LiftFunction = (cx) => {
  const width = cx.widthOf(0);
  const value = cx.read(1, Math.min(32, width));
  cx.write(0, cx.b.sext(width, value));
};

const lea: LiftFunction = (cx) => {
  cx.write(0, cx.b.trunc(cx.widthOf(0), cx.offset()));
};

/** Pushes a value; the stack pointer moves by its width. */
function pushValue(cx: LiftContext, value: Value): void {
  const { b } = cx;
  const top = b.sub(b.get(RSP), b.const(64, b.widthOf(value) / 8));
  b.store(top, value);
  b.set(RSP, top);
}

/** Width that push, pop, pushf, enter … move: 16 with an operand size prefix, else 64. */
function stackWidth(cx: LiftContext): number {
  const { codeName } = cx.insn;
  return /^(Push_(r16|rm16|imm16)|Pushw_|Pop_(r16|rm16)|Popw_|Pushfw|Popfw|Enterw|Leavew)/.test(codeName)
    ? 16
    : 64;
}

const push: LiftFunction = (cx) => {
  const width = stackWidth(cx);
  if (cx.isRegister(0) && cx.insn.registers[0].class === 'segment')
    return pushValue(cx, cx.b.const(width, SELECTORS[cx.registerNumber(0)]));
  pushValue(cx, cx.read(0, width));
};

const pop: LiftFunction = (cx) => {
  const { b } = cx;
  if (cx.isRegister(0) && cx.insn.registers[0].class === 'segment') return b.unsupported();
  const width = stackWidth(cx);
  const top = b.get(RSP);
  const value = b.load(width, top);
  const above = b.add(top, b.const(64, width / 8));
  if (cx.isMemory(0)) {
    // an address that uses rsp sees it moved already
    b.store(cx.address(width / 8), value);
    b.set(RSP, above);
  } else {
    b.set(RSP, above);
    cx.write(0, value);
  }
};

const pushf: LiftFunction = (cx) => {
  // RF and VM read as 0
  pushValue(cx, cx.b.trunc(stackWidth(cx), cx.b.rflags()));
};

const popf: LiftFunction = (cx) => {
  const { b } = cx;
  const width = stackWidth(cx);
  const value = b.load(width, b.get(RSP));
  b.set(RSP, b.add(b.get(RSP), b.const(64, width / 8)));
  // the upper flags keep their values with a 16-bit operand
  b.setrflags('popf', width === 64 ? value : b.insert(b.rflags(), value, 0));
};

const enter: LiftFunction = (cx) => {
  const { b } = cx;
  const width = stackWidth(cx);
  const size = width / 8;
  const level = cx.insn.immediate2 & 31;
  const rsp = b.get(RSP);
  const rbp = b.get(RBP);
  const frame = b.sub(rsp, b.const(64, size));
  b.store(frame, b.trunc(width, rbp));
  for (let i = 1; i < level; i++) {
    const outer = b.load(width, b.sub(rbp, b.const(64, size * i)));
    b.store(b.sub(frame, b.const(64, size * i)), outer);
  }
  if (level > 0) b.store(b.sub(frame, b.const(64, size * level)), b.trunc(width, frame));
  // last, the processor makes sure that the new frame's end can be written
  const end = b.sub(frame, b.const(64, size * level + (cx.immediate & 0xffff)));
  b.loadForUpdate(width, end);
  b.set(RSP, end);
  cx.setGpr(RBP, b.trunc(width, frame));
};

const leave: LiftFunction = (cx) => {
  const { b } = cx;
  const width = stackWidth(cx);
  const frame = b.get(RBP);
  const value = b.load(width, frame);
  b.set(RSP, b.add(frame, b.const(64, width / 8)));
  cx.setGpr(RBP, value);
};

/** With memory always locked. */
const xchg: LiftFunction = (cx) => {
  const { b } = cx;
  const memory = cx.isMemory(0) ? 0 : cx.isMemory(1) ? 1 : -1;
  if (memory >= 0) {
    const register = cx.read(1 - memory);
    cx.write(1 - memory, b.atomic('xchg', cx.address(), register));
    return;
  }
  const x = cx.read(0);
  const y = cx.read(1);
  cx.write(0, y);
  cx.write(1, x);
};

const bswap: LiftFunction = (cx) => {
  const width = cx.widthOf(0);
  // undefined for 16 bits; processors give 0
  cx.write(0, width === 16 ? cx.b.const(16, 0) : cx.b.bswap(cx.read(0)));
};

const movbe: LiftFunction = (cx) => cx.write(0, cx.b.bswap(cx.read(1, cx.widthOf(0))));

const xlatb: LiftFunction = (cx) => {
  const { b, insn } = cx;
  const wide = insn.addressWidth;
  const offset = b.add(cx.gpr(REG['rbx'], wide), b.zext(wide, cx.gpr(RAX, 8)));
  cx.setGpr(RAX, b.load(8, cx.segmented(b.zext(64, offset))));
};

export const moveRows: LiftTable = {
  mov,
  movzx: extend(false),
  movsx: extend(true),
  movsxd,
  movnti: mov,
  movdiri: { needs: 'movdiri', lift: mov },
  movbe: { needs: 'movbe', lift: movbe },
  lea,
  push,
  pop,
  pushf,
  pushfq: pushf,
  popf,
  popfq: popf,
  enter,
  leave,
  xchg,
  bswap,
  xlatb,
};
