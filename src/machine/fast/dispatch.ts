// The dispatch loop of the core module: from RIP to the block or region there, if its page still is what it was made
// from. Operations of stream blocks are interpreter.ts', which extends it.
import { LAYOUT } from '../registers.ts';
import { accessLocals, type LeafPair } from './access.ts';
import type { Asm, Label } from './asm.ts';
import { WALK } from './core-functions.ts';
import { CPU, DESCRIPTOR_PAGES, ENTRIES, EXIT, HEADER, LEAVES, type Places } from './layout.ts';
import { W } from './opcodes.ts';
import { T, type ValueType } from './wasm-code.ts';

const I32 = T.i32;
const I64 = T.i64;

/** Locals of the interpreter, its ways out, and the dispatch. */
export abstract class DispatchWriter {
  protected readonly a: Asm;
  protected readonly places: Places;
  protected readonly hot: number;
  protected readonly fuel = 0;
  protected readonly pc: number;
  protected readonly rip: number;
  protected readonly block: number;
  protected readonly code: number;
  protected readonly epoch: number;
  /** Byte address of the link by which the block was left, 0 none. */
  protected readonly chain: number;
  /** 1: the block at rip is run as a stream, its region can't go on there. */
  protected readonly skip: number;
  protected readonly entry: number;
  protected readonly flags: number;
  protected readonly access;
  protected readonly pairs: readonly LeafPair[];
  protected readonly temps = new Map<string, number>();
  protected exit: Label = 0;
  protected dispatch: Label = 0;
  protected next: Label = 0;

  constructor(a: Asm, places: Places, hot: number) {
    this.a = a;
    this.hot = hot;
    this.places = places;
    [this.pc, this.block, this.code, this.epoch, this.skip, this.entry, this.flags, this.chain] = Array.from(
      { length: 8 },
      () => a.local(I32),
    );
    this.rip = a.local(I64);
    this.access = accessLocals(a);
    this.pairs = [0, 1].map(() => ({ high: a.local(I64), leaf: a.local(I32) }));
  }

  /** The block was left by the link at the offset that is pushed. */
  protected link(offset: () => void): void {
    const { a } = this;
    a.get(this.block);
    offset();
    a.op(W.i32_add);
    a.set(this.chain);
  }
  protected noLink(): void {
    this.a.i32(0);
    this.a.set(this.chain);
  }

  /** The next operation is to go where rip is. */
  protected goAgain(): void {
    const { a, places } = this;
    a.i32(places.cpu + CPU.again);
    a.set(this.pc);
    this.readEpoch();
  }

  /** The epoch may be another after code of the host ran. */
  protected readEpoch(): void {
    const { a, places } = this;
    a.i32(places.cpu);
    a.load(32, CPU.epoch);
    a.set(this.epoch);
  }

  protected forgetLeaves(): void {
    for (const pair of this.pairs) {
      this.a.i64(-1);
      this.a.set(pair.high);
    }
  }

  protected leave(code: number): void {
    this.a.i32(code);
    this.a.set(this.code);
    this.a.br(this.exit);
  }

  /** Leaves with the code where the i32 on the stack is not 0. */
  protected leaveIf(code: number): void {
    this.a.if();
    this.leave(code);
    this.a.end();
  }

  protected temp(type: ValueType, i: number): number {
    const key = `${type}.${i}`;
    let local = this.temps.get(key);
    if (local === undefined) {
      local = this.a.local(type);
      this.temps.set(key, local);
    }
    return local;
  }

  // dispatch

  protected writeDispatch(): void {
    const { a } = this;
    const linked = a.block();
    const looked = a.block();
    a.get(this.chain);
    a.op(W.i32_eqz);
    a.brIf(looked);
    a.get(this.chain);
    a.load(32, 4);
    a.get(this.epoch);
    a.op(W.i32_ne);
    a.brIf(looked);
    a.get(this.chain);
    a.load(32);
    a.set(this.block);
    a.br(linked);
    a.end();
    this.lookUp();
    a.end();
    this.beginBlock();
  }

  /** Finds what stands at rip: goes on with a stream block, runs a region. */
  private lookUp(): void {
    const { a, places } = this;
    a.get(this.rip);
    a.op(W.i32_wrap_i64);
    a.get(this.rip);
    a.i64(13);
    a.op(W.i64_shr_u, W.i32_wrap_i64, W.i32_xor);
    a.i32(ENTRIES - 1);
    a.op(W.i32_and);
    a.i32(5);
    a.op(W.i32_shl);
    a.i32(places.table);
    a.op(W.i32_add);
    a.tee(this.entry);
    a.load(64);
    a.get(this.rip);
    a.op(W.i64_ne);
    this.leaveIf(EXIT.miss);
    a.get(this.entry);
    a.load(32, 24);
    a.get(this.epoch);
    a.op(W.i32_ne);
    a.if();
    this.validate();
    a.end();
    a.get(this.entry);
    a.load(32, 16);
    a.tee(this.block);
    a.i32(1);
    a.op(W.i32_and);
    a.if();
    a.get(this.skip);
    a.if();
    a.get(this.entry);
    a.load(32, 20);
    a.set(this.block);
    a.else();
    this.callRegion();
    a.end();
    a.end();
    a.get(this.chain);
    a.if();
    a.get(this.skip);
    a.op(W.i32_eqz);
    a.if();
    a.get(this.chain);
    a.get(this.block);
    a.store(32);
    a.get(this.chain);
    a.get(this.epoch);
    a.store(32, 4);
    a.end();
    a.end();
    a.i32(0);
    a.set(this.skip);
  }

