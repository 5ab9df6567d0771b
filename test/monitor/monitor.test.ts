// The monitor on whole runs of a small service.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observation } from '../../src/telemetry/index.ts';
import { boot, ECHO, healthy } from './echo.ts';
import { brief, event, flow, later, run } from './kit.ts';
import { one, started } from './one.ts';

test('monitor: a healthy run has no findings', () => {
  const { findings, notes, summary } = run(ECHO, healthy);
  assert.deepEqual(brief(findings), []);
  assert.deepEqual(
    notes.map((note) => note.kind),
    ['bound', 'died'],
  );
  const { counters } = summary;
  assert.equal(counters.watched, counters.events + counters.flows);
  assert.deepEqual([counters.undecided, counters.late, counters.foreign, summary.pending], [0, 0, 0, 0]);
});

test('monitor: a trace that ends anywhere has no findings: what did not happen is no deviation', () => {
  for (let n = 0; n <= boot.length; n++) assert.deepEqual(brief(run(ECHO, boot.slice(0, n)).findings), []);
});

test('monitor: at the end of a trace, what may still be open need not have been written', () => {
  const policy = one(`0 > 1 OPEN wca /log\n1 > 2 OPEN r /a\n2 > 3 CLOSE /a\n3 > 4 OPEN r /b\n4 > 5 READ /b`);
  const open = (ms: number, path: string): Observation => flow(ms, ms + 1, 1, `OPEN+CLOSE r ${path}`);
  assert.deepEqual(brief(run(policy, [...started, open(10, '/a'), open(20, '/b')]).findings), []);
  // Once it should have been, or the task has ended, it is missed; and what was closed is missed at once.
  for (const end of [later(), event(30, 1, 'EXIT 0')])
    assert.deepEqual(brief(run(policy, [...started, open(10, '/a'), open(20, '/b'), end]).findings), [
      'out-of-order 1 OPEN r /a',
    ]);
  assert.deepEqual(brief(run(policy, [...started, open(20, '/b')]).findings), ['out-of-order 1 OPEN r /b']);
});
