// Files of /proc/PID (fs/proc/base.c, array.c, task_mmu.c). Memory sizes are those of the mappings: which pages are
// resident is not counted.
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { NO_LOGIN, type Process, type Task } from './task.ts';
import { type Mount, type MountFlags, placePath } from './vfs-inode.ts';

type Text = string | Uint8Array | number;
type Maker = (kernel: Kernel, process: Process, task: Task | undefined, reader: Task) => Text;

const PAGE = 4096;
const TICK = 10_000_000n;

const hex = (value: number | bigint, width: number): string => value.toString(16).padStart(width, '0');

function memoryOf(process: Process) {
  const out = { size: 0, data: 0, stack: 0, code: 0, library: 0 };
  if (process.exitStatus !== undefined) return out;
  for (const { start, end, prot, name, shared } of process.space.regions()) {
    const length = end - start;
    out.size += length;
    if (name === '[stack]') out.stack += length;
    else if ((prot & 2) !== 0 && !shared) out.data += length;
    else if ((prot & 4) !== 0 && name === process.exe) out.code += length;
    else if ((prot & 4) !== 0) out.library += length;
  }
  return out;
}

/** The letter in stat and status. */
function stateOf(process: Process, task: Task | undefined): 'R' | 'S' | 'T' | 'Z' {
  const { exitStatus } = process;
  if (exitStatus !== undefined) return 'Z';
  if (process.stopSignal !== 0 || task?.state === 'stopped') return 'T';
  return task?.state === 'blocked' ? 'S' : 'R';
}
const STATE_NAMES = { R: 'running', S: 'sleeping', T: 'stopped', Z: 'zombie' } as const;

const commOf = (process: Process, task: Task | undefined): string => task?.comm || process.comm;

function stat(_kernel: Kernel, process: Process, task: Task | undefined): string {
  const { layout } = process;
  const memory = memoryOf(process);
  const ticks = (ns: bigint): bigint => ns / TICK;
  const fields = [
    stateOf(process, task),
    process.parent?.pid ?? 0,
    process.pgid,
    process.sid,
    0,
    -1,
    4194304,
    0,
    0,
    0,
    0,
    ticks(process.cpuTime),
    0,
    ticks(process.childCpuTime),
    0,
    20 + process.nice,
    process.nice,
    process.tasks.size,
    0,
    ticks(process.startTime),
    memory.size,
    Math.floor(memory.size / PAGE),
    '18446744073709551615',
    layout.codeStart,
    layout.codeEnd,
    layout.stackStart,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    process.exitSignal,
    0,
    task?.priority ?? 0,
    task?.policy ?? 0,
    0,
    0,
    0,
    layout.dataStart,
    layout.dataEnd,
    process.brkStart,
    layout.argStart,
    layout.argEnd,
    layout.envStart,
    layout.envEnd,
    0,
  ];
  return `${task?.tid ?? process.pid} (${commOf(process, task)}) ${fields.join(' ')}\n`;
}

function signalMask(process: Process, which: (handler: number) => boolean): bigint {
  return process.actions.reduce(
    (mask, { handler }, i) => (which(handler) ? mask | (1n << BigInt(i)) : mask),
    0n,
  );
}
const setOf = (pending: readonly { readonly signal: number }[]): bigint =>
  pending.reduce((mask, { signal }) => mask | (1n << BigInt(signal - 1)), 0n);

function cpuList(kernel: Kernel): string {
  const { cpus } = kernel.environment;
  return cpus === 1 ? '0' : `0-${cpus - 1}`;
}

