// `effigy monitor` on SysFlow files: what is printed, and the exit status.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Command } from 'commander';
import { addMonitorCommand } from '../../src/cli/monitor.ts';
import { writePolicy } from '../../src/policy/index.ts';
import type { Observation } from '../../src/telemetry/index.ts';
import { boot, CLIENT, ECHO, end, exploit, healthy, serve } from './echo.ts';
import { container, DIGEST, flow } from './kit.ts';
import { sysFlowFile } from './sysflow.ts';

const directory = mkdtempSync(join(tmpdir(), 'effigy-monitor-'));
after(() => rmSync(directory, { recursive: true }));

const policy = join(directory, 'echo.policy.json');
writeFileSync(policy, writePolicy(ECHO));

function trace(name: string, observations: readonly Observation[]): string {
  const path = join(directory, name);
  writeFileSync(path, sysFlowFile(observations));
  return path;
}

interface Run {
  readonly out: string;
  readonly err: string;
  readonly status: number;
}

/** In this process: what the command writes is caught. */
function effigy(...args: readonly string[]): Run {
  let [out, err] = ['', ''];
  const { write: writeOut } = process.stdout;
  const { write: writeErr } = process.stderr;
  const program = new Command('effigy').exitOverride();
  addMonitorCommand(program);
  for (const command of program.commands) command.exitOverride();
  process.exitCode = 0;
  try {
    process.stdout.write = (text: string | Uint8Array): boolean => {
      out += String(text);
      return true;
    };
    process.stderr.write = (text: string | Uint8Array): boolean => {
      err += String(text);
      return true;
    };
    program.parse(['monitor', ...args], { from: 'user' });
    return { out, err, status: Number(process.exitCode) };
  } finally {
    process.stdout.write = writeOut;
    process.stderr.write = writeErr;
    process.exitCode = 0;
  }
}

test('effigy monitor: a healthy trace', () => {
  const { out, err, status } = effigy('--policy', policy, trace('healthy.sf', healthy));
  assert.deepEqual([out, status], ['no findings\n', 0]);
  assert.match(err, /container echo \(0123456789ab\) example\/echo:1: 16 records, policy echo.policy.json/);
  assert.match(err, /0 incidents, 0 findings/);
});

const attacked = [...boot, ...serve, ...exploit, ...end];

test('effigy monitor: an intrusion is one incident, with its processes and why', () => {
  const { out, status } = effigy('-p', policy, '-q', trace('attacked.sf', attacked));
  assert.equal(status, 1);
  assert.equal(
    out,
    `incident 0123456789ab-1  critical
  container echo (0123456789ab) example/echo:1
  2020-09-13 12:26:40.300000000Z, for 12.000 ms

  10 /srv/echo /etc/echo.conf
  └─ 20 /bin/sh -c id  foreign, 5 effects
     └─ 21 /usr/bin/id  foreign, 3 effects

  +0.000 ms  foreign-effect  medium  CLONE
    10 /srv/echo: echo never does CLONE
    expected ACCEPT tcp 0.0.0.0:8080 <-> *:[0-9]+  (serve, from echo_step (/srv/echo+0x1001))
          or READ tcp 0.0.0.0:8080 <-> *:[0-9]+  (serve, from echo_step (/srv/echo+0x1001))
          or WRITE tcp 0.0.0.0:8080 <-> *:[0-9]+  (serve, from echo_step (/srv/echo+0x1001))

  +1.000 ms  foreign-program  critical  EXEC /bin/sh -c id  [T1059.004 Command and Scripting Interpreter: Unix Shell]
    20 /srv/echo: a process that the policy does not explain executed it

  foreign processes then did:
    CLONE ×3  process, …
    EXEC ×1  /usr/bin/id
    OPEN ×3  /lib64/libc.so.6, /dev/tty, /etc/passwd
    READ ×1  tcp 172.17.0.4:8080 <-> 172.17.0.1:57514
`,
  );
});

