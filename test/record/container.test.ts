import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import { type Image, type ImageConfig, treeBuilder } from '../../src/image/index.ts';
import { findEntry, placeOf, planContainer, signalNumber } from '../../src/record/container.ts';
import { quoteAll } from '../../src/record/shell.ts';
import { plainImage } from '../image/plain.ts';

const tree = treeBuilder()
  .addFile('/etc/passwd', 'root:x:0:0::/root:/bin/sh\napp:x:7:8::/home/app:/bin/sh\n')
  .addFile('/usr/bin/tool', '', { mode: 0o755 })
  .addFile('/usr/bin/data', '')
  .addSymlink('/bin', 'usr/bin')
  .addDir('/data/www')
  .addSymlink('/var/www', '/data/www')
  .addSymlink('/var/up', '../../../../../etc')
  .addSymlink('/dangling', '/root/nothing')
  .addSymlink('/loop', '/loop')
  .build();

const image = (config: Partial<ImageConfig>, names: readonly string[] = ['shop:1.4']): Image =>
  plainImage(tree, config, names);

const options = { command: [], env: [], user: undefined, id: '0123456789ab', name: undefined };

test('command, environment, user and directory as docker run decides them', () => {
  const config = {
    entrypoint: ['tool'],
    cmd: ['-d'],
    env: ['A=1', 'PATH=/bin', 'A=2', 'novalue'],
    user: 'app',
    workingDir: '/var/www/new',
    volumes: ['/var/up/x'],
  };
  const plan = planContainer(image(config), { ...options, env: ['A=3', 'B=x=y'] });
  assert.deepEqual(plan.argv, ['tool', '-d']);
  assert.deepEqual(plan.env, ['PATH=/bin', 'HOSTNAME=0123456789ab', 'A=3', 'B=x=y', 'HOME=/home/app']);
  assert.equal(plan.account.uid, 7);
  assert.equal(plan.workingDir, '/data/www/new');
  assert.deepEqual(plan.directories, ['/data/www/new', '/etc/x']);
  assert.deepEqual(
    [plan.name, plan.image, plan.imageId, plan.stopSignal],
    ['shop', 'shop:1.4', 'ab'.repeat(32), 15],
  );
  findEntry(tree, plan, 'shop.tar');
});

test('arguments replace Cmd; names come from the file where the image has none', () => {
  const plan = planContainer(image({ entrypoint: ['/bin/tool'], cmd: ['-d'] }, []), {
    ...options,
    command: ['-x', 'y'],
    name: 'mine',
  });
  assert.deepEqual(plan.argv, ['/bin/tool', '-x', 'y']);
  assert.deepEqual([plan.image, plan.name], ['shop.tar:latest', 'mine']);
  assert.throws(() => planContainer(image({}), options), /neither entrypoint nor command/);
});

test('an entry that is not there, not executable, or no file is said before anything runs', () => {
  const check = (entry: string): void =>
    findEntry(tree, planContainer(image({ entrypoint: [entry] }), options), 'shop.tar');
  assert.throws(() => check('missing'), /"missing" is not in the image/);
  assert.throws(() => check('/usr/bin/data'), /is not executable/);
  assert.throws(() => check('/usr/bin'), /is not executable/);
  check('/bin/tool');
});

test('an interpreter that is not there is named', () => {
  const scripts = treeBuilder()
    .addFile('/usr/bin/sh', '', { mode: 0o755 })
    .addSymlink('/bin', 'usr/bin')
    .addFile('/ok', '#!/bin/sh -e\n', { mode: 0o755 })
    .addFile('/bash', '#! /bin/bash\necho\n', { mode: 0o755 })
    .addFile('/nested', '#!/bash\n', { mode: 0o755 })
    .addFile('/windows', '#!/bin/sh\r\necho\r\n', { mode: 0o755 })
    .addFile('/relative', '#!sh\n', { mode: 0o755 })
    .addFile('/self', '#!/self\n', { mode: 0o755 })
    .addFile('/foreign', program('/lib/ld-other.so.1'), { mode: 0o755 })
    .addFile('/static', program(undefined), { mode: 0o755 })
    .addFile('/broken', '\x7fELF', { mode: 0o755 })
    .build();
  const check = (entry: string): void =>
    findEntry(scripts, planContainer(image({ entrypoint: [entry] }), options), 'shop.tar');
  for (const entry of ['/ok', '/relative', '/self', '/static', '/broken']) check(entry);
  assert.throws(() => check('/bash'), /"\/bash" needs "\/bin\/bash", which is not there/);
  assert.throws(() => check('/nested'), /"\/bash" needs "\/bin\/bash"/);
  assert.throws(() => check('/windows'), /"\/bin\/sh\\r".*carriage return/s);
  assert.throws(() => check('/foreign'), /"\/foreign" needs "\/lib\/ld-other.so.1".*dynamic loader/s);
});

/** An ELF file with nothing but its loader's name. */
function program(interpreter: string | undefined): Uint8Array {
  const name = Buffer.from(`${interpreter ?? ''}\0`);
  const file = Buffer.alloc(64 + 56 + name.length);
  file.write('\x7fELF\x02\x01\x01', 'latin1');
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(62, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt16LE(64, 58);
  file.writeUInt32LE(interpreter === undefined ? 4 : 3, 64);
  file.writeUInt32LE(4, 68);
  file.writeBigUInt64LE(120n, 72);
  file.writeBigUInt64LE(BigInt(name.length), 96);
  file.writeBigUInt64LE(BigInt(name.length), 104);
  name.copy(file, 120);
  return file;
}

test('places are found inside of the image, dangling links and .. included', () => {
  const cases = [
    ['/', '/'],
    ['var/www/a/../b', '/data/www/b'],
    ['/var/up/passwd', '/etc/passwd'],
    ['/../../x', '/x'],
    ['/dangling/sub', '/root/nothing/sub'],
    ['/bin/tool', '/usr/bin/tool'],
  ] as const;
  for (const [path, place] of cases) assert.equal(placeOf(tree, path), place, path);
  assert.throws(() => placeOf(tree, '/loop/x'), InputError);
});

test('signals by name and number', () => {
  const cases = [
    ['', 15],
    ['SIGQUIT', 3],
    ['quit', 3],
    ['9', 9],
    ['SIGRTMIN+3', 37],
    ['RTMAX-1', 63],
  ] as const;
  for (const [text, number] of cases) assert.equal(signalNumber(text, 'image'), number, text);
  for (const text of ['SIGNOTHING', '0', '65', 'SIGRTMIN+40'])
    assert.throws(() => signalNumber(text, 'image'), InputError, text);
});

test('quoted words reach a program of the shell as they are', () => {
  const words = ["it's", '$HOME `id`', 'a b', '', '*', 'new\nline', '"', '\\', '-n', 'a=b'];
  const { stdout } = spawnSync('sh', ['-c', `printf '%s\\0' ${quoteAll(words)}`], { encoding: 'utf8' });
  assert.deepEqual(stdout.split('\0').slice(0, -1), words);
});
