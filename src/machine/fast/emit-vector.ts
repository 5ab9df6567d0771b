// table: packed integer operations of the IR as 128-bit WebAssembly; the other rows are in emit.ts.
import { VECTOR_OPS, type VectorOp } from '../../isa/index.ts';
import type { Native, Shape } from './emit.ts';
import { V, VECTOR_OPCODES, W } from './opcodes.ts';

const LANES: Readonly<Record<string, number>> = { i8x16: 8, i16x8: 16, i32x4: 32, i64x2: 64 };

function interleave(lane: number, fromHigh: boolean): number[] {
  const bytes = lane / 8;
  const out: number[] = [];
  for (let i = 0; i < 8 / bytes; i++) {
    const first = (fromHigh ? 8 : 0) + i * bytes;
    for (const operand of [0, 16]) for (let k = 0; k < bytes; k++) out.push(operand + first + k);
  }
  return out;
}

const SHIFTS: Readonly<Record<string, number>> = {
  'i16x8.shl': 139,
  'i32x4.shl': 171,
  'i64x2.shl': 203,
  'i16x8.shr_u': 141,
  'i32x4.shr_u': 173,
  'i64x2.shr_u': 205,
  'i16x8.shr_s': 140,
  'i32x4.shr_s': 172,
};

const laneBytes = (lane: number, number: number): number[] =>
  Array.from({ length: lane / 8 }, (_, k) => (number * lane) / 8 + k);

/** Byte numbers (0..15 of a, 16..31 of b) of a shuffle with an immediate; undefined where the operation is none. */
export function shuffleLanes(name: VectorOp, immediate: number): number[] | undefined {
  const pick = (bits: number, i: number): number => (immediate >> (bits * i)) & (2 ** bits - 1);
  switch (name) {
    case 'i32x4.shuffle':
      return [0, 1, 2, 3].flatMap((i) => laneBytes(32, pick(2, i)));
    case 'i16x8.shuffle_low':
      return [...[0, 1, 2, 3].flatMap((i) => laneBytes(16, pick(2, i))), ...laneBytes(64, 1)];
    case 'i16x8.shuffle_high':
      return [...laneBytes(64, 0), ...[0, 1, 2, 3].flatMap((i) => laneBytes(16, 4 + pick(2, i)))];
    case 'i32x4.shuffle2':
      return [0, 1, 2, 3].flatMap((i) => laneBytes(32, pick(2, i) + (i < 2 ? 0 : 4)));
    case 'i64x2.shuffle2':
      return [0, 1].flatMap((i) => laneBytes(64, pick(1, i) + 2 * i));
    case 'i8x16.concat_shift':
      // the low part is b
      return Array.from({ length: 16 }, (_, i) => {
        const from = i + Math.min(immediate & 0xff, 32);
        return from < 16 ? 16 + from : from < 32 ? from - 16 : -1;
      });
    default:
      return undefined;
  }
}

/** The row of a `vec` operation. */
export function vector(s: Shape): Native | undefined {
  const name = VECTOR_OPS[s.aux][0];
  const kind = VECTOR_OPS[s.aux][1];
  const lane = LANES[name.slice(0, name.indexOf('.'))];
  if (name === 'i8x16.swizzle') return swizzle();
  const opcode = VECTOR_OPCODES[name];
  if (opcode !== undefined) {
    return {
      value: (e) => {
        e.operand(0);
        if (kind === 'vv-') e.operand(1);
        e.a.v(opcode);
      },
    };
  }
  if (SHIFTS[name] !== undefined) return laneShift(SHIFTS[name], lane, name.endsWith('_s'));
  if (name.includes('interleave')) {
    return {
      value: (e) => {
        e.operand(0);
        e.operand(1);
        e.a.shuffle(interleave(lane, name.endsWith('high')));
      },
    };
  }
  if (name === 'i64x2.mul_even_u') return evenProduct();
  if (name === 'i16x8.mulh_s' || name === 'i16x8.mulh_u') return highProduct(name.endsWith('_s'));
  const lanes =
    s.immediate < 0 && kind !== 'vvi' && kind !== 'v-i' ? undefined : shuffleLanes(name, s.immediate);
  if (lanes === undefined) return undefined;
  return {
    value: (e) => {
      e.operand(0);
      if (kind === 'vvi') e.operand(1);
      else e.a.zero128();
      if (lanes.includes(-1)) {
        // zeros come in: only the first operand reaches the result then
        e.a.op(W.drop);
        e.a.zero128();
        e.a.shuffle(lanes.map((from) => (from < 0 || from >= 16 ? 16 : from)));
      } else e.a.shuffle(lanes);
    },
  };
}

/** b's high bit or 0x80 chooses 0; WebAssembly's indices from 16 on do. */
function swizzle(): Native {
  return {
    value: (e) => {
      e.operand(0);
      e.operand(1);
      e.a.i32(0x8f);
      e.a.v(V.i8x16_splat);
      e.a.v(V.and);
      e.a.v(V.i8x16_swizzle);
    },
  };
}

function laneShift(opcode: number, lane: number, arithmetic: boolean): Native {
  return {
    value: (e) => {
      const { a } = e;
      e.operand(0);
      if (arithmetic) {
        e.operand(1);
        a.i64(lane - 1);
        e.operand(1);
        a.i64(lane);
        a.op(W.i64_lt_u, W.select, W.i32_wrap_i64);
        a.v(opcode);
        return;
      }
      e.operand(1);
      a.op(W.i32_wrap_i64);
      a.v(opcode);
      a.zero128();
      e.operand(1);
      a.i64(lane);
      a.op(W.i64_lt_u, W.select);
    },
  };
}

/** Low 32 bits of each 64-bit lane, multiplied. */
function evenProduct(): Native {
  return {
    value: (e) => {
      for (const i of [0, 1]) {
        e.operand(i);
        e.operand(i);
        e.a.shuffle([0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11]);
      }
      e.a.v(222); // i64x2.extmul_low_i32x4_u
    },
  };
}

function highProduct(isSigned: boolean): Native {
  return {
    value: (e) => {
      // extmul_low, extmul_high of i16x8 to i32x4; the odd 16-bit lanes are the high halves
      e.operand(0);
      e.operand(1);
      e.a.v(isSigned ? 188 : 190);
      e.operand(0);
      e.operand(1);
      e.a.v(isSigned ? 189 : 191);
      e.a.shuffle([2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31]);
    },
  };
}
