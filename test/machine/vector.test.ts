// The meaning of `vec` operations against WebAssembly SIMD, whose names and meanings they follow, so that an engine may
// map them one to one; and by hand where there is no such instruction.
import assert from 'node:assert/strict';
import test from 'node:test';
import { VECTOR_OPS, type VectorOp } from '../../src/isa/index.ts';
import { vectorOps } from '../../src/machine/vector.ts';
import { Random, vectorValue } from './float-cases.ts';

type Shape = 'unary' | 'binary' | 'shift' | 'bitmask';

/** Opcodes after the 0xfd prefix. */
const OPCODES: Readonly<Partial<Record<VectorOp, readonly [Shape, number]>>> = {
  'i8x16.eq': ['binary', 0x23],
  'i8x16.gt_s': ['binary', 0x27],
  'i16x8.eq': ['binary', 0x2d],
  'i16x8.gt_s': ['binary', 0x31],
  'i32x4.eq': ['binary', 0x37],
  'i32x4.gt_s': ['binary', 0x3b],
  'i64x2.eq': ['binary', 0xd6],
  'i64x2.gt_s': ['binary', 0xd9],
  'i8x16.abs': ['unary', 0x60],
  'i8x16.bitmask': ['bitmask', 0x64],
  'i8x16.narrow_i16x8_s': ['binary', 0x65],
  'i8x16.narrow_i16x8_u': ['binary', 0x66],
  'i8x16.add': ['binary', 0x6e],
  'i8x16.add_sat_s': ['binary', 0x6f],
  'i8x16.add_sat_u': ['binary', 0x70],
  'i8x16.sub': ['binary', 0x71],
  'i8x16.sub_sat_s': ['binary', 0x72],
  'i8x16.sub_sat_u': ['binary', 0x73],
  'i8x16.min_s': ['binary', 0x76],
  'i8x16.min_u': ['binary', 0x77],
  'i8x16.max_s': ['binary', 0x78],
  'i8x16.max_u': ['binary', 0x79],
  'i8x16.avgr_u': ['binary', 0x7b],
  'i16x8.abs': ['unary', 0x80],
  'i16x8.narrow_i32x4_s': ['binary', 0x85],
  'i16x8.narrow_i32x4_u': ['binary', 0x86],
  'i16x8.extend_low_i8x16_s': ['unary', 0x87],
  'i16x8.extend_low_i8x16_u': ['unary', 0x89],
  'i16x8.shl': ['shift', 0x8b],
  'i16x8.shr_s': ['shift', 0x8c],
  'i16x8.shr_u': ['shift', 0x8d],
  'i16x8.add': ['binary', 0x8e],
  'i16x8.add_sat_s': ['binary', 0x8f],
  'i16x8.add_sat_u': ['binary', 0x90],
  'i16x8.sub': ['binary', 0x91],
  'i16x8.sub_sat_s': ['binary', 0x92],
  'i16x8.sub_sat_u': ['binary', 0x93],
  'i16x8.mul': ['binary', 0x95],
  'i16x8.min_s': ['binary', 0x96],
  'i16x8.min_u': ['binary', 0x97],
  'i16x8.max_s': ['binary', 0x98],
  'i16x8.max_u': ['binary', 0x99],
  'i16x8.avgr_u': ['binary', 0x9b],
  'i32x4.abs': ['unary', 0xa0],
  'i32x4.bitmask': ['bitmask', 0xa4],
  'i32x4.extend_low_i16x8_s': ['unary', 0xa7],
  'i32x4.extend_low_i16x8_u': ['unary', 0xa9],
  'i32x4.shl': ['shift', 0xab],
  'i32x4.shr_s': ['shift', 0xac],
  'i32x4.shr_u': ['shift', 0xad],
  'i32x4.add': ['binary', 0xae],
  'i32x4.sub': ['binary', 0xb1],
  'i32x4.mul': ['binary', 0xb5],
  'i32x4.min_s': ['binary', 0xb6],
  'i32x4.min_u': ['binary', 0xb7],
  'i32x4.max_s': ['binary', 0xb8],
  'i32x4.max_u': ['binary', 0xb9],
  'i32x4.dot_i16x8_s': ['binary', 0xba],
  'i64x2.bitmask': ['bitmask', 0xc4],
  'i64x2.extend_low_i32x4_s': ['unary', 0xc7],
  'i64x2.extend_low_i32x4_u': ['unary', 0xc9],
  'i64x2.shl': ['shift', 0xcb],
  'i64x2.shr_u': ['shift', 0xcd],
  'i64x2.add': ['binary', 0xce],
  'i64x2.sub': ['binary', 0xd1],
};

/** As much of WebAssembly as is used here; the type library has it only with a browser's. */
const { WebAssembly: wasm } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
  };
};

const leb = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >> 7)]);
const section = (id: number, body: readonly number[]): number[] => [id, ...leb(body.length), ...body];
const text = (s: string): number[] => [s.length, ...Buffer.from(s)];

/** memory[32] = op(memory[0], memory[16]); a count is the 32 bits at 16. */
function body(shape: Shape, opcode: number): number[] {
  const load = (at: number): number[] => [0x41, at, 0xfd, 0x00, 0x00, 0x00];
  const second = shape === 'binary' ? load(16) : shape === 'shift' ? [0x41, 16, 0x28, 0x00, 0x00] : [];
  const store = shape === 'bitmask' ? [0x36, 0x00, 0x00] : [0xfd, 0x0b, 0x00, 0x00];
  const code = [0x00, 0x41, 32, ...load(0), ...second, 0xfd, ...leb(opcode), ...store, 0x0b];
  return [...leb(code.length), ...code];
}

