// Files of /proc that tell of the machine: values come from the environment, the rest is what a quiet machine says.
import { BASELINE, type Feature } from '../isa/index.ts';
import type { Kernel } from './kernel.ts';

const SECOND = 1_000_000_000n;

/** Seconds with two decimals. */
function centiseconds(ns: bigint): string {
  const hundredths = ns / 10_000_000n;
  return `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, '0')}`;
}

/** Flags of the baseline that the machine's CPUID reports. */
const CPU_FLAGS =
  'fpu tsc msr pae cx8 sep pge cmov pat clflush mmx fxsr sse sse2 syscall nx rdtscp lm constant_tsc';

/** What Linux calls the flags of instruction sets, in the order of its list; some come together. */
const FEATURE_FLAGS: readonly (readonly [string, Feature])[] = [
  ['pni', 'sse3'],
  ['pclmulqdq', 'pclmul'],
  ['ssse3', 'ssse3'],
  ['fma', 'fma'],
  ['cx16', 'cx16'],
  ['sse4_1', 'sse4.1'],
  ['sse4_2', 'sse4.2'],
  ['movbe', 'movbe'],
  ['popcnt', 'popcnt'],
  ['aes', 'aes'],
  ['xsave', 'xsave'],
  ['avx', 'avx'],
  ['f16c', 'f16c'],
  ['rdrand', 'rdrand'],
  ['lahf_lm', 'lahf'],
  ['abm', 'lzcnt'],
  ['fsgsbase', 'fsgsbase'],
  ['bmi1', 'bmi1'],
  ['avx2', 'avx2'],
  ['bmi2', 'bmi2'],
  ['rdseed', 'rdseed'],
  ['adx', 'adx'],
  ['sha_ni', 'sha'],
  ['xsavec', 'xsave'],
  ['rdpid', 'rdpid'],
  ['movdiri', 'movdiri'],
];

function cpuinfo(kernel: Kernel): string {
  const { features = BASELINE } = kernel.machine;
  const more = FEATURE_FLAGS.flatMap(([flag, feature]) => (features.has(feature) ? [` ${flag}`] : []));
  const { cpus } = kernel.environment;
  const lines: string[] = [];
  for (let i = 0; i < cpus; i++) {
    lines.push(
      `processor\t: ${i}`,
      'vendor_id\t: AuthenticAMD',
      'cpu family\t: 15',
      'model\t\t: 0',
      'model name\t: Effigy micro-execution processor',
      'stepping\t: 0',
      'cpu MHz\t\t: 1000.000',
      'cache size\t: 1024 KB',
      'physical id\t: 0',
      `siblings\t: ${cpus}`,
      `core id\t\t: ${i}`,
      `cpu cores\t: ${cpus}`,
      `apicid\t\t: ${i}`,
      `initial apicid\t: ${i}`,
      'fpu\t\t: yes',
      'fpu_exception\t: yes',
      `cpuid level\t: ${features.has('xsave') ? 13 : 7}`,
      'wp\t\t: yes',
      `flags\t\t: ${CPU_FLAGS}${more.join('')}`,
      'bugs\t\t:',
      'bogomips\t: 2000.00',
      'clflush size\t: 64',
      'cache_alignment\t: 64',
      'address sizes\t: 48 bits physical, 48 bits virtual',
      'power management:',
      '',
    );
  }
  return `${lines.join('\n')}\n`;
}

