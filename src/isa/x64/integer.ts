// Integer arithmetic and logic (Intel SDM volume 2, AMD APM volume 3). Flags that the manuals leave undefined get
// whatever is simplest.
import type { AtomicKind, FlagKind, Value } from '../builder.ts';
import { REG } from '../ir.ts';
import type { LiftContext, LiftFunction, LiftTable } from './context.ts';

const RAX = REG['rax'];
const RDX = REG['rdx'];

interface BinaryRow {
  readonly compute: (cx: LiftContext, a: Value, b: Value) => Value;
  readonly flags: FlagKind;
  /** What a locked form does to memory. */
  readonly atomic?: AtomicKind;
  /** Result is not written (cmp, test). */
  readonly discard?: boolean;
  /** CF goes in (adc, sbb). */
  readonly carry?: boolean;
}

/** op destination, source: destination may be memory, locked or not. */
function binary(row: BinaryRow): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const source = cx.read(1, width);
    const carry = row.carry === true ? b.getf('CF') : -1;
    const addend = carry >= 0 && cx.insn.lock ? b.add(source, b.zext(width, carry)) : source;
    const old =
      cx.insn.lock && row.atomic !== undefined
        ? b.atomic(row.atomic, cx.address(), addend)
        : cx.read(0, width, row.discard !== true);
    let result = row.compute(cx, old, source);
    if (carry >= 0)
      result =
        row.flags === 'adc' ? b.add(result, b.zext(width, carry)) : b.sub(result, b.zext(width, carry));
    if (row.discard !== true && !cx.insn.lock) cx.write(0, result);
    if (row.flags === 'logic') b.flags('logic', result);
    else b.flags(row.flags, old, source, carry);
  };
}

function incDec(kind: 'inc' | 'dec'): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const one = b.const(width, 1);
    const carry = b.getf('CF');
    const old = cx.insn.lock
      ? b.atomic(kind === 'inc' ? 'add' : 'sub', cx.address(), one)
      : cx.read(0, width, true);
    if (!cx.insn.lock) cx.write(0, kind === 'inc' ? b.add(old, one) : b.sub(old, one));
    b.flags(kind, old, -1, carry);
  };
}

const not: LiftFunction = (cx) => {
  const { b } = cx;
  const width = cx.widthOf(0);
  if (cx.insn.lock) b.atomic('xor', cx.address(), b.const(width, -1));
  else cx.write(0, b.not(cx.read(0, width, true)));
};

const neg: LiftFunction = (cx) => {
  const { b } = cx;
  const width = cx.widthOf(0);
  const old = cx.insn.lock ? b.atomic('neg', cx.address(), b.const(width, 0)) : cx.read(0, width, true);
  if (!cx.insn.lock) cx.write(0, b.neg(old));
  b.flags('sub', b.const(width, 0), old);
};

/** The double-width product of rax and the operand into rdx:rax (ax for bytes). */
function wideMultiply(signed: boolean): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const factor = cx.read(0, width);
    const rax = cx.gpr(RAX, width);
    const low = b.mul(rax, factor);
    const high = signed ? b.mulhs(rax, factor) : b.mulhu(rax, factor);
    if (width === 8) cx.setGpr(RAX, b.concat(high, low));
    else {
      cx.setGpr(RAX, low);
      cx.setGpr(RDX, high);
    }
    b.flags(signed ? 'smul' : 'umul', low, high);
  };
}

const imul: LiftFunction = (cx) => {
  if (cx.operandCount === 1) return wideMultiply(true)(cx);
  const { b } = cx;
  const width = cx.widthOf(0);
  const x = cx.read(cx.operandCount === 2 ? 0 : 1, width);
  const y = cx.read(cx.operandCount - 1, width);
  const low = b.mul(x, y);
  const high = b.mulhs(x, y);
  cx.write(0, low);
  b.flags('smul', low, high);
};

/** rdx:rax (ax for bytes) by the operand. */
function divide(quotientOp: 'divu' | 'divs', remainderOp: 'remu' | 'rems'): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const divisor = cx.read(0, width);
    const high = width === 8 ? b.extract(8, b.get(RAX), 8) : cx.gpr(RDX, width);
    const low = cx.gpr(RAX, width);
    const quotient = b.divide(quotientOp, high, low, divisor);
    const remainder = b.divide(remainderOp, high, low, divisor);
    if (width === 8) cx.setGpr(RAX, b.concat(remainder, quotient));
    else {
      cx.setGpr(RAX, quotient);
      cx.setGpr(RDX, remainder);
    }
  };
}

/** rax's lower half sign-extended in place: cbw, cwde, cdqe. */
function extendA(width: number): LiftFunction {
  return (cx) => cx.setGpr(RAX, cx.b.sext(width, cx.gpr(RAX, width / 2)));
}

