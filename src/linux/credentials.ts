// What execve does to credentials (credentials(7), capabilities(7); security/commoncap.c): set-user-id bits, root's
// capabilities, those that the file carries, ambient ones.
import { ALL_CAPS } from './abi-process.ts';
import type { ExecutableFile } from './kernel.ts';
import { copyCredentials } from './process.ts';
import type { Credentials } from './task.ts';

const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o010;
/** SECBIT_NOROOT */
const NOROOT = 1;

/** The extended attribute that holds a file's capabilities. */
export const CAPABILITY_XATTR = 'security.capability';

interface FileCapabilities {
  readonly permitted: bigint;
  readonly inheritable: bigint;
  readonly effective: boolean;
}

/**
 * struct vfs_cap_data: magic u32 (revision in the top byte, bit 0: effective) | permitted, inheritable u32 (low) |
 * permitted, inheritable u32 (high) | root id u32 in revision 3. Undefined where it does not hold here.
 */
function fileCapabilities(bytes: Uint8Array | undefined): FileCapabilities | undefined {
  if (bytes === undefined || bytes.length < 12) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const magic = view.getUint32(0, true);
  const revision = magic >>> 24;
  const sizes: Readonly<Record<number, number>> = { 1: 12, 2: 20, 3: 24 };
  if (sizes[revision] !== bytes.length) return undefined;
  if (revision === 3 && view.getUint32(20, true) !== 0) return undefined;
  const word = (low: number): bigint =>
    BigInt(view.getUint32(low, true)) | (revision === 1 ? 0n : BigInt(view.getUint32(low + 8, true)) << 32n);
  return {
    permitted: word(4) & ALL_CAPS,
    inheritable: word(8) & ALL_CAPS,
    effective: (magic & 1) !== 0,
  };
}

/** The credentials of the new program, and whether it must distrust its environment (AT_SECURE); a negative errno. */
export function credentialsAfterExec(
  old: Credentials,
  file: ExecutableFile,
): { readonly credentials: Credentials; readonly secure: boolean } | number {
  const next = copyCredentials(old);
  const honoured = !file.nosuid && !old.noNewPrivileges;
  const setUid = honoured && (file.mode & S_ISUID) !== 0;
  const setGid = honoured && (file.mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP);
  if (setUid) next.euid = file.uid;
  if (setGid) next.egid = file.gid;
  next.suid = next.fsuid = next.euid;
  next.sgid = next.fsgid = next.egid;
  const setId = next.euid !== old.uid || next.egid !== old.gid;
  const carried = file.nosuid ? undefined : fileCapabilities(file.capabilities);
  const rooted = (next.securebits & NOROOT) === 0;
  // A set-user-id root program that carries capabilities gets those and no more.
  const root =
    rooted &&
    (next.euid === 0 || next.uid === 0) &&
    !(carried !== undefined && next.uid !== 0 && next.euid === 0);
  let effective = root && next.euid === 0;
  next.permitted = root ? next.inheritable | next.bounding : 0n;
  if (carried !== undefined && !root) {
    next.permitted = (carried.permitted & next.bounding) | (carried.inheritable & next.inheritable);
    effective = carried.effective;
    if (effective && (carried.permitted & ~next.permitted) !== 0n) return -1; // EPERM
    if (old.noNewPrivileges) next.permitted &= old.permitted;
  }
  if (carried !== undefined || setId) next.ambient = 0n;
  next.permitted |= next.ambient;
  next.effective = effective ? next.permitted : next.ambient;
  if (!root) next.ambient &= next.permitted & next.inheritable;
  next.securebits &= ~(1 << 4); // SECBIT_KEEP_CAPS
  const grew = next.permitted !== next.ambient;
  const secure =
    next.euid !== next.uid ||
    next.egid !== next.gid ||
    (next.uid !== 0 && carried !== undefined && (effective || grew));
  return { credentials: next, secure };
}