function status(kernel: Kernel, process: Process, task: Task | undefined): string {
  const { credentials, fs } = process;
  const memory = memoryOf(process);
  const state = stateOf(process, task);
  const kb = (bytes: number): string => `${String(Math.floor(bytes / 1024)).padStart(8)} kB`;
  const mask64 = (value: bigint): string => hex(value, 16);
  const affinity = (1n << BigInt(kernel.environment.cpus)) - 1n;
  const tid = task?.tid ?? process.pid;
  const lines = [
    `Name:\t${commOf(process, task)}`,
    `Umask:\t${fs.umask.toString(8).padStart(4, '0')}`,
    `State:\t${state} (${STATE_NAMES[state]})`,
    `Tgid:\t${process.pid}`,
    'Ngid:\t0',
    `Pid:\t${tid}`,
    `PPid:\t${process.parent?.pid ?? 0}`,
    'TracerPid:\t0',
    `Uid:\t${credentials.uid}\t${credentials.euid}\t${credentials.suid}\t${credentials.fsuid}`,
    `Gid:\t${credentials.gid}\t${credentials.egid}\t${credentials.sgid}\t${credentials.fsgid}`,
    `FDSize:\t${Math.max(64, 2 ** Math.ceil(Math.log2(Math.max(1, process.files.slots.length))))}`,
    `Groups:\t${credentials.groups.join(' ')} `,
    `NStgid:\t${process.pid}`,
    `NSpid:\t${tid}`,
    `NSpgid:\t${process.pgid}`,
    `NSsid:\t${process.sid}`,
    'Kthread:\t0',
  ];
  if (state !== 'Z') {
    lines.push(
      `VmPeak:\t${kb(memory.size)}`,
      `VmSize:\t${kb(memory.size)}`,
      `VmLck:\t${kb(0)}`,
      `VmPin:\t${kb(0)}`,
      `VmHWM:\t${kb(memory.size)}`,
      `VmRSS:\t${kb(memory.size)}`,
      `RssAnon:\t${kb(memory.data)}`,
      `RssFile:\t${kb(memory.size - memory.data)}`,
      `RssShmem:\t${kb(0)}`,
      `VmData:\t${kb(memory.data)}`,
      `VmStk:\t${kb(memory.stack)}`,
      `VmExe:\t${kb(memory.code)}`,
      `VmLib:\t${kb(memory.library)}`,
      `VmPTE:\t${kb(65536)}`,
      `VmSwap:\t${kb(0)}`,
      `HugetlbPages:\t${kb(0)}`,
      'CoreDumping:\t0',
      'THP_enabled:\t1',
    );
  }
  lines.push(
    `Threads:\t${process.tasks.size}`,
    `SigQ:\t0/${process.rlimits[11]?.[0] ?? 0}`,
    `SigPnd:\t${mask64(setOf(task?.pending ?? []))}`,
    `ShdPnd:\t${mask64(setOf(process.pending))}`,
    `SigBlk:\t${mask64(task?.blockedSignals ?? 0n)}`,
    `SigIgn:\t${mask64(signalMask(process, (handler) => handler === 1))}`,
    `SigCgt:\t${mask64(signalMask(process, (handler) => handler > 1))}`,
    `CapInh:\t${mask64(credentials.inheritable)}`,
    `CapPrm:\t${mask64(credentials.permitted)}`,
    `CapEff:\t${mask64(credentials.effective)}`,
    `CapBnd:\t${mask64(credentials.bounding)}`,
    `CapAmb:\t${mask64(credentials.ambient)}`,
    `NoNewPrivs:\t${credentials.noNewPrivileges ? 1 : 0}`,
    `Seccomp:\t${task?.seccomp ?? 0}`,
    'Seccomp_filters:\t0',
    'Speculation_Store_Bypass:\tvulnerable',
    `Cpus_allowed:\t${affinity.toString(16)}`,
    `Cpus_allowed_list:\t${cpuList(kernel)}`,
    'Mems_allowed:\t00000001',
    'Mems_allowed_list:\t0',
    'voluntary_ctxt_switches:\t0',
    'nonvoluntary_ctxt_switches:\t0',
  );
  return `${lines.join('\n')}\n`;
}

function maps(kernel: Kernel, process: Process): string {
  return process.space
    .regions()
    .map((region) => `${mapLine(kernel, region)}\n`)
    .join('');
}

const HIDDEN_INODE = 1024;
const DELETED = ' (deleted)';

