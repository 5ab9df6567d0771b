// Making an image: an OCI layout directory (image-spec image-layout.md) from lists of entries or directories of this
// machine. The same input gives the same digests of layers and configuration; with compression 'gzip' the blobs' own
// digests also depend on Node's zlib.
import { InputError } from '../bytes/index.ts';
import {
  createDigest,
  createSpool,
  freshDirectory,
  gzip,
  type HostDirectory,
  type HostEntry,
  pieces,
  type RandomAccess,
  scanDirectory,
  sha256,
} from '../host/index.ts';
import { parsePlatform } from './choose.ts';
import type { ImageConfig } from './image.ts';
import { type LayerEntry, writeTar } from './tar-write.ts';

/** A directory of this machine as a layer; times are 0 unless given, owners 0. */
export interface DirectoryLayer {
  readonly directory: string;
  /** Where in the image its contents go; default: the root. */
  readonly at?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  /** Permission bits of one entry; default: as they are on this machine. `path` is the image's. */
  readonly mode?: (path: string, entry: HostEntry) => number;
}

export type LayerContents = { readonly entries: readonly LayerEntry[] } | DirectoryLayer;

export interface LayoutOptions {
  /** The lowest first. */
  readonly layers: readonly LayerContents[];
  readonly config?: Partial<ImageConfig>;
  /** `linux/amd64` where not given. */
  readonly platform?: string;
  /** Reference name in index.json; default `latest`. */
  readonly name?: string;
  /** Default gzip. */
  readonly compression?: 'gzip' | 'none';
}

export interface WrittenLayout {
  readonly manifestDigest: string;
  readonly configDigest: string;
  readonly diffIds: readonly string[];
}

