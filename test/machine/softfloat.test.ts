// softfloat against JavaScript's own doubles and singles, and by hand where those can't say: flags, rounding modes,
// tiny results, NaNs, extended precision.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  add,
  bitLength,
  compare,
  decode,
  divide,
  F32,
  F64,
  F80,
  FloatContext,
  type Format,
  FX,
  integerSqrt,
  multiply,
  type Num,
  squareRoot,
  subtract,
} from '../../src/machine/softfloat.ts';
import { convert, fromInteger, toInteger, toIntegral } from '../../src/machine/softfloat-convert.ts';
import { Random, vectorValue } from './float-cases.ts';

const buffer = new DataView(new ArrayBuffer(8));

function asNumber(format: Format, bits: bigint): number {
  if (format.width === 32) {
    buffer.setUint32(0, Number(bits));
    return buffer.getFloat32(0);
  }
  buffer.setBigUint64(0, bits);
  return buffer.getFloat64(0);
}

type Binary = (format: Format, a: Num, b: Num, context: FloatContext) => bigint;

const BINARY: readonly (readonly [string, Binary, (x: number, y: number) => number])[] = [
  ['add', add, (x, y) => x + y],
  ['subtract', subtract, (x, y) => x - y],
  ['multiply', multiply, (x, y) => x * y],
  ['divide', divide, (x, y) => x / y],
  ['square root', (format, a, _, context) => squareRoot(format, a, context), (x) => Math.sqrt(x)],
];

for (const format of [F32, F64]) {
  for (const [name, ours, theirs] of BINARY) {
    test(`${name} of ${format.width} bits is JavaScript's`, () => {
      const random = new Random(name + format.width);
      const kind = format.width === 32 ? 'f32' : 'f64';
      const round = format.width === 32 ? Math.fround : (x: number) => x;
      for (let i = 0; i < 4000; i++) {
        const [a, b] = [vectorValue(random, kind), vectorValue(random, kind)].map((v) =>
          BigInt.asUintN(format.width, v),
        );
        // for singles, the double result rounds to the right single: 53 >= 2 * 24 + 2
        const expected = round(theirs(asNumber(format, a), asNumber(format, b)));
        const result = ours(format, decode(format, a), decode(format, b), new FloatContext());
        assert.ok(
          Object.is(asNumber(format, result), expected),
          `${a.toString(16)} ${b.toString(16)} -> ${result.toString(16)}, not ${expected}`,
        );
      }
    });
  }
}

/** Context from words: rounding (near down up zero), ftz, unmasked. */
function contextOf(words: string): FloatContext {
  const context = new FloatContext();
  context.nanRule = words.includes('x87') ? 'x87' : 'sse';
  context.rounding = Math.max(
    0,
    ['near', 'down', 'up', 'zero'].findIndex((word) => words.split(' ').includes(word)),
  );
  context.ftz = words.includes('ftz');
  if (words.includes('unmasked')) context.masks = 0;
  return context;
}

const flagText = (flags: number): string =>
  Object.entries(FX)
    .filter(([, bit]) => flags & bit)
    .map(([name]) => name)
    .join(' ');

const FORMATS = { 32: F32, 64: F64, 80: F80 } as const;
const OPERATIONS: Readonly<Record<string, Binary>> = {
  '+': add,
  '-': subtract,
  '*': multiply,
  '/': divide,
  sqrt: (format, a, _, context) => squareRoot(format, a, context),
  'to f32': (_, a, _b, context) => convert(F32, a, context),
  'to f80': (_, a, _b, context) => convert(F80, a, context),
  'to i32': (_, a, _b, context) => toInteger(32, a, context.rounding, context),
  'to i64': (_, a, _b, context) => toInteger(64, a, context.rounding, context),
  integral: (format, a, _b, context) => toIntegral(format, a, false, context),
};

