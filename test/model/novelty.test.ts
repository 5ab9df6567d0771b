// What counts as new in a run: contexts, their order, new tasks; not what the environment or a client decides.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ScenarioTrace, Step } from '../../src/explore/index.ts';
import type { EffectEvent } from '../../src/linux/index.ts';
import { Novelty } from '../../src/model/novelty.ts';

const open = (path: string, site = 1, options: Partial<EffectEvent> = {}): Step => ({
  kind: 'effect',
  event: {
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
    ...options,
  },
});
const fork = (child: number): Step =>
  open('', 9, {
    effect: { op: 'CLONE', access: '', resource: { kind: 'task', what: 'process' } },
    result: child,
    syscall: 'clone',
  });
const run = (steps: readonly Step[], chosen = ''): ScenarioTrace => ({
  name: '',
  steps,
  chosen,
  ended: false,
  answers: [],
  instructions: 0,
  marks: [],
});

const cases: readonly (readonly [name: string, steps: readonly Step[], fresh: boolean, chosen?: string])[] = [
  ['the same as before', [open('/a'), open('/b', 2)], false],
  ['a part of it', [open('/a')], false],
  ['another order', [open('/b', 2), open('/a')], true],
  ['another file', [open('/a'), open('/c', 2)], true],
  ['the same file from elsewhere in the code', [open('/a', 7)], true],
  ['a failure', [open('/a', 1, { result: -2 })], true],
  ['another value of the environment', [open('/log.b7c1f0e2a934')], true],
  ['and again', [open('/log.b7c1f0e2a934')], false],
  ['a name that the client chose', [open('/x/name1', 3)], true, 'name1'],
  ['another such name', [open('/x/name2', 3)], false, 'name2'],
  ['a child', [open('/a'), fork(20), open('/a', 1, { tid: 20, pid: 20 })], true],
  ['the same child with another number', [open('/a'), fork(31), open('/a', 1, { tid: 31, pid: 31 })], false],
  ['a child that does something else', [open('/a'), fork(20), open('/b', 2, { tid: 20, pid: 20 })], true],
  ['a wait', [{ kind: 'wait', tid: 1, syscall: 'accept4', stack: [] }], true],
];

test('runs that show something new', () => {
  const novelty = new Novelty([open('/boot', 0)], ['b7c1f0e2a934']);
  assert.ok(novelty.isNew(run([open('/a'), open('/b', 2)])));
  for (const [name, steps, fresh, chosen] of cases)
    assert.equal(novelty.isNew(run(steps, chosen)), fresh, name);
});

test('what boot did is known in its order', () => {
  const novelty = new Novelty([open('/boot', 0), open('/conf', 1)], []);
  assert.ok(!novelty.isNew(run([])));
  assert.ok(novelty.isNew(run([open('/boot', 0)])));
});

test('steps that are followed one by one', () => {
  const novelty = new Novelty([open('/boot', 0)], []);
  assert.ok(novelty.isNew(run([open('/a')])));
  const answers = (steps: readonly Step[], from = novelty): readonly boolean[] => steps.map(from.follow());
  assert.deepEqual(answers([open('/a'), open('/b', 2), open('/b', 2)]), [false, true, true]);
  // what is asked about does not become known
  assert.deepEqual(answers([open('/a'), open('/b', 2)]), [false, true]);
  assert.deepEqual([open('/boot', 0), open('/a')].map(novelty.followStart()), [false, false]);
  // nothing was seen, but runs begin at the same place
  const unseen = novelty.unseen();
  assert.deepEqual(answers([open('/a')], unseen), [true]);
  assert.ok(unseen.isNew(run([open('/a')])));
  assert.deepEqual(answers([open('/a')], unseen), [false]);
});
