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
    const value = step(r, stack, context);
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

/** One operation: the value to push, 'none', or undefined where something is unknown. */
function step(r: ByteReader, stack: bigint[], context: ExpressionContext): bigint | 'none' | undefined {
  const op = r.u8();
  const binary = BINARY[op];
  if (binary !== undefined) {
    const b = pop(stack);
    return binary(pop(stack), b);
  }
  if (op >= 48 && op <= 79) return BigInt(op - 48); // lit0..31
  if (op >= 112 && op <= 143) {
    const offset = leb(r, true); // breg0..31
    const base = context.register(op - 112);
    return base === undefined ? undefined : base + offset;
  }
  switch (op) {
    case 3: // addr
    case 14:
      return r.u64();
    case 6:
      return context.load(pop(stack), 8);
    case 8:
      return BigInt(r.u8());
    case 9:
      return BigInt((r.u8() << 24) >> 24);
    case 10:
      return BigInt(r.u16());
    case 11:
      return BigInt((r.u16() << 16) >> 16);
    case 12:
      return BigInt(r.u32());
    case 13:
      return BigInt(r.i32());
    case 15:
      return r.i64();
    case 16:
      return leb(r, false);
    case 17:
      return leb(r, true);
    case 18: {
      const top = pop(stack); // dup
      stack.push(top);
      return top;
    }
    case 19:
      pop(stack);
      return 'none';
    case 20:
      return stack.at(-2) ?? pop([]);
    case 21:
      return stack.at(-1 - r.u8()) ?? pop([]);
    case 22: {
      const b = pop(stack); // swap
      const a = pop(stack);
      stack.push(b);
      return a;
    }
    case 25: {
      const value = signed64(pop(stack)); // abs
      return value < 0n ? -value : value;
    }
    case 31:
      return -pop(stack);
    case 32:
      return ~pop(stack);
    case 35:
      return pop(stack) + leb(r, false); // plus_uconst
    case 40:
    case 47: {
      const distance = (r.u16() << 16) >> 16; // bra, skip
      if (op === 47 || pop(stack) !== 0n) jump(r, distance);
      return 'none';
    }
    case 146: {
      const base = context.register(Number(leb(r, false))); // bregx
      const offset = leb(r, true);
      return base === undefined ? undefined : base + offset;
    }
    case 148:
      return context.load(pop(stack), r.u8()); // deref_size
    case 150:
      return 'none';
    default:
      throw new InputError(`unknown operation ${op}`, r.name);
  }
}

function jump(r: ByteReader, distance: number): void {
  const target = r.position + distance;
  if (target < 0 || target > r.bytes.length) throw new InputError('jumps out of the expression', r.name);
  r.position = target;
}
