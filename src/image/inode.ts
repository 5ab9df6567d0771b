// Inodes while a tree is made: what node.ts shows of them, and still changeable.
import { encodeText } from '../bytes/index.ts';
import type { Content } from './content.ts';
import type { DeviceNode, DirNode, FifoNode, FileNode, SymlinkNode } from './node.ts';

export interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly mtimeNs: number;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

export const noXattrs: ReadonlyMap<string, Uint8Array> = new Map();

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

export class DirInode extends InodeBase implements DirNode {
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

export type MutableNode = FileInode | DirInode | SymlinkInode | DeviceInode | FifoInode;

/** What is put under a name. */
export type NewNode =
  | { readonly kind: 'file'; readonly content: Content }
  | { readonly kind: 'dir' | 'fifo' }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'char' | 'block'; readonly major: number; readonly minor: number };

export function createInode(made: NewNode, metadata: Metadata, layer: number): MutableNode {
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
