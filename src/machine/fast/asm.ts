// Appends instructions to a function body: labels in place of nesting depths, locals handed out by type.
import { V, W } from './opcodes.ts';
import { CodeWriter, T, type ValueType, VOID } from './wasm-code.ts';

/** Nesting level of a block, loop or if; what a branch goes to. */
export type Label = number;

/** Offset of a number in the body; what it is: base `kind`, plus `addend`. */
export interface Patch {
  readonly at: number;
  readonly kind: number;
  readonly addend: number;
}

export class Asm {
  readonly out: CodeWriter;
  /** Types of the locals after the parameters. */
  readonly locals: ValueType[] = [];
  /** Where conditional branches are that hardly ever are taken: offsets of their opcodes. */
  readonly unlikely: number[] = [];
  /** Numbers in the code that are of this run only, in five bytes each. */
  readonly patches: Patch[] = [];
  /** Places in linear memory that another run gives other addresses. */
  movable: readonly { readonly kind: number; readonly from: number; readonly to: number }[] = [];
  private readonly parameters: number;
  private depth = 0;

  constructor(parameters: number, capacity = 4096) {
    this.out = new CodeWriter(capacity);
    this.parameters = parameters;
  }

  body(): Uint8Array {
    return this.out.finish();
  }

  local(type: ValueType): number {
    this.locals.push(type);
    return this.parameters + this.locals.length - 1;
  }

  // structure

  block(type: number = VOID): Label {
    return this.open(W.block, type);
  }
  loop(type: number = VOID): Label {
    return this.open(W.loop, type);
  }
  if(type: number = VOID): Label {
    return this.open(W.if, type);
  }
  /** An `if` whose condition hardly ever holds: what it has is laid out of the way, and values are not kept for it. */
  ifRarely(type: number = VOID): Label {
    this.unlikely.push(this.out.length);
    return this.open(W.if, type);
  }
  private open(opcode: number, type: number): Label {
    this.out.byte(opcode);
    this.out.byte(type);
    return ++this.depth;
  }
  else(): void {
    this.out.byte(W.else);
  }
  end(): void {
    this.depth--;
    this.out.byte(W.end);
  }
  br(label: Label): void {
    this.out.byte(W.br);
    this.out.u32(this.depth - label);
  }
  brIf(label: Label): void {
    this.out.byte(W.br_if);
    this.out.u32(this.depth - label);
  }
  /** Branches by the number on the stack; the last label is the default. */
  brTable(labels: readonly Label[]): void {
    this.out.byte(W.br_table);
    this.out.u32(labels.length - 1);
    for (const label of labels) this.out.u32(this.depth - label);
  }

  // instructions

  op(...opcodes: readonly number[]): void {
    for (const opcode of opcodes) this.out.byte(opcode);
  }
  /** A 128-bit operation. */
  v(opcode: number): void {
    this.out.byte(0xfd);
    this.out.u32(opcode);
  }
  lane(opcode: number, lane: number): void {
    this.v(opcode);
    this.out.byte(lane);
  }
  shuffle(lanes: readonly number[]): void {
    this.v(V.i8x16_shuffle);
    this.out.raw(lanes);
  }
  i32(value: number): void {
    this.out.byte(W.i32_const);
    this.out.s32(value);
  }
  i64(low: number, high = low < 0 ? -1 : 0): void {
    this.out.byte(W.i64_const);
    this.out.s64(low, high);
  }
  zero128(): void {
    this.v(V.const);
    this.out.raw(new Uint8Array(16));
  }
  get(local: number): void {
    this.out.byte(W.local_get);
    this.out.u32(local);
  }
  set(local: number): void {
    this.out.byte(W.local_set);
    this.out.u32(local);
  }
  tee(local: number): void {
    this.out.byte(W.local_tee);
    this.out.u32(local);
  }
  call(index: number): void {
    this.out.byte(W.call);
    this.out.u32(index);
  }
  callIndirect(type: number): void {
    this.out.byte(W.call_indirect);
    this.out.u32(type);
    this.out.byte(0);
  }
  /** A load or store with the opcode, at the address on the stack plus `offset`. */
  mem(opcode: number, offset = 0): void {
    this.out.byte(opcode);
    this.out.u32(0);
    const place = this.movable.find(({ from, to }) => offset >= from && offset < to);
    if (place === undefined) this.out.u32(offset);
    else this.fixed(place.kind, offset, place.from);
  }
  private fixed(kind: number, value: number, base: number): void {
    this.patches.push({ at: this.out.length, kind, addend: value - base });
    this.out.fixed32(value);
  }
  /** A number below 2^31 that is of this run only: base `kind`. */
  i32Of(kind: number, value: number): void {
    this.out.byte(W.i32_const);
    this.fixed(kind, value, value);
  }
  vmem(opcode: number, offset = 0): void {
    this.v(opcode);
    this.out.u32(0);
    this.out.u32(offset);
  }

  // values by width in bits

  /** Loads a value of `width` bits in its canonical type. */
  load(width: number, offset = 0): void {
    if (width === 128) this.vmem(V.load, offset);
    else
      this.mem(
        width === 64 ? W.i64_load : width === 32 ? W.i32_load : width === 16 ? W.i32_load16_u : W.i32_load8_u,
        offset,
      );
  }
  /** Stores exactly `width` bits. */
  store(width: number, offset = 0): void {
    if (width === 128) this.vmem(V.store, offset);
    else
      this.mem(
        width === 64 ? W.i64_store : width === 32 ? W.i32_store : width === 16 ? W.i32_store16 : W.i32_store8,
        offset,
      );
  }
}

/** How a value of so many bits is held: up to 32 bits zero-extended in an i32. */
export function typeOf(width: number): ValueType {
  return width === 128 ? T.v128 : width === 64 ? T.i64 : T.i32;
}
