// POSIX access control lists as extended attributes (linux/posix_acl_xattr.h, fs/posix_acl.c). A list that says no
// more than a mode becomes the mode, as in Linux. Others are kept and give the mode its bits; that their named users
// and groups decide nothing here is a cut of the caller's.
import { S } from './abi-file.ts';
import { CAP } from './abi-process.ts';
import { E } from './errno.ts';
import type { Inode } from './vfs-inode.ts';
import { type Actor, capable, inGroup, ownerOrCapable } from './vfs-permission.ts';
import { StoredSuperblock } from './vfs-tree.ts';

const ACCESS = 'system.posix_acl_access';
const DEFAULT = 'system.posix_acl_default';
const NO_ACL = new Uint8Array(0);

export const isAcl = (name: string): boolean => name === ACCESS || name === DEFAULT;

const TAG = { USER_OBJ: 1, USER: 2, GROUP_OBJ: 4, GROUP: 8, MASK: 0x10, OTHER: 0x20 } as const;
/** Entries stand in this order; named ones any number of times. */
const ORDER: readonly number[] = [TAG.USER_OBJ, TAG.USER, TAG.GROUP_OBJ, TAG.GROUP, TAG.MASK, TAG.OTHER];
const VERSION = 2;

interface AclEntry {
  readonly tag: number;
  /** rwx. */
  readonly permissions: number;
}

/** Whether files of this kind and file system have lists. */
export const hasAcls = (inode: Inode): boolean =>
  inode.superblock instanceof StoredSuperblock && inode.type !== S.IFLNK;

/** struct posix_acl_xattr_header, then { u16 tag, u16 permissions, u32 id }; no entries mean no list. */
function parse(value: Uint8Array): readonly AclEntry[] | number {
  if (value.length === 0) return [];
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (value.length < 4) return -E.INVAL;
  if (view.getUint32(0, true) !== VERSION) return -E.OPNOTSUPP;
  if ((value.length - 4) % 8 !== 0) return -E.INVAL;
  const entries: AclEntry[] = [];
  for (let at = 4; at < value.length; at += 8)
    entries.push({ tag: view.getUint16(at, true), permissions: view.getUint16(at + 2, true) });
  return isValid(entries) ? entries : -E.INVAL;
}

function isValid(entries: readonly AclEntry[]): boolean {
  if (entries.length === 0) return true;
  let before = -1;
  for (const { tag, permissions } of entries) {
    const place = ORDER.indexOf(tag);
    const mayRepeat = tag === TAG.USER || tag === TAG.GROUP;
    if (place < 0 || permissions > 7 || place < before || (place === before && !mayRepeat)) return false;
    before = place;
  }
  const has = (tag: number): boolean => entries.some((entry) => entry.tag === tag);
  const named = has(TAG.USER) || has(TAG.GROUP);
  return has(TAG.USER_OBJ) && has(TAG.GROUP_OBJ) && has(TAG.OTHER) && (!named || has(TAG.MASK));
}

/** Sets or, with an empty value, takes away a list: 0 or a negative errno; 'kept' where it is more than a mode. */
export function setAcl(actor: Actor, inode: Inode, name: string, value: Uint8Array): number | 'kept' {
  const entries = parse(value);
  if (typeof entries === 'number') return entries;
  if (!hasAcls(inode)) return -E.OPNOTSUPP;
  if (name === DEFAULT && inode.type !== S.IFDIR) return entries.length > 0 ? -E.ACCES : 0;
  if (!ownerOrCapable(actor, inode)) return -E.PERM;
  const isMode = entries.every(({ tag }) => tag !== TAG.USER && tag !== TAG.GROUP && tag !== TAG.MASK);
  if (name === ACCESS && entries.length > 0) inode.mode = modeOf(actor, inode, entries);
  if (entries.length === 0 || (name === ACCESS && isMode)) {
    inode.xattrs?.delete(name);
    return 0;
  }
  inode.xattrs ??= new Map();
  inode.xattrs.set(name, value);
  return 'kept';
}

export const removeAcl = (actor: Actor, inode: Inode, name: string): number | 'kept' =>
  setAcl(actor, inode, name, NO_ACL);

/** The mask, where there is one, stands for the group. */
function modeOf(actor: Actor, inode: Inode, entries: readonly AclEntry[]): number {
  const of = (tag: number): number | undefined => entries.find((entry) => entry.tag === tag)?.permissions;
  const group = of(TAG.MASK) ?? of(TAG.GROUP_OBJ) ?? 0;
  const bits = ((of(TAG.USER_OBJ) ?? 0) << 6) | (group << 3) | (of(TAG.OTHER) ?? 0);
  const kept = inGroup(actor, inode.gid) || capable(actor, CAP.FSETID) ? ~0o777 : ~(0o777 | S.ISGID);
  return (inode.mode & kept) | bits;
}
