// Openings of a path alone (O_PATH) have no rights. Sources with flags as Falco's tell them as openings to read; who
// tells them as what they are is held to the difference.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SourceTraits } from '../../src/telemetry/index.ts';
import { brief, EXACT, event, flow, run, SYSFLOW } from './kit.ts';
import { one, started } from './one.ts';

const policy = one('0 > 1 OPEN /etc/dir\n1 > 2 OPEN r /etc/file');
const told = (traits: SourceTraits, ...effects: readonly string[]): readonly string[] =>
  brief(
    run(policy, [...started, ...effects.map((effect, i) => event(10 + i, 1, effect))], { traits }).findings,
  );
const vague: SourceTraits = { ...EXACT, pathOnly: false };

test('monitor: a path opened alone is no opening to read, for a source that tells them apart', () => {
  assert.deepEqual(told(EXACT, 'OPEN /etc/dir', 'OPEN r /etc/file'), []);
  assert.equal(told(EXACT, 'OPEN r /etc/dir').length, 1);
  assert.equal(told(EXACT, 'OPEN w /etc/dir').length, 1);
});

test('monitor: a source that tells openings of a path alone as ones to read may do so', () => {
  assert.deepEqual(told(vague, 'OPEN r /etc/dir', 'OPEN r /etc/file'), []);
  assert.equal(told(vague, 'OPEN w /etc/dir').length, 1);
  assert.equal(told(vague, 'OPEN r /etc/other').length, 1);
  // The other way round it is none: what reads is told as reading.
  assert.equal(told(vague, 'OPEN r /etc/dir', 'OPEN /etc/file').length, 1);
});

test('monitor: flows tell openings of a path alone as ones to read', () => {
  const flows = (effect: string): readonly string[] =>
    brief(run(policy, [...started, flow(10, 11, 1, effect)], { traits: SYSFLOW }).findings);
  assert.deepEqual(flows('OPEN+CLOSE r /etc/dir'), []);
  assert.equal(flows('OPEN+CLOSE w /etc/dir').length, 1);
});
