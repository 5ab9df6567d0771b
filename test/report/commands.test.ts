// `effigy monitor --output` and `--allow`, and `effigy allow`, end to end on files.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writePolicy } from '../../src/policy/index.ts';
import { boot, ECHO, end, serve } from '../monitor/echo.ts';
import { flow } from '../monitor/kit.ts';
import { sysFlowFile } from '../monitor/sysflow.ts';

const directory = mkdtempSync(join(tmpdir(), 'effigy-report-'));
after(() => rmSync(directory, { recursive: true }));
const file = (name: string): string => join(directory, name);
const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

function effigy(...args: readonly string[]): {
  readonly out: string;
  readonly err: string;
  readonly status: number;
} {
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
  return { out: stdout, err: stderr, status: status ?? -1 };
}

writeFileSync(file('echo.policy.json'), writePolicy(ECHO));
writeFileSync(
  file('trace.sf'),
  sysFlowFile([
    ...boot,
    ...serve,
    flow(300, 301, 10, 'OPEN+READ+CLOSE r /etc/passwd'),
    flow(302, 303, 10, 'OPEN+READ+CLOSE r /etc/shadow'),
    ...end,
  ]),
);
const monitor = ['monitor', '-p', file('echo.policy.json'), file('trace.sf')] as const;

test('several outputs at once: text for people, files for programs', () => {
  const { out, err, status } = effigy(
    ...monitor,
    '-o',
    'text',
    '-o',
    `json=${file('f.ndjson')}`,
    '-o',
    `sarif=${file('f.sarif')}`,
  );
  assert.equal(status, 1, err);
  assert.match(out, /^incident 0123456789ab-1 /);
  assert.equal(readFileSync(file('f.ndjson'), 'utf8').trimEnd().split('\n').length, 2);
  const log = JSON.parse(readFileSync(file('f.sarif'), 'utf8')) as {
    readonly runs: readonly { readonly results: readonly unknown[] }[];
  };
  assert.equal(log.runs[0].results.length, 2);
});

test('a finding is allowed, by id; what never matched is said', () => {
  const from = ['--from', file('f.ndjson'), '-o', file('a.json')] as const;
  const allowed = effigy(
    'allow',
    '0123456789ab-1.1',
    ...from,
    '--why',
    'looks up users',
    '--by',
    'ops',
    '--expires',
    '2099-01-01',
  );
  assert.equal(allowed.status, 0, allowed.err);
  assert.equal(
    allowed.out,
    'echo-open-passwd: /srv/echo (echo) of docker.io/example/echo may OPEN r /etc/passwd until 2099-01-01T00:00:00Z\n',
  );
  const second = effigy(
    'allow',
    '0123456789ab-1.2',
    ...from,
    '--why',
    'x',
    '--path',
    '/elsewhere/*',
    '--name',
    'other',
  );
  assert.equal(second.status, 0, second.err);
  const { out, err, status } = effigy(...monitor, '--allow', file('a.json'), '--json');
  assert.equal(status, 1);
  assert.deepEqual(
    out
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { readonly target: { readonly path: string } }).target.path),
    ['/etc/shadow'],
  );
  assert.match(err, /1 covered by amendments/);
  assert.match(err, /amendment echo-open-passwd: covered 1 finding\n/);
  assert.match(err, /amendment other: never matched\n/);
});

test('mistakes are one line each', () => {
  const from = ['--from', file('f.ndjson'), '-o', file('b.json')] as const;
  writeFileSync(file('bad.json'), '{"format":1,"amendments":[{}]}');
  const table: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [['allow', 'nope', ...from, '--why', 'x'], /no finding nope/],
    [['allow', ...from, '--why', 'x'], /2 findings; name those/],
    [['allow', '0123456789ab-1.1', ...from, '--why', ' '], /why/],
    [['allow', '0123456789ab-1.1', ...from, '--why', 'x', '--expires', 'soon'], /no such date/],
    [['allow', '0123456789ab-1.1', ...from, '--why', 'x', '--path', 'a['], /not a pattern/],
    [['allow', '0123456789ab-1.1', ...from, '--why', 'x', '--any-peer'], /about no connection/],
    [
      ['allow', '0123456789ab-1.1', '--from', file('f.ndjson'), '-o', file('a.json'), '--why', 'x'],
      /covers it already/,
    ],
    [['allow', 'x', '--from', file('f.sarif'), '-o', file('b.json'), '--why', 'x'], /line 1: not a finding/],
    [['allow', 'x', '--from', file('none'), '-o', file('b.json'), '--why', 'x'], /no such file/],
    [[...monitor, '--allow', file('bad.json')], /bad\.json: not an amendment file: \/amendments\/0/],
    [[...monitor, '--allow', file('a.json'), '--allow', file('a.json')], /rename one/],
    [[...monitor, '-o', 'xml'], /there is no format "xml"/],
    [[...monitor, '-o', 'json', '-o', 'ecs'], /two formats for one place/],
    [[...monitor, '-o', 'json='], /no file/],
    [[...monitor, '-o', `json=${file('none/f')}`], /no such file/],
  ];
  for (const [args, message] of table) {
    const { err, status } = effigy(...args);
    assert.equal(status, 2, args.join(' '));
    assert.match(err, message);
    assert.equal(err.trimEnd().split('\n').length, 1, err);
  }
});
