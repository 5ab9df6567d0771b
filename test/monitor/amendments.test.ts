// Amendments: what they cover, what becomes of what they cover, and that attacks without end stay bounded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding } from '../../src/monitor/index.ts';
import {
  type Amendment,
  type Policy,
  readAmendments,
  standingOf,
  writeAmendments,
} from '../../src/policy/index.ts';
import {
  type AllowOptions,
  allowFinding,
  createReport,
  REPORT_FORMATS,
  readFindings,
} from '../../src/report/index.ts';
import type { Observation } from '../../src/telemetry/index.ts';
import { boot, ECHO, end, exploit, serve } from './echo.ts';
import { brief, EXACT, event, flow, policyOf, process, run } from './kit.ts';

const OPTIONS: AllowOptions = {
  name: '',
  why: 'reviewed',
  by: 'somebody',
  created: '2020-01-01T00:00:00Z',
  anyArgs: false,
  anyPeer: false,
  anyImage: false,
  anyAutomaton: false,
};

/** The finding goes through its line of JSON, and the amendment through its file. */
function allow(finding: Finding, more: Partial<AllowOptions> = {}): Amendment {
  const line = createReport('json', { version: '0', hostname: '' }).finding(finding);
  const [recorded] = readFindings(line, 'findings.ndjson');
  return readAmendments(writeAmendments([allowFinding(recorded, { ...OPTIONS, ...more }, [])]), 'a.json')[0];
}

const healthyAnd = (...more: readonly Observation[]): Observation[] => [...boot, ...serve, ...more, ...end];
const reads = (path: string, ms = 300): Observation => flow(ms, ms + 1, 10, `OPEN+READ+CLOSE r ${path}`);

const cases: readonly (readonly [
  name: string,
  deviation: readonly Observation[],
  amended: Partial<AllowOptions>,
  then: readonly Observation[],
  left: readonly string[],
])[] = [
  ['the same again', [reads('/etc/passwd')], {}, [reads('/etc/passwd')], []],
  [
    'another file',
    [reads('/etc/passwd')],
    {},
    [reads('/etc/group')],
    ['wrong-resource 10 OPEN r /etc/group'],
  ],
  ['files of a directory', [reads('/srv/data/a')], { path: '/srv/data/*' }, [reads('/srv/data/b')], []],
  [
    'not below it',
    [reads('/srv/data/a')],
    { path: '/srv/data/*' },
    [reads('/srv/data/b/c')],
    ['wrong-resource 10 OPEN r /srv/data/b/c'],
  ],
  [
    'written instead of read',
    [reads('/srv/a')],
    {},
    [flow(300, 301, 10, 'OPEN+WRITE+CLOSE w /srv/a')],
    ['wrong-resource 10 OPEN w /srv/a'],
  ],
  [
    'another port that the kernel chose',
    [flow(300, 301, 10, 'CONNECT+CLOSE tcp 172.17.0.4:40000 <-> 10.0.0.7:53')],
    {},
    [flow(300, 301, 10, 'CONNECT+CLOSE tcp 172.17.0.9:41111 <-> 10.0.0.7:53')],
    [],
  ],
  [
    'another peer',
    [flow(300, 301, 10, 'CONNECT+CLOSE tcp 172.17.0.4:40000 <-> 10.0.0.7:53')],
    {},
    [flow(300, 301, 10, 'CONNECT+CLOSE tcp 172.17.0.4:40000 <-> 10.0.0.8:53')],
    ['foreign-effect 10 CONNECT tcp 172.17.0.4:40000 <-> 10.0.0.8:53'],
  ],
  ['an effect of the start, later', [reads('/etc/echo.conf')], {}, [reads('/etc/echo.conf')], []],
  [
    'until it expires',
    [reads('/etc/passwd')],
    { expires: '2020-09-01T00:00:00Z' },
    [reads('/etc/passwd')],
    ['wrong-resource 10 OPEN r /etc/passwd'],
  ],
];
for (const [name, deviation, amended, then, left] of cases) {
  test(`amendments: ${name}`, () => {
    const before = run(ECHO, healthyAnd(...deviation));
    assert.equal(before.findings.length, 1);
    const amendment = allow(before.findings[0], amended);
    const { findings, summary } = run(ECHO, healthyAnd(...then), { amendments: [amendment] });
    assert.deepEqual(brief(findings), left);
    assert.equal(summary.incidents.length, left.length);
    assert.equal(summary.amendments[0].covered, left.length === 0 ? 1 : 0);
    assert.equal(summary.counters.allowed, summary.amendments[0].covered);
    assert.equal(summary.amendments[0].expired, amended.expires === undefined ? 0 : 1);
  });
}

