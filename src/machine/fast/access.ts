// Guest memory access inline. In the interpreter leaf tables of the page table are remembered by the address' upper
// part; the usual access is a compare, a load of the leaf entry, a test of its permission bit, and the access. In regions a
// window (the page that a base register pointed into last) is kept in linear memory, and the usual access is a subtraction
// and a compare; what moves a window calls nothing, so that locals need not be spilled around it.
import type { Asm, Label } from './asm.ts';
import { CPU, LEAVES, WINDOW_SIZE, WINDOWS } from './layout.ts';
import { V, W } from './opcodes.ts';
import { T } from './wasm-code.ts';

/** Locals of one access. */
export interface AccessLocals {
  readonly address: number;
  readonly low: number;
  readonly entry: number;
}

export function accessLocals(a: Asm): AccessLocals {
  return { address: a.local(T.i64), low: a.local(T.i32), entry: a.local(T.i32) };
}

/**
 * Leaves an i32, 1 where `size` bytes at the address can be reached directly. `unknown` writes code that goes elsewhere:
 * it is reached where the leaf table is not remembered.
 */
export function translate(
  a: Asm,
  at: AccessLocals,
  access: { readonly size: number; readonly write: boolean; readonly cpu: number },
  unknown: () => void,
): void {
  const { size, write, cpu } = access;
  placeOfLeaf(a, at.address);
  a.tee(at.entry);
  a.load(64, cpu + CPU.leaves);
  a.get(at.address);
  a.i64(24);
  a.op(W.i64_shr_u, W.i64_ne);
  a.ifRarely();
  unknown();
  a.end();
  a.get(at.entry);
  a.load(32, cpu + CPU.leaves + 8);
  a.get(at.address);
  a.op(W.i32_wrap_i64);
  a.tee(at.low);
  a.i32(10);
  a.op(W.i32_shr_u);
  a.i32(0x3ffc);
  a.op(W.i32_and, W.i32_add);
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

/** Leaves the offset from the first place where a leaf table is remembered to the one for the address. */
export function placeOfLeaf(a: Asm, address: number): void {
  a.get(address);
  a.i64(20);
  a.op(W.i64_shr_u, W.i32_wrap_i64);
  a.i32((LEAVES - 1) << 4);
  a.op(W.i32_and);
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

/** Bytes at a window's end that go the way of a closed window, so that one limit does for all sizes of accesses. */
const MARGIN = 15;
/** Pages that a window may have: where their frames follow each other, it spans them all. */
const PAGES = 8;

/** Locals that all windows share while they are moved. */
export interface WindowLocals {
  readonly address: number;
  readonly high: number;
  readonly low: number;
  readonly entry: number;
  readonly span: number;
}

export function windowLocals(a: Asm): WindowLocals {
  return {
    address: a.local(T.i64),
    high: a.local(T.i64),
    low: a.local(T.i32),
    entry: a.local(T.i32),
    span: a.local(T.i32),
  };
}

/** Closes all windows: what the page table has may be another. */
export function closeWindows(a: Asm, cpu: number): void {
  for (let i = 0; i < WINDOWS; i++) {
    for (const limit of [8, 16]) {
      a.i32(0);
      a.i64(0);
      a.store(64, cpu + CPU.windows + i * WINDOW_SIZE + limit);
    }
  }
}

/**
 * Leaves the byte offset in linear memory of `size` bytes at the address (in `at.address`). `fail` writes code that
 * leaves the region: it is reached where the access needs more than the page table has.
 */
export function throughWindow(
  a: Asm,
  at: WindowLocals,
  window: number,
  access: { readonly size: number; readonly write: boolean; readonly cpu: number },
  fail: () => void,
): void {
  const { size, write, cpu } = access;
  const place = cpu + CPU.windows + window * WINDOW_SIZE;
  a.get(at.address);
  a.i32(0);
  a.load(64, place);
  a.op(W.i64_sub);
  a.i32(0);
  a.load(64, place + (write ? 16 : 8));
  a.op(W.i64_ge_u);
  a.ifRarely();
  const done = a.block();
  const failed = a.block();
  findEntry(a, at, cpu, failed);
  a.get(at.entry);
  a.i32(write ? 2 : 1);
  a.op(W.i32_and, W.i32_eqz);
  a.brIf(failed);
  if (size > 1) {
    a.get(at.low);
    a.get(at.span);
    a.i32(1);
    a.op(W.i32_sub, W.i32_and);
    a.get(at.span);
    a.i32(size);
    a.op(W.i32_sub, W.i32_gt_u);
    a.brIf(failed);
  }
  moveWindow(a, at, place);
  a.br(done);
  a.end();
  fail();
  a.end();
  a.end();
  a.get(at.address);
  a.op(W.i32_wrap_i64);
  a.i32(0);
  a.load(32, place + 24);
  a.op(W.i32_add);
}

/** Sets the locals for an address: its low half, the page table entry, and how many bytes may share the window. */
function findEntry(a: Asm, at: WindowLocals, cpu: number, failed: Label): void {
  // the leaf table of the address' upper part, if it was met before
  a.get(at.address);
  a.i64(24);
  a.op(W.i64_shr_u);
  a.tee(at.high);
  a.op(W.i32_wrap_i64);
  a.i32(LEAVES - 1);
  a.op(W.i32_and);
  a.i32(4);
  a.op(W.i32_shl);
  a.tee(at.entry);
  a.load(64, cpu + CPU.leaves);
  a.get(at.high);
  a.op(W.i64_ne);
  a.brIf(failed);
  a.get(at.entry);
  a.load(32, cpu + CPU.leaves + 8);
  a.get(at.address);
  a.op(W.i32_wrap_i64);
  a.tee(at.low);
  a.i32(10);
  a.op(W.i32_shr_u);
  a.i32(0x3ffc);
  a.op(W.i32_and, W.i32_add);
  a.tee(at.entry);
  a.i32(-4 * PAGES);
  a.op(W.i32_and);
  a.set(at.span);
  // entries of the pages around: the same permissions, and frame after frame
  a.i32(PAGES * 4096);
  a.i32(4096);
  for (let page = 0; page < PAGES; page += 4) {
    a.get(at.span);
    a.load(128, page * 4);
    a.get(at.span);
    a.load(32);
    a.v(V.i32x4_splat);
    a.v(V.const);
    for (let k = page; k < page + 4; k++) a.out.raw([0, k << 4, 0, 0]);
    a.v(V.i32x4_add);
    a.v(V.i32x4_eq);
    a.v(V.i32x4_all_true);
    if (page > 0) a.op(W.i32_and);
  }
  a.op(W.select);
  a.set(at.span);
  a.get(at.entry);
  a.load(32);
  a.set(at.entry);
}

/** Puts the window over the page, or the pages, of the address. */
function moveWindow(a: Asm, at: WindowLocals, place: number): void {
  a.i32(0);
  a.get(at.address);
  a.i32(0);
  a.get(at.span);
  a.op(W.i32_sub, W.i64_extend_i32_s, W.i64_and);
  a.store(64, place);
  a.i32(0);
  a.get(at.entry);
  a.i32(-4096);
  a.op(W.i32_and);
  a.get(at.low);
  a.i32(-4096);
  a.op(W.i32_and, W.i32_sub);
  a.store(32, place + 24);
  a.i32(0);
  a.get(at.span);
  a.i32(MARGIN);
  a.op(W.i32_sub, W.i64_extend_i32_u);
  a.tee(at.high);
  a.store(64, place + 8);
  a.i32(0);
  a.get(at.high);
  a.i64(0);
  a.get(at.entry);
  a.i32(2);
  a.op(W.i32_and, W.select);
  a.store(64, place + 16);
}
