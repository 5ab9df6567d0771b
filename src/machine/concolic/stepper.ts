// Runs blocks on witnesses, by the reference's handlers, and on shadows beside them. Where no operand has a shadow an
// operation costs one test more than in the reference.
import type { Expression, Expressions } from '../../expr/index.ts';
import { IR, IR_OPS, WORDS } from '../../isa/index.ts';
import { type Frame, HANDLERS, type PreparedBlock } from '../interpret.ts';
import { PAGE_SIZE, PROT } from '../memory.ts';
import { ENTRY } from '../page-table.ts';
import { ADDRESS_LIMIT, type PagedSpace } from '../space.ts';
import { SHADOW_STEPS } from './operations.ts';
import type { ByVariable, ConstraintKind, PathListener } from './path.ts';
import type { TaskShadow } from './task.ts';

/** Does an operation's part on shadows, and the reference's handler when it is time. */
export type ShadowStep = (c: Stepper, m: Frame, code: Int32Array, at: number, concrete: ConcreteStep) => void;
export type ConcreteStep = (m: Frame, code: Int32Array, at: number) => void;

/** Most places in which a load at a symbolic address may find its value. */
const MAX_TABLE = 4096;
/** Most places in which it may be whatever stands there: those of the first bit that is set in a word. */
const MAX_PLACES = 65;
/** Tables of more variables are of no use: an index of so many is a place in a text, mostly. */
const MAX_INDEX_VARIABLES = 2;

const concreteSteps: readonly ConcreteStep[] = IR_OPS.map((row) => HANDLERS[row[0]]);
const shadowSteps: readonly ShadowStep[] = IR_OPS.map((row) => SHADOW_STEPS[row[0]]);
const COMPARISONS: readonly boolean[] = IR_OPS.map((row) => row[2] === 'v1');

export class Stepper {
  private expressions!: Expressions;
  /** Of the block at hand, and of all blocks, in these expressions. */
  private constants: Int32Array = new Int32Array(0);
  private blockConstants = new WeakMap<PreparedBlock, Int32Array>();
  private readonly constantTables = new WeakMap<ByVariable, (ConstantTable | undefined)[]>();
  listener!: PathListener;
  /** Expression of each value of the block at hand, 0 none. */
  shadows = new Int32Array(256);
  task!: TaskShadow;
  /** Something with a shadow was used since this was last set to false. */
  active = false;

  get x(): Expressions {
    return this.expressions;
  }

  set x(expressions: Expressions) {
    if (expressions !== this.expressions) this.blockConstants = new WeakMap();
    this.expressions = expressions;
  }

  run(m: Frame, block: PreparedBlock): void {
    const { code } = block;
    this.constants = this.constantsOf(block);
    if (this.shadows.length < code.length / WORDS) this.shadows = new Int32Array(code.length / WORDS);
    m.constants = block.constants;
    m.leave = 'run';
    for (let at = 0; m.leave === 'run'; at += WORDS) {
      const op = code[at] & 0xff;
      shadowSteps[op](this, m, code, at, concreteSteps[op]);
    }
  }

  /** Expressions of the constants of a block, as far as they were needed; 0 none yet. */
  private constantsOf(block: PreparedBlock): Int32Array {
    let known = this.blockConstants.get(block);
    if (known === undefined) {
      known = new Int32Array(block.code.length / WORDS);
      this.blockConstants.set(block, known);
    }
    return known;
  }

  /** Value i as an expression, a constant where it has no shadow. */
  operand(m: Frame, code: Int32Array, i: number): Expression {
    const shadow = this.shadows[i];
    if (shadow !== 0) return shadow;
    const at = i * WORDS;
    if ((code[at] & 0xff) === IR.const) {
      const known = this.constants[i];
      if (known !== 0) return known;
      const made = this.x.constant((code[at] >>> 8) & 0xff, code[at + 1], code[at + 2]);
      this.constants[i] = made;
      return made;
    }
    return this.x.constantBig(widthOfValue(code, i), m.values[i]);
  }

