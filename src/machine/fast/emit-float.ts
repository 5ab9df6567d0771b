// table: SSE floating point of the IR as WebAssembly, for operations that leave MXCSR as it is: rounding to nearest, all
// exceptions masked, no flushing of denormals, and no flag that is not set yet. A result that is not exact needs PE to
// be set already, or the operation is the reference's, once: the flag stays. NaNs, denormals, overflow, underflow and
// division by 0 are always the reference's. The other rows are in emit.ts.
import { FLOAT_CONVERSIONS, type FloatConversion, IR } from '../../isa/index.ts';
import type { Emitter, Native, Shape } from './emit.ts';
import { V, W } from './opcodes.ts';
import { T } from './wasm-code.ts';

type Lane = 32 | 64;
/** Which operations on the exact operands and result tell whether it was rounded (core-functions.ts). */
type Exact = 'sum' | 'difference' | 'product' | 'quotient' | 'root';
/** What can go wrong with the result: overflow; underflow, too. */
type Range = 'finite' | 'normal';

/** MXCSR but for the flags: what must be as at the start of a program. */
const CONTROL = 0xffc0;
const DEFAULT = 0x1f80;
const PE = 0x20;

const float = (lane: Lane) => (lane === 64 ? T.f64 : T.f32);
const integer = (lane: Lane) => (lane === 64 ? T.i64 : T.i32);

/** Pushes an integer of the lane's width, `high` being the upper 32 bits of 64. */
function constant(e: Emitter, lane: Lane, low: number, high: number): void {
  if (lane === 64) e.a.i64(low, high);
  else e.a.i32(high);
}

function one(e: Emitter, lane: Lane): void {
  constant(e, lane, 1, lane === 64 ? 0 : 1);
}

/** Pushes scalar operand i as a number. */
function number(e: Emitter, i: number, lane: Lane): void {
  e.operand(i);
  e.a.op(lane === 64 ? W.f64_reinterpret_i64 : W.f32_reinterpret_i32);
}

/** Makes the number on the stack an f64. */
function widened(e: Emitter, lane: Lane): void {
  if (lane === 32) e.a.op(W.f64_promote_f32);
}

/** Leaves an i32: the bits on the stack, without their sign, are 0 or at least those of the smallest normal number. */
function notDenormal(e: Emitter, lane: Lane): void {
  const { a } = e;
  one(e, lane);
  a.op(lane === 64 ? W.i64_shl : W.i32_shl);
  one(e, lane);
  a.op(lane === 64 ? W.i64_sub : W.i32_sub);
  if (lane === 64) a.i64(-1, 0x1f_ffff);
  else a.i32(0xff_ffff);
  a.op(lane === 64 ? W.i64_ge_u : W.i32_ge_u);
}

/** Leaves an i32: the bits on the stack are neither of an infinity nor of a NaN (and, `normal`, above the smallest normal). */
function inRange(e: Emitter, lane: Lane, range: Range): void {
  const { a } = e;
  one(e, lane);
  a.op(lane === 64 ? W.i64_shl : W.i32_shl);
  if (range === 'normal') {
    if (lane === 64) a.i64(1, 0x20_0000);
    else a.i32(0x100_0001);
    a.op(lane === 64 ? W.i64_sub : W.i32_sub);
    if (lane === 64) a.i64(-2, (0xffe0_0000 - 0x20_0000 - 1) | 0);
    else a.i32((0xff00_0000 - 0x100_0001) | 0);
  } else if (lane === 64) a.i64(0, 0xffe0_0000 | 0);
  else a.i32(0xff00_0000 | 0);
  a.op(lane === 64 ? W.i64_lt_u : W.i32_lt_u);
}

/** Leaves an i32: the bits on the stack are those of a zero. */
function isZero(e: Emitter, lane: Lane): void {
  one(e, lane);
  if (lane === 64) e.a.op(W.i64_shl, W.i64_eqz);
  else e.a.op(W.i32_shl, W.i32_eqz);
}

/** Leaves an i32: MXCSR is the default one, some flags aside. */
function plainControl(e: Emitter): void {
  e.mxcsr();
  e.a.i32(CONTROL);
  e.a.op(W.i32_and);
  e.a.i32(DEFAULT);
  e.a.op(W.i32_eq);
}