/** Writes a layout into a directory that is empty or does not exist yet (its parent must). */
export async function writeOciLayout(directory: string, options: LayoutOptions): Promise<WrittenLayout> {
  const top = freshDirectory(directory);
  const blobsTop = top.makeDirectory('blobs');
  const blobs = blobsTop.makeDirectory('sha256');
  const writer = new LayoutWriter(blobs);
  const layers: Descriptor[] = [];
  const diffIds: string[] = [];
  for (const layer of options.layers) {
    const written = await writer.layer(layer, options.compression ?? 'gzip');
    layers.push(written.descriptor);
    diffIds.push(written.diffId);
  }
  const config = writer.json('application/vnd.oci.image.config.v1+json', configDocument(options, diffIds));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = writer.json(mediaType, { schemaVersion: 2, mediaType, config, layers });
  const annotations = { 'org.opencontainers.image.ref.name': options.name ?? 'latest' };
  writeFile(top, 'oci-layout', encode({ imageLayoutVersion: '1.0.0' }));
  writeFile(top, 'index.json', encode({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));
  for (const made of [blobs, blobsTop, top]) {
    made.describe({ mode: 0o755, mtime: 0, mtimeNs: 0 });
    made.close();
  }
  return { manifestDigest: manifest.digest, configDigest: config.digest, diffIds };
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

class LayoutWriter {
  private readonly blobs: HostDirectory;
  private readonly written = new Set<string>();

  constructor(blobs: HostDirectory) {
    this.blobs = blobs;
  }

  json(mediaType: string, value: unknown): Descriptor {
    const bytes = encode(value);
    const hex = sha256(bytes);
    if (!this.written.has(hex)) writeFile(this.blobs, hex, bytes);
    this.written.add(hex);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  }

  async layer(
    contents: LayerContents,
    compression: 'gzip' | 'none',
  ): Promise<{ readonly descriptor: Descriptor; readonly diffId: string }> {
    const tar = spooled('layer');
    for (const piece of writeTar('entries' in contents ? contents.entries : directoryEntries(contents)))
      tar.write(piece);
    const diffId = `sha256:${tar.finish()}`;
    if (compression === 'none') {
      this.blob(tar.spool, diffId.slice(7));
      return {
        diffId,
        descriptor: {
          mediaType: 'application/vnd.oci.image.layer.v1.tar',
          digest: diffId,
          size: tar.spool.size,
        },
      };
    }
    const packed = spooled('compressed layer');
    await gzip(tar.spool, (piece) => packed.write(piece));
    tar.spool.close();
    const hex = packed.finish();
    const { size } = packed.spool;
    this.blob(packed.spool, hex);
    return {
      diffId,
      descriptor: { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: `sha256:${hex}`, size },
    };
  }

  /** Puts a finished temporary file under its digest, and gives it back. */
  private blob(file: RandomAccess, hex: string): void {
    if (!this.written.has(hex)) {
      this.written.add(hex);
      const out = this.blobs.makeFile(hex);
      let offset = 0;
      for (const piece of pieces(file)) {
        out.write(piece, offset);
        offset += piece.length;
      }
      out.describe({ mode: 0o644, mtime: 0, mtimeNs: 0 });
      out.close();
    }
    file.close();
  }
}

/** A temporary file that knows its digest. */
function spooled(name: string): {
  readonly spool: RandomAccess;
  write(piece: Uint8Array): void;
  finish(): string;
} {
  const spool = createSpool({ name, limit: Number.MAX_SAFE_INTEGER });
  const digest = createDigest();
  return {
    spool,
    write(piece) {
      digest.update(piece);
      spool.write(piece);
    },
    finish: () => digest.hex(),
  };
}

function writeFile(directory: HostDirectory, name: string, bytes: Uint8Array): void {
  const file = directory.makeFile(name);
  file.write(bytes, 0);
  file.describe({ mode: 0o644, mtime: 0, mtimeNs: 0 });
  file.close();
}

/** A directory's entries; its hard links stay hard links, sockets have no place in an image. */
function* directoryEntries(layer: DirectoryLayer): Generator<LayerEntry> {
  const prefix = (layer.at ?? '').replace(/^\/+|\/+$/g, '');
  const firstNames = new Map<string, string>();
  for (const entry of scanDirectory(layer.directory)) {
    const path = prefix === '' ? entry.path : `${prefix}/${entry.path}`;
    const described = {
      path,
      mode: layer.mode?.(path, entry) ?? entry.mode,
      uid: layer.uid ?? 0,
      gid: layer.gid ?? 0,
      mtime: layer.mtime ?? 0,
    };
    const first = firstNames.get(entry.identity);
    if (entry.identity !== '' && first === undefined) firstNames.set(entry.identity, path);
    if (first !== undefined) yield { ...described, kind: 'link', target: first };
    else yield hostLayerEntry(entry, described, `${layer.directory}/${entry.path}`);
  }
}

function hostLayerEntry(
  entry: HostEntry,
  described: { readonly path: string },
  hostFile: string,
): LayerEntry {
  switch (entry.kind) {
    case 'file':
      return { ...described, kind: 'file', hostFile };
    case 'symlink':
      return { ...described, kind: 'symlink', target: entry.target };
    case 'char':
    case 'block':
      return { ...described, kind: entry.kind, major: entry.rdevMajor, minor: entry.rdevMinor };
    case 'dir':
    case 'fifo':
      return { ...described, kind: entry.kind };
    case 'socket':
      throw new InputError('a socket has no place in an image', hostFile, 'remove it from the directory');
  }
}

function configDocument(options: LayoutOptions, diffIds: readonly string[]): unknown {
  const { config = {} } = options;
  const { healthcheck } = config;
  const present = <T>(key: string, value: T | undefined): Record<string, T> =>
    value === undefined ? {} : { [key]: value };
  const set = (names: readonly string[] | undefined): Record<string, object> | undefined =>
    names === undefined ? undefined : Object.fromEntries([...names].sort().map((name) => [name, {}]));
  return {
    ...present('created', config.created),
    ...present('author', config.author),
    ...parsePlatform(options.platform ?? 'linux/amd64'),
    config: {
      ...present('User', config.user),
      ...present('ExposedPorts', set(config.exposedPorts)),
      ...present('Env', config.env),
      ...present('Entrypoint', config.entrypoint),
      ...present('Cmd', config.cmd),
      ...present('Volumes', set(config.volumes)),
      ...present('WorkingDir', config.workingDir),
      ...present('Labels', config.labels),
      ...present('StopSignal', config.stopSignal),
      ...present('Shell', config.shell),
      ...present(
        'Healthcheck',
        healthcheck && {
          Test: healthcheck.test,
          Interval: healthcheck.interval,
          Timeout: healthcheck.timeout,
          StartPeriod: healthcheck.startPeriod,
          StartInterval: healthcheck.startInterval,
          Retries: healthcheck.retries,
        },
      ),
    },
    rootfs: { type: 'layers', diff_ids: diffIds },
  };
}
