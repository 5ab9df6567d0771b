// The shell script that turns a fresh set of namespaces into a container and becomes its first process: what a
// container runtime does between clone and exec. Only programs of the host that every distribution has are used.
//
// Order, and why:
//  1. A small root (`stage`) with the host's program directories, read-only, and the container's file system in `root`.
//  2. pivot_root into the stage; the host's root is detached, so nothing of it can be reached any more.
//  3. The container's file system is moved over `/`. The script's own root stays below it, so that programs of the
//     stage can still be run; `..` and new namespaces end at the container's root.
//  4. The recorder is told the host's pid and attaches; then capabilities are dropped (clean environment), the
//     container's environment is set, and chroot(1) enters the container, takes the user and executes the entrypoint.
//     Programs that run with the image's environment run without privileges beyond the container's.
// mount -n: the host's table of mounts is none of ours.
// Does not do: seccomp and LSM profiles, cgroup limits, devices beyond the standard ones.
import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import type { ContainerPlan } from './container.ts';
import type { Isolation } from './isolation.ts';
import { containerAddress, type PreparedRoot } from './rootfs.ts';
import { quoteAll } from './shell.ts';
import type { Tools } from './tools.ts';

export interface PreludeInput {
  readonly tools: Tools;
  readonly isolation: Isolation;
  readonly plan: ContainerPlan;
  readonly root: PreparedRoot;
  /** An empty directory of ours. */
  readonly stage: string;
  readonly net: 'own' | 'host';
}

/** Programs that the first process executes, after the recorder is attached, before the entrypoint. */
export const preludePrograms = 3;

/** Lines on descriptor 5: `pid N` (waits for a line then), `note TEXT`, `fail TEXT`, anything else is a tool's message. */
export const controlDescriptor = 5;

/** What Docker leaves a container: moby `oci/caps/defaults.go`. */
const capabilities = [
  'chown',
  'dac_override',
  'fowner',
  'fsetid',
  'kill',
  'setgid',
  'setuid',
  'setpcap',
  'net_bind_service',
  'net_raw',
  'sys_chroot',
  'mknod',
  'audit_write',
  'setfcap',
] as const;

const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'] as const;

const deviceLinks = [
  ['/proc/self/fd', 'fd'],
  ['/proc/self/fd/0', 'stdin'],
  ['/proc/self/fd/1', 'stdout'],
  ['/proc/self/fd/2', 'stderr'],
  ['pts/ptmx', 'ptmx'],
] as const;

/** What Docker hides and what it leaves readable only (moby `oci/defaults.go`). */
const masked = [
  'asound',
  'acpi',
  'interrupts',
  'kcore',
  'keys',
  'latency_stats',
  'timer_list',
  'timer_stats',
  'sched_debug',
  'scsi',
] as const;
const maskedSys = ['firmware', 'devices/virtual/powercap'] as const;
const readOnly = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'] as const;

/** Where a host may keep its programs and what they need. */
const programDirectories = ['bin', 'sbin', 'usr', 'lib', 'lib32', 'lib64', 'libx32', 'nix', 'gnu'] as const;

/**
 * What the host's shell runs: the namespaces, and the script in them. Messages of the tools go to the recorder (5) until
 * the service starts, those of unshare, which stays as its parent, for good: all it has to say later is that the service
 * was killed. The service's own standard error is kept as 6.
 */
export function containerCommand(input: PreludeInput): readonly string[] {
  const { tools, isolation } = input;
  const unshare = [tools.unshare, ...isolation.flags, '--', tools.sh, '-c', preludeScript(input)];
  return [tools.sh, '-c', 'exec "$@" 6>&2 2>&5', 'sh', ...unshare];
}

/** The whole script, for `sh -c`, with descriptors as `containerCommand` has them. */
export function preludeScript(input: PreludeInput): string {
  const { plan, root, tools, net, stage } = input;
  const lines = [
    ...opening,
    run('setting the host name', tools.hostname, plan.hostname),
    ...(net === 'own' ? network(tools) : []),
    ...stageMounts(input),
    ...systemMounts(input),
    ...root.binds.map((bind) =>
      run(`mounting ${bind.target}`, tools.mount, '-n', '--bind', bind.source, `${stage}/root${bind.target}`),
    ),
    ...change(input),
    'echo "pid $hostpid" >&5',
    'read -r go <&5 || exit 125',
    `exec ${quoteAll(lastPrograms(input))} 2>&6 5>&- 6>&-`,
  ];
  return `${lines.join('\n')}\n`;
}

const opening = [
  'umask 022',
  'fail() { echo "fail $1" >&5; exit 125; }',
  'run() { what=$1; shift; "$@" || fail "$what"; }',
  'try() { what=$1; shift; "$@" 2>/dev/null || echo "note $what failed" >&5; }',
  // The host's proc is still there: its `self` is our pid as the recorder knows it.
  'read -r hostpid rest </proc/self/stat || fail "reading /proc/self/stat"',
];

const run = (what: string, ...command: readonly string[]): string => `run ${quoteAll([what, ...command])}`;
const attempt = (what: string, ...command: readonly string[]): string =>
  `try ${quoteAll([what, ...command])}`;

function network({ ip }: Tools): string[] {
  return [
    run('starting the loopback interface', ip, 'link', 'set', 'lo', 'up'),
    attempt('adding an address', ip, 'address', 'add', `${containerAddress}/32`, 'dev', 'lo'),
  ];
}

