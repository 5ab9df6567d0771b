// table: IR operations as WebAssembly. One definition for both tiers: the generated interpreter, whose operands are in
// linear memory, and translated regions, whose operands are locals. Values of up to 32 bits are i32, zero-extended;
// 64 bits i64; 128 bits v128. Operations without a row here, and those whose guard does not hold, run as the reference
// interpreter has them. Memory, registers, flags and control are the tiers' own.
import { IR } from '../../isa/index.ts';
import { ANY_OF_NOT, FOLDED } from './analysis.ts';
import type { Asm } from './asm.ts';
import { conversion, floating } from './emit-float.ts';
import { vector } from './emit-vector.ts';
import { V, W } from './opcodes.ts';
import { T, type ValueType } from './wasm-code.ts';

/** Static facts of an operation. */
export interface Shape {
  readonly op: number;
  readonly width: number;
  readonly aux: number;
  /** Widths of the value operands, 0 for others. */
  readonly wa: number;
  readonly wb: number;
  readonly wc: number;
  /** Word c where it is an immediate. */
  readonly immediate: number;
  /** Value of operand b where it is a constant below 2^31. */
  readonly constantB?: number | undefined;
}

/** Functions of the core that rows call. */
export type CoreFunction = 'mulhu' | 'mulhs' | 'exactSum' | 'exactProduct';

/** What a tier offers to the rows. */
export interface Emitter {
  readonly a: Asm;
  /** Pushes operand i (0, 1, 2). */
  operand(i: number): void;
  /** A local for a moment, by type and number. */
  temp(type: ValueType, i: number): number;
  /** Calls a function of the core by name. */
  core(name: CoreFunction): void;
  /** Pushes MXCSR. */
  mxcsr(): void;
}

export { shuffleLanes } from './emit-vector.ts';

type Row = (e: Emitter, s: Shape) => void;
export interface Native {
  /** Leaves an i32: not 0 where `value` may run. */
  readonly guard?: Row;
  /** Leaves the result on the stack. */
  readonly value: Row;
}

/** The rows for an operation, or undefined where only the reference has it. */
export function nativeFor(s: Shape): Native | undefined {
  if (s.op === IR.vec) return vector(s);
  const row = ROWS[s.op];
  return row?.(s);
}

function mask(a: Asm, width: number): void {
  if (width >= 32) return;
  a.i32(2 ** width - 1);
  a.op(W.i32_and);
}

/** Pushes operand i sign-extended within its type. */
function signedOperand(e: Emitter, i: number, width: number): void {
  e.operand(i);
  if (width === 8) e.a.op(W.i32_extend8_s);
  else if (width === 16) e.a.op(W.i32_extend16_s);
  else if (width === 1) {
    e.a.i32(0);
    e.a.op(W.i32_ne);
  }
}

const is64 = (s: Shape): boolean => s.width === 64;
const scalar = (s: Shape): boolean => s.width <= 64;

/** Both operands, then the opcode of the type, then cut to the width. */
const binary =
  (op32: number, op64: number, op128 = 0) =>
  (s: Shape): Native | undefined => {
    if (s.width === 128 && op128 === 0) return undefined;
    return {
      value: (e) => {
        e.operand(0);
        e.operand(1);
        if (s.width === 128) e.a.v(op128);
        else e.a.op(is64(s) ? op64 : op32);
        mask(e.a, op128 !== 0 ? 32 : s.width);
      },
    };
  };

const compare =
  (op32: number, op64: number, isSigned: boolean) =>
  (s: Shape): Native | undefined =>
    s.wa > 64
      ? undefined
      : {
          value: (e) => {
            for (const i of [0, 1]) {
              if (isSigned) signedOperand(e, i, s.wa);
              else e.operand(i);
            }
            e.a.op(s.wa === 64 ? op64 : op32);
          },
        };

/** Compares operand 0 with 0; the width is the operand's. */
const withZero =
  (op32: number, op64: number) =>
  (s: Shape): Native => ({
    value: (e) => {
      signedOperand(e, 0, s.wa);
      if (s.wa === 64) e.a.i64(0);
      else e.a.i32(0);
      e.a.op(s.wa === 64 ? op64 : op32);
    },
  });

