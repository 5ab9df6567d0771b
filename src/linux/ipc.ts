// System V IPC objects: keys, identifiers, permissions (ipc/util.c). What the three families hold is in ipc-shm.ts,
// ipc-sem.ts and ipc-msg.ts. There is one IPC namespace, the container's.
import { CAP, capBit } from './abi-process.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import { realtime, SECOND } from './time.ts';

export const IPC = {
  PRIVATE: 0,
  CREAT: 0o1000,
  EXCL: 0o2000,
  NOWAIT: 0o4000,
  RMID: 0,
  SET: 1,
  STAT: 2,
  INFO: 3,
} as const;

/** Size of struct ipc64_perm. */
export const PERM_SIZE = 48;
/** An identifier is sequence << 15 | index (IPCMNI_SHIFT). */
const INDEX_BITS = 15;
/** Indices are taken in a circle of at least so many (ipc_min_cycle). */
const CYCLE = 64;

/** What all three kinds have: owner, creator, mode. `seconds` are of CLOCK_REALTIME. */
export abstract class IpcObject {
  id = 0;
  key: number;
  uid: number;
  gid: number;
  readonly cuid: number;
  readonly cgid: number;
  mode: number;
  ctime: bigint;
  removed = false;

  constructor(kernel: Kernel, task: Task, key: number, mode: number) {
    const { euid, egid } = task.process.credentials;
    this.key = key;
    this.uid = this.cuid = euid;
    this.gid = this.cgid = egid;
    this.mode = mode & 0o777;
    this.ctime = secondsNow(kernel);
  }

  get sequence(): number {
    return this.id >> INDEX_BITS;
  }
}

export const secondsNow = (kernel: Kernel): bigint => realtime(kernel) / SECOND;

/** 0 where the permission bits asked for (three equal triples, or one) are granted, else -EACCES. */
export function ipcPermission(task: Task, object: IpcObject, flags: number): number {
  const { euid, egid, groups, effective } = task.process.credentials;
  const wanted = ((flags >> 6) | (flags >> 3) | flags) & 7;
  const member = (gid: number): boolean => egid === gid || groups.includes(gid);
  let granted = object.mode;
  if (euid === object.cuid || euid === object.uid) granted >>= 6;
  else if (member(object.cgid) || member(object.gid)) granted >>= 3;
  if ((wanted & ~granted & 7) === 0 || (effective & capBit(CAP.IPC_OWNER)) !== 0n) return 0;
  return -E.ACCES;
}

/** Whether the task may change or remove the object. */
export function ipcOwner(task: Task, object: IpcObject): boolean {
  const { euid, effective } = task.process.credentials;
  return euid === object.cuid || euid === object.uid || (effective & capBit(CAP.SYS_ADMIN)) !== 0n;
}

/** The objects of one kind. */
export class IpcTable<T extends IpcObject> {
  private readonly slots = new Map<number, T>();
  private last = -1;
  private sequence = 0;

  /** In order of index. */
  all(): T[] {
    return [...this.slots.entries()].sort(([a], [b]) => a - b).map(([, object]) => object);
  }

  get count(): number {
    return this.slots.size;
  }

  /** Highest index in use; 0 where there is none (what IPC_INFO and SHM_INFO answer). */
  get highest(): number {
    return Math.max(0, ...this.slots.keys());
  }

  at(index: number): T | undefined {
    return this.slots.get(index);
  }

  /** A negative errno where there is no such identifier. */
  find(id: number): T | number {
    if (id < 0) return -E.INVAL;
    const object = this.slots.get(id % (1 << INDEX_BITS));
    return object === undefined || object.id !== id ? -E.INVAL : object;
  }

  byKey(key: number): T | undefined {
    for (const object of this.slots.values()) if (object.key === key) return object;
    return undefined;
  }

  /** Takes the object in and gives it its identifier. */
  add(object: T): number {
    const size = Math.max(CYCLE, Math.floor((this.slots.size * 3) / 2));
    let index = (this.last + 1) % size;
    while (this.slots.has(index)) index = (index + 1) % size;
    if (index <= this.last) this.sequence++;
    this.last = index;
    object.id = (this.sequence << INDEX_BITS) | index;
    this.slots.set(index, object);
    return object.id;
  }

  remove(object: T): void {
    object.removed = true;
    this.slots.delete(object.id % (1 << INDEX_BITS));
  }
}

/** What the `get` calls have in common: `make` answers a new object or a negative errno, `check` looks at a known one. */
export function ipcGet<T extends IpcObject>(
  task: Task,
  table: IpcTable<T>,
  wanted: { readonly key: number; readonly flags: number },
  rules: { readonly make: () => T | number; readonly check: (object: T) => number },
): number {
  const known = wanted.key === IPC.PRIVATE ? undefined : table.byKey(wanted.key);
  if (known === undefined) {
    if (wanted.key !== IPC.PRIVATE && (wanted.flags & IPC.CREAT) === 0) return -E.NOENT;
    const made = rules.make();
    return typeof made === 'number' ? made : table.add(made);
  }
  if ((wanted.flags & IPC.CREAT) !== 0 && (wanted.flags & IPC.EXCL) !== 0) return -E.EXIST;
  const failed = rules.check(known);
  if (failed !== 0) return failed;
  const denied = ipcPermission(task, known, wanted.flags);
  return denied !== 0 ? denied : known.id;
}

/**
 * struct ipc64_perm: key i32 | uid u32 | gid u32 | cuid u32 | cgid u32 | mode u32 | seq u16 | pad, two words.
 */
export function writePerm(view: DataView, object: IpcObject, mode = object.mode): void {
  view.setInt32(0, object.key, true);
  view.setUint32(4, object.uid, true);
  view.setUint32(8, object.gid, true);
  view.setUint32(12, object.cuid, true);
  view.setUint32(16, object.cgid, true);
  view.setUint32(20, mode, true);
  view.setUint16(24, object.sequence & 0xffff, true);
}

/** IPC_SET: takes uid, gid and the nine permission bits from a struct that begins with ipc64_perm. Throws MemoryFault. */
export function setPerm(kernel: Kernel, task: Task, object: IpcObject, address: number): void {
  const { space } = task.process;
  object.uid = space.read32(address + 4) >>> 0;
  object.gid = space.read32(address + 8) >>> 0;
  object.mode = (object.mode & ~0o777) | (space.read32(address + 20) & 0o777);
  object.ctime = secondsNow(kernel);
}
