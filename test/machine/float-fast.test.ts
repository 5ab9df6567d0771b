// Floating point that translated code does itself against the reference: results and MXCSR, with flags set before and
// not, on values at which rounding, underflow, overflow and exactness change sides. EFFIGY_DIFF for more values.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createFastEngine,
  createMemory,
  createReferenceEngine,
  createRegisters,
  type Engine,
  type PagedSpace,
  PROT,
} from '../../src/machine/index.ts';
import { instancesPerForm, Random, runSeed } from '../native/random.ts';

const CODE = 0x401000;
const SPACING = 16;

/** xmm0 and xmm1 are the operands, rax the integer one and the result of conversions. */
const ARITHMETIC = ['51', '58', '59', '5c', '5d', '5e', '5f'].flatMap((op) => [
  [64, `f20f${op}c1`],
  [32, `f30f${op}c1`],
  [64, `660f${op}c1`],
  [32, `0f${op}c1`],
]);
const COMPARISONS = [
  ...['2e', '2f'].flatMap((op) => [
    [64, `660f${op}c1`],
    [32, `0f${op}c1`],
  ]),
  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((p) => [
    [64, `f20fc2c10${p}`],
    [32, `f30fc2c10${p}`],
    [64, `660fc2c10${p}`],
    [32, `0fc2c10${p}`],
  ]),
];
const CONVERSIONS = [
  ...['2a', '2c', '2d'].flatMap((op) =>
    ['c1', '48'].flatMap((wide) =>
      ['f2', 'f3'].map((prefix) => [
        prefix === 'f2' ? 64 : 32,
        wide === '48' ? `${prefix}480f${op}c1` : `${prefix}0f${op}c1`,
      ]),
    ),
  ),
  [64, 'f20f5ac1'],
  [32, 'f30f5ac1'],
  [64, '660f5ac1'],
  [32, '0f5ac1'],
  [32, '0f5bc1'],
  [64, 'f30fe6c1'],
];
const FORMS = [...ARITHMETIC, ...COMPARISONS, ...CONVERSIONS] as unknown as readonly (readonly [
  32 | 64,
  string,
])[];

const bits64 = (value: number): bigint => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
};
const bits32 = (value: number): bigint => {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
};

const PLAIN = [0, -0, 1, -1, 1.5, 3, 0.1, -2.5, 10, 1e10, 0.5, 2 ** 31, -(2 ** 31), 2 ** 24 + 2, Infinity];
const VALUES64: readonly bigint[] = [
  ...PLAIN.map(bits64),
  ...[2 ** 53, 2 ** 53 - 1, 2 ** 63, -(2 ** 63), 2 ** 31 - 0.5, 2 ** -1022, 2 ** -1021, 2 ** -511].map(
    bits64,
  ),
  ...[Number.MAX_VALUE, 2 ** 1023, 2 ** -1074, 2 ** -53, 1 + 2 ** -52, 1 - 2 ** -53, 2 ** 512, 1e-300].map(
    bits64,
  ),
  ...[2 ** 128, 2 ** -126, 2 ** -149, 2 ** -127 * 1.5, 3.4028235677973366e38].map(bits64),
  0x7ff8000000000000n,
  0x7ff0000000000001n,
  0xfff8000000000123n,
  0x000fffffffffffffn,
  0x800fffffffffffffn,
  0x3fefffffffffffffn,
  0x0010000000000001n,
];
const VALUES32: readonly bigint[] = [
  ...PLAIN.map(bits32),
  ...[2 ** 24, 2 ** 24 - 1, 2 ** 63, 2 ** -126, 2 ** -125, 2 ** -63, 2 ** 127, 2 ** -149, 2 ** -24].map(
    bits32,
  ),
  ...[1 + 2 ** -23, 1 - 2 ** -24, 2 ** 64, 1e-30, 2 ** 31 - 128].map(bits32),
  0x7f7fffffn,
  0x7fc00000n,
  0x7f800001n,
  0xffc00123n,
  0x007fffffn,
  0x807fffffn,
  0x3f7fffffn,
  0x00800001n,
];
const INTEGERS: readonly bigint[] = [
  ...[0n, 1n, 2n ** 24n, 2n ** 24n + 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 63n - 1n, 2n ** 31n],
  ...[2n ** 64n - 1n, 2n ** 64n - 2n ** 53n, 2n ** 64n - 2n ** 53n - 1n, 2n ** 64n - 2n ** 24n - 1n],
];
/** As at the start; with PE; all flags; PE and others; rounding up; flushing; an exception not masked. */
const CONTROLS = [0x1f80, 0x1fa0, 0x1fbf, 0x1fa1, 0x5fa0, 0x9fa0, 0x1fe0, 0x0fa0];

