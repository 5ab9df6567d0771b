// execve: what is found, mapped and refused, without running a program.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import test from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import { printEffect } from '../../src/effect/index.ts';
import { type TreeBuilder, treeBuilder } from '../../src/image/index.ts';
import { execve } from '../../src/linux/loader.ts';
import { parseScript } from '../../src/linux/loader-program.ts';
import { Box } from './box.ts';
import { addProgram, runGuest } from './guest.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const shell = existsSync('/bin/sh') ? realpathSync('/bin/sh') : undefined;
const skip = shell === undefined ? '/bin/sh is not there' : false;

test('#! lines', () => {
  const long = `#!/${'i'.repeat(300)}`;
  const cases: readonly (readonly [string, string | undefined, (string | undefined)?])[] = [
    ['#!/bin/sh\necho', '/bin/sh'],
    ['#! /bin/sh  -e  \nx', '/bin/sh', '-e'],
    ['#!/usr/bin/env -S a b \n', '/usr/bin/env', '-S a b'],
    ['#!\t/bin/sh\t-x', '/bin/sh', '-x'],
    ['#!/bin/sh', '/bin/sh'],
    ['#!\n', undefined],
    ['#!   \n/bin/sh', undefined],
    ['#', undefined],
    ['', undefined],
    [long, undefined],
    [`#!/bin/sh ${'a'.repeat(300)}`, '/bin/sh', 'a'.repeat(246)],
  ];
  for (const [text, interpreter, argument] of cases) {
    const head = bytes(text).subarray(0, 256);
    assert.deepEqual(
      parseScript(head),
      interpreter === undefined ? undefined : { interpreter, argument },
      JSON.stringify(text.slice(0, 30)),
    );
  }
});

/** A container with a shell and some files that can't or can be started. */
function box(add: (builder: TreeBuilder) => void = () => {}): Box {
  const builder = treeBuilder();
  if (shell !== undefined) addProgram(builder, shell, '/bin/sh');
  builder.addFile('/text', 'hello', { mode: 0o755 });
  builder.addFile('/empty', '', { mode: 0o755 });
  builder.addFile('/private', '#!/bin/sh\n', { mode: 0o644 });
  builder.addFile('/script', '#!/bin/sh -e\n', { mode: 0o755 });
  builder.addFile('/lost', '#!/no/such/interpreter\n', { mode: 0o755 });
  builder.addFile('/loop', '#!/loop\n', { mode: 0o755 });
  for (let i = 1; i <= 6; i++)
    builder.addFile(`/s${i}`, i === 1 ? '#!/bin/sh\n' : `#!/s${i - 1} ${i}\n`, { mode: 0o755 });
  builder.addDir('/directory');
  builder.addSymlink('/link', '/script');
  add(builder);
  return new Box({ tree: builder.build() });
}

const request = (path: string, argv: readonly string[] = [path], envp: readonly string[] = []) => ({
  dirfd: -100,
  path,
  argv,
  envp,
  emptyPath: false,
  noFollow: false,
});

test('what execve refuses', { skip }, () => {
  const cases: readonly (readonly [string, number])[] = [
    ['/none', -2],
    ['', -2],
    ['/text/x', -20],
    ['/directory', -13],
    ['/private', -13],
    ['/text', -8],
    ['/empty', -8],
    ['/lost', -2],
    ['/loop', -40],
    ['/s6', -40],
  ];
  const { kernel, task, effects } = box();
  for (const [path, errno] of cases) {
    assert.equal(execve(kernel, task, request(path)), errno, path);
    const last = effects.at(-1);
    assert.ok(last !== undefined);
    assert.equal(last.effect.op, 'EXEC');
    assert.equal(last.result, errno);
  }
  assert.equal(task.process.exe, '/bin/test', 'a refused execve changes nothing');
});

test('argument lists that are too long', { skip }, () => {
  const { kernel, task } = box();
  assert.equal(execve(kernel, task, request('/script', ['x', 'a'.repeat(131_072)])), -7);
  assert.equal(
    execve(
      kernel,
      task,
      request(
        '/script',
        ['x'],
        Array.from({ length: 60 }, () => 'a'.repeat(120_000)),
      ),
    ),
    -7,
  );
  assert.equal(execve(kernel, task, request('/script', ['x', 'a'.repeat(131_071)])), 'none');
});

