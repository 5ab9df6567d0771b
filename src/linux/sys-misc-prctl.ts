// prctl and seccomp. Filters are accepted and recorded, not applied: what a filter forbids stays possible in the model.
import { decodeText, encodeText } from '../bytes/index.ts';
import { CAP, CAP_LAST, capBit, PR } from './abi-process.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import type { SysResult } from './wait.ts';

type Option = (kernel: Kernel, task: Task, args: SysArgs) => SysResult;

const has = (task: Task, capability: number): boolean =>
  (task.process.credentials.effective & capBit(capability)) !== 0n;

/** Arguments that must be 0. */
const unused = (args: SysArgs, from: number): boolean =>
  [1, 2, 3, 4].slice(from - 1).every((i) => args.raw[i] === 0n);

const ok: Option = () => 0;
const invalid: Option = () => -E.INVAL;
const put32 =
  (value: (task: Task) => number): Option =>
  (_kernel, task, args) => {
    task.process.space.write32(args.pointer(1), value(task));
    return 0;
  };

function setName(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const bytes =
    task.process.space.readCString(args.pointer(1), 16) ?? task.process.space.read(args.pointer(1), 15);
  task.comm = decodeText(bytes.subarray(0, 15));
  if (task.tid === task.process.pid) task.process.comm = task.comm;
  return 0;
}

function getName(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const bytes = new Uint8Array(16);
  bytes.set(encodeText(task.comm).subarray(0, 15));
  task.process.space.write(args.pointer(1), bytes);
  return 0;
}

function setDumpable(_kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  if (args.raw[1] > 1n) return -E.INVAL;
  process.dumpable = args.int(1);
  return 0;
}

function setKeepCaps(_kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  if (args.raw[1] > 1n) return -E.INVAL;
  process.keepCaps = args.raw[1] === 1n;
  return 0;
}

function setDeathSignal(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if (args.raw[1] > 64n) return -E.INVAL;
  task.parentDeathSignal = args.int(1);
  return 0;
}

function setNoNewPrivileges(_kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  if (args.raw[1] !== 1n || !unused(args, 2)) return -E.INVAL;
  process.credentials.noNewPrivileges = true;
  return 0;
}

function boundingRead(_kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  if (args.raw[1] > BigInt(CAP_LAST)) return -E.INVAL;
  return (process.credentials.bounding & capBit(args.int(1))) === 0n ? 0 : 1;
}

function boundingDrop(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if (!has(task, CAP.SETPCAP)) return -E.PERM;
  if (args.raw[1] > BigInt(CAP_LAST)) return -E.INVAL;
  task.process.credentials.bounding &= ~capBit(args.int(1));
  return 0;
}

/** PR_CAP_AMBIENT: IS_SET 1, RAISE 2, LOWER 3, CLEAR_ALL 4. */
function ambient(_kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  const { credentials } = process;
  const command = args.int(1);
  if (command === 4) {
    if (!unused(args, 3)) return -E.INVAL;
    credentials.ambient = 0n;
    return 0;
  }
  if (args.raw[2] > BigInt(CAP_LAST) || !unused(args, 4)) return -E.INVAL;
  const capability = capBit(args.int(2));
  if (command === 1) return (credentials.ambient & capability) === 0n ? 0 : 1;
  if (command === 2) {
    if ((credentials.permitted & credentials.inheritable & capability) === 0n) return -E.PERM;
    credentials.ambient |= capability;
    return 0;
  }
  if (command !== 3) return -E.INVAL;
  credentials.ambient &= ~capability;
  return 0;
}

function setSecurebits(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  if (!has(task, CAP.SETPCAP)) return -E.PERM;
  if (args.raw[1] > 0xffn) return -E.INVAL;
  task.process.credentials.securebits = args.int(1);
  return 0;
}

function setTimerSlack(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  task.timerSlack = args.raw[1] === 0n ? 50_000n : args.raw[1];
  return 0;
}

function setSubreaper(_kernel: Kernel, { process }: Task, args: SysArgs): SysResult {
  process.childSubreaper = args.raw[1] !== 0n;
  return 0;
}

function getTidAddress(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  task.process.space.write64(args.pointer(1), BigInt(task.clearChildTid));
  return 0;
}

/** Mode 1 strict, 2 filter. */
function setSeccomp(kernel: Kernel, task: Task, mode: number): SysResult {
  if (mode !== 1 && mode !== 2) return -E.INVAL;
  if (mode === 2 && !task.process.credentials.noNewPrivileges && !has(task, CAP.SYS_ADMIN)) return -E.ACCES;
  kernel.cutHere(task, {
    kind: 'syscall-option',
    what: mode === 1 ? 'seccomp strict mode' : 'seccomp filter',
    consequence: 'recorded, not applied',
  });
  task.seccomp = mode;
  return 0;
}

