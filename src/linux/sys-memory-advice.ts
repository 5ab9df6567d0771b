// madvise, msync, mincore, mlock and relatives: mostly advice that changes nothing a program can see.
import { ADDRESS_LIMIT, PAGE_SIZE, PROT, type Region } from '../machine/index.ts';
import { RLIMIT } from './abi-process.ts';
import { refused, row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { addMark, clearMarks, isMarked, lockedBytes, mayLock } from './memory-marks.ts';
import { pagesOf, populate, regionsIn } from './sys-memory.ts';
import type { SysArgs, SyscallHandler, SyscallRow } from './syscall.ts';
import type { Process, Task } from './task.ts';
import type { SysResult } from './wait.ts';

const MADV = {
  DONTNEED: 4,
  FREE: 8,
  REMOVE: 9,
  DONTFORK: 10,
  DOFORK: 11,
  WIPEONFORK: 18,
  COLD: 20,
  PAGEOUT: 21,
  KEEPONFORK: 19,
  POPULATE_READ: 22,
  POPULATE_WRITE: 23,
  DONTNEED_LOCKED: 24,
} as const;
const ACTIVE_ADVICE: ReadonlySet<number> = new Set(Object.values(MADV));
/** Advice without an effect that a program can see; page merging (12, 13) is not built into every kernel. */
const IDLE_ADVICE: ReadonlySet<number> = new Set([0, 1, 2, 3, 14, 15, 16, 17, 25]);

const pageUp = (length: number): number => Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;

function madvise(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { process } = task;
  const address = args.pointer(0);
  const length = pagesOf(args, 1);
  const advice = args.int(2);
  if (address % PAGE_SIZE !== 0) return -E.INVAL;
  if (!IDLE_ADVICE.has(advice) && !ACTIVE_ADVICE.has(advice)) {
    if (advice === 100 || advice === 101) return -E.PERM; // MADV_HWPOISON, MADV_SOFT_OFFLINE
    return -E.INVAL;
  }
  if (length === 0) return args.size(1) === 0 ? 0 : -E.INVAL;
  // Holes are stepped over, and told in the end.
  let at = address;
  let holes = false;
  for (const region of process.space.regions()) {
    if (region.end <= at) continue;
    if (region.start >= address + length) break;
    holes ||= region.start > at;
    const start = Math.max(region.start, address);
    at = Math.min(region.end, address + length);
    // To bring pages in is one walk that ends at a hole.
    if (holes && (advice === MADV.POPULATE_READ || advice === MADV.POPULATE_WRITE)) return -E.NOMEM;
    const failed = advise(process, region, { start, end: at }, advice);
    if (failed !== 0) return failed;
  }
  return holes || at < address + length ? -E.NOMEM : 0;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** One mapping, or a part of it. */
function advise(process: Process, region: Region, { start, end }: Range, advice: number): number {
  const { space } = process;
  const anonymous = !region.shared && region.backing === undefined;
  switch (advice) {
    case MADV.DONTNEED:
      if (isMarked(process, start, end, 'locked')) return -E.INVAL;
      space.discard(start, end - start);
      return 0;
    case MADV.DONTNEED_LOCKED:
      space.discard(start, end - start);
      return 0;
    case MADV.FREE:
      return anonymous && !isMarked(process, start, end, 'locked') ? 0 : -E.INVAL;
    case MADV.REMOVE:
      if (anonymous || isMarked(process, start, end, 'locked')) return -E.INVAL;
      if (!region.shared || (region.prot & PROT.WRITE) === 0) return -E.ACCES;
      for (let at = start; at < end; at += PAGE_SIZE) space.write(at, new Uint8Array(PAGE_SIZE));
      return 0;
    case MADV.COLD:
    case MADV.PAGEOUT:
      return isMarked(process, start, end, 'locked') ? -E.INVAL : 0;
    case MADV.POPULATE_READ:
    case MADV.POPULATE_WRITE: {
      const right = advice === MADV.POPULATE_READ ? PROT.READ : PROT.WRITE;
      if ((region.prot & right) === 0) return -E.INVAL;
      if (beyondEnd(region, end)) return -E.FAULT;
      if (advice === MADV.POPULATE_WRITE) populate(process, start, end);
      return 0;
    }
    case MADV.WIPEONFORK:
      if (!anonymous) return -E.INVAL;
      addMark(process, { start, end, kind: 'wiped' });
      return 0;
    case MADV.KEEPONFORK:
      clearMarks(process, start, end, 'wiped');
      return 0;
    case MADV.DONTFORK:
      addMark(process, { start, end, kind: 'uncopied' });
      return 0;
    case MADV.DOFORK:
      clearMarks(process, start, end, 'uncopied');
      return 0;
    default:
      return 0;
  }
}

function msync(kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  const address = args.pointer(0);
  const length = pagesOf(args, 1);
  const flags = args.int(2);
  if (address % PAGE_SIZE !== 0 || (flags & ~7) !== 0 || (flags & 5) === 5) return -E.INVAL;
  const regions = regionsIn(process, address, address + length);
  if ((flags & 2) !== 0 && lockedBytes(process, address, address + length) > 0) return -E.BUSY;
  if (regions === undefined) return -E.NOMEM;
  for (const region of regions)
    if (region.shared && region.backing !== undefined) kernel.machine.memory.sync(region.backing);
  return 0;
}

function mincore(_kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  const address = args.pointer(0);
  const length = pagesOf(args, 1);
  if (address % PAGE_SIZE !== 0) return -E.INVAL;
  if (address + args.size(1) > ADDRESS_LIMIT || regionsIn(process, address, address + length) === undefined)
    return -E.NOMEM;
  const pages = length / PAGE_SIZE;
  for (let done = 0; done < pages; done += PAGE_SIZE) {
    process.space.write(args.pointer(2) + done, new Uint8Array(Math.min(PAGE_SIZE, pages - done)).fill(1));
  }
  return 0;
}

/** Marks page by page what there is up to a hole, as Linux does before it tells of the hole. */
function lock({ process }: Task, start: number, end: number, locked: boolean): number {
  const { space } = process;
  for (let at = start; at < end; ) {
    const region = space.find(at);
    if (region === undefined) return -E.NOMEM;
    const until = Math.min(region.end, end);
    if (locked) addMark(process, { start: at, end: until, kind: 'locked' });
    else clearMarks(process, at, until, 'locked');
    at = until;
  }
  return 0;
}

function rangeOf(args: SysArgs): { readonly start: number; readonly end: number } {
  const start = args.pointer(0) - (args.pointer(0) % PAGE_SIZE);
  const bytes = BigInt.asUintN(64, args.long(1) + BigInt(args.pointer(0) - start) + BigInt(PAGE_SIZE - 1));
  return { start, end: start + (Number(bytes) - (Number(bytes) % PAGE_SIZE)) };
}

function mlock(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  return lockRange(task, args, true);
}

/** MLOCK_ONFAULT: pages are locked as they come. */
function mlock2(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  return (args.int(2) & ~1) !== 0 ? -E.INVAL : lockRange(task, args, args.int(2) === 0);
}

function lockRange(task: Task, args: SysArgs, populates: boolean): SysResult {
  const { process } = task;
  const { start, end } = rangeOf(args);
  const limit = process.rlimits[RLIMIT.MEMLOCK][0];
  if (!mayLock(task) && limit === 0n) return -E.PERM;
  const sum = lockedBytes(process) - lockedBytes(process, start, end) + (end - start);
  if (!mayLock(task) && BigInt(sum) > limit) return -E.NOMEM;
  const failed = lock(task, start, end, true);
  if (failed !== 0 || !populates) return failed;
  // What is locked is brought in: what can't be (no rights, beyond the file's end) is told.
  if (!reachable(process, start, end)) return -E.NOMEM;
  populate(process, start, end);
  return 0;
}

/** Whether the region's part up to `until` has pages that the file does not reach. */
const beyondEnd = ({ start, offset, backing }: Region, until: number): boolean =>
  backing !== undefined && offset + until - start > pageUp(backing.size);

/** Whether all pages can be touched as their protection says. */
function reachable({ space }: Process, start: number, end: number): boolean {
  for (let at = start; at < end; ) {
    const region = space.find(at);
    if (region === undefined || region.prot === 0) return false;
    const until = Math.min(region.end, end);
    if (beyondEnd(region, until)) return false;
    at = until;
  }
  return true;
}

function mlockall(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const flags = args.int(0);
  if (flags === 0 || (flags & ~7) !== 0 || flags === 4) return -E.INVAL;
  const limit = task.process.rlimits[RLIMIT.MEMLOCK][0];
  if (!mayLock(task) && limit === 0n) return -E.PERM;
  const regions = task.process.space.regions();
  const size = regions.reduce((sum, region) => sum + (region.end - region.start), 0);
  if ((flags & 1) === 0) return 0;
  if (!mayLock(task) && BigInt(size) > limit) return -E.NOMEM;
  for (const { start, end } of regions) addMark(task.process, { start, end, kind: 'locked' });
  return 0;
}

const munlockall: SyscallHandler = (_kernel, { process }) => {
  clearMarks(process, 0, Number.MAX_SAFE_INTEGER, 'locked');
  return 0;
};

function munlock(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { start, end } = rangeOf(args);
  return lock(task, start, end, false);
}

const pkeyAlloc: SyscallHandler = (_kernel, _task, args) =>
  args.uint(0) !== 0 || (args.uint(1) & ~3) !== 0 ? -E.INVAL : -E.NOSPC;

export const memoryAdviceRows: readonly SyscallRow[] = [
  row('madvise', madvise, 'partial', 'page merging is refused with EINVAL'),
  row('msync', msync),
  row('mincore', mincore, 'partial', 'every mapped page is said to be resident'),
  row('mlock', mlock),
  row('mlock2', mlock2),
  row('munlock', munlock),
  row('mlockall', mlockall),
  row('munlockall', munlockall),
  row('pkey_alloc', pkeyAlloc, 'refused', 'the processor has no protection keys'),
  refused('pkey_free', E.INVAL, 'the processor has no protection keys'),
  refused('map_shadow_stack', E.OPNOTSUPP, 'the processor has no shadow stacks'),
  refused('userfaultfd', E.PERM, 'not in a container'),
  refused('memfd_secret', E.NOSYS, 'off by default in the kernel'),
  refused('mbind', E.PERM, 'needs CAP_SYS_NICE in a container'),
  refused('set_mempolicy', E.PERM, 'needs CAP_SYS_NICE in a container'),
  refused('get_mempolicy', E.PERM, 'needs CAP_SYS_NICE in a container'),
  refused('set_mempolicy_home_node', E.PERM, 'needs CAP_SYS_NICE in a container'),
  refused('migrate_pages', E.PERM, 'needs CAP_SYS_NICE in a container'),
  refused('move_pages', E.PERM, 'needs CAP_SYS_NICE in a container'),
];
