// SSE, SSE2 and MMX against the real processor: every form, edge values, varied MXCSR.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Outcome } from '../native/native.ts';
import { instances, Random, readBits, writeBits } from './float-cases.ts';
import { checkAgainstProcessor, type Instance } from './float-differential.ts';
import {
  type Form,
  formName,
  makeCase,
  parseForms,
  SSE_APPROXIMATE,
  SSE_EXTENDED,
  SSE_FLOAT,
  SSE_MOVES,
  SSE_PACKED,
} from './sse-forms.ts';

function casesOf(forms: readonly Form[], each: number): Instance[] {
  return forms.flatMap((form) => {
    const random = new Random(formName(form));
    return Array.from({ length: each }, () => ({ form: formName(form), test: makeCase(form, random) }));
  });
}

test('moves agree with the processor', (t) => {
  checkAgainstProcessor(t, casesOf(parseForms(SSE_MOVES), instances(24)));
});

test('packed integers and shuffles, MMX with them, agree with the processor', (t) => {
  // whether the transition to MMX stays when the store faults differs between processors
  checkAgainstProcessor(t, casesOf(parseForms(SSE_PACKED), instances(16)), {
    reconcile: ({ form }, native, engine) => {
      if (form.startsWith('maskmovq') && native.stop === 'page') Object.assign(engine, { fx: native.fx });
    },
  });
});

/** FXSAVE tells which MXCSR bits the processor has: AMD's one more than the guest's. */
function reconcileMask({ form }: Instance, native: Outcome, engine: Outcome): void {
  if (!form.startsWith('fxsave')) return;
  for (const [offset, value] of native.changes) {
    const ours = engine.changes.get(offset);
    if (ours !== undefined && value - ours === 0x2_0000_0000_0000n)
      (engine.changes as Map<number, bigint>).set(offset, value);
  }
}

test('floating-point arithmetic, comparisons and conversions agree with the processor', (t) => {
  checkAgainstProcessor(t, casesOf(parseForms(SSE_FLOAT), instances(40)), { reconcile: reconcileMask });
});

test('SSE3 to SSE4.2 agree with the processor', (t) => {
  checkAgainstProcessor(t, casesOf(parseForms(SSE_EXTENDED), instances(16)), {
    features: ['sse3', 'ssse3', 'sse4.1', 'sse4.2'],
  });
});

/** Both within the bound that the manuals give, so at most twice it apart. */
function reconcileApproximations(_instance: Instance, native: Outcome, engine: Outcome): void {
  for (let at = 160; at < 416; at += 4) {
    const [a, b] = [native, engine].map((o) => readBits(o.fx, at, 4));
    if (a === b) continue;
    const float = (bits: bigint): number => new Float32Array(new Uint32Array([Number(bits)]).buffer)[0];
    if (Math.abs(float(a) - float(b)) <= 3 * 2 ** -12 * Math.abs(float(a))) writeBits(engine.fx, at, a, 4);
    // a result at the edge of the normal numbers may be flushed by the one and not by the other
    if (Math.abs(float(a)) + Math.abs(float(b)) <= 2 ** -125) writeBits(engine.fx, at, a, 4);
  }
}

test('approximations are within the bound of the processor', (t) => {
  checkAgainstProcessor(t, casesOf(parseForms(SSE_APPROXIMATE), instances(40)), {
    reconcile: reconcileApproximations,
  });
});

test('the tables of forms name each encoding once', () => {
  const forms = [SSE_MOVES, SSE_PACKED, SSE_FLOAT, SSE_EXTENDED, SSE_APPROXIMATE].flatMap(parseForms);
  const encodings = forms.map(
    (f) =>
      `${f.prefix} ${f.wide} ${f.opcode.join()} ${f.reg >= '0' && f.reg <= '9' ? f.reg : ''} ${f.rmClass} ${f.reg}`,
  );
  assert.equal(new Set(encodings).size, encodings.length);
});