/** Shifts: a count of the width or more gives 0, or the sign. WebAssembly takes counts modulo 32 or 64. */
const shift =
  (op32: number, op64: number, arithmetic: boolean) =>
  (s: Shape): Native | undefined =>
    scalar(s)
      ? {
          value: (e) => {
            const { a } = e;
            const bits = is64(s) ? 64 : 32;
            if (arithmetic) signedOperand(e, 0, s.width);
            else e.operand(0);
            const safe = s.constantB !== undefined && s.constantB >= 0 && s.constantB < bits;
            if (arithmetic && !safe) {
              e.operand(1);
              if (bits === 64) a.i64(63);
              else a.i32(31);
              e.operand(1);
              if (bits === 64) a.i64(64);
              else a.i32(32);
              a.op(bits === 64 ? W.i64_lt_u : W.i32_lt_u);
              swapSelect(e, bits);
            } else e.operand(1);
            a.op(bits === 64 ? op64 : op32);
            mask(a, s.width);
            if (arithmetic || safe) return;
            if (bits === 64) a.i64(0);
            else a.i32(0);
            e.operand(1);
            if (bits === 64) a.i64(64);
            else a.i32(32);
            a.op(bits === 64 ? W.i64_lt_u : W.i32_lt_u, W.select);
          },
        }
      : undefined;

/** select of (x, y, condition): x where it holds. */
function swapSelect(e: Emitter, _bits: number): void {
  e.a.op(W.select);
}

const rotate =
  (op32: number, op64: number, left: boolean) =>
  (s: Shape): Native | undefined => {
    if (s.width >= 32) return binary(op32, op64)(s);
    return {
      value: (e) => {
        const { a } = e;
        const count = e.temp(T.i32, 0);
        e.operand(1);
        a.i32(s.width - 1);
        a.op(W.i32_and);
        a.set(count);
        e.operand(0);
        a.get(count);
        a.op(left ? W.i32_shl : W.i32_shr_u);
        e.operand(0);
        a.i32(s.width);
        a.get(count);
        a.op(W.i32_sub);
        a.op(left ? W.i32_shr_u : W.i32_shl, W.i32_or);
        mask(a, s.width);
      },
    };
  };

/** High half of a product. */
const high =
  (isSigned: boolean) =>
  (s: Shape): Native | undefined => {
    if (s.width > 64) return undefined;
    return {
      value: (e) => {
        const { a } = e;
        if (is64(s)) {
          e.operand(0);
          e.operand(1);
          e.core(isSigned ? 'mulhs' : 'mulhu');
          return;
        }
        for (const i of [0, 1]) {
          if (isSigned) signedOperand(e, i, s.width);
          else e.operand(i);
          a.op(isSigned ? W.i64_extend_i32_s : W.i64_extend_i32_u);
        }
        a.op(W.i64_mul);
        a.i64(s.width);
        a.op(W.i64_shr_u, W.i32_wrap_i64);
        mask(a, s.width);
      },
    };
  };

/** Division where the dividend has the divisor's width; the rest (and faults) is the reference's. */
const divide =
  (op32: number, op64: number, isSigned: boolean) =>
  (s: Shape): Native | undefined => {
    if (s.width < 32) return undefined;
    const wide = is64(s);
    return {
      guard: (e) => {
        const { a } = e;
        e.operand(0);
        if (isSigned) {
          e.operand(1);
          if (wide) a.i64(63);
          else a.i32(31);
          a.op(wide ? W.i64_shr_s : W.i32_shr_s, wide ? W.i64_eq : W.i32_eq);
          // divisors 0 and -1 are the ones that may not fit
          e.operand(2);
          if (wide) a.i64(1);
          else a.i32(1);
          a.op(wide ? W.i64_add : W.i32_add);
          if (wide) a.i64(1);
          else a.i32(1);
          a.op(wide ? W.i64_gt_u : W.i32_gt_u, W.i32_and);
        } else {
          a.op(wide ? W.i64_eqz : W.i32_eqz);
          e.operand(2);
          if (wide) a.i64(0);
          else a.i32(0);
          a.op(wide ? W.i64_ne : W.i32_ne, W.i32_and);
        }
      },
      value: (e) => {
        e.operand(1);
        e.operand(2);
        e.a.op(wide ? op64 : op32);
      },
    };
  };

const bytesReversed = (width: number): number[] =>
  Array.from({ length: 16 }, (_, i) => (i < width / 8 ? width / 8 - 1 - i : i));

/** Pushes a v128 whose low lane is operand i, the rest 0. */
function widen(e: Emitter, i: number, width: number): void {
  e.a.zero128();
  e.operand(i);
  if (width === 64) e.a.lane(V.i64x2_replace_lane, 0);
  else e.a.lane(V.i32x4_replace_lane, 0);
}

const EXTRACT: Readonly<Record<number, number>> = {
  64: V.i64x2_extract_lane,
  32: V.i32x4_extract_lane,
  16: V.i16x8_extract_lane_u,
  8: V.i8x16_extract_lane_u,
};
const REPLACE: Readonly<Record<number, number>> = {
  64: V.i64x2_replace_lane,
  32: V.i32x4_replace_lane,
  16: V.i16x8_replace_lane,
  8: V.i8x16_replace_lane,
};

