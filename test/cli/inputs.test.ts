// Traces as commands read them: told by content, compressed, in directories, while they grow, from SysFlow's socket.
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type InputOptions, readInputs } from '../../src/cli/inputs.ts';
import { writePolicy } from '../../src/policy/index.ts';
import { sendPackets } from '../host/packet-client.ts';
import { boot, ECHO, end, exploit, serve } from '../monitor/echo.ts';
import { sysFlowFile } from '../monitor/sysflow.ts';
import { printObservation } from '../telemetry/print.ts';
import { bareRecords } from '../telemetry/records.ts';
import { calls, falcoLines, tetragonLines } from '../telemetry/sessions.ts';
import { traceeLines } from '../telemetry/sessions-tracee.ts';

const directory = mkdtempSync(join(tmpdir(), 'effigy-inputs-'));
after(() => rmSync(directory, { recursive: true }));
const main = join(import.meta.dirname, '../../src/cli/main.js');

const attacked = [...boot, ...serve, ...exploit, ...end];
const session = calls(attacked);
const policy = join(directory, 'echo.policy.json');
writeFileSync(policy, writePolicy(ECHO));

function put(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}
const lines = (list: readonly string[]): string => `${list.join('\n')}\n`;

interface Read {
  readonly observed: string[];
  readonly said: string[];
  readonly sources: string[];
}

async function read(paths: readonly string[], options: InputOptions = {}): Promise<Read> {
  const [observed, said, sources]: [string[], string[], string[]] = [[], [], []];
  await readInputs(paths, options, {
    observe: (observation) => observed.push(printObservation(observation)),
    say: (text) => said.push(text),
    finished: (_, source) => sources.push(source),
  });
  return { observed, said, sources };
}

const traces = {
  'a.sf': sysFlowFile(attacked),
  'falco.json': lines(falcoLines(session)),
  'tetragon.log': lines(tetragonLines(session)),
  'tracee.json': lines(traceeLines(session)),
  'strace.txt':
    '7 1600000000.000000001 execve("/bin/sh", ["sh"], []) = 0\n7 1600000000.1 +++ exited with 0 +++\n',
};
const wanted = ['sysflow', 'falco', 'tetragon', 'tracee', 'strace'];

test('each source is told by its content, plain and compressed', async () => {
  const zstd = spawnSync('zstd', ['-V']).error === undefined;
  for (const [i, [name, content]] of Object.entries(traces).entries()) {
    const plain = await read([put(name, content)]);
    assert.deepEqual(plain.sources, [wanted[i]]);
    assert.ok(plain.observed.length > 2, name);
    const packed = await read([put(`${name}.gz`, gzipSync(content))]);
    assert.deepEqual(packed, plain, name);
    if (!zstd) continue;
    put(`${name}.zst`, spawnSync('zstd', ['-c', '-'], { input: content }).stdout);
    assert.deepEqual(await read([join(directory, `${name}.zst`)]), plain, name);
  }
});

test('a source may be named, and may be wrong', async () => {
  const odd = put('odd', `no event at all\n${traces['falco.json']}`);
  assert.deepEqual((await read([odd], { source: 'falco' })).sources, ['falco']);
  const strange = put('strange', 'nothing that anyone wrote\n');
  await assert.rejects(
    async () => read([strange]),
    /strange: not a trace of a source that is known|not a trace/,
  );
  await assert.rejects(async () => read([strange], { source: 'sysflow' }), { name: 'InputError' });
  await assert.rejects(async () => read([strange], { sees: 'EXEC,FLY' }), /"FLY" is no operation/);
  await assert.rejects(async () => read([]), /no traces/);
});

test('compressed and cut short: what is there, and a gap', async () => {
  const whole = gzipSync(traces['falco.json']);
  const { observed } = await read([put('cut.gz', whole.subarray(0, whole.length - 200))]);
  assert.ok(observed.length > 10);
  assert.match(observed.at(-1) ?? '', /^gap .*gzip/);
});

interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly text: { out: string; err: string };
  /** Until standard error has this. */
  until(pattern: RegExp): Promise<void>;
  readonly ended: Promise<number | null>;
}

