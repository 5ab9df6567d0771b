// AVX, AVX2, FMA, F16C and the BMI sets (all VEX forms that are lifted) against the real processor.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { CPU_LEVELS, flagFacts, Lifter, parseBlock, printBlock, validateBlock } from '../../src/isa/index.ts';
import { hostFeatures, nativeUnavailable, type Outcome } from '../native/native.ts';
import { type VexForm, vexCase, vexForms } from './avx-forms.ts';
import { instances, Random, readBits, writeBits } from './float-cases.ts';
import { checkAgainstProcessor, type Instance, type Options } from './float-differential.ts';
import { parseForms, SSE_MOVES, SSE_PACKED, makeCase as sseCase } from './sse-forms.ts';

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

const APPROXIMATES = (form: VexForm): boolean => APPROXIMATE.test(family(form));

/** Instructions in a row over the state of the first, SSE ones among them: halves of registers go from one to the next. */
function sequence(random: Random, pool: readonly VexForm[]): Instance {
  const first = vexCase(random.pick(pool), random);
  const code = [...first.code];
  for (let tries = 0; tries < 12; tries++) {
    const next =
      random.below(4) === 0
        ? sseCase(random.pick(SSE), random).code
        : vexCase(random.pick(pool), random).code;
    if (code.length + next.length <= 60) code.push(...next);
  }
  return { form: String(random.below(40)), test: { ...first, code: Uint8Array.from(code) } };
}

const SSE = [...parseForms(SSE_PACKED), ...parseForms(SSE_MOVES)].filter(
  (form) => form.memory === 16 && !form.memoryOnly && form.rmClass === 'x',
);

test('sequences agree with the processor', (t) => {
  const random = new Random('sequences');
  const reason = nativeUnavailable() ?? lacking();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  // registers that hold addresses stay, and flags that the manual leaves undefined do not arise
  const pool = FORMS.filter(
    (form) =>
      family(form).startsWith('V') &&
      !form.vsib &&
      !APPROXIMATES(form) &&
      !/_r(32|64)|rm(32|64)|maskmovdqu/.test(form.name),
  );
  const cases = Array.from({ length: 40 * instances(10) }, () => sequence(random, pool));
  checkAgainstProcessor(t, cases, {
    features: FEATURES,
    reconcile: (instance, native, engine) => reconcileFlags({ ...instance, form: 'ymm' }, native, engine),
  });
});

test('lifted VEX forms keep the rules of IR, and their text parses back', () => {
  const lifter = new Lifter(CPU_LEVELS['x86-64-v3']);
  for (const form of FORMS) {
    const random = new Random(form.name);
    for (let i = 0; i < 3; i++) {
      const block = lifter.lift(vexCase(form, random).code, 0x1000, 1);
      assert.ok(block !== undefined);
      assert.deepEqual(validateBlock(block), [], form.name);
      assert.deepEqual(parseBlock(printBlock(block)), block);
    }
  }
});

test('the list of forms is complete', () => {
  assert.ok(FORMS.length > 600, `${FORMS.length} forms`);
});
