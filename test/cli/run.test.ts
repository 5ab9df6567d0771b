// `effigy run`, as a user would call it: output, traces, disassembly, errors.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Command } from 'commander';
import { file, layer, program } from '../../examples/echo/host-files.ts';
import { InputError } from '../../src/bytes/index.ts';
import { addRunCommand } from '../../src/cli/run.ts';
import { writeOciLayout } from '../../src/image/index.ts';
import { parseBlock } from '../../src/isa/index.ts';
import { hasTool } from '../linux/guest.ts';

const SOURCE = `
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((noinline)) int twice(int x) { __asm__ volatile("nop"); return x + x; }
int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "wait") == 0) { pause(); return 0; }
  if (strcmp(what, "loop") == 0) for (;;) twice(1);
  if (strcmp(what, "abort") == 0) abort();
  if (strcmp(what, "fork") == 0) { if (fork() == 0) _exit(twice(4)); int status; wait(&status); printf("child %d\\n", WEXITSTATUS(status)); return 0; }
  printf("%s %s %s %d\\n", what, getenv("GREETING"), getcwd((char[100]){0}, 100), getuid());
  fflush(stdout);
  fprintf(stderr, "to error\\n");
  int fd = open("/etc/passwd", O_RDONLY); char text[8]; read(fd, text, 8); close(fd);
  return twice(argc);
}`;

const folder = mkdtempSync(join(tmpdir(), 'effigy-run-'));
const image = join(folder, 'image');
const ready = hasTool('gcc') ? false : 'needs gcc';

before(async () => {
  if (ready !== false) return;
  const binary = join(folder, 'prog');
  writeFileSync(`${binary}.c`, SOURCE);
  execFileSync('gcc', ['-O1', '-static', '-o', binary, `${binary}.c`]);
  const text = join(folder, 'passwd');
  writeFileSync(text, 'root:x:0:0:root:/root:/bin/sh\nme:x:7:7::/:/bin/sh\n');
  await writeOciLayout(image, {
    layers: [{ entries: layer([...program(binary, '/bin/prog'), file(text, '/etc/passwd', 0o644)]) }],
    config: { entrypoint: ['prog'], cmd: ['hello'], env: ['GREETING=hi', 'PATH=/bin'], workingDir: '/srv' },
  });
});
after(() => rmSync(folder, { recursive: true, force: true }));

