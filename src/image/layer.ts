// One layer's blob as a tar archive that can be read by offset: plain ones where they lie, compressed ones unfolded
// once into a temporary file. Digest, size and diff_id are held to what manifest and configuration say.
import { InputError } from '../bytes/index.ts';
import { createSpool, gunzip, pieces, type RandomAccess, type Spool, unzstd } from '../host/index.ts';
import { confirm, Hasher } from './digest.ts';
import type { Compression } from './image.ts';
import { type Budget, exceeded, ratioFloor } from './limits.ts';
import { blockSize, checksumHolds, isZeroBlock } from './tar-header.ts';

export interface Unfolded {
  readonly tar: RandomAccess;
  readonly compression: Compression;
  /** Digests of the blob and of the tar, by algorithm. */
  readonly blobDigests: ReadonlyMap<string, string>;
  readonly tarDigests: ReadonlyMap<string, string>;
}

export interface UnfoldOptions {
  readonly budget: Budget;
  readonly spoolDirectory?: string | undefined;
  /** Bytes of the blob that have been gone through. */
  readonly onProgress?: ((done: number) => void) | undefined;
  /** Digests whose algorithms are wanted. */
  readonly blobDigest?: string | undefined;
  readonly tarDigest?: string | undefined;
}

/** Docker's names and OCI's, with and without compression, distributable or not. */
const layerType =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar)(?:[.+](gzip|zstd))?$/;

/** What a media type promises; undefined where it promises nothing; InputError where it is no tar archive we know. */
export function promisedCompression(mediaType: string, where: string): Compression | undefined {
  if (mediaType === '') return undefined;
  const parts = layerType.exec(mediaType);
  if (parts === null)
    throw new InputError(
      `layers of type ${JSON.stringify(mediaType)} are not supported`,
      where,
      'layers are tar archives, plain or compressed with gzip or zstd',
    );
  return (parts[1] as Compression | undefined) ?? 'none';
}

const foreign: readonly (readonly [name: string, magic: readonly number[]])[] = [
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['lz4', [0x04, 0x22, 0x4d, 0x18]],
];

/** By the first bytes. InputError for what is neither tar nor a compression that images use. */
export function detectCompression(file: RandomAccess): Compression {
  const head = file.read(0, blockSize);
  const starts = (...magic: readonly number[]): boolean => magic.every((byte, i) => head[i] === byte);
  if (starts(0x1f, 0x8b)) return 'gzip';
  if (
    starts(0x28, 0xb5, 0x2f, 0xfd) ||
    ((head[0] & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18)
  )
    return 'zstd';
  if (head.length === 0 || isZeroBlock(head) || (head.length === blockSize && checksumHolds(head)))
    return 'none';
  const other = foreign.find(([, magic]) => starts(...magic));
  throw new InputError(
    other === undefined ? 'not a tar archive' : `${other[0]} compression is not supported`,
    file.name,
    'plain, gzip and zstd are read',
  );
}

/** The blob is gone through once, whatever it is. */
export async function unfold(blob: RandomAccess, options: UnfoldOptions): Promise<Unfolded> {
  const compression = detectCompression(blob);
  let done = 0;
  const passed = (piece: Uint8Array): void => {
    done += piece.length;
    options.onProgress?.(done);
  };
  if (compression === 'none') {
    const hasher = new Hasher([options.blobDigest, options.tarDigest], blob.name);
    for (const piece of pieces(blob)) {
      hasher.update(piece);
      passed(piece);
    }
    const digests = hasher.finish();
    return { tar: blob, compression, blobDigests: digests, tarDigests: digests };
  }
  const blobHasher = new Hasher([options.blobDigest], blob.name);
  const tarHasher = new Hasher([options.tarDigest], blob.name);
  const { budget } = options;
  const spool = createSpool({
    name: blob.name,
    limit: Number.MAX_SAFE_INTEGER,
    directory: options.spoolDirectory,
  });
  const output = (piece: Uint8Array): void => {
    budget.spend('decompressedBytes', piece.length, () => blob.name);
    if (spool.size + piece.length > ratioFloor && spool.size + piece.length > done * budget.limits.ratio)
      throw exceeded('ratio', budget.limits.ratio, blob.name);
    tarHasher.update(piece);
    spool.write(piece);
  };
  const input = (piece: Uint8Array): void => {
    blobHasher.update(piece);
    passed(piece);
  };
  await intoSpool(
    spool,
    compression === 'gzip' ? gunzip(blob, { input, output }) : unzstd(blob, { input, output }),
  );
  return { tar: spool, compression, blobDigests: blobHasher.finish(), tarDigests: tarHasher.finish() };
}

async function intoSpool(spool: Spool, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    spool.close();
    throw error;
  }
}

/** Holds an unfolded layer to what is said of it, and names both its digests. */
export function confirmLayer(
  unfolded: Unfolded,
  expected: { readonly digest?: string | undefined; readonly diffId?: string | undefined },
  where: string,
): { readonly digest: string; readonly diffId: string } {
  const digest = confirm(unfolded.blobDigests, expected.digest, where);
  return {
    digest,
    diffId: confirm(unfolded.tarDigests, expected.diffId, `${where}, uncompressed (diff_id)`),
  };
}
