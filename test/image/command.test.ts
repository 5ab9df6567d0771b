// `effigy image`, as a user would call it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { addImageCommand } from '../../src/cli/image.ts';
import { openImage, writeOciLayout } from '../../src/image/index.ts';
import { temporary } from './support.ts';

/** What the command prints. */
async function run(...args: readonly string[]): Promise<string> {
  const program = new Command('effigy').exitOverride();
  addImageCommand(program);
  let printed = '';
  const { write } = process.stdout;
  process.stdout.write = ((text: string) => {
    printed += text;
    return true;
  }) as typeof write;
  try {
    await program.parseAsync(['image', ...args], { from: 'user' });
  } finally {
    process.stdout.write = write;
  }
  return printed;
}

async function sample(directory: string): Promise<string> {
  const path = join(directory, 'layout');
  await writeOciLayout(path, {
    layers: [
      {
        entries: [
          { kind: 'file', path: 'bin/x', bytes: 'abc', mode: 0o755 },
          { kind: 'symlink', path: 'sh', target: 'bin/x' },
          { kind: 'char', path: 'dev/null', major: 1, minor: 3, mode: 0o666 },
        ],
      },
    ],
    config: {
      entrypoint: ['/bin/x', 'two words'],
      env: ['A=b'],
      labels: { l: '1' },
      exposedPorts: ['80/tcp'],
      healthcheck: {
        test: ['CMD', 'x'],
        interval: 5e9,
        timeout: 0,
        startPeriod: 0,
        startInterval: 0,
        retries: 0,
      },
    },
  });
  return path;
}

test('configuration, layers and the root', async (t) => {
  const path = await sample(temporary(t));
  const text = await run(path);
  for (const pattern of [
    /^names +latest$/m,
    /^platform +linux\/amd64$/m,
    /^entrypoint \/bin\/x "two words"$/m,
    /^env +A=b$/m,
    /^ports +80\/tcp$/m,
    /^health +CMD x every 5 s$/m,
    /^ +1 {2}sha256:[0-9a-f]{64} {2}gzip {2}\d+ bytes {2}3 entries$/m,
    /^lrwxrwxrwx 1 root? ?\S* +0 +5 1970-01-01 00:00:00 sh -> bin\/x$|^lrwxrwxrwx 1 0 0 +5 .* sh -> bin\/x$/m,
  ])
    assert.match(text, pattern);
});

test('the tree of a path, recursively', async (t) => {
  const path = await sample(temporary(t));
  assert.equal(await run(path, '--tree', '/dev'), 'crw-rw-rw- 1 0 0 1, 3 1970-01-01 00:00:00 null\n');
  assert.equal(
    await run(path, '--tree', '-R').then((text) =>
      text
        .split('\n')
        .filter((line) => line.endsWith(':'))
        .join(' '),
    ),
    '/: /bin: /dev:',
  );
  await assert.rejects(run(path, '--tree', '/nope'), /\/nope: no such file or directory in the image/);
});

test('JSON: all of the image, and the files where they are asked for', async (t) => {
  const path = await sample(temporary(t));
  const plain = JSON.parse(await run(path, '--json')) as { config: { entrypoint: string[] }; tree?: unknown };
  assert.deepEqual([plain.config.entrypoint, plain.tree], [['/bin/x', 'two words'], undefined]);
  const { tree } = JSON.parse(await run(path, '--json', '-R')) as {
    tree: { path: string; kind: string; mode: string; device?: number[]; target?: string }[];
  };
  assert.deepEqual(
    tree.map((entry) => entry.path),
    ['/', '/bin', '/bin/x', '/dev', '/dev/null', '/sh'],
  );
  assert.deepEqual([tree[2].mode, tree[4].device, tree[5].target], ['0755', [1, 3], 'bin/x']);
  const image = await openImage(path);
  assert.equal(await run(path, '--json'), await run(path, '--json'));
  image.close();
});

test('limits are checked', async (t) => {
  const path = await sample(temporary(t));
  await assert.rejects(
    run(path, '--limit', 'entries=2'),
    /more than 2 tar entries in all; raise the limit "entries"/,
  );
  await assert.rejects(
    run(path, '--limit', 'entries=5', '--limit', 'nonsense=1'),
    /--limit nonsense=1: not a limit; .*names: entries, /,
  );
});

test('a reader that goes away ends the listing quietly', async (t) => {
  const directory = temporary(t);
  const path = join(directory, 'many');
  await writeOciLayout(path, {
    layers: [
      {
        entries: Array.from(
          { length: 20_000 },
          (_, i) => ({ kind: 'file', path: `f${i}`, bytes: '' }) as const,
        ),
      },
    ],
  });
  const script = join(directory, 'run.mjs');
  const main = new URL('../../src/cli/main.js', import.meta.url).pathname;
  writeFileSync(script, '');
  const ran = spawnSync('sh', ['-c', `"${process.execPath}" "${main}" image "${path}" --tree | head -n 1`], {
    encoding: 'utf8',
  });
  if (/ERR_MODULE_NOT_FOUND|does not provide an export/.test(ran.stderr))
    return t.skip('the command line is not built');
  assert.equal(ran.stderr, '');
  assert.match(ran.stdout, /^-rw-r--r-- 1 0 0 +0 1970-01-01 00:00:00 f0\n$/);
});