test('a script runs in its interpreter, through other scripts', { skip }, () => {
  const { kernel, task, effects } = box();
  assert.equal(execve(kernel, task, request('/s3', ['zero', 'one two'])), 'none');
  const { process } = task;
  assert.deepEqual(process.argv, ['/bin/sh', '/s1', '2', '/s2', '3', '/s3', 'one two']);
  assert.equal(process.exe, '/bin/sh');
  assert.equal(process.comm, 's3');
  assert.equal(printEffect(effects[0].effect), 'EXEC /bin/sh /s1 2 /s2 3 /s3 "one two"');
  assert.equal(effects[0].exe, '/bin/test', 'the program that called execve');
});

test('the stack that a program finds', { skip }, () => {
  const { kernel, task } = box();
  assert.equal(execve(kernel, task, request('/link', ['link', 'a'], ['A=1', 'B=\u00e9'])), 'none');
  const { space, layout } = task.process;
  const text = (at: bigint): string => new TextDecoder().decode(space.readCString(Number(at), 4096));
  let at = Number(task.registers.gpr[4]);
  assert.equal(at % 16, 0);
  const word = (): bigint => space.read64((at += 8) - 8);
  const argc = Number(word());
  const argv = Array.from({ length: argc }, word);
  assert.deepEqual(argv.map(text), ['/bin/sh', '-e', '/link', 'a']);
  assert.equal(word(), 0n);
  assert.deepEqual([text(word()), text(word()), word()], ['A=1', 'B=\u00e9', 0n]);
  assert.equal(at, layout.auxv);
  const auxv = new Map<number, bigint>();
  for (let type = Number(word()); type !== 0; type = Number(word())) auxv.set(type, word());
  assert.equal(at + 8, layout.auxv + layout.auxvLength);
  assert.equal(text(auxv.get(31) ?? 0n), '/link'); // AT_EXECFN
  assert.equal(text(auxv.get(15) ?? 0n), 'x86_64');
  assert.equal(auxv.get(6), 4096n);
  assert.equal(auxv.get(23), 0n);
  assert.equal(auxv.get(33), undefined, 'no vdso');
  assert.notEqual(Number(space.read64(Number(auxv.get(25)))), 0, 'AT_RANDOM');
  assert.equal(
    space.read32(Number(auxv.get(3)) - 64),
    0x464c457f,
    'the program headers follow the ELF header',
  );
  assert.equal(BigInt(task.registers.rip) > (auxv.get(7) ?? 0n), true, 'starts in the interpreter');
  assert.deepEqual(
    [layout.argStart, layout.argEnd].map((x) => x < kernel.layout.stackTop),
    [true, true],
  );
  assert.equal(
    new TextDecoder().decode(space.read(layout.argStart, layout.argEnd - layout.argStart)),
    '/bin/sh\0-e\0/link\0a\0',
  );
  assert.equal(
    new TextDecoder().decode(space.read(layout.envStart, layout.envEnd - layout.envStart)),
    'A=1\0B=\u00e9\0',
  );
});

test('set-user-id programs get their owner and are told to be careful', { skip }, () => {
  const add = (builder: TreeBuilder): void => {
    builder.addFile('/su', readFileSync(shell ?? ''), { mode: 0o6755, uid: 5, gid: 6 });
  };
  const b = box(add);
  b.become(1000, 1000);
  assert.equal(execve(b.kernel, b.task, request('/su')), 'none');
  const { credentials, dumpable } = b.task.process;
  assert.deepEqual([credentials.uid, credentials.euid, credentials.suid, credentials.fsuid], [1000, 5, 5, 5]);
  assert.deepEqual([credentials.gid, credentials.egid, credentials.sgid], [1000, 6, 6]);
  assert.equal(dumpable, 0);
  const careful = box(add);
  careful.become(1000, 1000);
  careful.task.process.credentials.noNewPrivileges = true;
  assert.equal(execve(careful.kernel, careful.task, request('/su')), 'none');
  assert.equal(careful.task.process.credentials.euid, 1000);
});

