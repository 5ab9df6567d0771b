// One layer's tar entries onto the tree of the layers below it (OCI image-spec layer.md). Where that text leaves room,
// this does what containerd and Docker do: names are cleaned, absolute ones count from the root, ones that lead out
// are refused; a directory's symlinks are resolved inside the root; later entries replace earlier ones.
import { InputError, printable } from '../bytes/index.ts';
import type { TreeWriter } from './build.ts';
import type { NewNode } from './inode.ts';
import { cleanPath } from './path.ts';
import type { TarEntry } from './tar.ts';

const whiteoutPrefix = '.wh.';
const opaqueName = '.wh..wh..opq';
/** AUFS kept hard-linked files here; layers made on it name them as link targets. */
const plinkDirectory = '.wh..wh.plnk';

/** Told of what is passed over. */
export type Note = (where: string, what: string) => void;

/** Applies one layer; returns how many entries it had. */
export function applyLayer(tree: TreeWriter, layer: number, entries: Iterable<TarEntry>, note: Note): number {
  const plinks = new Map<string, TarEntry>();
  let count = 0;
  for (const entry of entries) {
    count++;
    const path = cleanPath(entry.name, entry.where);
    const parts = path.includes(whiteoutPrefix) ? path.split('/') : [];
    if (parts[0] === plinkDirectory) {
      if (entry.kind === 'file') plinks.set(path, entry);
    } else if (parts.some((part) => part.startsWith(whiteoutPrefix))) {
      whiteout(tree, layer, parts, entry, note);
    } else if (place(tree, layer, path, entry, plinks)) {
      note(entry.where(), 'the layer has this path twice; the later one counts');
    }
  }
  return count;
}

function whiteout(
  tree: TreeWriter,
  layer: number,
  parts: readonly string[],
  entry: TarEntry,
  note: Note,
): void {
  const base = parts[parts.length - 1];
  const parent = parts.slice(0, -1);
  if (parent.some((part) => part.startsWith(whiteoutPrefix)))
    throw new InputError('a path below a whiteout', entry.where());
  const directory = parent.join('/');
  if (base === opaqueName) {
    tree.hideBelow(directory, layer, entry.where);
    return;
  }
  if (base.startsWith('.wh..wh.')) {
    note(entry.where(), 'AUFS bookkeeping passed over');
    return;
  }
  const hidden = base.slice(whiteoutPrefix.length);
  if (hidden === '' || hidden === '.' || hidden === '..')
    throw new InputError(`a whiteout of ${JSON.stringify(hidden)}`, entry.where());
  tree.hide(directory === '' ? hidden : `${directory}/${hidden}`, layer, entry.where);
}

/** Whether it replaced what the same layer had put there. */
function place(
  tree: TreeWriter,
  layer: number,
  path: string,
  entry: TarEntry,
  plinks: ReadonlyMap<string, TarEntry>,
): boolean {
  if (entry.kind !== 'link') return tree.put(path, contentOf(entry), entry.metadata, layer, entry.where);
  const target = cleanPath(entry.linkname, entry.where);
  const plink = plinks.get(target);
  if (plink !== undefined) return tree.put(path, contentOf(plink), plink.metadata, layer, entry.where);
  if (target === path) throw new InputError('hard link to itself', entry.where());
  return tree.link(path, target, entry.metadata, layer, entry.where);
}

function contentOf(entry: TarEntry): NewNode {
  switch (entry.kind) {
    case 'file':
      return { kind: 'file', content: entry.content };
    case 'symlink':
      return { kind: 'symlink', target: entry.linkname };
    case 'char':
    case 'block':
      return { kind: entry.kind, major: entry.major, minor: entry.minor };
    case 'dir':
    case 'fifo':
      return { kind: entry.kind };
    case 'link':
      throw new InputError(`hard link to the hard link ${printable(entry.name)}`, entry.where());
  }
}
