// The merged file tree of an image, read-only: inodes, directories, and looking up a path as chroot would.
// Contents stay where they are (archive, spool file, memory) and are read by offset.

interface Inode {
  /** Stable and deterministic: numbered from 2 in the tree's sorted order. */
  readonly ino: number;
  /** Permission bits with set-user-ID, set-group-ID and sticky (07777); no type bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970; may be negative. */
  readonly mtime: number;
  /** Nanoseconds within the second. */
  readonly mtimeNs: number;
  /** Names of this inode; of a directory 2 plus its subdirectories. */
  readonly nlink: number;
  /** Bytes; of a symlink its text's length, of a directory 4096, else 0. */
  readonly size: number;
  /** Device numbers of char and block nodes, else 0. */
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** Full names (`security.capability`) and raw values. */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  /** Index of the layer that this inode's data come from. */
  readonly layer: number;
}

export interface FileNode extends Inode {
  readonly kind: 'file';
  /** A copy of at most `length` bytes; shorter only where the file ends. Holes read as zeros. */
  read(offset: number, length: number): Uint8Array;
  /** Fills `target` from `offset`; how many bytes there were before the file's end. */
  readInto(offset: number, target: Uint8Array): number;
  /** Where the file is not a hole: offset and length pairs, ascending. */
  extents(): Iterable<readonly [offset: number, length: number]>;
}

export interface DirNode extends Inode {
  readonly kind: 'dir';
  /** Without `.` and `..`; iterates sorted by UTF-16 code units. */
  readonly entries: ReadonlyMap<string, Node>;
}

export interface SymlinkNode extends Inode {
  readonly kind: 'symlink';
  readonly target: string;
}

export interface DeviceNode extends Inode {
  readonly kind: 'char' | 'block';
}

export interface FifoNode extends Inode {
  readonly kind: 'fifo';
}

/** Hard links are one Node under several names. Names are text as `decodeText` gives it. */
export type Node = FileNode | DirNode | SymlinkNode | DeviceNode | FifoNode;

export interface Tree {
  readonly root: DirNode;
  /** Inodes in all. */
  readonly count: number;
  /**
   * The node at a path from the root, symlinks resolved inside the tree as chroot would (`..` of the root is the
   * root, at most 40 links). The last component is followed unless `follow` is false, and always with a trailing `/`.
   * Undefined where there is none.
   */
  lookup(path: string, options?: { readonly follow?: boolean }): Node | undefined;
  /** The path without symlinks, `.` and `..`; undefined where nothing is there. */
  realpath(path: string): string | undefined;
}

/** `S_IFMT` bits of a kind, as `st_mode` has them. */
export const typeBits: { readonly [kind in Node['kind']]: number } = {
  fifo: 0o010000,
  char: 0o020000,
  dir: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
};

/** Every name of the tree in sorted order, parents before children; the root is `/`. */
export function* walk(
  tree: Tree,
  from: DirNode = tree.root,
  path = '',
): Generator<readonly [path: string, node: Node]> {
  yield [path === '' ? '/' : path, from];
  for (const [name, node] of from.entries) {
    if (node.kind === 'dir') yield* walk(tree, node, `${path}/${name}`);
    else yield [`${path}/${name}`, node];
  }
}
