// The verdict on order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observation } from '../../src/telemetry/index.ts';
import { brief, flow, later, run } from './kit.ts';
import { one, started } from './one.ts';

test('order: leaving out any one step of a chain, or swapping two, is found', () => {
  const paths = ['/a', '/b', '/c', '/d', '/e', '/f'];
  const policy = one(paths.map((path, i) => `${i} > ${i + 1} OPEN r ${path}`).join('\n'));
  const flows = (list: readonly string[]): Observation[] =>
    list.map((path, i) => flow(10 + i, 10 + i, 1, `OPEN+CLOSE r ${path}`));
  assert.deepEqual(run(policy, [...started, ...flows(paths)]).findings, []);
  for (let i = 0; i + 1 < paths.length; i++) {
    const without = run(policy, [...started, ...flows(paths.filter((_, k) => k !== i)), later()]).findings;
    assert.deepEqual(brief(without), [`out-of-order 1 OPEN r ${paths[i + 1]}`], 'one deviation, one finding');
    const swapped = paths.map((path, k) => (k === i ? paths[i + 1] : k === i + 1 ? paths[i] : path));
    assert.equal(
      run(policy, [...started, ...flows(swapped), later()]).findings[0].effect.resource,
      paths[i + 1],
    );
  }
});

test('order: one deviation in a loop is one finding with a count, not a storm', () => {
  const policy = one('serve 1 2\n0 ~ 1\n1 > 2 ACCEPT tcp 0.0.0.0:80 <-> *:[0-9]+\n2 > 1 OPEN r /page');
  const turns = Array.from({ length: 300 }, (_, i) => [
    flow(10 + 10 * i, 12 + 10 * i, 1, `ACCEPT+CLOSE tcp 172.17.0.2:80 <-> 172.17.0.1:${2000 + i}`),
    ...(i % 100 === 50 ? [] : [flow(11 + 10 * i, 11 + 10 * i, 1, 'OPEN+CLOSE r /page')]),
  ]).flat();
  const { findings, summary } = run(policy, [...started, ...turns, later()]);
  assert.deepEqual(
    findings.map(({ kind, effect, count }) => [kind, effect.op, count]),
    [['out-of-order', 'ACCEPT', 3]],
  );
  assert.equal(summary.counters.repeated, 2);
});
