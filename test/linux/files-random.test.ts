// Random sequences of file calls, in our kernel and on the host: every result and every byte must be the same. A seed
// makes a sequence repeatable; EFFIGY_SEEDS=N runs more of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeText } from '../../src/bytes/index.ts';
import { treeBuilder } from '../../src/image/index.ts';
import { AT, F, O, RENAME, SEEK } from '../../src/linux/abi-file.ts';
import { catalogue } from '../../src/linux/catalogue.ts';
import { Box } from './box.ts';
import { cannotRun, runNatively } from './native-script.ts';
import type { Step, Value } from './script.ts';

const numbers = new Map(catalogue.map(({ name, nr }) => [name, nr]));

interface Call {
  readonly name: string;
  readonly args: readonly Value[];
  /** Parts of the last memory that must agree, where the call succeeds. */
  readonly compare: readonly (readonly [offset: number, length: number])[];
}

class Random {
  private state: number;
  constructor(seed: number) {
    this.state = (seed * 2654435761) >>> 0 || 1;
  }
  below(n: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % n;
  }
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }
}

const number = (value: number): Value => ({ kind: 'number', value: BigInt(value) });
const text = (value: string): Value => ({ kind: 'bytes', bytes: encodeText(`${value}\0`) });
const out = (size: number): Value => ({ kind: 'out', size });

const NAMES = [
  'a',
  'b',
  'c',
  'd',
  'dir',
  'dir/a',
  'dir/b',
  'dir/sub',
  'dir/sub/a',
  'link',
  'link/a',
  'dir/../a',
  './b',
  'dir/',
  'a/',
  'dir/sub/.',
  'dir/sub/..',
  'e/f',
  'loop',
  'loop/x',
  '/',
  '..',
  '.',
  '',
];
const STAT: Call['compare'] = [
  [16, 12],
  [28, 8],
]; // nlink, mode, uid, gid

function path(random: Random): Value {
  const name = random.pick(NAMES);
  return text(random.below(4) === 0 && name !== '' ? `/${name}` : name);
}
const fd = (random: Random): Value => number(random.pick([3, 4, 5, 6, 7, 3, 4, 99]));
const dirfd = (random: Random): Value => number(random.pick([AT.FDCWD, AT.FDCWD, 3, 4, 99]));
const call = (name: string, args: readonly Value[], compare: Call['compare'] = []): Call => ({
  name,
  args,
  compare,
});

/** The size of a directory, and how much of a file is stored, are the file system's own affair. */
const GENERATORS: readonly ((random: Random) => Call)[] = [
  (r) =>
    call('open', [
      path(r),
      number(
        r.pick([0, 1, 2, 2]) |
          r.pick([
            0,
            0,
            O.CREAT,
            O.CREAT,
            O.CREAT | O.EXCL,
            O.TRUNC,
            O.CREAT | O.TRUNC,
            O.APPEND,
            O.DIRECTORY,
            O.NOFOLLOW,
          ]),
      ),
      number(0o644),
    ]),
  (r) =>
    call('openat', [
      dirfd(r),
      path(r),
      number(O.RDWR | r.pick([0, O.CREAT, O.EXCL | O.CREAT])),
      number(0o600),
    ]),
  (r) => call('close', [fd(r)]),
  (r) => call('write', [fd(r), text('some text to write'), number(r.below(18))]),
  (r) =>
    call('pwrite64', [
      fd(r),
      text('elsewhere'),
      number(r.below(9)),
      number(r.pick([0, 1, 4095, 4096, 5000])),
    ]),
  (r) => call('read', [fd(r), out(64), number(64)], [[0, 64]]),
  (r) => call('pread64', [fd(r), out(64), number(64), number(r.pick([0, 1, 4090, 9999]))], [[0, 64]]),
  (r) => call('lseek', [fd(r), number(r.pick([0, 1, 100, -1, 4096])), number(r.pick([SEEK.SET, SEEK.CUR]))]),
  (r) => call('ftruncate', [fd(r), number(r.pick([0, 1, 100, 5000]))]),
  (r) => call('truncate', [path(r), number(r.pick([0, 3, 4097]))]),
  (r) => call('mkdir', [path(r), number(0o755)]),
  (r) => call('mkdirat', [dirfd(r), path(r), number(0o755)]),
  (r) => call('rmdir', [path(r)]),
  (r) => call('unlink', [path(r)]),
  (r) => call('unlinkat', [dirfd(r), path(r), number(r.pick([0, AT.REMOVEDIR]))]),
  (r) => call('rename', [path(r), path(r)]),
  (r) =>
    call('renameat2', [
      dirfd(r),
      path(r),
      dirfd(r),
      path(r),
      number(r.pick([0, RENAME.NOREPLACE, RENAME.EXCHANGE])),
    ]),
  (r) => call('link', [path(r), path(r)]),
  (r) => call('linkat', [dirfd(r), path(r), dirfd(r), path(r), number(r.pick([0, AT.SYMLINK_FOLLOW]))]),
  (r) => call('symlink', [path(r), path(r)]),
  (r) => call('readlink', [path(r), out(64), number(64)], [[0, 64]]),
  (r) => call('stat', [path(r), out(144)], STAT),
  (r) => call('lstat', [path(r), out(144)], STAT),
  (r) =>
    call(
      'newfstatat',
      [dirfd(r), path(r), out(144), number(r.pick([0, AT.SYMLINK_NOFOLLOW, AT.EMPTY_PATH]))],
      STAT,
    ),
  (r) => call('fstat', [fd(r), out(144)], STAT),
  (r) => call('access', [path(r), number(r.pick([0, 1, 2, 4]))]),
  (r) => call('chmod', [path(r), number(r.pick([0o644, 0o755, 0, 0o4711, 0o2755]))]),
  (r) => call('chown', [path(r), number(r.pick([0, 5, -1])), number(r.pick([0, 6, -1]))]),
  (r) => call('chdir', [path(r)]),
  (r) => call('fchdir', [fd(r)]),
  () => call('getcwd', [out(64), number(64)], [[0, 64]]),
  (r) => call('dup', [fd(r)]),
  (r) => call('dup2', [fd(r), number(r.pick([3, 5, 8]))]),
  (r) => call('fcntl', [fd(r), number(r.pick([F.GETFD, F.GETFL])), number(0)]),
  (r) => call('mknod', [path(r), number(r.pick([0o010644, 0o100600, 0o140600])), number(0)]),
];