/** width, a, operation, b, context -> result, flags */
const VECTORS: readonly (readonly [32 | 64 | 80, bigint, string, bigint, string, bigint, string])[] = [
  // ties and directed rounding: 1 + 2^-24
  [32, 0x3f800000n, '+', 0x33800000n, 'near', 0x3f800000n, 'PE'],
  [32, 0x3f800001n, '+', 0x33800000n, 'near', 0x3f800002n, 'PE'],
  [32, 0x3f800000n, '+', 0x33800000n, 'up', 0x3f800001n, 'PE'],
  [32, 0xbf800000n, '-', 0x33800000n, 'down', 0xbf800001n, 'PE'],
  [32, 0xbf800000n, '-', 0x33800000n, 'zero', 0xbf800000n, 'PE'],
  // exact zeros
  [32, 0x3f800000n, '-', 0x3f800000n, 'near', 0n, ''],
  [32, 0x3f800000n, '-', 0x3f800000n, 'down', 0x80000000n, ''],
  // overflow by mode
  [32, 0x7f7fffffn, '+', 0x7f7fffffn, 'near', 0x7f800000n, 'OE PE'],
  [32, 0x7f7fffffn, '+', 0x7f7fffffn, 'zero', 0x7f7fffffn, 'OE PE'],
  [32, 0xff7fffffn, '+', 0xff7fffffn, 'up', 0xff7fffffn, 'OE PE'],
  // tiny: exact results underflow only when unmasked, or flushed
  [32, 0x00800000n, '*', 0x3f000000n, 'near', 0x00400000n, ''],
  [32, 0x00800000n, '*', 0x3f000000n, 'near ftz', 0n, 'UE PE'],
  [32, 0x00800001n, '*', 0x3f000000n, 'near', 0x00400000n, 'UE PE'],
  // just below the smallest normal number, rounding up to it: not tiny after rounding
  [32, 0x00ffffffn, '*', 0x3f000000n, 'near', 0x00800000n, 'UE PE'],
  [32, 0x7f7fffffn, '*', 0x00000001n, 'near', 0x34ffffffn, 'DE'],
  // invalid
  [64, 0x7ff0000000000000n, '-', 0x7ff0000000000000n, 'near', 0xfff8000000000000n, 'IE'],
  [64, 0n, '*', 0xfff0000000000000n, 'near', 0xfff8000000000000n, 'IE'],
  [64, 0n, '/', 0n, 'near', 0xfff8000000000000n, 'IE'],
  [64, 0xbff0000000000000n, 'sqrt', 0n, 'near', 0xfff8000000000000n, 'IE'],
  [64, 0x8000000000000000n, 'sqrt', 0n, 'near', 0x8000000000000000n, ''],
  // division by zero goes before denormals
  [64, 1n, '/', 0x8000000000000000n, 'near', 0xfff0000000000000n, 'ZE'],
  [64, 0x7ff0000000000000n, '/', 1n, 'near', 0x7ff0000000000000n, 'DE'],
  // NaNs: the first for SSE, the larger significand for x87, and quiet
  [64, 0x7ff8000000000001n, '+', 0xfff8000000000002n, 'near', 0x7ff8000000000001n, ''],
  [64, 0x7ff8000000000001n, '+', 0xfff8000000000002n, 'near x87', 0xfff8000000000002n, ''],
  [64, 0x3ff0000000000000n, '+', 0x7ff0000000000001n, 'near', 0x7ff8000000000001n, 'IE'],
  // conversions
  [64, 0x3ff0000010000000n, 'to f32', 0n, 'near', 0x3f800000n, 'PE'],
  [64, 0x3ff0000030000000n, 'to f32', 0n, 'near', 0x3f800002n, 'PE'],
  [64, 0x7ff8000020000000n, 'to f32', 0n, 'near', 0x7fc00001n, ''],
  [64, 1n, 'to f80', 0n, 'near', 0x3bcd_8000000000000000n, 'DE'],
  [64, 0x41dfffffffc00000n, 'to i32', 0n, 'near', 0x7fffffffn, ''],
  [64, 0x41e0000000000000n, 'to i32', 0n, 'near', 0x80000000n, 'IE'],
  [64, 0xc1e0000000000000n, 'to i32', 0n, 'near', 0x80000000n, ''],
  [64, 0x4004000000000000n, 'to i64', 0n, 'near', 2n, 'PE'],
  [64, 0x400c000000000000n, 'to i64', 0n, 'near', 4n, 'PE'],
  [64, 0xbfe0000000000000n, 'integral', 0n, 'near', 0x8000000000000000n, 'PE'],
  [64, 0xbfe0000000000000n, 'integral', 0n, 'down', 0xbff0000000000000n, 'PE'],
  // extended precision
  [80, 0x3fff_8000000000000000n, '/', 0x4000_c000000000000000n, 'near x87', 0x3ffd_aaaaaaaaaaaaaaabn, 'PE'],
  [80, 0x3fff_8000000000000000n, '/', 0x4000_c000000000000000n, 'down x87', 0x3ffd_aaaaaaaaaaaaaaaan, 'PE'],
  [
    80,
    0x7ffe_ffffffffffffffffn,
    '+',
    0x7ffe_ffffffffffffffffn,
    'near x87 unmasked',
    0x1fff_ffffffffffffffffn,
    'OE',
  ],
  [
    80,
    0x0001_8000000000000000n,
    '*',
    0x3ffe_8000000000000000n,
    'near x87 unmasked',
    0x6000_8000000000000000n,
    'UE',
  ],
  [80, 0x3fff_0000000000000001n, '+', 0n, 'near x87', 0xffff_c000000000000000n, 'IE'],
  [80, 0x0000_8000000000000000n, '+', 0n, 'near x87', 0x0001_8000000000000000n, 'DE'],
];

