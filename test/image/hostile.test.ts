// Hostile and damaged archives: each gets an InputError that says what and where, and nothing else happens.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { InputError } from '../../src/bytes/index.ts';
import { type LayerEntry, type Limits, openImage } from '../../src/image/index.ts';
import {
  addImage,
  archive,
  blob,
  concat,
  configOf,
  type Descriptor,
  dockerFiles,
  endOfArchive,
  type Files,
  finishLayout,
  gzipped,
  json,
  type LayerBytes,
  layout,
  pax,
  type RawHeader,
  raw,
  tar,
  temporary,
  types,
} from './support.ts';

async function refused(path: string, pattern: RegExp, limits: Partial<Limits> = {}): Promise<InputError> {
  let caught: unknown;
  try {
    (await openImage(path, { limits })).close();
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof InputError, caught instanceof Error ? caught.stack : 'it was opened');
  assert.match(caught.message, pattern);
  assert.ok(caught.message.length < 600 && !caught.message.includes('\n'), caught.message);
  return caught;
}

interface LayerCase {
  readonly title: string;
  /** Entries by our writer, or raw bytes. */
  readonly layer: readonly LayerEntry[] | Uint8Array;
  readonly error: RegExp;
  readonly limits?: Partial<Limits>;
}

const file = (path: string, bytes = 'x'): LayerEntry => ({ kind: 'file', path, bytes });
const dir = (path: string): LayerEntry => ({ kind: 'dir', path });
const symlink = (path: string, target: string): LayerEntry => ({ kind: 'symlink', path, target });
const link = (path: string, target: string): LayerEntry => ({ kind: 'link', path, target });
const ended = (...parts: readonly Uint8Array[]): Uint8Array => concat(...parts, endOfArchive);
const sparse = (map: string, size = '100', body = 'abcd'): Uint8Array =>
  ended(pax(['GNU.sparse.map', map], ['GNU.sparse.size', size]), raw({ name: 'sparse' }, body));
const sparse1 = (body: string): Uint8Array =>
  ended(
    pax(['GNU.sparse.major', '1'], ['GNU.sparse.minor', '0'], ['GNU.sparse.realsize', '100']),
    raw({ name: 'sparse' }, body),
  );
const wrong = (header: RawHeader): Uint8Array => ended(raw({ name: 'bad', ...header }));

