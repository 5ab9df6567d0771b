// Translates a region: blocks that lead to each other by direct jumps, loops inside, as one WebAssembly function from
// fuel to the reason why it returned. Guest registers and pending flags are locals, loaded at the entry and written
// back at the single exit. An instruction's memory accesses come before its other effects, so the locals at a fault are
// the state before the instruction.
import {
  ATOMICS,
  FLAG_BITS,
  FLAG_KINDS,
  FLAGS,
  HELPERS,
  IR,
  JUMP_KINDS,
  REG,
  WORDS,
  XMM0,
} from '../../isa/index.ts';
import { LAYOUT } from '../registers.ts';
import { accessLocals, hostAddress, type LeafPair, translate } from './access.ts';
import { type Analysis, analyse, isConst, keepsFlags, operandsOf } from './analysis.ts';
import { Asm, type Label, typeOf } from './asm.ts';
import type { StreamBlock } from './core.ts';
import { type Emitter, nativeFor, type Shape } from './emit.ts';
import { registerOffset } from './encode.ts';
import { emitCondition } from './flag-code.ts';
import { analyseGraph, type Graph } from './graph.ts';
import { emitAtomic } from './interpreter.ts';
import { CPU, EXIT, type Places } from './layout.ts';
import { W } from './opcodes.ts';
import { type FunctionSource, T, type ValueType } from './wasm-code.ts';

/** Indices of the imports of a module of regions. */
export const REGION_IMPORTS = { walk: 0, mulhu: 1, mulhs: 2, status: 3, slow: 4 } as const;

const SUB = FLAG_KINDS.indexOf('sub');
const LOGIC = FLAG_KINDS.indexOf('logic');
const INC = FLAG_KINDS.indexOf('inc');
const DEC = FLAG_KINDS.indexOf('dec');
const INDIRECT_JUMP = JUMP_KINDS.indexOf('indirect-jump');
const PAIRS = 4;

/** The address that a value is, where it is a constant in user space. */
export function constantAddress(code: Int32Array, value: number): number | undefined {
  if (!isConst(code, value) || code[value * WORDS + 2] >>> 0 >= 0x8000) return undefined;
  return (code[value * WORDS + 2] >>> 0) * 2 ** 32 + (code[value * WORDS + 1] >>> 0);
}

/** Values that a block may go on at; an `exit` only stands in its last instruction. */
export function targetsOf(code: Int32Array): number[] {
  const at = code.length - WORDS;
  const op = code[at] & 0xff;
  const values = op === IR.jump ? [code[at + 1]] : op === IR.branch ? [code[at + 2], code[at + 3]] : [];
  for (let i = 0; i < at; i += WORDS) if ((code[i] & 0xff) === IR.exit) values.push(code[i + 2]);
  return values;
}

/** Direct successors of a block, by address. */
export function successorsOf(block: StreamBlock): number[] {
  return targetsOf(block.code).flatMap((value) => constantAddress(block.code, value) ?? []);
}

class RegionWriter {
  private readonly a = new Asm(1, 16_384);
  private readonly blocks: readonly StreamBlock[];
  private readonly analyses: readonly Analysis[];
  private readonly places: Places;
  private readonly graph: Graph;
  private readonly index = new Map<number, number>();
  private readonly fuel = 0;
  private readonly rip: number;
  private readonly exitCode: number;
  /** Fuel must stay at or above it; raised when code changed, so that the region is left. */
  private readonly floor: number;
  private readonly changed: number;
  private readonly flagKind: number;
  /** Single flags set over the pending ones: which, and their values; so that rotates cost nothing. */
  private readonly overMask: number;
  private readonly overValue: number;
  private readonly flagValues: readonly number[];
  private readonly scratch32: number;
  private readonly access;
  private readonly pairs: readonly LeafPair[];
  private readonly registers = new Map<number, number>();
  private readonly written = new Set<number>();
  private readonly temps = new Map<string, number>();
  private readonly loopLabels = new Map<number, Label>();
  private readonly mergeLabels = new Map<number, Label>();
  private exit: Label = 0;
  /** Pending flags known at a block's start: kind | width << 8, -1 unknown. */
  private readonly known: Int32Array;

