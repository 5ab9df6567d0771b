// Generates the core of the fast engine: a WebAssembly module with the dispatch loop, the interpreter of stream blocks
// (cold code), the page table walk and the flag functions. What one operation does is emit.ts'; here is where operands
// come from.
import { type ATOMICS, IR } from '../../isa/index.ts';
import { LAYOUT } from '../registers.ts';
import { closeWindows, hostAddress, translate } from './access.ts';
import { FOLDED } from './analysis.ts';
import { Asm, type Label, typeOf } from './asm.ts';
import { emitAtomic } from './atomic-code.ts';
import { CASE_WORDS, NATIVE_CASES, type NativeCase, OWN, type OwnCase } from './cases.ts';
import {
  CORE_FUNCTIONS,
  emitExactProduct,
  emitExactSum,
  emitMulhs,
  emitMulhu,
  emitReach,
  emitSettle,
  emitWalk,
  MULHS,
  RARE,
  SETTLE,
} from './core-functions.ts';
import { DispatchWriter } from './dispatch.ts';
import type { Emitter } from './emit.ts';
import { emitCondition, emitStatus } from './flag-code.ts';
import { FUSED, SINGLE_CASES } from './fused.ts';
import { CPU, EXIT, LINK_SIZE, LINKS, type Places } from './layout.ts';
import { V, W } from './opcodes.ts';
import { encodeModule, type FunctionSource, T } from './wasm-code.ts';

const I32 = T.i32;
const I64 = T.i64;
const TYPES = [
  { parameters: [I32, I32, I32], results: [I32] }, // 0 slow
  { parameters: [I32, I64, I64, I64, I32], results: [I32] }, // 1 status, rare
  { parameters: [I64], results: [I32] }, // 2 walk
  { parameters: [I64, I64], results: [I64] }, // 3 mulhu, mulhs
  { parameters: [], results: [I32] }, // 4 settle
  { parameters: [I32], results: [I32] }, // 5 run
  { parameters: [I32, I32], results: [I32] }, // 6 regions
  { parameters: [T.f64, T.f64, T.f64], results: [I32] }, // 7 exactSum, exactProduct
  { parameters: [I64, I32], results: [I32] }, // 8 reachRead, reachWrite
] as const;

/**
 * The module for these places; a block leaves the interpreter each time that it ran `hot` times more (a power of 2, at
 * least 2). Imports slow(block, operation, fuel), rare(status of rare kinds), memory, table.
 */
export function coreModule(places: Places, hot: number): Uint8Array {
  const source = (
    type: number,
    name: string,
    parameters: number,
    write: (a: Asm) => void,
  ): FunctionSource => {
    const a = new Asm(parameters, 1024);
    write(a);
    return { type, name, locals: a.locals, unlikely: a.unlikely, body: a.body() };
  };
  return encodeModule({
    types: TYPES,
    imports: [
      { module: 'm', name: 'slow', kind: 'function', type: 0 },
      { module: 'm', name: 'rare', kind: 'function', type: 1 },
      { module: 'm', name: 'memory', kind: 'memory', initial: 64, maximum: 65_536 },
      { module: 'm', name: 'table', kind: 'table', initial: 16, maximum: 1_000_000 },
    ],
    functions: [
      source(2, 'walk', 1, (a) => emitWalk(a, places)),
      source(3, 'mulhu', 2, emitMulhu),
      source(3, 'mulhs', 2, emitMulhs),
      source(7, 'exactSum', 3, emitExactSum),
      source(7, 'exactProduct', 3, emitExactProduct),
      source(1, 'status', 5, (a) => emitStatus(a, RARE, MULHS)),
      source(4, 'settle', 0, (a) => emitSettle(a, places)),
      source(5, 'run', 1, (a) => new RunWriter(a, places, hot).write()),
      source(8, 'reachRead', 2, (a) => emitReach(a, places, false)),
      source(8, 'reachWrite', 2, (a) => emitReach(a, places, true)),
    ],
  });
}

