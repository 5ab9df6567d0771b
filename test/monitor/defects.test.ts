// What prior monitors got wrong, found by running them; numbered as in the list of the project's facts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observation } from '../../src/telemetry/index.ts';
import { boot, CLIENT, ECHO, end, exploit, prelude, serve } from './echo.ts';
import { brief, collect, container, event, flow, process, run, SYSFLOW } from './kit.ts';
import { one, started } from './one.ts';

test('defect 1: two edges with the same label from one state are two edges', () => {
  const policy = one('0 > 1 OPEN r /a\n0 > 2 OPEN r /a\n1 > 3 OPEN r /b\n2 > 4 OPEN r /c');
  for (const last of ['/b', '/c'])
    assert.deepEqual(
      run(policy, [...started, flow(2, 3, 1, 'OPEN+CLOSE r /a'), flow(4, 5, 1, `OPEN+CLOSE r ${last}`)])
        .findings,
      [],
    );
});

test('defect 2: accepting before the configuration was read is out of order', () => {
  const early = flow(6.5, 9, 10, `ACCEPT+CLOSE ${CLIENT}`);
  const { findings } = run(ECHO, [...boot, early]);
  assert.equal(findings[0].kind, 'out-of-order');
  assert.equal(findings[0].effect.op, 'ACCEPT');
  assert.deepEqual(
    findings[0].expected.map(({ effect, at }) => [effect.op, effect.resource, at]),
    [['OPEN', '/etc/echo.conf', 'echo_step (/srv/echo+0x1001)']],
  );
});

test('defect 3: a connection to the same port of another address is another connection', () => {
  const policy = one('serve 0\n0 > 0 CONNECT tcp *:[0-9]+ <-> 10.0.0.7:5432');
  const to = (address: string, ms: number): Observation =>
    flow(ms, ms + 1, 1, `CONNECT+CLOSE tcp 172.17.0.2:4${ms} <-> ${address}:5432`);
  const { findings } = run(policy, [
    ...started,
    to('10.0.0.7', 10),
    to('10.0.0.9', 20),
    to('10.0.0.7', 30),
    to('10.0.0.10', 40),
    to('10.0.0.9', 50),
  ]);
  assert.deepEqual(
    findings.map(({ kind, effect, count, severity }) => [kind, effect.resource.slice(-13), count, severity]),
    [
      ['wrong-resource', '10.0.0.9:5432', 2, 'high'],
      ['wrong-resource', '0.0.0.10:5432', 1, 'high'],
    ],
  );
  assert.equal(findings[0].incident, findings[1].incident);
});

test('defect 4: a finding comes with its record, not with the next process event or the end', () => {
  const { monitor, findings } = collect([ECHO]);
  for (const observation of boot) monitor.observe(observation, SYSFLOW);
  monitor.observe(flow(300, 301, 10, 'OPEN+READ+CLOSE r /etc/shadow'), SYSFLOW);
  assert.deepEqual(brief(findings), ['wrong-resource 10 OPEN r /etc/shadow']);
  assert.deepEqual([findings[0].severity, findings[0].technique?.id], ['high', 'T1003.008']);
  for (let i = 0; i < 50_000; i++)
    monitor.observe(flow(400 + i, 400.5 + i, 10, `ACCEPT+READ+CLOSE ${CLIENT}`), SYSFLOW);
  monitor.flush();
  assert.equal(findings.length, 1);
});

test('defect 5: an unknown thread, and an unknown process, are findings', () => {
  const thread = run(ECHO, [
    ...boot,
    flow(50, 51, 10, 'OPEN+READ+CLOSE r /etc/shadow', { tid: 77 }),
    flow(52, 53, 10, 'CONNECT+WRITE+CLOSE tcp 172.17.0.4:4444 <-> 6.6.6.6:443', { tid: 77 }),
    ...serve,
  ]);
  assert.deepEqual(brief(thread.findings), ['unknown-task 10 CLONE thread']);
  assert.equal(thread.findings[0].tid, 77);
  assert.deepEqual(
    thread.summary.incidents.map(({ effects }) => effects.map(({ op, examples }) => `${op} ${examples[0]}`)),
    [['CONNECT tcp 172.17.0.4:4444 <-> 6.6.6.6:443', 'OPEN /etc/shadow']],
  );
  const child = run(ECHO, [
    ...boot,
    process(50, 99, { parent: 10, exe: '/srv/echo', args: '/etc/echo.conf' }),
    flow(51, 52, 99, 'OPEN+READ r /etc/shadow'),
  ]);
  assert.deepEqual(brief(child.findings), ['unknown-task 99 CLONE process']);
});

test('defect 6: patterns are anchored', () => {
  const policy = one('0 > 0 OPEN wc /lib/libc.so.6\n0 > 0 OPEN wc /tmp/*.tmp\n0 > 0 WRITE /tmp/*.tmp');
  const paths = [
    '/tmp/evil/lib/libc.so.6',
    '/lib/libc.so.6.evil',
    '/tmp/a/b.tmp',
    '/x/tmp/a.tmp',
    '/tmp/a.tmpx',
  ];
  const { findings } = run(policy, [
    ...started,
    ...paths.map((path, i) => flow(10 + i, 11 + i, 1, `OPEN+CLOSE wc ${path}`)),
    flow(30, 31, 1, 'OPEN+WRITE+CLOSE wc /tmp/good.tmp'),
  ]);
  assert.deepEqual(
    findings.map(({ effect }) => effect.resource),
    paths,
  );
});

