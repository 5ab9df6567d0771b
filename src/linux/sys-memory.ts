// brk, mmap, munmap, mprotect, mremap (mm/mmap.c). Addresses are searched downwards from the layout's mmapTop.
import type { Resource } from '../effect/index.ts';
import { ADDRESS_LIMIT, type Backing, PAGE_SIZE, PROT, type Region } from '../machine/index.ts';
import { SEAL } from './abi-file.ts';
import { RLIMIT } from './abi-process.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import { addMark, clearMarks, isMarked, mayMapLocked, moveMarks } from './memory-marks.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Process, Task } from './task.ts';
import { RegularFile } from './vfs-file.ts';
import type { SysResult } from './wait.ts';

const MAP = {
  SHARED: 1,
  PRIVATE: 2,
  SHARED_VALIDATE: 3,
  TYPE: 15,
  FIXED: 0x10,
  ANONYMOUS: 0x20,
  BIT32: 0x40,
  GROWSDOWN: 0x100,
  LOCKED: 0x2000,
  POPULATE: 0x8000,
  HUGETLB: 0x40000,
  FIXED_NOREPLACE: 0x100000,
} as const;
/** Flags that MAP_SHARED_VALIDATE knows (LEGACY_MAP_MASK). */
const LEGACY_FLAGS = 0x7f973 | (0x3f << 26);
/** Bytes that a file can have (s_maxbytes of ext4 with pages for blocks). */
const LARGEST_FILE = 0xffff_ffff * 4096;
const PROT_GROWSDOWN = 0x01000000;
const PROT_GROWSUP = 0x02000000;
const MREMAP = { MAYMOVE: 1, FIXED: 2, DONTUNMAP: 4 } as const;
/** vm.mmap_min_addr and vm.max_map_count. */
const LOWEST = 0x1_0000;
const REGION_LIMIT = 65530;
/** Last page of user space stays free. */
const HIGHEST = ADDRESS_LIMIT - PAGE_SIZE;

const pageUp = (length: number): number => Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
/** PAGE_ALIGN of an argument: what is nearly 2^64 becomes 0. */
export const pagesOf = (args: SysArgs, i: number): number => {
  const aligned = BigInt.asUintN(64, args.long(i) + BigInt(PAGE_SIZE - 1)) & ~BigInt(PAGE_SIZE - 1);
  return aligned > BigInt(2 * ADDRESS_LIMIT) ? 2 * ADDRESS_LIMIT : Number(aligned);
};
const isPage = (address: number): boolean => address % PAGE_SIZE === 0;

const isFree = (process: Process, address: number, length: number): boolean =>
  process.space.findFree(length, address + length) === address;

/** Whether `more` bytes fit RLIMIT_AS. */
function fitsLimit(process: Process, more: number): boolean {
  const limit = process.rlimits[RLIMIT.AS][0];
  if (limit > BigInt(ADDRESS_LIMIT)) return true;
  const used = process.space.regions().reduce((sum, region) => sum + (region.end - region.start), 0);
  return BigInt(used + more) <= limit;
}

function brk(_kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  const wanted = args.pointer(0);
  if (wanted < process.brkStart || wanted > HIGHEST) return process.brk;
  const oldEnd = pageUp(process.brk);
  const newEnd = pageUp(wanted);
  if (newEnd > oldEnd) {
    const limit = process.rlimits[RLIMIT.DATA][0];
    if (BigInt(wanted - process.brkStart) > limit || !fitsLimit(process, newEnd - oldEnd)) return process.brk;
    if (!isFree(process, oldEnd, newEnd - oldEnd)) return process.brk;
    process.space.map({
      address: oldEnd,
      length: newEnd - oldEnd,
      prot: PROT.READ | PROT.WRITE,
      name: '[heap]',
    });
  } else if (newEnd < oldEnd) {
    process.space.unmap(newEnd, oldEnd - newEnd);
  }
  process.brk = wanted;
  return wanted;
}

interface Mapping {
  readonly length: number;
  readonly prot: number;
  readonly flags: number;
  readonly offset: number;
}

function mmap(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const flags = args.int(3);
  const anonymous = (flags & MAP.ANONYMOUS) !== 0;
  const file = anonymous ? undefined : task.process.files.get(args.int(4));
  if ((args.long(5) & BigInt(PAGE_SIZE - 1)) !== 0n) return -E.INVAL;
  if (!anonymous && file === undefined) return -E.BADF;
  if (args.size(1) === 0) return -E.INVAL;
  const mapping = { length: pagesOf(args, 1), prot: args.int(2) & 7, flags, offset: args.size(5) };
  const result = place(kernel, task, args.pointer(0), mapping, file);
  if (file !== undefined)
    kernel.effect(task, { op: 'MMAP', resource: file.resource(), access: letters(mapping) }, result);
  return result;
}

