// The whole way on the example: image, model, recording, monitor, as the demo shows it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildEchoImage } from '../../examples/echo/image.ts';
import { matcher, resourceTexts } from '../../src/effect/index.ts';
import { ENVIRONMENTS, knownTexts } from '../../src/explore/index.ts';
import { readPolicy } from '../../src/policy/index.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const cli = join(root, 'src/cli/effigy.js');
const client = join(root, 'examples/echo/client.js');

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function effigy(...args: readonly string[]): Ran {
  return spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
}

function missing(...programs: readonly string[]): string {
  const absent = programs.filter((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0);
  return absent.length === 0 ? '' : `not installed: ${absent.join(', ')}`;
}

test('image to verdict', async (t) => {
  const without = missing('gcc');
  if (without !== '' || !existsSync('/usr/include/stdio.h'))
    return t.skip(without || 'not installed: libc6-dev');
  const scratch = mkdtempSync(join(tmpdir(), 'effigy-e2e-'));
  t.after(() => rmSync(scratch, { recursive: true, force: true }));
  const image = await buildEchoImage(join(scratch, 'echo'));
  const file = join(scratch, 'policy.json');

  await t.test('the model is complete, and nothing of the environment is literal in it', () => {
    const ran = effigy('model', image.path, '-o', file);
    assert.equal(ran.status, 0, ran.stderr);
    const policy = readPolicy(readFileSync(file, 'utf8'), file);
    assert.ok(policy.complete, policy.incomplete);
    assert.deepEqual(policy.coverage.listeners, ['tcp 0.0.0.0:7007']);
    assert.deepEqual(policy.cuts, []);
    const texts = policy.automata
      .flatMap((automaton) => automaton.edges)
      .flatMap((edge) => (edge.effect === undefined ? [] : resourceTexts(edge.effect.resource)));
    const known = ENVIRONMENTS.flatMap(knownTexts);
    for (const text of texts)
      for (const value of known) assert.ok(!text.includes(value), `${text} has ${value} of the environment`);
    const accepts = policy.automata
      .flatMap((automaton) => automaton.edges)
      .filter((edge) => edge.effect?.op === 'ACCEPT');
    // clients from afar, and from within the container
    for (const client of ['10.9.8.7', '127.0.0.1'])
      assert.ok(
        accepts.some(
          ({ effect }) => effect?.resource.kind === 'net' && matcher(effect.resource.peer.address)(client),
        ),
        client,
      );
    for (const { stack } of accepts) {
      assert.ok(
        stack !== undefined &&
          policy.stacks[stack].some((frame) => policy.frames[frame].symbol.startsWith('main+')),
        'the stack reaches main',
      );
    }
  });

  await t.test('the same image and options give the same bytes', () => {
    const [a, b] = [join(scratch, 'a.json'), join(scratch, 'b.json')];
    for (const out of [a, b])
      assert.equal(effigy('model', image.path, '-o', out, '--environments', '1', '--no-probes').status, 0);
    assert.deepEqual(readFileSync(a), readFileSync(b));
  });

  for (const [session, args, findings] of [
    ['benign', [], false],
    ['attack', ['--binary', image.binary, '--command', 'id > /tmp/here'], true],
  ] as const) {
    await t.test(`${session} session`, (s) => {
      const cannot = missing('strace', 'unshare', 'nsenter', 'setpriv', 'ip');
      if (cannot !== '') return s.skip(cannot);
      const trace = join(scratch, `${session}.sf`);
      const drive = [process.execPath, client, session, '127.0.0.1:7007', ...args]
        .map((word) => `'${word}'`)
        .join(' ');
      const recorded = effigy('record', '-o', trace, '--image', image.path, '--drive', drive);
      if (recorded.status !== 0 && /namespace|permission|not permitted/i.test(recorded.stderr))
        return s.skip(recorded.stderr.trim());
      assert.equal(recorded.status, 0, recorded.stderr);
      assert.match(recorded.stdout, /drive command: exit status 0/);
      const verdict = effigy('monitor', '--policy', file, '--json', trace);
      assert.equal(verdict.status, findings ? 1 : 0, verdict.stdout + verdict.stderr);
      const coverage = effigy('coverage', '--policy', file, trace);
      assert.equal(coverage.status, findings ? 1 : 0, coverage.stdout + coverage.stderr);
      assert.match(coverage.stdout, findings ? /^missing$/m : /^effects in the policy +(\d+) of \1 /);
      const lines = verdict.stdout.split('\n').filter((line) => line !== '');
      const found = lines.map(
        (line) =>
          JSON.parse(line) as {
            kind: string;
            incident: string;
            time: string;
            effect: { op: string; resource: string };
          },
      );
      if (!findings) return assert.deepEqual(found, []);
      assert.equal(new Set(found.map(({ incident }) => incident)).size, 1, 'one cause, one incident');
      assert.ok(
        found.some(({ kind, effect }) => kind === 'foreign-program' && effect.resource.includes('/tmp/here')),
      );
      for (const { time } of found) assert.match(time, /^\d{19}$/);
    });
  }
});

test('bad input: one line, exit status 2', () => {
  const cases: readonly (readonly string[])[] = [
    ['image', '/nonexistent'],
    ['model', '/dev/null', '-o', '/tmp/x'],
    ['show', join(root, 'src/cli/effigy.js')],
    ['monitor', '--policy', '/nonexistent', '/nonexistent'],
    ['coverage', '--policy', '/nonexistent', '/nonexistent'],
    ['coverage', '/nonexistent'],
    ['model', '/nonexistent', '-o', '/tmp/x', '--environments', '9'],
    ['unknown-command'],
  ];
  for (const args of cases) {
    const ran = effigy(...args);
    assert.equal(ran.status, 2, `${args.join(' ')}: ${ran.stderr}`);
    assert.equal(ran.stdout, '', args.join(' '));
    assert.ok(ran.stderr.trim().split('\n').length <= 2 && !/\n\s+at /.test(ran.stderr), ran.stderr);
  }
});

test('every command has help with an example', () => {
  const commands = [
    ...['image', 'model', 'show', 'record', 'monitor', 'coverage'],
    ...['telemetry', 'allow', 'compare', 'run', 'syscalls'],
  ];
  for (const command of commands) {
    const ran = effigy(command, '--help');
    assert.equal(ran.status, 0);
    assert.match(ran.stdout, /Examples?:\n[\s\S]*effigy/, command);
  }
});