const layerCases: readonly LayerCase[] = [
  {
    title: '.. out of the image',
    layer: [file('../x')],
    error: /entry \.\.\/x: the path leads out of the image/,
  },
  { title: '.. out of the image, later', layer: [file('a/b/../../../x')], error: /leads out of the image/ },
  {
    title: 'absolute with ..',
    layer: wrong({ name: '/../../etc/passwd' }),
    error: /entry \/\.\.\/\.\.\/etc\/passwd: .*leads out/,
  },
  {
    title: 'hard link out of the image',
    layer: [link('x', '../../etc/shadow')],
    error: /leads out of the image/,
  },
  { title: 'whiteout of ..', layer: [file('a/.wh...')], error: /entry a\/\.wh\.\.\.: a whiteout of "\.\."/ },
  { title: 'whiteout of .', layer: [file('a/.wh..')], error: /a whiteout of "\."/ },
  { title: 'whiteout of nothing', layer: [file('a/.wh.')], error: /a whiteout of ""/ },
  { title: 'entry below a whiteout', layer: [file('.wh.a/b')], error: /a path below a whiteout/ },
  { title: 'entry below a file', layer: [file('a'), file('a/b')], error: /entry a\/b: .*not a directory/ },
  {
    title: 'entry below a device',
    layer: [{ kind: 'char', path: 'null', major: 1, minor: 3 }, file('null/b')],
    error: /not a directory/,
  },
  {
    title: 'entry below a symlink to itself',
    layer: [symlink('a', 'a'), file('a/b')],
    error: /entry a\/b: .*symlink loop/,
  },
  {
    title: 'entry below two symlinks in a circle',
    layer: [symlink('a', 'b/x'), symlink('b', 'a/x'), file('a/y')],
    error: /symlink loop/,
  },
  {
    title: 'entry below a long chain of symlinks',
    layer: [...Array.from({ length: 50 }, (_, i) => symlink(`s${i}`, `s${i + 1}`)), file('s0/x')],
    error: /symlink loop/,
  },
  {
    title: 'hard link to what is not there',
    layer: [link('a', 'b')],
    error: /entry a: hard link to "b": missing/,
  },
  { title: 'hard link to itself', layer: [link('a', './a')], error: /hard link to itself/ },
  {
    title: 'hard link to itself over a symlink',
    layer: [file('d/a'), symlink('e', 'd'), link('e/a', 'd/a')],
    error: /hard link to itself/,
  },
  {
    title: 'hard links in a circle',
    layer: [link('a', 'b'), link('b', 'a')],
    error: /entry a: hard link to "b": missing/,
  },
  { title: 'hard link to a directory', layer: [dir('d'), link('a', 'd')], error: /hard link to a directory/ },
  {
    title: 'the root as a symlink',
    layer: [symlink('./', '/etc')],
    error: /the root directory can't be a symlink/,
  },
  {
    title: 'the root as a hard link',
    layer: [file('a'), link('.', 'a')],
    error: /root directory can't be a hard link/,
  },
  { title: 'symlink without target', layer: wrong({ type: '2' }), error: /symlink without a target/ },
  { title: 'component of 256 bytes', layer: [file('n'.repeat(256))], error: /longer than 255 bytes/ },
  {
    title: 'component of 256 bytes in 128 characters',
    layer: [file('ü'.repeat(128))],
    error: /longer than 255 bytes/,
  },
  { title: 'path of 5,000 bytes', layer: [file('d/'.repeat(2500))], error: /more than 4096 bytes of a path/ },
  {
    title: 'symlink target of 5,000 bytes',
    layer: [symlink('s', 'd/'.repeat(2500))],
    error: /more than 4096 bytes of a path/,
  },
  { title: 'deep directories', layer: [dir('d/'.repeat(1500))], error: /more than 1024 levels/ },
  {
    title: 'deep directories, by way of symlinks',
    layer: [dir('d/'.repeat(900)), symlink('s', 'd/'.repeat(900)), dir(`s/${'e/'.repeat(900)}`)],
    error: /more than 1024 levels/,
  },

  {
    title: 'truncated in a header',
    layer: raw({ name: 'f' }).subarray(0, 300),
    error: /at offset 0: truncated in a tar header/,
  },
  {
    title: 'truncated in a second header',
    layer: concat(raw({ name: 'f' }), raw({ name: 'g' }).subarray(0, 300)),
    error: /at offset 512: truncated in a tar header/,
  },
  {
    title: 'truncated in a body',
    layer: raw({ name: 'f' }, 'x'.repeat(2000)).subarray(0, 1000),
    error: /entry f: truncated: 2000 bytes wanted, 488 left/,
  },
  {
    title: 'size beyond the end',
    layer: wrong({ size: 0o77777777777 }),
    error: /entry bad: truncated: 8589934591 bytes wanted/,
  },
  {
    title: 'size of 2^80',
    layer: wrong({ patch: [[124, Uint8Array.of(0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)]] }),
    error: /\(bad\): tar header: size is no number/,
  },
  {
    title: 'negative size',
    layer: wrong({ patch: [[124, new Uint8Array(12).fill(0xff)]] }),
    error: /size -1 is negative/,
  },
  {
    title: 'size that is no number',
    layer: wrong({ size: '0x10' }),
    error: /\(bad\): tar header: size is no number \(0x10\)/,
  },
  {
    title: 'size that is no number in an extended header',
    layer: ended(pax(['size', '1e3']), raw({ name: 'f' })),
    error: /size is no number \(1e3\)/,
  },
  {
    title: 'wrong checksum',
    layer: concat(raw({ name: 'f' }), wrong({ checksum: '0000001\0' })),
    error: /at offset 512: not a tar header: the checksum is wrong/,
  },
  {
    title: 'zero block in the middle',
    layer: concat(raw({ name: 'f' }), new Uint8Array(512), raw({ name: 'g' })),
    error: /a zero block inside the archive/,
  },
  { title: 'unknown type', layer: wrong({ type: 'Q' }), error: /entry bad: tar entry of unknown type "Q"/ },
  {
    title: 'uid out of range',
    layer: ended(pax(['uid', '4294967296']), raw({ name: 'f' })),
    error: /entry f: uid 4294967296 is out of range/,
  },
  {
    title: 'time that is none',
    layer: ended(pax(['mtime', 'NaN']), raw({ name: 'f' })),
    error: /mtime is no time \(NaN\)/,
  },
  {
    title: 'extended header without an entry',
    layer: ended(pax(['path', 'x'])),
    error: /an extended header without an entry/,
  },
  {
    title: 'extended header: no length',
    layer: ended(raw({ type: 'x' }, 'path=x\n'), raw({})),
    error: /malformed extended header/,
  },
  {
    title: 'extended header: length 0',
    layer: ended(raw({ type: 'x' }, '0 path=x\n'), raw({})),
    error: /malformed extended header/,
  },
  {
    title: 'extended header: length beyond',
    layer: ended(raw({ type: 'x' }, '99 path=x\n'), raw({})),
    error: /malformed extended header/,
  },
  {
    title: 'extended header: no newline',
    layer: ended(raw({ type: 'x' }, '9 path=xy'), raw({})),
    error: /malformed extended header/,
  },
  {
    title: 'extended header: no equals sign',
    layer: ended(raw({ type: 'x' }, '7 path\n5 =x\n'), raw({})),
    error: /malformed extended header/,
  },
  {
    title: 'extended header: NUL in the path',
    layer: ended(pax(['path', 'a\0b']), raw({})),
    error: /path holds a NUL byte/,
  },
  {
    title: 'extended header of 2 MiB',
    layer: ended(pax(['SCHILY.xattr.user.x', 'x'.repeat(2 << 20)]), raw({})),
    error: /extended header of 2097\d+ bytes, more than 1048576/,
  },
  {
    title: 'GNU long name of 2 MiB',
    layer: ended(raw({ type: 'L' }, 'x'.repeat(2 << 20)), raw({})),
    error: /extended header of 2097152 bytes/,
  },

  {
    title: 'sparse: extents overlap',
    layer: sparse('0,2,1,2'),
    error: /entry sparse: the map of a sparse file overlaps/,
  },
  { title: 'sparse: extents go back', layer: sparse('10,2,4,2'), error: /overlaps or exceeds/ },
  { title: 'sparse: beyond the size', layer: sparse('99,4'), error: /overlaps or exceeds/ },
  { title: 'sparse: more than is stored', layer: sparse('0,8'), error: /accounts for 8 bytes, 4 are stored/ },
  { title: 'sparse: less than is stored', layer: sparse('0,1'), error: /accounts for 1 bytes, 4 are stored/ },
  { title: 'sparse: odd map', layer: sparse('0,4,9'), error: /accounts for 4 bytes/ },
  { title: 'sparse: no numbers', layer: sparse('0,x'), error: /malformed map/ },
  {
    title: 'sparse: no size',
    layer: ended(pax(['GNU.sparse.map', '0,4']), raw({}, 'abcd')),
    error: /without its real size/,
  },
  {
    title: 'sparse: unknown version',
    layer: ended(pax(['GNU.sparse.major', '2'], ['GNU.sparse.minor', '0']), raw({}, 'abcd')),
    error: /sparse format 2\.0 is unknown/,
  },
  {
    title: 'sparse 1.0: a count of 10^15',
    layer: sparse1(`1000000000000000\n0\n1\n`),
    error: /truncated in the map of a sparse file/,
  },
  { title: 'sparse 1.0: digits without end', layer: sparse1('1'.repeat(600)), error: /malformed map/ },
  { title: 'sparse 1.0: map beyond the data', layer: sparse1('1\n0\n'), error: /truncated in the map/ },
  {
    title: 'old sparse: extension blocks without end',
    layer: concat(
      raw({
        name: 's',
        type: 'S',
        magic: 'ustar  \0',
        patch: [
          [386, '00000000000\x0000000000001\0'],
          [482, '\x01'],
        ],
      }),
    ),
    error: /truncated in the map of a sparse file/,
  },

  {
    title: 'entries limit',
    layer: Array.from({ length: 30 }, (_, i) => file(`f${i}`)),
    error: /entry f\d+|offset.*: more than 25 tar entries in all; raise the limit "entries"/,
    limits: { entries: 25 },
  },
  {
    title: 'metadata limit',
    layer: Array.from({ length: 100 }, (_, i) => file(`f${i}`)),
    error: /more than 4000 bytes of names/,
    limits: { metadataBytes: 4000 },
  },
  {
    title: 'metadata limit on attributes',
    layer: [{ ...file('f'), xattrs: { 'user.x': new Uint8Array(10000) } }],
    error: /more than 9000 bytes of names/,
    limits: { metadataBytes: 9000 },
  },
  {
    title: 'steps limit',
    layer: Array.from({ length: 50 }, (_, i) => file(`a/b/c/d/e${i}/f`)),
    error: /entry a\/b\/c\/d\/e\d+\/f: resolving paths took more than 100 steps/,
    limits: { steps: 100 },
  },
];

