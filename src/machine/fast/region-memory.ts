// Registers and memory in a region: guest registers are locals, accesses go straight to the frame where the page table
// allows it, and all else is run by the reference, with the operands handed over in memory.
import { ATOMICS, HELPERS, IR, WORDS, XMM0 } from '../../isa/index.ts';
import { PAGE_SIZE } from '../memory.ts';
import { throughWindow } from './access.ts';
import { isConst, operandsOf } from './analysis.ts';
import { typeOf } from './asm.ts';
import { emitAtomic } from './atomic-code.ts';
import { registerOffset } from './encode.ts';
import { CPU, EXIT } from './layout.ts';
import { W } from './opcodes.ts';
import { type Owned, REGION_IMPORTS } from './region-base.ts';
import { RegionFlags } from './region-flags.ts';
import { PATCH } from './stored-regions.ts';

/** Windows after those of the general registers: of addresses with an index, that are constants, that were loaded. */
const INDEXED = 16;
const CONSTANTS = 32;
const POINTERS = 36;

/** The part of the translation that accesses registers and memory. */
export abstract class RegionMemory extends RegionFlags {
  // registers

  protected getRegister(i: number, owned: Owned[]): void {
    const { a } = this;
    const { code, lastUse, width } = this.facts;
    const register = code[i * WORDS + 1];
    const known = this.registers.get(register);
    if (known !== undefined && !this.overwritten(register, i, lastUse[i])) {
      this.locals[i] = known;
      return;
    }
    const local = this.result(i, owned);
    if (known !== undefined) a.get(known);
    else {
      a.i32(this.places.cpu);
      a.load(width[i], registerOffset(register));
    }
    a.set(local);
  }

  protected overwritten(register: number, from: number, to: number): boolean {
    const { code } = this.facts;
    for (let i = from + 1; i < to; i++) {
      const head = code[i * WORDS];
      const op = head & 0xff;
      if (op === IR.set && code[i * WORDS + 1] === register) return true;
      if (op === IR.call && register >= XMM0 && touchesVectors(head >>> 16)) return true;
    }
    return false;
  }

  protected setRegister(register: number, value: number): void {
    const { a } = this;
    const local = this.registers.get(register);
    if (local === undefined) {
      a.i32(this.places.cpu);
      this.push(value);
      a.store(this.facts.width[value], registerOffset(register));
      return;
    }
    this.push(value);
    a.set(local);
  }

  // memory

  /** Addresses from the same base share a window; so do those that a constant begins. */
  private windowOf(address: number): number {
    const { code } = this.facts;
    let value = address;
    let index = -1;
    for (let steps = 0; steps < 8; steps++) {
      const at = value * WORDS;
      const op = code[at] & 0xff;
      const register = op === IR.get && code[at + 1] < 16 ? code[at + 1] : -1;
      if (register >= 0) return index < 0 ? register : INDEXED + ((register * 5 + index) & 15);
      if (op === IR.load) return POINTERS + (value & 3);
      if (op === IR.const) return CONSTANTS + ((code[at + 1] >>> 12) & 3);
      if (op !== IR.add && op !== IR.sub) break;
      const [first, second] = [code[at + 1], code[at + 2]];
      const constant = isConst(code, first) ? first : isConst(code, second) ? second : -1;
      if (constant >= 0) {
        value = constant === first ? second : first;
        if (index < 0 && (code[value * WORDS] & 0xff) === IR.shl)
          return CONSTANTS + ((code[constant * WORDS + 1] >>> 12) & 3);
        continue;
      }
      const scaled = (code[first * WORDS] & 0xff) === IR.shl;
      value = scaled ? second : first;
      index = scaled ? first : second;
    }
    return INDEXED + (address & 15);
  }

