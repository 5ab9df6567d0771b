// How bad findings are, and which technique they are: tables.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect, Op } from '../../src/effect/index.ts';
import type { Expected, FindingKind } from '../../src/monitor/finding.ts';
import { severityOf, techniqueOf } from '../../src/monitor/rules.ts';
import type { Provenance } from '../../src/policy/index.ts';
import { resourceOf } from './kit.ts';

function effectOf(text: string): Effect {
  const [op, ...words] = text.split(' ');
  const access = op === 'OPEN' ? words[0] : '';
  return { op: op as Op, access, resource: resourceOf(op, access === '' ? words : words.slice(1)) };
}

/** `OPEN r /x` and, for a guess of the model's, `? OPEN r /x`. */
function expectedOf(text: string): Expected {
  const provenance: Provenance = text.startsWith('? ') ? 'inferred' : 'executed';
  const [op, ...words] = text.replace('? ', '').split(' ');
  const access = op === 'OPEN' ? words[0] : '';
  const resource = (access === '' ? words : words.slice(1)).join(' ');
  return {
    effect: { op: op as Op, access, resource },
    automaton: '',
    program: '',
    at: '',
    phase: 'serve',
    provenance,
  };
}

const table: readonly (readonly [
  kind: FindingKind,
  effect: string,
  expected: string,
  severity: string,
  technique: string,
])[] = [
  // By kind and operation.
  ['foreign-program', 'EXEC /bin/sh -c id', '', 'critical', 'T1059.004'],
  ['foreign-program', 'EXEC /usr/bin/python3.11 -c x', '', 'critical', 'T1059.006'],
  ['foreign-program', 'EXEC /usr/bin/perl', '', 'critical', 'T1059'],
  ['foreign-program', 'EXEC /usr/bin/curl http://x', '', 'critical', 'T1105'],
  ['foreign-program', 'EXEC /bin/nc.openbsd', '', 'critical', 'T1095'],
  ['foreign-program', 'EXEC /tmp/x', '', 'critical', ''],
  ['foreign-program', 'EXEC /usr/bin/id', '', 'high', ''],
  ['unknown-task', 'EXEC /usr/bin/id', '', 'high', 'T1609'],
  ['unknown-task', 'CLONE thread', '', 'high', ''],
  ['identity-change', 'SETUID 0', '', 'critical', 'T1548'],
  ['identity-change', 'SETUID 1000', '', 'high', ''],
  ['foreign-effect', 'PTRACE signal:0', '', 'critical', 'T1055.008'],
  ['foreign-effect', 'MOUNT /dev/sda1', '', 'critical', 'T1611'],
  ['foreign-effect', 'CLONE process', '', 'medium', ''],
  ['out-of-order', 'CLOSE /x', '', 'low', ''],
  ['out-of-order', 'OPEN r /etc/shadow', '', 'medium', ''],
  ['wrong-phase', 'EXEC /bin/sh', '', 'high', ''],
  // By what it is done to.
  ['wrong-resource', 'OPEN r /etc/shadow', '', 'high', 'T1003.008'],
  ['wrong-resource', 'OPEN r /root/.ssh/id_ed25519', '', 'high', 'T1552.004'],
  ['wrong-resource', 'OPEN r /var/run/secrets/kubernetes.io/serviceaccount/token', '', 'high', 'T1528'],
  ['wrong-resource', 'OPEN r /root/.aws/credentials', '', 'high', 'T1552'],
  ['wrong-resource', 'OPEN r /proc/17/mem', '', 'high', 'T1003.007'],
  ['wrong-resource', 'OPEN r /usr/share/x', '', 'medium', ''],
  ['wrong-resource', 'OPEN wca /root/.ssh/authorized_keys', '', 'high', 'T1098.004'],
  ['wrong-resource', 'OPEN r /etc/crontab', '', 'medium', ''],
  ['wrong-resource', 'OPEN wct /etc/cron.d/x', '', 'high', 'T1053.003'],
  ['wrong-resource', 'OPEN wc /etc/ld.so.preload', '', 'high', 'T1574.006'],
  ['wrong-resource', 'OPEN r /etc/ld.so.preload', '', 'medium', ''],
  ['wrong-resource', 'OPEN wa /root/.bashrc', '', 'high', 'T1546.004'],
  ['wrong-resource', 'OPEN wc /etc/systemd/system/x.service', '', 'high', 'T1543.002'],
  ['wrong-resource', 'OPEN wa /etc/passwd', '', 'high', 'T1098'],
  ['foreign-effect', 'RENAME /tmp/x -> /etc/cron.d/x', '', 'high', 'T1053.003'],
  ['foreign-effect', 'UNLINK /var/log/auth.log', '', 'high', 'T1070.002'],
  ['foreign-effect', 'CHMOD /srv/x', '', 'high', 'T1222.002'],
  ['foreign-effect', 'CONNECT unix:/var/run/docker.sock', '', 'critical', 'T1611'],
  [
    'wrong-resource',
    'CONNECT tcp 10.0.0.2:4000 <-> 169.254.169.254:80',
    'CONNECT tcp *:[0-9]+ <-> 10.0.0.7:80',
    'high',
    'T1552.005',
  ],
  // By how far it is from what the policy has.
  ['foreign-effect', 'CONNECT tcp 10.0.0.2:4000 <-> 6.6.6.6:443', 'READ /x', 'critical', ''],
  [
    'wrong-resource',
    'CONNECT tcp 10.0.0.2:4000 <-> 6.6.6.6:443',
    'CONNECT tcp *:[0-9]+ <-> 10.0.0.7:443',
    'high',
    '',
  ],
  ['wrong-resource', 'OPEN r /var/lib/shop/b.db', 'OPEN r /var/lib/shop/a.db', 'low', ''],
  ['wrong-resource', 'OPEN r /run/shop.17', 'OPEN r /run/shop.16', 'low', ''],
  ['wrong-resource', 'OPEN r /run/temp-77.rdb', 'OPEN r /run/temp-[0-9]+.rdb', 'low', ''],
  ['wrong-resource', 'OPEN r /etc/passwd', 'OPEN r /etc/echo.conf', 'medium', ''],
  ['wrong-resource', 'OPEN wct /var/lib/shop/b.db', 'OPEN wct /var/lib/shop/a.db', 'medium', ''],
  ['wrong-resource', 'OPEN wct /var/lib/shop/b.db', 'OPEN r /var/lib/shop/a.db', 'high', ''],
  ['wrong-resource', 'OPEN r /etc/ssl/private/x.key', 'OPEN r /etc/ssl/private/y.key', 'high', 'T1552.004'],
  ['foreign-program', 'EXEC /usr/bin/id -u', 'EXEC /usr/bin/id -g', 'medium', ''],
  ['foreign-program', 'EXEC /bin/sh -c id', 'EXEC /bin/sh -c ls', 'critical', 'T1059.004'],
  // By where the policy has it from.
  ['out-of-order', 'OPEN r /x', '? OPEN r /y', 'low', ''],
  ['out-of-order', 'OPEN r /x', 'OPEN r /y', 'medium', ''],
  ['wrong-phase', 'EXEC /srv/x', '? OPEN r /y', 'medium', ''],
];

for (const [kind, text, expected, severity, technique] of table) {
  test(`rules: ${kind} ${text}${expected === '' ? '' : ` where the policy has ${expected}`}`, () => {
    const effect = effectOf(text);
    assert.equal(severityOf(kind, effect, expected === '' ? [] : [expectedOf(expected)]), severity);
    assert.equal(techniqueOf(kind, effect)?.id ?? '', technique);
  });
}

test('rules: a sub-technique is named with its technique', () => {
  for (const [kind, text] of table) {
    const found = techniqueOf(kind, effectOf(text));
    if (found === undefined) continue;
    assert.match(found.id, /^T\d{4}(\.\d{3})?$/);
    assert.equal(found.name.includes(': '), found.id.includes('.'), found.id);
  }
});