function mapLine(
  kernel: Kernel,
  { start, end, prot, shared, offset, name }: ReturnType<Process['space']['regions']>[number],
): string {
  const place = name.startsWith('/') ? kernel.vfs.internal(kernel, name) : undefined;
  const gone = place === undefined && name.startsWith('/');
  // Shared memory without a file of its own lies in the kernel's tmpfs (shm_mnt), as if it had been deleted there.
  const minor = place?.dentry.inode.superblock.minor ?? (gone ? 1 : 0);
  const ino = place?.dentry.inode.ino ?? (gone ? HIDDEN_INODE : 0);
  const shown = gone && !name.endsWith(DELETED) ? `${name}${DELETED}` : name;
  const flags = `${(prot & 1) !== 0 ? 'r' : '-'}${(prot & 2) !== 0 ? 'w' : '-'}${(prot & 4) !== 0 ? 'x' : '-'}${shared ? 's' : 'p'}`;
  const head = `${hex(start, 8)}-${hex(end, 8)} ${flags} ${hex(offset, 8)} 00:${hex(minor, 2)} ${ino} `;
  return name === '' ? head : `${head.padEnd(73)}${shown}`;
}

function smaps(kernel: Kernel, process: Process): string {
  return process.space
    .regions()
    .map((region) => `${mapLine(kernel, region)}\n${smapFields(region.end - region.start, region.prot)}`)
    .join('');
}

function smapFields(length: number, prot: number): string {
  const kb = (name: string, bytes: number): string =>
    `${`${name}:`.padEnd(16)}${String(bytes / 1024).padStart(8)} kB\n`;
  const anonymous = (prot & 2) !== 0 ? length : 0;
  const values: [string, number][] = [
    ['Size', length],
    ['KernelPageSize', PAGE],
    ['MMUPageSize', PAGE],
    ['Rss', length],
    ['Pss', length],
    ['Shared_Clean', 0],
    ['Shared_Dirty', 0],
    ['Private_Clean', length - anonymous],
    ['Private_Dirty', anonymous],
    ['Referenced', length],
    ['Anonymous', anonymous],
    ['LazyFree', 0],
    ['AnonHugePages', 0],
    ['Swap', 0],
    ['SwapPss', 0],
    ['Locked', 0],
  ];
  return `${values.map(([name, bytes]) => kb(name, bytes)).join('')}THPeligible:           0\nVmFlags: rd mr mw me\n`;
}

function smapsRollup(_kernel: Kernel, process: Process): string {
  const { size } = memoryOf(process);
  const regions = process.space.regions();
  const first = regions[0]?.start ?? 0;
  const last = regions.at(-1)?.end ?? 0;
  return `${`${hex(first, 8)}-${hex(last, 8)} ---p 00000000 00:00 0 `.padEnd(73)}[rollup]\n${smapFields(size, 3)}`;
}

const LIMITS: readonly (readonly [name: string, index: number, unit: string])[] = [
  ['Max cpu time', 0, 'seconds'],
  ['Max file size', 1, 'bytes'],
  ['Max data size', 2, 'bytes'],
  ['Max stack size', 3, 'bytes'],
  ['Max core file size', 4, 'bytes'],
  ['Max resident set', 5, 'bytes'],
  ['Max processes', 6, 'processes'],
  ['Max open files', 7, 'files'],
  ['Max locked memory', 8, 'bytes'],
  ['Max address space', 9, 'bytes'],
  ['Max file locks', 10, 'locks'],
  ['Max pending signals', 11, 'signals'],
  ['Max msgqueue size', 12, 'bytes'],
  ['Max nice priority', 13, ''],
  ['Max realtime priority', 14, ''],
  ['Max realtime timeout', 15, 'us'],
];

function limits(_kernel: Kernel, process: Process): string {
  const text = (value: bigint | undefined): string =>
    (value === undefined || value === 0xffffffffffffffffn ? 'unlimited' : String(value)).padEnd(20);
  const rows = LIMITS.map(
    ([name, index, unit]) =>
      `${name.padEnd(25)} ${text(process.rlimits[index]?.[0])} ${text(process.rlimits[index]?.[1])} ${unit === '' ? '' : unit.padEnd(10)}`,
  );
  return `${`${'Limit'.padEnd(25)} ${'Soft Limit'.padEnd(20)} ${'Hard Limit'.padEnd(20)} ${'Units'.padEnd(10)}`}\n${rows.join('\n')}\n`;
}

