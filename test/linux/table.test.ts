// The system call table is the documentation: complete, named, typed, no call twice.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { catalogue } from '../../src/linux/catalogue.ts';
import { formatSyscall } from '../../src/linux/format.ts';
import { ARG_TYPES } from '../../src/linux/syscall.ts';
import { families, syscallRows, syscallTable } from '../../src/linux/table.ts';
import { Box } from './box.ts';

test('every number that Linux 6.12 has', () => {
  const numbers = [
    ...Array.from({ length: 336 }, (_, i) => i),
    ...Array.from({ length: 39 }, (_, i) => 424 + i),
  ];
  assert.deepEqual(
    syscallRows.map((row) => row.nr),
    numbers,
  );
  for (const nr of numbers) assert.equal(syscallTable[nr]?.nr, nr);
  assert.equal(new Set(syscallRows.map((row) => row.name)).size, numbers.length);
});

test('names and numbers are those of the kernel headers', (t) => {
  const header = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h';
  if (!existsSync(header)) return t.skip(`${header} is not there`);
  for (const [, name, nr] of readFileSync(header, 'utf8').matchAll(/^#define __NR_(\w+) (\d+)$/gm)) {
    assert.equal(syscallTable[Number(nr)]?.name, name);
  }
});

test('arguments have a name and a known type, at most six', () => {
  const types: ReadonlySet<string> = new Set(ARG_TYPES);
  for (const { name, args } of catalogue) {
    assert.ok(args.length <= 6, name);
    for (const arg of args) {
      const [what, type, ...rest] = arg.split(':');
      assert.ok(what !== '' && types.has(type) && rest.length === 0, `${name} ${arg}`);
    }
    assert.equal(new Set(args.map((arg) => arg.split(':')[0])).size, args.length, name);
  }
});

test('no call is in two families, and every partial, refused and missing row says why', () => {
  const seen = new Set<string>();
  for (const rows of families) {
    for (const row of rows) {
      assert.ok(!seen.has(row.name), `${row.name} twice`);
      seen.add(row.name);
    }
  }
  for (const row of syscallRows) if (row.level !== 'full') assert.notEqual(row.note, '', row.name);
});

test('calls print as strace would', () => {
  const box = new Box();
  const row = (name: string) => {
    const found = syscallRows.find((candidate) => candidate.name === name);
    assert.ok(found !== undefined);
    return found;
  };
  const path = BigInt(box.put(new TextEncoder().encode('/etc/"x"\n\0')));
  const cases: readonly (readonly [string, bigint[], number, string])[] = [
    [
      'openat',
      [BigInt.asUintN(64, -100n), path, 0x80000n, 0o644n, 0n, 0n],
      3,
      String.raw`openat(AT_FDCWD, "/etc/\"x\"\n", 0x80000, 0644) = 3`,
    ],
    ['kill', [BigInt.asUintN(64, -1n), 15n, 0n, 0n, 0n, 0n], -3, 'kill(-1, SIGTERM) = -1 ESRCH'],
    ['brk', [0n, 0n, 0n, 0n, 0n, 0n], 0x5555_5555_6000, 'brk(NULL) = 0x555555556000'],
    ['unlink', [1n, 0n, 0n, 0n, 0n, 0n], -14, 'unlink(0x1) = -1 EFAULT'],
  ];
  for (const [name, args, result, text] of cases)
    assert.equal(formatSyscall(box.task, row(name), args, result), text);
});