  // of the block at hand
  private block!: StreamBlock;
  private facts!: Analysis;
  private locals!: Int32Array;
  private free = new Map<ValueType, number[]>();
  private staticFlags = -1;
  private begun = 0;
  private mayChange = false;

  constructor(blocks: readonly StreamBlock[], places: Places) {
    const { a } = this;
    this.blocks = blocks;
    this.places = places;
    this.analyses = blocks.map((block) => analyse(block.code));
    for (const [i, block] of blocks.entries()) this.index.set(block.address, i);
    this.graph = analyseGraph(
      blocks.map((block) => successorsOf(block).flatMap((to) => this.index.get(to) ?? [])),
    );
    this.rip = a.local(T.i64);
    [this.exitCode, this.floor, this.changed, this.flagKind, this.scratch32] = Array.from({ length: 5 }, () =>
      a.local(T.i32),
    );
    [this.overMask, this.overValue] = [a.local(T.i32), a.local(T.i32)];
    this.flagValues = [0, 1, 2].map(() => a.local(T.i64));
    this.access = accessLocals(a);
    this.pairs = Array.from({ length: PAIRS }, () => ({ high: a.local(T.i64), leaf: a.local(T.i32) }));
    this.known = this.flowOfFlags();
  }

  write(): { readonly body: Uint8Array; readonly locals: readonly ValueType[] } {
    const { a, places } = this;
    this.findRegisters();
    for (const [register, local] of this.registers) {
      a.i32(places.cpu);
      a.load(register >= XMM0 ? 128 : 64, registerOffset(register));
      a.set(local);
    }
    a.i32(places.cpu);
    a.load(32, CPU.pending);
    a.set(this.flagKind);
    this.flagValues.forEach((local, i) => {
      a.i32(places.cpu);
      a.load(64, [CPU.a, CPU.b, CPU.c][i]);
      a.set(local);
    });
    this.forgetLeaves();
    this.exit = a.block();
    this.tree(0);
    a.end();
    this.spill();
    return { body: a.body(), locals: a.locals };
  }

  private findRegisters(): void {
    this.blocks.forEach((block, i) => {
      for (let at = 0; at < block.code.length; at += WORDS) {
        const op = block.code[at] & 0xff;
        const register = block.code[at + 1];
        if ((op !== IR.get && op !== IR.set) || (register >= 16 && register < XMM0)) continue;
        if (op === IR.get && this.analyses[i].dead[at / WORDS] !== 0) continue;
        if (!this.registers.has(register))
          this.registers.set(register, this.a.local(register >= XMM0 ? T.v128 : T.i64));
        if (op === IR.set) this.written.add(register);
      }
    });
  }

  private spill(): void {
    const { a, places } = this;
    this.spillRegisters(0);
    a.get(this.overMask);
    a.if();
    this.settle();
    a.end();
    a.i32(places.cpu);
    a.get(this.rip);
    a.store(64, LAYOUT.rip);
    for (const [field, local] of [
      [CPU.fuel, this.fuel],
      [CPU.pending, this.flagKind],
    ] as const) {
      a.i32(places.cpu);
      a.get(local);
      a.store(32, field);
    }
    this.flagValues.forEach((local, i) => {
      a.i32(places.cpu);
      a.get(local);
      a.store(64, [CPU.a, CPU.b, CPU.c][i]);
    });
    a.get(this.exitCode);
  }

  private spillRegisters(from: number): void {
    const { a, places } = this;
    for (const [register, local] of this.registers) {
      if (register < from || !this.written.has(register)) continue;
      a.i32(places.cpu);
      a.get(local);
      a.store(register >= XMM0 ? 128 : 64, registerOffset(register));
    }
  }

  private forgetLeaves(): void {
    for (const pair of this.pairs) {
      this.a.i64(-1);
      this.a.set(pair.high);
    }
  }

  private temp(type: ValueType, i: number): number {
    const key = `${type}.${i}`;
    let local = this.temps.get(key);
    if (local === undefined) {
      local = this.a.local(type);
      this.temps.set(key, local);
    }
    return local;
  }

