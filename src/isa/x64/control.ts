// Jumps, calls, returns, loops, and what depends on a condition code.
import { REG } from '../ir.ts';
import type { LiftContext, LiftFunction, LiftTable } from './context.ts';

const RCX = REG['rcx'];
const RSP = REG['rsp'];

/** Condition codes 0..15 in encoding order, with the decoder's mnemonics. */
const CONDITIONS = [
  'o',
  'no',
  'b',
  'ae',
  'e',
  'ne',
  'be',
  'a',
  's',
  'ns',
  'p',
  'np',
  'l',
  'ge',
  'le',
  'g',
] as const;

const jcc =
  (code: number): LiftFunction =>
  (cx) =>
    cx.b.branch(cx.b.cond(code), cx.immediateValue(64), cx.next());

const setcc =
  (code: number): LiftFunction =>
  (cx) =>
    cx.write(0, cx.b.zext(8, cx.b.cond(code)));

/** A 32-bit destination loses its upper half in either case; memory is read in either case. */
const cmovcc =
  (code: number): LiftFunction =>
  (cx) => {
    const width = cx.widthOf(0);
    const source = cx.read(1, width);
    cx.write(0, cx.b.select(cx.b.cond(code), source, cx.read(0, width)));
  };

function target(cx: LiftContext): number {
  return cx.insn.kinds[0] === 'near' ? cx.immediateValue(64) : cx.read(0, 64);
}

/** Far transfers and 16-bit ones are nothing that a 64-bit program does. */
function isPlain(cx: LiftContext): boolean {
  const { insn } = cx;
  if (insn.kinds[0] === 'near') return insn.codeName.endsWith('_64');
  return insn.kinds[0] !== 'far' && /_rm64$/.test(insn.codeName);
}

const jmp: LiftFunction = (cx) => {
  if (!isPlain(cx)) return cx.b.unsupported();
  cx.b.jump(cx.insn.kinds[0] === 'near' ? 'jump' : 'indirect-jump', target(cx));
};

const call: LiftFunction = (cx) => {
  const { b } = cx;
  if (!isPlain(cx)) return b.unsupported();
  const to = target(cx);
  if (cx.insn.kinds[0] !== 'near') b.canonical(to);
  const top = b.sub(b.get(RSP), b.const(64, 8));
  b.store(top, cx.next());
  b.set(RSP, top);
  b.jump(cx.insn.kinds[0] === 'near' ? 'call' : 'indirect-call', to);
};

const ret: LiftFunction = (cx) => {
  const { b } = cx;
  if (!cx.insn.codeName.startsWith('Retnq')) return b.unsupported();
  const to = b.load(64, b.get(RSP));
  b.canonical(to);
  const drop = 8 + (cx.operandCount > 0 ? cx.immediate & 0xffff : 0);
  b.set(RSP, b.add(b.get(RSP), b.const(64, drop)));
  b.jump('ret', to);
};

const counterWidth = (cx: LiftContext): 32 | 64 => (/ecx/i.test(cx.insn.codeName) ? 32 : 64);

const jrcxz: LiftFunction = (cx) => {
  const width = cx.insn.codeName.startsWith('Jecxz') ? 32 : 64;
  cx.b.branch(cx.b.isZero(cx.gpr(RCX, width)), cx.immediateValue(64), cx.next());
};

/** loop, loope (ZF must be 1), loopne (0). */
const loop =
  (zero: 'any' | 'set' | 'clear'): LiftFunction =>
  (cx) => {
    const { b } = cx;
    const width = counterWidth(cx);
    const count = b.sub(cx.gpr(RCX, width), b.const(width, 1));
    cx.setGpr(RCX, count);
    let again = b.compare('ne', count, b.const(width, 0));
    if (zero !== 'any') {
      const zf = b.getf('ZF');
      again = b.and(again, zero === 'set' ? zf : b.not(zf));
    }
    b.branch(again, cx.immediateValue(64), cx.next());
  };

const conditional: Record<string, LiftFunction> = {};
CONDITIONS.forEach((name, code) => {
  conditional[`j${name}`] = jcc(code);
  conditional[`set${name}`] = setcc(code);
  conditional[`cmov${name}`] = cmovcc(code);
});

export const controlRows: LiftTable = {
  ...conditional,
  jmp,
  call,
  ret,
  jrcxz,
  jecxz: jrcxz,
  loop: loop('any'),
  loope: loop('set'),
  loopne: loop('clear'),
};
