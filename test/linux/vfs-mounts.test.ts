// Mounts of a deployment over the image's tree, the read-only root, and what is the environment's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeText } from '../../src/bytes/index.ts';
import { treeBuilder } from '../../src/image/index.ts';
import { O } from '../../src/linux/abi-file.ts';
import { snapshot } from '../../src/linux/snapshot.ts';
import { Box, smallTree } from './box.ts';

function contents(box: Box, path: string): string | number {
  const fd = box.sys('open', path, O.RDONLY, 0) as number;
  if (fd < 0) return fd;
  const buffer = box.buffer(256);
  const count = box.sys('read', fd, buffer, 256) as number;
  box.sys('close', fd);
  return count < 0 ? count : decodeText(box.read(buffer, count));
}

test('a read-only root takes nothing, its tmpfs mounts do', () => {
  const box = new Box({
    readOnlyRoot: true,
    mounts: [{ target: '/tmp', readOnly: false, content: { kind: 'tmpfs' } }],
  });
  assert.equal(box.sys('open', '/dir/one', O.RDWR, 0), -30);
  assert.equal(box.sys('open', '/new', O.CREAT | O.WRONLY, 0o600), -30);
  assert.equal(box.sys('unlink', '/dir/one'), -30);
  assert.equal(box.sys('rename', '/dir/one', '/dir/x'), -30);
  assert.equal(box.sys('chmod', '/dir/one', 0), -30);
  assert.equal(box.sys('mkdir', '/x', 0o755), -30);
  assert.equal(box.sys('access', '/dir/one', 2), -30);
  assert.equal(contents(box, '/dir/one'), 'one');
  const fd = box.sys('open', '/tmp/f', O.CREAT | O.RDWR, 0o600) as number;
  assert.ok(fd >= 0);
  assert.equal(box.sys('link', '/tmp/f', '/dir/f'), -18);
  assert.equal(box.sys('rename', '/tmp/f', '/dir/f'), -18);
  assert.ok((box.sys('open', '/dev/null', O.RDWR, 0) as number) >= 0);
  assert.ok((box.sys('open', '/dev/shm/x', O.CREAT | O.RDWR, 0o600) as number) >= 0);
});

test('known content is bound over the image, targets are made', () => {
  const config = treeBuilder().addFile('/app/config', 'bound').build();
  const directory = config.lookup('/app');
  const file = config.lookup('/app/config');
  assert.ok(directory !== undefined && file !== undefined);
  const box = new Box({
    mounts: [
      { target: '/made/on/the/way', readOnly: true, content: { kind: 'node', node: directory } },
      { target: '/dir/one', readOnly: false, content: { kind: 'node', node: file } },
      { target: '/link/sub', readOnly: true, content: { kind: 'node', node: directory } },
    ],
  });
  assert.equal(contents(box, '/made/on/the/way/config'), 'bound');
  assert.equal(contents(box, '/dir/one'), 'bound');
  assert.equal(contents(box, '/dir/sub/config'), 'bound');
  assert.equal(box.sys('open', '/made/on/the/way/new', O.CREAT | O.WRONLY, 0o600), -30);
  assert.equal(box.sys('unlink', '/dir/one'), -16);
  assert.equal(box.sys('rename', '/dir/one', '/dir/x'), -16);
  assert.equal(box.sys('rmdir', '/dir/sub'), -16);
  box.sys('chdir', '/dir/sub');
  assert.equal(contents(box, '../two'), 'two two');
});

test('of an unknown mount every miss is a cut', () => {
  const box = new Box({
    mounts: [{ target: '/data', readOnly: false, content: { kind: 'unknown', file: false, uid: 7 } }],
  });
  assert.equal(contents(box, '/data/settings'), -2);
  assert.deepEqual(
    box.cuts.map(({ kind, what }) => `${kind} ${what}`),
    ['environment /data/settings'],
  );
  const fd = box.sys('open', '/data/settings', O.CREAT | O.WRONLY, 0o600) as number;
  box.sys('write', fd, 'mine', 4);
  assert.equal(contents(box, '/data/settings'), 'mine');
});

test('tmpfs is full at its size', () => {
  const box = new Box({
    mounts: [{ target: '/small', readOnly: false, content: { kind: 'tmpfs', size: 8192 } }],
  });
  const fd = box.sys('open', '/small/f', O.CREAT | O.RDWR, 0o600) as number;
  assert.equal(box.sys('write', fd, new Uint8Array(4096), 4096), 4096);
  assert.equal(box.sys('write', fd, new Uint8Array(8192), 8192), -28);
  assert.equal(box.sys('ftruncate', fd, 0), 0);
  assert.equal(box.sys('write', fd, new Uint8Array(8192), 8192), 8192);
});

test('the image never changes, and two kernels over it are apart', () => {
  const tree = smallTree();
  const a = new Box({ tree });
  const b = new Box({ tree });
  const fd = a.sys('open', '/big', O.RDWR, 0) as number;
  a.sys('pwrite64', fd, 'changed', 7, 4000);
  a.sys('unlink', '/dir/one');
  a.sys('mkdir', '/only-a', 0o755);
  assert.equal(contents(b, '/dir/one'), 'one');
  assert.equal(b.sys('access', '/only-a', 0), -2);
  const node = tree.lookup('/big');
  assert.ok(node?.kind === 'file');
  assert.equal(node.read(4000, 1)[0], 4000 % 251);
});

test('a snapshot keeps files, unlinked ones too, and goes its own way', () => {
  const box = new Box();
  const fd = box.sys('open', '/dir/one', O.RDWR, 0) as number;
  box.sys('pwrite64', fd, 'ONE', 3, 0);
  box.sys('unlink', '/dir/one');
  const copy = snapshot(box.kernel);
  box.sys('pwrite64', fd, 'later', 5, 0);
  const process = copy.processes.get(1);
  const task = copy.tasks.get(1);
  assert.ok(process !== undefined && task !== undefined);
  const bytes = process.files.get(fd)?.read(copy, task, 10, 0);
  assert.ok(bytes instanceof Uint8Array);
  assert.equal(decodeText(bytes), 'ONE');
  assert.equal(copy.vfs.root.dentry === box.kernel.vfs.root.dentry, false);
});
