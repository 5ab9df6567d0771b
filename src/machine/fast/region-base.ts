// What all parts of the translation of a region share: the locals, values of the block at hand, and the ways out. What
// operations do is in region-flags.ts, region-memory.ts and region.ts, which extend it in this order.
import { IR, WORDS, XMM0 } from '../../isa/index.ts';
import { windowLocals } from './access.ts';
import { type Analysis, analyse, isConst, operandsOf } from './analysis.ts';
import { Asm, type Label, typeOf } from './asm.ts';
import type { StreamBlock } from './core.ts';
import { nativeFor, type Shape } from './emit.ts';
import { registerOffset } from './encode.ts';
import type { Graph } from './graph.ts';
import { CPU, EXIT, type Places } from './layout.ts';
import { W } from './opcodes.ts';
import { constantAddress, type Flow, flagsAfter, flowOf, leavesEarly, targetsOf } from './region-flow.ts';
import { T, type ValueType } from './wasm-code.ts';

/** Indices of the imports of a module of regions. */
export const REGION_IMPORTS = {
  mulhu: 0,
  mulhs: 1,
  status: 2,
  slow: 3,
  exactSum: 4,
  exactProduct: 5,
  reachRead: 6,
  reachWrite: 7,
} as const;

/** A local that holds a value until its last use. */
export interface Owned {
  readonly local: number;
  readonly type: ValueType;
  readonly last: number;
}

/** State of the translation of one region. */
export abstract class RegionBase {
  protected readonly a = new Asm(2, 32_768);
  protected readonly blocks: readonly StreamBlock[];
  protected readonly analyses: readonly Analysis[];
  protected readonly places: Places;
  /** Little code rather than fast code: it is not known yet whether it will run for long. */
  protected readonly compact: boolean;
  protected readonly flow: Flow;
  protected readonly graph: Graph;
  /** Node by address. */
  protected readonly index = new Map<number, number>();
  protected readonly fuel = 0;
  /** Number of the entry to go to. */
  protected readonly state = 1;
  /** Some operation calls the reference: after it code may be another. */
  protected readonly hasCalls: boolean;
  protected readonly rip: number;
  protected readonly exitCode: number;
  /** Fuel must stay at or above it; raised when code changed, so that the region is left. */
  protected readonly floor: number;
  protected readonly changed: number;
  protected readonly flagKind: number;
  /** Single flags set over the pending ones: which, and their values; so that rotates cost nothing. */
  protected readonly overMask: number;
  protected readonly overValue: number;
  protected readonly flagValues: readonly number[];
  protected readonly scratch32: number;
  /** Fuel at the entry, in compact code. */
  protected readonly fuelBefore: number;
  protected readonly access;
  /** Some operation sets a single flag. */
  protected readonly hasOverlay: boolean;
  protected readonly registers = new Map<number, number>();
  protected readonly written = new Set<number>();
  protected readonly temps = new Map<string, number>();
  protected readonly loopLabels = new Map<number, Label>();
  protected readonly mergeLabels = new Map<number, Label>();
  protected exit: Label = 0;
  /** Pending flags known at a block's start: kind | width << 8, -1 unknown. */
  protected readonly known: Int32Array;

  // of the block at hand
  protected block!: StreamBlock;
  protected facts!: Analysis;
  protected locals!: Int32Array;
  protected free = new Map<ValueType, number[]>();
  protected staticFlags = -1;
  protected begun = 0;
  protected mayChange = false;
  protected node = 0;
  protected instructionAddress = 0;

  constructor(blocks: readonly StreamBlock[], places: Places, seeds: readonly number[], compact: boolean) {
    const { a } = this;
    this.blocks = blocks;
    this.places = places;
    this.compact = compact;
    this.analyses = blocks.map((block) => analyse(block.code));
    for (const [i, block] of blocks.entries()) this.index.set(block.address, i + 1);
    this.flow = flowOf(blocks, seeds, this.index);
    this.graph = this.flow.graph;
    this.hasOverlay = this.analyses.some(({ code }) => setsOneFlag(code));
    this.hasCalls = this.analyses.some((facts) => callsReference(facts));
    this.rip = a.local(T.i64);
    [this.exitCode, this.floor, this.changed, this.flagKind, this.scratch32] = Array.from({ length: 5 }, () =>
      a.local(T.i32),
    );
    [this.overMask, this.overValue] = [a.local(T.i32), a.local(T.i32)];
    this.fuelBefore = compact ? a.local(T.i32) : -1;
    this.flagValues = [0, 1, 2].map(() => a.local(T.i64));
    this.access = windowLocals(a);
    this.known = this.flowOfFlags();
  }