/** One function for each operation of OPCODES, over one page of memory. */
function simd(names: readonly VectorOp[]): {
  readonly memory: DataView;
  readonly run: (op: VectorOp) => void;
} {
  const bodies = names.flatMap((name) => body(...OPCODES[name]!));
  const bytes = [
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, 0, 0]),
    ...section(3, [...leb(names.length), ...names.map(() => 0)]),
    ...section(5, [1, 0, 1]),
    ...section(7, [
      ...leb(names.length + 1),
      ...text('memory'),
      2,
      0,
      ...names.flatMap((name, i) => [...text(name), 0, ...leb(i)]),
    ]),
    ...section(10, [...leb(names.length), ...bodies]),
  ];
  const { exports } = new wasm.Instance(new wasm.Module(Uint8Array.from(bytes)));
  const memory = new DataView((exports['memory'] as { readonly buffer: ArrayBuffer }).buffer);
  return { memory, run: (op) => (exports[op] as () => void)() };
}

function put(memory: DataView, at: number, value: bigint): void {
  memory.setBigUint64(at, BigInt.asUintN(64, value), true);
  memory.setBigUint64(at + 8, value >> 64n, true);
}
const take = (memory: DataView, at: number): bigint =>
  memory.getBigUint64(at, true) | (memory.getBigUint64(at + 8, true) << 64n);

test('operations that WebAssembly has give what it gives', () => {
  const names = Object.keys(OPCODES) as VectorOp[];
  const { memory, run } = simd(names);
  for (const name of names) {
    const random = new Random(name);
    const shape = OPCODES[name]![0];
    const laneWidth = Number.parseInt(name.slice(1), 10);
    for (let i = 0; i < 60; i++) {
      const a = vectorValue(random, 'int');
      const b = shape === 'shift' ? BigInt(random.below(laneWidth)) : vectorValue(random, 'int');
      put(memory, 0, a);
      put(memory, 16, b);
      put(memory, 32, 0n);
      run(name);
      assert.equal(
        vectorOps[name](a, b, 0).toString(16),
        take(memory, 32).toString(16),
        `${name} ${a.toString(16)} ${b.toString(16)}`,
      );
    }
  }
});

const A = 0x0f0e0d0c0b0a09080706050403020100n;
const B = 0x1f1e1d1c1b1a19181716151413121110n;

/** op a b immediate -> result. */
const BY_HAND: readonly (readonly [VectorOp, bigint, bigint, number, bigint])[] = [
  ['i8x16.interleave_low', A, B, 0, 0x17071606150514041303120211011000n],
  ['i16x8.interleave_high', A, B, 0, 0x1f1e0f0e1d1c0d0c1b1a0b0a19180908n],
  ['i32x4.interleave_low', A, B, 0, 0x17161514070605041312111003020100n],
  ['i64x2.interleave_high', A, B, 0, 0x1f1e1d1c1b1a19180f0e0d0c0b0a0908n],
  ['i32x4.shuffle', A, 0n, 0b00_01_10_11, 0x03020100070605040b0a09080f0e0d0cn],
  ['i16x8.shuffle_low', A, 0n, 0b00_00_00_11, 0x0f0e0d0c0b0a09080100010001000706n],
  ['i16x8.shuffle_high', A, 0n, 0b11_00_00_00, 0x0f0e0908090809080706050403020100n],
  ['i32x4.shuffle2', A, B, 0b11_00_01_10, 0x1f1e1d1c13121110070605040b0a0908n],
  ['i64x2.shuffle2', A, B, 0b01, 0x17161514131211100f0e0d0c0b0a0908n],
  ['i8x16.concat_shift', A, B, 4, 0x030201001f1e1d1c1b1a191817161514n],
  ['i8x16.concat_shift', A, B, 20, 0x000000000f0e0d0c0b0a090807060504n],
  ['i8x16.concat_shift', A, B, 32, 0n],
  ['i8x16.swizzle', A, 0x80_1f_00_01n, 0, 0x000000000000000000000000_000f0001n],
  ['i64x2.sad_u8', A, B, 0, 0x00000000000000800000000000000080n],
  ['i16x8.mulh_u', 0xffffn, 0xffffn, 0, 0xfffen],
  ['i16x8.mulh_s', 0xffffn, 0xffffn, 0, 0n],
  ['i16x8.mulr_s', 0x8000n, 0x8000n, 0, 0x8000n],
  ['i64x2.mul_even_u', 0x7_ffffffffn, 0x9_ffffffffn, 0, 0xfffffffe00000001n],
  ['i64x2.mul_even_s', 0x7_ffffffffn, 0x9_ffffffffn, 0, 1n],
  ['i16x8.dot_i8x16_us', 0xffffn, 0x7f7fn, 0, 0x7fffn],
  ['i16x8.shl', A, 16n, 0, 0n],
  ['i32x4.shr_s', 1n << 127n, 1n << 63n, 0, 0xffffffffn << 96n],
];

test('operations that WebAssembly lacks, and counts beyond the lane width', () => {
  for (const [op, a, b, immediate, expected] of BY_HAND) {
    assert.equal(vectorOps[op](a, b, immediate).toString(16), expected.toString(16), op);
  }
});

test('every operation is tested one way or the other', () => {
  const untested = VECTOR_OPS.map(([name]) => name).filter(
    (name) => OPCODES[name] === undefined && !BY_HAND.some(([op]) => op.slice(5) === name.slice(5)),
  );
  assert.deepEqual(untested, []);
});