  /** The value gets this expression; constants are no shadows. */
  yields(at: number, expression: Expression): void {
    this.shadows[at >> 2] = expression === 0 || this.x.isConstant(expression) ? 0 : expression;
    this.active = true;
  }

  /** The run goes on with the value that it has: what depends on it holds for this value only. */
  pin(m: Frame, kind: ConstraintKind, expression: Expression, value: bigint): void {
    this.active = true;
    this.listener.onConstraint({
      kind,
      expression,
      value,
      at: m.address,
      stack: Number(m.cpu.gpr[4]),
    });
  }

  loses(m: Frame, what: string): void {
    this.active = true;
    this.listener.onLoss(what, m.address);
  }

  // memory

  /** Expression of the bytes at an address that were just read; 0 none. */
  load(space: PagedSpace, address: number, size: number, value: bigint): Expression {
    const { shadows } = space.pool;
    if (shadows === undefined || shadows.empty) return 0;
    const inside = (address & 0xfff) + size <= 4096;
    if (inside && (space.table.entry(address) & ENTRY.READ) !== 0) return 0;
    const bytes = space.shadow(address, size);
    if (bytes === undefined) return 0;
    const { x } = this;
    const known = (i: number): Expression => x.constant(8, Number((value >> BigInt(8 * i)) & 0xffn));
    return x.fromBytes(Array.from(bytes, (e, i) => (e !== 0 ? e : known(i))));
  }

  /** The bytes at an address were just written with a value of this expression. */
  store(space: PagedSpace, address: number, size: number, expression: Expression): void {
    const { x } = this;
    const bytes = new Int32Array(size);
    for (let i = 0; i < size; i++) {
      const e = x.byte(expression, i);
      bytes[i] = x.isConstant(e) ? 0 : e;
    }
    space.setShadow(address, bytes);
  }

  /**
   * What a load at a symbolic address yields, as a table over all addresses that are possible; 0 where they are too
   * many, or not all readable, or themselves symbolic.
   */
  table(m: Frame, address: Expression, size: number): Expression {
    const { x } = this;
    if (size > 8) return 0;
    const single = this.listener.byVariable(address);
    if (single !== undefined) {
      const entries = this.constantValues(m.space, single, size);
      return entries === undefined ? 0 : x.table(single.variable, 8 * size, entries);
    }
    const { min, max } = x.range(address);
    const count = max - min + 1n;
    if (min + count + 8n > BigInt(ADDRESS_LIMIT)) return 0;
    if (x.variables(address).length > MAX_INDEX_VARIABLES) return 0;
    if (count <= BigInt(MAX_PLACES)) return this.anyOf(m.space, address, Number(min), Number(count), size);
    if (count > BigInt(MAX_TABLE)) return 0;
    const places = Array.from({ length: Number(count) }, (_, i) => min + BigInt(i));
    const entries = fixedValues(m.space, places, size);
    return entries === undefined ? 0 : x.table(x.sub(address, x.constantBig(64, min)), 8 * size, entries);
  }

  /** fixedValues of addresses by one variable; kept where nobody can write. */
  private constantValues(space: PagedSpace, single: ByVariable, size: number): readonly bigint[] | undefined {
    let bySize = this.constantTables.get(single);
    const known = bySize?.[size];
    if (known !== undefined && isConstant(space, known.pages, known.frames)) return known.entries;
    const entries = fixedValues(space, single.values, size);
    const pages = entries === undefined ? [] : pagesOf(single.values, size);
    const frames = pages.map((page) => constantFrame(space, page));
    if (entries === undefined || frames.includes(0)) return entries;
    bySize ??= [];
    bySize[size] = { pages, frames, entries };
    this.constantTables.set(single, bySize);
    return entries;
  }