function tree() {
  return treeBuilder()
    .addFile('/a', 'contents of a')
    .addFile('/b', 'b')
    .addHardLink('/c', '/a')
    .addDir('/dir')
    .addFile('/dir/a', 'another a')
    .addDir('/dir/sub')
    .addFile('/dir/sub/a', 'deep a')
    .addSymlink('/link', 'dir')
    .addSymlink('/loop', 'loop')
    .build();
}

/** Reading a FIFO, or opening one, would wait: the host runs such a sequence up to there only. */
function generate(seed: number, count: number): Call[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => random.pick(GENERATORS)(random));
}

const valueText = (value: Value): string =>
  value.kind === 'number'
    ? String(value.value)
    : value.kind === 'bytes'
      ? JSON.stringify(new TextDecoder().decode(value.bytes).replace('\0', ''))
      : value.kind;
const print = ({ name, args }: Call): string => `${name} ${args.map(valueText).join(' ')}`;

function compareSequence(seed: number, count: number): void {
  const calls = generate(seed, count);
  const steps: Step[] = calls.map(({ name, args }, line) => ({
    line,
    text: name,
    nr: numbers.get(name) as number,
    name,
    args,
    expected: 'any',
    checks: [],
  }));
  const box = new Box({ tree: tree(), bare: true });
  const here: { readonly result: number; readonly memory: Uint8Array }[] = [];
  for (const { name, args } of calls) {
    let last = { address: 0, size: 0 };
    const result = box.sys(
      name,
      ...args.map((value) => {
        if (value.kind === 'number') return value.value;
        const bytes =
          value.kind === 'bytes' ? value.bytes : new Uint8Array(value.kind === 'out' ? value.size : 0);
        last = { address: box.put(bytes), size: bytes.length };
        return last.address;
      }),
    );
    if (typeof result === 'object') break;
    here.push({ result: Number(result), memory: box.read(last.address, last.size) });
  }
  const there = runNatively(tree(), steps.slice(0, here.length));
  for (const [i, { result, memory }] of here.entries()) {
    const where = `seed ${seed}, call ${i}: ${print(calls[i])}\n${calls
      .slice(Math.max(0, i - 12), i)
      .map((c, k) => `  ${print(c)} = ${here[Math.max(0, i - 12) + k].result}`)
      .join('\n')}\n`;
    assert.ok(there[i] !== undefined, `${where}the host stopped`);
    assert.equal(result, there[i].result, where);
    if (result < 0) continue;
    for (const [offset, length] of calls[i].compare) {
      assert.deepEqual(
        memory.subarray(offset, offset + length),
        there[i].memory.subarray(offset, offset + length),
        `${where}bytes at ${offset}`,
      );
    }
  }
}

test('random file calls do as on the host', (t) => {
  const reason = cannotRun();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  const seeds = Number(process.env.EFFIGY_SEEDS ?? 20);
  for (let seed = 1; seed <= seeds; seed++) compareSequence(seed, 200);
});
