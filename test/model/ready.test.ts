// When a service got ready, and when a run has shown nothing new for long.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Attempt, ScenarioTrace, Step } from '../../src/explore/index.ts';
import { longQuiet } from '../../src/model/quiet.ts';
import { gotReady, mayReady } from '../../src/model/ready.ts';

const M = 1_000_000;
const accept: Step = {
  kind: 'effect',
  event: {
    sequence: 0,
    pid: 1,
    tid: 1,
    parentPid: 0,
    exe: '/srv',
    effect: { op: 'ACCEPT', access: '', resource: { kind: 'none' } },
    result: 3,
    syscall: 'accept',
    args: [],
    stack: [],
    stackCut: false,
  },
};
const run = (instructions: number, changes: Partial<ScenarioTrace> = {}): ScenarioTrace => ({
  name: '',
  steps: [accept],
  chosen: '',
  ended: false,
  answers: ['ok'],
  instructions,
  marks: [],
  ...changes,
});
const attempt = (trace: ScenarioTrace, again: ScenarioTrace, complete = true): Attempt => ({
  trace,
  complete,
  again: () => again,
  adopt: () => {},
  drop: () => {},
});

test('a service is ready where the same takes much less, and is served as well', () => {
  const cases: readonly (readonly [string, Attempt, boolean])[] = [
    ['much less', attempt(run(200 * M), run(3 * M)), true],
    ['half', attempt(run(200 * M), run(100 * M)), true],
    ['little less', attempt(run(200 * M), run(150 * M)), false],
    ['little at all', attempt(run(5 * M), run(1 * M)), false],
    ['no client is taken any more', attempt(run(200 * M), run(1 * M, { steps: [] })), false],
    ['clients get no answer any more', attempt(run(200 * M), run(1 * M, { answers: [''] })), false],
    ['it ends the next time', attempt(run(200 * M), run(1 * M, { ended: true })), false],
    ['it ended', attempt(run(200 * M, { ended: true }), run(1 * M)), false],
    ['it was not played to its end', attempt(run(200 * M), run(1 * M), false), false],
  ];
  for (const [name, each, ready] of cases) assert.equal(mayReady(each) && gotReady(each), ready, name);
});

test('several scenarios together may get it ready', () => {
  const each = attempt(run(12 * M), run(11 * M));
  assert.equal(gotReady(each), false);
  assert.equal(gotReady(each, 50 * M), true);
});

test('a run is quiet so many instructions after the last new step', () => {
  const steps: Step[] = [];
  const quiet = longQuiet((step) => step === accept);
  assert.equal(quiet(steps, 50 * M), false);
  steps.push(accept);
  assert.equal(quiet(steps, 55 * M), false);
  steps.push({ ...accept });
  assert.equal(quiet(steps, 110 * M), false);
  assert.equal(quiet(steps, 116 * M), true);
});
