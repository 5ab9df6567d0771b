// Generates the core of the fast engine: a WebAssembly module with the dispatch loop, the interpreter of stream blocks
// (cold code), the page table walk and the flag functions. What one operation does is emit.ts'; here is where operands
// come from.
import { type ATOMICS, IR } from '../../isa/index.ts';
import { LAYOUT } from '../registers.ts';
import { closeWindows, hostAddress, type LeafPair, translate } from './access.ts';
import { FOLDED } from './analysis.ts';
import { Asm, typeOf } from './asm.ts';
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
  SLOW,
  WALK,
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
    return { type, name, locals: a.locals, body: a.body() };
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
    a.i32(places.cpu);
    a.load(64, LAYOUT.rip);
    a.set(this.rip);
    closeWindows(a, places.cpu);
    this.forgetLeaves();
    this.goAgain();
    this.exit = a.block();
    // one loop, not one in another: the compiler would put constants of the inner one before it, for each block anew
    this.next = a.loop();
    this.dispatch = a.block();
    this.writeCases();
    a.end();
    this.writeDispatch();
    a.br(this.next);
    a.end();
    a.end();
    a.i32(places.cpu);
    a.get(this.rip);
    a.store(64, LAYOUT.rip);
    for (const [field, local] of [
      [CPU.fuel, this.fuel],
      [CPU.block, this.block],
      [CPU.pc, this.pc],
    ] as const) {
      a.i32(places.cpu);
      a.get(local);
      a.store(32, field);
    }
    a.get(this.code);
  }

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

  /** The operation is done. */
  private advance(): void {
    if (this.last) this.goOn();
  }

  /** To what stands after the operation, which may be in the midst of a sequence. */
  private goOn(): void {
    const { a } = this;
    a.get(this.pc);
    a.i32(4 * (this.first + this.words));
    a.op(W.i32_add);
    a.set(this.pc);
    a.br(this.next);
  }

  /** Stores the result on the stack, above its address: up to 32 bits as 64, so that widening is free. */
  private storeResult(width: number): void {
    const { a } = this;
    if (width < 64) a.op(W.i64_extend_i32_u);
    a.store(width === 128 ? 128 : 64);
  }

  /** Runs the operation whose number is word i the slow way. */
  private slow(i: number): void {
    const { a, places } = this;
    a.i32(places.cpu);
    a.get(this.pc);
    if (this.first > 0) {
      a.i32(4 * this.first);
      a.op(W.i32_add);
    }
    a.store(32, CPU.pc);
    a.get(this.block);
    this.word(i);
    a.get(this.fuel);
    a.call(SLOW);
    // 2: code changed; the stop that was put after this instruction sees to it
    a.i32(1);
    a.op(W.i32_eq);
    this.leaveIf(EXIT.fault);
    this.forgetLeaves();
    this.readEpoch();
    if (!this.last) this.goOn();
  }

  private native({ shape, native, operands }: NativeCase): void {
    const { a } = this;
    const widths = [shape.wa, shape.wb, shape.wc];
    const emitter: Emitter = {
      a,
      operand: (i) => this.value(2 + operands.indexOf(i), widths[i]),
      temp: (type, i) => this.temp(type, i),
      core: (name) => a.call(CORE_FUNCTIONS[name]),
      mxcsr: () => {
        a.i32(this.places.cpu);
        a.load(32, LAYOUT.mxcsr);
      },
    };
    const result = this.resultWidth(shape.op, shape.width);
    const words = 2 + operands.length;
    if (native.guard !== undefined) {
      native.guard(emitter, shape);
      a.if();
    }
    this.word(1);
    native.value(emitter, shape);
    this.storeResult(result);
    if (native.guard === undefined) {
      this.advance();
      return;
    }
    a.else();
    this.slow(words);
    a.end();
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
        this.load(width, kind === 'update', this.pairs[Number(suffix)]);
        return;
      case 'store':
        this.store(width, this.pairs[Number(suffix)]);
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
        this.word(1);
        a.call(SETTLE);
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
        this.slow(1);
        this.advance();
        return;
      case 'flags':
      case 'keepflags':
        if (name === 'keepflags') {
          a.call(SETTLE);
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
          a.i32(places.cpu);
          this.value(i, 64);
          a.store(64, field);
        }
        this.advance();
        return;
      case 'getf':
        this.word(1);
        a.call(SETTLE);
        this.word(2);
        a.op(W.i32_shr_u);
        a.i32(1);
        a.op(W.i32_and);
        this.storeResult(1);
        this.advance();
        return;
      case 'setf':
        a.i32(places.cpu);
        a.call(SETTLE);
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
        this.word(1);
        a.call(SETTLE);
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
        this.value(2, 64);
        a.set(this.rip);
        this.noLink();
        a.br(this.dispatch);
        a.end();
        this.advance();
        return;
      case 'dispatch':
        this.noLink();
        a.br(this.dispatch);
        return;
      case 'jump':
      case 'goto':
        this.value(1, 64);
        a.set(this.rip);
        if (name === 'goto') this.link(() => a.i32(LINKS));
        else this.noLink();
        a.br(this.dispatch);
        return;
      case 'fork':
        this.value(1, 1);
        a.set(this.flags);
        this.value(2, 64);
        this.value(3, 64);
        a.get(this.flags);
        a.op(W.select);
        a.set(this.rip);
        this.link(() => {
          a.i32(LINKS);
          a.i32(LINKS + LINK_SIZE);
          a.get(this.flags);
          a.op(W.select);
        });
        a.br(this.dispatch);
        return;
      case 'branch':
        this.noLink();
        this.value(2, 64);
        this.value(3, 64);
        this.value(1, 1);
        a.op(W.select);
        a.set(this.rip);
        a.br(this.dispatch);
        return;
      case 'syscall':
        this.value(1, 64);
        a.set(this.rip);
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
    a.i32(places.cpu);
    a.call(SETTLE);
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
      this.word(3);
      a.op(W.i64_extend_i32_u, W.i64_and);
      a.op(W.i64_eqz, W.i32_eqz);
    } else {
      a.i64(16);
      a.op(W.i64_shl);
      a.i64(16);
      a.op(W.i64_shr_s);
      this.value(1, 64);
      a.op(W.i64_ne);
    }
    a.if();
    this.slow(2);
    a.end();
    this.advance();
  }

  private reach(i: number, width: number, write: boolean, pair: LeafPair): void {
    this.value(i, 64);
    this.a.set(this.access.address);
    translate(this.a, this.access, pair, width / 8, write, WALK);
  }

  private load(width: number, update: boolean, pair: LeafPair): void {
    const { a } = this;
    this.reach(2, width, update, pair);
    a.if();
    this.word(1);
    hostAddress(a, this.access);
    a.load(width);
    this.storeResult(width);
    a.else();
    this.slow(3);
    a.end();
    this.advance();
  }

  private store(width: number, pair: LeafPair): void {
    const { a } = this;
    this.reach(1, width, true, pair);
    a.if();
    hostAddress(a, this.access);
    this.value(2, width);
    a.store(width);
    a.else();
    this.slow(3);
    a.end();
    this.advance();
  }

  private atomic(width: number, kind: (typeof ATOMICS)[number]): void {
    const { a } = this;
    const type = typeOf(width);
    const old = this.temp(type, 4);
    this.reach(2, width, true, this.pairs[0]);
    a.if();
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
    a.else();
    this.slow(5);
    a.end();
    this.advance();
  }
}

const isComparison = (op: number): boolean => COMPARISONS.has(op);
const COMPARISONS = new Set<number>([IR.eq, IR.ne, IR.ltu, IR.leu, IR.lts, IR.les, ...Object.values(FOLDED)]);
