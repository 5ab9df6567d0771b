// What the file calls report as effects: operation, access, names as opened, results.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printEffect } from '../../src/effect/index.ts';
import { treeBuilder } from '../../src/image/index.ts';
import { AT, O } from '../../src/linux/abi-file.ts';
import { Box } from './box.ts';

/** `OPEN r /etc/passwd = 3` lines of what was done since the last call. */
function told(box: Box): string[] {
  return box.effects.splice(0).map(({ effect, result }) => `${printEffect(effect)} = ${result}`);
}

test('opens name the path as opened, made absolute and normalized, symlinks kept', () => {
  const box = new Box();
  box.sys('chdir', '/dir/sub');
  told(box);
  box.sys('open', '../one', O.RDONLY, 0);
  box.sys('open', '/link//./one', O.RDWR | O.TRUNC, 0);
  box.sys('open', '/absolute', O.WRONLY | O.CREAT | O.APPEND, 0o644);
  box.sys('open', '/nowhere', O.RDONLY, 0);
  const dir = box.sys('open', '/link', O.RDONLY | O.DIRECTORY, 0) as number;
  box.sys('openat', dir, 'two', O.RDONLY, 0);
  box.sys('open', '/dev/null', O.RDWR, 0);
  box.sys('open', '/dir/one', O.PATH, 0);
  assert.deepEqual(told(box), [
    'OPEN r /dir/one = 3',
    'OPEN rwt /link/one = 4',
    'OPEN wca /absolute = 5',
    'OPEN r /nowhere = -2',
    'OPEN r /link = 6',
    'OPEN r /link/two = 7',
    'OPEN rw /dev/null = 8',
    'OPEN /dir/one = 9',
  ]);
});

test('types: directory, file, pipe, unix socket, other', () => {
  const box = new Box();
  box.sys('open', '/dir', O.RDONLY, 0);
  box.sys('open', '/dev/zero', O.RDONLY, 0);
  const pipe = box.buffer(8);
  box.sys('pipe', pipe);
  box.sys('write', box.u32(pipe + 4), 'x', 1);
  box.sys('write', 1, 'out', 3);
  const event = box.sys('eventfd2', 1, 0) as number;
  box.sys('read', event, box.buffer(8), 8);
  const types = box.effects.map(({ effect }) =>
    effect.resource.kind === 'file' ? `${effect.resource.type} ${effect.resource.path}` : '-',
  );
  assert.deepEqual(types, ['d /dir', 'f /dev/zero', 'p pipe:', 'p pipe:', '? anon:[eventfd]']);
});

test('reads, writes, close and a failing read', () => {
  const box = new Box();
  const fd = box.sys('open', '/dir/one', O.RDWR, 0) as number;
  told(box);
  const buffer = box.buffer(16);
  box.sys('read', fd, buffer, 16);
  box.sys('pwrite64', fd, 'ab', 2, 0);
  box.sys('read', fd, buffer, 16);
  box.sys('read', 99, buffer, 16);
  box.sys('dup2', fd, 9);
  box.sys('dup2', 1, 9);
  box.sys('close', fd);
  box.sys('close', fd);
  assert.deepEqual(told(box), [
    'READ /dir/one = 3',
    'WRITE /dir/one = 2',
    'READ /dir/one = 0',
    'CLOSE /dir/one = 0',
    'CLOSE /dir/one = 0',
  ]);
});

test('names made, changed and taken away', () => {
  const box = new Box();
  box.sys('mkdir', '/new', 0o755);
  box.sys('mkdir', '/new', 0o755);
  box.sys('symlink', '../text', '/new/link');
  box.sys('link', '/dir/one', '/new/hard');
  box.sys('rename', '/new/hard', '/new/moved');
  box.sys('unlink', '/new/moved');
  box.sys('unlink', '/new/link');
  box.sys('rmdir', '/new');
  box.sys('mknod', '/fifo', 0o010600, 0);
  box.sys('chmod', '/dir/one', 0o600);
  box.sys('chown', '/dir/one', 1, 1);
  box.sys('utimensat', AT.FDCWD, '/dir/one', 0, 0);
  box.sys('truncate', '/dir/one', 1);
  box.sys('setxattr', '/dir/one', 'user.a', 'v', 1, 0);
  box.sys('chdir', '/dir');
  box.sys('chroot', '/dir');
  box.sys('mount', 'none', '/mnt', 'tmpfs', 0, 0);
  assert.deepEqual(told(box), [
    'MKDIR /new = 0',
    'MKDIR /new = -17',
    'SYMLINK /new/link -> ../text = 0',
    'LINK /dir/one -> /new/hard = 0',
    'RENAME /new/hard -> /new/moved = 0',
    'UNLINK /new/moved = 0',
    'UNLINK /new/link = 0',
    'RMDIR /new = 0',
    'MKNOD /fifo = 0',
    'CHMOD /dir/one = 0',
    'CHOWN /dir/one = 0',
    'UTIME /dir/one = 0',
    'TRUNCATE /dir/one = 0',
    'SETXATTR /dir/one = 0',
    'CHDIR /dir = 0',
    'CHROOT /dir = 0',
    'MOUNT /dir/mnt = -1',
  ]);
});

test('relative names go by what the directory was called when it was entered', () => {
  const box = new Box({
    tree: treeBuilder()
      .addDir('/deep')
      .addDir('/deep/er')
      .addFile('/deep/a', 'a')
      .addSymlink('/near', 'deep/er')
      .build(),
  });
  box.sys('chdir', '/near');
  assert.equal(box.sys('open', '../a', O.RDONLY, 0), 3);
  assert.equal(box.sys('mkdir', 'made', 0o755), 0);
  const buffer = box.buffer(64);
  assert.equal(box.sys('getcwd', buffer, 64), 9);
  const near = Number(box.sys('open', '.', O.DIRECTORY, 0));
  box.sys('chdir', '..');
  assert.equal(box.sys('openat', AT.FDCWD, 'a', O.RDONLY, 0), 5);
  box.sys('fchdir', near);
  assert.equal(box.sys('rmdir', 'made'), 0);
  assert.deepEqual(told(box), [
    'CHDIR /near = 0',
    'OPEN r /a = 3',
    'MKDIR /near/made = 0',
    'OPEN r /near = 4',
    'CHDIR / = 0',
    'OPEN r /a = 5',
    'CHDIR /near = 0',
    'RMDIR /near/made = 0',
  ]);
});

test('chroot: paths go below the root, effects name the whole path', () => {
  const box = new Box();
  box.sys('chroot', '/dir');
  box.sys('chdir', '/');
  told(box);
  assert.equal(box.sys('open', '/one', O.RDONLY, 0), 3);
  assert.equal(box.sys('open', '/../../one', O.RDONLY, 0), 4);
  assert.equal(box.sys('open', '/etc/passwd', O.RDONLY, 0), -2);
  assert.equal(box.sys('open', '/up/deep', O.RDONLY, 0), -2);
  const buffer = box.buffer(64);
  assert.equal(box.sys('getcwd', buffer, 64), 2);
  assert.deepEqual(told(box), [
    'OPEN r /dir/one = 3',
    'OPEN r /dir/one = 4',
    'OPEN r /dir/etc/passwd = -2',
    'OPEN r /dir/up/deep = -2',
  ]);
});

test('sendfile is a read and a write', () => {
  const box = new Box();
  const from = box.sys('open', '/dir/one', O.RDONLY, 0) as number;
  told(box);
  box.sys('sendfile', 1, from, 0, 100);
  assert.deepEqual(told(box), ['READ /dir/one = 3', 'WRITE pipe: = 3']);
});