  private beginBlock(): void {
    const { a } = this;
    a.get(this.fuel);
    a.get(this.block);
    a.load(32);
    a.op(W.i32_lt_s);
    this.leaveIf(EXIT.fuel);
    a.get(this.block);
    a.get(this.block);
    a.load(32, 4);
    a.i32(1);
    a.op(W.i32_add);
    a.tee(this.flags);
    a.store(32, 4);
    a.get(this.flags);
    a.i32(this.hot - 1);
    a.op(W.i32_and, W.i32_eqz);
    this.leaveIf(EXIT.hot);
    a.get(this.fuel);
    a.get(this.block);
    a.load(32);
    a.op(W.i32_sub);
    a.set(this.fuel);
    a.get(this.block);
    a.i32(HEADER);
    a.op(W.i32_add);
    a.set(this.pc);
  }

  /** The frames of the entry's pages are looked up, once in an epoch. */
  private validate(): void {
    const { a } = this;
    const count = this.temp(I32, 4);
    const at = this.temp(I32, 5);
    a.get(this.rip);
    a.i64(12);
    a.op(W.i64_shr_u);
    this.executableFrame();
    a.get(this.entry);
    a.load(32, 8);
    a.op(W.i32_ne);
    this.leaveIf(EXIT.miss);
    a.get(this.entry);
    a.load(32, 16);
    a.i32(1);
    a.op(W.i32_and);
    a.if();
    a.get(this.entry);
    a.load(32, 12);
    a.tee(at);
    a.load(32);
    a.set(count);
    const loop = a.loop();
    a.get(at);
    a.load(64, DESCRIPTOR_PAGES);
    this.executableFrame();
    a.get(at);
    a.load(32, DESCRIPTOR_PAGES + 8);
    a.op(W.i32_ne);
    this.leaveIf(EXIT.miss);
    a.get(at);
    a.i32(16);
    a.op(W.i32_add);
    a.set(at);
    a.get(count);
    a.i32(1);
    a.op(W.i32_sub);
    a.tee(count);
    a.brIf(loop);
    a.end();
    a.else();
    a.get(this.entry);
    a.load(32, 12);
    a.if();
    a.get(this.rip);
    a.i64(12);
    a.op(W.i64_shr_u);
    a.i64(1);
    a.op(W.i64_add);
    this.executableFrame();
    a.get(this.entry);
    a.load(32, 12);
    a.op(W.i32_ne);
    this.leaveIf(EXIT.miss);
    a.end();
    a.end();
    a.get(this.entry);
    a.get(this.epoch);
    a.store(32, 24);
  }

  /** From a page number (i64) on the stack, its frame if it may be executed, else 0. */
  protected executableFrame(): void {
    const { a } = this;
    const page = this.temp(I64, 3);
    const entry = this.temp(I32, 3);
    a.tee(page);
    a.i64(12);
    a.op(W.i64_shr_u);
    a.call(WALK);
    a.get(page);
    a.op(W.i32_wrap_i64);
    a.i32(0xfff);
    a.op(W.i32_and);
    a.i32(2);
    a.op(W.i32_shl, W.i32_add);
    a.load(32);
    a.tee(entry);
    a.i32(12);
    a.op(W.i32_shr_u);
    a.i32(0);
    a.get(entry);
    a.i32(4);
    a.op(W.i32_and, W.select);
  }

  protected callRegion(): void {
    const { a, places } = this;
    a.get(this.fuel);
    a.get(this.entry);
    a.load(32, 28);
    a.get(this.block);
    a.i32(1);
    a.op(W.i32_shr_u);
    a.callIndirect(6);
    a.set(this.code);
    a.i32(places.cpu);
    a.load(64, LAYOUT.rip);
    a.set(this.rip);
    a.i32(places.cpu);
    a.load(32, CPU.fuel);
    a.set(this.fuel);
    this.forgetLeaves();
    this.goAgain();
    a.get(this.code);
    a.op(W.i32_eqz);
    a.brIf(this.next);
    a.get(this.code);
    a.i32(EXIT.slow);
    a.op(W.i32_ne);
    a.brIf(this.exit);
    this.rememberLeaf();
    a.i32(1);
    a.set(this.skip);
    a.br(this.next);
  }

  /** The leaf table of the address that a region could not reach, where there is one. */
  private rememberLeaf(): void {
    const { a, places } = this;
    const high = this.temp(I64, 4);
    const leaf = this.temp(I32, 6);
    const at = this.temp(I32, 7);
    a.i32(places.cpu);
    a.load(64, CPU.address);
    a.i64(24);
    a.op(W.i64_shr_u);
    a.tee(high);
    a.call(WALK);
    a.tee(leaf);
    a.i32(places.emptyLeaf);
    a.op(W.i32_ne);
    a.if();
    a.get(high);
    a.op(W.i32_wrap_i64);
    a.i32(LEAVES - 1);
    a.op(W.i32_and);
    a.i32(4);
    a.op(W.i32_shl);
    a.tee(at);
    a.get(high);
    a.store(64, places.cpu + CPU.leaves);
    a.get(at);
    a.get(leaf);
    a.store(32, places.cpu + CPU.leaves + 8);
    a.end();
  }
}
