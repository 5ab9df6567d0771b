// The order in which a stored directory lists its entries (fs/ext4/hash.c, fs/overlayfs/readdir.c, fs/libfs.c). No file
// system promises one, and each has another: it is the environment's.
import type { DirectoryEntry } from './abi-file.ts';
import type { EnvironmentValues } from './events.ts';

/** Entries that are sorted by name, in the environment's order. Takes the array over. */
export function inOrder(
  entries: DirectoryEntry[],
  { listing = 'by name', seed }: Pick<EnvironmentValues, 'listing' | 'seed'>,
): DirectoryEntry[] {
  switch (listing) {
    case 'by name':
      return entries;
    case 'backwards':
      return entries.reverse();
    case 'hashed':
      return entries
        .map((entry) => ({ entry, hash: hashOf(entry.name, seed) }))
        .sort((a, b) => a.hash - b.hash)
        .map(({ entry }) => entry);
  }
}

/** FNV-1a over code units, its bits mixed: neighbours in the alphabet come apart. Equal hashes stay sorted by name. */
function hashOf(name: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return (hash ^ (hash >>> 15)) >>> 0;
}