  /** What stands at one of a few places, symbolic itself or not; as if others than those that can be read were not possible. */
  private anyOf(
    space: PagedSpace,
    address: Expression,
    start: number,
    count: number,
    size: number,
  ): Expression {
    const { x } = this;
    const entries = fixedValues(
      space,
      Array.from({ length: count }, (_, i) => BigInt(start + i)),
      size,
    );
    const places = (i: number): Expression => x.constantBig(64, BigInt(start + i));
    if (entries !== undefined) return x.table(x.sub(address, places(0)), 8 * size, entries);
    let out: Expression = 0;
    for (let i = 0; i < count; i++) {
      const at = start + i;
      if (!isReadable(space, at) || !isReadable(space, at + size - 1)) continue;
      const bytes = space.read(at, size);
      const shadow = space.shadow(at, size);
      const here = x.fromBytes(Array.from(bytes, (byte, k) => shadow?.[k] || x.constant(8, byte)));
      out = out === 0 ? here : x.select(x.eq(address, places(i)), here, out);
    }
    return out;
  }
}

/** Values that were read from these pages, which were these frames then. */
interface ConstantTable {
  readonly pages: readonly number[];
  readonly frames: readonly number[];
  readonly entries: readonly bigint[];
}

/** Pages that accesses of `size` bytes at these addresses touch. */
function pagesOf(addresses: readonly (bigint | undefined)[], size: number): number[] {
  const out = new Set<number>();
  for (const address of addresses) {
    if (address === undefined) continue;
    const at = Number(address);
    out.add(at - (at % PAGE_SIZE));
    out.add(at + size - 1 - ((at + size - 1) % PAGE_SIZE));
  }
  return [...out];
}

/** The frame of a page that can be read and not written; 0 where it is none. */
function constantFrame(space: PagedSpace, page: number): number {
  const prot = space.find(page)?.prot ?? PROT.NONE;
  return (prot & PROT.WRITE) === 0 && prot !== PROT.NONE ? space.table.entry(page) >>> 12 : 0;
}

const isConstant = (space: PagedSpace, pages: readonly number[], frames: readonly number[]): boolean =>
  pages.every((page, i) => constantFrame(space, page) === frames[i]);

/** Bytes between the first and the last of some addresses that are read in one go. */
const MAX_SPAN = 1 << 16;

/**
 * What is read at each of these addresses, 0 for those that are not possible; undefined where one can't be read, or is
 * symbolic itself.
 */
function fixedValues(
  space: PagedSpace,
  addresses: readonly (bigint | undefined)[],
  size: number,
): readonly bigint[] | undefined {
  let [low, high] = [ADDRESS_LIMIT, 0];
  for (const address of addresses) {
    if (address === undefined) continue;
    if (address >= BigInt(ADDRESS_LIMIT)) return undefined;
    low = Math.min(low, Number(address));
    high = Math.max(high, Number(address) + size);
  }
  if (high - low > MAX_SPAN || high <= low) return undefined;
  for (let at = low - (low % PAGE_SIZE); at < high; at += PAGE_SIZE)
    if (!isReadable(space, at)) return undefined;
  const shadow = space.shadow(low, high - low);
  const bytes = space.read(low, high - low);
  const out: bigint[] = [];
  for (const address of addresses) {
    const at = address === undefined ? -1 : Number(address) - low;
    if (at >= 0 && shadow?.subarray(at, at + size).some((e) => e !== 0)) return undefined;
    out.push(at < 0 ? 0n : littleEndian(bytes, at, size));
  }
  return out;
}

const isReadable = (space: PagedSpace, at: number): boolean =>
  (space.find(at)?.prot ?? PROT.NONE) !== PROT.NONE;

function littleEndian(bytes: Uint8Array, at: number, size: number): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i]);
  return value;
}

/** Bits of a value of the block. */
export function widthOfValue(code: Int32Array, value: number): number {
  const head = code[value * WORDS];
  return COMPARISONS[head & 0xff] ? 1 : (head >>> 8) & 0xff;
}
