// The monitor on small policies: what prior monitors got wrong, mimicry, order, tasks, identity, lives in part.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observation } from '../../src/telemetry/index.ts';
import { boot, CLIENT, ECHO, end, exploit, healthy, prelude, serve } from './echo.ts';
import {
  brief,
  CONTAINER,
  collect,
  container,
  DIGEST,
  EXACT,
  event,
  flow,
  gap,
  later,
  policyOf,
  process,
  run,
  SYSFLOW,
  stream,
} from './kit.ts';

/** A policy of one program that starts as process 1; observations up to its start. */
const one = (edges: string): ReturnType<typeof policyOf> => policyOf(`automaton one /bin/one\n${edges}`);
const started: readonly Observation[] = [
  container(),
  process(0, 1, { exe: '/usr/bin/runc', args: 'init', entry: true }),
  process(1, 1, { exe: '/bin/one', entry: true }),
  event(1, 1, 'EXEC /bin/one'),
];

test('monitor: a healthy run has no findings', () => {
  const { findings, notes, summary } = run(ECHO, healthy);
  assert.deepEqual(brief(findings), []);
  assert.deepEqual(
    notes.map((note) => note.kind),
    ['bound', 'died'],
  );
  const { counters } = summary;
  assert.equal(counters.watched, counters.events + counters.flows);
  assert.deepEqual([counters.undecided, counters.late, counters.foreign, summary.pending], [0, 0, 0, 0]);
});

test('monitor: a trace that ends anywhere has no findings: what did not happen is no deviation', () => {
  for (let n = 0; n <= boot.length; n++) assert.deepEqual(brief(run(ECHO, boot.slice(0, n)).findings), []);
});

test('monitor: at the end of a trace, what may still be open need not have been written', () => {
  const policy = one(`0 > 1 OPEN wca /log\n1 > 2 OPEN r /a\n2 > 3 CLOSE /a\n3 > 4 OPEN r /b\n4 > 5 READ /b`);
  const open = (ms: number, path: string): Observation => flow(ms, ms + 1, 1, `OPEN+CLOSE r ${path}`);
  assert.deepEqual(brief(run(policy, [...started, open(10, '/a'), open(20, '/b')]).findings), []);
  // Once it should have been, or the task has ended, it is missed; and what was closed is missed at once.
  for (const end of [later(), event(30, 1, 'EXIT 0')])
    assert.deepEqual(brief(run(policy, [...started, open(10, '/a'), open(20, '/b'), end]).findings), [
      'out-of-order 1 OPEN r /a',
    ]);
  assert.deepEqual(brief(run(policy, [...started, open(20, '/b')]).findings), ['out-of-order 1 OPEN r /b']);
});

// The defects of the published monitor, by number in the project's facts.

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

// Mimicry: only what the policy has, but not so.

