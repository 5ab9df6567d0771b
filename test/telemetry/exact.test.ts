// strace's text as a source of exact observations.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CALLS } from '../../src/telemetry/activity-calls.ts';
import { openStrace, TRACED_SYSCALLS } from '../../src/telemetry/index.ts';
import { fileOf } from './avro-data.ts';
import { runCases } from './cases.ts';
import { printObservation } from './print.ts';

const observe = (text: string, options = {}): string[] =>
  [...openStrace(fileOf(Buffer.from(text, 'latin1'), 'trace.txt'), options).observations()].map(
    printObservation,
  );

runCases('exact.cases.txt', (lines) => observe(lines.join('\n'), { cwd: '/work' }).slice(1));

test('a container, its entry, names of users', () => {
  const container = { id: 'c0ffee', name: 'web', image: 'web:1', imageId: 'abc', privileged: false };
  const got = observe('7 1.0 execve("/entry", ["entry"], []) = 0\n7 1.1 fork() = 8\n', {
    container,
    uid: 33,
    userName: (uid: number) => `u${uid}`,
  });
  assert.deepEqual(got.slice(0, 3), [
    'stream strace 0',
    'container c0ffee web web:1 abc',
    'process 7@1000000000 of - /entry [] u33(33) c0ffee entry',
  ]);
  assert.match(got[4], /^process 8@1100000000 of 7@1000000000 \/entry \[\] u33\(33\) c0ffee$/);
});

test('every row is traced', () => {
  for (const name of CALLS.keys()) assert.ok(TRACED_SYSCALLS.includes(name), name);
});

test('a file that strace did not write', () => {
  assert.throws(() => observe('hello\nworld world\n'), { name: 'InputError', where: 'trace.txt' });
});
