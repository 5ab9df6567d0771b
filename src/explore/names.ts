// Which names a service looked for after it was sent one: if a path that it asked for contains the text that a client
// sent, then clients choose files below the part before it, and the files that are there are worth asking for.
import type { DirNode, Tree } from '../image/index.ts';

/** Where a service looks for what clients name: below a directory, with something after the name (`.html`). */
export interface NamePlace {
  readonly directory: string;
  readonly suffix: string;
}

export class NameSearch {
  private readonly token: string;
  private readonly found = new Map<string, NamePlace>();

  constructor(token: string) {
    this.token = token;
  }

  /** A path that a task named in a syscall, absolute. */
  looked(path: string): void {
    const at = path.indexOf(this.token);
    if (at < 0) return;
    const slash = path.lastIndexOf('/', at);
    const directory = path.slice(0, slash) || '/';
    const after = path.slice(at + this.token.length);
    // What comes before the name in its own part of the path can't be in the request; a name may come twice.
    const suffix = after.includes(this.token) ? '' : after;
    this.found.set(`${directory}\0${suffix}`, { directory, suffix });
  }

  /** In a stable order. */
  places(): readonly NamePlace[] {
    return [...this.found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, place]) => place);
  }
}

/** Levels of directories that names go through. */
const DEEPEST = 4;
/** Entries of one tree that are looked at. */
const MAX_ENTRIES = 4000;

/**
 * Names that are there, at most `limit`: relative paths of files and directories, of every kind and depth some, plain
 * ones (that every protocol can say) first.
 */
export function namesAt(tree: Tree, { directory, suffix }: NamePlace, limit: number): readonly string[] {
  const top = tree.lookup(directory);
  if (top?.kind !== 'dir') return [];
  const groups: string[][] = [];
  let level: { readonly prefix: string; readonly node: DirNode }[] = [{ prefix: '', node: top }];
  let left = MAX_ENTRIES;
  for (let depth = 0; depth < DEEPEST && level.length > 0; depth++) {
    const files: string[] = [];
    const below: typeof level = [];
    for (const { prefix, node } of level) {
      for (const [name, child] of [...node.entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (left-- <= 0) break;
        if (child.kind === 'file') files.push(prefix + name);
        if (child.kind === 'dir') below.push({ prefix: `${prefix}${name}/`, node: child });
      }
    }
    groups.push(files, suffix === '' ? below.map(({ prefix }) => prefix.slice(0, -1)) : []);
    level = below;
  }
  const named = groups.map((group) =>
    group
      .filter((name) => name.endsWith(suffix) && name.length > suffix.length)
      .map((name) => name.slice(0, name.length - suffix.length))
      .sort((a, b) => Number(isPlain(b)) - Number(isPlain(a))),
  );
  return takeTurns(named, limit);
}

const isPlain = (name: string): boolean => /^[\w./-]+$/.test(name);

/** The first of each list, then the second of each, and so on. */
export function takeTurns(lists: readonly (readonly string[])[], limit: number): readonly string[] {
  const out: string[] = [];
  const longest = Math.max(0, ...lists.map((list) => list.length));
  for (let i = 0; i < longest && out.length < limit; i++)
    for (const list of lists) if (i < list.length && out.length < limit) out.push(list[i]);
  return out;
}