const mimicry: readonly (readonly [
  name: string,
  attack: readonly Observation[],
  expected: readonly string[],
])[] = [
  [
    'an allowed operation on another file of the image',
    [flow(300, 301, 10, 'OPEN+READ+CLOSE r /etc/passwd')],
    ['wrong-resource 10 OPEN r /etc/passwd'],
  ],
  [
    'an allowed file written instead of read',
    [flow(300, 301, 10, 'OPEN+WRITE+CLOSE w /etc/echo.conf')],
    ['foreign-effect 10 OPEN w /etc/echo.conf'],
  ],
  [
    'an allowed file read instead of written',
    [flow(300, 301, 10, 'OPEN+READ+CLOSE r /var/log/echo.log')],
    ['foreign-effect 10 OPEN r /var/log/echo.log'],
  ],
  [
    'an allowed file truncated instead of appended to',
    [flow(300, 301, 10, 'OPEN+WRITE+CLOSE wct /var/log/echo.log')],
    ['foreign-effect 10 OPEN wct /var/log/echo.log'],
  ],
  [
    'an allowed program run by the wrong process',
    [
      process(300, 10, { parent: 1, exe: '/srv/echo', args: '/etc/echo.conf' }),
      event(300, 1, 'EXEC /srv/echo /etc/echo.conf'),
    ],
    ['out-of-order 1 EXEC /srv/echo /etc/echo.conf'],
  ],
  [
    'an allowed program run by another program',
    [event(300, 10, 'EXEC /srv/echo /etc/echo.conf')],
    ['foreign-program 10 EXEC /srv/echo /etc/echo.conf'],
  ],
  [
    'an effect of the start while serving',
    [flow(300, 301, 10, 'OPEN+READ+CLOSE r /etc/echo.conf')],
    ['wrong-phase 10 OPEN r /etc/echo.conf'],
  ],
  [
    'an effect of another program of the image',
    [flow(300, 301, 10, 'OPEN+READ+CLOSE r /entry.sh')],
    ['wrong-resource 10 OPEN r /entry.sh'],
  ],
  [
    'the same program with other arguments',
    [event(300, 20, 'CLONE'), event(300, 10, 'EXEC /srv/echo /etc/evil.conf')],
    ['foreign-program 10 EXEC /srv/echo /etc/evil.conf'],
  ],
  [
    'another port',
    [flow(300, 301, 10, 'ACCEPT tcp 172.17.0.4:8081 <-> 172.17.0.1:55555')],
    ['wrong-resource 10 ACCEPT tcp 172.17.0.4:8081 <-> 172.17.0.1:55555'],
  ],
  [
    'the served port, but outwards',
    [flow(300, 301, 10, 'CONNECT tcp 172.17.0.4:8080 <-> 172.17.0.1:57514')],
    ['foreign-effect 10 CONNECT tcp 172.17.0.4:8080 <-> 172.17.0.1:57514'],
  ],
];
for (const [name, attack, expected] of mimicry) {
  test(`mimicry: ${name}`, () => {
    const { findings } = run(ECHO, [...boot, ...serve, ...attack]);
    assert.deepEqual(brief(findings), expected);
    assert.ok(findings[0].why.length > 10 && findings[0].why.length < 300);
  });
}

test('mimicry: the allowed order reversed', () => {
  const policy = one(
    '0 > 1 OPEN r /a\n1 > 2 READ /a\n2 > 3 CLOSE /a\n3 > 4 OPEN r /b\n4 > 5 READ /b\n5 > 6 CLOSE /b',
  );
  const a = (ms: number): Observation => flow(ms, ms + 1, 1, 'OPEN+READ+CLOSE r /a');
  const b = (ms: number): Observation => flow(ms, ms + 1, 1, 'OPEN+READ+CLOSE r /b');
  assert.deepEqual(brief(run(policy, [...started, a(10), b(20)]).findings), []);
  assert.deepEqual(
    brief(run(policy, [...started, b(20), a(10)]).findings),
    [],
    'written in another order than they happened',
  );
  const { findings } = run(policy, [...started, b(10), a(20)]);
  assert.equal(findings[0].kind, 'out-of-order');
  assert.deepEqual(brief(findings)[0], 'out-of-order 1 OPEN r /b');
});

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

// Flows

test('flows: written late and in another order than they happened', () => {
  const rest = healthy.slice(prelude.length);
  for (let turn = 0; turn < 20; turn++) {
    // Flows anywhere behind their process's records; events stay in order.
    const flows = rest.filter(({ kind }) => kind === 'flow');
    const others = rest.filter(({ kind }) => kind !== 'flow');
    const rotated = [...flows.slice(turn % flows.length), ...flows.slice(0, turn % flows.length)];
    if (turn >= 10) rotated.reverse();
    assert.deepEqual(brief(run(ECHO, [...prelude, ...others, ...rotated]).findings), []);
  }
});

test('flows: in parts, each part without what it began with', () => {
  const parts = [
    flow(100, 30_100, 10, `ACCEPT+READ ${CLIENT}`),
    flow(30_100, 60_100, 10, `READ+WRITE ${CLIENT}`),
    flow(40_000, 40_001, 10, 'OPEN+WRITE+CLOSE wca /var/log/echo.log'),
    flow(60_100, 61_000, 10, `WRITE+CLOSE ${CLIENT}`),
    flow(62_000, 63_000, 10, `ACCEPT+CLOSE ${CLIENT}`),
  ];
  const { findings, summary } = run(ECHO, [...boot, ...parts]);
  assert.deepEqual(brief(findings), []);
  assert.equal(summary.counters.late, 0);
});

