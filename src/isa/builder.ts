// Appends IR operations to a growing array. Checks the widths of operands as it goes, so that a lifter's slip is an
// assertion at its line and not a wrong value later. Reading a register that the block has read or written before
// gives the value already there (static single assignment needs no more than that inside a block).
import { assert } from '../bytes/index.ts';
import { HELPERS, helperIndex } from './helpers.ts';
import {
  ATOMICS,
  type Block,
  FLAG_KINDS,
  FLAGS,
  IR,
  IR_OPS,
  JUMP_KINDS,
  REG,
  REGISTERS,
  TRAPS,
  WORDS,
} from './ir.ts';

/** Index of the operation that made the value. */
export type Value = number;

export type FlagKind = (typeof FLAG_KINDS)[number];
export type AtomicKind = (typeof ATOMICS)[number];
export type JumpKind = (typeof JUMP_KINDS)[number];
export type Trap = (typeof TRAPS)[number];
export type Flag = (typeof FLAGS)[number];

const MXCSR = REG['mxcsr'];
const FIRST_XMM = REG['xmm0'];
const YIELDS_BIT = IR_OPS.map((row) => row[2] === 'v1');
const YIELDS = IR_OPS.map((row) => row[2] !== '');

export class BlockBuilder {
  private words = new Int32Array(256 * WORDS);
  /** Operations so far. */
  count = 0;
  /** Guest instructions so far. */
  instructions = 0;
  /** The block has its terminator. */
  terminated = false;
  private readonly known = new Int32Array(REGISTERS.length).fill(-1);

  /** Starts over; the array is kept. */
  reset(): void {
    this.count = 0;
    this.instructions = 0;
    this.terminated = false;
    this.known.fill(-1);
  }

  /** The finished block; a copy, the builder may be used again. */
  finish(start: number, length: number): Block {
    return { start, length, instructions: this.instructions, code: this.words.slice(0, this.count * WORDS) };
  }

  /** The finished block, in the builder's own array: it holds until the builder is used again. */
  view(start: number, length: number): Block {
    const code = this.words.subarray(0, this.count * WORDS);
    return { start, length, instructions: this.instructions, code };
  }

  /** Appends one operation as it is. Prefer the methods below. */
  emit(op: number, width: number, aux: number, a: number, b: number, c: number): Value {
    let words = this.words;
    const at = this.count * WORDS;
    if (at === words.length) {
      words = new Int32Array(words.length * 2);
      words.set(this.words);
      this.words = words;
    }
    words[at] = op | (width << 8) | (aux << 16);
    words[at + 1] = a;
    words[at + 2] = b;
    words[at + 3] = c;
    return this.count++;
  }

  /** Bits of a value. */
  widthOf(value: Value): number {
    const head = this.words[value * WORDS];
    return YIELDS_BIT[head & 0xff] ? 1 : (head >>> 8) & 0xff;
  }

  private unary(op: number, a: Value, aux = 0): Value {
    return this.emit(op, this.widthOf(a), aux, a, -1, -1);
  }

  private binary(op: number, a: Value, b: Value, aux = 0): Value {
    const width = this.widthOf(a);
    assert(width === this.widthOf(b), `${IR_OPS[op][0]} of ${width} and ${this.widthOf(b)} bits`);
    return this.emit(op, width, aux, a, b, -1);
  }

  // structure

  insn(address: number, length: number): void {
    this.instructions++;
    this.emit(IR.insn, 0, 0, address | 0, Math.floor(address / 2 ** 32) | 0, length);
  }

  /** A constant (a safe integer); a negative number is sign-extended to the width. */
  const(width: number, value: number): Value {
    const low = width < 32 ? value & ((1 << width) - 1) : value | 0;
    const high = width > 32 ? Math.floor(value / 2 ** 32) | 0 : 0;
    return this.emit(IR.const, width, 0, low, high, -1);
  }

  /** A 64-bit constant from its halves. */
  const64(low: number, high: number): Value {
    return this.emit(IR.const, 64, 0, low | 0, high | 0, -1);
  }

  get(register: number): Value {
    const known = this.known[register];
    if (known >= 0) return known;
    const value = this.emit(IR.get, REGISTERS[register].width, 0, register, -1, -1);
    this.known[register] = value;
    return value;
  }