test('amendments: of another image, and in the policy itself', () => {
  const observations = healthyAnd(reads('/etc/passwd'));
  const amendment = allow(run(ECHO, observations).findings[0]);
  assert.equal(amendment.image, 'docker.io/example/echo');
  const other: Amendment = { ...amendment, image: 'docker.io/example/other' as Amendment['image'] };
  assert.equal(run(ECHO, observations, { amendments: [other] }).findings.length, 1);
  const own = run({ ...ECHO, amendments: [amendment] }, observations);
  assert.deepEqual([own.findings.length, own.summary.amendments[0].policy], [0, 'policy0']);
});

test('amendments: who may make a process is held to what its program does', () => {
  const child: readonly Observation[] = [
    event(300, 10, 'CLONE', { ret: 7 }),
    process(300.1, 20, { parent: 10, exe: '/srv/echo', args: '/etc/echo.conf' }),
    event(300.1, 20, 'CLONE', { ret: 0 }),
  ];
  const [clone] = run(ECHO, healthyAnd(...child)).findings;
  assert.equal(clone.effect.op, 'CLONE');
  const amendments = [allow(clone)];
  assert.deepEqual(brief(run(ECHO, healthyAnd(...child), { amendments }).findings), []);
  const log = flow(310, 311, 20, 'OPEN+WRITE+CLOSE wca /var/log/echo.log');
  assert.deepEqual(brief(run(ECHO, healthyAnd(...child, log), { amendments }).findings), []);
  const bad = flow(312, 313, 20, 'OPEN+READ+CLOSE r /etc/shadow');
  assert.deepEqual(brief(run(ECHO, healthyAnd(...child, log, bad), { amendments }).findings), [
    'wrong-resource 20 OPEN r /etc/shadow',
  ]);
  // The shell that it then executes is another matter.
  const { findings, summary } = run(ECHO, [...boot, ...serve, ...exploit.slice(0, 7)], { amendments });
  assert.deepEqual(brief(findings), ['foreign-program 20 EXEC /bin/sh -c id']);
  assert.equal(summary.incidents.length, 1);
});

test('amendments: a program that the policy does not have may do what it does; others may not execute it', () => {
  const id = (pid: number): Observation[] => [
    event(300, pid, 'EXEC /usr/bin/id'),
    flow(302, 303, pid, 'OPEN+READ+CLOSE r /etc/passwd'),
  ];
  const [exec] = run(ECHO, [...boot, ...serve, ...id(10)]).findings;
  assert.equal(exec.kind, 'foreign-program');
  const amendments = [allow(exec)];
  assert.deepEqual(brief(run(ECHO, [...boot, ...serve, ...id(10)], { amendments }).findings), []);
  assert.deepEqual(brief(run(ECHO, [...boot, ...serve, ...id(1)], { amendments }).findings), [
    'foreign-program 1 EXEC /usr/bin/id',
  ]);
});

test('amendments: one that has expired covers nothing, and says how much it would have', () => {
  const child: readonly Observation[] = [
    process(300.1, 20, { parent: 10, exe: '/srv/echo', args: '/etc/echo.conf' }),
    event(300.1, 20, 'CLONE', { ret: 0 }),
  ];
  const { findings } = run(ECHO, healthyAnd(...child));
  assert.deepEqual(brief(findings), ['unknown-task 20 CLONE process']);
  const amendments = [allow(findings[0], { expires: '2020-09-01T00:00:00Z' })];
  const late = run(ECHO, healthyAnd(...child), { amendments });
  assert.equal(late.findings.length, 1);
  assert.deepEqual([late.summary.amendments[0].covered, late.summary.amendments[0].expired], [0, 1]);
});

