// /proc/sys, the settings of the kernel, with the values of a usual server and those of the environment. Container
// runtimes mount it read-only.
import type { Kernel } from './kernel.ts';
import { UNPRIVILEGED_PORTS } from './socket-inet.ts';
import type { Superblock } from './vfs-inode.ts';
import { GeneratedInode, type PseudoTree } from './vfs-pseudo.ts';

type SettingKey = keyof typeof SETTINGS;

/** Random bytes as a version 4 UUID. */
function uuid(kernel: Kernel): string {
  const bytes = kernel.random(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Settings that the environment decides. */
const SETTINGS = {
  hostname: (kernel: Kernel) => kernel.environment.hostName,
  osrelease: (kernel: Kernel) => kernel.environment.kernelRelease,
  version: (kernel: Kernel) => `#1 SMP PREEMPT_DYNAMIC ${kernel.environment.kernelRelease}`,
  boot_id: (kernel: Kernel) => kernel.environment.bootId,
  uuid,
  threadsMax: (kernel: Kernel) => String(Math.floor(kernel.environment.memory / 131072)),
  fileNr: () => '1024\t0\t9223372036854775807',
  nextPid: (kernel: Kernel) => String(kernel.nextPid - 1),
} as const;

class SettingInode extends GeneratedInode {
  private readonly setting: SettingKey;
  constructor(superblock: Superblock, setting: SettingKey, mode = 0o444) {
    super(superblock, mode);
    this.setting = setting;
  }
  content(kernel: Kernel): string {
    return `${SETTINGS[this.setting](kernel)}\n`;
  }
}

const lines = (tree: PseudoTree): PseudoTree =>
  Object.fromEntries(
    Object.entries(tree).map(([name, value]) => [name, typeof value === 'string' ? `${value}\n` : value]),
  );

const NETWORK_CORE = lines({
  somaxconn: '4096',
  rmem_max: '212992',
  wmem_max: '212992',
  rmem_default: '212992',
  wmem_default: '212992',
  netdev_max_backlog: '1000',
  default_qdisc: 'fq_codel',
  optmem_max: '131072',
  busy_poll: '0',
  busy_read: '0',
  netdev_budget: '300',
  dev_weight: '64',
});

const IPV4 = lines({
  ip_local_port_range: '32768\t60999',
  ip_forward: '1',
  ip_default_ttl: '64',
  ip_nonlocal_bind: '0',
  ip_unprivileged_port_start: String(UNPRIVILEGED_PORTS),
  ip_local_reserved_ports: '',
  ping_group_range: '0\t2147483647',
  tcp_fastopen: '1',
  tcp_rmem: '4096\t131072\t6291456',
  tcp_wmem: '4096\t16384\t4194304',
  tcp_mem: '188964\t251955\t377928',
  udp_mem: '377931\t503911\t755862',
  tcp_congestion_control: 'cubic',
  tcp_available_congestion_control: 'reno cubic',
  tcp_allowed_congestion_control: 'reno cubic',
  tcp_keepalive_time: '7200',
  tcp_keepalive_intvl: '75',
  tcp_keepalive_probes: '9',
  tcp_fin_timeout: '60',
  tcp_max_syn_backlog: '512',
  tcp_syn_retries: '6',
  tcp_synack_retries: '5',
  tcp_syncookies: '1',
  tcp_tw_reuse: '2',
  tcp_timestamps: '1',
  tcp_sack: '1',
  tcp_window_scaling: '1',
  tcp_max_tw_buckets: '131072',
  tcp_retries1: '3',
  tcp_retries2: '15',
  tcp_slow_start_after_idle: '1',
  tcp_ecn: '2',
  tcp_mtu_probing: '0',
  tcp_notsent_lowat: '4294967295',
  tcp_abort_on_overflow: '0',
  tcp_base_mss: '1024',
});

/** Of one interface; `version` of the protocol. */
const neighbours = (version: 4 | 6): PseudoTree =>
  lines({
    anycast_delay: '100',
    app_solicit: '0',
    base_reachable_time: '30',
    base_reachable_time_ms: '30000',
    delay_first_probe_time: '5',
    gc_stale_time: '60',
    interval_probe_time_ms: '5000',
    locktime: version === 4 ? '100' : '0',
    mcast_resolicit: '0',
    mcast_solicit: '3',
    proxy_delay: '80',
    proxy_qlen: '64',
    retrans_time: version === 4 ? '100' : '250',
    retrans_time_ms: '1000',
    ucast_solicit: '3',
    unres_qlen: '101',
    unres_qlen_bytes: '212992',
  });
const ofInterfaces = (settings: PseudoTree): PseudoTree => ({
  default: settings,
  eth0: settings,
  lo: settings,
});

const IPV6_CONF = lines({ disable_ipv6: '0', forwarding: '0', accept_ra: '1', mtu: '1500', hop_limit: '64' });

const VM = lines({
  overcommit_memory: '0',
  overcommit_ratio: '50',
  overcommit_kbytes: '0',
  swappiness: '60',
  max_map_count: '65530',
  nr_hugepages: '0',
  min_free_kbytes: '67584',
  dirty_ratio: '20',
  dirty_background_ratio: '10',
  dirty_expire_centisecs: '3000',
  dirty_writeback_centisecs: '500',
  mmap_min_addr: '65536',
  drop_caches: '0',
  vfs_cache_pressure: '100',
  panic_on_oom: '0',
  zone_reclaim_mode: '0',
  legacy_va_layout: '0',
  hugetlb_shm_group: '0',
  nr_overcommit_hugepages: '0',
  laptop_mode: '0',
  'page-cluster': '3',
});

const FS = lines({
  'file-max': '9223372036854775807',
  nr_open: '1048576',
  'aio-max-nr': '65536',
  'aio-nr': '0',
  'pipe-max-size': '1048576',
  'pipe-user-pages-soft': '16384',
  'pipe-user-pages-hard': '0',
  protected_hardlinks: '1',
  protected_symlinks: '1',
  protected_regular: '1',
  protected_fifos: '1',
  suid_dumpable: '0',
  'lease-break-time': '45',
  'leases-enable': '1',
  'mount-max': '100000',
  overflowuid: '65534',
  overflowgid: '65534',
  'inode-nr': '50000\t1000',
  'inode-state': '50000\t1000\t0\t0\t0\t0\t0',
  'dentry-state': '50000\t40000\t45\t0\t20000\t0',
});

const KERNEL = lines({
  ostype: 'Linux',
  domainname: '(none)',
  pid_max: '4194304',
  ngroups_max: '65536',
  cap_last_cap: '40',
  shmmax: '18446744073692774399',
  shmall: '18446744073692774399',
  shmmni: '4096',
  sem: '32000\t1024000000\t500\t32000',
  msgmax: '8192',
  msgmnb: '16384',
  msgmni: '32000',
  core_pattern: 'core',
  core_uses_pid: '0',
  core_pipe_limit: '0',
  overflowuid: '65534',
  overflowgid: '65534',
  randomize_va_space: '0',
  perf_event_paranoid: '3',
  unprivileged_bpf_disabled: '2',
  kptr_restrict: '1',
  dmesg_restrict: '1',
  printk: '4\t4\t1\t7',
  panic: '0',
  panic_on_oops: '0',
  tainted: '0',
  sched_rr_timeslice_ms: '100',
  sched_rt_period_us: '1000000',
  sched_rt_runtime_us: '950000',
  numa_balancing: '0',
  nmi_watchdog: '0',
  io_uring_disabled: '0',
  shm_rmid_forced: '0',
  auto_msgmni: '0',
  'ctrl-alt-del': '0',
  sysctl_writes_strict: '1',
  unprivileged_userns_clone: '1',
  arch: 'x86_64',
  sched_autogroup_enabled: '1',
  timer_migration: '1',
  modules_disabled: '0',
  kexec_load_disabled: '0',
});

export function sysctlTree(superblock: Superblock): PseudoTree {
  const setting = (key: SettingKey, mode?: number) => new SettingInode(superblock, key, mode);
  return {
    kernel: {
      ...KERNEL,
      hostname: setting('hostname', 0o644),
      osrelease: setting('osrelease'),
      version: setting('version'),
      'threads-max': setting('threadsMax', 0o644),
      ns_last_pid: setting('nextPid', 0o644),
      random: {
        ...lines({
          entropy_avail: '256',
          poolsize: '256',
          write_wakeup_threshold: '256',
          urandom_min_reseed_secs: '60',
        }),
        boot_id: setting('boot_id'),
        uuid: setting('uuid'),
      },
      seccomp: lines({
        actions_avail: 'kill_process kill_thread trap errno user_notif trace log allow',
        actions_logged: 'kill_process kill_thread trap errno user_notif trace log',
      }),
      keys: lines({ maxkeys: '200', maxbytes: '20000' }),
      yama: lines({ ptrace_scope: '1' }),
    },
    vm: VM,
    fs: {
      ...FS,
      'file-nr': setting('fileNr'),
      inotify: lines({ max_user_watches: '1048576', max_user_instances: '128', max_queued_events: '16384' }),
      epoll: lines({ max_user_watches: '3500000' }),
      mqueue: lines({
        msg_max: '10',
        msgsize_max: '8192',
        queues_max: '256',
        msg_default: '10',
        msgsize_default: '8192',
      }),
    },
    net: {
      core: NETWORK_CORE,
      ipv4: { ...IPV4, neigh: ofInterfaces(neighbours(4)) },
      ipv6: {
        bindv6only: '0\n',
        conf: { all: IPV6_CONF, default: IPV6_CONF, eth0: IPV6_CONF, lo: IPV6_CONF },
        neigh: ofInterfaces(neighbours(6)),
      },
      unix: lines({ max_dgram_qlen: '512' }),
    },
    user: lines({ max_user_namespaces: '0', max_pid_namespaces: '15000' }),
  };
}
