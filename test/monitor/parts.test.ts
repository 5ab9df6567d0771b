// Lives known in part: mid-life, rotation, lost and late records, bounded memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observation } from '../../src/telemetry/index.ts';
import { boot, ECHO, end, healthy, serve } from './echo.ts';
import { brief, container, event, flow, gap, process, run, stream } from './kit.ts';
import { one, started } from './one.ts';

const reup = (more: Parameters<typeof process>[2]): Observation =>
  process(0, 10, { exe: '/srv/echo', args: '/etc/echo.conf', again: true, ...more });

test('parts: a monitor that comes in mid-life resynchronizes and says so', () => {
  const { findings, notes, summary } = run(ECHO, [stream(), container(), reup({}), ...serve]);
  assert.deepEqual(brief(findings), []);
  assert.deepEqual(
    notes.map(({ kind }) => kind),
    ['bound', 'mid-life'],
  );
  assert.equal(summary.containers[0].fromStart, false);
  // What the program never does is found nevertheless, and so is a program that is none of the policy's.
  assert.equal(run(ECHO, [container(), reup({}), flow(1, 2, 10, 'OPEN r /etc/shadow')]).findings.length, 1);
  assert.deepEqual(brief(run(ECHO, [container(), reup({ exe: '/tmp/miner', args: '' })]).findings), [
    'foreign-program 10 EXEC /tmp/miner',
  ]);
  // Arguments may have been overwritten by the program.
  assert.deepEqual(brief(run(ECHO, [container(), reup({ args: 'echo: worker' }), ...serve]).findings), []);
});

test('parts: entities written again on rotation are no news', () => {
  const again = [
    stream(),
    container(),
    process(99, 1, { exe: '/usr/bin/dash', args: '/entry.sh', entry: true, again: true }),
    process(99, 10, { parent: 1, exe: '/srv/echo', args: '/etc/echo.conf', again: true }),
  ];
  const { findings, notes } = run(ECHO, [...boot, ...again, ...serve, ...again, ...end]);
  assert.deepEqual(brief(findings), []);
  assert.deepEqual(
    notes.map(({ kind }) => kind),
    ['bound', 'died'],
  );
  assert.equal(
    run(ECHO, [...boot, ...again, flow(300, 301, 10, 'OPEN+READ r /etc/echo.conf')]).findings.length,
    0 + 1,
  );
});

test('parts: lost records resynchronize, are said and counted', () => {
  const { findings, notes, summary } = run(ECHO, [...boot.slice(0, -1), gap(3), ...serve]);
  assert.deepEqual(brief(findings), []);
  assert.deepEqual(
    notes.map(({ kind }) => kind),
    ['bound', 'gap'],
  );
  assert.deepEqual([summary.counters.lostRecords, summary.counters.gaps], [3, 1]);
  // The verdict at once stands.
  assert.equal(
    run(ECHO, [...boot.slice(0, -1), gap(), flow(300, 301, 10, 'OPEN r /etc/shadow')]).findings.length,
    1,
  );
  // And order is held again after it.
  const chain = one('0 > 1 OPEN r /a\n1 > 2 OPEN r /b\n2 > 3 OPEN r /c');
  const later = [flow(200_000, 200_000, 1, 'OPEN r /c'), flow(200_001, 200_001, 1, 'OPEN r /b')];
  assert.deepEqual(brief(run(chain, [...started, gap(), ...later]).findings), ['out-of-order 1 OPEN r /b']);
});

test('parts: a gap excuses only what began before it', () => {
  const late = process(400, 60, { exe: '/srv/echo', args: '/etc/echo.conf', created: 400 });
  const early = process(400, 60, { exe: '/srv/echo', args: '/etc/echo.conf', created: 100 });
  const act = flow(401, 402, 60, 'OPEN+READ+CLOSE r /etc/echo.conf', { created: 400 });
  assert.deepEqual(brief(run(ECHO, [...boot, ...serve, gap(), late, act]).findings).slice(0, 1), [
    'unknown-task 60 EXEC /srv/echo /etc/echo.conf',
  ]);
  assert.deepEqual(brief(run(ECHO, [...boot, ...serve, gap(), early]).findings), []);
});

test('parts: records after their time was judged are counted, and are no finding about order', () => {
  const chain = one('0 > 1 OPEN r /a\n1 > 2 OPEN r /b\n2 > 3 OPEN r /c');
  const { findings, summary } = run(chain, [
    ...started,
    flow(2, 3, 1, 'OPEN r /a'),
    flow(300_000, 300_000, 1, 'OPEN r /c'),
    flow(10, 11, 1, 'OPEN r /b'),
  ]);
  assert.deepEqual(brief(findings), []);
  assert.equal(summary.counters.late, 1);
});

test('parts: another trace from an earlier time is judged by itself', () => {
  const earlier = healthy.map((each) => each);
  const hours = 3_600_000;
  const later = [
    stream(),
    ...[container({ id: 'cccccccccccc' })],
    process(10 * hours, 70, { containerId: 'cccccccccccc', exe: '/usr/bin/runc', entry: true }),
    event(10 * hours, 70, 'EXEC /usr/bin/dash /entry.sh'),
  ];
  const { findings, summary } = run(ECHO, [...later, stream(), ...earlier]);
  assert.deepEqual(brief(findings), []);
  assert.equal(summary.counters.late, 0);
});

test('parts: memory is bounded, and what that costs is counted', () => {
  const policy = one(
    'serve 0\n0 > 0 ACCEPT tcp 0.0.0.0:80 <-> *:[0-9]+\n0 > 0 CLONE process child 1\n1 > 1 OPEN r /a',
  );
  const accepts = Array.from({ length: 3000 }, (_, i) =>
    flow(10 + i / 100, 10 + i / 100, 1, `ACCEPT+CLOSE tcp 172.17.0.2:80 <-> 10.0.0.1:${1000 + i}`),
  );
  const small = run(policy, [...started, ...accepts], { limits: { pending: 100 } });
  assert.deepEqual(brief(small.findings), []);
  assert.ok(small.summary.counters.early > 0);
  assert.ok(small.notes.some(({ kind }) => kind === 'early'));
  const children = Array.from({ length: 500 }, (_, i) =>
    process(10 + i, 1000 + i, { parent: 1, exe: '/bin/one', created: 10 + i }),
  );
  const few = run(policy, [...started, ...children], { limits: { processes: 50 } });
  assert.ok(few.summary.processes <= 50 && few.summary.evicted > 0);
  const foreign = Array.from({ length: 1000 }, (_, i) => flow(10 + i, 10 + i, 1, `OPEN r /secret/${i}`));
  const many = run(policy, [...started, ...foreign]);
  assert.equal(many.findings.length, 200);
  assert.equal(many.summary.incidents[0].more, 800);
});