for (const [width, a, name, b, words, expected, flags] of VECTORS) {
  test(`${width}: ${a.toString(16)} ${name} ${b.toString(16)} ${words}`, () => {
    const format = FORMATS[width];
    const context = contextOf(words);
    const result = OPERATIONS[name](format, decode(format, a), decode(format, b), context);
    assert.equal(`${result.toString(16)} ${flagText(context.flags)}`, `${expected.toString(16)} ${flags}`);
  });
}

test('integers to floats are rounded', () => {
  for (const value of [0n, 1n, -1n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n, 16777217n]) {
    assert.equal(asNumber(F64, fromInteger(F64, value, new FloatContext())), Number(value));
    assert.equal(asNumber(F32, fromInteger(F32, value, new FloatContext())), Math.fround(Number(value)));
  }
});

test('comparisons order all kinds of numbers', () => {
  const ordered = [-Infinity, -1.5, -1, -5e-324, 0, 5e-324, 1, 1.5, Infinity];
  const bits = (x: number): bigint => {
    buffer.setFloat64(0, x);
    return buffer.getBigUint64(0);
  };
  for (const [i, x] of ordered.entries()) {
    for (const [j, y] of ordered.entries()) {
      const context = new FloatContext();
      assert.equal(compare(decode(F64, bits(x)), decode(F64, bits(y)), true, context), Math.sign(i - j));
    }
  }
  const nan = new FloatContext();
  assert.equal(compare(decode(F64, bits(Number.NaN)), decode(F64, 0n), false, nan), undefined);
  assert.equal(nan.flags, 0);
});

test('integer square roots and lengths', () => {
  const random = new Random('sqrt');
  for (let i = 0; i < 500; i++) {
    const n = random.bits(32 * (1 + random.below(9)));
    const root = integerSqrt(n);
    assert.ok(root * root <= n && (root + 1n) * (root + 1n) > n, n.toString());
    assert.equal(bitLength(n), n === 0n ? 0 : n.toString(2).length);
  }
});
