// Random sequences of file calls (random-calls.ts), as root and as an ordinary user.
import { test } from 'node:test';
import { treeBuilder } from '../../src/image/index.ts';
import { AT, F, O, RENAME, SEEK } from '../../src/linux/abi-file.ts';
import { cannotRun } from './native-script.ts';
import {
  type Call,
  call,
  compareSequence,
  type Generator,
  number,
  out,
  Random,
  text,
} from './random-calls.ts';
import type { Value } from './script.ts';

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

/** The size of a directory, and how much of a file is stored, are the file system's own affair. */
const GENERATORS: readonly Generator[] = [
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

/**
 * Owners and modes at random, then an identity without privileges. No sticky directory that everybody may write: what
 * the host does in it depends on its fs.protected_ settings.
 */
function ordinary(seed: number): Call[] {
  const random = new Random(seed + 1000);
  const owned = ['/a', '/b', '/c', '/dir', '/dir/a', '/dir/sub', '/dir/sub/a', '/'].flatMap((name) => [
    call('chown', [text(name), number(random.pick([0, 1000, 2000])), number(random.pick([0, 1000, 3000]))]),
    call('chmod', [text(name), number(random.pick([0o777, 0o755, 0o700, 0o1775, 0o640, 0o070, 0o2775]))]),
  ]);
  return [
    ...owned,
    call('setgroups', [number(1), { kind: 'bytes', bytes: Uint8Array.of(0xb8, 0x0b, 0, 0) }]),
    call('setresgid', [number(1000), number(1000), number(1000)]),
    call('setresuid', [number(1000), number(1000), number(1000)]),
  ];
}

const seeds = Number(process.env.EFFIGY_SEEDS ?? 12);

for (const who of ['root', 'an ordinary user']) {
  test(`random file calls by ${who} do as on the host`, (t) => {
    const reason = cannotRun();
    if (reason !== undefined) {
      t.skip(reason);
      return;
    }
    for (let seed = 1; seed <= seeds; seed++) {
      compareSequence(seed, 200, {
        tree,
        start: who === 'root' ? [] : ordinary(seed),
        generators: GENERATORS,
      });
    }
  });
}
