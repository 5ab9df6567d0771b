// Lifting of x87 instructions: memory accesses are IR, everything on the register stack is a helper (float-helpers.ts).
import type { Value } from '../builder.ts';
import { REG } from '../ir.ts';
import { type LiftContext, type LiftFunction, type LiftTable, needing } from './context.ts';
import { X87_ARITHMETIC, X87_CONSTANTS, X87_OPERANDS, X87_PLAIN, X87_STORES } from './float-helpers.ts';

const number = (cx: LiftContext, value: number): Value => cx.b.const(8, value);

/** A helper without a result, its operands small numbers. */
function run(cx: LiftContext, name: string, ...operands: readonly number[]): void {
  const [a, b, c] = operands.map((operand) => number(cx, operand));
  cx.b.call(8, name, a, b, c);
}

/** Reports a pending exception, before the memory operand can fault. */
const wait = (cx: LiftContext): void => run(cx, 'x87.wait');

/** Width and format of the memory operand of an integer or float instruction. */
function operandFormat(cx: LiftContext, integer: boolean): number {
  const name = `${integer ? 'i' : 'f'}${cx.widthOf(0)}`;
  return (X87_OPERANDS as readonly string[]).indexOf(name);
}

/** The 80 bits at the memory operand: low 64 and high 16. */
function load80(cx: LiftContext): readonly [Value, Value] {
  const { b } = cx;
  const address = cx.address();
  return [b.load(64, address), b.load(16, b.add(address, b.const(64, 8)))];
}

const fld: LiftFunction = (cx) => {
  if (cx.isRegister(0)) return run(cx, 'x87.load_register', cx.registerNumber(0));
  wait(cx);
  const width = cx.widthOf(0);
  if (width === 80) {
    const [low, high] = load80(cx);
    cx.b.call(8, 'x87.load80', low, high);
  } else cx.b.call(8, width === 32 ? 'x87.load32' : 'x87.load64', cx.read(0));
};
const fild: LiftFunction = (cx) => {
  wait(cx);
  cx.b.call(8, 'x87.load_integer', cx.b.sext(64, cx.read(0)));
};
const fbld: LiftFunction = (cx) => {
  wait(cx);
  const [low, high] = load80(cx);
  cx.b.call(8, 'x87.load_decimal', low, high);
};

/** Leaves before the store when an unmasked exception prevents it; it is then pending. */
function unlessPrevented(cx: LiftContext, prevented: Value): void {
  cx.b.exit(prevented, cx.next());
}

function storeFormat(cx: LiftContext, name: string, pop: boolean): void {
  const { b } = cx;
  const format = (X87_STORES as readonly string[]).indexOf(name);
  wait(cx);
  b.loadForUpdate(cx.widthOf(0), cx.address()); // a page fault goes before the x87's exceptions
  unlessPrevented(cx, b.call(1, 'x87.store_prevented', number(cx, format)));
  cx.write(0, b.call(cx.widthOf(0), 'x87.store', number(cx, format), number(cx, 0)));
  run(cx, 'x87.store_done', format, pop ? 1 : 0);
}

/** Page faults go before the x87's exceptions, and before the first of two stores. */
function checkStore80(cx: LiftContext): void {
  const { b } = cx;
  const address = cx.address();
  wait(cx);
  b.loadForUpdate(64, address);
  b.loadForUpdate(16, b.add(address, b.const(64, 8)));
}

function store80(cx: LiftContext, low: Value, high: Value): void {
  const { b } = cx;
  const address = cx.address();
  b.store(b.add(address, b.const(64, 8)), high);
  b.store(address, low);
}

const fst =
  (pop: boolean): LiftFunction =>
  (cx) => {
    if (cx.isRegister(0)) return run(cx, 'x87.store_register', cx.registerNumber(0), pop ? 1 : 0);
    if (cx.widthOf(0) !== 80) return storeFormat(cx, `f${cx.widthOf(0)}`, pop);
    const { b } = cx;
    checkStore80(cx);
    unlessPrevented(cx, b.call(1, 'x87.store80_prevented'));
    const low = b.call(64, 'x87.store80', number(cx, 0));
    store80(cx, low, b.call(16, 'x87.store80', number(cx, 1)));
    run(cx, 'x87.store80_done');
  };
