// No false alarms: healthy runs of random policies, in orders in which a collector can write them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printEffect } from '../../src/effect/index.ts';
import { generator, randomPolicy, records, walk } from './generate.ts';
import { brief, run } from './kit.ts';

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