test('flows: of a connection without its beginning, the sides may be swapped', () => {
  const swapped = 'tcp 172.17.0.1:57514 <-> 172.17.0.4:8080';
  assert.deepEqual(
    brief(run(ECHO, [...boot, ...serve, flow(300, 301, 10, `READ+WRITE ${swapped}`)]).findings),
    [],
  );
  assert.equal(run(ECHO, [...boot, flow(300, 301, 10, `ACCEPT+READ ${swapped}`)]).findings.length, 1);
});

test('flows: what was open before the entrypoint, or over an exec, is no finding', () => {
  assert.deepEqual(
    brief(
      run(ECHO, [
        ...boot,
        flow(0.5, 200, 1, 'OPEN+WRITE wc /proc/self/fd/6', { cut: true }),
        flow(5.5, 7.5, 10, 'READ+CLOSE /entry.sh'),
        flow(7.5, 7.6, 10, 'WRITE /var/lib/docker/log', { fd: 2 }),
        flow(7.5, 7.6, 10, 'WRITE+READ pipe:', { fd: 7 }),
      ]).findings,
    ),
    [],
  );
  // But standard output does not excuse what was opened.
  assert.equal(
    run(ECHO, [...boot, flow(8, 9, 10, 'OPEN+WRITE wc /var/lib/docker/log', { fd: 2 })]).findings.length,
    1,
  );
});

test('flows: operations beyond opening, use and end are checked too', () => {
  const setns = flow(300, 301, 10, 'SETNS /proc/1/ns/mnt');
  const { findings } = run(ECHO, [...boot, setns]);
  assert.deepEqual(brief(findings), ['foreign-effect 10 SETNS /proc/1/ns/mnt']);
  assert.deepEqual([findings[0].severity, findings[0].technique?.id], ['critical', 'T1611']);
  const policy = one('0 > 1 SETNS net');
  assert.deepEqual(brief(run(policy, [...started, flow(2, 3, 1, 'OPEN+SETNS r /proc/1/ns/net')]).findings), [
    'foreign-effect 1 OPEN r /proc/1/ns/net',
  ]);
  assert.deepEqual(brief(run(policy, [...started, flow(2, 3, 1, 'SETNS /proc/1/ns/net')]).findings), []);
});

test('flows: reading what may only be opened, and the worst of several, is one finding a flow', () => {
  const policy = one('0 > 1 OPEN r /a\n1 > 2 OPEN rw /b\n2 > 3 READ /b');
  assert.deepEqual(brief(run(policy, [...started, flow(2, 3, 1, 'OPEN+READ r /a')]).findings), [
    'wrong-resource 1 READ r /a'.replace(' r', ''),
  ]);
  assert.deepEqual(
    brief(
      run(policy, [...started, flow(2, 3, 1, 'OPEN r /a'), flow(4, 5, 1, 'OPEN+READ+WRITE rw /b')]).findings,
    ),
    ['foreign-effect 1 WRITE /b'],
  );
  assert.deepEqual(brief(run(policy, [...started, flow(2, 3, 1, 'OPEN+READ+WRITE+MMAP rw /c')]).findings), [
    'wrong-resource 1 OPEN rw /c',
  ]);
});

// What a source can't see

test('sources: effects without a record are stepped over, exact sources are held to them', () => {
  const policy = one(`0 > 1 OPEN r /missing fails 2
    1 > 2 BIND tcp 0.0.0.0:80 <-> 0.0.0.0:0
    2 > 3 CONNECT tcp *:[0-9]+ <-> 2001:db8::1:443
    3 > 4 OPEN r /a syscall openat2
    4 > 5 OPEN r /b`);
  assert.deepEqual(brief(run(policy, [...started, flow(2, 3, 1, 'OPEN r /b')]).findings), []);
  const { findings } = run(policy, [...started, event(2, 1, 'OPEN r /b')], { traits: EXACT });
  assert.deepEqual(brief(findings), ['out-of-order 1 OPEN r /b']);
  const exact = [
    'OPEN r /missing',
    'BIND tcp 0.0.0.0:80 <-> 0.0.0.0:0',
    'CONNECT tcp 172.17.0.2:40000 <-> 2001:db8::1:443',
    'OPEN r /a',
    'OPEN r /b',
  ];
  assert.deepEqual(
    brief(
      run(policy, [...started, ...exact.map((text, i) => event(2 + i, 1, text))], { traits: EXACT }).findings,
    ),
    [],
  );
});

