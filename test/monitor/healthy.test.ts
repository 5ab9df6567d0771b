// No false alarms: healthy runs of random policies, in orders in which a collector can write them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printEffect } from '../../src/effect/index.ts';
import type { Observation } from '../../src/telemetry/index.ts';
import { exactRecords, generator, randomPolicy, records, walk } from './generate.ts';
import { brief, collect, EXACT, flow, run, START, SYSFLOW } from './kit.ts';

for (const [name, pace, jitter] of [
  ['fast', 0.0001, 0.5],
  ['at a second a step: flows come in parts', 2, 2000],
  ['slow: flows are written long after they began', 20, 20_000],
] as const) {
  test(`monitor: random healthy runs have no findings, ${name}`, () => {
    for (let seed = 0; seed < 150; seed++) {
      const random = generator(seed * 7919 + 1);
      const policy = randomPolicy(random, 4 + random(10));
      const steps = walk(random, policy, 120, pace);
      const told = records(random, steps, { jitter });
      const { findings, summary } = run(policy, told);
      const story = (): string =>
        steps
          .map(
            ({ ms, pid, tid, edge, effect }) =>
              `${ms.toFixed(4)} ${pid}/${tid} ${edge.from}>${edge.to} ${printEffect(effect)}`,
          )
          .join('\n');
      assert.deepEqual(brief(findings), [], `seed ${seed}\n${findings[0]?.why}\n${story()}`);
      assert.equal(summary.counters.late, 0, `seed ${seed}`);
      assert.equal(summary.counters.unattributed, 0, `seed ${seed}`);
      const part = told.slice(0, random(told.length));
      assert.deepEqual(
        brief(run(policy, part).findings),
        [],
        `seed ${seed}, cut off after ${part.length}\n${story()}`,
      );
    }
  });
}

test('monitor: random healthy runs told exactly have no findings, and leave nothing open', () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = generator(seed * 15_485_863 + 5);
    const policy = randomPolicy(random, 4 + random(10));
    const steps = walk(random, policy, 120, 0.01);
    const { findings, summary } = run(policy, exactRecords(steps), { traits: EXACT });
    assert.deepEqual(brief(findings), [], `seed ${seed}: ${findings[0]?.why}`);
    assert.deepEqual([summary.counters.undecided, summary.counters.late], [0, 0], `seed ${seed}`);
  }
});

test('monitor: a foreign effect anywhere in a random healthy run is found at once, alone and once', () => {
  const attacks = [
    ['OPEN+READ+CLOSE r /etc/shadow', 'OPEN'],
    ['OPEN+WRITE+CLOSE wct /usr/bin/backdoor', 'OPEN'],
    ['CONNECT+WRITE+CLOSE tcp 172.17.0.2:5555 <-> 6.6.6.6:443', 'CONNECT'],
    ['ACCEPT+READ+CLOSE tcp 172.17.0.2:31337 <-> 6.6.6.6:4444', 'ACCEPT'],
  ] as const;
  for (let seed = 0; seed < 200; seed++) {
    const random = generator(seed * 104_729 + 3);
    const policy = randomPolicy(random, 4 + random(10));
    const told = records(random, walk(random, policy, 120, 0.01), { jitter: 20 });
    const at = 4 + random(told.length - 4);
    const now = told.slice(0, at).reduce((max, each) => Math.max(max, timeOf(each)), 9);
    const [text, op] = attacks[seed % attacks.length];
    const attack = flow(now, now, 1, text, { created: 1 });
    const { monitor, findings } = collect([policy]);
    for (const each of told.slice(0, at)) monitor.observe(each, SYSFLOW);
    monitor.observe(attack, SYSFLOW);
    assert.deepEqual(
      findings.map(({ pid, effect }) => [pid, effect.op]),
      [[1, op]],
      `seed ${seed}: at once`,
    );
    for (const each of told.slice(at)) monitor.observe(each, SYSFLOW);
    monitor.flush();
    assert.equal(findings.length, 1, `seed ${seed}: nothing else`);
  }
});

function timeOf(observation: Observation): number {
  if (observation.kind !== 'event' && observation.kind !== 'flow') return 0;
  const time = observation.kind === 'event' ? observation.time : observation.end;
  return Number(time - START) / 1e6;
}
