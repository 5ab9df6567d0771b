// Generates the core of the fast engine: a WebAssembly module with the dispatch loop, the interpreter of stream blocks
// (cold code), the page table walk and the flag functions. What one operation does is emit.ts'; here is where operands
// come from.
import { type ATOMICS, IR } from '../../isa/index.ts';
import { LAYOUT } from '../registers.ts';
import { accessLocals, hostAddress, type LeafPair, translate } from './access.ts';
import { FOLDED } from './analysis.ts';
import { Asm, type Label, typeOf } from './asm.ts';
import { NATIVE_CASES, type NativeCase, OWN, type OwnCase } from './cases.ts';
import type { Emitter } from './emit.ts';
import { emitCondition, emitStatus } from './flag-code.ts';
import { CPU, ENTRIES, EXIT, HEADER, type Places } from './layout.ts';
import { V, W } from './opcodes.ts';
import { encodeModule, type FunctionSource, T, type ValueType } from './wasm-code.ts';

const I32 = T.i32;
const I64 = T.i64;
const TYPES = [
  { parameters: [I32, I32, I32], results: [I32] }, // 0 slow
  { parameters: [I32, I64, I64, I64, I32], results: [I32] }, // 1 status, rare
  { parameters: [I64], results: [I32] }, // 2 walk
  { parameters: [I64, I64], results: [I64] }, // 3 mulhu, mulhs
  { parameters: [], results: [I32] }, // 4 settle
  { parameters: [I32], results: [I32] }, // 5 run, regions
] as const;
const SLOW = 0;
const RARE = 1;
const WALK = 2;
const MULHU = 3;
const MULHS = 4;
const STATUS = 5;
const SETTLE = 6;

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
      source(1, 'status', 5, (a) => emitStatus(a, RARE, MULHS)),
      source(4, 'settle', 0, (a) => emitSettle(a, places)),
      source(5, 'run', 1, (a) => new RunWriter(a, places, hot).write()),
    ],
  });
}

/** walk(address >> 24) → byte address of the leaf table, the empty one where there is none. */
function emitWalk(a: Asm, { cpu, emptyLeaf }: Places): void {
  const table = a.local(I32);
  const none = a.block();
  a.get(0);
  a.i64(1 << 23);
  a.op(W.i64_ge_u);
  a.brIf(none);
  a.i32(cpu);
  a.load(32, CPU.root);
  a.tee(table);
  a.op(W.i32_eqz);
  a.brIf(none);
  for (const [shift, bits] of [
    [12, 0x1ffc],
    [0, 0x3ffc],
  ] as const) {
    a.get(table);
    a.get(0);
    a.op(W.i32_wrap_i64);
    if (shift > 0) {
      a.i32(shift);
      a.op(W.i32_shr_u);
    }
    a.i32(2);
    a.op(W.i32_shl);
    a.i32(bits);
    a.op(W.i32_and, W.i32_add);
    a.load(32);
    a.i32(2);
    a.op(W.i32_shl);
    a.tee(table);
    a.op(W.i32_eqz);
    a.brIf(none);
  }
  a.get(table);
  a.op(W.return);
  a.end();
  a.i32(emptyLeaf);
}

/** High half of the product, by 32-bit parts. */
function emitMulhu(a: Asm): void {
  const [al, ah, bl, bh, t, u] = Array.from({ length: 6 }, () => a.local(I64));
  for (const [from, lo, hi] of [
    [0, al, ah],
    [1, bl, bh],
  ] as const) {
    a.get(from);
    a.i64(-1, 0);
    a.op(W.i64_and);
    a.set(lo);
    a.get(from);
    a.i64(32);
    a.op(W.i64_shr_u);
    a.set(hi);
  }
  // t = ah*bl + (al*bl >> 32); u = al*bh + (t & low); result ah*bh + (t >> 32) + (u >> 32)
  a.get(ah);
  a.get(bl);
  a.op(W.i64_mul);
  a.get(al);
  a.get(bl);
  a.op(W.i64_mul);
  a.i64(32);
  a.op(W.i64_shr_u, W.i64_add);
  a.set(t);
  a.get(al);
  a.get(bh);
  a.op(W.i64_mul);
  a.get(t);
  a.i64(-1, 0);
  a.op(W.i64_and, W.i64_add);
  a.set(u);
  a.get(ah);
  a.get(bh);
  a.op(W.i64_mul);
  a.get(t);
  a.i64(32);
  a.op(W.i64_shr_u, W.i64_add);
  a.get(u);
  a.i64(32);
  a.op(W.i64_shr_u, W.i64_add);
}