/** rax's sign into rdx: cwd, cdq, cqo. */
function extendD(width: number): LiftFunction {
  return (cx) => cx.setGpr(RDX, cx.b.sar(cx.gpr(RAX, width), cx.b.const(width, width - 1)));
}

const xadd: LiftFunction = (cx) => {
  const { b } = cx;
  const width = cx.widthOf(0);
  const source = cx.read(1, width);
  const old = cx.insn.lock ? b.atomic('add', cx.address(), source) : cx.read(0, width, true);
  const sum = b.add(old, source);
  if (cx.isMemory(0)) {
    if (!cx.insn.lock) cx.write(0, sum);
    cx.write(1, old);
  } else {
    cx.write(1, old);
    cx.write(0, sum);
  }
  b.flags('add', old, source);
};

const cmpxchg: LiftFunction = (cx) => {
  const { b } = cx;
  const width = cx.widthOf(0);
  const expected = cx.gpr(RAX, width);
  const source = cx.read(1, width);
  const old = cx.insn.lock ? b.atomic('cmpxchg', cx.address(), expected, source) : cx.read(0, width, true);
  const equal = b.compare('eq', expected, old);
  // memory is written in either case; of the registers only the one that changes loses its upper half
  if (cx.isMemory(0)) {
    if (!cx.insn.lock) cx.write(0, b.select(equal, source, old));
  } else writeIf(cx, equal, cx.insn.registers[0], source);
  const rax = b.get(RAX);
  cx.setGpr(RAX, old);
  b.set(RAX, b.select(equal, rax, b.get(RAX)));
  b.flags('sub', expected, old);
};

function writeIf(
  cx: LiftContext,
  condition: Value,
  register: { readonly class: string; readonly number: number },
  value: Value,
): void {
  const { b } = cx;
  const before = b.get(register.number);
  const width = b.widthOf(value);
  const after =
    width === 64
      ? value
      : width === 32
        ? b.zext(64, value)
        : b.insert(before, value, register.class === 'gpr8h' ? 8 : 0);
  b.set(register.number, b.select(condition, after, before));
}

/** cmpxchg8b, cmpxchg16b: rdx:rax with memory, rcx:rbx goes in. */
function cmpxchgWide(half: 32 | 64): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const address = cx.address();
    if (half === 64) b.align(address, 16);
    const expected = b.concat(cx.gpr(RDX, half), cx.gpr(RAX, half));
    const source = b.concat(cx.gpr(REG['rcx'], half), cx.gpr(REG['rbx'], half));
    const old = cx.insn.lock
      ? b.atomic('cmpxchg', address, expected, source)
      : b.loadForUpdate(2 * half, address);
    const equal = b.compare('eq', expected, old);
    if (!cx.insn.lock) b.store(address, b.select(equal, source, old));
    for (const [register, from] of [
      [RAX, 0],
      [RDX, half],
    ] as const) {
      b.set(register, b.select(equal, b.get(register), b.zext(64, b.extract(half, old, from))));
    }
    b.setf('ZF', equal);
  };
}

const add: BinaryRow = { compute: (cx, a, b) => cx.b.add(a, b), flags: 'add', atomic: 'add' };
const sub: BinaryRow = { compute: (cx, a, b) => cx.b.sub(a, b), flags: 'sub', atomic: 'sub' };
const and: BinaryRow = { compute: (cx, a, b) => cx.b.and(a, b), flags: 'logic', atomic: 'and' };

export const integerRows: LiftTable = {
  add: binary(add),
  adc: binary({ ...add, flags: 'adc', carry: true }),
  sub: binary(sub),
  sbb: binary({ ...sub, flags: 'sbb', carry: true }),
  and: binary(and),
  or: binary({ compute: (cx, a, b) => cx.b.or(a, b), flags: 'logic', atomic: 'or' }),
  xor: binary({ compute: (cx, a, b) => cx.b.xor(a, b), flags: 'logic', atomic: 'xor' }),
  cmp: binary({ compute: sub.compute, flags: 'sub', discard: true }),
  test: binary({ compute: and.compute, flags: 'logic', discard: true }),
  inc: incDec('inc'),
  dec: incDec('dec'),
  not,
  neg,
  mul: wideMultiply(false),
  imul,
  div: divide('divu', 'remu'),
  idiv: divide('divs', 'rems'),
  cbw: extendA(16),
  cwde: extendA(32),
  cdqe: extendA(64),
  cwd: extendD(16),
  cdq: extendD(32),
  cqo: extendD(64),
  xadd,
  cmpxchg,
  cmpxchg8b: cmpxchgWide(32),
  cmpxchg16b: cmpxchgWide(64),
};
