// madvise, msync, mincore, mlock and relatives: mostly advice that changes nothing a program can see.
import { ADDRESS_LIMIT, PAGE_SIZE } from '../machine/index.ts';
import { CAP, capBit, RLIMIT } from './abi-process.ts';
import { refused, row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { regionsIn } from './sys-memory.ts';
import type { SysArgs, SyscallHandler, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import type { SysResult } from './wait.ts';

const MADV = {
  DONTNEED: 4,
  FREE: 8,
  REMOVE: 9,
  MERGEABLE: 12,
  UNMERGEABLE: 13,
  WIPEONFORK: 18,
  DONTNEED_LOCKED: 24,
} as const;
/** Advice without an effect that a program can see. */
const IDLE_ADVICE: ReadonlySet<number> = new Set([
  0, 1, 2, 3, 8, 10, 11, 14, 15, 16, 17, 19, 20, 21, 22, 23, 25,
]);

const pageUp = (length: number): number => Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;

function madvise(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { process } = task;
  const address = args.pointer(0);
  const length = pageUp(args.size(1));
  const advice = args.int(2);
  if (address % PAGE_SIZE !== 0 || address + length > ADDRESS_LIMIT) return -E.INVAL;
  const discards = advice === MADV.DONTNEED || advice === MADV.DONTNEED_LOCKED;
  if (!discards && !IDLE_ADVICE.has(advice)) return refuse(kernel, task, advice);
  if (length === 0) return 0;
  const regions = regionsIn(process, address, address + length);
  if (discards) process.space.discard(address, length);
  return regions === undefined ? -E.NOMEM : 0;
}

/** WIPEONFORK and REMOVE would change contents: refusing them is what older kernels do, and callers are ready for it. */
function refuse(kernel: Kernel, task: Task, advice: number): number {
  const known = Object.entries(MADV).find(([, value]) => value === advice);
  if (known !== undefined && advice !== MADV.MERGEABLE && advice !== MADV.UNMERGEABLE) {
    kernel.cutHere(task, {
      kind: 'syscall-option',
      what: `madvise MADV_${known[0]}`,
      consequence: 'answered EINVAL',
    });
  }
  return -E.INVAL;
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

export const memoryAdviceRows: readonly SyscallRow[] = [
  row('madvise', madvise, 'partial', 'MADV_WIPEONFORK, MADV_REMOVE and page merging are refused with EINVAL'),
  row('msync', msync),
  row('mincore', mincore, 'partial', 'every mapped page is said to be resident'),
  row('mlock', mlock),
  row('mlock2', mlock),
  row('munlock', nothing),
  row('mlockall', mlockall),
  row('munlockall', nothing),
  refused('pkey_alloc', E.NOSPC, 'the processor has no protection keys'),
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