function emitMulhs(a: Asm): void {
  a.get(0);
  a.get(1);
  a.call(MULHU);
  for (const [x, y] of [
    [0, 1],
    [1, 0],
  ] as const) {
    a.get(x);
    a.i64(63);
    a.op(W.i64_shr_s);
    a.get(y);
    a.op(W.i64_and, W.i64_sub);
  }
}

/** settle() → RFLAGS with the pending computation done. */
function emitSettle(a: Asm, { cpu }: Places): void {
  const kw = a.local(I32);
  a.i32(cpu);
  a.load(32, CPU.pending);
  a.tee(kw);
  a.i32(0);
  a.op(W.i32_ge_s);
  a.if();
  a.i32(cpu);
  a.get(kw);
  for (const field of [CPU.a, CPU.b, CPU.c]) {
    a.i32(cpu);
    a.load(64, field);
  }
  a.i32(cpu);
  a.load(32, LAYOUT.rflags);
  a.call(STATUS);
  a.store(32, LAYOUT.rflags);
  a.i32(cpu);
  a.i32(-1);
  a.store(32, CPU.pending);
  a.end();
  a.i32(cpu);
  a.load(32, LAYOUT.rflags);
}

/** run(fuel) → why it returned. */
class RunWriter {
  private readonly a: Asm;
  private readonly places: Places;
  private readonly hot: number;
  private readonly fuel = 0;
  private readonly pc: number;
  private readonly rip: number;
  private readonly block: number;
  private readonly code: number;
  private readonly page: number;
  private readonly frame: number;
  private readonly entry: number;
  private readonly flags: number;
  private readonly access;
  private readonly pairs: readonly LeafPair[];
  private readonly temps = new Map<string, number>();
  private exit: Label = 0;
  private dispatch: Label = 0;
  private next: Label = 0;

  constructor(a: Asm, places: Places, hot: number) {
    this.a = a;
    this.hot = hot;
    this.places = places;
    [this.pc, this.block, this.code, this.frame, this.entry, this.flags] = Array.from({ length: 6 }, () =>
      a.local(I32),
    );
    this.rip = a.local(I64);
    this.page = a.local(I64);
    this.access = accessLocals(a);
    this.pairs = [0, 1].map(() => ({ high: a.local(I64), leaf: a.local(I32) }));
  }

