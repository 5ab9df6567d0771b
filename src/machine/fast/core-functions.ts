// Functions of the core module besides the interpreter: the page table walk, high halves of products, and RFLAGS with
// the pending computation done; and the indices by which code in the module calls them.
import { LAYOUT } from '../registers.ts';
import type { Asm } from './asm.ts';
import { CPU, LEAVES, type Places } from './layout.ts';
import { W } from './opcodes.ts';
import { T } from './wasm-code.ts';

const I32 = T.i32;
const I64 = T.i64;
/** Indices of the functions of the core module. */
export const SLOW = 0;
export const RARE = 1;
export const WALK = 2;
export const MULHU = 3;
export const MULHS = 4;
export const EXACT_SUM = 5;
export const EXACT_PRODUCT = 6;
export const STATUS = 7;
export const SETTLE = 8;
/** Those that rows of operations call, by name. */
export const CORE_FUNCTIONS = {
  mulhu: MULHU,
  mulhs: MULHS,
  exactSum: EXACT_SUM,
  exactProduct: EXACT_PRODUCT,
} as const;

/** walk(address >> 24) → byte address of the leaf table, the empty one where there is none. */
export function emitWalk(a: Asm, { cpu, emptyLeaf }: Places): void {
  const table = a.local(I32);
  const none = a.block();
  a.get(0);
  a.i64(1 << 23);
  a.op(W.i64_ge_u);
  a.brIf(none);
  a.i32(cpu);
  a.load(32, CPU.root);
  a.tee(table);
  a.op(W.i32_eqz);
  a.brIf(none);
  for (const [shift, bits] of [
    [12, 0x1ffc],
    [0, 0x3ffc],
  ] as const) {
    a.get(table);
    a.get(0);
    a.op(W.i32_wrap_i64);
    if (shift > 0) {
      a.i32(shift);
      a.op(W.i32_shr_u);
    }
    a.i32(2);
    a.op(W.i32_shl);
    a.i32(bits);
    a.op(W.i32_and, W.i32_add);
    a.load(32);
    a.i32(2);
    a.op(W.i32_shl);
    a.tee(table);
    a.op(W.i32_eqz);
    a.brIf(none);
  }
  a.get(table);
  a.op(W.return);
  a.end();
  a.i32(emptyLeaf);
}

/**
 * reach(address, limit) → byte offset in linear memory of an access that begins at most `limit` bytes after its page's
 * beginning; 0 where it can't be reached directly, or through no leaf table that is remembered.
 */
export function emitReach(a: Asm, { cpu }: Places, write: boolean): void {
  const [low, entry] = [a.local(I32), a.local(I32)];
  const failed = a.block();
  a.get(0);
  a.i64(24);
  a.op(W.i64_shr_u, W.i32_wrap_i64);
  a.i32(LEAVES - 1);
  a.op(W.i32_and);
  a.i32(4);
  a.op(W.i32_shl);
  a.tee(entry);
  a.load(64, cpu + CPU.leaves);
  a.get(0);
  a.i64(24);
  a.op(W.i64_shr_u, W.i64_ne);
  a.brIf(failed);
  a.get(entry);
  a.load(32, cpu + CPU.leaves + 8);
  a.get(0);
  a.op(W.i32_wrap_i64);
  a.tee(low);
  a.i32(10);
  a.op(W.i32_shr_u);
  a.i32(0x3ffc);
  a.op(W.i32_and, W.i32_add);
  a.load(32);
  a.tee(entry);
  a.i32(write ? 2 : 1);
  a.op(W.i32_and, W.i32_eqz);
  a.brIf(failed);
  a.get(low);
  a.i32(0xfff);
  a.op(W.i32_and);
  a.tee(low);
  a.get(1);
  a.op(W.i32_gt_u);
  a.brIf(failed);
  a.get(entry);
  a.i32(-4096);
  a.op(W.i32_and);
  a.get(low);
  a.op(W.i32_or, W.return);
  a.end();
  a.i32(0);
}