test('sources: what failed because nothing was there is no finding, what was denied is one', () => {
  const policy = one('0 > 1 OPEN r /a');
  const tried = (ret: number): Observation => event(2, 1, 'OPEN r /b', { ret });
  const { findings, summary } = run(policy, [...started, tried(-2), tried(-20), tried(-13)], {
    traits: EXACT,
  });
  assert.deepEqual(
    [brief(findings), findings[0].count, summary.counters.absent],
    [['wrong-resource 1 OPEN r /b'], 1, 2],
  );
});

test('sources: an exact one is held to every close', () => {
  const policy = one('0 > 1 OPEN r /a\n1 > 2 CLOSE /a\n2 > 3 OPEN r /b');
  const events = (list: readonly string[]): Observation[] => [
    ...started,
    ...list.map((text, i) => event(2 + i, 1, text)),
  ];
  assert.deepEqual(
    brief(run(policy, events(['OPEN r /a', 'CLOSE /a', 'OPEN r /b']), { traits: EXACT }).findings),
    [],
  );
  assert.deepEqual(brief(run(policy, events(['OPEN r /a', 'OPEN r /b']), { traits: EXACT }).findings), [
    'out-of-order 1 OPEN r /b',
  ]);
  // Flows lose closes.
  assert.deepEqual(
    brief(
      run(policy, [...started, flow(2, 3, 1, 'OPEN r /a', { cut: true }), flow(4, 4, 1, 'OPEN r /b')])
        .findings,
    ),
    [],
  );
});

// Tasks

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

test('tasks: threads, with and without a record of their clone; ended ones are not the next with their tid', () => {
  const policy = policyOf(`
    automaton pool /bin/one
    0 > 1 CLONE thread child 3 syscall clone3
    1 > 2 CLONE thread child 5 syscall clone
    3 > 4 OPEN r /a
    5 > 6 OPEN r /b`);
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
        b(42),
        b(42, 30),
      ]).findings,
    ),
    ['out-of-order 1 OPEN r /b'],
  );
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

// Containers

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
    summary.containers.map(({ policy, fromStart }) => [policy, fromStart]),
    [['policy0', true]],
  );
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

// Lives in part

const reup = (more: Parameters<typeof process>[2]): Observation =>
  process(0, 10, { exe: '/srv/echo', args: '/etc/echo.conf', again: true, ...more });

test('parts: a monitor that comes in mid-life resynchronizes and says so', () => {
  const { findings, notes, summary } = run(ECHO, [stream(), container(), reup({}), ...serve]);
  assert.deepEqual(brief(findings), []);
  assert.deepEqual(
    notes.map(({ kind }) => kind),
    ['bound', 'mid-life'],
  );
  assert.equal(summary.containers[0].fromStart, false);
  // What the program never does is found nevertheless, and so is a program that is none of the policy's.
  assert.equal(run(ECHO, [container(), reup({}), flow(1, 2, 10, 'OPEN r /etc/shadow')]).findings.length, 1);
  assert.deepEqual(brief(run(ECHO, [container(), reup({ exe: '/tmp/miner', args: '' })]).findings), [
    'foreign-program 10 EXEC /tmp/miner',
  ]);
  // Arguments may have been overwritten by the program.
  assert.deepEqual(brief(run(ECHO, [container(), reup({ args: 'echo: worker' }), ...serve]).findings), []);
});

test('parts: entities written again on rotation are no news', () => {
  const again = [
    stream(),
    container(),
    process(99, 1, { exe: '/usr/bin/dash', args: '/entry.sh', entry: true, again: true }),
    process(99, 10, { parent: 1, exe: '/srv/echo', args: '/etc/echo.conf', again: true }),
  ];
  const { findings, notes } = run(ECHO, [...boot, ...again, ...serve, ...again, ...end]);
  assert.deepEqual(brief(findings), []);
  assert.deepEqual(
    notes.map(({ kind }) => kind),
    ['bound', 'died'],
  );
  assert.equal(
    run(ECHO, [...boot, ...again, flow(300, 301, 10, 'OPEN+READ r /etc/echo.conf')]).findings.length,
    0 + 1,
  );
});

