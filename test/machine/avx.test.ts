// AVX, AVX2, FMA, F16C and the BMI sets (all VEX forms that are lifted) against the real processor.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { CPU_LEVELS, flagFacts } from '../../src/isa/index.ts';
import { hostFeatures, nativeUnavailable, type Outcome } from '../native/native.ts';
import { type VexForm, vexCase, vexForms } from './avx-forms.ts';
import { instances, Random, readBits, writeBits } from './float-cases.ts';
import { checkAgainstProcessor, type Instance, type Options } from './float-differential.ts';

const FORMS = vexForms();
const FEATURES = [...CPU_LEVELS['x86-64-v3']];

function lacking(): string | undefined {
  const host = new Set<string>(nativeUnavailable() === undefined ? hostFeatures() : []);
  const missing = FEATURES.filter((feature) => !host.has(feature));
  return missing.length === 0 ? undefined : `the host's processor lacks ${missing.join(' ')}`;
}

function check(t: TestContext, choose: (form: VexForm) => boolean, options: Options = {}): void {
  const reason = nativeUnavailable() ?? lacking();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  const cases = FORMS.filter(choose).flatMap((form): Instance[] => {
    const random = new Random(form.name);
    return Array.from({ length: instances(6) }, () => ({ form: form.name, test: vexCase(form, random) }));
  });
  assert.ok(cases.length > 0);
  checkAgainstProcessor(t, cases, {
    features: FEATURES,
    mask: ({ test: c }) => ({ rflags: flagFacts(c.code).undefined }),
    ...options,
  });
}

const FLOAT = /^V(add|sub|mul|div|min|max|sqrt|cmp|h|round|dp|cvt|f[mn]|u?comis)/;
const APPROXIMATE = /^Vr(sqrt|cp)/;
const family = (form: VexForm): string => form.name.slice('VEX_'.length);
const isFloat = (form: VexForm): boolean => FLOAT.test(family(form));
const isGather = (form: VexForm): boolean => form.vsib;

test('general-purpose forms agree with the processor', (t) => {
  check(t, (form) => !family(form).startsWith('V'));
});

test('moves, integers and permutations agree with the processor', (t) => {
  check(
    t,
    (form) =>
      family(form).startsWith('V') && !isFloat(form) && !isGather(form) && !APPROXIMATE.test(family(form)),
  );
});

/**
 * A 256-bit operation is two of 128 bits: where an unmasked exception stops the first one, the flags of the other half's
 * operands are not in MXCSR.
 */
function reconcileFlags({ form }: Instance, native: Outcome, engine: Outcome): void {
  if (form.includes('ymm') && native.stop === 'float' && engine.stop === 'float')
    engine.fx[24] = (engine.fx[24] & ~0x3f) | (native.fx[24] & 0x3f);
}

test('floating point agrees with the processor', (t) => {
  check(t, isFloat, { reconcile: reconcileFlags });
});

test('gathers agree with the processor', (t) => {
  check(t, isGather);
});

test('approximations are within the bound of the processor', (t) => {
  const reconcile = (_instance: Instance, native: Outcome, engine: Outcome): void => {
    for (const [from, to, start, end] of [
      [native.fx, engine.fx, 160, 416],
      [native.ymm, engine.ymm, 0, 256],
    ] as const) {
      for (let at = start; at < end; at += 4) {
        const [a, b] = [from, to].map((bytes) => readBits(bytes, at, 4));
        const float = (bits: bigint): number => new Float32Array(new Uint32Array([Number(bits)]).buffer)[0];
        const near = Math.abs(float(a) - float(b)) <= 3 * 2 ** -12 * Math.abs(float(a));
        if (near || Math.abs(float(a)) + Math.abs(float(b)) <= 2 ** -125) writeBits(to, at, a, 4);
      }
    }
  };
  check(t, (form) => APPROXIMATE.test(family(form)), { reconcile });
});

test('the list of forms is complete', () => {
  assert.ok(FORMS.length > 600, `${FORMS.length} forms`);
});
