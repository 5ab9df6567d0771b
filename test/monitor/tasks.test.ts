// Processes, threads, execs, identities.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Policy } from '../../src/policy/index.ts';
import type { Observation } from '../../src/telemetry/index.ts';
import { boot, ECHO, serve } from './echo.ts';
import { brief, event, flow, later, policyOf, process, run } from './kit.ts';
import { one, started } from './one.ts';

const forking = policyOf(`
  automaton master /bin/one
  serve 5
  0 > 1 OPEN r /conf
  1 > 2 CLONE process child 4 syscall clone
  2 > 3 OPEN r /pid
  4 ~ 5
  5 > 5 ACCEPT tcp 0.0.0.0:80 <-> *:[0-9]+
`);
const configured: readonly Observation[] = [...started, flow(2, 3, 1, 'OPEN+CLOSE r /conf')];
const accepting = flow(20, 21, 30, 'ACCEPT tcp 172.17.0.2:80 <-> 172.17.0.1:5555');

test('tasks: clone told by both sides in either order, by one, by the process record alone', () => {
  const parentSide = (ms: number): Observation => event(ms, 1, 'CLONE', { ret: 30 });
  const childSide = event(5, 30, 'CLONE');
  const record = process(5, 30, { parent: 1, exe: '/bin/one', created: 30 });
  for (const told of [
    [parentSide(4.9), record, childSide],
    [record, childSide, parentSide(5.1)],
    [record, childSide],
    [parentSide(4.9), record],
    [parentSide(5.1), record],
    [record],
  ]) {
    const { findings } = run(forking, [...configured, ...told, flow(9, 9, 1, 'OPEN r /pid'), accepting]);
    assert.deepEqual(brief(findings), [], told.map(({ kind }) => kind).join(' '));
  }
  // The child is in the child's states, not in its parent's.
  const { findings } = run(forking, [
    ...configured,
    parentSide(4.9),
    record,
    childSide,
    flow(9, 9, 30, 'OPEN r /pid'),
  ]);
  assert.deepEqual(brief(findings), ['out-of-order 30 OPEN r /pid']);
  // Nor may a process be made when the program is not there.
  const early = run(forking, [...started, record, childSide, later()]);
  assert.deepEqual(brief(early.findings), ['out-of-order 30 CLONE']);
});

test('tasks: a clone out of place is one incident, whichever side is told first and whatever the child did', () => {
  const record = process(5, 30, { parent: 1, exe: '/bin/one', created: 5 });
  const childSide = event(5, 30, 'CLONE');
  const shell = event(6, 30, 'EXEC /bin/sh -i');
  for (const ms of [4.9, 5.1])
    for (const more of [[], [shell]]) {
      const parentSide = event(ms, 1, 'CLONE', { ret: 30 });
      const { findings } = run(forking, [...started, parentSide, record, childSide, ...more, later()]);
      assert.notEqual(findings.length, 0);
      assert.equal(new Set(findings.map(({ incident }) => incident)).size, 1, `${ms} ${more.length}`);
    }
});

test('tasks: threads, with and without a record of their clone; ended ones are not the next with their tid', () => {
  const policy = policyOf(`
    automaton pool /bin/one
    0 > 1 CLONE thread child 3 syscall clone3
    1 > 2 CLONE thread child 5 syscall clone
    3 > 4 OPEN r /a
    5 > 6 OPEN r /b
    6 > 7 OPEN r /c`);
  const a = (tid: number, ms = 20): Observation => flow(ms, ms, 1, 'OPEN r /a', { tid });
  const b = (tid: number, ms = 20): Observation => flow(ms, ms, 1, 'OPEN r /b', { tid });
  assert.deepEqual(
    brief(
      run(policy, [
        ...started,
        a(41),
        event(10, 1, 'CLONE', { ret: 42 }),
        event(10, 1, 'CLONE', { tid: 42 }),
        b(42),
      ]).findings,
    ),
    [],
  );
  assert.deepEqual(
    brief(
      run(policy, [
        ...started,
        event(10, 1, 'CLONE', { ret: 42 }),
        event(10, 1, 'CLONE', { tid: 42 }),
        flow(20, 20, 1, 'OPEN r /c', { tid: 42 }),
        b(42, 30),
        later(),
      ]).findings,
    ),
    ['out-of-order 1 OPEN r /c'],
  );
  // Another thread may do what is due from this one: which of them makes a call is no boundary.
  const moved = [
    event(10, 1, 'CLONE', { ret: 42 }),
    event(10, 1, 'CLONE', { tid: 42 }),
    a(41),
    b(42),
    flow(25, 25, 1, 'OPEN r /c', { tid: 41 }),
  ];
  const { findings, summary } = run(policy, [...started, ...moved, later()]);
  assert.deepEqual([brief(findings), summary.counters.shared], [[], 1]);
  const again = [event(25, 1, 'EXIT 0', { tid: 42 }), event(10.5, 1, 'CLONE', { ret: 42 })];
  assert.deepEqual(brief(run(policy, [...started, a(42), ...again, a(42, 30)]).findings), []);
});

