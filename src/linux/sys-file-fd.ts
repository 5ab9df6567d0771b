// Descriptors: dup, fcntl with its locks, flock, ioctl.
import { F, IOCTL, LOCK, O, SEEK } from './abi-file.ts';
import { CAP } from './abi-process.ts';
import { row } from './catalogue.ts';
import { readable, writable } from './devfs.ts';
import { E } from './errno.ts';
import type { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import { PipeFile } from './pipe.ts';
import { groupMembers } from './process.ts';
import { descriptorLimit, effectOn, fileOf, install } from './sys-file-common.ts';
import { closeDescriptor } from './sys-file-open.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { RegularFile, sealCommand } from './vfs-file.ts';
import { InodeLocks, type LockOwner, type RangeLock } from './vfs-locks.ts';
import { actorOf, capable } from './vfs-permission.ts';
import { PathFile, PlacedFile } from './vfs-placed.ts';
import { block, type SysResult } from './wait.ts';

function dup(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = task.process.files.get(args.int(0));
  return file === undefined ? -E.BADF : install(kernel, task, file, false);
}

function dupTo(kernel: Kernel, task: Task, from: number, to: number, cloexec: boolean): SysResult {
  const { files } = task.process;
  const file = files.get(from);
  if (file === undefined || to < 0 || to >= descriptorLimit(task)) return -E.BADF;
  const old = files.get(to);
  const resource = old?.resource();
  file.references++;
  closeDescriptor(kernel, task.process, to);
  files.put(to, file, cloexec);
  file.references--;
  if (resource !== undefined) kernel.effect(task, effectOn('CLOSE', resource), 0);
  return to;
}

function dup2(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [from, to] = [args.int(0), args.int(1)];
  if (from === to) return task.process.files.get(from) === undefined ? -E.BADF : to;
  return dupTo(kernel, task, from, to, false);
}
function dup3(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [from, to, flags] = [args.int(0), args.int(1), args.int(2)];
  if ((flags & ~O.CLOEXEC) !== 0 || from === to) return -E.INVAL;
  return dupTo(kernel, task, from, to, (flags & O.CLOEXEC) !== 0);
}

/** Status flags that F_SETFL changes. */
const SETTABLE = O.APPEND | O.NONBLOCK | O.DIRECT | O.NOATIME | O.ASYNC;
const FD_CLOEXEC = 1;

function fcntl(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [fd, command] = [args.int(0), args.int(1)];
  const slot = task.process.files.slots[fd];
  if (slot === undefined) return -E.BADF;
  const { file } = slot;
  const allowedOnPath: readonly number[] = [F.DUPFD, F.DUPFD_CLOEXEC, F.GETFD, F.SETFD, F.GETFL];
  if (file instanceof PathFile && !allowedOnPath.includes(command)) return -E.BADF;
  switch (command) {
    case F.DUPFD:
    case F.DUPFD_CLOEXEC: {
      const from = args.int(2);
      if (from < 0 || from >= descriptorLimit(task)) return -E.INVAL;
      return install(kernel, task, file, command === F.DUPFD_CLOEXEC, from);
    }
    case F.GETFD:
      return slot.cloexec ? FD_CLOEXEC : 0;
    case F.SETFD:
      slot.cloexec = (args.int(2) & FD_CLOEXEC) !== 0;
      return 0;
    case F.GETFL:
      return file.flags;
    case F.SETFL:
      file.flags = (file.flags & ~SETTABLE) | (args.int(2) & SETTABLE);
      return 0;
    case F.GETLK:
    case F.SETLK:
    case F.SETLKW:
    case F.OFD_GETLK:
    case F.OFD_SETLK:
    case F.OFD_SETLKW:
      return rangeLock(kernel, task, file, command, args.pointer(2));
    case F.SETPIPE_SZ:
      return file instanceof PipeFile
        ? file.resize(args.uint(2), capable(actorOf(task), CAP.SYS_RESOURCE))
        : -E.BADF;
    case F.GETPIPE_SZ:
      return file instanceof PipeFile ? file.pipe.capacity : -E.BADF;
    case F.ADD_SEALS:
    case F.GET_SEALS:
      return sealCommand(kernel, file, { command, argument: args.int(2) });
    default:
      return otherCommand(kernel, task, { file, command }, args);
  }
}

function setOwner(kernel: Kernel, file: OpenFile, owner: number): number {
  const exists = owner < 0 ? groupMembers(kernel, -owner).length > 0 : kernel.tasks.has(owner);
  if (owner !== 0 && !exists) return -E.SRCH;
  file.owner = owner;
  return 0;
}

/** Commands that change nothing here: owners of SIGIO, leases, hints. SIGIO is never sent, which is a cut. */
function otherCommand(
  kernel: Kernel,
  task: Task,
  { file, command }: { readonly file: OpenFile; readonly command: number },
  args: SysArgs,
): SysResult {
  const { space } = task.process;
  switch (command) {
    case F.GETOWN:
      return file.owner;
    case F.SETOWN:
      return setOwner(kernel, file, args.int(2));
    case F.GETSIG:
      return file.ownerSignal;
    case F.SETSIG:
      if (args.raw[2] > 64n) return -E.INVAL;
      file.ownerSignal = args.int(2);
      return 0;
    // struct f_owner_ex: type i32 (thread 0, process 1, group 2) | pid i32
    case F.SETOWN_EX: {
      const [type, id] = [space.read32(args.pointer(2)) | 0, space.read32(args.pointer(2) + 4) | 0];
      return type < 0 || type > 2 ? -E.INVAL : setOwner(kernel, file, type === 2 ? -id : id);
    }
    case F.GETOWN_EX:
      space.write32(args.pointer(2), file.owner < 0 ? 2 : 1);
      space.write32(args.pointer(2) + 4, Math.abs(file.owner));
      return 0;
    case F.GETLEASE:
      return LOCK.UNLCK;
    case F.SETLEASE:
    case F.NOTIFY:
      kernel.cutHere(task, {
        kind: 'syscall-option',
        what: `fcntl command ${command}`,
        consequence: 'answers EINVAL',
      });
      return -E.INVAL;
    case F.GET_RW_HINT:
      task.process.space.write64(args.pointer(2), 0n);
      return 0;
    case F.SET_RW_HINT:
      return 0;
    default:
      return -E.INVAL;
  }
}

/** struct flock: l_type, l_whence (16 bit), l_start, l_len (64 bit at 8 and 16), l_pid at 24. */
function rangeLock(kernel: Kernel, task: Task, file: OpenFile, command: number, address: number): SysResult {
  if (!(file instanceof PlacedFile)) return -E.INVAL;
  const { process } = task;
  const { space } = process;
  const ofd = command >= F.OFD_GETLK;
  const type = space.read16(address);
  const whence = space.read16(address + 2);
  const base =
    whence === SEEK.SET
      ? 0
      : whence === SEEK.CUR
        ? file.position
        : whence === SEEK.END
          ? file.inode.size
          : Number.NaN;
  let start = base + Number(BigInt.asIntN(64, space.read64(address + 8)));
  const length = Number(BigInt.asIntN(64, space.read64(address + 16)));
  if (Number.isNaN(start) || type > LOCK.UNLCK) return -E.INVAL;
  let end = length === 0 ? Number.POSITIVE_INFINITY : start + length;
  if (length < 0) [start, end] = [start + length, start];
  if (start < 0) return -E.INVAL;
  if (ofd && space.read32(address + 24) !== 0) return -E.INVAL;
  const owner: LockOwner = ofd ? file : process;
  const wanted: RangeLock = { owner, type, start, end };
  file.inode.locks ??= new InodeLocks();
  const { locks } = file.inode;
  locks.releaseDead();
  if (command === F.GETLK || command === F.OFD_GETLK)
    return tellConflict(task, address, locks.conflict(wanted));
  if (type === LOCK.RDLCK && !readable(file.flags)) return -E.BADF;
  if (type === LOCK.WRLCK && !writable(file.flags)) return -E.BADF;
  if (type === LOCK.UNLCK || locks.conflict(wanted) === undefined) {
    locks.set(wanted);
    return 0;
  }
  if (command === F.SETLK || command === F.OFD_SETLK) return -E.AGAIN;
  if (!ofd && deadlocks(kernel, task, locks.conflict(wanted))) return -E.DEADLK;
  task.restart = { ...task.restart, lock: true };
  return block([locks.queue], `lock ${file.name}`);
}

/** Whether the holder of a lock waits (through others) for this process. */
function deadlocks(kernel: Kernel, task: Task, held: RangeLock | undefined): boolean {
  const seen = new Set<LockOwner>();
  const waits = (owner: LockOwner): boolean => {
    if (owner === task.process) return true;
    if (seen.has(owner)) return false;
    seen.add(owner);
    for (const other of kernel.tasks.values()) {
      if (
        other.process !== owner ||
        other.state !== 'blocked' ||
        other.restart?.lock !== true ||
        other.wait === undefined
      )
        continue;
      for (const process of kernel.processes.values()) {
        for (const slot of process.files.slots) {
          const locks = slot?.file instanceof PlacedFile ? slot.file.inode.locks : undefined;
          if (
            locks !== undefined &&
            other.wait.queues.includes(locks.queue) &&
            locks.ranges.some((lock) => lock.owner !== owner && waits(lock.owner))
          )
            return true;
        }
      }
    }
    return false;
  };
  return held !== undefined && waits(held.owner);
}

function tellConflict(task: Task, address: number, held: RangeLock | undefined): SysResult {
  const { space } = task.process;
  if (held === undefined) {
    space.write16(address, LOCK.UNLCK);
    return 0;
  }
  space.write16(address, held.type);
  space.write16(address + 2, SEEK.SET);
  space.write64(address + 8, BigInt(held.start));
  space.write64(address + 16, held.end === Number.POSITIVE_INFINITY ? 0n : BigInt(held.end - held.start));
  space.write32(address + 24, 'pid' in held.owner ? held.owner.pid : 0xffffffff);
  return 0;
}

function flock(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = fileOf(task, args.int(0));
  const operation = args.int(1);
  if (file === undefined) return -E.BADF;
  const type = operation & ~LOCK.NB;
  if (type !== LOCK.SH && type !== LOCK.EX && type !== LOCK.UN) return -E.INVAL;
  if (!(file instanceof PlacedFile)) return type === LOCK.UN ? 0 : -E.BADF;
  file.inode.locks ??= new InodeLocks();
  const { locks } = file.inode;
  if (type === LOCK.UN) {
    locks.unlockWhole(file);
    return 0;
  }
  // Linux gives the old lock up before it tries for the new one.
  if (locks.whole.get(file) !== type) locks.unlockWhole(file);
  if (locks.lockWhole(file, type)) return 0;
  return (operation & LOCK.NB) !== 0 ? -E.AGAIN : block([locks.queue], `flock ${file.name}`);
}

function ioctl(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const slot = task.process.files.slots[args.int(0)];
  if (slot === undefined || slot.file instanceof PathFile) return -E.BADF;
  const { file } = slot;
  const request = args.uint(1);
  const argument = args.pointer(2);
  const { space } = task.process;
  switch (request) {
    case IOCTL.FIOCLEX:
      slot.cloexec = true;
      return 0;
    case IOCTL.FIONCLEX:
      slot.cloexec = false;
      return 0;
    case IOCTL.FIONBIO:
      file.flags = space.read32(argument) !== 0 ? file.flags | O.NONBLOCK : file.flags & ~O.NONBLOCK;
      return 0;
    case IOCTL.FIOASYNC:
      file.flags = space.read32(argument) !== 0 ? file.flags | O.ASYNC : file.flags & ~O.ASYNC;
      return 0;
    case IOCTL.FIONREAD:
      if (!(file instanceof RegularFile)) break;
      space.write32(argument, Math.max(0, file.inode.size - file.position));
      return 0;
    case IOCTL.FIOQSIZE:
      if (!(file instanceof RegularFile)) break;
      space.write64(argument, BigInt(file.inode.size));
      return 0;
    case IOCTL.FIGETBSZ:
      if (!(file instanceof RegularFile)) break;
      space.write32(argument, 4096);
      return 0;
    case IOCTL.FS_IOC_GETFLAGS:
      if (!(file instanceof PlacedFile)) break;
      space.write32(argument, 0);
      return 0;
    case IOCTL.FICLONE:
    case IOCTL.FICLONERANGE:
      return -E.OPNOTSUPP;
    default:
      break;
  }
  return file.ioctl(kernel, task, request, argument);
}

export const descriptorRows: readonly SyscallRow[] = [
  row('dup', dup),
  row('dup2', dup2),
  row('dup3', dup3),
  row('fcntl', fcntl, 'partial', 'no SIGIO, leases or directory notification'),
  row('flock', flock),
  row('ioctl', ioctl, 'partial', 'files, pipes, sockets, pseudo terminals'),
];
