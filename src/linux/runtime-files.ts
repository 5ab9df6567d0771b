// What is done in the file system from outside the container: before the entrypoint runs, users are looked up and the
// working directory is made; later, files may come from volumes and other containers. Without a task, so without
// permission checks and effects.

import type { Kernel } from './kernel.ts';
import { createEntry } from './vfs-change.ts';
import { RegularInode } from './vfs-file.ts';
import { StoredSuperblock, TreeDirectory } from './vfs-tree.ts';

/** The first bytes of a regular file; undefined where there is none. */
export function readFileStart(kernel: Kernel, path: string, limit: number): Uint8Array | undefined {
  const inode = kernel.vfs.internal(kernel, path)?.dentry.inode;
  return inode instanceof RegularInode ? inode.data.read(0, limit) : undefined;
}

/** Makes the directories of an absolute path that are missing; stops quietly where something else is in the way. */
export function makeDirectories(kernel: Kernel, path: string): void {
  let at = '';
  for (const name of path.split('/').filter((part) => part !== '')) {
    at += `/${name}`;
    const walked = kernel.vfs.walkAt(kernel, undefined, { dirfd: -100, path: at });
    if (typeof walked === 'number') return;
    if (walked.place !== undefined) continue;
    const { superblock } = walked.parent.dentry.inode;
    if (!(superblock instanceof StoredSuperblock)) return;
    const made = createEntry(
      { kernel, task: undefined, actor: undefined },
      walked,
      () => new TreeDirectory(superblock, 0o755),
    );
    if (typeof made === 'number') return;
  }
}

/** Puts a file at an absolute path where nothing is yet; whether it could. Its directory must be there. */
export function placeFile(kernel: Kernel, path: string, bytes: Uint8Array): boolean {
  const walked = kernel.vfs.walkAt(kernel, undefined, { dirfd: -100, path });
  if (typeof walked === 'number') return false;
  const { superblock } = walked.parent.dentry.inode;
  if (!(superblock instanceof StoredSuperblock)) return false;
  const inode = new RegularInode(superblock, 0o644);
  inode.data.write(0, bytes);
  const change = { kernel, task: undefined, actor: undefined, outside: true };
  return typeof createEntry(change, walked, () => inode) !== 'number';
}

/** Other contents for a regular file that is there; whether there is one. */
export function rewriteFile(kernel: Kernel, path: string, bytes: Uint8Array): boolean {
  const inode = kernel.vfs.internal(kernel, path)?.dentry.inode;
  if (!(inode instanceof RegularInode)) return false;
  inode.data.truncate(0);
  inode.data.write(0, bytes);
  return true;
}