test('tasks: exec ends the other threads and starts the next program; a failed one changes nothing', () => {
  const policy = policyOf(`
    automaton a /bin/one
    0 > 1 CLONE thread child 1 syscall clone
    1 > 1 EXEC /bin/x fails 2
    1 > 1 EXEC /bin/two -> b
    automaton b /bin/two
    0 > 1 OPEN r /b`);
  const thread = [event(3, 1, 'CLONE', { ret: 9 }), event(3, 1, 'CLONE', { tid: 9 })];
  const exec = [process(9, 1, { exe: '/bin/two', entry: true }), event(9, 1, 'EXEC /bin/two')];
  const failed = [process(8, 1, { exe: '/bin/one', entry: true }), event(8, 1, 'EXEC /bin/one', { ret: -2 })];
  assert.deepEqual(
    brief(run(policy, [...started, ...thread, ...failed, ...exec, flow(10, 10, 1, 'OPEN r /b')]).findings),
    [],
  );
  assert.deepEqual(
    brief(run(policy, [...started, ...thread, ...exec, flow(10, 10, 1, 'OPEN r /b', { tid: 9 })]).findings),
    ['unknown-task 1 CLONE thread'],
  );
});

test('tasks: an exec without a record of it is told by the process record', () => {
  const told = boot.filter((each) => !(each.kind === 'event' && each.effect.op === 'EXEC'));
  assert.deepEqual(brief(run(ECHO, [...told, ...serve]).findings), []);
  const shell = process(300, 10, { parent: 1, exe: '/bin/sh', args: '-i' });
  assert.deepEqual(brief(run(ECHO, [...boot, shell, flow(301, 302, 10, 'OPEN r /etc/passwd')]).findings), [
    'foreign-program 10 EXEC /bin/sh -i',
  ]);
});

test('tasks: a process that comes in from outside, and what it starts, are one incident', () => {
  const inside = [
    process(300, 50, { parent: 49, exe: '/usr/bin/runc', args: 'init', created: 300 }),
    process(300, 51, { parent: 50, exe: '/usr/bin/runc', args: 'init', created: 300.5, parentCreated: 300 }),
    event(301, 51, 'EXEC /bin/bash', { created: 300.5 }),
    flow(302, 303, 51, 'OPEN r /etc/passwd', { created: 300.5 }),
  ];
  const shim = process(299, 49, { exe: '/usr/bin/containerd-shim', containerId: '' });
  for (const parent of [[shim], []]) {
    const { findings, summary } = run(ECHO, [...boot, ...parent, ...inside, ...serve]);
    assert.deepEqual(
      findings.map(({ kind, technique }) => [kind, technique?.id]),
      [
        ['unknown-task', 'T1609'],
        ['foreign-program', 'T1059.004'],
      ],
    );
    assert.equal(summary.incidents.length, 1);
  }
});

test('tasks: a probe that the runtime executes again and again is one incident', () => {
  const probe = (n: number): Observation[] => [
    process(1000 * n, 50 + n, { exe: '/usr/bin/runc', args: 'init', created: 1000 * n }),
    event(1000 * n + 1, 50 + n, 'EXEC /bin/true', { created: 1000 * n }),
    event(1000 * n + 2, 50 + n, 'EXIT 0', { created: 1000 * n }),
  ];
  const { findings, summary } = run(ECHO, [...boot, ...[1, 2, 3, 4].flatMap(probe)]);
  assert.deepEqual(
    findings.map(({ kind, count }) => [kind, count]),
    [
      ['unknown-task', 4],
      ['foreign-program', 4],
    ],
  );
  assert.equal(summary.incidents.length, 1);
});

