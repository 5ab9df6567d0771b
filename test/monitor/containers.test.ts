// Which policy a container has, and how it starts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observation } from '../../src/telemetry/index.ts';
import { boot, ECHO, prelude, serve } from './echo.ts';
import { brief, CONTAINER, container, DIGEST, event, flow, policyOf, process, run } from './kit.ts';
import { one, started } from './one.ts';

test('containers: found by digest in every form, by name, by option', () => {
  const hex = DIGEST.slice(7);
  const shadow = flow(300, 301, 1, 'OPEN r /etc/shadow');
  const named = (more: Partial<typeof CONTAINER>): Observation[] => [
    container(more),
    ...prelude.slice(1),
    shadow,
  ];
  for (const imageId of [hex, DIGEST, hex.slice(0, 12), hex.toUpperCase()])
    assert.equal(run(ECHO, named({ imageId, image: 'whatever' })).findings.length, 1, imageId);
  for (const image of [
    'example/echo:1',
    'docker.io/example/echo:1',
    'example/echo:1:1',
    `example/echo:1@${DIGEST}`,
  ])
    assert.equal(run(ECHO, named({ imageId: '', image })).findings.length, 1, image);
  for (const image of ['example/echo', 'example/echo:2', 'other.io/example/echo:1', 'echo:1']) {
    const { findings, notes } = run(ECHO, named({ imageId: 'ff'.repeat(32), image }));
    assert.deepEqual([findings.length, notes[0].kind], [0, 'unwatched-container'], image);
  }
  const rebuilt = run(ECHO, named({ imageId: 'ff'.repeat(32) }));
  assert.deepEqual([rebuilt.findings.length, rebuilt.notes[0].kind], [1, 'other-image']);
  for (const name of ['echo', CONTAINER.id, '*'])
    assert.equal(
      run(ECHO, named({ imageId: '', image: 'x' }), { assignments: [{ container: name, policy: 0 }] })
        .findings.length,
      1,
      name,
    );
});

test('containers: what has no policy is said once and counted', () => {
  const { notes, summary } = run(ECHO, [
    container({ id: 'aaaaaaaaaaaa', image: 'x', imageId: 'ee'.repeat(32) }),
    process(0, 5, { containerId: 'aaaaaaaaaaaa', exe: '/x' }),
    process(0, 6, { containerId: '', exe: '/y' }),
    ...[1, 2, 3].map((ms) => flow(ms, ms, 5, 'OPEN r /etc/shadow')),
    ...[1, 2].map((ms) => flow(ms, ms, 6, 'OPEN r /etc/shadow')),
    flow(9, 9, 7, 'OPEN r /never/announced'),
  ]);
  assert.deepEqual(
    notes.map(({ kind }) => kind),
    ['unwatched-container', 'unwatched-host'],
  );
  assert.deepEqual(
    summary.containers.map(({ records }) => records),
    [3],
  );
  assert.deepEqual([summary.counters.unwatched, summary.counters.unattributed], [5, 1]);
});

test('containers: image not known at first', () => {
  const { findings, summary } = run(ECHO, [
    container({ image: 'incomplete', imageId: '', name: 'incomplete' }),
    ...boot.slice(1),
    container(),
    ...serve,
    flow(300, 301, 10, 'OPEN r /etc/shadow'),
  ]);
  assert.deepEqual(brief(findings), ['wrong-resource 10 OPEN r /etc/shadow']);
  assert.deepEqual(
    summary.containers.map(({ policy, fromStart, records }) => [policy, fromStart, records]),
    [['policy0', true, summary.counters.events + summary.counters.flows]],
  );
  assert.equal(summary.counters.watched, summary.counters.events + summary.counters.flows);
});

test('containers: leaving one in the records is not leaving it', () => {
  const left = process(299, 10, { parent: 1, exe: '/srv/echo', args: '/etc/echo.conf', containerId: '' });
  const { findings } = run(ECHO, [...boot, left, flow(300, 301, 10, 'OPEN r /etc/shadow')]);
  assert.deepEqual(brief(findings), ['wrong-resource 10 OPEN r /etc/shadow']);
});

