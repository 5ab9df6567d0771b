// The dispatch loop of the core module: from RIP to the block or region there, if its page still is what it was made
// from. Operations of stream blocks are interpreter.ts', which extends it.
import { LAYOUT } from '../registers.ts';
import { accessLocals, placeOfLeaf } from './access.ts';
import type { Asm, Label } from './asm.ts';
import { SLOW, WALK } from './core-functions.ts';
import {
  CALLS,
  CPU,
  DESCRIPTOR_PAGES,
  ENTRIES,
  ENTRY_DETAIL,
  EXIT,
  HEADER,
  LINK_SIZE,
  LINKS,
  type Places,
} from './layout.ts';
import { W } from './opcodes.ts';
import { T, type ValueType } from './wasm-code.ts';

const I32 = T.i32;
const I64 = T.i64;

/**
 * Locals of the interpreter, its ways out, and the dispatch. But for `pc`, what outlives an operation is in linear
 * memory: locals would be spilled and reloaded by every case, since some cases call functions.
 */
export abstract class DispatchWriter {
  protected readonly a: Asm;
  protected readonly places: Places;
  protected readonly hot: number;
  protected readonly pc: number;
  /** Why the interpreter is left. */
  protected readonly code: number;
  /** Byte address of the link by which the block was left, 0 none. */
  protected readonly chain: number;
  /** Header of the block that is to begin. */
  protected readonly block: number;
  protected readonly entry: number;
  protected readonly flags: number;
  protected readonly access;
  protected readonly temps = new Map<string, number>();
  protected exit: Label = 0;
  /** Goes where rip is, which stands in linear memory. */
  protected dispatch: Label = 0;
  /** Goes where a link leads; rip is not set yet. */
  protected linked: Label = 0;
  /** Goes where rip is, after a return. */
  protected returned: Label = 0;
  /** Begins the block. */
  protected begin: Label = 0;
  protected next: Label = 0;

  constructor(a: Asm, places: Places, hot: number) {
    this.a = a;
    this.hot = hot;
    this.places = places;
    [this.pc, this.block, this.code, this.entry, this.flags, this.chain] = Array.from({ length: 6 }, () =>
      a.local(I32),
    );
    this.access = accessLocals(a);
  }

  /** Pushes a field of the CPU area. */
  protected field(offset: number, width = 32): void {
    this.a.i32(0);
    this.a.load(width, this.places.cpu + offset);
  }
  protected setField(offset: number, push: () => void, width = 32): void {
    this.a.i32(0);
    push();
    this.a.store(width, this.places.cpu + offset);
  }

  /** The block was left by the link at the offset that is pushed. */
  protected link(offset: () => void): void {
    const { a } = this;
    this.field(CPU.block);
    offset();
    a.op(W.i32_add);
    a.set(this.chain);
    a.br(this.linked);
  }

  /** Goes to the address that is pushed. */
  protected jump(address: () => void): void {
    const { a } = this;
    this.setField(LAYOUT.rip, address, 64);
    a.i32(0);
    a.set(this.chain);
    a.br(this.dispatch);
  }

  /** The next operation is to go where rip is. */
  protected goAgain(): void {
    const { a, places } = this;
    a.i32(places.cpu + CPU.again);
    a.set(this.pc);
  }

  /** `pc` is kept in linear memory, for the host or over a call. */
  protected keepPc(): void {
    this.setField(CPU.pc, () => this.a.get(this.pc));
  }
  protected restorePc(): void {
    this.field(CPU.pc);
    this.a.set(this.pc);
  }
  /** No local that outlives the operation is needed after the call. */
  protected callOver(index: number): void {
    this.keepPc();
    this.a.call(index);
    this.restorePc();
  }

  /** Runs the operation at `pc` by its reference handler. */
  protected writeSlow(): void {
    const { a } = this;
    const number = this.temp(I32, 8);
    a.get(this.flags);
    a.i32(2);
    a.op(W.i32_shl);
    a.get(this.pc);
    a.op(W.i32_add);
    a.set(number);
    this.keepPc();
    this.field(CPU.block);
    a.get(number);
    a.load(32);
    this.field(CPU.fuel);
    a.call(SLOW);
    // 2: code changed; the stop that was put after this instruction sees to it
    a.i32(1);
    a.op(W.i32_eq);
    this.leaveIf(EXIT.fault);
    a.get(number);
    a.i32(4);
    a.op(W.i32_add);
    a.set(this.pc);
  }

