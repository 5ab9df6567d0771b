// Files by offset, temporary files, deflate, zstd, digests, directories by handle.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { InputError } from '../../src/bytes/index.ts';
import {
  createDigest,
  createSpool,
  digestFile,
  freshDirectory,
  gunzip,
  gzip,
  inflateRaw,
  inflateRawSync,
  memoryAccess,
  openFile,
  openFileIfThere,
  pathKind,
  pieces,
  type RandomAccess,
  scanDirectory,
  sha256,
  sliceAccess,
  unzstd,
  Window,
} from '../../src/host/index.ts';

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'effigy-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const input = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof InputError, error instanceof Error ? error.stack : 'not an error');
  assert.match(error.message, pattern);
  return true;
};

const sample = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 0xff);

/** The same bytes in every form of RandomAccess. */
function forms(t: TestContext): readonly (readonly [name: string, file: RandomAccess])[] {
  const path = join(temporary(t), 'file');
  writeFileSync(path, sample);
  const spool = createSpool({ name: 'spool', limit: 1000 });
  for (let at = 0; at < 1000; at += 250) spool.write(sample.subarray(at, at + 250));
  const surrounded = memoryAccess('outer', Buffer.concat([Buffer.alloc(5), sample, Buffer.alloc(5)]));
  return [
    ['file', openFile(path)],
    ['memory', memoryAccess('memory', sample)],
    ['slice', sliceAccess(surrounded, 'slice', 5, 1000)],
    ['spool', spool],
  ];
}

test('every form of file reads the same', (t) => {
  for (const [name, file] of forms(t)) {
    assert.equal(file.size, 1000, name);
    for (const [offset, length] of [
      [0, 1000],
      [10, 5],
      [995, 100],
      [1000, 1],
      [5000, 3],
      [7, 0],
    ]) {
      const expected = sample.subarray(offset, offset + length);
      assert.deepEqual(file.read(offset, length), Uint8Array.from(expected), `${name} ${offset} ${length}`);
      const target = new Uint8Array(length).fill(0xee);
      assert.equal(file.readInto(offset, target), expected.length, name);
      assert.deepEqual(target.subarray(0, expected.length), Uint8Array.from(expected), name);
      assert.ok(
        target.subarray(expected.length).every((byte) => byte === 0xee),
        `${name} leaves the rest alone`,
      );
    }
    assert.deepEqual(
      Buffer.concat(Array.from(pieces(file, 333), (piece) => Buffer.from(piece))),
      Buffer.from(sample),
      name,
    );
    assert.equal(digestFile(file), sha256(sample), name);
    const copy = file.read(0, 4);
    copy.fill(0xff);
    assert.deepEqual([...file.read(0, 4)], [...sample.subarray(0, 4)], `${name}: read gives a copy`);
    file.close();
    file.close();
  }
});

test('a window gives the same small reads, forwards and back', (t) => {
  for (const [name, file] of forms(t)) {
    const window = new Window(file, 64);
    for (const [offset, length] of [
      [0, 10],
      [5, 10],
      [60, 10],
      [400, 64],
      [3, 4],
      [990, 64],
      [1000, 1],
    ]) {
      assert.deepEqual(
        Uint8Array.from(window.at(offset, length)),
        Uint8Array.from(sample.subarray(offset, offset + length)),
        `${name} ${offset}`,
      );
    }
    file.close();
  }
});

test('what is no file to read is refused', (t) => {
  const directory = temporary(t);
  assert.throws(() => openFile(directory), input(/is a directory/));
  assert.throws(() => openFile('/dev/zero'), input(/not a regular file/));
  assert.throws(() => openFile(join(directory, 'none')), input(/no such file or directory/));
  assert.equal(openFileIfThere(directory, 'none'), undefined);
  spawnSync('mkfifo', [join(directory, 'fifo')]);
  if (pathKind(join(directory, 'fifo')) === 'other')
    assert.throws(() => openFile(join(directory, 'fifo')), input(/not a regular file/));
  assert.deepEqual(
    [pathKind(directory), pathKind('/dev/zero'), pathKind(join(directory, 'x/y'))],
    ['dir', 'other', 'missing'],
  );
  assert.throws(() => sliceAccess(memoryAccess('m', sample), 'part', 990, 11), input(/part: truncated/));
});

test('a file that becomes shorter while it is read', (t) => {
  const path = join(temporary(t), 'file');
  writeFileSync(path, sample);
  const file = openFile(path);
  truncateSync(path, 100);
  assert.throws(() => file.read(50, 100), input(/became shorter/));
  file.close();
});