function effigy(...args: readonly string[]): Running {
  const child = spawn(process.execPath, [main, ...args]);
  const text = { out: '', err: '' };
  let wake = (): void => {};
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', (status) => {
      resolve(status);
      wake();
    });
  });
  child.stdout.on('data', (data) => {
    text.out += String(data);
    wake();
  });
  child.stderr.on('data', (data) => {
    text.err += String(data);
    wake();
  });
  const until = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(text.err + text.out) && child.exitCode === null)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  };
  return { child, text, until, ended };
}

test('--follow: a directory of rotated files, with Ctrl-C at the end', async () => {
  const path = join(directory, 'rotated');
  mkdirSync(path);
  const whole = sysFlowFile(attacked);
  writeFileSync(join(path, '1000'), sysFlowFile([]));
  const running = effigy('monitor', '--json', '-p', policy, '--follow', path);
  // Its first block is written in two parts.
  writeFileSync(join(path, '1001'), whole.subarray(0, whole.length - 50));
  // long enough to have read the part; it would be as right to have read nothing
  await new Promise((resolve) => setTimeout(resolve, 1000));
  appendFileSync(join(path, '1001'), whole.subarray(whole.length - 50));
  await running.until(/foreign-program/);
  running.child.kill('SIGINT');
  assert.equal(await running.ended, 1, running.text.err);
  assert.match(running.text.out, /foreign-program/);
  assert.match(running.text.err, /[1-9] incidents?, /);
  assert.doesNotMatch(running.text.err, /gap/);
});

test('--listen: the SysFlow processor’s socket', async (t) => {
  if (spawnSync('python3', ['-V']).error !== undefined && spawnSync('perl', ['-v']).error !== undefined) {
    t.skip('neither python3 nor perl');
    return;
  }
  const path = join(directory, 'sysflow.sock');
  const running = effigy('monitor', '--json', '-p', policy, '--listen', path);
  await running.until(/listening on/);
  assert.equal(await sendPackets(path, bareRecords(sysFlowFile(attacked))), undefined);
  await running.until(/disconnected/);
  running.child.kill('SIGTERM');
  assert.equal(await running.ended, 1, running.text.err);
  assert.match(running.text.out, /foreign-program/);
  assert.ok(!existsSync(path));
});

test('standard input', async () => {
  for (const content of [traces['tetragon.log'], gzipSync(traces['tetragon.log'])]) {
    const running = effigy('monitor', '-q', '-p', policy, '--container', '*', '-');
    running.child.stdin.end(content);
    assert.equal(await running.ended, 1, running.text.err);
    assert.match(running.text.out, /\/bin\/sh -c id/);
  }
});

test('effigy telemetry: what a trace holds', async () => {
  const trace = put('t.sf', sysFlowFile(attacked));
  const summary = effigy('telemetry', '--stats', trace);
  assert.equal(await summary.ended, 0, summary.text.err);
  assert.match(summary.text.out, /t\.sf: sysflow/);
  assert.match(summary.text.out, /container echo \(0123456789ab\) example\/echo:1 ab12ab12ab12: 4 processes/);
  assert.match(summary.text.out, /no gaps/);
  assert.match(summary.text.out, /no IPv6/);
  const json = effigy('telemetry', '--stats', '--json', put('t.json', traces['falco.json']));
  assert.equal(await json.ended, 0);
  const survey = JSON.parse(json.text.out) as {
    operations: { EXEC?: number };
    sources: { falco: { operations: string[] } };
  };
  assert.deepEqual(survey.sources.falco.operations, []);
  const events = effigy('telemetry', '--events', trace);
  assert.equal(await events.ended, 0);
  assert.match(events.text.out, /event 20 EXEC \/bin\/sh -c id\n/);
  const objects = effigy('telemetry', '--events', '--json', trace);
  assert.equal(await objects.ended, 0);
  for (const line of objects.text.out.trimEnd().split('\n'))
    assert.ok('kind' in (JSON.parse(line) as object));
});
