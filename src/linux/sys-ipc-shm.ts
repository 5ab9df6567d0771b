// shmget, shmat, shmdt, shmctl (ipc/shm.c).
import { ADDRESS_LIMIT, PAGE_SIZE, PROT } from '../machine/index.ts';
import { CAP, capBit } from './abi-process.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import { IPC, ipcGet, ipcOwner, ipcPermission, secondsNow, setPerm, writePerm } from './ipc.ts';
import { ShmSegment } from './ipc-shm.ts';
import type { Kernel } from './kernel.ts';
import { addMark, clearMarks } from './memory-marks.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import type { SysResult } from './wait.ts';

const SHM = {
  HUGETLB: 0o4000,
  RDONLY: 0o10000,
  RND: 0o20000,
  REMAP: 0o40000,
  EXEC: 0o100000,
  LOCK: 11,
  UNLOCK: 12,
  STAT: 13,
  INFO: 14,
  STAT_ANY: 15,
} as const;
const SHM_DEST = 0o1000;
const SHM_LOCKED = 0o2000;
/** kernel.shmmni; kernel.shmmax and shmall are without bound. */
const SEGMENT_LIMIT = 4096;
const UNBOUNDED = 18446744073692774399n;

const pageUp = (length: number): number => Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;

/** CAP_IPC_LOCK, or a member of the group of vm.hugetlb_shm_group, which is 0. */
function mayHugePages(task: Task): boolean {
  const { egid, groups, effective } = task.process.credentials;
  return (effective & capBit(CAP.IPC_LOCK)) !== 0n || egid === 0 || groups.includes(0);
}

function shmget(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const table = kernel.ipc.shm;
  const [key, size, flags] = [args.int(0), args.size(1), args.int(2)];
  table.sweep(kernel);
  return ipcGet(
    task,
    table,
    { key, flags },
    {
      make: () => {
        if (size < 1) return -E.INVAL;
        if ((flags & SHM.HUGETLB) !== 0) return mayHugePages(task) ? -E.NOMEM : -E.PERM;
        if (table.count >= SEGMENT_LIMIT) return -E.NOSPC;
        return size > ADDRESS_LIMIT ? -E.NOMEM : new ShmSegment(kernel, task, { key, size, mode: flags });
      },
      check: (segment) => (segment.size < size ? -E.INVAL : 0),
    },
  );
}

function shmat(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space } = task.process;
  const flags = args.int(2);
  if (args.int(0) < 0) return -E.INVAL;
  let address = args.pointer(1);
  if (address % PAGE_SIZE !== 0) {
    if ((flags & SHM.RND) === 0) return -E.INVAL;
    address -= address % PAGE_SIZE;
  }
  if (address === 0 && (flags & SHM.REMAP) !== 0) return -E.INVAL;
  kernel.ipc.shm.sweep(kernel);
  const segment = kernel.ipc.shm.find(args.int(0));
  if (typeof segment === 'number') return segment;
  const readOnly = (flags & SHM.RDONLY) !== 0;
  const execute = (flags & SHM.EXEC) !== 0;
  const denied = ipcPermission(task, segment, (readOnly ? 0o444 : 0o666) | (execute ? 0o111 : 0));
  if (denied !== 0) return denied;
  const length = pageUp(segment.size);
  const at = address === 0 ? space.findFree(length, kernel.layout.mmapTop) : address;
  if (at === undefined) return -E.NOMEM;
  if (at + length >= ADDRESS_LIMIT) return -E.INVAL;
  if (address !== 0 && (flags & SHM.REMAP) === 0 && space.findFree(length, at + length) !== at)
    return -E.INVAL;
  space.map({
    address: at,
    length,
    prot: PROT.READ | (readOnly ? 0 : PROT.WRITE) | (execute ? PROT.EXEC : 0),
    backing: segment.inode,
    shared: true,
    name: `/SYSV${(segment.key >>> 0).toString(16).padStart(8, '0')} (deleted)`,
  });
  clearMarks(task.process, at, at + length);
  if (readOnly) addMark(task.process, { start: at, end: at + length, kind: 'unwritable' });
  segment.atime = secondsNow(kernel);
  segment.lpid = task.process.pid;
  return at;
}