  set(register: number, value: Value): void {
    assert(
      this.widthOf(value) === REGISTERS[register].width,
      `set ${REGISTERS[register].name} of ${this.widthOf(value)} bits`,
    );
    this.emit(IR.set, REGISTERS[register].width, 0, register, value, -1);
    this.known[register] = value;
  }

  // memory

  load(width: number, address: Value): Value {
    assert(this.widthOf(address) === 64, 'address of 64 bits');
    return this.emit(IR.load, width, 0, address, -1, -1);
  }

  /** A load whose location is written back by the same instruction. */
  loadForUpdate(width: number, address: Value): Value {
    return this.emit(IR.load, width, 1, address, -1, -1);
  }

  store(address: Value, value: Value): void {
    assert(this.widthOf(address) === 64, 'address of 64 bits');
    this.emit(IR.store, this.widthOf(value), 0, address, value, -1);
  }

  fence(): void {
    this.emit(IR.fence, 0, 0, -1, -1, -1);
  }

  /** General fault where the address is not a multiple of `bytes`. */
  align(address: Value, bytes: number): void {
    this.emit(IR.align, 64, bytes, address, -1, -1);
  }

  /** General fault where bits 47..63 of the address differ. */
  canonical(address: Value): void {
    this.emit(IR.canonical, 64, 0, address, -1, -1);
  }

  /** Leaves the block when the condition holds. */
  exit(condition: Value, address: Value): void {
    this.emit(IR.exit, 0, 0, condition, address, -1);
  }

  /** Yields the old value at the address. cmpxchg: `operand` is the expected value, `replacement` the new one. */
  atomic(kind: AtomicKind, address: Value, operand: Value, replacement = -1): Value {
    return this.emit(IR.atomic, this.widthOf(operand), ATOMICS.indexOf(kind), address, operand, replacement);
  }

  // integer operations; the width is that of the first operand

  add(a: Value, b: Value): Value {
    return this.binary(IR.add, a, b);
  }
  sub(a: Value, b: Value): Value {
    return this.binary(IR.sub, a, b);
  }
  mul(a: Value, b: Value): Value {
    return this.binary(IR.mul, a, b);
  }
  mulhu(a: Value, b: Value): Value {
    return this.binary(IR.mulhu, a, b);
  }
  mulhs(a: Value, b: Value): Value {
    return this.binary(IR.mulhs, a, b);
  }
  and(a: Value, b: Value): Value {
    return this.binary(IR.and, a, b);
  }
  or(a: Value, b: Value): Value {
    return this.binary(IR.or, a, b);
  }
  xor(a: Value, b: Value): Value {
    return this.binary(IR.xor, a, b);
  }
  not(a: Value): Value {
    return this.unary(IR.not, a);
  }
  neg(a: Value): Value {
    return this.unary(IR.neg, a);
  }
  shl(a: Value, count: Value): Value {
    return this.binary(IR.shl, a, count);
  }
  shr(a: Value, count: Value): Value {
    return this.binary(IR.shr, a, count);
  }
  sar(a: Value, count: Value): Value {
    return this.binary(IR.sar, a, count);
  }
  rotl(a: Value, count: Value): Value {
    return this.binary(IR.rotl, a, count);
  }
  rotr(a: Value, count: Value): Value {
    return this.binary(IR.rotr, a, count);
  }
  clz(a: Value): Value {
    return this.unary(IR.clz, a);
  }
  ctz(a: Value): Value {
    return this.unary(IR.ctz, a);
  }
  popcnt(a: Value): Value {
    return this.unary(IR.popcnt, a);
  }
  bswap(a: Value): Value {
    return this.unary(IR.bswap, a);
  }
  /** Quotient or remainder of (high:low) by the divisor. */
  divide(op: 'divu' | 'remu' | 'divs' | 'rems', high: Value, low: Value, divisor: Value): Value {
    const width = this.widthOf(divisor);
    assert(width === this.widthOf(high) && width === this.widthOf(low), `${op} of equal widths`);
    return this.emit(IR[op], width, 0, high, low, divisor);
  }

  /** 1-bit result. */
  compare(op: 'eq' | 'ne' | 'ltu' | 'leu' | 'lts' | 'les', a: Value, b: Value): Value {
    return this.binary(IR[op], a, b);
  }
  /** 1 bit: the value is 0. */
  isZero(a: Value): Value {
    return this.compare('eq', a, this.const(this.widthOf(a), 0));
  }
  select(condition: Value, a: Value, b: Value): Value {
    assert(this.widthOf(condition) === 1 && this.widthOf(a) === this.widthOf(b), 'select of equal widths');
    return this.emit(IR.select, this.widthOf(a), 0, condition, a, b);
  }