test('parts: lost records resynchronize, are said and counted', () => {
  const { findings, notes, summary } = run(ECHO, [...boot.slice(0, -1), gap(3), ...serve]);
  assert.deepEqual(brief(findings), []);
  assert.deepEqual(
    notes.map(({ kind }) => kind),
    ['bound', 'gap'],
  );
  assert.deepEqual([summary.counters.lostRecords, summary.counters.gaps], [3, 1]);
  // The verdict at once stands.
  assert.equal(
    run(ECHO, [...boot.slice(0, -1), gap(), flow(300, 301, 10, 'OPEN r /etc/shadow')]).findings.length,
    1,
  );
  // And order is held again after it.
  const chain = one('0 > 1 OPEN r /a\n1 > 2 OPEN r /b\n2 > 3 OPEN r /c');
  const later = [flow(200_000, 200_000, 1, 'OPEN r /c'), flow(200_001, 200_001, 1, 'OPEN r /b')];
  assert.deepEqual(brief(run(chain, [...started, gap(), ...later]).findings), ['out-of-order 1 OPEN r /b']);
});

test('parts: a gap excuses only what began before it', () => {
  const late = process(400, 60, { exe: '/srv/echo', args: '/etc/echo.conf', created: 400 });
  const early = process(400, 60, { exe: '/srv/echo', args: '/etc/echo.conf', created: 100 });
  const act = flow(401, 402, 60, 'OPEN+READ+CLOSE r /etc/echo.conf', { created: 400 });
  assert.deepEqual(brief(run(ECHO, [...boot, ...serve, gap(), late, act]).findings).slice(0, 1), [
    'unknown-task 60 EXEC /srv/echo /etc/echo.conf',
  ]);
  assert.deepEqual(brief(run(ECHO, [...boot, ...serve, gap(), early]).findings), []);
});

test('parts: records after their time was judged are counted, and are no finding about order', () => {
  const chain = one('0 > 1 OPEN r /a\n1 > 2 OPEN r /b\n2 > 3 OPEN r /c');
  const { findings, summary } = run(chain, [
    ...started,
    flow(2, 3, 1, 'OPEN r /a'),
    flow(300_000, 300_000, 1, 'OPEN r /c'),
    flow(10, 11, 1, 'OPEN r /b'),
  ]);
  assert.deepEqual(brief(findings), []);
  assert.equal(summary.counters.late, 1);
});

test('parts: another trace from an earlier time is judged by itself', () => {
  const earlier = healthy.map((each) => each);
  const hours = 3_600_000;
  const later = [
    stream(),
    ...[container({ id: 'cccccccccccc' })],
    process(10 * hours, 70, { containerId: 'cccccccccccc', exe: '/usr/bin/runc', entry: true }),
    event(10 * hours, 70, 'EXEC /usr/bin/dash /entry.sh'),
  ];
  const { findings, summary } = run(ECHO, [...later, stream(), ...earlier]);
  assert.deepEqual(brief(findings), []);
  assert.equal(summary.counters.late, 0);
});

test('parts: memory is bounded, and what that costs is counted', () => {
  const policy = one(
    'serve 0\n0 > 0 ACCEPT tcp 0.0.0.0:80 <-> *:[0-9]+\n0 > 0 CLONE process child 1\n1 > 1 OPEN r /a',
  );
  const accepts = Array.from({ length: 3000 }, (_, i) =>
    flow(10 + i / 100, 10 + i / 100, 1, `ACCEPT+CLOSE tcp 172.17.0.2:80 <-> 10.0.0.1:${1000 + i}`),
  );
  const small = run(policy, [...started, ...accepts], { limits: { pending: 100 } });
  assert.deepEqual(brief(small.findings), []);
  assert.ok(small.summary.counters.early > 0);
  assert.ok(small.notes.some(({ kind }) => kind === 'early'));
  const children = Array.from({ length: 500 }, (_, i) =>
    process(10 + i, 1000 + i, { parent: 1, exe: '/bin/one', created: 10 + i }),
  );
  const few = run(policy, [...started, ...children], { limits: { processes: 50 } });
  assert.ok(few.summary.processes <= 50 && few.summary.evicted > 0);
  const foreign = Array.from({ length: 1000 }, (_, i) => flow(10 + i, 10 + i, 1, `OPEN r /secret/${i}`));
  const many = run(policy, [...started, ...foreign]);
  assert.equal(many.findings.length, 200);
  assert.equal(many.summary.incidents[0].more, 800);
});
