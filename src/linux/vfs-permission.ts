// Who may do what to an inode: mode bits, owners, capabilities (fs/namei.c generic_permission, fs/attr.c).
import { S } from './abi-file.ts';
import { CAP } from './abi-process.ts';
import { E } from './errno.ts';
import type { Credentials, Task } from './task.ts';
import type { Dentry, Inode } from './vfs-inode.ts';

export const MAY = { EXEC: 1, WRITE: 2, READ: 4 } as const;

/** The identity that a file operation acts under. Undefined: the kernel itself, which may everything. */
export type Actor = Pick<Credentials, 'fsuid' | 'fsgid' | 'groups' | 'effective'> | undefined;

export const actorOf = (task: Task | undefined): Actor => task?.process.credentials;

/** access(2) asks for the real ids, and gives capabilities to root only. */
export function realActor(credentials: Credentials): Actor {
  return {
    fsuid: credentials.uid,
    fsgid: credentials.gid,
    groups: credentials.groups,
    effective: credentials.uid === 0 ? credentials.permitted : 0n,
  };
}

export function capable(actor: Actor, capability: number): boolean {
  return actor === undefined || (actor.effective & (1n << BigInt(capability))) !== 0n;
}

export function inGroup(actor: Actor, gid: number): boolean {
  return actor === undefined || actor.fsgid === gid || actor.groups.includes(gid);
}

/** 0, or -EACCES. `mask`: MAY bits. */
export function permission(actor: Actor, inode: Inode, mask: number): number {
  if (actor === undefined) return 0;
  const shift = inode.uid === actor.fsuid ? 6 : inGroup(actor, inode.gid) ? 3 : 0;
  if (((inode.mode >> shift) & mask) === mask) return 0;
  const directory = inode.type === S.IFDIR;
  if (directory) {
    if ((mask & MAY.WRITE) === 0 && capable(actor, CAP.DAC_READ_SEARCH)) return 0;
    return capable(actor, CAP.DAC_OVERRIDE) ? 0 : -E.ACCES;
  }
  if (mask === MAY.READ && capable(actor, CAP.DAC_READ_SEARCH)) return 0;
  const executable = (mask & MAY.EXEC) === 0 || (inode.mode & 0o111) !== 0;
  return executable && capable(actor, CAP.DAC_OVERRIDE) ? 0 : -E.ACCES;
}

/** Owner, or CAP_FOWNER. */
export function ownerOrCapable(actor: Actor, inode: Inode): boolean {
  return actor === undefined || inode.uid === actor.fsuid || capable(actor, CAP.FOWNER);
}

/** 0 where the name may be taken out of its directory: write and search permission, sticky bit. */
export function mayDelete(actor: Actor, directory: Inode, victim: Dentry): number {
  const denied = permission(actor, directory, MAY.WRITE | MAY.EXEC);
  if (denied !== 0 || actor === undefined) return denied;
  if ((directory.mode & S.ISVTX) === 0) return 0;
  if (victim.inode.uid === actor.fsuid || directory.uid === actor.fsuid || capable(actor, CAP.FOWNER))
    return 0;
  return -E.PERM;
}

/** fs.protected_symlinks=1: a link in a sticky world-writable directory is followed only by its owner or the directory's. */
export function mayFollow(actor: Actor, directory: Inode, link: Inode): boolean {
  if (actor === undefined || link.uid === actor.fsuid) return true;
  if ((directory.mode & (S.ISVTX | 0o002)) !== (S.ISVTX | 0o002)) return true;
  return directory.uid === link.uid;
}

/** fs.protected_hardlinks=1: links are made by the owner, or to plain files that one may read and write. */
export function mayLink(actor: Actor, inode: Inode): boolean {
  if (ownerOrCapable(actor, inode)) return true;
  if (inode.type !== S.IFREG || (inode.mode & S.ISUID) !== 0) return false;
  if ((inode.mode & (S.ISGID | 0o010)) === (S.ISGID | 0o010)) return false;
  return permission(actor, inode, MAY.READ | MAY.WRITE) === 0;
}

/** fs.protected_regular=1, protected_fifos=1: O_CREAT on somebody else's file in a sticky world-writable directory. */
export function mayReopen(actor: Actor, directory: Inode, inode: Inode): boolean {
  if (actor === undefined || (directory.mode & S.ISVTX) === 0 || (directory.mode & 0o002) === 0) return true;
  if (inode.type !== S.IFREG && inode.type !== S.IFIFO) return true;
  return inode.uid === directory.uid || inode.uid === actor.fsuid;
}

/** Set-user-ID and set-group-ID bits that a write or a change of owner takes away. */
export function withoutPrivileges(actor: Actor, inode: Inode): number {
  if (inode.type !== S.IFREG || capable(actor, CAP.FSETID)) return inode.mode;
  const group = (inode.mode & 0o010) !== 0 ? S.ISGID : 0;
  return inode.mode & ~(S.ISUID | group);
}