/** run(fuel) → why it returned. */
class RunWriter extends DispatchWriter {
  write(): void {
    const { a, places } = this;
    this.setField(CPU.fuel, () => a.get(0));
    this.setField(CPU.block, () => a.i32(0));
    this.setField(CPU.skip, () => a.i32(0));
    closeWindows(a, places.cpu);
    this.goAgain();
    this.exit = a.block();
    // one loop, not one in another: the compiler would put constants of the inner one before it, for each block anew
    this.next = a.loop();
    this.begin = a.block();
    this.dispatch = a.block();
    this.linked = a.block();
    this.returned = a.block();
    this.unfit = a.block();
    this.unknown = a.block();
    this.writeCases();
    a.end();
    // an access whose leaf table is not remembered: once it is, the operation is begun again
    this.keepPc();
    this.findLeaf();
    this.restorePc();
    a.brIf(this.next);
    a.end();
    this.writeSlow();
    a.br(this.next);
    a.end();
    this.writeReturned();
    a.br(this.dispatch);
    a.end();
    this.writeLinked();
    a.end();
    this.writeLookUp();
    a.end();
    this.writeBegin();
    a.br(this.next);
    a.end();
    a.end();
    this.keepPc();
    a.get(this.code);
  }
  /** Runs the operation at `pc` the slow way; `flags`: which of its words is its number, the last one. */
  private unfit = 0;
  /** Accesses whose leaf table is not remembered. */
  private unknown = 0;

  private writeCases(): void {
    const { a } = this;
    const total = SINGLE_CASES + FUSED.length;
    const labels = Array.from({ length: total }, () => a.block());
    a.get(this.pc);
    a.load(32);
    a.brTable(Array.from({ length: total }, (_, i) => labels[total - 1 - i]));
    for (let number = 0; number < SINGLE_CASES; number++) {
      a.end();
      this.sequence([number]);
    }
    for (const members of FUSED) {
      a.end();
      this.sequence(members);
    }
  }

  /** Operations one after the other, then to the next case. */
  private sequence(members: readonly number[]): void {
    this.first = 0;
    for (const [i, number] of members.entries()) {
      this.last = i === members.length - 1;
      this.words = CASE_WORDS[number];
      if (number < OWN.length) this.own(OWN[number]);
      else this.native(NATIVE_CASES[number - OWN.length]);
      this.first += this.words;
    }
  }
  /** Where the operation at hand begins, its words, and whether it is the last of its sequence. */
  private first = 0;
  private words = 0;
  private last = true;

  /** Pushes word i of the operation. */
  private word(i: number): void {
    this.a.get(this.pc);
    this.a.load(32, 4 * (this.first + i));
  }

  /** Pushes the value of `width` bits whose address is word i. */
  private value(i: number, width: number): void {
    this.word(i);
    this.a.load(width === 1 ? 8 : width);
  }

  /** The operation is done: after the last one of a sequence, to what stands there. */
  private advance(): void {
    if (!this.last) return;
    this.movePc(this.first + this.words);
    this.a.br(this.next);
  }

  private movePc(words: number): void {
    const { a } = this;
    if (words === 0) return;
    a.get(this.pc);
    a.i32(4 * words);
    a.op(W.i32_add);
    a.set(this.pc);
  }

  /** Stores the result on the stack, above its address: up to 32 bits as 64, so that widening is free. */
  private storeResult(width: number): void {
    const { a } = this;
    if (width < 64) a.op(W.i64_extend_i32_u);
    a.store(width === 128 ? 128 : 64);
  }

  /** Leaves the case: the operation, whose number is its last word, is run the slow way. */
  private slow(): void {
    this.leaveCase(this.unfit);
  }
  private leaveCase(to: Label): void {
    const { a } = this;
    this.movePc(this.first);
    a.i32(this.words - 1);
    a.set(this.flags);
    a.br(to);
  }

  /** As `slow`, where the i32 on the stack is 0. */
  private slowUnless(): void {
    const { a } = this;
    a.op(W.i32_eqz);
    a.ifRarely();
    this.slow();
    a.end();
  }

  private native({ shape, native, operands }: NativeCase): void {
    const { a } = this;
    const widths = [shape.wa, shape.wb, shape.wc];
    const emitter: Emitter = {
      a,
      operand: (i) => this.value(2 + operands.indexOf(i), widths[i]),
      temp: (type, i) => this.temp(type, i),
      core: (name) => this.callOver(CORE_FUNCTIONS[name]),
      mxcsr: () => {
        a.i32(this.places.cpu);
        a.load(32, LAYOUT.mxcsr);
      },
    };
    const result = this.resultWidth(shape.op, shape.width);
    if (native.guard !== undefined) {
      native.guard(emitter, shape);
      this.slowUnless();
    }
    this.word(1);
    native.value(emitter, shape);
    this.storeResult(result);
    this.advance();
  }

