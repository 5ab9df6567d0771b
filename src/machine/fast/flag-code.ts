// Status flags in WebAssembly: the same formulas as flags.ts. Operands may have rubbish above their width.
import { FLAG_KINDS } from '../../isa/index.ts';
import { SIGNED_FACTORS } from './analysis.ts';
import type { Asm } from './asm.ts';
import { W } from './opcodes.ts';
import { T } from './wasm-code.ts';

/** Body of status(kind | width << 8: i32, a, b, c: i64, before: i32) → the new RFLAGS. `rare`: import for the rest. */
export function emitStatus(a: Asm, rare: number, mulhs: number): void {
  const [kw, x, y, z, before] = [0, 1, 2, 3, 4];
  const kind = a.local(T.i32);
  const top = a.local(T.i64); // width - 1
  const mask = a.local(T.i64);
  const r = a.local(T.i64);
  const cf = a.local(T.i64);
  const of = a.local(T.i64);
  const af = a.local(T.i64);
  const t = a.local(T.i64);
  a.get(kw);
  a.i32(0xff);
  a.op(W.i32_and);
  a.set(kind);
  a.get(kw);
  a.i32(8);
  a.op(W.i32_shr_u, W.i64_extend_i32_u);
  a.i64(1);
  a.op(W.i64_sub);
  a.set(top);
  a.i64(-1);
  a.i64(63);
  a.get(top);
  a.op(W.i64_sub, W.i64_shr_u);
  a.set(mask);
  for (const local of [x, y]) {
    a.get(local);
    a.get(mask);
    a.op(W.i64_and);
    a.set(local);
  }
  const done = a.block();
  const labels = Array.from({ length: SIGNED_FACTORS + 1 }, () => a.block());
  const dflt = a.block();
  // the innermost block is the default; kind i leaves the block labels[i]
  a.get(kind);
  a.brTable([...labels.map((_, i) => labels[SIGNED_FACTORS - i]), dflt]);
  a.end();
  a.op(W.unreachable);
  const body = (emit: () => void): void => {
    a.end();
    emit();
    a.br(done);
  };
  const arithmetic = (subtract: boolean, carry: 'c' | 'none' | 'kept', one: boolean) => (): void => {
    if (one) {
      a.i64(1);
      a.set(y);
    }
    a.get(x);
    a.get(y);
    a.op(subtract ? W.i64_sub : W.i64_add);
    if (carry === 'c') {
      a.get(z);
      a.op(subtract ? W.i64_sub : W.i64_add);
    }
    a.get(mask);
    a.op(W.i64_and);
    a.set(r);
    if (carry === 'kept') {
      a.get(z);
      a.set(cf);
    } else if (subtract) {
      // ((~a & b) | (~(a ^ b) & r)) >> top
      a.get(x);
      not(a);
      a.get(y);
      a.op(W.i64_and);
      a.get(x);
      a.get(y);
      a.op(W.i64_xor);
      not(a);
      a.get(r);
      a.op(W.i64_and, W.i64_or);
      topBit(a, top);
      a.set(cf);
    } else {
      a.get(x);
      a.get(y);
      a.op(W.i64_and);
      a.get(x);
      a.get(y);
      a.op(W.i64_or);
      a.get(r);
      not(a);
      a.op(W.i64_and, W.i64_or);
      topBit(a, top);
      a.set(cf);
    }
    a.get(x);
    a.get(subtract ? y : r);
    a.op(W.i64_xor);
    a.get(subtract ? x : y);
    a.get(r);
    a.op(W.i64_xor, W.i64_and);
    topBit(a, top);
    a.set(of);
    a.get(x);
    a.get(y);
    a.get(r);
    a.op(W.i64_xor, W.i64_xor);
    a.i64(16);
    a.op(W.i64_and);
    a.set(af);
  };
  /** The count in y; 0 keeps everything. */
  const shifted = (emit: () => void) => (): void => {
    a.get(y);
    a.op(W.i64_eqz);
    a.if();
    a.get(before);
    a.op(W.return);
    a.end();
    emit();
  };
  const table: Readonly<Record<(typeof FLAG_KINDS)[number], () => void>> = {
    add: arithmetic(false, 'none', false),
    adc: arithmetic(false, 'c', false),
    sub: arithmetic(true, 'none', false),
    sbb: arithmetic(true, 'c', false),
    logic: () => {
      a.get(x);
      a.set(r);
    },
    inc: arithmetic(false, 'kept', true),
    dec: arithmetic(true, 'kept', true),
    shl: shifted(() => {
      a.get(x);
      a.get(y);
      a.op(W.i64_shl);
      a.get(mask);
      a.op(W.i64_and);
      a.set(r);
      // bit (width - count) of a, none where the count is more than the width
      a.get(top);
      a.i64(1);
      a.op(W.i64_add);
      a.get(y);
      a.op(W.i64_sub);
      a.tee(t);
      a.i64(0);
      a.op(W.i64_ge_s);
      a.if();
      a.get(x);
      a.get(t);
      a.op(W.i64_shr_u);
      a.i64(1);
      a.op(W.i64_and);
      a.set(cf);
      a.end();
      a.get(r);
      topBit(a, top);
      a.get(cf);
      a.op(W.i64_xor);
      a.set(of);
    }),
    shr: shifted(() => {
      a.get(x);
      a.get(y);
      a.op(W.i64_shr_u);
      a.set(r);
      a.get(x);
      a.get(y);
      a.i64(1);
      a.op(W.i64_sub, W.i64_shr_u);
      a.i64(1);
      a.op(W.i64_and);
      a.set(cf);
      a.get(x);
      topBit(a, top);
      a.set(of);
    }),
    sar: shifted(() => {
      // sign-extended from the width
      a.get(x);
      a.i64(63);
      a.get(top);
      a.op(W.i64_sub, W.i64_shl);
      a.i64(63);
      a.get(top);
      a.op(W.i64_sub, W.i64_shr_s);
      a.tee(t);
      a.get(y);
      a.op(W.i64_shr_s);
      a.get(mask);
      a.op(W.i64_and);
      a.set(r);
      a.get(t);
      a.get(y);
      a.i64(1);
      a.op(W.i64_sub, W.i64_shr_s);
      a.i64(1);
      a.op(W.i64_and);
      a.set(cf);
    }),
    umul: () => {
      a.get(x);
      a.set(r);
      a.get(y);
      a.i64(0);
      a.op(W.i64_ne, W.i64_extend_i32_u);
      a.tee(cf);
      a.set(of);
    },
    smul: () => {
      a.get(x);
      a.set(r);
      // the high half must be the low one's sign everywhere
      a.i64(0);
      a.get(x);
      topBit(a, top);
      a.op(W.i64_sub);
      a.get(mask);
      a.op(W.i64_and);
      a.get(y);
      a.op(W.i64_ne, W.i64_extend_i32_u);
      a.tee(cf);
      a.set(of);
    },
    shld: () => rareCall(a, rare, before),
    shrd: () => rareCall(a, rare, before),
  };
  for (const name of FLAG_KINDS) body(table[name]);
  body(() => {
    // the product's high half against the sign of its low half
    for (const local of [x, y]) {
      a.get(local);
      a.i64(63);
      a.get(top);
      a.op(W.i64_sub, W.i64_shl);
      a.i64(63);
      a.get(top);
      a.op(W.i64_sub, W.i64_shr_s);
      a.set(local);
    }
    a.get(x);
    a.get(y);
    a.op(W.i64_mul);
    a.tee(t);
    a.get(mask);
    a.op(W.i64_and);
    a.set(r);
    a.get(top);
    a.i64(63);
    a.op(W.i64_eq);
    a.if(T.i32);
    a.get(x);
    a.get(y);
    a.call(mulhs);
    a.get(t);
    a.i64(63);
    a.op(W.i64_shr_s, W.i64_ne);
    a.else();
    a.get(t);
    a.get(t);
    a.i64(63);
    a.get(top);
    a.op(W.i64_sub, W.i64_shl);
    a.i64(63);
    a.get(top);
    a.op(W.i64_sub, W.i64_shr_s, W.i64_ne);
    a.end();
    a.op(W.i64_extend_i32_u);
    a.tee(cf);
    a.set(of);
  });
  a.end();
  // before & ~status | SF ZF PF of r | CF OF AF
  a.get(before);
  a.i32(~0x8d5);
  a.op(W.i32_and);
  a.get(r);
  topBit(a, top);
  a.op(W.i32_wrap_i64);
  a.i32(7);
  a.op(W.i32_shl, W.i32_or);
  a.get(r);
  a.op(W.i64_eqz);
  a.i32(6);
  a.op(W.i32_shl, W.i32_or);
  a.get(r);
  a.op(W.i32_wrap_i64);
  a.i32(0xff);
  a.op(W.i32_and, W.i32_popcnt);
  a.i32(1);
  a.op(W.i32_and);
  a.i32(1);
  a.op(W.i32_xor);
  a.i32(2);
  a.op(W.i32_shl, W.i32_or);
  a.get(cf);
  a.op(W.i32_wrap_i64, W.i32_or);
  a.get(of);
  a.op(W.i32_wrap_i64);
  a.i32(11);
  a.op(W.i32_shl, W.i32_or);
  a.get(af);
  a.op(W.i32_wrap_i64, W.i32_or);
}