function seccomp(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space } = task.process;
  switch (args.uint(0)) {
    case 0: // SET_MODE_STRICT
      return args.uint(1) !== 0 || args.pointer(2) !== 0 ? -E.INVAL : setSeccomp(kernel, task, 1);
    case 1: // SET_MODE_FILTER
      if ((args.uint(1) & ~0x3f) !== 0) return -E.INVAL;
      // struct sock_fprog: length u16, filter pointer; both must be readable.
      if (space.read16(args.pointer(2)) === 0) return -E.INVAL;
      space.read64(Number(space.read64(args.pointer(2) + 8)));
      return (args.uint(1) & 8) !== 0 ? -E.INVAL : setSeccomp(kernel, task, 2);
    case 2: // GET_ACTION_AVAIL
      return [0, 0x80000000, 0x30000, 0x50000, 0x7ffc0000, 0x7fff0000].includes(
        space.read32(args.pointer(2)) >>> 0,
      )
        ? 0
        : -E.OPNOTSUPP;
    case 3: // GET_NOTIF_SIZES
      space.write16(args.pointer(2), 80);
      space.write16(args.pointer(2) + 2, 24);
      space.write16(args.pointer(2) + 4, 64);
      return 0;
    default:
      return -E.INVAL;
  }
}

/** PR_SET_MM needs CAP_SYS_RESOURCE; PR_SET_VMA names anonymous memory, which shows in /proc only. */
const OPTIONS: ReadonlyMap<number, Option> = new Map<number, Option>([
  [PR.SET_PDEATHSIG, setDeathSignal],
  [PR.GET_PDEATHSIG, put32((task) => task.parentDeathSignal)],
  [PR.GET_DUMPABLE, (_kernel, { process }) => process.dumpable],
  [PR.SET_DUMPABLE, setDumpable],
  [PR.GET_KEEPCAPS, (_kernel, { process }) => Number(process.keepCaps)],
  [PR.SET_KEEPCAPS, setKeepCaps],
  [PR.GET_TIMING, ok],
  [PR.SET_TIMING, (_kernel, _task, args) => (args.raw[1] === 0n ? 0 : -E.INVAL)],
  [PR.SET_NAME, setName],
  [PR.GET_NAME, getName],
  [PR.GET_SECCOMP, (_kernel, task) => task.seccomp],
  [PR.SET_SECCOMP, (kernel, task, args) => setSeccomp(kernel, task, args.int(1))],
  [PR.CAPBSET_READ, boundingRead],
  [PR.CAPBSET_DROP, boundingDrop],
  [PR.GET_TSC, put32(() => 1)],
  [PR.SET_TSC, ok],
  [PR.GET_SECUREBITS, (_kernel, { process }) => process.credentials.securebits],
  [PR.SET_SECUREBITS, setSecurebits],
  [PR.SET_TIMERSLACK, setTimerSlack],
  [PR.GET_TIMERSLACK, (_kernel, task) => task.timerSlack],
  [PR.TASK_PERF_EVENTS_DISABLE, ok],
  [PR.TASK_PERF_EVENTS_ENABLE, ok],
  [PR.MCE_KILL, ok],
  [PR.MCE_KILL_GET, () => 2],
  [PR.SET_MM, () => -E.PERM],
  [PR.SET_CHILD_SUBREAPER, setSubreaper],
  [PR.GET_CHILD_SUBREAPER, put32(({ process }) => Number(process.childSubreaper))],
  [PR.SET_NO_NEW_PRIVS, setNoNewPrivileges],
  [PR.GET_NO_NEW_PRIVS, (_kernel, { process }) => Number(process.credentials.noNewPrivileges)],
  [PR.GET_TID_ADDRESS, getTidAddress],
  [
    PR.SET_THP_DISABLE,
    (_kernel, { process }, args) => {
      if (!unused(args, 2)) return -E.INVAL;
      process.thpDisabled = args.raw[1] !== 0n;
      return 0;
    },
  ],
  [
    PR.GET_THP_DISABLE,
    (_kernel, { process }, args) => (unused(args, 1) ? (process.thpDisabled ? 1 : 0) : -E.INVAL),
  ],
  [PR.CAP_AMBIENT, ambient],
  [PR.GET_SPECULATION_CTRL, ok],
  [PR.SET_SPECULATION_CTRL, () => -E.NXIO],
  [PR.SET_IO_FLUSHER, () => -E.PERM],
  [PR.GET_IO_FLUSHER, () => -E.PERM],
  [PR.GET_MDWE, ok],
  [PR.SET_VMA, ok],
  [PR.SET_PTRACER, ok],
  [PR.GET_UNALIGN, invalid],
  [PR.SET_UNALIGN, invalid],
]);

function prctl(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const option = OPTIONS.get(args.int(0));
  if (option !== undefined) return option(kernel, task, args);
  kernel.cutHere(task, {
    kind: 'syscall-option',
    what: `prctl option ${args.int(0)}`,
    consequence: 'answered EINVAL',
  });
  return -E.INVAL;
}

export const prctlRows: readonly SyscallRow[] = [
  row(
    'prctl',
    prctl,
    'partial',
    'the options that daemons and runtimes use; others answer EINVAL and are a cut',
  ),
  row('seccomp', seccomp, 'partial', 'filters are recorded, not applied; no user notification'),
];
