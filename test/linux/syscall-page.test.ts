// docs/syscalls.md is the table; UPDATE=1 writes it anew. The command prints the same.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { syscallPage } from '../../src/linux/syscall-page.ts';
import { syscallRows } from '../../src/linux/table.ts';

const page = syscallPage(syscallRows);

test('docs/syscalls.md is up to date', (t) => {
  if (!existsSync('docs')) return t.skip('not in the project directory');
  if (process.env['UPDATE'] === '1') writeFileSync('docs/syscalls.md', page);
  assert.equal(readFileSync('docs/syscalls.md', 'utf8'), page, 'UPDATE=1 writes it');
});

const main = [
  join(import.meta.dirname, '../../src/cli/main.js'),
  join(import.meta.dirname, '../../src/cli/main.ts'),
].find((path) => existsSync(path));

test('effigy syscalls prints the page, parts of it, and JSON', (t) => {
  if (main === undefined || main.endsWith('.ts')) return t.skip('the command line is not built');
  const run = (...args: string[]): string =>
    execFileSync(process.execPath, [main, 'syscalls', ...args], { encoding: 'utf8' });
  assert.equal(run(), page);
  const refused = run('--level', 'refused');
  assert.match(refused, /^\| 165 \| `mount\(/m);
  assert.doesNotMatch(refused, /`openat\(/);
  const rows = JSON.parse(run('--json')) as { number: number; name: string; arguments: object[] }[];
  assert.equal(rows.length, syscallRows.length);
  assert.deepEqual(rows[2].arguments[0], { name: 'pathname', type: 'path' });
  assert.throws(() => run('--level', 'best'));
});

test('every call is dealt with: none is missing', () => {
  assert.deepEqual(
    syscallRows.filter(({ level }) => level === 'missing').map(({ name }) => name),
    [],
  );
});