const fist =
  (suffix: '' | 't', pop: boolean): LiftFunction =>
  (cx) =>
    storeFormat(cx, `i${cx.widthOf(0)}${suffix}`, pop);

const fbstp: LiftFunction = (cx) => {
  const { b } = cx;
  checkStore80(cx);
  const format = number(cx, X87_STORES.indexOf('bcd'));
  unlessPrevented(cx, b.call(1, 'x87.store_prevented', format));
  const low = b.call(64, 'x87.store', format, number(cx, 0));
  store80(cx, low, b.call(16, 'x87.store', format, number(cx, 1)));
  b.call(8, 'x87.store_done', format, number(cx, 1));
};

const fxch: LiftFunction = (cx) => run(cx, 'x87.exchange', cx.registerNumber(1));

/** fadd and its kin: with memory, or ST(destination) op= ST(source). */
const arithmetic =
  (name: (typeof X87_ARITHMETIC)[number], integer = false): LiftFunction =>
  (cx) => {
    const op = X87_ARITHMETIC.indexOf(name);
    if (cx.isMemory(0)) {
      wait(cx);
      const format = operandFormat(cx, integer);
      cx.b.call(8, 'x87.arithmetic_memory', number(cx, op), number(cx, format), cx.read(0));
    } else run(cx, 'x87.arithmetic', op, cx.registerNumber(0) + 8 * cx.registerNumber(1), 0);
  };
const arithmeticPop =
  (name: (typeof X87_ARITHMETIC)[number]): LiftFunction =>
  (cx) =>
    run(
      cx,
      'x87.arithmetic',
      X87_ARITHMETIC.indexOf(name),
      cx.registerNumber(0) + 8 * cx.registerNumber(1),
      1,
    );

/** fcom and its kin, with memory or ST(i). */
const comparison =
  (signaling: 0 | 1, pops: number, integer = false): LiftFunction =>
  (cx) => {
    if (cx.isMemory(0)) {
      wait(cx);
      const format = operandFormat(cx, integer);
      cx.b.call(8, 'x87.compare_memory', number(cx, format), cx.read(0), number(cx, pops));
    } else run(cx, 'x87.compare', cx.operandCount === 0 ? 1 : cx.registerNumber(1), signaling, pops);
  };
const comparisonFlags =
  (signaling: 0 | 1, pops: number): LiftFunction =>
  (cx) => {
    const { b } = cx;
    const operands = [cx.registerNumber(1), signaling, pops].map((operand) => number(cx, operand));
    b.setrflags('comis', b.call(64, 'x87.compare_flags', ...operands));
  };

/** Condition codes of Jcc: below, equal, below or equal, unordered (parity), and their opposites. */
const moveIf =
  (condition: number): LiftFunction =>
  (cx) => {
    cx.b.call(8, 'x87.move_if', cx.b.cond(condition), number(cx, cx.registerNumber(1)));
  };

const constant =
  (index: number): LiftFunction =>
  (cx) =>
    run(cx, 'x87.load_constant', index);
const plain =
  (name: string): LiftFunction =>
  (cx) =>
    run(cx, `x87.${name}`);

const fldcw: LiftFunction = (cx) => {
  wait(cx);
  cx.b.call(8, 'x87.set_control', cx.read(0, 16));
};
const fnstcw: LiftFunction = (cx) => cx.write(0, cx.b.call(16, 'x87.get_control'));
const fnstsw: LiftFunction = (cx) => {
  const value = cx.b.call(16, 'x87.get_status');
  if (cx.isMemory(0)) cx.write(0, value);
  else cx.setGpr(REG['rax'], value);
};

/** fnstenv, fldenv, fnsave, frstor: 16-bit forms by an operand-size prefix. */
const environment =
  (helper: string): LiftFunction =>
  (cx) => {
    const small = /_m(14|94)byte$/.test(cx.insn.codeName);
    cx.b.call(8, helper, cx.address(), number(cx, small ? 16 : 32));
  };