/** The strings that execve put on the stack, or what the program made of them. */
function strings(process: Process, start: number, end: number): Uint8Array | number {
  if (process.exitStatus !== undefined || end <= start) return new Uint8Array(0);
  try {
    return process.space.read(start, Math.min(end - start, 1 << 20));
  } catch (error) {
    if (!(error instanceof Error && error.name === 'MemoryFault')) throw error;
    return new Uint8Array(0);
  }
}

const optionNames: readonly (readonly [keyof MountFlags, string])[] = [
  ['nosuid', 'nosuid'],
  ['nodev', 'nodev'],
  ['noexec', 'noexec'],
  ['relatime', 'relatime'],
];
function mountOptions({ flags }: Mount): string {
  return [
    flags.readOnly ? 'ro' : 'rw',
    ...optionNames.filter(([name]) => flags[name]).map(([, text]) => text),
  ].join(',');
}

/** Mounts below the reader's root, each with its path there. */
function visibleMounts(kernel: Kernel, reader: Task): (readonly [Mount, string])[] {
  const root = kernel.vfs.rootOf(kernel, reader);
  return kernel.vfs.mounts.flatMap((mount) => {
    const path = placePath({ mount, dentry: mount.root }, root);
    return path === undefined
      ? []
      : [
          [
            mount,
            path.replace(/[ \t\n\\]/g, (ch) => `\\${ch.charCodeAt(0).toString(8).padStart(3, '0')}`),
          ] as const,
        ];
  });
}

const superOptions = (mount: Mount): string =>
  [
    mount.flags.readOnly && (mount.superblock.type === 'sysfs' || mount.superblock.type === 'tmpfs')
      ? 'ro'
      : 'rw',
    ...(mount.options === '' ? [] : [mount.options]),
  ].join(',');

function mounts(kernel: Kernel, _process: Process, _task: Task | undefined, reader: Task): string {
  const rows = visibleMounts(kernel, reader).map(([mount, path]) => {
    const options = mount.options === '' ? mountOptions(mount) : `${mountOptions(mount)},${mount.options}`;
    return `${mount.source} ${path} ${mount.superblock.type} ${options} 0 0\n`;
  });
  return rows.join('');
}

function mountinfo(kernel: Kernel, _process: Process, _task: Task | undefined, reader: Task): string {
  const rows = visibleMounts(kernel, reader).map(
    ([mount, path]) =>
      `${mount.id} ${mount.parent?.id ?? 1} 0:${mount.superblock.minor} ${mount.within} ${path} ${mountOptions(mount)} - ${mount.superblock.type} ${mount.source} ${superOptions(mount)}\n`,
  );
  return rows.join('');
}

function statm(_kernel: Kernel, process: Process): string {
  const memory = memoryOf(process);
  const pages = (bytes: number): number => Math.floor(bytes / PAGE);
  return `${pages(memory.size)} ${pages(memory.size)} ${pages(memory.size - memory.data)} ${pages(memory.code)} 0 ${pages(memory.data + memory.stack)} 0\n`;
}

const idMap = (): string => `${'0'.padStart(10)} ${'0'.padStart(10)} ${'4294967295'.padStart(10)}\n`;

