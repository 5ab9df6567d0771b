// Trees made by hand, in memory.
import { assert, encodeText } from '../bytes/index.ts';
import { memoryAccess } from '../host/index.ts';
import { TreeWriter } from './build.ts';
import { contiguous } from './content.ts';
import { type Metadata, type NewNode, noXattrs } from './inode.ts';
import type { Tree } from './node.ts';

/** All optional; owners default to 0, times to 0, mode to what `treeBuilder` says of each kind. */
export interface BuildOptions {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly mtimeNs?: number;
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

/** Makes a tree in memory. Paths are absolute or relative to the root; missing parents are made (0755). */
export interface TreeBuilder {
  /** Mode 0644; a text is written as UTF-8. */
  addFile(path: string, bytes: Uint8Array | string, options?: BuildOptions): TreeBuilder;
  /** Mode 0755. */
  addDir(path: string, options?: BuildOptions): TreeBuilder;
  /** Mode 0777. */
  addSymlink(path: string, target: string, options?: BuildOptions): TreeBuilder;
  addHardLink(path: string, existing: string): TreeBuilder;
  /** Mode 0600. */
  addDevice(
    path: string,
    kind: 'char' | 'block',
    major: number,
    minor: number,
    options?: BuildOptions,
  ): TreeBuilder;
  /** Mode 0644. */
  addFifo(path: string, options?: BuildOptions): TreeBuilder;
  /** Ends the builder. */
  build(): Tree;
}

function metadataOf(options: BuildOptions, mode: number): Metadata {
  return {
    mode: options.mode ?? mode,
    uid: options.uid ?? 0,
    gid: options.gid ?? 0,
    mtime: options.mtime ?? 0,
    mtimeNs: options.mtimeNs ?? 0,
    xattrs: options.xattrs === undefined ? noXattrs : new Map(Object.entries(options.xattrs)),
  };
}

export function treeBuilder(): TreeBuilder {
  const writer = new TreeWriter({ depth: 1024, steps: Number.POSITIVE_INFINITY });
  const clean = (path: string): string => {
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    assert(!parts.includes('..'), `path ${path} has a ..`);
    return parts.join('/');
  };
  const put = (path: string, made: NewNode, options: BuildOptions, mode: number): TreeBuilder => {
    writer.put(clean(path), made, metadataOf(options, mode), 0, () => path);
    return builder;
  };
  const builder: TreeBuilder = {
    addFile(path, bytes, options = {}) {
      const data = typeof bytes === 'string' ? encodeText(bytes) : bytes;
      return put(
        path,
        { kind: 'file', content: contiguous(memoryAccess(path, data), 0, data.length) },
        options,
        0o644,
      );
    },
    addDir: (path, options = {}) => put(path, { kind: 'dir' }, options, 0o755),
    addSymlink: (path, target, options = {}) => put(path, { kind: 'symlink', target }, options, 0o777),
    addHardLink(path, existing) {
      writer.link(clean(path), existing, undefined, 0, () => path);
      return builder;
    },
    addDevice: (path, kind, major, minor, options = {}) => put(path, { kind, major, minor }, options, 0o600),
    addFifo: (path, options = {}) => put(path, { kind: 'fifo' }, options, 0o644),
    build: () => writer.finish(),
  };
  return builder;
}