const fxState =
  (helper: 'fxsave' | 'fxrstor'): LiftFunction =>
  (cx) => {
    cx.b.call(8, helper, cx.address());
  };

/** xsave, xsavec and xrstor: the components that edx:eax names. */
const extendedState =
  (helper: 'xsave' | 'xrstor', compacted: 0 | 1): LiftFunction =>
  (cx) => {
    const { b } = cx;
    const components = b.concat(cx.gpr(REG['rdx'], 32), cx.gpr(REG['rax'], 32));
    b.call(8, helper, cx.address(), components, b.const(8, compacted));
  };

const nothing: LiftFunction = () => {};

const rows: LiftTable = {
  fld,
  fild,
  fbld,
  fst: fst(false),
  fstp: fst(true),
  fstpnce: (cx) => run(cx, 'x87.store_unchecked', cx.registerNumber(0)),
  fist: fist('', false),
  fistp: fist('', true),
  fbstp,
  fxch,
  fadd: arithmetic('fadd'),
  fmul: arithmetic('fmul'),
  fsub: arithmetic('fsub'),
  fsubr: arithmetic('fsubr'),
  fdiv: arithmetic('fdiv'),
  fdivr: arithmetic('fdivr'),
  fiadd: arithmetic('fadd', true),
  fimul: arithmetic('fmul', true),
  fisub: arithmetic('fsub', true),
  fisubr: arithmetic('fsubr', true),
  fidiv: arithmetic('fdiv', true),
  fidivr: arithmetic('fdivr', true),
  faddp: arithmeticPop('fadd'),
  fmulp: arithmeticPop('fmul'),
  fsubp: arithmeticPop('fsub'),
  fsubrp: arithmeticPop('fsubr'),
  fdivp: arithmeticPop('fdiv'),
  fdivrp: arithmeticPop('fdivr'),
  fcom: comparison(1, 0),
  fcomp: comparison(1, 1),
  fcompp: comparison(1, 2),
  fucom: comparison(0, 0),
  fucomp: comparison(0, 1),
  fucompp: comparison(0, 2),
  ficom: comparison(1, 0, true),
  ficomp: comparison(1, 1, true),
  fcomi: comparisonFlags(1, 0),
  fcomip: comparisonFlags(1, 1),
  fucomi: comparisonFlags(0, 0),
  fucomip: comparisonFlags(0, 1),
  fcmovb: moveIf(2),
  fcmove: moveIf(4),
  fcmovbe: moveIf(6),
  fcmovu: moveIf(10),
  fcmovnb: moveIf(3),
  fcmovne: moveIf(5),
  fcmovnbe: moveIf(7),
  fcmovnu: moveIf(11),
  ffree: (cx) => run(cx, 'x87.free', cx.registerNumber(0), 0),
  ffreep: (cx) => run(cx, 'x87.free', cx.registerNumber(0), 1),
  fnop: plain('wait'),
  // of the 8087 and 80287; they do nothing since
  fneni: nothing,
  fndisi: nothing,
  fnsetpm: nothing,
  wait: plain('wait'),
  fldcw,
  fnstcw,
  fnstsw,
  fnstenv: environment('x87.save_environment'),
  fldenv: environment('x87.load_environment'),
  fnsave: environment('x87.save'),
  frstor: environment('x87.restore'),
  fxsave: fxState('fxsave'),
  fxsave64: fxState('fxsave'),
  fxrstor: fxState('fxrstor'),
  fxrstor64: fxState('fxrstor'),
  ...needing('xsave', {
    xsave: extendedState('xsave', 0),
    xsave64: extendedState('xsave', 0),
    xsavec: extendedState('xsave', 1),
    xsavec64: extendedState('xsave', 1),
    xrstor: extendedState('xrstor', 0),
    xrstor64: extendedState('xrstor', 0),
  }),
  emms: (cx) => run(cx, 'mmx.emms'),
  fisttp: { needs: 'sse3', lift: fist('t', true) },
};

export const x87Rows: LiftTable = {
  ...Object.fromEntries(X87_CONSTANTS.map((name, i) => [name, constant(i)])),
  ...Object.fromEntries(X87_PLAIN.map((name) => [name, plain(name)])),
  ...rows,
};