/** Bits [from, from + width) of operand 0. */
function extract(s: Shape, from: number): Native | undefined {
  const { wa, width } = s;
  if (wa === 128) {
    if (width === 1) {
      return {
        value: (e) => {
          e.operand(0);
          e.a.lane(V.i32x4_extract_lane, from >> 5);
          e.a.i32(from & 31);
          e.a.op(W.i32_shr_u);
          mask(e.a, 1);
        },
      };
    }
    if (from % width !== 0) return undefined;
    return {
      value: (e) => {
        e.operand(0);
        e.a.lane(EXTRACT[width], from / width);
      },
    };
  }
  return {
    value: (e) => {
      const { a } = e;
      e.operand(0);
      if (from > 0) {
        if (wa === 64) a.i64(from);
        else a.i32(from);
        a.op(wa === 64 ? W.i64_shr_u : W.i32_shr_u);
      }
      if (wa === 64 && width < 64) a.op(W.i32_wrap_i64);
      if (width < wa) mask(a, width);
    },
  };
}

function insert(s: Shape): Native | undefined {
  const { width, wb, aux } = s;
  if (width === 128) {
    if (wb === 1 || aux % wb !== 0) return undefined;
    return {
      value: (e) => {
        e.operand(0);
        e.operand(1);
        e.a.lane(REPLACE[wb], aux / wb);
      },
    };
  }
  if (wb === width) return { value: (e) => e.operand(1) };
  return {
    value: (e) => {
      const { a } = e;
      e.operand(0);
      if (width === 64) {
        const hole = ((1n << BigInt(wb)) - 1n) << BigInt(aux);
        const keep = BigInt.asUintN(64, ~hole);
        a.i64(Number(keep & 0xffff_ffffn) | 0, Number(keep >> 32n) | 0);
        a.op(W.i64_and);
        e.operand(1);
        a.op(W.i64_extend_i32_u);
        if (aux > 0) {
          a.i64(aux);
          a.op(W.i64_shl);
        }
        a.op(W.i64_or);
      } else {
        a.i32(~((2 ** wb - 1) << aux));
        a.op(W.i32_and);
        e.operand(1);
        if (aux > 0) {
          a.i32(aux);
          a.op(W.i32_shl);
        }
        a.op(W.i32_or);
        mask(a, width);
      }
    },
  };
}

function concat(s: Shape): Native {
  const half = s.width / 2;
  return {
    value: (e) => {
      const { a } = e;
      if (half === 64) {
        e.operand(1);
        a.v(V.i64x2_splat);
        e.operand(0);
        a.lane(V.i64x2_replace_lane, 1);
        return;
      }
      e.operand(0);
      if (half === 32) {
        a.op(W.i64_extend_i32_u);
        a.i64(32);
        a.op(W.i64_shl);
        e.operand(1);
        a.op(W.i64_extend_i32_u, W.i64_or);
      } else {
        a.i32(half);
        a.op(W.i32_shl);
        e.operand(1);
        a.op(W.i32_or);
      }
    },
  };
}

function zext(s: Shape): Native {
  return {
    value: (e) => {
      if (s.width === 128 && s.wa < 128) return widen(e, 0, s.wa);
      e.operand(0);
      if (s.width === 64 && s.wa < 64) e.a.op(W.i64_extend_i32_u);
    },
  };
}

function sext(s: Shape): Native | undefined {
  if (s.width === 128) return undefined;
  return {
    value: (e) => {
      const { a } = e;
      e.operand(0);
      if (s.wa === 1) {
        a.op(W.i32_eqz);
        a.i32(1);
        a.op(W.i32_sub);
      } else if (s.wa === 8) a.op(W.i32_extend8_s);
      else if (s.wa === 16) a.op(W.i32_extend16_s);
      if (s.width === 64 && s.wa < 64) a.op(W.i64_extend_i32_s);
      else mask(a, s.width);
    },
  };
}

/** clz, ctz, popcnt. */
function count(kind: 'clz' | 'ctz' | 'popcnt', s: Shape): Native | undefined {
  if (s.width > 64) return undefined;
  return {
    value: (e) => {
      const { a } = e;
      e.operand(0);
      if (is64(s)) a.op(kind === 'clz' ? W.i64_clz : kind === 'ctz' ? W.i64_ctz : W.i64_popcnt);
      else {
        if (kind === 'ctz' && s.width < 32) {
          a.i32(2 ** s.width);
          a.op(W.i32_or);
        }
        a.op(kind === 'clz' ? W.i32_clz : kind === 'ctz' ? W.i32_ctz : W.i32_popcnt);
        if (kind === 'clz' && s.width < 32) {
          a.i32(32 - s.width);
          a.op(W.i32_sub);
        }
      }
    },
  };
}

