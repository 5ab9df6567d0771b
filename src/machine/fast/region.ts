// Translates a region: blocks that lead to each other by direct jumps, loops inside, as one WebAssembly function from
// fuel to the reason why it returned. Guest registers and pending flags are locals, loaded at the entry and written
// back at the single exit. An instruction's memory accesses come before its other effects, so the locals at a fault are
// the state before the instruction.
import { assert } from '../../bytes/index.ts';
import { IR, JUMP_KINDS, WORDS, XMM0 } from '../../isa/index.ts';
import { LAYOUT } from '../registers.ts';
import type { StreamBlock } from './core.ts';
import { type Emitter, nativeFor } from './emit.ts';
import { registerOffset } from './encode.ts';
import { CPU, DESCRIPTOR_PAGES, DESCRIPTOR_RAN, EXIT, EXITS, type Places } from './layout.ts';
import { W } from './opcodes.ts';
import { type Owned, REGION_IMPORTS, shapeOf } from './region-base.ts';
import { constantAddress } from './region-flow.ts';
import { RegionMemory } from './region-memory.ts';
import { PATCH, type RegionBody, writeEntryTable } from './stored-regions.ts';

/** Exits after which a region asks to be looked at again, each time: a power of 2. */
const GROW = 65_536;
/** Instructions after which a region that is compact is worth the best code. */
export const LONG = 6_000_000;

const INDIRECT_JUMP = JUMP_KINDS.indexOf('indirect-jump');

/** A table in linear memory from address to entry: `1 << bits` places of 16 bytes, the address and the number. */
interface EntryTable {
  readonly bits: number;
  readonly multiplier: number;
}

/** Where in linear memory the parts of a region lie. */
export interface RegionPlaces extends Places {
  readonly descriptor: number;
  readonly entryTable: number;
}

export class RegionWriter extends RegionMemory {
  private readonly entryTable: EntryTable;
  private readonly regionPlaces: RegionPlaces;

  /** `reserve` gives room in linear memory for the table of entries and the descriptor. */
  constructor(
    blocks: readonly StreamBlock[],
    places: Places,
    seeds: readonly number[],
    compact: boolean,
    reserve: (tableBytes: number) => { readonly descriptor: number; readonly entryTable: number },
  ) {
    super(blocks, places, seeds, compact);
    this.entryTable = hashFor(this.entryAddresses().map((address) => address % 2 ** 32));
    const tableBytes = 16 << this.entryTable.bits;
    const { descriptor, entryTable } = reserve(tableBytes);
    this.regionPlaces = { ...places, descriptor, entryTable };
    this.a.movable = [
      { kind: PATCH.descriptor, from: descriptor, to: descriptor + DESCRIPTOR_PAGES },
      { kind: PATCH.entryTable, from: entryTable, to: entryTable + tableBytes },
    ];
  }

  /** Addresses of the entries, by number. */
  entryAddresses(): number[] {
    return this.flow.entries.map((node) => this.blocks[node - 1].address);
  }

  /** Puts the table of entries into linear memory. */
  fillTable(view: DataView): void {
    const { bits, multiplier } = this.entryTable;
    const addresses = this.entryAddresses();
    // places without an entry repeat the first one, which is never wrong
    const slots = new Array<number>(1 << bits).fill(0);
    addresses.forEach((address, i) => {
      slots[slotOf(address % 2 ** 32, multiplier, bits)] = i;
    });
    writeEntryTable(view, this.regionPlaces.entryTable, slots, addresses);
    this.slots = slots;
  }

  /** The entry in each place of the table. */
  slots: readonly number[] = [];

  get descriptor(): number {
    return this.regionPlaces.descriptor;
  }
  /** Where the table of entries is; 0 where there was no room. */
  get entryTableAt(): number {
    return this.regionPlaces.entryTable;
  }

  write(): RegionBody {
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
    if (this.compact) {
      a.get(this.fuel);
      a.set(this.fuelBefore);
    }
    this.exit = a.block();
    this.tree(0);
    a.end();
    this.spill();
    return { body: a.body(), locals: a.locals, unlikely: a.unlikely, patches: a.patches };
  }

