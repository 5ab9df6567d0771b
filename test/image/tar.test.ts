// The tar reader: what every dialect can say, against bytes made by hand, our own writer, GNU tar where it is
// installed, and tar-stream as a second reader.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { extract, type Header } from 'tar-stream';
import { encodeText } from '../../src/bytes/index.ts';
import { memoryAccess } from '../../src/host/index.ts';
import type { Content } from '../../src/image/content.ts';
import { Budget, defaultLimits } from '../../src/image/limits.ts';
import { readTar, type TarEntry } from '../../src/image/tar.ts';
import { concat, endOfArchive, pax, raw, tar, temporary } from './support.ts';

const notes: string[] = [];

function read(bytes: Uint8Array): TarEntry[] {
  notes.length = 0;
  return [
    ...readTar(memoryAccess('test.tar', bytes), 'test.tar', {
      budget: new Budget(defaultLimits),
      note: (_, what) => notes.push(what),
    }),
  ];
}

function one(...parts: readonly Uint8Array[]): TarEntry {
  const entries = read(concat(...parts, endOfArchive));
  assert.equal(entries.length, 1);
  return entries[0];
}

function bytesOf(content: Content): string {
  const target = new Uint8Array(content.size);
  assert.equal(content.readInto(0, target), content.size);
  return Buffer.from(target).toString('latin1');
}

test('ustar: prefix and name are joined, contents are found', () => {
  const entry = one(
    raw(
      { name: 'name', prefix: 'some/prefix', mode: '0004755', uid: '0001750', mtime: '00000000012' },
      'hello',
    ),
  );
  assert.equal(entry.name, 'some/prefix/name');
  assert.equal(bytesOf(entry.content), 'hello');
  assert.deepEqual([entry.metadata.mode, entry.metadata.uid, entry.metadata.mtime], [0o4755, 1000, 10]);
});

test('Version 7: no magic, a trailing slash makes a directory, NUL type is a file', () => {
  assert.equal(one(raw({ name: 'dir/', magic: '' })).kind, 'dir');
  const entry = one(raw({ name: 'f', magic: '', type: '\0' }, 'x'));
  assert.equal(entry.kind, 'file');
  assert.equal(bytesOf(entry.content), 'x');
});

test('star: the prefix is shorter', () => {
  const patch: readonly (readonly [number, string])[] = [
    [345 + 131, '00000000001'],
    [508, 'tar\0'],
  ];
  assert.equal(one(raw({ name: 'n', prefix: 'p', patch })).name, 'p/n');
});

test('GNU: what stands in the place of the prefix is none', () => {
  assert.equal(one(raw({ name: 'n', magic: 'ustar  \0', prefix: '00000000001' })).name, 'n');
});

test('numbers: octal with spaces or NULs around, base 256, negative', () => {
  assert.equal(one(raw({ uid: ' 1750 \0' })).metadata.uid, 1000);
  assert.equal(one(raw({ uid: '\0\0\0\0\0\0\0\0' })).metadata.uid, 0);
  assert.equal(
    one(raw({ patch: [[108, Uint8Array.of(0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe)]] })).metadata.uid,
    0xfffffffe,
  );
  assert.equal(one(raw({ patch: [[136, new Uint8Array(12).fill(0xff)]] })).metadata.mtime, -1);
});

test('checksums: unsigned and signed', () => {
  const name = Uint8Array.of(0xe4, 0xf6);
  const signed = raw({ name });
  const sum = signed
    .slice(0, 512)
    .reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : (byte << 24) >> 24), 0);
  assert.equal(one(raw({ name, checksum: `${sum.toString(8).padStart(6, '0')}\0 ` })).name, '\udce4\udcf6');
});

test('names that are not UTF-8 survive', () => {
  const bytes = Uint8Array.of(0x61, 0xff, 0x2f, 0xc3, 0x28);
  assert.deepEqual(encodeText(one(raw({ name: bytes })).name), bytes);
  assert.deepEqual(encodeText(one(pax(['path', bytes]), raw({})).name), bytes);
});

