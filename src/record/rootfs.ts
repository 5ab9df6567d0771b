// The file system that a container gets: an unpacked copy of the image's tree in a temporary directory, and the files
// that a runtime puts over it (hosts, hostname, resolv.conf). Everything is written below the temporary directory:
// paths of the image are resolved in the image, never by the host.
import { chmodSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { encodeText, InputError, printable } from '../bytes/index.ts';
import { extractTree, type Tree, walk } from '../image/index.ts';
import { type ContainerPlan, placeOf } from './container.ts';

/** A file of the host that is mounted over one of the container. */
export interface Bind {
  readonly source: string;
  /** Canonical path inside the container; exists in the unpacked copy. */
  readonly target: string;
}

export interface PreparedRoot {
  /** Directory of the unpacked copy. */
  readonly directory: string;
  readonly binds: readonly Bind[];
  /** Canonical paths inside the container. */
  readonly mountPoints: { readonly proc: string; readonly dev: string; readonly sys: string };
  /** What was not done as the image has it. */
  readonly notes: readonly string[];
}

/** An address that only the container's own network has, so that its host name does not stand for the loopback. */
export const containerAddress = '172.17.0.2';

/** Unpacks into `${scratch}/root`; `scratch` is an empty directory of ours. */
export function prepareRoot(
  scratch: string,
  tree: Tree,
  plan: ContainerPlan,
  net: 'own' | 'host',
): PreparedRoot {
  const directory = `${scratch}/root`;
  const { skipped } = extractTree(tree, directory);
  const notes = skipped.map(({ path, what, why }) => `not unpacked: ${what} of ${printable(path)} (${why})`);
  if (process.geteuid?.() !== 0 && foreignOwners(tree) > 0)
    notes.push(
      `not root: ${foreignOwners(tree)} files that belong to others in the image belong to root in the container`,
    );
  const mountPoints = {
    proc: placeOf(tree, '/proc'),
    dev: placeOf(tree, '/dev'),
    sys: placeOf(tree, '/sys'),
  };
  for (const path of [...plan.directories, ...Object.values(mountPoints)]) makeDirectory(directory, path);
  mkdirSync(`${scratch}/etc`, { mode: 0o755 });
  const binds = Object.entries(runtimeFiles(plan, net)).map(([name, text]): Bind => {
    const source = `${scratch}/etc/${name}`;
    writeFileSync(source, text, { mode: 0o644 });
    const target = placeOf(tree, `/etc/${name}`);
    makeFile(directory, target);
    return { source, target };
  });
  return { directory, binds, mountPoints, notes };
}

function foreignOwners(tree: Tree): number {
  let count = 0;
  for (const [, node] of walk(tree)) if (node.uid !== 0 || node.gid !== 0) count++;
  return count;
}

function runtimeFiles(plan: ContainerPlan, net: 'own' | 'host'): Readonly<Record<string, string>> {
  const loopback = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n';
  return {
    hostname: `${plan.hostname}\n`,
    hosts:
      net === 'host'
        ? hostFile('/etc/hosts', loopback)
        : `${loopback}${containerAddress}\t${plan.hostname}\n`,
    'resolv.conf':
      net === 'host' ? hostFile('/etc/resolv.conf', '') : '# no network outside of the container\n',
  };
}

function hostFile(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}

/** A path of the container as the host has it: names of Linux are bytes. */
export function hostPath(directory: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(directory), Buffer.from(encodeText(path))]);
}

/** Makes a directory and its parents (0755) below `directory`; `path` has no symlinks in it. */
function makeDirectory(directory: string, path: string): void {
  const parts = path.split('/').filter((part) => part !== '');
  for (let depth = 1; depth <= parts.length; depth++) {
    const here = `/${parts.slice(0, depth).join('/')}`;
    const existing = lstatSync(hostPath(directory, here), { throwIfNoEntry: false });
    if (existing === undefined) {
      mkdirSync(hostPath(directory, here));
      chmodSync(hostPath(directory, here), 0o755);
    } else if (!existing.isDirectory()) {
      throw new InputError('a container needs a directory here, the image has something else', here);
    }
  }
}

function makeFile(directory: string, path: string): void {
  makeDirectory(directory, path.replace(/\/[^/]*$/, ''));
  const existing = lstatSync(hostPath(directory, path), { throwIfNoEntry: false });
  if (existing === undefined) writeFileSync(hostPath(directory, path), '', { mode: 0o644 });
  else if (!existing.isFile())
    throw new InputError('a container needs a file here, the image has something else', path);
}
