// Runs cases natively and in the engines and reports differences, for the vector and floating-point tests.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Feature } from '../../src/isa/index.ts';
import { chosenFor, runTested, TESTED_ENGINES } from '../native/engines.ts';
import {
  type Case,
  compare,
  describe,
  type Mask,
  nativeUnavailable,
  type Outcome,
  runNative,
} from '../native/native.ts';

export interface Instance {
  readonly form: string;
  readonly test: Case;
}

export interface Options {
  readonly features?: readonly Feature[];
  /** What may differ in this case. */
  readonly mask?: (instance: Instance) => Mask;
  /** Makes the engine's outcome equal where a difference is allowed by more than a mask. */
  readonly reconcile?: (instance: Instance, native: Outcome, engine: Outcome) => void;
}

const SHOWN = Number(process.env['EFFIGY_SHOW'] ?? 40);

/** Fails with the first differences, all of them counted by form. */
export function checkAgainstProcessor(
  t: TestContext,
  instances: readonly Instance[],
  options: Options = {},
): void {
  const reason = nativeUnavailable();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  const cases = instances.map((instance) => instance.test);
  const native = runNative(cases);
  const counts = new Map<string, number>();
  const shown: string[] = [];
  let compared = 0;
  const compareOne = (engine: string, instance: Instance, expected: Outcome, actual: Outcome): void => {
    options.reconcile?.(instance, expected, actual);
    compared++;
    const differences = compare(expected, actual, options.mask?.(instance) ?? {});
    if (differences.length === 0) return;
    const count = (counts.get(instance.form) ?? 0) + 1;
    counts.set(instance.form, count);
    if (count <= 3 && shown.length < SHOWN)
      shown.push(
        `${instance.form} (${engine}): ${describe(instance.test)}\n    ${context(instance.test)}\n    ${differences.join('\n    ')}`,
      );
  };
  const forms = instances.map((instance) => instance.form);
  for (const engine of TESTED_ENGINES) {
    const chosen = chosenFor(engine, forms);
    const outcomes = runTested(
      engine,
      chosen.map((i) => cases[i]),
      options.features ?? [],
    );
    for (const [k, i] of chosen.entries()) compareOne(engine.name, instances[i], native[i], outcomes[k]);
  }
  const total = [...counts.values()].reduce((a, b) => a + b, 0);
  const summary = [...counts].map(([form, count]) => `${form}: ${count}`).join(', ');
  assert.equal(total, 0, `${total} of ${compared} differ (${summary})\n${shown.join('\n')}`);
  t.diagnostic(`${cases.length} cases agree, ${compared} runs`);
}

const hex = (bytes: Uint8Array, at: number, size: number): string =>
  [...bytes.subarray(at, at + size)]
    .reverse()
    .map((b) => b.toString(16).padStart(2, '0'))
    .join('');

/** The inputs that matter, on one line. */
function context(c: Case): string {
  const xmm = [0, 1, 2, 3].map((i) => hex(c.fx, 160 + 16 * i, 16)).join(' ');
  const st = [0, 1, 2].map((i) => hex(c.fx, 32 + 16 * i, 10)).join(' ');
  const memory = c.patches.map((p) => hex(p.bytes, 0, p.bytes.length)).join(' ');
  return `mxcsr ${hex(c.fx, 24, 4)} fcw ${hex(c.fx, 0, 2)} fsw ${hex(c.fx, 2, 2)} ftw ${hex(c.fx, 4, 1)} st ${st} xmm0-3 ${xmm} memory ${memory}`;
}