  /** Remembers where the call returns to: the address that is pushed. */
  protected noteCall(site: () => void): void {
    const { a, places } = this;
    const at = this.entry;
    this.setField(CPU.lastCall, () => {
      this.field(CPU.lastCall);
      a.i32(16);
      a.op(W.i32_add);
      a.i32(CALLS - 16);
      a.op(W.i32_and);
      a.tee(at);
    });
    a.get(at);
    site();
    a.store(64, places.cpu + CPU.calls);
    a.get(at);
    this.field(CPU.block);
    a.i32(LINKS + LINK_SIZE);
    a.op(W.i32_add);
    a.store(32, places.cpu + CPU.calls + 8);
  }

  protected leave(code: number): void {
    this.a.i32(code);
    this.a.set(this.code);
    this.a.br(this.exit);
  }

  /** Leaves with the code where the i32 on the stack is not 0. */
  protected leaveIf(code: number): void {
    this.a.ifRarely();
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

  /** The jump or branch at `pc`, whose targets are its first words, goes by the link at `chain`. */
  protected writeLinked(): void {
    const { a } = this;
    a.get(this.chain);
    a.load(32);
    a.set(this.block);
    a.get(this.chain);
    a.load(32, 4);
    this.field(CPU.epoch);
    a.op(W.i32_eq);
    a.brIf(this.begin);
    this.setField(
      LAYOUT.rip,
      () => {
        // the second link is that of the second target
        a.get(this.chain);
        this.field(CPU.block);
        a.op(W.i32_sub);
        a.i32(LINKS);
        a.op(W.i32_sub);
        a.i32(1);
        a.op(W.i32_shr_u);
        a.get(this.pc);
        a.op(W.i32_add);
        a.load(32, 4);
        a.load(64);
      },
      64,
    );
  }

  /** Goes by the link of the last call where that returns to rip. */
  protected writeReturned(): void {
    const { a, places } = this;
    a.i32(0);
    a.set(this.chain);
    this.field(CPU.lastCall);
    a.tee(this.entry);
    a.load(64, places.cpu + CPU.calls);
    this.field(LAYOUT.rip, 64);
    a.op(W.i64_eq);
    a.if();
    a.get(this.entry);
    a.load(32, places.cpu + CPU.calls + 8);
    a.tee(this.chain);
    a.load(32);
    a.set(this.block);
    a.end();
    this.setField(CPU.lastCall, () => {
      a.get(this.entry);
      a.i32(16);
      a.op(W.i32_sub);
      a.i32(CALLS - 16);
      a.op(W.i32_and);
    });
    a.get(this.chain);
    a.op(W.i32_eqz);
    a.brIf(this.dispatch);
    a.get(this.chain);
    a.load(32, 4);
    this.field(CPU.epoch);
    a.op(W.i32_eq);
    a.brIf(this.begin);
  }

  /** Finds what stands at rip: a stream block, or a region, which is run. */
  protected writeLookUp(): void {
    const { a, places } = this;
    const rip = this.temp(I64, 0);
    this.field(LAYOUT.rip, 64);
    a.tee(rip);
    a.op(W.i32_wrap_i64);
    a.tee(this.flags);
    a.i32(2);
    a.op(W.i32_shr_u);
    a.get(this.flags);
    a.i32(16);
    a.op(W.i32_shl, W.i32_xor);
    a.get(rip);
    a.i64(20);
    a.op(W.i64_shr_u, W.i32_wrap_i64, W.i32_xor);
    a.i32(ENTRIES - 1);
    a.op(W.i32_and);
    a.i32(4);
    a.op(W.i32_shl);
    a.i32(places.table);
    a.op(W.i32_add);
    a.tee(this.entry);
    a.load(64);
    a.get(rip);
    a.op(W.i64_ne);
    this.leaveIf(EXIT.miss);
    a.get(this.entry);
    a.load(32, 12);
    this.field(CPU.epoch);
    a.op(W.i32_ne);
    a.ifRarely();
    this.validate(rip);
    a.end();
    a.get(this.entry);
    a.load(32, 8);
    a.tee(this.block);
    a.i32(1);
    a.op(W.i32_and);
    a.if();
    this.field(CPU.skip);
    a.if();
    a.get(this.entry);
    a.load(32, ENTRY_DETAIL + 8);
    a.set(this.block);
    this.setField(CPU.skip, () => a.i32(0));
    a.br(this.begin);
    a.end();
    this.callRegion();
    a.end();
    a.get(this.chain);
    a.if();
    a.get(this.chain);
    a.get(this.block);
    a.store(32);
    a.get(this.chain);
    this.field(CPU.epoch);
    a.store(32, 4);
    a.end();
  }

  /** Instructions are taken from the fuel for the whole block at once. */
  protected writeBegin(): void {
    const { a } = this;
    this.setField(CPU.block, () => a.get(this.block));
    this.field(CPU.fuel);
    a.get(this.block);
    a.load(32);
    a.op(W.i32_sub);
    a.tee(this.flags);
    a.i32(0);
    a.op(W.i32_lt_s);
    this.leaveIf(EXIT.fuel);
    a.get(this.block);
    a.get(this.block);
    a.load(32, 4);
    a.i32(1);
    a.op(W.i32_add);
    a.tee(this.entry);
    a.store(32, 4);
    a.get(this.entry);
    a.i32(this.hot - 1);
    a.op(W.i32_and, W.i32_eqz);
    this.leaveIf(EXIT.hot);
    this.setField(CPU.fuel, () => a.get(this.flags));
    a.get(this.block);
    a.i32(HEADER);
    a.op(W.i32_add);
    a.set(this.pc);
  }

  /** The frames of the entry's pages are looked up, once in an epoch. */
  private validate(rip: number): void {
    const { a } = this;
    const count = this.temp(I32, 4);
    const at = this.temp(I32, 5);
    a.get(rip);
    a.i64(12);
    a.op(W.i64_shr_u);
    this.executableFrame();
    a.get(this.entry);
    a.load(32, ENTRY_DETAIL);
    a.op(W.i32_ne);
    this.leaveIf(EXIT.miss);
    a.get(this.entry);
    a.load(32, 8);
    a.i32(1);
    a.op(W.i32_and);
    a.if();
    a.get(this.entry);
    a.load(32, ENTRY_DETAIL + 4);
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
    a.load(32, ENTRY_DETAIL + 4);
    a.if();
    a.get(rip);
    a.i64(12);
    a.op(W.i64_shr_u);
    a.i64(1);
    a.op(W.i64_add);
    this.executableFrame();
    a.get(this.entry);
    a.load(32, ENTRY_DETAIL + 4);
    a.op(W.i32_ne);
    this.leaveIf(EXIT.miss);
    a.end();
    a.end();
    a.get(this.entry);
    this.field(CPU.epoch);
    a.store(32, 12);
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
    const { a } = this;
    this.setField(CPU.block, () => a.get(this.block));
    this.field(CPU.fuel);
    a.get(this.entry);
    a.load(32, ENTRY_DETAIL + 12);
    a.get(this.block);
    a.i32(1);
    a.op(W.i32_shr_u);
    a.callIndirect(6);
    a.set(this.code);
    this.goAgain();
    a.get(this.code);
    a.op(W.i32_eqz);
    a.brIf(this.next);
    a.get(this.code);
    a.i32(EXIT.slow);
    a.op(W.i32_ne);
    a.brIf(this.exit);
    this.field(CPU.address, 64);
    a.set(this.access.address);
    this.findLeaf();
    a.op(W.drop);
    this.setField(CPU.skip, () => a.i32(1));
    a.br(this.next);
  }

  /** Leaves an i32, 1 where the address at hand has a leaf table, which is remembered then. */
  protected findLeaf(): void {
    const { a, places } = this;
    const leaf = this.temp(I32, 6);
    const at = this.temp(I32, 7);
    const found = this.temp(I32, 9);
    a.get(this.access.address);
    a.i64(24);
    a.op(W.i64_shr_u);
    a.call(WALK);
    a.tee(leaf);
    a.i32(places.emptyLeaf);
    a.op(W.i32_ne);
    a.tee(found);
    a.if();
    placeOfLeaf(a, this.access.address);
    a.tee(at);
    a.get(this.access.address);
    a.i64(24);
    a.op(W.i64_shr_u);
    a.store(64, places.cpu + CPU.leaves);
    a.get(at);
    a.get(leaf);
    a.store(32, places.cpu + CPU.leaves + 8);
    a.end();
    a.get(found);
  }
}