function rareCall(a: Asm, rare: number, before: number): void {
  for (let i = 0; i < 4; i++) a.get(i);
  a.get(before);
  a.call(rare);
  a.op(W.return);
}

function not(a: Asm): void {
  a.i64(-1);
  a.op(W.i64_xor);
}

/** The value's bit at the position that the local says. */
function topBit(a: Asm, top: number): void {
  a.get(top);
  a.op(W.i64_shr_u);
  a.i64(1);
  a.op(W.i64_and);
}

const [CF, PF, ZF, SF, OF] = [1, 4, 64, 128, 2048];

/** From RFLAGS on the stack (i32), 1 where the condition code holds. `flags`: an i32 local to use. */
export function emitCondition(a: Asm, code: number, flags: number): void {
  const any = (bits: number): void => {
    a.i32(bits);
    a.op(W.i32_and);
    a.i32(0);
    a.op(W.i32_ne);
  };
  /** SF differs from OF: bit 7 against bit 11. */
  const less = (): void => {
    a.tee(flags);
    a.i32(4);
    a.op(W.i32_shr_u);
    a.get(flags);
    a.op(W.i32_xor);
    a.i32(7);
    a.op(W.i32_shr_u);
    a.i32(1);
    a.op(W.i32_and);
  };
  switch (code >> 1) {
    case 6:
      less();
      break;
    case 7:
      less();
      a.get(flags);
      a.i32(6);
      a.op(W.i32_shr_u);
      a.i32(1);
      a.op(W.i32_and, W.i32_or);
      break;
    default:
      any([OF, CF, ZF, CF | ZF, SF, PF][code >> 1]);
  }
  if ((code & 1) !== 0) a.op(W.i32_eqz);
}