for (const { title, layer, error, limits } of layerCases) {
  test(`hostile layer: ${title}`, async (t) => {
    const path = join(temporary(t), 'hostile.tar');
    const bytes = layer instanceof Uint8Array ? layer : tar(layer);
    // In the second of two layers, so that the message has to tell which.
    writeFileSync(path, archive(layout([{ bytes: tar([]) }, gzipped(bytes)])));
    const caught = await refused(path, error, limits);
    assert.match(caught.where, /^.*hostile\.tar: layer 2 of 2 \(sha256:[0-9a-f]{12}\)/);
  });
}

const plain: LayerBytes = { bytes: tar([file('a')]) };
const mutate = (files: Files, path: RegExp, change: (bytes: Uint8Array) => Uint8Array | undefined): Files => {
  const found = [...files.keys()].filter((name) => path.test(name));
  assert.equal(found.length, 1, `one file matches ${path}`);
  const changed = change(files.get(found[0]) as Uint8Array);
  if (changed === undefined) files.delete(found[0]);
  else files.set(found[0], changed);
  return files;
};
const isJsonWith = (key: string, files: Files): RegExp => {
  const path = [...files].find(
    ([name, bytes]) => name.startsWith('blobs/') && Buffer.from(bytes).toString().includes(`"${key}":`),
  )?.[0];
  return new RegExp(`^${path}$`);
};
const withManifest = (change: (manifest: { config: Descriptor; layers: Descriptor[] }) => object): Files => {
  const files: Files = new Map();
  const image = addImage(files, [plain]);
  const manifest = JSON.parse(
    Buffer.from(files.get(`blobs/${image.digest.replace(':', '/')}`) as Uint8Array).toString(),
  ) as { config: Descriptor; layers: Descriptor[] };
  return finishLayout(files, [blob(files, types.manifest, json(change(manifest)))]);
};
function withConfig(config: Uint8Array): Files {
  const files: Files = new Map();
  const manifest = {
    schemaVersion: 2,
    config: blob(files, types.config, config),
    layers: [blob(files, types.tar, plain.bytes)],
  };
  return finishLayout(files, [blob(files, types.manifest, json(manifest))]);
}