  protected memory(i: number, op: number, owned: Owned[]): void {
    const { a } = this;
    const { code } = this.facts;
    const at = i * WORDS;
    const width = (code[at] >>> 8) & 0xff;
    const aux = code[at] >>> 16;
    if (op === IR.atomic && width > 64) {
      this.slowValue(i, owned);
      return;
    }
    const local = op === IR.store ? -1 : this.result(i, owned);
    this.push(code[at + 1]);
    a.set(this.access.address);
    const write = op !== IR.load || aux === 1;
    if (this.compact) this.reach(width / 8, write);
    else
      throughWindow(
        a,
        this.access,
        this.windowOf(code[at + 1]),
        { size: width / 8, write, cpu: this.places.cpu },
        () => this.leaveForAddress(),
      );
    if (op === IR.load) {
      a.load(width);
      a.set(local);
    } else if (op === IR.store) {
      this.push(code[at + 2]);
      a.store(width);
    } else {
      const old = this.temp(typeOf(width), 5);
      a.tee(this.scratch32);
      a.load(width);
      a.set(old);
      a.get(this.scratch32);
      emitAtomic(
        a,
        ATOMICS[aux],
        width,
        old,
        () => this.push(code[at + 2]),
        () => this.push(code[at + 3]),
      );
      a.store(width);
      a.get(old);
      a.set(local);
    }
  }

  /** As `throughWindow`, by a call: much less code. */
  private reach(size: number, write: boolean): void {
    const { a } = this;
    a.get(this.access.address);
    a.i32(PAGE_SIZE - size);
    a.call(write ? REGION_IMPORTS.reachWrite : REGION_IMPORTS.reachRead);
    a.tee(this.scratch32);
    a.op(W.i32_eqz);
    a.ifRarely();
    this.leaveForAddress();
    a.end();
    a.get(this.scratch32);
  }

  protected check(i: number, op: number): void {
    const { a } = this;
    const { code } = this.facts;
    const at = i * WORDS;
    this.push(code[at + 1]);
    if (op === IR.align) {
      a.i64((code[at] >>> 16) - 1);
      a.op(W.i64_and, W.i64_eqz, W.i32_eqz);
    } else {
      a.i64(16);
      a.op(W.i64_shl);
      a.i64(16);
      a.op(W.i64_shr_s);
      this.push(code[at + 1]);
      a.op(W.i64_ne);
    }
    a.ifRarely();
    this.leaveSlowly();
    a.end();
  }

  /** Runs operation i by the reference; the result goes to the local. */
  protected slow(i: number, local: number): void {
    const { a, places } = this;
    const { code, width } = this.facts;
    const at = i * WORDS;
    const operands = operandsOf(code, at);
    for (let k = 0; k < 3; k++) {
      if ((operands & (1 << k)) === 0) continue;
      const value = code[at + 1 + k];
      a.i32(places.cpu);
      this.push(value);
      a.store(Math.max(width[value], 8), CPU.scratch + 16 * k);
    }
    const vectors = (code[at] & 0xff) === IR.call && touchesVectors(code[at] >>> 16);
    if (vectors) this.spillRegisters(XMM0);
    a.i32Of(PATCH.firstBlock + this.node - 1, this.block.number);
    a.i32(i);
    a.get(this.fuel);
    a.call(REGION_IMPORTS.slow);
    a.tee(this.scratch32);
    a.if();
    a.get(this.scratch32);
    a.i32(1);
    a.op(W.i32_eq);
    a.if();
    this.leave(EXIT.fault);
    a.end();
    a.i32(1);
    a.set(this.changed);
    a.i32(0x7fff_ffff);
    a.set(this.floor);
    a.end();
    this.mayChange = true;
    if (vectors) {
      for (const [register, local_] of this.registers) {
        if (register < XMM0) continue;
        a.i32(places.cpu);
        a.load(128, registerOffset(register));
        a.set(local_);
      }
    }
    if (local < 0) return;
    a.i32(places.cpu);
    a.load(Math.max(width[i], 8), CPU.scratch + 48);
    a.set(local);
  }

  protected slowValue(i: number, owned: Owned[]): void {
    const local = this.facts.width[i] === 0 ? -1 : this.result(i, owned);
    this.slow(i, local);
  }
}

function touchesVectors(helper: number): boolean {
  const { effect } = HELPERS[helper];
  return effect === 'vector' || effect === 'memory';
}
