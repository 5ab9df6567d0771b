// `effigy monitor` as a process: what it keeps over restarts, signals, metrics.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writePolicy } from '../../src/policy/index.ts';
import { calls, falcoLines, sinspLines, straceLines, tetragonLines } from '../telemetry/sessions.ts';
import { traceeLines } from '../telemetry/sessions-tracee.ts';
import { boot, ECHO, end, exploit, healthy, serve } from './echo.ts';
import { sysFlowFile } from './sysflow.ts';

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'effigy-running-'));
after(() => rmSync(directory, { recursive: true }));
const policy = join(directory, 'echo.policy.json');
writeFileSync(policy, writePolicy(ECHO));
const whole = Buffer.from(sysFlowFile([...boot, ...exploit, ...healthy.slice(boot.length)]));

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  out(): string;
  err(): string;
}

function start(...args: readonly string[]): Running {
  const child = spawn(process.execPath, [main, 'monitor', '-p', policy, '--json', ...args]);
  let [out, err] = ['', ''];
  child.stdout?.on('data', (text) => {
    out += String(text);
  });
  child.stderr?.on('data', (text) => {
    err += String(text);
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, ended, out: () => out, err: () => err };
}

async function until(what: () => boolean | Promise<boolean>, told: () => string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await what()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`waited in vain: ${told()}`);
}

const ids = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { readonly id: string }).id);

test('state: a file that grows, read in three runs, is told as in one', async () => {
  const path = join(directory, 'grows.sf');
  const state = join(directory, 'grows.state');
  writeFileSync(path, whole);
  const once = start(path);
  assert.equal(await once.ended, 1);
  const expected = ids(once.out());
  assert.ok(expected.length > 0);
  const cut = [whole.length - 700, whole.length - 300, whole.length];
  const told: string[] = [];
  for (const [i, size] of cut.entries()) {
    writeFileSync(path, whole.subarray(0, size));
    const run = start('--state', state, path);
    await run.ended;
    told.push(...ids(run.out()));
    const text = readFileSync(state, 'utf8');
    assert.match(text.split('\n')[0], /effigy monitor state/, `run ${i}`);
  }
  const last = start('--state', state, path);
  assert.equal(await last.ended, 0, last.err());
  told.push(...ids(last.out()));
  assert.deepEqual(told, expected.slice(0, told.length));
  assert.ok(told.length > 0);
});

const session = calls([...boot, ...serve, ...exploit, ...end]);
const texts: { readonly [source: string]: readonly string[] } = {
  falco: falcoLines(session),
  sinsp: sinspLines(session),
  tetragon: tetragonLines(session),
  tracee: traceeLines(session),
  strace: straceLines(session),
};

for (const [source, lines] of Object.entries(texts)) {
  test(`state: a text of ${source} that grows, cut within lines, is told as in one`, async () => {
    const text = `${lines.join('\n')}\n`;
    const path = join(directory, `${source}.txt`);
    const state = join(directory, `${source}.state`);
    const about = source === 'strace' ? ['--within', 'c0ffee=echo:1'] : ['--sees', 'all'];
    const options = ['--source', source, '--container', '*', ...about];
    writeFileSync(path, text);
    // With a state what waits for its order goes on waiting at the end of what there is.
    const once = start(...options, '--state', `${state}.once`, path);
    assert.equal(await once.ended, 1, once.err());
    const expected = ids(once.out());
    assert.ok(expected.length > 0, once.err());
    const told: string[] = [];
    // One of the cuts is behind the first thing that was found.
    for (const part of [0.35, 0.8, 1]) {
      writeFileSync(path, text.slice(0, Math.round(text.length * part)));
      const run = start(...options, '--state', state, path);
      const status = await run.ended;
      assert.ok(status === 0 || status === 1, run.err());
      told.push(...ids(run.out()));
    }
    const last = start(...options, '--state', state, path);
    assert.equal(await last.ended, 0, last.err());
    assert.deepEqual(ids(last.out()), []);
    assert.deepEqual(told, expected);
  });
}