interface ArchiveCase {
  readonly title: string;
  readonly files: () => Files | Uint8Array;
  readonly error: RegExp;
  readonly limits?: Partial<Limits>;
}

const flip = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 1 : byte));

function nestedIndexes(depth: number): Files {
  const files: Files = new Map();
  let inner = addImage(files, [plain]);
  for (let i = 0; i < depth; i++)
    inner = blob(files, types.index, json({ schemaVersion: 2, manifests: [inner] }));
  return finishLayout(files, [inner]);
}

/** Each index names the next one many times: exponential for whoever follows them all. */
function indexBomb(): Files {
  const files: Files = new Map();
  let inner = addImage(files, [plain]);
  for (let i = 0; i < 7; i++)
    inner = blob(
      files,
      types.index,
      json({ schemaVersion: 2, manifests: Array.from({ length: 100 }, () => inner) }),
    );
  return finishLayout(files, [inner]);
}

const archiveCases: readonly ArchiveCase[] = [
  {
    title: 'manifest with another digest',
    files: () => {
      const files = layout([plain]);
      return mutate(files, isJsonWith('layers', files), flip);
    },
    error: /blobs\/sha256\/.*: digest mismatch: sha256:[0-9a-f]{64} is wanted, the content has sha256:/,
  },
  {
    title: 'configuration with another digest',
    files: () => {
      const files = layout([plain]);
      return mutate(files, isJsonWith('rootfs', files), flip);
    },
    error: /digest mismatch/,
  },
  {
    title: 'layer with another digest',
    files: () => {
      const files = layout([plain]);
      return mutate(
        files,
        new RegExp(`^blobs/sha256/${'.*'}$(?<=${blob(new Map(), '', plain.bytes).digest.slice(7)})`),
        flip,
      );
    },
    error: /layer 1 of 1 \(sha256:[0-9a-f]{12}\): (digest mismatch|not a tar)/,
  },
  {
    title: 'layer with another diff_id',
    files: () => layout([{ ...plain, diffId: `sha256:${'0'.repeat(64)}` }]),
    error: /layer 1 of 1 .*uncompressed \(diff_id\): digest mismatch: sha256:0+ is wanted/,
  },
  {
    title: 'compressed layer with another diff_id',
    files: () => layout([{ ...gzipped(plain.bytes), diffId: `sha256:${'0'.repeat(64)}` }]),
    error: /uncompressed \(diff_id\): digest mismatch/,
  },
  {
    title: 'docker: configuration that is not what its name says',
    files: () =>
      mutate(dockerFiles([plain]), /^[0-9a-f]{64}\.json$/, (bytes) => concat(bytes, Buffer.from(' '))),
    error: /digest mismatch/,
  },
  {
    title: 'docker: layer with another diff_id',
    files: () => mutate(dockerFiles([plain]), /layer\.tar$/, () => tar([file('b')])),
    error: /layer 1 of 1 .*digest mismatch/,
  },
  {
    title: 'descriptor that lies about a layer’s size',
    files: () => withManifest((manifest) => ({ ...manifest, layers: [{ ...manifest.layers[0], size: 5 }] })),
    error: /layer 1 of 1 .*: 2048 bytes, its descriptor says 5/,
  },
  {
    title: 'descriptor that lies about the configuration’s size',
    files: () => withManifest((manifest) => ({ ...manifest, config: { ...manifest.config, size: 5 } })),
    error: /bytes, its descriptor says 5/,
  },
  {
    title: 'missing layer',
    files: () =>
      withManifest((manifest) => ({
        ...manifest,
        layers: [{ ...manifest.layers[0], digest: `sha256:${'a'.repeat(64)}` }],
      })),
    error: /layer 1 of 1 \(sha256:a{12}\): is missing/,
  },
  {
    title: 'missing configuration',
    files: () =>
      withManifest((manifest) => ({
        ...manifest,
        config: { ...manifest.config, digest: `sha256:${'a'.repeat(64)}` },
      })),
    error: /no container image in here/,
  },
  {
    title: 'docker: missing layer',
    files: () => mutate(dockerFiles([plain]), /layer\.tar$/, () => undefined),
    error: /layer 1 of 1 .*: is missing/,
  },
  {
    title: 'docker: missing configuration',
    files: () => mutate(dockerFiles([plain]), /^[0-9a-f]{64}\.json$/, () => undefined),
    error: /manifest\.json, \[0\]\.Config: .*\.json is missing/,
  },
  {
    title: 'more layers than diff_ids',
    files: () =>
      withManifest((manifest) => ({ ...manifest, layers: [manifest.layers[0], manifest.layers[0]] })),
    error: /2 layers, the configuration has 1 diff_ids/,
  },
  {
    title: 'digest that is a path',
    files: () =>
      withManifest((manifest) => ({
        ...manifest,
        config: { ...manifest.config, digest: 'sha256:../../../etc/passwd' },
      })),
    error: /is no sha256 or sha512 digest/,
  },
  {
    title: 'digest of an unknown kind',
    files: () =>
      withManifest((manifest) => ({
        ...manifest,
        config: { ...manifest.config, digest: `md5:${'a'.repeat(32)}` },
      })),
    error: /"md5:a+" is no sha256 or sha512 digest/,
  },
  {
    title: 'layer of an unknown type',
    files: () => layout([{ ...plain, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted' }]),
    error: /layers of type ".*encrypted" are not supported/,
  },
  {
    title: 'layer that is no tar',
    files: () => layout([{ bytes: Buffer.from('x'.repeat(5000)) }]),
    error: /layer 1 of 1 .*: not a tar archive/,
  },
  {
    title: 'layer in xz',
    files: () => layout([{ bytes: Buffer.from('\xfd7zXZ\0 and more', 'latin1') }]),
    error: /xz compression is not supported/,
  },
  {
    title: 'gzip: damaged',
    files: () => layout([{ ...gzipped(plain.bytes), bytes: flip(gzipSync(plain.bytes)) }]),
    error: /layer 1 of 1 .*: (damaged gzip data|digest mismatch)/,
  },
  {
    title: 'gzip: truncated',
    files: () => layout([{ ...gzipped(plain.bytes), bytes: gzipSync(plain.bytes).subarray(0, 30) }]),
    error: /layer 1 of 1 .*: damaged gzip data: unexpected end/,
  },
  {
    title: 'zstd: truncated',
    files: () =>
      layout([
        { bytes: Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x10, 0x81, 0, 0]), mediaType: types.zstd },
      ]),
    error: /layer 1 of 1 .*: damaged zstd data/,
  },
  {
    title: 'not JSON',
    files: () => mutate(layout([plain]), /^index\.json$/, () => Buffer.from('{"manifests": [')),
    error: /index\.json: not a JSON document/,
  },
  {
    title: 'JSON that is not UTF-8',
    files: () =>
      mutate(layout([plain]), /^index\.json$/, () => Buffer.from('{"manifests": "\xff"}', 'latin1')),
    error: /not a JSON document/,
  },
  {
    title: 'JSON of another shape',
    files: () => mutate(layout([plain]), /^index\.json$/, () => json({ manifests: { digest: 5 } })),
    error: /index\.json, manifests: an array is wanted here/,
  },
  {
    title: 'JSON nested without end',
    files: () => mutate(layout([plain]), /^index\.json$/, () => Buffer.from('['.repeat(1_000_000))),
    error: /not a JSON document/,
  },
  {
    title: 'configuration with a number for a string',
    files: () => withConfig(json({ ...configOf([plain]), config: { Cmd: ['a', 5] } })),
    error: /config\.Cmd\[1\]: a string is wanted here/,
  },
  {
    title: 'configuration with a NUL in an argument',
    files: () => withConfig(json({ ...configOf([plain]), config: { Env: ['A=\0'] } })),
    error: /config\.Env\[0\]: holds a NUL/,
  },
  {
    title: 'configuration with a key in two spellings',
    files: () => withConfig(json({ ...configOf([plain]), config: { Cmd: ['good'], cmd: ['evil'] } })),
    error: /config\.Cmd: the key stands here in two spellings \(Cmd, cmd\)/,
  },
  {
    title: 'manifest that is an index as well',
    files: () => withManifest((manifest) => ({ ...manifest, manifests: [] })),
    error: /has manifests, which does not belong/,
  },
  {
    title: 'document that calls itself something else',
    files: () => withManifest((manifest) => ({ ...manifest, mediaType: types.index })),
    error: /calls itself .*index.*, its descriptor says .*manifest/,
  },
  {
    title: 'layout of another version',
    files: () => mutate(layout([plain]), /^oci-layout$/, () => json({ imageLayoutVersion: '2.0.0' })),
    error: /layout version "2\.0\.0" is not supported/,
  },
  {
    title: 'indexes nested too deep',
    files: () => nestedIndexes(12),
    error: /indexes nested more than 8 deep/,
  },
  { title: 'indexes that multiply', files: indexBomb, error: /more than 4096 manifests looked at/ },
  {
    title: 'JSON limit',
    files: () => layout([plain]),
    error: /index\.json: \d+ bytes, more than 100; raise the limit "jsonBytes"/,
    limits: { jsonBytes: 100 },
  },
  {
    title: 'layers limit',
    files: () => layout([plain, plain, plain]),
    error: /more than 2 layers/,
    limits: { layers: 2 },
  },
  {
    title: 'decompressed bytes limit',
    files: () => layout([gzipped(plain.bytes), gzipped(tar([file('b', 'x'.repeat(50000))]))]),
    error:
      /layer 2 of 2 .*: more than 10000 bytes that compressed layers unfold to; raise the limit "decompressedBytes"/,
    limits: { decompressedBytes: 10000 },
  },
  {
    title: 'decompressed bytes limit for the archive as a whole',
    files: () => gzipSync(archive(layout([plain]))),
    error: /more than 1000 bytes that compressed layers unfold to/,
    limits: { decompressedBytes: 1000 },
  },
  {
    title: 'a path twice in the archive',
    files: () => concat(archive(dockerFiles([plain])).subarray(0, -1024), archive(dockerFiles([plain]))),
    error: /the archive has this path twice/,
  },
  {
    title: '.. in the archive',
    files: () => tar([file('../manifest.json')]),
    error: /entry \.\.\/manifest\.json: the path leads out/,
  },
  {
    title: 'docker: .. in manifest.json',
    files: () =>
      mutate(dockerFiles([plain]), /^manifest\.json$/, () =>
        json([{ Config: '../../etc/passwd', Layers: [] }]),
      ),
    error: /leads out of the image/,
  },
  {
    title: 'links in a circle in the archive',
    files: () => tar([symlink('manifest.json', 'b'), symlink('b', 'manifest.json')]),
    error: /links that go in a circle/,
  },
  {
    title: 'an archive that ends early',
    files: () => archive(layout([{ bytes: tar([file('a', 'x'.repeat(9000))]) }])).subarray(0, 6000),
    error: /truncated/,
  },
  {
    title: 'docker: manifest.json that is no list',
    files: () => mutate(dockerFiles([plain]), /^manifest\.json$/, () => json({})),
    error: /manifest\.json: an array is wanted here/,
  },
  {
    title: 'a root file system that is no layers',
    files: () => withConfig(json({ rootfs: { type: 'zfs' } })),
    error: /rootfs: root file system of type "zfs"/,
  },
];

for (const { title, files, error, limits } of archiveCases) {
  test(`hostile archive: ${title}`, async (t) => {
    const path = join(temporary(t), 'hostile.tar');
    const made = files();
    writeFileSync(path, made instanceof Uint8Array ? made : archive(made));
    const caught = await refused(path, error, limits);
    assert.ok(caught.where.includes('hostile.tar'), caught.where);
  });
}

test('hostile names do not reach the terminal', async (t) => {
  const path = join(temporary(t), 'x.tar');
  writeFileSync(path, archive(layout([{ bytes: tar([file('../\x1b]0;pwned\x07\n')]) }])));
  const caught = await refused(path, /\\x1b\]0;pwned\\x07\\x0a/);
  assert.ok(!/[\x00-\x1f]/.test(caught.message));
});

test('whiteouts in great number cost no more than their number', async (t) => {
  // 4,000 opaque marks over 4,000 files of the same layer: quadratic would be seconds, and more with depth.
  const entries: LayerEntry[] = [];
  for (let i = 0; i < 4000; i++)
    entries.push(file(`d/f${i}`), { kind: 'opaque', path: 'd' }, { kind: 'whiteout', path: 'd' });
  const path = join(temporary(t), 'x.tar');
  writeFileSync(path, archive(layout([{ bytes: tar([file('d/lower')]) }, { bytes: tar(entries) }])));
  const image = await openImage(path);
  assert.equal(image.tree.count, 4002);
  assert.equal(image.tree.lookup('/d/lower'), undefined);
  image.close();
});

test('no temporary file or descriptor is left when opening fails', async (t) => {
  const path = join(temporary(t), 'x.tar');
  writeFileSync(path, archive(layout([gzipped(tar([file('a')])), gzipped(tar([file('../x')]))])));
  const descriptors = (): string =>
    spawnSync('ls', ['-l', `/proc/${process.pid}/fd`], { encoding: 'utf8' }).stdout;
  await refused(path, /leads out/);
  assert.doesNotMatch(descriptors(), /effigy-[0-9a-f]{24}|x\.tar/);
});
