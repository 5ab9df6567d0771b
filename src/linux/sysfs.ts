// /sys and the cgroup file system, as far as programs size themselves by them. All of it is read-only in a container.

import type { EnvironmentValues } from './events.ts';
import type { Kernel } from './kernel.ts';
import { interfacesOf } from './net-interfaces.ts';
import { Dentry, type Superblock } from './vfs-inode.ts';
import { fillDirectory, GeneratedInode, type PseudoTree, StaticDirectory } from './vfs-pseudo.ts';

const cpuList = (cpus: number): string => (cpus === 1 ? '0\n' : `0-${cpus - 1}\n`);
const cpuMask = (cpus: number): string => `${((1n << BigInt(cpus)) - 1n).toString(16)}\n`;

function cache(level: number, type: string, size: string, shared: string): PseudoTree {
  return {
    level: `${level}\n`,
    type: `${type}\n`,
    size: `${size}\n`,
    coherency_line_size: '64\n',
    ways_of_associativity: '8\n',
    number_of_sets: '64\n',
    shared_cpu_list: `${shared}\n`,
    shared_cpu_map: '1\n',
  };
}

function processors(cpus: number): PseudoTree {
  const out: { [name: string]: string | PseudoTree } = {
    online: cpuList(cpus),
    possible: cpuList(cpus),
    present: cpuList(cpus),
    offline: '\n',
    kernel_max: '8191\n',
    isolated: '\n',
    modalias: 'cpu:type:x86\n',
    vulnerabilities: {},
    smt: { active: '0\n', control: 'notsupported\n' },
  };
  for (let i = 0; i < cpus; i++) {
    out[`cpu${i}`] = {
      ...(i === 0 ? {} : { online: '1\n' }),
      topology: {
        core_id: `${i}\n`,
        physical_package_id: '0\n',
        die_id: '0\n',
        cluster_id: '65535\n',
        thread_siblings_list: `${i}\n`,
        core_cpus_list: `${i}\n`,
        package_cpus_list: cpuList(cpus),
        core_siblings_list: cpuList(cpus),
        thread_siblings: `${(1n << BigInt(i)).toString(16)}\n`,
        core_siblings: cpuMask(cpus),
        core_cpus: `${(1n << BigInt(i)).toString(16)}\n`,
        package_cpus: cpuMask(cpus),
      },
      cache: {
        index0: cache(1, 'Data', '64K', String(i)),
        index1: cache(1, 'Instruction', '64K', String(i)),
        index2: cache(2, 'Unified', '1024K', String(i)),
      },
    };
  }
  return out;
}

/**
 * A block device of the host; its directory is a link into the devices' tree there. Programs that look through all of them
 * ask what they are made of.
 */
const disk = (number: string): PseudoTree => ({
  dev: `${number}\n`,
  ro: '0\n',
  removable: '0\n',
  size: '83886080\n',
  stat: `${'0 '.repeat(16)}0\n`,
  queue: {
    rotational: '0\n',
    physical_block_size: '512\n',
    logical_block_size: '512\n',
    hw_sector_size: '512\n',
    minimum_io_size: '512\n',
    optimal_io_size: '0\n',
    discard_max_bytes: '0\n',
    read_ahead_kb: '128\n',
    scheduler: '[none] mq-deadline\n',
  },
});

const DISKS = ['sda', 'sdb'];
/** `MAJOR:MINOR` of each. */
const numbersOf = (disks: readonly string[]): [string, string][] =>
  disks.map((name, i) => [
    name,
    `${name.startsWith('nvme') ? 259 : name.startsWith('vd') ? 254 : 8}:${16 * i}`,
  ]);

/** A link's directory; values that do not depend on the environment. */
function link(
  superblock: Superblock,
  name: string,
  index: number,
  mtu: number,
  loopback: boolean,
): PseudoTree {
  const zeros = Object.fromEntries(
    [
      'rx_bytes',
      'tx_bytes',
      'rx_packets',
      'tx_packets',
      'rx_errors',
      'tx_errors',
      'rx_dropped',
      'tx_dropped',
    ].map((key) => [key, '0\n']),
  );
  return {
    ifindex: `${index}\n`,
    mtu: `${mtu}\n`,
    flags: loopback ? '0x9\n' : '0x1003\n',
    type: loopback ? '772\n' : '1\n',
    operstate: loopback ? 'unknown\n' : 'up\n',
    carrier: '1\n',
    address: new LinkAddress(superblock, name),
    addr_len: '6\n',
    tx_queue_len: '1000\n',
    speed: '10000\n',
    duplex: 'full\n',
    statistics: zeros,
  };
}

class LinkAddress extends GeneratedInode {
  private readonly link: string;
  constructor(superblock: Superblock, name: string) {
    super(superblock, 0o444);
    this.link = name;
  }
  content(kernel: Kernel): string {
    const found = interfacesOf(kernel).find(({ name }) => name === this.link);
    return `${[...(found?.mac ?? [])].map((b) => b.toString(16).padStart(2, '0')).join(':')}\n`;
  }
}