  /** Counts an exit to code outside and notes where to; now and then the region asks to be looked at again. */
  private noteExit(): void {
    const { a } = this;
    const { descriptor } = this.regionPlaces;
    a.get(this.exitCode);
    a.op(W.i32_eqz);
    a.if();
    a.i32(0);
    a.i32(0);
    a.load(32, descriptor + 4);
    a.i32(1);
    a.op(W.i32_add);
    a.tee(this.scratch32);
    a.store(32, descriptor + 4);
    a.get(this.scratch32);
    a.i32(EXITS - 1);
    a.op(W.i32_and);
    a.i32(3);
    a.op(W.i32_shl);
    a.get(this.rip);
    a.store(64, descriptor + 8);
    a.get(this.scratch32);
    a.i32(GROW - 1);
    a.op(W.i32_and, W.i32_eqz);
    if (this.compact) {
      this.countInstructions();
      a.op(W.i32_or);
    }
    a.if();
    a.i32(EXIT.grow);
    a.set(this.exitCode);
    a.end();
    a.end();
  }

  /** Adds up what ran; leaves an i32, 1 where that is enough for better code. */
  private countInstructions(): void {
    const { a } = this;
    const { descriptor } = this.regionPlaces;
    a.i32(0);
    a.i32(0);
    a.load(32, descriptor + DESCRIPTOR_RAN);
    a.get(this.fuelBefore);
    a.get(this.fuel);
    a.op(W.i32_sub, W.i32_add);
    a.tee(this.scratch32);
    a.store(32, descriptor + DESCRIPTOR_RAN);
    a.get(this.scratch32);
    a.i32(LONG);
    a.op(W.i32_ge_u);
  }

