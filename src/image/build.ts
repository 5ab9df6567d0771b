// A tree while it is made, layer by layer; then numbered, sorted and handed out read-only.
import { assert, InputError } from '../bytes/index.ts';
import {
  createInode,
  DirInode,
  implicitDirectory,
  type Metadata,
  type MutableNode,
  type NewNode,
} from './inode.ts';
import type { DirNode, Node, Tree } from './node.ts';
import { resolve } from './path.ts';

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
      return this.enter(spot, createInode(made, metadata, layer), layer);
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
