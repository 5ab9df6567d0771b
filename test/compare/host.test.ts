// The host's side: processes and threads of another pid namespace, the course of the run, and what is no trace.
import assert from 'node:assert/strict';
import test from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import { type HostRun, processRun, readHostRun } from '../../src/compare/index.ts';
import type { RandomAccess } from '../../src/host/index.ts';

const start = { op: 'EXEC', resource: { kind: 'program', path: '/app', args: [] }, access: '' } as const;

function read(text: string): HostRun {
  const bytes = Buffer.from(text.trim().replace(/^ +/gm, ''), 'latin1');
  const file: RandomAccess = {
    name: 'trace',
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
    readInto: (offset, target) => bytes.copy(target, 0, offset),
    close: () => undefined,
  };
  return readHostRun(file, { program: undefined, start, stopSignal: 15 });
}

const before = `
  500 9.000 execve("/recorder", ["recorder"], []) = 0 <0.0>
  500 9.500 openat(-100</>, "/recorders", 0) = 3</recorders> <0.0>
  500 10.000 execve("/app", ["app"], []) = 0 <0.0>`;

test('children and threads belong to who made them, whatever their numbers are inside', () => {
  const { happenings } = read(`${before}
    500 10.1 clone(child_stack=NULL, flags=0x1200000|17) = 7 /* 501 in strace's PID NS */ <0.0>
    501 10.2 openat(-100</>, "/child", 0) = -1 ENOENT (No such file) <0.0>
    500 10.3 clone(child_stack=0x1, flags=0x10000|0x100) = 8 /* 502 in strace's PID NS */ <0.0>
    502 10.4 openat(-100</>, "/thread", 0) = -1 ENOENT (No such file) <0.0>
    502 10.5 +++ exited with 0 +++
    501 10.6 +++ exited with 0 +++
    500 10.7 +++ exited with 0 +++`);
  const run = processRun(happenings);
  const texts = (effects: HostRun['happenings']): string[] =>
    effects.map(({ effect }) => (effect.resource.kind === 'file' ? effect.resource.path : effect.op));
  assert.deepEqual(run.programs, ['/app']);
  assert.deepEqual(
    run.threads.map(({ effects }) => texts(effects)),
    [
      ['EXEC', 'CLONE', 'CLONE', 'EXIT'],
      ['/thread', 'EXIT'],
    ],
  );
  assert.deepEqual(
    run.children.map((child) => child.threads.map(({ effects }) => texts(effects))),
    [[['/child', 'EXIT']]],
  );
});

test('the course: start, listening, stop signal', () => {
  const { course } = read(`${before}
    500 11.5 listen(3<TCP:[0.0.0.0:80]>, 5) = 0 <0.0>
    500 14.5 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=0, si_uid=0} ---
    500 15.0 +++ exited with 0 +++`);
  assert.deepEqual(course, { start: 10_000_000_000n, listened: 11_500_000_000n, stopped: 14_500_000_000n });
});

test('a first process that ignores the signal is killed after ten seconds', () => {
  const { course } = read(`${before}
    500 33.0 +++ killed by SIGKILL +++`);
  assert.deepEqual(course, { start: 10_000_000_000n, listened: undefined, stopped: 23_000_000_000n });
});

for (const [name, text, message] of [
  ['of another image', '500 9.0 execve("/other", ["other"], []) = 0 <0.0>', /does not start the program/],
  ['empty', '', /does not start the program/],
  ['no trace', 'hello\nworld\n', /not the output of strace/],
] as const) {
  test(`a trace that can't be used: ${name}`, () => {
    assert.throws(
      () => read(text),
      (error) => error instanceof InputError && message.test(error.message),
    );
  });
}