  // control flow

  /** What is known of pending flags where blocks begin. */
  private flowOfFlags(): Int32Array {
    const UNSEEN = -2;
    const n = this.blocks.length;
    const known = new Int32Array(n).fill(UNSEEN);
    known[0] = -1;
    for (let changed = true; changed; ) {
      changed = false;
      for (const node of this.graph.sequence) {
        const { code } = this.analyses[node];
        const after = flagsAfter(code, known[node]);
        for (const value of targetsOf(code)) {
          const to = this.index.get(constantAddress(code, value) ?? -1);
          if (to === undefined || known[node] === UNSEEN) continue;
          // an exit leaves before its instruction's flags
          const out = leavesEarly(code, value) ? -1 : after;
          const met = known[to] === UNSEEN || known[to] === out ? out : -1;
          if (met !== known[to]) {
            known[to] = met;
            changed = true;
          }
        }
      }
    }
    return known.map((kind) => (kind === UNSEEN ? -1 : kind));
  }

  private tree(node: number): void {
    const { a, graph } = this;
    const loop = graph.isLoop[node] !== 0;
    if (loop) this.loopLabels.set(node, a.loop());
    this.within(node, 0);
    if (loop) {
      a.end();
      this.loopLabels.delete(node);
    }
  }

  private within(node: number, merge: number): void {
    const { a, graph } = this;
    const merges = graph.merges[node];
    if (merge < merges.length) {
      this.mergeLabels.set(merges[merge], a.block());
      this.within(node, merge + 1);
      a.end();
      this.mergeLabels.delete(merges[merge]);
      this.tree(merges[merge]);
      return;
    }
    this.emitBlock(node);
  }

  /** Goes on at an address: inside the region where it is a block of it. */
  private goTo(from: number, address: number): void {
    const { a, graph } = this;
    const to = this.index.get(address);
    if (to !== undefined && graph.order[to] >= 0) {
      if (graph.order[to] <= graph.order[from]) {
        const label = this.loopLabels.get(to);
        if (label !== undefined) {
          a.br(label);
          return;
        }
      } else if (graph.isMerge[to] !== 0) {
        const label = this.mergeLabels.get(to);
        if (label !== undefined) {
          a.br(label);
          return;
        }
      } else {
        this.nested(to);
        return;
      }
    }
    this.leaveAt(address, EXIT.miss);
  }

  /** A block that only this edge leads to stands right here. */
  private nested(to: number): void {
    const saved = [
      this.block,
      this.facts,
      this.locals,
      this.staticFlags,
      this.begun,
      this.mayChange,
      this.node,
    ] as const;
    this.tree(to);
    [this.block, this.facts, this.locals, this.staticFlags, this.begun, this.mayChange, this.node] = saved;
  }
  private node = 0;

  private leaveAt(address: number, code: number): void {
    const { a } = this;
    a.i64((address % 2 ** 32) | 0, Math.floor(address / 2 ** 32) | 0);
    a.set(this.rip);
    this.leave(code);
  }

  private leave(code: number): void {
    const { a } = this;
    a.i32(code);
    a.set(this.exitCode);
    a.br(this.exit);
  }

  private refund(count: number): void {
    const { a } = this;
    if (count === 0) return;
    a.get(this.fuel);
    a.i32(count);
    a.op(W.i32_add);
    a.set(this.fuel);
  }

  // blocks

  private emitBlock(node: number): void {
    const { a } = this;
    this.node = node;
    this.block = this.blocks[node];
    this.facts = this.analyses[node];
    this.locals = new Int32Array(this.facts.count).fill(-1);
    this.staticFlags = this.known[node];
    this.begun = 0;
    this.mayChange = false;
    a.get(this.fuel);
    a.i32(this.block.instructions);
    a.op(W.i32_sub);
    a.tee(this.scratch32);
    a.get(this.floor);
    a.op(W.i32_lt_s);
    a.if();
    this.leaveAt(this.block.address, EXIT.fuel);
    a.end();
    a.get(this.scratch32);
    a.set(this.fuel);
    const owned: { readonly local: number; readonly type: ValueType; readonly last: number }[] = [];
    for (let i = 0; i < this.facts.count; i++) {
      if (this.facts.dead[i] !== 0) continue;
      this.operation(i, owned);
    }
    for (const { local, type } of owned) this.giveBack(type, local);
  }

