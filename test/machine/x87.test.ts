// x87 against the real processor: every encoding of opcodes D8 to DF, registers and memory. Measured on AMD (Zen 3).
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Mask, Outcome } from '../native/native.ts';
import { instances, Random, readBits, writeBits } from './float-cases.ts';
import { checkAgainstProcessor, type Instance } from './float-differential.ts';
import { STRICT, type X87Form, x87Case, x87Forms } from './x87-forms.ts';

const C1 = 0x200;
/** What is not compared on processors that details were not measured on. */
const OPEN: Mask = STRICT ? {} : { fsw: C1 };

const TRANSCENDENTAL = /^(F2xm1|Fyl2x|Fyl2xp1|Fptan|Fpatan|Fsin|Fcos|Fsincos)$/;

function casesOf(forms: readonly X87Form[], each: number): Instance[] {
  return forms.flatMap((form) => {
    const random = new Random(form.name + String(form.code));
    return Array.from({ length: each }, () => ({ form: form.name, test: x87Case(form, random) }));
  });
}

const forms = x87Forms();
const plain = forms.filter((form) => !TRANSCENDENTAL.test(form.name));

test('there are forms to test', () => {
  assert.ok(plain.length > 400, String(plain.length));
});

/** Which byte of an operand across two pages a fault names is the processor's choice; the page is not. */
function reconcileAddress(_instance: Instance, native: Outcome, engine: Outcome): void {
  const page = (address: number): number => Math.floor(address / 4096);
  if (native.stop === 'page' && page(native.address) === page(engine.address)) {
    Object.assign(engine, { address: native.address });
  }
}

test('memory forms agree with the processor', (t) => {
  checkAgainstProcessor(
    t,
    casesOf(
      plain.filter((form) => form.instruction.memoryWidth > 0),
      instances(60),
    ),
    { features: ['sse3'], reconcile: reconcileAddress, mask: () => OPEN },
  );
});

test('register forms agree with the processor', (t) => {
  // eight register forms of one kind share the load
  checkAgainstProcessor(
    t,
    casesOf(
      plain.filter((form) => form.instruction.memoryWidth === 0),
      instances(16),
    ),
    { features: ['sse3'], mask: () => OPEN },
  );
});

/** Distance of two extended numbers of one sign in units of the last place. */
function ulps(a: bigint, b: bigint): bigint {
  const rank = (bits: bigint): bigint => (((bits >> 64n) & 0x7fffn) << 63n) + (bits & ((1n << 63n) - 1n));
  if (a >> 79n !== b >> 79n) return 1n << 80n;
  const difference = rank(a) - rank(b);
  return difference < 0n ? -difference : difference;
}

/** Transcendental results are within a unit of the last place of the processor's. */
function reconcile(_instance: Instance, native: Outcome, engine: Outcome): void {
  for (let i = 0; i < 8; i++) {
    const [a, b] = [native, engine].map((o) => readBits(o.fx, 32 + 16 * i, 10));
    if (a !== b && ulps(a, b) <= 1n) writeBits(engine.fx, 32 + 16 * i, a, 10);
  }
}

/**
 * The manual leaves the result open outside of these ranges. At the smallest normal numbers, processors may call a
 * result tiny that rounds to one that is not.
 */
function functionMask({ form, test: { fx } }: Instance): Mask {
  const smallest = [32, 48].some(
    (at) => (Number(readBits(fx, at + 8, 2)) & 0x7fff) <= 1 && readBits(fx, at, 8) >> 63n,
  );
  if (smallest) return { everything: true };
  const exponent = Number(readBits(fx, 32 + 8, 2)) & 0x7fff;
  const sig = readBits(fx, 32, 8);
  const open =
    (form === 'F2xm1' && exponent >= 0x3fff && sig !== 1n << 63n) ||
    (form === 'Fyl2xp1' && exponent >= 0x3ffd);
  return open && exponent !== 0x7fff ? { everything: true } : { fsw: C1 };
}

test('transcendental functions agree with the processor within a unit of the last place', (t) => {
  checkAgainstProcessor(
    t,
    casesOf(
      forms.filter((form) => TRANSCENDENTAL.test(form.name)),
      instances(100),
    ),
    { reconcile, mask: functionMask },
  );
});
