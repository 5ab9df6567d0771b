// A tree while it is made: inodes that can still change, layer by layer, then numbered, sorted and handed out
// read-only. Used for the layers of an image and, through `treeBuilder`, for trees made by hand.
import { assert, encodeText, InputError } from '../bytes/index.ts';
import { memoryAccess } from '../host/index.ts';
import { type Content, contiguous } from './content.ts';
import type { DeviceNode, DirNode, FifoNode, FileNode, Node, SymlinkNode, Tree } from './node.ts';
import { resolve } from './path.ts';

export interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly mtimeNs: number;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

const noXattrs: ReadonlyMap<string, Uint8Array> = new Map();

/** What directories get that no layer describes. */
export const implicitDirectory: Metadata = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: 0,
  mtimeNs: 0,
  xattrs: noXattrs,
};

class InodeBase {
  ino = 0;
  nlink = 0;
  mode: number;
  uid: number;
  gid: number;
  mtime: number;
  mtimeNs: number;
  xattrs: ReadonlyMap<string, Uint8Array>;
  readonly size: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  layer: number;

  constructor(metadata: Metadata, layer: number, size: number, rdevMajor = 0, rdevMinor = 0) {
    this.mode = metadata.mode;
    this.uid = metadata.uid;
    this.gid = metadata.gid;
    this.mtime = metadata.mtime;
    this.mtimeNs = metadata.mtimeNs;
    this.xattrs = metadata.xattrs;
    this.layer = layer;
    this.size = size;
    this.rdevMajor = rdevMajor;
    this.rdevMinor = rdevMinor;
  }

  /** Takes over what a later entry says of the same inode; extended attributes are only added. */
  describe(metadata: Metadata): void {
    this.mode = metadata.mode;
    this.uid = metadata.uid;
    this.gid = metadata.gid;
    this.mtime = metadata.mtime;
    this.mtimeNs = metadata.mtimeNs;
    if (metadata.xattrs.size > 0) this.xattrs = new Map([...this.xattrs, ...metadata.xattrs]);
  }
}

class FileInode extends InodeBase implements FileNode {
  readonly kind = 'file';
  private readonly content: Content;

  constructor(metadata: Metadata, layer: number, content: Content) {
    super(metadata, layer, content.size);
    this.content = content;
  }

  read(offset: number, length: number): Uint8Array {
    const target = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    this.content.readInto(offset, target);
    return target;
  }

  readInto(offset: number, target: Uint8Array): number {
    return this.content.readInto(offset, target);
  }

  extents(): Iterable<readonly [number, number]> {
    return this.content.extents();
  }
}

class DirInode extends InodeBase implements DirNode {
  readonly kind = 'dir';
  entries = new Map<string, MutableNode>();
  /** Names that layer `writtenIn` has put here. */
  written: Set<string> | undefined;
  writtenIn = -1;
  /** The layer that has already hidden everything below it here. */
  clearedIn = -1;

  constructor(metadata: Metadata, layer: number) {
    super(metadata, layer, 4096);
  }

  wasWritten(name: string, layer: number): boolean {
    return this.writtenIn === layer && this.written?.has(name) === true;
  }
}

class SymlinkInode extends InodeBase implements SymlinkNode {
  readonly kind = 'symlink';
  readonly target: string;

  constructor(metadata: Metadata, layer: number, target: string) {
    super(metadata, layer, encodeText(target).length);
    this.target = target;
  }
}

class DeviceInode extends InodeBase implements DeviceNode {
  readonly kind: 'char' | 'block';

  constructor(
    metadata: Metadata,
    layer: number,
    device: { kind: 'char' | 'block'; major: number; minor: number },
  ) {
    super(metadata, layer, 0, device.major, device.minor);
    this.kind = device.kind;
  }
}

class FifoInode extends InodeBase implements FifoNode {
  readonly kind = 'fifo';

  constructor(metadata: Metadata, layer: number) {
    super(metadata, layer, 0);
  }
}

type MutableNode = FileInode | DirInode | SymlinkInode | DeviceInode | FifoInode;

/** What is put under a name. */
export type NewNode =
  | { readonly kind: 'file'; readonly content: Content }
  | { readonly kind: 'dir' | 'fifo' }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'char' | 'block'; readonly major: number; readonly minor: number };

