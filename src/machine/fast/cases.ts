// The interpreter's cases: which operation, by opcode and widths, has which number in a stream, and how its words are
// laid out. Native operations of emit.ts are listed here by the widths that lifted code has; what is not listed runs by
// the `slow` case.
import { ATOMICS, FLOAT_CONVERSIONS, IR, IR_OPS, VECTOR_OPS, WORDS } from '../../isa/index.ts';
import { ANY_OF_NOT, COMPARISON_MASKS, FOLDED } from './analysis.ts';
import { type Native, nativeFor, type Shape, shuffleLanes } from './emit.ts';

/**
 * Cases of the interpreter's own, in this order before the native ones. Words after the case number, where the number
 * of the operation, for the reference, is the last:
 * slow: operation · copy64, copy128, copy32: to, from · load, update: to, address, operation · store: address, value, operation
 * loadat, updateat: to, address, number (16 bits) added to it, operation · storeat: address, number, value, operation
 * flags, keepflags: kind, a, b, c · flags1, flags2: the same without what the kind does not use · cond: to · getf: to, bit · setf: bit, value · rflags: to · setrflags: value
 * align: address, mask, operation · canonical: address, operation · exit: condition, target · jump: target
 * branch: yes, no, condition · goto, fork: as jump and branch, to constants
 * call, callto: goto and jump, and where it returns to · ret: as jump · syscall: next · end, boundary, dispatch: none · swizzle1: to, a, mask · swizzle2: to, a, b, masks
 * atomic: to, address, operand, replacement, operation · bit: to, from, position · nop (insn)
 */
export const OWN = [
  'slow',
  'copy64',
  'copy128',
  'copy32',
  'flags',
  'flags1',
  'flags2',
  'keepflags',
  'getf',
  'setf',
  'rflags',
  'setrflags0',
  'setrflags1',
  'setrflags2',
  'align',
  'canonical',
  'exit',
  'jump',
  'branch',
  'syscall',
  'end',
  'boundary',
  'dispatch',
  'goto',
  'fork',
  'call',
  'callto',
  'ret',
  'swizzle1',
  'swizzle2',
  'bit32',
  'bit64',
  ...Array.from({ length: 16 }, (_, i) => `cond${i}` as const),
  ...([8, 16, 32, 64, 128] as const).flatMap(
    (width) =>
      [
        `load${width}`,
        `update${width}`,
        `store${width}`,
        `loadat${width}`,
        `updateat${width}`,
        `storeat${width}`,
      ] as const,
  ),
  ...([8, 16, 32, 64] as const).flatMap((width) => ATOMICS.map((kind) => `atomic${width}.${kind}` as const)),
] as const;
export type OwnCase = (typeof OWN)[number];
export const CASE = Object.fromEntries(OWN.map((name, i) => [name, i])) as {
  readonly [K in OwnCase]: number;
};

/** A load or store as an operation of its own: the third, on the values of the first (the address) and second. */
export interface PlainAccess {
  readonly store: boolean;
  /** A number is added to the address. */
  readonly displaced: boolean;
  readonly width: number;
  readonly code: Int32Array;
}

/** By case number, where the case is one. */
export const PLAIN_ACCESSES: readonly (PlainAccess | undefined)[] = OWN.map((name) => {
  const [, kind, at, width] = /^(load|update|store)(at)?(\d+)$/.exec(name) ?? [];
  if (kind === undefined) return undefined;
  const store = kind === 'store';
  const code = new Int32Array(3 * WORDS).fill(-1);
  const op = store ? IR.store : IR.load;
  code.set([op | (Number(width) << 8) | (kind === 'update' ? 1 << 16 : 0), 0, store ? 1 : -1], 2 * WORDS);
  return { store, displaced: at !== undefined, width: Number(width), code };
});

export interface NativeCase {
  readonly shape: Shape;
  readonly native: Native;
  /** Value operands, in order. */
  readonly operands: readonly number[];
}

/** Widths in three bits, so that keys are small integers: a map of larger ones is slow. */
const WIDTH_NUMBERS = new Uint8Array(256).fill(7);
for (const [i, width] of [0, 1, 8, 16, 32, 64, 128].entries()) WIDTH_NUMBERS[width] = i;

export function shapeKey(op: number, width: number, aux: number, wa: number, wb: number, wc: number): number {
  const widths = (WIDTH_NUMBERS[width] << 9) | (WIDTH_NUMBERS[wa] << 6) | (WIDTH_NUMBERS[wb] << 3);
  return (op << 21) | ((aux & 511) << 12) | widths | WIDTH_NUMBERS[wc];
}

const list: NativeCase[] = [];
/** Numbers of native cases by shape. */
export const NATIVE_NUMBERS = new Map<number, number>();
export const NATIVE_CASES: readonly NativeCase[] = list;

function add(op: number, width: number, aux: number, wa: number, wb = 0, wc = 0): void {
  const shape: Shape = { op, width, aux, wa, wb, wc, immediate: -1 };
  const native = nativeFor(shape);
  const key = shapeKey(op, width, aux, wa, wb, wc);
  if (native === undefined || NATIVE_NUMBERS.has(key)) return;
  NATIVE_NUMBERS.set(key, OWN.length + list.length);
  list.push({ shape, native, operands: [wa, wb, wc].flatMap((w, i) => (w > 0 ? [i] : [])) });
}

