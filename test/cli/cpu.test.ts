// The levels of --cpu.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import { CPU_NAMES, cpuNamed, DEFAULT_CPU } from '../../src/cli/cpu.ts';
import { cpuid } from '../../src/machine/cpuid.ts';

const has = (level: string, leaf: number, register: number, bit: number): boolean =>
  ((cpuid(leaf, 0, cpuNamed(level))[register] >>> bit) & 1) === 1;

test('levels have what the psABI says of them, and cpuid says so', () => {
  assert.equal(CPU_NAMES, 'x86-64|x86-64-v2|x86-64-v3');
  assert.equal(cpuNamed(DEFAULT_CPU).size, 0);
  // leaf 1 ecx: SSE3, FMA, CMPXCHG16B, SSE4.2, MOVBE, OSXSAVE, AVX, F16C
  const bits = (level: string): boolean[] =>
    [0, 12, 13, 20, 22, 27, 28, 29].map((bit) => has(level, 1, 2, bit));
  assert.deepEqual(bits('x86-64'), [false, false, false, false, false, false, false, false]);
  assert.deepEqual(bits('x86-64-v2'), [true, false, true, true, false, false, false, false]);
  assert.deepEqual(bits('x86-64-v3'), [true, true, true, true, true, true, true, true]);
  // leaf 7 ebx: BMI1, AVX2, BMI2
  for (const bit of [3, 5, 8]) {
    assert.equal(has('x86-64-v2', 7, 1, bit), false);
    assert.equal(has('x86-64-v3', 7, 1, bit), true);
  }
});

test('a level that there is not', () => {
  assert.throws(() => cpuNamed('x86-64-v9'), InputError);
});