function stageMounts({ tools, stage, root, isolation }: PreludeInput): string[] {
  const present = programDirectories.filter((name) => existsSync(`/${name}`));
  const links = present.filter((name) => lstatSync(`/${name}`).isSymbolicLink());
  const directories = present.filter((name) => !links.includes(name));
  return [
    run('mounting a stage', tools.mount, '-n', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', stage),
    run(
      'making the stage',
      tools.mkdir,
      ...['root', 'old', 'proc', ...directories].map((name) => `${stage}/${name}`),
    ),
    ...links.map((name) =>
      run('making the stage', tools.ln, '-s', readlinkSync(`/${name}`), `${stage}/${name}`),
    ),
    ...directories.flatMap((name) => [
      run(`mounting /${name}`, tools.mount, '-n', '--bind', `/${name}`, `${stage}/${name}`),
      // In a user namespace the flags of these mounts are locked, and the files are not ours to write anyway.
      ...(isolation.users === 'none'
        ? [run(`protecting /${name}`, tools.mount, '-n', '-o', 'remount,bind,ro', `${stage}/${name}`)]
        : []),
    ]),
    run('mounting proc', tools.mount, '-n', '-t', 'proc', 'proc', `${stage}/proc`),
    // Programs with the image's environment run here, and root may write to /proc/sys without any capability.
    run('protecting proc', tools.mount, '-n', '-o', 'remount,bind,ro,nosuid,nodev,noexec', `${stage}/proc`),
    run('mounting the root', tools.mount, '-n', '--bind', root.directory, `${stage}/root`),
  ];
}

function systemMounts({ tools, stage, root }: PreludeInput): string[] {
  const inside = `${stage}/root`;
  const proc = inside + root.mountPoints.proc;
  const dev = inside + root.mountPoints.dev;
  const sys = inside + root.mountPoints.sys;
  const mount = (type: string, options: string, target: string): string =>
    run(`mounting ${type}`, tools.mount, '-n', '-t', type, '-o', options, type, target);
  return [
    mount('proc', 'nosuid,nodev,noexec', proc),
    mount('tmpfs', 'nosuid,mode=755,size=65536k', dev),
    run('making devices', tools.mkdir, `${dev}/pts`, `${dev}/shm`, `${dev}/mqueue`),
    ...devices.flatMap((name) => [
      run('making devices', tools.touch, `${dev}/${name}`),
      run('making devices', tools.mount, '-n', '--bind', `/dev/${name}`, `${dev}/${name}`),
    ]),
    ...deviceLinks.map(([target, name]) => run('making devices', tools.ln, '-s', target, `${dev}/${name}`)),
    mount('devpts', 'nosuid,noexec,newinstance,ptmxmode=0666,mode=0620', `${dev}/pts`),
    mount('tmpfs', 'nosuid,nodev,noexec,mode=1777,size=65536k', `${dev}/shm`),
    attempt(
      'mounting mqueue',
      tools.mount,
      '-n',
      '-t',
      'mqueue',
      '-o',
      'nosuid,nodev,noexec',
      'mqueue',
      `${dev}/mqueue`,
    ),
    attempt('mounting sysfs', tools.mount, '-n', '-t', 'sysfs', '-o', 'ro,nosuid,nodev,noexec', 'sysfs', sys),
    ...[...masked.map((name) => `${proc}/${name}`), ...maskedSys.map((name) => `${sys}/${name}`)].flatMap(
      (path) => [
        `if [ -d ${quoteAll([path])} ]; then ${run('hiding a path', tools.mount, '-n', '-t', 'tmpfs', '-o', 'ro,size=0k', 'tmpfs', path)}`,
        `elif [ -e ${quoteAll([path])} ]; then ${run('hiding a path', tools.mount, '-n', '--bind', '/dev/null', path)}; fi`,
      ],
    ),
    ...readOnly
      .map((name) => `${proc}/${name}`)
      .flatMap((path) => [
        `if [ -e ${quoteAll([path])} ]; then`,
        run('protecting a path', tools.mount, '-n', '--bind', path, path),
        run('protecting a path', tools.mount, '-n', '-o', 'remount,bind,ro,nosuid,nodev,noexec', path),
        'fi',
      ]),
  ];
}

/** From the host's root to the container's; ends in the working directory. */
function change({ tools, stage, plan }: PreludeInput): string[] {
  return [
    `cd ${quoteAll([stage])} || fail "entering the stage"`,
    run('changing the root', tools.pivot_root, '.', 'old'),
    'cd / || fail "entering the stage"',
    run('detaching the old root', tools.umount, '-n', '-l', '/old'),
    'cd -P /root || fail "entering the root"',
    run('moving the root', tools.mount, '-n', '--move', '.', '/'),
    // -P: a shell would put its idea of the current directory, now wrong, before a relative path.
    `cd -P ${quoteAll([`.${plan.workingDir}`])} || fail "entering the working directory"`,
  ];
}

function lastPrograms({ tools, plan, isolation }: PreludeInput): string[] {
  const { account } = plan;
  const up = plan.workingDir === '/' ? '.' : plan.workingDir.slice(1).replace(/[^/]+/g, '..');
  const groups = [account.gid, ...account.groups].map((id) => `+${id}`).join(',');
  // With a single id mapped there is nothing to change to, and the kernel forbids setgroups.
  const identity =
    isolation.users === 'single' ? [] : [`--userspec=+${account.uid}:+${account.gid}`, `--groups=${groups}`];
  return [
    tools.setpriv,
    `--bounding-set=-all,${capabilities.map((name) => `+${name}`).join(',')}`,
    '--inh-caps=-all',
    tools.env,
    '-i',
    '--',
    ...plan.env,
    tools.chroot,
    ...identity,
    '--skip-chdir',
    up,
    ...plan.argv,
  ];
}
