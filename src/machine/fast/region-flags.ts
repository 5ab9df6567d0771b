// Flags in a region: the pending computation is in locals, single flags set later lie over it, and RFLAGS in memory are
// made right only where something needs them. The computation of a status from a pending one is flag-code.ts'.
import { FLAG_BITS, FLAG_KINDS, FLAGS, IR } from '../../isa/index.ts';
import { LAYOUT } from '../registers.ts';
import { keepsFlags } from './analysis.ts';
import { emitCondition } from './flag-code.ts';
import { W } from './opcodes.ts';
import { REGION_IMPORTS, RegionBase } from './region-base.ts';
import { T } from './wasm-code.ts';

/** Kind of `setrflags` that sets all status flags. */
const COMIS = 2;
const SUB = FLAG_KINDS.indexOf('sub');
const LOGIC = FLAG_KINDS.indexOf('logic');
const INC = FLAG_KINDS.indexOf('inc');
const DEC = FLAG_KINDS.indexOf('dec');

/** The part of the translation that reads and writes flags. */
export abstract class RegionFlags extends RegionBase {
  protected setFlags(at: number): void {
    const { a } = this;
    const { code, width } = this.facts;
    const kind = (code[at] >>> 16) | (code[at] & 0xff00);
    const keeps = keepsFlags(code, at);
    if (keeps) this.sayFlags();
    const count = code[at + 2];
    /** Sets the local to the i32 or i64 on the stack unless the count is 0. */
    const unlessKept = (local: number): void => {
      if (keeps) {
        a.get(local);
        this.push(count);
        if (width[count] === 64) a.op(W.i64_eqz);
        else a.op(W.i32_eqz);
        a.op(W.i32_eqz, W.select);
      }
      a.set(local);
    };
    if (this.hasOverlay) {
      for (const local of [this.overMask, this.overValue]) {
        a.i32(0);
        unlessKept(local);
      }
    }
    for (let k = 0; k < 3; k++) {
      const value = code[at + 1 + k];
      if (value < 0) continue;
      this.push(value);
      if (width[value] < 64) a.op(W.i64_extend_i32_u);
      unlessKept(this.flagValues[k]);
    }
    this.staticFlags = kind;
    if (!keeps) return;
    a.i32(kind);
    unlessKept(this.flagKind);
    this.staticFlags = -1;
  }

  /** Leaves RFLAGS right in memory and no flags pending. */
  protected settle(): void {
    const { a, places } = this;
    this.sayFlags();
    this.staticFlags = -1;
    a.get(this.flagKind);
    a.i32(0);
    a.op(W.i32_ge_s);
    a.if();
    a.i32(places.cpu);
    a.get(this.flagKind);
    for (const local of this.flagValues) a.get(local);
    a.i32(places.cpu);
    a.load(32, LAYOUT.rflags);
    a.call(REGION_IMPORTS.status);
    a.store(32, LAYOUT.rflags);
    a.i32(-1);
    a.set(this.flagKind);
    a.end();
    if (!this.hasOverlay) return;
    a.i32(places.cpu);
    a.i32(places.cpu);
    a.load(32, LAYOUT.rflags);
    this.overlay();
    a.store(32, LAYOUT.rflags);
    this.clearOverlay();
  }

  protected clearOverlay(): void {
    if (!this.hasOverlay) return;
    for (const local of [this.overMask, this.overValue]) {
      this.a.i32(0);
      this.a.set(local);
    }
  }

  /** The RFLAGS on the stack with the single flags over it. */
  protected overlay(): void {
    const { a } = this;
    if (!this.hasOverlay) return;
    a.get(this.overMask);
    a.i32(-1);
    a.op(W.i32_xor, W.i32_and);
    a.get(this.overValue);
    a.op(W.i32_or);
  }

  protected setOne(bit: number, value: number): void {
    const { a } = this;
    a.get(this.overMask);
    a.i32(1 << bit);
    a.op(W.i32_or);
    a.set(this.overMask);
    a.get(this.overValue);
    a.i32(~(1 << bit));
    a.op(W.i32_and);
    this.push(value);
    a.i32(bit);
    a.op(W.i32_shl, W.i32_or);
    a.set(this.overValue);
  }

