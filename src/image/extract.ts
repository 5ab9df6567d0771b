// Writing a tree to a fresh directory of this machine, for running its programs there. Every name is made in a
// directory that is held open (host/directory.ts), so nothing in the tree can lead outside.
import { printable } from '../bytes/index.ts';
import { freshDirectory, type HostDirectory, type HostMetadata, isRoot } from '../host/index.ts';
import type { DirNode, FileNode, Node, Tree } from './node.ts';

export interface ExtractReport {
  /** Names written, directories included. */
  readonly written: number;
  /** Bytes of contents, without holes. */
  readonly bytes: number;
  /** What this machine did not let us make, in the tree's order. */
  readonly skipped: readonly { readonly path: string; readonly what: string; readonly why: string }[];
}

export interface ExtractOptions {
  /** Whether files get the owners that the image gives them; default: when we are root. */
  readonly owners?: boolean;
}

/**
 * Writes the tree into a directory that is empty or does not exist yet. Modes and times are kept, hard links and holes
 * too. Device nodes, FIFOs and extended attributes that can't be made are reported. InputError when the disk is full or
 * the directory is not empty; what was written by then stays.
 */
export function extractTree(tree: Tree, directory: string, options: ExtractOptions = {}): ExtractReport {
  const extraction = new Extraction(options.owners ?? isRoot());
  const root = freshDirectory(directory);
  try {
    extraction.directory(tree.root, root, '');
  } finally {
    root.close();
  }
  return { written: extraction.written, bytes: extraction.bytes, skipped: extraction.skipped };
}

class Extraction {
  written = 0;
  bytes = 0;
  readonly skipped: { path: string; what: string; why: string }[] = [];
  private readonly owners: boolean;
  private readonly chunk = new Uint8Array(1 << 20);
  /** Where a file with several names was written first. */
  private readonly firstNames = new Map<Node, readonly string[]>();
  private root: HostDirectory | undefined;

  constructor(owners: boolean) {
    this.owners = owners;
  }

  directory(node: DirNode, made: HostDirectory, path: string): void {
    this.root ??= made;
    for (const [name, child] of node.entries) this.entry(name, child, made, `${path}/${name}`);
    // Last, or writing into it would change its time, and its mode could forbid it.
    made.describe(this.metadata(node));
    this.written++;
  }

  private metadata(node: Node): HostMetadata {
    return {
      mode: node.mode,
      mtime: node.mtime,
      mtimeNs: node.mtimeNs,
      owner: this.owners ? node : undefined,
    };
  }

  private entry(name: string, node: Node, parent: HostDirectory, path: string): void {
    if (node.kind === 'dir') {
      const made = parent.makeDirectory(name);
      try {
        this.directory(node, made, path);
      } finally {
        made.close();
      }
      this.xattrs(name, node, parent, path);
      return;
    }
    const first = this.firstNames.get(node);
    if (first !== undefined) {
      this.link(name, parent, first);
      return;
    }
    if (!this.make(name, node, parent, path)) return;
    this.written++;
    if (node.nlink > 1) this.firstNames.set(node, path.slice(1).split('/'));
    this.xattrs(name, node, parent, path);
  }

  private make(name: string, node: Exclude<Node, DirNode>, parent: HostDirectory, path: string): boolean {
    switch (node.kind) {
      case 'file':
        this.file(name, node, parent);
        return true;
      case 'symlink':
        parent.makeSymlink(name, node.target, this.metadata(node));
        return true;
      case 'char':
      case 'block':
      case 'fifo': {
        const why = parent.makeSpecial(
          name,
          node.kind,
          { major: node.rdevMajor, minor: node.rdevMinor },
          this.metadata(node),
        );
        if (why !== undefined) this.skipped.push({ path, what: node.kind, why });
        return why === undefined;
      }
    }
  }

  private file(name: string, node: FileNode, parent: HostDirectory): void {
    const file = parent.makeFile(name);
    try {
      for (const [start, length] of node.extents()) {
        for (let offset = start; offset < start + length; offset += this.chunk.length) {
          const part = this.chunk.subarray(0, Math.min(this.chunk.length, start + length - offset));
          node.readInto(offset, part);
          file.write(part, offset);
        }
        this.bytes += length;
      }
      file.resize(node.size);
      file.describe(this.metadata(node));
    } finally {
      file.close();
    }
  }

  /** Walks to the first name from the top; directories are not renamed meanwhile. */
  private link(name: string, parent: HostDirectory, first: readonly string[]): void {
    const open: HostDirectory[] = [];
    let at = this.root as HostDirectory;
    for (const part of first.slice(0, -1)) {
      at = at.openDirectory(part);
      open.push(at);
    }
    parent.makeLink(name, at, first[first.length - 1]);
    for (const directory of open) directory.close();
    this.written++;
  }

  private xattrs(name: string, node: Node, parent: HostDirectory, path: string): void {
    for (const [attribute, value] of node.xattrs) {
      const why = parent.setXattr(name, attribute, value);
      if (why !== undefined) this.skipped.push({ path, what: `attribute ${printable(attribute)}`, why });
    }
  }
}
