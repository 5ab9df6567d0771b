import assert from 'node:assert/strict';
import test from 'node:test';
import type { Effect, Op } from '../../src/effect/index.ts';
import type { Finding, Incident } from '../../src/monitor/index.ts';
import { Coverage } from '../../src/report/index.ts';
import type { Observation } from '../../src/telemetry/index.ts';

const task = (pid: number) => ({ process: { created: 1n, pid }, tid: pid });

function process(pid: number, exe: string, containerId = 'c'): Observation {
  const info = {
    id: task(pid).process,
    parent: undefined,
    time: 1n,
    exe,
    args: '',
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    tty: false,
    containerId,
    entry: false,
    cwd: '/',
    again: false,
  };
  return { kind: 'process', process: info };
}

const open = (path: string): Effect => ({
  op: 'OPEN',
  access: 'r',
  resource: { kind: 'file', type: 'f', path },
});
const event = (pid: number, time: bigint, effect: Effect, ret = 0): Observation => ({
  kind: 'event',
  time,
  task: task(pid),
  effect,
  ret,
  args: [],
});

const client = (pid: number, time: bigint, port: number, ops: readonly Op[]): Observation => ({
  kind: 'flow',
  start: time,
  end: time + 5n,
  task: task(pid),
  ops: new Set(ops),
  resource: {
    kind: 'net',
    protocol: 'tcp',
    local: { address: '10.0.0.1', port: '80' },
    peer: { address: '10.0.0.2', port: String(port) },
  },
  access: '',
  cut: false,
  fd: 3,
  reads: 1,
  writes: 1,
  bytesRead: 1,
  bytesWritten: 1,
});

const finding = (kind: Finding['kind'], exe: string, effect: string): Finding => {
  const [op, access, resource] = effect.split(' ');
  return { kind, exe, effect: { op, access, resource } } as unknown as Finding;
};

test('each different effect once, before and after clients', () => {
  const coverage = new Coverage();
  for (const one of [
    process(1, '/srv/web'),
    process(2, '/bin/sh'),
    process(9, '/usr/bin/host-thing', ''),
    event(1, 10n, open('/etc/conf')),
    event(1, 11n, open('/etc/conf')),
    event(1, 12n, open('/nothing'), -2),
    event(9, 13n, open('/elsewhere')),
    client(1, 20n, 40_001, ['ACCEPT', 'READ']),
    client(1, 30n, 50_002, ['ACCEPT', 'READ']),
    event(1, 31n, open('/tmp/upload-a8f3c2d1')),
    event(1, 32n, open('/tmp/upload-99be0c41')),
    event(1, 33n, open('/late')),
    event(2, 40n, open('/etc/shadow')),
  ])
    coverage.observe(one);
  coverage.finding(finding('wrong-resource', '/srv/web', 'OPEN r /late'));
  coverage.finding(finding('out-of-order', '/srv/web', 'OPEN r /etc/conf'));
  const incident = { processes: [{ pid: 2, foreign: true }] } as unknown as Incident;
  assert.deepEqual(coverage.result([incident]), {
    // conf, accept, read, upload, late; shadow
    total: { recorded: 6, known: 4 },
    serving: { recorded: 5, known: 3 },
    programs: [
      { program: '/srv/web', recorded: 5, known: 4 },
      { program: '/bin/sh', recorded: 1, known: 0 },
    ],
    missing: [
      { program: '/bin/sh', effect: 'OPEN r /etc/shadow', why: 'foreign-process' },
      { program: '/srv/web', effect: 'OPEN r /late', why: 'wrong-resource' },
    ],
    beyond: 0,
  });
});

test('a long trace is bounded, and says so', () => {
  const coverage = new Coverage({ effects: 3, processes: 2, pids: 2 });
  for (const one of [process(1, '/a'), process(2, '/b'), process(3, '/c')]) coverage.observe(one);
  // The first process is forgotten.
  coverage.observe(event(1, 1n, open('/of-a')));
  for (const path of ['/1', '/2', '/3', '/4', '/5']) coverage.observe(event(2, 1n, open(path)));
  for (const pid of [2, 3, 4, 5]) coverage.observe(process(pid, '/b'));
  const incident = { processes: [{ pid: 2, foreign: true }] } as unknown as Incident;
  const { total, beyond, missing } = coverage.result([incident]);
  assert.deepEqual([total.recorded, beyond, missing.length], [3, 2, 3]);
  // As many processes as are kept: not all of them foreign, as far as one can tell.
  const many = new Coverage({ effects: 3, processes: 9, pids: 2 });
  for (const pid of [1, 2, 3]) {
    many.observe(process(pid, '/b'));
    many.observe(event(pid, 1n, open('/x')));
  }
  assert.deepEqual(many.result([incident]).missing, []);
});