const ROWS: Readonly<Record<number, (s: Shape) => Native | undefined>> = {
  [IR.add]: binary(W.i32_add, W.i64_add),
  [IR.sub]: binary(W.i32_sub, W.i64_sub),
  [IR.mul]: binary(W.i32_mul, W.i64_mul),
  [IR.mulhu]: high(false),
  [IR.mulhs]: high(true),
  [IR.and]: binary(W.i32_and, W.i64_and, V.and),
  [IR.or]: binary(W.i32_or, W.i64_or, V.or),
  [IR.xor]: binary(W.i32_xor, W.i64_xor, V.xor),
  [IR.not]: (s) => ({
    value: (e) => {
      e.operand(0);
      if (s.width === 128) e.a.v(V.not);
      else if (is64(s)) {
        e.a.i64(-1);
        e.a.op(W.i64_xor);
      } else {
        e.a.i32(-1);
        e.a.op(W.i32_xor);
        mask(e.a, s.width);
      }
    },
  }),
  [IR.neg]: (s) =>
    scalar(s)
      ? {
          value: (e) => {
            if (is64(s)) e.a.i64(0);
            else e.a.i32(0);
            e.operand(0);
            e.a.op(is64(s) ? W.i64_sub : W.i32_sub);
            mask(e.a, s.width);
          },
        }
      : undefined,
  [IR.shl]: shift(W.i32_shl, W.i64_shl, false),
  [IR.shr]: shift(W.i32_shr_u, W.i64_shr_u, false),
  [IR.sar]: shift(W.i32_shr_s, W.i64_shr_s, true),
  [IR.rotl]: rotate(W.i32_rotl, W.i64_rotl, true),
  [IR.rotr]: rotate(W.i32_rotr, W.i64_rotr, false),
  [IR.clz]: (s) => count('clz', s),
  [IR.ctz]: (s) => count('ctz', s),
  [IR.popcnt]: (s) => count('popcnt', s),
  [IR.bswap]: (s) => ({
    value: (e) => {
      const { a } = e;
      e.operand(0);
      a.v(is64(s) ? V.i64x2_splat : s.width === 32 ? V.i32x4_splat : V.i16x8_splat);
      a.zero128();
      a.shuffle(bytesReversed(s.width));
      a.lane(EXTRACT[s.width], 0);
    },
  }),
  [IR.divu]: divide(W.i32_div_u, W.i64_div_u, false),
  [IR.remu]: divide(W.i32_rem_u, W.i64_rem_u, false),
  [IR.divs]: divide(W.i32_div_s, W.i64_div_s, true),
  [IR.rems]: divide(W.i32_rem_s, W.i64_rem_s, true),
  [IR.eq]: compare(W.i32_eq, W.i64_eq, false),
  [IR.ne]: compare(W.i32_ne, W.i64_ne, false),
  [IR.ltu]: compare(W.i32_lt_u, W.i64_lt_u, false),
  [IR.leu]: compare(W.i32_le_u, W.i64_le_u, false),
  [IR.lts]: compare(W.i32_lt_s, W.i64_lt_s, true),
  [IR.les]: compare(W.i32_le_s, W.i64_le_s, true),
  [FOLDED.eqz]: withZero(W.i32_eq, W.i64_eq),
  [FOLDED.nez]: withZero(W.i32_ne, W.i64_ne),
  [FOLDED.ltz]: withZero(W.i32_lt_s, W.i64_lt_s),
  [FOLDED.gez]: withZero(W.i32_ge_s, W.i64_ge_s),
  [FOLDED.lez]: withZero(W.i32_le_s, W.i64_le_s),
  [FOLDED.gtz]: withZero(W.i32_gt_s, W.i64_gt_s),
  [FOLDED.anyOf]: (s) => ({
    value: (e) => {
      e.operand(0);
      if (s.wa === 64) e.a.op(W.i32_wrap_i64);
      e.a.i32(s.aux & (ANY_OF_NOT - 1));
      e.a.op(W.i32_and, W.i32_eqz);
      if ((s.aux & ANY_OF_NOT) === 0) e.a.op(W.i32_eqz);
    },
  }),
  [IR.select]: () => ({
    value: (e) => {
      e.operand(1);
      e.operand(2);
      e.operand(0);
      e.a.op(W.select);
    },
  }),
  [IR.zext]: zext,
  [IR.sext]: sext,
  [IR.trunc]: (s) => extract(s, 0),
  [IR.extract]: (s) => extract(s, s.aux),
  [IR.insert]: insert,
  [IR.concat]: concat,
  [IR.fadd]: floating,
  [IR.fsub]: floating,
  [IR.fmul]: floating,
  [IR.fdiv]: floating,
  [IR.fsqrt]: floating,
  [IR.fmin]: floating,
  [IR.fmax]: floating,
  [IR.fcmp]: floating,
  [IR.fcomi]: floating,
  [IR.fcvt]: conversion,
};