test('defect 7: wildcards match, addresses compare as addresses', () => {
  const policy = one(`serve 0
    0 > 0 OPEN wc /data/temp-[0-9]+.rdb
    0 > 0 OPEN r /usr/share/**
    0 > 0 ACCEPT tcp 0.0.0.0:80 <-> *:[0-9]+
    0 > 0 ACCEPT tcp :::81 <-> ::ffff:10.0.0.1:[0-9]+`);
  const { findings } = run(policy, [
    ...started,
    flow(2, 3, 1, 'OPEN+CLOSE wc /data/temp-1234.rdb'),
    flow(4, 5, 1, 'OPEN+CLOSE r /usr/share/zoneinfo/Europe/Vienna'),
    flow(6, 7, 1, 'ACCEPT tcp 172.17.0.2:80 <-> 172.17.0.1:50000'),
    flow(6, 7, 1, 'ACCEPT tcp 172.17.0.2:81 <-> 10.0.0.1:50000'),
    flow(8, 9, 1, 'OPEN+CLOSE wc /data/temp-12a4.rdb'),
    flow(10, 11, 1, 'ACCEPT tcp 172.17.0.2:8080 <-> 172.17.0.1:50000'),
  ]);
  assert.deepEqual(brief(findings), [
    'wrong-resource 1 OPEN wc /data/temp-12a4.rdb',
    'wrong-resource 1 ACCEPT tcp 172.17.0.2:8080 <-> 172.17.0.1:50000',
  ]);
});

test('defect 8: tasks of other containers and reused pids are other tasks, and are forgotten in time', () => {
  const other = { id: 'ba9876543210', name: 'other', image: 'example/other:2', imageId: 'cd'.repeat(32) };
  const policy = one('0 > 1 OPEN r /a\n1 > 2 EXIT 0');
  const [first, ...rest] = started;
  // The same pid in a container without a policy, before and after: none of its business.
  const unwatched = (ms: number): Observation[] => [
    process(ms, 1, { exe: '/bin/one', containerId: other.id, created: -500 }),
    flow(ms, ms, 1, 'OPEN r /etc/shadow', { created: -500 }),
  ];
  const { findings, notes, summary } = run(policy, [
    first,
    container(other),
    ...unwatched(0),
    ...rest,
    flow(2, 3, 1, 'OPEN+CLOSE r /a'),
    event(4, 1, 'EXIT 0'),
    ...unwatched(5),
    // The pid again, in the same container, which was started again.
    process(100, 1, { exe: '/usr/bin/runc', args: 'init', entry: true, created: 100 }),
    process(101, 1, { exe: '/bin/one', entry: true, created: 100 }),
    event(101, 1, 'EXEC /bin/one', { created: 100 }),
    flow(102, 103, 1, 'OPEN+CLOSE r /a', { created: 100 }),
  ]);
  assert.deepEqual(brief(findings), []);
  assert.deepEqual(
    notes.map(({ kind }) => kind),
    ['bound', 'unwatched-container'],
  );
  assert.deepEqual(
    summary.containers.map(({ policy, records }) => [policy, records]),
    [
      ['policy0', 5],
      [undefined, 2],
    ],
  );
});

test('defect 9: how a task ends is no finding, and a long history does not decide whether it is watched', () => {
  for (const status of [0, 256, 3 * 256, 15, 9, 139])
    assert.deepEqual(
      brief(run(ECHO, [...boot, event(50, 10, `EXIT ${status}`, { ret: status })]).findings),
      [],
    );
  const noise = Array.from({ length: 100 }, (_, i) => event(0.2 + i / 1000, 1, 'SETUID 0', { tid: 3 + i }));
  assert.deepEqual(
    brief(
      run(ECHO, [...prelude.slice(0, 2), ...noise, ...prelude.slice(2), ...boot.slice(prelude.length)])
        .findings,
    ),
    [],
  );
  const shadow = flow(50, 51, 10, 'OPEN+READ r /etc/shadow');
  assert.equal(run(ECHO, [...prelude.slice(0, 2), ...noise, ...boot.slice(2), shadow]).findings.length, 1);
});

test('defect 10: one exploit is one incident with few findings', () => {
  const { findings, summary } = run(ECHO, [...boot, ...serve, ...exploit, ...end]);
  assert.deepEqual(brief(findings), ['foreign-effect 10 CLONE', 'foreign-program 20 EXEC /bin/sh -c id']);
  assert.deepEqual([findings[1].severity, findings[1].technique?.id], ['critical', 'T1059.004']);
  assert.equal(summary.incidents.length, 1);
  const [incident] = summary.incidents;
  assert.equal(incident.severity, 'critical');
  assert.deepEqual(
    incident.processes.map(({ pid, parent, exe, foreign }) => [pid, parent, exe, foreign]),
    [
      [10, 0, '/srv/echo', false],
      [20, 10, '/bin/sh', true],
      [21, 20, '/usr/bin/id', true],
    ],
  );
  assert.deepEqual(
    incident.effects.map(({ op, count }) => [op, count]),
    [
      ['CLONE', 3],
      ['EXEC', 1],
      ['EXIT', 2],
      ['OPEN', 3],
      ['READ', 1],
    ].filter(([op]) => op !== 'EXIT'),
  );
});

test('an exploit whose clone is told by the child only, or by neither side, is the same incident', () => {
  for (const left of [1, 2]) {
    const told = exploit
      .slice(left === 1 ? 1 : 0)
      .filter((each, i) => !(left === 2 && (i === 0 || i === 2)) && each !== undefined);
    const { findings, summary } = run(ECHO, [...boot, ...told]);
    assert.deepEqual(brief(findings), [
      'unknown-task 20 CLONE process',
      'foreign-program 20 EXEC /bin/sh -c id',
    ]);
    assert.equal(summary.incidents.length, 1);
  }
});