/** The same where PE is set, or where it is not and `exact` leaves that the result is. */
function control(e: Emitter, exact: (() => void) | undefined): void {
  const { a } = e;
  e.mxcsr();
  a.i32(CONTROL | PE);
  a.op(W.i32_and);
  a.i32(DEFAULT | PE);
  a.op(W.i32_eq);
  if (exact === undefined) return;
  a.if(T.i32);
  a.i32(1);
  a.else();
  plainControl(e);
  exact();
  a.op(W.i32_and);
  a.end();
}

/** Calls what tells whether a result is exact; `push` pushes an operand (0, 1) or the result (2) as f64. */
function callExact(e: Emitter, kind: Exact, push: (which: 0 | 1 | 2) => void): void {
  const order = {
    sum: [0, 1, 2],
    difference: [0, 1, 2],
    product: [0, 1, 2],
    quotient: [2, 1, 0],
    root: [2, 2, 0],
  };
  for (const [i, which] of order[kind].entries()) {
    push(which as 0 | 1 | 2);
    if (kind === 'difference' && i === 1) e.a.op(W.f64_neg);
  }
  e.core(kind === 'sum' || kind === 'difference' ? 'exactSum' : 'exactProduct');
}

interface Arithmetic {
  readonly exact: Exact;
  readonly range: Range;
  /** Opcodes: f32, f64, f32x4, f64x2. */
  readonly opcodes: readonly [number, number, number, number];
}

/** Rows of operations that round. */
const ARITHMETIC: Readonly<Record<number, Arithmetic>> = {
  [IR.fadd]: { exact: 'sum', range: 'finite', opcodes: [W.f32_add, W.f64_add, 228, 240] },
  [IR.fsub]: { exact: 'difference', range: 'finite', opcodes: [W.f32_sub, W.f64_sub, 229, 241] },
  [IR.fmul]: { exact: 'product', range: 'normal', opcodes: [W.f32_mul, W.f64_mul, 230, 242] },
  [IR.fdiv]: { exact: 'quotient', range: 'normal', opcodes: [W.f32_div, W.f64_div, 231, 243] },
  [IR.fsqrt]: { exact: 'root', range: 'finite', opcodes: [W.f32_sqrt, W.f64_sqrt, 227, 239] },
};

/** Rows of a floating point operation. */
export function floating(s: Shape): Native | undefined {
  const packed = s.width === 128;
  const lane = (packed ? s.aux : s.width) as Lane;
  const arithmetic = ARITHMETIC[s.op];
  if (arithmetic !== undefined)
    return packed ? packedArithmetic(lane, arithmetic) : scalarArithmetic(lane, arithmetic);
  if (s.op === IR.fcomi) return { guard: (e) => comparable(e, lane), value: (e) => relation(e, lane) };
  if (s.op === IR.fmin || s.op === IR.fmax)
    return packed ? packedExtreme(lane, s.op === IR.fmin) : scalarExtreme(lane, s.op === IR.fmin);
  if (s.op === IR.fcmp && s.immediate >= 0)
    return packed ? packedCompare(lane, s.immediate & 7) : scalarCompare(lane, s.immediate & 7);
  return undefined;
}

function scalarArithmetic(lane: Lane, { exact, range, opcodes }: Arithmetic): Native {
  const operands = exact === 'root' ? [0] : [0, 1];
  const result = (e: Emitter): number => e.temp(float(lane), 0);
  return {
    guard: (e) => {
      const { a } = e;
      for (const i of operands) number(e, i, lane);
      a.op(opcodes[lane === 64 ? 1 : 0]);
      a.tee(result(e));
      a.op(lane === 64 ? W.i64_reinterpret_f64 : W.i32_reinterpret_f32);
      if (range === 'finite') inRange(e, lane, range);
      else {
        const bits = e.temp(integer(lane), 1);
        a.tee(bits);
        inRange(e, lane, range);
        a.if(T.i32);
        a.i32(1);
        a.else();
        // 0 where an operand is: not an underflow
        a.get(bits);
        isZero(e, lane);
        e.operand(0);
        isZero(e, lane);
        if (exact === 'product') {
          e.operand(1);
          isZero(e, lane);
          a.op(W.i32_or);
        }
        a.op(W.i32_and);
        a.end();
      }
      for (const i of operands) {
        e.operand(i);
        notDenormal(e, lane);
        a.op(W.i32_and);
      }
      control(e, () =>
        callExact(e, exact, (which) => {
          if (which === 2) a.get(result(e));
          else number(e, which, lane);
          widened(e, lane);
        }),
      );
      a.op(W.i32_and);
    },
    value: (e) => {
      e.a.get(result(e));
      e.a.op(lane === 64 ? W.i64_reinterpret_f64 : W.i32_reinterpret_f32);
    },
  };
}