  write(): void {
    const { a, places } = this;
    a.i32(places.cpu);
    a.load(64, LAYOUT.rip);
    a.set(this.rip);
    a.i64(-1);
    a.set(this.page);
    this.forgetLeaves();
    this.exit = a.block();
    this.dispatch = a.loop();
    this.writeDispatch();
    this.next = a.loop();
    this.writeCases();
    a.end();
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

  private forgetLeaves(): void {
    for (const pair of this.pairs) {
      this.a.i64(-1);
      this.a.set(pair.high);
    }
  }

  private leave(code: number): void {
    this.a.i32(code);
    this.a.set(this.code);
    this.a.br(this.exit);
  }

  /** Leaves with the code where the i32 on the stack is not 0. */
  private leaveIf(code: number): void {
    this.a.if();
    this.leave(code);
    this.a.end();
  }

  // dispatch

  private writeDispatch(): void {
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
    // the frame that the page of rip has now
    a.get(this.rip);
    a.i64(12);
    a.op(W.i64_shr_u);
    a.get(this.page);
    a.op(W.i64_ne);
    a.if();
    a.get(this.rip);
    a.i64(12);
    a.op(W.i64_shr_u);
    a.tee(this.page);
    this.executableFrame();
    a.set(this.frame);
    a.end();
    a.get(this.entry);
    a.load(32, 8);
    a.get(this.frame);
    a.op(W.i32_ne);
    this.leaveIf(EXIT.miss);
    a.get(this.entry);
    a.load(32, 12);
    a.if();
    a.get(this.entry);
    a.load(32, 12);
    a.get(this.page);
    a.i64(1);
    a.op(W.i64_add);
    this.executableFrame();
    a.op(W.i32_ne);
    this.leaveIf(EXIT.miss);
    a.end();
    a.get(this.entry);
    a.load(32, 16);
    a.tee(this.block);
    a.i32(1);
    a.op(W.i32_and);
    a.if();
    this.callRegion();
    a.end();
    // a stream block
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

  /** From a page number (i64) on the stack, its frame if it may be executed, else 0. */
  private executableFrame(): void {
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

  private callRegion(): void {
    const { a, places } = this;
    a.get(this.fuel);
    a.get(this.block);
    a.i32(1);
    a.op(W.i32_shr_u);
    a.callIndirect(5);
    a.set(this.code);
    a.i32(places.cpu);
    a.load(64, LAYOUT.rip);
    a.set(this.rip);
    a.i32(places.cpu);
    a.load(32, CPU.fuel);
    a.set(this.fuel);
    a.i64(-1);
    a.set(this.page);
    this.forgetLeaves();
    a.get(this.code);
    a.op(W.i32_eqz);
    a.brIf(this.dispatch);
    a.br(this.exit);
  }

  // cases

  private writeCases(): void {
    const { a } = this;
    const total = OWN.length + NATIVE_CASES.length;
    const labels = Array.from({ length: total }, () => a.block());
    a.get(this.pc);
    a.load(32);
    a.brTable(Array.from({ length: total }, (_, i) => labels[total - 1 - i]));
    for (const name of OWN) {
      a.end();
      this.own(name);
    }
    for (const item of NATIVE_CASES) {
      a.end();
      this.native(item);
    }
  }

  /** Pushes word i of the operation. */
  private word(i: number): void {
    this.a.get(this.pc);
    this.a.load(32, 4 * i);
  }

  /** Pushes the value of `width` bits whose address is word i. */
  private value(i: number, width: number): void {
    this.word(i);
    this.a.load(width === 1 ? 8 : width);
  }

  private advance(words: number): void {
    const { a } = this;
    a.get(this.pc);
    a.i32(4 * words);
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
    const { a } = this;
    a.get(this.block);
    this.word(i);
    a.get(this.fuel);
    a.call(SLOW);
    // 2: code changed; the stop that was put after this instruction sees to it
    a.i32(1);
    a.op(W.i32_eq);
    this.leaveIf(EXIT.fault);
    this.forgetLeaves();
    a.i64(-1);
    a.set(this.page);
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

  private native({ shape, native, operands }: NativeCase): void {
    const { a } = this;
    const widths = [shape.wa, shape.wb, shape.wc];
    const emitter: Emitter = {
      a,
      operand: (i) => this.value(2 + operands.indexOf(i), widths[i]),
      temp: (type, i) => this.temp(type, i),
      core: (name) => a.call(name === 'mulhu' ? MULHU : MULHS),
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
      this.advance(words);
      return;
    }
    a.else();
    this.slow(words);
    a.end();
    this.advance(words + 1);
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
        this.advance(3);
        return;
      case 'cond':
        this.word(1);
        a.call(SETTLE);
        emitCondition(a, width, this.flags);
        this.storeResult(1);
        this.advance(3);
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
        this.advance(4);
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
        this.advance(2);
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
        this.advance(5);
        return;
      case 'getf':
        this.word(1);
        a.call(SETTLE);
        this.word(2);
        a.op(W.i32_shr_u);
        a.i32(1);
        a.op(W.i32_and);
        this.storeResult(1);
        this.advance(3);
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
        this.advance(3);
        return;
      case 'rflags':
        this.word(1);
        a.call(SETTLE);
        this.storeResult(32);
        this.advance(2);
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
        this.advance(name === 'swizzle1' ? 4 : 5);
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
        a.br(this.dispatch);
        a.end();
        this.advance(3);
        return;
      case 'jump':
        this.value(1, 64);
        a.set(this.rip);
        a.br(this.dispatch);
        return;
      case 'branch':
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
    this.advance(2);
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
    this.advance(4);
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
    this.advance(4);
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
    this.advance(4);
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
    this.advance(6);
  }
}

/** Pushes the new value of an atomic operation. */
export function emitAtomic(
  a: Asm,
  kind: (typeof ATOMICS)[number],
  width: number,
  old: number,
  operand: () => void,
  replacement: () => void,
): void {
  const wide = width === 64;
  switch (kind) {
    case 'xchg':
      operand();
      return;
    case 'neg':
      if (wide) a.i64(0);
      else a.i32(0);
      a.get(old);
      a.op(wide ? W.i64_sub : W.i32_sub);
      return;
    case 'cmpxchg':
      replacement();
      a.get(old);
      a.get(old);
      operand();
      a.op(wide ? W.i64_eq : W.i32_eq, W.select);
      return;
    default: {
      a.get(old);
      operand();
      const ops = {
        add: [W.i32_add, W.i64_add],
        sub: [W.i32_sub, W.i64_sub],
        and: [W.i32_and, W.i64_and],
        or: [W.i32_or, W.i64_or],
        xor: [W.i32_xor, W.i64_xor],
      }[kind];
      a.op(ops[wide ? 1 : 0]);
    }
  }
}

const isComparison = (op: number): boolean => COMPARISONS.has(op);
const COMPARISONS = new Set<number>([IR.eq, IR.ne, IR.ltu, IR.leu, IR.lts, IR.les, ...Object.values(FOLDED)]);
