// A tree as `ls -l` shows one: mode, links, owners by the image's own names, size or device numbers, time in UTC.
import { decodeText, InputError, printable } from '../bytes/index.ts';
import type { DirNode, Node, Tree } from './node.ts';

const letters: { readonly [kind in Node['kind']]: string } = {
  file: '-',
  dir: 'd',
  symlink: 'l',
  char: 'c',
  block: 'b',
  fifo: 'p',
};

/** `-rwsr-xr-x`; a `+` follows where there are extended attributes. */
export function modeText(node: Node): string {
  const bits = [...'rwxrwxrwx'].map((letter, i) => ((node.mode >> (8 - i)) & 1 ? letter : '-'));
  const special: readonly (readonly [bit: number, at: number, letter: string])[] = [
    [0o4000, 2, 's'],
    [0o2000, 5, 's'],
    [0o1000, 8, 't'],
  ];
  for (const [bit, at, letter] of special) {
    if ((node.mode & bit) !== 0) bits[at] = bits[at] === 'x' ? letter : letter.toUpperCase();
  }
  return `${letters[node.kind]}${bits.join('')}${node.xattrs.size > 0 ? '+' : ''}`;
}

/** `2026-11-23 15:21:38`; seconds since 1970 where the calendar ends. */
export function timeText(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `@${seconds}` : date.toISOString().replace('T', ' ').slice(0, -5);
}

/** Names of users and groups by number. */
export interface Owners {
  readonly users: ReadonlyMap<number, string>;
  readonly groups: ReadonlyMap<number, string>;
}

const accountFileLimit = 1 << 20;

/** From the image's /etc/passwd and /etc/group; the first line of a number counts, as for the C library. */
export function readOwners(tree: Tree): Owners {
  return { users: accounts(tree, '/etc/passwd'), groups: accounts(tree, '/etc/group') };
}

function accounts(tree: Tree, path: string): Map<number, string> {
  const names = new Map<number, string>();
  const node = tree.lookup(path);
  if (node?.kind !== 'file') return names;
  for (const line of decodeText(node.read(0, accountFileLimit)).split('\n')) {
    const [name, , id] = line.split(':');
    if (id === undefined || !/^[0-9]{1,10}$/.test(id) || names.has(Number(id))) continue;
    names.set(Number(id), name);
  }
  return names;
}

interface Row {
  readonly cells: readonly string[];
  readonly name: string;
}

function row(name: string, node: Node, owners: Owners): Row {
  const device = node.kind === 'char' || node.kind === 'block';
  const target = node.kind === 'symlink' ? ` -> ${printable(node.target)}` : '';
  return {
    cells: [
      modeText(node),
      String(node.nlink),
      printable(owners.users.get(node.uid) ?? String(node.uid)),
      printable(owners.groups.get(node.gid) ?? String(node.gid)),
      device ? `${node.rdevMajor}, ${node.rdevMinor}` : String(node.size),
      timeText(node.mtime),
    ],
    name: `${printable(name)}${target}`,
  };
}

/** Numbers to the right, words to the left. */
const toTheRight = [false, true, false, false, true, false];

function aligned(rows: readonly Row[]): string[] {
  const widths = toTheRight.map((_, i) =>
    rows.reduce((width, { cells }) => Math.max(width, cells[i].length), 0),
  );
  return rows.map(({ cells, name }) =>
    [
      ...cells.map((cell, i) => (toTheRight[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))),
      name,
    ].join(' '),
  );
}

export interface ListOptions {
  /** Default `/`. A symlink is followed. */
  readonly path?: string;
  /** Directories below as well, each under its own heading. */
  readonly recursive?: boolean;
}

/** Lines without newlines. InputError where the tree has no such path. */
export function* listTree(tree: Tree, options: ListOptions = {}): Generator<string> {
  const path = options.path ?? '/';
  const real = tree.realpath(path);
  const node = tree.lookup(path);
  if (node === undefined || real === undefined)
    throw new InputError(
      'no such file or directory in the image',
      printable(path),
      'paths count from the root of the image',
    );
  const owners = readOwners(tree);
  if (node.kind !== 'dir') yield* aligned([row(path, node, owners)]);
  else if (options.recursive) yield* recursively(node, real === '/' ? '' : real, owners);
  else yield* aligned(rowsOf(node, owners));
}

function rowsOf(directory: DirNode, owners: Owners): Row[] {
  return [...directory.entries].map(([name, node]) => row(name, node, owners));
}

function* recursively(directory: DirNode, path: string, owners: Owners): Generator<string> {
  yield `${path === '' ? '/' : printable(path)}:`;
  yield* aligned(rowsOf(directory, owners));
  for (const [name, node] of directory.entries) {
    if (node.kind !== 'dir') continue;
    yield '';
    yield* recursively(node, `${path}/${name}`, owners);
  }
}