/** Leaves an i32: both scalars are numbers, none is denormal, and nothing is unusual in MXCSR. */
function comparable(e: Emitter, lane: Lane): void {
  const { a } = e;
  plainControl(e);
  for (const i of [0, 1]) {
    number(e, i, lane);
    number(e, i, lane);
    a.op(lane === 64 ? W.f64_eq : W.f32_eq, W.i32_and);
    e.operand(i);
    notDenormal(e, lane);
    a.op(W.i32_and);
  }
}

/** ZF and CF in their places. */
function relation(e: Emitter, lane: Lane): void {
  const { a } = e;
  number(e, 0, lane);
  number(e, 1, lane);
  a.op(lane === 64 ? W.f64_eq : W.f32_eq);
  a.i32(6);
  a.op(W.i32_shl);
  number(e, 0, lane);
  number(e, 1, lane);
  a.op(lane === 64 ? W.f64_lt : W.f32_lt, W.i32_or);
  if (lane === 64) a.op(W.i64_extend_i32_u);
}

/** The first operand where it is less (greater), else the second, also of two zeros. */
function scalarExtreme(lane: Lane, least: boolean): Native {
  return {
    guard: (e) => comparable(e, lane),
    value: (e) => {
      e.operand(0);
      e.operand(1);
      number(e, 0, lane);
      number(e, 1, lane);
      if (least) e.a.op(lane === 64 ? W.f64_lt : W.f32_lt);
      else e.a.op(lane === 64 ? W.f64_gt : W.f32_gt);
      e.a.op(W.select);
    },
  };
}

/** EQ LT LE UNORD NEQ NLT NLE ORD of numbers, as comparisons of WebAssembly: f32, f64, f32x4, f64x2. */
const PREDICATES: readonly (readonly [number, number, number, number] | boolean)[] = [
  [W.f32_eq, W.f64_eq, 65, 71],
  [W.f32_lt, W.f64_lt, 67, 73],
  [W.f32_le, W.f64_le, 69, 75],
  false,
  [W.f32_ne, W.f64_ne, 66, 72],
  [W.f32_ge, W.f64_ge, 70, 76],
  [W.f32_gt, W.f64_gt, 68, 74],
  true,
];

function scalarCompare(lane: Lane, predicate: number): Native {
  const opcodes = PREDICATES[predicate];
  return {
    guard: (e) => comparable(e, lane),
    value: (e) => {
      const { a } = e;
      if (typeof opcodes === 'boolean') {
        constant(e, lane, opcodes ? -1 : 0, opcodes ? -1 : 0);
        return;
      }
      constant(e, lane, 0, 0);
      number(e, 0, lane);
      number(e, 1, lane);
      a.op(opcodes[lane === 64 ? 1 : 0]);
      if (lane === 64) a.op(W.i64_extend_i32_u, W.i64_sub);
      else a.op(W.i32_sub);
    },
  };
}

// packed

/** Pushes a vector of the same bits in every lane. */
function splat(e: Emitter, lane: Lane, low: number, high: number): void {
  constant(e, lane, low, high);
  e.a.v(lane === 64 ? V.i64x2_splat : V.i32x4_splat);
}

const gtSigned = (lane: Lane): number => (lane === 64 ? 217 : 59);
const equalLanes = (lane: Lane): number => (lane === 64 ? 214 : 55);
const allTrue = (e: Emitter, lane: Lane): void => e.a.v(lane === 64 ? 195 : V.i32x4_all_true);

/** The upper words of the bits of infinity, and of the smallest normal number, by lane. */
const INFINITE = { 32: 0x7f80_0000, 64: 0x7ff0_0000 } as const;
const SMALLEST = { 32: 0x80_0000, 64: 0x10_0000 } as const;

/** Sets the local to the bits of the vector on the stack without signs. */
function magnitude(e: Emitter, lane: Lane, local: number): void {
  splat(e, lane, -1, 0x7fff_ffff);
  e.a.v(V.and);
  e.a.set(local);
}