test('tasks: a command that the deployment has the runtime start', () => {
  const policy: Policy = {
    ...policyOf(
      'automaton one /bin/one\n0 > 0 OPEN r /a\nautomaton probe /bin/probe -q\n0 > 1 OPEN r /b\n1 > 2 EXIT 0',
    ),
    entries: [{ reason: 'liveness probe', automaton: 1 }],
  };
  const probe = (n: number, program: string, file: string): Observation[] => [
    process(1000 * n, 50 + n, { exe: '/usr/bin/runc', args: 'init', created: 1000 * n }),
    event(1000 * n + 1, 50 + n, `EXEC ${program}`, { created: 1000 * n }),
    flow(1000 * n + 2, 1000 * n + 3, 50 + n, `OPEN r ${file}`, { created: 1000 * n }),
    event(1000 * n + 4, 50 + n, 'EXIT 0', { created: 1000 * n }),
  ];
  const fine = [1, 2, 3].flatMap((n) => probe(n, '/bin/probe -q', '/b'));
  assert.deepEqual(brief(run(policy, [...started, ...fine]).findings), []);
  const whole = process(4000, 60, { exe: '/bin/probe', args: '-q', created: 4000 });
  assert.deepEqual(brief(run(policy, [...started, whole]).findings), []);
  assert.deepEqual(brief(run(policy, [...started, ...probe(1, '/bin/probe -q', '/a')]).findings), [
    'wrong-resource 51 OPEN r /a',
  ]);
  assert.deepEqual(brief(run(policy, [...started, ...probe(1, '/bin/probe -x', '/b')]).findings), [
    'foreign-program 51 EXEC /bin/probe -x',
  ]);
});

test('tasks: a parent that is announced after its child', () => {
  const nested = policyOf(
    'automaton one /bin/one\n0 > 0 CLONE process child 0 syscall clone\n0 > 0 OPEN r /a',
  );
  const child = process(6, 31, { parent: 30, exe: '/bin/one', created: 6, parentCreated: 5 });
  const parent = process(6, 30, { parent: 1, exe: '/bin/one', created: 5 });
  const open = flow(7, 8, 31, 'OPEN r /a', { created: 6 });
  assert.deepEqual(brief(run(nested, [...started, child, open, parent]).findings), []);
  assert.deepEqual(brief(run(nested, [...started, child, open]).findings), ['unknown-task 31 EXEC /bin/one']);
});

// Identity

const becoming = one('0 > 1 SETGID 33\n1 > 2 SETUID 33\n2 > 3 OPEN r /a');
test('tasks: other arguments in a process record are no exec', () => {
  const titled = process(300, 10, { parent: 1, exe: '/srv/echo', args: 'echo: worker' });
  assert.deepEqual(brief(run(ECHO, [...boot, titled, ...serve]).findings), []);
});

test('identity: changes that the policy has are fine, others are findings, in events and in process records', () => {
  const as = (ms: number, uid: number, gid = 33): Observation =>
    process(ms, 1, { exe: '/bin/one', entry: true, uid, gid });
  assert.deepEqual(
    brief(
      run(becoming, [...started, as(3, 33), event(3, 1, 'SETUID 33'), flow(4, 4, 1, 'OPEN r /a')]).findings,
    ),
    [],
  );
  assert.deepEqual(
    brief(
      run(becoming, [...started, as(3, 33), event(3, 1, 'SETUID <NA>'), flow(4, 4, 1, 'OPEN r /a')]).findings,
    ),
    [],
  );
  const root = run(becoming, [
    ...started,
    as(3, 33),
    event(3, 1, 'SETUID 33'),
    as(9, 0),
    event(9, 1, 'SETUID 0'),
  ]);
  assert.deepEqual(brief(root.findings), ['identity-change 1 SETUID 0']);
  assert.deepEqual([root.findings[0].severity, root.findings[0].count], ['critical', 2]);
  assert.deepEqual(
    brief(run(forking, [...configured, process(5, 1, { exe: '/bin/one', gid: 7 })]).findings),
    ['identity-change 1 SETGID 7'],
  );
  // Back again is out of order.
  assert.deepEqual(
    brief(run(becoming, [...started, event(3, 1, 'SETUID 33'), event(4, 1, 'SETUID 33')]).findings),
    ['out-of-order 1 SETUID 33'],
  );
});

test('tasks: who fails open counts what nothing explains, and holds it to what its maker does', () => {
  const stranger = [
    process(300, 30, { parent: 999, exe: '/bin/sh', args: '-c id' }),
    event(301, 30, 'EXEC /bin/sh -c id'),
    flow(302, 303, 30, 'OPEN+READ+CLOSE r /etc/shadow'),
  ];
  const thread = [flow(300, 301, 10, 'OPEN+READ+CLOSE r /etc/shadow', { tid: 11 })];
  for (const attack of [stranger, thread]) {
    const closed = run(ECHO, [...boot, ...attack, later()]);
    assert.ok(closed.findings.some(({ kind }) => kind === 'unknown-task'));
    const open = run(ECHO, [...boot, ...attack, later()], { fail: 'open' });
    assert.deepEqual(
      open.findings.filter(({ kind }) => kind === 'unknown-task'),
      [],
    );
    assert.equal(open.summary.counters.unknown, 1);
  }
  const open = run(ECHO, [...boot, ...thread], { fail: 'open' });
  assert.deepEqual(brief(open.findings), ['wrong-resource 10 OPEN r /etc/shadow']);
});
