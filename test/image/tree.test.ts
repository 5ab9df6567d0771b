// Looking up paths as chroot would, the builder, and how a tree lists.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import {
  listTree,
  modeText,
  type Node,
  type Tree,
  timeText,
  treeBuilder,
  walk,
} from '../../src/image/index.ts';

const chain = 41;

function sample(): Tree {
  const builder = treeBuilder()
    .addFile('/usr/bin/dash', '#!', { mode: 0o755 })
    .addSymlink('/bin', 'usr/bin')
    .addSymlink('/usr/bin/sh', 'dash')
    .addSymlink('/etc/up', '../../../usr/./bin/')
    .addSymlink('/abs', '/usr/bin/sh')
    .addSymlink('/loop', 'loop')
    .addSymlink('/a', 'b')
    .addSymlink('/b', 'a')
    .addSymlink('/dangling', 'nowhere')
    .addSymlink('/slash', '/')
    .addDir('/empty', { mode: 0o1777 });
  for (let i = 0; i < chain; i++) builder.addSymlink(`/chain/${i}`, i === 0 ? '/usr/bin/dash' : `${i - 1}`);
  return builder.build();
}

const paths: readonly (readonly [path: string, real: string | undefined])[] = [
  ['/', '/'],
  ['', '/'],
  ['.', '/'],
  ['..', '/'],
  ['/../..', '/'],
  ['usr/bin', '/usr/bin'],
  ['/usr//bin/./dash', '/usr/bin/dash'],
  ['/bin/sh', '/usr/bin/dash'],
  ['/etc/up/sh', '/usr/bin/dash'],
  ['/etc/up/../../etc', '/etc'],
  ['/bin/..', '/usr'],
  ['/abs', '/usr/bin/dash'],
  ['/slash/slash/bin/dash', '/usr/bin/dash'],
  ['/empty/', '/empty'],
  ['/bin/', '/usr/bin'],
  ['/usr/bin/dash/', undefined],
  ['/usr/bin/dash/.', undefined],
  ['/usr/bin/dash/..', undefined],
  ['/abs/', undefined],
  ['/loop', undefined],
  ['/a', undefined],
  ['/a/x', undefined],
  ['/dangling', undefined],
  ['/nowhere', undefined],
  ['/empty/x', undefined],
  ['/chain/39', '/usr/bin/dash'],
  ['/chain/40', undefined],
];

for (const [path, real] of paths) {
  test(`realpath ${JSON.stringify(path)} is ${real}`, () => {
    const tree = sample();
    assert.equal(tree.realpath(path), real);
    assert.equal(tree.lookup(path), real === undefined ? undefined : tree.lookup(real));
  });
}

test('without follow the last symlink is the answer, unless a slash follows', () => {
  const tree = sample();
  const kind = (path: string): Node['kind'] | undefined => tree.lookup(path, { follow: false })?.kind;
  assert.equal(kind('/bin'), 'symlink');
  assert.equal(kind('/bin/'), 'dir');
  assert.equal(kind('/bin/sh'), 'symlink');
  assert.equal(kind('/loop'), 'symlink');
  assert.equal(kind('/slash/loop'), 'symlink');
});

