// How VEX instructions reach their operands. Most of them mean what the SSE instruction of the same name means, once or
// on each 128-bit half, with a destination of its own; so the SSE functions run here on a context whose operands are
// one half of the VEX ones, and what they write becomes a half of the destination. Memory need not be aligned. Whatever
// does not fill a YMM register clears the rest of it.
import type { Value } from '../builder.ts';
import { XMM0, YMMH0 } from '../ir.ts';
import { LiftContext, type LiftFunction } from './context.ts';
import { zero128 } from './sse-operand.ts';

/** Half 0 or 1 of a vector register. */
export const half = (cx: LiftContext, number: number, which: number): Value =>
  cx.b.get((which === 0 ? XMM0 : YMMH0) + number);

/** Writes register operand 0: its low half, and the high one or zeros. */
export function setVector(cx: LiftContext, low: Value, high: Value = zero128(cx)): void {
  const { number } = cx.insn.registers[0];
  cx.b.set(XMM0 + number, low);
  cx.b.set(YMMH0 + number, high);
}

/** Operand i is 256 bits wide, register or memory. */
export const isWide = (cx: LiftContext, i = 0): boolean =>
  cx.isRegister(i) ? cx.insn.registers[i].class === 'ymm' : cx.isMemory(i) && cx.insn.memoryWidth === 256;

/** Address of the memory operand plus some bytes. */
export const addressPlus = (cx: LiftContext, bytes: number): Value =>
  bytes === 0 ? cx.address() : cx.b.add(cx.address(), cx.b.const(64, bytes));

/** Both halves of operand i; of an XMM register or 128 bits of memory only the first. */
export function halves(cx: LiftContext, i: number): Value[] {
  const count = isWide(cx, i) ? 2 : 1;
  return Array.from({ length: count }, (_, which) =>
    cx.isMemory(i) ? cx.b.load(128, addressPlus(cx, 16 * which)) : half(cx, cx.registerNumber(i), which),
  );
}

/**
 * Stores halves; a fault in the second one comes before the first is stored.
 */
export function storeHalves(cx: LiftContext, values: readonly Value[]): void {
  if (values.length > 1) for (const i of values.keys()) cx.b.loadForUpdate(128, addressPlus(cx, 16 * i));
  for (const [i, value] of values.entries()) cx.b.store(addressPlus(cx, 16 * i), value);
}

/** How an SSE function's operands are found among those of the VEX form. */
export interface Shape {
  /** VEX operand that SSE operand i is read from; the destination is VEX operand 0 always. */
  readonly operands: readonly number[];
  /** Bits of the immediate that belong to the low half, where each half has its own. */
  readonly immediateStep?: number;
  /** The second source has 128 bits that serve both halves (shift counts). */
  readonly shared?: boolean;
  /** 256-bit forms are AVX2's. */
  readonly wideIsAvx2?: boolean;
}

/** Destination and first source are different operands. */
export const THREE: Shape = { operands: [1, 2, 3] };
/** The destination is not read. */
export const TWO: Shape = { operands: [0, 1, 2] };

/** What an SSE function sees of a VEX instruction. */
export class HalfContext extends LiftContext {
  readonly wide: boolean;
  /** What was written to the destination; -1 nothing, or it is no vector register. */
  result: Value = -1;
  private readonly outer: LiftContext;
  private readonly shape: Shape;
  private readonly which: number;
  private readonly loaded: Value;

  constructor(outer: LiftContext, shape: Shape, wide: boolean, which: number, loaded: Value) {
    super(outer.b, outer.features);
    this.insn = outer.insn;
    this.outer = outer;
    this.shape = shape;
    this.wide = wide;
    this.which = which;
    this.loaded = loaded;
  }

  private place(i: number): number {
    return this.shape.operands[i];
  }

  override isMemory(i: number): boolean {
    return this.outer.isMemory(this.place(i));
  }

  override isRegister(i: number): boolean {
    return this.outer.isRegister(this.place(i));
  }

  override isImmediate(i: number): boolean {
    return this.outer.isImmediate(this.place(i));
  }

  override widthOf(i: number): number {
    return Math.min(128, this.outer.widthOf(this.place(i)));
  }

  override registerNumber(i: number): number {
    return this.outer.registerNumber(this.place(i));
  }

  override get immediate(): number {
    const { immediateStep = 0 } = this.shape;
    return this.outer.immediate >> (this.which * immediateStep);
  }

  override address(): Value {
    return this.outer.address();
  }

  override read(i: number, width = this.widthOf(i)): Value {
    const at = this.place(i);
    if (this.outer.isMemory(at)) return this.loaded >= 0 ? this.loaded : this.b.load(width, this.address());
    const register = this.insn.registers[at];
    if (!this.outer.isRegister(at) || (register.class !== 'xmm' && register.class !== 'ymm'))
      return this.outer.read(at, width);
    if (register.class === 'ymm') return this.b.trunc(width, half(this, register.number, this.which));
    // an XMM source of a 256-bit operation: the part that this half is made from
    const whole = half(this, register.number, 0);
    return width === 128 ? whole : this.b.extract(width, whole, this.which * width);
  }

  override readAligned(i: number, width = 128): Value {
    return this.read(i, width);
  }

  override write(i: number, value: Value): void {
    const { kinds, registers } = this.insn;
    if (kinds[0] === 'register' && (registers[0].class === 'xmm' || registers[0].class === 'ymm'))
      this.result = value;
    else this.outer.write(i, value);
  }
}

/** The VEX form of an SSE instruction. */
export const vex =
  (f: (cx: HalfContext) => void, shape: Shape): LiftFunction =>
  (cx) => {
    const wide = isWide(cx);
    if (wide && shape.wideIsAvx2 === true && !cx.features.has('avx2')) return cx.b.unsupported();
    const memory = cx.insn.kinds.indexOf('memory');
    // all of memory before anything that has an effect
    const loads = [-1, -1];
    if (wide && memory > 0) {
      const bits = shape.shared === true ? 128 : cx.insn.memoryWidth / 2;
      loads[0] = cx.b.load(bits, cx.address());
      loads[1] = shape.shared === true ? loads[0] : cx.b.load(bits, addressPlus(cx, bits / 8));
    }
    const results = (wide ? [0, 1] : [0]).map((which) => {
      const context = new HalfContext(cx, shape, wide, which, loads[which]);
      f(context);
      return context.result;
    });
    if (results[0] >= 0) setVector(cx, results[0], results[1]);
  };
