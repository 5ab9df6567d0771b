// DWARF expressions as unwind tables use them (DWARF 5 section 2.5): a stack machine over registers and memory.
// Location lists, pieces and typed operations do not occur there and are refused.
import { ByteReader, InputError } from '../bytes/index.ts';

export interface ExpressionContext {
  /** Value of a DWARF register; undefined where it is not known. */
  register(number: number): bigint | undefined;
  /** Little-endian value in memory; undefined where it can't be read. */
  load(address: bigint, bytes: number): bigint | undefined;
}

const STEP_LIMIT = 1000;

/** The value on top of the stack at the end; undefined where a register or memory is unknown. `initial` is pushed first. */
export function evaluateExpression(
  code: Uint8Array,
  context: ExpressionContext,
  initial: bigint | undefined,
): bigint | undefined {
  const r = new ByteReader(code, 'unwind expression');
  const stack: bigint[] = initial === undefined ? [] : [initial];
  for (let steps = 0; r.remaining > 0; steps++) {
    if (steps > STEP_LIMIT || stack.length > STEP_LIMIT) throw new InputError('runs too long', r.name);
    const value = step({ r, stack, context });
    if (value === undefined) return undefined;
    if (value !== 'none') stack.push(BigInt.asUintN(64, value));
  }
  return stack.at(-1);
}

function pop(stack: bigint[]): bigint {
  const value = stack.pop();
  if (value === undefined) throw new InputError('takes from an empty stack', 'unwind expression');
  return value;
}

function leb(r: ByteReader, signed: boolean): bigint {
  let value = 0n;
  for (let shift = 0n; shift <= 63n; shift += 7n) {
    const byte = r.u8();
    value |= BigInt(byte & 0x7f) << shift;
    if ((byte & 0x80) === 0) return signed && (byte & 0x40) !== 0 ? value - (1n << (shift + 7n)) : value;
  }
  throw new InputError('number runs too long', r.name);
}

const signed64 = (value: bigint): bigint => BigInt.asIntN(64, value);

const BINARY: Readonly<Record<number, (a: bigint, b: bigint) => bigint>> = {
  26: (a, b) => a & b,
  27: (a, b) => (b === 0n ? 0n : signed64(a) / signed64(b)),
  28: (a, b) => a - b,
  29: (a, b) => (b === 0n ? 0n : a % b),
  30: (a, b) => a * b,
  33: (a, b) => a | b,
  34: (a, b) => a + b,
  36: (a, b) => (b > 63n ? 0n : a << b),
  37: (a, b) => (b > 63n ? 0n : a >> b),
  38: (a, b) => signed64(a) >> (b > 63n ? 63n : b),
  39: (a, b) => a ^ b,
  41: (a, b) => BigInt(signed64(a) === signed64(b)),
  42: (a, b) => BigInt(signed64(a) >= signed64(b)),
  43: (a, b) => BigInt(signed64(a) > signed64(b)),
  44: (a, b) => BigInt(signed64(a) <= signed64(b)),
  45: (a, b) => BigInt(signed64(a) < signed64(b)),
  46: (a, b) => BigInt(signed64(a) !== signed64(b)),
};

type Answer = bigint | 'none' | undefined;

/** Evaluation in progress. */
interface Evaluation {
  readonly r: ByteReader;
  readonly stack: bigint[];
  readonly context: ExpressionContext;
}

/** One operation: the value to push, 'none', or undefined where something is unknown. */
function step(evaluation: Evaluation): Answer {
  const { r, stack } = evaluation;
  const op = r.u8();
  const binary = BINARY[op];
  if (binary !== undefined) {
    const b = pop(stack);
    return binary(pop(stack), b);
  }
  if (op >= 48 && op <= 79) return BigInt(op - 48); // lit0..31
  if (op >= 112 && op <= 143) return based(evaluation, op - 112); // breg0..31
  const operation = OPERATIONS[op];
  if (operation === undefined) throw new InputError(`unknown operation ${op}`, r.name);
  return operation(evaluation);
}

/** A register plus a signed offset. */
function based({ r, context }: Evaluation, register: number): Answer {
  const offset = leb(r, true);
  const base = context.register(register);
  return base === undefined ? undefined : base + offset;
}

function dup(stack: bigint[]): bigint {
  const top = pop(stack);
  stack.push(top);
  return top;
}

function drop(stack: bigint[]): 'none' {
  pop(stack);
  return 'none';
}

function swap(stack: bigint[]): bigint {
  const b = pop(stack);
  const a = pop(stack);
  stack.push(b);
  return a;
}

function absolute(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function branch({ r, stack }: Evaluation, always: boolean): 'none' {
  const distance = (r.u16() << 16) >> 16;
  if (always || pop(stack) !== 0n) jump(r, distance);
  return 'none';
}

/** The value at a depth of the stack. */
function pick(stack: readonly bigint[], depth: number): bigint {
  return stack.at(-1 - depth) ?? pop([]);
}

const OPERATIONS: Readonly<Record<number, (evaluation: Evaluation) => Answer>> = {
  3: ({ r }) => r.u64(), // addr
  6: ({ stack, context }) => context.load(pop(stack), 8), // deref
  8: ({ r }) => BigInt(r.u8()), // const1u ... consts
  9: ({ r }) => BigInt((r.u8() << 24) >> 24),
  10: ({ r }) => BigInt(r.u16()),
  11: ({ r }) => BigInt((r.u16() << 16) >> 16),
  12: ({ r }) => BigInt(r.u32()),
  13: ({ r }) => BigInt(r.i32()),
  14: ({ r }) => r.u64(),
  15: ({ r }) => r.i64(),
  16: ({ r }) => leb(r, false),
  17: ({ r }) => leb(r, true),
  18: ({ stack }) => dup(stack),
  19: ({ stack }) => drop(stack),
  20: ({ stack }) => pick(stack, 1), // over
  21: ({ r, stack }) => pick(stack, r.u8()),
  22: ({ stack }) => swap(stack),
  25: ({ stack }) => absolute(signed64(pop(stack))),
  31: ({ stack }) => -pop(stack),
  32: ({ stack }) => ~pop(stack),
  35: ({ r, stack }) => pop(stack) + leb(r, false), // plus_uconst
  40: (evaluation) => branch(evaluation, false),
  47: (evaluation) => branch(evaluation, true),
  146: (evaluation) => based(evaluation, Number(leb(evaluation.r, false))), // bregx
  148: ({ r, stack, context }) => context.load(pop(stack), r.u8()), // deref_size
  150: () => 'none', // nop
};

function jump(r: ByteReader, distance: number): void {
  const target = r.position + distance;
  if (target < 0 || target > r.bytes.length) throw new InputError('jumps out of the expression', r.name);
  r.position = target;
}