  private spill(): void {
    const { a, places } = this;
    this.noteExit();
    this.spillRegisters(0);
    if (this.hasOverlay) {
      this.staticFlags = -1;
      a.get(this.overMask);
      a.if();
      this.settle();
      a.end();
    }
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

  // control flow

  private tree(node: number): void {
    const { a, graph } = this;
    const loop = graph.isLoop[node] !== 0;
    if (loop) this.loopLabels.set(node, a.loop());
    // a region has a switch where there is more than one way in
    if (node === 0 && !loop) this.nested(this.flow.entries[0]);
    else this.within(node, 0);
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
    if (node === 0) this.enter();
    else this.emitBlock(node);
  }

  /** To the entry whose number is the state. */
  private enter(): void {
    const { a } = this;
    a.get(this.state);
    a.brTable(
      [...this.flow.entries, this.flow.entries[0]].map((node) => {
        const label = this.mergeLabels.get(node);
        assert(label !== undefined, 'an entry is a child of the switch');
        return label;
      }),
    );
  }

  /** Goes on at an address: inside the region where it is a block of it. */
  private goTo(from: number, address: number): void {
    const { a, graph } = this;
    const to = this.index.get(address);
    if (to !== undefined && graph.order[to] >= 0) {
      if (this.known[to] < 0) this.sayFlags();
      if (graph.order[to] <= graph.order[from]) {
        const label = this.loopLabels.get(to);
        if (label !== undefined) {
          a.br(label);
          return;
        }
        const entry = this.flow.entries.indexOf(to);
        const top = this.loopLabels.get(0);
        if (entry >= 0 && top !== undefined) {
          a.i32(entry);
          a.set(this.state);
          a.br(top);
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
      this.instructionAddress,
    ] as const;
    this.tree(to);
    [this.block, this.facts, this.locals, this.staticFlags, this.begun, this.mayChange, this.node] = saved;
    this.instructionAddress = saved[7];
  }

  // blocks

  private emitBlock(node: number): void {
    const { a } = this;
    this.node = node;
    this.block = this.blocks[node - 1];
    this.facts = this.analyses[node - 1];
    this.locals = new Int32Array(this.facts.count).fill(-1);
    this.staticFlags = this.known[node];
    this.begun = 0;
    this.mayChange = false;
    a.get(this.fuel);
    a.i32(this.block.instructions);
    a.op(W.i32_sub);
    a.tee(this.scratch32);
    if (this.hasCalls) a.get(this.floor);
    else a.i32(0);
    a.op(W.i32_lt_s);
    a.ifRarely();
    this.leaveAt(this.block.address, EXIT.fuel);
    a.end();
    a.get(this.scratch32);
    a.set(this.fuel);
    const owned: Owned[] = [];
    for (let i = 0; i < this.facts.count; i++) {
      if (this.facts.dead[i] !== 0) continue;
      this.operation(i, owned);
    }
    for (const { local, type } of owned) this.giveBack(type, local);
  }

  private operation(i: number, owned: Owned[]): void {
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
    a.set(this.rip);
    if (code[at] >>> 16 === INDIRECT_JUMP) {
      // a target that no code can have is the interpreter's business, from the instruction's start
      a.get(this.rip);
      a.i64(47);
      a.op(W.i64_shr_u, W.i64_eqz, W.i32_eqz);
      a.ifRarely();
      this.refund(1);
      this.leaveAt(this.instructionAddress, EXIT.outside);
      a.end();
    }
    for (const to of this.flow.returns.get(this.node) ?? []) {
      const site = this.blocks[to - 1].address;
      a.get(this.rip);
      a.i64((site % 2 ** 32) | 0, Math.floor(site / 2 ** 32) | 0);
      a.op(W.i64_eq);
      a.if();
      this.goTo(this.node, site);
      a.end();
    }
    this.lookUp();
    this.leave(EXIT.miss);
  }

  /** Goes on at rip where that is an entry of the region. */
  private lookUp(): void {
    const { a } = this;
    const top = this.loopLabels.get(0);
    if (top === undefined) return;
    const { bits, multiplier } = this.entryTable;
    const { entryTable } = this.regionPlaces;
    a.get(this.rip);
    a.op(W.i32_wrap_i64);
    a.i32(multiplier);
    a.op(W.i32_mul);
    a.i32(32 - bits);
    a.op(W.i32_shr_u);
    a.i32(4);
    a.op(W.i32_shl);
    a.tee(this.scratch32);
    a.load(64, entryTable);
    a.get(this.rip);
    a.op(W.i64_eq);
    a.if();
    a.get(this.scratch32);
    a.load(32, entryTable + 8);
    a.set(this.state);
    this.sayFlags();
    a.br(top);
    a.end();
  }

  private instruction(at: number): void {
    const { a } = this;
    const { code } = this.facts;
    this.instructionAddress = (code[at + 2] >>> 0) * 2 ** 32 + (code[at + 1] >>> 0);
    if (this.mayChange) {
      a.get(this.changed);
      a.ifRarely();
      this.refund(this.block.instructions - this.begun);
      this.leaveAt(this.instructionAddress, EXIT.miss);
      a.end();
    }
    this.mayChange = false;
    this.begun++;
  }

  // values

  private value(i: number, owned: Owned[]): void {
    const { a } = this;
    const { code } = this.facts;
    const at = i * WORDS;
    const shape = shapeOf(this.facts, i);
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
      core: (name) => a.call(REGION_IMPORTS[name]),
      mxcsr: () => {
        a.i32(this.places.cpu);
        a.load(32, LAYOUT.mxcsr);
      },
    };
    if (native.guard === undefined) {
      native.value(emitter, shape);
      a.set(local);
      return;
    }
    native.guard(emitter, shape);
    a.op(W.i32_eqz);
    a.ifRarely();
    this.leaveSlowly();
    a.end();
    native.value(emitter, shape);
    a.set(local);
  }
}

/** Multipliers that are tried for a table of entries. */
const MULTIPLIERS = [0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f, 0x165667b1, 0xfd7046c5, 0xb55a4f09, 0x1];
const MAX_BITS = 9;

function slotOf(low: number, multiplier: number, bits: number): number {
  return Math.imul(low, multiplier) >>> (32 - bits);
}

/** A table without collisions, if there is one; an address that is not found in its place leaves the region. */
function hashFor(addresses: readonly number[]): EntryTable {
  let bits = 1;
  while (1 << bits < addresses.length) bits++;
  for (; bits <= MAX_BITS; bits++)
    for (const multiplier of MULTIPLIERS)
      if (new Set(addresses.map((low) => slotOf(low, multiplier, bits))).size === addresses.length)
        return { bits, multiplier };
  return { bits: MAX_BITS, multiplier: MULTIPLIERS[0] };
}