test('root gets its capabilities back, others lose them', { skip }, () => {
  const b = box();
  const { credentials } = b.task.process;
  Object.assign(credentials, { effective: 0n, permitted: 0n });
  assert.equal(execve(b.kernel, b.task, request('/script')), 'none');
  assert.equal(b.task.process.credentials.effective, credentials.bounding);
  Object.assign(b.task.process.credentials, { uid: 7, euid: 7, suid: 7 });
  assert.equal(execve(b.kernel, b.task, request('/script')), 'none');
  assert.equal(b.task.process.credentials.permitted, 0n);
});

test('hostile programs are refused', { skip }, () => {
  const whole = readFileSync(shell ?? '');
  const variants: [string, Uint8Array][] = [];
  for (const [at, value] of [
    [18, 0xb7n],
    [16, 1n],
    [4, 1n],
    [56, 0n],
    [32, 0xffffffffffffn],
  ] as const) {
    const changed = Uint8Array.from(whole);
    new DataView(changed.buffer).setBigUint64(at, value, true);
    variants.push([`/h${at}`, changed]);
  }
  for (let segment = 0; segment < 13; segment++) {
    for (const field of [8, 16, 32, 40]) {
      for (const value of [1n, 0x7fff_ffff_f000n, 0xffff_ffff_ffff_f000n]) {
        const changed = Uint8Array.from(whole);
        new DataView(changed.buffer).setBigUint64(64 + 56 * segment + field, value, true);
        variants.push([`/h${segment}-${field}-${value}`, changed]);
      }
    }
  }
  for (const length of [4, 63, 64, 200, 900, 4096, 50_000])
    variants.push([`/cut${length}`, whole.subarray(0, length)]);
  const b = box((builder) => {
    for (const [path, content] of variants) builder.addFile(path, content, { mode: 0o755 });
  });
  for (const [path] of variants) {
    const task = b.spawn(100 + b.kernel.processes.size);
    const result = execve(b.kernel, task, request(path));
    assert.ok(result === 'none' || result < 0, path);
  }
});

test('an image that cannot start says why', { skip }, () => {
  const start = (
    argv: readonly string[],
    options: { readonly user?: string; readonly env?: readonly string[] } = {},
  ): string => {
    const builder = treeBuilder().addFile(
      '/etc/passwd',
      'root:x:0:0::/root:/bin/sh\nweb:x:33:34:Web:/var/www:/bin/false\n',
    );
    builder
      .addFile('/etc/group', 'root:x:0:\nwww:x:34:\nextra:x:50:web,other\n')
      .addFile('/bin/lost', '#!/none\n', { mode: 0o755 });
    if (shell !== undefined) addProgram(builder, shell, '/bin/sh');
    try {
      const { credentials, envp } =
        runGuest(builder, { argv, ...options }, { maxInstructions: 1 }).kernel.processes.get(1) ?? {};
      return `${credentials?.uid}:${credentials?.gid}:${credentials?.groups} ${envp?.find((entry) => entry.startsWith('HOME='))}`;
    } catch (error) {
      assert.ok(error instanceof InputError, String(error));
      return error.message;
    }
  };
  assert.match(start(['nothing']), /nothing: no such program in PATH/);
  assert.match(start(['/bin/lost']), /cannot be started: ENOENT/);
  assert.match(start([]), /no program/);
  assert.match(start(['sh'], { user: 'nobody' }), /"nobody" is not in \/etc\/passwd/);
  assert.match(start(['sh'], { user: 'web:none' }), /"none" is not in \/etc\/group/);
  assert.equal(start(['sh'], { user: 'web' }), '33:34:34,50 HOME=/var/www');
  assert.equal(start(['sh'], { user: '33' }), '33:34:34,50 HOME=/var/www');
  assert.equal(start(['sh'], { user: '99' }), '99:0:0 HOME=/');
  assert.equal(start(['sh'], { user: '99:www' }), '99:34:34 HOME=/');
  assert.equal(start(['sh'], { user: '' }), '0:0:0 HOME=/root');
});