test('the builder: kinds, metadata, links, replaced entries', () => {
  const tree = treeBuilder()
    .addFile('a', Uint8Array.of(1, 2, 3), {
      mode: 0o4711,
      uid: 1,
      gid: 2,
      mtime: 5,
      mtimeNs: 6,
      xattrs: { 'user.x': Uint8Array.of(9) },
    })
    .addHardLink('b/c', 'a')
    .addDevice('dev/null', 'char', 1, 3, { mode: 0o666 })
    .addFifo('pipe')
    .addFile('twice', 'old')
    .addFile('twice', 'new')
    .addDir('b', { mode: 0o700 })
    .build();
  const node = tree.lookup('/a');
  assert.ok(node?.kind === 'file');
  assert.equal(tree.lookup('/b/c'), node);
  assert.deepEqual(
    [node.nlink, node.mode, node.uid, node.gid, node.mtime, node.mtimeNs, node.size],
    [2, 0o4711, 1, 2, 5, 6, 3],
  );
  assert.deepEqual([...node.xattrs], [['user.x', Uint8Array.of(9)]]);
  assert.deepEqual([...node.read(1, 10)], [2, 3]);
  assert.deepEqual([...node.read(7, 10)], []);
  const target = new Uint8Array(2);
  assert.deepEqual([node.readInto(2, target), ...target], [1, 3, 0]);
  assert.deepEqual(
    [...walk(tree)].map(([path]) => path),
    ['/', '/a', '/b', '/b/c', '/dev', '/dev/null', '/pipe', '/twice'],
  );
  const replaced = tree.lookup('twice');
  assert.ok(replaced?.kind === 'file' && Buffer.from(replaced.read(0, 9)).toString() === 'new');
});

test('mode letters', () => {
  const text = (mode: number): string =>
    modeText(treeBuilder().addFile('f', '', { mode }).build().lookup('f') as Node);
  assert.deepEqual([0o644, 0o4755, 0o4644, 0o2755, 0o2644, 0o1777, 0o1776, 0].map(text), [
    '-rw-r--r--',
    '-rwsr-xr-x',
    '-rwSr--r--',
    '-rwxr-sr-x',
    '-rw-r-Sr--',
    '-rwxrwxrwt',
    '-rwxrwxrwT',
    '----------',
  ]);
});

test('times', () => {
  assert.equal(timeText(0), '1970-01-01 00:00:00');
  assert.equal(timeText(-1), '1969-12-31 23:59:59');
  assert.equal(timeText(2 ** 50), '@1125899906842624');
});

test('a listing: columns, owners of the image, targets, device numbers, nothing that a terminal obeys', () => {
  const tree = treeBuilder()
    .addFile('etc/passwd', 'root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/\nagain:x:33:1::/:/\nbroken\n')
    .addFile('etc/group', 'root:x:0:\nwww-data:x:33:\n')
    .addDevice('d/null', 'char', 1, 3, { mode: 0o666 })
    .addFile('d/data', 'x'.repeat(12345), { uid: 33, gid: 33, mtime: 1_700_000_000 })
    .addFile('d/e\x1b[31m\udcff', '', { uid: 1000, xattrs: { 'user.a': Uint8Array.of() } })
    .addSymlink('d/l', '../etc')
    .addDir('d/sub/deep')
    .build();
  assert.deepEqual(
    [...listTree(tree, { path: '/d' })],
    [
      '-rw-r--r--  1 www-data www-data 12345 2023-11-14 22:13:20 data',
      '-rw-r--r--+ 1 1000     root         0 1970-01-01 00:00:00 e\\x1b[31m\\xff',
      'lrwxrwxrwx  1 root     root         6 1970-01-01 00:00:00 l -> ../etc',
      'crw-rw-rw-  1 root     root      1, 3 1970-01-01 00:00:00 null',
      'drwxr-xr-x  3 root     root      4096 1970-01-01 00:00:00 sub',
    ],
  );
  assert.deepEqual(
    [...listTree(tree, { path: 'd/sub', recursive: true })],
    ['/d/sub:', 'drwxr-xr-x 2 root root 4096 1970-01-01 00:00:00 deep', '', '/d/sub/deep:'],
  );
  assert.deepEqual(
    [...listTree(tree, { path: 'd/l/group' })],
    ['-rw-r--r-- 1 root root 25 1970-01-01 00:00:00 d/l/group'],
  );
  assert.equal([...listTree(tree)].length, 2);
  assert.throws(
    () => [...listTree(tree, { path: '/nope' })],
    (error) => error instanceof InputError && /\/nope: no such file/.test(error.message),
  );
});
