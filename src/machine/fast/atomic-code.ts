// Code of what an atomic operation makes of a value, for the interpreter and for regions.
import type { ATOMICS } from '../../isa/index.ts';
import type { Asm } from './asm.ts';
import { W } from './opcodes.ts';

/** Pushes the new value of an atomic operation. */
export function emitAtomic(
  a: Asm,
  kind: (typeof ATOMICS)[number],
  width: number,
  old: number,
  operand: () => void,
  replacement: () => void,
): void {
  const wide = width === 64;
  switch (kind) {
    case 'xchg':
      operand();
      return;
    case 'neg':
      if (wide) a.i64(0);
      else a.i32(0);
      a.get(old);
      a.op(wide ? W.i64_sub : W.i32_sub);
      return;
    case 'cmpxchg':
      replacement();
      a.get(old);
      a.get(old);
      operand();
      a.op(wide ? W.i64_eq : W.i32_eq, W.select);
      return;
    default: {
      a.get(old);
      operand();
      const ops = {
        add: [W.i32_add, W.i64_add],
        sub: [W.i32_sub, W.i64_sub],
        and: [W.i32_and, W.i64_and],
        or: [W.i32_or, W.i64_or],
        xor: [W.i32_xor, W.i64_xor],
      }[kind];
      a.op(ops[wide ? 1 : 0]);
    }
  }
}