test('amendments: order alone allows nothing else', () => {
  const early = flow(6.5, 9, 10, 'ACCEPT+CLOSE tcp 172.17.0.4:8080 <-> 172.17.0.1:57514');
  const { findings } = run(ECHO, [...boot, early]);
  const amendment = allow(findings[0]);
  assert.equal(amendment.allows, 'order');
  const ACCEPT = 'ACCEPT tcp 172.17.0.4:9999 <-> 172.17.0.1:57514';
  const other = run(ECHO, healthyAnd(event(300, 10, ACCEPT)), {
    amendments: [{ ...amendment, effect: { ...amendment.effect, resource: { kind: 'none' } } }],
    traits: EXACT,
  });
  assert.ok(other.findings.some(({ kind }) => kind === 'wrong-resource'));
});

test('amendments: what a new model says of them', () => {
  const amendment = allow(run(ECHO, healthyAnd(reads('/etc/passwd'))).findings[0]);
  const model = (edges: string): Policy => policyOf(`automaton echo /srv/echo\n${edges}`);
  const table: readonly (readonly [Policy, string])[] = [
    [ECHO, 'needed'],
    [model('0 > 1 OPEN r /etc/passwd'), 'unneeded'],
    [model('0 > 1 OPEN r /etc/*'), 'unneeded'],
    [model('0 > 1 OPEN rw /etc/passwd'), 'needed'],
    [policyOf('automaton other /srv/other\n0 > 1 OPEN r /etc/passwd'), 'homeless'],
  ];
  for (const [policy, kind] of table) assert.equal(standingOf(amendment, policy).kind, kind);
  const late: Amendment = { ...amendment, allows: 'phase' };
  assert.equal(standingOf(late, model('0 > 1 OPEN r /etc/passwd')).kind, 'needed');
  assert.equal(standingOf(late, model('serve 0\n0 > 1 OPEN r /etc/passwd')).kind, 'unneeded');
});

test('an attack through ever new processes and files is told in bounded room, and what is new in kind still comes', () => {
  const storm: Observation[] = [];
  for (let i = 0; i < 5_000; i++) {
    const pid = 1_000 + i;
    const ms = 400 + i;
    storm.push(
      process(ms, pid, { parent: 1, exe: '/usr/bin/dash', args: '/entry.sh' }),
      flow(ms + 0.1, ms + 0.2, pid, `OPEN+READ+CLOSE r /home/u${i}/mail`),
      flow(ms + 0.3, ms + 0.4, pid, `OPEN+READ+CLOSE r /home/v${i}/mail`),
    );
  }
  const late = flow(6_000, 6_001, 10, 'CONNECT+WRITE+CLOSE tcp 172.17.0.4:40000 <-> 6.6.6.6:443');
  const { findings, summary } = run(ECHO, [...boot, ...serve, ...storm, late]);
  assert.equal(summary.counters.findings, 10_001);
  assert.ok(findings.length <= 510, String(findings.length));
  assert.equal(summary.counters.unreported, 10_001 - findings.length);
  assert.equal(findings.at(-1)?.effect.op, 'CONNECT');
  assert.ok(summary.incidents.length <= 510);
  for (const format of REPORT_FORMATS) {
    const report = createReport(format, { version: '0', hostname: '' });
    const text = findings.map((finding) => report.finding(finding)).join('') + report.end(summary);
    assert.ok(text.length < 3_000_000, `${format}: ${text.length}`);
  }
  const hour = 3_600_000;
  const after = run(ECHO, [...boot, ...serve, ...storm, late, reads('/home/w/mail', hour)]);
  assert.equal(after.findings.at(-1)?.effect.resource, '/home/w/mail', 'an hour later there is room again');
});

test('the same finding a million times over is one', () => {
  const again = Array.from({ length: 20_000 }, (_, i) => reads('/etc/shadow', 300 + i));
  const { findings, summary } = run(ECHO, [...boot, ...serve, ...again]);
  assert.equal(findings.length, 1);
  assert.deepEqual([findings[0].count, summary.counters.repeated], [20_000, 19_999]);
});
