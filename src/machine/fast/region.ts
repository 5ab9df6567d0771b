// Translates a region: blocks that lead to each other by direct jumps, loops inside, as one WebAssembly function from
// fuel to the reason why it returned. Guest registers and pending flags are locals, loaded at the entry and written
// back at the single exit. An instruction's memory accesses come before its other effects, so the locals at a fault are
// the state before the instruction.
import { IR, JUMP_KINDS, WORDS, XMM0 } from '../../isa/index.ts';
import { LAYOUT } from '../registers.ts';
import { isConst, operandsOf } from './analysis.ts';
import type { StreamBlock } from './core.ts';
import { type Emitter, nativeFor, type Shape } from './emit.ts';
import { registerOffset } from './encode.ts';
import { CPU, EXIT, type Places } from './layout.ts';
import { W } from './opcodes.ts';
import { type Owned, REGION_IMPORTS } from './region-base.ts';
import { constantAddress } from './region-flow.ts';
import { RegionMemory } from './region-memory.ts';
import type { FunctionSource, ValueType } from './wasm-code.ts';

const INDIRECT_JUMP = JUMP_KINDS.indexOf('indirect-jump');

class RegionWriter extends RegionMemory {
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

  // control flow

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

  // values

  private value(i: number, owned: Owned[]): void {
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
