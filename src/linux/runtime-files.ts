// What a container runtime does in the file system before the entrypoint runs: looks up users, makes the working
// directory. Without a task, so without permission checks and effects.

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