/** `w` only where writes reach the file. */
function letters({ prot, flags }: Mapping): string {
  const shared = (flags & MAP.TYPE) !== MAP.PRIVATE;
  return `${(prot & PROT.READ) !== 0 ? 'r' : ''}${(prot & PROT.WRITE) !== 0 && shared ? 'w' : ''}${(prot & PROT.EXEC) !== 0 ? 'x' : ''}`;
}

/** The address of the mapping, or a negative errno. */
function place(
  kernel: Kernel,
  task: Task,
  hint: number,
  mapping: Mapping,
  file: OpenFile | undefined,
): number {
  const { process } = task;
  const { length, flags, offset } = mapping;
  const type = flags & MAP.TYPE;
  if (
    length === 0 ||
    length > HIGHEST ||
    (flags & (MAP.HUGETLB | MAP.ANONYMOUS)) === (MAP.HUGETLB | MAP.ANONYMOUS)
  )
    return -E.NOMEM;
  if (process.space.regions().length >= REGION_LIMIT) return -E.NOMEM;
  const address = chooseAddress(kernel, process, hint, mapping);
  if (address < 0) return address;
  const unlocked = (flags & MAP.LOCKED) === 0 ? 0 : mayMapLocked(task, length);
  if (unlocked !== 0) return unlocked;
  const backing = file === undefined ? typeError(flags) : backingFor(file, mapping);
  if (typeof backing === 'number') return backing;
  if (!fitsLimit(process, length)) return -E.NOMEM;
  const unnamed = type === MAP.PRIVATE ? '' : '/dev/zero (deleted)';
  const name = file === undefined ? unnamed : nameOf(file.resource());
  clearMarks(process, address, address + length);
  process.space.map({
    address,
    length,
    prot: mapping.prot,
    offset: file === undefined ? 0 : offset,
    shared: type !== MAP.PRIVATE,
    name,
    ...(backing === undefined ? {} : { backing }),
  });
  if (file !== undefined && type !== MAP.PRIVATE && !mayBecomeWritable(file))
    addMark(process, { start: address, end: address + length, kind: 'unwritable' });
  if ((flags & MAP.LOCKED) !== 0) addMark(process, { start: address, end: address + length, kind: 'locked' });
  if ((flags & (MAP.LOCKED | MAP.POPULATE)) !== 0) populate(process, address, address + length);
  if ((flags & MAP.GROWSDOWN) !== 0) process.growing.push(address + length);
  return address;
}

/** Anonymous memory is shared or private, nothing else. */
const typeError = (flags: number): undefined | number =>
  [MAP.SHARED, MAP.PRIVATE].some((type) => type === (flags & MAP.TYPE)) ? undefined : -E.INVAL;

/** In the order in which Linux looks (do_mmap). */
function backingFor(file: OpenFile, { prot, flags, offset, length }: Mapping): Backing | number {
  const access = file.flags & 3;
  const type = flags & MAP.TYPE;
  const shared = type !== MAP.PRIVATE;
  if (offset + length > LARGEST_FILE && file instanceof RegularFile) return -E.OVERFLOW;
  if (type < MAP.SHARED || type > MAP.SHARED_VALIDATE) return -E.INVAL;
  if (type === MAP.SHARED_VALIDATE && (flags & ~LEGACY_FLAGS) !== 0) return -E.OPNOTSUPP;
  if (access === 1 || (shared && (prot & PROT.WRITE) !== 0 && access !== 2)) return -E.ACCES;
  if (shared && (prot & PROT.WRITE) !== 0 && isWriteSealed(file)) return -E.PERM;
  return file.backing() ?? -E.NODEV;
}

const isWriteSealed = (file: OpenFile): boolean =>
  file instanceof RegularFile && ((file.inode.seals ?? 0) & (SEAL.WRITE | SEAL.FUTURE_WRITE)) !== 0;

const mayBecomeWritable = (file: OpenFile): boolean => (file.flags & 3) === 2 && !isWriteSealed(file);

const nameOf = (resource: Resource): string => (resource.kind === 'file' ? resource.path : '');

