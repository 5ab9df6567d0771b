// Digests as OCI writes them (image-spec descriptor.md): `sha256:` and 64 hexadecimal digits.
import { InputError, printable } from '../bytes/index.ts';
import { createDigest, type DigestAlgorithm, type RandomAccess, sha256 } from '../host/index.ts';

const digits: { readonly [algorithm in DigestAlgorithm]: number } = { sha256: 64, sha512: 128 };

/** The algorithm of a digest that is well-formed; InputError otherwise. Such a digest is safe as a path. */
export function digestAlgorithm(digest: string, where: string): DigestAlgorithm {
  const parts = /^(sha256|sha512):([0-9a-f]+)$/.exec(digest);
  const algorithm = parts?.[1] as DigestAlgorithm | undefined;
  if (parts === null || algorithm === undefined || parts[2].length !== digits[algorithm]) {
    throw new InputError(
      `${JSON.stringify(printable(digest.slice(0, 150)))} is no sha256 or sha512 digest`,
      where,
    );
  }
  return algorithm;
}

/** Where a layout keeps a blob. */
export function blobPath(digest: string, where: string): string {
  digestAlgorithm(digest, where);
  return `blobs/${digest.replace(':', '/')}`;
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${sha256(bytes)}`;
}

export function mismatch(expected: string, actual: string, where: string): InputError {
  return new InputError(
    `digest mismatch: ${expected} is wanted, the content has ${actual}`,
    where,
    'the image is damaged or was tampered with',
  );
}

/** Several digests of one stream: of each algorithm that is asked for. */
export class Hasher {
  private readonly digests = new Map<DigestAlgorithm, { update(bytes: Uint8Array): void; hex(): string }>();

  /** Only sha256 where nothing is expected. */
  constructor(expected: readonly (string | undefined)[], where: string) {
    for (const digest of expected) {
      const algorithm = digest === undefined ? 'sha256' : digestAlgorithm(digest, where);
      if (!this.digests.has(algorithm)) this.digests.set(algorithm, createDigest(algorithm));
    }
  }

  update(bytes: Uint8Array): void {
    for (const digest of this.digests.values()) digest.update(bytes);
  }

  /** Ends the digests: all of them, by algorithm. */
  finish(): ReadonlyMap<string, string> {
    return new Map(
      [...this.digests].map(([algorithm, digest]) => [algorithm, `${algorithm}:${digest.hex()}`]),
    );
  }
}

/** The one that was expected, or sha256; a difference is an InputError. */
export function confirm(
  found: ReadonlyMap<string, string>,
  expected: string | undefined,
  where: string,
): string {
  const actual = found.get(expected === undefined ? 'sha256' : digestAlgorithm(expected, where)) as string;
  if (expected !== undefined && actual !== expected) throw mismatch(expected, actual, where);
  return actual;
}

/** Reads a small file whole and holds it to digest and size where those are known. */
export function readVerified(
  file: RandomAccess,
  limit: number,
  expected: { readonly digest?: string | undefined; readonly size?: number | undefined },
): Uint8Array {
  if (file.size > limit)
    throw new InputError(
      `${file.size} bytes, more than ${limit}`,
      file.name,
      'raise the limit "jsonBytes" if this image is to be trusted',
    );
  if (expected.size !== undefined && expected.size !== file.size)
    throw new InputError(`${file.size} bytes, its descriptor says ${expected.size}`, file.name);
  const bytes = file.read(0, file.size);
  const hasher = new Hasher([expected.digest], file.name);
  hasher.update(bytes);
  confirm(hasher.finish(), expected.digest, file.name);
  return bytes;
}