test('containers: started with another program, or with other arguments, is foreign', () => {
  const start = (exec: string): Observation[] => [
    ...prelude.slice(0, 4),
    process(1, 1, { exe: exec.split(' ')[0], entry: true }),
    event(1, 1, `EXEC ${exec}`),
    flow(2, 3, 1, 'OPEN r /etc/shadow'),
  ];
  assert.deepEqual(brief(run(ECHO, start('/bin/bash')).findings), ['foreign-program 1 EXEC /bin/bash']);
  assert.deepEqual(brief(run(ECHO, start('/usr/bin/dash -c id')).findings), [
    'foreign-program 1 EXEC /usr/bin/dash -c id',
  ]);
});

test('containers: programs by link, by script, without a name', () => {
  const linked = { ...ECHO, links: { '/bin': '/usr/bin', '/usr/bin/sh': '/usr/bin/dash' } };
  const as = (policy: typeof ECHO, exe: string, args: string): string[] =>
    brief(
      run(policy, [
        ...prelude.slice(0, 4),
        process(1, 1, { exe, args, entry: true }),
        event(1, 1, `EXEC ${exe} ${args}`.trim()),
        ...boot.slice(prelude.length),
      ]).findings,
    );
  assert.deepEqual(as(ECHO, '/entry.sh', '/entry.sh'), [], 'as the collector names a script');
  assert.deepEqual(as(ECHO, '/entry.sh', ''), [], 'as a caller names a script');
  assert.deepEqual(as(linked, '/bin/sh', '/entry.sh'), []);
  assert.deepEqual(as(ECHO, '<NA>', '/entry.sh'), []);
  assert.equal(as(ECHO, '/bin/sh', '/entry.sh').length, 1);
  assert.equal(as(ECHO, '<NA>', '/evil.sh').length, 1);
  assert.equal(as(ECHO, '/evil.sh', '/entry.sh').length, 1);
  // An argument is no script just because it is a path.
  const rm = policyOf(
    'automaton one /bin/one\n0 > 0 EXEC /bin/rm /tmp/x -> rm\nautomaton rm /bin/rm /tmp/x\n0 > 1 UNLINK /tmp/x',
  );
  assert.deepEqual(brief(run(rm, [...started, event(5, 1, 'EXEC /tmp/x')]).findings), [
    'foreign-program 1 EXEC /tmp/x',
  ]);
});

test("containers: the first word of the image's command is the root program, whatever the links", () => {
  const named = { ...ECHO, image: { ...ECHO.image, entrypoint: ['/bin/sh', '/entry.sh'] } };
  const start = (exe: string): Observation[] => [
    ...prelude.slice(0, 4),
    process(1, 1, { exe, args: '/entry.sh', entry: true }),
    event(1, 1, `EXEC ${exe} /entry.sh`),
    ...boot.slice(prelude.length),
  ];
  assert.deepEqual(brief(run(named, start('/bin/sh')).findings), []);
  assert.equal(run(named, start('/bin/bash')).findings.length, 1);
});

test('containers: paths by link', () => {
  const policy = {
    ...one('0 > 1 OPEN r /usr/lib/x.so\n1 > 2 OPEN r /lib/y/*.so\n2 > 3 UNLINK /run/a'),
    links: { '/lib': '/usr/lib', '/var/run': '/run', '/run/a': '/run/b' },
  };
  assert.deepEqual(
    brief(
      run(policy, [
        ...started,
        flow(2, 2, 1, 'OPEN r /lib/x.so'),
        flow(3, 3, 1, 'OPEN r /usr/lib/y/z.so'),
        event(4, 1, 'UNLINK /var/run/a'),
      ]).findings,
    ),
    [],
  );
  // What a link points to is another file than the link.
  assert.deepEqual(
    brief(
      run(policy, [...started, flow(2, 2, 1, 'OPEN r /lib/x.so'), event(4, 1, 'UNLINK /run/b')]).findings,
    ),
    ['wrong-resource 1 UNLINK /run/b'],
  );
});