const SCALARS = [8, 16, 32, 64];
for (const width of SCALARS) {
  for (const op of [
    'add',
    'sub',
    'mul',
    'mulhu',
    'mulhs',
    'and',
    'or',
    'xor',
    'shl',
    'shr',
    'sar',
    'rotl',
    'rotr',
  ] as const)
    add(IR[op], width, 0, width, width);
  for (const op of ['not', 'neg', 'clz', 'ctz', 'popcnt', 'bswap'] as const)
    if (op !== 'bswap' || width > 8) add(IR[op], width, 0, width);
  for (const op of ['divu', 'remu', 'divs', 'rems'] as const) add(IR[op], width, 0, width, width, width);
  for (const op of ['eq', 'ne', 'ltu', 'leu', 'lts', 'les'] as const) add(IR[op], width, 0, width, width);
  for (const op of Object.values(FOLDED)) add(op, width, 0, width);
  for (const to of SCALARS) if (to > width) for (const op of [IR.zext, IR.sext]) add(op, to, 0, width);
}
for (const op of ['and', 'or', 'xor', 'eq', 'ne', 'shl', 'shr'] as const)
  if (op !== 'shl' && op !== 'shr') add(IR[op], 1, 0, 1, 1);
for (const op of ['and', 'or', 'xor'] as const) add(IR[op], 128, 0, 128, 128);
add(IR.not, 1, 0, 1);
add(IR.not, 128, 0, 128);
for (const to of SCALARS) for (const op of [IR.zext, IR.sext]) add(op, to, 0, 1);
for (const width of [1, ...SCALARS, 128]) add(IR.select, width, 0, 1, width, width);
for (const from of [32, 64]) add(IR.zext, 128, 0, from);
for (const part of [8, 16, 32])
  for (const at of [0, 8]) if (at === 0 || part === 8) add(IR.insert, 64, at, 64, part);
for (const part of [8, 16, 32, 64]) for (let at = 0; at < 128; at += part) add(IR.insert, 128, at, 128, part);
for (const half of [8, 16, 32, 64]) add(IR.concat, 2 * half, 0, half, half);
VECTOR_OPS.forEach(([name, kinds], i) => {
  if (shuffleLanes(name, 0) !== undefined) return;
  const width = name.endsWith('bitmask') ? 32 : 128;
  add(IR.vec, width, i, 128, kinds[1] === 'v' ? 128 : kinds[1] === 'n' ? 64 : 0);
});
for (const lane of [32, 64]) {
  for (const op of [IR.fadd, IR.fsub, IR.fmul, IR.fdiv, IR.fmin, IR.fmax]) {
    add(op, lane, 0, lane, lane);
    add(op, 128, lane, 128, 128);
  }
  add(IR.fsqrt, lane, 0, lane);
  add(IR.fsqrt, 128, lane, 128);
  for (const mask of COMPARISON_MASKS)
    for (const not of [0, ANY_OF_NOT]) add(FOLDED.anyOf, lane, mask | not, lane);
  for (const signaling of [0, 1]) add(IR.fcomi, lane, signaling, lane, lane);
}
FLOAT_CONVERSIONS.forEach(([, from, to], i) => {
  add(IR.fcvt, to, i, from);
});

const OWN_WORDS: Readonly<Record<string, number>> = {
  ...{
    slow: 2,
    copy: 3,
    flags: 5,
    flags1: 3,
    flags2: 4,
    keepflags: 5,
    getf: 3,
    setf: 3,
    rflags: 2,
    setrflags: 2,
  },
  ...{
    align: 4,
    canonical: 3,
    exit: 3,
    jump: 2,
    branch: 4,
    goto: 2,
    fork: 4,
    call: 3,
    callto: 3,
    ret: 2,
    syscall: 2,
  },
  ...{ end: 1, boundary: 1, dispatch: 1 },
  ...{ swizzle1: 4, swizzle2: 5, bit: 4, cond: 2, load: 4, update: 4, store: 4, atomic: 6 },
  ...{ loadat: 5, updateat: 5, storeat: 5 },
};

/** Words of an operation, its case number included, by case number. */
export const CASE_WORDS = Uint8Array.from([
  ...OWN.map((name) => OWN_WORDS[name] ?? OWN_WORDS[name.replace(/\d.*$/, '')]),
  ...list.map(({ native, operands }) => 2 + operands.length + (native.guard === undefined ? 0 : 1)),
]);

const NATIVE_NAMES = [...IR_OPS.map((row) => row[0]), ...Object.keys(FOLDED)];

/** What a case is called: its operation and width, then what else it depends on. */
export function caseName(number: number): string {
  if (number < OWN.length) return OWN[number];
  const { op, width, aux, wa, wb, wc } = list[number - OWN.length].shape;
  const widths = [wa, wb, wc].filter((w) => w > 0);
  const plain = widths.every((w) => w === width);
  return `${NATIVE_NAMES[op]}${width}${aux > 0 ? `.${aux}` : ''}${plain ? '' : `:${widths.join(',')}`}`;
}

/** By case number: 1 where the number of the operation stands after the operands, for the reference. */
export const GUARDED = Uint8Array.from([
  ...OWN.map(() => 0),
  ...list.map(({ native }) => (native.guard === undefined ? 0 : 1)),
]);
