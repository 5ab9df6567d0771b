// madvise, msync, mincore, mlock and relatives: mostly advice that changes nothing a program can see.
import { ADDRESS_LIMIT, PAGE_SIZE, PROT, type Region } from '../machine/index.ts';
import { CAP, capBit, RLIMIT } from './abi-process.ts';
import { refused, row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { addMark, clearMarks } from './memory-marks.ts';
import { regionsIn } from './sys-memory.ts';
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
  KEEPONFORK: 19,
  DONTNEED_LOCKED: 24,
} as const;
const ACTIVE_ADVICE: ReadonlySet<number> = new Set(Object.values(MADV));
/** Advice without an effect that a program can see; page merging (12, 13) is not built into every kernel. */
const IDLE_ADVICE: ReadonlySet<number> = new Set([0, 1, 2, 3, 14, 15, 16, 17, 20, 21, 22, 23, 25]);

const pageUp = (length: number): number => Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;

function madvise(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { process } = task;
  const address = args.pointer(0);
  const length = pageUp(args.size(1));
  const advice = args.int(2);
  if (address % PAGE_SIZE !== 0 || address + length > ADDRESS_LIMIT) return -E.INVAL;
  if (!IDLE_ADVICE.has(advice) && !ACTIVE_ADVICE.has(advice)) {
    if (advice === 100 || advice === 101) return -E.PERM; // MADV_HWPOISON, MADV_SOFT_OFFLINE
    return -E.INVAL;
  }
  if (length === 0) return 0;
  // Holes are stepped over, and told in the end.
  for (let at = address; at < address + length; ) {
    const region = process.space.find(at);
    if (region === undefined) {
      at += PAGE_SIZE;
      continue;
    }
    const end = Math.min(region.end, address + length);
    const failed = advise(process, region, { start: at, end }, advice);
    if (failed !== 0) return failed;
    at = end;
  }
  return regionsIn(process, address, address + length) === undefined ? -E.NOMEM : 0;
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
    case MADV.DONTNEED_LOCKED:
      space.discard(start, end - start);
      return 0;
    case MADV.FREE:
      return anonymous ? 0 : -E.INVAL;
    case MADV.REMOVE:
      if (!region.shared) return -E.INVAL;
      if ((region.prot & PROT.WRITE) === 0) return -E.ACCES;
      for (let at = start; at < end; at += PAGE_SIZE) space.write(at, new Uint8Array(PAGE_SIZE));
      return 0;
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
  const length = pageUp(args.size(1));
  const flags = args.int(2);
  if (address % PAGE_SIZE !== 0 || (flags & ~7) !== 0 || (flags & 5) === 5) return -E.INVAL;
  const regions = regionsIn(process, address, address + length);
  if (regions === undefined) return -E.NOMEM;
  for (const region of regions)
    if (region.shared && region.backing !== undefined) kernel.machine.memory.sync(region.backing);
  return 0;
}

function mincore(_kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  const address = args.pointer(0);
  const length = pageUp(args.size(1));
  if (address % PAGE_SIZE !== 0) return -E.INVAL;
  if (address + length > ADDRESS_LIMIT || regionsIn(process, address, address + length) === undefined)
    return -E.NOMEM;
  const pages = length / PAGE_SIZE;
  for (let done = 0; done < pages; done += PAGE_SIZE) {
    process.space.write(args.pointer(2) + done, new Uint8Array(Math.min(PAGE_SIZE, pages - done)).fill(1));
  }
  return 0;
}

const mayLock = (task: Task): boolean => (task.process.credentials.effective & capBit(CAP.IPC_LOCK)) !== 0n;

function mlock(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { process } = task;
  const start = args.pointer(0) - (args.pointer(0) % PAGE_SIZE);
  const length = pageUp(args.size(1) + (args.pointer(0) % PAGE_SIZE));
  const limit = process.rlimits[RLIMIT.MEMLOCK][0];
  if (!mayLock(task) && limit === 0n) return -E.PERM;
  if (!mayLock(task) && BigInt(length) > limit) return -E.NOMEM;
  return regionsIn(process, start, start + length) === undefined ? -E.NOMEM : 0;
}

function mlockall(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const flags = args.int(0);
  if (flags === 0 || (flags & ~7) !== 0 || flags === 4) return -E.INVAL;
  if (mayLock(task)) return 0;
  const limit = task.process.rlimits[RLIMIT.MEMLOCK][0];
  if (limit === 0n) return -E.PERM;
  const size = task.process.space.regions().reduce((sum, region) => sum + (region.end - region.start), 0);
  return (flags & 1) !== 0 && BigInt(size) > limit ? -E.NOMEM : 0;
}

const nothing: SyscallHandler = () => 0;

function munlock(_kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  const start = args.pointer(0) - (args.pointer(0) % PAGE_SIZE);
  const length = pageUp(args.size(1) + (args.pointer(0) % PAGE_SIZE));
  return regionsIn(process, start, start + length) === undefined ? -E.NOMEM : 0;
}

const pkeyAlloc: SyscallHandler = (_kernel, _task, args) =>
  args.uint(0) !== 0 || (args.uint(1) & ~3) !== 0 ? -E.INVAL : -E.NOSPC;

export const memoryAdviceRows: readonly SyscallRow[] = [
  row('madvise', madvise, 'partial', 'page merging is refused with EINVAL'),
  row('msync', msync),
  row('mincore', mincore, 'partial', 'every mapped page is said to be resident'),
  row('mlock', mlock),
  row('mlock2', (kernel, task, args) => ((args.int(2) & ~1) !== 0 ? -E.INVAL : mlock(kernel, task, args))),
  row('munlock', munlock),
  row('mlockall', mlockall),
  row('munlockall', nothing),
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