  private resultWidth(op: number, width: number): number {
    return isComparison(op) ? 1 : width;
  }

  private own(name: OwnCase): void {
    const { a } = this;
    const [, kind, widthText, suffix] = /^([a-z]+)(\d*)\.?(\w*)$/.exec(name) ?? [];
    const width = Number(widthText);
    switch (kind) {
      case 'load':
      case 'update':
        this.load(width, kind === 'update', 0);
        return;
      case 'loadat':
      case 'updateat':
        this.load(width, kind === 'updateat', 1);
        return;
      case 'store':
        this.store(width, 0);
        return;
      case 'storeat':
        this.store(width, 1);
        return;
      case 'atomic':
        this.atomic(width, suffix as (typeof ATOMICS)[number]);
        return;
      case 'copy':
        this.word(1);
        this.value(2, width);
        a.store(width);
        this.advance();
        return;
      case 'cond':
        this.settled();
        this.word(1);
        a.get(this.flags);
        emitCondition(a, width, this.flags);
        this.storeResult(1);
        this.advance();
        return;
      case 'bit':
        this.word(1);
        this.value(2, width);
        this.word(3);
        if (width === 64) a.op(W.i64_extend_i32_u, W.i64_shr_u, W.i32_wrap_i64);
        else a.op(W.i32_shr_u);
        a.i32(1);
        a.op(W.i32_and);
        this.storeResult(1);
        this.advance();
        return;
      case 'setrflags':
        this.setRflags(width);
        return;
      default:
        this.plain(name);
        return;
    }
  }

  private plain(name: OwnCase): void {
    const { a, places } = this;
    switch (name) {
      case 'slow':
        this.slow();
        return;
      case 'flags':
      case 'flags1':
      case 'flags2':
      case 'keepflags':
        if (name === 'keepflags') {
          this.callOver(SETTLE);
          a.op(W.drop);
        }
        a.i32(places.cpu);
        this.word(1);
        a.store(32, CPU.pending);
        for (const [i, field] of [
          [2, CPU.a],
          [3, CPU.b],
          [4, CPU.c],
        ] as const) {
          if (i >= this.words) break;
          a.i32(places.cpu);
          this.value(i, 64);
          a.store(64, field);
        }
        this.advance();
        return;
      case 'getf':
        this.settled();
        this.word(1);
        a.get(this.flags);
        this.word(2);
        a.op(W.i32_shr_u);
        a.i32(1);
        a.op(W.i32_and);
        this.storeResult(1);
        this.advance();
        return;
      case 'setf':
        this.settled();
        a.i32(places.cpu);
        a.get(this.flags);
        a.i32(1);
        this.word(1);
        a.op(W.i32_shl);
        a.i32(-1);
        a.op(W.i32_xor, W.i32_and);
        this.value(2, 1);
        this.word(1);
        a.op(W.i32_shl, W.i32_or);
        a.store(32, LAYOUT.rflags);
        this.advance();
        return;
      case 'rflags':
        this.settled();
        this.word(1);
        a.get(this.flags);
        this.storeResult(32);
        this.advance();
        return;
      case 'align':
      case 'canonical':
        this.check(name);
        return;
      case 'swizzle1':
      case 'swizzle2':
        this.word(1);
        this.value(2, 128);
        this.value(name === 'swizzle1' ? 3 : 4, 128);
        a.v(V.i8x16_swizzle);
        if (name === 'swizzle2') {
          this.value(3, 128);
          this.word(4);
          a.load(128, 16);
          a.v(V.i8x16_swizzle);
          a.v(V.or);
        }
        a.store(128);
        this.advance();
        return;
      default:
        this.control(name);
        return;
    }
  }

