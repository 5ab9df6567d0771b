// Flows: late, in parts, inherited; and what a source cannot see.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observation } from '../../src/telemetry/index.ts';
import { boot, CLIENT, ECHO, healthy, prelude, serve } from './echo.ts';
import { brief, EXACT, event, flow, later, run } from './kit.ts';
import { one, started } from './one.ts';

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

test('flows: the unspecified address of a peer is this machine', () => {
  const policy = one(`0 > 1 CONNECT tcp *:[0-9]+ <-> 127.0.0.1:80
    1 > 2 CONNECT tcp *:[0-9]+ <-> 0.0.0.0:81`);
  const to = (ms: number, peer: string): Observation =>
    flow(ms, ms, 1, `CONNECT tcp 127.0.0.1:40000 <-> ${peer}`);
  assert.deepEqual(brief(run(policy, [...started, to(2, '0.0.0.0:80'), to(3, '127.0.0.1:81')]).findings), []);
  assert.equal(run(policy, [...started, to(2, '0.0.0.0:82')]).findings.length, 1);
  assert.equal(run(policy, [...started, to(2, '10.0.0.1:80')]).findings.length, 1);
});

test('sources: what has neither path nor IP address leaves no flow', () => {
  const policy = one(`0 > 1 BIND any:netlink:
    1 > 2 WRITE any:netlink:
    2 > 3 READ any:anon:\\[eventfd\\]
    3 > 4 CONNECT udp *:[0-9]+ <-> 127.0.0.1:53
    4 > 5 CONNECT udp : <-> :
    5 > 6 OPEN r /a`);
  assert.deepEqual(brief(run(policy, [...started, flow(2, 2, 1, 'OPEN r /a'), later()]).findings), []);
});

test('flows: a descriptor closed unseen and opened again for the same file is one flow', () => {
  const policy = one(
    '0 > 1 OPEN wca /log\n1 > 2 CLOSE /log\n2 > 3 OPEN r /a\n3 > 4 OPEN wca /log\n4 > 5 OPEN r /b',
  );
  const a = flow(10, 11, 1, 'OPEN+CLOSE r /a');
  const b = flow(30, 31, 1, 'OPEN+CLOSE r /b');
  assert.deepEqual(
    brief(run(policy, [...started, flow(5, 50, 1, 'OPEN wca /log', { cut: true }), a, b, later()]).findings),
    [],
  );
  assert.deepEqual(
    brief(run(policy, [...started, flow(5, 6, 1, 'OPEN+CLOSE wca /log'), a, b, later()]).findings),
    ['out-of-order 1 OPEN r /b'],
  );
});
