// What execve does to credentials (credentials(7), capabilities(7)): set-user-id bits, root's capabilities, ambient
// ones. Capabilities that a file carries in its extended attributes are not looked at here.
import type { ExecutableFile } from './kernel.ts';
import { copyCredentials } from './process.ts';
import type { Credentials } from './task.ts';

const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o010;
/** SECBIT_NOROOT */
const NOROOT = 1;

/** The credentials of the new program, and whether it must distrust its environment (AT_SECURE). */
export function credentialsAfterExec(
  old: Credentials,
  file: ExecutableFile,
): { readonly credentials: Credentials; readonly secure: boolean } {
  const next = copyCredentials(old);
  const honoured = !file.nosuid && !old.noNewPrivileges;
  const setUid = honoured && (file.mode & S_ISUID) !== 0;
  const setGid = honoured && (file.mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP);
  if (setUid) next.euid = file.uid;
  if (setGid) next.egid = file.gid;
  next.suid = next.fsuid = next.euid;
  next.sgid = next.fsgid = next.egid;
  const privileged = (setUid && file.uid !== old.euid) || (setGid && file.gid !== old.egid);
  if (privileged) next.ambient = 0n;
  const root = (next.securebits & NOROOT) === 0 && (next.euid === 0 || next.uid === 0);
  next.permitted = root ? next.inheritable | next.bounding : next.ambient;
  next.effective = root ? (next.euid === 0 ? next.permitted : 0n) : next.ambient;
  if (!root) next.ambient &= next.permitted & next.inheritable;
  next.securebits &= ~(1 << 4); // SECBIT_KEEP_CAPS
  const secure = next.euid !== next.uid || next.egid !== next.gid;
  return { credentials: next, secure };
}