export interface TreeLimits {
  /** Levels of directories. */
  readonly depth: number;
  /** Path components looked at in all: what an archive of long symlink chains costs. */
  readonly steps: number;
}

/** Every method takes `where`, which names layer and entry when the archive is at fault (InputError). */
export class TreeWriter {
  private readonly root = new DirInode(implicitDirectory, 0);
  private readonly limits: TreeLimits;
  private steps = 0;
  /** Entries of one directory stand together; forgotten whenever a name stops meaning what it meant. */
  private lastParent: { readonly path: string; readonly directory: DirInode } | undefined;

  constructor(limits: TreeLimits) {
    this.limits = limits;
  }

  /**
   * Puts a node at a path, replacing what is there; a directory onto a directory only renews its metadata. Whether it
   * replaced something that the same layer had put there.
   */
  put(path: string, made: NewNode, metadata: Metadata, layer: number, where: () => string): boolean {
    const spot = this.spot(path, layer, where);
    if (spot === undefined) {
      if (made.kind !== 'dir') throw new InputError(`the root directory can't be a ${made.kind}`, where());
      this.root.describe(metadata);
      this.root.layer = layer;
      return false;
    }
    const existing = spot.parent.entries.get(spot.name);
    if (existing?.kind !== 'dir' || made.kind !== 'dir')
      return this.enter(spot, create(made, metadata, layer), layer);
    existing.describe(metadata);
    existing.layer = layer;
    this.enter(spot, existing, layer);
    return false;
  }

  /**
   * A further name for what is at `target`. The link's entry renews the inode's metadata, as with containerd and Docker
   * (umoci leaves them).
   */
  link(
    path: string,
    target: string,
    metadata: Metadata | undefined,
    layer: number,
    where: () => string,
  ): boolean {
    const found = resolve(this.root, target, { follow: false, step: () => this.step(where) });
    if (typeof found === 'string')
      throw new InputError(`hard link to ${JSON.stringify(target)}: ${found}`, where());
    const node = found.node as MutableNode;
    if (node.kind === 'dir') throw new InputError('hard link to a directory', where());
    const spot = this.spot(path, layer, where);
    if (spot === undefined) throw new InputError("the root directory can't be a hard link", where());
    if (spot.parent.entries.get(spot.name) === node && spot.parent.wasWritten(spot.name, layer))
      throw new InputError('hard link to itself', where());
    if (metadata !== undefined) node.describe(metadata);
    return this.enter(spot, node, layer);
  }

  /** Hides what lower layers have at the path; what this layer has put there stays. */
  hide(path: string, layer: number, where: () => string): void {
    const spot = this.existingSpot(path, where);
    const node = spot?.parent.entries.get(spot.name);
    if (spot === undefined || node === undefined) return;
    const written = spot.parent.wasWritten(spot.name, layer);
    if (node.kind === 'dir' ? this.clear(node, layer) || written : written) return;
    this.lastParent = undefined;
    spot.parent.entries.delete(spot.name);
  }

  /** Hides everything that lower layers have in the directory. */
  hideBelow(path: string, layer: number, where: () => string): void {
    const found = resolve(this.root, path, { follow: true, step: () => this.step(where) });
    if (typeof found !== 'string' && found.node.kind === 'dir') this.clear(found.node as DirInode, layer);
  }

  /** Whether anything is left. Each directory is gone through once a layer, however many entries ask for it. */
  private clear(dir: DirInode, layer: number): boolean {
    if (dir.clearedIn !== layer) {
      this.lastParent = undefined;
      dir.clearedIn = layer;
      for (const [name, node] of dir.entries) {
        const left = node.kind === 'dir' && this.clear(node, layer);
        if (!left && !dir.wasWritten(name, layer)) dir.entries.delete(name);
      }
    }
    return dir.entries.size > 0;
  }

  /** Whether the same layer had put something there. */
  private enter({ parent, name }: Spot, node: MutableNode, layer: number): boolean {
    if (parent.writtenIn !== layer || parent.written === undefined) {
      parent.written = new Set();
      parent.writtenIn = layer;
    }
    const again = parent.written.has(name);
    if (parent.entries.has(name)) this.lastParent = undefined;
    parent.entries.set(name, node);
    parent.written.add(name);
    return again;
  }

