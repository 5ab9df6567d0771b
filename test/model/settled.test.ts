// What compared runs settle about texts, and which runs need no other environment then.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ScenarioTrace, Step } from '../../src/explore/index.ts';
import type { EffectEvent } from '../../src/linux/index.ts';
import { Settled } from '../../src/model/settled.ts';

const open = (path: string, site = 1): EffectEvent => ({
  sequence: 0,
  pid: 1,
  tid: 1,
  parentPid: 0,
  exe: '/srv',
  effect: { op: 'OPEN', access: 'r', resource: { kind: 'file', type: 'f', path } },
  result: 3,
  syscall: 'openat',
  args: [],
  stack: [{ module: '/srv', offset: site, symbol: undefined }],
  stackCut: false,
});

const boot = (events: readonly EffectEvent[], known: readonly string[]) => ({
  before: [],
  events,
  known,
  chosen: '',
  entered: new Map(),
});

const trace = (events: readonly EffectEvent[], chosen: string): ScenarioTrace => ({
  name: '',
  steps: events.map((event): Step => ({ kind: 'effect', event })),
  chosen,
  ended: false,
  answers: [],
  instructions: 0,
  marks: [],
});

const settled = (): Settled =>
  new Settled([
    boot([open('/etc/conf'), open('/tmp/w-qzk1', 2), open('/only', 3)], ['hosta']),
    boot([open('/etc/conf'), open('/tmp/w-9pmx', 2), open('/other', 4)], ['hostb']),
  ]);

const patternsIn = (from: Settled, run: ScenarioTrace): readonly string[] | undefined => {
  const patterns = from.patternsOf(run);
  return patterns && [...patterns.values()].flat();
};

test('what all had is literal wherever it comes', () => {
  assert.deepEqual(patternsIn(settled(), trace([open('/etc/conf', 7)], 'token')), ['/etc/conf']);
});

test('what differed is a pattern at its place only', () => {
  const pattern = ['/tmp/w-[0-9A-Za-z]+'];
  assert.deepEqual(patternsIn(settled(), trace([open('/tmp/w-77aa', 2)], 'token')), pattern);
  assert.equal(patternsIn(settled(), trace([open('/tmp/w-77aa', 5)], 'token')), undefined);
  // at any place where the name is telling
  const telling = new Settled([
    boot([open('/tmp/worker-qzk1', 2)], []),
    boot([open('/tmp/worker-9pmx', 2)], []),
  ]);
  const found = patternsIn(telling, trace([open('/tmp/worker-77aa', 5)], 'token'));
  assert.deepEqual(found, ['/tmp/worker-[0-9A-Za-z]+']);
  // which may be wider than what was seen of it
  assert.deepEqual(patternsIn(settled(), trace([open('/tmp/w-q_z1', 2)], 'token')), ['/tmp/w-*']);
  // or wherever the same name comes again
  assert.deepEqual(patternsIn(settled(), trace([open('/tmp/w-qzk1', 5)], 'token')), pattern);
  assert.equal(patternsIn(settled(), trace([open('/tmp/v-77aa', 2)], 'token')), undefined);
});

test('what one had is not settled, nor is anything new', () => {
  assert.equal(patternsIn(settled(), trace([open('/only', 3)], 'token')), undefined);
  assert.equal(patternsIn(settled(), trace([open('/etc/conf'), open('/new', 3)], 'token')), undefined);
});

test('what clients and the environment chose is known to be theirs', () => {
  const run = trace([open('/www/token', 6), open('/run/hosta.pid', 6)], 'token');
  assert.deepEqual(patternsIn(settled(), run), ['/www/*', '/run/[0-9A-Za-z]+.pid']);
});

test('scenarios that were compared settle more', () => {
  const from = settled();
  const [one, other] = [trace([open('/new', 3)], 'token'), trace([open('/new', 3)], 'nekot')];
  from.compared([one, other], [[], []]);
  assert.deepEqual(patternsIn(from, one), ['/new']);
});