test('GNU long names and link targets', () => {
  const name = 'd/'.repeat(200);
  const target = 't'.repeat(300);
  const entry = one(
    raw({ name: '././@LongLink', type: 'L' }, `${name}f\0`),
    raw({ name: '././@LongLink', type: 'K' }, `${target}\0`),
    raw({ name: 'cut', type: '2', linkname: 'cut' }),
  );
  assert.deepEqual([entry.kind, entry.name, entry.linkname], ['symlink', `${name}f`, target]);
});

test('pax: names, numbers, times, binary attributes', () => {
  const capability = Uint8Array.of(1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0x0a, 0xff, 0, 0x3d, 0, 0, 0, 0, 0, 0, 0);
  const entry = one(
    pax(
      ['path', 'päth/ü'],
      ['uid', '4000000000'],
      ['gid', '7'],
      ['mtime', '1700000000.5'],
      ['SCHILY.xattr.security.capability', capability],
      ['SCHILY.xattr.user.empty', ''],
      ['comment', 'no matter'],
    ),
    raw({ name: 'short', uid: '0000001' }, 'x'),
  );
  assert.equal(entry.name, 'päth/ü');
  const { uid, gid, mtime, mtimeNs, xattrs } = entry.metadata;
  assert.deepEqual([uid, gid, mtime, mtimeNs], [4_000_000_000, 7, 1_700_000_000, 500_000_000]);
  assert.deepEqual([...xattrs.keys()], ['security.capability', 'user.empty']);
  assert.deepEqual([...(xattrs.get('security.capability') ?? [])], [...capability]);
});

test('pax: times before 1970', () => {
  const time = (text: string): readonly number[] => {
    const { mtime, mtimeNs } = one(pax(['mtime', text]), raw({})).metadata;
    return [mtime, mtimeNs];
  };
  assert.deepEqual(time('-1'), [-1, 0]);
  assert.deepEqual(time('-0.25'), [-1, 750_000_000]);
  assert.deepEqual(time('-1.5'), [-2, 500_000_000]);
  assert.deepEqual(time('3.'), [3, 0]);
  assert.deepEqual(time('0.0000000019'), [0, 1]);
});

test('pax: an empty value takes back, the size counts, a global header does not', () => {
  assert.equal(one(pax(['path', 'a'], ['path', '']), raw({ name: 'b' })).name, 'b');
  const entry = one(pax(['size', '3']), raw({ name: 'b', size: 0 }, 'abc'));
  assert.equal(bytesOf(entry.content), 'abc');
  const global = raw({ type: 'g' }, Buffer.from('11 path=g/\n'));
  assert.equal(one(global, raw({ name: 'own' })).name, 'own');
  assert.deepEqual(notes, ['global extended header passed over']);
});

test('links, symlinks and directories have no body, whatever their size says', () => {
  const entries = read(
    concat(
      raw({ name: 'f' }, 'x'),
      raw({ name: 'l', type: '1', linkname: 'f', size: 5000 }),
      raw({ name: 'd', type: '5', size: 700 }),
      raw({ name: 'g' }, 'y'),
      endOfArchive,
    ),
  );
  assert.deepEqual(
    entries.map((entry) => [entry.kind, entry.name, entry.content.size]),
    [
      ['file', 'f', 1],
      ['link', 'l', 0],
      ['dir', 'd', 0],
      ['file', 'g', 1],
    ],
  );
});

test('the end: two zero blocks, one, none, or data after it', () => {
  const entry = raw({ name: 'f' }, 'x');
  for (const end of [
    endOfArchive,
    new Uint8Array(512),
    new Uint8Array(0),
    new Uint8Array(100),
    concat(endOfArchive, Buffer.from('trailing')),
  ])
    assert.equal(read(concat(entry, end)).length, 1);
  assert.equal(read(entry.subarray(0, 513)).length, 1, 'the last padding may be missing');
});

