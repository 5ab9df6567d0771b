// Times that are wrong: one record far ahead of its neighbours moves no clock; time that has passed does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observation } from '../../src/telemetry/index.ts';
import { boot, CLIENT, ECHO, healthy } from './echo.ts';
import { brief, flow, run } from './kit.ts';

const hour = 3_600_000;
const wild = (ms: number): Observation => flow(7.5, ms, 10, 'WRITE /dev/pts/0', { cut: true, fd: 1 });

test('clock: a record far ahead is counted and named, and nothing else is judged differently', () => {
  for (const ahead of [hour, 24 * 365 * hour]) {
    for (let at = boot.length; at < healthy.length; at++) {
      const told = [...healthy.slice(0, at), wild(ahead), ...healthy.slice(at)];
      const { findings, notes, summary } = run(ECHO, told);
      assert.deepEqual(brief(findings), [], `at ${at}`);
      assert.deepEqual([summary.counters.ahead, summary.counters.late], [1, 0], `at ${at}`);
      assert.equal(notes.filter((note) => note.kind === 'ahead').length, 1);
    }
  }
});

test('clock: order is still judged after a record far ahead', () => {
  const swapped = [
    flow(105, 106, 10, `ACCEPT+READ+CLOSE ${CLIENT}`),
    flow(90, 90, 10, 'READ /etc/echo.conf'),
  ];
  const plain = run(ECHO, [...boot, ...swapped]);
  const odd = run(ECHO, [...boot, wild(24 * 365 * hour), ...swapped]);
  assert.deepEqual(brief(odd.findings), brief(plain.findings));
  assert.equal(odd.summary.counters.late, 0);
});

test('clock: after a quiet night the records agree with each other', () => {
  const night = 9 * hour;
  const later = [0, 100, 200, 300].map((ms) =>
    flow(night + ms, night + ms + 10, 10, `ACCEPT+READ+CLOSE ${CLIENT}`),
  );
  const { findings, summary } = run(ECHO, [...boot, ...later]);
  assert.deepEqual(brief(findings), []);
  assert.equal(summary.counters.ahead, 0);
  // What the wall clock says can't be agreed away.
  const begin = 1_600_000_000_000_000_000n;
  const walled = run(ECHO, [...boot, ...later], { wall: () => begin + 60_000_000_000n });
  assert.deepEqual(brief(walled.findings), []);
  assert.equal(walled.summary.counters.ahead, later.length);
});
