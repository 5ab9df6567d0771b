// What /proc and /sys are made of: directories with fixed entries, files whose text is made when they are read.
import { encodeText } from '../bytes/index.ts';
import { type DirectoryEntry, S } from './abi-file.ts';
import { E } from './errno.ts';
import type { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import {
  Dentry,
  DirectoryInode,
  Inode,
  type Looker,
  type Opening,
  type Superblock,
  SymlinkInode,
} from './vfs-inode.ts';
import { type DirectoryFile, openDirectory, PlacedFile } from './vfs-placed.ts';

/** Entries that are there always; subclasses add those that come and go. */
export class StaticDirectory extends DirectoryInode {
  private readonly fixed = new Map<string, Dentry>();

  constructor(superblock: Superblock, mode = 0o555, ino?: number) {
    super(superblock, S.IFDIR | mode, ino);
    this.nlink = 2;
  }

  /** `self`: the dentry of this directory, made before its entries are. */
  put(self: Dentry, name: string, inode: Inode): Dentry {
    const dentry = new Dentry(name, self, inode);
    this.fixed.set(name, dentry);
    if (inode.type === S.IFDIR) this.nlink++;
    return dentry;
  }

  open(opening: Opening): DirectoryFile | number {
    return openDirectory(opening);
  }
  lookup(_looker: Looker, _self: Dentry, name: string): Dentry | undefined {
    return this.fixed.get(name);
  }
  list(_looker: Looker, _self: Dentry): DirectoryEntry[] {
    return [...this.fixed.values()].map(({ name, inode }) => ({ name, ino: inode.ino, mode: inode.mode }));
  }
}

/** A file whose content is asked for. */
export abstract class GeneratedInode extends Inode {
  constructor(superblock: Superblock, mode: number, ino?: number) {
    super(superblock, S.IFREG | mode, ino);
  }
  abstract content(kernel: Kernel, task: Task): string | Uint8Array | number;
  /** A write of `text`: the bytes taken or a negative errno. */
  store(_kernel: Kernel, _task: Task, _text: string): number {
    return -E.IO;
  }
  override truncate(): number {
    return 0;
  }
  open(opening: Opening): OpenFile | number {
    return new GeneratedFile(opening);
  }
}

/** Text that does not change. */
export class TextInode extends GeneratedInode {
  private readonly text: string;
  constructor(superblock: Superblock, text: string, mode = 0o444) {
    super(superblock, mode);
    this.text = text;
  }
  content(): string {
    return this.text;
  }
}

/** Made anew whenever it is read from the start. */
export class GeneratedFile extends PlacedFile {
  private bytes: Uint8Array | undefined = undefined;

  read(kernel: Kernel, task: Task, length: number, at: number | undefined): Uint8Array | number {
    const inode = this.inode as GeneratedInode;
    const offset = at ?? this.position;
    if (offset === 0 || this.bytes === undefined) {
      const content = inode.content(kernel, task);
      if (typeof content === 'number') return content;
      this.bytes = typeof content === 'string' ? encodeText(content) : content;
    }
    const out = this.bytes.slice(offset, offset + length);
    if (at === undefined) this.position += out.length;
    return out;
  }

  write(kernel: Kernel, task: Task, bytes: Uint8Array): number {
    return (this.inode as GeneratedInode).store(
      kernel,
      task,
      String.fromCharCode(...bytes.subarray(0, 4096)),
    );
  }
}

export class TextSymlink extends SymlinkInode {
  private readonly text: string;
  constructor(superblock: Superblock, text: string) {
    super(superblock, S.IFLNK | 0o777);
    this.text = text;
  }
  readlink(): string {
    return this.text;
  }
}

/** A directory described as data: texts are files, `->` texts symlinks, objects directories, inodes themselves. */
export interface PseudoTree {
  readonly [name: string]: string | Inode | PseudoTree;
}

const isInode = (value: Inode | PseudoTree): value is Inode => value instanceof Inode;

/** Fills a directory. `mode` is for files given as text. */
export function fillDirectory(self: Dentry, tree: PseudoTree, mode = 0o444): void {
  const directory = self.inode as StaticDirectory;
  const { superblock } = directory;
  for (const [name, value] of Object.entries(tree)) {
    if (typeof value === 'string') {
      const link = value.startsWith('-> ');
      directory.put(
        self,
        name,
        link ? new TextSymlink(superblock, value.slice(3)) : new TextInode(superblock, value, mode),
      );
    } else if (isInode(value)) {
      directory.put(self, name, value);
    } else {
      fillDirectory(directory.put(self, name, new StaticDirectory(superblock)), value, mode);
    }
  }
}
