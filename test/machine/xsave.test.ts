// State that is saved, lost and restored, against the real processor: xsave, xsavec and xrstor of every set of
// components. What the area holds beside the registers (which components count as in use) is up to the processor.

import assert from 'node:assert/strict';
import test from 'node:test';
import { CPU_LEVELS } from '../../src/isa/index.ts';
import { cpuid } from '../../src/machine/cpuid.ts';
import { type Case, DATA, hostFeatures, nativeUnavailable } from '../native/native.ts';
import {
  generalRegisters,
  mxcsrValue,
  Random,
  vectorState,
  vectorValue,
  writeBits,
  x87State,
} from './float-cases.ts';
import { checkAgainstProcessor, type Instance } from './float-differential.ts';

const AREA = DATA + 0x400;
/** [rsi]; REX.W as libraries have it. */
const SAVES = { xsave: [0x48, 0x0f, 0xae, 0x26], xsavec: [0x48, 0x0f, 0xc7, 0x26] } as const;
const XRSTOR = [0x48, 0x0f, 0xae, 0x2e];
/** mov eax,mask */
const components = (mask: number): number[] => [0xb8, mask, 0, 0, 0];
/** fninit; vzeroall; push 0x1f80; ldmxcsr [rsp] */
const LOSE = [0xdb, 0xe3, 0xc5, 0xfc, 0x77, 0x68, 0x80, 0x1f, 0, 0, 0x0f, 0xae, 0x14, 0x24];

function roundTrip(random: Random, save: keyof typeof SAVES): Case {
  const [saved, restored] = [random.below(8), random.below(8)];
  const code = Uint8Array.from([
    ...components(saved),
    ...SAVES[save],
    ...LOSE,
    ...components(restored),
    ...XRSTOR,
  ]);
  const fx = vectorState(random, 'int', mxcsrValue(random));
  x87State(random, fx, { empties: true, pending: false });
  const ymm = new Uint8Array(256);
  if (random.below(4) > 0)
    for (let i = 0; i < 16; i++) writeBits(ymm, 16 * i, vectorValue(random, 'int'), 16);
  const gpr = generalRegisters(random, AREA);
  gpr[2] = 0n;
  // the header starts as zeros
  const patches = [0, 16, 32, 48].map((more) => ({
    offset: AREA + 512 + more - DATA,
    bytes: new Uint8Array(16),
  }));
  return { code, gpr, rflags: 0x202n, fx, ymm, patches };
}

for (const save of ['xsave', 'xsavec'] as const) {
  test(`${save} and xrstor keep the state`, (t) => {
    const reason = nativeUnavailable();
    if (reason !== undefined || !hostFeatures().includes('xsave') || !hostFeatures().includes('avx')) {
      t.skip(reason ?? "the host's processor has no AVX");
      return;
    }
    const random = new Random(save);
    const cases = Array.from(
      { length: 300 },
      (): Instance => ({ form: save, test: roundTrip(random, save) }),
    );
    checkAgainstProcessor(t, cases, {
      features: [...CPU_LEVELS['x86-64-v3']],
      reconcile: (_, native, engine) => Object.assign(engine, { changes: native.changes }),
    });
  });
}

test('cpuid has the sizes of the area', () => {
  const v3 = CPU_LEVELS['x86-64-v3'];
  assert.deepEqual(cpuid(0xd, 0, v3), [7, 832, 832, 0]);
  assert.deepEqual(cpuid(0xd, 2, v3), [256, 576, 0, 0]);
  assert.deepEqual(cpuid(0xd, 0, CPU_LEVELS['x86-64-v2']), [0, 0, 0, 0]);
  assert.equal(cpuid(0, 0, v3)[0], 0xd);
});