  protected readFlags(at: number, op: number): void {
    const { a, places } = this;
    const { code } = this.facts;
    if (op === IR.cond && this.compareKnown(code[at + 1])) return;
    if (op === IR.getf && code[at + 1] === 0 && this.compareKnown(2)) return;
    // RFLAGS into a local, without settling: later code may still compare directly
    this.sayFlags();
    a.get(this.flagKind);
    a.i32(0);
    a.op(W.i32_ge_s);
    a.if(T.i32);
    a.get(this.flagKind);
    for (const local of this.flagValues) a.get(local);
    a.i32(places.cpu);
    a.load(32, LAYOUT.rflags);
    a.call(REGION_IMPORTS.status);
    a.else();
    a.i32(places.cpu);
    a.load(32, LAYOUT.rflags);
    a.end();
    this.overlay();
    if (op === IR.cond) emitCondition(a, code[at + 1], this.scratch32);
    else if (op === IR.getf) {
      a.i32(FLAG_BITS[FLAGS[code[at + 1]]]);
      a.op(W.i32_shr_u);
      a.i32(1);
      a.op(W.i32_and);
    } else a.op(W.i64_extend_i32_u);
  }

  /** A condition on flags of another block whose kind is known: a comparison of what is pending. */
  protected compareKnown(condition: number): boolean {
    const { a } = this;
    if (this.staticFlags < 0) return false;
    const kind = this.staticFlags & 0xff;
    const width = this.staticFlags >> 8;
    if ((kind === INC || kind === DEC) && (condition === 2 || condition === 3)) {
      a.get(this.flagValues[2]);
      a.op(W.i32_wrap_i64);
      if (condition === 3) a.op(W.i32_eqz);
      return true;
    }
    if ((kind !== SUB && kind !== LOGIC) || width < 32) return false;
    if (condition < 2 || (condition > 7 && condition < 12 && !(kind === LOGIC && condition < 10)))
      return false;
    const signed = condition >= 12 || (condition >= 8 && condition < 10);
    const pushOne = (k: number): void => {
      if (kind === LOGIC && k === 1) a.i64(0);
      else a.get(this.flagValues[k]);
      if (width === 32 && signed) a.op(W.i32_wrap_i64, W.i64_extend_i32_s);
    };
    pushOne(0);
    pushOne(1);
    const ops: Readonly<Record<number, number>> = {
      2: W.i64_lt_u,
      3: W.i64_ge_u,
      4: W.i64_eq,
      5: W.i64_ne,
      6: W.i64_le_u,
      7: W.i64_gt_u,
      8: W.i64_lt_s,
      9: W.i64_ge_s,
      12: W.i64_lt_s,
      13: W.i64_ge_s,
      14: W.i64_le_s,
      15: W.i64_gt_s,
    };
    a.op(ops[condition]);
    return true;
  }

  protected writeFlags(at: number, op: number): void {
    const { a, places } = this;
    const { code, width } = this.facts;
    this.sayFlags();
    this.staticFlags = -1;
    if (op === IR.setf && FLAGS[code[at + 1]] !== 'DF') {
      this.setOne(FLAG_BITS[FLAGS[code[at + 1]]], code[at + 2]);
      return;
    }
    const how = code[at] >>> 16;
    if (op === IR.setrflags && how === COMIS) {
      // all that is pending is overwritten
      a.i32(-1);
      a.set(this.flagKind);
      this.clearOverlay();
    } else this.settle();
    const bit = op === IR.setf ? FLAG_BITS[FLAGS[code[at + 1]]] : 0;
    const changed =
      op === IR.setf ? 1 << bit : [0x8d5 | 0x100 | 0x400 | 0x4000 | 0x40000 | 0x200000, 0xd5, 0x8d5][how];
    a.i32(places.cpu);
    a.i32(places.cpu);
    a.load(32, LAYOUT.rflags);
    a.i32(~changed);
    a.op(W.i32_and);
    if (op === IR.setf) {
      this.push(code[at + 2]);
      a.i32(bit);
      a.op(W.i32_shl);
    } else {
      this.push(code[at + 1]);
      if (width[code[at + 1]] === 64) a.op(W.i32_wrap_i64);
      a.i32(how === COMIS ? 0x45 : changed);
      a.op(W.i32_and);
    }
    a.op(W.i32_or);
    a.store(32, LAYOUT.rflags);
  }
}
