// Fused multiplication and addition (rounded once), and conversions from and to half precision.
import { type HalfContext, halves, isWide, type Shape, setVector, vex } from './avx-operand.ts';
import { type LiftFunction, type LiftTable, needing } from './context.ts';

/** By name between `vf` and the order of operands: the helper's. */
const KINDS = {
  madd: 'add',
  msub: 'sub',
  nmadd: 'negative_add',
  nmsub: 'negative_sub',
  maddsub: 'add_sub',
  msubadd: 'sub_add',
} as const;
const SUFFIXES = { ps: 'f32x4', pd: 'f64x2', ss: 'f32', sd: 'f64' } as const;
/** Which operands are multiplied, and which one is added. */
const ORDERS = { 132: [0, 2, 1], 213: [1, 0, 2], 231: [1, 2, 0] } as const;

function fused(helper: string, order: readonly number[], scalar: 32 | 64 | undefined): LiftFunction {
  const shape: Shape = { operands: [0, 1, 2] };
  return vex((cx: HalfContext) => {
    const { b } = cx;
    const [x, y, z] = order.map((i) => cx.read(i, scalar ?? 128));
    const result = b.call(scalar ?? 128, helper, x, y, z);
    cx.write(0, scalar === undefined ? result : b.insert(cx.read(0, 128), result, 0));
  }, shape);
}

function fusedRows(): Record<string, LiftFunction> {
  const rows: Record<string, LiftFunction> = {};
  for (const [name, kind] of Object.entries(KINDS)) {
    for (const [order, operands] of Object.entries(ORDERS)) {
      for (const [suffix, lanes] of Object.entries(SUFFIXES)) {
        const scalar = suffix === 'ss' ? 32 : suffix === 'sd' ? 64 : undefined;
        if (scalar !== undefined && (kind === 'add_sub' || kind === 'sub_add')) continue;
        rows[`vf${name}${order}${suffix}`] = fused(`fma.${kind}.${lanes}`, operands, scalar);
      }
    }
  }
  return rows;
}

/** Four or eight halves to singles. */
const fromHalf: LiftFunction = (cx) => {
  const { b } = cx;
  const wide = isWide(cx);
  const from = cx.read(1, wide ? 128 : 64);
  const low = b.call(128, 'f16.widen', b.zext(128, b.trunc(64, from)));
  const high = wide ? b.call(128, 'f16.widen', b.zext(128, b.extract(64, from, 64))) : undefined;
  setVector(cx, low, high);
};

/** Singles to halves; the immediate has the rounding. */
const toHalf: LiftFunction = (cx) => {
  const { b } = cx;
  const control = b.const(8, cx.immediate & 0xff);
  // a store that faults does so before MXCSR changes
  if (cx.isMemory(0)) b.loadForUpdate(cx.insn.memoryWidth, cx.address());
  const parts = halves(cx, 1).map((value) => b.call(64, 'f16.narrow', value, control));
  const result = parts.length === 1 ? parts[0] : b.concat(parts[1], parts[0]);
  if (!cx.isMemory(0)) setVector(cx, b.zext(128, result));
  else cx.write(0, result);
};

export const fmaRows: LiftTable = {
  ...needing('fma', fusedRows()),
  ...needing('f16c', { vcvtph2ps: fromHalf, vcvtps2ph: toHalf }),
};