test('state: followed, ended by SIGTERM, and followed again: nothing twice, nothing missing', async () => {
  const followed = join(directory, 'followed');
  mkdirSync(followed);
  const state = join(directory, 'followed.state');
  const first = join(followed, '1600000000');
  writeFileSync(first, sysFlowFile(boot));
  const one = start('--follow', '--state', state, '--metrics', '0', followed);
  await until(() => /metrics on port \d+/.test(one.err()), one.err);
  const port = /metrics on port (\d+)/.exec(one.err())?.[1];
  const scrape = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  await until(async () => /effigy_containers 1\n/.test(await scrape()), one.err);
  const metrics = await scrape();
  for (const name of ['records_total', 'drops_total', 'lag_seconds', 'findings_total', 'tasks', 'pending'])
    assert.match(metrics, new RegExp(`^# TYPE effigy_${name} `, 'm'), metrics);
  assert.match(metrics, /^process_resident_memory_bytes \d+$/m);
  one.child.kill('SIGHUP');
  await until(() => /none has changed/.test(one.err()), one.err);
  writeFileSync(policy, '{}');
  one.child.kill('SIGHUP');
  await until(() => /policies stay as they were/.test(one.err()), one.err);
  writeFileSync(policy, writePolicy(ECHO));
  one.child.kill('SIGTERM');
  assert.equal(await one.ended, 0, one.err());
  writeFileSync(join(followed, '1600000060'), whole);
  const two = start('--follow', '--state', state, followed);
  await until(() => ids(two.out()).length > 0, two.err);
  two.child.kill('SIGTERM');
  assert.equal(await two.ended, 1, two.err());
  const three = start('--state', state, followed);
  assert.equal(await three.ended, 0, three.err());
  assert.deepEqual(ids(three.out()), []);
});

test('severity: what is below is counted, and is no reason for a status', async () => {
  const path = join(directory, 'severe.sf');
  writeFileSync(path, whole);
  const severities = (text: string): string[] =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { readonly severity: string }).severity);
  const all = start(path);
  assert.equal(await all.ended, 1);
  const found = severities(all.out());
  const levels = ['low', 'medium', 'high', 'critical'];
  const [low, high] = [Math.min, Math.max].map((of) => of(...found.map((each) => levels.indexOf(each))));
  assert.ok(low < high, `needs findings of several severities: ${found}`);
  const some = start('--severity', levels[high], path);
  assert.equal(await some.ended, 1);
  const shown = found.filter((each) => each === levels[high]);
  assert.deepEqual(severities(some.out()), shown);
  assert.match(
    some.err(),
    new RegExp(`${found.length - shown.length} findings below ${levels[high]} not shown`),
  );
  if (high === levels.length - 1) return;
  const none = start('--severity', 'critical', path);
  assert.equal(await none.ended, 0, none.err());
  assert.equal(none.out(), '');
});

test('state: one clear line where it does not fit', async () => {
  const path = join(directory, 'whole.sf');
  const state = join(directory, 'refused.state');
  writeFileSync(path, whole);
  await start('--state', state, path).ended;
  const good = readFileSync(state, 'utf8');
  const other = join(directory, 'other.policy.json');
  writeFileSync(other, writePolicy({ ...ECHO, version: '99' }));
  for (const [content, args, message] of [
    [good.replace('"now":', '"NOW":').replace(/\d{9}/, '111111111'), [], /checksum/],
    [`${good}x`, [], /checksum/],
    ['what is this\n', [], /not a state/],
    ['', [], /not a state/],
    [good, ['-p', other], /other policies/],
  ] as const) {
    writeFileSync(state, content);
    const run = start('-q', '--state', state, ...args, path);
    assert.equal(await run.ended, 2);
    assert.match(run.err(), /^effigy: [^\n]*refused\.state[^\n]*\n$/);
    assert.match(run.err(), message);
  }
});
