// The fast engine against the reference engine: the same cases, outcomes equal in everything, undefined flags included.
// EFFIGY_DIFF=200 for a long run, EFFIGY_SEED for another one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disassemble, FEATURES } from '../../src/isa/index.ts';
import { createFastEngine, createReferenceEngine, type Engine } from '../../src/machine/index.ts';
import { decodeOne, encode, formOf, makeCase } from '../native/instances.ts';
import { type Case, compare, describe, type Outcome, runEngine } from '../native/native.ts';
import { instancesPerForm, Random, runSeed } from '../native/random.ts';
import { Random as FloatRandom } from './float-cases.ts';
import {
  formName,
  parseForms,
  SSE_APPROXIMATE,
  SSE_EXTENDED,
  SSE_FLOAT,
  SSE_MOVES,
  SSE_PACKED,
  makeCase as sseCase,
} from './sse-forms.ts';
import { x87Case, x87Forms } from './x87-forms.ts';

const features = new Set(FEATURES);

/** The engine with a smaller budget: what does not end by then is compared where it is. */
const limited = (engine: Engine): Engine => ({
  executed: 0,
  run: (registers, space, budget) => engine.run(registers, space, Math.min(budget, 2000)),
});

/** Asserts that both engines do the same in every case, the fast one in its interpreter and translating at once. */
function agree(cases: readonly Case[]): void {
  const expected = runEngine(cases, [...features], limited(createReferenceEngine({ features })));
  for (const eager of [false, true, 'compact'] as const)
    differ(cases, expected, runEngine(cases, [...features], limited(createFastEngine({ features, eager }))));
}

function differ(cases: readonly Case[], expected: readonly Outcome[], actual: readonly Outcome[]): void {
  const found: string[] = [];
  for (const [i, c] of cases.entries()) {
    const differences = compare(expected[i], actual[i]);
    if (differences.length > 0)
      found.push(`${describe(c)}\n${listing(c.code)}\n    ${differences.join('\n    ')}`);
  }
  assert.equal(
    found.length,
    0,
    `${found.length} of ${cases.length} differ (native is the reference):\n${found.slice(0, 12).join('\n')}`,
  );
}

function listing(code: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < code.length; ) {
    const length = decodeOne(code.subarray(at, at + 15))?.length ?? 1;
    lines.push(`      ${disassemble(code.subarray(at, at + length), at)}`);
    at += length;
  }
  return lines.join('\n');
}

/** Random instances of all forms of the opcode maps, at most `perForm` of each. */
function generate(random: Random, perForm: number): Case[] {
  const counts = new Map<string, number>();
  const cases: Case[] = [];
  for (let map = 0; map < 3; map++) {
    for (let opcode = 0; opcode < 256; opcode++) {
      for (let dry = 0; dry < 4 + 6 * perForm; ) {
        const bytes = encode(random, map, opcode);
        const instance = bytes === undefined ? undefined : makeCase(random, bytes);
        const count = instance === undefined ? perForm : (counts.get(formOf(instance.instruction)) ?? 0);
        if (instance === undefined || count >= perForm) dry++;
        else {
          counts.set(formOf(instance.instruction), count + 1);
          cases.push(instance.test);
        }
      }
    }
  }
  return cases;
}

test('every form of the opcode maps', () => {
  agree(generate(new Random(runSeed()), instancesPerForm(1)));
});

test('vectors and floating point', () => {
  const random = new FloatRandom(String(runSeed()));
  const forms = [SSE_MOVES, SSE_PACKED, SSE_FLOAT, SSE_EXTENDED, SSE_APPROXIMATE].flatMap(parseForms);
  assert.ok(formName(forms[0]).length > 0);
  agree(forms.flatMap((form) => Array.from({ length: instancesPerForm(2) }, () => sseCase(form, random))));
});

test('x87', () => {
  const random = new FloatRandom(String(runSeed()));
  agree(
    x87Forms().flatMap((form) =>
      Array.from({ length: Math.ceil(instancesPerForm(1) / 2) }, () => x87Case(form, random)),
    ),
  );
});

/** Several instructions in a row: values and flags live across them. */
function sequences(random: Random, pool: readonly Case[], count: number): Case[] {
  return Array.from({ length: count }, () => {
    const first = random.pick(pool);
    const code: number[] = [...first.code];
    for (let i = 0; i < 8; i++) {
      const next = random.pick(pool).code;
      if (code.length + next.length <= 60) code.push(...next);
    }
    return { ...first, code: Uint8Array.from(code) };
  });
}

test('sequences of instructions', () => {
  const random = new Random(runSeed() + 1);
  const all = generate(random, 1);
  const alone = runEngine(all, [...features], limited(createReferenceEngine({ features })));
  const pool = all.filter((_, i) => alone[i].stop === 'end');
  agree(sequences(random, pool, 12 * instancesPerForm(40)));
});
