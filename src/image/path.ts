// Paths inside an image: splitting, and resolving as a process would whose root directory is the tree's.
import { InputError } from '../bytes/index.ts';
import type { DirNode, Node } from './node.ts';

/** As many as Linux follows in one resolution. */
export const maxSymlinks = 40;

export interface Resolution {
  /** What the path names. */
  readonly node: Node;
  /** Its canonical path's components. */
  readonly names: readonly string[];
}

export type ResolveFailure = 'missing' | 'not a directory' | 'symlink loop';

/** Called for a component that does not exist; may return one that now does. */
export type Missing = (parent: DirNode, name: string, depth: number) => Node | undefined;

export interface ResolveOptions {
  /** Whether a symlink in the last component is followed. */
  readonly follow: boolean;
  readonly missing?: Missing | undefined;
  /** Counts every component looked at; may throw when it has been enough. */
  readonly step?: (() => void) | undefined;
}

/** Components without empty ones and `.`; `..` stays. */
export function components(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** An empty component, `.` or `..`. */
const unclean = /(?:^|\/)\.{0,2}(?:\/|$)/;

/** Relative to the root, without `.`, `..` and empty components; the root is ''. */
export function cleanPath(name: string, where: () => string): string {
  if (!unclean.test(name)) return name;
  const out: string[] = [];
  for (const part of components(name)) {
    if (part !== '..') out.push(part);
    else if (out.pop() === undefined)
      throw new InputError(
        'the path leads out of the image',
        where(),
        'container engines refuse this archive too',
      );
  }
  return out.join('/');
}

/** Resolves from the root; never leaves it, `..` of the root being the root. */
export function resolve(root: DirNode, path: string, options: ResolveOptions): Resolution | ResolveFailure {
  const dirs: DirNode[] = [root];
  const names: string[] = [];
  const pending = components(path).reverse();
  const wantsDirectory = /(?:^|\/)\.{0,2}$/.test(path) && path !== '';
  let links = 0;
  while (pending.length > 0) {
    const name = pending.pop() as string;
    options.step?.();
    if (name === '..') {
      if (names.length > 0) {
        dirs.pop();
        names.pop();
      }
      continue;
    }
    const parent = dirs[dirs.length - 1];
    const node = parent.entries.get(name) ?? options.missing?.(parent, name, dirs.length);
    if (node === undefined) return 'missing';
    if (node.kind === 'symlink' && (pending.length > 0 || options.follow || wantsDirectory)) {
      if (++links > maxSymlinks) return 'symlink loop';
      if (node.target.startsWith('/')) {
        dirs.length = 1;
        names.length = 0;
      }
      pending.push(...components(node.target).reverse());
    } else if (node.kind === 'dir') {
      dirs.push(node);
      names.push(name);
    } else {
      return pending.length > 0 || wantsDirectory ? 'not a directory' : { node, names: [...names, name] };
    }
  }
  return { node: dirs[dirs.length - 1], names };
}
