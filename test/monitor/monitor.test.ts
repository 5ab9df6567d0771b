import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boot, ECHO, healthy } from './echo.ts';
import { brief, run } from './kit.ts';

test('monitor: a healthy run has no findings', () => {
  const { findings, notes, summary } = run(ECHO, healthy);
  assert.deepEqual(brief(findings), []);
  assert.deepEqual(notes.map((note) => note.kind), ['bound', 'died']);
  assert.equal(summary.counters.undecided, 0);
  console.log(summary.counters);
});
test('monitor: boot only', () => {
  const { findings } = run(ECHO, boot);
  assert.deepEqual(brief(findings), []);
});
