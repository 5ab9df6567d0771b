// Guest memory access inline: the page table's leaf for the address' upper part is kept in a local; the usual access is
// a compare, a load of the leaf entry, a test of its permission bit, and the access.
import type { Asm } from './asm.ts';
import { W } from './opcodes.ts';
import { T } from './wasm-code.ts';

/** Locals that remember the last leaf table. */
export interface LeafPair {
  /** Upper part of the address (bits from 24 on), i64; -1 nothing yet. */
  readonly high: number;
  /** Byte address of the leaf, i32. */
  readonly leaf: number;
}

/** Locals of one access. */
export interface AccessLocals {
  readonly address: number;
  readonly low: number;
  readonly entry: number;
}

export function accessLocals(a: Asm): AccessLocals {
  return { address: a.local(T.i64), low: a.local(T.i32), entry: a.local(T.i32) };
}

/** Leaves an i32, 1 where `size` bytes at the address can be reached directly. */
export function translate(
  a: Asm,
  at: AccessLocals,
  pair: LeafPair,
  size: number,
  write: boolean,
  walk: number,
): void {
  a.get(at.address);
  a.i64(24);
  a.op(W.i64_shr_u);
  a.get(pair.high);
  a.op(W.i64_ne);
  a.if();
  a.get(at.address);
  a.i64(24);
  a.op(W.i64_shr_u);
  a.tee(pair.high);
  a.call(walk);
  a.set(pair.leaf);
  a.end();
  a.get(at.address);
  a.op(W.i32_wrap_i64);
  a.tee(at.low);
  a.i32(10);
  a.op(W.i32_shr_u);
  a.i32(0x3ffc);
  a.op(W.i32_and);
  a.get(pair.leaf);
  a.op(W.i32_add);
  a.load(32);
  a.tee(at.entry);
  if (write) {
    a.i32(1);
    a.op(W.i32_shr_u);
  }
  if (size === 1) {
    a.i32(1);
    a.op(W.i32_and);
    return;
  }
  a.get(at.low);
  a.i32(0xfff);
  a.op(W.i32_and);
  a.i32(4096 - size);
  a.op(W.i32_le_u, W.i32_and);
}

/** Leaves the byte offset in linear memory of an address that `translate` said yes to. */
export function hostAddress(a: Asm, at: AccessLocals): void {
  a.get(at.entry);
  a.i32(-4096);
  a.op(W.i32_and);
  a.get(at.low);
  a.i32(0xfff);
  a.op(W.i32_and, W.i32_or);
}