test('temporary files: no name, a limit, holes', (t) => {
  const directory = temporary(t);
  const spool = createSpool({ name: 'layer 3', limit: 400_000, directory });
  assert.deepEqual(readdirSync(directory), []);
  const bytes = Buffer.concat([
    Buffer.from('start'),
    Buffer.alloc(200_000),
    Buffer.from('middle'),
    Buffer.alloc(150_000),
  ]);
  for (let at = 0; at < bytes.length; at += 70_000) spool.write(bytes.subarray(at, at + 70_000));
  assert.equal(spool.size, bytes.length);
  assert.ok(Buffer.from(spool.read(0, bytes.length)).equals(bytes));
  spool.write(Buffer.from('end'));
  assert.equal(Buffer.from(spool.read(bytes.length - 1, 10)).toString(), '\0end');
  assert.throws(() => spool.write(Buffer.alloc(400_000)), input(/layer 3: more than 400000 bytes/));
  spool.close();
  assert.throws(
    () => createSpool({ name: 'x', limit: 1, directory: join(directory, 'none') }),
    input(/no such file/),
  );
});

test('digests', () => {
  const digest = createDigest('sha512');
  digest.update(sample.subarray(0, 10));
  digest.update(sample.subarray(10));
  assert.equal(digest.hex(), createHash('sha512').update(sample).digest('hex'));
  assert.equal(sha256(Buffer.from('')), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});

const mixed = Buffer.concat([
  randomBytes(3_000_000),
  Buffer.alloc(5_000_000),
  Buffer.from('text '.repeat(100_000)),
]);

async function through(
  decoder: typeof gunzip,
  packed: Uint8Array,
): Promise<{ readonly input: Buffer; readonly output: Buffer }> {
  const [inputs, outputs]: [Buffer[], Buffer[]] = [[], []];
  await decoder(memoryAccess('packed', packed), {
    input: (piece) => inputs.push(Buffer.from(piece)),
    output: (piece) => outputs.push(Buffer.from(piece)),
  });
  return { input: Buffer.concat(inputs), output: Buffer.concat(outputs) };
}

test('gunzip: members, taps, zeros after the end', async () => {
  const packed = Buffer.concat([
    gzipSync(mixed.subarray(0, 4_000_001)),
    gzipSync(''),
    gzipSync(mixed.subarray(4_000_001)),
    Buffer.alloc(512),
  ]);
  const { input: seen, output } = await through(gunzip, packed);
  assert.ok(output.equals(mixed) && seen.equals(packed));
});

test('gunzip: damage and truncation are InputErrors, a tap’s exception passes', async () => {
  const packed = gzipSync(mixed);
  await assert.rejects(
    through(gunzip, packed.subarray(0, -9)),
    input(/packed: damaged gzip data: unexpected end/),
  );
  await assert.rejects(
    through(gunzip, Buffer.concat([packed.subarray(0, 1000), randomBytes(100), packed.subarray(1100)])),
    input(/packed: damaged gzip data/),
  );
  await assert.rejects(through(gunzip, Buffer.of()), input(/damaged gzip data/));
  const stop = new Error('enough');
  await assert.rejects(gunzip(memoryAccess('packed', packed), { output: () => assert.fail(stop) }), stop);
});

test('gzip and back', async () => {
  const packed: Buffer[] = [];
  await gzip(memoryAccess('plain', mixed), (piece) => packed.push(Buffer.from(piece)));
  assert.ok((await through(gunzip, Buffer.concat(packed))).output.equals(mixed));
});

test('raw deflate, at once and on other threads, within a limit', async () => {
  const packed = deflateRawSync(mixed);
  assert.ok(mixed.equals(inflateRawSync(packed, mixed.length, 'block')));
  assert.ok(mixed.equals(await inflateRaw(packed, mixed.length, 'block')));
  assert.throws(() => inflateRawSync(packed, 1000, 'block 5'), input(/block 5: damaged deflate data/));
  await assert.rejects(inflateRaw(packed, 1000, 'block 5'), input(/block 5: damaged deflate data/));
  assert.throws(() => inflateRawSync(Buffer.from('junk'), 1000, 'block'), input(/damaged deflate data/));
});

function zstd(bytes: Uint8Array, ...options: readonly string[]): Buffer {
  return (
    spawnSync('zstd', ['-q', '-c', ...options], { input: bytes, maxBuffer: 1 << 28 }).stdout ?? Buffer.of()
  );
}

/** A small frame that gives much. */
const repeated = Buffer.alloc(30_000_000, 'again ');

const noZstd = spawnSync('zstd', ['--version']).status === 0 ? false : 'zstd is not installed';

/** The decoder that this Node would use, and the one in JavaScript. */
const decoders: readonly (readonly [name: string, decoder: typeof gunzip])[] = [
  ['default', (file, taps) => unzstd(file, taps)],
  ['in JavaScript', (file, taps) => unzstd(file, taps, false)],
];

for (const [name, decoder] of decoders) {
  test(`zstd, ${name}: frames, skippable frames, levels, checksums, long windows`, {
    skip: noZstd,
  }, async () => {
    const skippable = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9);
    const third = Math.floor(mixed.length / 3);
    const packed = Buffer.concat([
      skippable,
      zstd(mixed.subarray(0, third), '-19'),
      skippable,
      zstd(mixed.subarray(third, 2 * third), '--no-check', '--long=27'),
      zstd(Buffer.of()),
      zstd(mixed.subarray(2 * third), '-1'),
      skippable,
      zstd(repeated, '-1'),
      zstd(Buffer.of()),
    ]);
    const { input: seen, output } = await through(decoder, packed);
    assert.ok(output.equals(Buffer.concat([mixed, repeated])), 'output');
    assert.ok(seen.equals(packed), 'input');
  });

  test(`zstd, ${name}: damage is an InputError, a tap's exception passes`, { skip: noZstd }, async () => {
    const packed = zstd(mixed);
    await assert.rejects(
      through(decoder, packed.subarray(0, packed.length - 100)),
      input(/damaged zstd data/),
    );
    await assert.rejects(through(decoder, Buffer.from('no zstd at all, really')), input(/damaged zstd data/));
    await assert.rejects(
      through(decoder, Buffer.concat([packed, Buffer.from('trailing')])),
      input(/damaged zstd data/),
    );
    const stop = new Error('enough');
    await assert.rejects(decoder(memoryAccess('packed', packed), { output: () => assert.fail(stop) }), stop);
  });

  test(`zstd, ${name}: a frame that wants two gigabytes of window is refused`, async () => {
    // Magic, descriptor without flags, window descriptor of exponent 21: 2 GiB; one empty last block.
    const frame = Uint8Array.of(
      0x28,
      0xb5,
      0x2f,
      0xfd,
      0x00,
      0xa8,
      0x01,
      0x00,
      0x00,
      ...new Array<number>(16).fill(0),
    );
    await assert.rejects(through(decoder, frame), input(/damaged zstd data/));
  });
}

