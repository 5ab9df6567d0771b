// Under how many environments a scenario is compared: a third one where the first two leave something open.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Effect } from '../../src/effect/index.ts';
import {
  ENVIRONMENTS,
  type Explorer,
  plainLaunch,
  type ScenarioTrace,
  type Step,
} from '../../src/explore/index.ts';
import { Rows } from '../../src/model/rows.ts';

const tokens = ENVIRONMENTS.map(({ token }) => token);

const explorers = ENVIRONMENTS.map(
  (environment): Explorer =>
    ({
      environment,
      launch: plainLaunch({ argv: ['/s'] }, environment),
      boot: { instructions: 1000, steps: [] },
    }) as unknown as Explorer,
);

const open = (path: string, tid = 1): Step => ({
  kind: 'effect',
  event: {
    sequence: 0,
    pid: tid,
    tid,
    parentPid: 0,
    exe: '/s',
    syscall: 'open',
    args: [],
    result: 3,
    stack: [],
    stackCut: false,
    effect: { op: 'OPEN', access: 'r', resource: { kind: 'file', type: 'f', path } },
  },
});

function connect(environment: number, to: string): Step {
  const { address } = ENVIRONMENTS[environment].values;
  const resource: Effect['resource'] = {
    kind: 'net',
    protocol: 'tcp',
    local: { address, port: '4000' },
    peer: { address: to, port: '80' },
  };
  const step = open('');
  assert.ok(step.kind === 'effect');
  return { kind: 'effect', event: { ...step.event, effect: { op: 'CONNECT', access: '', resource } } };
}

/** How many environments play it, where each makes these steps. */
function played(steps: (environment: number) => readonly Step[], ended = false): number {
  const traceOf = (i: number): ScenarioTrace => ({
    name: '',
    steps: steps(i),
    chosen: tokens[i],
    ended,
    answers: [],
    instructions: 0,
    marks: [],
  });
  const rows = new Rows(explorers);
  rows.add(traceOf(0), 0, (_, i) => traceOf(i));
  return rows.list[0].traces.length;
}

test('two runs that agree are enough', () => {
  assert.equal(
    played(() => [open('/a'), open('/b', 7)]),
    2,
  );
  // what clients chose, and which numbers tasks have
  assert.equal(
    played((i) => [open(`/data/${tokens[i]}`), open('/b', 7 + i)]),
    2,
  );
});

test("a third one is played where something may be the environment's", () => {
  assert.equal(
    played((i) => [open(`/run/${i}`)]),
    3,
  );
  assert.equal(
    played((i) => (i === 0 ? [open('/a'), open('/b')] : [open('/b'), open('/a')])),
    3,
  );
  assert.equal(
    played((i) => (i === 0 ? [open('/a')] : [open('/a'), open('/a')])),
    3,
  );
  assert.equal(
    played((i) => [open('/a', i === 0 ? 1 : 2), open('/b', 1)]),
    3,
  );
  // nobody can be reached from one of them
  assert.equal(
    played((i) => [connect(i, '198.51.100.9')]),
    3,
  );
});
