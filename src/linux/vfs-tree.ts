// Directories and symlinks that are stored: the root file system, which is the image's tree with changes over it, and
// tmpfs, which is the same without an image below. An entry of the image becomes an inode when it is first looked up.
import { encodeText, unreachable } from '../bytes/index.ts';
import { type DirNode, type Node, typeBits } from '../image/index.ts';
import { type DirectoryEntry, S } from './abi-file.ts';
import { DeviceInode } from './devfs.ts';
import { E } from './errno.ts';
import { inOrder } from './listing.ts';
import { FifoInode } from './pipe.ts';
import { share } from './shared.ts';
import { RegularInode } from './vfs-file.ts';
import {
  type Clock,
  Dentry,
  DirectoryInode,
  Inode,
  type Looker,
  type Opening,
  Superblock,
  SymlinkInode,
} from './vfs-inode.ts';
import { type DirectoryFile, openDirectory } from './vfs-placed.ts';

/** A file system whose inodes are kept; `wrapped` keeps hard links of the image one inode. */
export class StoredSuperblock extends Superblock {
  readonly wrapped = new Map<Node, Inode>();
}

export class StoredSymlink extends SymlinkInode {
  readonly target: string;
  private readonly length: number;

  constructor(superblock: Superblock, target: string, ino?: number) {
    super(superblock, S.IFLNK | 0o777, ino);
    this.target = target;
    this.length = encodeText(target).length;
  }
  override get size(): number {
    return this.length;
  }
  readlink(): string {
    return this.target;
  }
}

/** A socket bound in the file system; `owner` is the listening or datagram socket while it lives (socket-unix.ts). */
export class SocketInode extends Inode {
  owner: object | undefined = undefined;
  open(): number {
    return -E.NXIO;
  }
}

export class TreeDirectory extends DirectoryInode {
  override readonly superblock: StoredSuperblock;
  private readonly lower: DirNode | undefined;
  /** Everything that was looked up or made here; null: a whiteout. */
  private readonly known = new Map<string, Dentry | null>();
  override readonly unknown: boolean;

  constructor(
    superblock: StoredSuperblock,
    mode: number,
    options: { readonly lower?: DirNode; readonly unknown?: boolean } = {},
  ) {
    super(superblock, S.IFDIR | (mode & 0o7777), options.lower?.ino);
    this.superblock = superblock;
    this.lower = options.lower === undefined ? undefined : share(options.lower);
    this.unknown = options.unknown ?? false;
    this.nlink = options.lower?.nlink ?? 2;
  }

  open(opening: Opening): DirectoryFile | number {
    return openDirectory(opening);
  }

  lookup(_looker: Looker | undefined, self: Dentry, name: string): Dentry | undefined {
    const known = this.known.get(name);
    if (known !== undefined) return known ?? undefined;
    const node = this.lower?.entries.get(name);
    if (node === undefined) return undefined;
    const dentry = new Dentry(name, self, wrapNode(this.superblock, node));
    this.known.set(name, dentry);
    return dentry;
  }

  list(): DirectoryEntry[] {
    const out: DirectoryEntry[] = [];
    if (this.lower !== undefined) {
      for (const [name, node] of this.lower.entries)
        if (!this.known.has(name)) out.push({ name, ino: node.ino, mode: typeBits[node.kind] });
    }
    for (const [name, dentry] of this.known)
      if (dentry !== null) out.push({ name, ino: dentry.inode.ino, mode: dentry.inode.mode });
    return out.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  override listInOrder({ kernel }: Looker): DirectoryEntry[] {
    return inOrder(this.list(), kernel.environment);
  }

  override insert(clock: Clock, dentry: Dentry): number {
    this.known.set(dentry.name, dentry);
    if (dentry.inode.type === S.IFDIR) this.nlink++;
    this.touch(clock);
    return 0;
  }

  override remove(clock: Clock, dentry: Dentry): number {
    if (this.lower?.entries.has(dentry.name) === true) this.known.set(dentry.name, null);
    else this.known.delete(dentry.name);
    if (dentry.inode.type === S.IFDIR) this.nlink--;
    this.touch(clock);
    return 0;
  }
}

/** The inode of an entry of the image; hard links share it. */
export function wrapNode(superblock: StoredSuperblock, node: Node): Inode {
  const known = superblock.wrapped.get(node);
  if (known !== undefined) return known;
  const inode = makeInode(superblock, node);
  const time = BigInt(node.mtime) * 1_000_000_000n + BigInt(node.mtimeNs);
  inode.uid = node.uid;
  inode.gid = node.gid;
  inode.nlink = node.nlink;
  inode.atime = inode.mtime = inode.ctime = inode.btime = time;
  if (node.xattrs.size > 0) inode.xattrs = new Map(node.xattrs);
  superblock.wrapped.set(share(node), inode);
  return inode;
}

function makeInode(superblock: StoredSuperblock, node: Node): Inode {
  switch (node.kind) {
    case 'file':
      return new RegularInode(superblock, node.mode, node);
    case 'dir':
      return new TreeDirectory(superblock, node.mode, { lower: node });
    case 'symlink':
      return new StoredSymlink(superblock, node.target, node.ino);
    case 'fifo':
      return new FifoInode(superblock, node.mode, node.ino);
    case 'char':
    case 'block':
      return new DeviceInode(
        superblock,
        typeBits[node.kind] | node.mode,
        { major: node.rdevMajor, minor: node.rdevMinor },
        node.ino,
      );
    default:
      return unreachable(node);
  }
}