  private control(name: OwnCase): void {
    const { a } = this;
    switch (name) {
      case 'exit':
        this.value(1, 1);
        a.if();
        this.jump(() => this.value(2, 64));
        a.end();
        this.advance();
        return;
      case 'dispatch':
        a.i32(0);
        a.set(this.chain);
        a.br(this.dispatch);
        return;
      case 'jump':
        this.jump(() => this.value(1, 64));
        return;
      case 'goto':
        this.movePc(this.first);
        this.link(() => a.i32(LINKS));
        return;
      case 'call':
        this.noteCall(() => this.value(2, 64));
        this.movePc(this.first);
        this.link(() => a.i32(LINKS));
        return;
      case 'callto':
        this.noteCall(() => this.value(2, 64));
        this.jump(() => this.value(1, 64));
        return;
      case 'ret':
        this.setField(LAYOUT.rip, () => this.value(1, 64), 64);
        a.br(this.returned);
        return;
      case 'fork':
        a.i32(LINKS);
        a.i32(LINKS + LINK_SIZE);
        this.value(3, 1);
        a.op(W.select);
        a.set(this.flags);
        this.movePc(this.first);
        this.link(() => a.get(this.flags));
        return;
      case 'branch':
        this.jump(() => {
          this.value(1, 64);
          this.value(2, 64);
          this.value(3, 1);
          a.op(W.select);
        });
        return;
      case 'syscall':
        this.setField(LAYOUT.rip, () => this.value(1, 64), 64);
        this.leave(EXIT.syscall);
        return;
      case 'end':
        this.leave(EXIT.end);
        return;
      case 'boundary':
        this.leave(EXIT.boundary);
        return;
      default:
        throw new Error(`internal error: case ${name} has no code`);
    }
  }

  /** setrflags: POPF, SAHF, COMIS, as interpret.ts has it. */
  private setRflags(how: number): void {
    const { a, places } = this;
    const changed =
      how === 0 ? 0x8d5 | 0x100 | 0x400 | 0x4000 | 0x40000 | 0x200000 : how === 1 ? 0xd5 : 0x8d5;
    const taken = how === 0 ? changed : how === 1 ? 0xd5 : 0x45;
    this.settled();
    a.i32(places.cpu);
    a.get(this.flags);
    a.i32(~changed);
    a.op(W.i32_and);
    this.value(1, 32);
    a.i32(taken);
    a.op(W.i32_and, W.i32_or);
    a.store(32, LAYOUT.rflags);
    this.advance();
  }

  private check(name: 'align' | 'canonical'): void {
    const { a } = this;
    this.value(1, 64);
    if (name === 'align') {
      this.word(2);
      a.op(W.i64_extend_i32_u, W.i64_and);
      a.op(W.i64_eqz);
    } else {
      a.i64(16);
      a.op(W.i64_shl);
      a.i64(16);
      a.op(W.i64_shr_s);
      this.value(1, 64);
      a.op(W.i64_eq);
    }
    this.slowUnless();
    this.advance();
  }

  /**
   * The value whose address is word i is the address of an access, which can be made here; `displaced` 1: with the
   * number after it added.
   */
  private reach(i: number, width: number, write: boolean, displaced: 0 | 1 = 0): void {
    this.value(i, 64);
    if (displaced !== 0) {
      this.a.get(this.pc);
      this.a.mem(W.i64_load16_s, 4 * (this.first + i + 1));
      this.a.op(W.i64_add);
    }
    this.a.set(this.access.address);
    translate(this.a, this.access, { size: width / 8, write, cpu: this.places.cpu }, () => {
      this.leaveCase(this.unknown);
    });
    this.slowUnless();
  }

  private load(width: number, update: boolean, displaced: 0 | 1): void {
    const { a } = this;
    this.reach(2, width, update, displaced);
    this.word(1);
    hostAddress(a, this.access);
    a.load(width);
    this.storeResult(width);
    this.advance();
  }

  private store(width: number, displaced: 0 | 1): void {
    const { a } = this;
    this.reach(1, width, true, displaced);
    hostAddress(a, this.access);
    this.value(2 + displaced, width);
    a.store(width);
    this.advance();
  }

  private atomic(width: number, kind: (typeof ATOMICS)[number]): void {
    const { a } = this;
    const type = typeOf(width);
    const old = this.temp(type, 4);
    this.reach(2, width, true);
    hostAddress(a, this.access);
    a.tee(this.flags);
    a.load(width);
    a.set(old);
    a.get(this.flags);
    emitAtomic(
      a,
      kind,
      width,
      old,
      () => this.value(3, width),
      () => this.value(4, width),
    );
    a.store(width);
    this.word(1);
    a.get(old);
    this.storeResult(width);
    this.advance();
  }

  /** RFLAGS, with the pending computation done, are in `flags`. */
  private settled(): void {
    this.callOver(SETTLE);
    this.a.set(this.flags);
  }
}

const isComparison = (op: number): boolean => COMPARISONS.has(op);
const COMPARISONS = new Set<number>([IR.eq, IR.ne, IR.ltu, IR.leu, IR.lts, IR.les, ...Object.values(FOLDED)]);