function chooseAddress(kernel: Kernel, process: Process, hint: number, { length, flags }: Mapping): number {
  if ((flags & (MAP.FIXED | MAP.FIXED_NOREPLACE)) !== 0) {
    if (hint + length > HIGHEST) return -E.NOMEM;
    if (!isPage(hint)) return -E.INVAL;
    if (hint < LOWEST) return -E.PERM;
    if ((flags & MAP.FIXED_NOREPLACE) !== 0 && !isFree(process, hint, length)) return -E.EXIST;
    return hint;
  }
  const wanted = hint === 0 ? 0 : Math.max(hint - (hint % PAGE_SIZE), LOWEST);
  if (wanted >= LOWEST && wanted + length <= HIGHEST && isFree(process, wanted, length)) return wanted;
  const top = (flags & MAP.BIT32) !== 0 ? 0x8000_0000 : kernel.layout.mmapTop;
  return process.space.findFree(length, top) ?? -E.NOMEM;
}

function drop(process: Process, address: number, length: number): void {
  process.space.unmap(address, length);
  clearMarks(process, address, address + length);
}

function munmap(_kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  const address = args.pointer(0);
  const length = pagesOf(args, 1);
  if (!isPage(address) || length === 0 || address + length > ADDRESS_LIMIT) return -E.INVAL;
  drop(process, address, length);
  process.growing = process.growing.filter((end) => end <= address || end > address + length);
  return 0;
}

/**
 * Pages are brought in at once, which shows in private pages of files only: they are copies from now on, where they may be
 * written, and what others write to the file is not seen there.
 */
export function populate({ space }: Process, start: number, end: number): void {
  for (const region of space.regions()) {
    const { backing, prot, offset } = region;
    if (region.end <= start || region.start >= end) continue;
    if (backing === undefined || region.shared || (prot & PROT.WRITE) === 0) continue;
    const reached = Math.min(end, region.end, region.start + pageUp(backing.size) - offset);
    for (let at = Math.max(start, region.start); at < reached; at += PAGE_SIZE)
      space.write8(at, space.read8(at));
  }
}

/** Regions that a range meets, lowest first; undefined where a part of it is not mapped. */
export function regionsIn(process: Process, start: number, end: number): Region[] | undefined {
  const out: Region[] = [];
  for (let at = start; at < end; ) {
    const region = process.space.find(at);
    if (region === undefined) return undefined;
    out.push(region);
    at = region.end;
  }
  return out;
}

/** Region by region, so that what lies before a hole (ENOMEM) or a read-only file (EACCES) is changed. */
function protect(process: Process, address: number, length: number, prot: number): number {
  const { space } = process;
  const whole = regionsIn(process, address, address + length) !== undefined;
  if (whole && process.marks.length === 0) return space.protect(address, length, prot) ? 0 : -E.NOMEM;
  for (let at = address; at < address + length; ) {
    const region = space.find(at);
    if (region === undefined) return -E.NOMEM;
    const end = Math.min(region.end, address + length);
    if (region.shared && (prot & PROT.WRITE) !== 0 && isMarked(process, at, end, 'unwritable'))
      return -E.ACCES;
    space.protect(at, end - at, prot);
    at = end;
  }
  return 0;
}

function mprotect(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { process } = task;
  const flags = args.int(2);
  let address = args.pointer(0);
  let length = pagesOf(args, 1);
  if (!isPage(address)) return -E.INVAL;
  if (args.size(1) === 0) return 0;
  if (length === 0) return -E.NOMEM;
  if ((flags & ~(7 | PROT_GROWSDOWN | PROT_GROWSUP)) !== 0) return -E.INVAL;
  if ((flags & PROT_GROWSDOWN) !== 0) {
    const region = process.space.find(address);
    if (region === undefined || !process.growing.includes(region.end)) return -E.INVAL;
    length += address - region.start;
    address = region.start;
  }
  const prot = flags & 7;
  const result = protect(process, address, length, prot);
  if ((prot & PROT.EXEC) !== 0)
    kernel.effect(task, { op: 'MPROTECT', resource: { kind: 'none' }, access: '' }, result);
  return result;
}

