// How the status flags follow from operands: the meaning of the IR's `flags` (Intel SDM volume 1, 3.4.3). What the
// manual leaves undefined is what the plain formula gives.
import { FLAG_KINDS } from '../isa/index.ts';

const CF = 1;
const PF = 4;
const AF = 16;
const ZF = 64;
const SF = 128;
const OF = 2048;
/** The six status flags. */
export const STATUS = CF | PF | AF | ZF | SF | OF;
/** What POPF may change in user mode: status, TF, DF, NT, AC, ID. */
export const POPF = STATUS | 0x100 | 0x400 | 0x4000 | 0x40000 | 0x200000;

const EVEN = Uint8Array.from({ length: 256 }, (_, i) => {
  let bits = i;
  for (let shift = 4; shift > 0; shift >>= 1) bits ^= bits >> shift;
  return (bits & 1) === 0 ? PF : 0;
});

/** SF, ZF and PF of a result. */
function ofResult(width: number, result: bigint): number {
  const sign = Number(result >> BigInt(width - 1)) * SF;
  return EVEN[Number(result & 0xffn)] | (result === 0n ? ZF : 0) | sign;
}

const bit = (value: bigint, position: number): number => Number((value >> BigInt(position)) & 1n);

type FlagFunction = (width: number, a: bigint, b: bigint, c: bigint, before: number) => number;

/** a + b + carry. */
const sum =
  (carries: boolean): FlagFunction =>
  (width, a, b, c) => {
    const full = a + b + (carries ? c : 0n);
    const result = BigInt.asUintN(width, full);
    const overflow = Number(((a ^ result) & (b ^ result)) >> BigInt(width - 1)) * OF;
    return ofResult(width, result) | (full !== result ? CF : 0) | overflow | Number((a ^ b ^ result) & 16n);
  };

/** a - b - borrow. */
const difference =
  (borrows: boolean): FlagFunction =>
  (width, a, b, c) => {
    const full = a - b - (borrows ? c : 0n);
    const result = BigInt.asUintN(width, full);
    const overflow = Number(((a ^ b) & (a ^ result)) >> BigInt(width - 1)) * OF;
    return ofResult(width, result) | (full < 0n ? CF : 0) | overflow | Number((a ^ b ^ result) & 16n);
  };

const add = sum(false);
const sub = difference(false);

/** The count is masked already; 0 changes nothing. */
const shifted =
  (
    result: (width: number, a: bigint, count: bigint, c: bigint) => bigint,
    carry: (width: number, a: bigint, count: number) => number,
    overflow: (width: number, a: bigint, r: bigint, carry: number) => number,
  ): FlagFunction =>
  (width, a, b, c, before) => {
    if (b === 0n) return before & STATUS;
    const r = BigInt.asUintN(width, result(width, a, b, c));
    const cf = carry(width, a, Number(b));
    return ofResult(width, r) | cf | (overflow(width, a, r, cf) * OF);
  };

const leftCarry = (width: number, a: bigint, count: number): number =>
  count <= width ? bit(a, width - count) : 0;
const rightCarry = (_width: number, a: bigint, count: number): number => bit(a, count - 1);
const topXorCarry = (width: number, _a: bigint, r: bigint, carry: number): number =>
  bit(r, width - 1) ^ carry;
const signChange = (width: number, a: bigint, r: bigint): number => bit(a ^ r, width - 1);
const signed = (width: number, a: bigint): bigint => BigInt.asIntN(width, a);

const FUNCTIONS: Readonly<Record<(typeof FLAG_KINDS)[number], FlagFunction>> = {
  add,
  adc: sum(true),
  sub,
  sbb: difference(true),
  logic: (width, a) => ofResult(width, a),
  inc: (width, a, _b, c) => (add(width, a, 1n, 0n, 0) & ~CF) | Number(c),
  dec: (width, a, _b, c) => (sub(width, a, 1n, 0n, 0) & ~CF) | Number(c),
  shl: shifted((_w, a, n) => a << n, leftCarry, topXorCarry),
  shr: shifted(
    (_w, a, n) => a >> n,
    rightCarry,
    (width, a) => bit(a, width - 1),
  ),
  sar: shifted(
    (w, a, n) => signed(w, a) >> n,
    (w, a, n) => bit(signed(w, a), n - 1),
    () => 0,
  ),
  umul: (width, a, b) => ofResult(width, a) | (b !== 0n ? CF | OF : 0),
  smul: (width, a, b) =>
    ofResult(width, a) | (BigInt.asIntN(width, b) !== BigInt.asIntN(width, a) >> BigInt(width) ? CF | OF : 0),
  shld: shifted((w, a, n, c) => (a << n) | (n <= w ? c >> (BigInt(w) - n) : 0n), leftCarry, signChange),
  shrd: shifted((w, a, n, c) => (a >> n) | (n <= w ? c << (BigInt(w) - n) : 0n), rightCarry, signChange),
};

/** By index in FLAG_KINDS: the new status flags, given the old. Operands are unsigned and of the width. */
export const FLAG_FUNCTIONS: readonly FlagFunction[] = FLAG_KINDS.map((kind) => FUNCTIONS[kind]);

/** Condition code 0..15 as in Jcc, on RFLAGS. */
export function condition(code: number, flags: number): boolean {
  const holds = conditionPair(code >> 1, flags);
  return (code & 1) === 0 ? holds : !holds;
}

function conditionPair(pair: number, flags: number): boolean {
  const less = ((flags & SF) !== 0) !== ((flags & OF) !== 0);
  switch (pair) {
    case 0:
      return (flags & OF) !== 0;
    case 1:
      return (flags & CF) !== 0;
    case 2:
      return (flags & ZF) !== 0;
    case 3:
      return (flags & (CF | ZF)) !== 0;
    case 4:
      return (flags & SF) !== 0;
    case 5:
      return (flags & PF) !== 0;
    case 6:
      return less;
    default:
      return less || (flags & ZF) !== 0;
  }
}