  private giveBack(type: ValueType, local: number): void {
    const list = this.free.get(type);
    if (list === undefined) this.free.set(type, [local]);
    else list.push(local);
  }

  /** A local for the result of operation i; those of values that died before are used again. */
  private result(
    i: number,
    owned: { readonly local: number; readonly type: ValueType; readonly last: number }[],
  ): number {
    const type = typeOf(this.facts.width[i]);
    for (let k = owned.length - 1; k >= 0; k--) {
      if (owned[k].last > i) continue;
      this.giveBack(owned[k].type, owned[k].local);
      owned[k] = owned[owned.length - 1];
      owned.pop();
    }
    const local = this.free.get(type)?.pop() ?? this.a.local(type);
    owned.push({ local, type, last: this.facts.lastUse[i] });
    this.locals[i] = local;
    return local;
  }

  /** Pushes a value. */
  private push(value: number): void {
    const { a } = this;
    const { code } = this.facts;
    if (isConst(code, value)) {
      const at = value * WORDS;
      if (((code[at] >>> 8) & 0xff) === 64) a.i64(code[at + 1], code[at + 2]);
      else a.i32(code[at + 1]);
    } else a.get(this.locals[value]);
  }

  private operation(
    i: number,
    owned: { readonly local: number; readonly type: ValueType; readonly last: number }[],
  ): void {
    const { a } = this;
    const { code } = this.facts;
    const at = i * WORDS;
    const op = code[at] & 0xff;
    switch (op) {
      case IR.insn:
        this.instruction(at);
        return;
      case IR.const:
      case IR.fence:
        return;
      case IR.get:
        this.getRegister(i, owned);
        return;
      case IR.set:
        this.setRegister(code[at + 1], code[at + 2]);
        return;
      case IR.load:
      case IR.store:
      case IR.atomic:
        this.memory(i, op, owned);
        return;
      case IR.align:
      case IR.canonical:
        this.check(i, op);
        return;
      case IR.flags:
        this.setFlags(at);
        return;
      case IR.cond:
      case IR.getf:
      case IR.rflags: {
        const local = this.result(i, owned);
        this.readFlags(at, op);
        a.set(local);
        return;
      }
      case IR.setf:
      case IR.setrflags:
        this.writeFlags(at, op);
        return;
      case IR.exit:
        this.push(code[at + 1]);
        a.if();
        this.go(code[at + 2]);
        a.end();
        return;
      case IR.jump:
        this.jump(at);
        return;
      case IR.branch:
        this.push(code[at + 1]);
        a.if();
        this.go(code[at + 2]);
        a.else();
        this.go(code[at + 3]);
        a.end();
        return;
      case IR.syscall:
        this.push(code[at + 1]);
        a.set(this.rip);
        this.leave(EXIT.syscall);
        return;
      default:
        this.value(i, owned);
    }
  }

  /** Goes on at the address that a value is. */
  private go(value: number): void {
    const address = constantAddress(this.facts.code, value);
    if (address !== undefined) {
      this.goTo(this.node, address);
      return;
    }
    this.push(value);
    this.a.set(this.rip);
    this.leave(EXIT.miss);
  }

  private jump(at: number): void {
    const { a } = this;
    const { code } = this.facts;
    const address = constantAddress(code, code[at + 1]);
    if (address !== undefined) {
      this.goTo(this.node, address);
      return;
    }
    this.push(code[at + 1]);
    a.tee(this.rip);
    if (code[at] >>> 16 === INDIRECT_JUMP) {
      // a target that no code can have is the interpreter's business, from the instruction's start
      a.i64(47);
      a.op(W.i64_shr_u, W.i64_eqz, W.i32_eqz);
      a.if();
      this.refund(1);
      this.leaveAt(this.instructionAddress, EXIT.outside);
      a.end();
      this.leave(EXIT.miss);
      return;
    }
    a.op(W.drop);
    this.leave(EXIT.miss);
  }
  private instructionAddress = 0;