export function createSys(superblock: Superblock, environment: EnvironmentValues): Dentry {
  const { cpus, memory } = environment;
  const disks = numbersOf(environment.disks ?? DISKS);
  const self = new Dentry('', undefined, new StaticDirectory(superblock, 0o555, 1));
  const total = Math.floor(memory / 1024);
  const node = {
    cpulist: cpuList(cpus),
    cpumap: cpuMask(cpus),
    distance: '10\n',
    meminfo: `Node 0 MemTotal:       ${total} kB\nNode 0 MemFree:        ${Math.floor(total * 0.7)} kB\n`,
    hugepages: {},
  };
  fillDirectory(self, {
    block: Object.fromEntries(disks.map(([name, number]) => [name, disk(number)])),
    bus: {},
    dev: {
      block: Object.fromEntries(disks.map(([name, number]) => [number, `-> ../../block/${name}`])),
      char: {},
    },
    firmware: {},
    hypervisor: {},
    module: {},
    power: {},
    class: {
      net: { lo: '-> ../../devices/virtual/net/lo', eth0: '-> ../../devices/virtual/net/eth0' },
      tty: {},
      block: Object.fromEntries(disks.map(([name]) => [name, `-> ../../block/${name}`])),
      thermal: {},
      power_supply: {},
      dmi: {},
      mem: {},
    },
    devices: {
      system: {
        cpu: processors(cpus),
        node: {
          online: '0\n',
          possible: '0\n',
          has_cpu: '0\n',
          has_memory: '0\n',
          has_normal_memory: '0\n',
          node0: node,
        },
        clocksource: { clocksource0: { current_clocksource: 'tsc\n', available_clocksource: 'tsc\n' } },
      },
      virtual: {
        net: { lo: link(superblock, 'lo', 1, 65536, true), eth0: link(superblock, 'eth0', 2, 1500, false) },
      },
    },
    fs: { cgroup: {}, ext4: {}, fuse: {}, bpf: {} },
    kernel: {
      mm: {
        transparent_hugepage: {
          enabled: 'always [madvise] never\n',
          defrag: 'always defer defer+madvise [madvise] never\n',
          shmem_enabled: 'always within_size advise [never] deny force\n',
          hpage_pmd_size: '2097152\n',
          use_zero_page: '1\n',
          khugepaged: { defrag: '1\n' },
        },
        hugepages: {
          'hugepages-2048kB': {
            nr_hugepages: '0\n',
            free_hugepages: '0\n',
            nr_overcommit_hugepages: '0\n',
            surplus_hugepages: '0\n',
            resv_hugepages: '0\n',
          },
        },
        ksm: { run: '0\n' },
      },
      security: {},
      debug: {},
      tracing: {},
      profiling: '0\n',
      uevent_seqnum: '0\n',
    },
  });
  return self;
}

type CgroupKey = keyof typeof CGROUP_FILES;

/** cgroup v2 files of the container's own group, without limits. */
const CGROUP_FILES = {
  'cgroup.controllers': () => 'cpuset cpu io memory hugetlb pids rdma misc\n',
  'cgroup.subtree_control': () => '\n',
  'cgroup.type': () => 'domain\n',
  'cgroup.events': () => 'populated 1\nfrozen 0\n',
  'cgroup.procs': (kernel: Kernel) => [...kernel.processes.keys()].map((pid) => `${pid}\n`).join(''),
  'cgroup.threads': (kernel: Kernel) => [...kernel.tasks.keys()].map((tid) => `${tid}\n`).join(''),
  'cgroup.max.depth': () => 'max\n',
  'cgroup.max.descendants': () => 'max\n',
  'cgroup.stat': () => 'nr_descendants 0\nnr_dying_descendants 0\n',
  'cgroup.freeze': () => '0\n',
  'cpu.max': () => 'max 100000\n',
  'cpu.max.burst': () => '0\n',
  'cpu.weight': () => '100\n',
  'cpu.weight.nice': () => '0\n',
  'cpu.idle': () => '0\n',
  'cpu.stat': (kernel: Kernel) =>
    `usage_usec ${kernel.now / 1000n}\nuser_usec ${kernel.now / 1000n}\nsystem_usec 0\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n`,
  'cpu.pressure': () => PRESSURE,
  'cpuset.cpus': () => '\n',
  'cpuset.mems': () => '\n',
  'cpuset.cpus.effective': (kernel: Kernel) => cpuList(kernel.environment.cpus),
  'cpuset.mems.effective': () => '0\n',
  'memory.max': () => 'max\n',
  'memory.high': () => 'max\n',
  'memory.low': () => '0\n',
  'memory.min': () => '0\n',
  'memory.current': () => '16777216\n',
  'memory.peak': () => '16777216\n',
  'memory.swap.max': () => 'max\n',
  'memory.swap.current': () => '0\n',
  'memory.events': () => 'low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n',
  'memory.stat': () =>
    'anon 8388608\nfile 8388608\nkernel 0\nkernel_stack 0\npagetables 0\nshmem 0\nfile_mapped 0\ninactive_anon 0\nactive_anon 8388608\ninactive_file 8388608\nactive_file 0\nunevictable 0\nslab 0\n',
  'memory.pressure': () => PRESSURE,
  'memory.oom.group': () => '0\n',
  'pids.max': () => 'max\n',
  'pids.current': (kernel: Kernel) => `${kernel.tasks.size}\n`,
  'pids.events': () => 'max 0\n',
  'io.stat': () => '',
  'io.max': () => '',
  'io.pressure': () => PRESSURE,
  'hugetlb.2MB.max': () => 'max\n',
} as const;
const PRESSURE =
  'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n';

class CgroupFile extends GeneratedInode {
  private readonly key: CgroupKey;
  constructor(superblock: Superblock, key: CgroupKey) {
    super(superblock, 0o444);
    this.key = key;
  }
  content(kernel: Kernel): string {
    return CGROUP_FILES[this.key](kernel);
  }
}

export function createCgroup(superblock: Superblock): Dentry {
  const self = new Dentry('', undefined, new StaticDirectory(superblock, 0o755, 1));
  fillDirectory(
    self,
    Object.fromEntries(
      (Object.keys(CGROUP_FILES) as CgroupKey[]).map((key) => [key, new CgroupFile(superblock, key)]),
    ),
  );
  return self;
}
