// Policies that are exchanged while the monitor runs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boot, CLIENT, ECHO, end, exploit, healthy, serve } from './echo.ts';
import { brief, collect, flow, SYSFLOW } from './kit.ts';

const secret = flow(500, 510, 10, 'OPEN+CLOSE r /etc/echo.secret');
/** The policy of a next version: the server reads one more file for its clients. */
const NEXT = JSON.parse(
  JSON.stringify(ECHO).replaceAll('/var/log/echo.log', '/etc/echo.secret').replaceAll('"wca"', '"r"'),
) as typeof ECHO;

test('reload: the same policies change nothing', () => {
  const told = [...boot, ...exploit, ...healthy.slice(boot.length)];
  const plain = collect([ECHO]);
  for (const each of told) plain.monitor.observe(each, SYSFLOW);
  plain.monitor.flush();
  for (let at = 0; at < told.length; at++) {
    const { monitor, findings } = collect([ECHO]);
    for (const [i, each] of told.entries()) {
      if (i === at) assert.equal(monitor.reload([{ name: 'policy0', policy: structuredClone(ECHO) }], []), 0);
      monitor.observe(each, SYSFLOW);
    }
    monitor.flush();
    assert.deepEqual(brief(findings), brief(plain.findings), `before ${at}`);
  }
});

test('reload: another policy is what counts from then on, and its processes are in mid-life', () => {
  const { monitor, findings, notes } = collect([ECHO]);
  for (const each of [...boot, ...serve]) monitor.observe(each, SYSFLOW);
  assert.equal(monitor.reload([{ name: 'policy0', policy: NEXT }], []), 1);
  monitor.observe(secret, SYSFLOW);
  monitor.observe(flow(600, 610, 10, `ACCEPT+READ+CLOSE ${CLIENT}`), SYSFLOW);
  monitor.observe(flow(700, 710, 10, 'OPEN r /etc/shadow'), SYSFLOW);
  for (const each of end) monitor.observe(each, SYSFLOW);
  monitor.flush();
  assert.deepEqual(brief(findings), ['wrong-resource 10 OPEN r /etc/shadow']);
  assert.ok(notes.some((note) => note.kind === 'mid-life'));
});

test('reload: a policy that comes later, and one that goes', () => {
  const other = {
    ...ECHO,
    image: { ...ECHO.image, names: ['other:1'], configDigest: `sha256:${'9'.repeat(64)}` },
  };
  const { monitor, findings } = collect([other]);
  for (const each of boot) monitor.observe(each, SYSFLOW);
  monitor.observe(secret, SYSFLOW);
  monitor.reload([{ name: 'echo', policy: ECHO }], []);
  monitor.observe(
    { ...secret, start: secret.kind === 'flow' ? secret.start + 1n : 0n } as typeof secret,
    SYSFLOW,
  );
  assert.deepEqual(brief(findings), ['wrong-resource 10 OPEN r /etc/echo.secret']);
  monitor.reload([{ name: 'other', policy: other }], []);
  for (const each of exploit) monitor.observe(each, SYSFLOW);
  monitor.flush();
  assert.equal(findings.length, 1);
});