/** Name to mode and maker; in the order of a listing. */
export const PROCESS_FILES: Readonly<Record<string, readonly [mode: number, make: Maker]>> = {
  environ: [0o400, (_kernel, process) => strings(process, process.layout.envStart, process.layout.envEnd)],
  auxv: [
    0o400,
    (_kernel, process) =>
      strings(process, process.layout.auxv, process.layout.auxv + process.layout.auxvLength),
  ],
  status: [0o444, status],
  mem: [
    0o600,
    (kernel, _process, _task, reader) => {
      kernel.cutHere(reader, { kind: 'file', what: '/proc/PID/mem', consequence: 'reading answers EIO' });
      return -E.IO;
    },
  ],
  personality: [0o400, (_kernel, process) => `${hex(process.personality, 8)}\n`],
  limits: [0o444, limits],
  comm: [0o644, (_kernel, process, task) => `${commOf(process, task)}\n`],
  cmdline: [0o444, (_kernel, process) => strings(process, process.layout.argStart, process.layout.argEnd)],
  stat: [0o444, stat],
  statm: [0o444, statm],
  maps: [0o444, maps],
  smaps: [0o444, smaps],
  smaps_rollup: [0o444, smapsRollup],
  numa_maps: [0o444, () => ''],
  mounts: [0o444, mounts],
  mountinfo: [0o444, mountinfo],
  mountstats: [
    0o400,
    (kernel, _process, _task, reader) =>
      visibleMounts(kernel, reader)
        .map(
          ([mount, path]) =>
            `device ${mount.source} mounted on ${path} with fstype ${mount.superblock.type}\n`,
        )
        .join(''),
  ],
  wchan: [0o444, () => '0'],
  stack: [0o400, () => -E.ACCES],
  syscall: [
    0o400,
    (_kernel, _process, task) => (task?.syscall === undefined ? 'running\n' : `${task.syscall.nr}\n`),
  ],
  schedstat: [0o444, (_kernel, process) => `${process.cpuTime} 0 0\n`],
  sched: [
    0o644,
    (_kernel, process, task) =>
      `${commOf(process, task)} (${task?.tid ?? process.pid}, #threads: ${process.tasks.size})\n`,
  ],
  cpuset: [0o444, () => '/\n'],
  cgroup: [0o444, () => '0::/\n'],
  oom_score: [0o444, () => '0\n'],
  oom_adj: [0o644, () => '0\n'],
  oom_score_adj: [0o644, (_kernel, process) => `${process.oomScoreAdj}\n`],
  loginuid: [0o644, (_kernel, process) => process.loginUid],
  sessionid: [0o444, () => '4294967295'],
  io: [
    0o400,
    () => 'rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n',
  ],
  uid_map: [0o644, idMap],
  gid_map: [0o644, idMap],
  projid_map: [0o644, idMap],
  setgroups: [0o644, () => 'allow\n'],
  timerslack_ns: [0o666, (_kernel, _process, task) => `${task?.timerSlack ?? 50000n}\n`],
  coredump_filter: [0o644, () => '00000033\n'],
  timers: [0o444, () => ''],
  clear_refs: [0o200, () => -E.INVAL],
  children: [0o444, (_kernel, process) => [...process.children].map((child) => `${child.pid} `).join('')],
};

/** What a write changes; everything else answers EIO or EINVAL. */
export function storeProcessFile(
  key: string,
  process: Process,
  task: Task | undefined,
  text: string,
): number {
  switch (key) {
    case 'comm': {
      const name = text.replace(/\n$/, '').slice(0, 15);
      if (task !== undefined) task.comm = name;
      if (task === undefined || task.tid === process.pid) process.comm = name;
      return text.length;
    }
    case 'oom_score_adj': {
      const value = Number.parseInt(text, 10);
      if (Number.isNaN(value) || value < -1000 || value > 1000) return -E.INVAL;
      // Lowering takes CAP_SYS_RESOURCE, which containers lack.
      if (value < process.oomScoreAdj) return -E.ACCES;
      process.oomScoreAdj = value;
      return text.length;
    }
    case 'loginuid': {
      const value = Number.parseInt(text, 10);
      if (Number.isNaN(value) || value < 0 || value > 0xffff_ffff) return -E.INVAL;
      // Changing it again takes CAP_AUDIT_CONTROL, which containers lack.
      if (process.loginUid !== NO_LOGIN) return -E.PERM;
      process.loginUid = String(value);
      return text.length;
    }
    case 'oom_adj':
    case 'timerslack_ns':
    case 'coredump_filter':
    case 'clear_refs':
      return text.length;
    default:
      return -E.IO;
  }
}
