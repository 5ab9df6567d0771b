// The cache directory: entries by version, bounded, only where it is the user's own, with leftovers cleared away.
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openCodeCache } from '../../src/host/index.ts';

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'effigy-code-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const bytes = (length: number, value = 1): Uint8Array => new Uint8Array(length).fill(value);

test('entries come back, aligned, to the same version only', (t) => {
  const path = join(directory(t), 'new', 'cache');
  const cache = openCodeCache({ directory: path, version: 'a' });
  assert.equal(cache?.load('x'), undefined);
  assert.ok(!existsSync(path), 'looking makes nothing');
  cache?.save('x', bytes(10));
  cache?.save('x', bytes(12, 2));
  const found = openCodeCache({ directory: path, version: 'a' })?.load('x');
  assert.deepEqual([...(found ?? [])], [...bytes(12, 2)]);
  assert.equal((found?.byteOffset ?? 1) % 4, 0);
  assert.equal(openCodeCache({ directory: path, version: 'b' })?.load('x'), undefined);
  assert.equal(readdirSync(path).length, 1);
  assert.equal(statSync(path).mode & 0o777, 0o700);
});

test('what was not used for longest goes', (t) => {
  const path = directory(t);
  const cache = openCodeCache({ directory: path, version: 'a', limit: 1000 });
  for (const [i, name] of ['old', 'older', 'new'].entries()) {
    const before = new Set(readdirSync(path));
    cache?.save(name, bytes(300));
    const [made] = readdirSync(path).filter((entry) => !before.has(entry));
    const age = [5000, 9000, 0][i];
    utimesSync(join(path, made), Date.now() / 1000 - age, Date.now() / 1000 - age);
  }
  cache?.save('last', bytes(300));
  assert.equal(cache?.load('older'), undefined);
  assert.equal(cache?.load('old'), undefined, 'to four fifths of the limit');
  assert.equal(cache?.load('new')?.length, 300);
  assert.equal(cache?.load('last')?.length, 300);
  cache?.save('huge', bytes(1001));
  assert.equal(cache?.load('huge'), undefined);
});

test('a directory that others may write is not used', (t) => {
  const path = directory(t);
  chmodSync(path, 0o777);
  assert.equal(openCodeCache({ directory: path, version: 'a' }), undefined);
  chmodSync(path, 0o755);
  assert.notEqual(openCodeCache({ directory: path, version: 'a' }), undefined);
  writeFileSync(join(path, 'file'), '');
  assert.equal(openCodeCache({ directory: join(path, 'file'), version: 'a' }), undefined);
  assert.equal(openCodeCache({ directory: 'relative', version: 'a' }), undefined);
});

test('where nothing can be written, entries are lost and nothing fails', (t) => {
  const path = directory(t);
  writeFileSync(join(path, 'file'), '');
  const cache = openCodeCache({ directory: join(path, 'cache'), version: 'a' });
  writeFileSync(join(path, 'cache'), '');
  cache?.save('x', bytes(10));
  assert.equal(cache?.load('x'), undefined);
});

test('what a process left when it ended in the middle is cleared away', (t) => {
  const path = directory(t);
  const cache = openCodeCache({ directory: path, version: 'a', limit: 100 });
  for (const name of ['.1.stale', '.1.fresh']) writeFileSync(join(path, name), 'half');
  utimesSync(join(path, '.1.stale'), 1000, 1000);
  cache?.save('x', bytes(90));
  assert.deepEqual(
    readdirSync(path).filter((name) => name.startsWith('.')),
    ['.1.fresh'],
  );
});