test('sparse: the map of an old GNU header, with an extension block', () => {
  const number = (value: number): string => `${value.toString(8).padStart(11, '0')}\0`;
  const pairs = [0, 2, 4, 6, 8, 10, 12].map((offset) => number(offset * 1000) + number(1));
  const extension = new Uint8Array(512);
  extension.set(Buffer.from(pairs.slice(4).join('')));
  const header = raw({
    name: 's',
    type: 'S',
    magic: 'ustar  \0',
    size: 7,
    patch: [
      [386, pairs.slice(0, 4).join('')],
      [482, '\x01'],
      [483, number(20000)],
    ],
  });
  const entry = one(header, extension, concat(Buffer.from('abcdefg'), new Uint8Array(505)));
  assert.equal(entry.content.size, 20000);
  const text = bytesOf(entry.content);
  assert.equal(text.replace(/\0/g, ''), 'abcdefg');
  assert.equal(text.indexOf('d'), 6000);
  assert.deepEqual(
    [...entry.content.extents()].map(([offset]) => offset),
    [0, 2000, 4000, 6000, 8000, 10000, 12000],
  );
});

test('sparse: reads that begin and end anywhere', () => {
  const entry = one(
    pax(['GNU.sparse.map', '3,4,10,2,20,0'], ['GNU.sparse.size', '20'], ['GNU.sparse.name', 's']),
    raw({ name: 'x' }, 'abcdef'),
  );
  const whole = bytesOf(entry.content);
  assert.equal(whole, '\0\0\0abcd\0\0\0ef\0\0\0\0\0\0\0\0');
  for (let offset = 0; offset <= 21; offset++) {
    for (let length = 0; length <= 21; length++) {
      const target = new Uint8Array(length).fill(0x58);
      const n = entry.content.readInto(offset, target);
      assert.equal(
        Buffer.from(target.subarray(0, n)).toString('latin1'),
        whole.slice(offset, offset + length),
      );
    }
  }
});

const gnuTar = spawnSync('tar', ['--version'], { encoding: 'utf8' }).stdout?.includes('GNU tar') === true;

/** A directory with one of each, and a sparse file with two extents. */
function sample(directory: string): void {
  mkdirSync(join(directory, 'sub/deeper'), { recursive: true });
  writeFileSync(join(directory, 'hello'), 'hello\n', { mode: 0o755 });
  writeFileSync(join(directory, 'sub', 'n'.repeat(120)), 'long');
  linkSync(join(directory, 'hello'), join(directory, 'sub/hello'));
  symlinkSync('t'.repeat(130), join(directory, 'sub/link'));
  const fd = openSync(join(directory, 'sparse'), 'w');
  writeSync(fd, 'one', 65536);
  writeSync(fd, 'two', 1 << 20);
  closeSync(fd);
}

for (const [format, ...options] of [
  ['v7'],
  ['oldgnu'],
  ['gnu'],
  ['ustar'],
  ['posix'],
  ['oldgnu', '-S'],
  ['gnu', '-S'],
  ['posix', '-S', '--sparse-version=0.0'],
  ['posix', '-S', '--sparse-version=0.1'],
  ['posix', '-S', '--sparse-version=1.0'],
] as const) {
  test(`GNU tar --format=${[format, ...options].join(' ')}`, {
    skip: gnuTar ? false : 'GNU tar is not installed',
  }, (t) => {
    const directory = temporary(t);
    sample(directory);
    const short = format === 'v7' || format === 'ustar';
    const run = spawnSync(
      'tar',
      [
        '-C',
        directory,
        `--format=${format}`,
        ...options,
        '--sort=name',
        ...(short ? ['--exclude=*nnn*', '--exclude=link'] : []),
        '-cf',
        '-',
        '.',
      ],
      { maxBuffer: 1 << 26 },
    );
    assert.equal(run.status, 0, run.stderr.toString());
    const entries = new Map(read(run.stdout).map((entry) => [entry.name, entry]));
    const sparse = entries.get('./sparse');
    const expected = readFileSync(join(directory, 'sparse'));
    assert.equal(sparse?.content.size, expected.length);
    assert.ok(bytesOf(sparse.content) === expected.toString('latin1'), 'contents of the sparse file');
    if (options.length > 0)
      assert.ok(
        [...sparse.content.extents()].length >= 2 && sparse.metadata.mode === 0o644,
        'holes are known',
      );
    assert.equal(bytesOf(entries.get('./hello')?.content as Content), 'hello\n');
    assert.deepEqual(
      [entries.get('./sub/hello')?.kind, entries.get('./sub/hello')?.linkname],
      ['link', './hello'],
    );
    assert.equal(entries.get('./sub/deeper/')?.kind, 'dir');
    if (!short) {
      assert.equal(entries.get('./sub/link')?.linkname, 't'.repeat(130));
      assert.equal(bytesOf(entries.get(`./sub/${'n'.repeat(120)}`)?.content as Content), 'long');
    }
  });
}

