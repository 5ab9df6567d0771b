// Cryptographic digests, streaming.
import { createHash } from 'node:crypto';
import { pieces, type RandomAccess } from './access.ts';

export type DigestAlgorithm = 'sha256' | 'sha512';

export interface Digest {
  update(bytes: Uint8Array): void;
  /** Lower-case hexadecimal; ends the digest. */
  hex(): string;
}

export function createDigest(algorithm: DigestAlgorithm = 'sha256'): Digest {
  const hash = createHash(algorithm);
  return {
    update: (bytes) => void hash.update(bytes),
    hex: () => hash.digest('hex'),
  };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Digest of a whole file, read in pieces. */
export function digestFile(
  file: RandomAccess,
  algorithm: DigestAlgorithm = 'sha256',
  onPiece?: (bytes: number) => void,
): string {
  const hash = createHash(algorithm);
  for (const piece of pieces(file)) {
    hash.update(piece);
    onPiece?.(piece.length);
  }
  return hash.digest('hex');
}

/** SHA-1, 20 bytes: the identity that SysFlow gives to files. Not for anything that must resist an attacker. */
export function sha1(bytes: Uint8Array): Uint8Array {
  return createHash('sha1').update(bytes).digest();
}
