// A policy has the same bytes whatever the cache of prepared code holds, and on both engines.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildEchoImage } from '../../examples/echo/image.ts';

const cli = join(dirname(fileURLToPath(import.meta.url)), '../../src/cli/effigy.js');

test('the same policy with a cold, a warm, a damaged and no cache, and on the reference engine', async (t) => {
  if (spawnSync('gcc', ['--version']).status !== 0 || !existsSync('/usr/include/stdio.h'))
    return t.skip('not installed: gcc, libc6-dev');
  const scratch = mkdtempSync(join(tmpdir(), 'effigy-cache-'));
  t.after(() => rmSync(scratch, { recursive: true, force: true }));
  const cache = join(scratch, 'cache');
  const image = await buildEchoImage(join(scratch, 'echo'));
  const policy = (name: string, ...args: readonly string[]): string => {
    const file = join(scratch, name);
    const ran = spawnSync(
      process.execPath,
      [cli, 'model', image.path, '-o', file, '--environments', '1', ...args],
      { encoding: 'utf8', env: { ...process.env, EFFIGY_CACHE: cache } },
    );
    assert.equal(ran.status, 0, ran.stderr);
    return readFileSync(file, 'utf8');
  };
  const entries = (): string[] => readdirSync(cache).sort();

  const expected = policy('none', '--no-cache');
  assert.ok(!existsSync(cache), '--no-cache leaves nothing behind');
  assert.equal(policy('reference', '--engine', 'reference'), expected);
  assert.equal(policy('cold'), expected);
  const made = entries();
  assert.ok(made.length > 0 && made.every((name) => name.endsWith('.code')));
  assert.equal(statSync(cache).mode & 0o777, 0o700);
  assert.equal(policy('warm'), expected);
  for (const name of made) {
    const bytes = readFileSync(join(cache, name));
    for (let at = 40; at < bytes.length; at += 1009) bytes[at] ^= 0x55;
    writeFileSync(join(cache, name), bytes);
  }
  assert.equal(policy('damaged'), expected);
});