interface Inputs {
  readonly form: number;
  readonly a: readonly [bigint, bigint];
  readonly b: readonly [bigint, bigint];
  readonly rax: bigint;
  readonly mxcsr: number;
}

function outcome(engine: Engine, space: PagedSpace, inputs: Inputs): unknown {
  const registers = createRegisters();
  registers.rip = CODE + inputs.form * SPACING;
  registers.gpr[0] = 0x1122_3344_5566_7788n;
  registers.gpr[1] = inputs.rax;
  registers.rflags = 0xad7n & ~0x100n;
  registers.xmm.set([...inputs.a, ...inputs.b]);
  registers.mxcsr = inputs.mxcsr;
  const stop = engine.run(registers, space, 10);
  const { mxcsr, rflags, rip } = registers;
  return { stop, mxcsr, rflags, rip, rax: registers.gpr[0], xmm: [...registers.xmm.subarray(0, 4)] };
}

function spaceOf(): PagedSpace {
  const space = createMemory().createAddressSpace();
  space.map({ address: CODE, length: 0x2000, prot: PROT.READ | PROT.WRITE | PROT.EXEC });
  FORMS.forEach(([, code], i) => {
    space.write(CODE + i * SPACING, Uint8Array.from(Buffer.from(`${code}cc`, 'hex')));
  });
  return space;
}

function random(source: Random, lane: 32 | 64, near: bigint): bigint {
  const width = BigInt(lane);
  switch (source.below(4)) {
    case 0:
      return BigInt.asUintN(lane, near + BigInt(source.below(9)) - 4n);
    case 1:
      return BigInt.asUintN(lane, source.wide());
    case 2:
      return lane === 64 ? bits64(source.below(2000) - 1000) : bits32(source.below(2000) - 1000);
    default:
      // a random fraction with a moderate exponent
      return (
        BigInt.asUintN(lane - 12, source.wide()) |
        ((lane === 64 ? 0x3f0n + BigInt(source.below(32)) : 0x3fn) << (width - 12n))
      );
  }
}

test('values at which something changes, and random ones: as the reference, in both tiers', () => {
  const source = new Random(runSeed() + 7);
  const reference = createReferenceEngine();
  const engines = [createFastEngine(), createFastEngine({ eager: true })];
  const [wanted, ...spaces] = [reference, ...engines].map(spaceOf);
  const count = instancesPerForm(60) * 2;
  for (let form = 0; form < FORMS.length; form++) {
    const lane = FORMS[form][0];
    const values = lane === 64 ? VALUES64 : VALUES32;
    const pick = (): bigint => {
      const value = values[source.below(values.length)];
      return source.chance(70) ? value : random(source, lane, value);
    };
    const vector = (): [bigint, bigint] =>
      lane === 64
        ? [pick(), source.chance(40) ? bits64(1) : pick()]
        : [
            pick() | (pick() << 32n),
            source.chance(40) ? bits32(1) * 0x1_0000_0001n : pick() | (pick() << 32n),
          ];
    for (let i = 0; i < count; i++) {
      const inputs: Inputs = {
        form,
        a: vector(),
        b: vector(),
        rax: source.chance(70) ? INTEGERS[source.below(INTEGERS.length)] : source.wide(),
        mxcsr: CONTROLS[source.chance(80) ? source.below(2) : source.below(CONTROLS.length)],
      };
      const expected = outcome(reference, wanted, inputs);
      for (const [k, engine] of engines.entries()) {
        const text = `${FORMS[form][1]}, ${k === 0 ? 'interpreter' : 'regions'}, ${JSON.stringify(inputs, (_, v) => (typeof v === 'bigint' ? v.toString(16) : v))}`;
        assert.deepEqual(outcome(engine, spaces[k], inputs), expected, text);
      }
    }
  }
});