test('our writer, read by GNU tar', { skip: gnuTar ? false : 'GNU tar is not installed' }, (t) => {
  const directory = temporary(t);
  const path = join(directory, 'x.tar');
  writeFileSync(
    path,
    tar([
      { kind: 'dir', path: 'd' },
      { kind: 'file', path: `d/${'ü'.repeat(60)}`, bytes: 'data', uid: 3_000_000, mtime: 1_700_000_000 },
      { kind: 'symlink', path: 's', target: 'x'.repeat(200) },
      { kind: 'link', path: 'h', target: `d/${'ü'.repeat(60)}` },
      { kind: 'char', path: 'null', major: 1, minor: 3, mode: 0o666 },
    ]),
  );
  const listed = execFileSync('tar', ['--quoting-style=literal', '--full-time', '--utc', '-tvf', path], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
  const lines = listed.trim().split('\n');
  assert.match(lines[0], /^drwxr-xr-x 0\/0 +0 1970-01-01 00:00:00 d\/$/);
  assert.match(lines[1], /^-rw-r--r-- 3000000\/0 +4 2023-11-14 22:13:20 d\/ü{60}$/);
  assert.match(lines[2], /^lrwxrwxrwx .* s -> x{200}$/);
  assert.match(lines[3], /^hrw-r--r-- .* h link to d\/ü{60}$/);
  assert.match(lines[4], /^crw-rw-rw- 0\/0 +1,3 .* null$/);
});

/** What tar-stream makes of an archive. */
async function second(bytes: Uint8Array): Promise<{ readonly header: Header; readonly body: string }[]> {
  const found: { header: Header; body: string }[] = [];
  const reader = extract();
  reader.end(Buffer.from(bytes));
  for await (const entry of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    found.push({ header: entry.header, body: Buffer.concat(chunks).toString('latin1') });
  }
  return found;
}

test('our writer and reader agree with tar-stream', async () => {
  const bytes = tar([
    { kind: 'dir', path: 'a/b', mode: 0o1777 },
    {
      kind: 'file',
      path: 'a/b/c',
      bytes: 'x'.repeat(1000),
      mode: 0o4755,
      uid: 1,
      gid: 2,
      mtime: 1_700_000_000,
    },
    { kind: 'file', path: 'p/'.repeat(100), bytes: '' },
    { kind: 'file', path: `${'ü'.repeat(120)}`, bytes: 'y' },
    { kind: 'symlink', path: 's', target: 'q'.repeat(150) },
    { kind: 'link', path: 'l', target: 'a/b/c' },
    { kind: 'block', path: 'sda', major: 8, minor: 1 },
    { kind: 'fifo', path: 'pipe' },
    { kind: 'whiteout', path: 'a/gone' },
    { kind: 'opaque', path: 'a/b' },
  ]);
  const kinds: { readonly [kind: string]: string } = {
    file: 'file',
    dir: 'directory',
    link: 'link',
    symlink: 'symlink',
    char: 'character-device',
    block: 'block-device',
    fifo: 'fifo',
  };
  const ours = read(bytes).map((entry) => [
    entry.name,
    kinds[entry.kind],
    entry.linkname,
    entry.metadata.mode,
    entry.metadata.uid,
    entry.metadata.gid,
    entry.metadata.mtime,
    entry.major,
    entry.minor,
    bytesOf(entry.content),
  ]);
  const theirs = (await second(bytes)).map(({ header, body }) => [
    header.name,
    header.type,
    header.linkname ?? '',
    header.mode,
    header.uid,
    header.gid,
    (header.mtime?.getTime() ?? 0) / 1000,
    header.devmajor,
    header.devminor,
    body,
  ]);
  assert.equal(ours.length, 10);
  assert.deepEqual(ours, theirs);
});