  // widths; a conversion to the width it has is the value itself

  zext(width: number, a: Value): Value {
    return this.widthOf(a) === width ? a : this.emit(IR.zext, width, 0, a, -1, -1);
  }
  sext(width: number, a: Value): Value {
    return this.widthOf(a) === width ? a : this.emit(IR.sext, width, 0, a, -1, -1);
  }
  trunc(width: number, a: Value): Value {
    return this.widthOf(a) === width ? a : this.emit(IR.trunc, width, 0, a, -1, -1);
  }
  /** Bits [from, from + width). */
  extract(width: number, a: Value, from: number): Value {
    if (from === 0) return this.trunc(width, a);
    assert(from + width <= this.widthOf(a), 'extract inside the value');
    return this.emit(IR.extract, width, from, a, -1, -1);
  }
  /** `a` with the bits from `from` on replaced by `b`. */
  insert(a: Value, b: Value, from: number): Value {
    assert(from + this.widthOf(b) <= this.widthOf(a), 'insert inside the value');
    return this.emit(IR.insert, this.widthOf(a), from, a, b, -1);
  }
  concat(high: Value, low: Value): Value {
    assert(this.widthOf(high) === this.widthOf(low), 'concat of equal halves');
    return this.emit(IR.concat, 2 * this.widthOf(low), 0, high, low, -1);
  }

  // flags

  flags(kind: FlagKind, a: Value, b = -1, c = -1): void {
    this.emit(IR.flags, this.widthOf(a), FLAG_KINDS.indexOf(kind), a, b, c);
  }
  /** Condition code 0..15 as in Jcc. */
  cond(code: number): Value {
    return this.emit(IR.cond, 1, 0, code, -1, -1);
  }
  getf(flag: Flag): Value {
    return this.emit(IR.getf, 1, 0, FLAGS.indexOf(flag), -1, -1);
  }
  setf(flag: Flag, value: Value): void {
    assert(this.widthOf(value) === 1, 'a flag is 1 bit');
    this.emit(IR.setf, 1, 0, FLAGS.indexOf(flag), value, -1);
  }
  rflags(): Value {
    return this.emit(IR.rflags, 64, 0, -1, -1, -1);
  }
  setrflags(how: 'popf' | 'sahf' | 'comis', value: Value): void {
    this.emit(IR.setrflags, 64, how === 'popf' ? 0 : how === 'sahf' ? 1 : 2, value, -1, -1);
  }

  // the rest

  /** A helper by name; see HELPERS. The result has `width` bits. */
  call(width: number, name: string, a = -1, b = -1, c = -1): Value {
    const index = helperIndex(name);
    const effect = HELPERS[index].effect;
    if (effect !== 'pure') this.known[MXCSR] = -1;
    if (effect === 'vector' || effect === 'memory') this.known.fill(-1, FIRST_XMM);
    return this.emit(IR.call, width, index, a, b, c);
  }

  /** Floating-point and vector operations as they are: op, width, aux, operands (value or immediate, see IR_OPS). Operations on floats may change MXCSR. */
  operation(op: number, width: number, aux: number, a: Value, b = -1, c = -1): Value {
    assert(YIELDS[op], `${IR_OPS[op][0]} yields a value`);
    this.known[MXCSR] = -1;
    return this.emit(op, width, aux, a, b, c);
  }

  // terminators

  private terminate(op: number, width: number, aux: number, a: number, b = -1, c = -1): void {
    assert(!this.terminated, 'a block has one terminator');
    this.terminated = true;
    this.emit(op, width, aux, a, b, c);
  }

  jump(kind: JumpKind, address: Value): void {
    this.terminate(IR.jump, 64, JUMP_KINDS.indexOf(kind), address);
  }
  branch(condition: Value, then: Value, otherwise: Value): void {
    this.terminate(IR.branch, 64, 0, condition, then, otherwise);
  }
  syscall(next: Value): void {
    this.terminate(IR.syscall, 64, 0, next);
  }
  trap(trap: Trap): void {
    this.terminate(IR.trap, 0, 0, TRAPS.indexOf(trap));
  }
  unsupported(): void {
    this.terminate(IR.unsupported, 0, 0, -1);
  }
}
