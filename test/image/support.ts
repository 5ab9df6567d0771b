// Archives made in memory: layers, layouts and docker archives with all their digests, and raw tar headers for what no
// honest writer makes.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { encodeText } from '../../src/bytes/index.ts';
import { type Image, type LayerEntry, modeText, type Tree, walk } from '../../src/image/index.ts';
import { writeTar } from '../../src/image/tar-write.ts';

export function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'effigy-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function tar(entries: readonly LayerEntry[]): Uint8Array {
  return Buffer.concat(Array.from(writeTar(entries), (piece) => Buffer.from(piece)));
}

export const endOfArchive = new Uint8Array(1024);

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

export interface RawHeader {
  readonly name?: string | Uint8Array;
  readonly type?: string;
  readonly size?: number | string;
  readonly mode?: string;
  readonly uid?: string;
  readonly mtime?: string;
  readonly linkname?: string;
  readonly magic?: string;
  readonly prefix?: string;
  /** Bytes put over the block before the checksum, by offset. */
  readonly patch?: readonly (readonly [offset: number, bytes: string | Uint8Array])[];
  readonly checksum?: string;
}

function field(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
}

/** One header with its body, padded; the size field is the body's length unless given. */
export function raw(header: RawHeader, body: string | Uint8Array = ''): Uint8Array {
  const bytes = field(body);
  const block = new Uint8Array(512);
  const put = (at: number, value: string | Uint8Array): void => block.set(field(value), at);
  const octal = (value: number): string => value.toString(8).padStart(11, '0');
  put(0, header.name ?? 'file');
  put(100, header.mode ?? '0000644');
  put(108, header.uid ?? '0000000');
  put(116, '0000000');
  put(124, typeof header.size === 'string' ? header.size : octal(header.size ?? bytes.length));
  put(136, header.mtime ?? octal(0));
  put(156, header.type ?? '0');
  put(157, header.linkname ?? '');
  put(257, header.magic ?? 'ustar\x0000');
  put(345, header.prefix ?? '');
  for (const [at, value] of header.patch ?? []) put(at, value);
  put(148, '        ');
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, header.checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `);
  return concat(block, bytes, new Uint8Array((512 - (bytes.length % 512)) % 512));
}

export function paxRecord(key: string, value: string | Uint8Array): Uint8Array {
  const tail = concat(
    encodeText(` ${key}=`),
    typeof value === 'string' ? encodeText(value) : value,
    encodeText('\n'),
  );
  let length = tail.length + 1;
  while (String(length).length + tail.length !== length) length = String(length).length + tail.length;
  return concat(encodeText(String(length)), tail);
}

export function pax(...records: readonly (readonly [string, string | Uint8Array])[]): Uint8Array {
  return raw(
    { name: 'PaxHeaders/x', type: 'x' },
    concat(...records.map(([key, value]) => paxRecord(key, value))),
  );
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export type Files = Map<string, Uint8Array>;

export function json(value: unknown): Uint8Array {
  return encodeText(JSON.stringify(value));
}

export const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  tar: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly [more: string]: unknown;
}

/** Puts a blob into the layout. */
export function blob(files: Files, mediaType: string, bytes: Uint8Array): Descriptor {
  const digest = sha256(bytes);
  files.set(`blobs/${digest.replace(':', '/')}`, bytes);
  return { mediaType, digest, size: bytes.length };
}

export interface LayerBytes {
  readonly mediaType?: string;
  readonly bytes: Uint8Array;
  /** Of the uncompressed bytes; default: of `bytes`. */
  readonly diffId?: string;
}

export function gzipped(bytes: Uint8Array): LayerBytes {
  return { mediaType: types.gzip, bytes: gzipSync(bytes), diffId: sha256(bytes) };
}

export interface Platformed {
  readonly os?: string;
  readonly architecture?: string;
  readonly variant?: string;
}

export function configOf(
  layers: readonly LayerBytes[],
  platform: Platformed = {},
  config: object = {},
): object {
  return {
    os: 'linux',
    architecture: 'amd64',
    ...platform,
    config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ bytes, diffId }) => diffId ?? sha256(bytes)) },
  };
}

/** Manifest, configuration and layers of one image; its descriptor. */
export function addImage(
  files: Files,
  layers: readonly LayerBytes[],
  platform: Platformed = {},
  config: object = {},
): Descriptor {
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: blob(files, types.config, json(configOf(layers, platform, config))),
    layers: layers.map(({ mediaType, bytes }) => blob(files, mediaType ?? types.tar, bytes)),
  };
  return blob(files, types.manifest, json(manifest));
}

export function finishLayout(files: Files, manifests: readonly object[]): Files {
  files.set('oci-layout', json({ imageLayoutVersion: '1.0.0' }));
  files.set('index.json', json({ schemaVersion: 2, manifests }));
  return files;
}

export function named(descriptor: Descriptor, name: string): Descriptor {
  return { ...descriptor, annotations: { 'org.opencontainers.image.ref.name': name } };
}

/** A layout with one image of these layers. */
export function layout(layers: readonly LayerBytes[], config: object = {}): Files {
  const files: Files = new Map();
  return finishLayout(files, [named(addImage(files, layers, {}, config), 'latest')]);
}

/** manifest.json and its files, as `docker save` of Docker 1.10 to 24 writes them. */
export function dockerFiles(
  layers: readonly LayerBytes[],
  tags: readonly string[] = ['shop:latest'],
  config: object = {},
): Files {
  const document = json(configOf(layers, {}, config));
  const configName = `${sha256(document).slice(7)}.json`;
  const files: Files = new Map([[configName, document]]);
  const paths = layers.map(({ bytes }, i) => {
    const path = `${sha256(encodeText(String(i))).slice(7)}/layer.tar`;
    files.set(path, bytes);
    return path;
  });
  files.set('manifest.json', json([{ Config: configName, RepoTags: tags, Layers: paths }]));
  return files;
}

export function archive(files: Files): Uint8Array {
  return tar([...files].map(([path, bytes]) => ({ kind: 'file', path, bytes })));
}

export function writeArchive(directory: string, files: Files, name = 'image.tar'): string {
  const path = join(directory, name);
  writeFileSync(path, archive(files));
  return path;
}

export function writeFiles(directory: string, files: Files): string {
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), bytes);
  }
  return directory;
}

/** A tree as one line a name: path, mode, owner, and what it holds. */
export function summary(tree: Tree): string[] {
  return [...walk(tree)].map(([path, node]) => {
    const held =
      node.kind === 'file'
        ? ` "${Buffer.from(node.read(0, 64)).toString('latin1')}"`
        : node.kind === 'symlink'
          ? ` -> ${node.target}`
          : '';
    return `${path} ${modeText(node)} ${node.uid}:${node.gid}${held}`;
  });
}

export function contents(image: Image, path: string): string | undefined {
  const node = image.tree.lookup(path);
  return node?.kind === 'file' ? Buffer.from(node.read(0, node.size)).toString('latin1') : undefined;
}