  /** What is known of pending flags where blocks begin. */
  protected flowOfFlags(): Int32Array {
    const UNSEEN = -2;
    const { returns, entries } = this.flow;
    const known = new Int32Array(this.blocks.length + 1).fill(UNSEEN);
    for (const node of entries) known[node] = -1;
    const meet = (to: number, out: number): boolean => {
      const met = known[to] === UNSEEN || known[to] === out ? out : -1;
      if (met === known[to]) return false;
      known[to] = met;
      return true;
    };
    for (let changed = true; changed; ) {
      changed = false;
      for (const node of this.graph.sequence) {
        if (node === 0 || known[node] === UNSEEN) continue;
        const { code } = this.analyses[node - 1];
        const after = flagsAfter(code, known[node]);
        for (const value of targetsOf(code)) {
          const to = this.index.get(constantAddress(code, value) ?? -1);
          // an exit leaves before its instruction's flags
          if (to !== undefined && meet(to, leavesEarly(code, value) ? -1 : after)) changed = true;
        }
        for (const to of returns.get(node) ?? []) if (meet(to, after)) changed = true;
      }
    }
    return known.map((kind) => (kind === UNSEEN ? -1 : kind));
  }

  protected findRegisters(): void {
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

  protected spillRegisters(from: number): void {
    const { a, places } = this;
    for (const [register, local] of this.registers) {
      if (register < from || !this.written.has(register)) continue;
      a.i32(places.cpu);
      a.get(local);
      a.store(register >= XMM0 ? 128 : 64, registerOffset(register));
    }
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

  protected giveBack(type: ValueType, local: number): void {
    const list = this.free.get(type);
    if (list === undefined) this.free.set(type, [local]);
    else list.push(local);
  }

  /** A local for the result of operation i; those of values that died before are used again. */
  protected result(i: number, owned: Owned[]): number {
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
  protected push(value: number): void {
    const { a } = this;
    const { code } = this.facts;
    if (isConst(code, value)) {
      const at = value * WORDS;
      if (((code[at] >>> 8) & 0xff) === 64) a.i64(code[at + 1], code[at + 2]);
      else a.i32(code[at + 1]);
    } else a.get(this.locals[value]);
  }

  protected leaveAt(address: number, code: number): void {
    const { a } = this;
    a.i64((address % 2 ** 32) | 0, Math.floor(address / 2 ** 32) | 0);
    a.set(this.rip);
    this.leave(code);
  }

  protected leave(code: number): void {
    const { a } = this;
    this.sayFlags();
    a.i32(code);
    a.set(this.exitCode);
    a.br(this.exit);
  }

  /** Puts the kind of the pending flags, where it is known here, in its local: that is right only where it is not known. */
  protected sayFlags(): void {
    if (this.staticFlags < 0) return;
    this.a.i32(this.staticFlags);
    this.a.set(this.flagKind);
  }

  protected refund(count: number): void {
    const { a } = this;
    if (count === 0) return;
    a.get(this.fuel);
    a.i32(count);
    a.op(W.i32_add);
    a.set(this.fuel);
  }

  /** Leaves before the instruction at hand, which the interpreter is to run. */
  protected leaveSlowly(): void {
    this.refund(this.block.instructions - this.begun + 1);
    this.leaveAt(this.instructionAddress, EXIT.slow);
  }

  /** The address at hand can't be reached directly. */
  protected leaveForAddress(): void {
    const { a, places } = this;
    a.i32(places.cpu);
    a.get(this.access.address);
    a.store(64, CPU.address);
    this.leaveSlowly();
  }
}

/** Static facts of operation i. */
export function shapeOf({ code, width }: Analysis, i: number): Shape {
  const at = i * WORDS;
  const operands = operandsOf(code, at);
  const widths = [0, 1, 2].map((k) => ((operands & (1 << k)) === 0 ? 0 : width[code[at + 1 + k]]));
  return {
    op: code[at] & 0xff,
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
}

function setsOneFlag(code: Int32Array): boolean {
  for (let at = 0; at < code.length; at += WORDS) if ((code[at] & 0xff) === IR.setf) return true;
  return false;
}

/** Operations that the translation has itself. */
const OWN = new Set<number>([
  IR.insn,
  IR.const,
  IR.fence,
  IR.get,
  IR.set,
  IR.load,
  IR.store,
  IR.align,
  IR.canonical,
  IR.flags,
  IR.cond,
  IR.getf,
  IR.rflags,
  IR.setf,
  IR.setrflags,
  IR.exit,
  IR.jump,
  IR.branch,
  IR.syscall,
]);

function callsReference(facts: Analysis): boolean {
  for (let i = 0; i < facts.count; i++) {
    const head = facts.code[i * WORDS];
    const op = head & 0xff;
    if (facts.dead[i] !== 0 || OWN.has(op)) continue;
    if (op === IR.atomic) {
      if (((head >>> 8) & 0xff) > 64) return true;
    } else if (nativeFor(shapeOf(facts, i)) === undefined) return true;
  }
  return false;
}
