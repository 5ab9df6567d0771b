// Attacks that do only what the policy has, but not there, not so, or not then.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observation } from '../../src/telemetry/index.ts';
import { boot, ECHO, serve } from './echo.ts';
import { brief, event, flow, process, run } from './kit.ts';
import { one, started } from './one.ts';

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
