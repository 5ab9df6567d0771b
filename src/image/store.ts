// Where an image's documents and blobs lie: a directory, or an archive that is read in place.
import { InputError, printable } from '../bytes/index.ts';
import { openFileIfThere, type RandomAccess } from '../host/index.ts';
import type { Content } from './content.ts';
import { cleanPath, maxSymlinks } from './path.ts';
import { readTar, type TarEntry, type TarOptions } from './tar.ts';

export interface Store {
  /** For messages. */
  readonly name: string;
  readonly kind: 'archive' | 'directory';
  /** The file at a path with slashes; undefined where there is none. Closed with the store. */
  open(path: string): RandomAccess | undefined;
  /** All paths, where the store can tell. */
  readonly paths: readonly string[];
  close(): void;
}

/** An OCI layout on disk. Paths come from us or are checked digests, never from the image's own text. */
export function directoryStore(directory: string): Store {
  const opened = new Map<string, RandomAccess>();
  return {
    name: directory,
    kind: 'directory',
    paths: [],
    open(path) {
      const file = opened.get(path) ?? openFileIfThere(directory, path);
      if (file !== undefined) opened.set(path, file);
      return file;
    },
    close() {
      for (const file of opened.values()) file.close();
    },
  };
}

type Member =
  | { readonly kind: 'file'; readonly content: Content }
  | { readonly kind: 'link'; readonly target: string };

/** An archive's members, by the offset of their bytes. A path that occurs twice is refused: readers disagree on which counts. */
export function archiveStore(file: RandomAccess, options: TarOptions): Store {
  const members = new Map<string, Member>();
  for (const entry of readTar(file, file.name, options)) {
    const path = cleanPath(entry.name, entry.where);
    const member = memberOf(entry, path);
    if (member === undefined) continue;
    if (members.has(path)) throw new InputError('the archive has this path twice', entry.where());
    members.set(path, member);
  }
  return {
    name: file.name,
    kind: 'archive',
    paths: [...members.keys()],
    open(path) {
      let at = path;
      for (let hops = 0; hops <= maxSymlinks; hops++) {
        const member = members.get(at);
        if (member === undefined) return undefined;
        if (member.kind === 'file') return contentAccess(`${file.name}: ${printable(path)}`, member.content);
        at = member.target;
      }
      throw new InputError('links that go in a circle', `${file.name}: ${printable(path)}`);
    },
    close: () => file.close(),
  };
}

/** Older `docker save` writes a layer that occurs twice as a symlink to the first. */
function memberOf(entry: TarEntry, path: string): Member | undefined {
  switch (entry.kind) {
    case 'file':
      return { kind: 'file', content: entry.content };
    case 'link':
      return { kind: 'link', target: cleanPath(entry.linkname, entry.where) };
    case 'symlink': {
      const from = entry.linkname.startsWith('/') ? '' : path.split('/').slice(0, -1).join('/');
      return { kind: 'link', target: cleanPath(`${from}/${entry.linkname}`, entry.where) };
    }
    case 'dir':
    case 'char':
    case 'block':
    case 'fifo':
      return undefined;
  }
}

export function contentAccess(name: string, content: Content): RandomAccess {
  return {
    name,
    size: content.size,
    read(offset, length) {
      const target = new Uint8Array(Math.max(0, Math.min(length, content.size - offset)));
      content.readInto(offset, target);
      return target;
    },
    readInto: (offset, target) => content.readInto(offset, target),
    close() {},
  };
}