/** High half of the product, by 32-bit parts. */
export function emitMulhu(a: Asm): void {
  const [al, ah, bl, bh, t, u] = Array.from({ length: 6 }, () => a.local(I64));
  for (const [from, lo, hi] of [
    [0, al, ah],
    [1, bl, bh],
  ] as const) {
    a.get(from);
    a.i64(-1, 0);
    a.op(W.i64_and);
    a.set(lo);
    a.get(from);
    a.i64(32);
    a.op(W.i64_shr_u);
    a.set(hi);
  }
  // t = ah*bl + (al*bl >> 32); u = al*bh + (t & low); result ah*bh + (t >> 32) + (u >> 32)
  a.get(ah);
  a.get(bl);
  a.op(W.i64_mul);
  a.get(al);
  a.get(bl);
  a.op(W.i64_mul);
  a.i64(32);
  a.op(W.i64_shr_u, W.i64_add);
  a.set(t);
  a.get(al);
  a.get(bh);
  a.op(W.i64_mul);
  a.get(t);
  a.i64(-1, 0);
  a.op(W.i64_and, W.i64_add);
  a.set(u);
  a.get(ah);
  a.get(bh);
  a.op(W.i64_mul);
  a.get(t);
  a.i64(32);
  a.op(W.i64_shr_u, W.i64_add);
  a.get(u);
  a.i64(32);
  a.op(W.i64_shr_u, W.i64_add);
}

export function emitMulhs(a: Asm): void {
  a.get(0);
  a.get(1);
  a.call(MULHU);
  for (const [x, y] of [
    [0, 1],
    [1, 0],
  ] as const) {
    a.get(x);
    a.i64(63);
    a.op(W.i64_shr_s);
    a.get(y);
    a.op(W.i64_and, W.i64_sub);
  }
}

/** exactSum(a, b, r) → whether r is a + b without rounding (Knuth: the error of a sum is a number of its own). */
export function emitExactSum(a: Asm): void {
  const sum = a.local(T.f64);
  const part = a.local(T.f64);
  a.get(0);
  a.get(1);
  a.op(W.f64_add);
  a.tee(sum);
  a.get(2);
  a.op(W.f64_eq);
  a.get(0);
  a.get(sum);
  a.get(sum);
  a.get(0);
  a.op(W.f64_sub);
  a.tee(part);
  a.op(W.f64_sub, W.f64_sub);
  a.get(1);
  a.get(part);
  a.op(W.f64_sub, W.f64_add);
  // the error is 0 where its bits are, but for the sign
  a.op(W.i64_reinterpret_f64);
  a.i64(1);
  a.op(W.i64_shl, W.i64_eqz, W.i32_and);
}

/**
 * exactProduct(x, y, p) → 1 only where p is x * y without rounding: the significands have 53 bits together at most. p is
 * 0 only where a factor is.
 */
export function emitExactProduct(a: Asm): void {
  a.get(0);
  a.get(1);
  a.op(W.f64_mul);
  a.get(2);
  a.op(W.f64_eq);
  for (const i of [0, 1]) {
    a.get(i);
    a.op(W.i64_reinterpret_f64);
    a.i64(0, 0x10_0000);
    a.op(W.i64_or, W.i64_ctz);
  }
  a.op(W.i64_add);
  a.i64(53);
  a.op(W.i64_ge_u, W.i32_and);
  a.get(2);
  a.op(W.i64_reinterpret_f64);
  a.i64(1);
  a.op(W.i64_shl, W.i64_eqz, W.i32_or);
}

/** settle() → RFLAGS with the pending computation done. */
export function emitSettle(a: Asm, { cpu }: Places): void {
  const kw = a.local(I32);
  a.i32(cpu);
  a.load(32, CPU.pending);
  a.tee(kw);
  a.i32(0);
  a.op(W.i32_ge_s);
  a.if();
  a.i32(cpu);
  a.get(kw);
  for (const field of [CPU.a, CPU.b, CPU.c]) {
    a.i32(cpu);
    a.load(64, field);
  }
  a.i32(cpu);
  a.load(32, LAYOUT.rflags);
  a.call(STATUS);
  a.store(32, LAYOUT.rflags);
  a.i32(cpu);
  a.i32(-1);
  a.store(32, CPU.pending);
  a.end();
  a.i32(cpu);
  a.load(32, LAYOUT.rflags);
}
