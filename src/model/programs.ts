// The program files that a policy names: path, digest and build id, each looked up once in the image.
import { InputError } from '../bytes/index.ts';
import { buildIdOf, ElfSource, isElf, parseElf } from '../elf/index.ts';
import { createDigest } from '../host/index.ts';
import type { FileNode, Tree } from '../image/index.ts';
import type { ProgramFile } from '../policy/index.ts';

const PIECE = 1 << 20;

export class ProgramTable {
  readonly list: ProgramFile[] = [];
  private readonly indices = new Map<string, number>();
  private readonly tree: Tree;

  constructor(tree: Tree) {
    this.tree = tree;
  }

  /** Index of the program at this path of the container. Files made at run time have neither digest nor build id. */
  index(path: string): number {
    let index = this.indices.get(path);
    if (index === undefined) {
      const node = this.tree.lookup(path);
      index =
        this.list.push(
          node?.kind === 'file'
            ? { path, sha256: digestOf(node), buildId: buildIdOfFile(node, path) }
            : { path, sha256: '', buildId: '' },
        ) - 1;
      this.indices.set(path, index);
    }
    return index;
  }
}

function digestOf(node: FileNode): string {
  const digest = createDigest();
  for (let offset = 0; offset < node.size; offset += PIECE)
    digest.update(node.read(offset, Math.min(PIECE, node.size - offset)));
  return digest.hex();
}

function buildIdOfFile(node: FileNode, path: string): string {
  if (!isElf(node.read(0, 4))) return '';
  try {
    return buildIdOf(parseElf(new ElfSource(node, path))) ?? '';
  } catch (error) {
    // A file that the guest could load and we can't parse whole is no reason to fail: it has no build id for us.
    if (error instanceof InputError) return '';
    throw error;
  }
}