test('effigy monitor --json: one object a finding', () => {
  const { out, err, status } = effigy('--json', '--policy', policy, join(directory, 'attacked.sf'));
  assert.equal(status, 1);
  const findings = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(findings.length, 2);
  const { expected, process, ancestors, ...first } = findings[0];
  assert.ok(Array.isArray(expected) && expected.length === 3);
  assert.equal((process as { readonly pid: number }).pid, 10);
  assert.deepEqual(
    (ancestors as readonly { readonly exe: string }[]).map(({ exe }) => exe),
    ['/usr/bin/dash'],
  );
  assert.deepEqual(first, {
    id: '0123456789ab-1.1',
    time: '1600000000300000000',
    kind: 'foreign-effect',
    severity: 'medium',
    container: '0123456789ab',
    containerName: 'echo',
    image: 'example/echo:1',
    pid: 10,
    tid: 10,
    exe: '/srv/echo',
    args: '/etc/echo.conf',
    effect: { op: 'CLONE', access: '', resource: '' },
    target: { kind: 'task', what: '' },
    policy: 'echo.policy.json',
    automata: ['echo'],
    imageId: DIGEST.slice(7),
    privileged: false,
    why: 'echo never does CLONE',
    incident: '0123456789ab-1',
    count: 1,
  });
  assert.match(err, /1 incident, 2 findings/);
});

test('effigy monitor: a directory in the order of its numbers, with what is no trace in it', () => {
  const rotated = join(directory, 'rotated');
  mkdirSync(rotated);
  // A connection that goes on in the next file, which is named so that its name alone would come first.
  trace('rotated/trace.999', [...boot, flow(100, 30_100, 10, `ACCEPT+READ ${CLIENT}`)]);
  trace(
    'rotated/trace.1000',
    [
      container(),
      { ...(boot[4] as Extract<Observation, { kind: 'process' }>) },
      ...boot.filter((each) => each.kind === 'process' && each.process.id.pid === 10).slice(1),
      flow(30_100, 31_000, 10, `READ+WRITE+CLOSE ${CLIENT}`),
      flow(40_000, 41_000, 10, `ACCEPT+READ+CLOSE ${CLIENT}`),
    ].map((each) =>
      each.kind === 'process' ? { ...each, process: { ...each.process, again: true } } : each,
    ),
  );
  writeFileSync(join(rotated, 'notes.txt'), 'not a trace');
  const { out, err, status } = effigy('-p', policy, rotated);
  assert.deepEqual([out, status], ['no findings\n', 0]);
  assert.match(err, /notes.txt: not a trace; skipped/);
});

test('effigy monitor: containers without a policy are said, and may be given one', () => {
  const other = trace('other.sf', [container({ image: 'other:1', imageId: '' }), ...attacked.slice(1)]);
  const unbound = effigy('-p', policy, other);
  assert.equal(unbound.status, 0);
  assert.match(
    unbound.err,
    /container echo \(0123456789ab\) other:1: \d+ records, no policy: no policy is for this image/,
  );
  for (const how of ['echo', '0123456789ab', '*', `echo=${policy}`])
    assert.equal(effigy('-p', policy, '--container', how, other).status, 1, how);
});

test('effigy monitor: errors', () => {
  const sf = join(directory, 'healthy.sf');
  assert.throws(() => effigy('-p', join(directory, 'missing.json'), sf), /missing\.json: no such file/);
  assert.throws(() => effigy('-p', sf, sf), /not a policy/);
  assert.throws(() => effigy('-p', policy, join(directory, 'missing.sf')), /missing\.sf: no such file/);
  assert.throws(() => effigy('-p', policy, policy), /echo\.policy\.json/);
  assert.throws(() => effigy('-p', policy, '--container', 'x=y.json', sf), /add --policy y\.json/);
  assert.throws(() => effigy(sf), /no policy/);
  const empty = join(directory, 'empty');
  mkdirSync(empty);
  assert.throws(() => effigy('-p', policy, empty), /no traces/);
});
