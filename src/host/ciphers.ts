// The few primitives of OpenSSL that a TLS client needs, with keys that the caller chooses: what is sent is the same in
// every run. Not for secrets.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from 'node:crypto';

/** A Buffer's own `slice` is no copy: nobody is to have one in hand. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

export const sha256Of = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return plain(hash.digest());
};

export const hmacSha256 = (key: Uint8Array, data: Uint8Array): Uint8Array =>
  plain(createHmac('sha256', key).update(data).digest());

/** DER of a key of X25519 up to its 32 bytes (RFC 8410): private as PKCS #8, public as SubjectPublicKeyInfo. */
const PRIVATE = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC = Buffer.from('302a300506032b656e032100', 'hex');

export interface X25519 {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 32 bytes; undefined where the peer's are no key. */
  shared(peer: Uint8Array): Uint8Array | undefined;
}

/** Key exchange (RFC 7748) with these 32 bytes as private key. */
export function x25519(bytes: Uint8Array): X25519 {
  const privateKey = createPrivateKey({
    key: Buffer.concat([PRIVATE, bytes]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    publicKey: plain(publicKey.subarray(PUBLIC.length)),
    shared: (peer) => {
      try {
        const key = Buffer.concat([PUBLIC, peer]);
        return diffieHellman({
          privateKey,
          publicKey: createPublicKey({ key, format: 'der', type: 'spki' }),
        });
      } catch {
        return undefined;
      }
    },
  };
}

const TAG_BYTES = 16;

/** AES-128-GCM: the ciphertext and its tag. */
export function sealGcm(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  text: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv('aes-128-gcm', key, nonce).setAAD(associated);
  return plain(Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]));
}

/** Undefined where the tag is another. */
export function openGcm(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-128-gcm', key, nonce).setAAD(associated);
  decipher.setAuthTag(sealed.subarray(end));
  try {
    return plain(Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]));
  } catch {
    return undefined;
  }
}