/** Takes away what is mapped of the segment whose mapping began at the address. */
function shmdt(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space, pid } = task.process;
  const address = args.pointer(0);
  if (address % PAGE_SIZE !== 0) return -E.INVAL;
  const regions = space.regions();
  const first = regions.find((region) => region.start >= address && region.start - region.offset === address);
  const segment = kernel.ipc.shm.all().find(({ inode }) => inode === first?.backing);
  if (segment === undefined) return -E.INVAL;
  for (const region of regions)
    if (region.backing === segment.inode && region.start - region.offset === address) {
      space.unmap(region.start, region.end - region.start);
      clearMarks(task.process, region.start, region.end);
    }
  segment.dtime = secondsNow(kernel);
  segment.lpid = pid;
  kernel.ipc.shm.sweep(kernel);
  return 0;
}

/**
 * struct shmid64_ds, 112 bytes: perm 48 | segsz u64 | atime i64 | dtime i64 | ctime i64 | cpid i32 | lpid i32 | nattch u64.
 */
function writeSegment(kernel: Kernel, task: Task, segment: ShmSegment, address: number): void {
  const bytes = new Uint8Array(112);
  const view = new DataView(bytes.buffer);
  writePerm(
    view,
    segment,
    segment.mode | (segment.doomed ? SHM_DEST : 0) | (segment.locked ? SHM_LOCKED : 0),
  );
  view.setBigUint64(48, BigInt(segment.size), true);
  view.setBigInt64(56, segment.atime, true);
  view.setBigInt64(64, segment.dtime, true);
  view.setBigInt64(72, segment.ctime, true);
  view.setInt32(80, segment.cpid, true);
  view.setInt32(84, segment.lpid, true);
  view.setBigUint64(88, BigInt(kernel.ipc.shm.attached(kernel, segment)), true);
  task.process.space.write(address, bytes);
}

function shmctl(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const table = kernel.ipc.shm;
  const [id, command, address] = [args.int(0), args.int(1), args.pointer(2)];
  if (id < 0 || command < 0) return -E.INVAL;
  table.sweep(kernel);
  if (command === IPC.INFO || command === SHM.INFO) return information(kernel, task, command, address);
  const byIndex = command === SHM.STAT || command === SHM.STAT_ANY;
  const segment = byIndex ? (table.at(id) ?? -E.INVAL) : table.find(id);
  if (typeof segment === 'number') return segment;
  switch (command) {
    case IPC.STAT:
    case SHM.STAT:
    case SHM.STAT_ANY: {
      const denied = command === SHM.STAT_ANY ? 0 : ipcPermission(task, segment, 0o444);
      if (denied !== 0) return denied;
      writeSegment(kernel, task, segment, address);
      return byIndex ? segment.id : 0;
    }
    case IPC.SET:
      if (!ipcOwner(task, segment)) return -E.PERM;
      setPerm(kernel, task, segment, address);
      return 0;
    case IPC.RMID:
      if (!ipcOwner(task, segment)) return -E.PERM;
      if (table.attached(kernel, segment) === 0) table.destroy(segment);
      else {
        segment.doomed = true;
        segment.key = IPC.PRIVATE;
      }
      return 0;
    case SHM.LOCK:
    case SHM.UNLOCK:
      return lock(task, segment, command === SHM.LOCK);
    default:
      return -E.INVAL;
  }
}

function lock(task: Task, segment: ShmSegment, on: boolean): number {
  const { euid, effective } = task.process.credentials;
  const owner = euid === segment.uid || euid === segment.cuid;
  if (!owner && (effective & capBit(CAP.IPC_LOCK)) === 0n) return -E.PERM;
  segment.locked = on;
  return 0;
}

/** IPC_INFO: struct shminfo64 (max, min, mni, seg, all); SHM_INFO: struct shm_info (used u32, pages, resident …). */
function information(kernel: Kernel, task: Task, command: number, address: number): number {
  const table = kernel.ipc.shm;
  const limits = command === IPC.INFO;
  const bytes = new Uint8Array(limits ? 72 : 48);
  const view = new DataView(bytes.buffer);
  const words = limits
    ? [UNBOUNDED, 1n, BigInt(SEGMENT_LIMIT), BigInt(SEGMENT_LIMIT), UNBOUNDED]
    : [BigInt(table.count), pagesOf(table.all())];
  words.forEach((word, i) => {
    view.setBigUint64(8 * i, word, true);
  });
  task.process.space.write(address, bytes);
  return table.highest;
}

const pagesOf = (segments: readonly ShmSegment[]): bigint =>
  BigInt(segments.reduce((sum, { size }) => sum + pageUp(size) / PAGE_SIZE, 0));

export const shmRows: readonly SyscallRow[] = [
  row('shmget', shmget, 'partial', 'no huge pages'),
  row('shmat', shmat),
  row('shmdt', shmdt),
  row('shmctl', shmctl, 'partial', 'the end of a process does not count as its last detach time'),
];