function meminfo(kernel: Kernel): string {
  const total = Math.floor(kernel.environment.memory / 1024);
  const free = Math.floor(total * 0.7);
  const cached = Math.floor(total * 0.2);
  const values: [string, number][] = [
    ['MemTotal', total],
    ['MemFree', free],
    ['MemAvailable', free + cached],
    ['Buffers', 40056],
    ['Cached', cached],
    ['SwapCached', 0],
    ['Active', cached],
    ['Inactive', 0],
    ['Active(anon)', 0],
    ['Inactive(anon)', 0],
    ['Active(file)', cached],
    ['Inactive(file)', 0],
    ['Unevictable', 0],
    ['Mlocked', 0],
    ['SwapTotal', 0],
    ['SwapFree', 0],
    ['Dirty', 0],
    ['Writeback', 0],
    ['AnonPages', 0],
    ['Mapped', 0],
    ['Shmem', 0],
    ['KReclaimable', 0],
    ['Slab', 0],
    ['SReclaimable', 0],
    ['SUnreclaim', 0],
    ['KernelStack', 2656],
    ['PageTables', 8792],
    ['NFS_Unstable', 0],
    ['Bounce', 0],
    ['WritebackTmp', 0],
    ['CommitLimit', Math.floor(total / 2)],
    ['Committed_AS', 0],
    ['VmallocTotal', 34359738367],
    ['VmallocUsed', 0],
    ['VmallocChunk', 0],
    ['Percpu', 0],
    ['AnonHugePages', 0],
    ['ShmemHugePages', 0],
    ['ShmemPmdMapped', 0],
  ];
  const lines = values.map(([name, value]) => `${`${name}:`.padEnd(15)} ${String(value).padStart(8)} kB`);
  for (const name of ['HugePages_Total', 'HugePages_Free', 'HugePages_Rsvd', 'HugePages_Surp'])
    lines.push(`${name}:${'0'.padStart(8)}`);
  lines.push('Hugepagesize:       2048 kB', 'Hugetlb:               0 kB');
  return `${lines.join('\n')}\n`;
}

function stat(kernel: Kernel): string {
  const { cpus, time, uptime } = kernel.environment;
  const idle = (uptime + kernel.now) / 10_000_000n;
  const used = kernel.now / 10_000_000n;
  const row = (n: bigint): string => `${used * n} 0 0 ${idle * n} 0 0 0 0 0 0`;
  const lines = [`cpu  ${row(BigInt(cpus))}`];
  for (let i = 0; i < cpus; i++) lines.push(`cpu${i} ${row(1n)}`);
  lines.push(
    'intr 0',
    'ctxt 0',
    `btime ${(time - uptime) / SECOND}`,
    `processes ${kernel.nextPid}`,
    `procs_running 1`,
    'procs_blocked 0',
    'softirq 0 0 0 0 0 0 0 0 0 0 0',
  );
  return `${lines.join('\n')}\n`;
}

const FILESYSTEMS = [
  'sysfs',
  'tmpfs',
  'bdev',
  'proc',
  'cgroup',
  'cgroup2',
  'devtmpfs',
  'debugfs',
  'securityfs',
  'sockfs',
  'bpf',
  'pipefs',
  'ramfs',
  'hugetlbfs',
  'devpts',
  'mqueue',
  'overlay',
];

export const kernelVersion = (kernel: Kernel): string =>
  `#1 SMP PREEMPT_DYNAMIC ${kernel.environment.kernelRelease}`;

/** By file name. */
export const SYSTEM_FILES: Readonly<Record<string, (kernel: Kernel) => string>> = {
  cpuinfo,
  meminfo,
  stat,
  version: (kernel) =>
    `Linux version ${kernel.environment.kernelRelease} (build@host) (gcc) ${kernelVersion(kernel)}\n`,
  uptime: (kernel) => {
    const up = kernel.environment.uptime + kernel.now;
    return `${centiseconds(up)} ${centiseconds(up * BigInt(kernel.environment.cpus))}\n`;
  },
  loadavg: (kernel) => `0.00 0.00 0.00 1/${kernel.tasks.size} ${kernel.nextPid - 1}\n`,
  filesystems: () => `${FILESYSTEMS.map((name) => `nodev\t${name}`).join('\n')}\n\text4\n\txfs\n`,
  cmdline: () => 'BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 ro quiet\n',
  devices: () =>
    'Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n',
  partitions: () => 'major minor  #blocks  name\n\n',
  diskstats: () => '',
  swaps: () => 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n',
  vmstat: () => 'nr_free_pages 1000000\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault 0\npgmajfault 0\n',
  cgroups: () =>
    '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t0\t1\t1\ncpu\t0\t1\t1\ncpuacct\t0\t1\t1\nmemory\t0\t1\t1\npids\t0\t1\t1\n',
  modules: () => '',
  consoles: () => '',
  crypto: () => '',
  interrupts: () => '',
  softirqs: () => '',
  locks: () => '',
};