  /** The directory that a path's last component belongs in, made where it is missing; undefined for the root. */
  private spot(path: string, layer: number, where: () => string): Spot | undefined {
    const [parent, name] = splitLast(path);
    if (name === '') return undefined;
    if (this.lastParent?.path === parent) return { parent: this.lastParent.directory, name };
    const found = resolve(this.root, parent, {
      follow: true,
      step: () => this.step(where),
      missing: (dir, missing, depth) => this.implicit(dir as DirInode, missing, depth, layer, where),
    });
    if (typeof found === 'string') throw new InputError(`the path of its directory: ${found}`, where());
    if (found.node.kind !== 'dir')
      throw new InputError('lies below something that is not a directory', where());
    this.checkDepth(found.names.length, where);
    this.lastParent = { path: parent, directory: found.node as DirInode };
    return { parent: this.lastParent.directory, name };
  }

  private implicit(
    parent: DirInode,
    name: string,
    depth: number,
    layer: number,
    where: () => string,
  ): DirInode {
    this.checkDepth(depth, where);
    const made = new DirInode(implicitDirectory, layer);
    this.enter({ parent, name }, made, layer);
    return made;
  }

  private checkDepth(depth: number, where: () => string): void {
    if (depth >= this.limits.depth)
      throw new InputError(
        `more than ${this.limits.depth} levels of directories`,
        where(),
        'raise the limit "depth"',
      );
  }

  private existingSpot(path: string, where: () => string): Spot | undefined {
    const [parent, name] = splitLast(path);
    const found = resolve(this.root, parent, { follow: true, step: () => this.step(where) });
    return typeof found === 'string' || found.node.kind !== 'dir'
      ? undefined
      : { parent: found.node as DirInode, name };
  }

  private step(where: () => string): void {
    if (++this.steps > this.limits.steps)
      throw new InputError(
        `resolving paths took more than ${this.limits.steps} steps`,
        where(),
        'raise the limit "steps"',
      );
  }

  /** Sorts, numbers and counts links; the writer must not be used afterwards. */
  finish(): Tree {
    let count = 0;
    const number = (node: MutableNode): void => {
      if (node.ino === 0) node.ino = ++count + 1;
    };
    const settle = (dir: DirInode): void => {
      number(dir);
      dir.nlink += 2;
      dir.written = undefined;
      dir.entries = new Map([...dir.entries].sort(([a], [b]) => (a < b ? -1 : 1)));
      for (const node of dir.entries.values()) {
        if (node.kind === 'dir') {
          dir.nlink++;
          settle(node);
        } else {
          number(node);
          node.nlink++;
        }
      }
    };
    assert(this.root.ino === 0, 'tree finished twice');
    settle(this.root);
    return new FinishedTree(this.root, count);
  }
}

interface Spot {
  readonly parent: DirInode;
  readonly name: string;
}

/** Paths here are clean: no leading slash, no `.` and `..`. */
function splitLast(path: string): readonly [parent: string, name: string] {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? ['', path] : [path.slice(0, slash), path.slice(slash + 1)];
}

function create(made: NewNode, metadata: Metadata, layer: number): MutableNode {
  switch (made.kind) {
    case 'file':
      return new FileInode(metadata, layer, made.content);
    case 'dir':
      return new DirInode(metadata, layer);
    case 'symlink':
      return new SymlinkInode(metadata, layer, made.target);
    case 'char':
    case 'block':
      return new DeviceInode(metadata, layer, { kind: made.kind, major: made.major, minor: made.minor });
    case 'fifo':
      return new FifoInode(metadata, layer);
  }
}

class FinishedTree implements Tree {
  readonly root: DirNode;
  readonly count: number;

  constructor(root: DirNode, count: number) {
    this.root = root;
    this.count = count;
  }

  lookup(path: string, options: { readonly follow?: boolean } = {}): Node | undefined {
    const found = resolve(this.root, path, { follow: options.follow ?? true });
    return typeof found === 'string' ? undefined : found.node;
  }

  realpath(path: string): string | undefined {
    const found = resolve(this.root, path, { follow: true });
    return typeof found === 'string' ? undefined : `/${found.names.join('/')}`;
  }
}

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