/** Leaves lanes of ones where the local's magnitude is 0 or that of a normal number, infinity or NaN. */
function lanesNotDenormal(e: Emitter, lane: Lane, local: number): void {
  const { a } = e;
  a.get(local);
  splat(e, lane, -1, lane === 64 ? SMALLEST[64] - 1 : SMALLEST[32] - 1);
  a.v(gtSigned(lane));
  a.get(local);
  a.zero128();
  a.v(equalLanes(lane));
  a.v(V.or);
}

/** Leaves lanes of ones where the pushed vector has zeros. */
function zeroLanes(e: Emitter, lane: Lane, push: () => void): void {
  push();
  e.a.zero128();
  e.a.v(lane === 64 ? 71 : 65);
}

function packedArithmetic(lane: Lane, { exact, range, opcodes }: Arithmetic): Native {
  const operands = exact === 'root' ? [0] : [0, 1];
  const result = (e: Emitter): number => e.temp(T.v128, 0);
  return {
    guard: (e) => {
      const { a } = e;
      const bits = e.temp(T.v128, 1);
      for (const i of operands) e.operand(i);
      a.v(opcodes[lane === 64 ? 3 : 2]);
      a.tee(result(e));
      magnitude(e, lane, bits);
      splat(e, lane, 0, INFINITE[lane]);
      a.get(bits);
      a.v(gtSigned(lane));
      if (range === 'normal') {
        a.get(bits);
        splat(e, lane, 0, SMALLEST[lane]);
        a.v(gtSigned(lane));
        a.v(V.and);
        // 0 where an operand is: not an underflow
        zeroLanes(e, lane, () => a.get(result(e)));
        zeroLanes(e, lane, () => e.operand(0));
        if (exact === 'product') {
          zeroLanes(e, lane, () => e.operand(1));
          a.v(V.or);
        }
        a.v(V.and);
        a.v(V.or);
      }
      for (const i of operands) {
        e.operand(i);
        magnitude(e, lane, bits);
        lanesNotDenormal(e, lane, bits);
        a.v(V.and);
      }
      allTrue(e, lane);
      control(e, () => {
        for (let k = 0; k < 128 / lane; k++) {
          callExact(e, exact, (which) => {
            if (which === 2) a.get(result(e));
            else e.operand(which);
            a.lane(lane === 64 ? V.f64x2_extract_lane : V.f32x4_extract_lane, k);
            widened(e, lane);
          });
          if (k > 0) a.op(W.i32_and);
        }
      });
      a.op(W.i32_and);
    },
    value: (e) => e.a.get(result(e)),
  };
}

/** As `comparable`, for all lanes. */
function comparableLanes(e: Emitter, lane: Lane): void {
  const { a } = e;
  const bits = e.temp(T.v128, 1);
  for (const i of [0, 1]) {
    e.operand(i);
    e.operand(i);
    a.v(lane === 64 ? 71 : 65);
    if (i > 0) a.v(V.and);
    e.operand(i);
    magnitude(e, lane, bits);
    lanesNotDenormal(e, lane, bits);
    a.v(V.and);
  }
  allTrue(e, lane);
  plainControl(e);
  a.op(W.i32_and);
}

function packedExtreme(lane: Lane, least: boolean): Native {
  return {
    guard: (e) => comparableLanes(e, lane),
    value: (e) => {
      // pmin(x, y) is y where it is less, else x; pmax is y where it is greater
      e.operand(1);
      e.operand(0);
      e.a.v((lane === 64 ? 246 : 234) + (least ? 0 : 1));
    },
  };
}

function packedCompare(lane: Lane, predicate: number): Native {
  const opcodes = PREDICATES[predicate];
  return {
    guard: (e) => comparableLanes(e, lane),
    value: (e) => {
      if (typeof opcodes === 'boolean') {
        splat(e, lane, opcodes ? -1 : 0, opcodes ? -1 : 0);
        return;
      }
      e.operand(0);
      e.operand(1);
      e.a.v(opcodes[lane === 64 ? 3 : 2]);
    },
  };
}

// conversions