test('a fresh directory is new or empty, names are single components', (t) => {
  const directory = temporary(t);
  const top = freshDirectory(join(directory, 'new'));
  const sub = top.makeDirectory('sub');
  assert.throws(() => top.makeDirectory('sub'), input(/sub: exists already/));
  assert.throws(() => top.makeFile('sub'), input(/exists already/));
  for (const name of ['', '.', '..', 'a/b', 'a\0b'])
    assert.throws(() => top.makeFile(name), /internal error/);
  const file = sub.makeFile('file');
  file.write(Buffer.from('xyz'), 2);
  file.resize(10);
  file.describe({ mode: 0o600, mtime: 5, mtimeNs: 0 });
  file.close();
  sub.makeSymlink('link', '/etc/passwd', { mode: 0o777, mtime: 7, mtimeNs: 0 });
  top.makeLink('again', sub, 'file');
  assert.throws(() => sub.openDirectory('link'), input(/not a directory|too many symbolic links/));
  sub.close();
  top.close();
  assert.deepEqual(
    [...scanDirectory(join(directory, 'new'))].map(({ path, kind, target, identity }) => [
      path,
      kind,
      target,
      identity !== '',
    ]),
    [
      ['again', 'file', '', true],
      ['sub', 'dir', '', false],
      ['sub/file', 'file', '', true],
      ['sub/link', 'symlink', '/etc/passwd', false],
    ],
  );
  assert.throws(() => freshDirectory(join(directory, 'new')), input(/directory is not empty/));
});

test('a symlink put in the way is not followed', (t) => {
  const directory = temporary(t);
  mkdirSync(join(directory, 'victim'));
  const top = freshDirectory(join(directory, 'out'));
  symlinkSync(join(directory, 'victim'), join(directory, 'out/sub'));
  assert.throws(() => top.makeDirectory('sub'), input(/exists already/));
  assert.throws(() => top.openDirectory('sub'), input(/not a directory|too many symbolic links/));
  symlinkSync(join(directory, 'victim/file'), join(directory, 'out/file'));
  assert.throws(() => top.makeFile('file'), input(/exists already/));
  top.close();
  assert.deepEqual(
    [readdirSync(join(directory, 'victim')), readlinkSync(join(directory, 'out/file'))],
    [[], join(directory, 'victim/file')],
  );
});