interface Printed {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

/** What the command does, in this process; errors as main.ts prints them. */
async function run(...args: readonly string[]): Promise<Printed> {
  const printed = { stdout: '', stderr: '' };
  const add =
    (name: 'stdout' | 'stderr') =>
    (text: string | Uint8Array): void => {
      printed[name] += typeof text === 'string' ? text : Buffer.from(text).toString();
    };
  const command = new Command('effigy').exitOverride();
  addRunCommand(command, { stdout: add('stdout'), stderr: add('stderr') });
  const before = process.exitCode;
  try {
    process.exitCode = 0;
    await command.parseAsync(['run', ...args], { from: 'user' });
    return { ...printed, status: Number(process.exitCode) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { ...printed, stderr: `${printed.stderr}effigy: ${error.message}\n`, status: 2 };
  } finally {
    process.exitCode = before;
  }
}

test('output, environment, exit status', { skip: ready }, async () => {
  const plain = await run(image);
  assert.equal(plain.stdout, 'hello hi /srv 0\n');
  assert.match(plain.stderr, /^to error\neffigy: exited with 4; [\d,]+ instructions\n$/);
  assert.equal(plain.status, 0);
  const changed = await run(
    image,
    '-e',
    'GREETING=you',
    '--user',
    'me',
    '--workdir',
    '/tmp',
    '--exit-code',
    '--',
    'a',
    '-b',
  );
  assert.equal(changed.stdout, 'a you /tmp 7\n');
  assert.equal(changed.status, 6);
  // pid 1 of a container does not die of its own SIGABRT; abort() then executes an instruction that it may not
  const aborted = await run(image, '--exit-code', '--entrypoint', '/bin/prog', '--', 'abort');
  assert.match(aborted.stderr, /effigy: killed by signal 11;/);
  assert.equal(aborted.status, 139);
});

test('quiescence and budget say where the tasks are', { skip: ready }, async () => {
  const waits = await run(image, '--stacks', '--', 'wait');
  assert.equal(waits.status, 0);
  assert.match(
    waits.stderr,
    /^effigy: quiescent: every task waits; [\d,]+ instructions\neffigy: {3}1 \/bin\/prog: pause: .+\n(?:effigy: {7}prog:.+\n)*effigy: {7}prog:main\+0x/,
  );
  const loops = await run(image, '--max-instructions', '20000', '--', 'loop');
  assert.match(loops.stderr, /cut: budget 20000 instructions[^\n]*\neffigy: stopped: /);
});

test('system calls and effects', { skip: ready }, async () => {
  const traced = await run(image, '--trace', 'syscall,effect', '--stacks');
  assert.equal(traced.stdout, 'hello hi /srv 0\n');
  assert.match(traced.stderr, /^1 write\(1, "hello hi \/srv 0\\n", 16\) = 16$/m);
  assert.match(traced.stderr, /^1 read\(\d+, "root:x:0", 8\) = 8\n(?: {6}prog:.+\n)*? {6}prog:main\+0x/m);
  assert.match(traced.stderr, /^1 OPEN r \/etc\/passwd\n(?: {6}prog:.+\n)*? {6}prog:main\+0x/m);
  assert.match(traced.stderr, /^1 exit_group\(4\) = \?$/m);
  const waits = await run(image, '--trace', 'syscall', '--', 'wait');
  assert.match(waits.stderr, /^1 pause\(\) = \? \(waits for .+\)\neffigy: quiescent/m);
});

test('instructions, from a function on, of one process', { skip: ready }, async () => {
  const out = join(folder, 'insn.txt');
  const traced = await run(image, '--trace', 'insn', '--trace-from', 'twice', '-o', out, '--', 'fork');
  assert.equal(traced.stdout, 'child 8\n');
  assert.match(traced.stderr, /^effigy: exited/);
  const lines = readFileSync(out, 'utf8').split('\n');
  assert.match(lines[0], /^\d+ 0x[0-9a-f]+ {2}prog:twice +(?:endbr64|nop)/);
  assert.ok(
    lines.slice(0, 6).some((line) => /lea eax, \[.*\] +rax=0x8$|add e\w\w, e\w\w +r\w\w=0x8 \[/.test(line)),
    lines.slice(0, 6).join('\n'),
  );
  const child = lines[0].slice(0, lines[0].indexOf(' '));
  const filtered = await run(image, '--trace', 'insn', '--trace-from', 'twice', '--pid', child, '--', 'fork');
  const tids = new Set(filtered.stderr.split('\n').flatMap((line) => /^(\d+) 0x/.exec(line)?.[1] ?? []));
  assert.deepEqual([...tids], [child]);
  assert.match(
    (await run(image, '--trace', 'effect', '--trace-from', 'nothere')).stderr,
    /--trace-from nothere: never reached/,
  );
});

test('one JSON object a line', { skip: ready }, async () => {
  const result = await run(image, '--json', '--trace', 'effect');
  const objects = result.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    objects.filter(({ kind }) => kind === 'output'),
    [
      { kind: 'output', stream: 1, text: 'hello hi /srv 0\n' },
      { kind: 'output', stream: 2, text: 'to error\n' },
    ],
  );
  assert.ok(
    objects.some(({ kind, pid, text }) => kind === 'effect' && pid === 1 && text === 'OPEN r /etc/passwd'),
  );
  const end = objects.at(-1) ?? {};
  assert.deepEqual([end.kind, end.stop, end.status, end.cuts], ['end', 'exited', 4, []]);
});

test('disassembly with symbols and IR', { skip: ready }, async () => {
  const plain = await run(image, '--disassemble', 'twice');
  assert.match(plain.stdout, /^\/bin\/prog:\ntwice:\n {2}0x4[0-9a-f]+ +[0-9a-f]+ +\w+/);
  assert.match(plain.stdout, / c3 +ret\n$/);
  const withIr = (await run(image, '--disassemble', '/bin/prog:twice', '--ir')).stdout;
  const [, operations] = /(?:lea|add)[^\n]*\n((?: +\| .*\n)+)/.exec(withIr) ?? [];
  assert.match(operations ?? '', /v\d+:64 = get rdi/);
  const block = (operations ?? '').replace(/^ +\| /gm, '');
  assert.equal(parseBlock(`block 0x1000 3 bytes 1 instructions\ninsn 0x1000 3\n${block}`).instructions, 1);
  const address = /0x4[0-9a-f]+/.exec(plain.stdout)?.[0] ?? '';
  assert.equal((await run(image, '--disassemble', `${address},1`)).stdout.split('\n').length, 4);
  assert.match((await run(image, '--disassemble', 'main')).stdout, /call 0x[0-9a-f]+ {2}; twice\n/);
  const json = (await run(image, '--disassemble', 'twice', '--json')).stdout.trimEnd().split('\n');
  assert.equal((JSON.parse(json[0]) as { symbol: string }).symbol, 'twice');
});

test('bad input is said in one line, with status 2', { skip: ready }, async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['/nonexistent'], /^effigy: \/nonexistent: /],
    [
      [image, '--trace', 'all'],
      /^effigy: --trace all: cannot be traced; one or more of insn, syscall, effect\n$/,
    ],
    [[image, '--pid', '3'], /^effigy: --pid: means nothing without --trace\n$/],
    [[image, '--engine', 'steam'], /^effigy: --engine steam: no such engine; one of reference/],
    [[image, '--env', 'X'], /^effigy: --env X: NAME=VALUE is wanted\n$/],
    [[image, '--max-instructions', '-1'], /^effigy: --max-instructions: "-1" is not a whole number\n$/],
    [[image, '--entrypoint', '/bin/nothing'], /^effigy: \/bin\/nothing: cannot be started: ENOENT; /],
    [[image, '--user', 'nobody'], /^effigy: user: user "nobody" is not in /],
    [
      [image, '--disassemble', 'nofunction'],
      /^effigy: prog: no function "nofunction"; |^effigy: \/bin\/prog: no function "nofunction"; /,
    ],
    [[image, '--disassemble', '0x10'], /^effigy: \/bin\/prog: no code at address 0x10\n$/],
    [[image, '--disassemble', '/etc/passwd:x'], /^effigy: \/etc\/passwd: not an ELF file; /],
    [[image, '--disassemble', 'twice,9999999999'], /^effigy: --disassemble twice,9999999999: not a place /],
  ];
  for (const [args, expected] of cases) {
    const { stdout, stderr, status } = await run(...args);
    assert.match(stderr, expected);
    assert.deepEqual([stdout, status], ['', 2], args.join(' '));
  }
});
