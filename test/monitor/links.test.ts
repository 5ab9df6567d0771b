// One file, several names: a policy by link and telemetry by target, and the reverse.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { literal } from '../../src/effect/index.ts';
import type { PolicyEdge } from '../../src/policy/index.ts';
import type { Observation } from '../../src/telemetry/index.ts';
import { brief, event, flow, run } from './kit.ts';
import { one, started } from './one.ts';

const links = {
  '/bin': '/usr/bin',
  '/var/run': '/run',
  '/lib64': '/usr/lib64',
  '/usr/bin/awk': '/etc/alternatives/awk',
  '/etc/alternatives/awk': '/usr/bin/mawk',
  '/var/log/a.log': '/dev/stdout',
  '/var/log/e.log': '/dev/stderr',
  '/dev/stdout': '/proc/self/fd/1',
  '/dev/stderr': '/proc/self/fd/2',
  '/srv/www/big': '/mnt/big',
  '/gone': '/nowhere/at/all',
  '/here': '/self',
  '/self': '/here',
  '/root': '/',
};

function findings(edges: string, ...observed: readonly Observation[]): string[] {
  // The kit's arrow leads to another automaton: second names are put in afterwards.
  const targets = edges.split('\n').map((edge) => edge.split(' -> ')[1]);
  const policy = one(`serve 0\n${edges.replace(/ -> .*/g, '').replace(/^/gm, '0 > 0 ')}`);
  const automata = policy.automata.map((automaton) => ({
    ...automaton,
    edges: automaton.edges.map((edge, i) => renamed(edge, targets[i])),
  }));
  return brief(run({ ...policy, automata, links }, [...started, ...observed]).findings);
}

function renamed(edge: PolicyEdge, to: string | undefined): PolicyEdge {
  if (to === undefined || edge.effect?.resource.kind !== 'file') return edge;
  return {
    ...edge,
    effect: { ...edge.effect, resource: { ...edge.effect.resource, to: literal(to) } },
  };
}

/** By both names, whichever of them the policy has. */
const same: readonly (readonly [a: string, b: string])[] = [
  ['OPEN r /bin/x', 'OPEN r /usr/bin/x'],
  ['OPEN r /bin/awk', 'OPEN r /usr/bin/mawk'],
  ['OPEN r /etc/alternatives/awk', 'OPEN r /bin/awk'],
  ['OPEN wca /var/log/a.log', 'OPEN wca /dev/stdout'],
  ['OPEN wca /var/log/a.log', 'OPEN wca /proc/self/fd/1'],
  ['OPEN wc /gone', 'OPEN wc /nowhere/at/all'],
  ['OPEN r /root/etc/x', 'OPEN r /etc/x'],
  ['OPEN r /root/root/bin/x', 'OPEN r /usr/bin/x'],
  ['OPEN r /here/x', 'OPEN r /here/x'],
  ['UNLINK /var/run/a.pid', 'UNLINK /run/a.pid'],
  ['RENAME /var/run/a -> /var/run/b', 'RENAME /run/a -> /run/b'],
  ['MKDIR /var/run/d', 'MKDIR /run/d'],
];

/** Other files, whatever the links. */
const different: readonly (readonly [policy: string, observed: string])[] = [
  ['OPEN wca /var/log/a.log', 'OPEN wca /var/log/e.log'],
  ['OPEN r /bin/awk', 'OPEN r /usr/bin/gawk'],
  ['UNLINK /var/log/a.log', 'UNLINK /dev/stdout'],
  ['UNLINK /usr/bin/mawk', 'UNLINK /usr/bin/awk'],
  ['RENAME /var/run/a -> /var/run/b', 'RENAME /run/a -> /etc/b'],
  ['OPEN r /srv/www/*', 'OPEN r /mnt/small'],
  ['OPEN r /srv/www/*', 'OPEN r /mnt/big/x'],
  ['OPEN r /srv/www/*', 'OPEN r /mnt/bigger'],
  ['OPEN r /var/run/*.pid', 'OPEN r /run/d/a.pid'],
];

const observe = (effect: string): Observation =>
  effect.startsWith('OPEN') ? flow(5, 6, 1, effect) : event(5, 1, effect);

test('links: the same file by either name', () => {
  for (const [a, b] of same) {
    assert.deepEqual(findings(a, observe(b)), [], `${a} observed as ${b}`);
    assert.deepEqual(findings(b, observe(a)), [], `${b} observed as ${a}`);
  }
});

test('links: other files stay other files', () => {
  for (const [policy, observed] of different)
    assert.equal(findings(policy, observe(observed)).length, 1, `${policy} observed as ${observed}`);
});

test('links: patterns, by their directory and by what they cover', () => {
  const at = (pattern: string, path: string): string[] =>
    findings(`OPEN r ${pattern}`, observe(`OPEN r ${path}`));
  assert.deepEqual(at('/var/run/*.pid', '/run/a.pid'), []);
  assert.deepEqual(at('/run/*.pid', '/var/run/a.pid'), []);
  assert.deepEqual(at('/var/run/x-[0-9]+', '/run/x-7'), []);
  assert.deepEqual(at('/srv/www/*', '/mnt/big'), []);
  assert.deepEqual(at('/srv/www/**', '/mnt/big/x/y'), []);
  assert.deepEqual(at('/srv/www/*', '/srv/www/big'), []);
});

test('links: a log that is standard output is written to as the pipe that it is', () => {
  const log = 'OPEN wca /var/log/a.log\nWRITE /var/log/a.log\nWRITE pipe:';
  assert.deepEqual(findings(log, flow(5, 9, 1, 'OPEN+WRITE+CLOSE wca /var/log/a.log')), []);
  assert.deepEqual(
    findings(log, flow(5, 6, 1, 'OPEN wca /var/log/a.log'), flow(6, 9, 1, 'WRITE+CLOSE pipe:')),
    [],
  );
});

test('links: sockets in the file system', () => {
  assert.deepEqual(findings('CONNECT u /var/run/s.sock', event(5, 1, 'CONNECT u /run/s.sock')), []);
});