export function conversion(s: Shape): Native | undefined {
  const name: FloatConversion = FLOAT_CONVERSIONS[s.aux][0];
  switch (name) {
    case 'f64.i32':
      return {
        value: (e) => {
          e.operand(0);
          e.a.op(W.f64_convert_i32_s, W.i64_reinterpret_f64);
        },
      };
    case 'f64x2.i32x4':
      return {
        value: (e) => {
          e.operand(0);
          e.a.v(254);
        },
      };
    case 'f32.i32':
      return fromInteger(32, 24, [W.f32_convert_i32_s, W.i32_reinterpret_f32]);
    case 'f32.i64':
      return fromInteger(64, 24, [W.f32_convert_i64_s, W.i32_reinterpret_f32]);
    case 'f64.i64':
      return fromInteger(64, 53, [W.f64_convert_i64_s, W.i64_reinterpret_f64]);
    case 'f64.f32':
      return widening();
    case 'f32.f64':
      return narrowing();
    default: {
      const [, to, from, rest] = /^i(32|64)\.f(32|64)(_trunc)?$/.exec(name) ?? [];
      if (to === undefined) return undefined;
      return toInteger(Number(to) as Lane, Number(from) as Lane, rest === undefined);
    }
  }
}

/** Integers of up to `bits` bits are exact. */
function fromInteger(width: Lane, bits: number, opcodes: readonly number[]): Native {
  return {
    guard: (e) => {
      control(e, () => {
        const { a } = e;
        e.operand(0);
        if (width === 64) {
          const [low, high] = bits === 53 ? [0, 2 ** 21] : [2 ** 24, 0];
          a.i64(low, high);
          a.op(W.i64_add);
          a.i64(2 * low, 2 * high);
          a.op(W.i64_le_u);
        } else {
          a.i32(2 ** bits);
          a.op(W.i32_add);
          a.i32(2 ** (bits + 1));
          a.op(W.i32_le_u);
        }
      });
    },
    value: (e) => {
      e.operand(0);
      e.a.op(...opcodes);
    },
  };
}

function widening(): Native {
  return {
    guard: (e) => {
      plainControl(e);
      e.operand(0);
      notDenormal(e, 32);
      e.a.op(W.i32_and);
      number(e, 0, 32);
      number(e, 0, 32);
      e.a.op(W.f32_eq, W.i32_and);
    },
    value: (e) => {
      number(e, 0, 32);
      e.a.op(W.f64_promote_f32, W.i64_reinterpret_f64);
    },
  };
}

function narrowing(): Native {
  const result = (e: Emitter): number => e.temp(T.f32, 0);
  return {
    guard: (e) => {
      const { a } = e;
      number(e, 0, 64);
      a.op(W.f32_demote_f64);
      a.tee(result(e));
      a.op(W.i32_reinterpret_f32);
      inRange(e, 32, 'normal');
      e.operand(0);
      isZero(e, 64);
      a.op(W.i32_or);
      control(e, () => {
        a.get(result(e));
        a.op(W.f64_promote_f32);
        number(e, 0, 64);
        a.op(W.f64_eq);
      });
      a.op(W.i32_and);
    },
    value: (e) => {
      e.a.get(result(e));
      e.a.op(W.i32_reinterpret_f32);
    },
  };
}

/** What does not fit, and what may not (the smallest and the largest integer), is the reference's, as are NaNs. */
function toInteger(to: Lane, from: Lane, nearest: boolean): Native {
  const result = (e: Emitter): number => e.temp(integer(to), 1);
  const wide = to === 64;
  return {
    guard: (e) => {
      const { a } = e;
      number(e, 0, from);
      widened(e, from);
      if (nearest) a.op(W.f64_nearest);
      a.op(0xfc, wide ? 6 : 2); // trunc_sat_f64_s
      a.tee(result(e));
      constant(e, to, -1, 0x7fff_ffff);
      a.op(wide ? W.i64_add : W.i32_add);
      constant(e, to, -2, wide ? -1 : -2);
      a.op(wide ? W.i64_lt_u : W.i32_lt_u);
      number(e, 0, from);
      number(e, 0, from);
      a.op(from === 64 ? W.f64_eq : W.f32_eq, W.i32_and);
      control(e, () => {
        a.get(result(e));
        a.op(wide ? W.f64_convert_i64_s : W.f64_convert_i32_s);
        number(e, 0, from);
        widened(e, from);
        a.op(W.f64_eq);
      });
      a.op(W.i32_and);
    },
    value: (e) => e.a.get(result(e)),
  };
}