function mremap(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { process } = task;
  const { space } = process;
  const from = args.pointer(0);
  const oldLength = pagesOf(args, 1);
  const newLength = pagesOf(args, 2);
  const flags = args.int(3);
  const fixed = (flags & MREMAP.FIXED) !== 0;
  if (!isPage(from) || newLength === 0 || (flags & ~7) !== 0 || (fixed && (flags & MREMAP.MAYMOVE) === 0))
    return -E.INVAL;
  const keeps = (flags & MREMAP.DONTUNMAP) !== 0;
  if (keeps && ((flags & MREMAP.MAYMOVE) === 0 || oldLength !== newLength)) return -E.INVAL;
  if (oldLength === 0 || keeps)
    return copyOrKeep(kernel, task, { from, oldLength, newLength, to: fixed ? args.pointer(4) : undefined });
  const region = space.find(from);
  if (region === undefined) return -E.FAULT;
  if (fixed) return moveTo(task, { from, oldLength, newLength, to: args.pointer(4) });
  if (newLength <= oldLength) {
    if (newLength < oldLength) drop(process, from + newLength, oldLength - newLength);
    return from;
  }
  if (region.end < from + oldLength) return -E.FAULT;
  if (isMarked(process, from, region.end, 'locked')) {
    const refused = mayMapLocked(task, newLength - oldLength);
    if (refused !== 0) return refused;
  }
  if (!fitsLimit(process, newLength - oldLength)) return -E.NOMEM;
  if (
    region.end === from + oldLength &&
    from + newLength <= HIGHEST &&
    isFree(process, from + oldLength, newLength - oldLength)
  ) {
    extend(process, region, from + oldLength, newLength - oldLength);
    return from;
  }
  if ((flags & MREMAP.MAYMOVE) === 0) return -E.NOMEM;
  const to = space.findFree(newLength, kernel.layout.mmapTop);
  if (to === undefined) return -E.NOMEM;
  space.move(from, oldLength, to);
  moveMarks(process, from, oldLength, to);
  extend(
    process,
    { ...region, offset: region.offset + (from - region.start), start: to, end: to + oldLength },
    to + oldLength,
    newLength - oldLength,
  );
  return to;
}

/** Length 0: a second mapping of shared memory. MREMAP_DONTUNMAP: the pages move, an empty mapping stays. */
function copyOrKeep(
  kernel: Kernel,
  { process }: Task,
  move: {
    readonly from: number;
    readonly oldLength: number;
    readonly newLength: number;
    readonly to: number | undefined;
  },
): number {
  const { space } = process;
  const { from, oldLength, newLength } = move;
  const region = space.find(from);
  if (region === undefined || region.end < from + oldLength) return -E.FAULT;
  if (oldLength === 0 && !region.shared) return -E.INVAL;
  const to = move.to ?? space.findFree(newLength, kernel.layout.mmapTop);
  if (to === undefined) return -E.NOMEM;
  if (!isPage(to) || to + newLength > HIGHEST || (to < from + oldLength && from < to + newLength))
    return -E.INVAL;
  const at = oldLength === 0 ? to : from;
  space.unmap(to, newLength);
  clearMarks(process, to, to + newLength);
  if (oldLength > 0) {
    space.move(from, oldLength, to);
    moveMarks(process, from, oldLength, to);
  }
  extend(
    process,
    { ...region, offset: region.offset + (from - region.start), start: at, end: at },
    at,
    newLength,
  );
  return to;
}

/** Maps more of what a region maps, behind it. */
function extend(process: Process, region: Region, at: number, length: number): void {
  const { prot, shared, name, backing } = region;
  process.space.map({
    address: at,
    length,
    prot,
    shared,
    name,
    offset: region.offset + (at - region.start),
    ...(backing === undefined ? {} : { backing }),
  });
}

function moveTo(
  task: Task,
  move: {
    readonly from: number;
    readonly oldLength: number;
    readonly newLength: number;
    readonly to: number;
  },
): number {
  const { process } = task;
  const { from, newLength, to } = move;
  if (!isPage(to) || to + newLength > HIGHEST || (to < from + move.oldLength && from < to + newLength))
    return -E.INVAL;
  if (to < LOWEST) return -E.PERM;
  const region = process.space.find(from);
  if (region === undefined || region.end < from + Math.min(move.oldLength, newLength)) return -E.FAULT;
  process.space.unmap(to, newLength);
  if (newLength < move.oldLength) drop(process, from + newLength, move.oldLength - newLength);
  const moved = Math.min(move.oldLength, newLength);
  process.space.move(from, moved, to);
  moveMarks(process, from, moved, to);
  if (newLength > moved) {
    extend(
      process,
      { ...region, offset: region.offset + (from - region.start), start: to, end: to + moved },
      to + moved,
      newLength - moved,
    );
  }
  return to;
}

export const memoryRows: readonly SyscallRow[] = [
  row('brk', brk),
  row('mmap', mmap, 'partial', 'no huge pages, as where none are reserved; no commit accounting'),
  row('munmap', munmap),
  row('mprotect', mprotect),
  row(
    'pkey_mprotect',
    (kernel, task, args) => (args.int(3) === -1 ? mprotect(kernel, task, args) : -E.INVAL),
    'partial',
    'the processor has no protection keys: key -1 only',
  ),
  row('mremap', mremap),
];
