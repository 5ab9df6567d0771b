// The string comparisons and the checksum of SSE4.2.
import type { Flag, Value } from '../builder.ts';
import { REG } from '../ir.ts';
import type { LiftContext, LiftFunction } from './context.ts';

/** Length operands of the explicit forms: EAX and EDX, or RAX and RDX with REX.W, which the form's name tells. */
function lengths(cx: LiftContext): readonly [Value, Value] {
  const wide = /pcmpestr[im]64/i.test(cx.insn.codeName);
  const { b } = cx;
  const get = (register: string): Value => b.sext(64, cx.gpr(REG[register], wide ? 64 : 32));
  return [get('rax'), get('rdx')];
}

/** Bits of the helper's answer: mask 0-15, index 16-20, then the flags. */
const FLAG_POSITIONS: readonly (readonly [Flag, number])[] = [
  ['CF', 24],
  ['ZF', 25],
  ['SF', 26],
  ['OF', 27],
];

/** pcmpestri, pcmpestrm, pcmpistri, pcmpistrm. The memory operand need not be aligned. */
const compareStrings =
  (explicit: boolean, result: 'index' | 'mask'): LiftFunction =>
  (cx) => {
    const { b } = cx;
    const [x, y] = [cx.read(0), cx.read(1, 128)];
    let control = b.const(64, cx.immediate & 0xff);
    if (explicit) {
      const [m, n] = lengths(cx).map((length) => b.call(64, 'sse.string_length', length, control));
      control = b.or(control, b.or(b.shl(m, b.const(64, 8)), b.shl(n, b.const(64, 16))));
    }
    const answer = b.call(64, explicit ? 'sse.compare_explicit' : 'sse.compare_implicit', x, y, control);
    for (const [flag, at] of FLAG_POSITIONS) b.setf(flag, b.extract(1, answer, at));
    b.setf('AF', b.const(1, 0));
    b.setf('PF', b.const(1, 0));
    if (result === 'index') cx.setGpr(REG['rcx'], b.zext(32, b.extract(8, answer, 16)));
    else cx.setXmm(0, b.call(128, 'sse.expand_mask', b.trunc(16, answer), b.const(8, cx.immediate & 0xff)));
  };

const crc32: LiftFunction = (cx) => {
  const { b } = cx;
  const width = b.const(8, cx.widthOf(1));
  const value = b.call(32, 'crc32', cx.read(0, 32), cx.read(1), width);
  cx.write(0, b.zext(cx.widthOf(0), value));
};

export const stringRows42: Readonly<Record<string, LiftFunction>> = {
  pcmpestri: compareStrings(true, 'index'),
  pcmpestri64: compareStrings(true, 'index'),
  pcmpestrm: compareStrings(true, 'mask'),
  pcmpestrm64: compareStrings(true, 'mask'),
  pcmpistri: compareStrings(false, 'index'),
  pcmpistrm: compareStrings(false, 'mask'),
  crc32,
};