  private instruction(at: number): void {
    const { a } = this;
    const { code } = this.facts;
    this.instructionAddress = (code[at + 2] >>> 0) * 2 ** 32 + (code[at + 1] >>> 0);
    if (this.mayChange) {
      a.get(this.changed);
      a.if();
      this.refund(this.block.instructions - this.begun);
      this.leaveAt(this.instructionAddress, EXIT.miss);
      a.end();
    }
    this.mayChange = false;
    this.begun++;
  }

  // registers

  private getRegister(i: number, owned: Parameters<RegionWriter['result']>[1]): void {
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

  private overwritten(register: number, from: number, to: number): boolean {
    const { code } = this.facts;
    for (let i = from + 1; i < to; i++) {
      const head = code[i * WORDS];
      const op = head & 0xff;
      if (op === IR.set && code[i * WORDS + 1] === register) return true;
      if (op === IR.call && register >= XMM0 && touchesVectors(head >>> 16)) return true;
    }
    return false;
  }

  private setRegister(register: number, value: number): void {
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

  private pairOf(address: number): LeafPair {
    const { code } = this.facts;
    let value = address;
    for (let steps = 0; steps < 8; steps++) {
      const at = value * WORDS;
      const op = code[at] & 0xff;
      if (op === IR.get)
        return this.pairs[code[at + 1] === REG['rsp'] ? 0 : 1 + (code[at + 1] % (PAIRS - 1))];
      if (op === IR.add || op === IR.sub) value = isConst(code, code[at + 1]) ? code[at + 2] : code[at + 1];
      else break;
    }
    return this.pairs[1];
  }

  private memory(i: number, op: number, owned: Parameters<RegionWriter['result']>[1]): void {
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
    translate(
      a,
      this.access,
      this.pairOf(code[at + 1]),
      width / 8,
      op !== IR.load || aux === 1,
      REGION_IMPORTS.walk,
    );
    a.if();
    hostAddress(a, this.access);
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
    a.else();
    this.slow(i, local);
    a.end();
  }

  private check(i: number, op: number): void {
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
    a.if();
    this.slow(i, -1);
    a.end();
  }

  /** Runs operation i by the reference; the result goes to the local. */
  private slow(i: number, local: number): void {
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
    a.i32(this.block.number);
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
    this.forgetLeaves();
    if (local < 0) return;
    a.i32(places.cpu);
    a.load(Math.max(width[i], 8), CPU.scratch + 48);
    a.set(local);
  }

  private slowValue(i: number, owned: Parameters<RegionWriter['result']>[1]): void {
    const local = this.facts.width[i] === 0 ? -1 : this.result(i, owned);
    this.slow(i, local);
  }

  // values

  private value(i: number, owned: Parameters<RegionWriter['result']>[1]): void {
    const { a } = this;
    const { code, width } = this.facts;
    const at = i * WORDS;
    const operands = operandsOf(code, at);
    const widths = [0, 1, 2].map((k) => ((operands & (1 << k)) === 0 ? 0 : width[code[at + 1 + k]]));
    const op = code[at] & 0xff;
    const shape: Shape = {
      op,
      width: (code[at] >>> 8) & 0xff,
      aux: code[at] >>> 16,
      wa: widths[0],
      wb: widths[1],
      wc: widths[2],
      immediate: code[at + 3],
      constantB:
        (operands & 2) !== 0 && isConst(code, code[at + 2]) && code[code[at + 2] * WORDS + 2] === 0
          ? code[code[at + 2] * WORDS + 1]
          : undefined,
    };
    const native = nativeFor(shape);
    if (native === undefined) {
      this.slowValue(i, owned);
      return;
    }
    // the operands are pushed more than once at times: the result must not be in the place of one of them before
    const local = this.result(i, owned);
    const emitter: Emitter = {
      a,
      operand: (k) => this.push(code[at + 1 + k]),
      temp: (type, k) => this.temp(type, k),
      core: (name) => a.call(name === 'mulhu' ? REGION_IMPORTS.mulhu : REGION_IMPORTS.mulhs),
    };
    if (native.guard === undefined) {
      native.value(emitter, shape);
      a.set(local);
      return;
    }
    native.guard(emitter, shape);
    a.if();
    native.value(emitter, shape);
    a.set(local);
    a.else();
    this.slow(i, local);
    a.end();
  }

  // flags

  private setFlags(at: number): void {
    const { a } = this;
    const { code, width } = this.facts;
    if (keepsFlags(code, at)) this.settle();
    this.clearOverlay();
    const kind = (code[at] >>> 16) | (code[at] & 0xff00);
    a.i32(kind);
    a.set(this.flagKind);
    for (let k = 0; k < 3; k++) {
      const value = code[at + 1 + k];
      if (value < 0) continue;
      this.push(value);
      if (width[value] < 64) a.op(W.i64_extend_i32_u);
      a.set(this.flagValues[k]);
    }
    this.staticFlags = keepsFlags(code, at) ? -1 : kind;
  }

  /** Leaves RFLAGS right in memory and no flags pending. */
  private settle(): void {
    const { a, places } = this;
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
    a.i32(places.cpu);
    a.i32(places.cpu);
    a.load(32, LAYOUT.rflags);
    this.overlay();
    a.store(32, LAYOUT.rflags);
    this.clearOverlay();
  }

  private clearOverlay(): void {
    for (const local of [this.overMask, this.overValue]) {
      this.a.i32(0);
      this.a.set(local);
    }
  }

  /** The RFLAGS on the stack with the single flags over it. */
  private overlay(): void {
    const { a } = this;
    a.get(this.overMask);
    a.i32(-1);
    a.op(W.i32_xor, W.i32_and);
    a.get(this.overValue);
    a.op(W.i32_or);
  }

  private setOne(bit: number, value: number): void {
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

  private readFlags(at: number, op: number): void {
    const { a, places } = this;
    const { code } = this.facts;
    if (op === IR.cond && this.compareKnown(code[at + 1])) return;
    if (op === IR.getf && code[at + 1] === 0 && this.compareKnown(2)) return;
    // RFLAGS into a local, without settling: later code may still compare directly
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
  private compareKnown(condition: number): boolean {
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

  private writeFlags(at: number, op: number): void {
    const { a, places } = this;
    const { code, width } = this.facts;
    this.staticFlags = -1;
    if (op === IR.setf && FLAGS[code[at + 1]] !== 'DF') {
      this.setOne(FLAG_BITS[FLAGS[code[at + 1]]], code[at + 2]);
      return;
    }
    this.settle();
    const how = code[at] >>> 16;
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
      a.i32(how === 2 ? 0x45 : changed);
      a.op(W.i32_and);
    }
    a.op(W.i32_or);
    a.store(32, LAYOUT.rflags);
  }
}

/** The value is where an `exit` in the block's midst goes. */
function leavesEarly(code: Int32Array, value: number): boolean {
  for (let at = 0; at < code.length - WORDS; at += WORDS)
    if ((code[at] & 0xff) === IR.exit && code[at + 2] === value) return true;
  return false;
}

function touchesVectors(helper: number): boolean {
  const { effect } = HELPERS[helper];
  return effect === 'vector' || effect === 'memory';
}

/** Pending flags after a block, given those before. */
function flagsAfter(code: Int32Array, before: number): number {
  let known = before;
  for (let at = 0; at < code.length; at += WORDS) {
    const op = code[at] & 0xff;
    if (op === IR.flags) known = keepsFlags(code, at) ? -1 : (code[at] >>> 16) | (code[at] & 0xff00);
    else if (op === IR.setf || op === IR.setrflags) known = -1;
  }
  return known;
}

/** The function of a region whose entry is the first block; its type is number 0 of the module. */
export function translateRegion(
  blocks: readonly StreamBlock[],
  places: Places,
  name: string,
  type: number,
): FunctionSource {
  const { body, locals } = new RegionWriter(blocks, places).write();
  return { type, name, locals: [...locals], body };
}
